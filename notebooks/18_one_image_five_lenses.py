# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/18_one_image_five_lenses.ipynb)
#
# # One image, five lenses
#
# **Put the same images under five methods of this book, and "little information" does not mean the same thing five times: of 20<!--=five-lenses.pairs:.0f--> comparisons 15<!--=five-lenses.clear-raw:.0f--> are clear in our short
# run, 8<!--=five-lenses.against-raw:.0f--> of them clear *opposites*; with brightness and class held fixed 8<!--=five-lenses.clear-held:.0f--> are left. Bits go with the bits that simplification leaves, and the distance from the
# class's image with unique information.**
#
# Below you see ten images: five digits and five photographs. Which digit holds the least information, and which photograph? This book has five ways to answer:
# count bits; simplify; look for the few pixels that decide; compare with an image that stands for the whole class; ask what the network would lose without the image. Write your guess down.
#
# You will
#
# - look at a digit and at a photograph through all five methods, with one small network;
# - rank all images by each of the five numbers, and ask with an interval whether two ranks agree;
# - take out brightness and class, and see which agreement is left; and compare two numbers of each method.
#
# **To know before:** the five methods, each from its own lesson: [bits per dimension](01_bits_per_dimension.ipynb), simplification [while training](04_per_instance_simplification.ipynb) and
# [after training](13_simplify_after_training.ipynb), [sufficient input subsets](14_sufficient_input_subsets.ipynb), [distribution matching](08_distribution_matching.ipynb),
# [unique information](16_unique_information.ipynb). Here each of them is a few lines that call the library.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import copy
from itertools import combinations

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import simplebits as sb

sb.report.style()
sb.report.measured_cost("18_one_image_five_lenses")

# %% tags=["parameters"]
image_sets = ["digits", "photos"]  # digits and photographs: names for sb.data.load
classes = [[0, 1, 2, 3, 4], [0, 3, 4, 11, 13]]  # classes of each set, by number
each = 20  # training images of each class; all of them are looked at
density = "glow-16px"  # measures bits, and sets the size of the images
width = 64  # units in each of the two hidden layers of the network
training_steps = 250  # of the network, batches of 32
bit_weights = [32.0, 4.0]  # lambda, the price of a bit per dimension: while training, and after it
simplify_steps = [100, 30]  # steps of the simplifier; steps of each image's latents
threshold = 0.9  # tau, the confidence that a subset of pixels must keep
iterations = 150  # networks drawn while the classes are condensed
tangent_steps = 500  # t, steps of the tangent network
seed = 0  # of all draws and networks

# %% [markdown]
# ## Ten classes, one network
#
# One network learns from digits and photographs together. A class of photographs is *one* photograph, cut into many crops; the network says which photograph a crop is from.

# %%
measure = sb.density.load(density)
size = measure.image_size


def draw(split, count):
    """Draw so many images of each class, with three channels, at the density's size."""
    generator, images, labels, names = torch.Generator().manual_seed(seed), [], [], []
    for name, chosen in zip(image_sets, classes, strict=True):
        whole = sb.data.load(name, split)
        for c in chosen:
            here = (whole.labels == c).nonzero()[:, 0]
            here = here[torch.randperm(len(here), generator=generator)[:count]]
            images.append(whole.subset(here).to_float(size, 3))
            labels += [len(names)] * len(here)
            names.append(whole.classes[c])
    pixels = sb.data.to_bytes(torch.cat(images))
    return sb.data.ImageSet(pixels, torch.tensor(labels), tuple(names), f"two kinds/{split}")


# %%
train, others = draw("train", each), draw("test", each // 2)
x, y, x_val = train.to_float(), train.labels, others.to_float()
photograph = y >= len(classes[0])  # which images are photographs
start = sb.networks.build("MLP", len(train.classes), 3, size, seed=seed, width=width)
network = copy.deepcopy(start)  # `start` keeps the random weights: two lenses need them
sb.networks.fit_classifier(
    network, train, steps=training_steps, seed=seed, progress=False,
    optimiser=sb.networks.classifier_optimiser(network, 0.004),
)  # fmt: skip
for name, images, labels in (("these", x, y), ("other", x_val, others.labels)):
    print(f"{name} images: {sb.networks.accuracy(network, images, labels):.1%} right")

# %% tags=["hide-input"]
first_of_class = [int((y == c).nonzero()[0]) for c in range(len(train.classes))]
sb.report.show(
    sb.report.image_grid(x[first_of_class], titles=list(train.classes), columns=5),
    alt="Ten small images, one of each class: five handwritten digits above, crops of five photographs below.",
    caption="One image of each class. Which digit and which photograph hold the least information?",
)

# %% [markdown]
# Each lens gives every image one number, which is *small* where there is little information. It also gives a second number that is meant to say the same in another way. We keep both: a lens that hardly agrees with
# itself can hardly agree with another one.
#
# ## Lens 1: how many bits is the image?
#
# Bits per dimension of an image $x$ with $d$ values and $2^b$ grey levels, under a Glow with density $p$ ($u$ is noise within a grey level):
#
# $$ \mathrm{bits}(x) = b - \frac{\log p(x + u)}{d \ln 2}. $$
#
# The second number is the size of the image as a PNG file, in bits per dimension too.

# %%
lens, second = {}, {}  # the numbers of all images, and the second numbers
lens["bits"] = sb.density.bits_of(measure, x)
second["bits"] = sb.density.png_bits_per_dim(x)

# %% [markdown]
# ## Lens 2: how many bits are left when it is simplified?
#
# Simplify *while* training: a simplifier repaints the images, and a copy of the network learns from the repainted ones.

# %%
with torch.random.fork_rng():
    torch.random.default_generator.manual_seed(seed)
    simplifier = sb.networks.ResidualUNet(filters=8, downsamplings=3, merge=1.0)
run = sb.simplify.SimplifyWhileTraining(
    copy.deepcopy(network), simplifier, measure, bit_weight=bit_weights[0], noise=1.0, clip=0.3,
    augment=None, simplifier_learning_rate=0.005, learning_rate=0.001, seed=seed,
)  # fmt: skip
run.fit(train, steps=simplify_steps[0], cool_down=0.3, progress=False)
while_training = run.simplify(x)

# %% [markdown]
# Simplify *after* training: the network stays as it is, and each image's latents move by themselves. `frames` keeps the images on the way.

# %%
on_the_way = sb.simplify.simplify_after_training(
    network, measure, x, bit_weight=bit_weights[1], gradient_weight=1.0, batch_size=50,
    prediction_weights=(5.0, 5.0), steps=simplify_steps[1], learning_rate=0.06, cool_down=0.4,
    start="image", keep_every=2, seed=seed, progress=False,
)  # fmt: skip

# %% [markdown]
# Compare the two at *equal accuracy*. Of the images that were simplified while training, count how many the copy reads. Then look at the second half of the way of the
# other simplification, and stop where the network reads as many, or most nearly so; if at several steps, at the last.

# %%
read = sb.networks.accuracy(run.classifier, while_training, y)
reads = [sb.networks.accuracy(network, frame, y) for frame in on_the_way.frames]
half = range(len(reads) // 2, len(reads))
equal = min(half, key=lambda k: (abs(reads[k] - read), -k))
after_training = on_the_way.frames[equal]
lens["simplified"] = sb.density.bits_of(measure, after_training)
second["simplified"] = sb.density.bits_of(measure, while_training)
for name, share, bits in (
    ("as they are", reads[0], lens["bits"]),
    ("while training", read, second["simplified"]),
    ("after training", reads[equal], lens["simplified"]),
):
    print(f"{name}: {share:.1%} right, {bits.mean():.2f} bits per dimension")

# %% [markdown]
# ## Lens 3: how many pixels are enough?
#
# Mask pixels as long as the network stays sure of its answer. A masked pixel becomes the mean pixel of all images. Backward selection by gradients masks two pixels at a time; the
# subset is what is left just before the confidence falls below $\tau$. (As it goes by gradients and in pairs, a smaller subset may exist.) The second number: how many *random* pixels does it take for the same confidence? We let pixels return in ten random orders and average.

# %%
fill = sb.subsets.mean_pixel(train)[:, None, None]
score = sb.subsets.class_score(network, x)
selection = sb.subsets.batched_gradient_back_select(score, x, 2, fill=fill, progress=False)
subsets = selection.sufficient(threshold)
sure = torch.tensor([subset is not None for subset in subsets])
masks = torch.stack([selection.mask[0] if s is None else s.mask for s in subsets])
lens["subset"] = masks.sum((1, 2)).double()
print(f"the network is sure of {int(sure.sum())} of {len(x)} images")

# %%
generator, counts, needed = torch.Generator().manual_seed(seed), range(0, size * size + 1, 4), []
for _ in range(10):
    order = torch.randperm(size * size, generator=generator).view(size, size)
    reached = [score(torch.where(order < k, x, fill)) >= threshold for k in counts]
    needed.append(4.0 * torch.stack(reached).int().argmax(0))  # the first count that is enough
second["subset"] = torch.stack(needed).mean(0)

# %%
# NBVAL_CHECK_OUTPUT
alone = score(torch.where(masks[:, None], x, fill))
print("each chosen subset is enough:", bool((alone[sure] >= threshold).all()))

# %% [markdown]
# The network is not that sure of every image. Those of which it is not have no subset, and we leave them out of all comparisons.
#
# ## Lens 4: how far is it from the condensed image of its class?
#
# Condense the training set to one image a class. An image that teaches what its condensed image teaches holds little beyond it. What an image teaches is its gradient: compare the gradient of its loss at the start weights with that of the condensed image, by
# lesson 07's distance. The second number is the root mean squared distance of their pixels.

# %%
condensed = sb.condense.condense(
    train, "distribution", 1, size=size, channels=3, network="MLP", seed=seed, progress=False,
    network_options={"width": width}, iterations=iterations, real_batch=min(each, 32),
)  # fmt: skip


def gradient(image, label):
    """What one step on this image would do to the start weights."""
    loss = F.cross_entropy(start(image[None]), label[None])
    return torch.autograd.grad(loss, list(start.parameters()))


# %%
of_class = [gradient(*pair) for pair in zip(condensed.images, condensed.labels, strict=True)]
lens["condensed"] = torch.stack(
    [
        sb.condense.matching_distance(gradient(image, label), of_class[label])
        for image, label in zip(x, y, strict=True)
    ]
)
second["condensed"] = (x - condensed.images[y]).square().mean((1, 2, 3)).sqrt()

# %% [markdown]
# ## Lens 5: what would the network lose without it?
#
# Leave image $i$ out of the training of the tangent network (the network, linear in its weights; lesson 16), and measure how far its predictions for other images move: the unique information F-SI, in nats,
#
# $$ \text{F-SI}(i) = \tfrac12\, \frac1m \sum_{j=1}^m \big\lVert f_{-i}(x_j) - f(x_j) \big\rVert^2. $$
#
# Here $f$ has learned from all images, $f_{-i}$ from all but $i$, and the $x_j$ are $m$ test images. The tangent is taken at the start weights; for the second number, at other ones.

# %%
classes_of = F.one_hot(y).double()


def unique(at):
    """The unique information of all images, for the tangent at these weights."""
    theta, theta_val = (sb.information.kernel(at, *some).double() for some in ((x,), (x_val, x)))
    rate = 0.99 * (len(x) - 1) / float(torch.linalg.matrix_norm(theta, 2))  # stable
    outputs = sb.networks.predict(at, x), sb.networks.predict(at, x_val)
    return sb.information.sample_information(
        theta, theta_val, classes_of, *outputs, rate, tangent_steps, progress=False
    ).functional


other_start = sb.networks.build("MLP", len(train.classes), 3, size, seed=seed + 1, width=width)
lens["unique"], second["unique"] = unique(start), unique(other_start)

# %% [markdown]
# ## One image under all lenses
#
# The slider picks an image: for digits and for photographs, the one of which each lens says that it holds the *most*. Above you see what the lenses see; unique information has no picture of its own. Below, each dot says where the image stands among those of
# its kind: at the left is the least information, at the right the most.

# %% tags=["hide-input"]
units = {
    "bits": "bits",
    "simplified": "bits",
    "subset": "pixels",
    "condensed": "",
    "unique": "nats",
}
kinds = {"digits": sure & ~photograph, "photographs": sure & photograph}
blue, orange, grey = (sb.report.COLOURS[name] for name in ("blue", "orange", "grey"))


def place(name, i):
    """Where the image stands among those of its kind, 0 (least) to 1 (most)."""
    same = lens[name][sure & (photograph == photograph[i])]
    return float((same < lens[name][i]).sum() / max(len(same) - 1, 1))


def under_all(i):
    """A figure: what the lenses see of image i, and where it stands."""
    figure, axes = plt.subplot_mosaic(
        [["0", "1", "2", "3", "4", "5"], ["ranks"] * 6],
        figsize=(7.6, 3.9), height_ratios=[1.25, 1.7], layout="constrained",
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(size * size, generator=generator).view(size, size)
    pictures = {
        f"the image\n{lens['bits'][i]:.2f} bits": x[i],
        f"while training\n{second['simplified'][i]:.2f} bits": while_training[i],
        f"after training\n{lens['simplified'][i]:.2f} bits": after_training[i],
        f"{lens['subset'][i]:.0f} pixels\nare enough": sb.report.painted(x[i], masks[i]),
        f"{second['subset'][i]:.0f} if they\nare random": sb.report.painted(
            x[i], order < float(second["subset"][i])
        ),
        f"condensed class\nat {lens['condensed'][i]:.0f}": condensed.images[y[i]].clamp(0, 1),
    }
    for k, (title, picture) in enumerate(pictures.items()):
        axes[str(k)].imshow(picture.permute(1, 2, 0), interpolation="nearest")
        axes[str(k)].set_title(title, fontsize="small")
        axes[str(k)].axis("off")
    ranks = axes["ranks"]
    for row, name in enumerate(lens):
        ranks.plot([0, 1], [row, row], color=grey, linewidth=1)
        ranks.plot(place(name, i), row, "o", color=orange if place(name, i) > 0.5 else blue)
    named = [f"{name}: {lens[name][i]:.3g} {units[name]}".strip() for name in lens]
    ranks.set(yticks=range(5), yticklabels=named, xlim=(-0.03, 1.03), ylim=(4.5, -0.5))
    ranks.set(xticks=[0, 0.5, 1], xticklabels=["least", "middle of its kind", "most"])
    ranks.grid(visible=False)
    return figure


picked, labels = [], []
for kind, there in kinds.items():
    for name in lens:
        indices = there.nonzero()[:, 0]
        picked.append(int(indices[lens[name][indices].argmax()]))
        labels.append(f"of all {kind}, most by {name}: {train.classes[y[picked[-1]]]}")
said = [
    ", ".join(
        f"{name} {lens[name][i]:.3g} {units[name]} (above {place(name, i):.0%})" for name in lens
    )
    for i in picked
]
sb.report.slider(
    [under_all(i) for i in picked],
    labels,
    [
        f"An image, its two simplified versions, its sufficient pixels, random pixels and the condensed image of its class; below, its place by each lens. {label}. {words}."
        for label, words in zip(labels, said, strict=True)
    ],
    "image",
)

# %% [markdown]
# **What you should see.** The dots of one image stand far apart. In the default run take the fourth stop: the digit that is farthest from the condensed image of its class, a 1 with a broad foot. By bits it is a plain image,
# above only 18<!--=five-lenses.far-bits-place:.0f-->% of the digits; by unique information it is above 94<!--=five-lenses.far-unique-place:.0f-->% of them. And see what choosing pixels is worth: on average
# 59<!--=five-lenses.subset-digits:.0f--> chosen pixels of a digit are enough, or 157<!--=five-lenses.second-subset-digits:.0f--> random ones, of 256; of a photograph 42<!--=five-lenses.subset-photographs:.0f--> chosen or 134<!--=five-lenses.second-subset-photographs:.0f--> random ones.
#
# Lens 2, at nearly equal accuracy: the network reads 98.5<!--=five-lenses.read-after:.1f-->% of the images that were simplified after training, at 0.99<!--=five-lenses.simplified-digits:.2f--> bits for digits and 1.24<!--=five-lenses.simplified-photographs:.2f--> for photographs; the copy reads
# 99.5<!--=five-lenses.read-while:.1f-->% of those simplified while training, at 1.22<!--=five-lenses.second-simplified-digits:.2f--> and 1.64<!--=five-lenses.second-simplified-photographs:.2f--> bits. (As they are: 1.40<!--=five-lenses.bits-digits:.2f--> and 1.89<!--=five-lenses.bits-photographs:.2f--> bits.)
#
# ## Do the ranks agree?
#
# The numbers have different units, so compare *ranks*: give the smallest number rank 0, the next rank 1, and so on. Let $r_i$ and $s_i$ be the ranks of image $i$ by two lenses. Spearman's rank correlation is Pearson's correlation of the ranks,
#
# $$ \rho = \frac{\sum_i (r_i - \bar r)(s_i - \bar s)}{\sqrt{\sum_i (r_i - \bar r)^2 \sum_i (s_i - \bar s)^2}}, $$
#
# 1 for the same order, $-1$ for the opposite order, near 0 for orders that have nothing in common.

# %%
digits = kinds["digits"]
a, b = lens["condensed"][digits], lens["unique"][digits]


def ranks(values):
    """Ranks from 0; good where no two values are equal."""
    return values.argsort().argsort().double()


def pearson(a, b):
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


by_hand = pearson(ranks(a), ranks(b))
library = sb.report.rank_correlation(a, b)
print(f"condensed and unique, digits: {library}")

# %%
# NBVAL_CHECK_OUTPUT
print("the library has the same:", abs(by_hand - library.rho) < 1e-6)

# %% [markdown]
# In brackets stands the 95% interval: it says how far $\rho$ could be off because we looked at these images and not at others of the same kind. If it leaves out 0, we call the correlation *clear*: an agreement above 0, an opposition below.
#
# Never put digits and photographs into one comparison here: photographs have more bits than digits, and any other number in which the two kinds differ would "agree" with bits for this reason alone (exercise 2). So we compare within each kind.
#
# ## Is it only brightness, or the class?
#
# Two lenses may agree because both follow something plain. A bright image has more ink, and one class may be easier than another. Hold both fixed: predict the ranks from the rank of the brightness and
# from the class by least squares, and correlate what is left,
#
# $$ \rho_{\text{fixed}} = \mathrm{corr}\big(r - \hat r,\; s - \hat s\big), \qquad \hat r, \hat s: \text{predicted from brightness and class}. $$

# %%
ink = x.mean((1, 2, 3))  # brightness: the mean of all values of an image


def rest(values, there):
    """Ranks, less what brightness and class predict of them."""
    known = torch.cat([F.one_hot(y[there]).double(), ranks(ink[there])[:, None]], 1)
    known = known[:, known.abs().sum(0) > 0]  # the classes that occur
    wanted = ranks(values)[:, None]
    return (wanted - known @ torch.linalg.lstsq(known, wanted).solution)[:, 0]


# %%
# NBVAL_CHECK_OUTPUT
fixed = {"given": [ink[digits]], "groups": y[digits].tolist()}
library = sb.report.rank_correlation(a, b, **fixed)
print(
    "by hand as the library:", abs(pearson(rest(a, digits), rest(b, digits)) - library.rho) < 0.02
)

# %% [markdown]
# Now all pairs of lenses, for digits and for photographs.

# %%
raw, held = {}, {}
for kind, there in kinds.items():
    fixed = {"given": [ink[there]], "groups": y[there].tolist()}
    for pair in combinations(lens, 2):
        one, two = (lens[name][there] for name in pair)
        raw[kind, *pair] = sb.report.rank_correlation(one, two)
        held[kind, *pair] = sb.report.rank_correlation(one, two, **fixed)
for name, table in {"raw": raw, "brightness and class fixed": held}.items():
    print(f"{name}: {sum(found.sure for found in table.values())} of {len(table)} clear")

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(8.2, 4.4), layout="constrained", sharey=True)
names = list(lens)
for axis, kind in zip(panels, kinds, strict=True):
    values = torch.full((5, 5), float("nan"))
    for i, j in combinations(range(5), 2):
        for row, column, table in ((j, i, raw), (i, j, held)):
            found = table[kind, names[i], names[j]]
            values[row, column] = found.rho
            axis.text(
                column, row, f"{found.rho:+.2f}", ha="center", va="center",
                weight="bold" if found.sure else "normal", alpha=1 if found.sure else 0.6,
                color="white" if abs(found.rho) > 0.65 else "black",
            )  # fmt: skip
    picture = axis.imshow(values, cmap="PuOr_r", vmin=-1, vmax=1, interpolation="nearest")
    axis.set_title(f"{kind} ({int(kinds[kind].sum())} images)")
    axis.set_xticks(range(5), names, rotation=35, ha="right")
    axis.set_yticks(range(5), names)
    axis.grid(visible=False)
figure.colorbar(picture, ax=panels, label="rank correlation ρ", shrink=0.8)
told = "; ".join(
    f"{kind}, {one} and {two}: {found.rho:+.2f}, with brightness and class fixed {held[kind, one, two].rho:+.2f}"
    for (kind, one, two), found in raw.items()
)
sb.report.show(
    figure,
    alt=f"Two tables of rank correlations, a row and a column for each lens. {told}.",
    caption="Below the diagonal: the ranks as they are. Above it: brightness and class held fixed. Bold: the 95% interval leaves out 0.",
)

# %% [markdown]
# **What you should see.** Read the lower half first. In the default run 15<!--=five-lenses.clear-raw:.0f--> of 20<!--=five-lenses.pairs:.0f--> correlations are clear, but 8<!--=five-lenses.against-raw:.0f--> of these are *negative*: where one lens says much, the other says little. Among digits, images with
# more bits are nearer to their condensed image (-0.52<!--=five-lenses.raw-bits-condensed-digits:+.2f-->) and have less unique information (-0.37<!--=five-lenses.raw-bits-unique-digits:+.2f-->). Among photographs, images with more bits have more of it (+0.49<!--=five-lenses.raw-bits-unique-photographs:+.2f-->).
#
# Now the upper half, with brightness and class fixed: 8<!--=five-lenses.clear-held:.0f--> are left. Bits and condensed lose their opposition among digits (-0.07<!--=five-lenses.held-bits-condensed-digits:+.2f-->), and the two opposite answers about bits and unique
# information both fade (-0.15<!--=five-lenses.held-bits-unique-digits:+.2f--> and +0.12<!--=five-lenses.held-bits-unique-photographs:+.2f-->; neither is clear). Was it brightness or class? With brightness alone held fixed, bits and condensed stay opposed among digits (-0.54<!--=five-lenses.ink-only-digits:+.2f-->); with class alone they do not
# (-0.13<!--=five-lenses.class-only-digits:+.2f-->). So the opposition of bits and condensed was mostly one of *classes*: images of a class with many bits lie near their condensed image, and the other way round.
#
# Two agreements outlast this, in both kinds:
#
# - **bits and simplified**: +0.28<!--=five-lenses.held-bits-simplified-digits:+.2f--> [+0.08<!--=five-lenses.held-bits-simplified-digits-low:+.2f-->, +0.46<!--=five-lenses.held-bits-simplified-digits-high:+.2f-->] among digits,
#   +0.57<!--=five-lenses.held-bits-simplified-photographs:+.2f--> [+0.39<!--=five-lenses.held-bits-simplified-photographs-low:+.2f-->, +0.71<!--=five-lenses.held-bits-simplified-photographs-high:+.2f-->] among photographs. This is the same Glow, asked before and after.
# - **condensed and unique**: +0.44<!--=five-lenses.held-condensed-unique-digits:+.2f--> [+0.26<!--=five-lenses.held-condensed-unique-digits-low:+.2f-->, +0.60<!--=five-lenses.held-condensed-unique-digits-high:+.2f-->] and
#   +0.31<!--=five-lenses.held-condensed-unique-photographs:+.2f--> [+0.09<!--=five-lenses.held-condensed-unique-photographs-low:+.2f-->, +0.50<!--=five-lenses.held-condensed-unique-photographs-high:+.2f-->]. Both ask how unusual an image is for its class, and both ask it of gradients at the same start weights.
#
# So the five lenses ask at least two questions: *how long is the image as a message?* and *how unusual is it for its class?* The number of sufficient pixels belongs to neither: it follows
# brightness, the brighter an image, the fewer pixels are enough (-0.32<!--=five-lenses.ink-subset-digits:+.2f--> and -0.55<!--=five-lenses.ink-subset-photographs:+.2f-->). With brightness and class fixed it goes with bits a little (+0.22<!--=five-lenses.held-bits-subset-digits:+.2f--> and +0.30<!--=five-lenses.held-bits-subset-photographs:+.2f-->), and among photographs *against* the distance
# from the condensed image (-0.37<!--=five-lenses.held-subset-condensed-photographs:+.2f-->): of an unusual crop fewer pixels are enough.
#
# "Held fixed" has a limit: what brightness and class predict is taken out as a straight line in the ranks. Other differences of the images, stroke width for example, may still stand behind an agreement.
#
# ## Does a lens agree with itself?
#
# Compare the orders by the two numbers of each lens.

# %%
within = {
    (kind, name): sb.report.rank_correlation(lens[name][there], second[name][there])
    for kind, there in kinds.items()
    for name in lens
}

# %% tags=["hide-input"]
seconds = dict(
    zip(
        lens,
        ["Glow, PNG", "after, while", "chosen, random", "gradient, pixels", "two starts"],
        strict=True,
    )
)
figure, axis = plt.subplots(figsize=(6.6, 3.2), layout="constrained")
for k, (kind, colour) in enumerate(zip(kinds, (blue, orange), strict=True)):
    for row, name in enumerate(lens):
        found = within[kind, name]
        axis.plot([found.low, found.high], [row + 0.2 * k - 0.1] * 2, color=colour)
        axis.plot(
            found.rho, row + 0.2 * k - 0.1, "os"[k], color=colour, label=None if row else kind
        )
axis.axvline(0, color=grey, linewidth=1)
axis.set(xlim=(-1, 1.02), ylim=(4.6, -0.6), xlabel="rank correlation of a lens with itself")
axis.set_yticks(range(5), [f"{name}: {what}" for name, what in seconds.items()])
axis.legend(loc="lower left")
told = "; ".join(f"{name}, {kind}: {found}" for (kind, name), found in within.items())
sb.report.show(
    figure,
    alt=f"For each lens, the rank correlation of its two numbers with its 95% interval, for digits and for photographs. {told}.",
    caption="How well the two numbers of a lens put the images in one order; lines: 95% intervals.",
)

# %% [markdown]
# **What you should see.** Bits agree best with themselves (+0.87<!--=five-lenses.within-bits-digits:+.2f--> and +0.96<!--=five-lenses.within-bits-photographs:+.2f-->), though Glow and PNG are very different codes. Unique information keeps most of its order at other start weights
# (+0.73<!--=five-lenses.within-unique-digits:+.2f--> and +0.89<!--=five-lenses.within-unique-photographs:+.2f-->). Among digits simplified bits are the weak lens: the orders while training and after it have little in common
# (+0.22<!--=five-lenses.within-simplified-digits:+.2f-->), at nearly equal accuracy. (Among photographs it is the subset.) So the bits that are left say much about the way of simplifying, and not only about the image. The while-training version has seen the labels and must teach; the after-training version must only keep
# the answer of this network. And both simplifications stop after few steps in this lesson.
#
# The intervals are about other *images*. They do not cover another network or another condensed set; only the two starts of the last lens show a little of that.
#
# ## What each lens cannot see
#
# - **Bits** know no task and no network. Grain that no network reads is paid for in full, and a stroke that turns a 3 into an 8 is priced like any other stroke. And bits are the opinion of one Glow, which learned from other images.
# - **Simplified bits** do not know what is *enough*: they say what one loop left over in so many steps, not what it could have left. They cannot tell a needed detail from one that the loop found hard to remove.
# - **A sufficient subset** counts pixels and not what is in them; the places of the pixels may tell the class ([lesson 15](15_overinterpretation.ipynb)). It does not see whether the other pixels would have been enough as well, and it depends on what a
#   masked pixel becomes (exercise 1).
# - **The condensed image** is one image for a whole class. If a class has two ways to be drawn, each of them is far from the one image. And a wrong label looks the same as a rare but right image: both are far away.
# - **Unique information** sees no pixels at all. Of two equal images each has little, however rich they are. And the number is about this training set: add similar images, and it falls.
#
# What none of the five sees: whether a *person* would still recognise the image, and what another task would need of it. "Little information" is short for *little, for this reader, with this task, beside these other images*. Before you use one of the
# numbers, say which reader, task and images you mean.
#
# ## What the papers report, and what the studies found
#
# None of the five papers compares its number with those of the others. The first table has what each of them reports about its own lens; the second has our study of 500 images of MNIST, with intervals.
# In the study, too, bits and simplified, condensed and unique are clear with brightness and class held fixed, and no other pair is. So the agreement of subset and bits above does not come back there.

# %% tags=["hide-input"]
sb.report.studied(
    "simplebits.bits.order",
    "simplebits.tradeoff.decay",
    "overinterpretation.size.correct",
    "dm.mnist.ipc50.dm",
    "unique-information.review-length",
)

# %% tags=["hide-input"]
sb.report.measured_in("five_lenses")

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** A masked pixel became the mean pixel here. Make it black. Do the sizes of the subsets put the images in the same order with both fills?
#
# <details><summary>Solution</summary>
#
# ```python
# black = sb.subsets.batched_gradient_back_select(score, x, 2, fill=0.0, progress=False).sufficient(threshold)
# size_black = torch.tensor([0.0 if s is None else len(s) for s in black])
# for kind, there in kinds.items():
#     print(kind, sb.report.rank_correlation(lens["subset"][there], size_black[there]))
# ```
#
# In the default run $\rho$ is +0.48<!--=five-lenses.fill-digits:+.2f--> for digits and -0.04<!--=five-lenses.fill-photographs:+.2f--> for photographs. With black, the dark background of a digit is free; with the mean pixel, it has to be shown. So the number belongs to the image *and*
# to the fill, and says nothing without it.
#
# </details>
#
# **Exercise 2.** Put digits and photographs into one comparison. Which pairs of lenses look different now, and why?
#
# <details><summary>Solution</summary>
#
# ```python
# for one, two in combinations(lens, 2):
#     print(one, two, sb.report.rank_correlation(lens[one][sure], lens[two][sure]))
# ```
#
# Take bits and subset. In the default run they have -0.41<!--=five-lenses.pooled-bits-subset:+.2f--> together, -0.07<!--=five-lenses.raw-bits-subset-digits:+.2f--> among digits and -0.21<!--=five-lenses.raw-bits-subset-photographs:+.2f--> among photographs, much weaker. Photographs have more bits than digits, and fewer of their pixels are enough;
# the joint number says mostly that. The reverse happens, too: bits and condensed have -0.09<!--=five-lenses.pooled-bits-condensed:+.2f--> together, which hides -0.52<!--=five-lenses.raw-bits-condensed-digits:+.2f--> among digits. This is *Simpson's paradox*: groups and their union may tell different stories.
#
# </details>
#
# **Exercise 3.** Ten pairs, two kinds: twenty intervals. If no two lenses had anything in common, how many of the twenty would you expect to leave out 0? With which probability at least one?
#
# <details><summary>Solution</summary>
#
# A 95% interval misses the truth once in twenty, so one of twenty is expected. If the twenty were independent, at least one would leave out 0 with probability $1 - 0.95^{20} = 0.64$. So one clear pair alone means little; many do mean something.
#
# </details>
#
# ## References
#
# - [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits-->: bits per dimension, and simplification while training and after it.
# - [Carter et al. (2021)](https://arxiv.org/abs/2003.08907)<!--cite:t carter2021overinterpretation-->: sufficient input subsets, and the batched gradient version.
# - [Zhao and Bilen (2023)](https://arxiv.org/abs/2110.04181)<!--cite:t zhao2023distribution-->: distribution matching; [Zhao et al. (2021)](https://openreview.net/forum?id=mSAKhLYLSsl)<!--cite:t zhao2021gradient-->: the distance of gradients.
# - [Harutyunyan et al. (2021)](https://openreview.net/forum?id=kEnBH98BGs5)<!--cite:t harutyunyan2021unique-->: unique information.

# %% tags=["hide-cell"]
black = sb.subsets.batched_gradient_back_select(score, x, 2, fill=0.0, progress=False)
size_black = torch.tensor([0.0 if s is None else len(s) for s in black.sufficient(threshold)])
numbers = {
    "images": (len(x), "images"),
    "sure": (int(sure.sum()), "images"),
    "read-original": (100 * reads[0], "%"),
    "read-while": (100 * read, "%"),
    "read-after": (100 * reads[equal], "%"),
    "pairs": (len(raw), "pairs"),
    "clear-raw": (sum(found.sure for found in raw.values()), "pairs"),
    "clear-held": (sum(found.sure for found in held.values()), "pairs"),
    "against-raw": (sum(found.high < 0 for found in raw.values()), "pairs"),
    "far-bits-place": (100 * place("bits", picked[3]), "%"),
    "far-unique-place": (100 * place("unique", picked[3]), "%"),
}
for kind, there in kinds.items():
    numbers[f"images-{kind}"] = (int(there.sum()), "images")
    for name in lens:
        numbers[f"{name}-{kind}"] = (float(lens[name][there].mean()), units[name] or "distance")
        numbers[f"within-{name}-{kind}"] = (within[kind, name].rho, "rank correlation")
        numbers[f"second-{name}-{kind}"] = (float(second[name][there].mean()), "mean")
        bright = sb.report.rank_correlation(lens[name][there], ink[there])
        numbers[f"ink-{name}-{kind}"] = (bright.rho, "rank correlation")
    for pair in combinations(lens, 2):
        for label, table in (("raw", raw), ("held", held)):
            found = table[kind, *pair]
            name = f"{label}-{'-'.join(pair)}-{kind}"
            numbers[name] = (found.rho, "rank correlation")
            numbers[f"{name}-low"], numbers[f"{name}-high"] = (
                (found.low, "rank correlation"), (found.high, "rank correlation"),
            )  # fmt: skip
    fills = sb.report.rank_correlation(lens["subset"][there], size_black[there])
    numbers[f"fill-{kind}"] = (fills.rho, "rank correlation")
one, two = (lens[name][digits] for name in ("bits", "condensed"))
for name, fixed in {
    "ink-only-digits": {"given": [ink[digits]]},
    "class-only-digits": {"groups": y[digits].tolist()},
}.items():
    numbers[name] = (sb.report.rank_correlation(one, two, **fixed).rho, "rank correlation")
for pair in combinations(lens, 2):
    pooled = sb.report.rank_correlation(*(lens[name][sure] for name in pair))
    numbers[f"pooled-{'-'.join(pair)}"] = (pooled.rho, "rank correlation")
setting = {"each": each, "density": density, "width": width, "threshold": threshold, "seed": seed}
for name, (value, unit) in numbers.items():
    sb.report.record("five-lenses", name, value, unit, setting=setting)

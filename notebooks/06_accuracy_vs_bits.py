# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/06_accuracy_vs_bits.ipynb)
#
# # Accuracy against bits
#
# **A curve of accuracy against bits says something only beside a cheap way to lose bits: digits simplified to
# 0.96<!--=trade-off.least-bits:.2f--> bits per dimension teach a fresh classifier to read 79<!--=trade-off.least-right:.0f--> % of the original test
# digits; at as few bits, blurred digits teach it 29<!--=trade-off.blur-at-least-bits:.0f--> %, and digits that are only darkened
# 86<!--=trade-off.dark-at-least-bits:.0f--> %.**
#
# Two sets of digits cost about one bit per dimension. In one set, every digit is blurred; in the other, a simplifier has painted it. From which
# of the two would you learn to read?
#
# You will
#
# - measure how much can be learned from simplified images, with a classifier that has seen nothing else;
# - draw accuracy against bits, one point for each price, and see the images behind each point;
# - put two cheap ways to lose bits beside this curve, and compare at equal bits.
#
# **To know before:** [per-instance simplification](04_per_instance_simplification.ipynb), whose training is one call here.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import dataclasses
from functools import partial
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

import simplebits as sb

sb.report.style()
sb.report.measured_cost("06_accuracy_vs_bits")

# %% tags=["parameters"]
image_set = "digits"  # what is simplified: a name for sb.data.load
bit_weights = [0.0, 6.0, 12.0]  # lambda, prices of a bit; 0 to 2 in the paper's code
sigmas = [
    1.2,
    2.0,
    2.8,
    3.6,
    5.0,
]  # standard deviations of the blur, pixels; 0.2 to 4 in the paper's code
factors = [0.4, 0.2, 0.1]  # what darkening multiplies the values by; not in the paper
warm_up = 250  # steps in which the classifier beside the simplifier learns from the originals; none in the paper
steps = 160  # steps of simplifier and classifier together, for each price; 100 epochs in the paper's code
relearning_steps = 200  # steps of a fresh classifier; 100 epochs in the paper's code
batch_size = 32  # images a step, as in the paper
learning_rate = 0.002  # of the classifiers; 5e-4 in the paper
simplifier_learning_rate = 0.01  # 5e-4 in the paper
test_images = 500  # original images at most on which a classifier is examined
seed = 0  # of networks, batches and noise

# %% [markdown]
# ## Images, and the density that counts their bits
#
# The density that counts the bits is the small Glow of lesson 04, for images of 16×16 pixels with 32 grey levels. So the bits here can be compared with
# those of lesson 04, and not with those of lesson 01, where a digit has 32×32 pixels and 256 levels: the same digit costs other bits there. All images
# have three colour channels; in an original digit the three are equal.

# %%
measure = sb.density.load("glow-16px")
size, levels = measure.image_size, 2**measure.bit_depth
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
train = train.draw(min(20_000, len(train)), seed)
test = test.draw(min(test_images, len(test)), seed)
originals, x_test = (images.to_float(size, channels=3) for images in (train, test))


def on_grid(x):
    """Images rounded to the grey levels that the density counts."""
    return sb.density.quantise(x, measure.bit_depth)


print(f"original test images: {sb.density.mean_bits(measure, x_test):.2f} bits per dimension")

# %% [markdown]
# ## What is a simplified image worth?
#
# In SimpleBits, the method of lesson 04, two networks learn together: a simplifier and a classifier. We cannot ask this classifier what the simplified
# images are worth, because it has seen originals in its warm-up, and images of earlier states of the simplifier. A fair question needs a *fresh*
# classifier, one with random weights. So do this for each price $\lambda$ (sections 3.2 and S8 of [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits-->, the paper of
# this lesson; what these sections leave open is done as in the authors' code):
#
# 1. train simplifier and classifier together, as in lesson 04, then keep the simplifier $s_\lambda$ alone;
# 2. simplify all training images once;
# 3. train a fresh classifier $f_\lambda$ on the simplified images and on nothing else;
# 4. examine it on *original* test images, and measure the bits of the simplified test images.
#
# This gives one point of the curve, bits $B$ to the right and accuracy $A$ upward:
#
# $$ B(\lambda) = \operatorname{mean}_x\, \mathrm{bpd}\big(s_\lambda(x)\big), \qquad A(\lambda) = \Pr\big[ f_\lambda(x) = y \big]. $$
#
# Here $x$ is an original test image, $y$ its label, $f_\lambda(x)$ the class that the classifier names, and bpd the bits per dimension.
#
# ## A fresh classifier learns
#
# Step 3 is ordinary training, with two additions. Each batch gets uniform noise as wide as one grey level of the density, drawn anew each time: 1/31 here, with
# 32 levels, and 1/255 in the code of the paper's authors, with 256. Without noise, a classifier could read a digit that is left in two neighbouring shades
# of black, which cost hardly any bits. And each image is moved by up to one pixel, so that the classifier does not rely on the places of single pixels.

# %%
grey_level = 1 / (levels - 1)
shift = sb.data.RandomShift(1)  # up to 4 pixels in the paper's code


def fresh(number):
    """A classifier with random weights, as in lesson 04."""
    options = {"depth": 10, "widen": 1, "stem_kernel": 5, "stem_stride": 2, "dropout": 0.0}
    return sb.networks.build(
        "NFWideResNet", len(train.classes), 3, size, seed=number, standardise="composite", **options
    )


# %%
def learn(classifier, x, y, steps, noise, shift):
    """Train a classifier on batches of these images; the losses."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = sb.networks.classifier_optimiser(classifier, learning_rate)  # AdamW
    losses = []
    for _ in range(steps):
        chosen = torch.randint(len(x), (batch_size,), generator=generator)
        u = torch.rand(x[chosen].shape, generator=generator) - 0.5
        (batch,) = shift(generator, x[chosen] + noise * u)
        loss = F.cross_entropy(classifier(batch), y[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


# %% [markdown]
# `sb.simplify.retrain` is this loop, with an exam on test images at the end. Do the loops agree? Let two equal classifiers learn for three steps
# from one image, without noise and shift, so that both get the same batches.

# %%
# NBVAL_CHECK_OUTPUT
ours, theirs, one = fresh(seed), fresh(seed), train.subset([0])
still = {"noise": 0.0, "learning_rate": learning_rate, "augment": sb.data.RandomShift(0)}
losses = learn(ours, originals[:1], one.labels, 3, still["noise"], still["augment"])
library = sb.simplify.retrain(
    theirs, one, {"original": one}, steps=3, size=size, channels=3, batch_size=batch_size,
    bf16=False, progress=False, **still,
)  # fmt: skip
flat = torch.nn.utils.parameters_to_vector
gap = (flat(ours.parameters()) - flat(theirs.parameters())).abs().max()
agree = torch.allclose(torch.tensor(losses), torch.tensor(library.losses), atol=1e-4)
print("the losses agree:", agree)
print("so do the weights:", float(gap.detach()) < 1e-3)

# %% [markdown]
# ## One point
#
# A *change* takes images and returns images. A change may be a simplifier, a blur, or nothing at all. `point` does steps 2 to 4 with any change, so
# that all changes are judged in the same way.

# %%
# one test image of each class, eight at most, for the figures
shown = [int((test.labels == label).nonzero()[0]) for label in test.labels.unique()][:8]


def point(change):
    """Bits of changed test images, and how well a classifier reads originals that learned from changed ones."""
    pixels = sb.data.to_bytes(on_grid(change(originals)))
    learned = sb.simplify.retrain(
        fresh(seed + 1), dataclasses.replace(train, images=pixels), {"original": test},
        steps=relearning_steps, size=size, channels=3, batch_size=batch_size, noise=grey_level,
        augment=shift, learning_rate=learning_rate, seed=seed, progress=False,
    )  # fmt: skip
    changed = on_grid(change(x_test))
    right = 100 * learned.accuracy["original"]
    return {
        "bits": sb.density.mean_bits(measure, changed),
        "right": right,
        "images": changed[shown],
    }


# %%
def unchanged(x):
    """The images as they are."""
    return x


original = point(unchanged)
print(f"{original['bits']:.2f} bits per dimension, {original['right']:.1f} % right")

# %% [markdown]
# ## A point for each price
#
# `sweep` is the loop of lesson 04 for several prices; all prices start from the same two networks, after the warm-up of the classifier. With `cool_down`,
# the learning rates fall to zero over the last three tenths of the steps. One of the prices is 0: bits cost nothing there, so this point shows what
# the method does to images *besides* saving bits.

# %%
with torch.random.fork_rng():  # PyTorch's own generator draws the weights, and is put back after
    torch.random.default_generator.manual_seed(seed)
    simplifier = sb.networks.ResidualUNet(filters=8, downsamplings=3, merge=1.0)
start = sb.simplify.SimplifyWhileTraining(
    fresh(seed), simplifier, measure, learning_rate=learning_rate,
    simplifier_learning_rate=simplifier_learning_rate, simplifier_betas=(0.9, 0.99),
    clip=0.3, noise=1.0, augment=shift, seed=seed,
)  # fmt: skip
runs = start.sweep(
    train, bit_weights, steps=steps, batch_size=batch_size, warm_up=warm_up,
    cool_down=0.3, collapse_patience=None, progress=False,  # None: never stop early
)  # fmt: skip

# %%
simplified = {price: point(run.simplify) for price, run in runs.items()}
for price, p in simplified.items():
    print(f"λ = {price:g}: {p['bits']:.2f} bits per dimension, {p['right']:.1f} % right")

# %% [markdown]
# **What you should see.** In the default run, without a price ($\lambda = 0$), the images cost 2.65<!--=trade-off.unpaid-bits:.2f--> bits; the originals cost only
# 1.38<!--=trade-off.original-bits:.2f-->. The loss asks for images that are easy to learn from, and takes whatever contrast and colour help, because
# bits cost nothing. A price also takes these added bits back. So compare a point with $\lambda = 0$ too, and not only with the originals. The prices above
# zero leave 1.16<!--=trade-off.cheap-bits:.2f--> and 0.96<!--=trade-off.dear-bits:.2f--> bits, and a fresh classifier learns to read 88<!--=trade-off.cheap-right:.0f--> and 79<!--=trade-off.dear-right:.0f--> % of the original
# digits; from original digits it learns to read 92<!--=trade-off.original-right:.0f--> %.
#
# Each point is *one* simplifier and *one* fresh classifier. With another seed, the accuracy would be some points higher or lower, so trust large
# differences only.
#
# ## Two cheap ways to lose bits
#
# Is this good? Whatever takes bits away costs accuracy in the end, so a curve alone says nothing. The curve needs rivals that know no task and cost no
# training. *Blur* is a rival in the paper: each pixel becomes a weighted mean of itself and its neighbours, over a wider area for a larger standard
# deviation $\sigma$ of the weights. *Darkening* is not in the paper: all values are multiplied by a factor below 1. Neighbouring
# pixels then differ by fewer of the 32 grey levels, and small differences cost few bits, because the density expects them.

# %%
blurred = {sigma: point(partial(sb.simplify.blur, sigma=sigma)) for sigma in sigmas}


def darken(x, factor):
    """Images with all values multiplied by a factor."""
    return factor * x


darkened = {factor: point(partial(darken, factor=factor)) for factor in factors}

# %%
# NBVAL_CHECK_OUTPUT
for name, points in (("blur", blurred), ("darkening", darkened)):
    fewer = all(p["bits"] < original["bits"] for p in points.values())
    print(f"{name} lowers the bits:", fewer)

# %% [markdown]
# ## The curve, with faces
#
# Each point of the picture below has a face: one and the same test image, as the method of the point leaves it. The colour of the point, of the frame
# and of the line tells the method.

# %% tags=["hide-input"]
looks = {
    "SimpleBits": (simplified, "blue", "-", "λ"),
    "blur": (blurred, "orange", "--", "σ"),
    "darkening": (darkened, "green", ":", "factor"),
}
face = 0
chance = 100 / len(train.classes)
edge = original["bits"] + 0.15  # points with more bits stand here, with their bits below


def draw(axes, ringed=None):
    """Accuracy against bits, with a test image at each point, and a ring around one of them."""
    for name, (points, colour, line, _) in looks.items():
        # The price of 0 lies beyond the originals; lines lead from these to fewer bits.
        kept = [p for p in points.values() if p["bits"] < original["bits"]]
        along = sorted([original, *kept], key=lambda p: p["bits"])
        colour = sb.report.COLOURS[colour]
        axes.plot(
            [p["bits"] for p in along], [p["right"] for p in along], line, color=colour, label=name
        )
        for p in points.values():
            stamp(axes, p, colour, -19 if name == "blur" else 19)
    stamp(axes, original, sb.report.COLOURS["black"])
    axes.axhline(chance, linestyle=(0, (1, 3)), color=sb.report.COLOURS["grey"])
    if ringed is not None:
        axes.plot(
            min(ringed["bits"], edge), ringed["right"], "o", markersize=16, markerfacecolor="none",
            markeredgecolor=sb.report.COLOURS["pink"], markeredgewidth=2.5, zorder=9,
        )  # fmt: skip
    axes.margins(x=0.08)
    axes.set(
        ylim=(0, 120),
        yticks=range(0, 101, 20),
        xlabel="bits per dimension",
        ylabel="original test images right, %",
    )
    axes.text(
        0.005, chance + 1, "guessing", transform=axes.get_yaxis_transform(), ha="left",
        fontsize=8, color=sb.report.COLOURS["grey"],
    )  # fmt: skip
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def stamp(axes, p, colour, offset=19):
    """A point, and a small picture above or below it."""
    place = min(p["bits"], edge), p["right"]
    axes.plot(*place, "o", color=colour, markersize=5)
    pixels = p["images"][face].permute(1, 2, 0).numpy()
    picture = OffsetImage(pixels, zoom=1.25, interpolation="nearest")
    box = {"edgecolor": colour, "linewidth": 2}
    away = {"xybox": (0, offset), "boxcoords": "offset points"}
    axes.add_artist(AnnotationBbox(picture, place, pad=0.08, bboxprops=box, zorder=5, **away))
    if p["bits"] > edge:
        words = f"{p['bits']:.2f} bits →"
        axes.text(edge, p["right"] - 6, words, ha="center", va="top", fontsize=8, color=colour)


figure, axes = plt.subplots(figsize=(7.2, 4.2))
draw(axes)
sb.report.show(
    figure,
    alt="Accuracy on original test images against bits per dimension: a curve for SimpleBits, one for blur and one for darkening, "
    "all from the originals to fewer bits, with the same digit drawn at each point.",
    caption="What fresh classifiers learn from changed images. Black frame: the originals, where each line begins. "
    "A point at the right border has more bits than the axis reaches; its bits stand below the point.",
)

# %% [markdown]
# Move the slider from few bits to many. A ring marks one point, and eight test images of this point stand below. Which of these could *you* still read?

# %% tags=["hide-input"]
stops = [(original, "original images")]
for name, (points, _, _, symbol) in looks.items():
    stops += [(p, f"{name}, {symbol} = {value:g}") for value, p in points.items()]
stops.sort(key=lambda stop: stop[0]["bits"])
frames, labels = [], []
for p, name in stops:
    labels.append(f"{name}: {p['bits']:.2f} bits per dimension, {p['right']:.0f} % right")
    figure = plt.figure(figsize=(7.2, 5.0))
    grid = figure.add_gridspec(2, len(shown), height_ratios=[4, 1])
    draw(figure.add_subplot(grid[0, :]), p)
    for column, image in enumerate(p["images"]):
        axes = figure.add_subplot(grid[1, column])
        axes.imshow(image.permute(1, 2, 0), interpolation="nearest", vmin=0, vmax=1)
        axes.axis("off")
    frames.append(figure)
sb.report.slider(
    frames,
    labels,
    [
        f"The curve with a ring around one point, and eight test images of it. {label}."
        for label in labels
    ],
    "from few bits to many",
)

# %% [markdown]
# ## Compare at equal bits
#
# Points of different methods have different bits. So read the rivals' curves *at the bits of a point of SimpleBits*, on the straight line between the two
# measured points beside it. Outside its measured points a curve says nothing.

# %%
rivals = {"blur": blurred, "darkening": darkened}


def at_bits(points, bits):
    """Accuracy of a curve at these bits; None beyond its points."""
    along = sorted([original, *points.values()], key=lambda p: p["bits"])
    for low, high in pairwise(along):
        if low["bits"] <= bits <= high["bits"]:
            share = (bits - low["bits"]) / (high["bits"] - low["bits"])
            return low["right"] + share * (high["right"] - low["right"])
    return None


def told(right):
    """Percent, or that there is nothing to compare with."""
    return "none" if right is None else f"{right:.0f} %"


for price, p in simplified.items():
    beside = {name: told(at_bits(points, p["bits"])) for name, points in rivals.items()}
    print(f"λ = {price:g}: {told(p['right'])} at {p['bits']:.2f} bits;", beside)

# %%
# NBVAL_CHECK_OUTPUT
middle = blurred[sigmas[0]]
there = at_bits(blurred, middle["bits"])
print("a curve passes through its points:", abs(there - middle["right"]) < 1e-6)
print("beyond them it has no value:", at_bits(blurred, 0.0), at_bits(blurred, 9.0))

# %% [markdown]
# **What you should see.** From which of two sets at equal bits would you learn to read? In the default run, at 0.96<!--=trade-off.least-bits:.2f--> bits, simplified digits teach 79<!--=trade-off.least-right:.0f--> % and
# blurred digits 29<!--=trade-off.blur-at-least-bits:.0f--> %: learn from the simplified ones. A blur that saves so many bits runs the strokes into each other, while the simplifier
# leaves some parts of a digit sharp and bright and paints others black. With more bits, at 1.16<!--=trade-off.cheap-bits:.2f-->, the lead is too small to trust: 88<!--=trade-off.cheap-right:.0f--> % against
# 85<!--=trade-off.blur-at-cheap-bits:.0f--> %.
#
# But darkened digits teach 86<!--=trade-off.dark-at-least-bits:.0f--> % at as few bits. Darkening knows nothing of the task, and it is the best of the three at both prices
# above zero. Darkening gives up shades and keeps the shape, and a digit is read by its shape. So a lead over blur does not show that a method must know the task in order to find good
# images. Two things limit what this picture can say. First, our simplifier has had few steps, and its loss asks that the classifier reads the simplified
# images too, which favours bright strokes: look at $\lambda = 0$. Second, these images are bright strokes on black. Where classes differ in shade or
# colour, darkening may cost more accuracy; we have not measured that here.
#
# Take this along: what a curve shows depends on its rivals. Look for the strongest rival that you can think of.
#
# ## What the papers report, and what the studies found
#
# The paper's images have 32×32 pixels and 256 levels for each value, and another density counts their bits. The first row, 2 bits per dimension below
# which accuracy falls markedly, is on that scale; on ours even the original digits cost less. The last three rows are about rivals, in this
# order: blur, JPEG, and a simplifier that only stays close to the image in squared error. Darkening is not among the paper's rivals.

# %% tags=["hide-input"]
sb.report.studied(
    "simplebits.tradeoff.knee",
    "simplebits.tradeoff.decay",
    "simplebits.tradeoff.lambda0",
    "simplebits.tradeoff.order",
    "simplebits.retraining.speed",
    "simplebits.baselines.blur",
    "simplebits.baselines.jpeg",
    "simplebits.baselines.l2",
)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Put JPEG through the same function (`sb.simplify.jpeg`, with `quality=40` and `quality=5`). JPEG files of low quality are small. Do
# the bits that the density counts fall too?
#
# <details><summary>Solution</summary>
#
# ```python
# for quality in (40, 5):
#     p = point(partial(sb.simplify.jpeg, quality=quality))
#     print(f"quality {quality}: {p['bits']:.2f} bits, {p['right']:.0f} % right")
# print(f"originals: {original['bits']:.2f} bits")
# ```
#
# On the digits they rise. JPEG leaves faint ripples around strokes, and these cost bits under the density. Bits always belong to a ruler: such an image
# is short in JPEG's own code and not in the code of this Glow.
#
# </details>
#
# **Exercise 2.** Let a fresh classifier learn from simplified images, and examine it on *simplified* test images too. Why is this accuracy not the one to
# draw?
#
# <details><summary>Solution</summary>
#
# ```python
# change = runs[max(runs)].simplify
# pixels, test_pixels = (sb.data.to_bytes(change(x)) for x in (originals, x_test))
# exams = {"original": test, "simplified": dataclasses.replace(test, images=test_pixels)}
# learned = sb.simplify.retrain(
#     fresh(seed + 1), dataclasses.replace(train, images=pixels), exams, steps=relearning_steps,
#     size=size, channels=3, noise=grey_level, augment=shift, learning_rate=learning_rate,
# )
# print(learned.accuracy)
# ```
#
# The accuracy on simplified images does not say whether the digit is still there. Imagine a simplifier that wrote a secret sign for each class into the
# images, and nothing else: a classifier would read all simplified images. On originals, where the sign is missing, it would guess.
#
# </details>
#
# **Exercise 3.** At the same price $\lambda$, a classifier loses 3 percentage points of accuracy on an easy set and 10 on a difficult one. Does the difficult
# set need more bits?
#
# <details><summary>Solution</summary>
#
# This does not follow. The same price takes different numbers of bits from the two sets, because the gate of lesson 04 (an image pays only where the
# exam goes well) opens for different shares of the images, and because the images cost different bits to begin with. Draw both curves
# and read the losses of accuracy at equal bits, or at an equal share of the bits that $\lambda = 0$ leaves.
#
# </details>
#
# ## References
#
# - [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits-->: sections 3.2, S7 and S8, figures 5, S3 and S4.
# - [Brock et al. (2021)](https://arxiv.org/abs/2102.06171)<!--cite:t brock2021nfnet-->: networks without normalisation layers.

# %% tags=["hide-cell"]
setting = {
    "image_set": image_set, "bit_weights": bit_weights, "sigmas": sigmas, "factors": factors, "warm_up": warm_up,
    "steps": steps, "relearning_steps": relearning_steps, "batch_size": batch_size, "learning_rate": learning_rate,
    "simplifier_learning_rate": simplifier_learning_rate, "test_images": len(test), "seed": seed,
}  # fmt: skip
paid = sorted(price for price in simplified if price > 0)
reached = [  # points of SimpleBits at whose bits both rivals have a value
    p for p in simplified.values()
    if None not in (at_bits(blurred, p["bits"]), at_bits(darkened, p["bits"]))
]  # fmt: skip
points = {
    "original": original,
    "unpaid": simplified[min(simplified)],
    "cheap": simplified[paid[0]],
    "dear": simplified[paid[-1]],
    "least": min(reached or [simplified[paid[-1]]], key=lambda p: p["bits"]),
    "blur-light": blurred[min(sigmas)],
    "blur-strong": blurred[max(sigmas)],
    "dark-light": darkened[max(factors)],
    "dark-strong": darkened[min(factors)],
}
for name, p in points.items():
    sb.report.record("trade-off", f"{name}-bits", p["bits"], "bits/dim", setting=setting)
    sb.report.record("trade-off", f"{name}-right", p["right"], "%", setting=setting)
for name in ("cheap", "least"):
    for rival, of_rival in (("blur", blurred), ("dark", darkened)):
        measured = [p["bits"] for p in (original, *of_rival.values())]
        near = min(max(points[name]["bits"], min(measured)), max(measured))
        sb.report.record(
            "trade-off", f"{rival}-at-{name}-bits", at_bits(of_rival, near), "%", setting=setting
        )

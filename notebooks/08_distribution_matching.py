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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/08_distribution_matching.ipynb)
#
# # Distribution matching
#
# **Move the pixels of one image per class until its features come near the average features of its class in random, untrained networks: ten such
# digits teach a fresh network to 87.9<!--=distribution-matching.one-dm:.1f--> %, ten random real ones to
# 70.5<!--=distribution-matching.one-random:.1f--> %, ten well-chosen ones to 85.4<!--=distribution-matching.one-herding:.1f--> %, and plain mean images,
# made without any network, already to 85.5<!--=distribution-matching.one-mmd:.1f--> %.**
#
# Take three candidates for the digit 3: the mean of all threes, one real three, and a three that was learned. Which one teaches a network best?
# Which one looks most like *all* threes to a network that knows nothing? Write down a guess before you go on.
#
# You will
#
# - measure how far two sets of images are apart in the features of a network that was never trained;
# - write the loop that moves the pixels of ten images until they agree with their classes, without any second derivative;
# - test the images in networks that the loop never met, and beside three rivals: random real images, chosen ones, and means.
#
# **To know before:** [gradient matching](07_gradient_matching.ipynb), what a mean and a softmax are.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import statistics
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import simplebits as sb

sb.report.style()
sb.report.measured_cost("08_distribution_matching")

# %% tags=["parameters"]
image_set = "digits"  # ten classes of images
train_images = 5000  # real training images, at most
size = 16  # height and width of the images, pixels
width = 32  # channels of all ConvNets; 128 in the paper
iterations = 150  # networks drawn, one step of the pixels each; 20,001 in the paper
real_batch = 64  # real images of a class at each step; 256 in the paper
learning_rate = 1.0  # of the pixels
cool_down = 0.5  # share of the iterations in which this rate falls to zero; 0 in the paper
seeds = [0, 1]  # one condensed set each; 5 in the paper
random_seeds = [0, 1, 2, 3, 4]  # one random choice of real images each
networks = 4  # trained on each set of ten images and tested; 20 in the paper
epochs = 150  # passes of these networks over the ten images; 1000 in the paper

# %% [markdown]
# ## Two of the three candidates
#
# Networks see *standardised* images: the mean brightness of the training set is taken off, and the rest divided by its standard deviation. So
# zero is an average grey. `real[c]` holds all standardised images of class $c$.

# %%
train, test = (sb.data.load(image_set, split).resized(size) for split in ("train", "test"))
train = train.draw(min(train_images, len(train)))
chosen = [sb.condense.coreset(train, "random", 1, seed=s) for s in random_seeds]
random_sets = [sb.condense.CondensedSet.of(images, train) for images in chosen]
standardised = random_sets[0].standardised
mean, std = (value.view(1, -1, 1, 1) for value in (random_sets[0].mean, random_sets[0].std))

images = standardised(train.to_float())
real = [images[train.labels == c] for c in range(10)]
one_real = standardised(random_sets[0].images)
mean_image = torch.stack([x.mean(0) for x in real])

# %% tags=["hide-input"]
figure = sb.report.image_grid(
    (torch.cat([one_real, mean_image]) * std + mean).clamp(0, 1),
    columns=10,
    row_titles=["one real image", "mean image"],
    zoom=0.8,
)
sb.report.show(
    figure,
    alt="Ten digits in each of two rows: above one real image of each class, below the blurred mean of each class.",
    caption="Two candidates for each class. The third is yet to be learned.",
)

# %% [markdown]
# ## What can an untrained network say?
#
# The *features* of an image are the numbers that a network hands to its last layer; write $\psi_\vartheta(x)$ for them, with the network's
# weights $\vartheta$. Here the weights are random and stay so. Why should such features say anything? A convolution with random weights still
# responds to edges, some filters to upright ones, others to level ones, and pooling keeps the place where they responded. So images
# that look alike get features that are alike, before any training.
#
# Try it. Give each test image the class whose mean features are nearest.

# %%
channels = train.images.shape[1]


def fresh(seed):
    """A ConvNet with random weights."""
    return sb.networks.build("ConvNet", 10, channels, size, seed=seed, width=width)


def features(network, x):
    """What the network hands to its last layer, [n, d]."""
    with torch.no_grad():
        return torch.cat([network.embed(part) for part in x.split(500)])


# %%
def right(guesses):
    """Percent of the test images."""
    return 100 * float((guesses == test.labels).float().mean())


network = fresh(0)
unknown = standardised(test.to_float())
class_means = torch.stack([features(network, x).mean(0) for x in real])
nearest = torch.cdist(features(network, unknown), class_means).argmin(1)
by_features = right(nearest)
by_pixels = right(torch.cdist(unknown.flatten(1), mean_image.flatten(1)).argmin(1))
by_itself = right(network.linear(features(network, unknown)).argmax(1))

print(f"nearest mean in random features: {by_features:.1f} %")
print(f"nearest mean in pixels:          {by_pixels:.1f} %")
print(f"the network's own answer:        {by_itself:.1f} %")

# %% [markdown]
# **What you should see.** In the default run the network's own answers are no better than blind guesses:
# 5.9<!--=distribution-matching.untrained:.1f--> % of them are right. Its features sort the digits all the same: their nearest mean is right for
# 84.7<!--=distribution-matching.nearest-features:.1f--> %, the nearest mean in plain pixels for
# 85.3<!--=distribution-matching.nearest-pixels:.1f--> %. So random features lose little of what pixels say about small, centred digits. And each new network gives other features.
#
# ## The distance of two means
#
# Call two sets of images alike if their mean features agree class by class, whatever random network looks at them. With real images
# $\mathcal{T}_c$ and synthetic images $\mathcal{S}_c$ of class $c$, the loss of distribution matching ([Zhao and Bilen, 2023](https://arxiv.org/abs/2110.04181))<!--cite:p zhao2023distribution--> is
#
# $$ L(\mathcal{S}) = \mathbb{E}_\vartheta \sum_{c} \Big\lVert
#    \tfrac{1}{|\mathcal{T}_c|} \sum_{x \in \mathcal{T}_c} \psi_\vartheta(x) - \tfrac{1}{|\mathcal{S}_c|} \sum_{s \in \mathcal{S}_c} \psi_\vartheta(s)
#    \Big\rVert^2. $$
#
# Statistics knows a distance of this kind as *maximum mean discrepancy* ([Gretton et al., 2012](https://jmlr.org/papers/v13/gretton12a.html))<!--cite:p gretton2012mmd-->: compare the means of two sets under many functions,
# and take the function that tells them apart best. The paper takes the average over random networks instead. For one network and the ten real
# images, by hand:

# %%
by_hand = torch.tensor(0.0)
for c in range(10):
    gap = features(network, real[c]).mean(0) - features(network, one_real[c : c + 1]).mean(0)
    by_hand += gap.square().sum()

print(f"squared distance of the mean features: {by_hand:.1f}")

# %%
# NBVAL_CHECK_OUTPUT
with torch.no_grad():
    loss = sb.condense.distribution_matching_loss(network.embed, real, one_real.split(1))
print("the library's loss is the same:", torch.allclose(loss, by_hand, rtol=1e-4))

# %% [markdown]
# ## The loop
#
# Now move the pixels. At each step take a new random network and a new batch of every class, measure the loss, and step down its gradient *in the
# pixels*, with momentum ½: half of the last step is added to the next. The network is thrown away untrained. Gradient matching in lesson 07
# compares gradients, so that it needs the derivative of a derivative. Here one derivative is enough.

# %%
generator = torch.Generator().manual_seed(0)


def match(pixels, network_at, steps, batch):
    """Move the pixels of one image per class, with a network for each step."""
    velocity = torch.zeros_like(pixels)
    for step in range(steps):
        network = network_at(step)
        pixels = pixels.detach().requires_grad_()
        loss = 0.0
        for c in range(10):
            drawn = torch.randperm(len(real[c]), generator=generator)[:batch]
            target = features(network, real[c][drawn]).mean(0)
            loss = loss + (target - network.embed(pixels[c : c + 1]).mean(0)).square().sum()
        velocity = 0.5 * velocity + torch.autograd.grad(loss, pixels)[0]
        pixels = pixels - learning_rate * velocity
    return pixels.detach()


# %% [markdown]
# `sb.condense.condense` is the same loop. To see that the two agree, take chance out of both: three steps with one and the same network and with all
# real images, from the library's start, which is one real image of each class.

# %%
fixed = {"network": lambda: fresh(0), "learning_rate": learning_rate, "bf16": False}
library = sb.condense.condense(
    train,
    "distribution",
    1,
    iterations=3,
    real_batch=len(train),
    keep_every=1,
    progress=False,
    **fixed,
)
_, kept = library.history.kept[0]  # pairs: the step, and the images in 8 bits
start = standardised(kept.float() / 255)
pixels = match(start, lambda step: fresh(0), 3, len(train))

# %%
# NBVAL_CHECK_OUTPUT
moved = (pixels - start).abs().max()
apart = (pixels - standardised(library.images)).abs().max()
print("the pixels have moved:", bool(moved > 0.01))
print("by hand as in the library:", bool(apart < 0.01 * moved))

# %% [markdown]
# Now with a new network at each step, to the end. `seed` takes several numbers and gives a condensed set for each, starting from other real images
# each. In the last half of the steps the learning rate falls to zero, because so short a run is still noisy at its end; the paper keeps the rate and
# makes 20,001 steps.

# %%
how = {
    "network_options": {"width": width},
    "real_batch": real_batch,
    "learning_rate": learning_rate,
    "cool_down": cool_down,
    "bf16": False,
    "progress": False,
}
often = {"iterations": iterations, "seed": seeds, "keep_every": max(iterations // 10, 1)}
plain = sb.condense.condense(train, "distribution", 1, **often, **how)

# %% [markdown]
# ## One change for both
#
# In the test at the end, a network that learns from ten images sees them changed at each pass: moved, turned, with a part cut out. So the images should
# be good *under such changes*. *Siamese augmentation* ([Zhao and Bilen, 2021](https://arxiv.org/abs/2102.08259))<!--cite:p zhao2021siamese--> draws one change $\omega$ for each class and step, applies it to the
# real batch **and** to the synthetic image, and matches $\psi_\vartheta(\mathcal{A}(x, \omega))$ with $\psi_\vartheta(\mathcal{A}(s, \omega))$, where
# $\mathcal{A}(x, \omega)$ is the changed image. Like Siamese twins, the two share all they do. For digits the authors' code draws one of five kinds
# of change. It leaves out the sixth, mirroring, which turns a digit into another sign.

# %%
augment = sb.condense.SiameseAugment(sb.condense.DSA_STRATEGY_DIGITS)
siamese = sb.condense.condense(train, "distribution", 1, augment=augment, **often, **how)

# %%
# NBVAL_CHECK_OUTPUT
print("kinds of change:", ", ".join(augment.strategy))
batch, single = augment(torch.Generator().manual_seed(3), real[3][:8], real[3][:1])
print(
    "the batch and the single image are changed alike:",
    torch.allclose(batch[:1], single, atol=1e-5),
)
print("changed at all:", not torch.equal(single, real[3][:1]))

# %% [markdown]
# Move the slider and watch the images being learned. The first row never moves: no network takes part in the mean images.

# %% tags=["hide-input"]
frames, labels = [], []
for (step, of_siamese), (_, of_plain) in zip(
    siamese[0].history.kept, plain[0].history.kept, strict=True
):
    rows = [(mean_image * std + mean).clamp(0, 1), of_siamese.float() / 255, of_plain.float() / 255]
    frames.append(
        sb.report.image_grid(
            torch.cat(rows), columns=10, row_titles=["mean", "siamese", "plain"], zoom=0.8
        )
    )
    labels.append(f"after {step} networks")
sb.report.slider(
    frames,
    labels,
    [
        f"Three rows of ten images: the class means, images learned with siamese augmentation, and without. {label}."
        for label in labels
    ],
    "networks drawn",
)

# %% [markdown]
# **What you should see.** The learned images begin as real ones. In the default run, what only this one image has fades, and what the class shares
# stays. At the end they look like sharper means: strokes keep their edges, and a fine grain has come that no real digit has.
#
# ## Networks that the loop never met
#
# Each network of the loop was used once. Does the agreement hold in new ones? Draw five, and measure the loss between one half of the real
# images and each candidate. The other half of the real images shows how near one can come.

# %%
unseen = [fresh(1000 + s) for s in range(5)]
here, others = [x[::2] for x in real], [x[1::2] for x in real]
candidates = {
    "other real images": others,
    "condensed": standardised(plain[0].images).split(1),
    "mean image": mean_image.split(1),
    "real, at the start": standardised(plain[0].history.kept[0][1].float() / 255).split(1),
}
with torch.no_grad():
    distances = {
        name: [float(sb.condense.distribution_matching_loss(net.embed, here, x)) for net in unseen]
        for name, x in candidates.items()
    }

# %% tags=["hide-input"]
average = {name: statistics.fmean(values) for name, values in distances.items()}
figure, axes = plt.subplots(figsize=(6.6, 2.4))
for i, values in enumerate(distances.values()):
    axes.plot(values, [i] * len(values), "o", markersize=5, color=sb.report.COLOURS["blue"])
    axes.plot(statistics.fmean(values), i, "|", markersize=18, color=sb.report.COLOURS["black"])
axes.set(
    xlabel="squared distance of the mean features, summed over classes",
    xscale="log",
    title=f"condensed: {average['condensed'] / average['real, at the start']:.0%} of the distance at the start, "
    f"mean image: {average['mean image'] / average['real, at the start']:.0%}",
)
axes.set_yticks(range(len(distances)), list(distances))
axes.set_ylim(len(distances) - 0.5, -0.5)
sb.report.show(
    figure,
    alt="Squared distance from one half of the real images under five unseen networks, on a logarithmic axis, for the other half, the condensed "
    "images, the mean images and the real images at the start. "
    + ", ".join(f"{name} {value:.1f}" for name, value in average.items()),
    caption="The loss in five networks that the loop never met. Dots: networks; marks: their mean.",
)

# %% [markdown]
# **What you should see.** In the default run the real images at the start have a loss of
# 25.2<!--=distribution-matching.distance-one-real-image:.1f-->, the mean images 7.6<!--=distribution-matching.distance-mean-image:.1f-->, the
# condensed images 5.6<!--=distribution-matching.distance-condensed:.1f-->, and the other half of the real ones
# 0.7<!--=distribution-matching.distance-other-real-images:.1f-->. So the condensed images are nearest, in networks that the loop never met, and yet
# far from zero. The next picture shows why, for the threes in two of these networks. A cross marks the mean of all threes' features. Everything else
# is drawn at its distance from the cross; its direction is that in the plane of the two *main axes*, along which the threes' features differ most.

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(7.6, 4.2))
for number, (panel, net) in enumerate(zip(panels, unseen, strict=False), 1):
    threes = features(net, real[3])
    cross = threes.mean(0)
    main_axes = torch.linalg.svd(threes - cross, full_matrices=False).Vh[:2]

    def place(e, cross=cross, main_axes=main_axes):
        """Where to draw features: in their direction on the two main axes, at their full distance."""
        flat = (e - cross) @ main_axes.T
        return flat / flat.norm(dim=1, keepdim=True) * (e - cross).norm(dim=1, keepdim=True)

    points = {
        name: place(features(net, candidates[name][3]))[0]
        for name in candidates
        if name != "other real images"
    }
    panel.plot(
        *place(threes).T, ".", markersize=4, color=sb.report.COLOURS["sky"], label="real threes"
    )
    for name, line in (("condensed", "-"), ("mean image", ":")):
        panel.add_patch(
            plt.Circle(
                (0, 0), float(points[name].norm()), fill=False, linestyle=line, color="#767676"
            )
        )
    arrow = {"arrowstyle": "->", "linewidth": 1.3}
    panel.annotate(
        "", points["condensed"].tolist(), points["real, at the start"].tolist(), arrowprops=arrow
    )
    panel.plot(
        0, 0, "P", markersize=12, color=sb.report.COLOURS["black"], label="mean of their features"
    )
    for name, marker, inside in (
        ("condensed", "*", sb.report.COLOURS["amber"]),
        ("mean image", "^", "white"),
    ):
        panel.plot(
            *points[name], marker, markersize=11, color=inside, markeredgecolor="black", label=name
        )
    panel.set(title=f"unseen network {number}", aspect="equal")
    panel.set_axis_off()
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
sb.report.show(
    figure,
    alt="Two panels, one for each unseen network. Dots for real threes lie around a cross, their mean, with empty space between. An arrow leads "
    "from the real three at the start to the condensed one; its circle around the cross and that of the mean image are drawn.",
    caption="Threes in the features of two unseen networks: distance from the cross in all features, direction on the two main axes. "
    "Arrow: from the real image at the start to the condensed image. Circles: distances of the condensed (solid) and the mean image (dotted).",
)

# %% [markdown]
# The space around the cross is empty: no real three has features like the mean of all of them, since every three has its own slant and place. In the
# default run the arrow leads from the ring of real threes inwards. The mean image (triangle) lies inside too, but farther out: it is the mean in *pixels*,
# and would land on the cross if features were a linear function of pixels. A single condensed image does not land there either.
# It is only the nearest of the three candidates.
#
# ## Which one teaches best?
#
# Train fresh networks on ten images, test them on real ones. One more rival joins, *herding*: the real image of each class whose features are nearest to
# the class's mean, in a network that was trained on all real images. So this choice costs a whole training before it begins. All networks that are
# tested learn under the same five kinds of change, whatever images they learn from.

# %%
trained = fresh(1)
sb.subsets.train_classifier(trained, train, epochs=10, learning_rate=0.01, progress=False)
known = sb.condense.penultimate_features(trained, train)
herded = sb.condense.coreset(train, "herding", 1, features=known)
mean_set = sb.condense.CondensedSet(
    mean_image * std + mean, torch.arange(10), train.classes, plain[0].mean, plain[0].std
)
rivals = {
    "random real": random_sets,
    "herding": [sb.condense.CondensedSet.of(herded, train)],
    "mean image": [mean_set],
    "condensed, plain": plain,
    "condensed, siamese": siamese,
}


# %%
def accuracy(few):
    """Mean accuracy, in percent, of fresh networks that learn from these images only."""
    options = {"network_options": {"width": width}, "epochs": epochs, "augment": augment}
    return (
        100
        * sb.condense.evaluate(
            few, test, seeds=range(networks), bf16=False, progress=False, **options
        ).mean
    )


accuracies = {name: [accuracy(few) for few in sets] for name, sets in rivals.items()}
for name, values in accuracies.items():
    print(f"{name:20}", "  ".join(f"{value:.1f} %" for value in values))

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.6, 2.6))
for i, (name, values) in enumerate(accuracies.items()):
    colour = sb.report.COLOURS["blue" if name.startswith("condensed") else "grey"]
    axes.plot(values, [i] * len(values), "o", markersize=6, color=colour)
    axes.plot(statistics.fmean(values), i, "|", markersize=18, color=sb.report.COLOURS["black"])
axes.set(xlabel="test accuracy, %")
axes.set_yticks(range(len(accuracies)), list(accuracies))
axes.set_ylim(len(accuracies) - 0.5, -0.5)
sb.report.show(
    figure,
    alt="Test accuracy of networks that learned from ten images: "
    + ", ".join(f"{name} {statistics.fmean(values):.1f} %" for name, values in accuracies.items()),
    caption="A dot is a set of ten images, the mean of its networks. Marks: means of the sets.",
)

# %% [markdown]
# **What you should see.** In the default run, random real images: 70.5<!--=distribution-matching.one-random:.1f--> %, herding:
# 85.4<!--=distribution-matching.one-herding:.1f--> %, mean images: 85.5<!--=distribution-matching.one-mmd:.1f--> %, condensed without augmentation:
# 87.8<!--=distribution-matching.one-dm-plain:.1f--> %, with siamese augmentation: 87.9<!--=distribution-matching.one-dm:.1f--> %. Of the lead over
# random images, 15<!--=distribution-matching.lead-of-mean:.0f--> of 17<!--=distribution-matching.lead-of-dm:.0f--> points come with the mean image,
# without any network. Small digits are aligned and centred, so that their mean is still a digit. So among the candidates of the opening the learned
# images come first both times, in features and in teaching, and the mean images second. Two condensed sets and one set of mean images cannot settle a
# difference of a point or two. For photographs the paper reports wider gaps, above all with ten images per class (see below).
#
# ## What does this have to do with gradients?
#
# More than it seems. Look at the last layer, with weight vectors $w_1, \dots, w_C$. For an image with features $e$ and class $y$ the gradient of the
# cross-entropy $J$ by $w_j$ is
#
# $$ \frac{\partial J}{\partial w_j} = \big(p_j - \mathbb{1}[j = y]\big)\, e, $$
#
# the features times "predicted minus true" (equation 3 in the paper's supplement): $p_j$ is the probability that the network gives to class $j$, and
# $\mathbb{1}[j = y]$ is 1 for the true class and 0 for the others. Check the formula with automatic differentiation:

# %%
truth = torch.full((len(real[3]),), 3)
e = network.embed(real[3])
p = network.linear(e).softmax(1)
gradient = torch.autograd.grad(F.cross_entropy(network.linear(e), truth), network.linear.weight)[0]
formula = (p - F.one_hot(truth, 10)).T @ e / len(e)

# %%
# NBVAL_CHECK_OUTPUT
print(
    "the mean gradient is a weighted mean of features:",
    torch.allclose(gradient, formula, atol=1e-5),
)

# %% [markdown]
# A network that knows nothing finds all $C$ classes about equally likely, $p_j \approx 1/C$. Then the factor $p_j - \mathbb{1}[j = y]$ is the same
# for all images of a class, and the mean gradient is this factor times the mean feature (equation 5 there). The squares of the factors add up over
# $j$ to $(C-1) \cdot (1/C)^2 + (1 - 1/C)^2 = (C-1)/C$. So the squared distance of the two gradients is $(C-1)/C$ times the squared distance of the
# mean features, $0.9$ for ten classes. Check it for all classes and five fresh networks:

# %%
ratios = []


def last_layer(net, x, c):
    """Mean gradient of the last layer's weights, and mean feature, of images of class c."""
    e = features(net, x)
    weights = net.linear(e).softmax(1).detach() - F.one_hot(torch.tensor(c), 10)
    return weights.T @ e / len(e), e.mean(0)


for net in unseen:
    for c in range(10):
        pairs = zip(
            last_layer(net, real[c], c), last_layer(net, one_real[c : c + 1], c), strict=True
        )
        of_gradients, of_features = ((a - b).square().sum() for a, b in pairs)
        ratios.append(float(of_gradients / of_features))
print(f"mean ratio of the squared distances: {statistics.fmean(ratios):.2f}")

# %% [markdown]
# **What you should see.** The mean ratio is 0.91<!--=distribution-matching.distance-ratio-fresh:.2f-->. So in the last layer, at random weights, the
# two methods ask for nearly the same. Mind what this argument is about: the *squared* distance of gradients. Lesson 07 minimises one minus a cosine
# for each row of weights, which looks at directions only, and it asks the same of all other layers too. For that it pays with a second derivative:

# %%
seconds = {}
for method in ("distribution", "gradient"):
    run = sb.condense.Condensation(train, method, 1, **how)
    run.step(0)  # the first step warms up
    began = time.process_time()
    for step in range(1, 5):
        run.step(step)
    seconds[method] = (time.process_time() - began) / 4
step_ratio = seconds["gradient"] / seconds["distribution"]
print(f"steps of distribution matching in the time of one of gradient matching: {step_ratio:.1f}")

# %% [markdown]
# A step of gradient matching takes the processor as long as about 3<!--=distribution-matching.step-ratio:.0f--> steps of distribution matching, with one
# image per class. With more images per class the gap grows, because gradient matching then also trains each network between its steps.
#
# ## What the papers report, and what the studies found

# %% tags=["hide-input"]
sb.report.studied(
    "dm.cifar10.ipc1.random",
    "dm.cifar10.ipc1.mmd",
    "dm.cifar10.ipc1.dm",
    "dm.cifar10.ipc10.mmd",
    "dm.cifar10.ipc10.dm",
)

# %% [markdown]
# *DM* is distribution matching. *MMD, linear kernel on pixels* stands for images matched in their mean pixels, without a network. With one image per
# class the best such images are the mean images of this lesson.
#
# ## Exercises
#
# **Exercise 1.** Match the mean *pixels* of each class with two images per class. Which pairs of images have distance zero? Why does a random network
# leave less freedom? (`sb.condense.condense` knows this method as `"pixels"`.)
#
# <details><summary>Solution</summary>
#
# Any two images whose mean is the class's mean: add anything to one and take it off the other. The loss does not see it. Features are not a linear
# function of the pixels, so that what was added to one image and taken off the other does not cancel in the mean of their features, and the
# loss sees it.
#
# ```python
# two = sb.condense.condense(train, "pixels", 2, iterations=100, **how)
# sb.report.image_grid(two.to_grid(), columns=10)
# ```
#
# </details>
#
# **Exercise 2.** The condensed image stays away from the cross. Guess whether two images per class, or five, come nearer to it, then measure.
#
# <details><summary>Solution</summary>
#
# Nearer. The mean of several features can lie where no single image's features do, inside the cloud.
#
# ```python
# for each in (1, 2, 5):
#     few = sb.condense.condense(train, "distribution", each, iterations=iterations, **how)
#     parts = standardised(few.images).split(each)
#     with torch.no_grad():
#         loss = sb.condense.distribution_matching_loss(unseen[0].embed, here, parts)
#     print(each, round(float(loss), 2))
# ```
#
# </details>
#
# **Exercise 3.** The last layer has a bias too. What is its mean gradient over a batch of one class, if $p_j = 1/C$? What does it say about the
# images then?
#
# <details><summary>Solution</summary>
#
# Replace the features $e$ by 1, because the bias is added as it is: the gradient of bias $j$ is $p_j - \mathbb{1}[j = y]$. If all $p_j$ are $1/C$, it
# is the same for all images of a class, and so is the mean: it says nothing about them. This is a reason to leave biases out, as the gradient
# distance of lesson 07 does.
#
# ```python
# print((network.linear(e).softmax(1) - F.one_hot(truth, 10)).mean(0))
# ```
#
# </details>
#
# ## References
#
# - [Zhao and Bilen (2023)](https://arxiv.org/abs/2110.04181)<!--cite:t zhao2023distribution-->: distribution matching; here the supplement, its section 4 (equations 1 to 5) and table T1.
# - [Zhao and Bilen (2021)](https://arxiv.org/abs/2102.08259)<!--cite:t zhao2021siamese-->: siamese augmentation.
# - [Zhao et al. (2021)](https://openreview.net/forum?id=mSAKhLYLSsl)<!--cite:t zhao2021gradient-->: gradient matching, random choice and herding.
# - [Gretton et al. (2012)](https://jmlr.org/papers/v13/gretton12a.html)<!--cite:t gretton2012mmd-->: the maximum mean discrepancy.

# %% tags=["hide-cell"]
setting = {"image_set": image_set, "train_images": len(train), "size": size, "width": width}
setting |= {"iterations": iterations, "real_batch": real_batch, "learning_rate": learning_rate}
setting |= {"cool_down": cool_down, "seeds": seeds, "networks": networks, "epochs": epochs}
of_method = {name: statistics.fmean(values) for name, values in accuracies.items()}
numbers = {
    "one-random": (accuracies["random real"], "%"),
    "one-herding": (accuracies["herding"], "%"),
    "one-mmd": (accuracies["mean image"], "%"),
    "one-dm-plain": (accuracies["condensed, plain"], "%"),
    "one-dm": (accuracies["condensed, siamese"], "%"),
    "lead-of-mean": (of_method["mean image"] - of_method["random real"], "points"),
    "lead-of-dm": (of_method["condensed, siamese"] - of_method["random real"], "points"),
    "nearest-features": (by_features, "%"),
    "nearest-pixels": (by_pixels, "%"),
    "untrained": (by_itself, "%"),
    "distance-condensed": (distances["condensed"], "squared distance"),
    "distance-mean-image": (distances["mean image"], "squared distance"),
    "distance-one-real-image": (distances["real, at the start"], "squared distance"),
    "distance-other-real-images": (distances["other real images"], "squared distance"),
    "distance-ratio-fresh": (ratios, "ratio"),
    "step-ratio": (
        step_ratio,
        "steps of distribution matching in the time of one of gradient matching",
    ),
}
for name, (value, unit) in numbers.items():
    sb.report.record("distribution-matching", name, value, unit, setting=setting)

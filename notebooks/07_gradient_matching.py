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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/07_gradient_matching.ipynb)
#
# # Gradient matching
#
# **Images can be learned like weights: move the pixels until they push a random network in the direction in which real images push it. From ten
# such digits a network learns to read 83.5<!--=gradient-matching.condensed:.1f--> % of the test digits, from ten random ones
# 67.0<!--=gradient-matching.random:.1f--> %, from ten well-chosen ones 80.9<!--=gradient-matching.herding:.1f--> %.**
#
# A network has seen only ten digits, one of each class. How many of the test digits does it read? Can ten better images be made?
#
# You will
#
# - measure how far apart two training sets are by the directions in which they push a network;
# - write the loop that turns ten images of noise into digits, and watch them appear;
# - compare the learned images with chosen ones, and follow a network while it learns from each.
#
# **To know before:** how a network is trained by gradient descent; what `torch.autograd.grad` gives. No other lesson is needed.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import dataclasses

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import simplebits as sb

sb.report.style()
sb.report.measured_cost("07_gradient_matching")

# %% tags=["parameters"]
image_set = "digits"  # what is condensed
size = 16  # height and width of the images, pixels
real_images = 2000  # training images at most, drawn at random; digits has 1287
width = 32  # channels of the networks; 128 in the paper
networks = 120  # random networks that the pixels are moved for (K); 1000 in the paper
real_batch = 32  # real images of a class at each step; 256 in the paper's code
learning_rate = 1.0  # of the pixels; 0.1 in the paper
epochs = 150  # passes over the ten images when a network learns from them; 300 in the paper's code
test_networks = 5  # networks that learn from each set of ten; 20 in the paper
shown = [0, 1, 2, 5, 10, 20, 40, 60, 80, 100, 120]  # networks after which the slider stops
walk_steps = 60  # steps of the walk at the end
seed = 0  # of pixels, batches and networks

# %% [markdown]
# ## Ten images, and what they teach
#
# Take one real image of each class, at random. Train fresh networks on these ten alone, then count how many of the test images they get right.
# `sb.condense.evaluate` does this for several networks. A choice of real images is called a *coreset*.

# %%
train, test = (sb.data.load(image_set, split).resized(size) for split in ("train", "test"))
train = train.draw(min(real_images, len(train)), seed)
options = {"width": width, "depth": 3}  # of the ConvNet: three blocks, as in the paper


def ten_random(draw):
    """One random real image of each class."""
    chosen = sb.condense.coreset(train, "random", 1, seed=draw)
    return sb.condense.CondensedSet.of(chosen, train)


def accuracy(few, count=test_networks):
    """Test images that networks get right after training on these few, in percent."""
    measured = sb.condense.evaluate(
        few, test, "ConvNet", range(count), network_options=options, epochs=epochs, progress=False
    )
    return 100 * measured.mean


# %%
ten = ten_random(seed)
print(f"{accuracy(ten):.1f} % right after training on {len(ten)} of {len(train)} images")

# %% [markdown]
# ## What a training set does to a network
#
# Training is a walk of the weights $\theta$ down the gradient of the loss on the training set $\mathcal{T}$,
#
# $$ \theta_{t+1} = \theta_t - \eta\,\nabla_\theta \mathcal{L}^\mathcal{T}(\theta_t), $$
#
# with a step size $\eta$ (the paper's equation 8, for plain gradient descent). The images enter through the gradient alone: it is their push.
# Suppose that ten synthetic images $\mathcal{S}$ give the same gradient as all of $\mathcal{T}$. Then the first step ends at the same weights. If the
# gradients are equal there as well, the second step ends at the same weights too, and so on: two walks from one start with equal steps end in one place.
#
# So we look for images whose gradient is close to the real one at *random* weights, for such weights are where a training starts. We compare class
# by class, because gradients of one class are easier to match than those of all together (the paper's reason). The gradient of the images of one
# class $c$ takes two lines. Networks see images of mean 0 and standard deviation 1, hence `standardised`.

# %%
x = ten.standardised(train.to_float())
channels, classes = x.shape[1], len(train.classes)
real = [x[train.labels == c] for c in range(classes)]  # a tensor a class


def fresh(number):
    """A network with random weights."""
    return sb.networks.build("ConvNet", classes, channels, size, seed=number, **options)


def gradient(network, images, c, create_graph=False):
    """The push of images of class c: a tensor for each parameter of the network."""
    loss = F.cross_entropy(network(images), torch.full((len(images),), c))
    return torch.autograd.grad(loss, list(network.parameters()), create_graph=create_graph)


# %% [markdown]
# ## How far apart are two gradients?
#
# Compare directions, not lengths, and do so for every unit of the network. A *row* of a layer's gradient holds the derivatives of all weights that
# lead to one of the layer's outputs: to one filter of a convolution, or to one class of the last layer. Let $A_i$ and $B_i$ be row $i$ of one
# layer's two gradients. Their cosine is 1 where both point the same way, 0 where they are at right angles, so
#
# $$ d(A, B) = \sum_i \left( 1 - \frac{A_i \cdot B_i}{\lVert A_i \rVert\, \lVert B_i \rVert} \right) $$
#
# is 0 if all rows have equal directions (the paper's equation 10). The distance $D$ of two gradients is the sum of $d$ over the layers. The paper's
# reason for this distance: one learning rate of the pixels then serves all layers, whatever the length of their gradients. Its code leaves out biases
# and the gains of normalisation; these have no rows, and we leave them out too.

# %%
never_zero = 1e-6  # added to the product of two lengths


def distance(a, b):
    """The paper's equation 10, summed over layers."""
    total = 0.0
    for layer_a, layer_b in zip(a, b, strict=True):
        if layer_a.dim() > 1:  # weights; biases and gains have one axis
            rows_a, rows_b = layer_a.flatten(1), layer_b.flatten(1)
            lengths = rows_a.norm(dim=1) * rows_b.norm(dim=1) + never_zero
            total = total + (1 - (rows_a * rows_b).sum(1) / lengths).sum()
    return total


# %%
# NBVAL_CHECK_OUTPUT
network = fresh(seed)
noise = torch.randn(classes, channels, size, size, generator=torch.Generator().manual_seed(seed))
# Real threes, and the noise image that is to become a three.
by_real, by_noise = gradient(network, real[3], 3), gradient(network, noise[3:4], 3)
by_hand, library = distance(by_real, by_noise), sb.condense.matching_distance(by_real, by_noise)
print("by hand and library agree:", torch.allclose(by_hand, library, rtol=1e-4))

# %% [markdown]
# ## One step for the pixels
#
# The pixels are the unknowns now, the weights stay. We need the derivative of $D$ *with respect to the pixels*. $D$ depends on the pixels through a
# gradient, so this is a derivative of a derivative. PyTorch can take it if the first gradient is made with `create_graph=True`, which keeps how the
# gradient was computed.

# %%
batches = [images[:8] for images in real]  # eight real images of each class


def matching_loss(network, batches, pixels):
    """Distance of the synthetic images' gradients from the real ones', summed over classes."""
    total = 0.0
    for c, batch in enumerate(batches):
        wanted = gradient(network, batch, c)
        reached = gradient(network, pixels[c : c + 1], c, create_graph=True)
        total = total + distance(wanted, reached)
    return total


# %%
# NBVAL_CHECK_OUTPUT
pixels = noise.clone().requires_grad_()
loss = matching_loss(network, batches, pixels)
(slope,) = torch.autograd.grad(loss, pixels)  # the derivative of the derivative

library = sb.condense.gradient_matching_loss(network, batches, list(pixels.split(1))).sum()
(library_slope,) = torch.autograd.grad(library, pixels)
near = F.cosine_similarity(slope.flatten(), library_slope.flatten(), dim=0)
lower = matching_loss(network, batches, pixels - 0.1 * slope) < loss
print("the library has the same loss:", torch.allclose(loss, library, rtol=1e-3))
print("and the same direction for the pixels:", bool(near > 0.999))
print("a step in this direction lowers the loss:", bool(lower))

# %% [markdown]
# ## The loop
#
# One network is not enough: images that fit its weights need not fit others. So the paper's algorithm 1 goes, for one image a class:
#
# 1. start from noise;
# 2. draw a network with random weights;
# 3. for each class, draw a batch of real images and take its gradient;
# 4. take the gradient of the class's synthetic image;
# 5. move all pixels against the slope of the distance;
# 6. go to 2, with the next network.
#
# With more images a class the paper also trains each network on the synthetic images for a while and matches again on the way. With one image a
# class it does not, and neither do we: gradients are matched at random weights only. Keep this in mind for the walk below.

# %%
generator = torch.Generator().manual_seed(seed)
pixels = noise.clone().requires_grad_()
optimiser = torch.optim.SGD([pixels], lr=learning_rate, momentum=0.5)
kept = {0: noise}

# %%
for k in range(1, networks + 1):
    network = fresh(1000 + k)  # random weights, new at each step
    batches = [
        images[torch.randperm(len(images), generator=generator)[:real_batch]] for images in real
    ]
    loss = matching_loss(network, batches, pixels)
    optimiser.zero_grad()
    loss.backward(inputs=[pixels])  # the weights stay
    optimiser.step()
    if k in shown:
        kept[k] = pixels.detach().clone()

# %% [markdown]
# ## Watch the digits appear
#
# Move the slider from left to right. The label says how many test images networks get right that have seen only the ten pictures, as the mean
# of three networks.

# %% tags=["hide-input"]
mean, std = ten.mean[:, None, None], ten.std[:, None, None]
stages = {k: dataclasses.replace(ten, images=values * std + mean) for k, values in kept.items()}
learned = {k: accuracy(stage, min(3, test_networks)) for k, stage in stages.items()}
sb.report.slider(
    [sb.report.image_grid(stage.to_grid(), columns=classes, zoom=0.8) for stage in stages.values()],
    [f"after {k} networks: {learned[k]:.1f} % right" for k in stages],
    [
        f"Ten synthetic images, one a class, after {k} networks; {learned[k]:.1f} % right."
        for k in stages
    ],
    "networks",
)

# %% [markdown]
# **What you should see.** In the default run noise teaches nothing: 9.7<!--=gradient-matching.noise:.1f--> % right is what guessing gives. After ten
# networks strokes begin to show, and 72.2<!--=gradient-matching.after-ten:.1f--> % are right already. Late in the loop the pictures change little,
# and so does the accuracy. Grain stays in the corners. Pixels may leave the range from black to white: the picture shows them as black or white, the
# networks see their true values.
#
# ## Are they better than real images?
#
# The library has the same loop, with draws of its own; the same call takes other networks, other sets and more images a class.

# %%
condensed = sb.condense.condense(
    train,
    "gradient",
    images_per_class=1,
    network_options=options,
    iterations=networks,
    real_batch=real_batch,
    learning_rate=learning_rate,
    start="noise",
    seed=seed,
    progress=False,
)

# %% [markdown]
# A fair rival is a *good choice* of real images, not a random one. *Herding* chooses the image that is closest to the mean of its class, where
# closeness is measured in what a trained network hands to its last layer. It needs a network trained on the whole set, which gradient matching
# does not. A simple rival that needs no network at all is the *class mean*: the average picture of each class.

# %%
judge = fresh(seed)
sb.subsets.train_classifier(judge, train, epochs=15, learning_rate=0.01, seed=seed, progress=False)
features = sb.condense.penultimate_features(judge, train)
herded = sb.condense.coreset(train, "herding", 1, features=features)

# %%
averages = torch.stack([images.mean(0) for images in real]) * std + mean
rivals = {
    "random": ten,
    "herding": sb.condense.CondensedSet.of(herded, train),
    "class mean": dataclasses.replace(ten, images=averages),
    "by hand": stages[max(stages)],  # where the slider ends
    "library": condensed,
}

# %%
scores = {name: accuracy(few) for name, few in rivals.items()}
scores["random"] = sum(accuracy(ten_random(draw)) for draw in range(5)) / 5  # mean of five draws

# %% tags=["hide-input"]
figure = sb.report.image_grid(
    torch.cat([few.to_grid() for few in rivals.values()]),
    columns=classes,
    row_titles=[f"{name}\n{scores[name]:.1f} %" for name in rivals],
    zoom=0.7,
)
told = ", ".join(f"{name} {score:.1f} %" for name, score in scores.items())
sb.report.show(
    figure,
    alt=f"Five rows of ten images, one a class. Test accuracy after training on each row: {told}.",
    caption="What networks learn from, and how many test images they then get right. Random: the pictures of one draw, the percentage of five.",
)

# %% [markdown]
# **What you should see.** In the default run the learned images, 83.5<!--=gradient-matching.condensed:.1f--> %, are far ahead of random ones,
# 67.0<!--=gradient-matching.random:.1f--> %. They are hardly ahead of herding, 80.9<!--=gradient-matching.herding:.1f--> %, and the class mean,
# 82.1<!--=gradient-matching.class-mean:.1f--> %: on small, centred digits a typical or average image teaches nearly as much as a learned one. With
# one or two sets of each kind, two or three points say nothing. In the paper the lead over herding is larger on photographs (CIFAR-10, below), where
# the images of a class differ more.
#
# ## Follow a network while it learns
#
# Equal gradients everywhere would mean equal walks. Ours are only alike, and they were matched only at random weights, where walks start. Is this enough?
# Let one network start three times from the same weights and take the same number of steps: on all real images, on the learned ten, and on ten random
# ones.

# %%
sources = {"all real images": (x, train.labels)}
for name in ("library", "random"):
    sources[name] = ten.standardised(rivals[name].images), ten.labels


def walk(images, labels):
    """The weights at the start and after each step of gradient descent, and the network at the end."""
    network = fresh(seed)  # always the same start
    weights = list(network.parameters())
    path = [torch.nn.utils.parameters_to_vector(weights).detach()]
    for _ in range(walk_steps):
        loss = F.cross_entropy(network(images), labels)
        slopes = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight -= 0.01 * slope
        path.append(torch.nn.utils.parameters_to_vector(weights).detach())
    return torch.stack(path), network


# %%
walks = {name: walk(*source) for name, source in sources.items()}

# %% [markdown]
# A network here has thousands of weights, and a page two axes. To the right we draw how far a walk has come *along* the straight line from the start to
# the real walk's end; upward, how far it is *beside* that line. So each point keeps its distance from the start and its angle to the line. Which way
# a walk leaves the line is lost: two walks that lie close together on the page need not be close.

# %%
# NBVAL_CHECK_OUTPUT
ways = {name: path - path[0] for name, (path, _) in walks.items()}
line = F.normalize(ways["all real images"][-1], dim=0)
along = {name: way @ line for name, way in ways.items()}
beside = {name: (way - along[name][:, None] * line).norm(dim=1) for name, way in ways.items()}
cosine = {name: float(along[name][-1] / way[-1].norm()) for name, way in ways.items()}
print("lengths stay true:", all(
    torch.allclose(torch.hypot(along[name], beside[name]), way.norm(dim=1), rtol=1e-3, atol=1e-5)
    for name, way in ways.items()
))  # fmt: skip
print("the real walk ends on the line:", cosine["all real images"] > 0.9999)

# %% tags=["hide-input"]
ends = {}
with torch.no_grad():
    seen = ten.standardised(test.to_float())
    for name, (_, network) in walks.items():
        answers = torch.cat([network(part) for part in seen.split(500)]).argmax(1)
        ends[name] = 100 * float((answers == test.labels).float().mean())
figure, axes = plt.subplots(figsize=(6.8, 3.8))
names = {"all real images": "all real images", "library": "learned ten", "random": "random ten"}
for (name, said), colour in zip(names.items(), ("black", "green", "orange"), strict=True):
    colour = sb.report.COLOURS[colour]
    label = f"{said}: {ends[name]:.0f} % right"
    axes.plot(along[name], beside[name], ".-", color=colour, markersize=4, linewidth=1, label=label)
axes.set_aspect("equal")
axes.set(xlabel="along the line to the real walk's end", ylabel="beside this line")
figure.legend(loc="outside right center")
sb.report.show(
    figure,
    alt="Three walks of the weights from one start, a dot a step. Cosines of the ways from the start to their ends with "
    "the line to the real walk's end: "
    + ", ".join(f"{said} {cosine[name]:.2f}" for name, said in names.items()),
    caption="The weights while a network learns, a dot a step; in percent: test images right at the end of the walk.",
)

# %% [markdown]
# **What you should see.** In the default run the walk on the learned images leads more nearly to where the real one leads: seen from the start, the cosine
# of the angle between their ends is 0.76<!--=gradient-matching.walk-condensed:.2f-->; with ten random images it is
# 0.55<!--=gradient-matching.walk-random:.2f-->. At the end of the walk, the network that saw the learned images reads
# 80<!--=gradient-matching.walk-condensed-accuracy:.0f--> % of the test digits, the one that saw all real images
# 80<!--=gradient-matching.walk-real-accuracy:.0f--> %, the one with random images 50<!--=gradient-matching.walk-random-accuracy:.0f--> %. Still, the
# learned walk is not the real one: the gradients were made alike, not equal, and only at random weights, which a walk leaves with its first step. And
# the distance asks for directions only, so the lengths of the steps are free (exercise 1).
#
# ## What the papers report, and what the studies found
#
# The rows are tests at 1 image a class. DC, *dataset condensation*, is the paper's name for gradient matching. In table 2 the first network made the
# images and the second learned from them. Table T11 tries another distance: one cosine of the whole gradients.

# %% tags=["hide-input"]
sb.report.studied(
    "dc.mnist.ipc1.random",
    "dc.mnist.ipc1.herding",
    "dc.mnist.ipc1.dc",
    "dc.cifar10.ipc1.random",
    "dc.cifar10.ipc1.herding",
    "dc.cifar10.ipc1.dc",
    "dc.cross-architecture.mlp.mlp",
    "dc.cross-architecture.convnet.mlp",
    "dc.metric.cosine.mlp",
    "dc.coresets",
)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** The argument for the method speaks of *equal* gradients, the distance only of equal *directions*, row by row. Let the gradients of the
# synthetic images have the right direction in each row and (a) ten times the length in all rows, (b) a different length in each row. What happens to the
# walk in each case?
#
# <details><summary>Solution</summary>
#
# (a) The first step goes the same way, ten times as far: with a tenth of the step size the walk is the real one, if it stays so at each later step.
# (b) No step size helps. Rows that are too long learn too fast beside the others, so the whole gradient points elsewhere although each row is right, and
# the walk leaves the real one. The distance is 0 in both cases. The loss therefore asks for less than the argument needs.
#
# ```python
# # Row i, counted from 0, becomes i + 1 times as long.
# stretched = [g * torch.arange(1, len(g) + 1).view(-1, *[1] * (g.dim() - 1)) for g in by_real]
# print("distance:", float(distance(by_real, stretched)))  # nearly 0: never_zero weighs a little where rows are short
# flat = [torch.cat([g.flatten() for g in gradients]) for gradients in (by_real, stretched)]
# print("cosine of the whole:", float(F.cosine_similarity(*flat, dim=0)))
# ```
#
# </details>
#
# **Exercise 2.** The images were learned with ConvNets. Does a network of another kind learn from them, a multilayer perceptron (`"MLP"`) for example?
# Compare with random images.
#
# <details><summary>Solution</summary>
#
# ```python
# for name in ("random", "class mean", "library"):
#     print(name, 100 * sb.condense.evaluate(rivals[name], test, "MLP", range(5), epochs=epochs).mean)
# ```
#
# It does, so the images do not serve ConvNets alone. Compare with the class mean too before you praise them: no network took part in making that.
#
# </details>
#
# **Exercise 3.** Give each test image the class of the *nearest* of the ten images, with no network. Are images that train networks well also good
# examples to compare with?
#
# <details><summary>Solution</summary>
#
# ```python
# unseen = test.to_float().flatten(1)
# for name, few in rivals.items():
#     nearest = torch.cdist(unseen, few.images.flatten(1)).argmin(1)
#     print(name, float((few.labels[nearest] == test.labels).float().mean()))
# ```
#
# They need not be: the learned images are made to push weights, not to lie near real images, and their contrast may be far from a real one. The class mean
# suits this comparison best: it lies in the middle of its class.
#
# </details>
#
# ## References
#
# - [Zhao et al. (2021)](https://openreview.net/forum?id=mSAKhLYLSsl)<!--cite:t zhao2021gradient-->: equations 8 to 10, algorithm 1, tables 1, 2 and T11.

# %% tags=["hide-cell"]
setting = {
    "image_set": image_set, "size": size, "width": width, "networks": networks, "real_batch": real_batch,
    "learning_rate": learning_rate, "epochs": epochs, "test_networks": test_networks, "seed": seed,
}  # fmt: skip
ten_networks = max(k for k in learned if k <= 10)
numbers = {
    "condensed": scores["library"],
    "by-hand": scores["by hand"],
    "random": scores["random"],
    "herding": scores["herding"],
    "class-mean": scores["class mean"],
    "noise": learned[0],
    "after-ten": learned[ten_networks],
    "walk-condensed-accuracy": ends["library"],
    "walk-real-accuracy": ends["all real images"],
    "walk-random-accuracy": ends["random"],
}
for name, value in numbers.items():
    sb.report.record("gradient-matching", name, value, "%", setting=setting)
for name, which in {"walk-condensed": "library", "walk-random": "random"}.items():
    sb.report.record("gradient-matching", name, cosine[which], "cosine", setting=setting)

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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/04_per_instance_simplification.ipynb)
#
# # Per-instance simplification
#
# **You learn what an image must keep by differentiating through one step of training. In our short run this takes digits from
# 1.4<!--=per-instance.bits-before:.1f--> to 1.2<!--=per-instance.bits-after:.1f--> bits per dimension; a fresh classifier that learns from these alone reads
# 88<!--=per-instance.learned-simplified:.0f--> % of the original test digits, after learning from originals 92<!--=per-instance.learned-original:.0f--> %, and after learning from digits
# that are merely darkened to about as few bits 92<!--=per-instance.learned-darkened:.0f--> %.**
#
# You may repaint every training image, and you pay for every bit that you leave in it. The exam is on unpainted images. What do you leave?
#
# You will
#
# - differentiate through a step of training, and so find out what a training image must keep;
# - write the loss and the loop that train a simplifier and a classifier together;
# - see what pulls at each pixel, and move the price of a bit.
#
# **To know before:** [bits per dimension](01_bits_per_dimension.ipynb); how a classifier is trained with Adam; what `torch.autograd.grad` gives.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import copy
import dataclasses

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.colors import LinearSegmentedColormap
from torch.func import functional_call

import simplebits as sb

sb.report.style()
sb.report.measured_cost("04_per_instance_simplification")

# %% tags=["parameters"]
image_set = "digits"  # what is simplified: a name for sb.data.load
density = "glow-16px"  # the model that measures bits; the size of the images is its own
bit_weight = 16.0  # lambda, the price of a bit per dimension; 0 to 2 in the paper's code, whose runs are far longer
bit_weights = [0.0, 4.0, 64.0]  # other prices on the slider
threshold = 0.1  # tau, nats: from this loss on, an image pays nothing
warm_up = 300  # steps in which the classifier alone learns from the originals; none in the paper
steps = 120  # steps of both networks; 100 epochs in the code of its authors
batch_size = 32  # images a step, as in the paper
learning_rate = 0.002  # of the classifier; 5e-4 in the paper
simplifier_learning_rate = 0.01  # 5e-4 in the paper
relearning_steps = 300  # steps of a fresh classifier that learns from simplified images
seed = 0  # of networks, batches and noise

# %% [markdown]
# ## A classifier, and a price list
#
# The classifier $f$ is a small residual network. As in the paper it has no normalisation layers, since they would make a darkened image bright again.
# It first learns from the originals for a while. The price list is a Glow, the kind of model that measures bits in lesson 01: it says how many bits a
# value of an image costs on average. This Glow takes images of 16×16 pixels with 32 grey levels, so its bits cannot be compared with those of lesson 01.

# %%
measure = sb.density.load(density)
size, levels = measure.image_size, 2**measure.bit_depth
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
test = test.draw(min(500, len(test)), seed)
x_test = test.to_float(size, channels=3)


def fresh(number):
    """A classifier with random weights; `standardise` brings mostly dark images near mean 0 and sd 1."""
    options = {"depth": 10, "widen": 1, "stem_kernel": 5, "stem_stride": 2, "dropout": 0.0}
    return sb.networks.build(
        "NFWideResNet", len(train.classes), 3, size, seed=number, standardise="composite", **options
    )


# %%
classifier = fresh(seed)
optimiser = sb.networks.classifier_optimiser(classifier, learning_rate)  # AdamW
sb.networks.fit_classifier(
    classifier, train, steps=warm_up, size=size, channels=3, batch_size=batch_size,
    optimiser=optimiser, seed=seed, progress=False,
)  # fmt: skip
print(f"right: {sb.networks.accuracy(classifier, x_test, test.labels):.1%} of the test images")
print(f"price: {sb.density.mean_bits(measure, x_test):.2f} bits per dimension")

# %% [markdown]
# ## A simplifier that begins by changing nothing
#
# The *simplifier* $s$ is a second network, a UNet: it shrinks an image in several stages, enlarges it again and gives a number $U(x)$ for every value
# of every pixel. The simplifier adds this number to the *logit* of the value, $\operatorname{logit}(x) = \ln \frac{x}{1 - x}$, and the sigmoid
# $\sigma$, which undoes the logit, brings the sum back into $[0, 1]$ (the paper's section S3):
#
# $$ s(x) = \sigma\big(\operatorname{logit}(x) + U(x)\big). $$
#
# The weights of the UNet's last layer start at zero. So $U = 0$, and the simplifier begins by changing nothing.

# %%
with torch.random.fork_rng():  # PyTorch's own generator draws the weights, and is put back after
    torch.random.default_generator.manual_seed(seed)
    simplifier = sb.networks.ResidualUNet(filters=8, downsamplings=3, merge=1.0)  # U times 1.0

# %%
# NBVAL_CHECK_OUTPUT
batch = train.draw(batch_size, seed)
x, y = batch.to_float(size, channels=3), batch.labels
inside = x.clamp(0.001, 0.999)  # as the library does: the logits of 0 and 1 are infinite
by_formula = torch.sigmoid(torch.logit(inside) + simplifier.residual(x))
print("the formula is the simplifier:", torch.allclose(simplifier(x), by_formula))
print("it changes nothing yet:", torch.allclose(simplifier(x), inside, atol=1e-5))

# %% [markdown]
# ## Learn through a step of training
#
# What must stay in $s(x)$? The classifier is going to take a training step on the simplified images. The step was worth taking if the classifier is
# better at the *originals* afterwards. Write $\ell$ for the cross-entropy, $\theta$ for the weights of the classifier $f$, and $f'$ for the classifier
# after the step. With plain gradient descent at a rate $\eta$ the weights of $f'$ are
#
# $$ \theta' = \theta - \eta\, \nabla_\theta\, \ell\big(f_\theta(s(x)), y\big), $$
#
# (the paper's equations 2 and 3). The weights $\theta'$ depend on every pixel of $s(x)$. Call $\ell(f'(x), y)$ the *exam*. The exam has a derivative for these
# pixels, although $f'$ is examined on $x$ and not on $s(x)$. `create_graph=True` keeps how a gradient was computed, so that it can be differentiated
# again, and `functional_call` runs a network with weights that we hand over. In the code, `lesson` is the loss of the step, and $\eta = 0.1$.

# %%
theta = dict(classifier.named_parameters())
simple = x.clone().requires_grad_()  # stands for s(x)
lesson = F.cross_entropy(functional_call(classifier, theta, (simple,)), y)
slopes = torch.autograd.grad(lesson, list(theta.values()), create_graph=True)
after = {name: p - 0.1 * slope for (name, p), slope in zip(theta.items(), slopes, strict=True)}
exam = F.cross_entropy(functional_call(classifier, after, (x,)), y)
(slope_of_exam,) = torch.autograd.grad(exam, simple)

# %%
# NBVAL_CHECK_OUTPUT
exam_without_step = F.cross_entropy(classifier(x), y)
(no_slope,) = torch.autograd.grad(exam_without_step, simple, allow_unused=True)
print("through the step, pixels have a gradient:", bool(slope_of_exam.abs().max() > 0))
print("without the step:", no_slope)

# %% [markdown]
# Without the step nothing connects the exam with the pixels of $s(x)$. This is why the method differentiates through the step.
#
# ## The step that Adam takes
#
# The paper's classifier learns with AdamW. It keeps running means, $m$ of the gradient $g$ and $v$ of $g^2$. The numbers $\beta_1$ and $\beta_2$, a little
# below 1, say how slowly the means follow; $t$ counts the steps, $w$ is the weight decay, and $\epsilon$ keeps the divisor above 0. A prime means: after the step.
#
# $$ m' = \beta_1 m + (1-\beta_1)\, g, \quad v' = \beta_2 v + (1-\beta_2)\, g^2, \quad
# \theta' = \theta\,(1 - \eta w) - \eta\, \frac{m'/(1-\beta_1^{t})}{\sqrt{v'/(1-\beta_2^{t})} + \epsilon}. $$
#
# `optimiser.step()` cannot be differentiated. So write the step as a function of $g$, with the $m$, $v$ and $t$ that the optimiser holds.

# %%
group_of = {p: group for group in optimiser.param_groups for p in group["params"]}


def adamw(theta, g):
    """A tensor of weights after one step of AdamW, as a function of its gradient."""
    group, state = group_of[theta], optimiser.state[theta]
    (b1, b2), rate, t = group["betas"], group["lr"], float(state["step"]) + 1
    m = b1 * state["exp_avg"] + (1 - b1) * g
    v = b2 * state["exp_avg_sq"] + (1 - b2) * g.square()
    direction = (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + group["eps"])
    return theta.detach() * (1 - rate * group["weight_decay"]) - rate * direction


def virtual_step(simple, y):
    """The loss of f on simple images, and the weights of f' after a step on them."""
    theta = dict(classifier.named_parameters())
    lesson = F.cross_entropy(functional_call(classifier, theta, (simple,)), y)
    slopes = torch.autograd.grad(lesson, list(theta.values()), create_graph=True)
    after = {name: adamw(p, g) for (name, p), g in zip(theta.items(), slopes, strict=True)}
    return lesson, after


# %% [markdown]
# Is the step that we imagine the one that PyTorch's AdamW takes? Let a copy of the classifier take it.

# %%
# NBVAL_CHECK_OUTPUT
lesson, imagined = virtual_step(x, y)
real = copy.deepcopy(classifier)
real_optimiser = sb.networks.classifier_optimiser(real)
real_optimiser.load_state_dict(copy.deepcopy(optimiser.state_dict()))
F.cross_entropy(real(x), y).backward()
real_optimiser.step()
gap = max(float((p - imagined[name]).abs().max().detach()) for name, p in real.named_parameters())
print("the imagined step is the real one:", gap < 1e-5)

# %% [markdown]
# ## What the simplifier lowers
#
# The simplifier has two aims. Bits should be few, and the classifier should learn its task:
#
# $$ L = \lambda L_\text{sim} + L_\text{cls}, \qquad
# L_\text{cls} = 10\,\ell(f'(x), y) + \ell(f(s(x)), y) + \ell(f'(s(x)), y) $$
#
# (the paper's equations 5 and S3). Here $L_\text{sim}$ are the bits per dimension of $s(x)$, and $\lambda$ is the price of a bit. The first term of
# $L_\text{cls}$ is the exam. It counts ten times, says the paper, because gradients through the step are small and because the originals matter most.
# The other two ask that $f$ reads the simplified images, before and after the step; they keep the training stable.
#
# Two more details make it stable. An image that the classifier fails on should not be simplified further. So the bits of image $i$ count with a *gate*
# $b_i = \max(0,\, 1 - \ell(f'(x_i), y_i)/\tau)$: the full price where the exam is passed with a loss of 0, no price from $\tau$ on. (This ramp is the
# code of the paper's authors; the paper's text switches from 1 to 0 at $\tau$.) The gate is a mere factor, through which no gradient flows: hence `detach`.
# And their code divides $L$ by the sum of the weights, $10 + 1 + 1 + \lambda$.

# %%
exam_weight = 10


def simplifier_loss(x, simple, y, bits, bit_weight=bit_weight):
    """The loss of the simplifier; x are the originals, bits those of each simple image."""
    before, theta_after = virtual_step(simple, y)
    after = F.cross_entropy(functional_call(classifier, theta_after, (simple,)), y)
    exam = F.cross_entropy(functional_call(classifier, theta_after, (x,)), y, reduction="none")
    gate = (1 - exam.detach() / threshold).clamp(min=0)
    price = bit_weight * (gate * bits).mean()
    total = exam_weight * exam.mean() + before + after + price
    return total / (exam_weight + 2 + bit_weight)


# %% [markdown]
# `sb.simplify.per_instance_loss` is the same loss. To measure bits, it draws where in its grey level each value lies (the noise $u$ of lesson 01). The
# comparison below takes over the library's bits, so that both losses have the same draw; all else is ours.

# %%
# NBVAL_CHECK_OUTPUT
simple = (0.8 * x + 0.1).requires_grad_()  # any images will do to compare two computations
library = sb.simplify.per_instance_loss(
    classifier, optimiser, measure, x, simple, y, bit_weight=bit_weight, threshold=threshold
)
by_hand = simplifier_loss(x, simple, y, library.bits)
slope, library_slope = (
    torch.autograd.grad(loss, simple, retain_graph=True)[0] for loss in (by_hand, library.total)
)
gap = (slope - library_slope).norm() / library_slope.norm()
print("the losses agree:", torch.allclose(by_hand, library.total, rtol=1e-4))
print("so do their gradients for the pixels:", bool(gap < 1e-3))

# %% [markdown]
# ## The loop
#
# For each batch of images $x$ with labels $y$:
#
# 1. paint $s(x)$, and let the classifier take its step on $s(x)$ *in thought*;
# 2. move the weights of the simplifier against the slope of $L$;
# 3. paint $s(x)$ *again*, with the simplifier that has just changed, and let the classifier take its step for real.
#
# Painted values are rounded to the 32 grey levels of the density; `quantise` hands gradients through as if it had not rounded. And the classifier sees
# simple images with noise as wide as one grey level, which is drawn anew each time. The noise is to spoil a cheap trick: darken the whole image to the
# lowest two or three grey levels, and keep the digit in the differences between them. (Lesson 05 needs wider noise for that.)

# %%
generator = torch.Generator().manual_seed(seed)
start = copy.deepcopy((classifier, optimiser.state_dict(), simplifier))  # for the slider
adam = torch.optim.Adam(simplifier.parameters(), simplifier_learning_rate)


def paint(x):
    """Simplified images, on the grey levels of the density."""
    return sb.density.quantise(simplifier(x), measure.bit_depth)


def noisy(simple, noise):
    """Images with uniform noise; `noise` is its width in grey levels."""
    u = torch.rand(simple.shape, generator=generator) - 0.5
    return simple + noise * u / (levels - 1)


# %%
clip = 0.3  # largest norm of the simplifier's gradient, for a short run; the paper has none


def step(x, y, bit_weight=bit_weight, noise=1.0):
    """Train the simplifier on one batch, then the classifier."""
    simple = paint(x)
    bits = measure.bits_per_dim(simple, generator)
    loss = simplifier_loss(x, noisy(simple, noise), y, bits, bit_weight)
    adam.zero_grad()
    loss.backward(inputs=list(simplifier.parameters()))  # no gradient for the classifier
    torch.nn.utils.clip_grad_norm_(simplifier.parameters(), clip)
    adam.step()

    with torch.no_grad():
        shown = noisy(paint(x), noise)  # painted again
    optimiser.zero_grad()
    F.cross_entropy(classifier(shown), y).backward()
    optimiser.step()


# %%
originals = train.to_float(size, channels=3)
for _ in range(steps):
    chosen = torch.randint(len(train), (batch_size,), generator=generator)
    step(originals[chosen], train.labels[chosen])

# %% [markdown]
# ## What is left, and what it is worth
#
# The classifier of the loop has seen originals in its warm-up. How well it reads originals now does therefore not say how much can be *learned* from
# simple images. So let a fresh classifier learn from the simple images alone, and examine it on original test images. To judge the result, let fresh
# classifiers learn from three rivals for the same number of steps: from the originals, from blurred and from darkened images. Of several blurs and
# darknesses take the one at which the images cost most nearly as many bits as the simplified ones.

# %%
grey_level = 1 / (levels - 1)


def priced(x):
    """Bits per dimension of the first 500 images, on the grey levels of the density."""
    return sb.density.mean_bits(measure, sb.density.quantise(x[:500], measure.bit_depth))


def learned_from(x):
    """Share of the original test images that a fresh classifier reads after learning from these."""
    images = dataclasses.replace(train, images=sb.data.to_bytes(x))
    options = {"steps": relearning_steps, "batch_size": batch_size, "learning_rate": learning_rate}
    return sb.simplify.retrain(
        fresh(seed + 1), images, {"test": test}, size=size, channels=3, augment=None,
        noise=grey_level, seed=seed, progress=False, **options,
    ).accuracy["test"]  # fmt: skip


# %%
with torch.no_grad():
    simplified = torch.cat([paint(part) for part in originals.split(250)])
wanted = priced(simplified)
blurred = [sb.simplify.blur(originals, sigma) for sigma in (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)]
darkened = [factor * originals for factor in (0.9, 0.75, 0.6, 0.45, 0.3, 0.15)]
rivals = {"original": originals, "simplified": simplified}
for name, versions in (("blurred", blurred), ("darkened", darkened)):
    rivals[name] = min(versions, key=lambda images: abs(priced(images) - wanted))

# %%
worth = {name: (priced(images), learned_from(images)) for name, images in rivals.items()}
for name, (bits, right) in worth.items():
    print(f"{name:10} {bits:.2f} bits per dimension, a fresh classifier reads {right:.1%}")

# %% tags=["hide-input"]
shown_images = [
    int((train.labels == label).nonzero()[0]) for label in range(min(10, len(train.classes)))
]
figure = sb.report.image_grid(
    torch.cat(
        [sb.density.quantise(images[shown_images], measure.bit_depth) for images in rivals.values()]
    ),
    columns=len(shown_images),
    row_titles=[f"{name}\n{bits:.2f} bits, {right:.0%}" for name, (bits, right) in worth.items()],
    zoom=0.7,
)
told = "; ".join(f"{name}: {bits:.2f} bits, {right:.0%}" for name, (bits, right) in worth.items())
sb.report.show(
    figure,
    alt=f"Four rows of the same training images, one of each class. {told}.",
    caption="Training images, their bits per dimension, and how many original test images a fresh classifier reads that learned from such images alone.",
)

# %% [markdown]
# **What you should see.** In the default run the simplified images cost 1.2<!--=per-instance.bits-after:.1f--> bits in place of 1.4<!--=per-instance.bits-before:.1f-->. Soft edges go, and parts of
# strokes. Of the 0 in the picture hardly anything is left: one class may be told by what is missing. From these images
# alone a fresh classifier learns to read 88.4<!--=per-instance.learned-simplified:.1f--> % of the original
# test images, from the originals 92.2<!--=per-instance.learned-original:.1f--> %. The rivals are no worse: from blurred images of 1.2<!--=per-instance.bits-blurred:.1f--> bits it learns to read
# 89.6<!--=per-instance.learned-blurred:.1f--> %, from darkened ones of 1.2<!--=per-instance.bits-darkened:.1f--> bits 92.0<!--=per-instance.learned-darkened:.1f--> %. Each number comes from one training and at
# most 500 test images, so that two points more or less say nothing. But our short run does not show that the method is better than turning down the
# brightness. Lesson 06 compares with more care.
#
# One reason may be who sits the exam in our loop: a classifier that could read before the loop began. What it needs in order not to forget may be less than
# what a beginner needs in order to learn. The paper has no warm-up. There both networks start from nothing, and the gate is shut nearly everywhere until the
# classifier has learned something.
#
# ## Tug-of-war
#
# What pulls at a pixel? Take test images as the simplifier paints them, and split the slope of $L$: the part of the bits, with their price and their gate,
# and the part of the exam, ten times $\ell(f'(x), y)$. (We leave out the other two losses.) Training goes *against* the slope, so a *pull* is minus the slope.
# The same two parts also pull at the weights of the simplifier. There we take the cosine of the angle between the pulls: $-1$ where one undoes the other,
# 0 where they ask for unrelated changes, 1 where they ask for the same.

# %%
x, y = x_test[:batch_size], test.labels[:batch_size]
simple = paint(x)
_, theta_after = virtual_step(simple, y)
exam = F.cross_entropy(functional_call(classifier, theta_after, (x,)), y, reduction="none")
gate = (1 - exam.detach() / threshold).clamp(min=0)
bits = measure.bits_per_dim(simple, generator, draws=8)  # mean over 8 draws of the noise u

# %%
pulled = [simple, *simplifier.parameters()]
by_bits = torch.autograd.grad(-bit_weight * (gate * bits).sum(), pulled, retain_graph=True)
by_exam = torch.autograd.grad(-exam_weight * exam.sum(), pulled)
of_weights = [torch.cat([g.flatten() for g in pull[1:]]) for pull in (by_bits, by_exam)]
cosine = float(F.cosine_similarity(*of_weights, dim=0))
print(f"cosine of the two pulls at the simplifier's weights: {cosine:.2f}")

# %% [markdown]
# The picture shows the pulls at the pixels, as means over blocks of 2×2 pixels, because the pull of the bits is grainy. The columns are four digits of the
# batch that still pay for their bits: one at which the exam pulls with middling strength, and the three at which it pulls hardest.

# %% tags=["hide-input"]
bits_pull, exam_pull = (
    F.avg_pool2d(pull[0].sum(1, keepdim=True), 2)[:, 0] for pull in (by_bits, by_exam)
)
strength = exam_pull.flatten(1).norm(dim=1) / bits_pull.flatten(1).norm(dim=1).clamp(min=1e-9)
paying = (gate > 0).nonzero()[:, 0] if int((gate > 0).sum()) >= 4 else torch.arange(len(gate))
ordered = paying[exam_pull.flatten(1).norm(dim=1)[paying].argsort()]
columns = [int(ordered[len(ordered) // 2]), *ordered[-3:].tolist()]
rows = {
    "original x": x.mean(1),
    "simplified s(x)": simple.detach().mean(1),
    "pull of the bits": bits_pull,
    "pull of the exam": exam_pull,
    "both": bits_pull + exam_pull,
}
reach = float(torch.stack([rows[name][columns].abs().max() for name in list(rows)[2:]]).max())
darken_brighten = LinearSegmentedColormap.from_list(
    "pull", [sb.report.COLOURS["blue"], "white", sb.report.COLOURS["orange"]]
)
figure, grid = plt.subplots(len(rows), 4, figsize=(6.4, 6.6))
for line, (name, images) in zip(grid, rows.items(), strict=True):
    pull = images.shape[-1] < size
    look = {"cmap": darken_brighten, "vmin": -0.7 * reach, "vmax": 0.7 * reach}
    for axis, n in zip(line, columns, strict=True):
        shown = axis.imshow(
            images[n],
            interpolation="nearest",
            **(look if pull else {"cmap": "gray", "vmin": 0, "vmax": 1}),
        )
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set(visible=True, color="#c4c4c4")
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
for axis, n in zip(grid[0], columns, strict=True):
    axis.set_title(f"exam loss {float(exam[n].detach()):.3f}", fontsize=9)
bar = figure.colorbar(shown, ax=grid[2:], shrink=0.6, ticks=[])
bar.set_label("darken         brighten")
sb.report.show(
    figure,
    alt="Four digits in columns; in rows the original, the simplified image, the pull of the bits, the pull of the exam and the sum. "
    "The bits pull mostly where the simplified image is black; the exam pulls only at digits on which the classifier is less sure.",
    caption="Which way each block of 2×2 pixels is pulled: blue darkens, orange brightens; one colour scale for all pulls. On top: the loss in the exam.",
)

# %% [markdown]
# **What you should see.** In the default run the bits pull at all four digits, and mostly where the simplified image is black: one block is to become darker, the
# block beside it brighter. The exam hardly pulls at the first digit: the pull of the
# exam has 0.004<!--=per-instance.pull-easy:.3f--> times the length of the pull of the bits, because $f'$ reads the digit so surely that its loss has no slope left. There the bits
# have their way. At the last digit $f'$ is less sure. The gate lowers the price, and the exam pulls 6.8<!--=per-instance.pull-hard:.1f--> times as hard as the bits:
# it asks to darken one place and to brighten the blocks below, where a stroke has faded. There the exam has its way.
#
# All images share the weights of the simplifier, and there the pulls of the whole batch meet. Their cosine is +0.11<!--=per-instance.cosine-of-pulls:+.2f-->: not $-1$, which would be a
# deadlock, but near 0. The two mostly ask for different changes, and the simplifier can follow both.
#
# ## The same in the library
#
# `sb.simplify.SimplifyWhileTraining` is this loop, with checkpoints and measurements. Start it where our loop stands and let both go on for one step. The
# step is taken without price and noise, so that nothing is random, and on a batch that holds one image twice, so that both loops draw the same batch.

# %%
settings = {
    "threshold": threshold, "clip": clip, "augment": None, "learning_rate": learning_rate,
    "simplifier_learning_rate": simplifier_learning_rate, "simplifier_betas": (0.9, 0.999),
    "simplifier_weight_decay": 0.0, "seed": seed,
}  # fmt: skip
run = sb.simplify.SimplifyWhileTraining(
    copy.deepcopy(classifier), copy.deepcopy(simplifier), measure, bit_weight=0.0, **settings
)
run.classifier_optimiser.load_state_dict(copy.deepcopy(optimiser.state_dict()))
run.simplifier_optimiser.load_state_dict(copy.deepcopy(adam.state_dict()))
flat = torch.nn.utils.parameters_to_vector  # all weights of a network in one row

# %%
# NBVAL_CHECK_OUTPUT
one, pairs = train.subset([0]), ((simplifier, run.simplifier), (classifier, run.classifier))
before = [flat(ours.parameters()).detach() for ours, _ in pairs]
run.fit(one, steps=1, batch_size=2, progress=False)
step(one.to_float(size, channels=3).repeat(2, 1, 1, 1), one.labels.repeat(2), 0.0, noise=0.0)
for name, was, (ours, theirs) in zip(("simplifier", "classifier"), before, pairs, strict=True):
    ours, theirs = flat(ours.parameters()).detach(), flat(theirs.parameters()).detach()
    gap = (ours - theirs).norm() / (ours - was).norm()
    print(f"the {name} takes the same step:", bool(gap < 0.05))  # 0.05 of the step's length

# %% [markdown]
# ## Move the price of a bit
#
# `sweep` runs the loop once for each price $\lambda$, always from the same start. Guess before you move the slider: what will the images look like when
# a bit costs nothing, $\lambda = 0$?

# %%
begun, begun_optimiser, begun_simplifier = start
first = sb.simplify.SimplifyWhileTraining(begun, begun_simplifier, measure, noise=1.0, **settings)
first.classifier_optimiser.load_state_dict(begun_optimiser)
runs = first.sweep(
    train, bit_weights, steps=steps, batch_size=batch_size, collapse_patience=None, progress=False
)

# %%
painted = {price: run.simplify(originals) for price, run in runs.items()}
of_price = {price: (priced(images), learned_from(images)) for price, images in painted.items()}
painted[bit_weight], of_price[bit_weight] = simplified, worth["simplified"]  # our own loop

# %% tags=["hide-input"]
labels = {
    price: f"λ = {price:g}: {of_price[price][0]:.2f} bits per dimension, a fresh classifier reads {of_price[price][1]:.0%}"
    for price in sorted(painted)
}
sb.report.slider(
    [
        sb.report.image_grid(
            torch.cat((originals[shown_images], painted[price][shown_images])),
            columns=len(shown_images),
            row_titles=["original", "simplified"],
            zoom=0.7,
        )
        for price in labels
    ],
    list(labels.values()),
    [f"Training images and their simplified versions. {label}." for label in labels.values()],
    "λ",
)

# %% [markdown]
# **What you should see.** In the default run, without a price, the images cost 2.04<!--=per-instance.bits-at-lowest-price:.2f--> bits, *more* than the originals: coloured specks
# appear along the strokes. The simplifier changes whatever makes the exam easier, and nobody counts what that costs. At the highest price, $\lambda = 64$, every
# image of the slider is black. That takes 0.43<!--=per-instance.bits-at-highest-price:.2f--> bits, and a fresh classifier learns nothing about originals from it. It reads
# 1<!--=per-instance.learned-at-highest-price:.0f--> %, where guessing gives 10 %: its answers to images that are not black are left to chance. Between the two, parts of strokes
# fade, at $\lambda = 16$ a little more of them than at 4.
#
# ## What the papers report, and what the studies found
#
# The first row is the paper's classifier without any simplification. The others are claims about simplified sets: at a price of 0 most bits are kept,
# accuracy falls with the bits, and blur is worse at equal bits. *Not run* means that the studies have not measured it yet. Lesson 06 draws the curve.

# %% tags=["hide-input"]
sb.report.studied(
    "simplebits.classifier.nf-wrn-16-2.cifar10",
    "simplebits.tradeoff.lambda0",
    "simplebits.tradeoff.decay",
    "simplebits.baselines.blur",
)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Leave out the step: put $f$ in place of $f'$ in every term of the loss. Which terms still have a gradient for the simplified images? What share
# of the weight of all terms belongs to terms without one?
#
# <details><summary>Solution</summary>
#
# The bits have one, and so have the two losses on simplified images, which are now the same. The exam $\ell(f(x), y)$ does not depend on the simplified images
# at all. Its weight is 10 of $12 + \lambda$.
#
# ```python
# exam_of_f = F.cross_entropy(classifier(x), y)
# print(torch.autograd.grad(exam_of_f, simple, allow_unused=True))  # (None,)
# print(f"without a say: {exam_weight / (exam_weight + 2 + bit_weight):.0%} of the weight")
# ```
#
# Then the simplifier only has to please the classifier on simplified images. The two networks may agree on a secret mark for each class that no other
# classifier can read. The paper gives a danger of this kind as the reason for the exam: all images of a class could become one.
#
# </details>
#
# **Exercise 2.** Black is cheap. From which price on is the loss lower for black images than for the simplified ones? Try prices from 0 to 256. What speaks
# against black, besides the exam?
#
# <details><summary>Solution</summary>
#
# ```python
# simple, black = paint(x).detach(), torch.zeros_like(x)
# for price in (0.0, 4.0, 16.0, 64.0, 256.0):
#     losses = [
#         float(simplifier_loss(x, images, y, measure.bits_per_dim(images), price).detach())
#         for images in (simple, black)
#     ]
#     print(f"{price:g}: {losses[0]:.3f} simplified, {losses[1]:.3f} black")
# ```
#
# In the default run the loss of black is the lower one from a price between 4 and 16 on. At 16 our loop has not ended in black all the same: it walks in small
# steps, and has taken only 120 of them.
#
# Both other losses speak against black too: no classifier reads ten classes from one black image, so that each of them costs at least $\ln 10 = 2.3$ nats where classes are
# equally frequent. A price that outweighs this lets the images go black. Once all of them are black, the classifier slowly forgets what it knew, the exam is failed,
# and the gate sets the price to zero; but then the simplified images hold nothing any more from which it could learn again.
#
# </details>
#
# **Exercise 3.** Compare the bits at each price with those of the originals, and then with those at $\lambda = 0$. Which of the two differences is the effect of
# the price?
#
# <details><summary>Solution</summary>
#
# ```python
# print(f"originals: {worth['original'][0]:.2f} bits")
# for price in sorted(of_price):
#     print(f"{price:g}: {of_price[price][0]:.2f} bits")
# ```
#
# The second. At $\lambda = 0$ the loss still holds the exam and the two losses on simplified images. The simplifier lowers them with any
# change that makes images easier to read or a step on them more useful, whatever that change costs in bits. So the bits of the originals are not where a
# simplifier without a price ends.
#
# </details>
#
# ## References
#
# - [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits-->: equations 1 to 5 and S3, sections 3 and S2 to S4.
# - [Ronneberger et al. (2015)](https://arxiv.org/abs/1505.04597)<!--cite:t ronneberger2015unet-->: the UNet.
# - [Brock et al. (2021)](https://arxiv.org/abs/2102.06171)<!--cite:t brock2021nfnet-->: networks without normalisation layers.
# - [Loshchilov and Hutter (2019)](https://arxiv.org/abs/1711.05101)<!--cite:t loshchilov2019adamw-->: AdamW.

# %% tags=["hide-cell"]
setting = {
    "image_set": image_set, "density": density, "bit_weight": bit_weight, "threshold": threshold, "warm_up": warm_up,
    "steps": steps, "batch_size": batch_size, "learning_rate": learning_rate,
    "simplifier_learning_rate": simplifier_learning_rate, "relearning_steps": relearning_steps, "seed": seed,
}  # fmt: skip
numbers = {"bits-before": (worth["original"][0], "bits/dim"), "bits-after": (wanted, "bits/dim")}
for name, (bits_each, right) in worth.items():
    numbers[f"learned-{name}"] = (100 * right, "%")
    if name in ("blurred", "darkened"):
        numbers[f"bits-{name}"] = (bits_each, "bits/dim")
for which, price in (("lowest", min(of_price)), ("highest", max(of_price))):
    numbers[f"{which}-price"] = (price, "lambda")
    numbers[f"bits-at-{which}-price"] = (of_price[price][0], "bits/dim")
    numbers[f"learned-at-{which}-price"] = (100 * of_price[price][1], "%")
numbers["pull-easy"] = (float(strength[columns[0]]), "ratio of lengths, exam to bits")
numbers["pull-hard"] = (float(strength[columns[-1]]), "ratio of lengths, exam to bits")
numbers["cosine-of-pulls"] = (cosine, "cosine in the simplifier's weights")
for name, (value, unit) in numbers.items():
    sb.report.record("per-instance", name, value, unit, setting=setting)

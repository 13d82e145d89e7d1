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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/09_condense_and_simplify.ipynb)
#
# # Condense and simplify
#
# **A few synthetic images that stand for a whole set can be simple as well: they go from
# 3.58<!--=condense-and-simplify.bits-free:.2f--> to 1.65<!--=condense-and-simplify.bits-half:.2f--> bits per dimension when bits have a
# price, and fresh networks that learn from nothing else get 81%<!--=condense-and-simplify.accuracy-half:.0%--> of the real test images
# right, against 81%<!--=condense-and-simplify.accuracy-free:.0%--> before.**
#
# You will
#
# - add the price of a bit to gradient matching, and take one step of the optimisation by hand;
# - see what pixels must be so that their bits can be measured while they are learned;
# - draw accuracy against bits, and find the price at which half of the bits are gone.
#
# **To know before:** [gradient matching](07_gradient_matching.ipynb), [bits per dimension](01_bits_per_dimension.ipynb).

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import math
from dataclasses import replace
from statistics import fmean

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from IPython.display import Markdown

import simplebits as sb

sb.report.style()
sb.report.measured_cost("09_condense_and_simplify")

# %% tags=["parameters"]
image_sets = ["digits"]  # names for sb.data.load; a curve for each
images_per_class = [1]  # synthetic images of each class; a curve for each
density = "glow-16px"  # measures bits; it sets the image size too
lambdas = [0.0, 300.0, 3000.0, 10000.0, 30000.0]  # bit_weight, the price of bits; 0 comes first
seeds = [0, 1, 2]  # one condensation for each
fewer = {}  # images per class with fewer condensations, and which: {"10": {"seeds": [0], "lambdas": [0.0, 3000.0]}}
width = 32  # channels of the ConvNet that condenses; 128 in the paper
depth = 3  # its blocks
iterations = {"1": 80}  # networks drawn, by images per class; 1001 in the paper's code
outer = {
    "1": 1
}  # steps of the images with one network, likewise; 1, and 10 for 10 images per class there
inner = {
    "1": 1
}  # epochs of the network between two steps, likewise; 50 for 10 images per class there
real_batch = 32  # real images of a class at each step; 256 in the paper
learning_rate = 0.1  # of Adam, for alpha
cool_down = 0.5  # share of the iterations in which this rate falls to zero; 0 in the paper
bf16 = False  # bfloat16 for the real images' gradients; None: where the device is faster in it
evaluation_width = 32  # channels of the ConvNets that learn from a condensed set; 128 in the paper
evaluation_networks = 3  # how many of them for each set; 5 in the paper's code
evaluation_epochs = 150  # passes over the condensed set; 300 in the paper's code
augmented_sets = []  # image sets learned under moves, scalings and turns; MNIST in the paper's code
augmented_epochs = 1000  # passes over those
noise = 1.0  # width of the noise on what they learn from, in grey levels of the density
variant_set = "digits"  # one of image_sets, for other networks and other losses
architectures = ["MLP", "LeNet"]  # networks to condense with, beside the ConvNet
losses = [
    "mse",
    "cosine",
    "product",
    "unrolled",
]  # what condenses, beside the layerwise distance of gradients
steps_a_network = 3  # steps of the images with each network, in one more variant
most_lost = 0.03  # share of accuracy that half of the bits may cost
test_images = 1000  # at most so many real images to test on
picture_seed = 0  # which real images are shown
device = "auto"  # cpu, cuda, or auto: a GPU where there is one

# %% [markdown]
# ## Two losses
#
# Gradient matching (chapter 07) learns images $X_\text{syn}$ at which a network's loss has the gradient that it has at real images. For each
# class,
#
# $$ L_\text{match}(X_\text{orig}, X_\text{syn}) = D\big(\nabla_\theta\, \ell(f_\theta(X_\text{orig}), y),\;
# \nabla_\theta\, \ell(f_\theta(X_\text{syn}), y)\big), \tag{6} $$
#
# with $D$ the sum of $1 - \cos$ over all filters and neurons. SimpleBits adds what the images cost:
#
# $$ L_\text{syn} = L_\text{match}(X_\text{orig}, X_\text{syn}) + \sum_{x \in X_\text{syn}} -\log p_G(x). \tag{7} $$
#
# As printed, equation (7) has no weight; the experiments vary one, $\lambda_\text{sim}$. In the paper's code, and here, the loss of a
# step with $C$ classes is
#
# $$ \frac{10\,C}{1+\lambda} \sum_{c=1}^{C} L_\text{match}^{(c)} \;+\; \frac{2\lambda}{1+\lambda} \sum_{\text{chunks}}
# \text{mean bits/dim of at most 50 images}. $$
#
# Up to 50 images there is one chunk. The optimiser is Adam {cite:p}`kingma2015adam`, whose steps hardly change when the whole loss is
# multiplied by a number. So what matters is the ratio of the two factors, $\lambda/(5C)$. With ten classes:

# %%
# NBVAL_CHECK_OUTPUT
lines = ["| λ | factor of matching | factor of bits | bits over matching |", "|---|---|---|---|"]
for value in (0, 1, 10, 100, 1000, 10_000, 1_000_000):
    matching_factor, bits_factor = 10 * 10 / (1 + value), 2 * value / (1 + value)
    lines.append(
        f"| {value:,} | {matching_factor:.4g} | {bits_factor:.4g} | {bits_factor / matching_factor:g} |"
    )
Markdown("\n".join(lines))

# %% [markdown]
# ## Pixels whose bits can be measured
#
# A density counts bits of an image: values in [0, 1] on a grid of grey levels. Free pixels, as chapter 07 has them, leave both. So what is
# learned is $\alpha$, one number for each value, and
#
# $$ x = q\big(\sigma(\alpha)\big), \qquad x_\text{seen} = x + u, \quad u \sim U\big(0, \tfrac{1}{L-1}\big). $$
#
# $\sigma$ keeps the values in range. $q$ rounds to the density's $L$ grey levels; its derivative is zero almost everywhere, so
# the gradient passes straight through it, as if $q$ were the identity {cite:p}`bengio2013straightthrough`. The noise $u$ is what the networks
# see on top: one grey level wide, drawn anew at each step, so that nothing can hide below a grey level.

# %%
if device == "auto":
    device = "cuda" if torch.cuda.is_available() else "cpu"
measure = sb.density.load(density, device)
size, levels = measure.image_size, 2**measure.bit_depth

alpha = torch.linspace(-7, 7, 561).requires_grad_()
x = sb.density.quantise(torch.sigmoid(alpha)[None, None, None], measure.bit_depth).flatten()
slope = torch.autograd.grad(x.sum(), alpha)[0]
black_below = -math.log(2 * (levels - 1) - 1)  # where sigma is half a grey level

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.6))
blue, orange = sb.report.COLOURS["blue"], sb.report.COLOURS["orange"]
along = alpha.detach()
left.plot(along, torch.sigmoid(along), color=orange, linestyle="--", label="σ(α)")
left.plot(along, x.detach(), color=blue, label="rounded")
left.axvline(black_below, color=sb.report.COLOURS["grey"], linestyle=":", label="black below")
left.set(xlabel="α", ylabel="grey value x")
left.legend()
right.plot(along, slope, color=blue)
right.set(xlabel="α", ylabel="slope that is passed back")
sb.report.show(
    figure,
    alt="Left, the sigmoid of alpha and the same rounded to grey levels, a staircase, with a vertical line where it reaches zero. Right, "
    "the slope that is passed back, a smooth bell around zero.",
    caption="What is learned is $\\alpha$: the value goes up in steps, the gradient sees a smooth curve.",
)

# %%
# NBVAL_CHECK_OUTPUT
smooth = torch.sigmoid(along) * (1 - torch.sigmoid(along))
on_levels = torch.round(x * (levels - 1)) / (levels - 1)
print("values lie on grey levels:", torch.allclose(x, on_levels))
print("the slope is that of the sigmoid:", torch.allclose(slope, smooth))

# %% [markdown]
# The start is grey noise, $\alpha \sim 0.2\,N(0, 1)$. Black is far from there: σ comes within half a grey level of 0 at the dotted line.
# A step of Adam moves $\alpha$ by about the learning rate, so that a condensation has to last a while before its background can
# be black:

# %%
away = abs(black_below) / learning_rate
print(f"α for black: {black_below:.1f}, at least about {away:.0f} steps of {learning_rate:g} away")

# %% [markdown]
# ## One step, by hand
#
# Everything above in one cell: start, noise, a fresh network, a batch of each class, both losses, their weights, and the
# first step of Adam, which is $\alpha' = \alpha - \eta\, g/(|g| + \epsilon)$ because its averages then hold a single gradient. The networks see centred
# images, $x\,(L-1)/L - \frac12$, as the density does.

# %%
per_class, price, seed = images_per_class[0], lambdas[-1], seeds[0]


def load(name: str) -> tuple[sb.data.ImageSet, sb.data.ImageSet]:
    """Training images, and as many test images as are asked for."""
    held_out = sb.data.load(name, "test")
    return sb.data.load(name, "train"), held_out.draw(min(test_images, len(held_out)), picture_seed)


def shape_of(network: str, channels: int) -> dict[str, int]:
    """What else a network takes."""
    return {"width": channels, "depth": depth} if network == "ConvNet" else {}


train, test = load(image_sets[0])
classes = len(train.classes)

start = torch.Generator().manual_seed(seed * 1_000_003 - 1)  # the library's rule for its seeds
alpha = (0.2 * torch.randn(classes * per_class, 3, size, size, generator=start)).to(device)
alpha.requires_grad_()
draws = torch.Generator().manual_seed(seed * 1_000_003)
network_seed = int(torch.randint(2**31, (), generator=draws))
with torch.random.fork_rng():
    torch.random.default_generator.manual_seed(network_seed)
    network = sb.networks.build("ConvNet", classes, 3, size, **shape_of("ConvNet", width))
network.to(device)

x = sb.density.quantise(torch.sigmoid(alpha), measure.bit_depth)
seen = x + (torch.rand(x.shape, generator=draws) / (levels - 1)).to(device)
synthetic = [measure.centre(part) for part in seen.split(per_class)]
real = []
for label in range(classes):
    own = (train.labels == label).nonzero().flatten()
    batch = train.subset(own[torch.randperm(len(own), generator=draws)[:real_batch]])
    real.append(measure.centre(batch.to_float(size, 3, device)))


def gradient(images: torch.Tensor, label: int, create_graph: bool = False) -> list[torch.Tensor]:
    """Of the mean cross-entropy of these images of one class, in all weights."""
    loss = F.cross_entropy(network(images), torch.full((len(images),), label, device=images.device))
    return torch.autograd.grad(loss, list(network.parameters()), create_graph=create_graph)


matching = 0.0
for label in range(classes):
    wanted, reached = gradient(real[label], label), gradient(synthetic[label], label, True)
    for a, b in zip(wanted, reached, strict=True):
        if a.dim() > 1:  # biases and gains do not count
            a, b = a.flatten(1), b.flatten(1)
            cosine = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)
            matching = matching + (1 - cosine).sum()
bits = [measure.bits_per_dim(part, draws) for part in x.split(50)]
price_paid = sum(part.mean() for part in bits)
loss = 10 * classes / (1 + price) * matching + 2 * price / (1 + price) * price_paid
g = torch.autograd.grad(loss, alpha)[0]
stepped = (alpha - learning_rate * g / (g.abs() + 1e-6)).detach()
by_hand = sb.density.quantise(torch.sigmoid(stepped), measure.bit_depth)

# %%
one = sb.condense.condense(
    train,
    "gradient",
    per_class,
    density=measure,
    bit_weight=price,
    network_options=shape_of("ConvNet", width),
    real_batch=real_batch,
    learning_rate=learning_rate,
    iterations=1,
    outer=1,
    seed=seed,
    bf16=False,
    device=device,
)
of_each_class = sb.condense.gradient_matching_loss(network, real, synthetic).detach()

# %%
# NBVAL_CHECK_OUTPUT
near = {"rel_tol": 5e-3}
total, all_bits = float(matching.detach()), float(torch.cat(bits).detach().mean())
print("matching, library's function:", math.isclose(total, float(of_each_class.sum()), **near))
print("matching, library's run:", math.isclose(total / classes, one.history.losses[0], **near))
print("bits, library's run:", math.isclose(all_bits, one.history.bits[0], **near))
same = float((by_hand.cpu() == one.images).float().mean())
print("the images after the step:", "equal" if same > 0.98 else f"{same:.1%} equal")

# %% [markdown]
# ## Accuracy against bits
#
# Now whole condensations, one for each λ and seed. From each comes a set of images; fresh networks learn from it and are tested on
# real ones (`sb.condense.evaluate`), and the density measures its bits.
#
# One thing can be added to the paper's recipe, for short runs: the learning rate falls to zero in the last share of a run (`cool_down`, here
# 50%<!--=condense-and-simplify.cool-down:.0%-->). We come back to why.

# %%
loaded = {name: load(name) for name in image_sets}


def simple_set(
    train: sb.data.ImageSet,
    per_class: int,
    value: float,
    seed: int,
    label: str,
    network: str = "ConvNet",
    **changes,
) -> sb.condense.CondensedSet:
    """One condensation; `label` names its checkpoint."""
    settings = {
        "network_options": shape_of(network, width),
        "iterations": iterations[str(per_class)],
        "outer": outer[str(per_class)],
        "inner": inner[str(per_class)],
        "real_batch": real_batch,
        "learning_rate": learning_rate,
        "cool_down": cool_down,
        "bf16": bf16,
        "device": device,
    } | changes
    return sb.condense.condense(
        train,
        "gradient",
        per_class,
        network=network,
        density=measure,
        bit_weight=value,
        seed=seed,
        checkpoint=sb.report.checkpoint(label),
        **settings,
    )


def fresh_networks(
    few: sb.condense.CondensedSet, test: sb.data.ImageSet, network: str = "ConvNet"
) -> sb.condense.Evaluation:
    """Networks that learn from these images alone, and their accuracy on real ones; every set gets the same networks."""
    moved = test.name.split("/")[0] in augmented_sets
    return sb.condense.evaluate(
        few,
        test,
        network,
        range(evaluation_networks),
        network_options=shape_of(network, evaluation_width),
        epochs=augmented_epochs if moved else evaluation_epochs,
        augment=sb.condense.CropScaleRotate() if moved else None,
        noise=noise / (levels - 1),
        bf16=False,
        device=device,
    )


def measured(sets: list[sb.condense.CondensedSet], test: sb.data.ImageSet) -> dict[str, list]:
    """Bits and accuracy of a few sets that differ in their seed."""
    evaluations = [fresh_networks(few, test) for few in sets]
    return {
        "sets": sets,
        "bits": [sb.density.mean_bits(measure, few.images) for few in sets],
        "evaluations": evaluations,
        "accuracy": [evaluation.mean for evaluation in evaluations],
    }


chosen = {  # weights of bits and seeds, by images per class
    each: {"lambdas": lambdas, "seeds": seeds} | fewer.get(str(each), {})
    for each in images_per_class
}
curves = {}
for name, (train, test) in loaded.items():
    for per_class, own in chosen.items():
        for value in own["lambdas"]:
            sets = [
                simple_set(train, per_class, value, s, f"{name}-{per_class}-{value:g}-{s}")
                for s in own["seeds"]
            ]
            curves.setdefault((name, per_class), {})[value] = measured(sets, test)

# %%
# NBVAL_CHECK_OUTPUT
for per_class, own in chosen.items():
    points, runs = len(own["lambdas"]), len(own["seeds"])
    print(f"{per_class} per class: {points} points of {runs} condensation(s) each")

# %% [markdown]
# Two kinds of real images to compare with: all test images, for their bits, and real images drawn at random, as many as the
# condensed set has, for both.

# %%
few_real, real_bits = {}, {}
for (name, per_class), curve in curves.items():
    train, test = loaded[name]
    like = curve[lambdas[0]]["sets"][0]  # centred for the networks as the condensed images are
    drawn = [
        sb.condense.CondensedSet.of(
            sb.condense.coreset(train, "random", per_class, seed=s), train, size, 3
        )
        for s in chosen[per_class]["seeds"]
    ]
    few_real[name, per_class] = measured(
        [replace(few, mean=like.mean, std=like.std) for few in drawn], test
    )
    real_bits[name] = sb.density.mean_bits(measure, test.to_float(size, 3))

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    len(images_per_class),
    len(image_sets),
    figsize=(max(5.4, 3.6 * len(image_sets)), 0.6 + 2.9 * len(images_per_class)),
    squeeze=False,
)
shades = {
    value: plt.cm.viridis(0.85 * i / max(len(lambdas) - 1, 1)) for i, value in enumerate(lambdas)
}
markers = dict(zip(lambdas, "o^sDvPX*hd" * 3, strict=False))
for (name, per_class), curve in curves.items():
    panel = panels[images_per_class.index(per_class), image_sets.index(name)]
    panel.plot(
        [fmean(p["bits"]) for p in curve.values()],
        [fmean(p["accuracy"]) for p in curve.values()],
        color=sb.report.COLOURS["grey"],
        zorder=1,
    )
    for value, p in curve.items():
        panel.plot(
            p["bits"],
            p["accuracy"],
            markers[value],
            color=shades[value],
            markersize=6,
            linestyle="none",
            label=f"λ = {value:g}",
        )
        panel.errorbar(
            p["bits"],
            p["accuracy"],
            [e.sd for e in p["evaluations"]],
            color=shades[value],
            linestyle="none",
            linewidth=1,
        )
    r = few_real[name, per_class]
    panel.errorbar(
        r["bits"],
        r["accuracy"],
        [e.sd for e in r["evaluations"]],
        color=sb.report.COLOURS["orange"],
        marker="*",
        markersize=9,
        linewidth=1,
        linestyle="none",
        label="real, at random",
    )
    panel.axvline(
        real_bits[name], color=sb.report.COLOURS["grey"], linestyle=":", label="real test images"
    )
    panel.set(
        xlabel="bits per dimension",
        ylabel="accuracy on real images",
        title=f"{name}, {per_class} per class",
        xlim=(0, None),
    )
figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside right upper")
sb.report.show(
    figure,
    alt="A panel for each image set and number of images per class: accuracy of fresh networks on real test images against bits per "
    "dimension of the condensed images. Every condensation is a point with a bar; points of one λ share colour and marker. Stars are real "
    "images drawn at random, a dotted line the bits of real test images.",
    caption="Counterpart of the paper's figure 6, top. Every point is one condensation; bars: standard deviation over fresh networks; grey: "
    "means over seeds.",
)

# %%
setting = {
    "density": density,
    "size": size,
    "width": width,
    "depth": depth,
    "iterations": iterations,
    "outer": outer,
    "inner": inner,
    "real_batch": real_batch,
    "learning_rate": learning_rate,
    "cool_down": cool_down,
    "bf16": bf16,
    "seeds": seeds,
    "evaluation_width": evaluation_width,
    "networks": evaluation_networks,
    "epochs": evaluation_epochs,
    "augmented": augmented_sets,
    "augmented_epochs": augmented_epochs,
}
experiment = "condense-and-simplify"
for name, value in real_bits.items():
    how = setting | {"image_set": name}
    sb.report.record(experiment, f"{name}-real-bits", value, "bits/dim", setting=how)
for (name, per_class), curve in curves.items():
    where = setting | {"image_set": name, "images_per_class": per_class}
    where |= {"seeds": chosen[per_class]["seeds"]}
    for value, p in curve.items():
        how, metric = where | {"bit_weight": value}, f"{name}-{per_class}-lambda-{value:g}"
        sb.report.record(experiment, f"{metric}-bits", p["bits"], "bits/dim", setting=how)
        sb.report.record(experiment, f"{metric}-accuracy", p["accuracy"], "share", setting=how)
    r, metric = few_real[name, per_class], f"{name}-{per_class}-random"
    sb.report.record(experiment, f"{metric}-bits", r["bits"], "bits/dim", setting=where)
    sb.report.record(experiment, f"{metric}-accuracy", r["accuracy"], "share", setting=where)

first = curves[image_sets[0], images_per_class[0]]
where = setting | {"image_set": image_sets[0], "images_per_class": images_per_class[0]}
free, dearest = first[lambdas[0]], first[max(lambdas)]
drawn = few_real[image_sets[0], images_per_class[0]]
for metric, p in (("free", free), ("dearest", dearest), ("random", drawn)):
    sb.report.record(experiment, f"bits-{metric}", p["bits"], "bits/dim", setting=where)
    sb.report.record(experiment, f"accuracy-{metric}", p["accuracy"], "share", setting=where)
sb.report.record(experiment, "bits-real", real_bits[image_sets[0]], "bits/dim", setting=where)
falling = sb.report.record(
    experiment,
    "bits-saved",
    [a - b for a, b in zip(free["bits"], dearest["bits"], strict=True)],
    "bits/dim from λ = 0 to the largest λ",
    setting=where | {"lambdas": lambdas},
    trend=sb.report.increasing(
        {f"λ = {value:g}": fmean(first[value]["bits"]) for value in sorted(lambdas, reverse=True)}
    ),
)
falling

# %% [markdown]
# **What you should see.** Without a price the condensed images have 3.58<!--=condense-and-simplify.bits-free:.2f--> bits per dimension, real
# test images 1.38<!--=condense-and-simplify.bits-real:.2f-->: matching gradients asks for no particular look, and what it leaves of the
# noise of the start is paid for in bits. Up to the largest λ, 2.28<!--=condense-and-simplify.bits-saved:.2f--> bits per dimension are
# saved; there the accuracy is 76.5%<!--=condense-and-simplify.accuracy-dearest:.1%-->, after
# 80.7%<!--=condense-and-simplify.accuracy-free:.1%--> without a price. Real images drawn at random give
# 68.2%<!--=condense-and-simplify.accuracy-random:.1%--> with 1.39<!--=condense-and-simplify.bits-random:.2f--> bits.
#
# During a condensation, both terms move at once:

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.7))
for (value, p), line in zip(first.items(), ["-", "--", "-.", ":"] * 8, strict=False):
    history, shade = p["sets"][0].history, shades[value]
    left.plot(history.bits, color=shade, linestyle=line, label=f"λ = {value:g}")
    right.plot(history.losses, color=shade, linestyle=line)
left.axhline(real_bits[image_sets[0]], color=sb.report.COLOURS["grey"], linewidth=1)
left.set(xlabel="iteration", ylabel="bits per dimension", ylim=(0, None))
right.set(xlabel="iteration", ylabel="matching loss a class", ylim=(0, None))
figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=5)
sb.report.show(
    figure,
    alt="Two panels over the iterations, one line for each λ: bits per dimension of the synthetic images, with a thin level line for real "
    "images, and the matching loss.",
    caption=f"{image_sets[0]}, first seed: the two terms during a condensation. Thin line: real test images.",
)

# %% [markdown]
# ## The sets at falling bits
#
# Each row is one whole condensed set or, where there are several images of a class, the first of each.

# %% tags=["hide-input"]
for (name, per_class), curve in curves.items():
    train, test = loaded[name]
    columns = len(train.classes)
    rows = [few_real[name, per_class]["sets"][0].to_grid()[:columns]]
    rows += [p["sets"][0].to_grid()[:columns] for p in curve.values()]
    titles = [f"real: {few_real[name, per_class]['bits'][0]:.2f}"]
    titles += [f"λ = {value:g}: {p['bits'][0]:.2f}" for value, p in curve.items()]
    figure = sb.report.image_grid(torch.cat(rows), columns=columns, row_titles=titles, zoom=0.75)
    sb.report.show(
        figure,
        alt=f"{name}: a row of real images, one of each class, and below it a row of condensed images for each λ, from the smallest to "
        "the largest.",
        caption=f"{name}, {per_class} per class: counterpart of figure 6, bottom. Beside each row its bits per dimension.",
    )

# %%
per_class = images_per_class[-1]
curve = curves[image_sets[0], per_class]
labels = [
    f"λ = {value:g}: {p['bits'][0]:.2f} bits/dim, {p['evaluations'][0].mean:.0%} of the real test images right"
    for value, p in curve.items()
]
sb.report.slider(
    [
        sb.report.image_grid(p["sets"][0].to_grid(), columns=classes, zoom=0.8)
        for p in curve.values()
    ],
    labels,
    [f"The condensed images, a column for each class. {label}." for label in labels],
    "λ",
)

# %% [markdown]
# ## Half of the bits
#
# Which λ takes half of the bits? The smallest one, of those tried, whose sets have at most half the bits of those at λ = 0. It is
# chosen by bits alone, not by accuracy.

# %%
prices, retained = {}, {}


def half_price(curve: dict[float, dict]) -> float:
    """The smallest λ with at most half of the bits; the largest one if none has."""
    bits = {value: fmean(p["bits"]) for value, p in curve.items()}
    return min((v for v in bits if bits[v] <= bits[lambdas[0]] / 2), default=max(bits))


for (name, per_class), curve in curves.items():
    prices[name, per_class] = half_price(curve)
    before, after = curve[lambdas[0]], curve[prices[name, per_class]]
    lost = [a - b for a, b in zip(before["accuracy"], after["accuracy"], strict=True)]
    left_over = fmean(after["bits"]) / fmean(before["bits"])
    retained[name, per_class] = sb.report.record(
        experiment,
        f"{name}-{per_class}-accuracy-lost",
        lost,
        "share, from λ = 0 to half of the bits",
        setting=setting
        | {
            "image_set": name,
            "images_per_class": per_class,
            "bit_weight": prices[name, per_class],
            "seeds": chosen[per_class]["seeds"],
        },
        published="simplebits.condensation.flat",
        trend=sb.report.at_most("accuracy lost", fmean(lost), most_lost)
        & sb.report.at_most("share of the bits left", left_over, 0.5),
    )
    print(
        f"{name}, {per_class} per class: λ = {prices[name, per_class]:g}, {left_over:.2f} of the bits"
    )

# %%
price = prices[image_sets[0], images_per_class[0]]
half = first[price]
share = fmean(half["bits"]) / fmean(free["bits"])
lost = fmean(free["accuracy"]) - fmean(half["accuracy"])
sb.report.record(experiment, "half-lambda", price, "λ", setting=where)
sb.report.record(experiment, "bits-half", half["bits"], "bits/dim", setting=where)
sb.report.record(experiment, "accuracy-half", half["accuracy"], "share", setting=where)
sb.report.record(experiment, "share-of-bits", share, "share", setting=where)
sb.report.record(experiment, "accuracy-lost", lost, "share", setting=where)
values = 3 * size**2  # of one image
images_in_it = len(half["sets"][0])
small = fmean(half["bits"]) * values * images_in_it / 8
sb.report.record(experiment, "whole-set-bytes", small, "bytes", setting=where)
all_of_it = real_bits[image_sets[0]] * values * len(loaded[image_sets[0]][0]) / 8
sb.report.record(experiment, "training-set-bytes", all_of_it, "bytes", setting=where)
raw = measure.bit_depth * values * images_in_it / 8
sb.report.record(experiment, "raw-bytes", raw, "bytes", setting=where)
sb.report.record(experiment, "times-smaller", all_of_it / small, "×", setting=where)
retained[image_sets[0], images_per_class[0]]

# %% [markdown]
# **What you should see.** At λ = 3000<!--=condense-and-simplify.half-lambda:.0f-->,
# 46%<!--=condense-and-simplify.share-of-bits:.0%--> of the bits are left. The accuracy is 80.9%<!--=condense-and-simplify.accuracy-half:.1%-->,
# without a price it was 80.7%<!--=condense-and-simplify.accuracy-free:.1%-->. The verdict above says whether this is at most
# half of the bits at a loss of no more than was allowed.
#
# ### Why the rate falls
#
# Adam's steps have about the size of the learning rate however small the gradient is. A pixel that has nowhere to go keeps jumping, by
# up to a quarter of the rate in grey value (σ has slope ¼ at most), each pixel for itself: grain, and grain is what the density finds dear.
# In a short run this decides how far the bits can fall. The same condensation with the same λ and a constant rate (where the rate is
# constant anyway, the two are one):

# %%
train, test = loaded[image_sets[0]]
if cool_down:
    still = measured(
        [
            simple_set(
                train,
                images_per_class[0],
                price,
                seeds[0],
                "constant-rate",
                cool_down=0.0,
            )
        ],
        test,
    )
else:  # then it is the one above
    still = {key: values[:1] for key, values in half.items()}
constant = where | {"bit_weight": price, "cool_down": 0.0, "seeds": seeds[:1]}
sb.report.record(experiment, "cool-down", cool_down, "share of the iterations", setting=where)
sb.report.record(experiment, "falling-rate-bits", half["bits"][0], "bits/dim", setting=where)
sb.report.record(experiment, "falling-rate-accuracy", half["accuracy"][0], "share", setting=where)
sb.report.record(experiment, "constant-rate-accuracy", still["accuracy"], "share", setting=constant)
sb.report.record(
    experiment,
    "constant-rate-bits",
    still["bits"],
    "bits/dim",
    setting=constant,
    trend=sb.report.increasing({"falling": half["bits"][0], "constant": still["bits"][0]})
    if cool_down
    else None,
)

# %% tags=["hide-input"]
shown = [still["sets"][0].to_grid()[:classes], half["sets"][0].to_grid()[:classes]]
figure = sb.report.image_grid(
    torch.cat(shown), columns=classes, row_titles=["constant rate", "as above"], zoom=0.75
)
sb.report.show(
    figure,
    alt="Two rows of condensed images, one image of each class: learned with a constant learning rate, and as in the sections above.",
    caption="The same λ and seed, with a constant learning rate and as above.",
)

# %% [markdown]
# **What you should see.** A constant rate ends at 2.19<!--=condense-and-simplify.constant-rate-bits:.2f--> bits per dimension and
# 80.5%<!--=condense-and-simplify.constant-rate-accuracy:.1%-->; the run above, in which the rate fell during the last
# 50%<!--=condense-and-simplify.cool-down:.0%--> of the iterations, at 1.66<!--=condense-and-simplify.falling-rate-bits:.2f--> bits and
# 81.2%<!--=condense-and-simplify.falling-rate-accuracy:.1%-->.
#
# ## Other networks, other losses
#
# The paper's supplement shows pictures of sets condensed with other networks (figure S12), with two other losses, and with several
# steps for each network (S13). Its losses take the gradients $g_\text{orig}$ and $g_\text{syn}$ of all classes together. One is their
# product, $-\langle g_\text{orig}, g_\text{syn} \rangle$; the other the loss on real images after one step of training on the synthetic
# ones, $\ell(f_{\theta - \eta\, g_\text{syn}}(X_\text{orig}), y)$. To first order they say the same: the slope of the second at
# $\eta = 0$ is the first. Beside them stand two distances of the gradient-matching paper {cite:p}`zhao2021gradient`, the
# squared Euclidean one (`mse`) and the cosine of all gradients as one vector.

# %%
pixels = measure.centre(seen).detach().requires_grad_()
matched = {"network": network, "real": real, "synthetic": pixels.split(images_per_class[0])}
tiny = 1e-3  # learning rate of the step
with torch.no_grad():
    before = [
        F.cross_entropy(network(x), torch.full((len(x),), label, device=device))
        for label, x in enumerate(real)
    ]
after = sb.condense.unrolled_step_loss(**matched, learning_rate=tiny).detach()
begin = float(after - torch.stack(before).mean()) / tiny
product = float(sb.condense.gradient_product_loss(**matched).detach())

# %%
# NBVAL_CHECK_OUTPUT
print("slope of the unrolled loss and product:", math.isclose(begin, product, rel_tol=0.1))

# %% [markdown]
# Each loss has a unit of its own, so one λ means a different price for each. What moves a pixel is the loss's gradient. We multiply λ with
# the ratio of the two losses' gradients (their lengths, at the start of the step above), so that bits begin with the same pull against
# matching as they have in the runs above. Another network is treated alike, by the ratio of the two losses at the start.

# %%
values = {
    name: sb.condense.gradient_matching_loss(**matched, kind=name).sum()
    for name in ("layerwise", "mse", "cosine")
}
values["product"] = classes * sb.condense.gradient_product_loss(**matched)
values["unrolled"] = classes * sb.condense.unrolled_step_loss(**matched)
pulls = {
    name: float(torch.autograd.grad(value, pixels, retain_graph=True)[0].norm())
    for name, value in values.items()
}
lines = ["| loss | length of its gradient, layerwise = 1 |", "|---|---|"]
lines += [f"| {name} | {pull / pulls['layerwise']:.2g} |" for name, pull in pulls.items()]
Markdown("\n".join(lines))

# %%
train, test = loaded[variant_set]
per_class = images_per_class[0]
price_of_half = prices[variant_set, per_class]
reference = curves[variant_set, per_class][price_of_half]
variants = {name: {"network": name} for name in architectures}
variants |= {name: {"distance": name} for name in losses}
variants[f"{steps_a_network} steps"] = {
    "outer": steps_a_network,
    "inner": 10,  # epochs of the network between two steps
    "iterations": max(iterations[str(per_class)] // steps_a_network, 1),
}
found = {"ConvNet": reference}
for label, changes in variants.items():
    own_price = price_of_half  # several steps change the unit of nothing
    if label in losses:
        own_price *= pulls[label] / pulls["layerwise"]
    elif label in architectures:
        begun = simple_set(
            train, per_class, 0.0, seeds[0], f"start-{label}", **changes | {"iterations": 1}
        )
        own_price *= begun.history.losses[0] / reference["sets"][0].history.losses[0]
    few = simple_set(train, per_class, own_price, seeds[0], f"variant-{label}", **changes)
    found[label] = measured([few], test)

# %% tags=["hide-input"]
columns = len(train.classes)
rows = torch.cat([p["sets"][0].to_grid()[:columns] for p in found.values()])
figure = sb.report.image_grid(
    rows,
    columns=columns,
    row_titles=[f"{label}: {p['bits'][0]:.2f}" for label, p in found.items()],
    zoom=0.75,
)
sb.report.show(
    figure,
    alt="Rows of condensed images, one image of each class: condensed with a ConvNet, with other networks, with other losses, "
    "and with several steps of the images for each network.",
    caption=f"Counterpart of figures S12 and S13 on {variant_set}, with bits per dimension beside each row.",
)

# %%
own_network = {
    label: fresh_networks(found[label]["sets"][0], test, label) for label in architectures
}
lines = [
    "| condensed with | λ | bits/dim | ConvNets learn to | its own kind learns to |",
    "|---|---|---|---|---|",
]
for label, p in found.items():
    few, evaluation = p["sets"][0], p["evaluations"][0]
    own = own_network.get(label, evaluation)
    name = label if label in ("ConvNet", *architectures) else f"ConvNet, {label}"
    lines.append(
        f"| {name} | {few.made['bit_weight']:.4g} | {p['bits'][0]:.2f} "
        f"| {evaluation.mean:.1%} ± {evaluation.sd:.1%} | {own.mean:.1%} ± {own.sd:.1%} |"
    )
Markdown("\n".join(lines))

# %%
variant_records = []
for label, p in found.items():
    if label == "ConvNet":
        continue
    metric = f"variant-{label.lower().replace(' ', '-')}"
    how = setting | {"image_set": variant_set, "images_per_class": per_class, "seeds": seeds[:1]}
    how |= variants[label] | {"bit_weight": p["sets"][0].made["bit_weight"]}
    kind = "architectures" if label in architectures else "losses"
    sb.report.record(experiment, f"{metric}-bits", p["bits"], "bits/dim", setting=how)
    if label in own_network:
        own = own_network[label].mean
        sb.report.record(experiment, f"{metric}-own-accuracy", own, "share", setting=how)
    variant_records.append(
        sb.report.record(
            experiment,
            f"{metric}-accuracy",
            p["accuracy"],
            "share",
            setting=how,
            published=f"simplebits.condensation.{kind}",
        )
    )
accuracies = [p["evaluations"][0].mean for p in found.values()]
sb.report.record(experiment, "variant-worst", min(accuracies), "share", setting=setting)
sb.report.record(experiment, "variant-best", max(accuracies), "share", setting=setting)
of_bits = [p["bits"][0] for p in found.values()]
sb.report.record(experiment, "variant-fewest-bits", min(of_bits), "bits/dim", setting=setting)
sb.report.record(experiment, "variant-most-bits", max(of_bits), "bits/dim", setting=setting)
variant_records[0]

# %% [markdown]
# **What you should see.** Real images drawn at random give 68.2%<!--=condense-and-simplify.accuracy-random:.1%-->. From these sets ConvNets
# learn to between 57.3%<!--=condense-and-simplify.variant-worst:.1%--> and
# 82.7%<!--=condense-and-simplify.variant-best:.1%-->, and their bits lie between
# 1.34<!--=condense-and-simplify.variant-fewest-bits:.2f--> and 2.15<!--=condense-and-simplify.variant-most-bits:.2f--> per dimension. Look at
# the pictures for what kind of network asked for them. The gradient of a multilayer perceptron's first layer is made of the input images
# themselves, so the input that matches it resembles the mean image of its class. A convolution sees small neighbourhoods everywhere. A set
# that teaches less than random images teaches what another architecture looks for; a network that hardly learns from its own set
# fails at training on ten images, whatever they show. Each row is one condensation, so small differences say nothing.
#
# ## Ten images per class: the price doubles
#
# The code sums the *means* of chunks of 50 images. So the bits of a larger set weigh more, in steps, and in a last chunk that is not full each
# image weighs more than elsewhere. Equation (7) sums over images: there the weight of the mean would grow in proportion to their number.

# %%
# NBVAL_CHECK_OUTPUT
for per_class in (1, 5, 6, 10, 50):
    n = 10 * per_class
    chunks = [min(50, n - begin) for begin in range(0, n, 50)]
    print(
        f"{per_class} per class: {n} images, sum of {len(chunks)} mean(s); "
        f"an image weighs 1/{chunks[0]}, in the last chunk 1/{chunks[-1]}"
    )

# %% [markdown]
# So with ten classes the same λ puts twice the weight on the mean bits at 10 images per class as at 1. Keep it in mind when you compare
# points of one λ in the two. What was measured with more than one image per class:

# %%
more = {key: curve for key, curve in curves.items() if key[1] > 1}
for (name, per_class), curve in more.items():
    for value, p in curve.items():
        print(
            f"{name}, {per_class} per class, λ = {value:g}: {fmean(p['bits']):.2f} bits/dim, "
            f"{fmean(p['accuracy']):.1%} right, {len(p['sets'])} condensation(s)"
        )
if not more:
    print("nothing; this profile has one image per class only")

# %% [markdown]
# Ten images per class cost most of a run: each network is trained between the steps, and ten times as many images are measured at every step and
# learned from afterwards. So shorter profiles leave them out or, as the numbers above say, have fewer weights, fewer condensations and fewer
# networks drawn; one condensation says little about small differences.
#
# ## Against the published figures
#
# The paper has figures and no table, so what is compared are its statements, and the accuracy at λ = 0, which the paper calls a
# reimplementation of gradient matching, with that paper's table 1.

# %%
# NBVAL_CHECK_OUTPUT
for key in ("baseline", "flat", "architectures", "losses"):
    print(sb.report.published(f"simplebits.condensation.{key}").quantity)

# %%
checks = [falling, *retained.values()]
for (name, per_class), curve in curves.items():
    how = setting | {"image_set": name, "images_per_class": per_class, "bit_weight": lambdas[0]}
    how |= {"seeds": chosen[per_class]["seeds"]}
    priced = max(fmean(p["bits"]) for value, p in curve.items() if value != lambdas[0])
    unpriced = fmean(curve[lambdas[0]]["bits"])
    checks.append(
        sb.report.record(
            experiment,
            f"{name}-{per_class}-most-bits",
            curve[lambdas[0]]["bits"],
            "bits/dim at λ = 0",
            setting=how,
            published="simplebits.condensation.baseline",
            trend=sb.report.increasing({"all other λ": priced, "λ = 0": unpriced}),
        )
    )
    known = name in ("mnist", "fashion-mnist", "svhn", "cifar10") and per_class in (1, 10, 50)
    key = f"dc.{name}.ipc{per_class}.dc" if known else None
    percent = [100 * value for value in curve[lambdas[0]]["accuracy"]]
    chance = fmean(few_real[name, per_class]["accuracy"])
    checks.append(
        sb.report.record(
            experiment,
            f"{name}-{per_class}-baseline",
            percent,
            "%",
            setting=how,
            published=key,
            trend=sb.report.increasing(
                {"real images at random": 100 * chance, "condensed": fmean(percent)}
            ),
        )
    )
for check in checks:
    said = f" (published: {check.published})" if check.published and check.unit == "%" else ""
    print(f"{check.metric}: {check}{said}, {check.verdict}; {check.trend.statement}")

# %% [markdown]
# The published numbers are of 28×28 or 32×32 images, a ConvNet with 128 channels, 1,000 iterations with 256 real images of each class, and
# free pixels; they stand beside ours without a verdict on their difference.
#
# ## Keep the sets
#
# A condensed set is a small file with a card that says how it was made and what it is worth. Where the environment variable
# `SIMPLEBITS_SETS` names a folder, those at λ = 0 and at half of the bits are written to it; the sets that `sb.condense.load` reads were made so.

# %%
kept = []
for (name, per_class), curve in curves.items():
    for value in dict.fromkeys((lambdas[0], prices[name, per_class])):
        few = curve[value]["sets"][0]
        few.made["density"], few.made["bits_per_dim"] = density, curve[value]["bits"][0]
        moved = name in augmented_sets
        kept.append(
            sb.condense.keep(
                few,
                curve[value]["evaluations"][0].accuracies,
                epochs=augmented_epochs if moved else evaluation_epochs,
                augmented=moved,
            )
        )
print("written:", ", ".join(path.name for path in kept if path) or "nothing")

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** What does a whole condensed set cost, at the λ of half the bits? Turn bits per dimension into bytes, and compare with the
# bytes of its pixels as they are, and with the whole training set under the same density.
#
# <details><summary>Solution</summary>
#
# An image has three channels of pixels, so a set costs
#
# ```python
# bytes_ = fmean(half["bits"]) * 3 * size**2 * len(half["sets"][0]) / 8
# ```
#
# that is 1582<!--=condense-and-simplify.whole-set-bytes:.0f--> bytes, against 4800<!--=condense-and-simplify.raw-bytes:.0f--> for its pixels at
# the density's bit depth. The whole training set under the same density takes
# 170952<!--=condense-and-simplify.training-set-bytes:.0f--> bytes (reckoned with the mean bits of test images), that is
# 108<!--=condense-and-simplify.times-smaller:.0f--> times as many. The density itself is not counted: whoever decodes must have it.
#
# </details>
#
# **Exercise 2.** What does λ = 1,000,000 do? Say first what the two factors are, and which image has the fewest bits.
#
# <details><summary>Solution</summary>
#
# ```python
# train, test = loaded[image_sets[0]]
# extreme = simple_set(train, images_per_class[0], 1e6, seeds[0], "extreme")
# print(sb.density.mean_bits(measure, extreme.images), fresh_networks(extreme, test))
# flat = torch.linspace(0, 1, 9)[:, None, None, None].expand(-1, 3, size, size)
# print(sb.density.bits_of(measure, flat))
# ```
#
# Matching has the factor 0.0001, bits have 2. Almost nothing but the bits is left, and the fewest bits belong to flat images, one and the same for all classes. How far a
# run gets depends on its length: the gradient of the bits in pixels is mostly fine grain (chapter 04), so it smooths slowly.
#
# </details>
#
# **Exercise 3.** At 6 images of each of ten classes there are 60 images: one chunk of 50 and one of 10. Which classes pay most for their bits, and how much more than
# the others?
#
# <details><summary>Solution</summary>
#
# Images are ordered by class: the first 50 are eight classes and two images of the ninth. The second chunk has the ninth's other four and
# all six of the tenth. Each of them counts 1/10 where the others count 1/50: five times the price.
#
# ```python
# bits = torch.zeros(60, requires_grad=True)
# sum(chunk.mean() for chunk in bits.split(50)).backward()
# print(bits.grad[0], bits.grad[-1])
# ```
#
# </details>
#
# ## References
#
# - {cite:t}`schirrmeister2022simplebits`: section 4, equations 6 and 7, figures 6 and S11 to S13.
# - {cite:t}`zhao2021gradient`: gradient matching, its distances and networks.
# - {cite:t}`kingma2015adam`: Adam.
# - {cite:t}`bengio2013straightthrough`: gradients that pass straight through a step.

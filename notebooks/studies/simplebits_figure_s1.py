# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Three models, one order
#
# Measure the same test images under a Glow, a PixelCNN and a diffusion model, all of the same size and grey levels, and by the size of a PNG file. Each
# image is an independent unit of its set's mean. What the paper says is about orders: do two measures put the images of one set in the same order?
# A set gives one rank correlation, so sets are the units of that claim.

# %%
import itertools
import math

import torch

import simplebits as sb

# %% tags=["parameters"]
image_sets = {
    "digits": "mnist",
    "clothes": "fashion-mnist",
    "objects": "cifar10",
}  # what it shows, to a name for sb.data.load
densities = {
    "glow": "glow-16px",
    "pixelcnn": "pixelcnn-16px",
    "diffusion": "diffusion-16px",
}  # the paper's model, to a name for sb.density.load
noise_draws = {"glow": 10, "pixelcnn": 1, "diffusion": 2}  # of a measurement; the third averages over 16 levels itself
images = 1000  # test images of each set
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## Measure

# %%
measures = {kind: sb.density.load(name, device or "cpu") for kind, name in densities.items()}
first = measures["glow"]
size, draw = first.image_size, torch.Generator().manual_seed(0)


def prepared(name):
    """Test images at the models' size and on their grey levels."""
    test = sb.data.load(name, "test")
    return sb.density.quantise(test.draw(min(images, len(test))).to_float(size, 3), first.bit_depth)


def by_image(kind, x):
    """Bits per dimension of each image, mean over draws of the noise."""
    draws = [sb.density.bits_of(measures[kind], x.to(device or "cpu"), seed) for seed in range(noise_draws[kind])]
    return [round(value, 4) for value in torch.stack(draws).mean(0).tolist()]


sets = {role: prepared(name) for role, name in image_sets.items()}
few = len(sets["objects"])
sets["noise"] = torch.randint(2**first.bit_depth, (few, 3, size, size), generator=draw) / (2**first.bit_depth - 1)
sets["black"] = torch.zeros(10, 3, size, size)  # ten draws of the noise for one image
bits = {}
for kind, (role, x) in itertools.product(measures, sets.items()):
    bits[kind, role] = sb.report.once(f"{kind} {role}", lambda kind=kind, x=x: by_image(kind, x))
    sb.report.fingerprint(f"{role} under {kind}", torch.tensor(bits[kind, role]))
    units = {f"image {k}": value for k, value in enumerate(bits[kind, role])}
    sb.report.beside(f"bits of {role} under {kind}", units, "bits/dim")

# %% [markdown]
# ## Black
#
# Of the three numbers that the paper prints for an image which everyone has.

# %%
black = {}
for kind in ("pixelcnn", "diffusion"):
    black[kind] = {f"draw {k}": value for k, value in enumerate(bits[kind, "black"])}
    sb.report.judge(f"simplebits.bits.{kind}.black", black[kind])

# %% [markdown]
# ## The same order within a set

# %%
sizes = {role: sb.density.png_bits_per_dim(sets[role]).tolist() for role in image_sets}
bits |= {("png", role): found for role, found in sizes.items()}
correlations = {}
for a, b in itertools.combinations((*measures, "png"), 2):
    by_set = {role: sb.report.rank_correlation(bits[a, role], bits[b, role]) for role in image_sets}
    correlations[a, b] = {image_sets[role]: found.rho for role, found in by_set.items()}
    for role, found in by_set.items():
        sb.report.beside(
            f"rank correlation of {a} and {b}, {image_sets[role]}", {"all": found.rho}, "ρ", pairs=found.pairs
        )
groups = {kind: correlations["glow", kind] for kind in ("pixelcnn", "diffusion")}
sb.report.judge_claim("simplebits.bits.agreement", groups, "ρ")

# %% [markdown]
# ## The same order of sets
#
# From black to noise, each step with the least that it rises by in 95 of 100 samples: a step at or below zero breaks the order.

# %%
rising = ["black", "digits", "clothes", "objects", "noise"]
for kind in measures:
    steps = {}
    for lower, upper in itertools.pairwise(rising):
        less, more = (torch.tensor(bits[kind, role], dtype=torch.float64) for role in (lower, upper))
        error = math.sqrt(float(less.var()) / len(less) + float(more.var()) / len(more))
        steps[f"{lower} to {upper}"] = float(more.mean() - less.mean()) - 1.96 * error
    sb.report.beside(f"least rise under {kind}", steps, "bits/dim")

# %%
sb.report.table_beside({f"simplebits.bits.{kind}.black": values for kind, values in black.items()})

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Bits of images, from black to noise
#
# Measure the bits per dimension of test images of several sets, of a black image and of uniform noise, all under one
# Glow. Each image is an independent unit; its bits are averaged over draws of the de-quantisation noise. Of the black
# image, which is one image, the draws are the units.

# %%
import simplebits as sb

# %% tags=["parameters"]
image_sets = {
    "digits": "mnist",
    "clothes": "fashion-mnist",
    "objects": "cifar10",
}  # what it shows, to a name for sb.data.load
density = "glow"  # measures bits: a name for sb.density.load; the paper's own Glow is not public
images = 300  # test images of each set
noise_draws = 10  # draws of the de-quantisation noise that an image's bits are the mean of
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## Measure

# %%
import torch
from scipy.stats import spearmanr

measure = sb.density.load(density, device or "cpu")
size, draw = measure.image_size, torch.Generator().manual_seed(0)


def bits(x):
    """Bits per dimension of each image, mean over draws of the noise."""
    return torch.stack([sb.density.bits_of(measure, x, seed) for seed in range(noise_draws)]).mean(0)


def by_image(x):
    """Bits and PNG size, image by image, of images on the density's grey levels."""
    x = sb.density.quantise(x, measure.bit_depth)
    return {"bits": bits(x).tolist(), "png": sb.density.png_bits_per_dim(x).tolist()}


# %%
black = torch.zeros(1, 3, size, size)
by_image_of = {"black": {f"draw {k}": sb.density.mean_bits(measure, black, k) for k in range(max(noise_draws, 2))}}
sb.report.judge("simplebits.bits.glow.black", by_image_of["black"])

# %%
agreement = {}
for role, name in image_sets.items():
    test = sb.data.load(name, "test")
    x = test.draw(min(images, len(test))).to_float(size, 3)
    measured = sb.report.once(f"{role} {name}", lambda x=x: by_image(x))
    sb.report.fingerprint(f"bits of {name}", torch.tensor(measured["bits"]))
    by_image_of[role] = {f"image {k}": value for k, value in enumerate(measured["bits"])}
    agreement[name] = float(spearmanr(measured["bits"], measured["png"]).statistic)
    sb.report.beside(f"bits of {name}", by_image_of[role], "bits/dim")
noise = by_image(torch.rand(len(x), 3, size, size, generator=draw))["bits"]
by_image_of["noise"] = {f"image {k}": value for k, value in enumerate(noise)}
sb.report.beside("rank correlation of bits and PNG size within a set", agreement, "ρ")

# %% [markdown]
# ## Judge the order
#
# The paper shows nine images, from black to a busy photograph, and says that fewer bits go with simpler images. Which
# images they are it does not say, so the order is tested on whole sets.

# %%
sb.report.judge_claim("simplebits.bits.order", by_image_of, "bits/dim")

# %%
sb.report.table_beside({"simplebits.bits.glow.black": by_image_of["black"]})

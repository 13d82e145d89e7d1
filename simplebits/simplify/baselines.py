"""What SimpleBits is compared with: blur, JPEG, and a simplifier that stays close in pixels (SimpleBits, figure S4).

Measure the bits of images that were changed once. The reference code changes them a second time before it measures:
its bits belong to other images than its accuracies.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from simplebits._door import door
from simplebits._precision import choose_bf16
from simplebits._training import Training, set_rates
from simplebits._training_state import TrainingState, step_generator
from simplebits.data import to_bytes
from simplebits.density import DensityModel
from simplebits.domains import Count, Images, Momentum, NonNegative, Number, Positive, Seed, Share, UnitInterval
from simplebits.simplify.arguments import FilledSet, Trainable, one_device, outputs_of, same_shape
from simplebits.simplify.noise import uniform_like

# The grids of the reference code: standard deviations in pixels of a 15x15 kernel (on MNIST it goes on to 4.0), and
# Pillow's quality numbers.
BLUR_SIGMAS = tuple(round(0.1 * k, 1) for k in range(2, 23))
JPEG_QUALITIES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 30, 40, 60, 80, 100)


@door
def blur(x: Images, sigma: Positive, kernel: Count = 15) -> Float[Tensor, "n c h w"]:
    """Blur images with a Gaussian; borders are reflected.

    Args:
        x: images in [0, 1], larger than half the kernel.
        sigma: standard deviation in pixels, above 0.
        kernel: its height and width, odd; the paper's 15.

    Raises:
        TypeError: x is not a tensor.
        ValueError: x wrong as an image batch, sigma not above 0, an even kernel, or one that the image is too small
            for.

    >>> float(blur(torch.ones(1, 1, 16, 16), 1.5).mean().round(decimals=4))
    1.0
    """
    if kernel % 2 == 0 or kernel // 2 >= min(x.shape[2:]):
        raise ValueError(f"kernel={kernel}: give an odd number below {2 * min(x.shape[2:])} for these images")
    return gaussian_blur(x, [kernel, kernel], [sigma, sigma]).clamp(0, 1)


@door
def jpeg(x: Images, quality: Annotated[int, Number(0, 100, integer=True)]) -> Float[Tensor, "n c h w"]:
    """Compress images as JPEG files and read them back (Pillow, its default chroma subsampling).

    Args:
        x: images in [0, 1] with one or three channels; rounded to 8 bits first.
        quality: Pillow's number, 0 (smallest) to 100.

    Raises:
        TypeError: x is not a tensor.
        ValueError: x wrong as an image batch, or a quality that is no whole number of 0 to 100.

    >>> x = torch.rand(1, 3, 8, 8)
    >>> bool((jpeg(x, 100) - x).abs().mean() < (jpeg(x, 1) - x).abs().mean())
    True
    """
    if x.shape[1] not in (1, 3):
        raise ValueError(f"x: a JPEG has 1 or 3 channels here, got {x.shape[1]}")
    decoded = []
    for picture in to_bytes(x.detach(), clip=True).permute(0, 2, 3, 1).cpu().numpy():
        file = io.BytesIO()
        Image.fromarray(picture.squeeze(2) if picture.shape[2] == 1 else picture).save(file, "JPEG", quality=quality)
        pixels = np.array(Image.open(file))
        decoded.append(torch.from_numpy(pixels.reshape(picture.shape)))
    return (torch.stack(decoded).permute(0, 3, 1, 2).to(x.device).to(x.dtype) / 255).contiguous()


@dataclass
class _History:
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


@door
def fit_mse_simplifier(
    simplifier: Trainable,
    density: DensityModel,
    images: FilledSet,
    *,
    steps: Count,
    bit_weight: NonNegative = 1.0,
    mse_weight: Positive = 10.0,
    batch_size: Count = 32,
    learning_rate: Positive = 5e-4,
    betas: tuple[Momentum, Momentum] = (0.5, 0.99),
    weight_decay: NonNegative = 5e-5,
    cool_down: Share = 0.0,
    clip: Positive | None = None,
    bf16: bool | None = None,
    seed: Seed = 0,
    checkpoint: str | Path | None = None,
    checkpoint_every: Count = 500,
    progress: bool | None = None,
) -> list[float]:
    """Train a simplifier that knows no task: it lowers (10 MSE + lambda bits)/(10 + lambda), in place.

    Uniform noise of one grey level (1/255) is added to its output, as in the reference code, whose baseline "L2" trains
    for 50 epochs and takes lambda from 0 to 2.

    Args:
        simplifier: images to images in [0, 1].
        density: measures bits.
        images: the training set, brought to the density's size and channels.
        steps: number of updates.
        bit_weight: lambda.
        mse_weight: of the mean squared error to the original image, per value.
        batch_size: images a step.
        learning_rate: of Adam.
        betas: of Adam.
        weight_decay: coupled L2 penalty.
        cool_down: share of all steps, the last ones, in which the learning rate falls to zero; 0 as published.
        clip: largest gradient norm; None: as it is.
        bf16: bfloat16 autocast; None: where the device is faster in it.
        seed: of batches and noise.
        checkpoint: file to write and to resume from.
        checkpoint_every: steps between two checkpoints.
        progress: show a bar; None: on a terminal only.

    Returns:
        The loss of every step.

    Raises:
        TypeError: the simplifier is no module, density no density model, or images no ImageSet.
        ValueError: an argument out of range, an empty set, a simplifier without parameters or one that does not take
            the density's images or leaves [0, 1], or another training's checkpoint.
        FloatingPointError: the loss is not finite.

    >>> from simplebits import data, density, networks
    >>> simplifier = networks.ResidualUNet(filters=4, downsamplings=2, merge=1.0)
    >>> images = data.load("digits", "train").draw(40)
    >>> len(fit_mse_simplifier(simplifier, density.load("glow-16px"), images, steps=2, progress=False))
    2
    """
    device = one_device(simplifier=simplifier, density=density)
    bf16 = choose_bf16(bf16, device)
    optimiser = torch.optim.Adam(simplifier.parameters(), lr=learning_rate, betas=betas, weight_decay=weight_decay)
    settings = {
        "set": images.name, "images": len(images), "batch_size": batch_size, "bit_weight": bit_weight,
        "mse_weight": mse_weight, "learning_rate": learning_rate, "betas": betas, "weight_decay": weight_decay,
        "clip": clip, "bf16": bf16, "seed": seed, "cool_down": cool_down,
    }  # fmt: skip
    if cool_down:
        settings["steps"] = steps  # where the cooling begins depends on it
    history = _History()
    training = Training(
        steps, f"squared error, λ = {bit_weight:g}",
        state=TrainingState({"simplifier": simplifier}, {"simplifier": optimiser}, settings), history=history,
        checkpoint=checkpoint, checkpoint_every=checkpoint_every, remedy="lower the learning rate, or set clip",
        progress=progress,
    )  # fmt: skip
    parameters = list(simplifier.parameters())
    simplifier.train()
    for step in training:
        set_rates(optimiser, [learning_rate], training.cooling(cool_down))
        generator = step_generator(seed, step)
        batch = images.subset(torch.randint(len(images), (batch_size,), generator=generator))
        x = batch.to_float(density.image_size, density.channels, device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            simple = outputs_of("simplifier", simplifier, x).to(x.dtype)
            same_shape(simple, x)
            bits = density(UnitInterval()("simplifier", simple), generator).mean()
        noise = uniform_like(x, generator) / 255
        loss = (mse_weight * (simple + noise - x).square().mean() + bit_weight * bits) / (mse_weight + bit_weight)
        training.proceed(loss)
        # Differentiate in the simplifier's parameters only: the density's need no gradient.
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
            p.grad = g
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimiser.step()
        history.losses.append(float(loss.detach()))
    simplifier.eval()
    return history.losses

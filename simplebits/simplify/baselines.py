"""What SimpleBits is compared with: blur, JPEG, and a simplifier that stays close in pixels (SimpleBits, figure S4).

Measure the bits of images that were changed once. The reference code changes them a second time before it measures:
its bits belong to other images than its accuracies.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from simplebits import _check, _progress
from simplebits._precision import choose_bf16
from simplebits._training_state import TrainingState, step_generator
from simplebits.data import ImageSet, to_bytes
from simplebits.density import DensityModel
from simplebits.simplify.arguments import check_betas, check_network, check_set, check_trainable
from simplebits.simplify.noise import uniform_like

# The grids of the reference code: standard deviations in pixels of a 15x15 kernel (on MNIST it goes on to 4.0), and
# Pillow's quality numbers.
BLUR_SIGMAS = tuple(round(0.1 * k, 1) for k in range(2, 23))
JPEG_QUALITIES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 30, 40, 60, 80, 100)


def blur(x: Float[Tensor, "n c h w"], sigma: float, kernel: int = 15) -> Float[Tensor, "n c h w"]:
    """Gaussian blur with reflected borders.

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
    _check.image_batch("x", x)
    _check.positive("sigma", sigma)
    _check.positive("kernel", kernel, integer=True)
    if kernel % 2 == 0 or kernel // 2 >= min(x.shape[2:]):
        raise ValueError(f"kernel={kernel}: give an odd number below {2 * min(x.shape[2:])} for these images")
    return gaussian_blur(x, [kernel, kernel], [float(sigma)] * 2).clamp(0, 1)


def jpeg(x: Float[Tensor, "n c h w"], quality: int) -> Float[Tensor, "n c h w"]:
    """Images as a JPEG file gives them back (Pillow, its default chroma subsampling).

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
    _check.image_batch("x", x)
    if x.shape[1] not in (1, 3):
        raise ValueError(f"x: a JPEG has 1 or 3 channels here, got {x.shape[1]}")
    _check.positive("quality", quality, allow_zero=True, integer=True)
    if quality > 100:
        raise ValueError(f"quality={quality}: give 0 to 100")
    decoded = []
    for picture in to_bytes(x.detach()).permute(0, 2, 3, 1).cpu().numpy():
        file = io.BytesIO()
        Image.fromarray(picture.squeeze(2) if picture.shape[2] == 1 else picture).save(file, "JPEG", quality=quality)
        pixels = np.array(Image.open(file))
        decoded.append(torch.from_numpy(pixels.reshape(picture.shape)))
    return (torch.stack(decoded).permute(0, 3, 1, 2).to(x.device).to(x.dtype) / 255).contiguous()


def fit_mse_simplifier(
    simplifier: nn.Module,
    density: DensityModel,
    images: ImageSet,
    *,
    steps: int,
    bit_weight: float = 1.0,
    mse_weight: float = 10.0,
    batch_size: int = 32,
    learning_rate: float = 5e-4,
    betas: tuple[float, float] = (0.5, 0.99),
    weight_decay: float = 5e-5,
    cool_down: float = 0.0,
    clip: float | None = None,
    bf16: bool | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
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
        ValueError: an argument out of range, an empty set, a simplifier without parameters, or another training's
            checkpoint.
        FloatingPointError: the loss is not finite.

    >>> from simplebits import data, density, networks
    >>> simplifier = networks.ResidualUNet(filters=4, downsamplings=2, merge=1.0)
    >>> images = data.load("digits", "train").draw(40)
    >>> len(fit_mse_simplifier(simplifier, density.load("glow-16px"), images, steps=2, progress=False))
    2
    """
    check_network("simplifier", simplifier)
    check_trainable("simplifier", simplifier)
    check_betas("betas", betas)
    _check.density_model("density", density)
    check_set("images", images)
    for name, value in {"steps": steps, "batch_size": batch_size, "checkpoint_every": checkpoint_every}.items():
        _check.positive(name, value, integer=True)
    _check.positive("bit_weight", bit_weight, allow_zero=True)
    _check.positive("mse_weight", mse_weight)
    _check.positive("learning_rate", learning_rate)
    if clip is not None:
        _check.positive("clip", clip)
    _check.seed("seed", seed)
    _check.share("cool_down", cool_down)
    device = next(simplifier.parameters()).device
    bf16 = choose_bf16(bf16, device)
    optimiser = torch.optim.Adam(simplifier.parameters(), lr=learning_rate, betas=betas, weight_decay=weight_decay)
    losses: list[float] = []
    parameters = list(simplifier.parameters())
    settings = {
        "set": images.name, "images": len(images), "batch_size": batch_size, "bit_weight": bit_weight,
        "mse_weight": mse_weight, "learning_rate": learning_rate, "betas": betas, "weight_decay": weight_decay,
        "clip": clip, "bf16": bf16, "seed": seed, "cool_down": cool_down,
    }  # fmt: skip
    if cool_down:
        settings["steps"] = steps  # where the cooling begins depends on it
    state = TrainingState({"simplifier": simplifier}, {"simplifier": optimiser}, settings)
    if checkpoint is not None and Path(checkpoint).is_file():
        losses = state.load(Path(checkpoint))[0]["losses"]
    simplifier.train()
    bar = _progress.bar(steps, len(losses), f"squared error, λ = {bit_weight:g}", progress)
    for step in range(len(losses), steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * min(1.0, (steps - step) / max(cool_down * steps, 1))
        generator = step_generator(seed, step)
        batch = images.subset(torch.randint(len(images), (batch_size,), generator=generator))
        x = batch.to_float(density.image_size, density.channels, device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            simple = simplifier(x).to(x.dtype)
            bits = density.bits_per_dim(simple, generator).mean()
        noise = uniform_like(x, generator) / 255
        loss = (mse_weight * (simple + noise - x).square().mean() + bit_weight * bits) / (mse_weight + bit_weight)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}; lower the learning rate, or set clip")
        # Of these parameters only: the density's get no gradient.
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
            p.grad = g
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(simplifier.parameters(), clip)
        optimiser.step()
        losses.append(float(loss.detach()))
        bar.update()
        if checkpoint is not None and (step + 1 == steps or (step + 1) % checkpoint_every == 0):
            state.save(Path(checkpoint), {"losses": losses})
    bar.close()
    simplifier.eval()
    return losses

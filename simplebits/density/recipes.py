"""How the shipped weights were made: general images, a recipe each, one function that makes any of them again."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch

from simplebits import data
from simplebits._door import door
from simplebits._training_state import globally_seeded
from simplebits.data import ImageSet, to_bytes, to_float
from simplebits.density import weights
from simplebits.density.base import DensityModel
from simplebits.density.diffusion import Diffusion
from simplebits.density.fit import FitHistory, fit
from simplebits.density.glow import Glow
from simplebits.density.measure import mean_bits
from simplebits.density.pixelcnn import PixelCNN
from simplebits.domains import Count, Device, Known, Number, Seed

# The last images of CIFAR-10's training set, for choosing settings; no test image is ever used for that.
HELD_OUT = 1000


@dataclass(frozen=True)
class Recipe:
    """Architecture, mix and fit of one shipped model.

    Attributes:
        model: its class.
        options: keyword arguments of the class.
        fit: keyword arguments of `fit`.
        simple: share of simple images in the mix, 0 to 1.
    """

    model: type[DensityModel]
    options: dict[str, Any]
    fit: dict[str, Any]
    simple: float = 0.3


RECIPES = {
    "glow": Recipe(
        Glow,
        {"levels": 3, "steps": 8, "hidden": 128, "image_size": 32, "bit_depth": 8, "scale_floor": 0.1},
        fit={"steps": 11_000, "batch_size": 32, "learning_rate": 1e-3},
    ),
    "glow-5bit": Recipe(
        Glow,
        {"levels": 3, "steps": 4, "hidden": 64, "image_size": 32, "bit_depth": 5, "scale_floor": 0.1},
        fit={"steps": 6_000, "batch_size": 32, "learning_rate": 2e-3},
    ),
    "glow-16px": Recipe(
        Glow,
        {"levels": 2, "steps": 4, "hidden": 64, "image_size": 16, "bit_depth": 5, "scale_floor": 0.1},
        fit={"steps": 6_000, "batch_size": 32, "learning_rate": 2e-3},
    ),
    "pixelcnn-16px": Recipe(
        PixelCNN,
        {"width": 48, "blocks": 7, "mixture": 5, "image_size": 16, "bit_depth": 5},
        fit={"steps": 5_000, "batch_size": 16, "learning_rate": 1.5e-3},
    ),
    "diffusion-16px": Recipe(
        Diffusion,
        {"width": 32, "times": 16, "image_size": 16, "bit_depth": 5},
        fit={"steps": 5_000, "batch_size": 32, "learning_rate": 2e-3, "average": 0.999},
    ),
}


@door
def general_images(simple: Annotated[float, Number(0, 0.9)] = 0.3, seed: Seed = 0) -> tuple[ImageSet, ImageSet]:
    """Gather images that stand for images in general: CIFAR-10 training images, and simple ones beside them.

    The simple ones are drawn (flat colours, gradients, shapes, strokes) and crops of the bundled photographs, in colour
    and grey. No MNIST and no Fashion-MNIST: these stay unseen.

    Args:
        simple: share of simple images, 0 (CIFAR-10 alone) to 0.9.
        seed: of the drawn ones.

    Returns:
        Training images, and the last 1,000 CIFAR-10 training images, held out. The label is the source.

    Raises:
        ValueError: `simple` out of range.
        FileNotFoundError: CIFAR-10 is not there and cannot be fetched.
    """
    cifar = data.load("cifar10", "train").images
    parts, sources = [cifar[:-HELD_OUT]], ("cifar10", "photos", "synthetic")
    if simple:
        wanted = int(len(parts[0]) * simple / (1 - simple))
        crops = data.load("photos", "train").images
        grey = to_bytes(to_float(crops, channels=1)).expand(-1, 3, -1, -1)
        photos = torch.cat((crops, grey))[:wanted]
        kinds = ("flat", "gradient", "shapes", "strokes", "shapes", "strokes")
        drawn = data.synthetic(max(wanted - len(photos), 1), seed=seed, kinds=kinds).images
        parts += [photos, drawn]
    labels = torch.cat([torch.full((len(part),), source) for source, part in enumerate(parts)])
    train = ImageSet(torch.cat(parts), labels, sources, f"general-images/{simple}")
    held_out = ImageSet(cifar[-HELD_OUT:], torch.zeros(HELD_OUT, dtype=torch.int64), sources, "cifar10/held-out")
    return train, held_out


@door
@torch.no_grad()
def test_bits(model: DensityModel, n: Count = 1000, seed: Seed = 0) -> dict[str, float]:
    """Measure the mean bits/dim of n test images of each set that is at hand, and of black images and uniform noise.

    Args:
        model: what measures; images are brought to its size and rounded to its bit depth.
        n: images a set, fewer where a set is smaller.
        seed: of the noise.
    """
    shape = (n, model.channels, model.image_size, model.image_size)
    sets = {"black": torch.zeros(shape), "noise": torch.rand(shape, generator=torch.Generator().manual_seed(seed))}
    for name in ("digits", "photos", "mnist", "fashion-mnist", "cifar10"):
        try:
            images = data.load(name, "test")
        except FileNotFoundError:
            continue
        sets[name] = images.draw(min(n, len(images)), seed).to_float(model.image_size, model.channels)
    return {name: mean_bits(model, images, seed) for name, images in sets.items()}


@door
def make(
    name: Annotated[str, Known(lambda: RECIPES)],
    checkpoint: str | Path | None = None,
    device: Device = "cpu",
    progress: bool | None = None,
    **changes: Any,
) -> tuple[DensityModel, FitHistory]:
    """Fit one of the shipped models from scratch (or on from a checkpoint).

    Args:
        name: one of `RECIPES`.
        checkpoint: file to write and to resume from.
        device: where to fit; None: a GPU where there is one.
        progress: show a bar.
        changes: settings of `fit` to take instead of the recipe's.

    Returns:
        The model and what its fit went through.

    Raises:
        ValueError: unknown name or device.
        TypeError: a setting that `fit` does not have.
        FileNotFoundError: CIFAR-10 is not there and cannot be fetched.
    """
    recipe = RECIPES[name]
    train, held_out = general_images(recipe.simple)
    settings = recipe.fit | changes
    # Drawn on the CPU whatever the device, so that every machine starts from the same weights.
    with globally_seeded(settings.get("seed", 0), torch.device("cpu")):
        model = recipe.model(**recipe.options).to(device)
    history = fit(model, train, validation=held_out, checkpoint=checkpoint, progress=progress, **settings)
    return model, history


@door
def ship(
    name: Annotated[str, Known(lambda: RECIPES)],
    folder: str | Path = weights.FOLDER,
    checkpoint: str | Path | None = None,
    device: Device = "cpu",
    progress: bool | None = None,
    steps: Count | None = None,
) -> Path:
    """Make shipped weights again: fit, measure on test images, write weights and card. For the rest see `make`.

    Returns:
        The path of the weights; the card lies beside it.
    """
    changes = {} if steps is None else {"steps": steps}
    model, history = make(name, checkpoint, device, progress, **changes)
    # What is measured is what is shipped: the weights after rounding to half precision.
    model.eval()
    model.load_state_dict({key: value.half().to(value.dtype) for key, value in model.state_dict().items()})
    place = torch.device(device or "cpu")
    options = [f"--steps {steps}"] * (steps is not None) + [f"--device {place}"] * (place.type != "cpu")
    about = {
        "data": f"CIFAR-10 training images but the last {HELD_OUT}, mixed with {RECIPES[name].simple:.0%} simple ones "
        "(drawn shapes, strokes, gradients and flat colours; crops of bundled photographs)",
        "fit": RECIPES[name].fit | changes,
        "seed": 0,
        "steps": len(history.losses),
        "skipped_steps": history.skipped,
        "seconds": round(history.seconds),
        "device": torch.cuda.get_device_name(place) if place.type == "cuda" else f"CPU ({platform.machine()})",
        "torch": torch.__version__,
        "held_out_bits_per_dim": {str(step): round(bits, 4) for step, bits in history.validation},
        "test_bits_per_dim": {key: round(value, 4) for key, value in test_bits(model).items()},
        "command": " ".join(["simplebits fit-density", name, *options]),
    }
    return weights.save(model, name, folder, about)

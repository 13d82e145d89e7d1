"""The small reader of handwritten digits that the live page runs in a browser: its recipe, its weights, its card."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from simplebits import _files, data
from simplebits._door import door
from simplebits.domains import Count, Images, Seed
from simplebits.networks.build import build
from simplebits.networks.classify import accuracy, classifier_optimiser, fit_classifier
from simplebits.networks.mlp import MLP

FOLDER = Path(__file__).parent / "weights"
NAME = "digits-8px"
SIZE = 8
WIDTH = 128
AGAIN = "simplebits live --fit"


@door
def read_size(x: Images) -> Float[Tensor, "n c 8 8"]:
    """Average images over squares until 8x8 pixels are left, as the reader takes them.

    Args:
        x: images in [0, 1] of 8, 16 or 32 pixels a side.

    Raises:
        ValueError: a side that is no multiple of 8.

    >>> read_size(torch.ones(2, 1, 16, 16)).shape
    torch.Size([2, 1, 8, 8])
    """
    if x.shape[2] % SIZE or x.shape[3] % SIZE:
        raise ValueError(f"x: {x.shape[2]}x{x.shape[3]} pixels; give a multiple of {SIZE}, such as to_float(size=16)")
    return F.avg_pool2d(x, (x.shape[2] // SIZE, x.shape[3] // SIZE))


@door
def distort(x: Images, generator: torch.Generator | None = None) -> Float[Tensor, "n c h w"]:
    """Change digits as hands do: thicker or thinner strokes, and turned, scaled, slanted and moved as a whole.

    Each image gets its own draw: turned by up to 14 degrees, scaled to 0.65 to 1.1 in width and in height, slanted by
    up to 0.25, moved by up to a sixteenth of its side and by what a smaller digit leaves free, its strokes up to a
    pixel wider or narrower. Black moves in.

    Args:
        x: images in [0, 1], light on black.
        generator: makes the draws; None: torch's global generator does.

    >>> distort(torch.rand(2, 1, 32, 32), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 1, 32, 32])
    """
    n = len(x)

    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    thicker, thinner = F.max_pool2d(x, 3, 1, 1), -F.max_pool2d(-x, 3, 1, 1)
    t = between(-0.7, 1.0)[:, None, None, None]
    x = x + t.clamp(min=0) * (thicker - x) + (-t).clamp(min=0) * (thinner - x)
    angle, slant = between(-0.25, 0.25), between(-0.25, 0.25)
    across, down = between(0.65, 1.1), between(0.65, 1.1)
    room_x, room_y = 0.125 + (1 - across).clamp(min=0), 0.125 + (1 - down).clamp(min=0)  # the side is 2 long
    # From a place in the new image to the place in the old one: turn, slant, enlarge, move.
    cos, sin = angle.cos(), angle.sin()
    rows = torch.stack((cos / across, (slant - sin) / across, between(-1, 1) * room_x / across), 1)
    columns = torch.stack((sin / down, cos / down, between(-1, 1) * room_y / down), 1)
    grid = F.affine_grid(torch.stack((rows, columns), 1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False).clamp(0, 1)


@door
def fit_digit_reader(steps: Count = 12_000, seed: Seed = 0, progress: bool | None = None) -> MLP:
    """Train the reader on the embedded digits, distorted anew in every batch.

    Args:
        steps: updates, of 128 digits each.
        seed: of the weights, batches and distortions.
        progress: show a bar; None: on a terminal only.

    >>> fit_digit_reader(steps=1, progress=False).linear
    Linear(in_features=128, out_features=10, bias=True)
    """
    generator = torch.Generator().manual_seed(seed)
    reader = cast("MLP", build("MLP", channels=1, size=SIZE, width=WIDTH, seed=seed))
    fit_classifier(
        reader,
        data.load("digits", "train"),
        steps=steps,
        batch_size=128,
        optimiser=classifier_optimiser(reader, learning_rate=2e-3, weight_decay=1e-3),
        schedule=lambda step: 1 - step / steps,
        transform=lambda x: read_size(distort(x, generator)),
        seed=seed,
        progress=progress,
    )
    return reader


@door
def ship(folder: str | Path = FOLDER, steps: Count = 12_000, seed: Seed = 0, progress: bool | None = None) -> Path:
    """Make the shipped weights again: train, round to half precision, measure, write weights and card.

    Returns:
        The path of the weights; the card lies beside it.
    """
    began = time.monotonic()
    reader = fit_digit_reader(steps, seed, progress)
    seconds = time.monotonic() - began
    halves = {key: value.half() for key, value in reader.state_dict().items()}
    reader.load_state_dict({key: value.float() for key, value in halves.items()})
    path = Path(folder) / f"{NAME}.safetensors"
    _files.write_tensors(path, halves, {"name": NAME})
    train, test = data.load("digits", "train"), data.load("digits", "test")
    distorted = distort(test.to_float(), torch.Generator().manual_seed(seed))
    about = {
        "name": NAME,
        "data": f"{len(train)} embedded digits (scikit-learn), distorted: turned, scaled, slanted, moved, strokes "
        "thicker and thinner",
        "network": {"name": "MLP", "channels": 1, "size": SIZE, "width": WIDTH},
        "steps": steps,
        "seed": seed,
        "seconds": round(seconds),
        "device": f"CPU ({platform.machine()})",
        "mean_pixel": round(float(read_size(train.to_float(size=16)).mean()), 4),
        "test_images": len(test),
        "test_accuracy": round(accuracy(reader, read_size(test.to_float(size=16)), test.labels), 4),
        "test_accuracy_distorted": round(accuracy(reader, read_size(distorted), test.labels), 4),
        "torch": torch.__version__,
        "command": AGAIN,
        "sha256": _files.sha256(path),
    }
    _files.write_json(path.with_suffix(".json"), about)
    return path


@door
def digit_reader_card(folder: str | Path = FOLDER) -> dict[str, Any]:
    """Read the card of the reader: data, network, steps, test accuracy (0 to 1), the mean pixel, command.

    Raises:
        FileNotFoundError: there is no card.
        ValueError: it is damaged.
    """
    return _files.read_json(Path(folder) / f"{NAME}.json")


@door
def load_digit_reader(folder: str | Path = FOLDER) -> MLP:
    """Load the reader of 8x8 digits that the live page runs, in single precision, in evaluation mode, frozen.

    Raises:
        FileNotFoundError: weights or card are not in the folder.
        ValueError: a damaged file.

    >>> digits = data.load("digits", "test")
    >>> accuracy(load_digit_reader(), read_size(digits.to_float(size=16)), digits.labels) > 0.9
    True
    """
    path = Path(folder) / f"{NAME}.safetensors"
    described = digit_reader_card(folder)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; make it with: {AGAIN}")
    if _files.sha256(path) != described["sha256"]:
        raise ValueError(
            f"{path} is damaged: its SHA-256 is not the one on its card. Fetch it again, or make it: {AGAIN}"
        )
    tensors, _ = _files.read_tensors(path)
    reader = cast("MLP", build(**described["network"]))
    reader.load_state_dict({key: tensor.float() for key, tensor in tensors.items()})
    return reader.requires_grad_(False).eval()

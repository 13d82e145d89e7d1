"""What the page "Try it" computes with: shipped models, digits and condensed images, as one script for a browser."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from simplebits import _files, condense, data, density, networks
from simplebits.data import to_bytes
from simplebits.networks import digit_reader

DENSITY, SIZE = "glow-16px", 16  # the smallest Glow; pixels a side of its images, and of a drawing
FOLDER = Path("book") / "static" / "live"
WHOLE = Path("_build") / "live.html"
EXAMPLES = 2  # of each digit
MARGIN = 4  # pixels around MNIST's digits; the embedded digits have none


_PART = re.compile(r'<(?:script src|link rel="stylesheet" href)="../_static/live/([\w.]+)">(?:</script>)?')


def write(root: Path) -> Path:
    """Write the script `weights.js`; returns its path. The same weights give the same script.

    Args:
        root: a checkout, or a staged book; its folder `book/static/live` holds the other scripts.

    Raises:
        OSError: it could not be written.
    """
    from safetensors.torch import save

    path = root / FOLDER / "weights.js"
    encoded = base64.b64encode(save({name: value.contiguous() for name, value in tensors().items()})).decode()
    _files.write_text(
        path, f'// Made by: simplebits live\nLive.about = {json.dumps(about(), indent=1)};\nLive.data = "{encoded}";\n'
    )
    return path


def whole(root: Path) -> Path:
    """Write the page with everything in one file, to open from a disk or send to a phone; returns its path.

    Args:
        root: a checkout in which `write` has been called.
    """

    def inside(part: re.Match[str]) -> str:
        text, tag = (root / FOLDER / part[1]).read_text(encoding="utf-8"), "style" if "link" in part[0] else "script"
        return f"<{tag}>\n{text}</{tag}>"

    head = '<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>Try it: how little is enough?</title>'
    head += '<meta name="viewport" content="width=device-width"><body style="font-family: sans-serif">'
    fragment = (root / FOLDER / "page.html").read_text(encoding="utf-8")
    _files.write_text(root / WHOLE, f"{head}\n{_PART.sub(inside, fragment)}</body></html>\n")
    return root / WHOLE


def tensors() -> dict[str, Tensor]:
    """All tensors by name: weights in half precision as they ship, images as bytes, noise in single precision.

    `noise` is that of `sb.density.bits_of` for one image, so that the page shows the bits that the library measures.
    """
    glow, reader = density.load(DENSITY), networks.load_digit_reader()
    weights = {f"glow.{name}": value for name, value in glow.state_dict().items()}
    weights |= {f"reader.{name}": value for name, value in reader.state_dict().items()}
    noise = torch.rand((1, glow.channels, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
    images, labels = examples()
    return {name: value.half() for name, value in weights.items()} | {
        "noise": noise[0],
        "examples": to_bytes(images),
        "labels": labels.to(torch.uint8),
        "condensed": to_bytes(condensed()),
    }


def examples() -> tuple[Tensor, Tensor]:
    """Take the first test images of each digit, as large as a drawing, and their labels: [20, 1, 16, 16] in [0, 1]."""
    digits = data.load("digits", "test")
    rows = torch.cat([(digits.labels == label).nonzero()[:EXAMPLES, 0] for label in range(10)])
    return digits.subset(rows).to_float(size=SIZE), digits.labels[rows]


def condensed() -> Tensor:
    """Take the condensed digits, one a class, without MNIST's margin and as large as a drawing: [10, 1, 16, 16]."""
    images = _condensed_set().images.float()[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return F.interpolate(images, SIZE, mode="area").clamp(0, 1)


def about() -> dict[str, Any]:
    """Gather what the page says of its parts: their cards; how often the nearest condensed image names a digit."""
    card, glow = networks.digit_reader_card(), density.load(DENSITY)
    return {
        "glow": glow.config,
        "reader": {key: card[key] for key in ("test_accuracy", "test_accuracy_distorted", "test_images", "mean_pixel")},
        "condensed": {
            "accuracy": round(_condensed_set().made["accuracy"]["mean"], 4),
            "nearest": round(nearest_accuracy(), 4),
        },
    }


@torch.no_grad()
def nearest_accuracy() -> float:
    """Share of test digits whose nearest condensed image is of their class: by the angle of the reader's features."""
    reader, digits = networks.load_digit_reader(), data.load("digits", "test")
    ours, theirs = (
        F.normalize(reader.embed(digit_reader.read_size(images))) for images in (digits.to_float(SIZE), condensed())
    )
    return float(((ours @ theirs.T).argmax(1) == digits.labels).float().mean())


def _condensed_set() -> condense.CondensedSet:
    return condense.load("mnist", method="gradient", images_per_class=1)

"""Drawn images that need few bits: flat colours, gradients, shapes and strokes; no class of a test set on purpose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, get_args

import numpy as np
import torch
from PIL import Image, ImageDraw

from simplebits._door import door
from simplebits.data.image_set import ImageSet
from simplebits.domains import Count, Filled, Seed

Kind = Literal["flat", "gradient", "shapes", "strokes"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_OVERSAMPLE = 4  # drawn four times larger and averaged down, so that edges are smooth


@door
def synthetic(
    n: Count,
    size: Count = 32,
    seed: Seed = 0,
    kinds: Annotated[Sequence[Kind], Filled()] = KINDS,
) -> ImageSet:
    """Draw n simple images, the kinds in turn; half of them grey; the label is the kind.

    Args:
        n: how many.
        size: height and width in pixels.
        seed: the same seed draws the same images.
        kinds: any of `flat` (one colour), `gradient` (linear or radial), `shapes` (filled ellipses, rectangles and
            polygons on a flat ground), `strokes` (lines and curves of one colour on a flat ground).

    Raises:
        ValueError: n or size below 1, no kind or an unknown one.

    >>> synthetic(8).images.shape
    torch.Size([8, 3, 32, 32])
    """
    rng = np.random.default_rng(seed)
    draw = {"flat": _flat, "gradient": _gradient, "shapes": _shapes, "strokes": _strokes}
    pictures = []
    for i in range(n):
        picture = draw[kinds[i % len(kinds)]](rng, size)
        if rng.random() < 0.5:
            picture = picture.mean(axis=2, keepdims=True).repeat(3, axis=2)
        pictures.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    images = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy())
    return ImageSet(images, torch.arange(n) % len(kinds), tuple(kinds), f"synthetic/{seed}")


def _colour(rng: np.random.Generator) -> np.ndarray:
    """Draw a random colour; black and white, the commonest grounds of real drawings, a quarter of the time each."""
    choice = rng.random()
    if choice < 0.5:
        return np.full(3, 0.0 if choice < 0.25 else 255.0)
    return rng.integers(0, 256, 3).astype(float)


def _flat(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.broadcast_to(_colour(rng), (size, size, 3))


def _gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    rows, columns = np.mgrid[0:size, 0:size] / max(size - 1, 1)
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * math.pi)
        position = (rows - 0.5) * math.sin(angle) + (columns - 0.5) * math.cos(angle)
    else:
        position = np.hypot(rows - rng.random(), columns - rng.random())
    position = (position - position.min()) / max(np.ptp(position), 1e-9)
    return _colour(rng) * (1 - position[..., None]) + _colour(rng) * position[..., None]


def _canvas(rng: np.random.Generator, size: int) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    side = size * _OVERSAMPLE
    ground = Image.new("RGB", (side, side), tuple(int(v) for v in _colour(rng)))
    return ground, ImageDraw.Draw(ground), side


def _finish(picture: Image.Image, size: int) -> np.ndarray:
    return np.asarray(picture.resize((size, size), Image.Resampling.BOX), dtype=float)


def _shapes(rng: np.random.Generator, size: int) -> np.ndarray:
    picture, pen, side = _canvas(rng, size)
    for _ in range(rng.integers(1, 6)):
        fill = tuple(int(v) for v in _colour(rng))
        centre, reach = rng.uniform(0, side, 2), rng.uniform(side / 16, side / 2, 2)
        box = [*(centre - reach), *(centre + reach)]
        shape = rng.integers(3)
        if shape == 0:
            pen.ellipse(box, fill=fill)
        elif shape == 1:
            pen.rectangle(box, fill=fill)
        else:
            corners = rng.uniform(centre - reach, centre + reach, (rng.integers(3, 7), 2))
            pen.polygon([tuple(c) for c in corners], fill=fill)
    return _finish(picture, size)


def _strokes(rng: np.random.Generator, size: int) -> np.ndarray:
    picture, pen, side = _canvas(rng, size)
    fill = tuple(int(v) for v in _colour(rng))
    for _ in range(rng.integers(1, 5)):
        width = int(rng.uniform(side / 32, side / 7))
        ends = rng.uniform(0.05 * side, 0.95 * side, (3, 2))  # quadratic Bezier curve
        t = np.linspace(0, 1, 24)[:, None]
        curve = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * ends[1] + t**2 * ends[2]
        pen.line([tuple(point) for point in curve], fill=fill, width=width, joint="curve")
    return _finish(picture, size)

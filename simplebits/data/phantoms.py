"""Chest phantoms: drawn pictures with ribs, lungs and heart, and in one class a fluid level of known size and place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8  # noqa: F401 the constructor has the annotations of ImageSet
from torch import Tensor

from simplebits._door import door
from simplebits.data.image_set import ImageSet
from simplebits.domains import Count, Number, Seed

CLASSES = ("clear", "fluid")
_OVERSAMPLE = 4  # drawn four times larger and averaged down, so that edges are smooth
_NOISE = 0.02  # standard deviation of the grain
_IN_SPLIT = {"train": (600, 0), "test": (400, 1)}  # images and seed of `load("phantoms", split)`


@door
@dataclass(frozen=True, eq=False, repr=False)
class PhantomSet(ImageSet):
    """Phantoms, and where in each of them the sign of its class is.

    Attributes:
        images: uint8 `[n, c, h, w]`, as in `ImageSet`, with labels, classes and name.
        sign: bool `[n, h, w]`, True where fluid changes the picture; nowhere in class 0.

    Raises:
        TypeError: sign is no tensor; the others as in `ImageSet`.
        ValueError: sign of another shape; the others as in `ImageSet`.

    >>> phantoms(2).sign.flatten(1).any(1).tolist()
    [False, True]
    """

    sign: Bool[Tensor, "n h w"]

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = [len(self.images), *self.images.shape[2:]]
        if list(self.sign.shape) != wanted:
            raise ValueError(f"sign: expected shape {wanted}, a mask for each image, got {list(self.sign.shape)}")

    def __repr__(self) -> str:
        return super().__repr__().replace("ImageSet", "PhantomSet", 1)

    @door
    def region(
        self, size: Count | None = None, least: Annotated[float, Number(0, 1, open_low=True)] = 0.1
    ) -> Bool[Tensor, "H W"]:
        """Find where the sign may be: pixels that it covers in at least this share of the images that have one.

        Args:
            size: height and width to come out with, by the rule of `to_float`; None: the images'.
            least: share of the images with a sign.

        Raises:
            ValueError: no image has the sign.

        >>> phantoms(40).region(size=16).shape
        torch.Size([16, 16])
        """
        having = self.sign[self.sign.flatten(1).any(1)]
        if not len(having):
            raise ValueError(f"{self.name}: no image has the sign; take images of class {CLASSES[1]!r} too")
        covered = having.float().mean(0)[None, None]
        if size is not None:
            covered = torch.nn.functional.interpolate(covered, (size, size), mode="bilinear", align_corners=False)
        return covered[0, 0] >= least


@door
def phantoms(n: Count, size: Annotated[int, Number(8, integer=True)] = 32, seed: Seed = 0) -> PhantomSet:
    """Draw n chest phantoms: no radiographs, but pictures of whose sign everything is known.

    Two dark lungs with ribs lie in a bright body; heart and spine between them, a letter in a corner. Size, place and
    brightness of everything vary. Every second phantom has fluid at the bottom of one lung, of either side alike often:
    its surface is straight, 0.2 to 0.45 of the lung's height above its lowest point. The same seed draws a phantom of
    either class with the same anatomy; what its fluid changes by 8 grey levels or more is its sign.

    Args:
        n: how many; classes in turn.
        size: height and width in pixels.
        seed: the same seed draws the same phantoms; another one other people.

    Raises:
        ValueError: n below 1 or size below 8.

    >>> phantoms(4)
    PhantomSet('phantoms/0': 4 images 1x32x32, 2 classes)
    """
    pictures, signs = [], []
    for i in range(n):
        rng = np.random.default_rng((seed, i))
        clear, full = _pair(rng, size)
        pictures.append(full if i % 2 else clear)
        signs.append(np.abs(full.astype(int) - clear) >= 8 if i % 2 else np.zeros((size, size), dtype=bool))
    images, sign = torch.from_numpy(np.stack(pictures))[:, None], torch.from_numpy(np.stack(signs))
    return PhantomSet(images, torch.arange(n) % 2, CLASSES, f"phantoms/{seed}", sign)


def phantom_set(split: str) -> PhantomSet:
    """Draw `load`'s phantoms: 600 for `train`, 400 others for `test`."""
    n, seed = _IN_SPLIT[split]
    drawn = phantoms(n, seed=seed)
    return PhantomSet(drawn.images, drawn.labels, drawn.classes, f"phantoms/{split}", drawn.sign)


def _pair(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw one person without and with fluid, `[size, size]` bytes; all else is the same, grain included."""
    side = size * _OVERSAMPLE
    v, u = (np.mgrid[0:side, 0:side] + 0.5) / side * 2 - 1  # down and right, -1 to 1
    u, v = (
        (u - rng.uniform(-0.08, 0.08)) / rng.uniform(0.92, 1.08),
        (v - rng.uniform(-0.08, 0.08)) / rng.uniform(0.92, 1.08),
    )
    body, air = rng.uniform(0.55, 0.75), rng.uniform(0.12, 0.25)
    shoulders = np.abs(u) < 0.85 - 0.45 * np.exp(-(((v + 1.05) / 0.35) ** 2))  # narrower at the neck
    picture = np.where(shoulders, body, 0.03)
    middle, width, height = rng.uniform(0.36, 0.42), rng.uniform(0.24, 0.3), rng.uniform(0.6, 0.7)
    lungs = [_lung(u, v, sign * middle, width, height) for sign in (-1, 1)]
    either = lungs[0] | lungs[1]
    picture = np.where(either, air, picture)
    picture = picture + _ribs(u, v, rng) * np.where(either, 0.16, 0.06) * shoulders
    picture = picture + 0.18 * np.exp(-((u / 0.09) ** 2)) * shoulders  # the spine
    heart = ((u - rng.uniform(0.08, 0.16)) / rng.uniform(0.24, 0.34)) ** 2 + ((v - 0.28) / rng.uniform(0.26, 0.34)) ** 2
    picture = np.where(heart < 1, body + 0.12, picture)
    picture = np.where(_letter(u, v, rng), 0.97, picture)
    lung = lungs[rng.integers(2)]
    surface = 0.02 + height - 2 * height * rng.uniform(0.2, 0.45)
    fluid = lung & (v > surface) & (heart >= 1)
    full = np.where(fluid, body + rng.uniform(0.08, 0.16), picture)
    grain = rng.normal(scale=_NOISE, size=(size, size))
    return _bytes(picture, size, grain), _bytes(full, size, grain)


def _lung(u: np.ndarray, v: np.ndarray, middle: float, width: float, height: float) -> np.ndarray:
    """Outline one lung: an ellipse that is narrower at the top, on a domed diaphragm."""
    reach = width * (1 + 0.25 * v)
    inside = ((u - middle) / reach) ** 2 + ((v - 0.02) / height) ** 4 < 1
    return inside & (v < 0.02 + height - 0.12 * np.cos((u - middle) / width * math.pi / 2))


def _ribs(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw bows that fall from the spine outwards, 0 to 1."""
    phase = 2 * math.pi * (3.2 * (v - 0.35 * np.abs(u) ** 1.5) + rng.uniform(0, 1))
    return np.clip(np.cos(phase), 0, 1) ** 2


def _letter(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put an L into one of the upper corners, as lead markers do."""
    left, top = rng.choice([-0.95, 0.72]), rng.uniform(-0.95, -0.8)
    stroke = (np.abs(u - left - 0.04) < 0.04) & (v > top) & (v < top + 0.26)
    foot = (u > left) & (u < left + 0.2) & (np.abs(v - top - 0.22) < 0.04)
    return stroke | foot


def _bytes(picture: np.ndarray, size: int, grain: np.ndarray) -> np.ndarray:
    small = picture.reshape(size, _OVERSAMPLE, size, _OVERSAMPLE).mean((1, 3)) + grain
    return np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)

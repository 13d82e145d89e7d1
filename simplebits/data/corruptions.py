"""Corruptions after CIFAR-10-C (Hendrycks and Dietterich 2019), made anew: noise, blur, weather and compression."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch

from simplebits._door import door
from simplebits.data.image_set import ImageSet
from simplebits.domains import Filled, Known, Number, Seed

Pixels = np.ndarray  # [n, h, w, c] in [0, 1]
Change = Callable[[Pixels, int, np.random.Generator], Pixels]  # of images by a severity, counted from 0
PART = 250  # images at a time: a corruption takes up to 125 times the memory of their bytes
Severity = Annotated[int, Number(1, 5, integer=True)]


@door
def corrupt(
    images: Annotated[ImageSet, Filled()],
    name: Annotated[str, Known(lambda: CORRUPTIONS)],
    severity: Severity,
    seed: Seed = 0,
) -> ImageSet:
    """Corrupt images as CIFAR-10-C does, regenerated: the published constants, other random draws.

    The official files are read by `cifar10_c`. These here differ from them in the draws of noise, in rounding (to the
    nearest grey level, where the files round down) and in the libraries: SciPy, scikit-image and Pillow take the place
    of OpenCV and ImageMagick. Constants are those for 32x32 pixels; where they are lengths of an image's side they grow
    with it. Left out of the 19: snow, frost and spatter, which need pictures or OpenCV, and fog, a fractal that is
    defined for squares whose side is a power of two.

    Args:
        images: the originals; grey ones too, but for `saturate`.
        name: one of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: of noise, shuffled pixels, directions and distortions.

    Raises:
        TypeError: images is no image set.
        ValueError: no images, unknown name, severity out of range, or grey images to saturate.

    >>> from simplebits.data import load
    >>> corrupt(load("digits", "test"), "gaussian_noise", 3).name
    'digits/test, gaussian_noise 3 (regenerated)'
    """
    if name == "saturate" and images.images.shape[1] == 1:
        raise ValueError(f"name='saturate': {images.name} is grey and has no saturation; corrupt colour images")
    rng, parts = np.random.default_rng(seed), []
    for part in images.images.split(PART):
        changed = _CHANGES[name](part.permute(0, 2, 3, 1).cpu().numpy() / 255, severity - 1, rng)
        parts.append(torch.from_numpy((np.clip(changed, 0, 1) * 255).round().astype(np.uint8)).permute(0, 3, 1, 2))
    pixels = torch.cat(parts).contiguous()
    return ImageSet(pixels, images.labels, images.classes, f"{images.name}, {name} {severity} (regenerated)")


def _gaussian_noise(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    return x + rng.normal(scale=(0.04, 0.06, 0.08, 0.09, 0.10)[level], size=x.shape)


def _shot_noise(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    photons = (500, 250, 100, 75, 50)[level]
    return rng.poisson(x * photons) / photons


def _impulse_noise(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    hit = rng.random(x.shape) < (0.01, 0.02, 0.03, 0.05, 0.07)[level]
    return np.where(hit, rng.integers(0, 2, x.shape), x)


def _speckle_noise(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    return x + x * rng.normal(scale=(0.06, 0.1, 0.12, 0.16, 0.2)[level], size=x.shape)


def _blurred(x: Pixels, sigma: float) -> Pixels:
    """Blur each channel with a Gaussian, as scikit-image does."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(x, (0, sigma, sigma, 0), mode="nearest", truncate=4)


def _gaussian_blur(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    return _blurred(x, (0.4, 0.6, 0.7, 0.8, 1.0)[level])


def _glass_blur(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    sigma, iterations = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))[level]
    x = _blurred(x, sigma)
    n, height, width, _ = x.shape
    for _ in range(iterations):
        for h in range(height - 1, 1, -1):
            for w in range(width - 1, 1, -1):
                up, left = rng.integers(-1, 1, (2, n))
                # The published code means to swap the two pixels, but NumPy's views make it a copy.
                x[:, h, w] = x[np.arange(n), h + up, w + left]
    return _blurred(x, sigma)


def _defocus_blur(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    from scipy.ndimage import correlate, correlate1d

    radius, soft = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))[level]
    rows, columns = np.mgrid[-3:4, -3:4]
    disc = (rows**2 + columns**2 <= radius**2).astype(float)
    taps = np.exp(-(np.arange(-1, 2) ** 2) / (2 * soft**2))
    for axis in (0, 1):
        disc = correlate1d(disc, taps / taps.sum(), axis=axis, mode="constant")
    return correlate(x, (disc / disc.sum())[None, :, :, None], mode="mirror")


def _motion_blur(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    """Blur along a line by half a Gaussian, in a direction drawn for each image from -45 to 45 degrees."""
    radius, sigma = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[level]
    along = np.arange(2 * radius + 1)
    weights = np.exp(-(along**2) / (2 * sigma**2))
    angles = np.deg2rad(rng.uniform(-45, 45, len(x)))
    n, height, width, _ = x.shape
    image, rows, columns = np.ogrid[:n, :height, :width]
    total = np.zeros_like(x)
    for step, weight in zip(along, weights / weights.sum(), strict=True):
        down, right = np.rint(step * np.sin(angles)).astype(int), np.rint(step * np.cos(angles)).astype(int)
        row = np.clip(rows + down[:, None, None], 0, height - 1)
        column = np.clip(columns + right[:, None, None], 0, width - 1)
        total += weight * x[image, row, column]
    return total


def _zoom_blur(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    from scipy.ndimage import zoom

    factors = np.arange(1, (1.06, 1.11, 1.16, 1.21, 1.26)[level], 0.01)
    sides = int(x.shape[1]), int(x.shape[2])
    total = x.copy()
    for factor in factors:
        rows, columns = (_middle(side, int(np.ceil(side / factor))) for side in sides)
        large = np.asarray(zoom(x[:, rows, columns], (1, factor, factor, 1), order=1))
        rows, columns = (_middle(*pair) for pair in zip(large.shape[1:3], sides, strict=True))
        total += large[:, rows, columns]
    return total / (len(factors) + 1)


def _middle(length: int, part: int) -> slice:
    """Select so many places in the middle of an axis of this length."""
    return slice((length - part) // 2, (length - part) // 2 + part)


def _brightness(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    more = (0.05, 0.1, 0.15, 0.2, 0.3)[level]
    return _in_hsv(x, lambda hsv: (hsv[..., 0], hsv[..., 1], hsv[..., 2] + more)) if x.shape[-1] == 3 else x + more


def _saturate(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    times, more = ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2))[level]
    return _in_hsv(x, lambda hsv: (hsv[..., 0], hsv[..., 1] * times + more, hsv[..., 2]))


def _in_hsv(x: Pixels, change: Callable[[np.ndarray], tuple[np.ndarray, ...]]) -> Pixels:
    from skimage.color import hsv2rgb, rgb2hsv

    return hsv2rgb(np.clip(np.stack(change(rgb2hsv(x)), -1), 0, 1))


def _contrast(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    mean = x.mean((1, 2), keepdims=True)
    return (x - mean) * (0.75, 0.5, 0.4, 0.3, 0.15)[level] + mean


def _pixelate(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    from PIL import Image

    box = Image.Resampling.BOX
    height, width = x.shape[1:3]
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[level]
    small = (max(int(width * share), 1), max(int(height * share), 1))
    return _by_pillow(x, lambda image: image.resize(small, box).resize((width, height), box))


def _jpeg_compression(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    from PIL import Image

    def there_and_back(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=(80, 65, 58, 50, 40)[level])
        return Image.open(file)

    return _by_pillow(x, there_and_back)


def _by_pillow(x: Pixels, change: Callable) -> Pixels:
    from PIL import Image

    pixels = (x * 255).round().astype(np.uint8)
    pixels = pixels[..., 0] if x.shape[-1] == 1 else pixels
    return np.stack([np.asarray(change(Image.fromarray(one))) for one in pixels]).reshape(x.shape) / 255


def _elastic_transform(x: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    """Apply a random affine map to each image, then a smooth random displacement to its pixels."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    side = x.shape[1]
    alpha, sigma, jitter = (
        side * np.array(c)
        for c in ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))[level]
    )
    grid = np.mgrid[: x.shape[1], : x.shape[2]].astype(float)
    centre, reach = np.array(x.shape[1:3]) // 2, min(x.shape[1:3]) // 3
    corners = centre + reach * np.array([[1, 1], [1, -1], [-1, -1]])
    out = np.empty_like(x)
    for i, image in enumerate(x):
        moved = corners + rng.uniform(-jitter, jitter, corners.shape)
        back = np.linalg.solve(np.c_[moved, np.ones(3)], corners)  # where each pixel comes from
        source = np.einsum("khw,kj->jhw", np.stack([*grid, np.ones_like(grid[0])]), back)
        shift = rng.uniform(-1, 1, (2, *image.shape[:2]))
        shift = alpha * (gaussian_filter(shift, (0, sigma, sigma), mode="reflect", truncate=3) if sigma else shift)
        for channel in range(x.shape[-1]):
            affine = map_coordinates(image[..., channel], source, order=1, mode="mirror")
            out[i, ..., channel] = map_coordinates(affine, grid + shift, order=1, mode="reflect")
    return out


_CHANGES: dict[str, Change] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "speckle_noise": _speckle_noise,
    "gaussian_blur": _gaussian_blur,
    "glass_blur": _glass_blur,
    "defocus_blur": _defocus_blur,
    "motion_blur": _motion_blur,
    "zoom_blur": _zoom_blur,
    "brightness": _brightness,
    "contrast": _contrast,
    "saturate": _saturate,
    "pixelate": _pixelate,
    "jpeg_compression": _jpeg_compression,
    "elastic_transform": _elastic_transform,
}
#: Names of the corruptions that `corrupt` makes, those of the official files.
CORRUPTIONS = tuple(_CHANGES)

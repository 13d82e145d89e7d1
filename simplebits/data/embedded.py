"""Real images that come with the dependencies: no network, no download (scikit-learn's digits, bundled photographs)."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from simplebits.data.image_set import ImageSet, to_bytes, to_float

# Photographs only: scikit-image's charts, texts and phantoms are something else. Each takes one class.
_SCIKIT_IMAGE = (
    "astronaut",
    "brick",
    "camera",
    "chelsea",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "hubble_deep_field",
    "immunohistochemistry",
    "moon",
    "rocket",
)
_SCIKIT_LEARN = ("china", "flower")
PHOTOS = tuple(name.replace("_", "-") for name in _SCIKIT_IMAGE + _SCIKIT_LEARN)
_CROP = 32
_SHRINK = (2, 4, 8)  # pixels of the photograph per pixel of the crop: texture, object, scene


def digits(split: str) -> ImageSet:
    """Load scikit-learn's handwritten digits (UCI optical recognition set), 8x8 enlarged to 32x32 grey.

    1,797 images of 10 classes; the first 1,287 are `train`, the last 510 `test`. They are in the order of their
    writers, and the cut lies between two of them: no one's digits are in both.
    """
    from sklearn.datasets import load_digits

    pixels, target = load_digits(return_X_y=True)
    small = torch.from_numpy(np.round(pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8))[:, None]
    part = slice(None, 1287) if split == "train" else slice(1287, None)
    images = to_bytes(to_float(small[part], size=32))
    return ImageSet(images, torch.from_numpy(target[part]).long(), tuple("0123456789"), f"digits/{split}")


def photos(split: str) -> ImageSet:
    """Cut 32x32 colour crops of 14 bundled photographs at three scales, half overlapping; the label is the photograph.

    The right quarter of every photograph is `test`, the rest `train`: no pixel is in both. The scales are 2, 4 and 8
    pixels of the photograph per pixel of the crop.
    """
    crops, labels = [], []
    for label, photo in enumerate(_photographs()):
        cut = photo.shape[1] * 3 // 4
        region = photo[:, :cut] if split == "train" else photo[:, cut:]
        for shrink in _SHRINK:
            tile = _CROP * shrink
            for top in range(0, region.shape[0] - tile + 1, tile // 2):
                for left in range(0, region.shape[1] - tile + 1, tile // 2):
                    window = Image.fromarray(np.ascontiguousarray(region[top : top + tile, left : left + tile]))
                    crops.append(np.asarray(window.resize((_CROP, _CROP), Image.Resampling.BOX)))
                    labels.append(label)
    return ImageSet(_channels_first(np.stack(crops)), torch.tensor(labels), PHOTOS, f"photos/{split}")


@cache
def _photographs() -> tuple[np.ndarray, ...]:
    """Load the photographs, `[h, w, 3]` uint8, in the order of PHOTOS."""
    import skimage.data
    from sklearn.datasets import load_sample_image

    pictures = [getattr(skimage.data, name)() for name in _SCIKIT_IMAGE]
    pictures += [load_sample_image(f"{name}.jpg") for name in _SCIKIT_LEARN]
    return tuple(p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in pictures)


def _channels_first(pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))

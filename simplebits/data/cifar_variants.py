"""CIFAR-10-C and CIFAR-10.1, other test sets for CIFAR-10 networks, read where their files have been placed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch

from simplebits._door import door
from simplebits.data.corruptions import CORRUPTIONS, Severity, corrupt
from simplebits.data.image_set import ImageSet
from simplebits.data.torchvision_sets import root
from simplebits.domains import CountOrZero, Filled, Known, Seed

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
#: The corruptions that CIFAR-10-C has a file for.
CIFAR10_C = (
    "brightness", "contrast", "defocus_blur", "elastic_transform", "fog", "frost", "gaussian_blur", "gaussian_noise",
    "glass_blur", "impulse_noise", "jpeg_compression", "motion_blur", "pixelate", "saturate", "shot_noise", "snow",
    "spatter", "speckle_noise", "zoom_blur",
)  # fmt: skip
_PER_SEVERITY = 10_000


@door
def cifar10_c(corruption: Annotated[str, Known(lambda: CIFAR10_C)], severity: Severity) -> ImageSet:
    """Read one corruption of CIFAR-10's 10,000 test images, from its official file (Hendrycks and Dietterich 2019).

    Args:
        corruption: one of `CIFAR10_C`.
        severity: 1 to 5.

    Raises:
        ValueError: unknown corruption, severity out of range, or a damaged file.
        FileNotFoundError: the files are not under `root()`; says what to place where.
    """
    hint = "CIFAR-10-C.tar of https://zenodo.org/records/2535967, unpacked; data.corrupt makes 15 of the 19 anew"
    images, labels = (_read(f"CIFAR-10-C/{name}.npy", hint) for name in (corruption, "labels"))
    part = slice((severity - 1) * _PER_SEVERITY, severity * _PER_SEVERITY)
    return _image_set(images[part], labels[part], f"cifar10-c/{corruption}-{severity}", _PER_SEVERITY)


@door
def cifar10_1(version: Literal["v4", "v6"] = "v6") -> ImageSet:
    """Read CIFAR-10.1, about 2,000 new images gathered as those of CIFAR-10 were (Recht et al. 2018), from its files.

    Args:
        version: `v6` (2,000 images, as many of each class; what the paper has) or `v4` (2,021).

    Raises:
        ValueError: unknown version, or a damaged file.
        FileNotFoundError: the files are not under `root()`; says what to place where.
    """
    count = {"v4": 2021, "v6": 2000}[version]
    hint = "of the folder datasets of https://github.com/modestyachts/CIFAR-10.1"
    images, labels = (_read(f"CIFAR-10.1/cifar10.1_{version}_{name}.npy", hint) for name in ("data", "labels"))
    return _image_set(images, labels, f"cifar10.1-{version}", count)


@door
def corrupted_sets(
    test: Annotated[ImageSet, Filled()], official: bool = True, limit: CountOrZero = 0, seed: Seed = 1234
) -> Iterator[ImageSet]:
    """Yield test images under every corruption and severity, one image set of them at a time, or a sample of all.

    Args:
        test: CIFAR-10's test images, in their order; made anew, any images.
        official: read them by `cifar10_c`; else make those that `corrupt` makes anew.
        limit: so many images in all, drawn without replacement (Carter et al. 2021: 2,000 of 950,000); 0: all.
        seed: of the draw.

    Raises:
        ValueError: official files are to be read, and the images are not those that they hold corrupted.
        FileNotFoundError: as `cifar10_c`.

    >>> from simplebits.data import load
    >>> sum(map(len, corrupted_sets(load("photos", "test"), official=False, limit=5)))
    5
    """
    if official and (test.images.shape[1:] != (3, 32, 32) or len(test) > _PER_SEVERITY):
        raise ValueError(
            f"test: {test} are not CIFAR-10's {_PER_SEVERITY} test images, whose corruptions the official files hold; "
            f"load('cifar10', 'test') gives them, official=False corrupts any images"
        )
    return _corrupted_sets(test, official, limit, seed)


def _corrupted_sets(test: ImageSet, official: bool, limit: int, seed: int) -> Iterator[ImageSet]:
    names = CIFAR10_C if official else [name for name in CORRUPTIONS if name != "saturate" or test.images.shape[1] == 3]
    parts = [(name, severity) for name in names for severity in range(1, 6)]
    drawn = torch.arange(len(parts) * len(test))
    if limit:
        drawn = torch.randperm(len(drawn), generator=torch.Generator().manual_seed(seed))[:limit].sort().values
    for i, (name, severity) in enumerate(parts):
        index = drawn[drawn // len(test) == i] % len(test)
        if len(index):
            yield cifar10_c(name, severity).subset(index) if official else corrupt(test.subset(index), name, severity)


def _read(name: str, hint: str) -> np.ndarray:
    path = root() / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there. Place {Path(name).name} ({hint}) in {path.parent}, or set SIMPLEBITS_DATA to the "
            f"folder that holds {name}"
        )
    try:
        # Mapped, not loaded: a file of all severities is five times what is wanted. Nothing is unpickled.
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); fetch it again") from error


def _image_set(images: np.ndarray, labels: np.ndarray, name: str, count: int) -> ImageSet:
    if images.shape != (count, 32, 32, 3) or images.dtype != np.uint8 or labels.shape != (count,):
        raise ValueError(
            f"{name}: expected uint8 images {[count, 32, 32, 3]} and {count} labels, got {images.dtype} "
            f"{list(images.shape)} and {list(labels.shape)}; the files are damaged or not the official ones"
        )
    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    return ImageSet(pixels, torch.from_numpy(np.asarray(labels, dtype=np.int64)), CLASSES, name)

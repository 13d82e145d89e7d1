"""Sets by name, read by torchvision's classes and some of the same shape: found in `root()`, or downloaded there."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from simplebits import _files
from simplebits.data import medmnist
from simplebits.data.image_set import ImageSet


def root() -> Path:
    """Find the folder of downloaded sets: `$SIMPLEBITS_DATA`, else `simplebits` in the user's cache folder."""
    if folder := os.environ.get("SIMPLEBITS_DATA"):
        return Path(folder).expanduser()
    import pooch

    return Path(pooch.os_cache("simplebits"))


@dataclass(frozen=True)
class Source:
    """Where a set comes from.

    Attributes:
        reader: the class in `torchvision.datasets`, by name, or one of the same shape: made of a folder, `train` and
            `download`, with `data` and `targets`.
        files: per split, the files under `root()` and the MD5 of their content (None: not checked).
        classes: class names; None takes torchvision's.
        options: further arguments of the class.
    """

    reader: str | Callable[..., Any]
    files: dict[str, dict[str, str | None]]
    classes: tuple[str, ...] | None = None
    options: dict[str, Any] = field(default_factory=dict)


def _idx(train: str, test: str, sums: Sequence[str | None] = (None,) * 4) -> dict:
    """Name the files of a set in MNIST's format: images and labels of `train`, images and labels of `test`."""
    names = [f"{stem}-{kind}-ubyte" for stem in (train, test) for kind in ("images-idx3", "labels-idx1")]
    files = list(zip(names, sums, strict=True))
    return {"train": dict(files[:2]), "test": dict(files[2:])}


_DIGITS = tuple("0123456789")
_CIFAR10 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}
_CIFAR100 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}

SOURCES = {
    "mnist": Source(
        "MNIST",
        _idx(
            "MNIST/raw/train",
            "MNIST/raw/t10k",
            (
                "6bbc9ace898e44ae57da46a324031adb",
                "a25bea736e30d166cdddb491f175f624",
                "2646ac647ad5339dbf082846283269ea",
                "27ae3e4e09519cfbb04c329615203637",
            ),
        ),
        _DIGITS,
    ),
    "fashion-mnist": Source(
        "FashionMNIST",
        _idx(
            "FashionMNIST/raw/train",
            "FashionMNIST/raw/t10k",
            (
                "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "9018921c3c673c538a1fc5bad174d6f9",
                "8181f5470baa50b63fa0f6fddb340f0a",
                "15d484375f8d13e6eb1aabb0c3f46965",
            ),
        ),
    ),
    "cifar10": Source(
        "CIFAR10",
        {
            "train": {f"cifar-10-batches-py/{f}": m for f, m in _CIFAR10.items() if f != "test_batch"},
            "test": {f"cifar-10-batches-py/{f}": _CIFAR10[f] for f in ("test_batch", "batches.meta")},
        },
    ),
    "cifar100": Source(
        "CIFAR100", {s: {f"cifar-100-python/{f}": _CIFAR100[f] for f in (s, "meta")} for s in ("train", "test")}
    ),
    "svhn": Source(
        "SVHN",
        {
            "train": {"train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373"},
            "test": {"test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3"},
        },
        _DIGITS,
    ),
    "usps": Source("USPS", {"train": {"usps.bz2": None}, "test": {"usps.t.bz2": None}}, _DIGITS),
    "emnist-letters": Source(
        "EMNIST",
        _idx("EMNIST/raw/emnist-letters-train", "EMNIST/raw/emnist-letters-test"),
        tuple("abcdefghijklmnopqrstuvwxyz"),
        {"split": "letters"},
    ),
}
SOURCES |= {
    reader.name: Source(reader, {split: {reader.file: reader.md5} for split in ("train", "test")}, reader.classes)
    for reader in (medmnist.ChestMNIST, medmnist.PneumoniaMNIST)
}
# Placed by hand, and read by chest_xray.py.
SOURCES["chest-xray"] = Source(
    "", {split: {"chest-xray/metadata.csv": None} for split in ("train", "test")}, ("F", "M")
)


def load_torchvision(name: str, split: str) -> ImageSet:
    """Read one of `SOURCES` as an ImageSet; what is missing or damaged under `root()` is fetched.

    Of several processes that ask at once one fetches, and the others wait for it.

    Raises:
        FileNotFoundError: not on disk and not to be had: says what to place where.
    """
    images, _ = _read(name, split)
    if images is not None:
        return images
    with contextlib.suppress(OSError):  # a folder that cannot be made is told of below, by what fails in it
        root().mkdir(parents=True, exist_ok=True)
    with _files.alone(root()) if root().is_dir() else contextlib.nullcontext():
        images, damaged = _read(name, split)  # another process may have fetched it meanwhile
        return _fetch(name, split, damaged) if images is None else images


def _reader(name: str, split: str) -> Callable[..., Any]:
    # Importing torchvision takes a second; only those who ask for its sets pay for it.
    from torchvision import datasets

    source = SOURCES[name]
    options = dict(source.options)
    options |= {"split": split} if name == "svhn" else {"train": split == "train"}
    reader = getattr(datasets, source.reader) if isinstance(source.reader, str) else source.reader
    return functools.partial(reader, str(root()), **options)


def _read(name: str, split: str) -> tuple[ImageSet | None, list[str]]:
    """Read what lies on the disk; None with the damaged files where it is not whole."""
    missing, damaged = inspect(name, split)
    if missing or damaged:
        return None, damaged
    try:
        return _convert(name, split, _reader(name, split)(download=False)), []
    except ImportError:
        raise  # a package is missing; the files are as good as they were
    except Exception:  # noqa: BLE001 - each of torchvision's readers raises something else on what it cannot read
        return None, [str(root() / file) for file in SOURCES[name].files[split]]


def _fetch(name: str, split: str, damaged: list[str]) -> ImageSet:
    if damaged:
        warnings.warn(f"damaged, fetching again: {', '.join(damaged)}", stacklevel=4)
    # Out of torchvision's sight, but not gone before there is something better.
    aside = {Path(file): Path(f"{file}.damaged") for file in damaged}
    for file, kept in aside.items():
        file.rename(kept)
    try:
        images = _convert(name, split, _reader(name, split)(download=True))
    except Exception as error:
        for file, kept in aside.items():
            kept.replace(file)
        files = list(SOURCES[name].files[split])
        raise FileNotFoundError(
            f"{name}/{split} is not on this machine and could not be fetched ({error}). "
            + (f"Damaged: {', '.join(damaged)}. " if damaged else "")
            + f"Place {', '.join(str(root() / file) for file in files)} there yourself, or set SIMPLEBITS_DATA to the "
            f"folder that holds {files[0]}. Without a network, 'digits' and 'photos' are always there"
        ) from error
    for kept in aside.values():
        kept.unlink()
    return images


def inspect(name: str, split: str) -> tuple[list[str], list[str]]:
    """List the files of a set that are missing, and those whose MD5 is not the published one."""
    missing, damaged = [], []
    for file, md5 in SOURCES[name].files[split].items():
        path = root() / file
        if not path.is_file():
            missing.append(str(path))
        elif md5 is not None:
            with open(path, "rb") as handle:
                if hashlib.file_digest(handle, "md5").hexdigest() != md5:
                    damaged.append(str(path))
    return missing, damaged


def _convert(name: str, split: str, dataset: Any) -> ImageSet:
    pixels = torch.as_tensor(np.asarray(dataset.data))
    if pixels.dim() == 3:
        pixels = pixels[:, None]
    elif pixels.shape[-1] == 3:
        pixels = pixels.permute(0, 3, 1, 2)
    labels = torch.as_tensor(np.asarray(dataset.labels if hasattr(dataset, "labels") else dataset.targets)).long()
    if name == "emnist-letters":  # the NIST files are transposed, and their letters count from 1
        pixels, labels = pixels.transpose(2, 3), labels - 1
    classes = SOURCES[name].classes or tuple(dataset.classes)
    return ImageSet(pixels.contiguous(), labels, classes, f"{name}/{split}", source=name)

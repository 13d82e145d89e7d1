"""Sets that lie in folders, one a class: pictures that nobody offers for download, placed by hand under `root()`."""

from __future__ import annotations

import torch

from simplebits.data.image_file import read_image
from simplebits.data.image_set import ImageSet
from simplebits.data.torchvision_sets import root

SIZE = 32  # height and width of these sets, pixels

#: Name of a set to its classes: the folders in `root()/NAME/train` and `root()/NAME/test`.
CLASS_FOLDERS = {"svhn-crops": tuple("0123456789")}


def load_class_folders(name: str, split: str) -> ImageSet:
    """Read one of `CLASS_FOLDERS` as colour images 3x32x32, in the order of the files' names.

    Raises:
        FileNotFoundError: a class has no picture here: says what to place where.
        ValueError: a file that is no picture.
    """
    images, labels = [], []
    for label, of_class in enumerate(CLASS_FOLDERS[name]):
        files = sorted((root() / name / split / of_class).glob("*.png"))
        if not files:
            raise FileNotFoundError(
                f"{name}/{split} is not whole on this machine: no picture of class {of_class!r}. Place its pictures as "
                f"{root() / name / split / of_class}/*.png, or set SIMPLEBITS_DATA to the folder that holds {name}"
            )
        images += [read_image(file, size=SIZE, channels=3) for file in files]
        labels += [label] * len(files)
    return ImageSet(torch.stack(images), torch.tensor(labels), CLASS_FOLDERS[name], f"{name}/{split}")

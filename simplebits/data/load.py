"""One door to every image set."""

from __future__ import annotations

from typing import Annotated, Literal

from simplebits._door import door
from simplebits.data.chest_xray import chest_xray
from simplebits.data.class_folders import CLASS_FOLDERS, load_class_folders
from simplebits.data.embedded import digits, photos
from simplebits.data.image_set import ImageSet
from simplebits.data.phantoms import phantom_set
from simplebits.data.torchvision_sets import SOURCES, load_torchvision
from simplebits.domains import Known

EMBEDDED = {"digits": digits, "photos": photos, "phantoms": phantom_set}
NAMES = (*EMBEDDED, *SOURCES)  # embedded, or to be fetched
SetName = Annotated[str, Known(lambda: (*NAMES, *CLASS_FOLDERS))]
Split = Literal["train", "test"]


@door
def load(name: SetName, split: Split = "train") -> ImageSet:
    """Load an image set by name.

    Args:
        name: `digits`, `photos` and `phantoms` are embedded and need no network. `mnist`, `fashion-mnist`, `cifar10`,
            `cifar100`, `svhn`, `usps` and `emnist-letters` come through torchvision, MedMNIST's `chestmnist` (no
            finding or an effusion) and `pneumoniamnist` from their own host: from `root()`, or downloaded there the
            first time. `chest-xray`, real radiographs labelled by sex and split by patient, and `svhn-crops`,
            digits cut from SVHN's full photographs, have to be placed there.
        split: `train` or `test`.

    Returns:
        Images uint8 `[n, c, h, w]` in their own size and channels, and labels int64 `[n]`; of `phantoms` a
        `PhantomSet`, of `chest-xray` a `PatientSet`.

    Raises:
        ValueError: unknown name or split; names the nearest known one.
        FileNotFoundError: not on disk and no network; says what to place where.

    >>> load("digits", "test")
    ImageSet('digits/test': 510 images 1x32x32, 10 classes)
    """
    if name in EMBEDDED:
        return EMBEDDED[name](split)
    if name in CLASS_FOLDERS:
        return load_class_folders(name, split)
    return chest_xray(split) if name == "chest-xray" else load_torchvision(name, split)

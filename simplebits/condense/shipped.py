"""Condensed sets that come with the package, each with a card that says how it was made and what it measured."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from simplebits._door import door
from simplebits.condense.condensed_set import CondensedSet
from simplebits.domains import Count, NonNegative, Probability, one_of

FOLDER = Path(__file__).parent / "sets"
RENAMED = {"lambda_sim": "bit_weight"}


@door(renamed=RENAMED)
def file_name(
    name: str, method: str, images_per_class: Count, siamese: bool = False, bit_weight: NonNegative | None = None
) -> str:
    """Say what a shipped set is called.

    >>> file_name("mnist", "gradient", 10, siamese=True), file_name("mnist", "gradient", 1, bit_weight=100.0)
    ('mnist-gradient-siamese-10', 'mnist-gradient-1-lambda-100')
    """
    augmented = "-siamese" if siamese else ""
    weighed = "" if bit_weight is None else f"-lambda-{bit_weight:g}"
    return f"{name}-{method}{augmented}-{images_per_class}{weighed}"


@door
def keep(condensed: CondensedSet, accuracies: Sequence[Probability], *, epochs: Count, augmented: bool) -> Path | None:
    """Write a set and what it measured to the folder that the environment variable SIMPLEBITS_SETS names.

    So the shipped sets were made; the card of each says with which arguments of `condense`. Without the variable
    nothing is written.

    Args:
        condensed: made by `condense`.
        accuracies: 0 to 1, of the networks that learned from it.
        epochs: that they were trained for.
        augmented: whether their images were changed at random.

    Returns:
        The file, or None.

    Raises:
        TypeError: condensed is no CondensedSet, or accuracies no sequence.
        ValueError: no accuracy, one that is no share, or a set that `condense` has not made.
        OSError: the file could not be written.
    """
    folder, made = os.environ.get("SIMPLEBITS_SETS"), condensed.made
    if not accuracies:
        raise ValueError("accuracies: none given; give at least one, each a share from 0 to 1")
    if "bit_depth" not in made:
        raise ValueError(f"condensed: {condensed!r} was not made by condense, so nothing says how")
    if not folder:
        return None
    measured = {
        "mean": statistics.fmean(accuracies), "sd": statistics.pstdev(accuracies), "networks": len(accuracies),
        "epochs": epochs, "augmented": augmented,
    }  # fmt: skip
    bit_weight = made["bit_weight"] if made["bit_depth"] else None
    origin, siamese = made["set"].split("/")[0], bool(made["augment"])
    name = file_name(origin, made["method"], made["images_per_class"], siamese, bit_weight)
    return replace(condensed, made=made | {"accuracy": measured}).save(Path(folder) / name, half=True)


@door
def shipped(folder: str | Path = FOLDER) -> list[str]:
    """List the names of all sets in the folder, as `file_name` makes them."""
    return sorted(path.stem for path in Path(folder).glob("*.safetensors"))


@door(renamed=RENAMED)
def load(
    name: str,
    method: Literal["gradient", "distribution"] = "gradient",
    images_per_class: Count = 1,
    *,
    siamese: bool = False,
    bit_weight: NonNegative | None = None,
    folder: str | Path = FOLDER,
) -> CondensedSet:
    """Read a condensed set that comes with the package.

    Args:
        name: of the image set: `mnist`, `fashion-mnist` or `cifar10`.
        method: `gradient` or `distribution`.
        images_per_class: how many images each class has.
        siamese: condensed under siamese augmentation.
        bit_weight: the weight of bits of a set whose images are simple too; None: one in which bits did not count.
        folder: where the sets lie; the package's own by default.

    Raises:
        ValueError: there is no such set (the nearest is named), or a damaged file.
        FileNotFoundError: a set has lost its card.

    >>> load("mnist", method="gradient", images_per_class=1)
    CondensedSet('mnist/train, gradient': 1 image per class, 10 x 1x28x28)
    """
    wanted = file_name(name, method, images_per_class, siamese, bit_weight)
    names = shipped(folder)
    if not names:
        raise ValueError(f"{folder} holds no condensed set; leave folder out for those that come with the package")
    return CondensedSet.read(Path(folder) / one_of("name", wanted, names))

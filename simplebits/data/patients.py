"""Images of patients: who is in one set must not be in the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Int64, UInt8  # noqa: F401 the constructor has the annotations of ImageSet
from torch import Tensor

from simplebits._door import door
from simplebits.data.image_set import ImageSet
from simplebits.domains import Number, Seed

_PATTERN = 6  # patients: five train, the sixth tests


@door
@dataclass(frozen=True, eq=False, repr=False)
class PatientSet(ImageSet):
    """Images, their labels, and whose they are.

    Attributes:
        images: uint8 `[n, c, h, w]`, as in `ImageSet`, with labels, classes and name.
        patients: int64 `[n]`, a number for each patient, the same in all parts of one table.

    Raises:
        TypeError: patients are no tensor; the others as in `ImageSet`.
        ValueError: patients of another length; the others as in `ImageSet`.

    >>> pixels = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    >>> PatientSet(pixels, torch.tensor([0, 0, 1]), ("F", "M"), "tiny", torch.tensor([5, 5, 7]))
    PatientSet('tiny': 3 images 1x8x8, 2 classes, 2 patients)
    """

    patients: Int64[Tensor, " n"]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.patients) != len(self.images):
            raise ValueError(
                f"patients: expected shape [{len(self.images)}], one for each image, got {list(self.patients.shape)}"
            )

    def __repr__(self) -> str:
        of_images = super().__repr__().replace("ImageSet", "PatientSet", 1)
        return f"{of_images[:-1]}, {len(self.patients.unique())} patients)"

    @door
    def folds(
        self, count: Annotated[int, Number(2, integer=True)] = 5, seed: Seed = 0
    ) -> Iterator[tuple[PatientSet, PatientSet]]:
        """Yield (train, test) for each fold of a cross-validation in which every patient is in one test set.

        Patients are dealt out in random order, those with many images first, each to the fold that has the fewest
        images so far.

        Args:
            count: of folds.
            seed: of the order.

        Raises:
            ValueError: fewer patients than folds.

        >>> pixels = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
        >>> four = PatientSet(pixels, torch.tensor([0, 0, 1, 1]), ("F", "M"), "tiny", torch.tensor([5, 5, 7, 8]))
        >>> [sorted(test.patients.tolist()) for train, test in four.folds(2)]
        [[5, 5], [7, 8]]
        """
        which, sizes = self.patients.unique(return_counts=True)
        if len(which) < count:
            raise ValueError(f"count={count}: {self.name} has images of {len(which)} patients; give at most that many")
        return self._dealt(which, sizes, count, seed)

    def _dealt(self, which: Tensor, sizes: Tensor, count: int, seed: int) -> Iterator[tuple[PatientSet, PatientSet]]:
        order = torch.randperm(len(which), generator=torch.Generator().manual_seed(seed))
        order = order[sizes[order].argsort(descending=True, stable=True)]
        load, of_fold = [0] * count, [[] for _ in range(count)]
        for i in order.tolist():
            least = load.index(min(load))
            of_fold[least].append(int(which[i]))
            load[least] += int(sizes[i])
        for k, members in enumerate(of_fold):
            test = torch.isin(self.patients, torch.tensor(members))
            yield self.subset(~test, f"{self.name}, fold {k} train"), self.subset(test, f"{self.name}, fold {k} test")


def patient_split(patients: Sequence[str]) -> dict[str, str]:
    """Tell for each patient `train` or `test`: sorted, five train and the sixth tests, as SimpleBits' code has it.

    >>> patient_split(["c", "a", "b", "a", "e", "d", "f"])["f"]
    'test'
    """
    return {name: "test" if i % _PATTERN == _PATTERN - 1 else "train" for i, name in enumerate(sorted(set(patients)))}

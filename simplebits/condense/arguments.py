"""What the arguments of this folder may be, beside what `simplebits.domains` knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from simplebits.condense.augment import Operations, SiameseAugment
from simplebits.condense.digit_augment import CropNoise, CropScaleRotate
from simplebits.domains import Number, one_of
from simplebits.networks import CLASSIFIERS


@dataclass(frozen=True)
class OneOfAugmentations:
    """An augmentation of one of these kinds, or the strategy of a siamese one."""

    kinds: tuple[type, ...]
    whole = True

    def __call__(self, argument: str, value: Any) -> Any:
        """The augmentation."""
        if isinstance(value, str | Sequence):
            return SiameseAugment(Operations()(argument, value))
        if value is not None and not isinstance(value, self.kinds):
            names = ", ".join(kind.__name__ for kind in self.kinds)
            raise TypeError(
                f"{argument}: expected a strategy such as 'crop_scale' or one of {names}, got {type(value).__name__}"
            )
        return value


@dataclass(frozen=True)
class NameOrMaker:
    """The name of a classifier, or a function that gives one with fresh weights each time."""

    whole = True

    def __call__(self, argument: str, value: Any) -> Any:
        """The name or the function as it is."""
        if isinstance(value, str):
            return one_of(argument, value, CLASSIFIERS)
        if isinstance(value, nn.Module) or not callable(value):
            raise TypeError(
                f"{argument}: expected a name, or a function that gives a network with fresh weights each time, got "
                f"{type(value).__name__}; for example lambda: sb.networks.ConvNet(10, 1, 28)"
            )
        return value


@dataclass(frozen=True)
class OneOrSeveralSeeds:
    """A seed, or several different ones; those of NumPy become Python's."""

    whole = True

    def __call__(self, argument: str, value: Any) -> int | list[int]:
        """The seed as an int, or the seeds in a list."""
        seed = Number(0, integer=True)
        value = value.tolist() if hasattr(value, "tolist") else value
        if not isinstance(value, Iterable) or isinstance(value, str):
            return int(seed(argument, value))
        seeds = [int(seed(f"{argument}[{i}]", one)) for i, one in enumerate(value)]
        if not seeds:
            raise ValueError(f"{argument}: none given; give a whole number, or several different ones")
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"{argument}={seeds!r}: one occurs twice, and would count the same run twice")
        return seeds


Strategy = str | Sequence[str]
Siamese = Annotated[Strategy | SiameseAugment | None, OneOfAugmentations((SiameseAugment,))]
Augmentation = Annotated[
    Strategy | SiameseAugment | CropScaleRotate | CropNoise | None,
    OneOfAugmentations((SiameseAugment, CropScaleRotate, CropNoise)),
]  # inside, never a strategy
NetworkMaker = Annotated[str | Callable[[], nn.Module], NameOrMaker()]
Seeds = Annotated[int | Iterable[int], OneOrSeveralSeeds()]  # inside, an int or a list

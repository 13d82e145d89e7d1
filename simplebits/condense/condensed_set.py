"""A condensed set: a few synthetic images a class, how they are to be standardised, and how they were made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from simplebits import _files
from simplebits._door import door
from simplebits.data import ImageSet, to_bytes
from simplebits.domains import Count, Device, Finite
from simplebits.networks.standardise import CONSTANTS

RENAMED = {"init": "start", "lambda_sim": "bit_weight"}  # keywords, and names on cards and in checkpoints, of before


@door
@dataclass
class CondenseHistory:
    """What a condensation went through.

    Attributes:
        losses: of each iteration: the matching loss a class (and a step of the outer loop).
        bits: bits/dim of the synthetic images, a mean for each iteration; empty without a density.
        kept: (iteration, uint8 images [n, c, h, w]) for a slider over the iterations.
        seconds: time spent, over all resumed parts.
    """

    losses: list[float] = field(default_factory=list)
    bits: list[float] = field(default_factory=list)
    kept: list[tuple[int, Tensor]] = field(default_factory=list)
    seconds: float = 0.0


@door
@dataclass(frozen=True, eq=False)
class CondensedSet:
    """Synthetic images that train a network as (nearly) the whole set does.

    Attributes:
        images: float [n, c, h, w], ordered by class. Black is 0 and white is 1, but optimised pixels are free and leave
            this range; `to_grid` and `to_image_set` clip them.
        labels: int64 [n].
        classes: the names of the classes.
        mean: what networks subtract, per channel [c].
        std: what they divide by, per channel [c].
        made: how: set, method, images per class, settings.
        history: what the condensation went through; not saved.

    Raises:
        TypeError: images, labels, mean or std are no tensors.
        ValueError: images, mean or std that are not finite, a std that is not above 0, tensors that do not fit each
            other, or classes with different numbers of images.

    >>> import simplebits as sb
    >>> digits = sb.data.load("digits", "train")
    >>> few = CondensedSet.of(sb.condense.coreset(digits, "random", 1), digits, size=8)
    >>> few
    CondensedSet('digits/train, random': 1 image per class, 10 x 1x8x8)
    """

    how_to_get: ClassVar[str] = "; condense learns one, CondensedSet.of(images, train) makes one of real images"

    images: Annotated[Float[Tensor, "n c h w"], Finite()]
    labels: Int64[Tensor, " n"]
    classes: tuple[str, ...]
    mean: Annotated[Float[Tensor, " c"], Finite()]
    std: Annotated[Float[Tensor, " c"], Finite()]
    made: dict[str, Any] = field(default_factory=dict)
    history: CondenseHistory = field(default_factory=CondenseHistory)

    def __post_init__(self) -> None:
        each = len(self.images) // max(len(self.classes), 1)
        ordered = torch.arange(len(self.classes)).repeat_interleave(each)
        if not each or not torch.equal(self.labels.cpu(), ordered):
            raise ValueError(
                f"labels: expected equally many images of each of the {len(self.classes)} classes, ordered by class, "
                f"got {self.labels.tolist()[:20]}"
            )
        if not self.mean.shape == self.std.shape == self.images.shape[1:2]:
            raise ValueError(
                f"mean, std: expected a value for each of the {self.images.shape[1]} channels, got "
                f"{list(self.mean.shape)} and {list(self.std.shape)}"
            )
        if not (self.std > 0).all():
            raise ValueError(f"std: expected values above 0, which networks divide by, got {self.std.tolist()}")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        each, shape = self.images_per_class, "x".join(str(s) for s in self.images.shape[1:])
        name = self.made.get("name", "")
        return f"CondensedSet({name!r}: {each} image{'s'[: each > 1]} per class, {len(self)} x {shape})"

    @property
    def images_per_class(self) -> int:
        """Count the images of each class."""
        return len(self.images) // len(self.classes)

    @staticmethod
    @door
    def of(images: ImageSet, train: ImageSet, size: Count | None = None, channels: Count | None = None) -> CondensedSet:
        """Take a few real images as they are, a coreset for example, to be evaluated like a condensed set.

        Args:
            images: the few.
            train: the set they are taken from, whose mean and standard deviation hold for them.
            size: height and width; None keeps them.
            channels: 1 or 3; None keeps them.

        Returns:
            The images in [0, 1], ordered by class.

        Raises:
            TypeError: images or train is no ImageSet.
            ValueError: classes with different numbers of images, or a size or channels out of range.
        """
        x = images.to_float(size, channels)
        mean, std = constants(train, x.shape[1])
        return CondensedSet(x, images.labels, images.classes, mean, std, {"name": images.name})

    @door
    def standardised(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Give (x - mean)/std, which networks see.

        Raises:
            ValueError: x has other channels than the set.
        """
        if x.shape[1] != len(self.mean):
            raise ValueError(f"x: expected {len(self.mean)} channels, as the set has, got {list(x.shape)}")
        return self._standardised(x)

    def _standardised(self, x: Tensor) -> Tensor:
        mean, std = (value.to(x.device)[:, None, None] for value in (self.mean, self.std))
        return (x - mean) / std

    def to_image_set(self) -> ImageSet:
        """Clip the images to [0, 1] and round them to bytes: what a picture shows and what bits are measured of."""
        name = str(self.made.get("name", "condensed"))
        return ImageSet(to_bytes(self.images, clip=True).cpu(), self.labels.cpu(), self.classes, name)

    def to_grid(self) -> Float[Tensor, "n c h w"]:
        """Put images in [0, 1] into the order of `report.image_grid(columns=len(classes))`: a column is a class."""
        order = torch.arange(len(self)).view(len(self.classes), -1).T.flatten()
        return self.images[order].clamp(0, 1)

    @door
    def to(self, device: Device) -> CondensedSet:
        """Move images and labels to another device; None: a GPU where there is one."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    @door
    def save(self, path: str | Path, half: bool = False) -> Path:
        """Write `path` (safetensors) and a card beside it (the same name, .json).

        Args:
            path: where to; .safetensors is appended if it has no such ending.
            half: round the images to half precision, which no network notices.

        Raises:
            OSError: a file could not be written; nothing half-written is left.
        """
        path = Path(path)
        path = path if path.suffix == ".safetensors" else path.with_name(path.name + ".safetensors")
        tensors = {"images": self.images.half() if half else self.images, "labels": self.labels}
        _files.write_tensors(path, tensors | {"mean": self.mean, "std": self.std}, {"classes": self.classes})
        card = {"made": self.made, "classes": list(self.classes), "sha256": _files.sha256(path)}
        _files.write_json(path.with_suffix(".json"), card)
        return path

    @staticmethod
    @door
    def read(path: str | Path) -> CondensedSet:
        """Read what `save` wrote. Old names on the card become those of today.

        Raises:
            FileNotFoundError: there is no such file or no card beside it.
            ValueError: the file is damaged.
        """
        path = Path(path)
        path = path if path.suffix == ".safetensors" else path.with_name(path.name + ".safetensors")
        tensors, note = _files.read_tensors(path)
        card = _files.read_json(path.with_suffix(".json"))
        if _files.sha256(path) != card.get("sha256"):
            raise ValueError(f"{path} is damaged: its SHA-256 is not the one on its card; fetch or make it again")
        on_card: dict[str, Any] = card["made"]
        made = {RENAMED.get(name, name): value for name, value in on_card.items()}
        images, classes = tensors["images"].float(), tuple(note["classes"])
        return CondensedSet(images, tensors["labels"], classes, tensors["mean"], tensors["std"], made)


def constants(train: ImageSet, channels: int) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Look up a published set's mean and standard deviation per channel; measure them of any other set."""
    if train.source in CONSTANTS and len(CONSTANTS[train.source][0]) in (1, channels):
        mean, std = (torch.tensor(values).expand(channels).clone() for values in CONSTANTS[train.source])
        return mean, std
    x = train.to_float(channels=channels)
    return x.mean((0, 2, 3)), x.std((0, 2, 3)).clamp_min(1e-3)

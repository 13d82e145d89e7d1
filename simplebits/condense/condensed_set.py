"""A condensed set: a few synthetic images a class, how they are to be standardised, and how they were made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from simplebits import _check, _files
from simplebits.data import ImageSet, to_bytes
from simplebits.networks.standardise import CONSTANTS


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

    images: Float[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]
    classes: tuple[str, ...]
    mean: Float[Tensor, " c"]
    std: Float[Tensor, " c"]
    made: dict[str, Any] = field(default_factory=dict)
    history: CondenseHistory = field(default_factory=CondenseHistory)

    def __post_init__(self) -> None:
        for name in ("images", "labels", "mean", "std"):
            if not isinstance(getattr(self, name), Tensor):
                raise TypeError(f"{name}: expected a torch.Tensor, got {type(getattr(self, name)).__name__}")
        if not self.images.is_floating_point() or self.images.dim() != 4:
            got = f"{self.images.dtype} {list(self.images.shape)}"
            raise ValueError(f"images: expected floating point values [n, c, h, w], got {got}")
        if not torch.isfinite(self.images).all():
            raise ValueError("images: holds NaN or infinity; every value must be a finite number")
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
        if not (torch.isfinite(self.mean).all() and torch.isfinite(self.std).all() and (self.std > 0).all()):
            raise ValueError(
                f"mean, std: expected finite values, std above 0, which networks divide by, got {self.mean.tolist()} "
                f"and {self.std.tolist()}"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        each, shape = self.images_per_class, "x".join(str(s) for s in self.images.shape[1:])
        name = self.made.get("name", "")
        return f"CondensedSet({name!r}: {each} image{'s'[: each > 1]} per class, {len(self)} x {shape})"

    @property
    def images_per_class(self) -> int:
        """Number of images of each class."""
        return len(self.images) // len(self.classes)

    @staticmethod
    def of(images: ImageSet, train: ImageSet, size: int | None = None, channels: int | None = None) -> CondensedSet:
        """A few real images as they are, a coreset for example, to be evaluated like a condensed set.

        Args:
            images: the few.
            train: the set they are taken from, whose mean and standard deviation hold for them.
            size: height and width; None keeps them.
            channels: 1 or 3; None keeps them.

        Returns:
            The images in [0, 1], ordered by class.

        Raises:
            TypeError: images or train is no ImageSet.
            ValueError: classes with different numbers of images.
        """
        for name, value in {"images": images, "train": train}.items():
            _check.image_set(name, value)
        x = images.to_float(size, channels)
        mean, std = constants(train, x.shape[1])
        return CondensedSet(x, images.labels, images.classes, mean, std, {"name": images.name})

    def standardised(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """(x - mean)/std: what networks see."""
        mean, std = (value.to(x.device)[:, None, None] for value in (self.mean, self.std))
        return (x - mean) / std

    def to_image_set(self) -> ImageSet:
        """The images clipped to [0, 1] and rounded to bytes: what a picture shows and what bits are measured of."""
        name = str(self.made.get("name", "condensed"))
        return ImageSet(to_bytes(self.images).cpu(), self.labels.cpu(), self.classes, name)

    def to_grid(self) -> Float[Tensor, "n c h w"]:
        """Images in [0, 1] in the order of `report.image_grid(columns=len(classes))`: a column is a class."""
        order = torch.arange(len(self)).view(len(self.classes), -1).T.flatten()
        return self.images[order].clamp(0, 1)

    def to(self, device: torch.device | str) -> CondensedSet:
        """The same on another device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

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
    def read(path: str | Path) -> CondensedSet:
        """What `save` wrote.

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
        return CondensedSet(
            tensors["images"].float(), tensors["labels"], tuple(note["classes"]), tensors["mean"], tensors["std"],
            card["made"],
        )  # fmt: skip


def constants(train: ImageSet, channels: int) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """Mean and standard deviation per channel: the published ones of sets that have some, else measured on this one."""
    name = train.name.split("/")[0]
    if name in CONSTANTS and len(CONSTANTS[name][0]) in (1, channels):
        mean, std = (torch.tensor(values).expand(channels).clone() for values in CONSTANTS[name])
        return mean, std
    x = train.to_float(channels=channels)
    return x.mean((0, 2, 3)), x.std((0, 2, 3)).clamp_min(1e-3)

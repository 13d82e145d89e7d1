"""A labelled set of images, held as bytes and converted to floats by the batch: how images travel here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, ClassVar, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from simplebits import _check
from simplebits._door import door
from simplebits.domains import INTEGER, Count, Finite, Positions, Seed, ToDevice

_HALF_A_LEVEL = 0.5 / 255  # what rounding takes back
_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow and torchvision turn colour into grey
Set = TypeVar("Set", bound="ImageSet")


def grey_or_colour(argument: str, value: Any) -> int:
    """Check the channels that an image can have, 1 or 3, and return them; the domain `Channels`."""
    channels = int(INTEGER(argument, value))
    if channels not in (1, 3):
        raise ValueError(f"{argument}={value!r}: give 1 (grey), 3 (colour) or None (as they are)")
    return channels


grey_or_colour.whole = True  # it checks the bare int too
Channels = Annotated[int, grey_or_colour] | None


@door
def to_float(
    images: UInt8[Tensor, "n c h w"],
    size: Count | None = None,
    channels: Channels = None,
    device: ToDevice = None,
) -> Float[Tensor, "n C H W"]:
    """Convert bytes to floats in [0, 1], by the one rule for size and channels (SimpleBits, appendix S2).

    Size: bilinear, corners not aligned, no antialiasing. Channels: grey is replicated, colour becomes luma (ITU-R 601).
    The move to the device comes before the conversion: a byte travels instead of four.

    Args:
        images: values 0 to 255.
        size: height and width to come out with; None keeps them.
        channels: 1 or 3; None keeps them.
        device: where the result lies; None: where the images are.

    Raises:
        TypeError: not a tensor.
        ValueError: not uint8, not four axes, channels other than 1 and 3, or no pixels to resize.

    >>> to_float(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8), size=4, channels=3).shape
    torch.Size([1, 3, 4, 4])
    """
    _grey_or_colour_images(images)
    return _to_float(images, size, channels, device)


def _to_float(
    images: UInt8[Tensor, "n c h w"], size: int | None, channels: int | None, device: torch.device | str | None
) -> Float[Tensor, "n C H W"]:
    x = images.to(device if device is not None else images.device).to(torch.get_default_dtype()) / 255
    if channels == 1 and x.shape[1] == 3:
        x = (x * x.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)
    if size is not None and (size, size) != tuple(x.shape[2:]):
        if x.numel() == 0:
            raise ValueError(f"images: shape {list(images.shape)} holds nothing to resize; give at least one image")
        x = F.interpolate(x, (size, size), mode="bilinear", align_corners=False)
    if channels == 3 and x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1).contiguous()
    return x


@door
def to_bytes(
    x: Annotated[Float[Tensor, "n c h w"], Finite(filled=False)], clip: bool = False
) -> UInt8[Tensor, "n c h w"]:
    """Round floats in [0, 1] to the nearest of the 256 grey levels.

    Args:
        x: images, black 0 and white 1.
        clip: take what leaves [0, 1] to its end, as in the free pixels of a condensed set; else it is refused.

    Raises:
        TypeError: not a tensor.
        ValueError: not floating point, not four axes, NaN or infinity, or values outside [0, 1] without `clip`.

    >>> to_bytes(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)).flatten().tolist()
    [0, 128, 255]
    """
    if x.numel() and not clip:
        low, high = float(x.min()), float(x.max())
        if low < -_HALF_A_LEVEL or high > 1 + _HALF_A_LEVEL:
            raise ValueError(
                f"x: expected images in [0, 1], got values from {low:.4g} to {high:.4g}; divide by the largest grey "
                f"level (255, or 65535 of 16 bits), undo a standardisation (x * std + mean), or give clip=True"
            )
    return _to_bytes(x)


def _to_bytes(x: Float[Tensor, "n c h w"]) -> UInt8[Tensor, "n c h w"]:
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)


@door
@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images and their labels.

    Attributes:
        images: uint8 `[n, c, h, w]`, c = 1 or 3.
        labels: int64 `[n]`, each in 0 .. len(classes) - 1.
        classes: the names of the classes.
        name: how the set was asked for, `mnist/test` for example.
        source: the published set that these images are from, as `load` names it: what its published mean and standard
            deviation hold for. Empty for images of one's own, whatever their name.

    Raises:
        TypeError: images or labels are not tensors, or a class has no name.
        ValueError: wrong dtype, shape, length, or a label out of range.

    >>> tiny = ImageSet(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]), ("zero", "one"), "tiny")
    >>> tiny.to_float(size=16, channels=3).shape
    torch.Size([2, 3, 16, 16])
    """

    how_to_get: ClassVar[str] = "; simplebits.data.load gives one"

    images: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]
    classes: tuple[str, ...]
    name: str
    source: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        _grey_or_colour_images(self.images)
        if len(self.labels) != len(self.images):
            raise ValueError(
                f"labels: expected shape [{len(self.images)}], one for each image, got {list(self.labels.shape)}"
            )
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise ValueError(
                f"labels: must lie in 0 .. {len(self.classes) - 1} for {len(self.classes)} classes, "
                f"got {int(self.labels.min())} .. {int(self.labels.max())}"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        n, c, h, w = self.images.shape
        return f"ImageSet({self.name!r}: {n} images {c}x{h}x{w}, {len(self.classes)} classes)"

    @door
    def to_float(
        self, size: Count | None = None, channels: Channels = None, device: ToDevice = None
    ) -> Float[Tensor, "n C H W"]:
        """Convert all images to [0, 1]; arguments and errors as in `simplebits.data.to_float`."""
        return _to_float(self.images, size, channels, device)

    @door
    def batches(
        self,
        batch_size: Count,
        size: Count | None = None,
        channels: Channels = None,
        device: ToDevice = None,
        generator: torch.Generator | None = None,
    ) -> Iterator[tuple[Float[Tensor, "b C H W"], Int64[Tensor, " b"]]]:
        """Yield (images in [0, 1], labels) by the batch, converted on the device; shuffled if there is a generator."""
        order = torch.arange(len(self)) if generator is None else torch.randperm(len(self), generator=generator)
        for index in order.split(batch_size):
            yield (
                _to_float(self.images[index], size, channels, device),
                self.labels[index].to(device or self.labels.device),
            )

    @door
    def resized(self, size: Count) -> ImageSet:
        """Bring all images to another height and width, by the rule of `to_float`, as bytes again.

        >>> ImageSet(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]), ("a", "b"), "tiny").resized(4)
        ImageSet('tiny': 2 images 1x4x4, 2 classes)
        """
        images = torch.cat([_to_bytes(_to_float(part, size, None, None)) for part in self.images.split(1000)])
        return ImageSet(images, self.labels, self.classes, self.name, source=self.source)

    @door
    def subset(self: Set, index: Positions, name: str | None = None) -> Set:
        """Take the images at these positions, in this order, with all that the set holds of them.

        Args:
            index: a list, range, slice or integer array of positions, from the end where negative; or a mask of True
                and False, one for each image.
            name: of the result; None: this set's.

        Raises:
            ValueError: a position that does not exist, a mask of another length, or what is neither.
        """
        rows = _check.places("index", index, len(self)).to(self.images.device)
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        taken = {key: value[rows] for key, value in content.items() if isinstance(value, Tensor)}
        return replace(self, **taken, name=name or self.name)

    @door
    def with_classes(self: Set, classes: Sequence[str]) -> Set:
        """Renumber the labels as another set numbers the classes of the same names.

        Whatever trains on one set and tests on another does this first: a label is a position, and the same position
        may mean another class in a set that was read from other folders.

        Args:
            classes: all names in the order that is wanted; this set need not have images of each.

        Raises:
            ValueError: a class of this set is not among them.

        >>> pets = ImageSet(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]), ("cat", "dog"), "pets")
        >>> pets.with_classes(("dog", "cat")).labels
        tensor([1, 0])
        """
        return _numbered_as("classes", self, classes)

    @door
    def draw(self: Set, n: Count, seed: Seed = 0) -> Set:
        """Draw n images without replacement; the same ones for the same seed.

        Raises:
            ValueError: n < 1 or more than there are.
        """
        if n > len(self):
            raise ValueError(f"n={n}: {self.name} holds {len(self)} images; give at most that many")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self.subset(order[:n])

    @door
    def balanced(self: Set, most: Count | None = None) -> Set:
        """Cut all classes to the size of the smallest: the first images of each stay, in their order.

        Args:
            most: images of each class at most; None: as many as the smallest class has.

        Raises:
            ValueError: a class without an image.

        >>> four = ImageSet(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 0, 1, 0]), ("a", "b"), "four")
        >>> four.balanced().labels.tolist()
        [0, 1]
        """
        sizes = self.labels.bincount(minlength=len(self.classes))
        if int(sizes.min()) == 0:
            empty = [name for name, size in zip(self.classes, sizes.tolist(), strict=True) if not size]
            raise ValueError(f"{self.name} has no image of {', '.join(empty)}; take classes that it has images of")
        each = int(sizes.min()) if most is None else min(most, int(sizes.min()))
        kept = [(self.labels == c).nonzero()[:each, 0] for c in range(len(self.classes))]
        return self.subset(torch.cat(kept).sort().values)


def _numbered_as(argument: str, images: Set, classes: Sequence[str]) -> Set:
    """Renumber labels as `classes` are numbered; the message of an error names the argument that `images` came as."""
    if images.classes == tuple(classes):
        return images
    unknown = [name for name in images.classes if name not in classes]
    if unknown:
        raise ValueError(
            f"{argument}: {images.name} has a class {unknown[0]!r}, which is not among those learned: {_few(classes)}. "
            f"If labels mean the same classes by position, say so: dataclasses.replace(images, classes=train.classes)"
        )
    places = torch.tensor([list(classes).index(name) for name in images.classes], device=images.labels.device)
    return replace(images, labels=places[images.labels], classes=tuple(classes))


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _grey_or_colour_images(images: Tensor) -> None:
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images: expected shape [n, c, h, w] with c = 1 or 3, got {list(images.shape)}")

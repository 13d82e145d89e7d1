"""A labelled set of images, held as bytes and converted to floats by the batch: how images travel here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from simplebits import _check

_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow and torchvision turn colour into grey


def to_float(
    images: UInt8[Tensor, "n c h w"],
    size: int | None = None,
    channels: int | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, "n C H W"]:
    """Bytes to floats in [0, 1], by the one rule for size and channels (SimpleBits, appendix S2).

    Size: bilinear, corners not aligned, no antialiasing. Channels: grey is replicated, colour becomes luma (ITU-R 601).
    The move to the device comes before the conversion: a byte travels instead of four.

    Args:
        images: values 0 to 255.
        size: height and width to come out with; None keeps them.
        channels: 1 or 3; None keeps them.
        device: where the result lies; None: where the images are.

    Raises:
        TypeError: not a tensor.
        ValueError: not uint8, not four axes, or channels other than 1 and 3.

    >>> to_float(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8), size=4, channels=3).shape
    torch.Size([1, 3, 4, 4])
    """
    _check_bytes("images", images)
    if channels not in (None, 1, 3):
        raise ValueError(f"channels={channels!r}: give 1 (grey), 3 (colour) or None (as they are)")
    if size is not None:
        _check.positive("size", size, integer=True)
    x = images.to(device if device is not None else images.device).float() / 255
    if channels == 1 and x.shape[1] == 3:
        x = (x * x.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)
    if size is not None and (size, size) != tuple(x.shape[2:]):
        x = F.interpolate(x, (size, size), mode="bilinear", align_corners=False)
    if channels == 3 and x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1).contiguous()
    return x


def to_bytes(x: Float[Tensor, "n c h w"]) -> UInt8[Tensor, "n c h w"]:
    """Floats in [0, 1] to the nearest of the 256 grey levels."""
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images and their labels.

    Attributes:
        images: uint8 `[n, c, h, w]`, c = 1 or 3.
        labels: int64 `[n]`, each in 0 .. len(classes) - 1.
        classes: the names of the classes.
        name: how the set was asked for, `mnist/test` for example.

    Raises:
        TypeError: images or labels are not tensors.
        ValueError: wrong dtype, shape, length, or a label out of range.

    >>> tiny = ImageSet(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]), ("zero", "one"), "tiny")
    >>> tiny.to_float(size=16, channels=3).shape
    torch.Size([2, 3, 16, 16])
    """

    images: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]
    classes: tuple[str, ...]
    name: str

    def __post_init__(self) -> None:
        _check_bytes("images", self.images)
        if not isinstance(self.labels, Tensor) or self.labels.dtype != torch.int64:
            got = self.labels.dtype if isinstance(self.labels, Tensor) else type(self.labels).__name__
            raise TypeError(f"labels: expected an int64 tensor, got {got}")
        if self.labels.shape != (len(self.images),):
            raise ValueError(
                f"labels: expected shape [{len(self.images)}], one for each image, got {list(self.labels.shape)}"
            )
        object.__setattr__(self, "classes", tuple(self.classes))
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

    def to_float(
        self, size: int | None = None, channels: int | None = None, device: torch.device | str | None = None
    ) -> Float[Tensor, "n C H W"]:
        """All images in [0, 1]; arguments and errors as in `simplebits.data.to_float`."""
        return to_float(self.images, size, channels, device)

    def batches(
        self,
        batch_size: int,
        size: int | None = None,
        channels: int | None = None,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> Iterator[tuple[Float[Tensor, "b C H W"], Int64[Tensor, " b"]]]:
        """Yield (images in [0, 1], labels) by the batch, converted on the device; shuffled if there is a generator."""
        _check.positive("batch_size", batch_size, integer=True)
        order = torch.arange(len(self)) if generator is None else torch.randperm(len(self), generator=generator)
        for index in order.split(batch_size):
            yield (
                to_float(self.images[index], size, channels, device),
                self.labels[index].to(device or self.labels.device),
            )

    def subset(self, index: Sequence[int] | Tensor, name: str | None = None) -> ImageSet:
        """The images at these positions (numbers or a boolean mask), in this order."""
        index = torch.as_tensor(index)
        return replace(self, images=self.images[index], labels=self.labels[index], name=name or self.name)

    def draw(self, n: int, seed: int = 0) -> ImageSet:
        """n images drawn without replacement; the same ones for the same seed.

        Raises:
            ValueError: n < 1 or more than there are.
        """
        _check.positive("n", n, integer=True)
        if n > len(self):
            raise ValueError(f"n={n}: {self.name} holds {len(self)} images; give at most that many")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self.subset(order[:n])


def _check_bytes(argument: str, images: Tensor) -> None:
    if not isinstance(images, Tensor):
        raise TypeError(f"{argument}: expected a torch.Tensor [n, c, h, w], got {type(images).__name__}")
    if images.dtype != torch.uint8:
        raise ValueError(
            f"{argument}: expected dtype uint8 (0 to 255), got {images.dtype}; data.to_bytes converts floats"
        )
    if images.dim() != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"{argument}: expected shape [n, c, h, w] with c = 1 or 3, got {list(images.shape)}")

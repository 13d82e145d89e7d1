"""Real images by class: what the synthetic images of a class are compared with."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from simplebits.data import ImageSet, to_float


class ClassBatches:
    """Draws batches of one class from a set.

    Args:
        train: the set.
        least: images that every class must have.
        size: height and width of the batches.
        channels: of the batches.
        device: of the batches.

    Raises:
        ValueError: a class with no image, or with fewer than `least`.

    >>> import simplebits as sb
    >>> batches = ClassBatches(sb.data.load("digits", "train"), 1, size=8, channels=1)
    >>> batches.draw(3, 5, torch.Generator().manual_seed(0)).shape
    torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self, train: ImageSet, least: int, size: int, channels: int, device: torch.device | str = "cpu"
    ) -> None:
        self.images, self.size, self.channels, self.device = train.images, size, channels, device
        self.members = [(train.labels == c).nonzero().flatten() for c in range(len(train.classes))]
        for name, own in zip(train.classes, self.members, strict=True):
            if not len(own):
                raise ValueError(f"train: class {name!r} of {train.name} has no image; take it out of the classes")
            if len(own) < least:
                raise ValueError(
                    f"images_per_class={least}: class {name!r} of {train.name} has {len(own)} images; give at most "
                    f"that many"
                )

    def __len__(self) -> int:
        return len(self.members)

    def draw(self, c: int, n: int, generator: torch.Generator) -> Float[Tensor, "_ c h w"]:
        """n images of class c in [0, 1], without repetition; all, shuffled, if it has no more than n."""
        own = self.members[c]
        index = own[torch.randperm(len(own), generator=generator)[:n]]
        return to_float(self.images[index], self.size, self.channels, self.device)

    def all(self, n: int, generator: torch.Generator) -> Iterator[Float[Tensor, "_ c h w"]]:
        """Such a batch of each class."""
        return (self.draw(c, n, generator) for c in range(len(self)))

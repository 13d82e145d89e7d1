"""Real images by class: what the synthetic images of a class are compared with."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from simplebits._door import door
from simplebits.condense.arguments import members_fit
from simplebits.data import ImageSet, to_float
from simplebits.domains import Count, CountOrZero, Device


@door
class ClassBatches:
    """Draws batches of one class from a set.

    Args:
        train: the set.
        least: images that every class must have.
        size: height and width of the batches.
        channels: of the batches, 1 or 3.
        device: of the batches; None: a GPU where there is one.

    Raises:
        TypeError: train is no ImageSet.
        ValueError: a class with no image, or with fewer than `least`.

    >>> import simplebits as sb
    >>> batches = ClassBatches(sb.data.load("digits", "train"), 1, size=8, channels=1)
    >>> batches.draw(3, 5, torch.Generator().manual_seed(0)).shape
    torch.Size([5, 1, 8, 8])
    """

    def __init__(self, train: ImageSet, least: Count, size: Count, channels: Count, device: Device = None) -> None:
        self.images = train.images
        self.size, self.channels = size, channels
        self.device = device
        self.members = [(train.labels == c).nonzero().flatten() for c in range(len(train.classes))]
        members_fit(train, self.members, least)

    def __len__(self) -> int:
        return len(self.members)

    @door
    def draw(self, c: CountOrZero, n: Count, generator: torch.Generator) -> Float[Tensor, "_ c h w"]:
        """Draw n images of class c in [0, 1], without repetition; all, shuffled, if the class has no more than n."""
        if c >= len(self):
            raise ValueError(f"c={c}: the set has the classes 0 to {len(self) - 1}; give one of them")
        return self._draw(c, n, generator)

    @door
    def all(self, n: Count, generator: torch.Generator) -> Iterator[Float[Tensor, "_ c h w"]]:
        """Draw such a batch of each class in turn."""
        return (self._draw(c, n, generator) for c in range(len(self)))

    def _draw(self, c: int, n: int, generator: torch.Generator) -> Tensor:
        members = self.members[c]
        index = members[torch.randperm(len(members), generator=generator)[:n]]
        return to_float(self.images[index], self.size, self.channels, self.device)

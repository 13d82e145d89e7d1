"""What masking means: which values of an input go together as one feature, and what stands where they are masked."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from simplebits._door import door
from simplebits.subsets.arguments import IMAGE_BATCH, Fill, Inputs, Mask, broadcast_fits


@door
def masked(x: Inputs, mask: Mask, fill: Fill = 0.0) -> Float[Tensor, "*x"]:
    """Replace the masked part of an input: x where the mask is True, the fill elsewhere.

    Args:
        x: one input, or a batch of images [n, c, h, w].
        mask: True is kept. It broadcasts to x: [h, w] or [1, h, w] for all channels of a pixel; for a batch either one
            for all images or [n, 1, h, w].
        fill: a number, or a tensor that broadcasts to x, as the mean pixel [c, 1, 1].

    Raises:
        TypeError: not tensors, or a mask that is not boolean.
        ValueError: an x that is no input, a mask or fill that does not broadcast to it, or a fill that is not finite.

    >>> masked(torch.ones(3, 2, 2), torch.eye(2, dtype=torch.bool))[0]
    tensor([[1., 0.],
            [0., 1.]])
    """
    features = Features.of(as_batch(x), mask, fill)
    return features.apply(features.kept).view(x.shape)


def as_batch(x: Float[Tensor, "*x"]) -> Float[Tensor, "..."]:
    """Make a single input a batch of one; a batch stays as it is."""
    return x if x.dim() == IMAGE_BATCH else x[None]


@dataclass(frozen=True)
class Features:
    """A batch of inputs, laid out flat, and the features that can be masked in them.

    Attributes:
        x: the inputs, [n, d].
        fill: what stands where a feature is masked, [n, d].
        kept: the features that are not masked from the start, [n, m].
        positions: the values that belong to each feature, [m, q]; m q = d.
        shape: of one input.
        grid: of the features of one input, without a channel axis that they share: [h, w] for images.
    """

    x: Float[Tensor, "n d"]
    fill: Float[Tensor, "n d"]
    kept: Bool[Tensor, "n m"]
    positions: Int64[Tensor, "m q"]
    shape: tuple[int, ...]
    grid: tuple[int, ...]

    @classmethod
    def of(cls, x: Tensor, mask: Tensor | None, fill: float | Tensor) -> Features:
        """Lay out inputs [n, *shape]; the elements of the mask are the features; without one, pixels or all values.

        Raises:
            ValueError: a mask or fill that does not broadcast to x.
        """
        n, shape = x.shape[0], tuple(x.shape[1:])
        if mask is None:
            mask = torch.ones((1, *shape[1:]) if len(shape) == 3 else shape, dtype=torch.bool, device=x.device)
        broadcast_fits("mask", mask, x)
        masks = mask.shape[0] if mask.dim() == x.dim() else 1
        cells = (1,) * (x.dim() - 1 - mask.dim()) + tuple(mask.shape[-(x.dim() - 1) :])
        fill = torch.as_tensor(fill, dtype=x.dtype, device=x.device)
        broadcast_fits("fill", fill, x)
        m = torch.Size(cells).numel()
        feature_of_value = torch.arange(m, device=x.device).view(cells).expand(shape).flatten()
        return cls(
            x=x.detach().reshape(n, -1),
            fill=fill.expand(x.shape).reshape(n, -1),
            kept=mask.to(x.device).reshape(masks, m).expand(n, m).clone(),
            positions=feature_of_value.argsort(stable=True).view(m, -1),
            shape=shape,
            grid=cells[1:] if len(cells) == 3 and cells[0] == 1 else cells,
        )

    def apply(self, kept: Bool[Tensor, "n m"]) -> Float[Tensor, "n ..."]:
        """Fill all features but these in the inputs [n, *shape]."""
        spread = torch.empty_like(self.x, dtype=torch.bool)
        spread[:, self.positions] = kept[..., None].expand(-1, -1, self.positions.shape[1])
        return torch.where(spread, self.x, self.fill).view(-1, *self.shape)

    def take(self, rows: Int64[Tensor, " r"]) -> Features:
        """Select inputs, whose features are the same."""
        return Features(self.x[rows], self.fill[rows], self.kept[rows], self.positions, self.shape, self.grid)

    def unravel(self, feature: Int64[Tensor, "*k"]) -> Int64[Tensor, "*k dims"]:
        """Turn row-major indices of features into indices of their grid, row and column for images."""
        return torch.stack(torch.unravel_index(feature, self.grid), -1)

"""What masking means: which values of an input go together as one feature, and what stands where they are masked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

IMAGE_BATCH = 4  # axes of a batch of images; an input with fewer is a single one


def masked(x: Float[Tensor, "*x"], mask: Bool[Tensor, "*m"], fill: float | Float[Tensor, "*f"] = 0.0) -> Tensor:
    """The input with its masked part replaced: x where the mask is True, the fill elsewhere.

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
    """A batch of images as it is, a single input as a batch of one.

    Raises:
        TypeError: x is no tensor.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"x: expected a torch.Tensor, one input or a batch of images, got {type(x).__name__}")
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
        """Those of inputs [n, *shape]; the elements of the mask are the features, without one: pixels, or all values.

        Raises:
            TypeError: not tensors, or a mask that is not boolean.
            ValueError: x empty or with NaN, a mask or fill that does not broadcast to it, or a fill that is not finite.
        """
        _check_inputs(x)
        n, shape = x.shape[0], tuple(x.shape[1:])
        cells = (1, *shape[1:]) if len(shape) == 3 else shape
        if mask is None:
            mask = torch.ones(cells, dtype=torch.bool, device=x.device)
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
            got = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
            raise TypeError(f"mask: expected a boolean tensor, True where a feature is kept, got {got}")
        _check_broadcast("mask", mask, x)
        own = mask.shape[0] if mask.dim() == x.dim() else 1
        cells = (1,) * (x.dim() - 1 - mask.dim()) + tuple(mask.shape[-(x.dim() - 1) :])
        if isinstance(fill, Tensor):
            _check_broadcast("fill", fill, x)
            if not bool(fill.isfinite().all()):
                raise ValueError("fill: holds NaN or infinity; every value must be a finite number")
        elif isinstance(fill, bool) or not isinstance(fill, int | float) or not math.isfinite(fill):
            raise ValueError(f"fill={fill!r}: give a finite number, or a tensor that broadcasts to {_of(x)}")
        fill = torch.as_tensor(fill, dtype=x.dtype, device=x.device)
        m = torch.Size(cells).numel()
        feature_of_value = torch.arange(m, device=x.device).view(cells).expand(shape).flatten()
        return cls(
            x=x.detach().reshape(n, -1),
            fill=fill.expand(x.shape).reshape(n, -1),
            kept=mask.to(x.device).reshape(own, m).expand(n, m).clone(),
            positions=feature_of_value.argsort(stable=True).view(m, -1),
            shape=shape,
            grid=cells[1:] if len(cells) == 3 and cells[0] == 1 else cells,
        )

    def apply(self, kept: Bool[Tensor, "n m"]) -> Tensor:
        """The inputs [n, *shape] with only these features."""
        spread = torch.empty_like(self.x, dtype=torch.bool)
        spread[:, self.positions] = kept[..., None].expand(-1, -1, self.positions.shape[1])
        return torch.where(spread, self.x, self.fill).view(-1, *self.shape)

    def mask_one_more(
        self, inputs: Float[Tensor, "r d"], rows: Int64[Tensor, " k"], feature: Int64[Tensor, " k"]
    ) -> None:
        """Put the fill where one feature of each of these rows is, in place."""
        where = self.positions[feature]
        inputs[rows[:, None], where] = self.fill[rows].gather(1, where)

    def take(self, rows: Int64[Tensor, " r"]) -> Features:
        """The same for some of the inputs."""
        return Features(self.x[rows], self.fill[rows], self.kept[rows], self.positions, self.shape, self.grid)

    def unravel(self, feature: Int64[Tensor, "*k"]) -> Int64[Tensor, "*k dims"]:
        """Row-major indices of features into their grid, row and column for images."""
        return torch.stack(torch.unravel_index(feature, self.grid), -1)


def _check_inputs(x: Tensor) -> None:
    if not x.is_floating_point():
        hint = "; divide uint8 images by 255 (ImageSet.to_float does)" if x.dtype == torch.uint8 else ""
        raise ValueError(f"x: expected floating point values, got dtype {x.dtype}{hint}")
    if not 2 <= x.dim() <= IMAGE_BATCH or x.numel() == 0:
        raise ValueError(
            f"x: expected one input of 1 to 3 axes, as [c, h, w], or a batch of images [n, c, h, w], none of them "
            f"empty; got {list(x.shape[1:] if x.shape[:1] == (1,) else x.shape)}"
        )
    if not bool(x.isfinite().all()):
        raise ValueError("x: holds NaN or infinity; every value must be a finite number")


def _check_broadcast(argument: str, given: Tensor, x: Tensor) -> None:
    try:
        ok = torch.broadcast_shapes(given.shape, x.shape) == x.shape
    except RuntimeError:
        ok = False
    if not ok:
        many = x.dim() == IMAGE_BATCH and x.shape[0] > 1
        hint = f"; one for each image is [{x.shape[0]}, 1, h, w]" if given.dim() == 3 and many else ""
        raise ValueError(f"{argument}: shape {list(given.shape)} does not broadcast to x, {_of(x)}{hint}")


def _of(x: Tensor) -> list[int]:
    """The shape of what the caller gave: a batch of one may have been a single input."""
    return list(x.shape[1:] if x.shape[0] == 1 else x.shape)

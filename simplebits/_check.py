"""Checks at the boundary: wrong input gets a sentence that names the argument, what came and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from simplebits.domains import Number, UnitInterval, dtype_and_shape, nearest, one_of, refuse_kind

__all__ = ["beside", "fits", "image_batch", "nearest", "one_of", "own_statistics", "places", "positive", "shape"]


def positive(argument: str, value: float, *, allow_zero: bool = False, integer: bool = False) -> None:
    """Raise ValueError unless `value` is a finite number above zero (or zero, where allowed), NumPy's included."""
    Number(0, open_low=not allow_zero, integer=integer)(argument, value)


def image_batch(argument: str, x: Tensor) -> None:
    """Raise unless `x` is what the domain `Images` lets in: floats [n, c, h, w] in [0, 1], not empty."""
    hint: Any = Float[Tensor, "n c h w"]
    UnitInterval()(argument, dtype_and_shape(argument, x, hint))


def fits(
    argument: str, x: Tensor, *, channels: int | None = None, size: int | None = None, like: Tensor | None = None
) -> None:
    """Raise ValueError unless images [n, c, h, w] have the channels, the size, and the dtype and device of a model.

    Args:
        argument: the caller's name for `x`, for the message.
        x: images that the door has let in.
        channels: that the model takes; None: any.
        size: height and width that the model takes; None: any.
        like: a weight of the model; None: any dtype and device.
    """
    shape(argument, x, "n", "c", "h", "w")
    if like is not None and (x.dtype, x.device) != (like.dtype, like.device):
        raise ValueError(
            f"{argument}: expected {like.dtype} on {like.device}, as the model's weights, got {x.dtype} on {x.device}; "
            f"move one to the other with .to(...)"
        )
    wanted = [channels or x.shape[1], size or x.shape[2], size or x.shape[3]]
    if list(x.shape[1:]) != wanted:
        raise ValueError(
            f"{argument}: expected shape {['n', *wanted]}, got {list(x.shape)}; "
            f"ImageSet.to_float(size={wanted[1]}, channels={wanted[0]}) converts"
        )


def shape(argument: str, x: Tensor, *sizes: int | str) -> None:
    """Raise unless the tensor has floating point values and these sizes, where a letter stands for any above 0.

    A batch, the letter n, may be empty. The values are not looked at: this is what `forward` can afford in a loop.

    >>> shape("x", torch.zeros(2, 3, 8, 8), "n", 3, "h", "w")
    """
    if not isinstance(x, Tensor):
        refuse_kind(argument, x, Tensor, f" [{', '.join(map(str, sizes))}]")
    if not x.is_floating_point():
        how = "divide uint8 images by 255" if x.dtype == torch.uint8 else "convert with .float()"
        raise ValueError(f"{argument}: expected floating point values, got dtype {x.dtype}; {how}")
    if x.dim() == len(sizes) and all(
        want == got if type(want) is int else got or want == "n" for want, got in zip(sizes, x.shape, strict=True)
    ):
        return
    hint = f"; add a batch axis with {argument}[None]" if x.dim() + 1 == len(sizes) else ""
    if x.dim() == len(sizes) == 4 and sizes[1] in (1, 3) and type(sizes[3]) is int:  # images
        hint = f"; ImageSet.to_float(size={sizes[3]}, channels={sizes[1]}) converts"
    raise ValueError(f"{argument}: expected shape [{', '.join(map(str, sizes))}], got {list(x.shape)}{hint}")


def beside(argument: str, x: Tensor, weight: Tensor) -> None:
    """Raise ValueError where a tensor cannot meet a weight: on another device, or in double precision alone."""
    if x.device != weight.device or (x.dtype == torch.float64 != weight.dtype):
        raise ValueError(
            f"{argument}: expected {weight.dtype} on {weight.device}, as the network's weights, got {x.dtype} on "
            f"{x.device}; move one to the other with .to(...)"
        )


def places(argument: str, index: Sequence[int] | slice | Tensor, n: int) -> Tensor:
    """Convert positions below n, of the kinds that the domain `Positions` lets in, to int64.

    Raises:
        ValueError: a mask of another length, or a position that does not exist.

    >>> places("index", slice(None, None, -2), 5)
    tensor([4, 2, 0])
    """
    if isinstance(index, slice):
        return torch.tensor(range(n)[index], dtype=torch.int64)
    index = torch.as_tensor(index)
    if index.dtype == torch.bool:
        if len(index) != n:
            raise ValueError(f"{argument}: a mask needs one value for each of {n}, got {len(index)}")
        return index.nonzero()[:, 0]
    if len(index) and not -n <= int(index.min()) <= int(index.max()) < n:
        raise ValueError(f"{argument}: positions of {n} end at {n - 1}, got {int(index.min())} .. {int(index.max())}")
    return index


def own_statistics(argument: str, network: nn.Module) -> None:
    """Raise ValueError if a layer normalises with the statistics of the batch even in evaluation mode.

    What such a network says of an image depends on the images beside it.
    """
    for name, layer in network.named_modules():
        if isinstance(layer, _BatchNorm) and layer.running_mean is None:
            raise ValueError(
                f"{argument}: its batch normalisation {name or type(layer).__name__!r} keeps no running statistics, so "
                f"that an image's logits depend on the others of its batch; build it with track_running_stats=True"
            )

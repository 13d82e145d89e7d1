"""Checks at the boundary: wrong input gets a sentence that names the argument, what came and what is allowed."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def nearest(name: str, known: Iterable[str]) -> str:
    """The clause of an error message that names the known spelling closest to `name`, and all others.

    >>> nearest("minst", ["mnist", "usps"])
    "did you mean 'mnist'? Known: mnist, usps."
    """
    spelled = {option.lower().replace("_", "-"): option for option in known}
    close = difflib.get_close_matches(str(name).lower().replace("_", "-"), spelled, n=1, cutoff=0.5)
    return (f"did you mean {spelled[close[0]]!r}? " if close else "") + f"Known: {', '.join(spelled.values())}."


def one_of(argument: str, value: str, known: Iterable[str]) -> str:
    """Return `value` if it is one of `known`; a ValueError with the nearest spelling otherwise."""
    known = list(known)
    if value not in known:
        raise ValueError(f"{argument}={value!r} is not known; {nearest(value, known)}")
    return value


def positive(argument: str, value: float, *, allow_zero: bool = False, integer: bool = False) -> None:
    """Raise ValueError unless `value` is a finite number above zero (or zero, where allowed), NumPy's included."""
    ok = (
        isinstance(value, numbers.Integral if integer else numbers.Real)
        and not isinstance(value, bool)
        and value == value
        and abs(value) != float("inf")
    )
    if not ok or value < 0 or (value == 0 and not allow_zero):
        kind = "a whole number" if integer else "a number"
        raise ValueError(f"{argument}={value!r}: give {kind} {'of at least 0' if allow_zero else 'above 0'}")


def seed(argument: str, value: object) -> int:
    """The value as an int; ValueError unless it is a whole number of at least 0, NumPy's included."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{argument}={value!r}: give a whole number of at least 0")
    return int(value)


def share(argument: str, value: float) -> None:
    """Raise ValueError unless `value` is a number of at least 0 and below 1."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise ValueError(f"{argument}={value!r}: give a number of at least 0 and below 1")


def image_batch(
    argument: str, x: Tensor, *, channels: int | None = None, size: int | None = None, like: Tensor | None = None
) -> None:
    """Raise unless `x` is a non-empty float batch `[n, c, h, w]` with finite values in [0, 1].

    Args:
        argument: the caller's name for `x`, for the message.
        x: what came.
        channels: the number of channels it must have, if that matters.
        size: the height and width it must have, if that matters.
        like: a tensor whose dtype and device it must share, a weight of the model that will see it.

    Raises:
        TypeError: `x` is not a tensor.
        ValueError: wrong dtype, device, rank, size, channels or range, NaN, or an empty batch.
    """
    import torch

    if not isinstance(x, torch.Tensor):
        raise TypeError(f"{argument}: expected a torch.Tensor [n, c, h, w], got {type(x).__name__}")
    if not x.is_floating_point():
        hint = "; divide uint8 images by 255 (ImageSet.to_float does)" if x.dtype == torch.uint8 else ""
        raise ValueError(f"{argument}: expected floating point values in [0, 1], got dtype {x.dtype}{hint}")
    if like is not None and (x.dtype, x.device) != (like.dtype, like.device):
        raise ValueError(
            f"{argument}: expected {like.dtype} on {like.device}, as the model's weights, got {x.dtype} on {x.device}; "
            f"move one to the other with .to(...)"
        )
    if x.dim() != 4:
        hint = f"; add a batch dimension with {argument}[None]" if x.dim() == 3 else ""
        raise ValueError(f"{argument}: expected shape [n, c, h, w], got {list(x.shape)}{hint}")
    if x.numel() == 0:
        raise ValueError(f"{argument}: the batch is empty, shape {list(x.shape)}; give at least one image")
    wanted = [x.shape[0], channels or x.shape[1], size or x.shape[2], size or x.shape[3]]
    if list(x.shape) != wanted:
        raise ValueError(
            f"{argument}: expected shape {['n', *wanted[1:]]}, got {list(x.shape)}; "
            f"ImageSet.to_float(size={wanted[2]}, channels={wanted[1]}) converts"
        )
    # Values cannot be inspected inside vmap or torch.compile; the outermost call has checked them already.
    if torch._C._functorch.is_functorch_wrapped_tensor(x) or torch.compiler.is_compiling():
        return
    low, high = (float(v) for v in torch.aminmax(x.detach()))
    if not (low == low and high == high):
        raise ValueError(f"{argument}: holds NaN; every value must be a number in [0, 1]")
    # A thousandth of slack admits rounding and nothing else: [0, 255] or standardised images are caught.
    if low < -1e-3 or high > 1 + 1e-3:
        raise ValueError(f"{argument}: values must lie in [0, 1], got [{low:.4g}, {high:.4g}]")


def own_statistics(argument: str, network: nn.Module) -> None:
    """Raise ValueError if a layer normalises with the statistics of the batch even in evaluation mode.

    What such a network says of an image depends on the images beside it.
    """
    from torch.nn.modules.batchnorm import _BatchNorm

    for name, layer in network.named_modules():
        if isinstance(layer, _BatchNorm) and layer.running_mean is None:
            raise ValueError(
                f"{argument}: its batch normalisation {name or type(layer).__name__!r} keeps no running statistics, so "
                f"that an image's logits depend on the others of its batch; build it with track_running_stats=True"
            )


def generator(argument: str, value: object) -> None:
    """Raise TypeError unless the value is a torch.Generator or None."""
    import torch

    if not (value is None or isinstance(value, torch.Generator)):
        raise TypeError(
            f"{argument}: expected a torch.Generator, as torch.Generator().manual_seed(0), got {type(value).__name__}"
        )


def image_set(argument: str, value: object) -> None:
    """Raise TypeError unless the value is an `ImageSet`."""
    from simplebits.data.image_set import ImageSet

    if not isinstance(value, ImageSet):
        raise TypeError(f"{argument}: expected an ImageSet, got {type(value).__name__}; simplebits.data.load gives one")


def density_model(argument: str, value: object) -> None:
    """Raise TypeError unless the value is a `DensityModel`."""
    from simplebits.density.base import DensityModel

    if not isinstance(value, DensityModel):
        raise TypeError(
            f"{argument}: expected a DensityModel, got {type(value).__name__}; simplebits.density.load loads one"
        )

"""What differentiates by itself: with gradients wherever it is called, and exactly where it is vectorised."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

P = ParamSpec("P")
R = TypeVar("R")

# Normalisations with the statistics of their input, and where weight and bias stand among the arguments.
NORMALISATIONS: dict[Any, tuple[int, int]] = {F.layer_norm: (2, 3), F.instance_norm: (3, 4), F.batch_norm: (3, 4)}
for _name, _places in {
    "layer_norm": (2, 3),
    "native_layer_norm": (2, 3),
    "instance_norm": (1, 2),
    "batch_norm": (1, 2),
    "native_batch_norm": (1, 2),
}.items():
    _packet = getattr(torch.ops.aten, _name)
    NORMALISATIONS |= dict.fromkeys((getattr(torch, _name), _packet, _packet.default), _places)


def with_gradients(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function run with gradients switched on, also under `no_grad` or `inference_mode`.

    Tensors that were made in inference mode cannot be differentiated with and are copied. Weights cannot be: a network
    that was built or moved in inference mode has none that autograd can use.

    >>> @with_gradients
    ... def slope(x):
    ...     x = x.requires_grad_()
    ...     return torch.autograd.grad((x**2).sum(), x)[0]
    >>> with torch.inference_mode():
    ...     slope(torch.tensor([3.0]))
    tensor([6.])
    """
    inner: Callable[..., R] = function

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.inference_mode(False), torch.enable_grad():
            return inner(*map(_usable, args), **{name: _usable(value) for name, value in kwargs.items()})

    return wrapped


def _usable(value: object) -> object:
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value


class ExactNormalisation(TorchFunctionMode):
    """Apply weight and bias after a normalisation, not in it, so that the derivative of vmap(grad(...)) is exact.

    Without it the values of vmap(grad(...)) are right, but their derivative is wrong, silently: in the gradient of a
    normalisation's weight torch (2.15) takes the mean and the deviation for constants. This concerns layer
    normalisation, and instance and batch normalisation with the statistics of their input. A normalisation without
    weight is exact, and so is the product with the weight after it. Group and RMS normalisation, batch normalisation
    with running statistics and attention agree with finite differences and are left as they are.

    The mode acts on the functions that a network calls, not on its layers, so that networks of any library are exact
    and none needs the slower loop.

    >>> x, weight = torch.tensor([[1.0, 2.0, 4.0]], requires_grad=True), torch.ones(3)
    >>> def slope(x):  # of the sum of cubes, in the weight
    ...     return torch.func.grad(lambda w: F.layer_norm(x, (3,), w).pow(3).sum())(weight)
    >>> with ExactNormalisation():
    ...     together = torch.func.vmap(slope)(x).sum()
    >>> alone = slope(x[0]).sum()
    >>> (*both,) = (torch.autograd.grad(value, x)[0] for value in (together, alone))
    >>> torch.allclose(*both, atol=1e-5)
    True
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Call the function; a normalisation without its weight and bias, which are applied to what it returns."""
        if func not in NORMALISATIONS:
            return func(*args, **(kwargs or {}))
        arguments, named, affine = list(args), dict(kwargs or {}), []
        for name, place in zip(("weight", "bias"), NORMALISATIONS[func], strict=True):
            by_place = place < len(arguments)
            affine.append(arguments[place] if by_place else named.get(name))
            if by_place:
                arguments[place] = None
            else:
                named[name] = None
        result = func(*arguments, **named)
        y, *statistics = result if isinstance(result, tuple) else (result,)
        scaled = y
        for a, apply in zip(affine, (torch.mul, torch.add), strict=True):
            if a is not None:
                by_channel = "layer_norm" not in func.__name__
                scaled = apply(scaled, a.view(-1, *[1] * (y.dim() - 2)) if by_channel else a)
        scaled = scaled.to(y.dtype)  # as the function in one step, whose weight may be more precise than its input
        return (scaled, *statistics) if isinstance(result, tuple) else scaled


def can_be_vectorised(network: nn.Module) -> bool:
    """Tell whether `ExactNormalisation` sees all that a network calls, and warn where not: a loop is to be taken.

    What TorchScript runs is hidden from it: scripted and traced modules.

    >>> can_be_vectorised(nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)))
    True
    """
    scripted = [name for name, m in network.named_modules() if isinstance(m, torch.jit.ScriptModule)]
    if scripted:
        warnings.warn(
            f"{scripted[0] or type(network).__name__!r} is a TorchScript module, whose second derivatives vmap may get "
            f"wrong: gradients are taken one after the other; give the network as plain Python to take them together",
            stacklevel=3,
        )
    return not scripted

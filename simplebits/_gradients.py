"""Functions that differentiate by themselves, wherever they are called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def with_gradients(function: Callable[P, R]) -> Callable[P, R]:
    """The function with gradients switched on, also when it is called under `no_grad` or `inference_mode`.

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

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.inference_mode(False), torch.enable_grad():
            return function(*map(_usable, args), **{name: _usable(value) for name, value in kwargs.items()})

    return wrapped


def _usable(value: object) -> object:
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value

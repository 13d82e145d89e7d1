"""The networks that condensed images are made with and tested on: by name, or by any function that gives one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from simplebits import _check
from simplebits.networks import CLASSIFIERS, build
from simplebits.networks.evaluation_mode import evaluation_mode


def maker(
    network: str | Callable[[], nn.Module], classes: int, channels: int, size: int, options: Mapping[str, Any]
) -> Callable[[], nn.Module]:
    """What makes a network with fresh weights.

    Raises:
        TypeError: network is a network, or nothing that could make one; an option that it does not have.
        ValueError: an unknown name, or a function with options, which nothing would pass on to it.
    """
    if isinstance(network, str):
        known = inspect.signature(CLASSIFIERS[_check.one_of("network", network, CLASSIFIERS)]).parameters
        for name in options:
            if name not in known:
                raise TypeError(f"network_options: {network} has no option {name!r}; {_check.nearest(name, known)}")
        return lambda: build(network, classes, channels, size, **options)
    if isinstance(network, nn.Module) or not callable(network):
        raise TypeError(
            f"network: expected a name, or a function that gives a network with fresh weights each time, got "
            f"{type(network).__name__}; for example lambda: sb.networks.ConvNet({classes}, {channels}, {size})"
        )
    if options:
        raise ValueError(
            f"network_options={dict(options)!r}: these are for a network by name; build them into the function instead"
        )
    return network


@torch.no_grad()
def check_network(network: nn.Module, classes: int, channels: int, size: int, device: torch.device) -> None:
    """Raise ValueError unless the network turns images of this size into as many logits as there are classes."""
    try:
        with evaluation_mode(network):
            shape = list(network(torch.zeros(2, channels, size, size, device=device)).shape)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"network: {type(network).__name__} does not take images {channels}x{size}x{size} ({error}); give one that "
            f"does, or another size"
        ) from error
    if shape != [2, classes]:
        raise ValueError(
            f"network: expected logits [n, {classes}], one for each class, got [n, {', '.join(map(str, shape[1:]))}]"
        )

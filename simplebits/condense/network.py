"""The networks that condensed images are made with and tested on: by name, or by any function that gives one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from simplebits.networks import build


def maker(
    network: str | Callable[[], nn.Module], classes: int, channels: int, size: int, options: Mapping[str, Any]
) -> Callable[[], nn.Module]:
    """What makes a network with fresh weights.

    Raises:
        TypeError: network is a network, or nothing that could make one.
    """
    if isinstance(network, str):
        return lambda: build(network, classes, channels, size, **options)
    if isinstance(network, nn.Module) or not callable(network):
        raise TypeError(
            f"network: expected a name, or a function that gives a network with fresh weights each time, got "
            f"{type(network).__name__}; for example lambda: sb.networks.ConvNet({classes}, {channels}, {size})"
        )
    return network


@torch.no_grad()
def check_network(network: nn.Module, classes: int, channels: int, size: int, device: torch.device) -> None:
    """Raise ValueError unless the network turns images of this size into as many logits as there are classes."""
    training = network.training
    network.eval()
    try:
        shape = list(network(torch.zeros(2, channels, size, size, device=device)).shape)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"network: {type(network).__name__} does not take images {channels}x{size}x{size} ({error}); give one that "
            f"does, or another size"
        ) from error
    finally:
        network.train(training)
    if shape != [2, classes]:
        raise ValueError(
            f"network: expected logits [n, {classes}], one for each class, got [n, {', '.join(map(str, shape[1:]))}]"
        )

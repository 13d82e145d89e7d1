"""The networks that condensed images are made with and tested on: by name, or by any function that gives one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from simplebits.domains import nearest
from simplebits.networks import CLASSIFIERS, build


@runtime_checkable
class Embeds(Protocol):
    """A network whose features can be asked for, as those of `simplebits.networks`."""

    def embed(self, x: Tensor) -> Tensor:
        """Compute features [n, d] of images [n, c, h, w]."""
        ...


def maker(
    network: str | Callable[[], nn.Module], classes: int, channels: int, size: int, options: Mapping[str, Any]
) -> Callable[[], nn.Module]:
    """Make the function that makes a network with fresh weights.

    Raises:
        TypeError: an option that the network of this name does not have.
        ValueError: a function with options, which nothing would pass on to it.
    """
    if isinstance(network, str):
        known = inspect.signature(CLASSIFIERS[network]).parameters
        for name in options:
            if name not in known:
                raise TypeError(f"network_options: {network} has no option {name!r}; {nearest(name, known)}")
        return lambda: build(network, classes, channels, size, **options)
    if options:
        raise ValueError(
            f"network_options={dict(options)!r}: these are for a network by name; build them into the function instead"
        )
    return network


def embedding(argument: str, network: nn.Module) -> Callable[[Tensor], Tensor]:
    """Find the network's function from images to features; raise TypeError where there is none."""
    if not isinstance(network, Embeds) or not callable(network.embed):
        raise TypeError(
            f"{argument}: {type(network).__name__} has no embed(x) -> [n, d]; take a network of "
            f"simplebits.networks, or add the method"
        )
    return network.embed

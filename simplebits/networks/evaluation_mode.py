"""Networks run as they are tested, and left as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn


@contextlib.contextmanager
def evaluation_mode(*networks: nn.Module) -> Iterator[None]:
    """Run networks as in evaluation, then put every layer back into the mode it had.

    Raises:
        TypeError: one of them is not a module.
    """
    for network in networks:
        if not isinstance(network, nn.Module):
            raise TypeError(f"network: expected a torch.nn.Module, got {type(network).__name__}")
    training = [(layer, layer.training) for network in networks for layer in network.modules()]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for layer, mode in training:
            layer.training = mode

"""The networks that condensed images are made with and tested on: by name, or by any function that gives one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from simplebits.condense.arguments import batch_norms, options_fit, with_features
from simplebits.networks import build


def maker(
    network: str | Callable[[], nn.Module], classes: int, channels: int, size: int, options: Mapping[str, Any]
) -> Callable[[], nn.Module]:
    """Make the function that makes a network with fresh weights.

    Raises:
        TypeError: an option that the network of this name does not have.
        ValueError: a function with options, which nothing would pass on to it.
    """
    options_fit(network, options)
    if isinstance(network, str):
        return lambda: build(network, classes, channels, size, **options)
    return network


def batches_for(network: nn.Module, order: Tensor, batch_size: int) -> list[Tensor]:
    """Split positions into batches; none of one image is left over where a network normalises over its batch.

    A single image has no spread to be normalised by: it joins the batch before.
    """
    parts = list(order.split(batch_size))
    if len(parts) > 1 and len(parts[-1]) == 1 and batch_norms(network):
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def embedding(argument: str, network: nn.Module) -> Callable[[Tensor], Tensor]:
    """Find the network's function from images to features; raise TypeError where there is none."""
    return with_features(argument, network).embed

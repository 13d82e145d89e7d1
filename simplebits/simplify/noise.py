"""Uniform noise, drawn alike wherever a network must not rely on exact values."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def uniform_like(x: Float[Tensor, "n c h w"], generator: torch.Generator | None) -> Float[Tensor, "n c h w"]:
    """Draw from U(0, 1) for each value of x, on x's device and of its dtype.

    It comes from the generator's own device, so that one seed gives one result on CPU and GPU; without a generator,
    from torch's global one.
    """
    device = x.device if generator is None else generator.device
    return torch.rand(x.shape, generator=generator, device=device).to(x)

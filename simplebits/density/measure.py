"""The mean bits of many images: in batches that fit into memory, always with the same noise."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from simplebits._door import door
from simplebits.density.base import DensityModel
from simplebits.domains import Count, Images, Seed


@door
@torch.no_grad()
def bits_of(density: DensityModel, x: Images, seed: Seed = 0, batch_size: Count = 100) -> Float[Tensor, " n"]:
    """Measure bits per dimension of each image, rounded to the density's grey levels, always with the same noise.

    Args:
        density: what measures.
        x: images in [0, 1], of the density's size, on any device.
        seed: of the de-quantisation noise.
        batch_size: images at once.

    Raises:
        TypeError: the density is none, or x is not a tensor.
        ValueError: as `DensityModel.bits_per_dim`, a negative seed, or batch_size < 1.
    """
    generator, device = torch.Generator().manual_seed(seed), next(density.parameters(), x).device
    parts = [density(part.to(device), generator, quantised=True) for part in x.split(batch_size)]
    return torch.cat(parts).to(x.device)


@door
def mean_bits(density: DensityModel, x: Images, seed: Seed = 0) -> float:
    """Measure the mean of `bits_of`; arguments and errors as there.

    >>> from simplebits.density import load
    >>> mean_bits(load("glow-16px"), torch.zeros(2, 3, 16, 16)) < 1
    True
    """
    return float(bits_of(density, x, seed).mean())

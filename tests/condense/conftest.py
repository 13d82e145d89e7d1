"""A small network and small batches in double precision, for what is compared with finite differences."""

import pytest
import torch

from simplebits.networks import ConvNet


@pytest.fixture
def network():
    """Make a ConvNet for three classes of 8x8 images, always with the same weights."""

    def make(**options):
        with torch.random.fork_rng():
            torch.random.default_generator.manual_seed(0)
            return ConvNet(3, 1, 8, **({"width": 4, "depth": 2} | options)).double()

    return make


@pytest.fixture
def batches():
    """Make n images for each of the three classes."""

    def make(n, seed=0):
        generator = torch.Generator().manual_seed(seed)
        return [torch.randn(n, 1, 8, 8, generator=generator, dtype=torch.float64) for _ in range(3)]

    return make

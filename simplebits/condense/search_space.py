"""The networks that an architecture search chooses among: all ConvNets of a grid (Zhao et al. 2021, appendix A)."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import Annotated

import torch
from torch import nn

from simplebits._door import door
from simplebits.domains import Count, Filled, Known, Seed
from simplebits.networks import build
from simplebits.networks.convnet import ACTIVATIONS, NORMS, POOLINGS

Norm = Annotated[str, Known(lambda: NORMS)]
Activation = Annotated[str, Known(lambda: ACTIVATIONS)]
Pooling = Annotated[str, Known(lambda: POOLINGS)]


@door
@dataclass(frozen=True, order=True)
class Architecture:
    """One ConvNet of a search; the defaults are the network that the papers condense with.

    Attributes:
        width: channels of every convolution.
        depth: number of blocks.
        norm: normalisation, as `ConvNet` names it.
        activation: as `ConvNet` names it.
        pooling: as `ConvNet` names it.

    Raises:
        ValueError: a width or depth that is no whole number above 0, or an unknown name.

    >>> print(Architecture(width=64, pooling="max"))
    w64-d3-instance-relu-max
    """

    width: Count = 128
    depth: Count = 3
    norm: Norm = "instance"
    activation: Activation = "relu"
    pooling: Pooling = "avg"

    def __str__(self) -> str:
        return f"w{self.width}-d{self.depth}-{self.norm}-{self.activation}-{self.pooling}"

    @door
    def build(self, classes: Count = 10, channels: Count = 3, size: Count = 32, *, seed: Seed = 0) -> nn.Module:
        """Make the network with fresh weights.

        Raises:
            ValueError: images too small for the depth, or an argument out of range.

        >>> Architecture(width=8, depth=2).build(channels=1, size=8).linear
        Linear(in_features=32, out_features=10, bias=True)
        """
        return build("ConvNet", classes, channels, size, seed=seed, **asdict(self))


@door
@dataclass(frozen=True)
class SearchSpace:
    """All ConvNets of a grid; the defaults are the 720 of gradient matching's appendix A.

    Attributes:
        widths: channels, W there.
        depths: numbers of blocks, D.
        norms: normalisations, N.
        activations: A.
        poolings: P.

    Raises:
        TypeError: no sequence.
        ValueError: an empty one, or a value that `Architecture` refuses.

    >>> space = SearchSpace()
    >>> len(space.architectures)
    720
    >>> print(*SearchSpace(widths=(8, 16), norms=("instance",)).draw(2, seed=1))
    w8-d2-instance-relu-max w8-d2-instance-sigmoid-avg
    """

    widths: Annotated[tuple[Count, ...], Filled()] = (32, 64, 128, 256)
    depths: Annotated[tuple[Count, ...], Filled()] = (1, 2, 3, 4)
    norms: Annotated[tuple[Norm, ...], Filled()] = ("none", "batch", "layer", "instance", "group")
    activations: Annotated[tuple[Activation, ...], Filled()] = ("sigmoid", "relu", "leaky_relu")
    poolings: Annotated[tuple[Pooling, ...], Filled()] = ("none", "max", "avg")

    @property
    def architectures(self) -> tuple[Architecture, ...]:
        """List every network of the grid once, the pooling varying fastest."""
        grid = (self.widths, self.depths, self.norms, self.activations, self.poolings)
        return tuple(dict.fromkeys(Architecture(*point) for point in itertools.product(*grid)))

    @door
    def draw(self, n: Count, seed: Seed = 0) -> tuple[Architecture, ...]:
        """Draw n different networks, all equally likely; fewer, with the same seed, are the first of more.

        Raises:
            ValueError: n is more than there are.
        """
        every = self.architectures
        if n > len(every):
            raise ValueError(f"n={n}: the space has {len(every)} networks; give at most that many")
        order = torch.randperm(len(every), generator=torch.Generator().manual_seed(seed))
        return tuple(every[i] for i in order[:n].tolist())

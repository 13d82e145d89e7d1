"""A network as a function of one vector of weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vjp

from simplebits.networks.evaluation_mode import evaluation_mode


class WeightFunction:
    """Outputs of a network for any vector of its trainable weights; the network itself is not touched.

    Buffers, such as the statistics of batch normalisation, and frozen parameters are as the network has them.

    Args:
        network: maps x to outputs [n, k].

    Attributes:
        start: the network's present weights [d], in the order of its parameters.
        shapes: of these parameters, by name.

    Raises:
        ValueError: nothing to train, or weights of several dtypes or devices.

    >>> f = WeightFunction(nn.Linear(3, 2))
    >>> f(f.start, torch.ones(4, 3)).shape
    torch.Size([4, 2])
    """

    def __init__(self, network: nn.Module) -> None:
        trained = {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}
        kinds = {(p.dtype, p.device) for p in trained.values()}
        if len(kinds) != 1:
            got = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds)) or "none"
            raise ValueError(
                f"network: expected trainable weights of one dtype on one device, got {got}; "
                f"network.requires_grad_() frees all, network.to(...) moves them"
            )
        self.network = network
        self.shapes = {name: p.shape for name, p in trained.items()}
        self.start = torch.cat([p.flatten() for p in trained.values()])

    def __call__(self, weights: Float[Tensor, " d"], x: Tensor) -> Float[Tensor, "n k"]:
        """Compute outputs at these weights; in the mode that the network is in, see `evaluating`."""
        parts = weights.split([shape.numel() for shape in self.shapes.values()])
        named = {name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}
        return functional_call(self.network, named, (x,))

    def derivative(self, x: Tensor) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        """Make v -> J v, along a direction of weights [d], and u -> J' u, for weights of outputs [n, k]; at the start.

        J v by a second reverse pass: torch's forward mode warns of its own use of torch.jit.
        """
        outputs, back = vjp(lambda weights: self(weights, x), self.start)[:2]
        _, forth = vjp(lambda u: back(u)[0], torch.zeros_like(outputs))[:2]
        return lambda v: forth(v)[0], lambda u: back(u)[0]

    def evaluating(self) -> AbstractContextManager[None]:
        """Put the network in evaluation mode (frozen batch norms, no dropout), and every part in its own after."""
        return evaluation_mode(self.network)

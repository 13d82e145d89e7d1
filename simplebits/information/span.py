"""The same perceptron in fewer coordinates: weights of directions in which no training sample extends never move."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits.domains import Finite, Share
from simplebits.information.arguments import examples_fit
from simplebits.information.weights import WeightFunction


@door
class InSpan(nn.Module):
    """A perceptron that takes coordinates of a sample, and behind them what fixed weights add to each hidden unit.

    Args:
        first: the layer that takes coordinates.
        rest: the layers after it.
    """

    def __init__(self, first: nn.Linear, rest: nn.Module) -> None:
        super().__init__()
        self.first, self.rest = first, rest

    @door
    def forward(self, both: Float[Tensor, "n q"]) -> Float[Tensor, "n k"]:
        """Compute outputs of samples as `in_span` makes them."""
        widths, weight = [self.first.in_features, self.first.out_features], self.first.weight
        if (both.shape[1], both.dtype, both.device) != (sum(widths), weight.dtype, weight.device):
            raise ValueError(
                f"both: expected [n, {sum(widths)}] of {weight.dtype} on {weight.device}, as in_span makes samples, "
                f"got {list(both.shape)} of {both.dtype} on {both.device}"
            )
        coordinates, added = both.split(widths, 1)
        return self.rest(self.first(coordinates) + added)


@dataclass(frozen=True)
class BeginsLinear:
    """A perceptron: flattening, then a linear layer, then any others."""

    whole = True

    def __call__(self, argument: str, value: Any) -> nn.Sequential:
        """Check that a perceptron begins with a linear layer, and return it."""
        if not isinstance(value, nn.Sequential) or [type(layer) for layer in value[:2]] != [nn.Flatten, nn.Linear]:
            raise TypeError(f"{argument}: expected nn.Sequential(nn.Flatten(), nn.Linear(...), ...), got {value!r}")
        return value


@door(renamed={"model": "network"})
def in_span(
    network: Annotated[nn.Sequential, BeginsLinear()],
    x: Annotated[Float[Tensor, "n ..."], Finite()],
    x_val: Annotated[Float[Tensor, "m ..."], Finite()],
    precision: Share = 1e-5,
) -> tuple[InSpan, Float[Tensor, "n q"], Float[Tensor, "m q"]]:
    """Rewrite a perceptron and its samples in coordinates of the space that the training samples span.

    The gradient by the first layer's weights lies in that space, whatever samples are left out, so that gradient
    descent, with decay towards the start too, is the same as before: outputs, and distances between weights. Images
    whose corners are always black span two thirds of their pixels or less, and a step costs as much less.

    Args:
        network: `nn.Sequential(nn.Flatten(), nn.Linear(...), ...)`; left as it is.
        x: training samples, more than one of them.
        x_val: samples on which predictions are compared. What lies outside the space is handed on as what the first
            weights make of it.
        precision: directions along which the samples extend less than this, as a share of the widest, are left out.

    Returns:
        The network, the training samples and the other samples, all three in the network's dtype.

    Raises:
        TypeError: the network does not begin with flattening and a linear layer, or samples are no tensors.
        ValueError: shapes or dtypes that do not fit, or precision out of range.

    >>> x, net = torch.tensor([[1.0, 0.0, 2.0], [3.0, 0.0, 4.0]]), nn.Sequential(nn.Flatten(), nn.Linear(3, 1))
    >>> small, coordinates, _ = in_span(net, x, x)
    >>> small.first.in_features, torch.allclose(small(coordinates), net(x), atol=1e-6)
    (2, True)
    """
    examples_fit(WeightFunction(network), x=x, x_val=x_val)
    layer: Any = network[1]
    weights = layer.weight.detach().double()
    rows, rows_val = x.flatten(1).double(), x_val.flatten(1).double()
    _, values, basis = torch.linalg.svd(rows, full_matrices=False)
    basis = basis[values > precision * values[0]]
    first: Any = nn.utils.skip_init(
        nn.Linear, len(basis), layer.out_features, layer.bias is not None, dtype=x.dtype, device=x.device
    )
    first.load_state_dict({**layer.state_dict(), "weight": (weights @ basis.T).to(x.dtype)})

    def rewritten(rows: Tensor) -> Tensor:
        coordinates = rows @ basis.T
        return torch.cat([coordinates, (rows - coordinates @ basis) @ weights.T], 1).to(x.dtype)

    return InSpan(first, copy.deepcopy(network[2:])), rewritten(rows), rewritten(rows_val)

"""The same perceptron in fewer coordinates: weights of directions in which no training sample extends never move."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits.information.weights import WeightFunction


class InSpan(nn.Module):
    """A perceptron that takes coordinates of a sample, and behind them what fixed weights add to each hidden unit.

    Args:
        first: the layer that takes coordinates.
        rest: the layers after it.
    """

    def __init__(self, first: nn.Linear, rest: nn.Module) -> None:
        super().__init__()
        self.first, self.rest = first, rest

    def forward(self, both: Float[Tensor, "n q"]) -> Float[Tensor, "n k"]:
        """Outputs of samples as `in_span` makes them."""
        here, added = both.split([self.first.in_features, self.first.out_features], 1)
        return self.rest(self.first(here) + added)


def in_span(
    model: nn.Sequential, x: Float[Tensor, "n ..."], x_val: Float[Tensor, "m ..."], precision: float = 1e-5
) -> tuple[InSpan, Float[Tensor, "n q"], Float[Tensor, "m q"]]:
    """Rewrite a perceptron and its samples in coordinates of the space that the training samples span.

    The gradient by the first layer's weights lies in that space, whatever samples are left out, so that gradient
    descent, with decay towards the start too, is the same as before: outputs, and distances between weights. Images
    whose corners are always black span two thirds of their pixels or less, and a step costs as much less.

    Args:
        model: `nn.Sequential(nn.Flatten(), nn.Linear(...), ...)`; left as it is.
        x: training samples, more than one of them.
        x_val: samples on which predictions are compared. What lies outside the space is handed on as what the first
            weights make of it.
        precision: directions along which the samples extend less than this, as a share of the widest, are left out.

    Returns:
        The network, the training samples and the other samples, all three in float32 or what the model has.

    Raises:
        TypeError: the model does not begin with flattening and a linear layer.
        ValueError: shapes or dtypes that do not fit.

    >>> x, net = torch.tensor([[1.0, 0.0, 2.0], [3.0, 0.0, 4.0]]), nn.Sequential(nn.Flatten(), nn.Linear(3, 1))
    >>> small, here, _ = in_span(net, x, x)
    >>> small.first.in_features, torch.allclose(small(here), net(x), atol=1e-6)
    (2, True)
    """
    if not isinstance(model, nn.Sequential) or [type(layer) for layer in model[:2]] != [nn.Flatten, nn.Linear]:
        raise TypeError(f"model: expected nn.Sequential(nn.Flatten(), nn.Linear(...), ...), got {model!r}")
    WeightFunction(model).check_examples(x=x, x2=x_val)
    layer = model[1]
    rows, weights = x.flatten(1).double(), layer.weight.detach().double()
    _, values, basis = torch.linalg.svd(rows, full_matrices=False)
    basis = basis[values > precision * values[0]]
    first = nn.utils.skip_init(
        nn.Linear, len(basis), layer.out_features, layer.bias is not None, dtype=x.dtype, device=x.device
    )
    first.load_state_dict({**layer.state_dict(), "weight": (weights @ basis.T).to(x.dtype)})
    found = []
    for some in (rows, x_val.flatten(1).double()):
        here = some @ basis.T
        found.append(torch.cat([here, (some - here @ basis) @ weights.T], 1).to(x.dtype))
    return InSpan(first, copy.deepcopy(model[2:])), found[0], found[1]

"""A perceptron in coordinates of the span of its samples trains as it did in pixels."""

import pytest
import torch
from torch import nn

from simplebits.information import in_span, retrain_without


def problem() -> tuple[nn.Sequential, torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    x, x_val = (torch.randn(n, 1, 3, 4, generator=draw, dtype=torch.float64) for n in (6, 5))
    x[:, :, 0] = 0.7  # always the same: one direction for four pixels
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 2)).double()
    return net, x, x_val, torch.randn(6, 2, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_descent_is_the_same(decay):
    net, x, x_val, y = problem()
    small, *both = in_span(net, x, x_val)
    assert small.first.in_features <= 6
    assert torch.allclose(small(both[1]), net(x_val))
    wanted = retrain_without(net, x, y, x_val, 0.05, 60, decay)
    result = retrain_without(small, both[0], y, both[1], 0.05, 60, decay)
    assert float(wanted.functional.min()) > 0
    for name in ("functional", "weights", "predictions", "predictions_without"):
        assert torch.allclose(getattr(result, name), getattr(wanted, name), rtol=1e-6, atol=1e-10), name


def test_the_model_is_left_as_it_is():
    net, x, x_val, _ = problem()
    before = [p.clone() for p in net.parameters()]
    small, _, _ = in_span(net, x, x_val)
    with torch.no_grad():
        for p in small.parameters():
            p.zero_()
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_another_network_is_refused():
    net, x, x_val, _ = problem()
    with pytest.raises(TypeError, match="Flatten"):
        in_span(net[1:], x, x_val)

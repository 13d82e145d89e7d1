"""The multilayer perceptron."""

import pytest
import torch

from simplebits.networks import MLP


@pytest.mark.parametrize(("channels", "size", "expected"), [(1, 28, 118_282), (3, 32, 411_146)])
def test_numbers_of_parameters_and_features(channels, size, expected):
    net = MLP(10, channels, size)
    assert sum(p.numel() for p in net.parameters()) == expected
    assert net.embed(torch.rand(2, channels, size, size)).shape == (2, 128)


def test_logits_equal_a_plain_computation():
    net = MLP(4, 1, 5, width=7).double()
    x = torch.rand(3, 1, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (w1, b1), (w2, b2), (w3, b3) = ((m.weight, m.bias) for m in net.modules() if isinstance(m, torch.nn.Linear))
    h = (x.reshape(3, 25) @ w1.T + b1).relu()
    h = (h @ w2.T + b2).relu()
    torch.testing.assert_close(net.embed(x), h)
    torch.testing.assert_close(net(x), h @ w3.T + b3)


@pytest.mark.parametrize("size", [1, 8, 28])
def test_any_size_goes_in(size):
    assert MLP(3, 1, size, width=5)(torch.rand(2, 1, size, size)).shape == (2, 3)


@pytest.mark.unchecked
@pytest.mark.parametrize("width", [0, 1.5])
def test_wrong_widths_are_refused(width):
    with pytest.raises(ValueError, match="width"):
        MLP(width=width)

"""The small network with strides: the published structure and its sizes."""

import pytest
import torch
import torch.nn.functional as F

from simplebits.networks import StridedCNN, build


@pytest.mark.parametrize(
    ("channels", "size", "stride", "expected"),
    [(1, 28, 1, 773_505), (1, 28, 2, 249_217), (1, 20, 1, 773_505 - 8 * 256 * 256), (3, 32, 2, 249_217 + 2 * 512)],
)
def test_numbers_of_parameters(channels, size, stride, expected):
    net = StridedCNN(1, channels, size, stride=stride)
    assert sum(p.numel() for p in net.parameters()) == expected
    assert net(torch.rand(2, channels, size, size)).shape == (2, 1)


def test_outputs_equal_a_plain_computation():
    net = build("StridedCNN", 1, 1, 28, stride=2).double()
    x = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    c1, c2, c3, c4, l1, l2 = (m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear))
    h = F.conv2d(x, c1.weight, c1.bias, stride=2, padding=1).relu()
    h = F.conv2d(h, c2.weight, c2.bias, stride=2, padding=1).relu()
    h = F.conv2d(h, c3.weight, c3.bias, stride=2).relu()
    assert h.shape[2:] == (3, 3)
    h = F.conv2d(h, c4.weight, c4.bias).relu().flatten(1)
    h = (h @ l1.weight.T + l1.bias).relu()
    torch.testing.assert_close(net(x), h @ l2.weight.T + l2.bias)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 19}, "size=19: StridedCNN needs images of at least 20x20"),
        ({"size": 27, "stride": 2}, "size=27: StridedCNN needs images of at least 28x28"),
        ({"stride": 3}, "stride=3: give a whole number of at least 1 and of at most 2"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        StridedCNN(**options)

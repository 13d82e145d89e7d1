"""LeNet: the published structure and its sizes."""

import pytest
import torch
import torch.nn.functional as F

from simplebits.networks import LeNet


@pytest.mark.parametrize(
    ("channels", "size", "expected"),
    [(1, 28, 61_706), (3, 32, 62_006), (1, 32, 61_706), (3, 28, 62_006 - 144 * 120), (1, 16, 61_706 - 384 * 120)],
)
def test_numbers_of_parameters_and_features(channels, size, expected):
    net = LeNet(10, channels, size)
    assert sum(p.numel() for p in net.parameters()) == expected
    assert net.embed(torch.rand(2, channels, size, size)).shape == (2, 84)


@pytest.mark.parametrize(("channels", "size", "padding"), [(1, 28, 2), (3, 32, 0)])
def test_logits_equal_a_plain_computation(channels, size, padding):
    net = LeNet(4, channels, size).double()
    x = torch.rand(3, channels, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    c1, c2, l1, l2, l3 = (m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear))
    h = F.max_pool2d(F.conv2d(x, c1.weight, c1.bias, padding=padding).relu(), 2)
    h = F.max_pool2d(F.conv2d(h, c2.weight, c2.bias).relu(), 2).flatten(1)
    h = (h @ l1.weight.T + l1.bias).relu()
    h = (h @ l2.weight.T + l2.bias).relu()
    torch.testing.assert_close(net(x), h @ l3.weight.T + l3.bias)


@pytest.mark.parametrize("size", [16, 17, 20, 33])
def test_sizes_from_16_go_in(size):
    assert LeNet(3, 1, size)(torch.rand(2, 1, size, size)).shape == (2, 3)


@pytest.mark.unchecked
@pytest.mark.parametrize("size", [8, 15])
def test_smaller_images_are_refused(size):
    with pytest.raises(ValueError, match=rf"size={size}: LeNet needs images of at least 16x16"):
        LeNet(size=size)

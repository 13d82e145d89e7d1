"""ResNet18 and ResNet20: the published structures, both normalisations, their sizes."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from simplebits.networks import ResNet18, ResNet20
from simplebits.networks.resnet import BasicBlock, Subsample


def images(n, channels, size, dtype=torch.float32):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize(
    ("channels", "size", "downsampling", "expected", "features"),
    [
        (1, 28, "stride", 11_172_810, 512),
        (3, 32, "stride", 11_173_962, 512),
        (1, 28, "average", 11_213_770, 512 * 9),
        (3, 32, "average", 11_250_762, 512 * 16),
    ],
)
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_numbers_of_parameters_and_features(channels, size, downsampling, norm, expected, features):
    net = ResNet18(10, channels, size, norm=norm, downsampling=downsampling)
    assert sum(p.numel() for p in net.parameters()) == expected
    assert net.embed(images(1, channels, size)).shape == (1, features)
    assert any("running_mean" in name for name in net.state_dict()) == (norm == "batch")


def plain_block(block, x, stride, average):
    """The block written out, instance normalisation at its start (gain 1, bias 0)."""
    pool = (lambda h: F.avg_pool2d(h, 2)) if average else (lambda h: h)
    one, two, *aside = (m.weight for m in block.modules() if isinstance(m, nn.Conv2d))
    h = pool(F.instance_norm(F.conv2d(x, one, stride=stride, padding=1)).relu())
    h = F.instance_norm(F.conv2d(h, two, padding=1))
    if aside:
        x = F.instance_norm(pool(F.conv2d(x, aside[0], stride=stride)))
    return (h + x).relu()


@pytest.mark.parametrize("downsampling", ["stride", "average"])
def test_logits_equal_a_plain_computation(downsampling):
    average = downsampling == "average"
    net = ResNet18(4, 3, 16, downsampling=downsampling).double()
    x = images(2, 3, 16, torch.float64)
    h = F.instance_norm(F.conv2d(x, net.features[0].weight, padding=1)).relu()
    blocks = [m for m in net.modules() if isinstance(m, BasicBlock)]
    assert len(blocks) == 8
    for k, block in enumerate(blocks):
        halves = k in (2, 4, 6)
        h = plain_block(block, h, stride=2 if halves and not average else 1, average=halves and average)
    h = h.flatten(1) if average else h.mean((2, 3))
    torch.testing.assert_close(net(x), h @ net.linear.weight.T + net.linear.bias, atol=1e-9, rtol=1e-9)


def test_the_variant_for_condensing_has_no_strides():
    for downsampling, expected in (("stride", {1, 2}), ("average", {1})):
        net = ResNet18(downsampling=downsampling)
        assert {m.stride[0] for m in net.modules() if isinstance(m, nn.Conv2d)} == expected


@pytest.mark.parametrize(
    ("norm", "downsampling", "least"),
    [("instance", "stride", 9), ("instance", "average", 16), ("batch", "stride", 1), ("batch", "average", 8)],
)
def test_the_smallest_images_that_go_in(norm, downsampling, least):
    net = ResNet18(3, 1, least, norm=norm, downsampling=downsampling)
    x = images(4, 1, least)
    assert net(x).shape == (4, 3) and net.embed(x).std(0).max() > 0


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("norm", "downsampling", "size", "least"),
    [("instance", "stride", 8, 9), ("instance", "average", 15, 16), ("batch", "average", 7, 8)],
)
def test_smaller_images_are_refused(norm, downsampling, size, least):
    with pytest.raises(ValueError, match=rf"size={size}: ResNet18 .* needs images of at least {least}x{least}"):
        ResNet18(size=size, norm=norm, downsampling=downsampling)


@pytest.mark.unchecked
@pytest.mark.parametrize("wrong", [{"norm": "layer"}, {"downsampling": "pool"}])
def test_wrong_arguments_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ResNet18(**wrong)


@pytest.mark.parametrize(("channels", "size", "expected"), [(3, 32, 269_722), (1, 28, 269_434), (1, 8, 269_434)])
def test_resnet20_has_the_published_number_of_parameters(channels, size, expected):
    net = ResNet20(10, channels, size).eval()
    assert sum(p.numel() for p in net.parameters()) == expected
    assert net(images(2, channels, size)).shape == (2, 10)
    assert [m.stride[0] for m in net.modules() if isinstance(m, nn.Conv2d)].count(2) == 2


def option_a(x):
    """Every second pixel; as many channels of zeros before and behind as half the input has."""
    zeros = torch.zeros_like(x[:, : x.shape[1] // 2, ::2, ::2])
    return torch.cat([zeros, x[:, :, ::2, ::2], zeros], 1)


def test_resnet20_logits_equal_a_plain_computation():
    net = ResNet20(4, 3, 9, width=4, norm="instance").double()
    x = images(2, 3, 9, torch.float64)
    h = F.instance_norm(F.conv2d(x, net.features[0].weight, padding=1)).relu()
    blocks = [m for m in net.modules() if isinstance(m, BasicBlock)]
    assert len(blocks) == 9
    for k, block in enumerate(blocks):
        shortcut = option_a(h) if k in (3, 6) else h
        one, two = (m.weight for m in block.modules() if isinstance(m, nn.Conv2d))
        h = F.instance_norm(F.conv2d(h, one, stride=2 if k in (3, 6) else 1, padding=1)).relu()
        h = (F.instance_norm(F.conv2d(h, two, padding=1)) + shortcut).relu()
    logits = h.mean((2, 3)) @ net.linear.weight.T + net.linear.bias
    torch.testing.assert_close(net(x), logits, atol=1e-9, rtol=1e-9)


def test_resnet20_starts_kaiming_normal():
    net = ResNet20()
    weight = net.features[-2].residual[0].weight
    assert weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.03)
    assert net.linear.weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.15)


def test_the_shortcut_without_parameters_pads_odd_numbers_of_channels_too():
    x = images(1, 3, 5)
    y = Subsample(2, 3)(x)
    assert y.shape == (1, 6, 3, 3) and torch.equal(y[:, 1:4], x[:, :, ::2, ::2]) and not y[:, [0, 4, 5]].any()


@pytest.mark.unchecked
def test_resnet20_refuses_what_it_cannot_take():
    with pytest.raises(ValueError, match=r"size=4: ResNet20 with norm='instance' needs images of at least 5x5"):
        ResNet20(size=4, norm="instance")
    with pytest.raises(ValueError, match="width=0"):
        ResNet20(width=0)
    with pytest.raises(ValueError, match=r"norm='layer' is not known"):
        ResNet20(norm="layer")
    with pytest.raises(ValueError, match=r"expected shape \[n, 1, 8, 8\]"):
        ResNet20(channels=1, size=8)(images(1, 3, 8))

"""VGG11 and VGG16: the published structures, both normalisations, their sizes."""

import pytest
import torch
from torch import nn

from simplebits.networks import VGG11, VGG16


@pytest.mark.parametrize(("channels", "size", "expected"), [(1, 28, 9_229_962), (3, 32, 9_231_114)])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_numbers_of_parameters_and_features(channels, size, norm, expected):
    net = VGG11(10, channels, size, norm=norm)
    assert sum(p.numel() for p in net.parameters()) == expected
    assert net.embed(torch.rand(2, channels, size, size)).shape == (2, 512)
    assert any("running_mean" in name for name in net.state_dict()) == (norm == "batch")


@pytest.mark.parametrize(("channels", "size", "padding"), [(1, 28, 3), (3, 32, 1), (1, 32, 1)])
def test_layers_are_those_of_configuration_a(channels, size, padding):
    layers = list(VGG11(10, channels, size).features)
    letters = {nn.Conv2d: "c", nn.GroupNorm: "n", nn.ReLU: "r", nn.MaxPool2d: "p"}
    assert "".join(letters[type(m)] for m in layers) == "cnrp" * 2 + "cnrcnrp" * 3
    convolutions = [m for m in layers if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64, 128, 256, 256, 512, 512, 512, 512]
    assert [m.padding[0] for m in convolutions] == [padding] + [1] * 7
    assert all(m.num_groups == m.num_channels for m in layers if isinstance(m, nn.GroupNorm))


def test_larger_images_have_more_features():
    net = VGG11(3, 1, 64)
    assert net.embed(torch.rand(1, 1, 64, 64)).shape == (1, 2048) and net(torch.rand(1, 1, 64, 64)).shape == (1, 3)


@pytest.mark.unchecked
@pytest.mark.parametrize(("channels", "size"), [(3, 28), (1, 16), (1, 31), (3, 8)])
def test_smaller_images_are_refused(channels, size):
    with pytest.raises(ValueError, match=rf"size={size}: VGG11 needs images of at least 32x32"):
        VGG11(channels=channels, size=size)


@pytest.mark.unchecked
@pytest.mark.parametrize("norm", ["group", "none"])
def test_unknown_normalisations_are_refused(norm):
    with pytest.raises(ValueError, match=rf"norm='{norm}' is not known; .*instance, batch"):
        VGG11(norm=norm)


@pytest.mark.parametrize(("channels", "size", "expected"), [(3, 32, 14_728_266), (1, 28, 14_727_114)])
def test_vgg16_has_the_published_number_of_parameters(channels, size, expected):
    net = VGG16(10, channels, size).eval()
    assert sum(p.numel() for p in net.parameters()) == expected
    assert net(torch.rand(1, channels, size, size)).shape == (1, 10)
    convolutions = [m for m in net.features if isinstance(m, nn.Conv2d)]
    widths = [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert [m.out_channels for m in convolutions] == widths
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.features) == 13
    assert sum(isinstance(m, nn.MaxPool2d) for m in net.features) == 5


def test_vgg16_starts_as_published():
    net = VGG16()
    last = [m for m in net.features if isinstance(m, nn.Conv2d)][-1]
    assert last.weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.01) and not last.bias.any()
    assert net.linear.weight.std().item() == pytest.approx(0.01, rel=0.05) and not net.linear.bias.any()


@pytest.mark.unchecked
def test_vgg16_refuses_what_it_cannot_take():
    with pytest.raises(ValueError, match=r"size=16: VGG16 needs images of at least 32x32"):
        VGG16(size=16)
    with pytest.raises(ValueError, match=r"norm='group' is not known"):
        VGG16(norm="group")

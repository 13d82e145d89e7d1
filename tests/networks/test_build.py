"""Classifiers by name."""

import pytest
import torch

from simplebits.networks import CLASSIFIERS, NFWideResNet, build

SMALL = {"ConvNet": {"width": 8}, "NFWideResNet": {"depth": 10, "widen": 1}}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_is_built_with_the_common_arguments(name):
    net = build(name, 7, 1, 28, standardise="mnist", **SMALL.get(name, {}))
    assert type(net).__name__ == name and net(torch.rand(2, 1, 28, 28)).shape == (2, 7)
    assert net.standardise.mean.item() == pytest.approx(0.1307)


def test_options_are_handed_on():
    net = build("NFWideResNet", depth=10, widen=1, shortcut="activated", dropout=0.0, stem_stride=2)
    assert isinstance(net, NFWideResNet) and net.features.blocks[0].activated_shortcut and net.features.stem.stride == 2
    assert net.features.blocks[0].dropout.p == 0
    assert build("ConvNet", depth=2, width=16).linear.in_features == 16 * 8 * 8
    assert build("ResNet18", size=16, downsampling="average").linear.in_features == 512 * 2 * 2


@pytest.mark.unchecked
def test_unknown_names_options_and_values_are_refused():
    with pytest.raises(ValueError, match=r"name='NFWideResnet' is not known; .*NFWideResNet"):
        build("NFWideResnet")
    with pytest.raises(ValueError, match=r"name='convnet' is not known; did you mean 'ConvNet'"):
        build("convnet")
    with pytest.raises(TypeError, match=r"colour= is no option of NFWideResNet; Known: depth, widen, .* stem_stride\."):
        build("NFWideResNet", colour=True)
    with pytest.raises(TypeError, match=r"nrom= is no option of ConvNet; did you mean 'norm'"):
        build("ConvNet", nrom="batch")
    with pytest.raises(ValueError, match="classes=0"):
        build("NFWideResNet", classes=0)

"""AlexNet: the published structure and its sizes."""

import pytest
import torch
from torch import nn

from simplebits.networks import AlexCifarNet, AlexNet


@pytest.mark.parametrize(
    ("channels", "size", "expected", "features"),
    [
        (1, 28, 1_865_802, 3072),
        (3, 32, 1_872_202, 3072),
        (1, 32, 1_865_802, 3072),
        (3, 28, 1_872_202 - 13_440, 1728),
        (1, 16, 1_865_802 - 23_040, 768),
    ],
)
def test_numbers_of_parameters_and_features(channels, size, expected, features):
    net = AlexNet(10, channels, size)
    assert sum(p.numel() for p in net.parameters()) == expected
    assert net.embed(torch.rand(2, channels, size, size)).shape == (2, features)


@pytest.mark.parametrize(("channels", "size", "padding"), [(1, 28, 4), (3, 32, 2), (1, 32, 2)])
def test_convolutions_and_poolings_are_the_published(channels, size, padding):
    layers = list(AlexNet(10, channels, size).features)
    convolutions = [
        (m.in_channels, m.out_channels, m.kernel_size[0], m.padding[0]) for m in layers if isinstance(m, nn.Conv2d)
    ]
    assert convolutions == [
        (channels, 128, 5, padding), (128, 192, 5, 2), (192, 256, 3, 1), (256, 192, 3, 1), (192, 192, 3, 1),
    ]  # fmt: skip
    letters = {nn.Conv2d: "c", nn.ReLU: "r", nn.MaxPool2d: "p"}
    assert "".join(letters[type(m)] for m in layers) == "crpcrpcrcrcrp"


@pytest.mark.parametrize("size", [8, 15, 16])
def test_sizes_from_8_go_in(size):
    assert AlexNet(3, 1, size)(torch.rand(2, 1, size, size)).shape == (2, 3)


@pytest.mark.unchecked
def test_smaller_images_are_refused():
    with pytest.raises(ValueError, match=r"size=7: AlexNet needs images of at least 8x8"):
        AlexNet(size=7)


@pytest.mark.parametrize(("channels", "size", "expected"), [(3, 32, 1_756_426), (1, 28, 1_756_426 - 3200)])
def test_the_net_of_dataset_distillation_has_its_parameters(channels, size, expected):
    net = AlexCifarNet(10, channels, size)
    assert sum(p.numel() for p in net.parameters()) == expected
    assert net.embed(torch.rand(2, channels, size, size)).shape == (2, 192)
    letters = {
        nn.Conv2d: "c",
        nn.ReLU: "r",
        nn.MaxPool2d: "p",
        nn.LocalResponseNorm: "n",
        nn.Flatten: "f",
        nn.Linear: "l",
    }
    assert "".join(letters[type(m)] for m in net.features) == "crpncrnpflrlr"


@pytest.mark.parametrize("size", [8, 15, 31])
def test_that_net_takes_sizes_from_8(size):
    assert AlexCifarNet(3, 1, size)(torch.rand(2, 1, size, size)).shape == (2, 3)

"""Computing only what a pixel changes gives what the whole network gives."""

import pytest
import torch
from torch import nn

from simplebits import networks, subsets
from simplebits.networks.resnet import BasicBlock
from simplebits.subsets.receptive_field import LocalNetwork, Residual, Window

CHAINS = {
    "two blocks": (
        (1, 12),
        lambda: (
            *(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        ),
    ),
    "a stride, no padding": ((2, 15), lambda: (nn.Conv2d(2, 3, 5, stride=2), nn.ELU(), nn.Conv2d(3, 4, 3))),
    "rows left over": (
        (1, 14),
        lambda: (nn.Conv2d(1, 3, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(3, 3, 3), nn.AvgPool2d(2)),
    ),
    "dilated, in groups, oblong": (
        (2, 16),
        lambda: (
            *(nn.Conv2d(2, 4, (3, 1), padding=(2, 0), dilation=2, groups=2), nn.AvgPool2d((2, 1))),
            *(nn.Tanh(), nn.Conv2d(4, 2, (1, 3), bias=False)),
        ),
    ),
    "residual blocks": (
        (2, 24),
        lambda: (
            *(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
            *(BasicBlock(4, 4, "batch"), BasicBlock(4, 4, "batch"), nn.MaxPool2d(2), BasicBlock(4, 4, "batch")),
            BasicBlock(4, 6, "batch", stride=2, subsample=True),
        ),
    ),
    "normalised": (
        (3, 12),
        lambda: (nn.Conv2d(3, 4, 3, padding=3), nn.BatchNorm2d(4), nn.GELU(), nn.AvgPool2d(3, stride=1)),
    ),
}


def make(layers, channels, size):
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        convolutions = nn.Sequential(*layers())
        for layer in convolutions.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer(torch.rand(8, layer.num_features, 5, 5))  # statistics that are not 0 and 1
        features = convolutions.eval()(torch.rand(1, channels, size, size)).numel()
        return nn.Sequential(convolutions, nn.Flatten(), nn.Linear(features, 3)).double().eval()


@pytest.mark.parametrize("name", CHAINS)
def test_every_pixel_gives_what_the_whole_network_gives(name):
    (channels, size), layers = CHAINS[name]
    network, x = make(layers, channels, size), torch.rand(2, channels, size, size, dtype=torch.float64)
    local = LocalNetwork(network, (channels, size, size), x.device)
    image = torch.arange(2).repeat_interleave(size * size)
    pixel = torch.arange(size * size).repeat(2)
    value = torch.rand(len(image), channels, dtype=torch.float64)
    changed = x[image].flatten(2)
    changed[torch.arange(len(image)), :, pixel] = value
    with torch.no_grad():
        local.know(x)
        torch.testing.assert_close(local(image, pixel, value), network(changed.view(-1, *x.shape[1:])))
    assert any(isinstance(part, Window) for part in local.local)


def test_windows_end_where_they_would_be_most_of_the_map():
    network = networks.build("ConvNet", 4, 1, 8, width=4, depth=2, norm="none")
    local = LocalNetwork(network.eval(), (1, 8, 8), torch.device("cpu"))
    assert [type(part.layer) for part in local.local if isinstance(part, Window)] == [nn.Conv2d, nn.AvgPool2d]
    assert any(isinstance(layer, nn.Conv2d) for layer in local.tail)


def test_the_first_stage_of_a_residual_network_is_computed_by_windows():
    network = networks.build("ResNet20", 4, 3, 32).eval()
    local = LocalNetwork(network, (3, 32, 32), torch.device("cpu"))
    assert sum(isinstance(part, Residual) for part in local.local) == 3
    assert isinstance(local.tail[0], BasicBlock) and local.tail[0].residual[0].stride == (2, 2)


@pytest.mark.parametrize("name", ["ConvNet", "LeNet", "ResNet20"])
def test_backward_selection_is_the_same(name):
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        options = {"width": 4, "depth": 2, "norm": "batch"} if name == "ConvNet" else {}
        network = networks.build(name, 4, 1, 16, standardise="mnist", **options).double().eval()
    x = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[5:11, 2:9] = True
    mean = network.standardise.mean.double()
    scores = [subsets.ClassScore(network, torch.tensor([1, 2]), local) for local in (False, True)]
    exact, local = (subsets.back_select(score, x, mask=mask, fill=mean) for score in scores)
    for a, b in zip(exact, local, strict=True):
        assert torch.equal(a.order, b.order)
        torch.testing.assert_close(a.values, b.values)

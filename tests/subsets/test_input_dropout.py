"""Input dropout: whole pixels go, at the rate asked for, in evaluation mode too, and nothing is rescaled."""

import pytest
import torch
from torch import nn

from simplebits.networks import predict
from simplebits.subsets import InputDropout


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Plain(nn.Module):
    """The images themselves, as logits."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x.flatten(1)


def test_a_pixel_goes_with_all_channels_and_what_stays_is_as_it_was():
    x = 0.1 + 0.8 * torch.rand(4, 3, 16, 16, generator=seeded(1))
    y = InputDropout(Plain(), 0.8, (0.0, 0.95, 1.0), seeded()).eval()(x).view_as(x)
    gone = (y != x).all(1)
    assert torch.equal((y != x).any(1), gone)
    assert torch.equal(y.permute(0, 2, 3, 1)[gone], torch.tensor([0.0, 0.95, 1.0]).expand(int(gone.sum()), 3))
    assert abs(float(gone.float().mean()) - 0.2) < 5 * (0.16 / gone.numel()) ** 0.5


@pytest.mark.parametrize("training", [True, False])
def test_each_call_draws_anew_in_both_modes(training):
    x = torch.ones(2, 1, 16, 16)
    net = InputDropout(Plain(), 0.5, generator=seeded()).train(training)
    assert not torch.equal(net(x), net(x))


def test_a_generator_makes_evaluation_repeatable_whatever_the_batch():
    x = torch.ones(7, 1, 5, 5)
    one, two = (predict(InputDropout(Plain(), 0.7, generator=seeded(4)), x, batch_size=size) for size in (7, 2))
    assert torch.equal(one, two)
    state = torch.random.get_rng_state()
    predict(InputDropout(Plain(), 0.7, generator=seeded(4)), x)
    assert torch.equal(state, torch.random.get_rng_state())


def test_training_draws_from_the_global_generator():
    net, x = InputDropout(Plain(), 0.5, generator=seeded()).train(), torch.ones(1, 1, 16, 16)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first = net(x)
        torch.manual_seed(3)
        assert torch.equal(net(x), first)


def test_keep_one_keeps_all():
    x = torch.rand(2, 3, 8, 8, generator=seeded())
    assert torch.equal(InputDropout(Plain(), 1.0)(x).view_as(x), x)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0}, "keep=0"),
        ({"keep": 1.2}, "keep=1.2: give a number above 0 and of at most 1"),
        ({"fill": 2}, "fill=2"),
    ],
)
def test_wrong_use_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        InputDropout(Plain(), **options)


@pytest.mark.unchecked
def test_a_wrong_generator_or_number_of_channels_is_named():
    with pytest.raises(TypeError, match="generator: expected a torch.Generator, got int"):
        InputDropout(Plain(), generator=0)
    with pytest.raises(ValueError, match="fill: has values for 2 channels, the images have 3"):
        InputDropout(Plain(), fill=(0.1, 0.2))(torch.rand(1, 3, 4, 4))

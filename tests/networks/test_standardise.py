"""Standardisation: the papers' constants, applied channel by channel."""

import pytest
import torch

from simplebits.networks import Standardise
from simplebits.networks.standardise import CONSTANTS

PUBLISHED = {
    "cifar10": ([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]),
    "mnist": ([0.1307] * 3, [0.3081] * 3),
    "fashion-mnist": ([0.2861] * 3, [0.3530] * 3),
    "svhn": ([0.4377, 0.4438, 0.4728], [0.1980, 0.2010, 0.1970]),
    "composite": ([0.2] * 3, [0.3] * 3),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_colour_images_are_standardised_with_the_published_constants(name):
    x = torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(v)[:, None, None] for v in PUBLISHED[name])
    torch.testing.assert_close(Standardise(name, 3)(x), (x - mean) / std)


def test_none_leaves_images_as_they_are_and_grey_constants_fit_grey_images():
    x = torch.rand(2, 1, 4, 4)
    assert torch.equal(Standardise(None, 1)(x), x)
    torch.testing.assert_close(Standardise("mnist", 1)(x), (x - 0.1307) / 0.3081)


def test_constants_are_neither_trained_nor_saved_but_move_with_the_module():
    layer = Standardise("cifar10", 3)
    assert not list(layer.parameters()) and not layer.state_dict()
    assert layer.double()(torch.zeros(1, 3, 2, 2, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.unchecked
def test_unknown_sets_and_channels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"name='cifar-10' is not known; did you mean 'cifar10'"):
        Standardise("cifar-10", 3)
    with pytest.raises(ValueError, match=r"standardise='svhn' has constants for 3 channels, the images have 1"):
        Standardise("svhn", 1)
    with pytest.raises(ValueError, match="channels=0"):
        Standardise(None, 0)
    with pytest.raises(ValueError, match=r"^x: expected shape \[n, 3, h, w\], got \[2, 1, 4, 4\]"):
        Standardise("cifar10", 3)(torch.zeros(2, 1, 4, 4))

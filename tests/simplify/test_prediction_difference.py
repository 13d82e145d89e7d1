"""Prediction difference: the fitted normal distribution, and what a network loses with a window."""

import pytest
import torch
from torch import nn

from simplebits.simplify import PatchGaussian, prediction_difference


def smooth(n=200, channels=1, size=10):
    """Images whose rows are all alike: a window is known exactly from what is beside it."""
    columns = torch.rand(n, channels, 1, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return columns.expand(-1, -1, size, -1).contiguous() * 0.6 + 0.2


def noise(n=200, channels=1, size=10, seed=1):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("top", "left"), [(0, 0), (4, 3), (8, 8)])
def test_what_follows_from_the_surroundings_is_filled_in(channels, top, left):
    x = smooth(channels=channels)
    gaussian = PatchGaussian(x, window=2, border=1, patches=4000, jitter=1e-8)
    filled = gaussian.fill(x[:3], top, left, 5, torch.Generator().manual_seed(0))
    assert filled.shape == (3, 5, channels, 10, 10)
    torch.testing.assert_close(filled, x[:3, None].expand_as(filled), atol=1e-2, rtol=0)


def test_what_does_not_is_drawn_from_the_training_images():
    x = noise()
    gaussian = PatchGaussian(x, window=2, border=1)
    drawn = gaussian.fill(x[:2], 4, 4, 2000, torch.Generator().manual_seed(0))[..., 4:6, 4:6]
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.02)
    normal = torch.randn(100_000, generator=torch.Generator().manual_seed(1)) * 12**-0.5 + 0.5
    assert drawn.std().item() == pytest.approx(normal.clamp(0, 1).std().item(), abs=0.01)
    assert drawn.min() >= 0 and drawn.max() <= 1


def test_only_the_window_changes():
    x = noise()
    filled = PatchGaussian(x, window=3, border=2).fill(x[:1], 7, 0, 2, torch.Generator().manual_seed(0))
    changed = (filled != x[:1, None]).any(1)[0, 0]
    assert changed[7:, :3].all() and changed.sum() == 9


def test_conditional_mean_and_covariance_are_those_of_the_joint_distribution():
    """The textbook formula, with the inverse of the covariance's block (the precision) instead."""
    gaussian = PatchGaussian(noise(channels=2) + 0 * smooth(channels=2), window=2, border=1, patches=500)
    a, b, gain, factor = gaussian.conditional(1, 1)
    precision = torch.linalg.inv(gaussian.covariance)
    inner = torch.linalg.inv(precision[a][:, a])
    torch.testing.assert_close(factor @ factor.T, inner, atol=1e-9, rtol=1e-6)
    torch.testing.assert_close(gain, -inner @ precision[a][:, b], atol=1e-9, rtol=1e-6)


class Corner(nn.Module):
    """Its log odds for class 1 are 4 times the mean of the 4x4 pixels at the top left, minus 2."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(4.0, dtype=torch.float64))

    def forward(self, x):
        odds = self.gain * x[:, 0, :4, :4].mean((1, 2)) - 2
        return torch.stack([torch.zeros_like(odds), odds], 1)


def test_windows_that_the_network_does_not_see_have_no_weight():
    x = torch.ones(1, 1, 10, 10, dtype=torch.float64)
    maps = prediction_difference(Corner(), x, noise(1000), window=2, border=1, stride=2, samples=20)
    assert maps.shape == (1, 10, 10) and maps[:, 4:].abs().max() < 1e-12 and maps[:, :, 4:].abs().max() < 1e-12
    assert maps[0, :4, :4].min() > 0  # a bright corner speaks for class 1


def test_weight_of_evidence_in_closed_form():
    """One window that covers all that is seen: log2 odds fall from those of a mean of 1 to those of the average p."""
    x, references = torch.ones(1, 1, 8, 8, dtype=torch.float64), noise(4000, size=8)
    maps = prediction_difference(Corner(), x, references, window=4, border=2, stride=4, samples=400)
    # The mean of 16 uniform pixels is 1/2 on average: p is 1/2 by symmetry.
    correct = (torch.sigmoid(torch.tensor(2.0, dtype=torch.float64)) * 4000 + 1) / 4002
    assert maps[0, 0, 0].item() == pytest.approx(torch.log2(correct / (1 - correct)).item(), abs=0.1)


def test_images_are_by_themselves_and_the_seed_decides():
    net, x, references = Corner(), noise(3, seed=5), noise(100)
    options = {"window": 4, "border": 1, "stride": 2, "samples": 3}
    together = prediction_difference(net, x, references, batch_size=4, **options)
    torch.testing.assert_close(prediction_difference(net, x[1:2], references, **options), together[1:2])
    assert not torch.equal(prediction_difference(net, x, references, seed=1, **options), together)
    against = prediction_difference(net, x, references, 1 - net(x).argmax(1), **options)
    torch.testing.assert_close(against, -together)  # two classes: what speaks for one speaks against the other


@pytest.mark.unchecked
def test_wrong_arguments_are_refused():
    net, x = Corner(), noise(2)
    with pytest.raises(ValueError, match=r"window=4, border=4: the patch has 12 pixels a side, the images have 10"):
        prediction_difference(net, x, noise(5), border=4)
    with pytest.raises(ValueError, match=r"references: expected images \[1, 10, 10\]"):
        prediction_difference(net, x, noise(5, size=8))
    with pytest.raises(ValueError, match="samples=0"):
        prediction_difference(net, x, noise(5), samples=0)
    with pytest.raises(ValueError, match="window=12"):
        prediction_difference(net, x, noise(5), window=12)
    with pytest.raises(ValueError, match="jitter=0"):
        PatchGaussian(noise(5), jitter=0)
    gaussian, generator = PatchGaussian(noise(5), 2, 1), torch.Generator()
    with pytest.raises(ValueError, match="top=9, left=0: the window of 2 pixels leaves the image of 10x10"):
        gaussian.fill(x, 9, 0, 1, generator)
    with pytest.raises(ValueError, match="x: expected images of 1 channels and at least 4 pixels a side"):
        gaussian.fill(noise(2, channels=3), 0, 0, 1, generator)
    with pytest.raises(ValueError, match="top=3, left=0: .* leaves the patch of 4; give at most 2"):
        gaussian.conditional(3, 0)


def test_a_bar_counts_the_windows(capsys):
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 2)).double()
    prediction_difference(net, noise(2, size=6), noise(20, size=6), window=2, border=1, samples=1, progress=True)
    assert "25/25" in capsys.readouterr().err

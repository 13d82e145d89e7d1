"""The probability of a class as a score: each image's own class, and wrong use."""

import pytest
import torch
from torch import nn

from simplebits import networks, subsets


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        return networks.build("MLP", 5, 1, 4).eval()


def test_it_is_the_probability_of_the_class_predicted_unmasked(network):
    x = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    score = subsets.class_score(network, x)
    expected = network(x).softmax(1)
    torch.testing.assert_close(score(x), expected.amax(1))
    index = torch.tensor([2, 2, 5, 0])
    torch.testing.assert_close(score.for_images(index)(x[:4]), expected[range(4), score.classes[index]])


def test_one_class_does_for_all_inputs(network):
    x = torch.rand(6, 1, 4, 4)
    score = subsets.ClassScore(network, torch.tensor([3]))
    torch.testing.assert_close(score(x), network(x).softmax(1)[:, 3])
    assert score.for_images(torch.arange(6)) is score


def test_the_networks_mode_is_put_back(network):
    network.train()
    subsets.class_score(network, torch.rand(1, 4, 4))(torch.rand(2, 1, 4, 4))
    assert network.training


class Own:
    """A score that is another one for each image, and no `ClassScore`."""

    def __init__(self, weights):
        self.weights = weights

    def __len__(self):
        return len(self.weights)

    def __call__(self, inputs):
        return (inputs * self.weights).flatten(1).sum(1)

    def for_images(self, index):
        return Own(self.weights[index])


def test_any_score_of_images_is_searched_as_each_of_them():
    weights = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    x = torch.ones(3, 1, 4, 4)
    assert isinstance(Own(weights), subsets.Score) and not isinstance(Own.__call__, subsets.Score)
    for one, weight in zip(subsets.back_select(Own(weights), x), weights, strict=True):
        assert torch.equal(one.steps.flatten()[weight.flatten().argsort()], torch.arange(16))
    with pytest.raises(ValueError, match="is that of 3 images, x holds 2"):
        subsets.back_select(Own(weights), x[:2])


@pytest.mark.unchecked
def test_wrong_use_is_named(network):
    x = torch.rand(6, 1, 4, 4)
    score = subsets.class_score(network, x)
    with pytest.raises(ValueError, match="has the classes of 6 images, got 4 inputs; use for_images"):
        score(x[:4])
    for outside in ([6], [-1], []):
        with pytest.raises(ValueError, match=r"index: must lie in 0 .. 5 for a score of 6 images, got"):
            score.for_images(torch.tensor(outside, dtype=torch.int64))
    with pytest.raises(ValueError, match="is that of 6 images, x holds 1"):
        subsets.back_select(score, x[0])
    for search in (subsets.back_select, lambda score, x: score(x)):
        with pytest.raises(
            ValueError, match=r"expected torch.float32 on cpu, as the network's weights, got torch.float64"
        ):
            search(score, x.double())
    with pytest.raises(ValueError, match="the largest class is 7, so the network must give logits"):
        subsets.ClassScore(network, torch.tensor([7]))(x)
    with pytest.raises(ValueError, match=r"classes: expected whole numbers \(int64\), got dtype torch.float32"):
        subsets.ClassScore(network, torch.tensor([1.0]))
    with pytest.raises(ValueError, match="classes: labels count classes from 0, got -1"):
        subsets.ClassScore(network, torch.tensor([-1]))
    with pytest.raises(ValueError, match="classes: is empty; give at least one label"):
        subsets.ClassScore(network, torch.tensor([], dtype=torch.int64))
    for of_no_or_two_axes in (torch.tensor(3), torch.tensor([[3]])):
        with pytest.raises(ValueError, match=r"classes: expected shape \[n\], got"):
            subsets.ClassScore(network, of_no_or_two_axes)
    for number_or_list in (3, [1]):
        with pytest.raises(TypeError, match=r"classes: expected a torch.Tensor \[n\], got"):
            subsets.ClassScore(network, number_or_list)
    with pytest.raises(TypeError, match="x: expected a torch.Tensor"):
        subsets.class_score(network, x.numpy())
    with pytest.raises(TypeError, match=r"network: expected a torch.nn.Module, got function"):
        subsets.class_score(lambda inputs: inputs, x)
    with pytest.raises(ValueError, match="not a plain chain of layers"):
        subsets.class_score(
            networks.build("NFWideResNet", 3, 1, 8, depth=10, widen=1), torch.rand(1, 1, 8, 8), local=True
        )
    with pytest.raises(ValueError, match="no convolutions or poolings in which a pixel changes a small part"):
        subsets.back_select(subsets.class_score(network, x, local=True), x)
    conv = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))
    one = torch.rand(1, 8, 8)
    with pytest.raises(ValueError, match="local=True is for images .* whose features are whole pixels"):
        subsets.back_select(subsets.class_score(conv, one, local=True), one, mask=torch.ones(8, 1, dtype=torch.bool))
    with pytest.raises(ValueError, match="network: its batch normalisation '0' keeps no running statistics"):
        subsets.class_score(nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), network), x)
    with pytest.raises(ValueError, match="score: expected real numbers, got complex ones"):
        subsets.back_select(lambda inputs: inputs.sum((1, 2, 3)) * 1j, one)
    with pytest.raises(
        TypeError, match="x: expected a torch.Tensor, one input .* got float; the input comes before the threshold"
    ):
        subsets.find_sis(lambda inputs: inputs.sum((1, 2, 3)), 0.5, one)

"""Evaluation: the published schedule, both paths, what a seed fixes, wrong input."""

import pytest
import torch
import torch.nn.functional as F

import simplebits as sb
from simplebits.condense import CondensedSet, CropScaleRotate, Evaluation, evaluate
from simplebits.networks import ConvNet

OPTIONS = {"network_options": {"width": 8, "depth": 2}, "progress": False}


@pytest.fixture(scope="module")
def digits():
    return sb.data.load("digits", "train")


@pytest.fixture(scope="module")
def test_set():
    return sb.data.load("digits", "test")


@pytest.fixture(scope="module")
def few(digits):
    return CondensedSet.of(sb.condense.coreset(digits, "random", 2), digits, size=8)


def test_one_network_follows_the_published_schedule(few, test_set):
    """SGD by hand: E + 1 epochs; after half of them a tenth of the rate and a new momentum."""
    epochs = 6
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(3)
        net = ConvNet(10, 1, 8, width=8, depth=2)
    x, velocity = few.standardised(few.images), {}
    for epoch in range(epochs + 1):
        rate = 0.01 if epoch < epochs // 2 + 2 else 0.001
        if epoch in (0, epochs // 2 + 2):
            velocity = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
        net.zero_grad()
        F.cross_entropy(net(x), few.labels).backward()
        with torch.no_grad():
            for name, p in net.named_parameters():
                velocity[name] = 0.9 * velocity[name] + p.grad + 5e-4 * p
                p -= rate * velocity[name]
    right = net(few.standardised(test_set.to_float(8))).argmax(1) == test_set.labels
    found = evaluate(few, test_set, seeds=[3], epochs=epochs, **OPTIONS)
    assert found.accuracies[0] == pytest.approx(float(right.float().mean()), abs=3 / len(test_set))


@pytest.mark.parametrize("augment", [None, sb.condense.SiameseAugment("crop_scale"), CropScaleRotate()])
def test_all_at_once_equals_one_after_the_other(few, test_set, augment):
    found = [
        evaluate(few, test_set, seeds=[0, 1, 2], epochs=12, augment=augment, together=together, **OPTIONS)
        for together in (False, True)
    ]
    assert found[0].accuracies == pytest.approx(found[1].accuracies, abs=3 / len(test_set))
    assert found[0].sd > 0


def test_more_images_teach_more(digits, test_set):
    sets = [CondensedSet.of(sb.condense.coreset(digits, "random", n), digits, size=8) for n in (1, 40)]
    found = [evaluate(few, test_set, epochs=60, seeds=range(2), **OPTIONS) for few in sets]
    assert found[1].mean > found[0].mean + 0.15


def test_other_networks_and_functions_are_taken(few, test_set):
    by_name = evaluate(few, test_set, "MLP", seeds=[0], epochs=30, progress=False)
    by_function = evaluate(few, test_set, lambda: sb.networks.MLP(10, 1, 8), seeds=[0], epochs=30, progress=False)
    assert by_name == by_function


def test_noise_is_drawn_once_and_changes_the_images(few, test_set):
    clean, noisy, again = (
        evaluate(few, test_set, seeds=[0], epochs=20, noise=noise, **OPTIONS) for noise in (0.0, 2.0, 2.0)
    )
    assert noisy == again and noisy != clean


def test_batch_normalisation_trains_one_after_the_other(few, test_set):
    options = {"network_options": {"width": 8, "depth": 2, "norm": "batch"}, "progress": False}
    assert evaluate(few, test_set, seeds=[0], epochs=30, **options).mean > 0.3
    with pytest.raises(ValueError, match="cannot be stacked"):
        evaluate(few, test_set, seeds=[0], epochs=1, together=True, **options)


def test_mean_and_population_deviation():
    found = Evaluation((0.5, 0.7))
    assert (found.mean, found.sd) == (pytest.approx(0.6), pytest.approx(0.1))
    assert repr(found) == "Evaluation(60.0% ± 10.0%, 2 networks)"


@pytest.mark.unchecked
def test_wrong_use_is_named(few, digits, test_set):
    with pytest.raises(TypeError, match=r"CondensedSet\.of\(images, train\) makes one"):
        evaluate(digits, test_set)
    with pytest.raises(TypeError, match="test: expected an ImageSet"):
        evaluate(few, test_set.to_float())
    with pytest.raises(ValueError, match="epochs=0"):
        evaluate(few, test_set, epochs=0)
    with pytest.raises(ValueError, match="seeds: none given"):
        evaluate(few, test_set, seeds=[])
    with pytest.raises(ValueError, match="did you mean 'LeNet'"):
        evaluate(few, test_set, "Lenett")
    four = sb.data.ImageSet(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.tensor([0]), tuple("abcd"), "four")
    with pytest.raises(ValueError, match="has 4 classes"):
        evaluate(few, four)

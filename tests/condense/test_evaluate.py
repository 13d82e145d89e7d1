"""Evaluation: the published schedule, both paths, what a seed fixes, wrong input."""

import sys

import pytest
import torch
import torch.nn.functional as F

import simplebits as sb
from simplebits.condense import CondensedSet, CropScaleRotate, Evaluation, evaluate
from simplebits.networks import ConvNet

MODULE = sys.modules["simplebits.condense.evaluate"]  # the function has its name in the package
OPTIONS = {"network_options": {"width": 8, "depth": 2}, "bf16": False, "device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def digits():
    return sb.data.load("digits", "train")


@pytest.fixture(scope="module")
def test_set():
    return sb.data.load("digits", "test")


@pytest.fixture(scope="module")
def few(digits):
    return CondensedSet.of(sb.condense.coreset(digits, "random", 2), digits, size=8)


def trained_by_hand(few, epochs, switch, fresh_momentum=True, passes=None):
    """SGD written out, from the weights that seed 3 gives; a tenth of the rate from epoch `switch` on."""
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(3)
        net = ConvNet(10, 1, 8, width=8, depth=2)
    x = few.standardised(few.images)
    velocity = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    for epoch in range(epochs + 1 if passes is None else passes):
        if epoch == switch and fresh_momentum:
            velocity = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
        net.zero_grad()
        F.cross_entropy(net(x), few.labels).backward()
        with torch.no_grad():
            for name, p in net.named_parameters():
                velocity[name] = 0.9 * velocity[name] + p.grad + 5e-4 * p
                p -= (0.01 if epoch < switch else 0.001) * velocity[name]
    return {name: p.detach() for name, p in net.named_parameters()}


def test_one_network_follows_the_published_schedule(few, test_set):
    """E + 1 epochs; after epoch E/2 + 1 a tenth of the rate and a new momentum; nothing near it will do."""
    epochs, nets = 6, []

    def network():
        nets.append(ConvNet(10, 1, 8, width=8, depth=2))
        return nets[-1]

    evaluate(few, test_set, network, seeds=[3], epochs=epochs, bf16=False, device="cpu", progress=False)
    found = {name: p.detach() for name, p in nets[0].named_parameters()}

    def apart(by_hand):
        return max(float((found[name] - p).abs().max()) for name, p in by_hand.items())

    assert apart(trained_by_hand(few, epochs, epochs // 2 + 2)) < 1e-5
    for wrong in ({"switch": 4}, {"switch": 6}, {"switch": 5, "fresh_momentum": False}, {"switch": 5, "passes": 6}):
        assert apart(trained_by_hand(few, epochs, **wrong)) > 1e-4


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


def test_a_strategy_may_be_given_by_name(few, test_set):
    options = OPTIONS | {"seeds": 0, "epochs": 5}
    by_name = evaluate(few, test_set, augment="crop_scale", **options)
    assert by_name == evaluate(few, test_set, augment=["crop", "scale"], **options)
    assert by_name == evaluate(few, test_set, augment=sb.condense.SiameseAugment("crop_scale"), **options)


def test_a_training_that_diverges_is_no_accuracy(few, test_set):
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        evaluate(few, test_set, seeds=[0], epochs=20, learning_rate=1e12, **OPTIONS)


@pytest.mark.unchecked
def test_wrong_use_is_named(few, digits, test_set):
    for network, message in (
        (ConvNet(10, 1, 8, depth=2), "a function that gives a network"),
        (3, "expected a name"),
    ):
        with pytest.raises(TypeError, match=message):
            evaluate(few, test_set, network)
    with pytest.raises(TypeError, match="augment: expected a strategy"):
        evaluate(few, test_set, augment=3)
    with pytest.raises(TypeError, match="expected a strategy such as 'crop_scale' or one of SiameseAugment"):
        evaluate(few, test_set, augment=lambda x: x)
    with pytest.raises(ValueError, match="one occurs twice"):
        evaluate(few, test_set, seeds=[0, 0])
    with pytest.raises(TypeError, match="ConvNet has no option 'depht'; did you mean 'depth'"):
        evaluate(few, test_set, network_options={"depht": 2})
    with pytest.raises(TypeError, match="bf16='no': give True or False"):
        evaluate(few, test_set, bf16="no")
    with pytest.raises(ValueError, match="build them into the function"):
        evaluate(few, test_set, lambda: ConvNet(10, 1, 8, depth=2), network_options={"width": 8})
    with pytest.raises(ValueError, match=r"expected logits \[n, 10\]"):
        evaluate(few, test_set, lambda: ConvNet(4, 1, 8, depth=2))
    with pytest.raises(ValueError, match="does not take images 1x8x8"):
        evaluate(few, test_set, lambda: ConvNet(10, 3, 32))
    with pytest.raises(ValueError, match="test: holds 0; give at least 1"):
        evaluate(few, test_set.subset(torch.zeros(0, dtype=torch.int64)))
    with pytest.raises(ValueError, match="momentum=1.5"):
        evaluate(few, test_set, momentum=1.5)
    with pytest.raises(ValueError, match="seeds='x'"):
        evaluate(few, test_set, seeds="x")
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
    with pytest.raises(ValueError, match="test: four has a class 'a', which is not among those learned: '0', '1'"):
        evaluate(few, four)


def test_mirrored_digits_are_warned_of(few, test_set):
    with pytest.warns(UserWarning, match="a mirrored digit is another sign"):
        evaluate(few, test_set.subset(range(10)), seeds=[0], epochs=1, augment="crop_flip", **OPTIONS)


@pytest.mark.parametrize("together", [False, True])
def test_finished_networks_are_read_back_and_others_go_on(few, test_set, tmp_path, monkeypatch, together):
    options = OPTIONS | {"epochs": 2, "together": together}
    whole = evaluate(few, test_set, seeds=[0, 1, 2], **options)
    assert (
        evaluate(few, test_set, seeds=[0, 1], checkpoint=tmp_path / "e", **options).accuracies == (whole.accuracies[:2])
    )
    trained = []
    name = "_train_together" if together else "_train_one"
    train = getattr(MODULE, name)
    monkeypatch.setattr(MODULE, name, lambda nets, *rest: (trained.extend(nets), train(nets, *rest))[1])
    again = evaluate(few, test_set, seeds=[0, 1, 2], checkpoint=tmp_path / "e", **options)
    assert again.accuracies == whole.accuracies and len(trained) == 1
    with pytest.raises(ValueError, match="belongs to another training: epochs=2 there, 3 here"):
        evaluate(few, test_set, seeds=[0], checkpoint=tmp_path / "e", **(options | {"epochs": 3}))
    other = CondensedSet.of(sb.condense.coreset(sb.data.load("digits", "train"), "random", 2, seed=5),
                            sb.data.load("digits", "train"), size=8)  # fmt: skip
    with pytest.raises(ValueError, match="belongs to another training: condensed="):
        evaluate(other, test_set, seeds=[0], checkpoint=tmp_path / "e", **options)


def test_classes_are_found_by_name_whatever_their_order(few, test_set):
    turned = test_set.with_classes(test_set.classes[::-1])
    assert not torch.equal(turned.labels, test_set.labels)
    straight, other = (evaluate(few, each, seeds=[0], epochs=20, **OPTIONS) for each in (test_set, turned))
    assert straight.accuracies == other.accuracies and straight.mean > 0.2


@pytest.mark.parametrize("together", [False, True])
def test_frozen_layers_stay_as_they_are(few, test_set, together):
    made = []

    def network():
        net = sb.networks.build("ConvNet", 10, 1, 8, width=8, depth=2)
        first = next(net.parameters())
        first.requires_grad_(False)
        made.append((first, first.detach().clone()))
        return net

    how = OPTIONS | {"network_options": None}
    results = [evaluate(few, test_set, network, seeds=[0, 1], epochs=5, together=together, **how)]
    results.append(evaluate(few, test_set, network, seeds=[0, 1], epochs=5, together=not together, **how))
    assert all(torch.equal(weight, before) for weight, before in made)
    assert results[0].accuracies == pytest.approx(results[1].accuracies, abs=0.02)

"""Wrong use of the trainings is told before anything is computed, in words that name the argument."""

import pytest
import torch
from torch import nn

import simplebits as sb
from simplebits.data import synthetic
from simplebits.networks import NFWideResNet, ResidualUNet, classifier_optimiser
from simplebits.simplify import SimplifyWhileTraining, bit_gate, fit_mse_simplifier, per_instance_loss, retrain

QUIET = {"batch_size": 4, "progress": False}


def make(size=16, downsamplings=2, **options):
    return SimplifyWhileTraining(
        NFWideResNet(10, 1, classes=10, size=size, stem_stride=2), ResidualUNet(4, downsamplings, merge=1.0),
        sb.density.load("glow-16px"), bf16=False, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 32}, "classifier: it does not take images 3x16x16, the size that the density measures"),
        ({"downsamplings": 5}, "simplifier: it does not take images 3x16x16, the size that the density measures"),
    ],
)
@pytest.mark.parametrize("how", ["fit", "sweep"])
def test_a_network_of_another_size_is_told_before_the_warm_up(options, message, how):
    run = make(**options)
    lambdas = {"fit": [], "sweep": [[1.0]]}[how]
    with pytest.raises(ValueError, match=message):
        getattr(run, how)(synthetic(8, 16), *lambdas, steps=1, warm_up=2, **QUIET)
    assert run.step == run.warmed == 0


def test_labels_of_the_test_set_are_looked_at_first():
    test = synthetic(4, 16)
    test.labels[0] = 99
    run = make()
    with pytest.raises(ValueError, match=r"must lie in 0 \.\. 9"):
        run.fit(synthetic(8, 16), steps=1, test=test, warm_up=2, **QUIET)
    assert run.step == run.warmed == 0


def test_a_misspelt_option_of_a_sweep_is_told_before_the_warm_up():
    run = make()
    with pytest.raises(TypeError, match="cooldown"):
        run.sweep(synthetic(8, 16), [1.0], steps=1, warm_up=2, cooldown=0.3, **QUIET)
    with pytest.raises(ValueError, match="warm_up=-1"):
        run.sweep(synthetic(8, 16), [1.0], steps=1, warm_up=-1, **QUIET)
    assert run.warmed == 0


def test_a_sweep_goes_on_with_more_lambdas_on_the_same_object(tmp_path):
    images, path = synthetic(8, 16), tmp_path / "c.st"
    run = make()
    first = run.sweep(images, [1.0], steps=2, warm_up=3, checkpoint=path, **QUIET)
    again = run.sweep(images, [1.0, 2.0], steps=2, warm_up=3, checkpoint=path, **QUIET)
    assert run.warmed == 3
    pairs = zip(first[1.0].simplifier.parameters(), again[1.0].simplifier.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert set(again) == {1.0, 2.0}


@pytest.mark.unchecked
@pytest.mark.parametrize("betas", [0.9, (0.9,), (0.5, 1.0), "ab"])
def test_betas_are_two_numbers_below_1(betas):
    with pytest.raises(ValueError, match="simplifier_betas="):
        make(simplifier_betas=betas)
    with pytest.raises(ValueError, match="betas="):
        fit_mse_simplifier(
            ResidualUNet(4, 2), sb.density.load("glow-16px"), synthetic(4, 16), steps=1, betas=betas, **QUIET
        )


def test_frozen_networks_are_told():
    run = make()
    frozen = run.classifier.requires_grad_(False)
    with pytest.raises(ValueError, match="classifier: .* is frozen"):
        SimplifyWhileTraining(frozen, ResidualUNet(4, 2), sb.density.load("glow-16px"))
    with pytest.raises(ValueError, match="simplifier: .* is frozen"):
        fit_mse_simplifier(
            ResidualUNet(4, 2).requires_grad_(False), sb.density.load("glow-16px"), synthetic(4, 16), steps=1, **QUIET
        )


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"density": "glow"}, TypeError, "density: expected a DensityModel, got str"),
        ({"density": None}, TypeError, "density: expected a DensityModel, got NoneType"),
        ({"generator": 3}, TypeError, "generator: expected a torch.Generator.*got int"),
        ({"labels": torch.zeros(2, dtype=torch.int64, device="meta")}, ValueError, "labels is on meta"),
    ],
)
@pytest.mark.unchecked
def test_the_loss_names_what_is_wrong(wrong, error, message):
    classifier = NFWideResNet(10, 1, size=16, stem_stride=2)
    x = torch.rand(2, 3, 16, 16)
    given = {
        "classifier": classifier, "optimiser": classifier_optimiser(classifier),
        "density": sb.density.load("glow-16px"), "x": x, "simplified": x, "labels": torch.tensor([0, 1]),
    }  # fmt: skip
    with pytest.raises(error, match=message):
        per_instance_loss(**(given | wrong))


@pytest.mark.unchecked
def test_a_gate_wants_a_tensor_and_a_retraining_sets_by_name():
    with pytest.raises(TypeError, match="original: expected a tensor of losses, got float"):
        bit_gate(0.05)
    images = synthetic(4, 16)
    with pytest.raises(TypeError, match="test: expected sets by name"):
        retrain(nn.Linear(1, 1), images, images, steps=1)


def test_images_in_double_precision_are_simplified_as_well():
    run = make()
    x = torch.rand(2, 3, 16, 16)
    double = run.simplify(x.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), run.simplify(x))

"""Wrong use of the trainings is told before anything is computed, in words that name the argument."""

import dataclasses
import inspect
import math

import numpy as np
import pytest
import torch
from torch import nn

import simplebits as sb
from simplebits.data import synthetic
from simplebits.networks import NFWideResNet, ResidualUNet, classifier_optimiser
from simplebits.simplify import SimplifyWhileTraining, bit_gate, fit_mse_simplifier, per_instance_loss, retrain
from simplebits.simplify.step import StepSettings

QUIET = {"batch_size": 4, "progress": False}


def make(size=16, downsamplings=2, **options):
    return SimplifyWhileTraining(
        NFWideResNet(10, 1, classes=10, size=size, stem_stride=2), ResidualUNet(4, downsamplings, merge=1.0),
        sb.density.load("glow-16px"), bf16=False, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"size": 32},
            "classifier: it does not take images 3x16x16 .*build it for this size, which the density measures",
        ),
        (
            {"downsamplings": 5},
            "simplifier: it does not take images 3x16x16 .*build it for this size, which the density measures",
        ),
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


@pytest.mark.parametrize("options", [{"size": 32}, {"downsamplings": 5}])
def test_without_a_warm_up_the_first_step_tells_and_nothing_is_run_before(options):
    run, calls = make(**options), []
    run.classifier.register_forward_hook(lambda *_: calls.append("classifier"))
    run.simplifier.register_forward_hook(lambda *_: calls.append("simplifier"))
    name = "classifier" if "size" in options else "simplifier"
    with pytest.raises(ValueError, match=f"{name}: it does not take images 3x16x16"):
        run.fit(synthetic(8, 16), steps=1, **QUIET)
    assert run.step == 0
    calls.clear()
    right = make()
    for network, what in ((right.classifier, "classifier"), (right.simplifier, "simplifier")):
        network.register_forward_hook(lambda *_, what=what: calls.append(what))
    right.fit(synthetic(8, 16), steps=1, **QUIET)
    assert calls == ["simplifier", "classifier", "classifier", "classifier", "simplifier", "classifier"]


def test_a_step_looks_at_its_images_once(monkeypatch):
    run, looked = make(bit_weight=1.0, threshold=1e3), []
    aminmax = torch.aminmax
    monkeypatch.setattr(torch, "aminmax", lambda x: looked.append(x.shape) or aminmax(x))
    run.fit(synthetic(8, 16), steps=3, **QUIET)
    assert looked == [(4, 3, 16, 16)] * 3 and not any(map(math.isnan, run.history.terms["bits"]))


@pytest.mark.unchecked
def test_a_simplifier_that_leaves_the_range_or_the_shape_is_told():
    class Brighter(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.tensor(3.0))

        def forward(self, x):
            return self.gain * x if self.training else x[:, :, 1:]

    options = {"bf16": False, "classifier": NFWideResNet(10, 1, size=16, stem_stride=2)}
    run = SimplifyWhileTraining(simplifier=Brighter(), density=sb.density.load("glow-16px"), **options)
    with pytest.raises(ValueError, match=r"^simplifier: made \[1, 3, 15, 16\] of images \[1, 3, 16, 16\]"):
        run.fit(synthetic(8, 16), steps=1, warm_up=1, **QUIET)
    run.simplifier.forward = lambda x: run.simplifier.gain * x
    with pytest.raises(ValueError, match=r"^simplifier: values must lie in \[0, 1\], got"):
        run.fit(synthetic(8, 16), steps=1, **QUIET)


def test_settings_are_frozen_and_published_by_default():
    run = SimplifyWhileTraining(NFWideResNet(10, 1), ResidualUNet(4, 2), sb.density.load("glow"))
    published = StepSettings(bf16=run.settings.bf16)
    assert run.settings == published and published.weights == (1.0, 1.0, 10.0)
    assert (published.threshold, published.learning_rate, published.simplifier_betas) == (0.1, 5e-4, (0.5, 0.99))
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.settings.bit_weight = 2.0
    signature = inspect.signature(SimplifyWhileTraining).parameters
    fields = {field.name: field.default for field in dataclasses.fields(StepSettings)}
    assert {name: p.default for name, p in signature.items() if p.kind is p.KEYWORD_ONLY} == fields


def test_numpys_numbers_are_numbers():
    run = make(bit_weight=np.float32(2.0), seed=np.int64(3), simplifier_betas=np.array([0.5, 0.9]))
    run.fit(synthetic(8, 16), steps=np.int64(1), batch_size=np.int32(4), progress=False)
    assert (run.settings.bit_weight, run.settings.seed, run.step) == (2.0, 3, 1)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("betas", "error", "message"),
    [
        (0.9, TypeError, "betas: expected a tuple, got float"),
        ((0.9,), ValueError, "betas: expected 2 values, got 1"),
        ((0.5, 1.0), ValueError, r"betas\[1\]=1.0: give a number of at least 0 and below 1"),
        ("ab", TypeError, "betas: expected a tuple, got str"),
    ],
)
def test_betas_are_two_numbers_below_1(betas, error, message):
    with pytest.raises(error, match=f"^simplifier_{message}"):
        make(simplifier_betas=betas)
    with pytest.raises(error, match=f"^{message}"):
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
        ({"labels": torch.zeros(2, dtype=torch.int64, device="meta")}, ValueError, "labels: is on meta"),
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
    with pytest.raises(TypeError, match=r"original: expected a torch.Tensor \[n\], got float"):
        bit_gate(0.05)
    images = synthetic(4, 16)
    with pytest.raises(TypeError, match="test: expected a mapping, got ImageSet"):
        retrain(nn.Linear(1, 1), images, images, steps=1)


def test_images_in_double_precision_are_simplified_as_well():
    run = make()
    x = torch.rand(2, 3, 16, 16)
    double = run.simplify(x.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), run.simplify(x))

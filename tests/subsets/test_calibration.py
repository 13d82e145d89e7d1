"""Calibration: temperature and expected calibration error against what they must be by hand."""

import builtins

import pytest
import torch

from simplebits.subsets import Calibrated, calibration_error, fit_temperature


def drawn(n=4000, classes=5, seed=0):
    """Logits, and labels drawn from their own softmax: calibrated as they are."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, classes, generator=generator)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=generator).flatten()


@pytest.mark.parametrize("times", [0.5, 1.0, 3.0])
def test_logits_that_are_too_large_are_divided_by_as_much(times):
    logits, labels = drawn()
    assert fit_temperature(times * logits, labels) == pytest.approx(times, rel=0.06)


def test_the_temperature_is_where_the_cross_entropy_is_flat():
    logits, labels = drawn(300)
    t = torch.tensor(fit_temperature(3 * logits, labels), dtype=torch.float64, requires_grad=True)
    torch.nn.functional.cross_entropy(3 * logits.double() / t, labels).backward()
    assert abs(float(t.grad)) < 1e-5


def test_scaling_keeps_predictions_and_lowers_the_error():
    logits, labels = drawn()
    wild, (fresh, answers) = 3 * logits, drawn(seed=1)
    t = fit_temperature(wild, labels)
    scaled = Calibrated(torch.nn.Identity(), t)(3 * fresh)
    assert torch.equal(scaled.argmax(1), fresh.argmax(1))
    assert calibration_error(scaled, answers) < 0.03 < 0.1 < calibration_error(3 * fresh, answers)


@pytest.mark.parametrize("bins", [1, 15])
def test_the_error_is_the_mean_gap_over_bins(bins):
    logits, labels = drawn(500)
    confidence, said = logits.double().softmax(1).max(1)
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    place = torch.bucketize(confidence, edges[1:-1])
    gap = 0.0
    for one in place.unique():
        inside = place == one
        accuracy = (said == labels)[inside].double().mean()
        gap += float(inside.double().mean() * (accuracy - confidence[inside].mean()).abs())
    assert calibration_error(logits, labels, bins) == pytest.approx(gap, abs=1e-6)


def test_complete_confidence_is_in_the_last_bin():
    logits = torch.tensor([[500.0, 0.0], [3.0, 0.0]])  # confidences 1, wrong, and .953, right
    assert calibration_error(logits, torch.tensor([1, 0])) == pytest.approx((1 + 0.952574) / 2 - 0.5, abs=1e-5)


def test_gradients_are_not_needed_and_not_left():
    logits, labels = drawn(100)
    logits.requires_grad_()
    with torch.no_grad():
        assert fit_temperature(logits, labels) > 0
    calibration_error(logits, labels)
    assert logits.grad is None


def test_without_a_best_temperature_there_is_an_error():
    logits, right = torch.eye(3).repeat(5, 1), torch.arange(3).repeat(5)
    for labels, why in ((right, "classified correctly"), ((right + 1) % 3, "no better than chance")):
        with pytest.raises(FloatingPointError, match=why):
            fit_temperature(logits, labels)


def test_without_torchmetrics_the_extra_is_named(monkeypatch):
    plain = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("torchmetrics"):
            raise ImportError(name)
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"simplebits\[attribution\]"):
        calibration_error(*drawn(10))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_temperature_is_found_wherever_it_is_asked_for(mode):
    expected = fit_temperature(*drawn(200))
    with mode():
        assert fit_temperature(*drawn(200)) == expected


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: fit_temperature(x.long(), y), "logits: expected floating point values, got dtype torch.int64"),
        (lambda x, y: fit_temperature(x[0], y), r"logits: expected shape \[n, classes\], got \[5\]"),
        (lambda x, y: fit_temperature(x / 0, y), "finite"),
        (lambda x, y: fit_temperature(x, y[1:]), "labels: expected an int64 tensor"),
        (lambda x, y: calibration_error(x, y + 5), "labels: must lie in 0 .. 4"),
        (lambda x, y: calibration_error(x, y, 0), "bins=0"),
        (lambda x, y: Calibrated(torch.nn.Identity(), 0), "temperature=0"),
    ],
)
def test_wrong_use_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(*drawn(10))

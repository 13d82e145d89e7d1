"""Leave one out, all at once: reference values, against removing each sample, invariances, wrong input."""

import math
import sys

import pytest
import torch
from information.linear_problem import problem

from simplebits.information import kernel, leave_one_out, sample_information

GROUPS = [
    (decay, steps, dynamics)
    for decay in (0.0, 0.02)
    for steps in (1, 400, None)
    for dynamics in ("discrete", "continuous")
    if decay or steps
]


@pytest.fixture
def reference(golden):
    values = golden("sample_information")
    return lambda name: torch.from_numpy(values[name])


@pytest.mark.parametrize(("decay", "steps", "dynamics"), GROUPS)
def test_equals_the_reference_values(reference, decay, steps, dynamics):
    inputs = [reference(name) for name in ("ntk", "ntk_val", "y", "f0", "f0_val")]
    rate = float(reference("lr"))
    result = sample_information(*inputs, rate, steps, decay, dynamics=dynamics, half=False)
    group = f"decay{decay}/t{steps or 'inf'}/{dynamics}"
    scores = {"functional": result.functional, "weights": result.weights, "f_val": result.predictions}
    for name, value in scores.items():
        expected = reference(f"{group}/{name}").double()
        # The references are float32, and differences of close weights: that leaves three to six digits.
        assert float((value - expected).abs().max()) < 3e-4 * float(expected.abs().max())


@pytest.mark.parametrize("decay", [0.0, 0.02])
def test_equals_reference_retraining_in_double_precision(reference, decay):
    """The network that the reference values belong to, its kernel computed here."""
    w1, b1, w2, b2, x, x_val, y = (reference(n).double() for n in ("w1", "b1", "w2", "b2", "x", "x_val", "y"))
    net = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.ReLU(), torch.nn.Linear(12, 1)).double()
    for parameter, value in zip(net.parameters(), (w1, b1, w2, b2), strict=True):
        parameter.data.copy_(value)
    with torch.no_grad():
        f0, f0_val = net(x), net(x_val)
    rate = float(reference("lr"))
    result = sample_information(kernel(net, x), kernel(net, x_val, x), y, f0, f0_val, rate, 400, decay, half=False)
    for name, value in {"functional": result.functional, "weights": result.weights}.items():
        assert float((value - reference(f"decay{decay}/t400/retrained/{name}")).abs().max()) < 1e-8


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("dynamics", ["discrete", "continuous"])
@pytest.mark.parametrize("steps", [1, 7, 300, None])
@pytest.mark.parametrize("weight_decay", [0.0, 0.03])
def test_equals_removing_each_sample(k, dynamics, steps, weight_decay):
    p = problem(k=k)
    functional, weights, dw = p.scores(2.0, steps, weight_decay, dynamics)
    options = {"dynamics": dynamics, "precision": 1e-12}
    result = sample_information(*p.arguments, 2.0, steps, weight_decay, **options)
    torch.testing.assert_close(result.functional, functional, rtol=1e-8, atol=1e-8 * float(functional.max()))
    torch.testing.assert_close(result.weights, weights, rtol=1e-8, atol=1e-8 * float(weights.max()))
    changes = leave_one_out(p.kernel, p.targets, p.f0, 2.0, steps, weight_decay, **options)
    torch.testing.assert_close(changes @ p.J, dw, rtol=1e-7, atol=1e-8 * float(dw.abs().max()))


@pytest.mark.parametrize("rate", [6.0, 8.5])
def test_steps_so_long_that_they_overshoot(rate):
    """Eta times the largest eigenvalue between 1 and 2: 1 - eta s is negative there."""
    p = problem()
    assert 1 < rate / p.n * float(torch.linalg.eigvalsh(p.kernel)[-1]) < 2 * (p.n - 1) / p.n
    for steps in (6, 41):
        functional, weights, _ = p.scores(rate, steps, 0.0)
        result = sample_information(*p.arguments, rate, steps)
        torch.testing.assert_close(result.functional, functional, rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(result.weights, weights, rtol=1e-6, atol=1e-8)


def test_more_samples_than_weights_are_no_obstacle_to_finite_training():
    p = problem(n=12, d=5)
    functional, weights, _ = p.scores(1.0, 500, 0.0)
    result = sample_information(*p.arguments, 1.0, 500)
    torch.testing.assert_close(result.functional, functional, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(result.weights, weights, rtol=1e-6, atol=1e-9)


def test_the_hessian_metric_is_the_increase_of_the_training_loss():
    p = problem(k=2)
    _, _, dw = p.scores(1.0, 50, 0.05)
    hessian = p.J.T @ p.J + p.n * 0.05 * torch.eye(p.J.shape[1]).double()
    result = sample_information(*p.arguments, 1.0, 50, 0.05, metric="hessian")
    torch.testing.assert_close(result.weights, torch.einsum("id,de,ie->i", dw, hessian, dw) / 2, rtol=1e-7, atol=1e-10)


def test_ridge_regression_without_a_sample_has_cooks_closed_form():
    """At infinity with decay this is ridge regression: the residual of a left-out sample is r_i / (1 - h_ii)."""
    p = problem(n=10, d=4)
    decay = p.n * 0.1
    inverse = torch.linalg.inv(p.J.T @ p.J + decay * torch.eye(4).double())
    y = (p.targets - p.f0).flatten()
    residual, leverage = y - p.J @ inverse @ p.J.T @ y, torch.einsum("id,de,ie->i", p.J, inverse, p.J)
    dw = -(p.J @ inverse) * (residual / (1 - leverage))[:, None]
    result = sample_information(*p.arguments, 1.0, None, 0.1)
    torch.testing.assert_close(result.weights, dw.square().sum(1) / 2)


def test_equal_samples_score_equal_and_less_than_either_alone():
    p = problem()
    twice = torch.arange(10).clamp(max=8)
    result = sample_information(*p.permuted(twice).arguments, 1.0, 200)
    alone = sample_information(*p.arguments, 1.0, 200)
    for name in ("functional", "weights"):
        both, one = getattr(result, name), getattr(alone, name)
        assert float(both[8]) == pytest.approx(float(both[9]), rel=1e-9)
        assert float(both[8]) < 0.5 * float(one[8])


def test_permuting_the_samples_permutes_their_scores():
    p, order = problem(k=2), torch.randperm(9, generator=torch.Generator().manual_seed(3))
    plain = sample_information(*p.arguments, 1.0, 60, 0.01)
    moved = sample_information(*p.permuted(order).arguments, 1.0, 60, 0.01)
    torch.testing.assert_close(moved.functional, plain.functional[order])
    torch.testing.assert_close(moved.weights, plain.weights[order])


def test_scores_do_not_depend_on_how_many_are_made_at_once(monkeypatch):
    p = problem(k=2)
    expected = sample_information(*p.arguments, 1.0, 60)
    monkeypatch.setattr(sys.modules["simplebits.information.leave_one_out"], "_BLOCK_BYTES", 1)
    result = sample_information(*p.arguments, 1.0, 60)
    torch.testing.assert_close(result.functional, expected.functional)
    torch.testing.assert_close(result.weights, expected.weights)


def test_a_coarser_precision_is_coarser_and_keeps_its_promise():
    p = problem()
    exact = sample_information(*p.arguments, 1.0, 1000, precision=1e-12)
    errors = []
    for precision in (1e-2, 1e-4, 1e-8):
        result = sample_information(*p.arguments, 1.0, 1000, precision=precision)
        errors.append(float(((result.weights - exact.weights).abs() / exact.weights).max()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[1] < 1e-2 and errors[2] < 1e-6


@pytest.mark.unchecked
def test_the_kernel_is_decomposed_once_and_after_all_that_may_be_refused(monkeypatch):
    p, calls, eigh = problem(), [], torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda matrix: calls.append(len(matrix)) or eigh(matrix))
    theta, theta_val, y, f0, f0_val = p.arguments
    for wrong in (
        lambda: sample_information(theta, theta_val.T, y, f0, f0_val, 0.1, 5),
        lambda: sample_information(*p.arguments, 0.1, 2.5),
        lambda: sample_information(*p.arguments, 0.1, 5, precision=2.0),
        lambda: sample_information(theta[:1, :1], theta_val[:, :1], y[:1], f0[:1], f0_val, 0.1, 5),
    ):
        with pytest.raises(ValueError, match="kernel_val|steps|precision|1 sample"):
            wrong()
    assert not calls
    sample_information(*p.arguments, 0.1, 5)
    assert calls == [9]


@pytest.mark.unchecked
def test_wrong_input_is_named():
    p = problem()
    theta, theta_val, y, f0, f0_val = p.arguments

    def fails(match, *arguments, **options):
        with pytest.raises(ValueError, match=match):
            sample_information(*arguments, **options)

    fails(r"kernel_val: expected shape \[5, 9\]", theta, theta_val.T, y, f0, f0_val, 0.1, 5)
    fails(r"f0_val: expected shape \[m, k\], got \[5\]; add the axis", theta, theta_val, y, f0, f0_val[:, 0], 0.1, 5)
    fails(r"f0_val: expected shape \[m, 1\], as f0 has 1", theta, theta_val, y, f0, f0_val.expand(-1, 2), 0.1, 5)
    fails("kernel_val: holds NaN", theta, theta_val * math.nan, y, f0, f0_val, 0.1, 5)
    fails("did you mean 'hessian'", *p.arguments, 0.1, 5, metric="hesian")
    fails("precision=1e-15: give a number of at least 1e-12 and below 1", *p.arguments, 0.1, 5, precision=1e-15)
    fails("not symmetric", theta + torch.ones(9, 9).triu(1), theta_val, y, f0, f0_val, 0.1, 5)
    fails("targets: 1 sample", theta[:1, :1], theta_val[:, :1], y[:1], f0[:1], f0_val, 0.1, 5)
    fails("diverges.*the largest stable rate is", *p.arguments, 100.0, 5)
    fails("weight_decay=-0.1", *p.arguments, 0.1, 5, -0.1)
    flat = problem(n=8, d=5)
    fails("singular", *flat.arguments, 0.1, None)


@pytest.mark.unchecked
def test_the_rate_that_the_message_names_works():
    p = problem()
    with pytest.raises(ValueError, match="largest stable rate") as caught:
        sample_information(*p.arguments, 100.0, 5)
    result = sample_information(*p.arguments, float(str(caught.value).split()[-1]) * 0.999, 5)
    assert torch.isfinite(result.functional).all()

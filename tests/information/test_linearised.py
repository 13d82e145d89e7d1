"""Closed forms of linearised training: against every step taken, against the network itself, wrong input."""

import math

import pytest
import torch
from information.linear_problem import problem
from torch import nn

from simplebits.information import kernel, linearised_training
from simplebits.information.shrinkage import Shrinkage, talbot

SETTINGS = [
    (dynamics, steps, weight_decay)
    for dynamics in ("discrete", "continuous")
    for steps in (1, 7, 300, None)
    for weight_decay in (0.0, 0.03)
]


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(("dynamics", "steps", "weight_decay"), SETTINGS)
def test_equals_descent_step_by_step(k, dynamics, steps, weight_decay):
    p = problem(k=k)
    result = linearised_training(p.kernel, p.targets, p.f0, 2.0, steps, weight_decay, dynamics=dynamics)
    w = p.change(2.0 / p.n, steps, p.n * weight_decay, dynamics)
    torch.testing.assert_close(p.J.T @ result.coefficients.flatten(), w, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(result.weight_change, w @ w, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(result.predictions, p.f0 + (p.J @ w).view_as(p.f0), rtol=1e-8, atol=1e-9)
    expected = p.f0_val + (p.J_val @ w).view_as(p.f0_val)
    torch.testing.assert_close(result.predict(p.kernel_val, p.f0_val), expected, rtol=1e-8, atol=1e-9)


def test_continuous_time_is_the_limit_of_small_steps():
    p = problem()
    slow, fast = (
        linearised_training(p.kernel, p.targets, p.f0, 1e-3, 5000, dynamics=name).predictions
        for name in ("discrete", "continuous")
    )
    assert float((slow - fast).abs().max()) < 1e-3 * float((fast - p.f0).abs().max())


def test_a_singular_kernel_can_be_trained_on_for_any_finite_time_or_with_decay():
    p = problem(n=8, d=5)
    for steps, weight_decay in ((1000, 0.0), (None, 0.01)):
        result = linearised_training(p.kernel, p.targets, p.f0, 1.0, steps, weight_decay)
        w = p.change(1.0 / p.n, steps, p.n * weight_decay)
        torch.testing.assert_close(p.J.T @ result.coefficients.flatten(), w, rtol=1e-8, atol=1e-8)


def test_one_sample_can_be_trained_on():
    result = linearised_training(torch.eye(1) * 2, torch.ones(1, 1), torch.zeros(1, 1), 0.1, 3)
    assert float(result.predictions) == pytest.approx(1 - 0.8**3)


@pytest.mark.unchecked
def test_weights_say_what_does_not_fit():
    p, model = problem(n=2, d=4), nn.Linear(3, 1).double()
    x = torch.ones(3, 3, dtype=torch.float64)
    result = linearised_training(p.kernel, p.targets, p.f0, 0.1, 5)
    with pytest.raises(ValueError, match=r"x: expected the samples of the training, .* outputs \[2, 1\], got \[3, 1\]"):
        result.weights(model, x)
    with pytest.raises(ValueError, match="x: expected torch.float64 on cpu"):
        result.weights(model, x.float())


def test_weights_of_a_linear_network_are_those_of_its_training():
    g = torch.Generator().manual_seed(1)
    model, x = nn.Linear(4, 2).double(), torch.randn(6, 4, generator=g).double()
    targets = torch.randn(6, 2, generator=g).double()
    f0 = model(x).detach()
    result = linearised_training(kernel(model, x), targets, f0, 0.5, 20).weights(model, x)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(20):
        optimiser.zero_grad()
        ((model(x) - targets).square().sum() / (2 * len(x))).backward()
        optimiser.step()
    torch.testing.assert_close(result, torch.cat([p.detach().flatten() for p in model.parameters()]))


@pytest.mark.parametrize("precision", [1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize("dynamics", ["discrete", "continuous"])
@pytest.mark.parametrize("steps", [1, 2, 5, 19, 20, 21, 2000])
def test_the_resolvents_keep_the_precision_that_they_promise(precision, dynamics, steps):
    shrinkage = Shrinkage(0.01, steps, 0.0, dynamics)
    x = torch.cat([torch.zeros(1), torch.logspace(-12, 0, 3000), 1 - torch.logspace(-9, -0.1, 3000)]).double() * 199.999
    z, c = shrinkage.resolvents(precision)
    error = (c / (x[:, None] - z)).sum(1).real - shrinkage(x)
    assert float((error.abs() / (1 / x).clamp(max=0.01 * steps)).max()) <= precision
    assert len(z) <= 80


def test_shrinkage_keeps_its_digits_where_little_is_learned():
    x = torch.tensor([0.0, 1e-18, 1e-12, 60.0], dtype=torch.float64)
    expected = torch.tensor([0.3, 0.3, 0.3, (1 - (1 - 0.6) ** 30) / 60], dtype=torch.float64)
    torch.testing.assert_close(Shrinkage(0.01, 30)(x), expected, rtol=1e-9, atol=0)
    assert float(Shrinkage(0.01, 3)(torch.tensor([150.0]).double())) == pytest.approx((1 + 0.5**3) / 150)


def test_talbot_inverts_a_laplace_transform():
    p, weight = talbot(1e-12)
    assert float((weight / (p * p)).sum().real) == pytest.approx(1, abs=1e-11)  # t at 1


@pytest.mark.unchecked
def test_wrong_input_is_named():
    p = problem()
    theta, y, f0 = p.kernel, p.targets, p.f0

    def fails(match, *arguments, error=ValueError, **options):
        with pytest.raises(error, match=match):
            linearised_training(*arguments, **options)

    skew = theta.clone()
    skew[0, 1] += 0.1
    fails("not symmetric", skew, y, f0, 0.1, 5)
    fails("not positive semi-definite", theta - torch.eye(len(theta)) * theta.trace(), y, f0, 0.1, 5)
    fails(r"kernel: expected shape \[9, 9\] for 9 samples", theta[:8, :8], y, f0, 0.1, 5)
    fails(r"shape \[n, k\], got \[9\]; add the axis of outputs with targets\[:, None\]", theta, y[:, 0], f0, 0.1, 5)
    fails("targets: expected shape", theta, y[:8], f0, 0.1, 5)
    fails("kernel: is empty", theta[:0, :0], y[:0], f0[:0], 0.1, 5)
    fails("targets: holds NaN", theta, y * math.nan, f0, 0.1, 5)
    fails("expected a torch.Tensor", theta.numpy(), y, f0, 0.1, 5, error=TypeError)
    fails("targets: expected floating point values, got .*int64; convert with .float", theta, y.long(), f0, 0.1, 5)
    fails("did you mean 'discrete'", theta, y, f0, 0.1, 5, dynamics="discret")
    fails("steps=inf.*steps=None means infinitely many", theta, y, f0, 0.1, math.inf)
    fails("steps=2.5: give a whole number", theta, y, f0, 0.1, 2.5)
    fails("learning_rate=0", theta, y, f0, 0, 5)
    fails("weight_decay=-1.0", theta, y, f0, 0.1, 5, weight_decay=-1.0)
    flat = problem(n=8, d=5)
    fails("singular.*give steps or weight_decay", flat.kernel, flat.targets, flat.f0, 0.1, None)


@pytest.mark.unchecked
def test_the_largest_stable_rate_is_said_and_is_stable():
    p = problem()
    with pytest.raises(ValueError, match="the largest stable rate is") as caught:
        linearised_training(p.kernel, p.targets, p.f0, 100.0, 5)
    rate = float(str(caught.value).split()[-1])
    assert rate == pytest.approx(2 * p.n / float(torch.linalg.eigvalsh(p.kernel)[-1]), rel=1e-4)
    linearised_training(p.kernel, p.targets, p.f0, 0.999 * rate, 5)
    linearised_training(p.kernel, p.targets, p.f0, 100.0, 5, dynamics="continuous")


@pytest.mark.unchecked
def test_work_that_does_not_fit_is_refused_before_it_starts(monkeypatch):
    monkeypatch.setattr("simplebits.information.memory.available", lambda device: 1000.0)
    p = problem()
    with pytest.raises(ValueError, match="decomposing a kernel of 9 rows .* GiB are free; take fewer samples"):
        linearised_training(p.kernel, p.targets, p.f0, 0.1, 5)

"""SGD's steady state: the Lyapunov equation, a simulation, and the scores that it scales."""

import pytest
import torch
from information.linear_problem import problem

from simplebits.information import leave_one_out, sample_information, sgd_covariance, weight_information


def gradients(p, seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(p.n, p.J.shape[1], generator=g, dtype=torch.float64)


def test_solves_the_lyapunov_equation():
    p = problem(n=12, d=6, k=2)
    g, decay = gradients(p), p.n * 0.1
    sigma = sgd_covariance(p.J, g, 0.3, 4, 0.1, jitter=0.0)
    hessian = p.J.T @ p.J + decay * torch.eye(6).double()
    noise = torch.cov(g.T, correction=0)
    torch.testing.assert_close(hessian @ sigma + sigma @ hessian, 0.3 / 12 / 4 * noise)
    assert float(torch.linalg.eigvalsh(sigma)[0]) > 0


def test_weight_decay_shifts_all_gradients_and_changes_nothing():
    p = problem(n=12, d=6)
    g = gradients(p)
    torch.testing.assert_close(sgd_covariance(p.J, g + 3, 0.3, 4), sgd_covariance(p.J, g, 0.3, 4))


def test_is_where_noisy_descent_settles():
    """dw = -eta H w dt + eta sqrt(Lambda / b) dn in short steps: the covariance over time of 2,000 walkers."""
    p = problem(n=10, d=3)
    g = gradients(p)
    sigma = sgd_covariance(p.J, g, 1.0, 2)
    eta, draw = 1.0 / p.n, torch.Generator().manual_seed(0)
    root, hessian = torch.linalg.cholesky(torch.cov(g.T, correction=0) / 2), p.J.T @ p.J
    w, result, dt = torch.zeros(2000, 3).double(), torch.zeros(3, 3).double(), 0.1
    for step in range(3000):
        noise = torch.randn(2000, 3, generator=draw).double() @ root.T
        w = w - eta * dt * w @ hessian + eta * dt**0.5 * noise
        if step >= 1000:
            result += w.T @ w / 2000 / 2000
    assert float((result - sigma).norm()) < 0.1 * float(sigma.norm())


def test_with_the_inverse_hessian_it_is_the_hessian_metric_and_with_the_identity_the_plain_one():
    p = problem(n=10, d=6, k=2)
    dw = leave_one_out(p.kernel, p.targets, p.f0, 1.0, 80, 0.05) @ p.J
    hessian = p.J.T @ p.J + p.n * 0.05 * torch.eye(6).double()
    for metric, sigma in {"hessian": torch.linalg.inv(hessian), "plain": torch.eye(6).double()}.items():
        expected = sample_information(*p.arguments, 1.0, 80, 0.05, metric=metric).weights
        torch.testing.assert_close(weight_information(dw, sigma, jitter=0.0), expected)
    plain = weight_information(dw, torch.eye(6).double())
    torch.testing.assert_close(weight_information(dw, torch.eye(6).double(), half=False), 2 * plain)


@pytest.mark.unchecked
def test_wrong_input_is_named():
    p = problem(n=6, d=9)
    g = gradients(p)
    with pytest.raises(ValueError, match="without curvature.*give weight_decay"):
        sgd_covariance(p.J, g, 0.1, 2)
    with pytest.raises(ValueError, match=r"gradients: expected \[n, d\]"):
        sgd_covariance(p.J, g[:, :5], 0.1, 2)
    with pytest.raises(ValueError, match=r"gradients: expected shape \[n, d\], got \[9\]; add a batch axis"):
        sgd_covariance(p.J, g[0], 0.1, 2)
    with pytest.raises(ValueError, match="one dtype, got jacobian in torch.float64, gradients in torch.float32"):
        sgd_covariance(p.J, g.float(), 0.1, 2)
    with pytest.raises(ValueError, match="gradients: holds NaN"):
        sgd_covariance(p.J, g * torch.nan, 0.1, 2)
    with pytest.raises(TypeError, match="jacobian: expected a torch.Tensor"):
        sgd_covariance(p.J.numpy(), g, 0.1, 2)
    with pytest.raises(ValueError, match="batch_size=0"):
        sgd_covariance(p.J, g, 0.1, 0)
    with pytest.raises(ValueError, match="not positive definite; raise jitter"):
        weight_information(g, -torch.eye(9).double())
    with pytest.raises(ValueError, match=r"covariance: expected shape \[d, d\] for changes \[n, d\], got \[8, 8\]"):
        weight_information(g, torch.eye(8).double())
    with pytest.raises(ValueError, match="one dtype, got changes in torch.float64, covariance in torch.float32"):
        weight_information(g, torch.eye(9))

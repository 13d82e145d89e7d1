"""Influence functions: against explicit Hessians, against leaving out in ridge regression, and wrong input."""

import pytest
import torch
from torch import nn

from simplebits.information import influence
from simplebits.information.influence import METHODS


def data(n=8, d=3, k=2, m=4, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=draw, dtype=torch.float64) for shape in [(n, d), (n, k), (m, d)]]


def network(seed=0):
    layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in layers.parameters():
            p.copy_(0.7 * torch.randn(p.shape, generator=draw, dtype=p.dtype))
    return layers


def explicit(model, x, y, x_val, ridge):
    """Weight changes by the whole Hessian, row by row, and the outputs' changes by the whole Jacobian."""
    w = list(model.parameters())

    def flat(value):
        return torch.cat([g.flatten() for g in torch.autograd.grad(value, w, retain_graph=True, create_graph=True)])

    slope = flat(0.5 * (model(x) - y).square().sum(1).mean())
    hessian = torch.stack([flat(g) for g in slope]).detach()
    hessian += ridge * torch.eye(len(hessian), dtype=x.dtype)
    dw = torch.stack(
        [
            torch.linalg.solve(hessian, flat(0.5 * (model(x[i : i + 1]) - y[i]).square().sum()).detach()) / len(x)
            for i in range(len(x))
        ]
    )
    jacobian = torch.stack([flat(out).detach() for out in model(x_val).flatten()])
    return dw, (dw @ jacobian.T).view(len(x), len(x_val), -1)


@pytest.mark.parametrize("decay", [0.0, 0.4])
def test_exact_equals_the_explicit_hessian(decay):
    (x, y, x_val), model = data(), network()
    result = influence(model, x, y, x_val, decay, method="exact", damping=0.9)
    dw, change = explicit(model, x, y, x_val, decay + 0.9)
    torch.testing.assert_close(result.weights, 0.5 * dw.square().sum(1))
    torch.testing.assert_close(result.prediction_changes, change)
    torch.testing.assert_close(result.functional, 0.5 * change.square().sum(2).mean(1))


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"method": "cg", "tolerance": 1e-10}, 1e-8),
        ({"method": "lissa", "batch_size": 8, "scale": 20.0, "depth": 600}, 1e-6),
    ],
)
def test_iterations_reach_the_exact_solution(options, tolerance):
    (x, y, x_val), model = data(), network()
    exact = influence(model, x, y, x_val, damping=2.0, method="exact")
    result = influence(model, x, y, x_val, damping=2.0, **options)
    for name in ("weights", "functional", "prediction_changes"):
        torch.testing.assert_close(getattr(result, name), getattr(exact, name), rtol=tolerance, atol=0)


def test_small_batches_come_near_and_the_generator_decides():
    (x, y, x_val), model = data(n=40), network()
    exact = influence(model, x, y, x_val, damping=2.0, method="exact")

    def drawn(seed):
        draw = torch.Generator().manual_seed(seed)
        return influence(
            model, x, y, x_val, damping=2.0, method="lissa", batch_size=20, scale=20.0, depth=100, generator=draw
        )

    assert torch.equal(drawn(1).weights, drawn(1).weights)
    assert not torch.equal(drawn(1).weights, drawn(2).weights)
    assert float(torch.corrcoef(torch.stack([drawn(1).weights, exact.weights]))[0, 1]) > 0.98


@pytest.mark.parametrize("method", METHODS)
def test_all_methods_agree_on_a_linear_model(method):
    x, y, x_val = data()
    line = nn.Linear(3, 2).double()
    exact = influence(line, x, y, x_val, 0.3, method="exact")
    result = influence(line, x, y, x_val, 0.3, method=method, tolerance=1e-10, scale=10.0, batch_size=8)
    for name in ("weights", "functional", "prediction_changes"):
        torch.testing.assert_close(getattr(result, name), getattr(exact, name), rtol=1e-7, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_leave_one_out_in_the_limit_of_ridge_regression(method):
    """At the minimum the error of influence functions falls as one over the number of samples."""
    errors = []
    for n in (50, 400):
        x, y, x_val = data(n=n, k=1)
        decay, line = 0.2, nn.Linear(3, 1, bias=False).double()

        def minimum(x, y, decay=decay):
            return torch.linalg.solve(
                x.T @ x / len(x) + decay * torch.eye(3, dtype=x.dtype), x.T @ y / len(x)
            ).T  # decay towards 0

        with torch.no_grad():
            line.weight.copy_(minimum(x, y))
        result = influence(line, x, y, x_val, decay, method=method, scale=10.0, depth=150, batch_size=n, half=False)
        kept = [torch.arange(n) != i for i in range(n)]
        true = torch.stack([minimum(x[rows], y[rows]) - line.weight.detach() for rows in kept])[:, 0]
        errors.append(float((result.weights.sqrt() - true.norm(dim=1)).abs().max() / true.norm(dim=1).max()))
        change = (true @ x_val.T).square().mean(1)
        assert float(torch.corrcoef(torch.stack([result.functional, change]))[0, 1]) > 0.98
    assert errors[1] < errors[0] / 4
    assert errors[1] < 0.03


def test_neither_chunks_nor_other_samples_change_a_score():
    (x, y, x_val), model = data(), network()
    how = {"damping": 2.0, "method": "cg", "tolerance": 1e-10}
    everyone = influence(model, x, y, x_val, **how)
    chosen = influence(model, x, y, x_val, indices=[5, 0, 2], chunk=2, half=False, **how)
    torch.testing.assert_close(chosen.weights, 2 * everyone.weights[[5, 0, 2]])
    torch.testing.assert_close(chosen.functional, 2 * everyone.functional[[5, 0, 2]])
    newton = influence(model, x, y, x_val, method="gauss-newton")
    torch.testing.assert_close(
        influence(model, x, y, x_val, method="gauss-newton", indices=[5, 0]).weights, newton.weights[[5, 0]]
    )


def test_the_default_damping_is_the_papers():
    (x, y, x_val), model = data(), network()
    torch.testing.assert_close(
        influence(model, x, y, x_val, method="exact").weights,
        influence(model, x, y, x_val, method="exact", damping=10.0).weights,
    )
    torch.testing.assert_close(
        influence(model, x, y, x_val, 1.0, method="exact").weights,
        influence(model, x, y, x_val, 1.0, method="exact", damping=0.0).weights,
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_model_is_left_as_it_was(method):
    x, y, x_val = data(k=1)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1)).double().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = influence(model, x, y, x_val, method=method, depth=3)
    assert torch.equal(first.functional, influence(model, x, y, x_val, method=method, depth=3, batch_size=8).functional)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert model.training and model[2].training
    assert all(p.grad is None for p in model.parameters())


def test_what_cannot_be_solved_says_why():
    (x, y, x_val), model = data(), network()
    with pytest.raises(ValueError, match="not positive definite.*method='gauss-newton'"):
        influence(model, x, 50 * y, x_val, method="cg", damping=0.0)
    with pytest.raises(FloatingPointError, match="is left after 1 steps; give a larger max_steps"):
        influence(model, x, y, x_val, method="cg", damping=2.0, max_steps=1)
    with pytest.raises(FloatingPointError, match="lissa': diverged; scale=0.01 is below"):
        influence(model, x, y, x_val, method="lissa", scale=0.01)
    wide = nn.Sequential(nn.Linear(3, 10_000), nn.Linear(10_000, 2)).double()
    with pytest.raises(ValueError, match=r"the Hessian of 60,002 weights takes 27 GiB; .* method='cg'"):
        influence(wide, x, y, x_val, method="exact")


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": "conjugate"}, ValueError, "'conjugate' is not known; .*Known: cg, exact, lissa, gauss-newton"),
        ({"method": "gauss newton"}, ValueError, "did you mean 'gauss-newton'"),
        ({"targets": torch.zeros(8, dtype=torch.float64)}, ValueError, r"targets\[:, None\]"),
        ({"x": torch.zeros(1, 3, dtype=torch.float64)}, ValueError, "leaving one out needs at least 2"),
        ({"indices": [-1]}, ValueError, "indices: must lie in 0 .. 7"),
        ({"weight_decay": -0.1}, ValueError, "weight_decay=-0.1"),
        ({"damping": -0.1}, ValueError, "damping=-0.1"),
        ({"depth": 0}, ValueError, "depth=0"),
        ({"batch_size": 0}, ValueError, "batch_size=0"),
        ({"scale": 0.0}, ValueError, "scale=0.0"),
        ({"chunk": 0}, ValueError, "chunk=0"),
    ],
)  # fmt: skip
def test_wrong_input_is_named(change, error, message):
    x, y, x_val = data()
    with pytest.raises(error, match=message):
        influence(**({"network": network(), "x": x, "targets": y, "x_val": x_val} | change))

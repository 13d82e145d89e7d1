"""Unique information by its definition: exact limits, the bound, and the size of the paper's numbers."""

import pytest
import torch

from simplebits.information import sgd_linear_regression, two_gaussians, unique_information


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def test_full_batches_find_least_squares():
    x, y = two_gaussians(30, draws())
    w = sgd_linear_regression(x, y, 3, draws(1), epochs=400, batch_size=30)
    torch.testing.assert_close(w, torch.linalg.lstsq(x, y[:, None]).solution.T.expand(3, -1))


def test_sgd_equals_a_plain_loop_and_sets_do_not_touch():
    x, y = two_gaussians(7, draws())
    both = sgd_linear_regression(torch.stack([x, -x]), torch.stack([y, y]), 2, draws(1), epochs=3, batch_size=3)
    torch.testing.assert_close(both[0], sgd_linear_regression(x, y, 2, draws(1), epochs=3, batch_size=3))
    torch.testing.assert_close(both[1], -both[0])
    w, draw = torch.zeros(2, dtype=torch.float64), draws(1)
    for _ in range(3):
        order = torch.rand(2, 7, generator=draw).argsort(1)[0]
        for batch in order.split(3):
            w = w - 0.1 * ((x[batch] @ w - y[batch])[:, None] * x[batch]).mean(0)
    torch.testing.assert_close(both[0, 0], w)


def test_a_sample_that_could_not_have_been_another_tells_nothing():
    x, y = two_gaussians(20, draws())
    same = unique_information(
        x, y, 3, lambda n, _: (x[3].expand(n, -1), y[3].expand(n)), draws(1), runs=30, redraws=4, epochs=10
    )
    assert abs(same.information) < 0.2  # other orders, so that it is not quite 0
    assert same.information < same.bound


def test_mean_over_samples_stays_below_its_bound_and_the_odd_one_tells_most():
    x, y = two_gaussians(80, draws())
    far = (x - y[:, None] * torch.tensor([1.0, -1.4])).norm(dim=1).argsort()
    result = [
        unique_information(x, y, int(i), two_gaussians, draws(1), runs=100, redraws=30, epochs=40)
        for i in far[[-1, -8, -20, -40, -60, -80]]
    ]
    information, bounds = ([getattr(one, name) for one in result] for name in ("information", "bound"))
    assert sum(information) < sum(bounds)
    assert max(information) == max(information[:3]) > 2 * information[-1]
    # 1.3 and 3.0 nats in the paper, for a sample that it does not name.
    assert any(0.4 < i < 4 and 1 < b < 9 for i, b in zip(information, bounds, strict=True))


def test_points_are_balanced_and_lone_ones_of_either_class():
    x, y = two_gaussians(80, draws())
    assert int((y > 0).sum()) == 40
    assert float((x * y[:, None]).mean(0)[0]) > 0.7
    draw = draws()
    assert len({float(two_gaussians(1, draw)[1]) for _ in range(20)}) == 2


@pytest.mark.unchecked
def test_wrong_input_is_named():
    x, y = two_gaussians(10, draws())
    with pytest.raises(ValueError, match=r"index=10: give a whole number in 0 .. 9"):
        unique_information(x, y, 10, two_gaussians, draws())
    with pytest.raises(ValueError, match=r"index=1.5: give a whole number of at least 0"):
        unique_information(x, y, 1.5, two_gaussians, draws())
    with pytest.raises(ValueError, match=r"runs=3: the covariance of 2 weights needs at least 4"):
        unique_information(x, y, 0, two_gaussians, draws(), runs=3)
    with pytest.raises(ValueError, match="leaving one out needs at least 2"):
        unique_information(x[:1], y[:1], 0, two_gaussians, draws())
    with pytest.raises(ValueError, match=r"y: expected shape \[10\]"):
        sgd_linear_regression(x, y[:5], 2, draws())
    with pytest.raises(ValueError, match="x: holds NaN"):
        sgd_linear_regression(x * torch.nan, y, 2, draws())
    with pytest.raises(ValueError, match="learning_rate=0"):
        sgd_linear_regression(x, y, 2, draws(), learning_rate=0)
    with pytest.raises(FloatingPointError, match="diverged at learning_rate=1000"):
        sgd_linear_regression(x, y, 2, draws(), learning_rate=1000.0)

"""All leave-one-out scores at once against one matrix function for each sample, the kernel against a loop of autograd.

The formulation that is replaced is the paper's code's: for each sample, drop its row and column, raise the rest to the
power of the steps and multiply with the inverse of the rest, float32. Here every sample's time is the same, so that a
few of them tell what all take. Both are compared in the same run on one thread; only the ratios mean anything.

`pytest tests/benchmarks/test_information_speed.py -s` compares 200 samples. A thousand, the paper's network, scaling
in samples and outputs, and peak memory take some four minutes, with an assertion for each ratio that is wanted:

    OMP_NUM_THREADS=1 python tests/benchmarks/test_information_speed.py

What it said on one thread of a busy machine of two cores:

    n = 1,000              at once  sample by sample   ratio  wanted
    2,000 steps             0.25 s             273 s   1,097      30
    infinitely many steps   0.25 s              37 s     150     100
    kernel, MLP-1024        0.38 s              28 s      75       5

    all scores, 2,000 steps  k = 1                                     n = 250
    n, or k                    250    500   1,000   2,000    4,000  k = 2   k = 4   k = 8
    seconds                   0.09   0.11    0.33    1.88    17.34   0.13    0.33    2.02
    peak memory, GiB          0.55   0.57    0.63    0.85     1.29   0.56    0.61    0.76

Of the peak, 0.52 GiB are there once the package is imported.
"""

import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
import torch
from torch import nn

import simplebits as sb

pytestmark = pytest.mark.unchecked
STEPS = 2000


def timed(call, *arguments, rounds=1):
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        result = call(*arguments)
        best = min(best, time.process_time() - start)
    return best, result


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Time of the processor on one thread: other work on the machine does not count, waiting threads neither."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def problem(n, k=1, m=None, seed=0):
    """A kernel whose eigenvalues fall as a network's do, the largest times eta 1."""
    g = torch.Generator().manual_seed(seed)
    m = m or n
    J = torch.randn(n * k + m * k, n * k, generator=g, dtype=torch.float64) * torch.arange(1, n * k + 1) ** -0.5
    kernel = J[: n * k] @ J[: n * k].T
    v = torch.ones(n * k, dtype=torch.float64)
    for _ in range(50):
        v = kernel @ (v / v.norm())
    kernel, kernel_val = kernel / v.norm(), J[n * k :] @ J[: n * k].T / v.norm()
    targets, f0 = (torch.randn(n, k, generator=g, dtype=torch.float64) for _ in range(2))
    return kernel, kernel_val, targets, f0, torch.zeros(m, k, dtype=torch.float64)


def at_once(p, steps):
    return sb.information.sample_information(*p, (len(p[2]) - 1) * 1.0, steps, progress=False)


def matrix_powers(p, steps, samples, dtype=torch.float32):
    """F-SI of some samples, one matrix power or solve for each."""
    kernel, kernel_val, targets, f0, _ = (t.to(dtype) for t in p)
    n = len(kernel)

    def outputs(keep, eta):
        theta, residual = kernel[keep][:, keep], (targets - f0)[keep, 0]
        if steps is not None:
            left = torch.linalg.matrix_power(torch.eye(len(theta), dtype=dtype) - eta * theta, steps) @ residual
            residual = residual - left
        return kernel_val[:, keep] @ (torch.linalg.inv(theta) @ residual)

    everything = torch.ones(n, dtype=torch.bool)
    full, scores = outputs(everything, (n - 1) / n), []
    for i in samples:
        keep = everything.clone()
        keep[i] = False
        scores.append((outputs(keep, 1.0) - full).square().mean() / 2)
    return torch.stack(scores)


def compare(n, samples, steps, rounds=3):
    """How many times as fast all scores at once are, and how far they differ, relative to the largest."""
    p = problem(n)
    seconds, found = timed(at_once, p, steps, rounds=rounds)
    some, one = (timed(matrix_powers, p, steps, range(count))[0] for count in (samples + 1, 1))
    each = (some - one) / samples
    expected = matrix_powers(p, steps, range(samples), torch.float64)
    error = float((found.functional[:samples] - expected).abs().max() / expected.max())
    print(
        f"\nn = {n}, {steps or 'infinitely many'} steps: all at once {seconds:.2f} s; for each sample anew {each:.3f} "
        f"s, {each * n:.0f} s for all; ratio {each * n / seconds:,.0f}, scores differ by {error:.0e}",
        flush=True,
    )
    return each * n / seconds, error


# On a busy machine 96 and 23; at n = 1,000 they are 930 and 160.
@pytest.mark.parametrize(("steps", "at_least"), [(STEPS, 20), (None, 6)])
def test_all_scores_at_once_are_faster_and_the_same(steps, at_least, benchmark):
    ratio, error = compare(200, 20, steps)
    benchmark.extra_info["ratio to a matrix function a sample"] = round(ratio)
    benchmark.pedantic(at_once, (problem(200), steps), rounds=1)
    assert error < 1e-6
    assert ratio >= at_least


def mlp(width=1024):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.ReLU(), nn.Linear(width, 1))


def kernel_by_loop(model, x):
    rows = []
    for example in x:
        gradients = torch.autograd.grad(model(example[None])[0, 0], list(model.parameters()))
        rows.append(torch.cat([g.flatten() for g in gradients]))
    jacobian = torch.stack(rows)
    return jacobian @ jacobian.T


def compare_kernel(n, width, rounds=1):
    """Time in single precision; how far entries differ in double, as rounding turns a ReLU near zero on or off."""
    model, x = mlp(width), torch.rand(n, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    sb.information.kernel(model, x[:2])
    seconds, _ = timed(sb.information.kernel, model, x, rounds=rounds)
    loop, _ = timed(kernel_by_loop, model, x)
    model, some = model.double(), x[:100].double()
    expected = kernel_by_loop(model, some)
    error = float((sb.information.kernel(model, some) - expected).abs().max() / expected.max())
    print(
        f"\nkernel of {n} samples, {width} hidden units: {seconds:.2f} s, loop over samples {loop:.1f} s; "
        f"ratio {loop / seconds:.0f}, entries differ by {error:.0e}",
        flush=True,
    )
    return loop / seconds, error


def test_the_kernel_is_faster_than_a_loop_over_samples_and_the_same(benchmark):
    ratio, error = compare_kernel(100, 1024, rounds=3)
    benchmark.extra_info["ratio to a loop over samples"] = round(ratio)
    x = torch.rand(100, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    benchmark.pedantic(sb.information.kernel, (mlp(), x), rounds=1)
    assert error < 1e-12
    assert ratio >= 5


def cost(n, k):
    """Seconds for all scores, and the peak memory of the process in GiB."""
    torch.set_num_threads(1)
    seconds, _ = timed(at_once, problem(n, k), STEPS)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def print_scaling():
    print("\nall scores, 2,000 steps, as many samples for validation")
    # A process has one peak: each row gets its own.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh:
        for n, k in ((250, 1), (500, 1), (1000, 1), (2000, 1), (4000, 1), (250, 2), (250, 4), (250, 8)):
            seconds, peak = fresh.submit(cost, n, k).result()
            print(f"n = {n:4}, k = {k}: {seconds:7.2f} s, peak memory {peak:.2f} GiB", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print_scaling()
    full_size = {
        "2,000 steps": (compare(1000, 3, STEPS), 30, 1e-6),
        "infinitely many steps": (compare(1000, 5, None), 100, 1e-6),
        "kernel": (compare_kernel(1000, 1024), 5, 1e-12),
    }
    for what, ((ratio, error), at_least, at_most) in full_size.items():
        assert ratio >= at_least, f"{what}: {ratio:.0f} times as fast, {at_least} wanted"
        assert error < at_most, f"{what}: results differ by {error:.0e}"

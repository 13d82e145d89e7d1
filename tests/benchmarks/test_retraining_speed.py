"""Retraining and influence functions for many samples at once against one sample after the other, in one run.

On a CPU small networks gain, since a step of one of them is hardly more than its overhead; networks of more than 2 MiB
do not, and `retrain_without` takes them one by one there. `pytest tests/benchmarks -s` prints the ratios.
"""

import time

import pytest
import torch
from torch import nn

import simplebits as sb

pytestmark = pytest.mark.unchecked


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def problem(n=100, features=64, width=128):
    draw = torch.Generator().manual_seed(0)
    x, x_val = torch.randn(n, features, generator=draw), torch.randn(20, features, generator=draw)
    y = (x[:, :1] > 0).float()
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        return nn.Sequential(nn.Linear(features, width), nn.Tanh(), nn.Linear(width, 1)), x, y, x_val


def seconds(work):
    """Of the processor, the best of two, and what came out."""
    taken = []
    for _ in range(2):
        clock = time.process_time()
        found = work()
        taken.append(time.process_time() - clock)
    return min(taken), found


def test_retraining_together_beats_one_by_one():
    data = problem()
    how = {"learning_rate": 0.05, "steps": 100, "indices": range(31)}
    alone, one = seconds(lambda: sb.information.retrain_without(*data, **how, together=1))
    at_once, all_ = seconds(lambda: sb.information.retrain_without(*data, **how))
    torch.testing.assert_close(all_.functional, one.functional, rtol=1e-2, atol=1e-9)
    print(
        f"\nretraining 31 times: {alone:.2f} s one by one, {at_once:.2f} s together, {alone / at_once:.1f} times faster"
    )
    assert alone > 1.2 * at_once


def test_conjugate_gradients_for_all_samples_beat_one_by_one():
    data = problem()
    how = {"damping": 2.0, "indices": range(32)}
    alone, one = seconds(lambda: sb.information.influence(*data, **how, chunk=1))
    at_once, all_ = seconds(lambda: sb.information.influence(*data, **how))
    torch.testing.assert_close(all_.functional, one.functional, rtol=1e-3, atol=1e-9)
    print(f"\n32 influences: {alone:.2f} s one by one, {at_once:.2f} s together, {alone / at_once:.1f} times faster")
    assert alone > 1.5 * at_once

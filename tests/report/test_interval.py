"""Intervals hold what they say, compared with SciPy and by drawing many samples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simplebits.report import interval


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8).filter(lambda v: np.std(v) > 1e-3))
def test_one_mean_is_students(values):
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    found = interval.of_mean(values)
    assert (found.low, found.high) == pytest.approx((low, high))


@given(*[st.lists(st.floats(-100, 100), min_size=2, max_size=8).filter(lambda v: np.std(v) > 1e-3)] * 2)
def test_two_means_are_welchs(a, b):
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    found = interval.two_means(a, b)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_share_against_an_exact_one_is_wilsons(hits, misses):
    n = hits + misses
    expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
    found = interval.share_from(hits / n, n, 0.0)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("units", [3, 5, 20])
def test_nineteen_of_twenty_intervals_hold_the_difference(units):
    """With a published mean that is a draw too, of 5 units."""
    draw, hit, rounds = np.random.default_rng(units), 0, 1500
    for _ in range(rounds):
        theirs, ours = draw.normal(10, 2, 5), draw.normal(10, 1, units)
        found = interval.mean_from(ours.tolist(), theirs.mean(), theirs.std(ddof=1), 5)
        hit += found.low <= 0 <= found.high
    assert hit / rounds > 0.94  # fewer degrees of freedom than Welch's: a little wide


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_nineteen_of_twenty_intervals_hold_the_difference_of_nested_means(share):
    """Published: mean and spread of 5 sets x 20 networks together. Ours: 5 sets x 4 networks, which tell the ratio."""
    draw, hit, narrower, rounds = np.random.default_rng(0), 0, 0, 1500
    for _ in range(rounds):
        theirs, ours = (
            draw.normal(0, math.sqrt(share), (5, 1)) + draw.normal(0, math.sqrt(1 - share), (5, each))
            for each in (20, 4)
        )
        shrink = interval.averaged(ours.tolist(), 20)
        found = interval.mean_from(ours.mean(1).tolist(), theirs.mean(), theirs.std(), 5, shrink)
        hit += found.low <= 0 <= found.high
        whole = interval.mean_from(ours.mean(1).tolist(), theirs.mean(), theirs.std(), 5)
        narrower += found.high < whole.high
    assert hit / rounds > 0.94
    assert narrower > 0.95 * rounds


def test_without_networks_in_every_set_the_printed_spread_counts_whole():
    assert interval.averaged([[1.0, 2.0]], 20) == 1.0
    assert interval.averaged([[1.0, 2.0], [1.5]], 20) == 1.0
    assert interval.averaged([[1.0, 1.0], [1.0, 1.0]], 20) == 1.0


def test_nineteen_of_twenty_intervals_hold_a_correlation():
    draw, hit, rounds, r = np.random.default_rng(0), 0, 1500, 0.9
    for _ in range(rounds):
        x = draw.normal(size=32)
        y = r * x + math.sqrt(1 - r**2) * draw.normal(size=32)
        found = interval.correlation_from(np.corrcoef(x, y)[0, 1], 32, r)
        hit += found.low <= 0 <= found.high
    assert 0.93 < hit / rounds < 0.97


def test_one_value_says_nothing_and_three_pairs_say_nothing():
    assert interval.of_mean([3.0]).low == -math.inf
    assert interval.two_means([3.0], [1.0, 2.0]).high == math.inf
    assert interval.correlation_from(0.9, 3, 0.9).low < -1.8


def test_units_needed_is_the_least_number():
    half = interval.mean_half_width(2.0, None, None)
    n = interval.units_needed(half, 1.0)
    assert half(n) <= 1.0 < half(n - 1)
    assert interval.units_needed(interval.mean_half_width(2.0, 9.0, 5), 1.0) is None

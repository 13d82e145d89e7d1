"""Rank correlations equal SciPy's, their intervals hold what they say, and what is given is really taken out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simplebits.report import rank_correlation, rank_interval

NUMBERS = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=5, max_size=30)


@given(NUMBERS.filter(lambda pairs: all(len(set(side)) > 1 for side in zip(*pairs, strict=True))))
def test_without_anything_given_it_is_spearmans(pairs):
    a, b = zip(*pairs, strict=True)  # with ties
    found = rank_correlation(a, b)
    assert found.rho == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-9)
    assert found.low <= found.rho <= found.high
    assert found.pairs == len(pairs)


@pytest.mark.parametrize("truth", [0.0, 0.5, 0.9])
def test_nineteen_of_twenty_intervals_hold_the_truth(truth):
    draw, hit, rounds = np.random.default_rng(0), 0, 600
    rho = 6 / np.pi * np.arcsin(truth / 2)  # of Gaussian pairs of this correlation
    for _ in range(rounds):
        a, noise = draw.normal(size=(2, 60))
        found = rank_correlation(a, truth * a + np.sqrt(1 - truth**2) * noise)
        hit += found.low <= rho <= found.high
    assert 0.92 < hit / rounds < 0.98


def test_what_both_owe_to_a_third_is_taken_out():
    draw = np.random.default_rng(0)
    third, one, two = draw.normal(size=(3, 400))
    a, b = third + one, third + two
    assert rank_correlation(a, b).low > 0.3
    alike = rank_correlation(a, b, given=[third])
    assert abs(alike.rho) < 0.1 and not alike.sure
    assert alike.pairs == 399


def test_what_both_owe_to_their_group_is_taken_out():
    draw, groups = np.random.default_rng(1), np.repeat(range(4), 50)
    a, b = (5 * groups + draw.normal(size=200) for _ in range(2))
    assert rank_correlation(a, b).rho > 0.9
    within = rank_correlation(a, b, groups=groups.tolist())
    assert not within.sure
    assert within.pairs == 197


def test_a_partial_correlation_of_one_variable_is_the_textbooks():
    draw = np.random.default_rng(2)
    a, b, c = draw.normal(size=(3, 50))
    ab, ac, bc = (stats.spearmanr(*two).statistic for two in ((a, b), (a, c), (b, c)))
    expected = (ab - ac * bc) / np.sqrt((1 - ac**2) * (1 - bc**2))
    assert rank_correlation(a, b, given=[c]).rho == pytest.approx(expected)


def test_too_few_pairs_say_nothing():
    assert rank_interval(0.9, 3) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2, 3, 4], [1, 2, 3]), "one value for each unit"),
        (([1, 2, 3, float("nan")], [1, 2, 3, 4]), "must be finite"),
        (([1, 1, 1, 1], [1, 2, 3, 4]), "a: is constant"),
        (([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], [[2, 1, 4, 3, 5]]), "b: is constant, or what is given"),
        (([1, 2, 3, 4], [1, 3, 2, 4], [], [0, 1, 2, 3]), "tell nothing"),
    ],
)
def test_wrong_use_is_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        rank_correlation(*arguments)

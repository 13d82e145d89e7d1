"""Trends: what they check, where their bounds lie, and what is no number."""

import math
import statistics

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simplebits.report.trend import Trend, ahead_of, at_least, at_most, increasing, level_with

numbers = st.floats(-1e4, 1e4)
seeds = st.lists(numbers, min_size=2, max_size=6)


@given(st.lists(numbers, min_size=2, max_size=6))
def test_increasing_is_strict(values):
    trend = increasing({str(i): value for i, value in enumerate(values)})
    assert trend.holds == (sorted(set(values)) == values)
    assert trend.statement.count("<") == len(values) - 1


@given(numbers, numbers)
def test_bounds_include_themselves(value, bound):
    assert at_most("x", value, bound).holds == (value <= bound)
    assert at_least("x", value, bound).holds == (value >= bound)
    assert at_most("x", value, value).holds
    assert at_least("x", value, value).holds


@given(seeds, seeds, st.booleans())
def test_ahead_and_level_share_one_margin(values, others, single):
    """Twice the spread of the difference, of means or of single values."""
    spread = sum(statistics.variance(own) / (1 if single else len(own)) for own in (values, others)) ** 0.5
    gap = statistics.fmean(values) - statistics.fmean(others)
    assume(abs(abs(gap) - 2 * spread) > 1e-6)
    assert ahead_of("a", values, "b", others, single=single).holds == (gap > 2 * spread)
    found = [
        ahead_of("a", values, "b", others, single=single).holds,
        ahead_of("b", others, "a", values, single=single).holds,
        level_with("a", values, "b", others, single=single).holds,
    ]
    assert sum(found) == 1


def test_equal_values_are_level_and_neither_is_ahead():
    assert not ahead_of("a", [5.0, 5.0], "b", [5.0, 5.0]).holds
    assert level_with("a", [5.0, 5.0], "b", [5.0, 5.0]).holds


@pytest.mark.parametrize("check", [ahead_of, level_with])
@pytest.mark.unchecked
def test_one_value_has_no_spread(check):
    with pytest.raises(ValueError, match="b: got 1 value, whose spread is unknown; measure at least two"):
        check("a", [1.0, 2.0], "b", [3.0])
    with pytest.raises(ValueError, match="a: got 0 values"):
        check("a", [], "b", [3.0, 4.0])
    with pytest.raises(ValueError, match="NaN"):
        check("a", [1.0, math.nan], "b", [3.0, 4.0])


def test_trends_join():
    both = at_most("a", 1.0, 2.0) & at_least("b", 1.0, 2.0)
    assert both == Trend("a (1) ≤ 2; b (1) ≥ 2", False)


def test_infinite_values_have_an_order_and_nan_has_none():
    assert increasing({"mnist": 1.0, "noise": math.inf}).holds
    for check in (lambda: increasing({"a": 1.0, "b": math.nan}), lambda: at_most("a", math.nan, 1.0)):
        with pytest.raises(ValueError, match="NaN"):
            check()
    with pytest.raises(ValueError, match="at least two"):
        increasing({"a": 1.0})

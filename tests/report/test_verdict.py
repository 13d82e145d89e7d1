"""Verdicts follow from values, and from nothing else."""

import math
import statistics

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from simplebits.report.published import Published
from simplebits.report.verdict import (
    VERDICTS,
    Record,
    Trend,
    ahead_of,
    at_least,
    at_most,
    increasing,
    level_with,
    pretty,
)

numbers = st.floats(-1e4, 1e4)
spreads = st.floats(0.01, 100)
seeds = st.lists(numbers, min_size=2, max_size=6)


def said(value, sd=None, unit="%"):
    return Published("k", value, sd, unit, "dc", "T", "row", "accuracy", "07_gradient_matching", "DC", str(value))


def measure(values, value=None, sd=None, **more):
    number = None if value is None else said(value, sd)
    return Record("e", "m", tuple(values), "%", published=number, same_setting=value is not None, **more)


@given(seeds, numbers, st.none() | spreads)
def test_reproduced_is_exactly_within_two_spreads(values, value, sd):
    record = measure(values, value, sd)
    tolerance = 2 * math.sqrt(record.sd**2 + (sd or 0) ** 2)
    gap = abs(record.mean - value)
    assume(abs(gap - tolerance) > 1e-4)  # on the edge itself rounding decides
    assert record.verdict == ("reproduced" if gap < tolerance else "not reproduced")


@given(st.lists(numbers, min_size=1, max_size=5), numbers, spreads)
def test_a_stated_band_replaces_the_spread(values, value, band):
    record = measure(values, value, sd=50.0, band=band)
    assume(abs(abs(record.mean - value) - band) > 1e-4)
    assert record.verdict == ("reproduced" if abs(record.mean - value) < band else "not reproduced")


@example([91.8], 91.7, 0.1)  # 91.8 - 91.7 is a little more than 0.1 in binary
@example([0.3], 0.1, 0.2)
@given(st.lists(numbers, min_size=1, max_size=1), numbers, spreads)
def test_the_edge_of_the_band_belongs_to_it(values, value, band):
    assert measure([value + band], value, band=band).verdict == "reproduced"
    assert measure([value - band], value, band=band).verdict == "reproduced"
    if round(abs(values[0] - value), 6) <= round(band - 1e-5, 6):
        assert measure(values, value, band=band).verdict == "reproduced"


@given(seeds, numbers, spreads, spreads)
def test_a_larger_spread_or_band_never_turns_against_the_measurement(values, value, small, more):
    large = small + more
    if measure(values, value, small).verdict == "reproduced":
        assert measure(values, value, large).verdict == "reproduced"
    if measure(values, value, band=small).verdict == "reproduced":
        assert measure(values, value, band=large).verdict == "reproduced"


@given(seeds, numbers, spreads)
def test_the_order_of_seeds_does_not_matter(values, value, sd):
    assert measure(values, value, sd).verdict == measure(values[::-1], value, sd).verdict


@given(numbers, numbers, st.none() | spreads)
def test_one_value_without_a_band_is_too_little(measured, value, sd):
    record = measure([measured], value, sd)
    assert (record.verdict, record.sd) == ("measured", None)
    assert "too little for a verdict" in record.reason


@given(seeds, numbers, spreads, st.booleans())
def test_outside_the_papers_setting_only_a_trend_counts(values, value, sd, holds):
    number, trend = said(value, sd), Trend("a < b", holds)
    assert Record("e", "m", tuple(values), "%", published=number).verdict == "measured"
    judged = Record("e", "m", tuple(values), "%", published=number, trend=trend)
    assert judged.verdict == ("trend holds" if holds else "trend fails")
    assert "a < b" in judged.reason


@given(seeds, numbers, spreads)
def test_in_the_papers_setting_the_number_decides_and_the_trend_is_told(values, value, sd):
    record = measure(values, value, sd, trend=Trend("a < b", False))
    assert record.verdict == measure(values, value, sd).verdict
    assert "a < b" in record.reason


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


def test_a_claim_is_judged_by_its_trend():
    claim = Published("k", None, None, "", "dc", "Figure 3", "", "more is better", "07_gradient_matching", "DC")
    assert Record("e", "m", (1.0,), "%", published=claim, trend=Trend("a < b", True)).verdict == "trend holds"
    assert Record("e", "m", (1.0,), "%", published=claim).verdict == "measured"
    with pytest.raises(ValueError, match="no published number"):
        Record("e", "m", (1.0,), "%", published=claim, same_setting=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": ()}, "at least one value"),
        ({"values": (1.0, math.nan)}, "finite"),
        ({"values": (math.inf,)}, "finite"),
        ({"unit": "fraction"}, "is published in '%'"),
        ({"band": -1.0}, "band=-1.0"),
        ({"same_setting": False, "band": 1.0}, "a band judges"),
        ({"published": None}, "no published number"),
        ({"experiment": " "}, "experiment=' '"),
        ({"metric": "a:b"}, "without colons"),
    ],
)
def test_wrong_use_is_named(change, message):
    right = {
        "experiment": "e",
        "metric": "m",
        "values": (1.0,),
        "unit": "%",
        "published": said(1.0),
        "same_setting": True,
    }
    Record(**right)
    with pytest.raises(ValueError, match=message):
        Record(**right | change)


@settings(deadline=None)  # the first example reads all published numbers
@given(st.lists(numbers, min_size=1, max_size=4), st.none() | st.tuples(numbers, st.none() | spreads), st.booleans())
def test_a_record_survives_the_ledger_and_its_verdict_is_computed_anew(values, number, holds):
    number = number and said(*number)
    same, trend = number is not None, Trend("t", holds)
    record = Record("e", "m", tuple(values), "%", {"steps": 3}, number, same, None, trend, "now")
    written = record.to_json()
    assert written["verdict"] == record.verdict
    assert written["verdict"] in VERDICTS
    tampered = written | {"verdict": "reproduced", "mean": 0.0, "sd": 0.0, "reason": "because"}
    assert Record.from_json(tampered) == record


@pytest.mark.parametrize("content", [{}, {"experiment": "e"}, [], None, "text"])
@pytest.mark.unchecked
def test_what_is_no_record_is_refused(content):
    with pytest.raises(ValueError, match="not a record"):
        Record.from_json(content)


def test_a_record_reads_as_one_line():
    line = measure([91.2, 91.5, 92.0], 91.7, 0.5)._repr_markdown_()
    assert "\n" not in line
    assert "**91.57 ± 0.40%** (3 values)" in line
    assert "*reproduced*: difference 0.1333 ≤ 1.286" in line


@given(st.floats(-1e9, 1e9), st.none() | st.floats(0, 1e6))
def test_pretty_numbers_stay_close_to_the_number(mean, sd):
    shown, _, spread = pretty(mean, sd).partition(" ± ")
    allowed = 0.01 * abs(mean) + (0.1 * sd + 0.01 if sd is not None else 1e-3)
    assert abs(float(shown) - mean) <= allowed
    assert bool(spread) == (sd is not None)

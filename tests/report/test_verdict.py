"""Verdicts follow from values, and from nothing else; noise never makes it easier to pass."""

import math

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from simplebits.report import interval
from simplebits.report.published import Published
from simplebits.report.trend import Trend
from simplebits.report.verdict import JUDGED, VERDICTS, Record

numbers = st.floats(-1e4, 1e4)
spreads = st.floats(0.01, 100)
seeds = st.lists(numbers, min_size=2, max_size=6)


def said(value, sd=None, unit="%", margin=2.0, units=5, tests=()):
    return Published(
        "k", value, sd, unit, "dc", "T", "row", "accuracy", "07_gradient_matching", "DC", str(value), units, margin,
        "because", tuple(tests),
    )  # fmt: skip


def measure(values, value=None, sd=None, *, margin=2.0, near="", same=True, **more):
    number = None if value is None else said(value, sd, margin=margin)
    same = same and not near and value is not None
    return Record("e", "m", tuple(values), "%", published=number, same_setting=same, near=near, **more)


@given(seeds, numbers, st.none() | spreads, spreads)
def test_the_whole_interval_decides(values, value, sd, margin):
    record = measure(values, value, sd, margin=margin)
    low, high = record.interval.low, record.interval.high
    assume(min(abs(abs(end) - margin) for end in (low, high)) > 1e-4)  # on the edge itself rounding decides
    inside, outside = -margin < low and high < margin, high < -margin or low > margin
    assert record.verdict == ("reproduced" if inside else "not reproduced" if outside else "unresolved")


@given(seeds, numbers, st.none() | spreads, spreads, st.floats(1.0, 10.0))
def test_more_noise_never_turns_a_verdict_into_another(values, value, sd, margin, factor):
    """The fault of the old rule: 2 sqrt(sd^2 + sd^2) let noisy runs pass. Wider spread may only make it unresolved."""
    mean = sum(values) / len(values)
    noisier = [mean + factor * (one - mean) for one in values]
    before, after = measure(values, value, sd, margin=margin), measure(noisier, value, sd, margin=margin)
    assume(abs(before.interval.low - before.interval.high) > 1e-6)
    assert after.verdict in (before.verdict, "unresolved")


def test_a_spread_between_images_is_no_margin():
    """2.36 +- 1.21 between 7,829 images: a mean of 1.5 is another mean, however wide the images spread."""
    images = [1.5 + 0.01 * (i % 7 - 3) for i in range(70)]
    record = Record("e", "m", tuple(images), "%", published=said(2.36, 1.21, margin=0.3, units=7829), same_setting=True)
    assert record.verdict == "not reproduced"


def test_a_correlation_from_sixteen_pairs_is_no_reproduction():
    """.787 against .935 with 16 retrainings counted as reproduced: a band of half an asymmetric interval."""

    def of(r, pairs):
        number = said(0.935, unit="r", margin=0.05, units=1000)
        return Record("e", "m", (r,), "r", published=number, same_setting=True, pairs=pairs)

    assert of(0.787, 16).verdict == "unresolved"
    assert of(0.787, 400).verdict == "not reproduced"
    assert of(0.935, 16).verdict == "unresolved"
    assert of(0.935, 400).verdict == "reproduced"
    # Fisher's interval is not symmetric: the side of 1 is the shorter one.
    found = of(0.935, 16).interval
    assert -found.low > found.high


def test_a_share_is_judged_by_wilson():
    number = said(90.0, margin=5.0, units=10_000)
    few = Record("e", "m", (90.0,), "%", published=number, same_setting=True, pairs=20)
    many = Record("e", "m", (90.0,), "%", published=number, same_setting=True, pairs=5000)
    assert (few.verdict, many.verdict) == ("unresolved", "reproduced")
    assert Record("e", "m", (100.0,), "%", published=number, same_setting=True, pairs=5).verdict == "unresolved"


@example(91.7, 0.1)  # 91.8 - 91.7 is a little more than 0.1 in binary
@given(numbers, spreads)
def test_the_edge_of_the_margin_belongs_to_it(value, margin):
    assert measure([value + margin] * 2, value, margin=margin).verdict == "reproduced"
    assert measure([value - margin] * 2, value, margin=margin).verdict == "reproduced"


@given(seeds, numbers, spreads)
def test_the_order_of_units_does_not_matter(values, value, sd):
    assert measure(values, value, sd).verdict == measure(values[::-1], value, sd).verdict


@given(numbers, numbers, st.none() | spreads)
def test_one_value_is_too_little(measured, value, sd):
    record = measure([measured], value, sd)
    assert (record.verdict, record.sd, record.more) == ("unresolved", None, None)
    assert "its spread is unknown" in record.reason


def test_without_a_margin_nothing_is_reproduced():
    record = measure([91.7, 91.7], 91.7, margin=None)
    assert record.verdict == "unresolved"
    assert "no margin" in record.reason


def test_near_the_papers_setting_the_words_are_others():
    assert measure([91.7, 91.8], 91.7, near="64 real images a step").verdict == "agrees"
    assert measure([80.7, 80.8], 91.7, near="64 real images a step").verdict == "differs"
    assert measure([80.7, 95.0], 91.7, near="64 real images a step").verdict == "unresolved"
    with pytest.raises(ValueError, match="not both"):
        Record("e", "m", (1.0,), "%", published=said(1.0), same_setting=True, near="half of it")


@given(seeds, numbers, spreads, st.booleans())
def test_in_a_reduced_setting_only_a_trend_counts(values, value, sd, holds):
    """However close the number comes: MNIST under CIFAR-10's 91.2 is no reproduction."""
    number, trend = said(value, sd), Trend("a < b", holds)
    assert Record("e", "m", tuple(values), "%", published=number).verdict == "measured"
    judged = Record("e", "m", tuple(values), "%", published=number, trend=trend)
    assert judged.verdict == ("trend holds" if holds else "trend fails")
    assert "a < b" in judged.reason
    assert judged.verdict not in JUDGED


@given(seeds, numbers, spreads)
def test_in_the_papers_setting_the_number_decides_and_the_trend_is_told(values, value, sd):
    record = measure(values, value, sd, trend=Trend("a < b", False))
    assert record.verdict == measure(values, value, sd).verdict
    assert "a < b" in record.reason


def test_an_unresolved_number_says_how_many_units_it_takes():
    record = measure([90.0, 93.0, 92.0], 91.7)
    assert record.verdict == "unresolved"
    half = interval.mean_half_width(record.sd, None, None)
    room = 2.0 - abs(record.interval.difference)
    assert half(record.more) <= room < half(record.more - 1)
    assert f"about {record.more} units" in record.reason
    # No number of units helps where the published mean itself is that uncertain.
    hopeless = measure([90.0, 93.0, 92.0], 91.7, sd=50.0)
    assert hopeless.more is None
    assert "no number of units" in hopeless.reason


def claim(*tests):
    return Published("k", None, None, "", "dc", "Figure 3", "", "says", "07_gradient_matching", "DC", tests=tests)


def test_a_claim_is_judged_by_its_tests():
    groups = {"dc": {"set 0": 82.0, "set 1": 82.5, "set 2": 82.2}, "herding": {"net 0": 79.0, "net 1": 79.4}}

    def of(*tests, **more):
        return Record("e", "m", (82.0,), "%", published=claim(*tests), groups=groups, **more)

    assert of("dc - herding > 1").verdict == "trend holds"
    assert of("dc - herding > 1", same_setting=True).verdict == "reproduced"
    assert of("herding - dc > 0", same_setting=True).verdict == "not reproduced"
    assert of("dc - herding > 1", "dc > 90", near="half").verdict == "differs"
    assert of("dc - herding > 2.9", same_setting=True).verdict == "unresolved"
    assert "dc - herding > 1: 3.0" in of("dc - herding > 1").reason
    assert Record("e", "m", (1.0,), "%", published=claim("a > 1")).verdict == "measured"  # no groups: nothing tested
    assert Record("e", "m", (1.0,), "%", published=claim(), trend=Trend("a < b", True)).verdict == "trend holds"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": ()}, "at least one value"),
        ({"values": (1.0, math.nan)}, "finite"),
        ({"values": (math.inf,)}, "finite"),
        ({"unit": "fraction"}, "is published in '%'"),
        ({"published": None}, "nothing published"),
        ({"experiment": " "}, "experiment=' '"),
        ({"metric": "a:b"}, "without colons"),
        ({"units": ("a", "b")}, "each of the 1 values its own"),
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


@given(st.lists(numbers, min_size=1, max_size=4), st.none() | st.tuples(numbers, st.none() | spreads), st.booleans())
def test_a_record_survives_the_ledger_and_its_verdict_is_computed_anew(values, number, holds):
    number = number and said(*number)
    same, trend = number is not None, Trend("t", holds)
    units = tuple(f"set {i}" for i in range(len(values)))
    record = Record("e", "m", tuple(values), "%", {"steps": 3}, number, same, trend, "now", units)
    written = record.to_json()
    assert written["verdict"] == record.verdict
    assert written["verdict"] in VERDICTS
    tampered = written | {"verdict": "reproduced", "mean": 0.0, "sd": 0.0, "reason": "because"}
    assert Record.from_json(tampered) == record


def test_records_of_earlier_versions_can_be_read():
    """They held a band, and neither units nor margins."""
    written = measure([1.0, 2.0], 1.5).to_json()
    old = {key: written[key] for key in written if key not in ("units", "near", "pairs", "groups")} | {"band": 0.5}
    old["published"] = {
        key: old["published"][key]
        for key in ("key", "value", "sd", "unit", "paper", "table", "row", "quantity", "chapter", "system", "text")
    }
    assert Record.from_json(old).values == (1.0, 2.0)


@pytest.mark.parametrize("content", [{}, {"experiment": "e"}, [], None, "text"])
@pytest.mark.unchecked
def test_what_is_no_record_is_refused(content):
    with pytest.raises(ValueError, match="not a record"):
        Record.from_json(content)


def test_a_record_reads_as_one_line():
    line = measure([91.2, 91.5, 92.0], 91.7, 0.5)._repr_markdown_()
    assert "\n" not in line
    assert "**91.57 ± 0.40%** (3 values)" in line
    assert "*reproduced*: difference -0.1333" in line
    assert "margin ±2" in line

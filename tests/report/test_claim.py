"""Tests of claims: each form is read, can hold, can fail, and is unresolved between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simplebits.report import claim

TIGHT = {"set 0": -0.01, "set 1": 0.0, "set 2": 0.01}


def group(mean, spread=1.0, prefix="set"):
    return {f"{prefix} {i}": mean + spread * value for i, value in enumerate(TIGHT.values())}


def outcome(text, **groups):
    return claim.judge(claim.parse(text), groups).outcome


@pytest.mark.parametrize(
    ("text", "holds", "fails", "between"),
    [
        ("a > 1", {"a": group(1.5)}, {"a": group(0.5)}, {"a": group(1.0)}),
        ("a < 1", {"a": group(0.5)}, {"a": group(1.5)}, {"a": group(1.0)}),
        (
            "a - b > 1",
            {"a": group(3), "b": group(1)},
            {"a": group(1), "b": group(1)},
            {"a": group(2), "b": group(1, 2)},
        ),
        (
            "a - b < -1",
            {"a": group(1), "b": group(3)},
            {"a": group(3), "b": group(1)},
            {"a": group(1), "b": group(2, 2)},
        ),
        (
            "|a - b| < 2",
            {"a": group(1), "b": group(2)},
            {"a": group(1), "b": group(4)},
            {"a": group(1), "b": group(3, 2)},
        ),
    ],
)
def test_every_form_holds_fails_and_is_unresolved(text, holds, fails, between):
    assert [outcome(text, **groups) for groups in (holds, fails, between)] == ["holds", "fails", "unresolved"]


def test_groups_of_the_same_units_are_compared_unit_by_unit():
    """A set that is better for everyone must not hide that each is better than its rival."""
    a, b = {"s": 10.0, "t": 20.0, "u": 30.0}, {"s": 9.0, "t": 18.9, "u": 29.1}
    assert outcome("a - b > 0.5", a=a, b=b) == "holds"
    assert outcome("a - b > 0.5", a=a, b={f"other {unit}": value for unit, value in b.items()}) == "unresolved"


def test_a_tie_is_not_above():
    same = {"s": 1.0, "t": 2.0}
    assert outcome("a - b > 0", a=same, b=dict(same)) == "fails"
    assert outcome("|a - b| < 1", a=same, b=dict(same)) == "holds"


def test_one_unit_decides_nothing():
    assert outcome("a > 1", a={"s": 100.0}) == "unresolved"
    assert outcome("a - b > 1", a={"s": 100.0}, b={"s": 0.0}) == "unresolved"


def test_a_claim_fails_where_one_test_fails_and_holds_where_all_hold():
    groups = {"a": group(3), "b": group(1), "c": group(2, 2)}
    judged = {text: claim.judge(claim.parse(text), groups) for text in ("a - b > 1", "c > 2", "b > 2")}
    holds, unclear, fails = judged.values()
    assert claim.together([holds]) == "holds"
    assert claim.together([holds, unclear]) == "unresolved"
    assert claim.together([holds, unclear, fails]) == "fails"


@given(st.text(max_size=30))
def test_what_is_no_test_is_refused(text):
    try:
        assert claim.parse(text).text == text
    except ValueError as error:
        assert "expected 'a - b > 1'" in str(error)  # noqa: PT017


def test_a_missing_group_is_named():
    with pytest.raises(ValueError, match="speaks of 'herding'; got values of dc"):
        outcome("dc - herding > 0", dc=group(1))

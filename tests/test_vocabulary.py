"""One idea, one keyword: the table in book/symbols.md, and the signatures of all public functions."""

import inspect
import re
from pathlib import Path

import pytest
from test_bad_input import doors

TABLE = (Path(__file__).parents[1] / "book" / "symbols.md").read_text().partition("## Keywords of the library")[2]
LINES = [line.strip("|").split("|") for line in TABLE.splitlines() if line.startswith("| ")]
KEYWORDS, NEVER = ({word for row in LINES[1:] for word in re.findall(r"`(\w+)`", row[column])} for column in (1, 2))
SIGNATURES = [(label, list(inspect.signature(function).parameters)) for label, function in doors()]


@pytest.mark.parametrize("word", sorted(KEYWORDS))
def test_a_keyword_of_the_table_is_used(word):
    assert any(word in names for _, names in SIGNATURES)


def test_no_signature_has_a_name_that_the_table_forbids():
    wrong = [f"{label}({name})" for label, names in SIGNATURES for name in names if name in NEVER]
    assert [one for one in wrong if not (one.startswith("density.") and one.endswith("(model)"))] == []


def test_passes_of_an_outer_loop_are_called_iterations_only_where_sets_are_condensed():
    assert {label.split(".")[0] for label, names in SIGNATURES if "iterations" in names} <= {"condense"}


def test_no_function_takes_a_seed_and_a_generator():
    assert [label for label, names in SIGNATURES if {"seed", "generator"} <= set(names)] == []


def test_devices_are_chosen_by_none():
    defaults = {
        label: parameter.default
        for label, function in doors()
        if (parameter := inspect.signature(function).parameters.get("device")) and parameter.default != parameter.empty
    }
    assert defaults.pop("density.load") == "cpu", "a model is made where its weights are read, as torch makes networks"
    assert {label: value for label, value in defaults.items() if value is not None} == {}
    assert defaults

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


MEASURES = "a measurement is made in full precision, on every device alike"
FORMULA = "a loss is a formula: it has one value and one derivative on every device; the loops that descend it choose"
IN_FULL = {
    "networks.predict": MEASURES,
    "networks.accuracy": MEASURES,
    "subsets.train_classifier": "the supplement trains in single precision",
    "condense.gradient_matching_loss": FORMULA,
    "condense.distribution_matching_loss": FORMULA,
    "condense.gradient_product_loss": FORMULA,
    "condense.unrolled_step_loss": FORMULA,
}


def defaults_of(keyword):
    """Its default in every public function that has one."""
    signatures = {label: inspect.signature(function).parameters for label, function in doors()}
    defaults = {label: names[keyword].default for label, names in signatures.items() if keyword in names}
    return {label: default for label, default in defaults.items() if default is not inspect.Parameter.empty}


def test_devices_are_chosen_by_none():
    defaults = defaults_of("device")
    assert defaults.pop("density.load") == "cpu", "a model is made where its weights are read, as torch makes networks"
    assert {label: value for label, value in defaults.items() if value is not None} == {}
    assert defaults


def test_half_precision_is_chosen_by_none():
    defaults = defaults_of("bf16")
    assert {label: value for label, value in defaults.items() if value is not None} == dict.fromkeys(IN_FULL, False)
    assert defaults.keys() > IN_FULL.keys()

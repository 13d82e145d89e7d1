"""Checked cells: the outputs that a lesson promises in the smoke profile are the ones it gives (nbval)."""

from __future__ import annotations

import nbformat
import pytest
import reference
from lessons import read, stems
from nbval_settings import SANITISE

SOURCE = "# NBVAL_CHECK_OUTPUT\nprint(f'{scale} x 0.5 is {scale * 0.5:.6f}, found in 0.1234 s')\nscale / 3"


def small(source: str = SOURCE) -> nbformat.NotebookNode:
    """A notebook with one parameter and one checked cell."""
    cells = [
        nbformat.v4.new_code_cell("scale = 1  # a factor", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("import warnings; warnings.warn('not compared')"),
        nbformat.v4.new_code_cell(source),
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=kernel)


@pytest.mark.parametrize("stem", stems())
def test_checked_cells_give_what_is_expected(stem: str) -> None:
    notebook = reference.prepared(read(stem), reference.smoke_parameters(stem))
    same, said = reference.check(reference.merged(notebook, reference.expected(stem)))
    assert same, f"{said}\nIf the change is meant: python tests/notebooks/reference.py {stem}"


def test_a_reference_holds_the_injected_parameters_and_agrees_with_a_second_run() -> None:
    (entry,) = reference.computed(reference.prepared(small(), {"scale": 3}))
    stream, result = entry["outputs"]
    assert stream["text"].startswith("3 x 0.5 is 1.500000")
    assert result["data"] == {"text/plain": "1.0"}
    # A duration and the seventh digit may differ; nothing else.
    stream["text"] = "3 x 0.5 is 1.500001, found in 7.5 s\n"
    same, said = reference.check(reference.merged(reference.prepared(small(), {"scale": 3}), [entry["outputs"]]))
    assert same, said


def test_another_number_is_noticed() -> None:
    outputs = [{"output_type": "stream", "name": "stdout", "text": "1 x 0.5 is 0.510000, found in 1 s\n"}]
    same, said = reference.check(reference.merged(small(SOURCE.removesuffix("\nscale / 3")), [outputs]))
    assert not same
    assert "0.51" in said


def test_references_must_match_the_marked_cells() -> None:
    with pytest.raises(ValueError, match="1 cells are marked NBVAL_CHECK_OUTPUT and 0 ref"):
        reference.merged(small(), [])
    with pytest.raises(FileNotFoundError, match=r"reference\.py no_such_lesson"):
        reference.expected("no_such_lesson")


def test_a_silent_checked_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="prints no text"):
        reference.computed(small("# NBVAL_CHECK_OUTPUT\nquiet = scale"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("max error 3.1e-07", "max error 2.4e-07", True),
        ("1.23451 bits", "1.23449 bits", True),
        ("0.391 bits", "0.395 bits", False),
        ("16 images", "17 images", False),
        ("True", "False", False),
        ("took 1.2 s on cuda:0", "took 31 s on cpu", True),
        ("<Glow at 0x7f00aa11bb22>", "<Glow at 0x7f99cc11bb22>", True),
        ("shape [16, 3, 32, 32]", "shape [16, 3, 16, 16]", False),
    ],
)
def test_what_counts_as_a_difference(one: str, other: str, same: bool) -> None:
    import re

    for pattern, replacement in SANITISE.items():
        one, other = re.sub(pattern, replacement, one), re.sub(pattern, replacement, other)
    assert (one == other) is same

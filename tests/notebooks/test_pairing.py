"""The two files of a lesson hold the same notebook; and the check of it notices each difference."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from lessons import FOLDER, stems
from pairing import differences, write

SAMPLE = (Path(__file__).parent / "sample_lesson.txt").read_text(encoding="utf-8")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """The sample as a pair."""
    py, ipynb = tmp_path / "99_sample.py", tmp_path / "99_sample.ipynb"
    py.write_text(SAMPLE, encoding="utf-8")
    write(py, ipynb)
    return py, ipynb


@pytest.mark.parametrize("stem", stems())
def test_lesson_is_a_pair(stem: str) -> None:
    found = differences(FOLDER / f"{stem}.py", FOLDER / f"{stem}.ipynb")
    assert not found, "\n".join(
        [*found, "To make the notebook from the text: python tests/notebooks/pairing.py --write"]
    )


def test_there_are_lessons() -> None:
    assert "01_bits_per_dimension" in stems()


def test_each_direction_gives_the_other(pair: tuple[Path, Path]) -> None:
    py, ipynb = pair
    assert differences(py, ipynb) == []
    notebook = ipynb.read_bytes()
    assert not write(py, ipynb), "nothing to do the second time"
    py.unlink()
    assert write(py, ipynb, "py")
    assert (py.read_text(encoding="utf-8"), ipynb.read_bytes()) == (SAMPLE, notebook)


def test_unchanged_cells_keep_their_ids(pair: tuple[Path, Path]) -> None:
    py, ipynb = pair
    before = {cell.source: cell.id for cell in nbformat.read(ipynb, as_version=4).cells}
    py.write_text(SAMPLE.replace("print(rates)", "print(rates[0])"), encoding="utf-8")
    assert write(py, ipynb)
    after = {cell.source: cell.id for cell in nbformat.read(ipynb, as_version=4).cells}
    same = before.keys() & after.keys()
    assert len(same) == len(before) - 1
    assert all(before[source] == after[source] for source in same)


def test_a_change_on_either_side_is_noticed(pair: tuple[Path, Path]) -> None:
    py, ipynb = pair
    py.write_text(SAMPLE.replace("Therefore.", "Hence."), encoding="utf-8")
    assert any("Hence." in message for message in differences(py, ipynb))
    py.write_text(SAMPLE, encoding="utf-8")
    notebook = nbformat.read(ipynb, as_version=4)
    notebook.cells[2].metadata["tags"] = []
    nbformat.write(notebook, ipynb)
    assert any('"parameters"' in message for message in differences(py, ipynb))


@pytest.mark.parametrize("name", ["py", "ipynb"])
def test_a_missing_half_is_named(pair: tuple[Path, Path], name: str) -> None:
    pair[name == "ipynb"].unlink()
    assert differences(*pair) == [f"99_sample.{name} is missing beside its pair"]


def test_outputs_do_not_belong_into_a_notebook(pair: tuple[Path, Path]) -> None:
    notebook = nbformat.read(pair[1], as_version=4)
    notebook.cells[3].outputs = []
    notebook.cells[4].outputs = [nbformat.v4.new_output("stream", text="1.5")]
    notebook.cells[4].execution_count = 7
    notebook.metadata["widgets"] = {}
    nbformat.write(notebook, pair[1])
    assert differences(*pair) == [
        "99_sample.ipynb holds the output of cell 4",
        "99_sample.ipynb holds execution counts",
        "99_sample.ipynb holds the metadata widgets",
    ]
    assert write(*pair)
    assert differences(*pair) == []


def test_headers_hold_no_versions(pair: tuple[Path, Path]) -> None:
    head = "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       jupytext_version: 1.19.6\n"
    pair[0].write_text(SAMPLE.replace("# ---\n# jupyter:\n", head), encoding="utf-8")
    assert differences(*pair) == ["the header of 99_sample.py holds versions, which change without need"]
    write(*pair, "py")
    assert differences(*pair) == []


def test_the_kernel_belongs_to_the_content(pair: tuple[Path, Path]) -> None:
    notebook = nbformat.read(pair[1], as_version=4)
    notebook.metadata["kernelspec"]["name"] = "my-own"
    nbformat.write(notebook, pair[1])
    assert any("[kernel my-own]" in message for message in differences(*pair))

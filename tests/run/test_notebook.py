"""Notebooks by name, and the parameters they declare."""

from __future__ import annotations

import pytest

from simplebits.run import notebook


def test_by_stem_number_and_file_name_in_the_books_order(book):
    root = book(n02_b=["1"], n01_a=["1"], n10_c=["1"])
    for names in (["02_b", "01_a"], ["2", "01"], ["notebooks/02_b.ipynb", "01_a.py"], ["2", "02", "1"]):
        assert [one.stem for one in notebook.resolve(root, names)] == ["01_a", "02_b"]
    assert [one.stem for one in notebook.resolve(root, [])] == ["01_a", "02_b", "10_c"]


def test_an_unknown_one_names_the_nearest(book):
    root = book(n01_bits_per_dimension=["1"], n02_glow=["1"])
    with pytest.raises(ValueError, match=r"did you mean '01_bits_per_dimension'\? Known: .*02_glow"):
        notebook.resolve(root, ["01_bits_per_dimenson"])
    with pytest.raises(ValueError, match="notebook='7' is not known"):
        notebook.resolve(root, ["7"])


def test_an_empty_folder_says_so(book):
    with pytest.raises(FileNotFoundError, match="holds no notebooks"):
        notebook.resolve(book(), [])


def test_parameters_are_literals_of_the_tagged_cell_only(book):
    cell = "# parameters\nn: int = -3  # images\nrate = 1e-3\nnames = ['a', 'b']\nnone = None"
    root = book(n01_a=["x = 5", cell, "n = 9"])
    found = notebook.Notebook(root, "01_a").parameters()
    assert found == {"n": -3, "rate": 1e-3, "names": ["a", "b"], "none": None}
    assert notebook.Notebook(book(n01_a=["x = 5"]), "01_a").parameters() == {}


@pytest.mark.parametrize("line", ["n = 2 * 3", "import os", "a = b = 1", "a, b = 1, 2", "n =", "n: int"])
def test_anything_but_a_literal_is_named(book, line):
    root = book(n01_a=[f"# parameters\n{line}"])
    with pytest.raises(ValueError, match=r"01_a\.ipynb.*literals only"):
        notebook.Notebook(root, "01_a").parameters()


def test_a_damaged_notebook_is_named(book):
    root = book(n01_a=["1"])
    (root / "notebooks" / "01_a.ipynb").write_text('{"cells": [')
    with pytest.raises(ValueError, match=r"01_a\.ipynb is not a notebook"):
        notebook.Notebook(root, "01_a").cells()


def test_a_script_that_says_something_else_is_noticed(book):
    root = book(n01_a=["# %% Title", "x = 5"])
    one, script = notebook.Notebook(root, "01_a"), root / "notebooks" / "01_a.py"
    assert not one.pair_differs()
    script.write_text("# %% [markdown]\n# Title\n\n# %%\nx = 5\n")
    assert not one.pair_differs()
    script.write_text("# %% [markdown]\n# Title\n\n# %%\nx = 6\n")
    assert one.pair_differs()

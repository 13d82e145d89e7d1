"""When a run counts as up to date: same source, parameters, package, weights, versions and data, and only then."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from simplebits import _here
from simplebits.run import digest, execute, job
from simplebits.run.notebook import Notebook

CELLS = ["# parameters\nn = 1\nname = 'digits'", "print(n)"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "package"
    (folder / "weights").mkdir(parents=True)
    (folder / "glow.py").write_text("bits = 8\n")
    (folder / "weights" / "glow.safetensors").write_bytes(b"123")
    monkeypatch.setattr(digest, "PACKAGE", folder)
    return folder


def pretend(**arguments):
    """Write what a run leaves behind."""
    (one,) = job.plan(["1"], **arguments)
    one.output.parent.mkdir(parents=True, exist_ok=True)
    one.output.write_text(json.dumps({"metadata": {"simplebits": {"digest": one.digest, "parts": one.parts}}}))


def test_nothing_changed(book, package):
    book(n01_a=CELLS)
    assert not execute.fresh("01_a")
    pretend()
    assert execute.fresh("01_a")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "glow.pyc").write_bytes(b"x")
    (package / ".glow.py.17.part").write_text("half")
    assert execute.fresh("01_a")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda root, package: (package / "glow.py").write_text("bits = 5\n"), "the package's sources"),
        (lambda root, package: (package / "new.py").write_text(""), "the package's sources"),
        (lambda root, package: (package / "weights" / "glow.safetensors").write_bytes(b"124"), "weights"),
        (lambda root, package: (root / "book" / "results" / "published.yml").write_text("a: 1"), "published.yml"),
    ],
)
def test_a_change_in_what_all_depend_on(book, package, change, reason):
    root = book(n01_a=CELLS)
    (root / "book" / "results").mkdir(parents=True)
    pretend()
    change(root, package)
    assert not execute.fresh("01_a")
    assert job.plan(["1"])[0].stale() == f"changed since its last run: {reason}"


def test_the_notebook(book, package):
    book(n01_a=CELLS)
    pretend()
    book(n01_a=[CELLS[0], "print(n + 1)"])
    assert job.plan(["1"])[0].stale() == "changed since its last run: the notebook"
    # Outputs and counters are no source.
    root = book(n01_a=CELLS)
    path = root / "notebooks" / "01_a.ipynb"
    content = json.loads(path.read_text())
    output = {"output_type": "stream", "name": "stdout", "text": "1\n"}
    content["cells"][1] |= {"execution_count": 7, "outputs": [output]}
    path.write_text(json.dumps(content))
    assert execute.fresh("01_a")


def test_parameters(book, package):
    book({"smoke": "01_a:\n  n: 2\n"}, n01_a=CELLS)
    pretend(profile="smoke")
    assert execute.fresh("01_a", "smoke")
    assert not execute.fresh("01_a")
    assert not execute.fresh("01_a", "smoke", {"n": 3})
    book({"smoke": "01_a:\n  n: 4\n"})
    assert job.plan(["1"], "smoke")[0].stale() == "changed since its last run: its parameters"


def test_own_parameters_have_their_own_place(book, package):
    book(n01_a=CELLS)
    pretend()
    pretend(parameters={"n": 3})
    assert execute.fresh("01_a")
    assert execute.fresh("01_a", parameters={"n": 3})
    own = ({}, {"n": 3}, {"n": 31}, {"name": "n/../x"}, {"name": "nx"}, {"name": "x" * 300}, {"name": "x" * 301})
    paths = {execute.executed_path("01_a", parameters=values) for values in own}
    assert len(paths) == len(own)
    assert len({path.parent for path in paths}) == 1


def test_versions(book, package, monkeypatch):
    book(n01_a=CELLS)
    pretend()
    monkeypatch.setattr(_here, "version", lambda name: "99.0")
    assert job.plan(["1"])[0].stale() == "changed since its last run: versions"


def test_data_files_that_a_parameter_names(book, package):
    book(n01_a=["# parameters\nsets = ['digits', 'usps']", "1"])
    folder = Path(os.environ["SIMPLEBITS_DATA"])
    assert digest.data_files({"sets": ["usps"]}) == {"usps.bz2": None, "usps.t.bz2": None}
    assert digest.data_files({"n": 3, "name": "digits"}) == {}
    folder.mkdir()
    for name in ("usps.bz2", "usps.t.bz2"):
        (folder / name).write_bytes(b"digits")
    pretend()
    assert execute.fresh("01_a")
    assert set(digest.data_sums({"sets": {"a": ("usps",)}})) == {"usps"}
    (folder / "usps.bz2").write_bytes(b"other digits")
    assert job.plan(["1"])[0].stale() == "changed since its last run: data files"


def test_files_that_the_run_itself_fetched_are_part_of_it(book, package):
    root = book(n01_a=["# parameters\nsets = ['usps']", "1"])
    (before,) = job.plan(["1"])
    folder = Path(os.environ["SIMPLEBITS_DATA"])
    folder.mkdir()
    (folder / "usps.bz2").write_bytes(b"fetched")
    settled = digest.settle(before.parts, Notebook(root, "01_a"), folder)
    assert settled["data"]["usps.bz2"][0] == 7
    assert settled["data"]["usps.t.bz2"] is None
    assert job.plan(["1"])[0].parts == settled


def test_a_source_changed_while_it_ran_makes_a_run_that_is_never_up_to_date(book, package):
    root = book(n01_a=CELLS)
    (before,) = job.plan(["1"])
    book(n01_a=[CELLS[0], "print(n + 1)"])
    (package / "glow.py").write_text("bits = 5\n")
    settled = digest.settle(before.parts, Notebook(root, "01_a"), root)
    assert digest.total(settled) not in (before.digest, job.plan(["1"])[0].digest)
    assert digest.changes(settled, before.parts) == "the notebook, the package's sources"


def test_a_damaged_or_foreign_notebook_is_no_run(book, package):
    root = book(n01_a=CELLS)
    pretend()
    path = execute.executed_path("01_a")
    for text in (path.read_text()[:-20], "{}", '{"metadata": {"simplebits": {}}}'):
        path.write_text(text)
        assert not execute.fresh("01_a", folder=root)

"""Sweeps: every point of the grid once, whatever happens to the workers."""

from __future__ import annotations

import importlib

import pytest

from simplebits.report import ledger
from simplebits.run import execute, job, sweep

# The point n = 2 kills the Dask worker it runs on (kernel, process of the notebook, worker) the first time it is tried.
DEADLY = """import pathlib, psutil
first = pathlib.Path("../tried")
if n == 2 and not first.exists():
    first.touch()
    psutil.Process().parent().parent().kill()
    import time; time.sleep(30)
assert n != 3, "three is too many"
from simplebits.report import record
record("toy", "score", n, "bits")"""


def test_a_point_whose_worker_dies_is_repeated(book, simplebits):
    root = book(n01_a=["# parameters\nn = 0\nword = 'a'", DEADLY])
    (outcome,) = execute.run(["1"], parameters={"n": 1})
    assert outcome.status == "complete"
    process = simplebits("sweep", "01", "--grid", "n=1,2,3", "--workers", "2")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert (root / "tried").exists()
    lines = said.splitlines()
    assert any(line.startswith("[1/3] 01_a@n=1") and line.endswith("up to date") for line in lines), said
    assert "1 run, 1 up to date, 1 failed" in lines
    assert lines[-1] == "  01_a@n=3: cell 2: AssertionError: three is too many"
    assert {path.name for path in (root / "_build" / "runs" / "laptop").glob("*.ipynb")} == {
        "01_a@n=1.ipynb",
        "01_a@n=2.ipynb",
        "01_a@n=3.unfinished.ipynb",
    }
    runs = ledger.runs(root / "book" / "results")
    assert sorted((run.info["own"]["n"], run.status) for run in runs) == [
        (1, "complete"),
        (2, "complete"),
        (2, "running"),
        (3, "failed"),
    ]
    assert [len(run.records) for run in runs if run.status == "complete"] == [1, 1]


def test_points_and_their_jobs(book):
    book({"smoke": "01_a:\n  n: 7\n  m: 7\n"}, n01_a=["# parameters\nn = 0\nm = 0\nword = 'a'", "n"])
    planned = sweep.plan("1", {"n": [1, 2], "word": ["a", "b c"]}, "smoke", {"m": 5})
    assert [one.own for one in planned] == [{"m": 5, "n": n, "word": word} for n in (1, 2) for word in ("a", "b c")]
    assert len({one.output for one in planned}) == len({one.checkpoints for one in planned}) == 4
    # A point is the run that the same parameters give by hand.
    (alone,) = job.plan(["1"], "smoke", {"word": "a", "n": 1, "m": 5})
    assert (alone.output, alone.digest) == (planned[0].output, planned[0].digest)


@pytest.mark.parametrize("words", [["n"], ["n="], ["=1"], ["n=1", "n=2"], ["n=[1,2"]])
def test_a_grid_of_another_form(words):
    with pytest.raises(ValueError, match="--grid"):
        sweep.parse_grid(words)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({}, "at least one parameter"),
        ({"n": []}, "at least one parameter"),
        ({"n": [1, 1]}, "values that differ"),
        ({"m": [1]}, "parameter 'm' is not known; did you mean 'n'|Known: n"),
        ({"n": ["a"]}, "takes a number"),
    ],
)
def test_a_grid_the_notebook_does_not_know(book, grid, message):
    book(n01_a=["# parameters\nn = 0", "n"])
    with pytest.raises(ValueError, match=message):
        sweep.sweep("1", grid)


def test_without_dask(book, monkeypatch):
    book(n01_a=["# parameters\nn = 0", "n"])
    import builtins

    real = builtins.__import__

    def without(name: str, *more: object, **options: object) -> object:
        if name.split(".")[0] in ("dask", "distributed"):
            raise ImportError(name)
        return real(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'simplebits\[cluster\]'"):
        sweep.sweep("1", {"n": [1]})


def test_no_scheduler_at_the_address(book, monkeypatch):
    book(n01_a=["# parameters\nn = 0", "n"])
    distributed = importlib.import_module("distributed")

    def nobody(*_: object, **where: object) -> None:
        raise OSError("Timed out trying to connect to tcp://127.0.0.1:1")

    monkeypatch.setattr(distributed, "Client", nobody)
    monkeypatch.setattr(importlib.import_module("dask.distributed"), "Client", nobody)
    with pytest.raises(ConnectionError, match="no Dask scheduler answers at 'tcp://127.0.0.1:1'"):
        sweep.sweep("1", {"n": [1]}, scheduler="tcp://127.0.0.1:1")

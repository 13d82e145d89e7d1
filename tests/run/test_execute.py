"""Notebooks in real kernels: what they get, what they leave, and how they fail."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import nbformat
import pytest

from simplebits.report import ledger
from simplebits.run import execute, job, process, worker
from simplebits.run.execute import Outcome
from simplebits.run.progress import Progress

LOOK = """import json, os
names = ("SIMPLEBITS_RUN", "SIMPLEBITS_CHECKPOINTS", "SIMPLEBITS_DATA", "TQDM_DISABLE", "OMP_NUM_THREADS")
print(json.dumps({"n": n, "cwd": os.getcwd(), **{name: os.environ.get(name) for name in names}}))"""


def printed(path: Path) -> str:
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", ())]
    return "".join(output.text for output in outputs if output.output_type == "stream")


class Listener(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(silent=True)
        self.told: list[tuple[str, ...]] = []

    def started(self, job: job.Job) -> None:
        self.told.append(("started", job.name))

    def cell(self, job: job.Job, number: int, of: int) -> None:
        self.told.append(("cell", job.name, str(number), str(of)))

    def finished(self, job: job.Job, outcome: Outcome) -> None:
        self.told.append(("finished", job.name, outcome.status))


def test_a_run_from_start_to_ledger_and_not_twice(book):
    root = book(
        {"smoke": "01_a:\n  n: 2\n"},
        n01_a=[
            "# %% Title",
            "# parameters\nn = 1",
            LOOK,
            "hold = bytearray(200_000_000)",
            "from simplebits.report import record\nrecord('toy', 'score', n, 'bits')\nNone",
        ],
    )
    listener = Listener()
    (outcome,) = execute.run(["01_a"], "smoke", progress=listener)
    assert outcome.status == "complete"
    assert outcome.path == root / "_build" / "runs" / "smoke" / "01_a.ipynb" == execute.executed_path("01_a", "smoke")
    assert outcome.seconds > 0
    assert 200 < outcome.peak_memory_mb < 2000
    assert listener.told[0] == ("started", "01_a")
    # The injected parameters are one cell more.
    assert ("cell", "01_a", "6", "6") in listener.told
    assert listener.told[-1] == ("finished", "01_a", "complete")

    (run,) = ledger.runs(root / "book" / "results")
    seen = json.loads(printed(outcome.path).splitlines()[0])
    assert seen["n"] == 2
    assert seen["cwd"] == str(root / "notebooks")
    assert seen["TQDM_DISABLE"] == "1"
    assert seen["SIMPLEBITS_RUN"] == str(run.path)
    assert seen["SIMPLEBITS_CHECKPOINTS"].startswith(str(root / "_build" / "checkpoints" / "smoke" / "01_a"))
    assert (run.notebook, run.profile, run.status) == ("01_a", "smoke", "complete")
    assert run.info["parameters"] == {"n": 2}
    assert run.info["command"] == "simplebits run 01_a --profile smoke"
    assert run.info["peak_memory_mb"] == outcome.peak_memory_mb
    assert run.info["processor_seconds"] > 0.5  # starting Python and importing the library take as much
    assert [(record.name, record.values) for record in run.records] == [("toy.score", (2.0,))]

    note = nbformat.read(outcome.path, as_version=4).metadata["simplebits"]
    assert note["digest"] == run.info["digest"]
    assert note["run"] == run.path.stem
    assert note["parameters"] == {"n": 2}
    assert {path.name for path in outcome.path.parent.iterdir()} == {"01_a.ipynb"}

    before = outcome.path.stat().st_mtime_ns
    assert [again.status for again in execute.run(["1"], "smoke")] == ["fresh"]
    assert outcome.path.stat().st_mtime_ns == before
    assert len(ledger.runs(root / "book" / "results")) == 1


def test_a_failing_notebook_is_named_and_the_others_run(book, monkeypatch):
    monkeypatch.setattr(execute, "cores", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS")
    root = book(
        n01_a=["# %% Title", "# parameters\nn = 1", "def f():\n    a = 1\n    return a / 0", "b = 2\nf()\nc = 3"],
        n02_b=["# parameters\nn = 1", LOOK],
        n03_c=["# parameters\nn = 1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"],
    )
    failed, fine, dead = execute.run(jobs=2)
    assert [outcome.status for outcome in (failed, fine, dead)] == ["failed", "complete", "failed"]
    assert failed.cell == 4
    assert failed.error == "ZeroDivisionError: division by zero"
    assert failed.source == "b = 2\nf()"
    assert not execute.executed_path("01_a").exists()
    assert failed.path.name == "01_a.unfinished.ipynb"
    assert "ZeroDivisionError" in failed.path.read_text()
    assert dead.cell == 2
    assert "the kernel died" in dead.error
    assert json.loads(printed(fine.path))["OMP_NUM_THREADS"] == "1", "one thread each, however many cores there are"
    states = {run.notebook: (run.status, run.info["error"]) for run in ledger.runs(root / "book" / "results")}
    assert states["01_a"] == ("failed", "ZeroDivisionError: division by zero")
    assert states["02_b"] == ("complete", None)
    assert states["03_c"][0] == "failed"

    # Once mended, only what failed is run, and what the failure left is gone.
    book(n01_a=["# parameters\nn = 1", "n"])
    outcomes = execute.run(["1", "2"])
    assert [outcome.status for outcome in outcomes] == ["complete", "fresh"]
    assert not failed.path.exists()


def test_own_parameters_and_force(book):
    look = "import os, pathlib\nprint(n, (pathlib.Path(os.environ['SIMPLEBITS_CHECKPOINTS']) / 'step').exists())"
    book(n01_a=["# parameters\nn = 1", look])
    (one,) = job.plan(["1"], parameters={"n": 5})
    one.checkpoints.mkdir(parents=True)
    (one.checkpoints / "step").write_text("7")
    (one.checkpoints / process.SPENT).write_text('{"seconds": 100.0, "processor_seconds": 300.0}')
    (outcome,) = execute.run(["1"], parameters={"n": 5})
    assert outcome.name == "01_a@n=5"
    # What the killed run took belongs to what it cost.
    assert 100 < outcome.seconds < 160
    (run,) = ledger.runs(one.notebook.root / "book" / "results")
    assert 300 < run.info["processor_seconds"] < 360
    assert printed(outcome.path) == "5 True\n"
    assert not one.checkpoints.exists()
    # From the start means without checkpoints.
    one.checkpoints.mkdir(parents=True)
    (one.checkpoints / "step").write_text("7")
    (outcome,) = execute.run(["1"], parameters={"n": 5}, force=True)
    assert outcome.status == "complete"
    assert printed(outcome.path) == "5 False\n"
    assert outcome.seconds < 60


def test_a_full_disk_leaves_no_half_notebook(book, monkeypatch):
    root = book(n01_a=["# parameters\nn = 1", "print(n)"])
    task = {
        "root": str(root),
        "stem": "01_a",
        "notebook": str(root / "notebooks" / "01_a.ipynb"),
        "given": {},
        "data_root": None,
        "output": str(root / "_build" / "01_a.ipynb"),
        "unfinished": str(root / "_build" / "01_a.unfinished.ipynb"),
        "note": {"parts": {"data": {}}},
    }
    write = Path.write_text

    def fill(self: Path, text: str, *more: object, **options: object) -> int:
        write(self, text[:300])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", fill)
    result = worker.execute(task, lambda event: None)
    assert "No space left" in result["error"]
    assert "01_a.ipynb could not be written" in result["error"]
    assert list((root / "_build").iterdir()) == []


def test_a_ledger_that_cannot_be_written_fails_one_run_with_a_sentence(book, monkeypatch):
    book(n01_a=["1"])

    def full(*_: object, **__: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ledger, "start_run", full)
    (outcome,) = execute.run()
    assert outcome.status == "failed"
    assert "No space left" in outcome.error
    assert not outcome.ok


@pytest.mark.unchecked
@pytest.mark.parametrize("jobs", [0, -1, 1.5, True])
def test_a_wrong_number_of_jobs(book, jobs):
    book(n01_a=["1"])
    with pytest.raises(ValueError, match="jobs="):
        execute.run(jobs=jobs)

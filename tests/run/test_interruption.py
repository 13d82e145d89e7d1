"""Killed at any moment: nothing half-written, nothing left running, nothing recorded lost, the rest done next time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import psutil

from simplebits.report import ledger
from simplebits.run import execute, job
from simplebits.run.process import spent

# Counts to sixty, three seconds at least, saving every step as a long loop of the library does.
COUNT = """import json, os, pathlib, time
from simplebits._files import write_json
from simplebits.report import record
record("toy", "started", 1, "times")
folder = pathlib.Path(os.environ["SIMPLEBITS_CHECKPOINTS"])
pathlib.Path("../kernel").write_text(str(os.getpid()))
step = json.loads((folder / "step.json").read_text()) if (folder / "step.json").is_file() else 0
print("from", step)
while step < 60:
    step += 1
    write_json(folder / "step.json", step)
    time.sleep(0.05)"""


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def well_under_way(root):
    steps = list(root.glob("_build/checkpoints/laptop/01_a/*/step.json"))
    return bool(steps) and json.loads(steps[0].read_text()) >= 5


def test_kill_and_go_on(book, simplebits, until):
    root = book(n01_a=["# parameters\nn = 1", COUNT])
    process = simplebits("run", "1")
    until(lambda: well_under_way(root))
    (one,) = job.plan(["1"])
    until(lambda: spent(one).seconds > 0)
    process.kill()  # as by the system when memory runs out: no chance to tidy up
    process.wait()
    kernel = int((root / "kernel").read_text())
    until(lambda: not alive(kernel), 10)
    before = spent(one)
    assert not execute.executed_path("01_a").exists()
    assert not execute.fresh("01_a")

    (outcome,) = execute.run(["1"])
    assert outcome.status == "complete"
    said = json.dumps(json.loads(outcome.path.read_text())["cells"][1]["outputs"])
    assert "from " in said
    assert "from 0\\\\n" not in said
    killed, complete = ledger.runs(root / "book" / "results")
    assert (killed.status, complete.status) == ("running", "complete")
    assert complete.info["processor_seconds"] > before.processor_seconds > 0
    assert len(killed.records) == len(complete.records) == 1


def test_ctrl_c_ends_everything_that_was_started(book, simplebits, until):
    root = book(n01_a=["# parameters\nn = 1", COUNT], n02_b=["1"])
    process = simplebits("run", "--jobs", "1")
    until(lambda: well_under_way(root))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert not alive(int((root / "kernel").read_text()))
    (run,) = ledger.runs(root / "book" / "results")
    assert (run.status, run.info["error"]) == ("failed", "interrupted")
    assert len(run.records) == 1


def test_two_runs_at_once_lose_no_record(book, simplebits):
    records = "from simplebits.report import record\nfor i in range(20): record('toy', f'score {i}', i, 'bits')"
    root = book(n01_a=["# parameters\nn = 1", records])
    both = [simplebits("run", "--force"), simplebits("run", "--force")]
    for process in both:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
    runs = ledger.runs(root / "book" / "results")
    assert [(run.status, len(run.records)) for run in runs] == [("complete", 20)] * 2
    assert execute.fresh("01_a")


def test_leftovers_of_killed_runs_are_not_results(book):
    root = book(n01_a=["1"])
    folder = root / "_build" / "runs" / "laptop"
    folder.mkdir(parents=True)
    for name in (".01_a.ipynb.4711.part", "01_a.unfinished.ipynb"):
        (folder / name).write_text('{"cells": [')
    assert not execute.fresh("01_a")


def test_a_worker_without_anyone_to_ask_it_leaves(book):
    book(n01_a=["1"])
    command = [sys.executable, "-m", "simplebits.run.worker"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert done.stdout == ""

"""The ledger loses nothing: not with many writers, not on a full disk, not when a run is killed."""

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simplebits import _files
from simplebits.report import ledger, recording
from simplebits.report.trend import at_least


@pytest.fixture
def run(monkeypatch):
    path = ledger.start_run("01_bits", "laptop", {"images": 8}, command="simplebits run 01", digest="d1")
    monkeypatch.setenv(ledger.RUN, str(path))
    return path


def content(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_run_from_start_to_end(run, results):
    assert run.parent == results / "laptop" / "01_bits"
    made = recording.record(
        "glow",
        "bits-per-dim",
        [0.38, 0.40],
        "bits/dim",
        setting={"draws": 4, "path": Path("x")},
        published="simplebits.bits.glow.black",
        trend=at_least("bits", 0.39, 0.0),
    )
    ledger.note(data={"mnist": "abc"}, weights={"glow": "def"})
    ledger.finish_run(run, "complete", 12.5, 800.0, processor_seconds=20.0)

    (read,) = ledger.runs()
    assert (read.path, read.notebook, read.profile, read.status) == (run, "01_bits", "laptop", "complete")
    assert read.records == (made,)
    assert read.info["seconds"] == 12.5
    assert read.info["peak_memory_mb"] == 800.0
    assert read.info["processor_seconds"] == 20.0
    assert read.info["data"] == {"mnist": "abc"}
    assert read.info["weights"] == {"glow": "def"}
    assert read.info["parameters"] == {"images": 8}
    assert read.info["command"] == "simplebits run 01"
    assert read.info["digest"] == "d1"
    assert read.info["versions"]["python"]
    assert read.info["device"]
    assert read.started <= read.info["finished"]
    (record,) = content(run)["records"]
    assert record["mean"] == pytest.approx(0.39)
    assert record["verdict"] == "trend holds"
    assert record["published"]["table"] == "Figures 2 and S1"
    assert record["setting"] == {"draws": 4, "path": "x"}


def test_outside_a_run_nothing_is_written(results):
    made = recording.record("glow", "bits-per-dim", 0.39, "bits/dim")
    ledger.note(data={"mnist": "abc"})
    assert made.values == (0.39,)
    assert not list(results.rglob("*"))


def test_values_may_be_tensors_and_arrays():
    import numpy as np
    import torch

    for values in (torch.tensor([1.0, 2.0]), np.array([1.0, 2.0]), [torch.tensor(1.0), np.float32(2.0)], (1, 2)):
        assert recording.record("e", "m", values, "%").values == (1.0, 2.0)
    for value in (torch.tensor(1.5), np.array(1.5), np.float64(1.5), 1.5):
        assert recording.record("e", "m", value, "%").values == (1.5,)


@pytest.mark.unchecked
def test_wrong_use_writes_nothing(run):
    before = run.read_bytes()
    for values in ("12", None, ["a"], [[1.0, 2.0]], [None]):
        with pytest.raises(TypeError, match="give a number"):
            recording.record("e", "m", values, "%")
    for values in ([], float("nan"), [1.0, float("inf")]):
        with pytest.raises(ValueError, match="finite"):
            recording.record("e", "m", values, "%")
    with pytest.raises(ValueError, match=r"dc\.mnist\.ipc1\.dc"):
        recording.record("e", "m", 1.0, "%", published="dc.mnist.ipc1.dcc")
    with pytest.raises(ValueError, match="fraction"):
        recording.record("e", "m", 0.9, "fraction", published="dc.mnist.ipc1.dc")
    with pytest.raises(ValueError, match="complete"):
        ledger.finish_run(run, "done", 1.0)
    assert run.read_bytes() == before


def test_settings_that_json_does_not_know_still_give_valid_json(run):
    recording.record("e", "m", 1.0, "%", setting={"rate": float("inf"), "shape": (1, 2), "none": None})

    def refuse(text):
        raise AssertionError(f"{text} is not JSON")

    read = json.loads(run.read_text(encoding="utf-8"), parse_constant=refuse)
    assert read["records"][0]["setting"] == {"rate": "Infinity", "shape": [1, 2], "none": None}


def test_the_commit_is_noted_and_the_ledger_itself_is_no_change(tmp_path, monkeypatch):
    def git(*command):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *command],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIMPLEBITS_RESULTS")
    for name in ("_toc.yml", "pyproject.toml"):
        (tmp_path / name).touch()
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    first, second = (ledger.read(ledger.start_run("01_bits", "laptop")) for _ in range(2))
    assert first.path.is_relative_to(tmp_path / "book" / "results")
    assert len(first.info["commit"]) == 40
    assert second.info["dirty"] is False
    (tmp_path / "new.py").touch()
    assert ledger.read(ledger.start_run("01_bits", "laptop")).info["dirty"] is True


def test_runs_are_chosen_and_sorted(results):
    paths = [ledger.start_run(notebook, profile) for notebook in ("01_a", "02_b") for profile in ("laptop", "smoke")]
    assert {run.path for run in ledger.runs()} == set(paths)
    assert [run.path for run in ledger.runs(notebook="02_b", profile="smoke")] == [paths[3]]
    assert [run.started for run in ledger.runs()] == sorted(run.started for run in ledger.runs())
    assert ledger.runs(results / "elsewhere") == []


DAMAGE = ["", "{", '{"run": {}, "records": []}', "[]", "null", '{"format": 1, "run": {"notebook": 3}, "records": [1]}']


@pytest.mark.parametrize("text", DAMAGE)
def test_a_damaged_file_is_named_and_the_others_are_read(run, text):
    bad = run.with_name("bad.json")
    bad.write_text(text, encoding="utf-8")
    found, damaged = ledger.scan()
    assert [run.path for run in found] == [run]
    assert len(damaged) == 1
    assert str(bad) in damaged[0]
    with pytest.warns(UserWarning, match=r"bad\.json is damaged"):
        assert len(ledger.runs()) == 1


def test_recording_into_a_damaged_or_missing_file_says_so(run):
    run.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="is damaged"):
        recording.record("e", "m", 1.0, "%")
    run.unlink()
    with pytest.raises(FileNotFoundError, match="is gone"):
        recording.record("e", "m", 1.0, "%")


def test_a_full_disk_leaves_what_was_there(run, monkeypatch):
    recording.record("e", "first", 1.0, "%")
    before = run.read_bytes()

    def full(part, text, *args, **kwargs):
        with open(part, "w", encoding="utf-8") as file:
            file.write(text[: len(text) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left") as caught:
        recording.record("e", "second", 2.0, "%")
    assert caught.value.errno == errno.ENOSPC
    assert str(run) in str(caught.value)
    assert run.read_bytes() == before
    assert [path.name for path in run.parent.iterdir()] == [run.name], "no half file is left"
    monkeypatch.undo()
    assert len(ledger.read(run).records) == 1


def _write_many(path, worker, count):
    os.environ[ledger.RUN] = str(path)
    for number in range(count):
        recording.record(f"worker-{worker}", "number", float(number), "%")


def _run_many(results, worker, count):
    os.environ["SIMPLEBITS_RESULTS"] = str(results)
    path = ledger.start_run("01_bits", "laptop", {"worker": worker})
    _write_many(path, worker, count)
    ledger.finish_run(path, "complete", 1.0)


def _in_processes(target, arguments):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def test_runs_at_once_lose_nothing(results):
    _in_processes(_run_many, [(results, worker, 10) for worker in range(3)])
    found = ledger.runs()
    assert [run.status for run in found] == ["complete"] * 3
    for run in found:
        expected = [(f"worker-{run.info['parameters']['worker']}", (float(number),)) for number in range(10)]
        assert [(record.experiment, record.values) for record in run.records] == expected


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not locked there")
def test_several_processes_in_one_run_lose_nothing(run):
    _in_processes(_write_many, [(run, worker, 15) for worker in range(3)])
    written = {(record.experiment, record.values[0]) for record in ledger.read(run).records}
    assert written == {(f"worker-{worker}", float(number)) for worker in range(3) for number in range(15)}


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_run_killed_while_writing_keeps_what_it_recorded(run):
    endless = (
        "from simplebits.report import ledger, recording\n"
        "for number in range(100_000):\n"
        "    recording.record('e', 'm', float(number), '%', setting={'long': 'x' * 20_000})\n"
        "    print(number, flush=True)"
    )
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", endless], stdout=subprocess.PIPE, text=True)
        before, said = len(ledger.read(run).records), -1
        while said < 5:
            said = int(process.stdout.readline())
        time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        said = max([said, *map(int, process.communicate()[0].split())])
        records = ledger.read(run).records[before:]
        assert len(records) >= said + 1, "what record() returned is in the file"
        assert [record.values[0] for record in records] == [float(number) for number in range(len(records))]
    recording.record("e", "afterwards", 1.0, "%")  # a killed writer holds no lock
    assert ledger.read(run).status == "running"


def test_records_reach_prose_through_glue(run, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("myst_nb")
    papermill = pytest.importorskip("papermill")
    cell = nbformat.v4.new_code_cell(
        "import simplebits as sb\nsb.report.record('glow', 'bits-per-dim', [0.391, 0.393], 'bits/dim')"
    )
    kernel = {"name": "python3", "display_name": "python3"}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), tmp_path / "in.ipynb")
    papermill.execute_notebook(str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"), progress_bar=False)
    outputs = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1].outputs
    (glued,) = [output for output in outputs if "scrapbook" in output.metadata]
    assert glued.metadata["scrapbook"]["name"] == "glow.bits-per-dim"
    assert glued.data["application/papermill.record/text/plain"] == "'0.392'"
    (shown,) = [output.data["text/markdown"] for output in outputs if output.output_type == "execute_result"]
    assert "**0.3920 ± 0.0014 bits/dim** (2 values)" in shown
    assert [record.name for record in ledger.read(run).records] == ["glow.bits-per-dim"]


def test_the_repository_is_found_from_below(tmp_path, monkeypatch):
    monkeypatch.delenv("SIMPLEBITS_RESULTS")
    for name in ("_toc.yml", "pyproject.toml"):
        (tmp_path / name).touch()
    below = tmp_path / "notebooks" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert ledger.results_folder() == tmp_path / "book" / "results"


def test_files_of_the_ledger_are_written_in_one_step(run, monkeypatch):
    seen, replace = [], os.replace

    def watched(part, path):
        seen.append(content(part))
        replace(part, path)

    monkeypatch.setattr(_files.os, "replace", watched)
    recording.record("e", "m", 1.0, "%")
    assert seen == [content(run)], "it was whole before it took its name"

"""Cases of studies: values come one by one, killed cases go on, another version does not, machines share the work."""

import os
import signal
import stat
import subprocess

import pytest

from simplebits.report import ledger
from simplebits.run import reproduce, studies
from simplebits.run.standing import standings

KEY = "dc.cross-architecture.mlp.mlp"

STUDY = """
title: "A table"
claims: "Numbers are high."
version: {version}
units: [sets]
cases:
  one:
    parameters: {{sets: [0, 1, 2]}}
    numbers: [{key}]
    needs: {{cpu_hours: 2}}
  half:
    near: "half of the images"
    parameters: {{sets: [0]}}
    numbers: [{key}]
    needs: {{cpu_hours: 1}}
  smoke:
    parameters: {{sets: [0]}}
"""
PARAMETERS = "# parameters\nsets = [0, 1]\nslow = 0.0\nshift = 0.0\ndevice = None"
CODE = """
import time
from pathlib import Path
import torch
import simplebits as sb

def value(seed):
    time.sleep(slow)
    with Path(LOG).open("a") as log:
        log.write(f"{seed}\\n")
    return 70.0 + seed

values = {}
for seed in sets:
    values[f"set {seed}"] = sb.report.once(f"set {seed}", lambda: value(seed))
    sb.report.judge(KEY, values)
    sb.report.fingerprint("values", torch.tensor([seed + 1.0, METHOD]))
    if slow and seed == sets[-2]:
        time.sleep(600 if not Path(LOG).with_name("go").exists() else 0)
"""


@pytest.fixture
def table(book, tmp_path, monkeypatch):
    """A repository with one study; called again, its method or version changes. What was computed stands in the log."""
    log = tmp_path / "log"
    monkeypatch.setenv("SIMPLEBITS_RESULTS", str(tmp_path / "results"))

    def make(method=1.0, version=1, yml=STUDY):
        root = book(n01_first=["1"])
        folder = root / "notebooks" / "studies"
        folder.mkdir(exist_ok=True)
        book.write(folder / "table.ipynb", [PARAMETERS, f"LOG, KEY, METHOD = {str(log)!r}, {KEY!r}, {method}", CODE])
        (folder / "table.yml").write_text(yml.format(key=KEY, version=version))
        make.root, make.log = root, log
        return root

    make()
    return make


def files():
    return ledger.runs(profile="study")


def computed(table):
    return table.log.read_text().split() if table.log.is_file() else []


def values():
    (run,) = files()
    (record,) = run.records
    return dict(zip(record.units, record.values, strict=True))


def test_a_case_runs_and_its_values_are_in_the_ledger(table):
    (outcome,) = reproduce.run(reproduce.plan(["table", "one"]))
    assert outcome.status == "complete"
    assert values() == {"set 0": 70.0, "set 1": 71.0, "set 2": 72.0}
    (run,) = files()
    assert (run.status, run.info["study"]["case"], run.info["command"]) == (
        "complete",
        "one",
        "simplebits reproduce table one",
    )
    assert run.records[0].same_setting
    assert run.info["study"]["fingerprint"]["values"], "the smoke case ran first and left its fingerprint"
    before = computed(table)
    assert [one.status for one in reproduce.run(reproduce.plan(["table", "one"]))] == ["fresh"]
    assert computed(table) == before


def test_other_units_of_a_finished_case_are_run_and_join_it(table):
    """More sets than the case lists make its interval narrower; with another parameter it is a run apart."""
    reproduce.run(reproduce.plan(["table", "one"]))
    more = {"sets": [3, 4]}
    assert [one.status for one in reproduce.run(reproduce.plan(["table", "one"], parameters=more))] == ["complete"]
    assert computed(table)[-2:] == ["3", "4"]
    assert [one.status for one in reproduce.run(reproduce.plan(["table", "one"], parameters=more))] == ["fresh"]
    for status in ("complete", "fresh"):
        (outcome,) = reproduce.run(reproduce.plan(["table", "one"], parameters={"shift": 1.0}))
        assert outcome.status == status


def test_near_cases_say_so(table):
    reproduce.run(reproduce.plan(["table", "half"]))
    (record,) = files()[0].records
    assert (record.near, record.same_setting, record.verdict) == ("half of the images", False, "unresolved")


def test_a_killed_case_keeps_its_values_and_goes_on(table, simplebits, until):
    """Killed with kill -9 between two values: nothing is lost, nothing is computed twice, and the ledger says so."""
    process = simplebits("reproduce", "table", "one", "-p", "slow", "0.01")
    until(lambda: files() and files()[0].records and len(files()[0].records[0].values) == 2, 120)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert values() == {"set 0": 70.0, "set 1": 71.0}, "two values, not nothing until the third"
    before = computed(table)
    table.log.with_name("go").touch()
    until(lambda: reproduce.plan(["table", "one"], parameters={"slow": 0.01})[0].begun(), 10)
    again = simplebits("reproduce", "table", "one", "-p", "slow", "0.01")
    assert again.wait(120) == 0, again.stdout.read()
    assert computed(table) == [*before, "2"]
    assert values() == {"set 0": 70.0, "set 1": 71.0, "set 2": 72.0}
    assert (files()[0].status, files()[0].info["resumed"]) == ("complete", 1)


def test_time_that_is_up_pauses_and_only_the_same_version_goes_on(table, monkeypatch):
    planned = reproduce.plan(["table", "one"], parameters={"slow": 0.01})
    reproduce.fingerprint(planned[0].study)
    (outcome,) = reproduce.run(planned, within=40)  # the last value takes longer than that
    assert outcome.status == "interrupted"
    assert files()[0].status == "paused"
    assert len(values()) == 2
    table.log.with_name("go").touch()

    with monkeypatch.context() as other:
        other.setattr(reproduce, "_package", lambda: "another")
        (outcome,) = reproduce.run(reproduce.plan(["table", "one"], parameters={"slow": 0.01}))
    assert outcome.status == "failed"
    assert "begun by another version of the library, its notebook or its case" in outcome.error
    assert "--at" in outcome.error

    (outcome,) = reproduce.run(reproduce.plan(["table", "one"], parameters={"slow": 0.01}))
    assert (outcome.status, len(values()), files()[0].info["resumed"]) == ("complete", 3, 1)


def test_a_change_of_the_method_is_found_by_its_fingerprint(table):
    reproduce.run(reproduce.plan(["table", "one"]))
    assert reproduce.changed_methods(table.root) == []
    table(method=1.5)
    (sentence,) = reproduce.changed_methods(table.root)
    assert "table: its method computes something else" in sentence
    assert "raise `version`" in sentence
    table(method=1.5, version=2)
    assert reproduce.changed_methods(table.root) == []
    (standing,) = standings(table.root, studies.choose(table.root, ["table", "one"]))
    assert (standing.done, standing.outdated) == (False, True)


def test_a_change_below_the_tolerance_is_none(table):
    reproduce.run(reproduce.plan(["table", "one"]))
    table(method=1.0 + 1e-5)
    assert reproduce.changed_methods(table.root) == []


def test_units_of_ones_own_are_joined_other_changes_do_not_count(table):
    own = reproduce.plan(["table", "one"], parameters={"shift": 2.0})
    reproduce.run(own)
    (standing,) = standings(table.root, [own[0].case])
    assert not standing.done
    for sets, done in (([7], False), ([0, 1], False), ([2], True)):
        reproduce.run(reproduce.plan(["table", "one"], parameters={"sets": sets}))
        (standing,) = standings(table.root, [own[0].case])
        assert standing.done == done, "done when all sets that it lists are measured, wherever"


def test_the_cheapest_for_what_it_judges_comes_first(table):
    assert [one.case.name for one in reproduce.plan()] == ["half", "one"]


def test_two_processes_do_not_run_one_case(table):
    (planned,) = reproduce.plan(["table", "half"])
    with planned.alone() as alone:
        assert alone
        (outcome,) = reproduce.run(reproduce.plan(["table", "half"]))
        assert outcome.status == "elsewhere"
    (outcome,) = reproduce.run(reproduce.plan(["table", "half"]))
    assert outcome.status == "complete"


def test_the_list_says_what_is_done_and_what_is_left(table, simplebits):
    reproduce.run(reproduce.plan(["table", "half"]))
    process = simplebits("reproduce")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    lines = {line.split()[0]: line for line in said.splitlines() if line.startswith("    ")}
    assert "done" in lines["half"]
    assert "about 2 h left" in lines["one"]
    assert "smoke" not in lines
    assert "1 cases are not done" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tabel"], "study='tabel' is not known; did you mean 'table'?"),
        (["table", "oen"], "did you mean 'one'?"),
        (["table", "--within", "soon"], "give a time such as 150m"),
        (["table", "--at", "nowhere"], "git knows no such commit"),
        (["table", "one", "-p", "step", "3"], "parameter 'step' is not known"),
        (["table", "--all"], "not both"),
    ],
)
def test_wrong_words_get_a_sentence(table, simplebits, words, message):
    process = simplebits("reproduce", *words)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 2
    assert message in " ".join(said.split())
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("near:", "nearly:", "'nearly' is not known; did you mean 'near'?"),
        ("sets: [0]}}\n    numbers", "stes: [0]}}\n    numbers", "parameter 'stes' is not known; did you mean 'sets'?"),
        ("[{key}]", "[dc.nothing]", "not known"),
        ("[{key}]", "[dc.nothing.*]", "no published number fits"),
        ("  smoke:\n    parameters: {{sets: [0]}}\n", "", "a case 'smoke' is missing"),
        ("    near:", "    reduced: small\n    near:", "not both"),
        ("title:", "notebook: tabel\ntitle:", "did you mean 'table'?"),
    ],
)
def test_a_wrong_file_is_named(table, old, new, message):
    table(yml=STUDY.replace(old, new, 1))
    with pytest.raises(ValueError, match="table.yml") as error:
        studies.load(table.root, "table")
    assert message in str(error.value)


def test_a_number_that_the_case_does_not_name_is_refused(table):
    table(yml=STUDY.replace("numbers: [{key}]", "numbers: [dc.mnist.ipc1.dc]"))
    (outcome,) = reproduce.run(reproduce.plan(["table", "one"]))
    assert outcome.status == "failed"
    assert "is not among the numbers of case 'one'" in outcome.error


def test_slurm_gets_a_task_for_each_case_that_is_left(table, simplebits, tmp_path):
    """The script is handed to a stub of sbatch that runs every task, as SLURM would."""
    reproduce.run(reproduce.plan(["table", "half"]))
    script = tmp_path / "cases.sh"
    assert simplebits("reproduce", "--all", "--slurm", str(script)).wait(60) == 0
    text = script.read_text()
    assert "#SBATCH --array=0-0" in text
    assert simplebits("reproduce", "--all", "--slurm", str(script), "-p", "slow", "1").wait(60) == 2
    assert "#SBATCH --time=4:00:00" in text, "twice the estimate"
    stub = tmp_path / "sbatch"
    stub.write_text(
        '#!/usr/bin/env bash\nset -e\nlast=$(sed -n "s/#SBATCH --array=0-//p" "$1")\n'
        'for i in $(seq 0 "$last"); do SLURM_ARRAY_TASK_ID=$i bash "$1"; done\n'
    )
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    done = subprocess.run([str(stub), str(script)], capture_output=True, text=True, timeout=180, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {run.info["study"]["case"] for run in files()} == {"half", "one"}
    assert simplebits("reproduce", "--all", "--slurm", str(script)).wait(60) == 2, "nothing is left"


def test_cases_run_on_a_dask_cluster(table):
    distributed = pytest.importorskip("distributed")
    from simplebits.run import sweep

    planned = reproduce.plan(["table"])
    reproduce.fingerprint(planned[0].study)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, memory_limit=0, dashboard_address=None) as cluster:
        outcomes = sweep.run_points(planned, cluster.scheduler_address)
    assert [outcome.status for outcome in outcomes] == ["complete", "complete"]
    assert {run.info["study"]["case"] for run in files()} == {"half", "one"}


def test_a_snapshot_measures_what_was_committed(table, simplebits):
    """The tree that is edited is never the one that measures, and the results lie in the ledger of the edited one."""
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-C", str(table.root)]
    (table.root / ".gitignore").write_text("_build/\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    table(method=1.5)  # edited, not committed
    process = simplebits("reproduce", "--at", "HEAD", "table", "half")
    said = process.communicate(timeout=180)[0]
    assert process.returncode == 0, said
    (run,) = files()
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert (run.info["commit"], run.info["dirty"]) == (head, False)
    assert run.info["study"]["fingerprint"]["values"][0] == pytest.approx(1.0)
    assert reproduce.changed_methods(table.root), "the edited tree computes something else"


def test_smoke_cases_run_and_judge_nothing(table, simplebits):
    process = simplebits("reproduce", "--smoke")
    assert process.wait(120) == 0, process.stdout.read()
    assert files() == []


def test_the_kernel_of_a_case_has_one_thread(table, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    from simplebits.run import process

    planned = reproduce.plan(["table", "half"])
    seen = []
    environment = process._environment
    monkeypatch.setattr(process, "_environment", lambda *given: seen.append(environment(*given)) or seen[-1])
    reproduce.run(planned)
    assert {one["OMP_NUM_THREADS"] for one in seen} == {"1"}

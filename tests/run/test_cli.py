"""The command line: words in, exit codes and sentences out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
from click.testing import CliRunner

import simplebits.run
from simplebits.run import execute
from simplebits.run.cli import main
from simplebits.run.execute import Outcome


@pytest.fixture
def call():
    return lambda *words: CliRunner().invoke(main, list(words))


@pytest.fixture
def pretended(monkeypatch):
    """Runs without kernels: fails what is named 02, and remembers what was asked for."""
    asked = []

    def run_job(one, force=False, *_):
        asked.append((one.name, one.profile, one.parameters, force))
        status = "failed" if one.notebook.stem.startswith("02") else "complete"
        return Outcome(one.name, status, one.output, 61.0, 512.0, error="KeyError: 'x'" * (status == "failed"), cell=3)

    monkeypatch.setattr(execute, "run_job", run_job)
    return asked


def test_help_needs_nothing_heavy():
    heavy = {"torch", "numpy", "papermill", "matplotlib", "yaml", "dask"}
    program = f"""import sys
from simplebits.run.cli import main
try:
    main(["--help"])
except SystemExit:
    print(sorted({heavy} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    for command in ("run", "sweep", "book", "data", "results", "doctor", "fit-density", "live", "export", "address"):
        assert command in done.stdout


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself(call, command):
    result = call(command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "01_aa"], "did you mean '01_a'"),
        (["run", "--profile", "labtop"], "did you mean 'laptop'"),
        (["run", "1", "-p", "stepps", "3"], "did you mean 'steps'"),
        (["run", "-p", "steps", "3"], "02_b: parameter 'steps' is not known"),
        (["run", "1", "-p", "steps", "[1"], "is not YAML"),
        (["run", "--jobs", "0"], "--jobs"),
        (["runn"], "No such command"),
        (["sweep", "1", "--grid", "stepps=1,2"], "did you mean 'steps'"),
        (["sweep", "1"], "--grid"),
        (["data", "minst"], "did you mean 'mnist'"),
        (["fit-density", "glow-6bit"], "did you mean 'glow-"),
        (["export", "onnx", "glow-6bit"], "did you mean 'glow-"),
        (["fit-density", "glow", "--device", "cuda"], "has no such device here"),
        (["address", "nowhere"], "expected https://github.com"),
        (["address", "https://github.com/a/b", "--check"], "not both"),
        (["book", "--profile", "labtop"], "did you mean 'laptop'"),
    ],
)
def test_wrong_use_gets_a_sentence_before_anything_starts(book, call, pretended, monkeypatch, words, message):
    import re

    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    book(n01_a=["# parameters\nsteps = 1"], n02_b=["1"])
    result = call(*words)
    assert result.exit_code == 2, result.output
    assert re.search(message, " ".join(result.output.split()))
    assert "Traceback" not in result.output
    assert pretended == []


def test_run_says_a_line_a_notebook_and_leaves_with_one_if_any_failed(book, call, pretended):
    book({"smoke": "01_a:\n  steps: 2\n"}, n01_a=["# parameters\nsteps = 1"], n02_b=["1"])
    result = call("run", "--profile", "smoke")
    assert result.exit_code == 1
    assert "01_a  finished in 1 min 01 s, peak memory 512 MB\n" in result.output
    assert "02_b  FAILED after 1 min 01 s" in result.output
    assert "in cell 3: KeyError: 'x'" in result.output
    assert result.output.endswith("1 run, 1 failed\n  02_b: cell 3: KeyError: 'x'\n")
    # Several notebooks run at a time: which is asked for first is chance.
    assert sorted(pretended) == [("01_a", "smoke", {"steps": 2}, False), ("02_b", "smoke", {}, False)]
    pretended.clear()
    assert call("run", "01", "-p", "steps", "1e3", "--force").exit_code == 0
    assert pretended == [("01_a@steps=1000.0", "laptop", {"steps": 1000.0}, True)]


def test_list_runs_nothing(book, call, pretended):
    book({"smoke": "01_a:\n  steps: 2\n"}, n01_a=["# parameters\nsteps = 1\nrate = 0.5"])
    result = call("run", "--list", "--profile", "smoke")
    assert result.exit_code == 0
    assert result.output == "01_a  (smoke: not run yet)\n    steps = 2  (default 1)\n    rate = 0.5\n"
    assert pretended == []


@pytest.mark.parametrize("words", [["run"], ["book"], ["sweep", "1", "--grid", "n=1"], ["address"]])
def test_outside_a_checkout_says_how_to_get_one(tmp_path, monkeypatch, call, words):
    monkeypatch.chdir(tmp_path)
    result = call(*words)
    assert result.exit_code == 1
    assert "not inside a checkout" in result.output
    assert "git clone" in result.output


def test_without_papermill(book, call, monkeypatch):
    book(n01_a=["1"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = call("run")
    assert result.exit_code == 1
    assert "pip install 'simplebits[book]'" in result.output


def test_book_runs_what_is_stale_and_builds_only_if_all_is_well(book, call, pretended, monkeypatch):
    root, built = book(n01_a=["1"]), []

    def build(folder, profile):
        built.append((folder, profile))
        return folder / "_build" / "html" / "index.html"

    builder = types.SimpleNamespace(build=build)
    monkeypatch.setitem(sys.modules, "simplebits.run.book", builder)
    monkeypatch.setattr(simplebits.run, "book", builder, raising=False)
    result = call("book", "--profile", "laptop")
    assert result.exit_code == 0, result.output
    assert result.output.endswith("index.html\n")
    assert built == [(root, "laptop")]
    book(n02_b=["1"])
    result = call("book")
    assert result.exit_code == 1
    assert "not built" in result.output
    assert len(built) == 1
    builder.build = lambda *_: (_ for _ in ()).throw(RuntimeError("intro.md: WARNING: a broken link"))
    (root / "notebooks" / "02_b.ipynb").unlink()
    result = call("book")
    assert result.exit_code == 1
    assert "a broken link" in result.output


def test_data_lists_and_fetches(book, call, tmp_path, monkeypatch):
    book(n01_a=["1"])
    result = call("data")
    assert result.exit_code == 0
    assert str(tmp_path / "data") in result.output
    lines = {line.split()[0]: line for line in result.output.splitlines()[1:]}
    assert lines["digits"].split() == ["digits", "embedded"]
    assert lines["mnist"].split()[1:] == ["missing", "fetch", "it:", "simplebits", "data", "mnist"]
    result = call("data", "digits")
    assert result.exit_code == 0
    assert "digits: 1,287 train and 510 test images" in result.output


def test_data_that_cannot_be_fetched(book, call, monkeypatch):
    book(n01_a=["1"])
    from simplebits import data

    def load(name, split="train"):
        raise FileNotFoundError(f"{name} is not on this machine; place it in the folder")

    monkeypatch.setattr(data, "load", load)
    result = call("data", "mnist", "usps")
    assert result.exit_code == 1
    assert "mnist: not fetched" in result.output
    assert "usps is not on this machine; place it" in result.output


def test_results_as_table_and_json(book, call):
    root = book(n01_a=["1"])
    assert "The ledger holds no runs yet" in call("results").output
    from simplebits.report import ledger

    runs = (("laptop", "complete", 100.0), ("laptop", "failed", 1.0), ("smoke", "complete", 2.5))
    for profile, status, seconds in runs:
        ledger.finish_run(ledger.start_run("01_a", profile), status, seconds, 700.0)
    (root / "book" / "results" / "smoke" / "01_a" / "broken.json").write_text("{")
    result = call("results")
    assert result.exit_code == 0
    (laptop,) = [line for line in result.output.splitlines() if line.startswith("laptop")]
    # The newest complete run, not the failed one after it.
    assert laptop.split()[:3] == ["laptop", "01_a", "complete"]
    assert "1 min 40 s  700 MB" in laptop
    assert "not run" in result.output
    assert "broken.json is damaged" in result.output
    found = json.loads(call("results", "--json", "--profile", "smoke").output)
    assert [(run["profile"], run["seconds"]) for run in found["runs"]] == [("smoke", 2.5)]
    assert sum(found["scoreboard"]["SimpleBits"].values()) > 10


def test_fit_density_hands_on_what_it_was_given(book, call, monkeypatch, tmp_path):
    from simplebits.density import recipes

    book(n01_a=["1"])
    asked, made = [], tmp_path / "x.safetensors"
    monkeypatch.setattr(recipes, "ship", lambda *given, **changes: asked.append((given, changes)) or made)
    result = call("fit-density", "glow-16px", "--steps", "3", "--checkpoint", "a.safetensors", "--output", "out")
    assert result.exit_code == 0, result.output
    ((given, changes),) = asked
    assert [str(value) for value in given] == ["glow-16px", "out", "a.safetensors", "cpu"]
    assert changes == {"steps": 3}
    assert result.output.strip() == str(made)


def test_live_writes_the_script_and_the_page_and_trains_only_when_asked(book, call, monkeypatch):
    from simplebits.networks import digit_reader

    root, trained = book(n01_a=["1"]), []
    scripts = root / "book" / "static" / "live"
    shutil.copytree(
        Path(__file__).parents[2] / "book" / "static" / "live", scripts, ignore=shutil.ignore_patterns("weights.js")
    )
    monkeypatch.setattr(digit_reader, "ship", lambda: trained.append(True) or "weights")
    result = call("live")
    assert result.exit_code == 0, result.output
    page = root / "_build" / "live.html"
    assert result.output.split() == [str(scripts / "weights.js"), str(page)]
    whole = page.read_text(encoding="utf-8")
    assert "_static" not in whole, "everything is inside"
    assert (scripts / "weights.js").read_text(encoding="utf-8") in whole
    assert not trained
    assert call("live", "--fit").output.startswith("weights\n")
    assert trained == [True]


def test_address_prints_changes_and_checks(book, call):
    root = book(n01_a=["%pip install git+https://github.com/OWNER/simplebits"])
    assert call("address").output == "https://github.com/OWNER/simplebits\n"
    result = call("address", "https://github.com/someone/book")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "changed notebooks/01_a.ipynb",
        "changed pyproject.toml",
        "https://github.com/someone/book",
    ]
    assert call("address", "--check").exit_code == 0
    path = root / "notebooks" / "01_a.ipynb"
    path.write_text(path.read_text().replace("someone", "nobody"))
    result = call("address", "--check")
    assert result.exit_code == 1
    assert "notebooks/01_a.ipynb:" in result.output
    assert "simplebits address https://github.com/someone/book" in result.output

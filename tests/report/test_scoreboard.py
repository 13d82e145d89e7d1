"""The scoreboard: every number has a row, the strictest setting stands for it, and Sphinx reads the page."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from simplebits.report import (
    evidence,
    judge,
    judge_claim,
    ledger,
    record,
    recording,
    scoreboard,
    scoreboard_markdown,
    study,
)
from simplebits.report.published import everything, papers
from simplebits.report.trend import at_least

KEY = "dc.cross-architecture.mlp.mlp"  # 70.5 ± 1.2 of five sets, margin 3


@pytest.fixture
def measure(monkeypatch):
    """Make a run of a case with one record."""

    def make(
        values, *, key=KEY, case="mlp", near="", reduced="", version=1, status="complete", day=1, profile="study",
        own=None, parameters=None,
    ):  # fmt: skip
        about = {
            "study": "dc_table_2", "case": case, "near": near, "reduced": reduced, "version": version,
            "numbers": [key], "units": ["sets"], "fingerprint": {},
        }  # fmt: skip
        path = ledger.start_run("dc_table_2", profile, (parameters or {}) | (own or {}), own=own, study=about)
        with monkeypatch.context() as inside:
            inside.setenv(ledger.RUN, str(path))
            judge(key, values)
        if status != "running":
            ledger.finish_run(path, status, 1.0)
        started = ledger.read(path).started
        path.write_text(path.read_text().replace(started, f"2026-01-0{day}T00:00:00+00:00"))
        return path

    return make


def sets(*values, first=0):
    return {f"set {first + i}": value for i, value in enumerate(values)}


GOOD, BAD = sets(70.0, 71.0, 70.4, 70.2, 70.9), sets(50.0, 51.0, 50.4, 50.2, 50.9)


def row(key=KEY, **more):
    (found,) = [row for row in scoreboard(**more) if row.published.key == key]
    return found


def test_without_runs_everything_is_not_run():
    rows = scoreboard()
    assert [row.published.key for row in rows] == list(everything())
    assert {row.verdict for row in rows} == {"not run"}


def test_a_measurement_finds_its_row(measure):
    path = measure(GOOD)
    assert row().verdict == "reproduced"
    assert row().run.path == path
    assert {row.verdict for row in scoreboard() if row.published.key != KEY} == {"not run"}


def test_the_strictest_setting_counts_then_the_newest(measure):
    """Of several records the last run won: a miss at the paper's setting must not hide behind a later small run."""
    measure(BAD, case="paper", day=1)
    measure(GOOD, case="half", near="half of the images", day=2)
    measure(GOOD, case="small", reduced="a tenth of everything", day=3)
    assert row().verdict == "not reproduced"
    measure(GOOD, case="again", day=4)
    assert row().verdict == "reproduced"


def test_what_a_lesson_records_is_no_evidence(monkeypatch):
    """A width-8 ConvNet's number stood in ResNet20's cell: lessons fill no cell, whatever they name."""
    path = ledger.start_run("07_gradient_matching", "standard")
    monkeypatch.setenv(ledger.RUN, str(path))
    record("dc", "accuracy", [70.5, 70.6], "%", published=KEY, same_setting=True)
    ledger.finish_run(path, "complete", 1.0)
    assert row().verdict == "not run"
    assert "dc.accuracy" in scoreboard_markdown(), "it stands beyond the papers"


def test_two_machines_join_their_sets(measure):
    measure(sets(70.0, 71.0, 70.4), day=1)
    measure(sets(70.2, 70.9, first=3), day=2)
    found = row().record
    assert found.units == tuple(f"set {i}" for i in range(5))
    assert len(row().evidence.runs) == 2


def test_a_set_that_was_measured_twice_counts_once(measure):
    measure(sets(10.0, 71.0), day=1)
    measure(sets(70.0), day=2)
    assert dict(zip(row().record.units, row().record.values, strict=True)) == {"set 0": 70.0, "set 1": 71.0}


def test_sets_made_otherwise_are_not_joined(measure):
    measure(sets(10.0, 71.0), case="mlp", reduced="fewer networks", day=1)
    measure(sets(70.0, first=2), case="mlp", day=2)
    assert row().record.units == ("set 2",)


def test_sets_that_were_only_computed_elsewhere_or_compiled_are_joined(measure):
    measure(sets(70.0, 71.0), parameters={"epochs": 1000}, day=1)
    measure(sets(70.4, first=2), parameters={"epochs": 1000, "device": "cuda", "compiled": True}, day=2)
    assert row().record.units == ("set 0", "set 1", "set 2")


def test_an_earlier_version_of_the_method_is_marked_and_gives_way(measure):
    measure(GOOD, case="mlp", version=1, day=2)
    now = {"dc_table_2": evidence.Present(2, ("sets",), {"mlp": "paper"})}
    assert row(present=now).evidence.outdated
    measure(BAD, case="mlp", version=2, reduced="small", day=1)
    found = row(present=now)
    assert (found.evidence.outdated, found.record.mean) == (False, pytest.approx(50.5))


def test_a_readers_own_parameters_are_no_evidence_but_for_more_units(measure):
    """Five epochs in place of a thousand took the place of an honest set of the same name."""
    measure(sets(70.5, 71.0), parameters={"epochs": 1000}, day=1)
    measure(sets(30.0), parameters={"epochs": 1000}, own={"epochs": 5}, day=2)
    assert row().record.values == (70.5, 71.0)
    measure(sets(70.1, first=2), parameters={"epochs": 1000}, own={"sets": [2]}, day=3)
    assert row().record.values == (70.5, 71.0, 70.1)


def test_a_case_that_is_called_near_today_was_never_more(measure):
    measure(GOOD, case="mlp")
    now = {"dc_table_2": evidence.Present(1, ("sets",), {"mlp": "near"})}
    assert row(present=now).verdict == "agrees"


def test_a_claim_that_fails_on_one_image_set_does_not_hold(monkeypatch):
    """Each case is a set; the newest of them hid the failure of another."""
    claim = next(said for said in everything().values() if said.value is None)
    tested = replace(claim, tests=("a - b > 1",))
    monkeypatch.setattr(study, "published", lambda _: tested)
    monkeypatch.setattr(recording, "look_up", lambda _: tested)
    monkeypatch.setitem(everything(), claim.key, tested)
    for case, gap in (("svhn", 0.0), ("cifar10", 5.0)):
        about = {"study": "s", "case": case, "near": "", "reduced": "", "version": 1, "numbers": [claim.key]}
        path = ledger.start_run("s", "study", study=about)
        monkeypatch.setenv(ledger.RUN, str(path))
        judge_claim(claim.key, {"a": sets(gap, gap + 0.1, gap + 0.2), "b": sets(0.0, 0.1, 0.2)})
    assert row(claim.key).verdict == "not reproduced"


def test_smoke_alone_is_not_run(measure):
    measure(GOOD, profile="smoke")
    assert row().verdict == "not run"


def test_an_unfinished_run_counts_with_what_it_has(measure):
    measure(GOOD, status="running")
    assert row().verdict == "reproduced"


def test_correlations_of_one_case_are_not_averaged(measure, monkeypatch):
    """A later record of the same run has more pairs: it is the whole, not another unit."""
    one = replace(everything()["unique-information.table1.weights.mlp.lambda0.linearisation"], margin=0.05)
    few = evidence.Record("s", "m", (0.9,), "r", published=one, same_setting=True, pairs=10, units=("all",))
    many = replace(few, values=(0.98,), pairs=40)
    assert evidence._join([few, many]).pairs == evidence._join([many, few]).pairs == 40


def test_a_claim_is_judged_by_the_tests_of_its_study(monkeypatch):
    claim = next(said for said in everything().values() if said.value is None)
    tested = replace(claim, tests=("a - b > 1",))
    monkeypatch.setattr(study, "published", lambda _: tested)
    monkeypatch.setattr(recording, "look_up", lambda _: tested)
    about = {"study": "s", "case": "c", "near": "", "reduced": "", "version": 1, "numbers": [claim.key]}
    path = ledger.start_run("s", "study", study=about)
    monkeypatch.setenv(ledger.RUN, str(path))
    groups = {"a": sets(5.0, 5.1, 5.2), "b": sets(3.0, 3.2, 3.1)}
    assert judge_claim(claim.key, groups).verdict == "reproduced"
    with pytest.raises(ValueError, match="speaks of 'b'"):
        judge_claim(claim.key, {"a": groups["a"]})


def test_damaged_files_are_named_and_not_fatal(measure, results):
    measure(GOOD)
    (results / "study" / "dc_table_2" / "broken.json").write_text("{")
    with pytest.warns(UserWarning, match=r"broken\.json"):
        assert row().verdict == "reproduced"
    page = scoreboard_markdown()
    assert "broken.json" in page
    assert str(results) not in page, "readers have other paths"


def test_the_page_holds_every_system_and_fits_on_a_screen(measure):
    measure(GOOD)
    page = scoreboard_markdown(studies={"dc_table_2": [KEY]})
    for said in everything().values():
        assert f"| {said.system} |" in page
    for short, title in papers().values():
        assert f"| {short} |" in page
        assert title in page
    assert "1 of them" in page
    assert "{doc}`dc_table_2 </book/studies/dc_table_2>`" in page
    # A row a paper, and in each tab a row a system: nothing for every number.
    assert page.count("\n|") < 80


def test_lessons_run_by_an_earlier_version_are_marked(monkeypatch):
    path = ledger.start_run("01_bits_per_dimension", "laptop", source="old")
    monkeypatch.setenv(ledger.RUN, str(path))
    record("bits", "black", [0.4], "bits/dim", trend=at_least("a|b <c> $d$ *e* _f_", 2.0, 1.0))
    ledger.finish_run(path, "complete", 1.0)
    assert "earlier version of the lesson" in scoreboard_markdown(sources={"01_bits_per_dimension": "new"})
    assert "earlier version of the lesson" not in scoreboard_markdown(sources={"01_bits_per_dimension": "old"})


def test_papers_are_cited_where_the_bibliography_holds_them(tmp_path, monkeypatch):
    for name in ("pyproject.toml", "_toc.yml"):
        (tmp_path / name).touch()
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "references.bib").write_text("@inproceedings{zhao2021gradient,\n}\n")
    monkeypatch.chdir(tmp_path)
    assert re.findall(r"{cite:p}`(\w+)`", scoreboard_markdown()) == ["zhao2021gradient"]


def test_tables_are_whole(measure):
    measure(GOOD)
    for block in scoreboard_markdown(studies={"dc_table_2": [KEY]}).split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) <= 1, block


def test_sphinx_reads_the_page_without_a_warning(measure, tmp_path):
    measure(GOOD)
    source = tmp_path / "book"
    (source / "book" / "studies").mkdir(parents=True)
    (source / "book" / "studies" / "dc_table_2.md").write_text("# Table 2\n")
    page = re.sub(r" {cite:p}`\w+`", "", scoreboard_markdown(studies={"dc_table_2": [KEY]}))  # no bibliography here
    (source / "index.md").write_text(f"# Scoreboard\n\n{page}\n```{{toctree}}\nbook/studies/dc_table_2\n```\n")
    (source / "conf.py").write_text(
        "extensions = ['myst_nb', 'sphinx_design']\nmyst_enable_extensions = ['dollarmath']\n"
    )
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q", source, tmp_path / "html"]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    html = (tmp_path / "html" / "index.html").read_text()
    assert html.count("<table") == 1 + len(papers())

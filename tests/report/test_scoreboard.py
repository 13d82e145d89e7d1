"""The scoreboard: every number has a row, the nearest setting stands for it, and Sphinx reads the page."""

import re
import subprocess
import sys

import pytest

from simplebits.report import ledger, record, scoreboard, scoreboard_markdown
from simplebits.report.published import everything, papers, tables
from simplebits.report.trend import at_least, increasing

KEY = "dc.mnist.ipc1.dc"  # 91.7 ± 0.5


@pytest.fixture
def measure(monkeypatch):
    """Make a run with one record."""

    def make(
        values, profile="paper", status="complete", notebook="07_gradient_matching", key=KEY, unit="%", own=None, **more
    ):
        path = ledger.start_run(notebook, profile, own=own)
        with monkeypatch.context() as inside:
            inside.setenv(ledger.RUN, str(path))
            record("dc", "accuracy", values, unit, published=key, **more)
        if status != "running":
            ledger.finish_run(path, status, 1.0)
        return path

    return make


def row(key=KEY):
    (found,) = [row for row in scoreboard() if row.published.key == key]
    return found


def test_without_runs_everything_is_not_run():
    rows = scoreboard()
    assert [row.published.key for row in rows] == list(everything())
    assert {row.verdict for row in rows} == {"not run"}


def test_a_measurement_finds_its_row(measure):
    path = measure([91.0, 92.0], same_setting=True)
    assert row().verdict == "reproduced"
    assert row().run.path == path
    assert {row.verdict for row in scoreboard() if row.published.key != KEY} == {"not run"}


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"profile": "paper"}, {"profile": "laptop", "same_setting": True}),  # the paper's setting
        ({"profile": "laptop"}, {"profile": "standard"}),  # then the larger profile
        ({"profile": "paper", "status": "failed"}, {"profile": "laptop"}),  # but complete runs before all others
        ({"profile": "paper", "status": "running"}, {"profile": "laptop"}),
        ({"profile": "paper", "own": {"steps": 1}}, {"profile": "laptop"}),  # the profile's before a reader's own
        ({"profile": "smoke", "same_setting": True}, {"profile": "laptop"}),  # smoke never counts
    ],
)
def test_the_nearest_setting_stands_for_a_number(measure, worse, better):
    for settings in ((worse, better), (better, worse)):
        for setting in settings:
            measure([1.0, 2.0] if setting is better else [91.7, 91.7], **setting)
        assert row().record.mean == 1.5, "although the other one is nearer to the published number"


def test_the_newest_of_equal_runs_counts(measure):
    for mean, day in ((80.0, 2), (91.7, 1)):
        path = measure([mean, mean + 0.1], same_setting=True)
        path.write_text(path.read_text().replace(ledger.read(path).started, f"2026-01-0{day}T00:00:00+00:00"))
    assert row().verdict == "not reproduced"


def test_smoke_alone_is_not_run(measure):
    measure([91.7, 91.8], profile="smoke", same_setting=True)
    assert row().verdict == "not run"


def test_a_run_that_was_killed_keeps_its_number(measure):
    measure([91.0, 92.0], status="running", same_setting=True)
    assert row().verdict == "reproduced"
    assert "run not finished" in scoreboard_markdown()


def test_a_claim_is_judged_by_its_trend(measure):
    measure(
        [3.0],
        key="simplebits.bits.order",
        unit="",
        notebook="01_bits_per_dimension",
        trend=increasing({"black": 0.4, "mnist": 1.0}),
    )
    assert row("simplebits.bits.order").verdict == "trend holds"
    page = scoreboard_markdown()
    assert "1 *trend holds*" in page
    assert "black (0.4) &lt; mnist (1)" in page


def test_damaged_files_are_named_and_not_fatal(measure, results):
    measure([91.0, 92.0], same_setting=True)
    (results / "paper" / "07_gradient_matching" / "broken.json").write_text("{")
    with pytest.warns(UserWarning, match=r"broken\.json"):
        assert row().verdict == "reproduced"
    page = scoreboard_markdown()
    assert "broken.json" in page
    assert str(results) not in page, "readers have other paths"
    assert "1 *reproduced*" in page


def test_the_page_holds_every_system_and_number(measure):
    page = scoreboard_markdown()
    for said in everything().values():
        assert f"| {said.system} |" in page or f"| {said.system};" in page
        if said.value is not None:
            assert said.text.replace("±", " ± ") in page
    for short, title in papers().values():
        assert f"## {short}\n" in page
        assert title in page
    assert page.count("### ") == len(tables()) + sum(
        any(said.paper == paper and said.value is None for said in everything().values()) for paper in papers()
    )
    assert f"**{len(everything())} numbers and claims**: {len(everything())} *not run*." in page


def test_measured_and_published_stand_side_by_side(measure):
    measure([91.0, 92.0, 91.6], same_setting=True)
    page = scoreboard_markdown()
    assert "| 91.7 ± 0.5<br>**91.53 ± 0.50** (paper) *reproduced* |" in page
    assert "| 64.9 ± 3.5<br>*not run* |" in page, "the rest of a table that was begun"
    assert "| 88.7 |" in page, "a table that was not begun is not littered"
    assert "difference 0.1667 ≤ 1.419" in page
    assert "1 *reproduced*, 63 *not run*" in page


def test_what_no_paper_measured_has_its_place(measure):
    measure([0.93], key=None, unit="ρ", trend=at_least("rank correlation", 0.93, 0.8))
    measure([0.5], key=None, unit="ρ", profile="smoke")
    page = scoreboard_markdown().partition("## Beyond the papers")[2]
    assert "**0.93 ρ**" in page
    assert "*trend holds*<br>rank correlation (0.93) ≥ 0.8" in page
    assert "0.5" not in page


def test_chapters_are_linked_once_they_are_there(tmp_path, monkeypatch):
    assert "{doc}" not in scoreboard_markdown(chapters=[])
    page = scoreboard_markdown(chapters=["07_gradient_matching"])
    assert "{doc}`chapter 07, gradient matching </notebooks/07_gradient_matching>`" in page
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "_toc.yml").write_text("chapters:\n- file: notebooks/01_bits_per_dimension\n")
    monkeypatch.chdir(tmp_path)
    linked = set(re.findall(r"</notebooks/(\w+)>", scoreboard_markdown()))
    assert linked == {"01_bits_per_dimension"}


def test_papers_are_cited_where_the_bibliography_holds_them(tmp_path, monkeypatch):
    for name in ("pyproject.toml", "_toc.yml"):
        (tmp_path / name).touch()
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "references.bib").write_text("@inproceedings{zhao2021gradient,\n}\n")
    monkeypatch.chdir(tmp_path)
    assert re.findall(r"{cite:p}`(\w+)`", scoreboard_markdown()) == ["zhao2021gradient"]


def test_tables_are_whole(measure):
    measure([91.0, 92.0], same_setting=True, trend=at_least("a|b", 2.0, 1.0))
    for block in scoreboard_markdown().split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) <= 1, block


def test_sphinx_reads_the_page_without_a_warning(measure, tmp_path):
    pytest.importorskip("sphinx_design")
    pytest.importorskip("myst_nb")
    measure([91.0, 92.0, 91.6], same_setting=True, trend=at_least("a|b <c> $d$ *e* _f_", 2.0, 1.0))
    measure([1.0], key=None, unit="ρ")
    bad = tmp_path / "paper" / "07_gradient_matching" / "bro_ken.json"
    bad.write_text("{")
    source = tmp_path / "book"
    (source / "notebooks").mkdir(parents=True)
    (source / "notebooks" / "07_gradient_matching.md").write_text("# Gradient matching\n")
    page = scoreboard_markdown(chapters=["07_gradient_matching"])
    page = re.sub(r" {cite:p}`\w+`", "", page)  # this book has no bibliography
    (source / "index.md").write_text(f"# Scoreboard\n\n{page}\n```{{toctree}}\nnotebooks/07_gradient_matching\n```\n")
    (source / "conf.py").write_text(
        "extensions = ['myst_nb', 'sphinx_design']\nmyst_enable_extensions = ['dollarmath']\n"
    )
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q", source, tmp_path / "html"]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    html = (tmp_path / "html" / "index.html").read_text()
    assert html.count("<table") == page.count("| --- |\n") == len(re.findall(r"^\|[- |]+\|$", page, re.MULTILINE))
    assert "a|b &lt;c&gt; $d$ *e* _f_ (2) ≥ 1" in html

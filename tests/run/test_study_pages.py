"""Pages of studies: in the table of contents, whole, with every number, its verdict, what differs and the command."""

import re
from pathlib import Path

import pytest

from simplebits.report import beside, judge, ledger, record, scoreboard_markdown
from simplebits.report.published import everything
from simplebits.run import book as books
from simplebits.run import studies, study_pages

ROOT = Path(__file__).resolve().parents[2]
KNOWN = studies.all_of(ROOT)
KEY = "dc.cross-architecture.mlp.mlp"


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A ledger without runs."""
    monkeypatch.setenv("SIMPLEBITS_RESULTS", str(tmp_path))
    monkeypatch.delenv(ledger.RUN, raising=False)


def test_every_study_is_in_the_table_of_contents():
    listed = {Path(entry).name for entry in books.contents(ROOT) if entry.startswith("book/studies/")}
    assert listed == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_a_page_holds_every_number_case_and_command(name, empty):
    study = KNOWN[name]
    page = study_pages.page(study, {}, [])
    assert page.startswith(f"# {study.title}\n")
    for key in study.numbers:
        said = everything()[key]
        text = said.quantity[:20] if said.value is None else said.text.replace("±", " ± ")
        assert text in page.replace("\\", "")
    for case in study.cases.values():
        if not case.smoke:
            assert f"| `{case.name}` |" in page
            assert (case.near or case.reduced) in page
    assert f"simplebits reproduce {name}" in page
    for block in page.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) <= 1, block


@pytest.mark.parametrize("name", KNOWN)
def test_a_notebook_of_a_study_is_short(name):
    """At most 150 lines; those above are named here until they are split, so that no other joins them."""
    long = {
        "simplebits_figure_5": 240, "simplebits_figure_8": 220, "unique_information_unusual": 200,
        "unique_information_table_1": 180, "unique_information_summary": 165, "overinterpretation_figures": 155,
    }  # fmt: skip
    path = KNOWN[name].notebook.path.with_suffix(".py")
    assert path.read_text(encoding="utf-8").count("\n") <= long.get(path.stem, 155)


def test_what_was_measured_stands_beside_what_was_published(empty, monkeypatch):
    about = {
        "study": "dc_table_2", "case": "mlp", "near": "", "reduced": "", "version": 1, "numbers": [KEY],
        "fingerprint": {},
    }  # fmt: skip
    study = KNOWN["dc_table_2"]
    parameters = study.notebook.parameters() | dict(study.cases["mlp"].parameters)
    path = ledger.start_run("dc_table_2", "study", parameters, study=about)
    monkeypatch.setenv(ledger.RUN, str(path))
    judge(KEY, {f"set {i}": value for i, value in enumerate((70.0, 71.0, 70.4, 70.2, 70.9))})
    ledger.finish_run(path, "complete", 5400.0, 100.0, None, 5000.0)
    page = study_pages.pages(ROOT)["dc_table_2"]
    (line,) = [line for line in page.splitlines() if "70.5 ± 1.2" in line and "70.50" in line]
    assert "| *reproduced* |" in line and line.endswith("±3 |")
    assert "| 5 |" in line
    assert "1 h 23 min" in page
    assert "1 *reproduced*" in study_pages.index(ROOT)


def test_the_index_says_what_has_no_study_and_why(empty):
    page = study_pages.index(ROOT)
    assert all(f"</book/studies/{name}>" in page for name in KNOWN)
    assert "ImageNet" in page


EVIL = "{{ 7 * 7 }} <script>alert(1)</script> `a|b`\n# title"


def test_nothing_of_a_ledger_file_becomes_markup_or_a_template(tmp_path, monkeypatch):
    """A unit with a template ran Python while the site was built, and HTML in it reached the page."""
    monkeypatch.setenv("SIMPLEBITS_RESULTS", str(tmp_path))
    monkeypatch.delenv(ledger.RUN, raising=False)
    study = KNOWN["dc_table_2"]
    about = {
        "study": study.name, "case": "mlp", "near": EVIL, "reduced": "", "numbers": [KEY], "version": study.version,
        "units": ["sets"], "fingerprint": {},
    }  # fmt: skip
    path = ledger.start_run(study.notebook.stem, "study", {"sets": [0, 1]}, command=EVIL, study=about)
    monkeypatch.setenv(ledger.RUN, str(path))
    judge(KEY, {"set 0": 70.0, "set 1": 71.0})
    beside("what nobody published", {"set 0": 1.0}, "%")
    record("experiment", "metric", {"a": 1.0}, "%")
    ledger.finish_run(path, "complete", seconds=1.0, peak_memory_mb=1.0)

    def poison(content):
        content["device"] = content["commit"] = content["started"] = content["notebook"] = EVIL
        for one in content["records"]:
            one["metric"] = EVIL.split("`")[0]  # a name with a backtick is refused before
            if not one.get("published"):  # and so is another unit than the published one's
                one["unit"] = EVIL

    ledger.change(path, poison)
    written = [*study_pages.pages(ROOT).values(), scoreboard_markdown(), *(r._repr_markdown_() for r in read(path))]
    assert any("alert" in text for text in written), "what the file holds is shown, as text"
    for text in written:
        assert "{{" not in text and "<script" not in text and "\n# title" not in text


def read(path):
    return ledger.read(path).records


def test_pages_have_no_template_language():
    assert "substitution" not in (ROOT / "_config.yml").read_text(encoding="utf-8")

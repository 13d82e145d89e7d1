"""The scoreboard: for every number and claim of the papers, what was measured here and what follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from simplebits._door import door
from simplebits.report import ledger, provenance
from simplebits.report.evidence import Evidence, Present, best, gather
from simplebits.report.published import Published, everything, papers
from simplebits.report.verdict import JUDGED, VERDICTS, Record
from simplebits.report.words import escape

# The columns of the page: a heading, and the verdicts that it counts.
_COLUMNS = {
    "agree": ("reproduced", "agrees"),
    "differ": ("not reproduced", "differs"),
    "open": ("unresolved",),
    "trend holds": ("trend holds",),
    "trend fails": ("trend fails",),
    "measured": ("measured",),
    "not run": ("not run",),
}


@dataclass(frozen=True)
class Row:
    """One published number or claim, and the evidence that stands for it, if there is some."""

    published: Published
    evidence: Evidence | None = None

    @property
    def record(self) -> Record | None:
        """The record, if there is one."""
        return self.evidence and self.evidence.record

    @property
    def run(self) -> ledger.Run | None:
        """The newest run that it was made in, if there is one."""
        return self.evidence and self.evidence.run

    @property
    def verdict(self) -> str:
        """One of `simplebits.report.verdict.VERDICTS`."""
        return "not run" if self.record is None else self.record.verdict


@door
def scoreboard(results: Path | None = None, present: Mapping[str, Present] | None = None) -> list[Row]:
    """Put every published number and claim beside the record that stands for it.

    That is the one nearest to the paper's setting, never the one nearest to its number: see `evidence`.

    Args:
        results: the ledger's folder, if not the usual one.
        present: what each study's file says now, see `evidence`.

    Returns:
        One row a number or claim, in the order of `published.yml`.
    """
    chosen = best(gather(ledger.runs(results), present))
    return [Row(said, chosen.get(key)) for key, said in everything().items()]


@door
def scoreboard_markdown(
    results: Path | None = None,
    *,
    present: Mapping[str, Present] | None = None,
    sources: Mapping[str, str] | None = None,
    studies: Mapping[str, Iterable[str]] | None = None,
) -> str:
    """Write the scoreboard's page of the book, which fits on one screen: a row a paper, then a row a system.

    Args:
        results: the ledger's folder, if not the usual one.
        present: as `scoreboard`.
        sources: digest of each lesson as it is now, by which a run of an earlier version is marked.
        studies: which published numbers each study judges, to link to its page.
    """
    runs, damaged = ledger.scan(results)
    chosen = best(gather(runs, present))
    rows = [Row(said, chosen.get(key)) for key, said in everything().items()]
    judged = sum(row.verdict in JUDGED for row in rows)
    agree = sum(row.verdict in ("reproduced", "agrees") for row in rows)
    judged_here = (
        f"**{judged} of {len(rows)} published numbers and claims are judged in the paper's own setting or near it; "
        f"{agree} of them are reproduced or agree.**"
    )
    parts = [
        judged_here,
        _warning(damaged, results),
        _table(
            [(short, [row for row in rows if row.published.paper == paper]) for paper, (short, _) in papers().items()]
        ),
        "````{tab-set}",
    ]
    for paper, (short, title) in papers().items():
        of_paper = [row for row in rows if row.published.paper == paper]
        systems = dict.fromkeys(row.published.system for row in of_paper)
        lines = [(system, [row for row in of_paper if row.published.system == system]) for system in systems]
        parts += [f"```{{tab-item}} {short}\n{title}{_cite(paper)}.", _table(lines, studies or {}), "```"]
    parts.append("````")
    return "\n\n".join(filter(None, [*parts, _beyond(runs, sources or {})])) + "\n"


def counts(rows: Iterable[Row]) -> str:
    """Count in one line how many there are of each verdict."""
    how_many = Counter(row.verdict for row in rows)
    return ", ".join(f"{how_many[verdict]} *{verdict}*" for verdict in VERDICTS if how_many[verdict])


def _table(lines: Iterable[tuple[str, list[Row]]], studies: Mapping[str, Iterable[str]] | None = None) -> str:
    """Write a line for each name: how many numbers, how many of each kind of verdict, and which studies have them."""
    head = ["", "numbers", *_COLUMNS, *(["studies"] if studies is not None else [])]
    body = []
    for name, rows in lines:
        how_many = Counter(row.verdict for row in rows)
        numbers = [sum(how_many[verdict] for verdict in verdicts) for verdicts in _COLUMNS.values()]
        line = [escape(name), str(len(rows)), *(str(number) if number else "" for number in numbers)]
        if studies is not None:
            keys = {row.published.key for row in rows}
            of = [study for study, judged in studies.items() if keys & set(judged)]
            line.append(", ".join(f"{{doc}}`{study} </book/studies/{study}>`" for study in of))
        body.append(line)
    rule = ["---", *["---:"] * (len(_COLUMNS) + 1), *(["---"] if studies is not None else [])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body))


def _warning(damaged: list[str], results: Path | None) -> str:
    if not damaged:
        return ""
    folder = f"{results or ledger.results_folder()}/"
    named = (f"* {escape(text.replace(folder, ''))}" for text in damaged)
    return "\n".join(["```{warning}", "Left out:", "", *named, "```"])


def _beyond(runs: Iterable[ledger.Run], sources: Mapping[str, str]) -> str:
    """Write, folded away, what lessons record, of each lesson its newest run only."""
    newest = {
        run.notebook: run
        for run in runs
        if run.profile != "smoke" and run.status == "complete" and "study" not in run.info and not run.info.get("own")
    }
    lines = []
    for run in newest.values():
        stale = run.info.get("source") != sources.get(run.notebook, run.info.get("source"))
        old = ", made by an earlier version of the lesson" if stale else ""
        lines.append(f"* {escape(run.notebook)} ({escape(run.profile)}{old}):")
        for record in run.records:
            said = f", *{record.verdict}*: {escape(record.reason)}" if record.reason else ""
            lines.append(f"  * {escape(record.name)}: **{escape(str(record))}**{said}")
    if not lines:
        return ""
    head = "What the lessons record, of each lesson its newest run. It judges no published number."
    return "\n".join(["````{dropdown} Beyond the papers", head, "", *lines, "````"])


def _cite(paper: str) -> str:
    """Write a citation, if the bibliography holds the paper: an unknown key would stop the book from building."""
    bibliography = provenance.root() / "book" / "references.bib"
    known = bibliography.is_file() and f"{{{paper}," in bibliography.read_text(encoding="utf-8")
    return f" {{cite:p}}`{paper}`" if known else ""

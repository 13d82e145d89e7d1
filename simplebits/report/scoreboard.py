"""The scoreboard: for every number and claim of the papers, what was measured here and what follows from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from simplebits.report import ledger, provenance
from simplebits.report.published import Published, Table, everything, papers, tables
from simplebits.report.verdict import VERDICTS, Record
from simplebits.report.words import amount, escape

_SIZE = {"laptop": 1, "standard": 2, "paper": 3}


@dataclass(frozen=True)
class Row:
    """One published number or claim, and the record that stands for it, if there is one."""

    published: Published
    record: Record | None = None
    run: ledger.Run | None = None

    @property
    def verdict(self) -> str:
        """One of `simplebits.report.verdict.VERDICTS`."""
        return "not run" if self.record is None else self.record.verdict


def scoreboard(results: Path | None = None) -> list[Row]:
    """Every published number and claim beside the best record of it.

    The best record is the one nearest to the paper's setting, never the one nearest to its number: in the paper's own
    setting first, then of a complete run, then with the profile's own parameters, then of the larger profile, then the
    newest. Runs of `smoke` are too small to say anything and do not count.

    Args:
        results: the ledger's folder, if not the usual one.

    Returns:
        One row a number or claim, in the order of `published.yml`.
    """
    return list(_rows(ledger.runs(results)).values())


def scoreboard_markdown(results: Path | None = None, chapters: Iterable[str] | None = None) -> str:
    """The scoreboard as the body of a page of the book.

    Args:
        results: the ledger's folder, if not the usual one.
        chapters: stems of the notebooks in the book, to link to; None: those in `_toc.yml`.
    """
    runs, damaged = ledger.scan(results)
    rows = _rows(runs)
    written = set(_in_toc() if chapters is None else chapters)
    parts = [_counts(f"**{len(rows)} numbers and claims**: ", rows.values())]
    if damaged:
        folder = f"{results or ledger.results_folder()}/"
        named = (f"* {escape(text.replace(folder, ''))}" for text in damaged)
        parts.append("\n".join(["```{warning}", "Left out:", "", *named, "```"]))
    for paper, (short, title) in papers().items():
        own = [row for row in rows.values() if row.published.paper == paper]
        parts += [f"## {short}", f"{title}{_cite(paper)}.", _systems(own, written)]
        parts += [_table(table, rows, written) for table in tables() if table.paper == paper]
        parts.append(_claims([row for row in own if row.published.value is None], written))
    parts.append(_beyond(runs))
    return "\n\n".join(filter(None, parts)) + "\n"


def _rows(runs: Iterable[ledger.Run]) -> dict[str, Row]:
    best: dict[str, tuple[tuple[object, ...], Row]] = {}
    for run in runs:
        for number, record in enumerate(run.records):
            if record.published is None or run.profile == "smoke":
                continue
            key = record.published.key
            complete, size = run.status == "complete", _SIZE.get(run.profile, 0)
            rank = (record.same_setting, complete, not run.info.get("own"), size, run.started, run.path.name, number)
            if key not in best or rank > best[key][0]:
                best[key] = rank, Row(record.published, record, run)
    return {key: best[key][1] if key in best else Row(said) for key, said in everything().items()}


def _systems(rows: list[Row], written: set[str]) -> str:
    """The systems of one paper with their chapters and verdicts."""
    lines = [["system", "measured in", "numbers and claims"]]
    for system in dict.fromkeys(row.published.system for row in rows):
        own = [row for row in rows if row.published.system == system]
        lines.append([system, _chapters(own, written), _counts("", own)])
    return _markdown(lines)


def _table(table: Table, rows: Mapping[str, Row], written: set[str]) -> str:
    """One table of a paper, the measured number under the published one."""
    cells = {place: rows[said.key] for place, said in table.cells.items()}
    units = {row.published.unit for row in cells.values()}
    unit = f", in {units.pop()}" if len(units) == 1 else ""
    started = any(row.record for row in cells.values())
    lines = [["", *(column or "value" for column in table.columns)]]
    for name in table.rows:
        lines.append([name, *(_cell(cells.get((name, column)), bool(unit), started) for column in table.columns)])
    quantity, where = _sentence(table.quantity), _chapters(cells.values(), written)
    head = _counts(f"{quantity}{unit}. Measured in {where}: ", cells.values())
    return "\n\n".join([f"### {table.table}", head, _markdown(lines), _details(cells.values())]).strip()


def _cell(row: Row | None, bare: bool, started: bool) -> str:
    """A published number, and what was measured; `bare`: the unit stands above the table."""
    if row is None:
        return ""
    unit = "" if bare else row.published.unit
    said = amount(row.published.text.replace("±", " ± "), unit)
    if row.record is None:
        return f"{said}<br>*not run*" if started else said
    measured = row.record if unit else str(row.record).removesuffix(row.record.unit).strip()
    return f"{said}<br>**{measured}** ({row.run.profile}) *{row.verdict}*"


def _claims(rows: list[Row], written: set[str]) -> str:
    """What a paper says without a number, and the trend that was checked."""
    if not rows:
        return ""
    lines = [["claim", "where", "system", "verdict"]]
    for row in rows:
        said, system = row.published, f"{row.published.system}; {_chapters([row], written)}"
        lines.append([_sentence(said.quantity), said.table, system, f"*{row.verdict}*"])
    return "\n\n".join(["### Claims without a number", _counts("", rows), _markdown(lines), _details(rows)]).strip()


def _details(rows: Iterable[Row]) -> str:
    """Folded away under a table: where each measured number comes from."""
    lines = []
    for row in rows:
        if row.record is not None:
            reason = f": {escape(row.record.reason)}" if row.record.reason else ""
            lines.append(
                f"* {escape(row.published.row or row.published.quantity)}: {_measured(row.record, row.run)}, "
                f"*{row.verdict}*{reason}"
            )
    return "\n".join(["````{dropdown} How this was measured", *lines, "````"]) if lines else ""


def _beyond(runs: Iterable[ledger.Run]) -> str:
    """Records without a published counterpart, the newest of each notebook and profile."""
    newest = {
        (run.notebook, run.profile, record.name): (record, run)
        for run in runs
        if run.profile != "smoke"
        for record in run.records
        if record.published is None
    }
    if not newest:
        return ""
    lines = [["experiment", "metric", "measured", "verdict"]]
    for record, run in newest.values():
        verdict = f"*{record.verdict}*" + (f"<br>{escape(record.reason)}" if record.reason else "")
        lines.append([escape(record.experiment), escape(record.metric), _measured(record, run), verdict])
    head = "Measured here, with no published number to compare with."
    return "\n\n".join(["## Beyond the papers", head, _markdown(lines)])


def _measured(record: Record, run: ledger.Run) -> str:
    seeds = f" ({len(record.values)} values)" if len(record.values) > 1 else ""
    status = {"complete": "", "running": ", run not finished"}.get(run.status, f", run {run.status}")
    return f"**{record}**{seeds}, `{run.profile}/{run.notebook}/{run.path.name}`{status}"


def _counts(head: str, rows: Iterable[Row]) -> str:
    """One line: how many of each verdict."""
    counts = Counter(row.verdict for row in rows)
    return head + ", ".join(f"{counts[verdict]} *{verdict}*" for verdict in VERDICTS if counts[verdict]) + "."


def _markdown(lines: list[list[str]]) -> str:
    head, *body = lines
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _chapters(rows: Iterable[Row], written: set[str]) -> str:
    """The chapters that measure these; links to those that are there."""
    stems = sorted({row.published.chapter for row in rows})
    names = {stem: f"chapter {stem[:2]}, {stem[3:].replace('_', ' ')}" for stem in stems}
    links = {stem: f"{{doc}}`{name} </notebooks/{stem}>`" for stem, name in names.items()}
    return "; ".join((links if stem in written else names)[stem] for stem in stems)


def _in_toc() -> list[str]:
    toc = provenance.root() / "_toc.yml"
    return re.findall(r"\bnotebooks/(\w+)", toc.read_text(encoding="utf-8")) if toc.is_file() else []


def _cite(paper: str) -> str:
    """A citation, if the bibliography holds the paper: an unknown key would stop the book from building."""
    bibliography = provenance.root() / "book" / "references.bib"
    known = bibliography.is_file() and f"{{{paper}," in bibliography.read_text(encoding="utf-8")
    return f" {{cite:p}}`{paper}`" if known else ""

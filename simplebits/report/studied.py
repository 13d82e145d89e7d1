"""What a lesson ends with: what the papers report of its subject, and what the studies have measured."""

from __future__ import annotations

from dataclasses import dataclass

from simplebits._door import door
from simplebits.report import ledger
from simplebits.report.evidence import Evidence, gather
from simplebits.report.published import published
from simplebits.report.ranks import rank_interval
from simplebits.report.scoreboard import Row, scoreboard
from simplebits.report.verdict import Record
from simplebits.report.words import amount, code, escape, pretty


@dataclass(frozen=True)
class Studied:
    """A table for the end of a lesson: published, measured, verdict.

    Attributes:
        rows: of the scoreboard.
    """

    rows: tuple[Row, ...]

    def __str__(self) -> str:
        return "\n".join(f"{row.published.row or row.published.quantity}: {row.verdict}" for row in self.rows)

    def _repr_markdown_(self) -> str:
        # The verdict comes second: a phone shows two columns, the others after scrolling.
        lines = ["| the paper | verdict | published | measured in the studies |", "|---|---|---|---|"]
        for row in self.rows:
            said, record = row.published, row.record
            where = f"{said.table}, {said.row}" if said.row else f"{said.table}: {said.quantity}"
            number = str(said) if said.value is not None else ""
            units = f" ({len(record.values)})" if record is not None and record.pairs is None else ""
            measured = "" if record is None else amount(pretty(record.mean, record.sd), record.unit) + units
            if record is not None and record.tests:  # a claim is measured by its tests, not by a mean over its groups
                measured = "; ".join(map(str, record.tests))
            lines.append(f"| {escape(where)} | *{row.verdict}* | {escape(number)} | {escape(measured)} |")
        made_by = sorted({row.run.info["study"]["study"] for row in self.rows if row.run is not None})
        commands = ", ".join(code(f"simplebits reproduce {name}") for name in made_by)
        return "\n".join(lines) + (f"\n\nIn brackets: independent units. Made by {commands}." if commands else "")


@door
def studied(*keys: str) -> Studied:
    """Show what the papers report and what the studies measured of it, with the verdict.

    Args:
        keys: of published numbers and claims, see `published`.

    Raises:
        ValueError: no key, or an unknown one.

    >>> print(studied("dc.fashion-mnist.ipc50.dc"))
    Fashion-MNIST, 50 images per class, DC: not run
    """
    if not keys:
        raise ValueError("keys: give at least one, as in book/results/published.yml")
    known = {published(key).key: None for key in keys}
    by_key = {row.published.key: row for row in scoreboard()}
    return Studied(tuple(by_key[key] for key in known))


@dataclass(frozen=True)
class MeasuredIn:
    """A table of what a study measured that no paper has.

    Attributes:
        study: its name.
        found: what its cases measured, smoke cases left out.
    """

    study: str
    found: tuple[Evidence, ...]

    def __str__(self) -> str:
        return "\n".join(f"{one.record.metric}: {measured(one.record)}" for one in self.found) or "not run"

    def _repr_markdown_(self) -> str:
        command = code(f"simplebits reproduce {self.study}")
        if not self.found:
            return f"Not run yet: {command}."
        lines = ["| what | measured: ± standard deviation, or [95 % interval] | pairs or units |", "|---|---:|---:|"]
        for one in self.found:
            count = one.record.pairs or len(one.record.values)
            lines.append(f"| {escape(one.record.metric)} | {escape(measured(one.record))} | {count} |")
        return "\n".join(lines) + f"\n\nMade by {command}."


@door
def measured_in(study: str, *beginnings: str) -> MeasuredIn:
    """Show what a study measured that no published number can be compared with.

    Args:
        study: its name, as in `simplebits reproduce`.
        beginnings: show only what has a name that begins with one of these; none: all.

    >>> print(measured_in("no_study_of_this_name"))
    not run
    """
    found = gather(run for run in ledger.runs() if run.info.get("study", {}).get("study") == study)
    beside = (one for one in found if one.record.published is None)
    return MeasuredIn(study, tuple(one for one in beside if one.record.metric.startswith(beginnings or ("",))))


def measured(record: Record) -> str:
    """Say what was measured, a rank correlation with its interval.

    >>> measured(Record("lenses", "bits and pixels", (0.5,), "ρ", pairs=100))
    '0.5 ρ [0.33, 0.64]'
    """
    if record.unit != "ρ" or record.pairs is None:
        return str(record)
    low, high = rank_interval(record.mean, record.pairs)
    return f"{record} [{low:.2f}, {high:.2f}]"

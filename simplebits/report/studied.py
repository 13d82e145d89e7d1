"""What a lesson ends with: what the papers report of its subject, and what the studies have measured."""

from __future__ import annotations

from dataclasses import dataclass

from simplebits.report.published import published
from simplebits.report.scoreboard import Row, scoreboard
from simplebits.report.words import amount, escape, pretty


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
        commands = ", ".join(f"`simplebits reproduce {name}`" for name in made_by)
        return "\n".join(lines) + (f"\n\nIn brackets: independent units. Made by {commands}." if commands else "")


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

"""The ledger at a glance: the newest run of every notebook in every profile, and how many verdicts of which kind."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from simplebits.report.cost import duration


def collect(results: Path | None = None, profile: str | None = None) -> dict[str, Any]:
    """Collect what the ledger holds, as plain data.

    Args:
        results: the ledger's folder, if not the usual one.
        profile: only this profile's runs.

    Returns:
        `runs`: one entry a notebook, profile and set of own parameters, its newest complete run, else its newest;
        `scoreboard`: per paper, the number of systems' numbers and claims with each verdict; `damaged`: a sentence for
        every file that cannot be read.
    """
    from simplebits.report import ledger, scoreboard
    from simplebits.report.published import papers

    readable, damaged = ledger.scan(results)
    newest: dict[tuple[str, ...], Any] = {}
    for run in sorted(readable, key=lambda run: (run.status == "complete", run.started)):
        if profile in (None, run.profile):
            case = run.info.get("study", {}).get("case", "")
            newest[run.profile, run.notebook, case, repr(run.info.get("own"))] = run
    verdicts: dict[str, Counter[str]] = {short: Counter() for short, _ in papers().values()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged files, which stand in `damaged`
        for row in scoreboard(results):
            verdicts[papers()[row.published.paper][0]][row.verdict] += 1
    kept = ("notebook", "profile", "own", "status", "started", "seconds", "peak_memory_mb", "device", "commit", "error")
    return {
        "runs": [
            {key: run.info.get(key) for key in kept}
            | {"case": run.info.get("study", {}).get("case", "")}
            | {"file": str(run.path), "verdicts": dict(Counter(record.verdict for record in run.records))}
            for _, run in sorted(newest.items())
        ],
        "scoreboard": {short: dict(counts) for short, counts in verdicts.items()},
        "damaged": damaged,
    }


def text(collected: dict[str, Any]) -> str:
    """Lay out the summary that `collect` makes as tables for a terminal."""
    rows = [
        (
            run["profile"],
            " ".join(filter(None, (run["notebook"], run["case"]))) + _own(run["own"]),
            run["status"],
            (run["started"] or "")[:10],
            "" if run["seconds"] is None else duration(run["seconds"]),
            "" if run["peak_memory_mb"] is None else f"{run['peak_memory_mb']:,.0f} MB",
            _counts(run["verdicts"]),
        )
        for run in collected["runs"]
    ]
    head = ("profile", "notebook", "status", "started", "time", "memory", "records")
    parts = [_table(head, rows)] if rows else ["The ledger holds no runs yet; make some: simplebits run"]
    scores = [(paper, _counts(counts)) for paper, counts in collected["scoreboard"].items()]
    parts.append(_table(("paper", "numbers and claims"), scores))
    if collected["damaged"]:
        parts.append("\n".join(("Left out:", *collected["damaged"])))
    return "\n\n".join(parts)


def _own(parameters: dict[str, Any] | None) -> str:
    return "".join(f" {name}={value}" for name, value in (parameters or {}).items())


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in padded)

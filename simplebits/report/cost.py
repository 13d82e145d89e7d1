"""What a lesson costs: wall-clock time and memory per profile, read from the ledger."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simplebits._door import door
from simplebits.report import ledger
from simplebits.report.speed import yardstick
from simplebits.report.words import escape

PROFILES = {
    "smoke": "every change is tried with it",
    "laptop": "the default",
    "standard": "the published site",
}


@dataclass(frozen=True)
class Cost:
    """Time and memory of one notebook, per profile; shows as a table at the end of a cell.

    Attributes:
        notebook: its stem.
        runs: the newest complete run in each profile.
        here: seconds that the default run will take on this machine, as far as a quick measurement tells; None where
            there is nothing to go by.
    """

    notebook: str
    runs: dict[str, ledger.Run | None]
    here: float | None = None

    def _repr_markdown_(self) -> str:
        if self.here is None:
            return self.table()
        return f"{self.table()}\n\nOn this machine, with the default values: about {duration(self.here)} on one thread."

    def table(self) -> str:
        """Lay out what was measured, wherever that was, as a table."""
        lines = ["| profile | time | memory | measured on |", "|---|---|---|---|"]
        for profile, run in self.runs.items():
            name = f"`{profile}` ({PROFILES[profile]})"
            if run is None:
                lines.append(f"| {name} | not measured yet | | |")
                continue
            time, memory = _time(run.info), _memory(run.info["peak_memory_mb"])
            lines.append(f"| {name} | {time} | {memory} | {escape(run.info['device'])}, {escape(run.started[:10])} |")
        return "\n".join(lines)


@door
def measured_cost(notebook: str, results: Path | None = None) -> Cost:
    """Look up time and peak memory of a notebook's newest complete run in each profile; estimate what it takes here.

    Runs with parameters of the reader's own do not count, nor do those of a notebook that had other parameters then: it
    has been written anew since. Where a notebook runs, the speed of its machine is measured, in a fraction of a second,
    and kept with the run.

    Args:
        notebook: its stem, `01_bits_per_dimension`.
        results: the ledger's folder, if not the usual one.
    """
    newest, known = dict.fromkeys(PROFILES), ledger.runs(results, notebook=notebook)
    for run in known:  # oldest first: the newest stays
        alike = run.info["parameters"].keys() == known[-1].info["parameters"].keys()
        if alike and run.profile in newest and run.status == "complete" and not run.info.get("own"):
            newest[run.profile] = run
    return Cost(notebook, newest, _here(newest["laptop"]))


def _here(default: ledger.Run | None) -> float | None:
    """Estimate the default run's seconds here; None outside notebooks, on a GPU, and where nothing was measured."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return None
    import torch

    if torch.cuda.is_available():
        return None
    now = yardstick()
    ledger.note(yardstick=now)
    if default is None or not default.info.get("yardstick"):
        return None
    took = default.info.get("processor_seconds") or default.info["seconds"]
    return took * now / default.info["yardstick"]


def _time(info: Mapping[str, Any]) -> str:
    """Write the time by the clock; beside it the processor's, where the clock waited for other work.

    >>> _time({"seconds": 90.0}), _time({"seconds": 90.0, "processor_seconds": 40.0})
    ('1 min 30 s', '1 min 30 s on a busy machine, 40 s of them computing')
    """
    clock, computing = duration(info["seconds"]), info.get("processor_seconds")
    if computing is None or computing >= 0.8 * info["seconds"]:
        return clock
    return f"{clock} on a busy machine, {duration(computing)} of them computing"


def _memory(megabytes: float | int | None) -> str:
    """Write memory in words.

    >>> _memory(812.3), _memory(2311.0), _memory(None)
    ('812 MB', '2.3 GB', 'not measured')
    """
    if megabytes is None:
        return "not measured"
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1024 else f"{megabytes:.0f} MB"


def duration(seconds: float | int) -> str:
    """Write a time in words.

    >>> duration(4.21), duration(42.3), duration(192), duration(7500)
    ('4.2 s', '42 s', '3 min 12 s', '2 h 05 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"

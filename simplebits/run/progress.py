"""What someone who waits gets to see: a line a notebook, and on a terminal what is running now."""

from __future__ import annotations

import sys
import time
from io import TextIOBase
from typing import TYPE_CHECKING

from simplebits.report.cost import duration

if TYPE_CHECKING:
    from simplebits.run.job import Job
    from simplebits.run.outcome import Outcome


class Progress:
    """Writes one line for every notebook that ends; where that is no terminal, one for every start too.

    Args:
        stream: where to; None: standard error.
        width: of the column of names.
        silent: write nothing.

    Attributes:
        total: how many there will be; lines are numbered if it is set.
    """

    def __init__(self, stream: TextIOBase | None = None, width: int = 24, silent: bool = False) -> None:
        self.stream, self.width, self.silent = stream or sys.stderr, width, silent
        self.live = not silent and self.stream.isatty()
        self.total = self.ended = 0
        self.running: dict[str, tuple[float, str]] = {}

    def started(self, job: Job) -> None:
        """Note that a notebook starts."""
        self.running[job.name] = (time.perf_counter(), "")
        if not self.live:
            reason = job.stale()
            self._line(f"{job.name:<{self.width}}  started ({job.profile}{', ' + reason if reason else ''})")

    def cell(self, job: Job, number: int, of: int) -> None:
        """Note that a cell starts."""
        self.running[job.name] = (self.running[job.name][0], f", cell {number} of {of}")
        self.tick()

    def finished(self, job: Job, outcome: Outcome) -> None:
        """Note that a notebook has ended, or was up to date."""
        self.running.pop(job.name, None)
        self.ended += 1
        count = f"[{self.ended}/{self.total}] " if self.total else ""
        if outcome.status == "fresh":
            return self._line(f"{count}{job.name:<{self.width}}  up to date")
        if outcome.status in ("elsewhere", "waiting"):
            word = {"elsewhere": "another process runs it", "waiting": "time was up before it began"}[outcome.status]
            return self._line(f"{count}{job.name:<{self.width}}  {word}")
        memory = f", peak memory {outcome.peak_memory_mb:,.0f} MB" if outcome.peak_memory_mb else ""
        word = {"complete": "finished in", "failed": "FAILED after"}.get(outcome.status, f"{outcome.status} after")
        self._line(f"{count}{job.name:<{self.width}}  {word} {duration(outcome.seconds)}{memory}")
        if outcome.status == "failed":
            self._line(describe(outcome))
        return None

    def tick(self) -> None:
        """Bring the last line of a terminal up to date, as time passes."""
        if self.live and self.running:
            now = time.perf_counter()
            text = "; ".join(f"{name} {duration(now - since)}{cell}" for name, (since, cell) in self.running.items())
            self.stream.write(f"\r\x1b[2K{text[:110]}")
            self.stream.flush()

    def close(self) -> None:
        """End the last line: nothing more will come."""
        if self.live:
            self.stream.write("\r\x1b[2K")
            self.stream.flush()

    def _line(self, text: str) -> None:
        if not self.silent:
            self.stream.write(("\r\x1b[2K" if self.live else "") + text + "\n")
            self.stream.flush()
            self.tick()


def describe(outcome: Outcome) -> str:
    """Describe a failure for a reader: the cell, its line, the error, where to look on."""
    place = f"in cell {outcome.cell}: " if outcome.cell else ""
    lines = [f"  {place}{outcome.error}"]
    lines += [f"    | {line}" for line in outcome.source.splitlines()]
    lines += [f"    from {outcome.detail}"] if outcome.detail else []
    lines += [f"    all of it: {outcome.path}"] if outcome.path.is_file() else []
    return "\n".join(lines)

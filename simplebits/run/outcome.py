"""How one run of a notebook went."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """How one run went.

    Attributes:
        name: the notebook's stem, with the caller's own parameters if there were any.
        status: `complete`, `fresh` (up to date, not run again), `failed`, `interrupted`, `elsewhere` (another process
            runs it now) or `waiting` (time was up before it began).
        path: the executed notebook; for a failed run what it left to look at.
        seconds: wall-clock time, with that of killed runs whose checkpoints it went on from.
        peak_memory_mb: largest resident memory of the kernel, in MB; None where unknown.
        error: what went wrong, in one line.
        cell: number of the failing cell in the notebook, counted from 1.
        source: the failing line with the one above it.
        detail: file and line of the innermost frame outside the notebook.
    """

    name: str
    status: str
    path: Path
    seconds: float = 0.0
    peak_memory_mb: float | None = None
    error: str = ""
    cell: int | None = None
    source: str = ""
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the executed notebook is there and up to date."""
        return self.status in ("complete", "fresh")

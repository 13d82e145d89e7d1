"""Where a run comes from: repository, commit, machine, and the packages whose versions are noted."""

from __future__ import annotations

import contextlib
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from simplebits import _here

VERSIONS = ("torch", "torchvision", "numpy", "scikit-learn", "scikit-image", "captum", "papermill")


def root() -> Path:
    """Find the repository: the nearest folder with the book at or above the working directory, else this package."""
    above = Path(__file__).resolve().parents[2]  # a checkout, or where packages are installed: no further up than this
    return _here.repository() or (above if _here.repository(above) == above else Path.cwd())


def device() -> str:
    """Name processor and graphics card, asked of the system: importing torch for this would cost seconds."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    cards = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or ""
    return ", ".join([f"{name}, {_here.cores()} cores", *cards.splitlines()])


def commit(folder: Path) -> dict[str, Any]:
    """Look up the commit, and whether the working tree differs from it anywhere but in the ledger."""
    head = _output("git", "-C", str(folder), "rev-parse", "HEAD")
    if not head:
        return {"commit": None, "dirty": None}
    changes = _output("git", "-C", str(folder), "status", "--porcelain", "--", ".", ":(exclude)book/results")
    return {"commit": head, "dirty": None if changes is None else bool(changes)}


def _output(*command: str) -> str | None:
    """Run a command, and return what it prints; None if it is not there or fails."""
    if shutil.which(command[0]) is None:
        return None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
    return None

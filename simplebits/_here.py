"""Where this runs: the repository around the working directory, the versions of packages, the cores."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from simplebits._version import __version__

MARKS = ("_toc.yml", "pyproject.toml")
BOOK = ("click", "IPython", "ipywidgets", "matplotlib", "yaml")  # what only the extra `book` brings, as it is imported


def repository(start: Path | None = None) -> Path | None:
    """Find the nearest folder at or above `start` (the working directory) that holds the book; None without one."""
    start = (start or Path.cwd()).resolve()
    around = (start, *start.parents)
    return next((folder for folder in around if all((folder / mark).is_file() for mark in MARKS)), None)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Look up the versions of Python, of this package and of those named that are installed; none is imported.

    >>> list(versions(["numpy", "no-such-package"]))
    ['python', 'simplebits', 'numpy']
    """
    installed = {"python": platform.python_version(), "simplebits": __version__}
    for name in packages:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def require_book(what: str) -> None:
    """Refuse to go on without the packages that only the extra `book` brings.

    Args:
        what: needs them, in the words of its caller.

    Raises:
        ModuleNotFoundError: names what is missing, and the command that brings it.
    """
    missing = [name for name in BOOK if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"{what} needs {', '.join(missing)}, not installed here: pip install 'simplebits[book]'"
        )

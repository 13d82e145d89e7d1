"""Sphinx at work: a staged folder in, pages out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from simplebits.run.worker import plain


def website(stage: Path, target: Path, warnings_as_errors: bool = True) -> Path:
    """Have jupyter-book make HTML of a staged folder; returns the folder that holds it.

    Args:
        stage: from `book.assemble`.
        target: a folder for it; what was there is removed.
        warnings_as_errors: a warning stops the build.

    Raises:
        RuntimeError: with the warnings and errors it printed.
    """
    shutil.rmtree(target, ignore_errors=True)
    command = [
        sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(stage),
        "--path-output", str(target), "-n", *(["-W", "--keep-going"] if warnings_as_errors else []),
    ]  # fmt: skip
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part)
    environment = os.environ | {"PYTHONPATH": path, "NO_COLOR": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", errors="replace", env=environment
    )  # fmt: skip
    if done.returncode:
        said = plain(done.stdout + done.stderr).splitlines()
        complaints = [line for line in said if "WARNING" in line or "ERROR" in line] or said[-20:]
        raise RuntimeError("jupyter-book did not build the website:\n" + "\n".join(dict.fromkeys(complaints)))
    site = target / "_build" / "html"
    # jupyter-book's forward to the first page is bare, and browsers then ask for an icon in vain.
    forward = site / "index.html"
    head = '<!DOCTYPE html><html lang="en"><title>simplebits</title><link rel="icon" href="_static/favicon.svg">\n'
    forward.write_text(head + forward.read_text(encoding="utf-8"), encoding="utf-8")
    return site

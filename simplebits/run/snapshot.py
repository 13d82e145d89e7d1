"""A working tree at one commit, from which cases run while the tree beside it is being edited."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from simplebits._files import alone
from simplebits.report.study import ARTEFACTS


def worktree(root: Path, commit: str) -> Path:
    """Find the working tree of this commit under `_build/at`, or make it.

    Args:
        root: the repository.
        commit: anything that git understands: a hash, a branch, HEAD.

    Raises:
        ValueError: git does not know it.
        ChildProcessError: git is not there, or cannot make the tree; what it says is told.
    """
    sha = commit_of(root, commit)
    path = root / "_build" / "at" / sha[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.parent):  # two queues may be started at once
        if not (path / "pyproject.toml").is_file():
            _git(root, "worktree", "prune")
            made = _git(root, "worktree", "add", "--detach", "--force", str(path), sha)
            if made.returncode:
                raise ChildProcessError(f"git could not make a working tree of {sha[:12]} at {path}: {made.stderr}")
    return path


def commit_of(root: Path, commit: str) -> str:
    """Look up the hash of a commit that is named in some way.

    Raises:
        ValueError: git does not know it.
    """
    answer = _git(root, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    if answer.returncode:
        raise ValueError(f"--at {commit!r}: git knows no such commit in {root}")
    return answer.stdout.strip()


def hand_over(root: Path, commit: str, words: Sequence[str]) -> NoReturn:
    """Go on as `simplebits` with these words in the working tree of that commit; results come into this tree's ledger.

    Raises:
        ValueError, ChildProcessError: as `worktree`.
    """
    from simplebits.report import ledger

    results = ledger.results_folder(root).resolve()
    tree = worktree(root, commit)
    paths = [str(tree), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "SIMPLEBITS_RESULTS": str(results),
        ARTEFACTS: os.environ.get(ARTEFACTS) or str(root / "_build" / "artefacts"),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    os.chdir(tree)
    os.execve(sys.executable, [sys.executable, "-m", "simplebits.run.cli", *words], environment)  # noqa: S606


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True)  # noqa: S607
    except FileNotFoundError as error:
        raise ChildProcessError("git is not installed; without it no commit can be brought back") from error

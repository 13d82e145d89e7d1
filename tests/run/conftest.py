"""A repository in miniature: a table of contents, a pyproject.toml, notebooks of a few cells."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PACKAGE = Path(__file__).parents[2]
Cells = Sequence[str]
Book = Callable[..., Path]

PYPROJECT = """[project]
name = "simplebits"

[project.urls]
Repository = "https://github.com/OWNER/simplebits"
"""


def write_notebook(path: Path, cells: Cells) -> None:
    """Cells that begin with `# parameters` get that tag; those that begin with `# %%` are markdown."""
    book = new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
    for source in cells:
        if source.startswith("# %%"):
            book.cells.append(new_markdown_cell(source[4:].strip()))
        else:
            tags = ["parameters"] if source.startswith("# parameters") else []
            book.cells.append(new_code_cell(source, metadata={"tags": tags}))
    nbformat.write(book, path)


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    """Make a repository of these notebooks and work in it; the next call changes it."""
    for name in ("SIMPLEBITS_RUN", "SIMPLEBITS_RESULTS", "SIMPLEBITS_CHECKPOINTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(PACKAGE), *others])))

    def make(profiles: Mapping[str, str] | None = None, **notebooks: Cells) -> Path:
        root = tmp_path / "book-in-miniature"
        (root / "notebooks" / "profiles").mkdir(parents=True, exist_ok=True)
        (root / "_toc.yml").write_text("format: jb-book\nroot: book/intro\n")
        (root / "pyproject.toml").write_text(PYPROJECT)
        for name, text in (profiles or {}).items():
            (root / "notebooks" / "profiles" / f"{name}.yml").write_text(text)
        for stem, cells in notebooks.items():
            write_notebook(root / "notebooks" / f"{stem.lstrip('n')}.ipynb", cells)
        monkeypatch.chdir(root)
        return root

    make.write = write_notebook
    return make


@pytest.fixture
def simplebits() -> Callable[..., subprocess.Popen[str]]:
    """Start the command line in a process of its own, in the working directory."""
    started = []

    def start(*words: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "simplebits.run.cli", *words],
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait until something holds, and fail if it does not within so many seconds."""

    def wait(holds: Callable[[], bool], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.05)

    return wait

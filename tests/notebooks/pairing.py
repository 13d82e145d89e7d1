"""Keep the two files of each lesson and study, .py and .ipynb, one notebook.

    python tests/notebooks/pairing.py             say where they differ; exit code 1 if they do
    python tests/notebooks/pairing.py --write     make each .ipynb from its .py (the usual direction)
    python tests/notebooks/pairing.py --write py  make each .py from its .ipynb (after editing in Colab, say)

Contents are compared, never time stamps, which a git checkout scrambles.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs
from jupytext.config import load_jupytext_configuration_file
from lessons import FOLDER, stems, studies
from nbformat import NotebookNode

CONFIG = FOLDER / "jupytext.toml"
MEND = "python tests/notebooks/pairing.py --write"


def to_text(notebook: NotebookNode) -> str:
    """The .py of a notebook, without outputs and with a header free of versions."""
    return jupytext.writes(_bare(notebook), "py:percent", config=load_jupytext_configuration_file(str(CONFIG)))


def to_notebook(text: str, former: NotebookNode | None = None) -> NotebookNode:
    """The notebook of a .py, without outputs; cells that `former` has too keep their ids, for a small diff."""
    notebook = jupytext.reads(text, "py:percent")
    if former is not None:
        notebook = combine_inputs_with_outputs(notebook, former)
    return _bare(notebook)


def differences(py: Path, ipynb: Path) -> list[str]:
    """What is wrong with a pair, in sentences; an empty list where both hold the same notebook."""
    missing = [f"{path.name} is missing beside its pair" for path in (py, ipynb) if not path.is_file()]
    if missing:
        return missing
    text = py.read_text(encoding="utf-8")
    stored = nbformat.read(ipynb, as_version=4)
    wrong = [f"{ipynb.name} holds {what}" for what in _ballast(stored)]
    if "version" in _header(text)[0]:
        wrong.append(f"the header of {py.name} holds versions, which change without need")
    if diff := _diff(_header(to_text(stored))[1], _header(text)[1], f"{py.name} made from {ipynb.name}", py.name):
        wrong.append(f"{py.name} is not what {ipynb.name} gives:\n{diff}")
    if diff := _diff(
        _outline(to_notebook(text)), _outline(_bare(stored)), f"{ipynb.name} made from {py.name}", ipynb.name
    ):
        wrong.append(f"{ipynb.name} is not what {py.name} gives:\n{diff}")
    return wrong


def write(py: Path, ipynb: Path, target: str = "ipynb") -> bool:
    """Make one file of a pair from the other; True if that changed anything."""
    former = nbformat.read(ipynb, as_version=4) if ipynb.is_file() else None
    if target == "py":
        path, content = py, to_text(former or nbformat.v4.new_notebook())
    else:
        notebook = to_notebook(py.read_text(encoding="utf-8"), former)
        path, content = ipynb, nbformat.writes(notebook) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        return False
    path.write_text(content, encoding="utf-8")
    return True


def _bare(notebook: NotebookNode) -> NotebookNode:
    """A copy with sources, tags and the kernel's name only."""
    cells = []
    for cell in notebook.cells:
        kept = {key: cell.metadata[key] for key in ("mystnb", "tags") if key in cell.metadata}
        bare = NotebookNode(cell_type=cell.cell_type, id=cell.id, metadata=kept, source=cell.source)
        if cell.cell_type == "code":
            bare |= {"execution_count": None, "outputs": []}
        cells.append(NotebookNode(bare))
    kernel = {key: value for key, value in notebook.metadata.items() if key == "kernelspec"}
    return nbformat.from_dict({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


def _header(text: str) -> tuple[str, str]:
    """The commented YAML at the top of a .py, and the rest."""
    head, line, rest = text.partition("\n# ---\n")
    return (head, rest) if line and head.startswith("# ---\n") else ("", text)


def _ballast(notebook: NotebookNode) -> list[str]:
    """What a committed notebook must not hold."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = [f"the output of cell {i}" for i, cell in enumerate(notebook.cells) if cell.get("outputs")]
    if any(cell.get("execution_count") for cell in code):
        found.append("execution counts")
    if extra := sorted(set(notebook.metadata) - {"kernelspec", "jupytext", "language_info"}):
        found.append(f"the metadata {', '.join(extra)}")
    return found


def _outline(notebook: NotebookNode) -> str:
    """A notebook as text: its kernel, then cell by cell, without ids."""
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    cells = [f"[{cell.cell_type} {dict(cell.metadata)}]\n{cell.source}\n" for cell in notebook.cells]
    return "\n".join([f"[kernel {kernel}]", *cells])


def _diff(a: str, b: str, name_a: str, name_b: str) -> str:
    lines = difflib.unified_diff(a.splitlines(), b.splitlines(), name_a, name_b, n=1, lineterm="")
    return "\n".join(list(lines)[:40])


def main() -> int:
    """The command line described at the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", nargs="?", const="ipynb", choices=["ipynb", "py"], help="which file to make anew")
    options = parser.parse_args()
    wrong: list[str] = []
    for stem in [*stems(), *studies()]:
        py, ipynb = FOLDER / f"{stem}.py", FOLDER / f"{stem}.ipynb"
        if options.write and write(py, ipynb, options.write):
            print(f"{stem}.{options.write} written")
        wrong += differences(py, ipynb)
    if wrong:
        print("\n".join(wrong), f"\nTo make the notebooks from the text: {MEND}", sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

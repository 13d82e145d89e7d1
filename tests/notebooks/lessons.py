"""The lessons as the checks see them: which there are, their cells, and the parameters they take."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"


def stems(folder: Path = FOLDER) -> list[str]:
    """The names of all lessons, from either file of the pair: `01_bits_per_dimension`, ..."""
    return sorted({path.stem for suffix in (".py", ".ipynb") for path in folder.glob(f"[0-9][0-9]_*{suffix}")})


def studies(folder: Path = FOLDER) -> list[str]:
    """The notebooks of the studies, likewise: `studies/condense`, ..."""
    found = (path for suffix in (".py", ".ipynb") for path in folder.glob(f"studies/*{suffix}"))
    return sorted({f"studies/{path.stem}" for path in found})


def read(stem: str, folder: Path = FOLDER) -> NotebookNode:
    """The notebook of a lesson, from its .ipynb."""
    return nbformat.read(folder / f"{stem}.ipynb", as_version=4)


def tagged(cell: NotebookNode, tag: str) -> bool:
    """Whether the cell carries this tag."""
    return tag in cell.metadata.get("tags", [])


def is_checked(cell: NotebookNode) -> bool:
    """Whether nbval compares this cell's output: by a tag, or by a comment on a line of its own."""
    marked = any(line.strip().lstrip("# ") == "NBVAL_CHECK_OUTPUT" for line in cell.source.splitlines())
    return cell.cell_type == "code" and (marked or tagged(cell, "nbval-check-output"))


def parameters(notebook: NotebookNode) -> dict[str, object]:
    """The names and default values that the cell tagged `parameters` assigns, as far as they are literals."""
    found: dict[str, object] = {}
    for cell in notebook.cells:
        if not tagged(cell, "parameters"):
            continue
        for node in ast.parse(cell.source).body:
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            try:
                found |= {target.id: ast.literal_eval(node.value) for target in targets if isinstance(target, ast.Name)}
            except ValueError:
                continue
    return found

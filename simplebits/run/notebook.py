"""What a notebook is to the runner: a stem, cells, and the parameters it declares."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simplebits import _check

MEND = "python tests/notebooks/pairing.py --write"  # makes each .ipynb from its .py; with `py` the other way


@dataclass(frozen=True)
class Notebook:
    """A notebook of the repository.

    Attributes:
        root: the repository.
        stem: its file name without ending, `01_bits_per_dimension`.
    """

    root: Path
    stem: str

    @property
    def path(self) -> Path:
        """The notebook file."""
        return self.root / "notebooks" / f"{self.stem}.ipynb"

    def cells(self) -> list[dict[str, Any]]:
        """Read the cells as `{kind, tags, source}`, without outputs, counters and ids.

        Raises:
            ValueError: the file is not a notebook.
        """
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return [
                {"kind": cell["cell_type"], "tags": cell["metadata"].get("tags", []), "source": "".join(cell["source"])}
                for cell in content["cells"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.path} is not a notebook ({error!r}); make it again from its script: {MEND}"
            ) from error

    def parameters(self) -> dict[str, Any]:
        """Read names and default values in the cell tagged `parameters`; empty without such a cell.

        Raises:
            ValueError: a line of that cell is not `name = literal`.
        """
        tagged = [cell for cell in self.cells() if cell["kind"] == "code" and "parameters" in cell["tags"]]
        try:
            statements = ast.parse("\n".join(cell["source"] for cell in tagged)).body
            return dict(_assignment(statement) for statement in statements)
        except (ValueError, SyntaxError) as error:
            raise ValueError(
                f"{self.path}: the cell tagged 'parameters' must hold literals only, one `name = value` a "
                f"line ({error})"
            ) from error

    def pair_differs(self) -> bool:
        """Tell whether the script beside it says something else; False without a script or without jupytext."""
        script = self.path.with_suffix(".py")
        if not script.is_file():
            return False
        try:
            import jupytext
        except ImportError:
            return False
        theirs = [(cell.cell_type, cell.source.strip()) for cell in jupytext.read(script).cells]
        return theirs != [(cell["kind"], cell["source"].strip()) for cell in self.cells()]


def _assignment(statement: ast.stmt) -> tuple[str, Any]:
    match statement:
        case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(ast.Name(name), _, value) if value is not None:
            return name, ast.literal_eval(value)
    raise ValueError(f"line {statement.lineno} is something else")


def all_of(root: Path) -> list[Notebook]:
    """List all notebooks of the repository, in the book's order (their numbers)."""
    return [Notebook(root, path.stem) for path in sorted((root / "notebooks").glob("*.ipynb"))]


def resolve(root: Path, names: Iterable[str]) -> list[Notebook]:
    """Find notebooks by stem, number (`1`, `01`) or file name, in the book's order; all of them for no names.

    Raises:
        ValueError: an unknown one; the nearest known one is named.
        FileNotFoundError: the repository holds no notebooks.
    """
    known = {notebook.stem: notebook for notebook in all_of(root)}
    if not known:
        raise FileNotFoundError(
            f"{root / 'notebooks'} holds no notebooks (*.ipynb); where their scripts are, make them: {MEND}"
        )
    wanted = {_stem(name, list(known)) for name in names} or set(known)
    return [notebook for stem, notebook in known.items() if stem in wanted]


def _stem(name: str, known: Sequence[str]) -> str:
    stem = Path(name).stem if name.endswith((".ipynb", ".py")) else name
    if stem.isdecimal():
        numbers = {other: other.split("_")[0] for other in known}
        numbered = [other for other, number in numbers.items() if number.isdecimal() and int(number) == int(stem)]
        if len(numbered) == 1:
            return numbered[0]
    return _check.one_of("notebook", stem, known)

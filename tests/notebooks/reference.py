"""What the checked cells of each lesson print in the smoke profile; the committed notebooks hold no outputs.

    python tests/notebooks/reference.py                           make the references of every lesson anew
    python tests/notebooks/reference.py 01_bits_per_dimension     of one

`expected/<lesson>.json` holds the text of every cell marked `NBVAL_CHECK_OUTPUT`, in order. To check a lesson, the
smoke parameters are injected as papermill does it, the expected outputs are put into the marked cells, and nbval runs
the result. nbval_settings.py says which differences do not count. Read the diff of a reference before you commit it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from lessons import ROOT, is_checked, read, stems
from nbformat import NotebookNode
from nbval.plugin import coalesce_streams

from simplebits.run import profiles

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected"
COMPARED = ("text/plain", "text/markdown")
Outputs = list[dict[str, object]]


def prepared(notebook: NotebookNode, parameters: dict[str, object]) -> NotebookNode:
    """The notebook as papermill would run it: with a cell of these parameters after the defaults."""
    from papermill.parameterize import parameterize_notebook

    notebook.metadata["papermill"] = {}  # where papermill notes what it injected
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    return parameterize_notebook(notebook, parameters) if parameters else notebook


def smoke_parameters(stem: str) -> dict[str, object]:
    """The lesson's entry in notebooks/profiles/smoke.yml."""
    return profiles.load(ROOT, "smoke").get(stem, {})


def expected(stem: str) -> list[Outputs]:
    """The stored outputs of a lesson, one entry a checked cell.

    Raises:
        FileNotFoundError: there is no reference yet, with the command that makes it.
    """
    path = EXPECTED / f"{stem}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing; make it with: python tests/notebooks/reference.py {stem}")
    return [entry["outputs"] for entry in json.loads(path.read_text(encoding="utf-8"))]


def merged(notebook: NotebookNode, outputs: list[Outputs]) -> NotebookNode:
    """The notebook with these outputs in its checked cells, as nbval wants it.

    Raises:
        ValueError: there are not as many outputs as checked cells.
    """
    cells = [cell for cell in notebook.cells if is_checked(cell)]
    if len(cells) != len(outputs):
        raise ValueError(
            f"{len(cells)} cells are marked NBVAL_CHECK_OUTPUT and {len(outputs)} references are stored; "
            "make them anew with: python tests/notebooks/reference.py"
        )
    for cell, stored in zip(cells, outputs, strict=True):
        cell.execution_count = 1  # nbval leaves out cells without a count
        cell.outputs = [nbformat.from_dict(output) for output in stored]
    return notebook


def check(notebook: NotebookNode, timeout: int = 300) -> tuple[bool, str]:
    """Run a merged notebook under nbval: whether every cell ran and every checked cell agrees, and what nbval said."""
    with _workplace() as folder:
        path = Path(folder) / "lesson.ipynb"
        nbformat.write(notebook, path)
        options = ["--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={timeout}", "-p", "nbval_settings"]
        quiet = ["-c", os.devnull, "--rootdir", folder, "-p", "no:cacheprovider", "-q", "--no-header", "--color=no"]
        command = [sys.executable, "-m", "pytest", *options, *quiet, str(path)]
        result = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    return result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]


def computed(notebook: NotebookNode, timeout: int = 300) -> list[dict[str, object]]:
    """Execute a prepared notebook and return the reference of every checked cell.

    Raises:
        ValueError: a checked cell prints no text, so that its check could never fail.
    """
    from nbclient import NotebookClient

    with _workplace() as folder:
        client = NotebookClient(
            notebook, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        client.execute(env=environment())
    entries = []
    for cell in filter(is_checked, notebook.cells):
        outputs = [kept for output in coalesce_streams(cell.outputs) if (kept := _text_only(output))]
        if not outputs:
            raise ValueError(f"this cell is marked NBVAL_CHECK_OUTPUT but prints no text:\n{cell.source}")
        entries.append({"cell": cell.source.splitlines()[-1].strip(), "outputs": outputs})
    return entries


def environment() -> dict[str, str]:
    """Processes that must give the same everywhere: on the CPU, without real data, bars or a ledger to write to."""
    fixed = {"CUDA_VISIBLE_DEVICES": "", "SIMPLEBITS_DATA": str(ROOT / "_build" / "no-data"), "TQDM_DISABLE": "1"}
    path = os.pathsep.join(filter(None, [str(HERE), str(ROOT), os.environ.get("PYTHONPATH")]))
    return {key: value for key, value in os.environ.items() if key != "SIMPLEBITS_RUN"} | fixed | {"PYTHONPATH": path}


def _workplace() -> tempfile.TemporaryDirectory[str]:
    """A folder inside the repository, so that a lesson finds the ledger from where it runs."""
    (ROOT / "_build").mkdir(exist_ok=True)
    return tempfile.TemporaryDirectory(dir=ROOT / "_build", prefix="nbval-")


def _text_only(output: NotebookNode) -> dict[str, object] | None:
    """What is compared of an output; None for pictures, widgets and warnings."""
    if output.output_type == "stream":
        return dict(output) if output.name == "stdout" else None
    data = {kind: text for kind, text in output.get("data", {}).items() if kind in COMPARED}
    return {"output_type": "display_data", "metadata": {}, "data": data} if data else None


def main() -> int:
    """The command line described at the top of this file."""
    unstable = 0
    for stem in sys.argv[1:] or stems():
        entries = computed(prepared(read(stem), smoke_parameters(stem)))
        # A second run, under nbval: what differs already between two runs here is no reference.
        same, said = check(
            merged(prepared(read(stem), smoke_parameters(stem)), [entry["outputs"] for entry in entries])
        )
        if same:
            EXPECTED.mkdir(exist_ok=True)
            text = json.dumps(entries, indent=1, ensure_ascii=False)
            (EXPECTED / f"{stem}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{stem}: {len(entries)} checked cells" if same else f"{stem}: two runs differ, nothing written\n{said}")
        unstable += not same
    return 1 if unstable else 0


if __name__ == "__main__":
    raise SystemExit(main())

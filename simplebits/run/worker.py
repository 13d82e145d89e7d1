"""The process in which one notebook runs: `python -m simplebits.run.worker`, a task on stdin, events on stdout.

A process of its own, because papermill changes the working directory, because several notebooks run side by side, and
because the memory of a kernel is only known to the process that waited for it. When stdin ends, whoever asked is gone
(killed, perhaps): the kernel is killed too and nothing is written.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simplebits import _files
from simplebits.run import digest
from simplebits.run.notebook import Notebook

Emit = Callable[[dict[str, Any]], None]


def main() -> None:
    """Read a task, run it, say how it went."""
    # The kernel inherits stdout and may write to it; the events keep a copy of their own.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def emit(event: dict[str, Any]) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_when_alone, daemon=True).start()
    result = execute(task, emit)
    emit({"result": result | {"peak_memory_mb": peak_memory_mb(), "processor_seconds": processor_seconds()}})
    # Stdin is still being waited for in the other thread; do not wait for it to end.
    os._exit(0)


def execute(task: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Run one notebook with papermill and write it, whole or not at all.

    Args:
        task: `root`, `stem`, `notebook`, `given`, `unfinished`, `output` (paths as words), `data_root`, and
            `note`, which goes into the notebook's metadata.
        emit: called with `{"cell": number, "of": number}` whenever a cell starts.

    Returns:
        `{"error": None}`, or `error` in one line, and `cell`, `source`, `detail` where they are known.
    """
    import nbformat
    import papermill

    at: dict[str, Any] = {"cell": None, "source": ""}

    def cell_starts(cell: Any, cell_index: int, **_: Any) -> None:
        at.update(cell=cell_index, source=cell.source)
        emit({"cell": cell_index + 1, "of": cells})

    unfinished, output = Path(task["unfinished"]), Path(task["output"])
    cells = len(nbformat.read(task["notebook"], as_version=4).cells) + bool(task["given"])
    try:
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        executed = papermill.execute_notebook(
            task["notebook"],
            str(unfinished),
            parameters=task["given"],
            cwd=str(Path(task["notebook"]).parent),
            progress_bar=False,
            start_timeout=300,
            on_cell_start=cell_starts,
            iopub_timeout=300,  # a busy machine may be slow to deliver outputs; that is no failure
            extra_arguments=["--HistoryManager.enabled=False"],  # kernels side by side would share one history file
        )
        notebook = Notebook(Path(task["root"]), task["stem"])
        parts = digest.settle(task["note"]["parts"], notebook, Path(task["data_root"] or "."))
        executed.metadata["simplebits"] = task["note"] | {"parts": parts, "digest": digest.total(parts)}
        _files.write_text(output, nbformat.writes(executed))
    except papermill.PapermillExecutionError as error:
        return _failure(f"{error.ename}: {error.evalue}", at, task, "\n".join(error.traceback))
    except OSError as error:
        unfinished.unlink(missing_ok=True)  # papermill does not write in one step; half a file helps nobody
        return {"error": f"{type(error).__name__}: {error}"}
    except Exception as error:  # noqa: BLE001 a kernel that died or never started has no type of its own
        text = f"{type(error).__name__}: {error}"
        if "dead" in text.lower() or "died" in text.lower():
            text = f"the kernel died (out of memory, or killed): {text}"
        return _failure(text, at, task, "")
    unfinished.unlink(missing_ok=True)
    return {"error": None}


def _failure(text: str, at: dict[str, Any], task: dict[str, Any], traceback: str) -> dict[str, Any]:
    """Find where it failed: the cell's number in the source notebook, counted from 1, its line and the code there."""
    if at["cell"] is None:
        return {"error": f"{text} (before the first cell; simplebits doctor says what is missing)"}
    traceback = plain(traceback)
    # The first frame tells the cell's counter, the last one with that counter the line in this cell.
    places = re.findall(r"Cell In\[(\d+)\], line (\d+)", traceback)
    lines = at["source"].splitlines() or [""]
    number = min(int([line for counter, line in places if counter == places[0][0]][-1]), len(lines)) if places else 0
    source = "\n".join(lines[max(number - 2, 0) : number] if places else lines[:3])
    frames = re.findall(r"^File (\S+?\.py):(\d+)", traceback, re.MULTILINE)
    return {
        "error": text.strip().splitlines()[0][:300] if text.strip() else "failed",
        "cell": _source_cell(at["cell"], task),
        "source": source,
        "detail": f"{frames[-1][0]}:{frames[-1][1]}" if frames else "",
    }


def _source_cell(index: int, task: dict[str, Any]) -> int:
    """Find the number, in the source notebook, of a cell of the executed one, which has one more below `parameters`."""
    cells = json.loads(Path(task["notebook"]).read_text(encoding="utf-8"))["cells"]
    tagged = [i for i, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", [])]
    injected = bool(task["given"]) and index > (tagged[0] if tagged else -1)
    return index + 1 - injected


def plain(text: str) -> str:
    r"""Strip a terminal's colours from a text.

    >>> plain("\x1b[31mred\x1b[0m")
    'red'
    """
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def peak_memory_mb() -> float | None:
    """Measure the largest resident memory of any child that has ended, here the kernel, in MB; None where not known."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def processor_seconds() -> float | None:
    """Measure the processor time of all children that have ended, here the kernel; None where it is not known."""
    try:
        import resource
    except ImportError:
        return None
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(usage.ru_utime + usage.ru_stime, 1)


def _leave_when_alone() -> None:
    import psutil

    while sys.stdin.readline():
        pass
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    os._exit(1)


if __name__ == "__main__":
    main()

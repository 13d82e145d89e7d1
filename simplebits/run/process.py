"""The other side of `worker`: start the process of one notebook, follow it, end it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple, cast

from simplebits import _files
from simplebits.run import digest
from simplebits.run.job import Job

SPENT = ".spent.json"  # a file among the checkpoints


class Spent(NamedTuple):
    """What runs of one job have taken.

    Attributes:
        seconds: wall-clock time.
        processor_seconds: of all processors together; None where it is not known.
    """

    seconds: float
    processor_seconds: float | None


def run(
    one: Job, entry: Path, threads: int | None, stop: threading.Event, tell: Callable[..., object]
) -> dict[str, Any]:
    """Have a worker run the job, and follow it.

    Args:
        one: the job.
        entry: its file in the ledger.
        threads: for the kernel's numerical libraries; None leaves them alone.
        stop: ends the run when it is set.
        tell: called with `"cell", job, number, of` whenever a cell starts.

    Returns:
        What `worker.execute` says, with `peak_memory_mb` and `processor_seconds`; only an `error` where the worker
        ended without a word.
    """
    task = {
        "root": str(one.notebook.root),
        "stem": one.notebook.stem,
        "notebook": str(one.notebook.path),
        "given": one.given,
        "unfinished": str(one.unfinished),
        "output": str(one.output),
        "data_root": _data_root() if one.parts["data"] else None,
        "note": {"profile": one.profile, "parameters": one.parameters, "run": entry.stem, "parts": one.parts},
    }
    with tempfile.TemporaryFile() as noise:
        child = subprocess.Popen(
            [sys.executable, "-m", "simplebits.run.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=noise,
            text=True,
            encoding="utf-8",
            env=_environment(one, entry, threads),
            start_new_session=True,  # Ctrl-C on a terminal reaches us alone, and we end it in order
        )
        to_child = cast("TextIOWrapper", child.stdin)
        from_child = cast("TextIOWrapper", child.stdout)
        attendant = threading.Thread(target=_attend, args=(one, stop, child, to_child), daemon=True)
        attendant.start()
        result = {}
        try:
            to_child.write(json.dumps(task) + "\n")
            to_child.flush()
            for line in from_child:
                event = json.loads(line)
                result = event.get("result", result)
                if "cell" in event:
                    tell("cell", one, event["cell"], event["of"])
        except (BrokenPipeError, ValueError):
            pass  # it ended, or was ended, before it read its task; what it said is in `noise`
        finally:
            to_child.close()
            from_child.close()
            child.wait()
            attendant.join()
        if not result:
            noise.seek(0)
            said = noise.read().decode(errors="replace").strip().splitlines()[-1:]
            ended = f"its process ended with code {child.returncode} ({''.join(said)})"
            return {"error": "interrupted" if stop.is_set() else ended}
        return result


def spent(one: Job) -> Spent:
    """Add up what earlier, killed runs of this job took whose checkpoints this one goes on from."""
    try:
        return Spent(**json.loads((one.checkpoints / SPENT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Spent(0.0, 0.0)


def _attend(one: Job, stop: threading.Event, child: subprocess.Popen[str], to_child: TextIOWrapper) -> None:
    """Wait while the worker runs: end it when asked to, and keep account of the time beside its checkpoints."""
    before = spent(one)
    start = time.monotonic()
    noted = 0.0  # seconds after the start at which the account was last written
    while child.poll() is None:
        if stop.wait(0.2):
            to_child.close()  # the worker's sign to kill its kernel and leave
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(10)
            child.kill()
            return
        if (elapsed := time.monotonic() - start) > noted + 2 and one.checkpoints.is_dir():
            noted = elapsed
            with contextlib.suppress(OSError):  # an account that cannot be kept must not end the run
                now = Spent(round(before.seconds + elapsed, 1), total(before.processor_seconds, _computed(child.pid)))
                _files.write_text(one.checkpoints / SPENT, json.dumps(now._asdict()))


def total(before: float | None, now: float | None) -> float | None:
    """Add two parts of a run; None if one of them is not known.

    >>> total(1.5, 2.0), total(None, 2.0)
    (3.5, None)
    """
    return None if before is None or now is None else round(before + now, 1)


def _computed(pid: int) -> float | None:
    """Measure the processor seconds of all processes below this one: of the kernel, which still runs."""
    import psutil

    try:
        times = [process.cpu_times() for process in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return None  # one has just ended; the next look is in two seconds
    return sum(t.user + t.system for t in times)


def _environment(one: Job, entry: Path, threads: int | None) -> dict[str, str]:
    env = os.environ | {
        "SIMPLEBITS_RUN": str(entry.resolve()),
        "SIMPLEBITS_CHECKPOINTS": str(one.checkpoints),
        "TQDM_DISABLE": "1",  # a progress bar in a page is noise
        "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel, not one of the same name in the user's home
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    # The kernel runs in another folder: what is meant from here must be found from there.
    for name in ("SIMPLEBITS_DATA", "SIMPLEBITS_RESULTS"):
        if env.get(name):
            env[name] = str(Path(env[name]).expanduser().resolve())
    if threads is not None:
        env["OMP_NUM_THREADS"] = str(min(threads, int(env.get("OMP_NUM_THREADS") or threads)))
    # And it must import the very package whose sources went into the digest.
    paths = [str(Path(path).resolve()) for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    if (digest.PACKAGE.parent / "pyproject.toml").is_file():
        paths.insert(0, str(digest.PACKAGE.parent))
    return env | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))} if paths else env


def _data_root() -> str:
    from simplebits.data import root as data_root

    return str(data_root())

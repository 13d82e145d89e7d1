"""The ledger: one JSON file a run, with where it came from and everything it measured, written whole or not at all.

The runner calls `start_run`, puts the path it returns into the environment variable `SIMPLEBITS_RUN` and calls
`finish_run` at the end; in between `recording.record` adds to that file. A run that is killed keeps what it recorded,
and its status `running`.
"""

from __future__ import annotations

import functools
import json
import os
import secrets
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simplebits import _check, _files, _here
from simplebits.report import provenance
from simplebits.report.verdict import Record

RUN = "SIMPLEBITS_RUN"


@dataclass(frozen=True, eq=False)
class Run:
    """One file of the ledger: `info` says where it came from, `records` what it measured."""

    path: Path
    info: Mapping[str, Any]
    records: tuple[Record, ...]

    @property
    def notebook(self) -> str:
        """The notebook's stem."""
        return self.info["notebook"]

    @property
    def profile(self) -> str:
        """The profile it ran with."""
        return self.info["profile"]

    @property
    def status(self) -> str:
        """`running` (or killed), `complete` or `failed`."""
        return self.info["status"]

    @property
    def started(self) -> str:
        """When, in UTC; sorts as text."""
        return self.info["started"]


def results_folder(repository: Path | None = None) -> Path:
    """Find where the ledger lies: `$SIMPLEBITS_RESULTS`, else `book/results` of this or the present repository."""
    return Path(os.environ.get("SIMPLEBITS_RESULTS") or (repository or provenance.root()) / "book" / "results")


def start_run(
    notebook: str,
    profile: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    command: str = "",
    digest: str = "",
    source: str = "",
    own: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    weights: Mapping[str, Any] | None = None,
    study: Mapping[str, Any] | None = None,
    results: Path | None = None,
) -> Path:
    """Open a run's file.

    Args:
        notebook: stem of the notebook, `01_bits_per_dimension`.
        profile: `smoke`, `laptop`, `standard`, `paper` or one of the reader's own.
        parameters: all of them, with the values of this run.
        command: what the reader types to make this run.
        digest: of everything the run depends on.
        source: digest of the notebook alone.
        own: those parameters that are not the profile's; such runs do not count as what the profile costs.
        data: image set to digest.
        weights: weight file to digest.
        study: of a study: the case, how near it is to the paper's setting, the version and fingerprint of its method.
        results: the ledger's folder, if not the usual one.

    Returns:
        The path of the new file.

    Raises:
        OSError: the folder cannot be written.
    """
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    label = f"{study['case']}.{name}" if study else name
    path = Path(results or results_folder()) / profile / notebook / f"{label}.json"
    run = {
        "id": name,
        "notebook": notebook,
        "profile": profile,
        "parameters": dict(parameters or {}),
        "own": dict(own or {}),
        "command": command,
        "digest": digest,
        "source": source,
        "data": dict(data or {}),
        "weights": dict(weights or {}),
        "versions": _here.versions(provenance.VERSIONS),
        "device": provenance.device(),
        **provenance.commit(provenance.root()),
        **({"study": dict(study)} if study else {}),
        "started": now(),
        "finished": None,
        "status": "running",
        "resumed": 0,
        "seconds": None,
        "processor_seconds": None,
        "peak_memory_mb": None,
        "error": None,
    }
    _files.write_json(path, plain({"format": 1, "run": run, "records": []}))
    return path


def finish_run(
    path: Path,
    status: str,
    seconds: float | int,
    peak_memory_mb: float | int | None = None,
    error: str | None = None,
    processor_seconds: float | int | None = None,
) -> None:
    """Close a run's file.

    Args:
        path: from `start_run`.
        status: `complete`, `failed`, or `paused` where the same file will be gone on with.
        seconds: wall-clock time of the run.
        peak_memory_mb: the most memory it held, if known.
        error: what went wrong, if something did.
        processor_seconds: what it took of all processors together, if known. On one thread it says what the clock would
            on a machine with nothing else to do.
    """
    _check.one_of("status", status, ("complete", "failed", "paused"))
    _check.positive("seconds", seconds, allow_zero=True)
    change(
        Path(path),
        lambda content: content["run"].update(
            status=status,
            seconds=seconds,
            processor_seconds=processor_seconds,
            peak_memory_mb=peak_memory_mb,
            error=error,
            finished=now(),
        ),
    )


def resume_run(path: Path) -> None:
    """Go on with a run's file that was left unfinished, and count that in it."""
    change(
        Path(path),
        lambda content: content["run"].update(status="running", error=None, resumed=content["run"]["resumed"] + 1),
    )


def note(
    *, data: Mapping[str, Any] | None = None, weights: Mapping[str, Any] | None = None, yardstick: float | None = None
) -> None:
    """Add digests of image sets or weights, or the speed of the machine, to the current run; outside one do nothing."""
    if path := os.environ.get(RUN):

        def add(content: dict[str, Any]) -> None:
            content["run"]["data"].update(plain(dict(data or {})))
            content["run"]["weights"].update(plain(dict(weights or {})))
            content["run"] |= {} if yardstick is None else {"yardstick": yardstick}

        change(Path(path), add)


def read(path: Path) -> Run:
    """Read one file of the ledger.

    Raises:
        ValueError: the file is damaged, naming it.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        run = Run(Path(path), content["run"], tuple(map(Record.from_json, content["records"])))
        if not all(isinstance(text, str) for text in (run.notebook, run.profile, run.status, run.started)):
            raise TypeError("the run has no notebook, profile, status or start")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged or no ledger file ({type(error).__name__}: {error}); restore it or delete "
            f"it, and run its notebook again"
        ) from error
    return run


def scan(results: Path | None = None) -> tuple[list[Run], list[str]]:
    """Read all runs, oldest first; write a sentence for every damaged file."""
    readable, damaged = [], []
    for path in sorted(Path(results or results_folder()).glob("*/*/*.json")):
        try:
            stat = path.stat()
            readable.append(_read_once(path, stat.st_mtime_ns, stat.st_size, stat.st_ino))
        except FileNotFoundError:  # gone since the folder was listed
            continue
        except ValueError as error:
            damaged.append(str(error))
    return sorted(readable, key=lambda run: (run.started, run.path.name)), damaged


@functools.lru_cache(10_000)
def _read_once(path: Path, *_: int) -> Run:
    """Read one file; one that changed is read again."""
    return read(path)


def runs(results: Path | None = None, *, notebook: str | None = None, profile: str | None = None) -> list[Run]:
    """Read all runs in the ledger, oldest first; a damaged file is warned of and left out.

    Args:
        results: the ledger's folder, if not the usual one.
        notebook: only this notebook's (its stem).
        profile: only this profile's.
    """
    readable, damaged = scan(results)
    for sentence in damaged:
        warnings.warn(sentence, stacklevel=2)
    return [run for run in readable if notebook in (None, run.notebook) and profile in (None, run.profile)]


def change(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Read, change and rewrite one file, with nobody else between reading and writing."""
    with _files.alone(path.parent):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FileNotFoundError(f"{path}, the ledger file of this run ({RUN}), is gone; start it again") from None
        except ValueError as error:
            raise ValueError(f"{path}, the ledger file of this run, is damaged ({error}); start it again") from error
        change(content)
        _files.write_json(path, content)


def now() -> str:
    """Give the time in UTC, to the second; sorts as text."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def plain(content: Any) -> Any:
    """Convert a value to what JSON holds; what JSON does not know, infinity too, becomes its text."""
    return json.loads(json.dumps(content, default=str), parse_constant=str)

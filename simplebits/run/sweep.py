"""A grid of parameters over one notebook, on a Dask scheduler: a point whose worker dies is repeated, none is lost."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simplebits import _check
from simplebits.run import execute, job, profiles
from simplebits.run.job import Job
from simplebits.run.outcome import Outcome
from simplebits.run.progress import Progress


def parse_grid(words: Sequence[str]) -> dict[str, list[Any]]:
    """Read `["steps=10,20", "size=16"]` as names and values; each value is a YAML literal.

    Raises:
        ValueError: not of the form name=value,value, or a name given twice.

    >>> parse_grid(["steps=10,20", "sizes=[8, 16],[32]"])
    {'steps': [10, 20], 'sizes': [[8, 16], [32]]}
    """
    grid: dict[str, list[Any]] = {}
    for word in words:
        name, equals, values = word.partition("=")
        if not (name and equals and values) or name in grid:
            raise ValueError(f"--grid {word!r}: give each parameter once, as name=value,value,...")
        grid[name] = profiles.parse(f"[{values}]", f"--grid {name}")
    return grid


def points(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """List every combination, the last name varying fastest.

    >>> points({"steps": [10, 20], "size": [16]})
    [{'steps': 10, 'size': 16}, {'steps': 20, 'size': 16}]
    """
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def sweep(
    notebook: str,
    grid: Mapping[str, Sequence[Any]],
    profile: str = profiles.DEFAULT,
    parameters: Mapping[str, Any] | None = None,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    retries: int = 5,
    force: bool = False,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Run a notebook at every point of a grid; points that are up to date are not run again.

    Args:
        notebook: stem, number or file name.
        grid: values by parameter name.
        profile: whose parameters, see `profiles`.
        parameters: the caller's own over the profile's, the same at every point.
        scheduler: address (`tcp://host:8786`) or scheduler file of a running Dask cluster, whose workers must see
            the repository at the same path; None: one on this machine.
        workers: points at a time on this machine; None: as many as it has cores. A cluster has its own number.
        retries: how often a point is given to another worker after one died on it.
        force: run also what is up to date.
        folder: where to look for the repository; None: the working directory.
        progress: who is told.

    Returns:
        One outcome a point, in the order of `points`.

    Raises:
        ValueError: as `job.plan`, before anything runs; also an empty grid or one that repeats a point.
        FileNotFoundError: not inside a checkout.
        ModuleNotFoundError: Dask or papermill is not installed.
        ConnectionError: nobody answers at the scheduler's address, or it went away.
    """
    planned = plan(notebook, grid, profile, parameters, folder)
    return run_points(planned, scheduler, workers, retries, force, progress)


def plan(
    notebook: str,
    grid: Mapping[str, Sequence[Any]],
    profile: str = profiles.DEFAULT,
    parameters: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> list[Job]:
    """Plan the jobs of a sweep, one a point. Arguments and errors as in `sweep`."""
    planned = job.plan([notebook], profile, parameters, folder, points(grid))
    if not grid or not planned or len({one.output for one in planned}) < len(planned):
        raise ValueError(f"grid={dict(grid)!r}: give at least one parameter, each with values that differ")
    return planned


def run_points(
    planned: Sequence[Job],
    scheduler: str | None = None,
    workers: int | None = None,
    retries: int = 5,
    force: bool = False,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Run the points of a sweep whose jobs are already planned; arguments and errors as in `sweep`."""
    _check.positive("retries", retries, integer=True, allow_zero=True)
    if workers is not None:
        _check.positive("workers", workers, integer=True)
    progress = progress or Progress(silent=True)
    progress.total = len(planned)
    outcomes = {} if force else {one: Outcome(one.name, "fresh", one.output) for one in planned if one.fresh()}
    for one, outcome in outcomes.items():
        progress.finished(one, outcome)
    waiting = [one for one in planned if one not in outcomes]
    if waiting:
        with _client(scheduler, min(workers or execute.cores(), len(waiting))) as (client, threads):
            for one, outcome in _run(client, waiting, force, threads, retries):
                progress.finished(one, outcome)
                outcomes[one] = outcome
    progress.close()
    return [outcomes[one] for one in planned]


def _run(
    client: Any, jobs: Sequence[Job], force: bool, threads: int | None, retries: int
) -> Iterator[tuple[Job, Outcome]]:
    """Hand out jobs and yield them as they end; those whose worker died are handed out again."""
    from dask.distributed import as_completed
    from distributed.scheduler import KilledWorker

    def submit(one: Job) -> Any:
        return client.submit(execute.run_job, one, force, threads, pure=False)

    futures, left = {submit(one): one for one in jobs}, dict.fromkeys(jobs, retries)
    done = as_completed(list(futures))
    for future in done:
        one = futures.pop(future)
        if future.status == "finished":
            yield one, future.result()
        elif future.status == "error" and not isinstance(future.exception(), KilledWorker):
            yield one, Outcome(one.name, "failed", one.unfinished, error=f"{future.exception()}")
        elif client.status != "running":
            raise ConnectionError("the scheduler went away; what is finished is kept: give the same command again")
        elif left[one]:
            left[one] -= 1
            futures[again := submit(one)] = one
            done.add(again)
        else:
            error = f"workers died on it {retries + 1} times and more; is there enough memory for one point?"
            yield one, Outcome(one.name, "failed", one.unfinished, error=error)


@contextmanager
def _client(scheduler: str | None, workers: int) -> Iterator[tuple[Any, int | None]]:
    """Make a client of the scheduler; say how many threads a point may take (None: as the cluster is set up)."""
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError as error:
        raise ModuleNotFoundError("sweeps need Dask, not installed here: pip install 'simplebits[cluster]'") from error
    if scheduler is None:
        # No memory limit: a point runs in a process of its own, which Dask does not see. No dashboard: it needs a port.
        local = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address=None,  # pyright: ignore[reportArgumentType] -- Dask's documentation: None for no dashboard
            silence_logs=logging.CRITICAL,
        )
        with local as cluster, Client(cluster) as client:
            yield client, max(1, execute.cores() // workers)
        return
    where: dict[str, Any] = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
    try:
        client = Client(**where, timeout=30)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"no Dask scheduler answers at {scheduler!r} ({error}); give the address it printed at "
            f"its start (tcp://host:port), or its scheduler file"
        ) from error
    with client:
        yield client, None

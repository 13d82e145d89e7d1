"""Run notebooks: each in a process of its own, several at a time, none twice from the same source and parameters."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from simplebits import _check
from simplebits._here import cores
from simplebits.run import job, process, profiles, root
from simplebits.run.job import Job
from simplebits.run.outcome import Outcome
from simplebits.run.progress import Progress


def run(
    notebooks: Iterable[str] = (),
    profile: str = profiles.DEFAULT,
    parameters: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    force: bool = False,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Run notebooks that are not up to date; a failing one does not keep the others from running.

    Args:
        notebooks: stems, numbers or file names; none for all.
        profile: whose parameters, see `profiles`.
        parameters: the caller's own, over the profile's. Such runs are kept beside the profile's, under their own
            names.
        jobs: how many notebooks at a time, one thread each; None: as many as there are cores.
        force: run also what is up to date, from the start.
        folder: where to look for the repository; None: the working directory.
        progress: who is told; None: nobody.

    Returns:
        One outcome a notebook, in the book's order.

    Raises:
        ValueError: unknown notebook, profile or parameter, and more, see `job.plan`; before anything runs.
        FileNotFoundError: not inside a checkout.
        ModuleNotFoundError: papermill is not installed.
    """
    if jobs is not None:
        _check.positive("jobs", jobs, integer=True)
    return run_jobs(job.plan(notebooks, profile, parameters, folder), jobs, force, progress)


def run_jobs(
    planned: Sequence[Job],
    jobs: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
    *,
    within: float | None = None,
) -> list[Outcome]:
    """Run jobs that are already planned; arguments and errors as in `run`.

    Each has one thread: two threads of one process wait for each other on such small work, and on a busy machine for
    everybody.

    Args:
        planned: what to run.
        jobs: how many at a time; None: as many as there are cores.
        force: run also what is up to date, from the start.
        progress: who is told.
        within: seconds after which everything stops; None: never.
    """
    progress = progress or Progress(silent=True)
    events: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
    stop, jobs = threading.Event(), max(1, min(jobs or cores(), len(planned)))
    deadline = None if within is None else time.monotonic() + within

    def work(one: Job) -> Outcome:
        if stop.is_set():
            return Outcome(one.name, "waiting", one.output)
        try:
            outcome = run_job(one, force, 1, stop, lambda *event: events.put(event))
        except (OSError, ValueError) as error:  # the ledger's file could not be written: the others go on
            outcome = Outcome(one.name, "failed", one.unfinished, error=str(error))
        events.put(("finished", one, outcome))
        return outcome

    with ThreadPoolExecutor(jobs, thread_name_prefix="notebook") as pool:
        futures = [pool.submit(work, one) for one in planned]
        try:
            _follow(futures, events, progress, stop, deadline)
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise
        finally:
            progress.close()
    return [future.result() for future in futures]


def _follow(
    futures: Sequence[Future[Outcome]],
    events: SimpleQueue[tuple[Any, ...]],
    progress: Progress,
    stop: threading.Event,
    deadline: float | None,
) -> None:
    """Pass events on to whoever watches, in the calling thread, until all is done or time is up."""
    while not (all(future.done() for future in futures) and events.empty()):
        try:
            kind, *arguments = events.get(timeout=0.2)
        except Empty:
            progress.tick()
            if deadline is not None and time.monotonic() > deadline:
                stop.set()
            continue
        getattr(progress, kind)(*arguments)


def run_job(
    one: Job,
    force: bool = False,
    threads: int | None = None,
    stop: threading.Event | None = None,
    tell: Any = None,
) -> Outcome:
    """Run one job, unless it is up to date, and close its entry in the ledger whatever happens.

    Args:
        one: what to run.
        force: run it even so, and forget checkpoints.
        threads: for the kernel's numerical libraries; None leaves them alone.
        stop: set by whoever wants this run to end at once.
        tell: called with `"started", job` and `"cell", job, number, of`.

    Raises:
        OSError: the ledger cannot be written.
    """
    tell, stop = tell or (lambda *_: None), stop or threading.Event()
    if not force and one.fresh():
        return Outcome(one.name, "fresh", one.output)
    with one.alone() as alone:
        if not alone:
            return Outcome(one.name, "elsewhere", one.output)
        if not force and one.fresh():  # whoever held the lock until now has finished it
            return Outcome(one.name, "fresh", one.output)
        if force:
            for path in one.checkpoints.glob("*"):
                path.unlink()
        return _run_alone(one, threads, stop, tell)


def _run_alone(one: Job, threads: int | None, stop: threading.Event, tell: Any) -> Outcome:
    from simplebits.report import ledger

    tell("started", one)
    entry = one.begin()
    # A run that goes on from checkpoints has taken what the killed ones before it took, too.
    before = process.spent(one)
    clock = time.perf_counter() - before.seconds
    result: dict[str, Any] = {"error": "the run was ended from outside"}
    try:
        result = process.run(one, entry, threads, stop, tell)
    finally:
        seconds = time.perf_counter() - clock
        status = "complete" if result["error"] is None else one.unended if stop.is_set() else "failed"
        computing = process.total(before.processor_seconds, result.get("processor_seconds"))
        ledger.finish_run(entry, status, seconds, result.get("peak_memory_mb"), result["error"], computing)
    if status == "complete":
        shutil.rmtree(one.checkpoints, ignore_errors=True)
        return Outcome(one.name, status, one.output, seconds, result["peak_memory_mb"])
    return Outcome(
        one.name,
        "interrupted" if stop.is_set() else status,
        one.unfinished,
        seconds,
        result.get("peak_memory_mb"),
        result["error"] or "",
        result.get("cell"),
        result.get("source", ""),
        result.get("detail", ""),
    )


def fresh(
    stem: str, profile: str = profiles.DEFAULT, parameters: Mapping[str, Any] | None = None, folder: Path | None = None
) -> bool:
    """Tell whether the executed notebook on disk is up to date. Arguments and errors as in `run`."""
    return all(one.fresh() for one in job.plan([stem], profile, parameters, folder))


def executed_path(
    stem: str, profile: str = profiles.DEFAULT, parameters: Mapping[str, Any] | None = None, folder: Path | None = None
) -> Path:
    """Name the path where the executed notebook lies, or will. Arguments and errors as in `run`."""
    return job.output_path(root.require(folder), stem, profile, parameters)

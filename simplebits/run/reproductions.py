"""What `simplebits reproduce` does with its options: list, run here, on a cluster, or write a script for one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from simplebits.run import console, reproduce, root, snapshot, studies
from simplebits.run.outcome import Outcome
from simplebits.run.reproduce import CaseRun
from simplebits.run.standing import Standing, standings


def command(
    study: str | None,
    cases: Sequence[str],
    *,
    everything: bool,
    within: str | None,
    device: str | None,
    commit: str | None,
    scheduler: str | None,
    slurm: Path | None,
    smoke: bool,
    parameters: Sequence[tuple[str, str]],
    jobs: int | None,
    force: bool,
) -> list[Outcome] | None:
    """Reproduce or list what the command line names; None where nothing was to be run.

    Raises:
        ValueError: options that do not fit each other, and as `reproduce.plan`.
    """
    folder = root.require()
    words = [study, *cases] if study else []
    if study and everything:
        raise ValueError("name a study or give --all, not both")
    seconds = None if within is None else reproduce.within_seconds(within)
    if not (words or everything or smoke or seconds or slurm):
        click.echo(listing(folder))
        return None
    if slurm:
        if parameters or smoke or force or within or scheduler:
            raise ValueError("--slurm only writes a script for cases as they are; leave -p, --smoke, --force out")
        left = standings(folder, studies.choose(folder, words))
        at = snapshot.commit_of(folder, commit) if commit else None
        count = _script(slurm, left, folder, device, at)
        click.echo(f"{slurm}: {count} tasks; hand it in: sbatch {slurm}")
        return None
    if commit:
        # Every other word as it was given, so that the other tree reads the same command.
        given = [word for i, word in enumerate(sys.argv) if word != "--at" and sys.argv[i - 1] != "--at"][1:]
        snapshot.hand_over(folder, commit, [word for word in given if not word.startswith("--at=")])
    planned = reproduce.plan(words, parameters=console.parsed(parameters), device=device, smoke=smoke, folder=folder)
    ready = [one for one in planned if not _tell_missing(one)]
    if scheduler:
        from simplebits.run import sweep

        return sweep.run_points(ready, scheduler, None, 5, force, console.progress(ready))
    outcomes = reproduce.run(ready, jobs, within=seconds, force=force, progress=console.progress(ready))
    passed = smoke and all(outcome.ok for outcome in outcomes)
    if passed and (changed := reproduce.changed_methods(folder, words[:1])):
        raise click.ClickException("\n".join(changed))
    return outcomes


def listing(folder: Path) -> str:
    """Write a line for every study and case: how many numbers, how far it has come, hours left."""
    lines = []
    known = studies.all_of(folder)
    for study in known.values():
        cases = [case for case in study.cases.values() if not case.smoke]
        of_study = standings(folder, cases)
        lines += [f"{study.name}: {study.title}"] + [f"    {_line(standing)}" for standing in of_study]
        if study.diagnosis:
            lines.append(f"    {study.diagnosis.splitlines()[0]}")
    left = [standing for standing in standings(folder, studies.choose(folder, ())) if not standing.done]
    hours = sum(standing.hours for standing in left)
    lines.append(
        f"{len(left)} cases are not done, about {hours:.0f} processor hours. Run: simplebits reproduce STUDY [CASE]"
    )
    return "\n".join(lines)


def _line(standing: Standing) -> str:
    case = standing.case
    if standing.done:
        state = f"done, {standing.hours:.2g} h"
    else:
        state = f"{'unfinished, ' if standing.values else ''}about {standing.hours:.2g} h left"
        state += f", {standing.values} values" if standing.values else ""
        state += ", records by an earlier version" if standing.outdated else ""
    kind = "" if not (case.near or case.reduced) else " (near)" if case.near else " (reduced)"
    count = len(case.numbers)
    return f"{case.name:<24} {count:>3} number{'s' if count != 1 else ' '}{kind:<10} {state}"


def _tell_missing(one: CaseRun) -> bool:
    """Tell, and print, whether the case lacks an image set."""
    from simplebits.run import datasets

    missing = [state.name for state in datasets.states(one.case.data) if not state.ready] if one.case.data else []
    if missing:
        click.echo(f"{one.name}: left out, needs {', '.join(missing)}: simplebits data {' '.join(missing)}", err=True)
    return bool(missing)


def _script(path: Path, cases: Sequence[Standing], folder: Path, device: str | None, commit: str | None) -> int:
    from simplebits.run import slurm

    return slurm.write(path, cases, folder, sys.executable, device, commit)

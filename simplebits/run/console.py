"""What the commands share: options, errors in one sentence, a clean end on Ctrl-C, the last line."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from simplebits.run.job import Job
    from simplebits.run.outcome import Outcome
    from simplebits.run.progress import Progress

Command = Callable[..., None]

profile_option = click.option(
    "--profile",
    "-P",
    default="laptop",
    show_default=True,
    metavar="NAME",
    help="Whose parameters: smoke, laptop (the notebooks' defaults), standard.",
)
force_option = click.option("--force", is_flag=True, help="Run also what is up to date, from the start.")
jobs_option = click.option(
    "--jobs",
    "-j",
    type=click.IntRange(1),
    help="Notebooks at a time, one thread each [default: as many as there are cores].",
)
own_option = click.option(
    "-p",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter of your own (a YAML literal) over the profile's; may be repeated.",
)


def parsed(parameters: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Read parameters as given with -p, their values as YAML literals."""
    from simplebits.run import profiles

    return {name: profiles.parse(value, f"-p {name}") for name, value in parameters}


def progress(planned: Sequence[Job]) -> Progress:
    """Make progress lines whose columns fit these jobs."""
    from simplebits.run.progress import Progress

    return Progress(width=max((len(one.name) for one in planned), default=0))


def list_jobs(planned: Sequence[Job]) -> None:
    """Print every notebook with its parameters and the values a run would take."""
    for one in planned:
        defaults = one.notebook.parameters()
        click.echo(f"{one.notebook.stem}  ({one.profile}: {one.stale() or 'up to date'})")
        for name, value in one.parameters.items():
            default = f"  (default {defaults[name]!r})" if name in one.given else ""
            click.echo(f"    {name} = {value!r}{default}")


def leave(outcomes: Sequence[Outcome]) -> None:
    """Print what failed as the last line, and exit with code 1 if anything did."""
    words = {
        "complete": "run", "fresh": "up to date", "failed": "failed", "interrupted": "unfinished",
        "elsewhere": "run by another process", "waiting": "not begun",
    }  # fmt: skip
    counts = {word: sum(outcome.status == status for outcome in outcomes) for status, word in words.items()}
    click.echo(", ".join(f"{count} {word}" for word, count in counts.items() if count), err=True)
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    for outcome in failed:
        place = f"cell {outcome.cell}: " if outcome.cell else ""
        click.echo(f"  {outcome.name}: {place}{outcome.error}", err=True)
    if failed:
        raise SystemExit(1)


@contextmanager
def usage() -> Iterator[None]:
    """Tell wrong use in a sentence with exit code 2, what went wrong outside with 1; never with a traceback."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except (OSError, ModuleNotFoundError, FloatingPointError) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def interruptible(hint: str = "What is finished is kept; give the same command again for the rest.") -> Iterator[None]:
    """End, at Ctrl-C or a polite kill, everything that was started, and say so."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"Interrupted. {hint}".strip(), err=True)
        raise SystemExit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)

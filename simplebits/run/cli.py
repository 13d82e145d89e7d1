"""The command line, `simplebits`: `run`, `reproduce`, `sweep`, `book`, `data`, `results`, `doctor` and more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from simplebits._version import __version__
from simplebits.run import console

# Nothing heavy is imported here: `simplebits --help` answers at once, and each command imports what it needs.


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="simplebits")
def main() -> None:
    """How little information does a neural network need? Run notebooks, build the book, look at the evidence."""


@main.command()
@click.argument("notebooks", nargs=-1, metavar="[NOTEBOOK]...")
@console.profile_option
@console.own_option
@console.jobs_option
@console.force_option
@click.option("--list", "listing", is_flag=True, help="Run nothing: show notebooks, their parameters and values.")
def run(
    notebooks: Sequence[str],
    profile: str,
    parameters: Sequence[tuple[str, str]],
    jobs: int | None,
    force: bool,
    listing: bool,
) -> None:
    """Run notebooks that are not up to date: all, or those named by stem or number.

    Executed notebooks go to _build/runs/PROFILE, evidence to book/results/PROFILE. A run that was killed goes
    on from its checkpoints when the same command is given again.
    """
    from simplebits.run import execute, job

    with console.usage():
        planned = job.plan(notebooks, profile, console.parsed(parameters))
    if listing:
        return console.list_jobs(planned)
    with console.interruptible():
        outcomes = execute.run_jobs(planned, jobs, force, console.progress(planned))
    return console.leave(outcomes)


@main.command()
@click.argument("study", required=False)
@click.argument("cases", nargs=-1, metavar="[CASE]...")
@click.option("--all", "everything", is_flag=True, help="Every case of every study.")
@click.option("--within", metavar="TIME", help="Stop after 150m, 2h or 90s; what is unfinished can be gone on with.")
@click.option("--device", metavar="NAME", help="Where to compute: cpu, cuda, mps [default: the notebooks' choice].")
@click.option("--at", "commit", metavar="COMMIT", help="Run from a working tree at this commit, made where missing.")
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler: tcp://host:port or scheduler file.")
@click.option("--slurm", type=click.Path(dir_okay=False, path_type=Path), help="Run nothing: write an array script.")
@click.option("--smoke", is_flag=True, help="The tiny cases; then ask whether a method computes something else now.")
@console.own_option
@console.jobs_option
@console.force_option
def reproduce(study: str | None, cases: Sequence[str], **options: Any) -> None:
    r"""Run published tables and figures, case by case; without arguments, list them.

    \b
        simplebits reproduce                        what there is, what is done, hours left
        simplebits reproduce dc_table_2             all cases of a table
        simplebits reproduce dc_table_2 mlp         one case
        simplebits reproduce --all --within 150m --jobs 2

    A case that was killed goes on where it was when the same command is given again, by the commit that began it.
    """
    from simplebits.run import reproductions

    with console.interruptible(), console.usage():
        outcomes = reproductions.command(study, cases, **options)
    if outcomes is not None:
        console.leave(outcomes)


@main.command()
@click.argument("notebook")
@click.option(
    "--grid",
    "-g",
    multiple=True,
    required=True,
    metavar="NAME=V1,V2",
    help="Values of one parameter (YAML literals); may be repeated, every combination is run.",
)
@console.profile_option
@console.own_option
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler: tcp://host:port or scheduler file.")
@click.option("--workers", type=click.IntRange(1), help="Points at a time on this machine [default: its cores].")
@click.option("--retries", default=5, show_default=True, type=click.IntRange(0), help="New tries after a worker died.")
@console.force_option
def sweep(
    notebook: str,
    grid: Sequence[str],
    profile: str,
    parameters: Sequence[tuple[str, str]],
    scheduler: str | None,
    workers: int | None,
    retries: int,
    force: bool,
) -> None:
    r"""Run a notebook at every point of a grid of parameters, on this machine or on a cluster.

    Each point is a run like any other, with a name of its own under _build/runs/PROFILE; points that are up to
    date are not run again, and a point whose worker dies is given to another.

    \b
    On a cluster, start Dask where all workers see this folder; for SLURM with dask-jobqueue:
        from dask_jobqueue import SLURMCluster
        cluster = SLURMCluster(cores=1, memory="8GB", walltime="04:00:00")
        cluster.scale(20)
        print(cluster.scheduler_address)
    and hand the address to --scheduler. PBS, LSF, SGE and others have a class of their own there.
    """
    from simplebits.run import sweep as sweeps

    with console.usage():
        planned = sweeps.plan(notebook, sweeps.parse_grid(grid), profile, console.parsed(parameters))
    with console.interruptible(), console.usage():
        outcomes = sweeps.run_points(planned, scheduler, workers, retries, force, console.progress(planned))
    return console.leave(outcomes)


@main.command()
@console.profile_option
@click.option("--quick", is_flag=True, help="A first look in minutes: profile smoke, each lesson marked as such.")
@click.option("--zip", "zipped", is_flag=True, help="Also the site as one file: _build/simplebits.zip.")
@click.option("--pdf", is_flag=True, help="Also the lessons as one PDF: _build/simplebits.pdf (needs Chromium).")
@console.jobs_option
@console.force_option
def book(profile: str, quick: bool, zipped: bool, pdf: bool, jobs: int | None, force: bool) -> None:
    """Run what is not up to date, then build the website: _build/html/index.html."""
    from simplebits.run import book as books
    from simplebits.run import execute, job, takeaway

    profile = "smoke" if quick else profile
    with console.usage():
        planned = job.plan((), profile)
    with console.interruptible():
        outcomes = execute.run_jobs(planned, jobs, force, console.progress(planned))
        if not all(outcome.ok for outcome in outcomes):
            click.echo("The book is not built: a page without its results would mislead.", err=True)
            console.leave(outcomes)
        try:
            folder = planned[0].notebook.root
            click.echo(books.build(folder, profile))
            if zipped:
                click.echo(takeaway.zipped(folder))
            if pdf:
                click.echo(takeaway.pdf(folder))
        except (RuntimeError, OSError, ValueError) as error:
            raise click.ClickException(str(error)) from error


@main.command()
@click.option("--fit", is_flag=True, help="First train the small network that reads the digits again (minutes).")
def live(fit: bool) -> None:
    """Write what the page "Try it" computes with, and the page alone: _build/live.html opens in any browser."""
    from simplebits.networks import digit_reader
    from simplebits.run import live as page
    from simplebits.run import root

    with console.interruptible(), console.usage():
        folder = root.require()
        if fit:
            click.echo(digit_reader.ship())
        click.echo(page.write(folder))
        click.echo(page.whole(folder))


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Fetch every set.")
def data(names: Sequence[str], everything: bool) -> None:
    """Say which image sets are on this machine, and where; with names, fetch those."""
    from simplebits import data as sets
    from simplebits.run import datasets

    if names or everything:
        with console.usage():
            failures = datasets.fetch(sets.NAMES if everything else names, click.echo)
        if failures:
            raise click.ClickException("\n".join(failures))
        return
    click.echo(f"folder: {sets.root()} (SIMPLEBITS_DATA names another)")
    for state in datasets.states():
        hint = "" if state.ready else f"  fetch it: simplebits data {state.name}"
        click.echo(f"{state.name:<16}{state.state:<12}{hint}".rstrip())


@main.command()
@click.option("--profile", "-P", metavar="NAME", help="Only this profile's runs.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def results(profile: str | None, as_json: bool) -> None:
    """Show the ledger: the newest run of every notebook, and how the papers' numbers fare."""
    import json

    from simplebits import _check
    from simplebits.report.cost import PROFILES
    from simplebits.run import summary

    if profile is not None:
        with console.usage():
            _check.one_of("--profile", profile, (*PROFILES, "study"))
    found = summary.collect(profile=profile)
    click.echo(json.dumps(found, indent=1) if as_json else summary.text(found))


@main.command()
@click.argument("lessons", nargs=-1)
def numbers(lessons: Sequence[str]) -> None:
    """Bring the lessons' numbers to those of their last laptop runs, and their citations to the bibliography."""
    from simplebits.run import numbers as text
    from simplebits.run import root

    with console.usage():
        changed = text.write(root.require(), lessons)
    click.echo(f"{', '.join(changed) or 'no lesson'} changed")


@main.command()
def doctor() -> None:
    """Say what is installed, what is missing and how to mend it; exit code 0 if the book can be built."""
    from simplebits.run import doctor as doctors

    bad = 0
    for finding in doctors.examine():
        bad += finding.level == "bad"
        click.echo(f"{finding.level.upper() if finding.level == 'bad' else finding.level:<6}{finding.text}")
        if finding.mend:
            click.echo(f"      mend it: {finding.mend}")
    click.echo(f"The book cannot be built yet: {bad} to mend." if bad else "The book can be built: simplebits book")
    raise SystemExit(bool(bad))


@main.command("fit-density")
@click.argument("name")
@click.option("--steps", type=click.IntRange(1), help="Updates, instead of the recipe's.")
@click.option("--device", default="cpu", show_default=True, help="Where to fit: cpu, cuda, mps.")
@click.option("--checkpoint", type=click.Path(dir_okay=False, path_type=Path), help="File to save to and go on from.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder [default: the package's].")
def fit_density(name: str, steps: int | None, device: str, checkpoint: Path | None, output: Path | None) -> None:
    """Make shipped weights again, with the card that says what they are and measure. CIFAR-10 must be at hand.

    NAME is glow, glow-5bit, glow-16px, pixelcnn-16px or diffusion-16px.
    """
    import torch

    from simplebits.density import recipes, weights

    hint = "Give the same command again and it goes on from the checkpoint." if checkpoint else ""
    with console.interruptible(hint), console.usage():
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"--device {device}: torch {torch.__version__} has no such device here") from error
        click.echo(recipes.ship(name, output or weights.FOLDER, checkpoint, device, steps=steps))


@main.group()
def export() -> None:
    """Write a density for other programs to use."""


@export.command("onnx")
@click.argument("name")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File [default: NAME.onnx, here].")
@click.option("--bits-only", is_flag=True, help="Leave the gradient out: half the time, for what only measures.")
def export_onnx(name: str, output: Path | None, bits_only: bool) -> None:
    """Write shipped weights as an ONNX graph: images in, bits per dimension and their gradient out.

    NAME is glow, glow-5bit or glow-16px. The graph takes any number of images, float32 [n, 3, h, w] in [0, 1]. It holds
    one draw of the noise that spreads grey levels over their bins.
    """
    from simplebits import density

    with console.interruptible(""), console.usage():
        click.echo(density.export_onnx(density.load(name), output or Path(f"{name}.onnx"), gradient=not bits_only))


@main.command()
@click.argument("url", required=False)
@click.option("--check", is_flag=True, help="Only look: exit code 1 if anything names another address.")
def address(url: str | None, check: bool) -> None:
    """Print the repository's public address; with URL, change it everywhere: badges, buttons, install cells."""
    from simplebits.run import address as addresses
    from simplebits.run import root

    with console.usage():
        folder = root.require()
        if url and check:
            raise ValueError("give an address or --check, not both")
        for path in addresses.change(folder, url) if url else ():
            click.echo(f"changed {path.relative_to(folder)}")
        present = addresses.current(folder)
        if check and (found := addresses.disagreements(folder)):
            raise click.ClickException(
                "\n".join(
                    (
                        f"{len(found)} places disagree with {present}:",
                        *found,
                        f"mend them: simplebits address {present}",
                    )
                )
            )
        click.echo(present)


if __name__ == "__main__":
    main()

"""A job: one notebook with its parameters, what it depends on, and where its result goes."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simplebits.run import digest, profiles, root
from simplebits.run import notebook as notebooks
from simplebits.run.notebook import Notebook


@dataclass(frozen=True, eq=False)
class Job:
    """One run to be made.

    Attributes:
        notebook: what is run.
        profile: whose parameters.
        given: parameters passed to the notebook, the profile's and the caller's own.
        own: those of `given` that are the caller's own.
        parts: what the run depends on, see `digest.parts`.
        output: the executed notebook; there once the run is complete.
        checkpoints: folder for what long loops save, so that a killed run goes on from there.
    """

    notebook: Notebook
    profile: str
    given: dict[str, Any]
    own: dict[str, Any]
    parts: dict[str, Any] = field(repr=False)
    output: Path
    checkpoints: Path

    @property
    def name(self) -> str:
        """Short name for progress lines: the stem, and the caller's own parameters."""
        return self.output.stem

    @property
    def digest(self) -> str:
        """One digest of everything the run depends on."""
        return digest.total(self.parts)

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters with the values the run takes."""
        return self.notebook.parameters() | self.given

    @property
    def unfinished(self) -> Path:
        """The notebook while it runs, and what a failed run leaves to look at; never taken for a result."""
        return self.output.with_suffix(".unfinished.ipynb")

    @property
    def command(self) -> str:
        """The command that makes this run."""
        return f"simplebits run {self.notebook.stem} --profile {self.profile}{self.own_words}"

    @property
    def own_words(self) -> str:
        """The caller's own parameters as the command line takes them."""
        return "".join(f" -p {name} {shlex.quote(json.dumps(value))}" for name, value in self.own.items())

    @property
    def unended(self) -> str:
        """The ledger's word for a run that was interrupted."""
        return "failed"

    def begin(self) -> Path:
        """Open the run's file in the ledger.

        Raises:
            OSError: it cannot be written.
        """
        from simplebits.report import ledger

        return ledger.start_run(
            self.notebook.stem,
            self.profile,
            self.parameters,
            command=self.command,
            digest=self.digest,
            source=self.parts["source"],
            own=self.own,
            data=digest.data_sums(self.parameters),
            weights=self.parts["weights"],
            results=ledger.results_folder(self.notebook.root),
        )

    def alone(self) -> contextlib.AbstractContextManager[bool]:
        """Hold the job's lock; False where another process has it. Runs of a profile have files of their own."""
        return contextlib.nullcontext(True)

    def recorded(self) -> dict[str, Any] | None:
        """Read what the complete run on disk says of itself; None if there is none."""
        try:
            return json.loads(self.output.read_text(encoding="utf-8"))["metadata"]["simplebits"]
        except (OSError, ValueError, KeyError):
            return None

    def fresh(self) -> bool:
        """Tell whether the run on disk is of exactly this: same source, parameters, package, versions and data."""
        return not self.stale()

    def stale(self) -> str:
        """Say why the notebook must be run; empty if it is up to date."""
        last_run = self.recorded()
        if last_run is None:
            return "not run yet"
        if last_run.get("digest") == self.digest:
            return ""
        return f"changed since its last run: {digest.changes(last_run.get('parts', {}), self.parts)}"


def plan(
    names: Iterable[str] = (),
    profile: str = profiles.DEFAULT,
    parameters: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    points: Sequence[Mapping[str, Any]] = ({},),
) -> list[Job]:
    """Plan jobs for these notebooks, everything checked before anything starts.

    Args:
        names: stems, numbers or file names; none for all notebooks.
        profile: `laptop`, or a file under `notebooks/profiles`.
        parameters: the caller's own, over the profile's; every notebook must know every one.
        folder: where to look for the repository; None: the working directory.
        points: a sweep's parameters, over all others: one job a notebook and point.

    Raises:
        ValueError: an unknown notebook, profile or parameter (the nearest known one is named), a value of the wrong
            kind, or a notebook that says something else than its script.
        FileNotFoundError: not inside a checkout.
        ModuleNotFoundError: papermill is not installed.
    """
    if importlib.util.find_spec("papermill") is None:
        raise ModuleNotFoundError("papermill, which runs notebooks, is not installed: pip install 'simplebits[book]'")
    folder = root.require(folder)
    chosen, values = notebooks.resolve(folder, names), profiles.load(folder, profile)
    wanted = []
    for notebook in chosen:
        for point in points:
            own = {**(parameters or {}), **point}
            wanted.append((notebook, own, profiles.given(notebook, profile, values.get(notebook.stem, {}), own)))
    for notebook in chosen:
        if notebook.pair_differs():
            raise ValueError(
                f"{notebook.path.name} and its script {notebook.stem}.py differ: which one is meant? "
                f"The .py: {notebooks.MEND}; the .ipynb: {notebooks.MEND} py"
            )
    shared = digest.shared(folder)
    return [_job(notebook, profile, given, own, shared) for notebook, own, given in wanted]


def _job(notebook: Notebook, profile: str, given: dict[str, Any], own: dict[str, Any], shared: dict[str, Any]) -> Job:
    parts = shared | digest.own(notebook, notebook.parameters() | given)
    return Job(
        notebook,
        profile,
        given,
        own,
        parts,
        output=output_path(notebook.root, notebook.stem, profile, own),
        checkpoints=notebook.root / "_build" / "checkpoints" / profile / notebook.stem / digest.total(parts)[:16],
    )


def output_path(folder: Path, stem: str, profile: str, own: Mapping[str, Any] | None = None) -> Path:
    """Name the path of the executed notebook; runs with parameters of the caller's own have names of their own.

    >>> output_path(Path("/book"), "02_glow", "smoke", {"steps": 20}).as_posix()
    '/book/_build/runs/smoke/02_glow@steps=20.ipynb'
    """
    if own:
        label = ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(own.items()))
        plain = re.sub(r"[^\w.,=+-]+", "", label)
        if len(plain) > 80 or plain != label.replace('"', "").replace(" ", ""):
            plain = f"{plain[:60]},{hashlib.sha256(label.encode()).hexdigest()[:8]}"
        stem = f"{stem}@{plain}"
    return folder / "_build" / "runs" / profile / f"{stem}.ipynb"

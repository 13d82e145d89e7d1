"""Run cases of studies: resumable, cheapest first, one thread each, on this machine or on a cluster.

A case runs as a notebook does, see `execute`, with three differences. Its ledger file is gone on with after a kill,
not begun anew, so that values appear one by one. It is gone on with only by the commit that began it. And the first
case of a study at a commit is preceded by the study's smoke case, whose fingerprint goes into every record.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simplebits import _check, _files
from simplebits.report.evidence import HOW
from simplebits.run import digest, execute, profiles, root, studies
from simplebits.run.job import Job
from simplebits.run.outcome import Outcome
from simplebits.run.progress import Progress
from simplebits.run.standing import PROFILE, Standing, runs, standings
from simplebits.run.studies import SMOKE, Case, Study

BEGUN = ".begun.json"  # a file among the checkpoints


@dataclass(frozen=True, eq=False)
class CaseRun(Job):
    """A job that runs one case of a study."""

    case: Case
    study: Study

    @property
    def name(self) -> str:
        """`dc_table_2 mlp`."""
        return str(self.case)

    @property
    def command(self) -> str:
        """The command that makes this run."""
        return f"simplebits reproduce {self.case.study} {self.case.name}{self.own_words}"

    def fresh(self) -> bool:
        """Tell whether the ledger holds the case, by this version of the method, with all units that are asked for.

        A smoke case, and a case with parameters of the caller's own, must have been run just as it is now.
        """
        if self.case.smoke or set(self.own) - {*self.study.units, *HOW}:
            return self.same() is not None
        asked = replace(self.case, parameters={**self.case.parameters, **self.own})
        return Standing.of(self.study, asked, runs(self.notebook.root)).done

    def same(self) -> Any:
        """Find the newest complete run of the same notebook, parameters, package and versions."""
        from simplebits.report import ledger

        past = ledger.runs(ledger.results_folder(self.notebook.root), notebook=self.study.name, profile=self.profile)
        same = [run for run in past if run.status == "complete" and run.info["digest"] == self.digest]
        return same[-1] if same else None

    def stale(self) -> str:
        """Say how far the case has come."""
        return "" if self.fresh() else "resumed" if self.begun() else "begun"

    def begun(self) -> dict[str, Any] | None:
        """Find the commit that began the unfinished run whose checkpoints are here, and its ledger file."""
        path = self.checkpoints / BEGUN
        note = _files.read_json(path) if path.is_file() else None
        return note if note and Path(note["entry"]).is_file() else None

    def begin(self) -> Path:
        """Go on with the ledger file of the killed run, or open one.

        Raises:
            ValueError: it was begun by another version of the library, the notebook or the case.
        """
        from simplebits.report import ledger

        of_this = self.identity()
        if unfinished := self.begun():
            if unfinished["of"] != of_this:
                raise ValueError(
                    f"{self.name} was begun by another version of the library, its notebook or its case, at commit "
                    f"{unfinished['commit']}. Go on there (simplebits reproduce --at {unfinished['commit']} "
                    f"{self.name}), or begin anew here: --force"
                )
            ledger.resume_run(Path(unfinished["entry"]))
            return Path(unfinished["entry"])
        _empty(self.checkpoints)  # of a run whose ledger file is gone
        counts = not self.case.smoke
        about = {
            "case": self.case.name, "near": self.case.near, "reduced": self.case.reduced,
            "numbers": list(self.case.numbers), "version": self.study.version, "study": self.study.name,
            "units": list(self.study.units), "fingerprint": fingerprint(self.study) if counts else {},
        }  # fmt: skip
        entry = ledger.start_run(
            self.study.name, self.profile, self.parameters, command=self.command, digest=self.digest,
            source=self.parts["source"], own=self.own, data=digest.data_sums(self.parameters),
            weights=self.parts["weights"], study=about, results=ledger.results_folder(self.notebook.root),
        )  # fmt: skip
        if counts:
            note = {"commit": ledger.read(entry).info["commit"], "of": of_this, "entry": str(entry.resolve())}
            _files.write_json(self.checkpoints / BEGUN, note)
        return entry

    def identity(self) -> dict[str, Any]:
        """List what must be equal for a killed run to be gone on with."""
        parts = {name: self.parts[name] for name in ("source", "parameters")}
        return parts | {"package": _package(), "level": self.case.level, "version": self.study.version}

    @property
    def unended(self) -> str:
        """The status of a run that was interrupted: the next one goes on with its file."""
        return "paused"

    def alone(self) -> contextlib.AbstractContextManager[bool]:
        """Hold this case's lock; False if another process of this machine has it."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        return _files.alone(self.checkpoints, wait=False)


def plan(
    words: Sequence[str] = (),
    *,
    parameters: Mapping[str, Any] | None = None,
    device: str | None = None,
    smoke: bool = False,
    folder: Path | None = None,
) -> list[CaseRun]:
    """Plan runs of the cases that are named (all for no words), the cheapest for what they judge first.

    Args:
        words: a study, and cases of it.
        parameters: the caller's own, over the case's; such runs do not count, unless the parameter only lists units.
        device: where to compute; None: the notebooks' choice.
        smoke: the smoke cases in their place.
        folder: where to look for the repository; None: the working directory.

    Raises:
        ValueError: an unknown study, case or parameter, or one that a study's file has wrong.
        FileNotFoundError: not inside a checkout.
    """
    folder = root.require(folder)
    chosen = studies.choose(folder, words)
    if smoke:
        names = dict.fromkeys(case.study for case in chosen) or studies.all_of(folder)
        chosen = [case for name in names for case in studies.load(folder, name).smokes]
    ordered = [standing.case for standing in sorted(standings(folder, chosen), key=_price)]
    known, shared = studies.all_of(folder), digest.shared(folder)
    return [_run(known[case.study], case, dict(parameters or {}), device, shared) for case in ordered]


def run(
    planned: Sequence[CaseRun],
    jobs: int | None = None,
    *,
    within: float | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Run cases that are not done, one thread each; what is unfinished when time is up can be gone on with.

    Args:
        planned: from `plan`.
        jobs: how many at a time; None: as many as there are cores.
        within: seconds after which everything stops; None: never.
        force: run also what is done, from the start.
        progress: who is told.
    """
    if jobs is not None:
        _check.positive("jobs", jobs, integer=True)
    begun, waiting = time.monotonic(), [one for one in planned if force or not one.fresh()]
    broken: dict[str, str] = {}
    for study in {one.study.name: one.study for one in waiting if not one.case.smoke}.values():
        try:
            fingerprint(study)
        except ChildProcessError as error:  # the other studies go on
            broken[study.name] = str(error)
    able = [one for one in planned if one.study.name not in broken or one.case.smoke]
    left = None if within is None else max(1.0, within - (time.monotonic() - begun))
    outcomes = execute.run_jobs(able, jobs, force, progress, within=left) if able else []
    unable = [one for one in planned if one not in able]
    return [*outcomes, *(Outcome(one.name, "failed", one.output, error=broken[one.study.name]) for one in unable)]


def fingerprint(study: Study) -> dict[str, list[float]]:
    """Gather what the study's smoke cases compute with the present library; run what the ledger does not hold yet.

    Raises:
        ChildProcessError: a smoke case fails.
    """
    computed = {}
    for case in study.smokes:
        one = _run(study, case, {}, None, digest.shared(study.notebook.root))
        one.checkpoints.parent.mkdir(parents=True, exist_ok=True)
        with _files.alone(one.checkpoints.parent):  # several tasks may begin at once; one of them runs it
            if not one.fresh():
                outcome = execute.run_job(one, threads=1)
                if not outcome.ok:
                    raise ChildProcessError(f"{one.name} fails, so nothing of it can be trusted: {outcome.error}")
        label = "" if case.name == SMOKE else f"{case.name}: "
        computed |= {f"{label}{name}": numbers for name, numbers in one.same().info.get("fingerprint", {}).items()}
    return computed


def changed_methods(folder: Path, names: Sequence[str] = ()) -> list[str]:
    """List studies whose method computes something else than their records say, a sentence each.

    Args:
        folder: the repository.
        names: of studies; all for none.
    """
    from simplebits.report.study import differences

    sentences = []
    ledger_runs = runs(folder)
    for name in names or studies.all_of(folder):
        study = studies.load(folder, name)
        kept = [
            run for run in ledger_runs
            if run.info["study"]["study"] == name and run.info["study"]["version"] == study.version
        ]  # fmt: skip
        if not kept:
            continue
        now = fingerprint(study)
        different = {
            (run.info["commit"] or "?")[:9]: changes
            for run in kept
            if (changes := differences(now, run.info["study"]["fingerprint"], study.tolerance))
        }
        for commit, changes in different.items():
            sentences.append(
                f"{name}: its method computes something else than for the records made at {commit} ({changes[0]}). If "
                f"that is meant, say so in CHANGELOG.md and raise `version` in notebooks/studies/{name}.yml"
            )
    return sentences


def _run(study: Study, case: Case, own: dict[str, Any], device: str | None, shared: dict[str, Any]) -> CaseRun:
    notebook, profile = study.notebook, SMOKE if case.smoke else PROFILE
    given = profiles.given(notebook, str(case), case.parameters, own)
    if device is not None and "device" in notebook.parameters():
        given["device"] = device
    parts = shared | digest.own(notebook, notebook.parameters() | given)
    build = notebook.root / "_build"
    label = case.name if not own else f"{case.name}@{digest.total(own)[:8]}"
    return CaseRun(
        notebook, profile, given, own, parts,
        output=build / "runs" / profile / study.name / f"{label}.ipynb",
        checkpoints=build / "checkpoints" / profile / study.name / label,
        case=case, study=study,
    )  # fmt: skip


def _price(standing: Standing) -> tuple[bool, float]:
    """Compute what a case costs for each number that it judges; what is done comes last."""
    return standing.done, standing.hours / max(1, len(standing.case.numbers))


def _empty(folder: Path) -> None:
    for path in folder.glob("*"):
        path.unlink()


def _package() -> str:
    """Compute a digest of the library's sources."""
    return digest.shared(digest.PACKAGE.parent)["package"]


def within_seconds(text: str) -> float:
    """Convert a time such as `150m`, `9m`, `2h`, `90s` to seconds.

    Raises:
        ValueError: none of these.

    >>> within_seconds("150m"), within_seconds("2h"), within_seconds("1.5h")
    (9000.0, 7200.0, 5400.0)
    """
    scales = {"s": 1, "m": 60, "h": 3600}
    try:
        seconds = float(text[:-1]) * scales[text[-1]]
    except (ValueError, KeyError, IndexError):
        raise ValueError(f"--within {text!r}: give a time such as 150m, 2h or 90s") from None
    _check.positive("--within", seconds)
    return seconds

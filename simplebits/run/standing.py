"""How far each case of a study has come, by the ledger: done, unfinished, of an earlier version; the hours left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simplebits.report.evidence import HOW
from simplebits.run import studies
from simplebits.run.studies import Case, Study

PROFILE = "study"  # the folder of the ledger that holds cases


@dataclass(frozen=True)
class Standing:
    """How far a case has come, by the ledger.

    Attributes:
        case: which.
        done: a complete run of this version of the study, with the case's own parameters, is there.
        values: how many values its unfinished run has recorded.
        outdated: there are only runs by earlier versions of the method.
        hours: processor hours: those of a complete run; else the estimate less what the unfinished run has taken.
        measured: whether `hours` come from a complete run.
    """

    case: Case
    done: bool
    values: int
    outdated: bool
    hours: float
    measured: bool

    @classmethod
    def of(cls, study: Study, case: Case, ledger_runs: Sequence[Any]) -> Standing:
        """Look a case up among the runs of the ledger."""
        of_case = [run for run in ledger_runs if _is_of(run, case) and not _altered(run, study, case)]
        here = [run for run in of_case if run.info["study"]["version"] == study.version]
        complete = [run for run in here if run.status == "complete"]
        if complete and _covered(complete, study, case):
            took = sum(run.info["processor_seconds"] or run.info["seconds"] for run in complete)
            return cls(case, True, 0, False, took / 3600, True)
        spent = max((run.info.get("processor_seconds") or 0 for run in here), default=0) / 3600
        values = sum(len(record.values) for run in here[-1:] for record in run.records)
        return cls(case, False, values, bool(of_case) and not here, max(case.cpu_hours - spent, 0.02), False)


def runs(folder: Path) -> list[Any]:
    """List the ledger's runs of studies, oldest first."""
    from simplebits.report import ledger

    return ledger.runs(ledger.results_folder(folder), profile=PROFILE)


def standings(folder: Path, cases: Sequence[Case]) -> list[Standing]:
    """Tell how far these cases have come."""
    past, known = runs(folder), studies.all_of(folder)
    return [Standing.of(known[case.study], case, past) for case in cases]


def _is_of(run: Any, case: Case) -> bool:
    about = run.info.get("study", {})
    return about.get("study") == case.study and about.get("case") == case.name


def _altered(run: Any, study: Study, case: Case) -> bool:
    """Tell whether a run had other parameters than its case has now, but for which units are measured."""
    had, free = run.info["parameters"], {*study.units, *HOW}
    typed = set(run.info.get("own", {})) - free
    now = json.loads(json.dumps(dict(case.parameters)))
    return bool(typed) or any(had.get(name) != value for name, value in now.items() if name not in free)


def _covered(complete: Sequence[Any], study: Study, case: Case) -> bool:
    """Tell whether these runs together have measured all units that the case lists."""
    wanted = study.notebook.parameters() | dict(case.parameters)
    for name in study.units:
        had = [run.info["parameters"].get(name) for run in complete]
        if isinstance(wanted.get(name), list):
            if not set(map(str, wanted[name])) <= {str(unit) for units in had for unit in units or ()}:
                return False
        elif max((number for number in had if isinstance(number, int | float)), default=0) < (wanted.get(name) or 0):
            return False
    return True

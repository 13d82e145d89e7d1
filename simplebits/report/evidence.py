"""Which record stands for a published number: the strictest setting, then the newest, runs of one case joined."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from simplebits.report import ledger
from simplebits.report.verdict import SETTINGS, Record

HOW = ("device", "compiled")  # parameters that say where and how something is computed, not what
_SEVERITY = {"not reproduced": 2, "differs": 2, "trend fails": 2, "unresolved": 1}


@dataclass(frozen=True)
class Evidence:
    """A record and the runs that it was made in.

    Attributes:
        record: of several machines or runs of one case: with the units of all of them.
        runs: one or more, oldest first.
        outdated: made by an earlier version of the method: its study's `version` was raised since.
    """

    record: Record
    runs: tuple[ledger.Run, ...]
    outdated: bool = False

    @property
    def run(self) -> ledger.Run:
        """The newest of its runs."""
        return self.runs[-1]

    @property
    def rank(self) -> tuple[Any, ...]:
        """Larger is better: by the present version of the method, then in the strictest setting, then the newest."""
        return not self.outdated, SETTINGS.index(self.record.level), self.run.started, self.run.path.name


@dataclass(frozen=True)
class Present:
    """What the file of a study says now; records keep what it said when they were made.

    Attributes:
        version: of the method.
        units: parameters that only list independent units.
        levels: of each case: `paper`, `near` or `reduced`.
    """

    version: int
    units: tuple[str, ...]
    levels: Mapping[str, str]


def gather(runs: Iterable[ledger.Run], present: Mapping[str, Present] | None = None) -> list[Evidence]:
    """Gather all records that studies made, the runs of one case joined.

    What a lesson records is no evidence: its settings are chosen for a newcomer's time. Neither is a run with a
    reader's own parameters, unless these only list other units. Runs are joined only where everything else is equal.

    Args:
        runs: of the ledger, oldest first; those of `smoke` are left out, being too small to say anything.
        present: what each study's file says now; None: whatever the records say holds.
    """
    joined: dict[str, list[tuple[Record, ledger.Run]]] = {}
    for run in runs:
        about = run.info.get("study")
        if not about or run.profile == "smoke":
            continue
        now = (present or {}).get(about["study"])
        units = {*(now.units if now else about.get("units", ())), *HOW}
        if set(run.info.get("own", {})) - units:
            continue
        parameters = {name: value for name, value in run.info["parameters"].items() if name not in units}
        for record in run.records:
            record = _relabelled(record, now.levels.get(about["case"], "reduced") if now else record.level)
            whole = [
                about["study"], about["case"], about["version"], parameters, record.name, record.setting, record.level,
                record.near,
            ]  # fmt: skip
            joined.setdefault(json.dumps(whole, sort_keys=True), []).append((record, run))
    gathered = []
    for pieces in joined.values():
        about = pieces[-1][1].info["study"]
        outdated = present is not None and getattr(present.get(about["study"]), "version", None) != about["version"]
        made_in = tuple(dict.fromkeys(run for _, run in pieces))
        gathered.append(Evidence(_join([record for record, _ in pieces]), made_in, outdated))
    return gathered


def best(gathered: Iterable[Evidence]) -> dict[str, Evidence]:
    """Choose the evidence that stands for each published number or claim, by key.

    Of several cases that test one claim in equally strict settings (on several image sets, say) the worst verdict
    stands: a claim that fails on one of them does not hold.
    """
    chosen: dict[str, Evidence] = {}
    for one in gathered:
        said = one.record.published
        if said is not None and (said.key not in chosen or _order(one) > _order(chosen[said.key])):
            chosen[said.key] = one
    return chosen


def _order(one: Evidence) -> tuple[Any, ...]:
    current, level, *newest = one.rank
    said = one.record.published
    is_claim = said is None or said.value is None
    worst = _SEVERITY.get(one.record.verdict, 0) if is_claim else 0
    return current, level, worst, *newest


def _relabelled(record: Record, level: str) -> Record:
    """Put a record in the looser of two settings: the one that it was made with, and what its case is called now."""
    if record.published is None or SETTINGS.index(level) >= SETTINGS.index(record.level):
        return record
    return replace(record, same_setting=False, near=record.near or "see its case" if level == "near" else "")


def _join(records: list[Record]) -> Record:
    """Make one record with the units of all; a unit measured twice counts once, as measured last."""
    newest = records[-1]
    if newest.groups:
        groups: dict[str, dict[str, float]] = {}
        for record in records:
            for name, values in record.groups.items():
                groups.setdefault(name, {}).update(values)
        if newest.pairs is None:
            return replace(newest, groups=groups)
        a, b = groups.values()  # a correlation of pairs
        r = statistics.correlation(list(a.values()), [b[unit] for unit in a])
        return replace(newest, groups=groups, values=(r,), pairs=len(a))
    if newest.pairs is not None or not newest.units:
        return max(records, key=lambda record: (record.pairs or 0, record.time))
    values = {unit: value for record in records for unit, value in zip(record.units, record.values, strict=True)}
    nested = {unit: values_within for record in records for unit, values_within in record.nested.items()}
    return replace(newest, values=tuple(values.values()), units=tuple(values), nested=nested)

"""Which record stands for a published number: the strictest setting, then the newest, runs of one case joined."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from simplebits.report import ledger
from simplebits.report.verdict import SETTINGS, Record


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


def gather(runs: Iterable[ledger.Run], versions: Mapping[str, int] | None = None) -> list[Evidence]:
    """All records that studies made, the runs of one case joined.

    What a lesson records is no evidence: its settings are chosen for a newcomer's time.

    Args:
        runs: of the ledger, oldest first; those of `smoke` are left out, being too small to say anything.
        versions: of each study, as it is now; None: nothing is outdated.
    """
    joined: dict[tuple[str, ...], list[tuple[Record, ledger.Run]]] = {}
    for run in runs:
        about = run.info.get("study")
        if about and run.profile != "smoke":
            for record in run.records:
                setting = json.dumps([record.setting, record.level, record.near], sort_keys=True)
                key = (about["study"], about["case"], str(about["version"]), record.name, setting)
                joined.setdefault(key, []).append((record, run))
    found = []
    for (study, *_), pieces in joined.items():
        version = pieces[-1][1].info["study"]["version"]
        outdated = versions is not None and versions.get(study) != version
        made_in = tuple(dict.fromkeys(run for _, run in pieces))
        found.append(Evidence(_join([record for record, _ in pieces]), made_in, outdated))
    return found


def best(found: Iterable[Evidence]) -> dict[str, Evidence]:
    """The evidence that stands for each published number or claim, by key."""
    chosen: dict[str, Evidence] = {}
    for one in found:
        said = one.record.published
        if said is not None and (said.key not in chosen or one.rank > chosen[said.key].rank):
            chosen[said.key] = one
    return chosen


def _join(records: list[Record]) -> Record:
    """One record with the units of all; a unit measured twice counts once, as measured last."""
    newest = records[-1]
    if newest.groups:
        groups: dict[str, dict[str, float]] = {}
        for record in records:
            for name, values in record.groups.items():
                groups.setdefault(name, {}).update(values)
        first = next(iter(groups.values()))
        return replace(newest, groups=groups, values=tuple(first.values()), units=tuple(first))
    if newest.pairs is not None or not newest.units:
        return max(records, key=lambda record: (record.pairs or 0, record.time))
    values = {unit: value for record in records for unit, value in zip(record.units, record.values, strict=True)}
    return replace(newest, values=tuple(values.values()), units=tuple(values))

"""The page of each study, made from its file and the ledger: claim, table, what differs, what explains a miss, cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from simplebits.report import ledger
from simplebits.report.cost import duration
from simplebits.report.evidence import Evidence, Present, best, gather
from simplebits.report.published import everything, without_case
from simplebits.report.scoreboard import Row, counts
from simplebits.report.words import escape, pretty
from simplebits.run import studies
from simplebits.run.standing import Standing
from simplebits.run.studies import Case, Study


def present(known: Mapping[str, Study]) -> dict[str, Present]:
    """What each study's file says now."""
    return {
        name: Present(study.version, study.units, {case.name: case.level for case in study.cases.values()})
        for name, study in known.items()
    }


def pages(root: Path) -> dict[str, str]:
    """Markdown of every study's page, by the study's name."""
    known = studies.all_of(root)
    found = gather(ledger.runs(ledger.results_folder(root)), present(known))
    chosen = best(found)
    return {name: page(study, chosen, found) for name, study in known.items()}


def page(study: Study, chosen: Mapping[str, Evidence], found: list[Evidence]) -> str:
    """One page.

    Args:
        study: which.
        chosen: the evidence that stands for each published number.
        found: all of it, for what this study measured beside.
    """
    said = everything()
    rows = [Row(said[key], chosen.get(key)) for key in study.numbers]
    cases = [case for case in study.cases.values() if not case.smoke]
    beside = [one for one in found if one.record.published is None and _is_of(one, study)]
    parts = [
        f"# {study.title}",
        f"**The paper:** {study.claims.strip()}",
        f"**Here:** {study.measured.strip()}" if study.measured else "",
        f"{len(rows)} numbers and claims: {counts(rows)}.",
        _numbers([row for row in rows if row.published.value is not None]),
        _claims([row for row in rows if row.published.value is None]),
        _beside(beside),
        "## What differs\n\n" + "\n".join(f"* {line}" for line in _differences(study, cases)),
        f"## What explains a miss\n\n{study.diagnosis.strip()}" if study.diagnosis.strip() else "",
        _commands(study, cases, found),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def index(root: Path) -> str:
    """A table of all studies with their verdicts, and what has no study, with the reason."""
    known = studies.all_of(root)
    chosen = best(gather(ledger.runs(ledger.results_folder(root)), present(known)))
    said = everything()
    lines = ["| study | numbers and claims | verdicts |", "|---|---:|---|"]
    for name, study in known.items():
        rows = [Row(said[key], chosen.get(key)) for key in study.numbers]
        lines.append(f"| {{doc}}`{study.title} </book/studies/{name}>` | {len(rows)} | {counts(rows)} |")
    reasons: dict[str, list[str]] = {}
    for key, reason in without_case().items():
        reasons.setdefault(reason, []).append(key)
    left = [f"* {len(keys)}: {escape(reason)}" for reason, keys in reasons.items()]
    return "\n".join([*lines, "", "## What has no study, and why", "", *left, ""])


def _numbers(rows: list[Row]) -> str:
    """Published beside measured, with the interval of the difference and the verdict."""
    if not rows:
        return ""
    lines = [
        "| | published | measured | units | difference, 95 % interval | margin | verdict |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        said, record = row.published, row.record
        where = escape(f"{said.table}: {said.row}")
        margin = "" if said.margin is None else f"±{said.margin:g}"
        between = record and record.interval
        if record is None or between is None:
            lines.append(f"| {where} | {escape(str(said))} | | | | {margin} | *not run* |")
            continue
        ends = f" [{between.low:.3g}, {between.high:.3g}]" if math.isfinite(between.low) else ", one value"
        interval = pretty(between.difference) + ends
        count = record.pairs or len(record.values)
        lines.append(
            f"| {where} | {escape(str(said))} | {escape(str(record))} | {count} | {escape(interval)} | {margin} | "
            f"{_verdict(row)} |"
        )
    reasons = dict.fromkeys(row.published.because for row in rows if row.published.because)
    told = "Margins: " + "; ".join(reasons) + "." if reasons else ""
    return "\n".join(["## Numbers", "", *lines, "", escape(told)])


def _claims(rows: list[Row]) -> str:
    """Each claim with its tests and what came of them."""
    if not rows:
        return ""
    lines = ["| claim | tests, written before the run | verdict |", "|---|---|---|"]
    for row in rows:
        tests = "<br>".join(escape(test) for test in row.published.tests)
        if row.record is not None and row.record.tests:
            tests = "<br>".join(escape(str(outcome)) for outcome in row.record.tests)
        says = escape(f"{row.published.table}: {row.published.quantity}")
        lines.append(f"| {says} | {tests} | {_verdict(row)} |")
    return "\n".join(["## Claims", "", *lines])


def _beside(found: list[Evidence]) -> str:
    if not found:
        return ""
    lines = ["| measured beside | | units |", "|---|---:|---:|"]
    for one in found:
        lines.append(f"| {escape(one.record.metric)} | {escape(str(one.record))} | {len(one.record.values)} |")
    return "\n".join(["## Beside the paper's table", "", *lines])


def _verdict(row: Row) -> str:
    marks = []
    if row.record is not None and row.record.near:
        marks.append(f"near: {escape(row.record.near)}")
    reduced = row.run and row.run.info.get("study", {}).get("reduced")
    if reduced:
        marks.append(f"reduced: {escape(reduced)}")
    if row.evidence and row.evidence.outdated:
        marks.append("made by an earlier version of the method")
    if row.run is not None and row.run.status != "complete":
        marks.append("the run goes on")
    if row.run is not None and "study" not in row.run.info:
        marks.append(f"from the lesson, profile {row.run.profile}")
    more = row.record and row.record.more
    if more:
        marks.append(f"about {more} units would decide it")
    return f"*{row.verdict}*" + (f"<br>{'; '.join(marks)}" if marks else "")


def _differences(study: Study, cases: list[Case]) -> list[str]:
    own = [f"`{case.name}`: {case.near or case.reduced}" for case in cases if case.near or case.reduced]
    return [*study.differs, *own] or ["Nothing that we know of."]


def _commands(study: Study, cases: list[Case], found: list[Evidence]) -> str:
    """What to type, what it takes, and on what it was run."""
    runs = [run for run in dict.fromkeys(run for one in found for run in one.runs) if _run_is_of(run, study)]
    lines = ["| case | numbers | processor time | run on | resumed | command |", "|---|---:|---:|---|---:|---|"]
    for case in cases:
        own = [run for run in runs if run.info["study"]["case"] == case.name]
        standing = Standing.of(study, case, own)
        time = duration(3600 * standing.hours)
        state = time if standing.done else f"about {time} left"
        newest = own[-1].info if own else {}
        commit = (newest.get("commit") or "")[:9]
        machine = f"{escape(newest['device'])}; commit {commit}" if own else ""
        resumed = str(newest.get("resumed", "")) if own else ""
        command = f"`simplebits reproduce {study.name} {case.name}`"
        lines.append(f"| {case.name} | {len(case.numbers)} | {state} | {machine} | {resumed} | {command} |")
    code = f"notebooks/{study.notebook.stem}.py"
    return "\n".join(
        ["## Run it", "", *lines, "", f"The code is `{code}`, the cases are `notebooks/studies/{study.name}.yml`."]
    )


def _is_of(one: Evidence, study: Study) -> bool:
    return _run_is_of(one.run, study) and not one.outdated


def _run_is_of(run: ledger.Run, study: Study) -> bool:
    return run.info.get("study", {}).get("study") == study.name

"""The page of each study, made from its file and the ledger: claim, table, what differs, what explains a miss, cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from simplebits.report import ledger
from simplebits.report.cost import duration
from simplebits.report.evidence import Evidence, Present, best, gather
from simplebits.report.published import Published, everything, papers, without_case
from simplebits.report.scoreboard import Row, counts
from simplebits.report.studied import measured
from simplebits.report.words import code, escape
from simplebits.run import studies
from simplebits.run.standing import Standing
from simplebits.run.studies import Case, Study


def present(known: Mapping[str, Study]) -> dict[str, Present]:
    """Read what each study's file says now."""
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
        _counted(rows),
        _numbers([row for row in rows if row.published.value is not None and row.record is not None]),
        _claims([row for row in rows if row.published.value is None]),
        _not_run([row for row in rows if row.published.value is not None and row.record is None]),
        _beside(beside),
        "## What differs\n\n" + "\n".join(f"* {line}" for line in _differences(study, cases)),
        f"## What explains a miss\n\n{study.diagnosis.strip()}" if study.diagnosis.strip() else "",
        _commands(study, cases, found),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def index(root: Path) -> str:
    """Lay out all studies with their verdicts, and what has no study, with the reason."""
    known = studies.all_of(root)
    chosen = best(gather(ledger.runs(ledger.results_folder(root)), present(known)))
    said = everything()
    lines = ["| study | numbers and claims | verdicts |", "|---|---:|---|"]
    for name, study in known.items():
        rows = [Row(said[key], chosen.get(key)) for key in study.numbers]
        lines.append(f"| {{doc}}`{study.title} </book/studies/{name}>` | {len(rows)} | {counts(rows)} |")
    short = {paper: name for paper, (name, _) in papers().items()}
    reasons: dict[str, list[Published]] = {}
    for key, reason in without_case().items():
        reasons.setdefault(reason, []).append(said[key])
    left = ["| of | numbers and claims | why |", "|---|---:|---|"]
    for reason, some in reasons.items():
        tables = dict.fromkeys(f"{short[one.paper]}, {one.table}" for one in some)
        left.append(f"| {escape('; '.join(tables))} | {len(some)} | {escape(reason)} |")
    return "\n".join([*lines, "", "## What has no study, and why", "", *left, ""])


def _counted(rows: list[Row]) -> str:
    if not rows:
        return "This study judges no published number; what it measures stands below."
    what = "One number or claim" if len(rows) == 1 else f"{len(rows)} numbers and claims"
    return f"{what}: {counts(rows)}."


def _numbers(rows: list[Row]) -> str:
    """Lay out published beside measured, with the interval of the difference and the verdict."""
    if not rows:
        return ""
    lines = [
        "| of the paper | verdict | published | measured | units | difference, 95 % interval | margin |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        if (record := row.record) is None:
            continue
        between = record.interval
        interval = "" if between is None else f"{between.difference:.2g}, one value"
        if between is not None and math.isfinite(between.low):
            interval = f"{between.difference:.2g} [{between.low:.2g}, {between.high:.2g}]"
        count = record.pairs or len(record.values)
        where, published, margin = _said(row.published)
        cells = where, _verdict(row), published, escape(str(record)), str(count), escape(interval), margin
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(["## Numbers", "", *lines, "", *_margins(rows)])


def _said(said: Published) -> tuple[str, str, str]:
    """Where the paper says what, and the margin it is judged by."""
    margin = "" if said.margin is None else f"±{said.margin:g}"
    return escape(f"{said.table}: {said.row}"), escape(str(said)), margin


def _margins(rows: list[Row]) -> list[str]:
    """Why each margin is what it is, folded away."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.published.because:
            reasons.setdefault(f"±{row.published.margin:g}: {row.published.because}", []).append(row.published.row)
    if not reasons:
        return []
    told = [f"* {escape(reason)} ({escape('; '.join(names))})" for reason, names in reasons.items()]
    return ["```{dropdown} Why these margins, written before the runs", *told, "```"]


def _not_run(rows: list[Row]) -> str:
    """List what waits for a machine, folded away."""
    if not rows:
        return ""
    lines = ["| of the paper | published | margin |", "|---|---:|---:|"]
    lines += [f"| {' | '.join(_said(row.published))} |" for row in rows]
    return "\n".join([f"````{{dropdown}} Not run yet: {len(rows)}", *lines, "", *_margins(rows), "````"])


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
    lines = ["| what | measured | units |", "|---|---:|---:|"]
    for one in found:
        count = one.record.pairs or len(one.record.values)
        lines.append(f"| {escape(one.record.metric)} | {escape(measured(one.record))} | {count} |")
    return "\n".join(["## Beside the paper's table", "", *lines])


def _verdict(row: Row) -> str:
    """Give the verdict and what a reader must know beside it; what differs of a case stands in a list of its own."""
    marks = []
    about = row.run.info.get("study", {}) if row.run else {}
    if row.record is not None and (row.record.near or about.get("reduced")):
        marks.append(f"{'near' if row.record.near else 'reduced'}, case {code(str(about.get('case', '')))}")
    if row.evidence and row.evidence.outdated:
        marks.append("made by an earlier version of the method")
    if row.run is not None and row.run.status != "complete":
        marks.append("the run goes on")
    if row.run is not None and "study" not in row.run.info:
        marks.append(f"from the lesson, profile {escape(row.run.profile)}")
    more = row.record and row.record.more
    if more:
        marks.append(f"about {more} units would decide it")
    return f"*{row.verdict}*" + (f"<br>{'; '.join(marks)}" if marks else "")


def _differences(study: Study, cases: list[Case]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for case in cases:
        if case.near or case.reduced:
            reasons.setdefault(case.near or case.reduced, []).append(f"`{case.name}`")
    own = [f"{reason} ({', '.join(names)})" for reason, names in reasons.items()]
    return [*study.differs, *own] or ["Nothing that we know of."]


def _commands(study: Study, cases: list[Case], found: list[Evidence]) -> str:
    """Say what to type, what it takes, and on what it was run."""
    runs = [run for run in dict.fromkeys(run for one in found for run in one.runs) if _run_is_of(run, study)]
    lines = ["| case | numbers | processor time | run on |", "|---|---:|---:|---|"]
    for case in cases:
        own = [run for run in runs if run.info["study"]["case"] == case.name]
        standing = Standing.of(study, case, own)
        state = duration(3600 * standing.hours) if standing.done else f"about {roughly(standing.hours)} left"
        newest = own[-1].info if own else {}
        resumed = f"; resumed: {newest['resumed']}" if newest.get("resumed") else ""
        machine = escape(f"{newest['device']}; commit {(newest.get('commit') or '')[:9]}{resumed}") if own else ""
        lines.append(f"| `{case.name}` | {len(case.numbers)} | {state} | {machine} |")
    command = f"```bash\nsimplebits reproduce {study.name}          # all cases, or name some of the table\n```"
    where = f"The code is `notebooks/{study.notebook.stem}.py`, the cases are `notebooks/studies/{study.name}.yml`."
    return "\n".join(["## Run it", "", command, "", *lines, "", where])


def roughly(hours: float) -> str:
    """Write an estimated time, not more exact than it is.

    >>> roughly(0.4), roughly(3.46), roughly(4832)
    ('25 min', '3.5 h', '4800 h')
    """
    if hours < 0.95:
        return f"{max(5, 5 * round(12 * hours))} min"
    return f"{hours:.1f} h" if hours < 9.95 else f"{float(f'{hours:.2g}'):.0f} h"


def _is_of(one: Evidence, study: Study) -> bool:
    return _run_is_of(one.run, study) and not one.outdated


def _run_is_of(run: ledger.Run, study: Study) -> bool:
    return run.info.get("study", {}).get("study") == study.name

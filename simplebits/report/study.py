"""What the notebook of a study calls: keep what is finished, hand values to the ledger one by one, leave a fingerprint.

A case of a study runs for hours and is killed and resumed. `once` keeps the result of one piece of it; `judge` and
`judge_claim` record what there is so far, each value under the name of its independent unit, so that five condensed
sets are five values as they come and the work of two machines can be joined; `fingerprint` notes what the method
computed, so that a later version can be asked whether it still computes the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsFloat, TypeVar

from torch import Tensor

from simplebits import _files
from simplebits._door import door
from simplebits.report import ledger, provenance, recording
from simplebits.report.published import published
from simplebits.report.verdict import Record
from simplebits.report.words import amount, escape, pretty

T = TypeVar("T")
ARTEFACTS = "SIMPLEBITS_ARTEFACTS"  # a folder that several working trees of one repository share
NUMBERS = 6  # that a fingerprint keeps of one tensor


@door
def once(name: str, compute: Callable[[], T]) -> T:
    """Compute a piece of a case, or give back what this case, before it was killed, computed under this name.

    In a notebook that is opened by hand nothing is kept, and the piece is computed.

    Args:
        name: tells the pieces of one case apart, `set 0, LeNet`.
        compute: gives a number, or lists and mappings of numbers and words, as JSON can hold.

    Raises:
        TypeError: what `compute` gives is none of these.
    """
    folder = os.environ.get("SIMPLEBITS_CHECKPOINTS")
    if not folder:
        return compute()
    path = Path(folder) / "once.json"
    kept = _files.read_json(path) if path.is_file() else {}
    if name not in kept:
        kept[name] = json.loads(json.dumps(compute()))
        _files.write_text(path, json.dumps(kept))  # in its own order, which a sweep's mapping may mean
    return kept[name]


@door
def artefact(kind: str, **settings: Any) -> Path | None:
    """Where a trained thing of these settings lies or will, shared by all cases of a repository; None outside a run.

    What one case has made another need not make again: a condensed set that several tables test. The repository keeps
    some, in `artefacts` beside the ledger; the others lie in `_build`. Nothing of a smoke case is kept, since its
    point is to make everything anew.

    Args:
        kind: folder for things of this kind, `condensed`.
        settings: all that it depends on, as JSON can hold it.
    """
    if not os.environ.get(ledger.RUN) or _run().get("profile") == "smoke":
        return None
    version = _run().get("study", {}).get("version", 1)
    if version > 1:  # what an earlier version of the method made is not taken up
        settings["version"] = version
    name = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:20]
    kept = ledger.results_folder() / "artefacts" / f"{kind}-{name}.safetensors"
    if kept.is_file():
        return kept
    return Path(os.environ.get(ARTEFACTS) or provenance.root() / "_build" / "artefacts") / kind / f"{name}.safetensors"


@door
def judge(
    key: str,
    values: Mapping[str, SupportsFloat | Sequence[SupportsFloat]],
    *,
    pairs: int | None = None,
    **setting: Any,
) -> Record:
    """Record what this case has measured of a published number, and judge it as far as that goes.

    Whether the setting is the paper's, near it or reduced is the case's own, see `Case`.

    Args:
        key: of the published number.
        values: independent unit (`set 0`) to its value, in the published unit; more of them at each call. A sequence
            (of the networks trained on that set) counts as its mean; the spread within it tells how much of a printed
            spread, which is over sets and networks together, the averaging over networks has removed.
        pairs: of a share: how many trials; of a correlation whose pairs are not at hand: how many.
        setting: what it was measured with, beside the case's parameters.

    Returns:
        The record; at the end of a cell it shows as one line.

    Raises:
        ValueError: the key is unknown, or not among those that the case says it judges.
    """
    nested = {unit: _plain(some) for unit, some in values.items() if isinstance(some, Sequence) and len(some) > 1}
    return _record(key, _means(values), published(key).unit, setting, pairs=pairs, nested=nested)


@door
def judge_correlation(
    key: str, a: Mapping[str, SupportsFloat], b: Mapping[str, SupportsFloat], **setting: Any
) -> Record:
    """Record the pairs of which a published number is Pearson's correlation, and judge it as far as they go.

    The pairs stand in the ledger, so that those of several runs can be joined.

    Args:
        key: of the published number.
        a: unit (`sample 17`) to the first of its pair.
        b: unit to the second.
        setting: what they were measured with, beside the case's parameters.

    Raises:
        ValueError: as `judge`; or the units of the two differ, are fewer than two, or one variable is constant.
    """
    if set(a) != set(b):
        raise ValueError(f"a and b of {key}: the units differ: {', '.join(sorted(set(a) ^ set(b)))}")
    r = statistics.correlation([float(a[unit]) for unit in a], [float(b[unit]) for unit in a])
    return _record(key, {"all": r}, published(key).unit, setting, pairs=len(a), groups={"a": a, "b": b})


@door
def judge_claim(key: str, groups: Mapping[str, Mapping[str, SupportsFloat]], unit: str = "", **setting: Any) -> Record:
    """Record the values that the tests of a published claim speak of, and judge it as far as they go.

    Args:
        key: of the claim.
        groups: group (`condensed`) to independent unit to value.
        unit: of the values.
        setting: what they were measured with, beside the case's parameters.

    Raises:
        ValueError: as `judge`; or a group that a test names is missing.
    """
    record = _record(key, next(iter(groups.values())), unit, setting, groups=groups)
    record.tests  # noqa: B018 a test that names a missing group must fail here, not when the page is built
    return record


@door
def table_beside(values: Mapping[str, Mapping[str, SupportsFloat | Sequence[SupportsFloat]]]) -> Any:
    """Lay out a table, published beside measured, of what this case has measured: the last cell of a study's notebook.

    Args:
        values: as handed to `judge`, by key.
    """
    from IPython.display import Markdown

    lines = ["| published number | published | measured | units |", "|---|---|---|---|"]
    for key, by_unit in values.items():
        said, found = published(key), list(_means(by_unit).values())
        spread = statistics.stdev(found) if len(found) > 1 else None
        measured = amount(pretty(statistics.fmean(found), spread), said.unit)
        lines.append(f"| {escape(f'{said.table}, {said.row}')} | {escape(str(said))} | {measured} | {len(found)} |")
    return Markdown("\n".join(lines))


@door
def beside(
    name: str,
    values: Mapping[str, SupportsFloat | Sequence[SupportsFloat]],
    unit: str,
    *,
    pairs: int | None = None,
    **setting: Any,
) -> Record:
    """Record a number that the papers do not have: a control, an explanation of a miss, a cost; values as `judge`'s.

    With `pairs`, how many pairs a rank correlation in the unit `ρ` rests on, pages show its 95 % interval.
    """
    run = _run()
    return recording.record(run["notebook"], name, _means(values), unit, setting=setting, pairs=pairs)


@door
def fingerprint(name: str, values: Tensor) -> None:
    """Note a few numbers of what the method computed, by which a change of the method is found out.

    Only smoke cases leave fingerprints: seeded, one thread, few steps. Of a tensor they keep its mean, its standard
    deviation and four weighted means, whose weights run through the values at different speeds.

    Args:
        name: what it is.
        values: any tensor that depends on every step of the method.
    """
    import torch

    if path := os.environ.get(ledger.RUN):
        flat = values.detach().double().flatten().cpu()
        place = torch.linspace(0, 1, len(flat), dtype=torch.float64)
        waves = [float((flat * torch.cos(torch.pi * k * k * place)).mean()) for k in range(1, NUMBERS - 1)]
        kept = [float(flat.mean()), float(flat.std(correction=0)), *waves]
        ledger.change(Path(path), lambda content: content["run"].setdefault("fingerprint", {}).update({name: kept}))


def differences(now: Mapping[str, list[float]], then: Mapping[str, list[float]], tolerance: float) -> list[str]:
    """Where two fingerprints differ by more than `tolerance` of the larger one's size; empty where the method is one.

    >>> differences({"images": [1.0, 2.0]}, {"images": [1.0, 2.001]}, 1e-2)
    []
    >>> differences({"images": [1.0, 2.0]}, {"images": [1.0, 2.5]}, 1e-2)
    ['images: 2 was 2.5']
    """
    found = [f"{name} is gone" for name in sorted(set(then) - set(now))]  # a new one contradicts nothing
    for name in sorted(set(now) & set(then)):
        scale = max(map(abs, [*now[name], *then[name]]), default=0.0)
        # Each number on its own scale; a tenth of the largest is what rounding may move all of them by.
        found += [
            f"{name}: {a:.6g} was {b:.6g}"
            for a, b in zip(now[name], then[name], strict=True)
            if not abs(a - b) <= tolerance * (max(abs(a), abs(b)) + 0.1 * scale)
        ]
    return found


def _means(values: Mapping[str, SupportsFloat | Sequence[SupportsFloat]]) -> dict[str, float]:
    """Each unit's value: a number, or the mean of those within it."""
    return {u: statistics.fmean(_plain(v)) if isinstance(v, Sequence) else float(v) for u, v in values.items()}


def _plain(values: Sequence[SupportsFloat]) -> list[float]:
    return [float(value) for value in values]


def _record(key: str, values: Mapping[str, SupportsFloat], unit: str, setting: dict[str, Any], **more: Any) -> Record:
    run = _run()
    study = run.get("study", {})
    if study and key not in study["numbers"] and _run()["profile"] != "smoke":
        raise ValueError(f"{key!r} is not among the numbers of case {study['case']!r}: {', '.join(study['numbers'])}")
    reduced = not study or run["profile"] == "smoke" or bool(study["reduced"])
    near = "" if reduced else study["near"]
    return recording.record(
        run["notebook"], key, values, unit, setting=setting, published=key, near=near,
        same_setting=not reduced and not near, **more,
    )  # fmt: skip


def _run() -> dict[str, Any]:
    path = os.environ.get(ledger.RUN)
    return _read(path) if path else {"notebook": "study"}


def _read(path: str) -> dict[str, Any]:
    return _files.read_json(Path(path))["run"]

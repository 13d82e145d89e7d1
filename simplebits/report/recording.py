"""What a notebook measured, written into the ledger file of its run and glued into its prose."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsFloat, cast

from simplebits._door import door
from simplebits.report import ledger
from simplebits.report.published import published as look_up
from simplebits.report.trend import Trend
from simplebits.report.verdict import Record


@door
def record(
    experiment: str,
    metric: str,
    values: SupportsFloat | Iterable[SupportsFloat] | Mapping[str, SupportsFloat],
    unit: str,
    *,
    setting: Mapping[str, Any] | None = None,
    published: str | None = None,
    same_setting: bool = False,
    near: str = "",
    trend: Trend | None = None,
    pairs: int | None = None,
    groups: Mapping[str, Mapping[str, SupportsFloat]] | None = None,
    nested: Mapping[str, Sequence[SupportsFloat]] | None = None,
    band: float | int | None = None,
) -> Record:
    """Record a measured quantity in the current run, and make it available to prose as `<experiment>.<metric>`.

    Outside a run (no `SIMPLEBITS_RUN` in the environment) nothing is written; the record is returned all the same. A
    second record with named units takes the place of the first of its name: values may come one by one.

    Args:
        experiment: what was done, `glow-standard`.
        metric: what was measured, `bits-per-dim`.
        values: the measured number, one a seed, or one for each named unit, in `unit`.
        unit: `%`, `bits/dim`, `r`, ...
        setting: all parameters it was measured with.
        published: key of what the paper says, see `published`.
        same_setting: whether data, network and protocol are the paper's own.
        near: what alone differs from the paper's setting.
        trend: an ordering or ratio that must hold, from `increasing`, `at_most` or `at_least`.
        pairs: of a correlation: how many pairs it is computed from; of a share: how many trials.
        groups: of a claim: group to unit to value; of a correlation: its two variables.
        nested: unit to what its value is the mean of.
        band: without effect, and gone in the next version: `published.yml` states the margins.

    Returns:
        The record, with mean, sd and verdict; at the end of a cell it shows as one line.

    Raises:
        TypeError: values that are no numbers.
        ValueError: an unknown key, values that are not finite, another unit than the published one, or same_setting or
            near without anything published.
        OSError: the ledger cannot be written.

    >>> record("digits", "bits-per-dim", [1.21, 1.19], "bits/dim").verdict
    'measured'
    """
    if band is not None:
        text = "band= has no effect any more: a number is judged by the margin that published.yml states for it"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
    named = isinstance(values, Mapping)
    made = Record(
        experiment,
        metric,
        _floats(values.values() if named else values),
        unit,
        ledger.plain(dict(setting or {})),
        look_up(published) if published else None,
        same_setting,
        trend,
        ledger.now(),
        tuple(map(str, values)) if named else (),
        near,
        pairs,
        {str(name): {str(unit): float(v) for unit, v in group.items()} for name, group in (groups or {}).items()},
        {str(unit): tuple(map(float, values_within)) for unit, values_within in (nested or {}).items()},
    )
    if path := os.environ.get(ledger.RUN):

        def put(content: dict[str, Any]) -> None:
            # Values of named units come one by one: each time the record takes the place of the one before.
            former = [one for one in content["records"] if named and (one["experiment"], one["metric"]) == name]
            content["records"] = [
                *(one for one in content["records"] if one not in former),
                ledger.plain(made.to_json()),
            ]

        name = (experiment, metric)
        ledger.change(Path(path), put)
    _glue(made)
    return made


def _glue(made: Record) -> None:
    """Let prose say {glue:text}`<experiment>.<metric>`, where a notebook runs and the book's tools are installed."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    with contextlib.suppress(ImportError):
        from myst_nb import glue

        # It goes as text, with more digits than prose shows: it is rounded once, where a sentence names its format.
        glue(made.name, f"{made.mean:.8g}", display=False)


def _floats(values: SupportsFloat | Iterable[SupportsFloat]) -> tuple[float, ...]:
    single = getattr(values, "ndim", 0 if isinstance(values, SupportsFloat) else 1) == 0
    try:
        if isinstance(values, str):
            raise TypeError("text is no number")
        return tuple(map(float, cast("Iterable[SupportsFloat]", [values] if single else values)))
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"values={values!r:.80}: give a number, or one number a seed ({error})") from error

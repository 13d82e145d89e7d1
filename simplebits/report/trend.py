"""Orderings, ratios and differences that a lesson checks on the spot; claims of a study have tests, see `claim`."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import SupportsFloat

from simplebits._door import door
from simplebits.report.words import pretty


@dataclass(frozen=True)
class Trend:
    """An ordering, ratio or difference that was checked; made by the functions below, joined by `&`."""

    statement: str
    holds: bool

    def __and__(self, other: Trend) -> Trend:
        return Trend(f"{self.statement}; {other.statement}", self.holds and other.holds)


@door
def increasing(values: Mapping[str, SupportsFloat]) -> Trend:
    """Check that values rise strictly in the order given.

    Args:
        values: name to value, at least two, in the order in which they should rise.

    Raises:
        ValueError: fewer than two values, or one that is not a number.

    >>> increasing({"black": 0.4, "mnist": 1.0, "cifar10": 3.7})
    Trend(statement='black (0.4) < mnist (1) < cifar10 (3.7)', holds=True)
    """
    if len(values) < 2:
        raise ValueError(f"values={values!r}: an ordering needs at least two named values")
    numbers = [_number(f"values[{name!r}]", value) for name, value in values.items()]
    statement = " < ".join(f"{name} ({pretty(number)})" for name, number in zip(values, numbers, strict=True))
    return Trend(statement, all(a < b for a, b in itertools.pairwise(numbers)))


@door
def at_most(name: str, value: SupportsFloat, bound: SupportsFloat) -> Trend:
    """Check that a named value or ratio does not exceed a bound.

    >>> at_most("bits left", 0.62, 0.7)
    Trend(statement='bits left (0.62) ≤ 0.7', holds=True)
    """
    number, limit = _number("value", value), _number("bound", bound)
    return Trend(f"{name} ({pretty(number)}) ≤ {pretty(limit)}", number <= limit)


@door
def at_least(name: str, value: SupportsFloat, bound: SupportsFloat) -> Trend:
    """Check that a named value or ratio reaches a bound.

    >>> at_least("accuracy", 0.91, 0.95).holds
    False
    """
    number, limit = _number("value", value), _number("bound", bound)
    return Trend(f"{name} ({pretty(number)}) ≥ {pretty(limit)}", number >= limit)


@door
def ahead_of(
    name: str,
    values: Sequence[SupportsFloat],
    rival: str,
    others: Sequence[SupportsFloat],
    *,
    single: bool = False,
) -> Trend:
    """Check that one mean is above another by a margin that noise cannot cross.

    The margin is twice the standard error of the difference, `2·√(s²/n + s'²/n')` with the sample variances s² and s'².
    Values must be independent of each other: of networks trained on a few condensed sets, the mean of each set.

    Args:
        name: whose values should be higher.
        values: at least two.
        rival: whose values should be lower.
        others: at least two.
        single: ask for more, twice the spread of a difference of single values, `2·√(s² + s'²)`: hardly any two values
            come out the other way round.

    Raises:
        ValueError: fewer than two values on a side, whose spread is unknown, or one that is not a number.

    >>> ahead_of("condensed", [81.0, 82.0], "random", [45.0, 52.0, 47.0])
    Trend(statement='condensed above random by 33.5 > 4.282', holds=True)
    """
    gap, margin = _gap_and_margin(name, values, rival, others, single)
    return Trend(f"{name} above {rival} by {pretty(gap)} {'>' if gap > margin else '≤'} {pretty(margin)}", gap > margin)


@door
def level_with(
    name: str,
    values: Sequence[SupportsFloat],
    rival: str,
    others: Sequence[SupportsFloat],
    *,
    single: bool = False,
) -> Trend:
    """Check that neither mean is ahead of the other; arguments, margin and errors as `ahead_of`.

    >>> level_with("trained", [70.0, 72.0], "random", [71.0, 75.0]).holds
    True
    """
    gap, margin = _gap_and_margin(name, values, rival, others, single)
    gap = abs(gap)
    return Trend(
        f"{name} and {rival} apart by {pretty(gap)} {'>' if gap > margin else '≤'} {pretty(margin)}", gap <= margin
    )


def _gap_and_margin(
    name: str, values: Sequence[SupportsFloat], rival: str, others: Sequence[SupportsFloat], single: bool
) -> tuple[float, float]:
    """Compute the difference of the two means and the least that noise does not cross."""
    sides = []
    for side, measured in ((name, values), (rival, others)):
        numbers = [_number(f"{side}[{i}]", value) for i, value in enumerate(measured)]
        if len(numbers) < 2:
            raise ValueError(
                f"{side}: got {len(numbers)} value{'s'[: len(numbers) != 1]}, whose spread is unknown; measure "
                f"at least two (more seeds), or leave the comparison out"
            )
        sides.append(numbers)
    variances = [statistics.variance(measured) / (1 if single else len(measured)) for measured in sides]
    return statistics.fmean(sides[0]) - statistics.fmean(sides[1]), 2 * math.sqrt(sum(variances))


def _number(argument: str, value: SupportsFloat) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError(f"{argument} is not a number (NaN); a trend over it says nothing")
    return number

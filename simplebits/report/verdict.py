"""What a measurement says about a published number or claim: the verdict is computed from the values, never typed.

The rule, in this order:

1. The setting is the paper's (`same_setting`) and the paper gives a number: *reproduced* if `|mean − published|` is at
   most the tolerance, *not reproduced* otherwise. The tolerance is the stated band or else `2·√(sd² + sd_published²)`,
   where a spread the paper does not print counts as 0. One value without a band gets no such verdict: its spread is
   unknown.
2. Otherwise, if a trend is given: *trend holds* or *trend fails*.
3. Otherwise *measured*: the number stands for itself.

*Not run* is for what has no record.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, SupportsFloat

from simplebits import _check
from simplebits.report.published import Published, everything, papers

VERDICTS = ("reproduced", "not reproduced", "trend holds", "trend fails", "measured", "not run")


@dataclass(frozen=True)
class Trend:
    """An ordering, ratio or difference that was checked; made by the functions below, joined by `&`."""

    statement: str
    holds: bool

    def __and__(self, other: Trend) -> Trend:
        return Trend(f"{self.statement}; {other.statement}", self.holds and other.holds)


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


def at_most(name: str, value: SupportsFloat, bound: SupportsFloat) -> Trend:
    """Check that a named value or ratio does not exceed a bound.

    >>> at_most("bits left", 0.62, 0.7)
    Trend(statement='bits left (0.62) ≤ 0.7', holds=True)
    """
    number, limit = _number("value", value), _number("bound", bound)
    return Trend(f"{name} ({pretty(number)}) ≤ {pretty(limit)}", number <= limit)


def at_least(name: str, value: SupportsFloat, bound: SupportsFloat) -> Trend:
    """Check that a named value or ratio reaches a bound.

    >>> at_least("accuracy", 0.91, 0.95).holds
    False
    """
    number, limit = _number("value", value), _number("bound", bound)
    return Trend(f"{name} ({pretty(number)}) ≥ {pretty(limit)}", number >= limit)


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


@dataclass(frozen=True)
class Record:
    """One measured quantity, one value a seed; mean, spread and verdict follow from the values.

    Attributes:
        experiment: what was done, `glow-standard`; with `metric` the name under which prose finds the number.
        metric: what was measured, `bits-per-dim`.
        values: one number a seed, in `unit`.
        unit: `%`, `bits/dim`, ...; that of the published number, if there is one.
        setting: the parameters it was measured with.
        published: what the paper says, if it says something.
        same_setting: whether data, network and protocol are the paper's own.
        band: largest difference to the published number that still counts as reproduced, in `unit`.
        trend: the ordering or ratio that was checked, if any.
        time: when, in UTC.

    Raises:
        ValueError: no or non-finite values, a unit other than the published one, or a band or same_setting without a
            published number.
    """

    experiment: str
    metric: str
    values: tuple[float, ...]
    unit: str
    setting: Mapping[str, Any] = field(default_factory=dict)
    published: Published | None = None
    same_setting: bool = False
    band: float | int | None = None
    trend: Trend | None = None
    time: str = ""

    def __post_init__(self) -> None:
        for argument in ("experiment", "metric"):
            name = getattr(self, argument)
            if not name.strip() or set(name) & set(":`\n"):  # these end a {glue:text} reference early
                raise ValueError(f"{argument}={name!r}: give a name without colons, backticks and line breaks")
        if not self.values or not all(map(math.isfinite, self.values)):
            raise ValueError(f"values={self.values!r} of {self.name}: give at least one value, all of them finite")
        if self.band is not None:
            _check.positive("band", self.band)
        number = self.published is not None and self.published.value is not None
        if self.same_setting and not number and self.trend is None:
            raise ValueError(
                f"same_setting=True of {self.name}: there is no published number to compare with; "
                f"name one with published=, or check a trend"
            )
        if self.band is not None and not (self.same_setting and number):
            raise ValueError(
                f"band={self.band!r} of {self.name}: a band judges the difference to a published number "
                f"in the paper's setting; give published= and same_setting=True as well"
            )
        if number and self.unit != self.published.unit:
            raise ValueError(
                f"unit={self.unit!r} of {self.name}: {self.published.key} is published in "
                f"{self.published.unit!r}; convert the values"
            )

    @property
    def name(self) -> str:
        """The name under which prose finds the number."""
        return f"{self.experiment}.{self.metric}"

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """The sample standard deviation over the seeds (n − 1); None for one value."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def tolerance(self) -> float | int | None:
        """The largest difference that counts as reproduced; None where nothing says how large it may be."""
        if not self.same_setting or self.published is None or self.published.value is None:
            return None
        if self.band is not None:
            return self.band
        return None if self.sd is None else 2 * math.hypot(self.sd, self.published.sd or 0)

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`, by the rule at the head of this module."""
        if self.tolerance is not None:
            # Decimal fractions are inexact in binary: 91.8 − 91.7 must not exceed a band of 0.1.
            slack = 1e-9 * max(1.0, abs(self.published.value))
            return "reproduced" if abs(self.mean - self.published.value) <= self.tolerance + slack else "not reproduced"
        if self.trend is not None:
            return "trend holds" if self.trend.holds else "trend fails"
        return "measured"

    @property
    def reason(self) -> str:
        """In words, what the verdict rests on; empty where there is nothing to say."""
        said = [] if self.trend is None else [self.trend.statement]
        if self.tolerance is not None:
            sign, gap = "≤" if self.verdict == "reproduced" else ">", abs(self.mean - self.published.value)
            said.insert(0, f"difference {pretty(gap)} {sign} {pretty(self.tolerance)}")
        elif self.same_setting and self.trend is None:
            said.append("one value without a band: too little for a verdict")
        return "; ".join(said)

    def to_json(self) -> dict[str, Any]:
        """For the ledger; mean, sd, verdict and reason are written for readers and computed anew when read."""
        return asdict(self) | {
            "values": list(self.values),
            "setting": dict(self.setting),
            "mean": self.mean,
            "sd": self.sd,
            "verdict": self.verdict,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Record:
        """What `to_json` wrote. A published number is looked up anew, so that a corrected one counts at once.

        Raises:
            ValueError: this is no record.
        """
        try:
            said, trend = content["published"], content["trend"]
            return cls(
                content["experiment"],
                content["metric"],
                tuple(map(float, content["values"])),
                content["unit"],
                content["setting"],
                said and everything().get(said["key"], Published(**said)),
                content["same_setting"],
                content["band"],
                trend and Trend(**trend),
                content["time"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a record: {type(error).__name__} {error}") from error

    def __str__(self) -> str:
        return amount(pretty(self.mean, self.sd), self.unit)

    def _repr_markdown_(self) -> str:
        seeds = f" ({len(self.values)} values)" if len(self.values) > 1 else ""
        said = self.published
        if said is None:
            source = ""
        else:
            short, _ = papers().get(said.paper, (said.paper, ""))
            where = ", ".join(filter(None, (short, said.table, said.row)))
            source = f"; published: {escape(str(said))} ({escape(where)})"
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.experiment}, {self.metric}: **{self}**{seeds}{source}. *{self.verdict}*{escape(reason)}"


def pretty(mean: float | int, sd: float | int | None = None) -> str:
    """A number for readers: two digits of its spread, or four of itself.

    >>> pretty(91.7234, 0.53), pretty(0.98712), pretty(23080.0), pretty(1.0)
    ('91.72 ± 0.53', '0.9871', '23080', '1')
    """
    if not math.isfinite(mean) or (mean and not 1e-3 <= abs(mean) < 1e7):
        return f"{mean:.3g}" + (f" ± {sd:.2g}" if sd is not None else "")
    if sd is None:
        decimals = 3 - math.floor(math.log10(abs(mean))) if mean else 0
        text = f"{mean:.{max(0, decimals)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    decimals = min(6, max(0, 1 - math.floor(math.log10(sd)))) if sd else 2
    return f"{mean:.{decimals}f} ± {sd:.{decimals}f}"


def amount(number: str, unit: str) -> str:
    """A number with its unit."""
    return f"{number}{unit}" if unit == "%" else f"{number} {unit}".strip()


def escape(text: str) -> str:
    """Text that Markdown, and a cell of a Markdown table, shows as it is."""
    for sign in "\\*_|$[]":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "&lt;").replace("\n", " ")


def _gap_and_margin(
    name: str, values: Sequence[SupportsFloat], rival: str, others: Sequence[SupportsFloat], single: bool
) -> tuple[float, float]:
    """The difference of the two means and the least that noise does not cross."""
    sides = []
    for side, own in ((name, values), (rival, others)):
        numbers = [_number(f"{side}[{i}]", value) for i, value in enumerate(own)]
        if len(numbers) < 2:
            raise ValueError(
                f"{side}: got {len(numbers)} value{'s'[: len(numbers) != 1]}, whose spread is unknown; measure "
                f"at least two (more seeds), or leave the comparison out"
            )
        sides.append(numbers)
    variances = [statistics.variance(own) / (1 if single else len(own)) for own in sides]
    return statistics.fmean(sides[0]) - statistics.fmean(sides[1]), 2 * math.sqrt(sum(variances))


def _number(argument: str, value: SupportsFloat) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError(f"{argument} is not a number (NaN); a trend over it says nothing")
    return number

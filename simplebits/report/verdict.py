"""What a measurement says about a published number or claim: the verdict is computed from the values, never typed.

A published number is judged by the 95 % interval of the difference, measured minus published, over independent units
(Student's t; Fisher's z for a correlation, Wilson for a share; the published spread enters where the paper gives it,
split into the parts between and within units in our own ratio, see `interval.averaged`),
against the margin that `published.yml` states with its reason. A claim is judged by its tests there, see `claim`.

| setting | the whole interval within the margin, all tests hold | wholly outside, a test fails | anything else |
|---|---|---|---|
| the paper's | reproduced | not reproduced | unresolved |
| near: the paper's but for what the record names | agrees | differs | unresolved |
| reduced, a claim or a trend | trend holds | trend fails | unresolved |
| reduced, a number | measured | measured | measured |

So noise never makes it easier to pass. *Not run* is for what has no record.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from simplebits.report import claim, interval
from simplebits.report.interval import Interval
from simplebits.report.published import Published, everything, papers
from simplebits.report.trend import Trend
from simplebits.report.words import amount, escape, pretty

VERDICTS = (
    "reproduced", "agrees", "trend holds", "unresolved", "trend fails", "differs", "not reproduced", "measured",
    "not run",
)  # fmt: skip
JUDGED = ("reproduced", "agrees", "differs", "not reproduced")  # in the paper's setting or near it, and decided
SETTINGS = ("reduced", "near", "paper")  # from the loosest to the strictest
_WORDS = {
    "paper": {"holds": "reproduced", "fails": "not reproduced"},
    "near": {"holds": "agrees", "fails": "differs"},
    "reduced": {"holds": "trend holds", "fails": "trend fails"},
}


@dataclass(frozen=True)
class Record:
    """One measured quantity, one value an independent unit; mean, spread and verdict follow from the values.

    Attributes:
        experiment: what was done, `glow-standard`; with `metric` the name under which prose finds the number.
        metric: what was measured, `bits-per-dim`.
        values: one number a unit, in `unit`; of a claim, those of its first group.
        unit: `%`, `bits/dim`, ...; that of the published number, if there is one.
        setting: the parameters it was measured with.
        published: what the paper says, if it says something.
        same_setting: whether data, network and protocol are the paper's own.
        trend: the ordering or ratio that a lesson checked, if any.
        time: when, in UTC.
        units: names of the independent units, `set 0`; empty where they have none.
        near: what alone differs from the paper's setting; empty where nothing does or much does.
        pairs: of a correlation: how many pairs it is computed from; of a share: how many trials. None for a mean.
        groups: of a claim: group to unit to value, what its tests speak of; of a correlation: its two variables.
        nested: unit to what its value is the mean of (the networks trained on one set), where there is more than one.

    Raises:
        ValueError: no or non-finite values, a unit other than the published one, or a setting near or the same as the
            paper's without anything published.
    """

    experiment: str
    metric: str
    values: tuple[float, ...]
    unit: str
    setting: Mapping[str, Any] = field(default_factory=dict)
    published: Published | None = None
    same_setting: bool = False
    trend: Trend | None = None
    time: str = ""
    units: tuple[str, ...] = ()
    near: str = ""
    pairs: int | None = None
    groups: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    nested: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for argument in ("experiment", "metric"):
            name = getattr(self, argument)
            if not name.strip() or set(name) & set(":`\n"):  # these end a {glue:text} reference early
                raise ValueError(f"{argument}={name!r}: give a name without colons, backticks and line breaks")
        if not self.values or not all(map(math.isfinite, self.values)):
            raise ValueError(f"values={self.values!r} of {self.name}: give at least one value, all of them finite")
        if self.units and len(set(self.units)) != len(self.values):
            raise ValueError(f"units={self.units!r} of {self.name}: give each of the {len(self.values)} values its own")
        if self.same_setting and self.near:
            raise ValueError(f"near={self.near!r} of {self.name}: a setting is the paper's own or near it, not both")
        if (self.same_setting or self.near) and self.published is None and self.trend is None:
            raise ValueError(
                f"same_setting=True or near= of {self.name}: there is nothing published to compare with; name it with "
                f"published=, or check a trend"
            )
        said = self.published
        if said is not None and said.value is not None and self.unit != said.unit:
            raise ValueError(
                f"unit={self.unit!r} of {self.name}: {said.key} is published in {said.unit!r}; convert the values"
            )

    @property
    def name(self) -> str:
        """The name under which prose finds the number."""
        return f"{self.experiment}.{self.metric}"

    @property
    def level(self) -> str:
        """One of `SETTINGS`."""
        return "paper" if self.same_setting else "near" if self.near else "reduced"

    @property
    def mean(self) -> float:
        """The mean over the units."""
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """The sample standard deviation over the units (n − 1); None for one value."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of measured minus published; None without a published number."""
        said = self.published
        if said is None or said.value is None:
            return None
        if self.pairs is None:
            return interval.mean_from(self.values, said.value, said.sd, said.units, self._shrink)
        if said.unit in ("r", "ρ"):
            return interval.correlation_from(self.mean, self.pairs, said.value, said.units)
        scale = 100 if said.unit == "%" else 1
        shares = interval.share_from(self.mean / scale, self.pairs, said.value / scale, said.units)
        return Interval(*(scale * end for end in (shares.difference, shares.low, shares.high)))

    @property
    def _shrink(self) -> float:
        # Only where every unit tells its networks: an interval must not rest on some of the sets.
        if set(self.nested) != set(self.units) or not self.published:
            return 1.0
        return interval.averaged(list(self.nested.values()), self.published.each)

    @property
    def tests(self) -> tuple[claim.Outcome, ...]:
        """What the values say of each test of a claim."""
        if self.published is None or not self.published.tests or not self.groups:
            return ()
        return tuple(claim.judge(claim.parse(text), self.groups) for text in self.published.tests)

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`, by the rule at the head of this module."""
        outcome = self._outcome()
        return outcome if outcome in ("measured", "unresolved") else _WORDS[self.level][outcome]

    def _outcome(self) -> str:
        """Decide what the values say: `holds`, `fails`, `unresolved` or `measured`."""
        if tests := self.tests:
            return claim.together(tests)
        difference, said = self.interval, self.published
        if self.level != "reduced" and difference is not None and said is not None:
            if said.margin is None:
                return "unresolved"
            # Decimal fractions are inexact in binary: 91.8 − 91.7 must not exceed a margin of 0.1.
            slack = said.margin + 1e-9 * max(1.0, abs(said.value or 0.0))
            if difference.inside(-slack, slack):
                return "holds"
            return "fails" if difference.outside(-slack, slack) else "unresolved"
        if self.trend is not None:
            return "holds" if self.trend.holds else "fails"
        return "measured"

    @property
    def more(self) -> int | None:
        """The number of units that, with the spread so far, would decide an unresolved mean; None if none would."""
        between, said = self.interval, self.published
        if between is None or said is None or said.margin is None or self.sd is None or self.pairs:
            return None
        if self.verdict != "unresolved":
            return None
        half = interval.mean_half_width(self.sd, said.sd, said.units, self._shrink)
        return interval.units_needed(half, abs(said.margin - abs(between.difference)))

    @property
    def reason(self) -> str:
        """What the verdict rests on, in words; empty where there is nothing to say."""
        if tests := self.tests:
            return "; ".join(map(str, tests))
        said = [] if self.trend is None else [self.trend.statement]
        between = self.interval
        if self.level == "reduced" or between is None or self.published is None:
            return "; ".join(said)
        if math.isinf(between.low):
            return "; ".join([*said, "one value: its spread is unknown"])
        difference = f"difference {pretty(between.difference)} [{pretty(between.low)}, {pretty(between.high)}]"
        if self.published.margin is None:
            return "; ".join([*said, f"{difference}; no margin is stated"])
        said.insert(0, f"{difference}, margin ±{pretty(self.published.margin)}")
        if self.verdict == "unresolved" and self.pairs is None:
            needed = self.more
            said.append(
                f"about {needed} units would decide it" if needed else "no number of units here would decide it"
            )
        return "; ".join(said)

    def to_json(self) -> dict[str, Any]:
        """Write the record for the ledger; mean, sd, verdict, reason are for readers, and computed anew when read."""
        return asdict(self) | {
            "values": list(self.values),
            "units": list(self.units),
            "setting": dict(self.setting),
            "groups": {name: dict(values) for name, values in self.groups.items()},
            "nested": {unit: list(values) for unit, values in self.nested.items()},
            "mean": self.mean,
            "sd": self.sd,
            "verdict": self.verdict,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Record:
        """Read what `to_json` wrote. A published number is looked up anew, so that a corrected one counts at once.

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
                said and everything().get(said["key"], Published.from_json(said)),
                content["same_setting"],
                trend and Trend(**trend),
                content["time"],
                tuple(content.get("units", ())),
                content.get("near", ""),
                content.get("pairs"),
                content.get("groups", {}),
                {unit: tuple(values) for unit, values in content.get("nested", {}).items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a record: {type(error).__name__} {error}") from error

    def __str__(self) -> str:
        return amount(pretty(self.mean, self.sd), self.unit)

    def _repr_markdown_(self) -> str:
        count = f" ({len(self.values)} values)" if len(self.values) > 1 else ""
        said = self.published
        if said is None:
            source = ""
        else:
            short, _ = papers().get(said.paper, (said.paper, ""))
            where = ", ".join(filter(None, (short, said.table, said.row)))
            source = f"; published: {escape(str(said))} ({escape(where)})"
        reason = f": {self.reason}" if self.reason else ""
        name = escape(f"{self.experiment}, {self.metric}")
        return f"{name}: **{escape(str(self))}**{count}{source}. *{self.verdict}*{escape(reason)}"

"""The test of a claim: sentences such as `condensed - herding > 1`, written before the run, judged from its values.

A claim's tests stand in `published.yml`; each is one of

* `a - b > 1`: the mean of group a lies above that of group b by more than 1;
* `a > 1`, `a < 1`: the mean of group a lies above or below a bound;
* `|a - b| < 1`: the two means differ by less than 1.

A group is a set of values by unit (condensed set, seed, image). Where two groups were measured on the same units, the
difference is taken unit by unit. A test holds where the whole 95 % interval is on the side that it names, fails where
the whole interval is on the other, and is unresolved otherwise. A claim holds where all of its tests hold, and fails
where one fails.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simplebits.report import interval
from simplebits.report.interval import Interval

Groups = Mapping[str, Mapping[str, float]]

_NAME, _NUMBER = r"[\w.∞-]*[\w∞]", r"-?\d+(?:\.\d+)?"
_DIFFERENCE = re.compile(rf"({_NAME}) - ({_NAME}) ([<>]) ({_NUMBER})")
_LEVEL = re.compile(rf"\|({_NAME}) - ({_NAME})\| < ({_NUMBER})")
_BOUND = re.compile(rf"({_NAME}) ([<>]) ({_NUMBER})")


@dataclass(frozen=True)
class Test:
    """One sentence: the groups it speaks of and the open interval in which its quantity should lie."""

    __test__ = False  # no test of pytest's

    text: str
    groups: tuple[str, ...]
    low: float
    high: float


@dataclass(frozen=True)
class Outcome:
    """What the values say of one test: `holds`, `fails` or `unresolved`, and in words why."""

    test: Test
    measured: Interval
    outcome: str

    def __str__(self) -> str:
        low, high = (f"{end:.3g}" for end in (self.measured.low, self.measured.high))
        return f"{self.test.text}: {self.measured.difference:.3g} [{low}, {high}], {self.outcome}"


def parse(text: str) -> Test:
    """Read one sentence.

    Raises:
        ValueError: it has none of the forms above.

    >>> parse("condensed - herding > 1").groups
    ('condensed', 'herding')
    """
    if match := _LEVEL.fullmatch(text):
        return Test(text, match.group(1, 2), -float(match[3]), float(match[3]))
    if match := _DIFFERENCE.fullmatch(text):
        return Test(text, match.group(1, 2), *_side(match[3], float(match[4])))
    if match := _BOUND.fullmatch(text):
        return Test(text, (match[1],), *_side(match[2], float(match[3])))
    raise ValueError(f"test {text!r}: expected 'a - b > 1', 'a > 1', 'a < 1' or '|a - b| < 1'")


def judge(test: Test, groups: Groups) -> Outcome:
    """Judge one test by the values of its groups.

    Raises:
        ValueError: a group that the test names is missing or empty.
    """
    for name in test.groups:
        if not groups.get(name):
            raise ValueError(f"test {test.text!r} speaks of {name!r}; got values of {', '.join(groups) or 'nothing'}")
    sides = [groups[name] for name in test.groups]
    if len(sides) == 1:
        mean = interval.of_mean(list(sides[0].values()))
    elif (common := [unit for unit in sides[0] if unit in sides[1]]) and len(common) == len(sides[0]) == len(sides[1]):
        mean = interval.of_mean([sides[0][unit] - sides[1][unit] for unit in common])
    else:
        mean = interval.two_means(*(list(side.values()) for side in sides))
    if test.low < mean.low and mean.high < test.high:
        return Outcome(test, mean, "holds")
    beyond = mean.high <= test.low or mean.low >= test.high  # a tie is not above
    return Outcome(test, mean, "fails" if beyond else "unresolved")


def together(outcomes: Sequence[Outcome]) -> str:
    """Join the outcomes of all tests of one claim: `fails` if one fails, `holds` if all hold, else `unresolved`."""
    words = {outcome.outcome for outcome in outcomes}
    return "fails" if "fails" in words else "holds" if words == {"holds"} else "unresolved"


def _side(sign: str, bound: float) -> tuple[float, float]:
    return (bound, math.inf) if sign == ">" else (-math.inf, bound)

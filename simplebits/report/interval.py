"""95 % intervals of differences: a measured number less a published one, or one measured group less another."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A difference with its 95 % interval.

    Attributes:
        difference: the estimate.
        low: lower end.
        high: upper end.
    """

    difference: float
    low: float
    high: float

    def inside(self, low: float, high: float) -> bool:
        """Tell whether the whole interval lies within these bounds."""
        return low <= self.low and self.high <= high

    def outside(self, low: float, high: float) -> bool:
        """Tell whether the whole interval lies beyond one of these bounds."""
        return self.high < low or self.low > high


def of_mean(values: Sequence[float]) -> Interval:
    """Compute the mean of independent values with Student's interval: the whole line for one, of unknown spread.

    >>> of_mean([1.0, 2.0, 3.0])
    Interval(difference=2.0, low=-0.484..., high=4.484...)
    """
    return mean_from(values, 0.0)


def mean_from(
    values: Sequence[float],
    published: float,
    sd: float | None = None,
    units: int | None = None,
    shrink: float = 1.0,
) -> Interval:
    """Subtract a published mean from the mean of independent values (Student's interval for two means).

    The degrees of freedom are the fewer of the two (the conservative choice): with Welch's, a noisier measurement could
    have a narrower interval beside a published mean of few units.

    Args:
        values: one for each independent unit.
        published: the published mean.
        sd: the spread printed with it; None: none is, and the number counts as exact.
        units: how many independent units it is the mean of; None: unknown, and the spread counts whole.
        shrink: factor on the variance of the published mean, see `averaged`.
    """
    n, difference = len(values), statistics.fmean(values) - published
    if n < 2:
        return Interval(difference, -math.inf, math.inf)
    half = mean_half_width(statistics.stdev(values), sd, units, shrink)(n)
    return Interval(difference, difference - half, difference + half)


def averaged(nested: Sequence[Sequence[float]], each: int) -> float:
    """Compute how much averaging within units lowers the variance of a mean whose printed spread is over all values.

    A table prints mean and spread of 100 networks, `each` = 20 on every one of 5 condensed sets. The part of that
    variance that lies between sets is averaged over 5, the part within sets over 100. How large the parts are the table
    does not say; here they stand in the ratio measured on our own units. Between units the variance of their means is
    taken whole, though part of it comes from within, so that the factor errs towards 1.

    Args:
        nested: the values within each unit; one unit or one value a unit tell no ratio, and the factor is 1.
        each: how many values of each unit the published mean is over.

    >>> averaged([[1.0, 3.0], [1.0, 3.0]], each=20)  # all within
    0.05
    >>> averaged([[1.0, 1.0], [3.0, 3.0]], each=20)  # all between
    1.0
    """
    inside = [statistics.variance(values) for values in nested if len(values) > 1]
    if len(nested) < 2 or len(inside) < len(nested):
        return 1.0
    between, within = statistics.variance(map(statistics.fmean, nested)), statistics.fmean(inside)
    share = between / (between + within) if between + within else 1.0
    return share + (1 - share) / each


def two_means(a: Sequence[float], b: Sequence[float]) -> Interval:
    """Subtract the mean of `b` from the mean of `a`, both of independent values (Welch)."""
    difference = statistics.fmean(a) - statistics.fmean(b)
    if min(len(a), len(b)) < 2:
        return Interval(difference, -math.inf, math.inf)
    return _welch(difference, [(statistics.variance(side) / len(side), len(side) - 1) for side in (a, b)])


def correlation_from(r: float, pairs: int, published: float, published_pairs: int | None = None) -> Interval:
    """Subtract a published correlation from a measured one: Fisher's z for each, joined as in Zou (2007).

    Args:
        r: the measured correlation.
        pairs: how many pairs it is computed from.
        published: the published one.
        published_pairs: its pairs; None: unknown, and it counts as exact.
    """
    measured = _fisher(r, pairs)
    theirs = (published, published) if published_pairs is None else _fisher(published, published_pairs)
    return _joined(r, measured, published, theirs)


def share_from(share: float, trials: int, published: float, published_trials: int | None = None) -> Interval:
    """Subtract a published share from one of independent trials: Wilson's intervals, joined as in Newcombe (1998)."""
    measured = _wilson(share, trials)
    theirs = (published, published) if published_trials is None else _wilson(published, published_trials)
    return _joined(share, measured, published, theirs)


def units_needed(half_width: Callable[[int], float], room: float, most: int = 100_000) -> int | None:
    """Find the least number of units at which an interval is no wider than `room` to each side; None if none is enough.

    >>> units_needed(lambda n: 10 / n**0.5, 1.0)
    100
    """
    if room <= 0 or half_width(most) > room:
        return None
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if half_width(middle) <= room else (middle + 1, high)
    return low


def mean_half_width(
    sd: float, published_sd: float | None, published_units: int | None, shrink: float = 1.0
) -> Callable[[int], float]:
    """Compute half the width of `mean_from`'s interval, by the number of units of this spread."""
    theirs = 0.0 if published_sd is None else shrink * published_sd**2 / (published_units or 1)

    def half(n: int) -> float:
        if n < 2:
            return math.inf
        freedom = n - 1 if not theirs else min(n - 1, max((published_units or 2) - 1, 1))
        return _student(freedom) * math.sqrt(sd**2 / n + theirs)

    return half


def _welch(difference: float, parts: Sequence[tuple[float, int]]) -> Interval:
    """Compute Student's interval whose variance is a sum of parts, each with its degrees of freedom."""
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return Interval(difference, difference, difference)
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    half = _student(freedom) * math.sqrt(variance)
    return Interval(difference, difference - half, difference + half)


def _student(freedom: float) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))


def _fisher(r: float, pairs: int) -> tuple[float, float]:
    if pairs < 4:
        return -1.0, 1.0
    z, half = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, r))), _normal() / math.sqrt(pairs - 3)
    return math.tanh(z - half), math.tanh(z + half)


def _wilson(share: float, trials: int) -> tuple[float, float]:
    z = _normal()
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
    return centre - half, centre + half


def _joined(a: float, of_a: tuple[float, float], b: float, of_b: tuple[float, float]) -> Interval:
    difference = a - b
    low = difference - math.hypot(a - of_a[0], of_b[1] - b)
    return Interval(difference, low, difference + math.hypot(of_a[1] - a, b - of_b[0]))


def _normal() -> float:
    return statistics.NormalDist().inv_cdf((1 + LEVEL) / 2)

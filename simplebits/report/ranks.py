"""Do two orders agree? Spearman's rank correlation with its interval, also with other orders and groups taken out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsFloat, SupportsInt

from simplebits._door import door
from simplebits.report.interval import LEVEL

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class RankCorrelation:
    """A rank correlation with its 95 % interval.

    Attributes:
        rho: the estimate, -1 to 1.
        low: lower end.
        high: upper end.
        pairs: how many pairs it rests on, one less for each order or group that was taken out.
    """

    rho: float
    low: float
    high: float
    pairs: int

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.rho:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


@door
def rank_correlation(
    a: Iterable[SupportsFloat],
    b: Iterable[SupportsFloat],
    given: Iterable[Iterable[SupportsFloat]] = (),
    groups: Iterable[SupportsInt] | None = None,
) -> RankCorrelation:
    """Compute Spearman's rho of two variables; with others given, the partial one.

    All variables are replaced by their ranks, ties by their mean rank. What the ranks of the given variables and the
    groups predict, by least squares, is subtracted from the ranks of a and b; rho is Pearson's correlation of the rest.

    Args:
        a: a number for each unit.
        b: another number for each of the same units.
        given: variables to hold fixed, the brightness of each image for example.
        groups: the group of each unit, a class label for example; only differences within groups count.

    Returns:
        rho and its interval, see `rank_interval`.

    Raises:
        ValueError: lengths that differ, values that are not finite, fewer than four units to judge by, or a variable
            that is constant, or wholly told by what is given.

    >>> round(rank_correlation([1, 2, 3, 4, 5], [1, 4, 9, 16, 25]).rho, 6)
    1.0
    >>> brightness = [1, 2, 3, 4, 5, 6, 7, 8]
    >>> both_bright = rank_correlation([2, 1, 4, 3, 6, 5, 8, 7], [1, 3, 2, 4, 5, 7, 6, 8])
    >>> alike = rank_correlation([2, 1, 4, 3, 6, 5, 8, 7], [1, 3, 2, 4, 5, 7, 6, 8], given=[brightness])
    >>> round(both_bright.rho, 2), round(alike.rho, 2)
    (0.76, -0.77)
    """
    import numpy as np

    ranks = [_ranks(values) for values in (a, b, *given)]
    members = np.zeros(len(ranks[0])) if groups is None else np.asarray([int(group) for group in groups])
    if len({len(values) for values in (*ranks, members)}) > 1:
        raise ValueError(f"a, b, given, groups: one value for each unit, got {[len(v) for v in (*ranks, members)]}")
    known = np.stack([*ranks[2:], *(members == group for group in np.unique(members))], 1).astype(float)
    pairs = len(members) - int(np.linalg.matrix_rank(known)) + 1
    if pairs < 4:
        raise ValueError(f"a, b: {len(members)} units tell nothing once {known.shape[1] - 1} variables are taken out")
    rest = [values - known @ np.linalg.lstsq(known, values, rcond=None)[0] for values in ranks[:2]]
    for name, left in zip("ab", rest, strict=True):
        if np.linalg.norm(left) < 1e-9 * len(left):
            raise ValueError(f"{name}: is constant, or what is given tells it wholly; there is nothing to correlate")
    rho = float(rest[0] @ rest[1] / (np.linalg.norm(rest[0]) * np.linalg.norm(rest[1])))
    rho = max(-1.0, min(1.0, rho))
    return RankCorrelation(rho, *rank_interval(rho, pairs), pairs)


@door
def rank_interval(rho: float, pairs: int) -> tuple[float, float]:
    """Compute the 95 % interval of a rank correlation: Fisher's z with the variance of Bonett and Wright (2000).

    The variance of z is (1 + rho^2 / 2) / (pairs - 3); of Pearson's correlation it would be 1 / (pairs - 3).

    >>> low, high = rank_interval(0.5, 100)
    >>> round(low, 3), round(high, 3)
    (0.326, 0.641)
    """
    if pairs < 4:
        return -1.0, 1.0
    z = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, rho)))
    half = statistics.NormalDist().inv_cdf((1 + LEVEL) / 2) * math.sqrt((1 + rho**2 / 2) / (pairs - 3))
    return min(rho, math.tanh(z - half)), max(rho, math.tanh(z + half))  # rounding must not leave out rho = 1


def _ranks(values: Iterable[SupportsFloat]) -> np.ndarray:
    import numpy as np
    from scipy.stats import rankdata

    numbers = np.asarray([float(value) for value in values])
    if not np.isfinite(numbers).all():
        raise ValueError("a, b, given: values must be finite; leave out units that have none")
    return rankdata(numbers)

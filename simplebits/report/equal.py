"""Compare curves at equal abscissa, on straight lines between neighbouring points, never across a wide gap."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from simplebits._door import door


@door
def on_curve(points: Iterable[tuple[float, float]], at: float, widest: float) -> float | None:
    """Compute the height of a curve at `at`, on the line between its two neighbouring points.

    Args:
        points: (abscissa, height), in any order.
        at: where to read.
        widest: gap between two neighbours across which no line is drawn.

    Returns:
        The height; None where `at` lies beyond the points, or in a gap that is too wide.

    >>> on_curve([(1.0, 90.0), (0.6, 80.0), (3.0, 95.0)], 0.8, widest=0.5)
    85.0
    >>> on_curve([(1.0, 90.0), (3.0, 95.0)], 2.0, widest=0.5) is None
    True
    """
    for (left, low), (right, high) in pairwise(sorted(points)):
        if left <= at <= right and right - left <= widest:
            return low + (high - low) * ((at - left) / (right - left) if right > left else 0.0)
    return None

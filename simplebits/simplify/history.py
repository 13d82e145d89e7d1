"""What a training of simplifier and classifier went through, and how it can fail."""

from __future__ import annotations

from dataclasses import dataclass, field

TERMS = ("total", "before", "after", "original", "gate", "bits")


class CollapseError(RuntimeError):
    """The simplifier turned every image into a constant one: lambda is too large for this task and this density."""


@dataclass
class SimplifyHistory:
    """What a training went through.

    Attributes:
        terms: for each of `total`, `before`, `after`, `original`, `gate`, `bits` (see `PerInstanceLoss`) the batch's
            mean at every step; NaN where the step was skipped, or where no bits were needed.
        measured: one dictionary per measurement: `step`, `accuracy_original`, `accuracy_simplified`, `bits` (under the
            last stage's density), `contrast` (mean standard deviation of a simplified image over that of its
            original).
        skipped: number of steps without an update of both networks, because a loss or gradient was not finite.
        collapsed: the step at which images had become constant; None if they have not.
        seconds: time spent, over all resumed parts, warm-up not counted.
    """

    terms: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in TERMS})
    measured: list[dict[str, float]] = field(default_factory=list)
    skipped: int = 0
    collapsed: int | None = None
    seconds: float = 0.0

"""What a training of simplifier and classifier went through, and how it can fail."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from simplebits.simplify.loss import PerInstanceLoss

TERMS = ("total", "before", "after", "original", "gate", "bits")
COLLAPSED = 0.05  # share of the originals' contrast below which simplified images count as constant


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
        constant: number of the latest steps in a row whose simplified images were constant.
        collapsed: the step at which images had become constant; None if they have not.
        seconds: time spent, over all resumed parts, warm-up not counted.
        kept: simplified versions of chosen images on the way: (step, uint8 images).
    """

    terms: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in TERMS})
    measured: list[dict[str, float]] = field(default_factory=list)
    skipped: int = 0
    constant: int = 0
    collapsed: int | None = None
    seconds: float = 0.0
    kept: list[tuple[int, Tensor]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Number of steps taken."""
        return len(self.terms["total"])

    def add(self, loss: PerInstanceLoss, finite: bool, contrast: float) -> None:
        """Add a step: its loss, whether both networks were updated, and the contrast of the simplified images."""
        means = [math.nan] * len(TERMS)
        if finite:  # in one tensor: one wait for the device
            means = torch.stack([getattr(loss, name).detach().mean() for name in TERMS]).tolist()
        for name, value in zip(TERMS, means, strict=True):
            self.terms[name].append(value)
        self.skipped += not finite
        self.constant = self.constant + 1 if contrast < COLLAPSED else 0

    def refuse_collapse(self, bit_weight: float) -> None:
        """Raise CollapseError where images have become constant."""
        if self.collapsed is not None:
            raise CollapseError(
                f"at lambda = {bit_weight:g} every image had become constant by step {self.collapsed} (contrast below "
                f"{COLLAPSED:.0%} of the originals'); lower bit_weight, or stop earlier"
            )

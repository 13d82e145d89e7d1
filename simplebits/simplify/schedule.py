"""Which density measures bits when: one for the whole run, or several, coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simplebits._door import door
from simplebits.density import DensityModel
from simplebits.domains import NonNegative, Positive


@door
@dataclass(frozen=True)
class Stage:
    """One part of a schedule of densities, coarse to fine.

    Attributes:
        density: what measures bits in this stage.
        share: of the simplifier's steps, above 0; shares are taken relative to their sum.
        factor: times lambda, in this stage.
    """

    density: DensityModel
    share: Positive = 1.0
    factor: NonNegative = 1.0


def stage_at(stages: Sequence[Stage], progress: float) -> Stage:
    """Look up the stage after this share (0 to 1) of all steps."""
    whole, passed = sum(stage.share for stage in stages), 0.0
    for stage in stages:
        passed += stage.share / whole
        if progress < passed:
            return stage
    return stages[-1]

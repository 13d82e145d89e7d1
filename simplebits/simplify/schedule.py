"""Which density measures bits when: one for the whole run, or several, coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

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


class InStages:
    """A schedule; a single model is one stage."""

    whole = True  # the kind is part of this check

    def __call__(self, argument: str, value: Any) -> tuple[Stage, ...]:
        """Check that there are stages, all of models that measure images of one size, and return them."""
        stages = (Stage(value),) if isinstance(value, DensityModel) else value
        if not isinstance(stages, Sequence) or not stages or not all(isinstance(stage, Stage) for stage in stages):
            raise TypeError(
                f"{argument}: expected a DensityModel or a sequence of Stage(density, share, factor), got "
                f"{type(value).__name__}{DensityModel.how_to_get}"
            )
        sizes = {(stage.density.channels, stage.density.image_size) for stage in stages}
        if len(sizes) > 1:
            raise ValueError(
                f"{argument}: all stages must measure images of one size, got {sorted(sizes)} (channels, pixels)"
            )
        return tuple(stages)


Schedule = Annotated[DensityModel | Sequence[Stage], InStages()]  # inside, always a tuple of stages


def stage_at(stages: Sequence[Stage], progress: float) -> Stage:
    """Look up the stage after this share (0 to 1) of all steps."""
    whole, passed = sum(stage.share for stage in stages), 0.0
    for stage in stages:
        passed += stage.share / whole
        if progress < passed:
            return stage
    return stages[-1]

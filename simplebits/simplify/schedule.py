"""Which density measures bits when: one for the whole run, or several, coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simplebits import _check
from simplebits.density import DensityModel


@dataclass(frozen=True)
class Stage:
    """One part of a schedule of densities, coarse to fine.

    Attributes:
        density: what measures bits in this stage.
        share: of the simplifier's steps, above 0; shares are taken relative to their sum.
        factor: times lambda, in this stage.
    """

    density: DensityModel
    share: float = 1.0
    factor: float = 1.0


def stages_of(density: DensityModel | Sequence[Stage]) -> tuple[Stage, ...]:
    """A schedule: a single model is one stage.

    Raises:
        TypeError: neither a model nor stages of models.
        ValueError: a share or factor out of range, or models of different image sizes.
    """
    stages = (Stage(density),) if isinstance(density, DensityModel) else density
    if (
        not isinstance(stages, Sequence)
        or not stages
        or not all(isinstance(s, Stage) and isinstance(s.density, DensityModel) for s in stages)
    ):
        raise TypeError(
            f"density: expected a DensityModel or a sequence of Stage(density, share, factor), "
            f"got {type(density).__name__}"
        )
    for stage in stages:
        _check.positive("share", stage.share)
        _check.positive("factor", stage.factor, allow_zero=True)
    sizes = {(s.density.channels, s.density.image_size) for s in stages}
    if len(sizes) > 1:
        raise ValueError(f"density: all stages must measure images of one size, got {sorted(sizes)} (channels, pixels)")
    return tuple(stages)


def stage_at(stages: Sequence[Stage], progress: float) -> Stage:
    """The stage after this share (0 to 1) of all steps."""
    whole, passed = sum(stage.share for stage in stages), 0.0
    for stage in stages:
        passed += stage.share / whole
        if progress < passed:
            return stage
    return stages[-1]

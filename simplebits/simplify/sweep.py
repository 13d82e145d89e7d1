"""A sweep over prices of a bit: copies of one training go on from where it stands, each with a price of its own."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from simplebits._files import beside
from simplebits.data import ImageSet
from simplebits.simplify.history import CollapseError
from simplebits.simplify.schedule import Stage
from simplebits.simplify.step import StepSettings


@runtime_checkable
class Begun(Protocol):
    """A training that can be copied and go on, as `SimplifyWhileTraining` can."""

    settings: StepSettings
    stages: Sequence[Stage]

    @property
    def fit(self) -> Callable[..., Any]:
        """Trains both networks."""
        ...

    @property
    def _warm_up(self) -> Callable[..., None]: ...


Run = TypeVar("Run", bound=Begun)


def runs_by_bit_weight(
    begun: Run,
    images: ImageSet,
    bit_weights: Sequence[float],
    warm_up: int,
    checkpoint: str | Path | None,
    options: Mapping[str, Any],
    shared: Mapping[str, Any],
) -> dict[float, Run]:
    """Train a copy of a begun run for each lambda; `SimplifyWhileTraining.sweep` says what the arguments are.

    Args:
        begun: takes the warm-up and nothing more.
        images: the training set.
        bit_weights: the lambdas.
        warm_up: steps in which the classifier learns alone, once for all.
        checkpoint: each lambda has a file of its own beside this one.
        options: further arguments of `fit`.
        shared: arguments of `fit` that the warm-up needs too: batch_size, test, progress.
    """
    if not bit_weights or len(set(bit_weights)) < len(bit_weights):
        raise ValueError(f"bit_weights={bit_weights!r}: give at least one lambda, and each once")
    inspect.signature(begun.fit).bind(images, **options)  # a misspelt option shows before the warm-up, not after it
    if warm_up:
        begun._warm_up(images, warm_up, checkpoint=checkpoint, **shared)
    runs = {}
    for value in bit_weights:
        # Everything is copied but the densities, which no run changes.
        run = copy.deepcopy(begun, {id(stage): stage for stage in begun.stages})
        run.settings = replace(begun.settings, bit_weight=value)
        with contextlib.suppress(CollapseError):
            run.fit(images, checkpoint=beside(checkpoint, f"{value:g}"), **shared, **options)
        runs[value] = run
    return runs

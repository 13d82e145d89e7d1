"""Backward selection of several inputs, one step of all of them at a time; a rule says which features a step masks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from simplebits._training import Training
from simplebits.networks.evaluation_mode import evaluation_mode
from simplebits.subsets.arguments import IMAGE_BATCH
from simplebits.subsets.candidates import Candidates
from simplebits.subsets.draws import Draws
from simplebits.subsets.masking import Features, as_batch
from simplebits.subsets.results import BackSelection, GradientSelection, SufficientInputSubset
from simplebits.subsets.score import ClassScore, Score, as_score, evaluate
from simplebits.subsets.selection_checkpoint import NOT_WRITTEN, check_same_score, selection_state

S = TypeVar("S", BackSelection, GradientSelection)
R = TypeVar("R")


@runtime_checkable
class Rule(Protocol[S]):
    """Which features are masked at each step."""

    name: str  # what the bar says

    @property
    def settings(self) -> dict[str, Any]:
        """What the choice depends on: a checkpoint of others is refused."""
        ...

    def steps(self, features: int) -> int:
        """Count the steps after which so many features are masked."""
        ...

    def choose(
        self, search: Search[S], rows: Int64[Tensor, " r"], left: Bool[Tensor, "r m"], step: int
    ) -> tuple[Bool[Tensor, "r m"], Float[Tensor, " r"]]:
        """Choose, among the features that are left of the inputs in these rows, those to mask; with a score a row."""
        ...

    def selections(self, search: Search[S], rows: Int64[Tensor, " r"], outcome: Outcome) -> list[S]:
        """State for each of these inputs in which order its features were masked."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What the steps of a selection masked.

    Attributes:
        kept: the features before the first step.
        order: the step that masked each of them, from 0; -1: none did.
        start: the score before the first step.
        values: the score that the rule gives of each step.
    """

    kept: Bool[Tensor, "r m"]
    order: Int64[Tensor, "r m"]
    start: Float[Tensor, " r"]
    values: Float[Tensor, "r steps"]


@dataclass
class Spent:
    """What the loop keeps beside its tensors."""

    seconds: float = 0.0


class Search(Generic[S]):
    """Backward selection of one input or of a batch, and what is read off it.

    Args:
        rule: chooses the features of a step.
        score: f; a function, or a `Score` with as many images as x has.
        x: one input, or a batch of images.
        mask: the features; None: pixels of images, values of other inputs.
        fill: what stands where a feature is masked.
        generator: gives each input its seed; None: all have seed 0.
        batch_size: inputs evaluated at once; None: as many as are fast.
        progress: show a bar; None: on a terminal only.

    Raises:
        ValueError: a mask or fill that does not broadcast to x, or the score of another number of images.
    """

    def __init__(
        self,
        rule: Rule[S],
        score: Callable[[Tensor], Tensor],
        x: Tensor,
        *,
        mask: Tensor | None,
        fill: float | Tensor,
        generator: torch.Generator | None,
        batch_size: int | None,
        progress: bool | None,
    ) -> None:
        self.rule, self.progress = rule, progress
        self.features = Features.of(as_batch(x), mask, fill)
        self.single = x.dim() != IMAGE_BATCH
        self.rows = torch.arange(len(self.features.x), device=x.device)
        self.score: Score = as_score(score, self.features.x)
        self.draws = Draws(generator, len(self.rows))
        local = isinstance(score, ClassScore) and score.local
        self.batch_size = batch_size or (8192 if x.is_cuda else 1024 if local else 128)

    @cached_property
    def candidates(self) -> Candidates:
        """What evaluates inputs that have one more feature masked."""
        return Candidates(self.score, self.features, self.batch_size)

    def of_all(self, results: list[R]) -> R | list[R]:
        """Give back one result for a single input, a list for a batch."""
        return results[0] if self.single else results

    def select_all(self, checkpoint: str | Path | None = None) -> list[S]:
        """Mask all features of every input."""
        kept = self.features.kept
        with self._mode():
            return self._select(self.rows, kept, self.score_of(self.rows, kept), checkpoint)

    def find_all(self, threshold: float) -> list[SufficientInputSubset | None]:
        """Find one sufficient subset of every input; None where the score does not reach the threshold."""
        with self._mode():
            return self._find(threshold, self.rows, self.features.kept)

    def collect_all(self, threshold: float) -> list[list[SufficientInputSubset]]:
        """Find all disjoint sufficient subsets, by rounds: each input is searched again among the features left."""
        rows, left = self.rows, self.features.kept.clone()
        collections: list[list[SufficientInputSubset]] = [[] for _ in rows]
        while len(rows):
            going_on = []
            with self._mode():
                subsets = self._find(threshold, rows, left[rows])
            for row, subset in zip(rows.tolist(), subsets, strict=True):
                if subset is None:
                    continue
                collections[row].append(subset)
                left[row] &= ~subset.mask.flatten()
                if len(subset) and bool(left[row].any()):
                    going_on.append(row)
            rows = rows.new_tensor(going_on)
        return collections

    def _mode(self) -> contextlib.AbstractContextManager[None]:
        """Put a classifier in evaluation mode; its mode is put back at the end."""
        return evaluation_mode(self.score.network) if isinstance(self.score, ClassScore) else contextlib.nullcontext()

    def score_of(self, rows: Int64[Tensor, " r"], kept: Bool[Tensor, "r m"]) -> Float[Tensor, " r"]:
        """Evaluate the inputs in these rows with nothing but these features.

        Raises:
            ValueError: a score is NaN.
        """
        values = self.evaluate(rows, kept)
        for row, value in zip(rows.tolist(), values.tolist(), strict=True):
            if value != value:
                raise ValueError(f"score: is NaN for input {row} before any of the features is masked")
        return values

    def evaluate(self, rows: Int64[Tensor, " r"], kept: Bool[Tensor, "r m"]) -> Float[Tensor, " r"]:
        """Evaluate the inputs in these rows with nothing but these features; NaN is a value."""
        inputs = self.features.take(rows).apply(kept)
        with torch.inference_mode():
            values = torch.cat([evaluate(self.score, *batch) for batch in self.batches(inputs, rows)])
        return values.clone()

    def batches(self, inputs: Tensor, rows: Int64[Tensor, " r"]) -> Iterator[tuple[Tensor, Tensor]]:
        """Split inputs, and the rows that they are made from, into what is evaluated at once."""
        return zip(inputs.split(self.batch_size), rows.split(self.batch_size), strict=True)

    def _find(
        self, threshold: float, rows: Int64[Tensor, " r"], kept: Bool[Tensor, "r m"]
    ) -> list[SufficientInputSubset | None]:
        """Find a subset of these features for each of these inputs; nothing is selected where the score is too low."""
        start = self.score_of(rows, kept)
        high = start >= threshold
        selections = iter(self._select(rows[high], kept[high], start[high]))
        return [next(selections)._sufficient(threshold) if reached else None for reached in high.tolist()]

    def _select(
        self,
        rows: Int64[Tensor, " r"],
        kept: Bool[Tensor, "r m"],
        start: Float[Tensor, " r"],
        checkpoint: str | Path | None = None,
    ) -> list[S]:
        """Mask all these features of the inputs in these rows; `start` is the score before."""
        if len(rows) == 0:
            return []
        steps = self.rule.steps(int(kept.sum(1).max()))
        order = torch.full(kept.shape, -1, device=kept.device)
        values = start.new_zeros(len(rows), steps)
        seeds = self.draws.seeds[rows.cpu()]
        known = torch.cat([start, *self._probes(rows, kept)]).double().cpu() if checkpoint else start
        settings = {"rule": self.rule.name, **self.rule.settings}
        training = Training(
            steps, self.rule.name, history=Spent(), progress=self.progress, checkpoint=checkpoint,
            state=selection_state(self.score, self.features, rows, settings) if checkpoint else NOT_WRITTEN,
            checkpoint_every=None, tensors=lambda: {"order": order, "values": values, "seeds": seeds, "scores": known},
        )  # fmt: skip
        if checkpoint and training.resumed is not None:
            check_same_score(checkpoint, training.resumed["scores"], known)
            order.copy_(training.resumed["order"])
            values.copy_(training.resumed["values"])
            # The run goes on with the draws of the one that wrote the file, whatever generator came this time.
            seeds = self.draws.seeds[rows.cpu()] = training.resumed["seeds"]
        left = kept & (order < 0)
        for step in training:
            group, value = self.rule.choose(self, rows, left, step)
            order[group], values[:, step] = step, value
            left &= ~group
        self.draws.advance(rows, steps)
        return self.rule.selections(self, rows, Outcome(kept, order, start, values))

    def _probes(self, rows: Int64[Tensor, " r"], kept: Bool[Tensor, "r m"]) -> list[Float[Tensor, " r"]]:
        """Score half masked and blank inputs, by which a file's score is known."""
        half = kept & (torch.arange(kept.shape[1], device=kept.device) % 2 == 0)
        return [self.evaluate(rows, part) for part in (half, torch.zeros_like(kept))]

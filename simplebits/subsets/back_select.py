"""Backward selection: mask feature after feature, always the one without which the score stays highest.

How fast it is on whole images of 28x28 pixels is measured by a script, `tests/benchmarks/test_subsets_speed.py`: the
test in that file takes 14x14 of their pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from simplebits._door import door
from simplebits.domains import Count, NonNegative
from simplebits.subsets.arguments import Fill, Inputs, Mask
from simplebits.subsets.results import BackSelection
from simplebits.subsets.search import Outcome, Search


@dataclass(frozen=True)
class Exact:
    """Mask one feature a step: the one without which the score stays highest.

    Attributes:
        noise: variance of what is added to the scores before the highest is looked for.
        drawn: whether ties are drawn; otherwise the lowest index is taken.
    """

    noise: float
    drawn: bool
    name = "backward selection"

    @classmethod
    def of(cls, noise: float, generator: torch.Generator | None) -> Exact:
        """Choose with this noise, and by draws where there is a generator.

        Raises:
            ValueError: noise without a generator.
        """
        if noise and generator is None:
            raise ValueError(f"noise={noise!r} is drawn: give a generator, as torch.Generator().manual_seed(0)")
        return cls(noise, drawn=generator is not None)

    @property
    def settings(self) -> dict[str, Any]:
        """What the choice depends on."""
        return {"ties": "drawn" if self.drawn else "in order", "noise": self.noise}

    def steps(self, features: int) -> int:
        """Count the steps after which so many features are masked."""
        return features

    def choose(
        self, search: Search[BackSelection], rows: Int64[Tensor, " r"], left: Bool[Tensor, "r m"], step: int
    ) -> tuple[Bool[Tensor, "r m"], Float[Tensor, " r"]]:
        """Choose one feature of each input that has features left; the score is that of the input without it."""
        table = search.candidates.scores(rows, left)
        lowest = torch.finfo(table.dtype).min  # a score may be -inf, and is still better than what is masked already
        ranked = torch.where(left, table.clamp(min=lowest), -torch.inf)
        if self.noise:
            drawn = search.draws.normal(rows, step, table.shape[1]).to(table.device)
            ranked = ranked.double() + self.noise**0.5 * drawn  # in double precision noise leaves no ties
        elif self.drawn:
            tied = ranked == ranked.amax(1, keepdim=True)
            drawn = search.draws.uniform(rows, step, table.shape[1])
            ranked = torch.where(tied, drawn.to(table.device), -torch.inf)
        feature = ranked.argmax(1, keepdim=True)  # the first of equal ones
        group = torch.zeros_like(left).scatter(1, feature, True) & left
        return group, table.gather(1, feature)[:, 0]

    def selections(
        self, search: Search[BackSelection], rows: Int64[Tensor, " r"], outcome: Outcome
    ) -> list[BackSelection]:
        """List for each input its features in the order in which they were masked."""
        never = outcome.order.shape[1]
        index = search.features.unravel(torch.where(outcome.order < 0, never, outcome.order).argsort(1))
        counts = outcome.kept.sum(1).tolist()
        return [
            BackSelection(
                outcome.kept[i].view(search.features.grid), index[i, :count], outcome.values[i, :count],
                float(outcome.start[i]),
            )
            for i, count in enumerate(counts)
        ]  # fmt: skip


@door
def back_select(
    score: Callable[[Tensor], Tensor],
    x: Inputs,
    *,
    mask: Mask | None = None,
    fill: Fill = 0.0,
    generator: torch.Generator | None = None,
    noise: NonNegative = 0.0,
    batch_size: Count | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> BackSelection | list[BackSelection]:
    """Order an input's features by backward selection (BackSelect; overinterpretation, section 3.1).

    From m features on, each step evaluates the score of all inputs that have one more feature masked, and masks the
    feature for which it is largest: m(m + 1)/2 evaluations, 524,800 for an image of 32x32 pixels. Nearly all of the
    time is the network's: on a processor this is 1.0 to 1.3 times as fast as a plain loop over one image. With
    `class_score(..., local=True)` only what a pixel reaches is recomputed: 5 to 7 times as fast for two convolutions on
    images of 28x28 pixels (93 % of the arithmetic saved), 1.5 to 1.7 times for ResNet20 on 32x32 (32 % saved: behind
    its first stage a pixel reaches most of the maps); measured in `tests/benchmarks`.

    Args:
        score: f, maps a batch of inputs to one number each; or a `Score`. `class_score` makes the paper's.
        x: one input of 1 to 3 axes, as an image [c, h, w], or a batch of images [n, c, h, w].
        mask: the features, True where they are still in the input. Its elements are the features: [h, w] or [1, h, w]
            for whole pixels, [c, h, w] for single values; for a batch one for all or [n, 1, h, w]. None: all whole
            pixels of images, all single values of other inputs.
        fill: what stands where a feature is masked, a number or a tensor that broadcasts to x. The paper has 0 in
            standardised images, the mean of the data; networks here standardise inside, and the mean pixel means that.
        generator: draws among features with equal scores, for each image apart: a batch gets the draws that its images
            would get one after the other. None: the one with the lowest index.
        noise: variance of what is added to all scores of a step before the largest is looked for; 0: none. It chooses
            the order only: the recorded values are the scores without it, so that subsets read off them are sufficient,
            but need not be minimal. 1e-12 is the paper's random tie-breaking (S4.8); it needs a generator.
        batch_size: inputs evaluated at once; None: 128, for a local score 1,024, on a GPU 8,192. It
            changes rounding at most.
        checkpoint: file to write to every half minute and to resume from.
        progress: show a bar; None: on a terminal only.

    Returns:
        The selection; a list of them for a batch of images.

    Raises:
        TypeError: x, mask, score or generator of a wrong type.
        ValueError: a mask or fill that does not broadcast, x empty, x or fill not finite, batch_size < 1, a score that
            is not one real number for each input, or NaN; noise negative or without a generator; another selection's
            checkpoint.

    >>> weights = torch.tensor([[3.0, 1.0], [4.0, 2.0]])
    >>> selection = back_select(lambda inputs: (inputs * weights).sum((1, 2)), torch.ones(2, 2))
    >>> selection.steps
    tensor([[2, 0],
            [3, 1]])
    >>> selection.values
    tensor([9., 7., 4., 0.])
    """
    search = Search(
        Exact.of(noise, generator), score, x,
        mask=mask, fill=fill, generator=generator, batch_size=batch_size, progress=progress,
    )  # fmt: skip
    return search.of_all(search.select_all(checkpoint))

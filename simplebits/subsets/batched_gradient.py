"""Backward selection by gradients: mask k pixels at a time, those with the largest derivative of the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from simplebits._door import door
from simplebits._gradients import with_gradients
from simplebits.domains import Count, NonNegative
from simplebits.subsets.arguments import Fill, Inputs, Mask
from simplebits.subsets.results import GradientSelection, SufficientInputSubset, Threshold
from simplebits.subsets.score import evaluate
from simplebits.subsets.search import Outcome, Search

NOISE = 1e-12  # variance of what the paper's code adds to the gradients


@dataclass(frozen=True)
class ByGradient:
    """Mask k pixels a step: those with the largest derivative of the score in the mask (algorithm 2).

    Attributes:
        k: pixels a step.
        noise: variance of what is added to the derivatives.
    """

    k: int
    noise: float
    name = "batched gradient"

    @property
    def settings(self) -> dict[str, Any]:
        """What the choice depends on."""
        return {"k": self.k, "noise": self.noise}

    def steps(self, features: int) -> int:
        """Count the steps after which so many pixels are masked."""
        return -(-features // self.k)

    def choose(
        self, search: Search[GradientSelection], rows: Int64[Tensor, " r"], left: Bool[Tensor, "r m"], step: int
    ) -> tuple[Bool[Tensor, "r m"], Float[Tensor, " r"]]:
        """Choose k pixels of each image, or those that are left; the score is that of the image with them."""
        value, gradient = derivative(search, rows, left)
        if self.noise:
            drawn = search.draws.normal(rows, step, left.shape[1])
            gradient = gradient + self.noise**0.5 * drawn.to(gradient)
        steepest = torch.where(left, gradient, -torch.inf).argsort(dim=1, descending=True, stable=True)[:, : self.k]
        return torch.zeros_like(left).scatter(1, steepest, True) & left, value

    def selections(
        self, search: Search[GradientSelection], rows: Int64[Tensor, " r"], outcome: Outcome
    ) -> list[GradientSelection]:
        """State for each image the step at which each pixel was masked, and the score of the blank image."""
        grid = search.features.grid
        blank = search.score_of(rows, torch.zeros_like(outcome.kept))
        images = zip(outcome.kept.clone(), outcome.order, outcome.values, blank, strict=True)
        return [GradientSelection(kept.view(grid), order.view(grid), *values) for kept, order, *values in images]


def derivative(
    search: Search[GradientSelection], rows: Int64[Tensor, " r"], left: Bool[Tensor, "r m"]
) -> tuple[Float[Tensor, " r"], Float[Tensor, "r m"]]:
    """Score each input with nothing but these pixels, and differentiate in M, 1 where a pixel is masked."""
    features = search.features.take(rows)
    values, slopes = [], []
    for inputs, index in search.batches(features.apply(left), rows):
        with torch.enable_grad():
            inputs = inputs.requires_grad_()
            value = evaluate(search.score, inputs, index)
            if not value.requires_grad:
                raise ValueError(
                    "score: has no gradient in its inputs; compute it from them with torch, without no_grad"
                )
            slopes.append(torch.autograd.grad(value.sum(), inputs)[0])
        values.append(value.detach())
    slope = torch.cat(slopes).flatten(1) * (features.fill - features.x)
    gradient = slope[:, features.positions].sum(2)
    bad = ~gradient.isfinite().all(1) | torch.cat(values).isnan()
    if bool(bad.any()):
        row = int(rows[bad.nonzero()[0, 0]])
        raise ValueError(
            f"score: it or its gradient is not finite for input {row} with {int((~left).sum(1).max())} features masked"
        )
    return torch.cat(values), gradient


@door
@with_gradients
def batched_gradient_back_select(
    score: Callable[[Tensor], Tensor],
    x: Inputs,
    k: Count,
    *,
    mask: Mask | None = None,
    fill: Fill = 0.0,
    noise: NonNegative = NOISE,
    generator: torch.Generator | None = None,
    batch_size: Count | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> GradientSelection:
    """Order the pixels of a batch of images, k at a time, by the gradient in the mask (algorithm 2 of the supplement).

    With M = 1 on masked pixels, each iteration masks the k pixels with the largest derivative of f(x (1 - M)) in M:
    ceil(h w / k) gradients an image instead of (h w)(h w + 1)/2 evaluations. The order is another one than that of
    `back_select`; the subsets that are read off it are sufficient all the same.

    Args:
        score: f, as for `back_select`, differentiable in its inputs.
        x: a batch of images [n, c, h, w], or one input.
        k: pixels an iteration; 100 for ImageNet and 1 for CIFAR-10 in the paper.
        mask: the pixels that are still in the image, as for `back_select`.
        fill: what stands where a pixel is masked.
        noise: variance of what is added to the gradients, as in the paper's code; 0: none, then equal gradients go by
            the lowest index. Where the score is saturated it decides instead of the gradients.
        generator: of the noise, for each image apart, as for `back_select`; None: seed 0 for each image.
        batch_size: images evaluated at once; None: 128, for a local score 1,024, on a GPU 8,192.
        checkpoint: file to write to every half minute and to resume from.
        progress: show a bar; None: on a terminal only.

    Returns:
        The selection, its order [n, h, w]; it depends on the noise only where gradients are about equal.

    Raises:
        TypeError: x, mask or score of a wrong type.
        ValueError: k < 1, a negative noise, a score that has no gradient, another selection's checkpoint; otherwise as
            for `back_select`.

    >>> weights = torch.tensor([[3.0, 1.0], [4.0, 2.0]])
    >>> score = lambda inputs: (inputs * weights).sum((1, 2, 3))
    >>> selection = batched_gradient_back_select(score, torch.ones(1, 1, 2, 2), 2)
    >>> selection.order, selection.values
    (tensor([[[1, 0],
             [1, 0]]]), tensor([[10.,  7.]]))
    """
    search = Search(
        ByGradient(k, noise), score, x,
        mask=mask, fill=fill, generator=generator, batch_size=batch_size, progress=progress,
    )  # fmt: skip
    selections = search.select_all(checkpoint)
    return selections[0] if search.single else GradientSelection.batch(selections)


@door
@with_gradients
def batched_gradient_find_sis(
    score: Callable[[Tensor], Tensor],
    x: Inputs,
    threshold: Threshold,
    k: Count,
    *,
    mask: Mask | None = None,
    fill: Fill = 0.0,
    noise: NonNegative = NOISE,
    generator: torch.Generator | None = None,
    batch_size: Count | None = None,
    progress: bool | None = None,
) -> SufficientInputSubset | list[SufficientInputSubset | None] | None:
    """Find a sufficient subset of each image by gradients: whole groups, the last masked first (algorithm 3).

    For other thresholds of the same images, keep what `batched_gradient_back_select` returns and ask its `sufficient`.

    Args:
        score: f, as for `back_select`, differentiable in its inputs.
        x: a batch of images [n, c, h, w], or one input.
        threshold: tau, what the score must reach.
        k: pixels an iteration.
        mask: the pixels that may be in the subset.
        fill: what stands where a pixel is masked.
        noise: variance of what is added to the gradients.
        generator: of the noise, for each image apart, as for `back_select`; None: seed 0 for each image.
        batch_size: images evaluated at once.
        progress: show a bar; None: on a terminal only.

    Returns:
        A list, None in place of images whose score does not reach the threshold; for a single input its subset.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: as for `batched_gradient_back_select`, or a threshold that is no number.

    >>> score = lambda inputs: inputs.sum((1, 2, 3))
    >>> batched_gradient_find_sis(score, torch.arange(4.0).view(1, 2, 2), 4.0, 1).mask
    tensor([[False, False],
            [ True,  True]])
    """
    search = Search(
        ByGradient(k, noise), score, x,
        mask=mask, fill=fill, generator=generator, batch_size=batch_size, progress=progress,
    )  # fmt: skip
    return search.of_all(search.find_all(threshold))


@door
@with_gradients
def batched_gradient_sis_collection(
    score: Callable[[Tensor], Tensor],
    x: Inputs,
    threshold: Threshold,
    k: Count,
    *,
    mask: Mask | None = None,
    fill: Fill = 0.0,
    noise: NonNegative = NOISE,
    generator: torch.Generator | None = None,
    batch_size: Count | None = None,
    progress: bool | None = None,
) -> list[SufficientInputSubset] | list[list[SufficientInputSubset]]:
    """Find by gradients all disjoint sufficient subsets, one after the other (algorithm 1 of the supplement).

    Args:
        score: f, as for `back_select`, differentiable in its inputs.
        x: a batch of images [n, c, h, w], or one input.
        threshold: tau, what the score must reach.
        k: pixels an iteration.
        mask: the pixels that may be in the subsets.
        fill: what stands where a pixel is masked.
        noise: variance of what is added to the gradients.
        generator: of the noise, for each image apart, as for `back_select`; None: seed 0 for each image.
        batch_size: images evaluated at once.
        progress: show a bar for each round; None: on a terminal only.

    Returns:
        For each image its subsets in the order found; for a single input its list.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: as for `batched_gradient_find_sis`.

    >>> score = lambda inputs: inputs.sum((1, 2, 3))
    >>> subsets = batched_gradient_sis_collection(score, torch.arange(5.0).view(1, 1, 5), 3.5, 1)
    >>> [subset.sis[:, 1].tolist() for subset in subsets]
    [[4], [3, 2]]
    """
    search = Search(
        ByGradient(k, noise), score, x,
        mask=mask, fill=fill, generator=generator, batch_size=batch_size, progress=progress,
    )  # fmt: skip
    return search.of_all(search.collect_all(threshold))

"""Backward selection by gradients: mask k pixels at a time, those with the largest derivative of the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from simplebits import _check, _progress
from simplebits._gradients import with_gradients
from simplebits.subsets.back_select import Search, begin
from simplebits.subsets.draws import Draws
from simplebits.subsets.masking import Features
from simplebits.subsets.results import SufficientInputSubset
from simplebits.subsets.score import Score, check_threshold, evaluate
from simplebits.subsets.sufficient import collect

NOISE = 1e-12  # variance of what the paper's code adds to the gradients


@dataclass(frozen=True, eq=False)
class GradientSelection:
    """The order in which the pixels of a batch of images were masked, in groups. Without the n for a single input.

    Attributes:
        mask: the pixels that were there to be masked: all of them, without an initial mask.
        order: the iteration in which each was masked, from 0; -1: it was from the start.
        values: the score before each iteration; the first is that of the image as it was. An image that had fewer
            pixels goes on with the score of the wholly masked image.
        blank: the score of the wholly masked image, which the paper's code does not record.
    """

    mask: Bool[Tensor, "... h w"]
    order: Int64[Tensor, "... h w"]
    values: Float[Tensor, "... iterations"]
    blank: Float[Tensor, "..."]

    def image(self, i: int) -> GradientSelection:
        """That of one image of the batch.

        Raises:
            ValueError: this is the selection of a single input already.
        """
        if not self.blank.dim():
            raise ValueError("this is the selection of a single input: use it as it is, without .image(i)")
        return GradientSelection(self.mask[i], self.order[i], self.values[i], self.blank[i])

    def sufficient(self, threshold: float) -> SufficientInputSubset | list[SufficientInputSubset | None] | None:
        """The sufficient input subset at any threshold (algorithm 3): groups come back until the score reaches it.

        Args:
            threshold: tau, what the score must reach.

        Returns:
            The subset, which consists of whole groups; None where the score before masking is below the threshold or no
            pixel was there; for a batch a list.

        Raises:
            ValueError: the threshold is no number.
        """
        check_threshold(threshold)
        if self.blank.dim():
            return [self.image(i).sufficient(threshold) for i in range(len(self.blank))]
        if not bool(self.mask.any()) or not self.values[0] >= threshold:
            return None
        groups = int(self.order.max()) + 1
        values = torch.cat([self.values[:groups], self.blank[None]])  # of the last 0 groups: nothing
        first = int((values >= threshold).nonzero()[-1, 0])
        mask = self.order >= first
        last_first = self.order[mask].argsort(descending=True, stable=True)
        sis = mask.nonzero()[last_first]
        return SufficientInputSubset(mask, sis, self.order, self.values, threshold, float(values[first]))


@with_gradients
def batched_gradient_back_select(
    score: Score,
    x: Float[Tensor, "*x"],
    k: int,
    *,
    mask: Bool[Tensor, "*m"] | None = None,
    fill: float | Float[Tensor, "*f"] = 0.0,
    noise: float = NOISE,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
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
        mask: the pixels that are still there, as for `back_select`.
        fill: what stands where a pixel is masked.
        noise: variance of what is added to the gradients, as in the paper's code; 0: none, then equal gradients go by
            the lowest index. Where the score is saturated it decides instead of the gradients.
        generator: of the noise, for each image apart, as for `back_select`; None: seed 0 for each image.
        batch_size: images evaluated at once; None: 128, for a local score 1,024, on a GPU 8,192.
        checkpoint: file to write to every half minute and to resume from.
        progress: show a bar; None: on a terminal only.

    Returns:
        The order, [n, h, w]; what is read off it depends on the noise only where gradients are about equal.

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
    search, single = _begin(score, x, k, mask, fill, noise, generator, batch_size, progress)
    rows, kept = search.rows, search.features.kept
    start = search.score_of(rows, kept)
    selection = _select(search, k, rows, kept, start, checkpoint)
    return selection.image(0) if single else selection


def _begin(
    score: Score,
    x: Tensor,
    k: int,
    mask: Tensor | None,
    fill: float | Tensor,
    noise: float,
    generator: torch.Generator | None,
    batch_size: int | None,
    progress: bool | None,
) -> tuple[Search, bool]:
    _check.positive("k", k, integer=True)
    _check.positive("noise", noise, allow_zero=True)
    search, single = begin(score, x, mask, fill, None, 0.0, batch_size, progress)
    search.draws, search.noise = Draws(generator, len(search.rows)), noise
    return search, single


def _select(
    search: Search,
    k: int,
    rows: Int64[Tensor, " r"],
    kept: Bool[Tensor, "r m"],
    start: Float[Tensor, " r"],
    checkpoint: str | Path | None = None,
) -> GradientSelection:
    """Mask all these pixels of some of the search's inputs; `start` is the score before."""
    features = search.features.take(rows)
    order = torch.full(kept.shape, -1, device=kept.device)
    iterations = -(-int(kept.sum(1).max()) // k) if len(rows) else 0
    values = start.new_empty(len(rows), iterations)
    record = search.checkpoint(checkpoint, features, rows, kept, start, k=k, noise=search.noise)
    done, held = record.load()
    if held:
        order.copy_(held["order"])
        values.copy_(held["values"])
        search.resume_draws(rows, held)
    left = kept & (order < 0)
    with _progress.bar(iterations, done, "batched gradient", search.progress) as bar:
        for iteration in range(done, iterations):
            value, gradient = _gradient(search, features, rows, left)
            if search.noise:
                drawn = search.draws.normal(rows, iteration, kept.shape[1])
                gradient = gradient + search.noise**0.5 * drawn.to(gradient)
            steepest = torch.where(left, gradient, -torch.inf).argsort(dim=1, descending=True, stable=True)[:, :k]
            group = torch.zeros_like(left).scatter(1, steepest, True) & left
            order[group] = iteration
            left &= ~group
            values[:, iteration] = value
            so_far = {"order": order, "values": values, **search.saved_draws(rows)}
            record.save(iteration + 1, so_far, last=iteration + 1 == iterations)
            bar.update()
    search.draws.advance(rows, iterations)
    of_each = (len(rows), *features.grid)
    return GradientSelection(kept.view(of_each).clone(), order.view(of_each), values, search.score_of(rows, left))


def _gradient(
    search: Search, features: Features, rows: Int64[Tensor, " r"], left: Bool[Tensor, "r m"]
) -> tuple[Float[Tensor, " r"], Float[Tensor, "r m"]]:
    """The score of each input with nothing but these pixels, and its derivative in the mask."""
    inputs, values, slopes = features.apply(left), [], []
    for part, index in zip(inputs.split(search.batch_size), rows.split(search.batch_size), strict=True):
        with torch.enable_grad():
            part = part.requires_grad_()
            value = evaluate(search.score, part, index)
            if not value.requires_grad:
                raise ValueError(
                    "score: has no gradient in its inputs; compute it from them with torch, without no_grad"
                )
            slopes.append(torch.autograd.grad(value.sum(), part)[0])
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


@with_gradients
def batched_gradient_find_sis(
    score: Score,
    x: Float[Tensor, "*x"],
    threshold: float,
    k: int,
    *,
    mask: Bool[Tensor, "*m"] | None = None,
    fill: float | Float[Tensor, "*f"] = 0.0,
    noise: float = NOISE,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> SufficientInputSubset | list[SufficientInputSubset | None] | None:
    """A sufficient subset of each image by gradients: whole groups, the last masked first (algorithm 3).

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
    find, search, single = _finder(score, x, threshold, k, mask, fill, noise, generator, batch_size, progress)
    found = find(search.rows, search.features.kept)
    return found[0] if single else found


def _finder(
    score: Score,
    x: Tensor,
    threshold: float,
    k: int,
    mask: Tensor | None,
    fill: float | Tensor,
    noise: float,
    generator: torch.Generator | None,
    batch_size: int | None,
    progress: bool | None,
) -> tuple[Callable[[Tensor, Tensor], list[SufficientInputSubset | None]], Search, bool]:
    """What finds a subset in each of some inputs, the search it looks in, and whether that is about a single input."""
    check_threshold(threshold)
    search, single = _begin(score, x, k, mask, fill, noise, generator, batch_size, progress)
    return partial(_find, search, threshold, k), search, single


def _find(
    search: Search,
    threshold: float,
    k: int,
    rows: Int64[Tensor, " r"],
    kept: Bool[Tensor, "r m"],
) -> list[SufficientInputSubset | None]:
    """For each of these inputs a subset of these pixels; gradients only where the score is high enough."""
    start = search.score_of(rows, kept)
    high = start >= threshold
    selection = _select(search, k, rows[high], kept[high], start[high])
    found = iter(selection.sufficient(threshold))
    return [next(found) if ok else None for ok in high.tolist()]


@with_gradients
def batched_gradient_sis_collection(
    score: Score,
    x: Float[Tensor, "*x"],
    threshold: float,
    k: int,
    *,
    mask: Bool[Tensor, "*m"] | None = None,
    fill: float | Float[Tensor, "*f"] = 0.0,
    noise: float = NOISE,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> list[SufficientInputSubset] | list[list[SufficientInputSubset]]:
    """All disjoint sufficient subsets that gradients find, one after the other (algorithm 1 of the supplement).

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
    find, search, single = _finder(score, x, threshold, k, mask, fill, noise, generator, batch_size, progress)
    collections = collect(find, search.rows, search.features.kept)
    return collections[0] if single else collections

"""Sufficient input subsets: the smallest ends of backward selections that keep the score up, one or all disjoint."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from simplebits.subsets.back_select import Search, begin
from simplebits.subsets.results import SufficientInputSubset
from simplebits.subsets.score import Score, check_threshold


def find_sis(
    score: Score,
    x: Float[Tensor, "*x"],
    threshold: float,
    *,
    mask: Bool[Tensor, "*m"] | None = None,
    fill: float | Float[Tensor, "*f"] = 0.0,
    generator: torch.Generator | None = None,
    noise: float = 0.0,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> SufficientInputSubset | list[SufficientInputSubset | None] | None:
    """A subset of features that alone keeps the score at the threshold (FindSIS; overinterpretation, section 3.1).

    It is the end of a backward selection: the features masked last, as few as reach the threshold. No single one of
    them can be masked too. For other thresholds of the same input, keep what `back_select` returns and ask its
    `sufficient`.

    Args:
        score: f, as for `back_select`.
        x: one input, or a batch of images [n, c, h, w].
        threshold: tau; the paper has .99 for CIFAR-10 and .9 for ImageNet.
        mask: the features that may be in the subset, as for `back_select`; the others are masked from the start.
        fill: what stands where a feature is masked.
        generator: draws among ties, for each image apart; None: the lowest index.
        noise: variance of what is added to the scores by which features are chosen, as for `back_select`.
        batch_size: inputs evaluated at once.
        progress: show a bar; None: on a terminal only.

    Returns:
        The subset, None where the score does not reach the threshold with nothing more masked; for a batch a list.

    Raises:
        TypeError: x, mask or score of a wrong type.
        ValueError: as for `back_select`, or a threshold that is no number.

    >>> weights = torch.tensor([[3.0, 1.0], [4.0, 2.0]])
    >>> score = lambda inputs: (inputs * weights).sum((1, 2))
    >>> find_sis(score, torch.ones(2, 2), 6.5).mask
    tensor([[ True, False],
            [ True, False]])
    >>> find_sis(score, torch.ones(2, 2), 11.0) is None
    True
    """
    check_threshold(threshold)
    search, single = begin(score, x, mask, fill, generator, noise, batch_size, progress)
    found = _find(search, threshold, search.rows, search.features.kept)
    return found[0] if single else found


def _find(
    search: Search, threshold: float, rows: Int64[Tensor, " r"], kept: Bool[Tensor, "r m"]
) -> list[SufficientInputSubset | None]:
    """For each of these inputs a subset of these features; backward selection only where the score is high enough."""
    start = search.score_of(rows, kept)
    high = start >= threshold
    selections = iter(search.select(rows[high], kept[high], start[high]))
    return [next(selections).sufficient(threshold) if ok else None for ok in high.tolist()]


def sis_collection(
    score: Score,
    x: Float[Tensor, "*x"],
    threshold: float,
    *,
    mask: Bool[Tensor, "*m"] | None = None,
    fill: float | Float[Tensor, "*f"] = 0.0,
    generator: torch.Generator | None = None,
    noise: float = 0.0,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> list[SufficientInputSubset] | list[list[SufficientInputSubset]]:
    """All disjoint sufficient subsets of an input, one after the other (SIScollection; overinterpretation, 3.1).

    Each is found with the ones before masked, until what is left does not reach the threshold. An empty one, which
    says that the wholly masked input reaches it, ends the collection.

    Args:
        score: f, as for `back_select`.
        x: one input, or a batch of images [n, c, h, w].
        threshold: tau.
        mask: the features that may be in the subsets, as for `back_select`.
        fill: what stands where a feature is masked.
        generator: draws among ties, for each image apart; None: the lowest index.
        noise: variance of what is added to the scores by which features are chosen, as for `back_select`.
        batch_size: inputs evaluated at once.
        progress: show a bar for each round; None: on a terminal only.

    Returns:
        The subsets in the order found, none where the input does not reach the threshold; for a batch a list of lists.

    Raises:
        TypeError: x, mask or score of a wrong type.
        ValueError: as for `find_sis`.

    >>> subsets = sis_collection(lambda inputs: inputs.sum(1), torch.tensor([1.0, 2.0, 3.0, 4.0]), 3.5)
    >>> [subset.sis.flatten().tolist() for subset in subsets]
    [[3], [2, 1]]
    """
    check_threshold(threshold)
    search, single = begin(score, x, mask, fill, generator, noise, batch_size, progress)
    collections = collect(partial(_find, search, threshold), search.rows, search.features.kept)
    return collections[0] if single else collections


def collect(
    find: Callable[[Tensor, Tensor], list[SufficientInputSubset | None]],
    rows: Int64[Tensor, " n"],
    kept: Bool[Tensor, "n m"],
) -> list[list[SufficientInputSubset]]:
    """The subsets of all inputs, by rounds: `find` looks for one in each of some inputs, among the features left."""
    left = kept.clone()
    collections: list[list[SufficientInputSubset]] = [[] for _ in rows]
    while len(rows):
        going = []
        for row, subset in zip(rows.tolist(), find(rows, left[rows]), strict=True):
            if subset is not None:
                collections[row].append(subset)
                left[row] &= ~subset.mask.flatten()
                going += [row] if len(subset) and bool(left[row].any()) else []
        rows = rows.new_tensor(going)
    return collections

"""Sufficient input subsets: the smallest ends of backward selections that keep the score up, one or all disjoint."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from simplebits._door import door
from simplebits.domains import Count, NonNegative
from simplebits.subsets.arguments import Fill, Inputs, Mask
from simplebits.subsets.back_select import Exact
from simplebits.subsets.results import SufficientInputSubset, Threshold
from simplebits.subsets.search import Search


@door
def find_sis(
    score: Callable[[Tensor], Tensor],
    x: Inputs,
    threshold: Threshold,
    *,
    mask: Mask | None = None,
    fill: Fill = 0.0,
    generator: torch.Generator | None = None,
    noise: NonNegative = 0.0,
    batch_size: Count | None = None,
    progress: bool | None = None,
) -> SufficientInputSubset | list[SufficientInputSubset | None] | None:
    """Find a subset of features that alone keeps the score at the threshold (FindSIS; overinterpretation, section 3.1).

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
    search = Search(
        Exact.of(noise, generator), score, x,
        mask=mask, fill=fill, generator=generator, batch_size=batch_size, progress=progress,
    )  # fmt: skip
    return search.of_all(search.find_all(threshold))


@door
def sis_collection(
    score: Callable[[Tensor], Tensor],
    x: Inputs,
    threshold: Threshold,
    *,
    mask: Mask | None = None,
    fill: Fill = 0.0,
    generator: torch.Generator | None = None,
    noise: NonNegative = 0.0,
    batch_size: Count | None = None,
    progress: bool | None = None,
) -> list[SufficientInputSubset] | list[list[SufficientInputSubset]]:
    """Find all disjoint sufficient subsets of an input, one after the other (SIScollection; overinterpretation, 3.1).

    Each is found with the earlier ones masked, until what is left does not reach the threshold. An empty
    subset, which says that the wholly masked input reaches it, ends the collection.

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
    search = Search(
        Exact.of(noise, generator), score, x,
        mask=mask, fill=fill, generator=generator, batch_size=batch_size, progress=progress,
    )  # fmt: skip
    return search.of_all(search.collect_all(threshold))

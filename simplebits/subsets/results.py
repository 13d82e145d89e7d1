"""What backward selection gives: the order of all features, and from it a sufficient subset for any threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from simplebits.subsets.score import check_threshold


@dataclass(frozen=True, eq=False)
class SufficientInputSubset:
    """Features that are enough for the score to reach a threshold.

    Attributes:
        mask: True on the subset; [h, w] for the pixels of an image.
        sis: indices of its features into `mask`, the one that backward selection masked last in front.
        order: what the selection gave as `order` that it was read off.
        values: what the selection gave as `values`.
        threshold: tau, what the score reaches.
        score: that of the input with nothing but the subset. NaN in one case, where the wholly masked input reaches
            the threshold and larger subsets do not: then, as in the paper's code, the feature that was masked last
            is left out, and nothing has evaluated what remains, which need not reach the threshold.
    """

    mask: Bool[Tensor, "..."]
    sis: Int64[Tensor, "k dims"]
    order: Int64[Tensor, "..."]
    values: Float[Tensor, " m"]
    threshold: float
    score: float

    def __len__(self) -> int:
        return len(self.sis)

    @property
    def share(self) -> float:
        """How much of the input it is, 0 to 1."""
        return len(self.sis) / self.mask.numel()


@dataclass(frozen=True, eq=False)
class BackSelection:
    """The order in which backward selection masked an input's features.

    Attributes:
        mask: the features that were there to be masked: all of them, without an initial mask.
        order: their indices into `mask`, the one masked first in front: rows and columns for images.
        values: the score after each of them was masked; the last is that of the wholly masked input.
        score: the score before any of them was.
    """

    mask: Bool[Tensor, "..."]
    order: Int64[Tensor, "m dims"]
    values: Float[Tensor, " m"]
    score: float

    @property
    def steps(self) -> Int64[Tensor, "..."]:
        """The step at which each feature was masked, from 0, laid out as `mask`; -1: it was from the start.

        `keep_last(selection.steps, 0.05)` is the paper's 5 % pixel subset.
        """
        steps = torch.full(self.mask.shape, -1, device=self.mask.device)
        steps[self.order.unbind(1)] = torch.arange(len(self.order), device=steps.device)
        return steps

    def sufficient(self, threshold: float) -> SufficientInputSubset | None:
        """The sufficient input subset at any threshold, read off the values: no further evaluation (FindSIS).

        It consists of the features masked last, as few as have a score of at least the threshold.

        Args:
            threshold: tau, what the score must reach.

        Returns:
            The subset; None where the score before masking is below the threshold, or no feature was there.

        Raises:
            ValueError: the threshold is no number.
        """
        check_threshold(threshold)
        m = len(self.order)
        if m == 0 or not self.values.new_tensor(self.score) >= threshold:
            return None
        reached = (self.values[:-1] >= threshold).nonzero()[:, 0]
        first = int(reached[-1]) + 1 if len(reached) else 0
        score = float(self.values[first - 1]) if first else self.score
        sis = self.order[first:].flip(0)
        if self.values[-1] >= threshold:
            sis = sis[1:]
            score = math.nan if len(sis) else float(self.values[-1])
        mask = torch.zeros_like(self.mask)
        mask[sis.unbind(1)] = True
        return SufficientInputSubset(mask, sis, self.order, self.values, threshold, score)

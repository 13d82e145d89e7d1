"""What backward selection gives: the order of all features, and from it a sufficient subset for any threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from simplebits._door import door
from simplebits.domains import Number

Threshold = Annotated[float, Number(infinite=True)]


@dataclass(frozen=True, eq=False)
class SufficientInputSubset:
    """Features that are enough for the score to reach a threshold.

    Attributes:
        mask: True on the subset; [h, w] for the pixels of an image.
        sis: indices of its features into `mask`, the one that backward selection masked last in front.
        order: the selection's `order`, from which the subset was read.
        values: the selection's `values`.
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

    def __repr__(self) -> str:
        size = f"{len(self)} of {self.mask.numel()} features"
        return f"SufficientInputSubset({size}, score {self.score:.4g}, threshold {self.threshold:g})"

    @property
    def share(self) -> float:
        """Share of the input's features that the subset holds, 0 to 1."""
        return len(self.sis) / self.mask.numel()


@dataclass(frozen=True, eq=False)
class BackSelection:
    """The order in which backward selection masked an input's features.

    Attributes:
        mask: the features that could be masked: all of them, without an initial mask.
        order: their indices into `mask`, the one masked first in front: rows and columns for images.
        values: the score after each of them was masked; the last is that of the wholly masked input.
        score: the score before any feature was masked.
    """

    mask: Bool[Tensor, "..."]
    order: Int64[Tensor, "m dims"]
    values: Float[Tensor, " m"]
    score: float

    def __repr__(self) -> str:
        last = f" to {float(self.values[-1]):.4g}" if len(self.values) else ""
        return f"BackSelection({len(self.order)} of {self.mask.numel()} features masked, score {self.score:.4g}{last})"

    @property
    def steps(self) -> Int64[Tensor, "..."]:
        """The step at which each feature was masked, from 0, laid out as `mask`; -1: it was from the start.

        `keep_last(selection.steps, 0.05)` is the paper's 5 % pixel subset.
        """
        steps = torch.full(self.mask.shape, -1, device=self.mask.device)
        steps[self.order.unbind(1)] = torch.arange(len(self.order), device=steps.device)
        return steps

    @door
    def sufficient(self, threshold: Threshold) -> SufficientInputSubset | None:
        """Read off the sufficient input subset at any threshold, without further evaluation (FindSIS).

        It consists of the features masked last, as few as have a score of at least the threshold.

        Args:
            threshold: tau, what the score must reach.

        Returns:
            The subset; None where the score before masking is below the threshold, or no feature could be masked.

        Raises:
            ValueError: the threshold is no number.
        """
        return self._sufficient(threshold)

    def _sufficient(self, threshold: float) -> SufficientInputSubset | None:
        if len(self.order) == 0 or not self.values.new_tensor(self.score) >= threshold:
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


@dataclass(frozen=True, eq=False)
class GradientSelection:
    """The order in which the pixels of a batch of images were masked, in groups. Without the n for a single input.

    Attributes:
        mask: the pixels that could be masked: all of them, without an initial mask.
        order: the iteration in which each pixel was masked, from 0; -1: it was from the start.
        values: the score before each iteration; the first is that of the image as it was. An image that had fewer
            pixels goes on with the score of the wholly masked image.
        blank: the score of the wholly masked image, which the paper's code does not record.
    """

    mask: Bool[Tensor, "... h w"]
    order: Int64[Tensor, "... h w"]
    values: Float[Tensor, "... iterations"]
    blank: Float[Tensor, "..."]

    def __repr__(self) -> str:
        images = f"{len(self.blank)} images" if self.blank.dim() else "one image"
        height, width = self.mask.shape[-2:]
        return f"GradientSelection({images} {height}x{width}, {self.values.shape[-1]} iterations)"

    @classmethod
    def batch(cls, selections: Sequence[GradientSelection]) -> GradientSelection:
        """Put the selections of single images together."""
        fields = ("mask", "order", "values", "blank")
        return cls(*(torch.stack([getattr(each, field) for each in selections]) for field in fields))

    @door
    def image(self, i: int) -> GradientSelection:
        """Take the selection of one image of the batch.

        Raises:
            ValueError: this is the selection of a single input already, or the batch has no image of this number.
        """
        if not self.blank.dim():
            raise ValueError("this is the selection of a single input: use it as it is, without .image(i)")
        if not -len(self.blank) <= i < len(self.blank):
            raise ValueError(f"i={i}: the batch has {len(self.blank)} images; give 0 .. {len(self.blank) - 1}")
        return self._image(i)

    def _image(self, i: int) -> GradientSelection:
        return GradientSelection(self.mask[i], self.order[i], self.values[i], self.blank[i])

    @door
    def sufficient(self, threshold: Threshold) -> SufficientInputSubset | list[SufficientInputSubset | None] | None:
        """Read off the sufficient input subset at any threshold (algorithm 3): groups return until the score does.

        Args:
            threshold: tau, what the score must reach.

        Returns:
            The subset, which consists of whole groups; None where the score before masking is below the threshold or no
            pixel could be masked; for a batch a list.

        Raises:
            ValueError: the threshold is no number.
        """
        if self.blank.dim():
            return [self._image(i)._sufficient(threshold) for i in range(len(self.blank))]
        return self._sufficient(threshold)

    def _sufficient(self, threshold: float) -> SufficientInputSubset | None:
        """Read off the subset of a single image."""
        if not bool(self.mask.any()) or not self.values[0] >= threshold:
            return None
        groups = int(self.order.max()) + 1
        values = torch.cat([self.values[:groups], self.blank[None]])  # of the last 0 groups: nothing
        first = int((values >= threshold).nonzero()[-1, 0])
        mask = self.order >= first
        last_first = self.order[mask].argsort(descending=True, stable=True)
        sis = mask.nonzero()[last_first]
        return SufficientInputSubset(mask, sis, self.order, self.values, threshold, float(values[first]))

"""Several classifiers that answer as one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Ensemble(nn.Module):
    """The mean of the members' logits (Carter et al. 2021, section 3.1: five networks that differ in their seed).

    The softmax comes after the mean, as in the paper's code; a mean of probabilities would be another ensemble.

    Args:
        members: classifiers of equal outputs, at least one; they are held, not copied.

    Raises:
        ValueError: no member.

    >>> Ensemble([nn.Identity(), nn.ReLU()])(torch.tensor([[-2.0, 4.0]]))
    tensor([[-1.,  4.]])
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        if not self.members:
            raise ValueError("members: an ensemble needs at least one classifier")

    def forward(self, x: Tensor) -> Float[Tensor, "n classes"]:
        """The mean logits."""
        return torch.stack([member(x) for member in self.members]).mean(0)

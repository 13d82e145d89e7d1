"""Several classifiers that answer as one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits.subsets.arguments import several_networks, shapes_fit


@door
class Ensemble(nn.Module):
    """The mean of the members' logits (Carter et al. 2021, section 3.1: five networks that differ in their seed).

    The softmax comes after the mean, as in the paper's code; a mean of probabilities would be another ensemble.

    Args:
        members: classifiers of equal outputs, at least one; they are kept, not copied.

    Raises:
        TypeError: members is one module, or holds something else than modules.
        ValueError: no member.

    >>> Ensemble([nn.Identity(), nn.ReLU()])(torch.tensor([[-2.0, 4.0]]))
    tensor([[-1.,  4.]])
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(several_networks(members))

    @door
    def forward(self, x: Tensor) -> Float[Tensor, "n classes"]:
        """Average the members' logits.

        Raises:
            ValueError: the members' logits differ in shape.
        """
        logits = [member(x) for member in self.members]
        shapes_fit(logits)
        return torch.stack(logits).mean(0)

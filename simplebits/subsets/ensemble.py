"""Several classifiers that answer as one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door


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
        if isinstance(members, nn.Module) and not isinstance(members, nn.ModuleList):
            raise TypeError(f"members: expected several networks, [net, ...], got one {type(members).__name__}")
        members = list(members)
        for i, member in enumerate(members):
            if not isinstance(member, nn.Module):
                raise TypeError(f"members[{i}]: expected a torch.nn.Module, got {type(member).__name__}")
        self.members = nn.ModuleList(members)
        if not self.members:
            raise ValueError("members: an ensemble needs at least one classifier")

    @door
    def forward(self, x: Tensor) -> Float[Tensor, "n classes"]:
        """Average the members' logits.

        Raises:
            ValueError: the members' logits differ in shape.
        """
        logits = [member(x) for member in self.members]
        shapes = {tuple(each.shape) for each in logits}
        if len(shapes) > 1:
            listed = ", ".join(str(list(shape)) for shape in sorted(shapes))
            raise ValueError(f"members: their logits differ in shape, {listed}; give networks of the same classes")
        return torch.stack(logits).mean(0)

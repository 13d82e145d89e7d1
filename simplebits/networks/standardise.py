"""The classifier owns its standardisation: images arrive in [0, 1], as everywhere else (SimpleBits, appendix S2)."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check
from simplebits._door import door
from simplebits.domains import Count, Known

# Mean and standard deviation per channel of each training set, as in the papers' code.
CONSTANTS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "mnist": ((0.1307,), (0.3081,)),
    "fashion-mnist": ((0.2861,), (0.3530,)),
    "svhn": ((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)),
    "composite": ((0.2,), (0.3,)),
}


ConstantsOf = Annotated[str, Known(lambda: CONSTANTS)]


@door
class Standardise(nn.Module):
    """(x - mean)/std per channel, with the constants of one image set.

    Args:
        name: `cifar10`, `mnist`, `fashion-mnist`, `svhn`, or `composite` (mean .2, standard deviation .3: what the
            paper takes for all composite sets, and a fair choice for other mostly dark ones); None: x as it is.
        channels: number of channels of the images.

    Raises:
        ValueError: unknown name, or a colour set's constants for images of another number of channels.

    >>> Standardise("composite", 1)(torch.full((1, 1, 1, 1), 0.5))
    tensor([[[[1.]]]])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: ConstantsOf | None, channels: Count) -> None:
        super().__init__()
        self.channels = channels
        mean, std = ((0.0,), (1.0,)) if name is None else CONSTANTS[name]
        if len(mean) not in (1, channels):
            raise ValueError(f"standardise={name!r} has constants for {len(mean)} channels, the images have {channels}")
        # Not saved with the weights: they are the constructor's, and never trained.
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Standardise images [n, c, h, w] in [0, 1].

        Raises:
            TypeError: x is not a tensor.
            ValueError: not floating point, or another number of channels.
        """
        _check.shape("x", x, "n", self.channels, "h", "w")
        return (x - self.mean) / self.std

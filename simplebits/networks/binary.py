"""Two logits in place of one: how a network with a single sigmoid output takes part in what compares classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door


@door
class BinaryLogits(nn.Module):
    """A network with one logit z, as a classifier of two classes whose logits are 0 and z.

    Their softmax is 1 - sigmoid(z) and sigmoid(z). The softmax of z alone is 1 whatever the image, so that scores,
    gates and accuracies of a single logit would say nothing; they refuse it and name this class.

    Args:
        network: maps images [n, c, h, w] to one logit each, [n, 1] or [n]; its weights are shared, not copied.

    Raises:
        TypeError: network is no module.

    >>> twice = BinaryLogits(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)))
    >>> twice(torch.rand(3, 1, 2, 2)).shape
    torch.Size([3, 2])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 2"]:
        """Compute the logits 0 and z of each image.

        Raises:
            ValueError: the network gives more or less than one logit an image.
        """
        z = self.network(x)
        if z.numel() != len(x):
            raise ValueError(f"network: expected one logit for each of {len(x)} images, got {list(z.shape)}")
        z = z.reshape(-1)
        return torch.stack((torch.zeros_like(z), z), 1)


def two_or_more(argument: str, shape: Sequence[int]) -> None:
    """Raise ValueError for logits of shape [n, 1]: the softmax of one logit is 1, whatever the image."""
    if shape[1] < 2:
        raise ValueError(
            f"{argument}: expected logits of two or more classes, got {list(shape)}; "
            f"simplebits.networks.BinaryLogits(network) makes two of a single sigmoid logit"
        )

"""A Wide ResNet without normalisation layers (SimpleBits, appendix S2; Brock et al. 2021).

Without normalisation an image that the simplifier makes darker stays darker inside the network: nothing rescales it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check
from simplebits._door import door
from simplebits.domains import Count, Known, Number, Share
from simplebits.networks.base import Classifier
from simplebits.networks.standardise import ConstantsOf

# gamma: 1 / standard deviation of act(z) for z ~ N(0, 1), so that variance is kept from layer to layer.
ACTIVATIONS = {
    "elu": (F.elu, 1.2716004848480225),
    "relu": (F.relu, 1.7139588594436646),
    "silu": (F.silu, 1.7881293296813965),
    "gelu": (F.gelu, 1.7015043497085571),
    "tanh": (torch.tanh, 1.5939117670059204),
}
RESIDUAL = 0.2  # weight of the residual branch


def odd(argument: str, value: Any) -> int:
    """Raise ValueError unless the number is odd."""
    if value % 2 == 0:
        raise ValueError(f"{argument}={value}: give an odd number, which has a middle pixel")
    return value


OddCount = Annotated[int, Number(0, open_low=True, integer=True), odd]


@door
class ScaledConv2d(nn.Module):
    """Convolution whose weights are standardised: g_o N^(-1/2) (W - mean_o)/(std_o + 1e-5), per output channel o.

    N is the fan-in, g a trainable gain; mean and (population) standard deviation run over a filter's own weights. The
    paper leaves out gain and epsilon, the code has them.

    Args:
        channels: of the input.
        filters: of the output.
        kernel: its height and width, odd; padded to keep the size.
        stride: step in pixels.

    Raises:
        ValueError: an argument is not a whole number above 0, or the kernel is even; in `forward`, images of another
            number of channels.
    """

    def __init__(self, channels: Count, filters: Count, kernel: OddCount = 3, stride: Count = 1) -> None:
        super().__init__()
        self.stride, self.padding = stride, kernel // 2
        self.weight = nn.Parameter(torch.empty(filters, channels, kernel, kernel))
        self.gain = nn.Parameter(torch.ones(filters, 1, 1, 1))
        self.bias = nn.Parameter(torch.zeros(filters))
        nn.init.xavier_uniform_(self.weight, gain=2**0.5)

    def standardised(self, scale: float = 1.0) -> Float[Tensor, "o c k k"]:
        """Compute the weights that convolve, times `scale`."""
        filters = self.weight.flatten(1)
        std, mean = torch.std_mean(filters, 1, correction=0, keepdim=True)
        factor = self.gain.flatten(1) * (scale * filters.shape[1] ** -0.5) / (std + 1e-5)
        return ((filters - mean) * factor).view_as(self.weight)

    def forward(self, x: Float[Tensor, "n c h w"], gamma: float = 1.0, beta: float = 1.0) -> Float[Tensor, "n o _ _"]:
        """Compute beta (conv(gamma x) + bias); the two factors go into the weights, which are fewer than the pixels."""
        _check.shape("x", x, "n", self.weight.shape[1], "h", "w")
        _check.beside("x", x, self.weight)
        bias = self.bias if beta == 1.0 else beta * self.bias
        return F.conv2d(x, self.standardised(gamma * beta), bias, self.stride, self.padding)


class Block(nn.Module):
    """out = 0.2 conv2(gamma act(dropout(conv1(gamma act(x))))) + shortcut; conv2 has the stride."""

    def __init__(self, channels: int, filters: int, stride: int, activation: str, dropout: float, shortcut: str):
        super().__init__()
        self.conv1 = ScaledConv2d(channels, filters)
        self.conv2 = ScaledConv2d(filters, filters, stride=stride)
        self.shortcut = None
        if stride > 1 or channels != filters:
            self.shortcut = ScaledConv2d(channels, filters, kernel=1, stride=stride)
        self.dropout = nn.Dropout(dropout)
        self.activation, self.gamma = ACTIVATIONS[activation]
        self.activated_shortcut = shortcut == "activated"

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n o _ _"]:
        """Compute the block's output."""
        active = self.activation(x)
        aside = active if self.activated_shortcut else x
        residual = self.conv1(active, gamma=self.gamma)
        if self.dropout.p:  # at 0 it would draw a mask all the same: a fifteenth of the step of a small network
            residual = self.dropout(residual)
        residual = self.conv2(self.activation(residual), gamma=self.gamma, beta=RESIDUAL)
        return residual + (aside if self.shortcut is None else self.shortcut(aside))


@door
class NFWideResNet(Classifier):
    """Normaliser-free Wide ResNet: a stem, three stages of (depth - 4)/6 blocks, average pooling, one linear layer.

    The defaults are NF-WRN-16-2, SimpleBits' classifier, with 692,122 parameters for 10 classes; name the image set
    with `standardise`.

    Args:
        depth: number of layers, 6 k + 4.
        widen: stages have 16, 32 and 64 times this many channels.
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images; any that leaves a pixel after three strides. Averaging is over all that
            is left: 8x8 for 32x32 images, as in the paper.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.
        activation: `elu` (the paper's), `relu`, `silu`, `gelu` or `tanh`, each times its variance-keeping gamma.
        dropout: probability between the two convolutions of a block; the code has it, the paper does not mention it.
        shortcut: `input` as the paper says; `activated`: the activation of it, which is what the code computed when
            the paper was written, because its ELU worked in place.
        stem_kernel: kernel of the first convolution, 3 as published.
        stem_stride: its stride, 1 as published; 2 makes everything after it four times cheaper.

    Raises:
        ValueError: an argument out of range, or an unknown activation, shortcut or set of constants.

    >>> sum(p.numel() for p in NFWideResNet().parameters())
    692122
    >>> NFWideResNet(10, 1, classes=3, size=16)(torch.rand(2, 3, 16, 16)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        depth: Count = 16,
        widen: Count = 2,
        classes: Count = 10,
        channels: Count = 3,
        size: Count = 32,
        *,
        standardise: ConstantsOf | None = None,
        activation: Annotated[str, Known(lambda: ACTIVATIONS)] = "elu",
        dropout: Share = 0.3,
        shortcut: Literal["input", "activated"] = "input",
        stem_kernel: OddCount = 3,
        stem_stride: Count = 1,
    ) -> None:
        super().__init__(classes, channels, size, standardise)
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"depth={depth}: give 6 k + 4 for k blocks a stage, as 10, 16, 22 or 28")
        stem = ScaledConv2d(channels, 16, stem_kernel, stem_stride)
        width, blocks = 16, []
        for filters, stride in ((16 * widen, 1), (32 * widen, 2), (64 * widen, 2)):
            for k in range((depth - 4) // 6):
                blocks.append(Block(width, filters, stride if k == 0 else 1, activation, dropout, shortcut))
                width = filters
        # Between the last block and the pooling is no activation, as published.
        parts = {"stem": stem, "blocks": nn.Sequential(*blocks), "pool": nn.AdaptiveAvgPool2d(1)}
        self.features = nn.Sequential(OrderedDict(parts))
        self.linear = nn.Linear(width, classes)

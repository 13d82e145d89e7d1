"""ConvNet, the network that the condensation papers condense with (Zhao, Mopuri and Bilen 2021, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch.nn.functional as F
from torch import Tensor, nn

from simplebits._door import door
from simplebits.domains import Count, Known
from simplebits.networks.base import Classifier, extra_padding
from simplebits.networks.standardise import ConstantsOf

GROUPS = 4  # of group normalisation


class LayerNorm(nn.LayerNorm):
    """Normalise over channels and pixels, then apply weight and bias.

    torch's layer does both in one step, whose derivative is wrong where `vmap(grad(...))` is differentiated once more.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x, times the weight, plus the bias."""
        y = F.layer_norm(x, self.normalized_shape, eps=self.eps)
        return (y * self.weight + self.bias).to(y.dtype)


# Each is made from the number of channels and the side of their maps, pixels.
NORMS: dict[str, Callable[[int, int], nn.Module]] = {
    "none": lambda channels, side: nn.Identity(),
    "batch": lambda channels, side: nn.BatchNorm2d(channels),
    "layer": lambda channels, side: LayerNorm([channels, side, side]),
    "instance": lambda channels, side: nn.GroupNorm(channels, channels),
    "group": lambda channels, side: nn.GroupNorm(GROUPS, channels),
}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "swish": nn.SiLU,
}
POOLINGS: dict[str, Callable[[], nn.Module]] = {
    "none": nn.Identity,
    "max": lambda: nn.MaxPool2d(2),
    "avg": lambda: nn.AvgPool2d(2),
}


@door
class ConvNet(Classifier):
    """Blocks of 3x3 convolution, normalisation, activation and 2x2 pooling, then one linear layer.

    The defaults are the papers' ConvNet: 320,010 parameters for 3x32x32 images and 10 classes, 317,706 for grey 28x28
    images, which the first convolution pads to 32x32. Both have 2,048 features.

    Args:
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images; with pooling at least 2^depth.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.
        width: channels of every convolution; with `group` normalisation a multiple of 4.
        depth: number of blocks.
        norm: `none`, `batch`, `layer` (over channels and pixels, one gain for each), `instance` (each channel of each
            image by itself) or `group` (4 groups of channels).
        activation: `sigmoid`, `relu`, `leaky_relu` (slope .01) or `swish`, x sigmoid(x).
        pooling: `none`, `max` or `avg`.

    Raises:
        ValueError: an argument out of range, an unknown name, or images too small for the depth.

    >>> sum(p.numel() for p in ConvNet(channels=1, size=28).parameters())
    317706
    >>> ConvNet(channels=1, size=8, width=16, depth=2).linear
    Linear(in_features=64, out_features=10, bias=True)
    """

    def __init__(
        self,
        classes: Count = 10,
        channels: Count = 3,
        size: Count = 32,
        *,
        standardise: ConstantsOf | None = None,
        width: Count = 128,
        depth: Count = 3,
        norm: Annotated[str, Known(lambda: NORMS)] = "instance",
        activation: Annotated[str, Known(lambda: ACTIVATIONS)] = "relu",
        pooling: Annotated[str, Known(lambda: POOLINGS)] = "avg",
    ) -> None:
        super().__init__(classes, channels, size, standardise)
        if norm == "group" and width % GROUPS:
            raise ValueError(f"width={width}: norm='group' has {GROUPS} groups; give a multiple of {GROUPS}")
        extra = extra_padding(channels, size)
        side = size + 2 * extra
        if pooling != "none" and side.bit_length() <= depth:  # side < 2^depth
            raise ValueError(
                f"size={size}: depth={depth} halves the images {depth} times; give a depth of at most "
                f"{side.bit_length() - 1}, images of at least {2**depth}x{2**depth} pixels, or pooling='none'"
            )
        layers: list[nn.Module] = []
        padding = 1 + extra
        for _ in range(depth):
            layers += [
                nn.Conv2d(channels, width, 3, padding=padding),
                NORMS[norm](width, side),
                ACTIVATIONS[activation](),
                POOLINGS[pooling](),
            ]
            channels, padding = width, 1
            side = side if pooling == "none" else side // 2
        self.features = nn.Sequential(*layers)
        self.linear = nn.Linear(width * side * side, classes)

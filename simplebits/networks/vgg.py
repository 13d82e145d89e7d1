"""VGG for small images: 3x3 convolutions and one linear layer (Simonyan and Zisserman 2014)."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from simplebits._door import door
from simplebits.domains import Count
from simplebits.networks.base import NORMS, Classifier, Norm, check_size, extra_padding
from simplebits.networks.standardise import ConstantsOf


class VGG(Classifier):
    """What the configurations share. Arguments as in `VGG11`.

    Attributes:
        stages: filters of the 3x3 convolutions, stage by stage; every stage ends in a pooling that halves the image.
    """

    stages: ClassVar[tuple[tuple[int, ...], ...]]

    def __init__(self, classes: int, channels: int, size: int, standardise: str | None, norm: str) -> None:
        super().__init__(classes, channels, size, standardise)
        extra = extra_padding(channels, size)
        side = size + 2 * extra
        check_size(type(self).__name__, side, 32)
        layers: list[nn.Module] = []
        padding = 1 + extra
        for stage in self.stages:
            for filters in stage:
                layers += [nn.Conv2d(channels, filters, 3, padding=padding), NORMS[norm](filters), nn.ReLU()]
                channels, padding = filters, 1
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.linear = nn.Linear(512 * (side // 32) ** 2, classes)


@door
class VGG11(VGG):
    """VGG's configuration A with normalisation and one linear layer: 9,231,114 parameters for 3x32x32, 10 classes.

    Args:
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images, at least 32, or 28 where they are grey: those are padded to 32x32.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.
        norm: `instance`, to learn from condensed images; `batch`, to condense with.

    Raises:
        ValueError: an argument out of range, or an unknown name.

    >>> VGG11(channels=1, size=28).linear
    Linear(in_features=512, out_features=10, bias=True)
    """

    stages = ((64,), (128,), (256, 256), (512, 512), (512, 512))

    def __init__(
        self,
        classes: Count = 10,
        channels: Count = 3,
        size: Count = 32,
        *,
        standardise: ConstantsOf | None = None,
        norm: Norm = "instance",
    ) -> None:
        super().__init__(classes, channels, size, standardise, norm)


@door
class VGG16(VGG):
    """VGG's configuration D with normalisation and one linear layer: 14,728,266 parameters for 3x32x32, 10 classes.

    As Carter, Jain, Mueller and Gifford 2021 use it: batch normalisation, convolutions' weights start normal with
    variance 2 / (9 filters), the linear layer's with standard deviation 0.01, biases at zero.

    Args:
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images, at least 32, or 28 where they are grey: those are padded to 32x32.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.
        norm: `batch`, as published, or `instance`.

    Raises:
        ValueError: an argument out of range, or an unknown name.

    >>> VGG16(channels=1, size=28).linear
    Linear(in_features=512, out_features=10, bias=True)
    """

    stages = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))

    def __init__(
        self,
        classes: Count = 10,
        channels: Count = 3,
        size: Count = 32,
        *,
        standardise: ConstantsOf | None = None,
        norm: Norm = "batch",
    ) -> None:
        super().__init__(classes, channels, size, standardise, norm)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

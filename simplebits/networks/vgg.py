"""VGG for small images, as the condensation papers use it (Simonyan and Zisserman 2014)."""

from __future__ import annotations

from torch import nn

from simplebits import _check
from simplebits.networks.base import NORMS, Classifier, check_size, extra_padding

# Filters of the 3x3 convolutions, stage by stage; every stage ends in a pooling that halves the image.
CONFIGURATION_A = ((64,), (128,), (256, 256), (512, 512), (512, 512))


class VGG11(Classifier):
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

    def __init__(
        self,
        classes: int = 10,
        channels: int = 3,
        size: int = 32,
        *,
        standardise: str | None = None,
        norm: str = "instance",
    ) -> None:
        super().__init__(classes, channels, size, standardise)
        _check.one_of("norm", norm, NORMS)
        extra = extra_padding(channels, size)
        side = size + 2 * extra
        check_size("VGG11", side, 32)
        layers: list[nn.Module] = []
        padding = 1 + extra
        for stage in CONFIGURATION_A:
            for filters in stage:
                layers += [nn.Conv2d(channels, filters, 3, padding=padding), NORMS[norm](filters), nn.ReLU()]
                channels, padding = filters, 1
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.linear = nn.Linear(512 * (side // 32) ** 2, classes)

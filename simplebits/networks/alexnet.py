"""AlexNet for small images, as the condensation papers use it (Krizhevsky, Sutskever and Hinton 2012)."""

from __future__ import annotations

from torch import nn

from simplebits._door import door
from simplebits.domains import Count
from simplebits.networks.base import Classifier, check_size, extra_padding
from simplebits.networks.standardise import ConstantsOf


@door
class AlexNet(Classifier):
    """Five convolutions, three max poolings, one linear layer: 1,872,202 parameters for 3x32x32 images, 10 classes.

    Args:
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images, at least 8. Grey 28x28 images are padded to 32x32.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.

    Raises:
        ValueError: an argument out of range, or an unknown set of constants.

    >>> sum(p.numel() for p in AlexNet().parameters())
    1872202
    """

    def __init__(
        self, classes: Count = 10, channels: Count = 3, size: Count = 32, *, standardise: ConstantsOf | None = None
    ) -> None:
        super().__init__(classes, channels, size, standardise)
        check_size("AlexNet", size, 8)
        extra = extra_padding(channels, size)
        side = size + 2 * extra
        self.features = nn.Sequential(
            nn.Conv2d(channels, 128, 5, padding=2 + extra),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(128, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(192, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 192, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(192, 192, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.linear = nn.Linear(192 * (side // 8) ** 2, classes)


@door
class AlexCifarNet(Classifier):
    """The smaller AlexNet that dataset distillation and its comparison with gradient matching take for CIFAR-10.

    Two convolutions with local response normalisation, three linear layers: 1,756,426 parameters for 3x32x32 images and
    10 classes (Wang et al. 2018; Zhao, Mopuri and Bilen 2021, table 3).

    Args:
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images, at least 8. Grey 28x28 images are padded to 32x32.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.

    Raises:
        ValueError: an argument out of range, or an unknown set of constants.

    >>> sum(p.numel() for p in AlexCifarNet().parameters())
    1756426
    """

    def __init__(
        self, classes: Count = 10, channels: Count = 3, size: Count = 32, *, standardise: ConstantsOf | None = None
    ) -> None:
        super().__init__(classes, channels, size, standardise)
        check_size("AlexCifarNet", size, 8)
        extra = extra_padding(channels, size)
        side = (((size + 2 * extra) + 1) // 2 + 1) // 2  # 3x3 pooling with stride 2 and padding 1 rounds up

        def normalise() -> nn.Module:
            return nn.LocalResponseNorm(4, alpha=0.001 / 9, beta=0.75, k=1.0)

        self.features = nn.Sequential(
            nn.Conv2d(channels, 64, 5, padding=2 + extra),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
            normalise(),
            nn.Conv2d(64, 64, 5, padding=2),
            nn.ReLU(),
            normalise(),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Flatten(),
            nn.Linear(64 * side**2, 384),
            nn.ReLU(),
            nn.Linear(384, 192),
            nn.ReLU(),
        )
        self.linear = nn.Linear(192, classes)

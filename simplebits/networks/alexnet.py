"""AlexNet for small images, as the condensation papers use it (Krizhevsky, Sutskever and Hinton 2012)."""

from __future__ import annotations

from torch import nn

from simplebits.networks.base import Classifier, check_size, extra_padding


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

    def __init__(self, classes: int = 10, channels: int = 3, size: int = 32, *, standardise: str | None = None) -> None:
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

"""LeNet with ReLU and max pooling, as the condensation papers use it (LeCun et al. 1998)."""

from __future__ import annotations

from torch import nn

from simplebits._door import door
from simplebits.domains import Count
from simplebits.networks.base import Classifier, check_size, extra_padding
from simplebits.networks.standardise import ConstantsOf


@door
class LeNet(Classifier):
    """Two 5x5 convolutions with pooling, two hidden layers: 61,706 parameters for grey 28x28 images and 10 classes.

    Args:
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images, at least 16. Grey 28x28 images are padded to 32x32.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.

    Raises:
        ValueError: an argument out of range, or an unknown set of constants.

    >>> sum(p.numel() for p in LeNet(channels=1, size=28).parameters())
    61706
    """

    def __init__(
        self, classes: Count = 10, channels: Count = 3, size: Count = 32, *, standardise: ConstantsOf | None = None
    ) -> None:
        super().__init__(classes, channels, size, standardise)
        check_size("LeNet", size, 16)
        padding = extra_padding(channels, size)
        side = ((size + 2 * padding - 4) // 2 - 4) // 2
        self.features = nn.Sequential(
            nn.Conv2d(channels, 6, 5, padding=padding),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * side * side, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
        )
        self.linear = nn.Linear(84, classes)

"""The small convolutional network of the unique-information paper (Harutyunyan et al. 2021, section A.3)."""

from __future__ import annotations

from typing import Annotated

from torch import nn

from simplebits._door import door
from simplebits.domains import Count, Number
from simplebits.networks.base import Classifier, check_size
from simplebits.networks.standardise import ConstantsOf


@door
class StridedCNN(Classifier):
    """Four convolutions that shrink by their strides, a hidden layer, ReLU: 773,505 parameters for MNIST, one output.

    Args:
        classes: number of outputs; the paper has one, with targets 0 and 1.
        channels: of the images.
        size: height and width of the images, at least 20, and 28 where stride is 2.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.
        stride: of the third convolution: 1 in the paper, 2 in its code (249,217 parameters).

    Raises:
        ValueError: an argument out of range, or an unknown set of constants.

    >>> sum(p.numel() for p in StridedCNN(classes=1, channels=1, size=28).parameters())
    773505
    """

    def __init__(
        self,
        classes: Count = 10,
        channels: Count = 3,
        size: Count = 32,
        *,
        standardise: ConstantsOf | None = None,
        stride: Annotated[int, Number(1, 2, integer=True)] = 1,
    ) -> None:
        super().__init__(classes, channels, size, standardise)
        check_size("StridedCNN", size, 20 if stride == 1 else 28)
        side = (size // 2 // 2 - 3) // stride + 1 - 2
        self.features = nn.Sequential(
            nn.Conv2d(channels, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=stride),
            nn.ReLU(),
            nn.Conv2d(64, 256, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(256 * side * side, 256),
            nn.ReLU(),
        )
        self.linear = nn.Linear(256, classes)

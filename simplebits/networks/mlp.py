"""The multilayer perceptron of the condensation papers (Zhao, Mopuri and Bilen 2021, section 3)."""

from __future__ import annotations

from torch import nn

from simplebits._door import door
from simplebits.domains import Count
from simplebits.networks.base import Classifier
from simplebits.networks.standardise import ConstantsOf


@door
class MLP(Classifier):
    """Two hidden layers with ReLU, then a linear one: 118,282 parameters for grey 28x28 images and 10 classes.

    Args:
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.
        width: units of each hidden layer.

    Raises:
        ValueError: an argument out of range, or an unknown set of constants.

    >>> sum(p.numel() for p in MLP(channels=1, size=28).parameters())
    118282
    """

    def __init__(
        self,
        classes: Count = 10,
        channels: Count = 3,
        size: Count = 32,
        *,
        standardise: ConstantsOf | None = None,
        width: Count = 128,
    ) -> None:
        super().__init__(classes, channels, size, standardise)
        self.features = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * size * size, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
        )
        self.linear = nn.Linear(width, classes)

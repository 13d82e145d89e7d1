"""What the classifiers of the condensation papers share: standardise, compute features, one linear layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check
from simplebits._door import door
from simplebits.domains import Count, Known
from simplebits.networks.standardise import ConstantsOf, Standardise

# Each is made from the number of channels. Instance normalisation: each channel of each image by itself.
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "instance": lambda channels: nn.GroupNorm(channels, channels),
    "batch": nn.BatchNorm2d,
}
Norm = Annotated[str, Known(lambda: NORMS)]


def extra_padding(channels: int, size: int) -> int:
    """Count the pixels by which the first convolution pads more than usual: 2 for grey 28x28 images, made 32x32.

    >>> extra_padding(1, 28), extra_padding(3, 28), extra_padding(1, 32)
    (2, 0, 0)
    """
    return 2 if (channels, size) == (1, 28) else 0


def check_size(network: str, size: int, least: int) -> None:
    """Raise ValueError unless the images have at least `least` pixels a side."""
    if size < least:
        raise ValueError(
            f"size={size}: {network} needs images of at least {least}x{least} pixels; "
            f"give size={least} or more and resize the images, as ImageSet.to_float does"
        )


@door
class Classifier(nn.Module):
    """A classifier whose last layer is linear in features that can be asked for.

    Subclasses set `features`, which maps standardised images to anything that flattens to [n, d], and `linear`, the
    layer from d features to logits. Initial weights are torch's defaults, as in the papers' code.

    Args:
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.

    Raises:
        ValueError: an argument is not a whole number above 0, or an unknown set of constants.
    """

    features: nn.Module
    linear: nn.Linear

    def __init__(self, classes: Count, channels: Count, size: Count, standardise: ConstantsOf | None) -> None:
        super().__init__()
        self.image_shape = (channels, size, size)
        self.standardise = Standardise(standardise, channels)

    def embed(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Compute the features of images in [0, 1] before the last layer: psi of distribution matching (DM, 2023).

        Raises:
            TypeError: x is not a tensor.
            ValueError: images of another size or number of channels than the network was made for, that are not
                floating point, or lie on another device.
        """
        _check.shape("x", x, "n", *self.image_shape)
        _check.beside("x", x, self.linear.weight)
        return self.features(self.standardise(x)).flatten(1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Compute logits of images in [0, 1]; arguments and errors as in `embed`."""
        return self.linear(self.embed(x))

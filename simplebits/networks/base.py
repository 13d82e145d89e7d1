"""What the classifiers of the condensation papers share: standardise, compute features, one linear layer."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check
from simplebits.networks.standardise import Standardise

# From the number of channels. Instance normalisation: each channel of each image by itself.
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "instance": lambda channels: nn.GroupNorm(channels, channels),
    "batch": nn.BatchNorm2d,
}


def extra_padding(channels: int, size: int) -> int:
    """Pixels by which the first convolution pads more than usual: 2 for grey 28x28 images, which it makes 32x32.

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
        ValueError: an argument is not a positive whole number, or an unknown set of constants.
    """

    features: nn.Module
    linear: nn.Linear

    def __init__(self, classes: int, channels: int, size: int, standardise: str | None) -> None:
        super().__init__()
        for name, value in {"classes": classes, "channels": channels, "size": size}.items():
            _check.positive(name, value, integer=True)
        self.image_shape = (channels, size, size)
        self.standardise = Standardise(standardise, channels)

    def embed(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Features of images in [0, 1], before the last layer: psi of distribution matching (Zhao and Bilen 2023).

        Raises:
            ValueError: images of another size or number of channels than the network was made for.
        """
        if tuple(x.shape[1:]) != self.image_shape:
            channels, size, _ = self.image_shape
            raise ValueError(
                f"x: expected images [n, {channels}, {size}, {size}], got {list(x.shape)}; "
                f"ImageSet.to_float(size={size}, channels={channels}) converts"
            )
        return self.features(self.standardise(x)).flatten(1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits of images in [0, 1]."""
        return self.linear(self.embed(x))

"""What is optimised: free pixels, or pixels that stay images whose bits can be measured."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits.condense.condensed_set import constants
from simplebits.data import ImageSet
from simplebits.density import DensityModel, quantise


class FreePixels(nn.Module):
    """Standardised pixels without bounds (gradient and distribution matching).

    Args:
        start: the standardised images to start from, [n, c, h, w].
        mean: of the standardisation, [c].
        std: of the standardisation, [c].
    """

    mean: Tensor
    std: Tensor

    def __init__(self, start: Float[Tensor, "n c h w"], mean: Float[Tensor, " c"], std: Float[Tensor, " c"]) -> None:
        super().__init__()
        self.values = nn.Parameter(start.clone())
        self.register_buffer("mean", mean[:, None, None], persistent=False)
        self.register_buffer("std", std[:, None, None], persistent=False)

    def images(self) -> Float[Tensor, "n c h w"]:
        """Show the images: 0 is black, 1 white, some values lie beyond."""
        return self.values * self.std + self.mean

    def standardised(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Give (x - mean)/std."""
        return (x - self.mean) / self.std

    def forward(self, generator: torch.Generator | None = None) -> Float[Tensor, "n c h w"]:
        """Give what networks see."""
        return self.values


class BoundedPixels(FreePixels):
    """sigma(alpha), rounded to grey levels, the gradient passed straight through (SimpleBits, section 4; its code).

    Networks see the images under uniform noise of one grey level, as the density does, which is one of real numbers.

    Args:
        start: alpha, [n, c, h, w]; the code draws 0.2 N(0, 1), close to grey.
        mean: of the standardisation, [c].
        std: of the standardisation, [c].
        bit_depth: of the grey levels, that of the density.
    """

    def __init__(
        self, start: Float[Tensor, "n c h w"], mean: Float[Tensor, " c"], std: Float[Tensor, " c"], bit_depth: int = 8
    ) -> None:
        super().__init__(start, mean, std)
        self.bit_depth = bit_depth

    def images(self) -> Float[Tensor, "n c h w"]:
        """Show the images, in [0, 1], on the density's grey levels."""
        return quantise(torch.sigmoid(self.values), self.bit_depth)

    def forward(self, generator: torch.Generator | None = None) -> Float[Tensor, "n c h w"]:
        """Give what networks see; noise comes with a generator."""
        x = self.images()
        if generator is not None:
            x = x + (torch.rand(x.shape, generator=generator) / (2**self.bit_depth - 1)).to(x)
        return self.standardised(x)


def start_pixels(
    noise: Float[Tensor, "n c h w"],
    drawn: Float[Tensor, "n c h w"],
    start: str,
    train: ImageSet,
    density: DensityModel | None,
) -> FreePixels:
    """Make the images to begin with.

    Args:
        noise: from N(0, 1).
        drawn: real images, in [0, 1].
        start: which of them: `noise` or `real`.
        train: the set whose mean and deviation standardise free pixels.
        density: measures the bits of bounded ones; None: free pixels.
    """
    channels = noise.shape[1]
    if density is None:
        mean, std = constants(train, channels)
        values = noise if start == "noise" else (drawn - mean[:, None, None]) / std[:, None, None]
        return FreePixels(values, mean, std)
    # SimpleBits' networks see images centred as the density centres them, x (L - 1)/L - 1/2 with L grey levels.
    levels = 2**density.bit_depth
    std = torch.full((channels,), levels / (levels - 1))
    alpha = 0.2 * noise if start == "noise" else torch.logit(drawn, eps=0.01)
    return BoundedPixels(alpha, std / 2, std, density.bit_depth)

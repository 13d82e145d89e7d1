"""The simplifier network: a UNet that says how much to add to an image's logits (SimpleBits, appendix S3)."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check
from simplebits._door import door
from simplebits.domains import Count, Number

CLIP = 1e-3  # logits of 0 and 1 are infinite: images are clipped to [1e-3, 1 - 1e-3] first


class ChannelAffine(nn.Module):
    """(h + a) f with one a and one f per channel, in the place of a normalisation layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.add = nn.Parameter(torch.zeros(channels, 1, 1))
        self.factor = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, h: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Shift and scale the channels."""
        return (h + self.add) * self.factor


class UNetBlock(nn.Module):
    """One level: halve the size, let the level below work, double it again, and put the input beside the result.

    The skip carries the input before its activation. The innermost level has LeakyReLU(0.2) and ReLU where all others
    have ELU: the reference code does not hand the choice down to it.
    """

    def __init__(self, channels: int, inner: int, below: UNetBlock | None) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, inner, 4, 2, 1, bias=False)
        self.below = below
        self.up = nn.ConvTranspose2d(inner if below is None else 2 * inner, channels, 4, 2, 1, bias=False)
        self.after_down = nn.Identity() if below is None else ChannelAffine(inner)
        self.after_up = ChannelAffine(channels)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 2*c h w"]:
        """Compute what this level makes of the input; it follows the input's channels."""
        if self.below is None:
            h = F.relu(self.down(F.leaky_relu(x, 0.2)))
        else:
            h = F.elu(self.below(self.after_down(self.down(F.elu(x)))))
        return torch.cat((x, self.after_up(self.up(h))), 1)


@door
class ResidualUNet(nn.Module):
    """x' = sigmoid(logit(clip(x)) + m UNet(2x - 1)), the identity (but for the clip) at the start.

    The defaults are SimpleBits' simplifier with 16,659,076 parameters.

    Args:
        filters: channels of the outermost level; they double at each level, up to eight times.
        downsamplings: number of levels, at least 2; the size must divide by 2^downsamplings.
        channels: of the images.
        merge: initial value of m. With 0, as published, the network itself learns nothing until m has moved. Any other
            value starts with the last layer at zero instead: the identity too, and learning sets in at once.
        pool: average the network's output over blocks of pool x pixels before it is added. 1 as published; 4 lets a
            short run change regions rather than grain, where most of the 8-bit gradient is.

    Raises:
        ValueError: an argument out of range.

    >>> unet = ResidualUNet(filters=4, downsamplings=3)
    >>> x = torch.rand(2, 3, 16, 16)
    >>> bool((unet(x) - x).abs().max() <= 1.001e-3)
    True
    """

    def __init__(
        self,
        filters: Count = 64,
        downsamplings: Annotated[int, Number(2, 16, integer=True)] = 5,
        channels: Count = 3,
        merge: float = 0.0,
        pool: Count = 1,
    ) -> None:
        super().__init__()
        self.downsamplings, self.channels, self.pool = downsamplings, channels, pool
        widths = [filters * min(2**level, 8) for level in range(downsamplings)]
        levels = UNetBlock(widths[-2], widths[-1], None)
        for width, inner in zip(reversed(widths[:-2]), reversed(widths[1:-1]), strict=True):
            levels = UNetBlock(width, inner, levels)
        self.first = nn.Conv2d(channels, filters, 4, 2, 1, bias=False)
        self.levels = levels
        self.last = nn.ConvTranspose2d(2 * filters, channels, 4, 2, 1)
        self.merge = nn.Parameter(torch.tensor(float(merge)))
        if merge:
            for parameter in self.last.parameters():
                nn.init.zeros_(parameter)

    @door
    def residual(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Compute m UNet(2x - 1): what is added to the logits; arguments and errors as in `forward`."""
        self._fits(x)
        return self._residual(x)

    def _residual(self, x: Tensor) -> Tensor:
        h = self.last(F.elu(self.levels(self.first(2 * x - 1)))).to(x.dtype)
        if self.pool > 1:
            h = F.interpolate(F.avg_pool2d(h, self.pool), scale_factor=float(self.pool), mode="nearest")
        return self.merge * h

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Simplify images in [0, 1]; the result lies in (0, 1).

        Raises:
            TypeError: x is not a tensor.
            ValueError: another number of channels, a size that does not divide by 2^downsamplings and by pool, values
                that are not floating point, or another device.
        """
        self._fits(x)
        return torch.sigmoid(torch.logit(x.clamp(CLIP, 1 - CLIP)) + self._residual(x))

    def _fits(self, x: Tensor) -> None:
        _check.shape("x", x, "n", self.channels, "h", "w")
        _check.beside("x", x, self.merge)
        height, width, size = x.shape[2], x.shape[3], 2**self.downsamplings
        if any(side % size or side % self.pool for side in (height, width)):
            raise ValueError(
                f"x: {height}x{width} pixels do not divide by 2^downsamplings = {size} and by pool={self.pool}; "
                f"resize, or take fewer downsamplings"
            )

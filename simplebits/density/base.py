"""What every model with a likelihood shares: images in, bits per dimension out (SimpleBits, equation 1)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check


def check_bit_depth(bit_depth: int) -> None:
    """Raise ValueError unless it is a whole number from 1 to 8: images have at most 8 bits a channel."""
    _check.positive("bit_depth", bit_depth, integer=True)
    if bit_depth > 8:
        raise ValueError(f"bit_depth={bit_depth}: images have at most 8 bits a channel; give 1 to 8")


def quantise(x: Float[Tensor, "n c h w"], bit_depth: int = 8) -> Float[Tensor, "n c h w"]:
    """Round to the 2^b grey levels v/(2^b - 1); the gradient passes straight through.

    Args:
        x: images in [0, 1].
        bit_depth: b; 8 gives the levels of an ordinary image file.

    Raises:
        ValueError: bit_depth is not a whole number from 1 to 8, or x is not floating point.

    >>> quantise(torch.tensor([[[[0.0, 0.3, 1.0]]]]), bit_depth=1)
    tensor([[[[0., 0., 1.]]]])
    """
    check_bit_depth(bit_depth)
    if not x.is_floating_point():
        raise ValueError(f"x: expected floating point values in [0, 1], got dtype {x.dtype}")
    top = 2**bit_depth - 1
    # x + 0 * gradient: the forward value is the rounded one, the derivative that of x.
    return x + (torch.round(x * top) / top - x).detach()


class DensityModel(nn.Module):
    """A probability density over images, and through it a measure of how simple an image is.

    A grey level v of a b-bit image owns the bin [v, v + 1)/2^b. Adding uniform noise u spreads the level over its bin,
    so that a continuous density p can be compared with a discrete code: with d dimensions,
    bits/dim = b - log p(g) / (d ln 2), where g = x (2^b - 1)/2^b + u/2^b - 1/2 is the *centred* image.

    Subclasses implement `log_density`, on centred images. `image_size`, `channels` and `bit_depth` say what the model
    measures.
    """

    def __init__(self, image_size: int, channels: int = 3, bit_depth: int = 8) -> None:
        super().__init__()
        _check.positive("image_size", image_size, integer=True)
        _check.positive("channels", channels, integer=True)
        check_bit_depth(bit_depth)
        self.image_size, self.channels, self.bit_depth = image_size, channels, bit_depth

    @property
    def dims(self) -> int:
        """d, the number of dimensions an image has: channels x height x width (3072 for 3x32x32)."""
        return self.channels * self.image_size**2

    def log_density(self, g: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """log p(g) in nats, of centred images g in [-1/2, 1/2)."""
        raise TypeError(f"{type(self).__name__} does not say how likely an image is: define log_density")

    def forward(self, x: Float[Tensor, "n c h w"], generator: torch.Generator | None = None) -> Float[Tensor, " n"]:
        """`bits_per_dim`, so that a model can be called and passed to `torch.func.functional_call`."""
        return self.bits_per_dim(x, generator)

    def check(self, x: Float[Tensor, "n c h w"]) -> None:
        """Raise unless `x` is a batch of images that this model can measure: its size, channels, dtype and device."""
        weight = next(self.parameters(), None)
        _check.image_batch("x", x, channels=self.channels, size=self.image_size, like=weight)

    def centre(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Images in [0, 1] to centred ones: g = x (2^b - 1)/2^b - 1/2, so that level v lands on v/2^b - 1/2."""
        levels = 2**self.bit_depth
        return x * ((levels - 1) / levels) - 0.5

    def uncentre(self, g: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The inverse of `centre`."""
        levels = 2**self.bit_depth
        return (g + 0.5) * (levels / (levels - 1))

    def dequantise(
        self, x: Float[Tensor, "n c h w"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """Centred images with uniform noise in [0, 2^-b) added: every grey level is spread over its bin."""
        # Drawn on the generator's own device, so that one seed gives one result on CPU and GPU.
        device = generator.device if generator is not None else x.device
        noise = torch.rand(x.shape, generator=generator, device=device, dtype=x.dtype).to(x.device)
        return self.centre(x) + noise / 2**self.bit_depth

    def log_likelihood(
        self,
        x: Float[Tensor, "n c h w"],
        generator: torch.Generator | None = None,
        *,
        draws: int = 1,
        quantised: bool = False,
    ) -> Float[Tensor, " n"]:
        """log P(x) of the discrete image, in nats: log p(g) - d b ln 2, averaged over draws of the noise.

        The mean over draws is a lower bound on the discrete log-likelihood (Jensen's inequality; Theis et al. 2016,
        equation 7).

        Args:
            x: images in [0, 1], of the model's size and channels.
            generator: draws the noise; without one, torch's global generator does.
            draws: number of noise draws to average over.
            quantised: round x to the model's grey levels first (straight-through gradient). Images already on the 8-bit
                grid need it only for a model of fewer bits; without it the measure is smooth in x.

        Raises:
            TypeError: x is not a tensor.
            ValueError: wrong dtype, shape or range, NaN, an empty batch, or draws < 1.
        """
        self.check(x)
        _check.positive("draws", draws, integer=True)
        if quantised:
            x = quantise(x, self.bit_depth)
        log_p = sum(self.log_density(self.dequantise(x, generator)) for _ in range(draws)) / draws
        return log_p - self.dims * self.bit_depth * math.log(2)

    def bits_per_dim(
        self,
        x: Float[Tensor, "n c h w"],
        generator: torch.Generator | None = None,
        *,
        draws: int = 1,
        quantised: bool = False,
    ) -> Float[Tensor, " n"]:
        """Bits per dimension, -log2 P(x) / d: b - log p(g) / (d ln 2) (SimpleBits, equation 1 divided by d ln 2).

        Differentiable in x, twice. Arguments and errors as in `log_likelihood`.

        Returns:
            One number per image; a uniform density gives exactly b.
        """
        return self.log_likelihood(x, generator, draws=draws, quantised=quantised) / (-self.dims * math.log(2))

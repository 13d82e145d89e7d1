"""What every model with a likelihood shares: images in, bits per dimension out (SimpleBits, equation 1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check
from simplebits._door import door
from simplebits.domains import Count, Images, Number, instance

BitDepth = Annotated[int, Number(1, 8, integer=True)]  # images have at most 8 bits a channel


@door
def quantise(x: Float[Tensor, "n c h w"], bit_depth: BitDepth = 8) -> Float[Tensor, "n c h w"]:
    """Round to the 2^b grey levels v/(2^b - 1); the gradient passes straight through.

    Args:
        x: images in [0, 1].
        bit_depth: b; 8 gives the levels of an ordinary image file.

    Raises:
        TypeError: x is not a tensor.
        ValueError: bit_depth is not a whole number from 1 to 8, or x is not floating point or has not four axes.

    >>> quantise(torch.tensor([[[[0.0, 0.3, 1.0]]]]), bit_depth=1)
    tensor([[[[0., 0., 1.]]]])
    """
    return _quantise(x, bit_depth)


def _quantise(x: Float[Tensor, "n c h w"], bit_depth: int) -> Float[Tensor, "n c h w"]:
    top = 2**bit_depth - 1
    # x + 0 * gradient: the forward value is the rounded one, the derivative that of x.
    return x + (torch.round(x * top) / top - x).detach()


def drawn(draw: Callable[..., Tensor], shape: Sequence[int], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw random numbers of `like`'s dtype and device, by torch.rand or torch.randn.

    They are drawn on the generator's own device, so that one seed gives one result on CPU and GPU.
    """
    device = generator.device if generator is not None else like.device
    return draw(shape, generator=generator, device=device, dtype=like.dtype).to(like.device)


@door
class DensityModel(nn.Module):
    """A probability density over images, and through it a measure of how simple an image is.

    A grey level v of a b-bit image owns the bin [v, v + 1)/2^b. Adding uniform noise u spreads the level over its bin,
    so that a continuous density p can be compared with a discrete code: with d dimensions,
    bits/dim = b - log p(g) / (d ln 2), where g = x (2^b - 1)/2^b + u/2^b - 1/2 is the *centred* image.

    Subclasses implement `log_density`, on centred images. `image_size`, `channels` and `bit_depth` say what the model
    measures. `bits_per_dim` and `log_likelihood` look at the images that they are given; a loop whose images are known
    to be right calls the model itself, which looks at their shape alone.
    """

    how_to_get = "; simplebits.density.load loads one"

    def __init__(self, image_size: Count, channels: Count = 3, bit_depth: BitDepth = 8) -> None:
        super().__init__()
        self.image_size, self.channels, self.bit_depth = image_size, channels, bit_depth

    @property
    def dims(self) -> int:
        """Number of dimensions d that an image has: channels x height x width (3072 for 3x32x32)."""
        return self.channels * self.image_size**2

    def log_density(self, g: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Compute log p(g) in nats, of centred images g in [-1/2, 1/2)."""
        raise TypeError(f"{type(self).__name__} does not say how likely an image is: define log_density")

    def forward(
        self,
        x: Float[Tensor, "n c h w"],
        generator: torch.Generator | None = None,
        *,
        draws: int = 1,
        quantised: bool = False,
    ) -> Float[Tensor, " n"]:
        """Compute `bits_per_dim` of images in [0, 1] without a look at their values: for loops and `functional_call`.

        Raises:
            TypeError: x is not a tensor, or generator not one.
            ValueError: another size, number of channels, dtype or device than the model's.
        """
        return self._log_likelihood(x, generator, draws, quantised) / (-self.dims * math.log(2))

    @door
    def check(self, x: Images) -> None:
        """Raise unless `x` is a batch of images that this model can measure: its size, channels, dtype and device."""
        self._fits(x)

    def _fits(self, x: Tensor) -> None:
        _check.fits("x", x, channels=self.channels, size=self.image_size, like=next(self.parameters(), None))

    @door
    def centre(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Centre images of [0, 1]: g = x (2^b - 1)/2^b - 1/2, so that level v lands on v/2^b - 1/2."""
        return self._centre(x)

    def _centre(self, x: Tensor) -> Tensor:
        levels = 2**self.bit_depth
        return x * ((levels - 1) / levels) - 0.5

    @door
    def uncentre(self, g: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Invert `centre`."""
        levels = 2**self.bit_depth
        return (g + 0.5) * (levels / (levels - 1))

    @door
    def dequantise(
        self, x: Float[Tensor, "n c h w"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """Centre images and add uniform noise in [0, 2^-b): every grey level is spread over its bin."""
        return self._dequantise(x, generator)

    def _dequantise(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self._centre(x) + drawn(torch.rand, x.shape, x, generator) / 2**self.bit_depth

    @door
    def log_likelihood(
        self,
        x: Images,
        generator: torch.Generator | None = None,
        *,
        draws: Count = 1,
        quantised: bool = False,
    ) -> Float[Tensor, " n"]:
        """Compute log P(x) of the discrete image, in nats: log p(g) - d b ln 2, averaged over draws of the noise.

        The mean over draws is a lower bound on the discrete log-likelihood (Jensen's inequality; Theis et al. 2016,
        equation 7).

        Args:
            x: images in [0, 1], of the model's size and channels.
            generator: draws the noise; without one, torch's global generator does.
            draws: number of noise draws to average over.
            quantised: round x to the model's grey levels first (straight-through gradient). Images already on the 8-bit
                grid need it only for a model of fewer bits; without it the measure is smooth in x.

        Raises:
            TypeError: x is not a tensor, or generator not one.
            ValueError: wrong dtype, shape or range, NaN, an empty batch, or draws < 1.
        """
        return self._log_likelihood(x, generator, draws, quantised)

    def _log_likelihood(self, x: Tensor, generator: torch.Generator | None, draws: int, quantised: bool) -> Tensor:
        self._fits(x)
        if generator is not None:
            instance("generator", generator, torch.Generator)
        if quantised:
            x = _quantise(x, self.bit_depth)
        return cast("Tensor", sum(self._log_p(x, generator) for _ in range(draws))) / draws

    def _log_p(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Estimate log P(x) by one draw of the noise; a `DiscreteModel` has its own."""
        return self.log_density(self._dequantise(x, generator)) - self.dims * self.bit_depth * math.log(2)

    @door
    def bits_per_dim(
        self,
        x: Images,
        generator: torch.Generator | None = None,
        *,
        draws: Count = 1,
        quantised: bool = False,
    ) -> Float[Tensor, " n"]:
        """Compute bits per dimension, -log2 P(x) / d: b - log p(g) / (d ln 2) (SimpleBits, eq. 1 divided by d ln 2).

        Differentiable in x, twice. Arguments and errors as in `log_likelihood`.

        Returns:
            One number per image; a uniform density gives exactly b.
        """
        return self(x, generator, draws=draws, quantised=quantised)

    def _bits_alike(self, x: Tensor, generator: torch.Generator | None) -> Float[Tensor, " n"]:
        """Compute bits per dimension with one pattern of noise for all images, so that none depends on the others."""
        noise = torch.rand(x.shape[1:], generator=generator, device=generator.device if generator else x.device)
        centred = self._centre(x) + noise.to(x) / 2**self.bit_depth
        return self.bit_depth - self.log_density(centred) / (self.dims * math.log(2))


class DiscreteModel(DensityModel):
    """A model that gives probabilities to images on the grey levels, or a bound on them, without a density.

    Subclasses implement `_log_p`.
    """

    def log_density(self, g: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Compute log p(g) in nats, of centred images: the probability of g's bin, spread over it."""
        levels = 2**self.bit_depth
        start = ((g + 0.5) * levels).floor().clamp(0, levels - 1) / levels - 0.5
        level = self.uncentre(g + (start - g).detach())
        return self._log_p(level, None) + self.dims * self.bit_depth * math.log(2)

    def _bits_alike(self, x: Tensor, generator: torch.Generator | None) -> Float[Tensor, " n"]:
        # Between grey levels there is no probability: round, and let gradients pass.
        generator = generator or torch.Generator(x.device).manual_seed(torch.initial_seed())
        state = generator.get_state()
        return torch.cat([self(one, generator.set_state(state), quantised=True) for one in x.split(1)])

"""A variational diffusion model: bits per dimension as a bound, the noise that a network fails to find in an image.

An image is mixed with more and more Gaussian noise; a network learns to find the noise. How badly it does, at every
level of noise, adds up to a bound on the image's code length (Kingma et al. 2021, Variational diffusion models; for
steps in place of a continuum, Ho et al. 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits.density.base import BitDepth, DiscreteModel, drawn
from simplebits.density.denoiser import Denoiser
from simplebits.domains import Count, Images


@dataclass(frozen=True, eq=False)
class BoundTerms:
    """What the bound is the sum of, each in nats an image, [n].

    Attributes:
        prior: KL of the noisiest image to pure noise: what is left of the image there.
        reconstruction: -log P(x | z) of the least noisy image z.
        diffusion: what finding the noise costs in between.
    """

    prior: Tensor
    reconstruction: Tensor
    diffusion: Tensor


@door
class Diffusion(DiscreteModel):
    """A diffusion model whose measure is an upper bound on bits per dimension, estimated from drawn noise.

    With f = 2x - 1 in [-1, 1], a level of noise t in [0, 1] has z = alpha f + sigma e, e normal, sigma^2 =
    sigmoid(gamma) and alpha^2 = sigmoid(-gamma); gamma, the logarithm of the noise-to-signal ratio, rises linearly with
    t, between two ends that are learned. The bound is (equations 11 to 18)

        KL(q(z_1 | x) || N(0, I)) - E log P(x | z_0) + (gamma_1 - gamma_0) / 2 E norm(e - e'(z_t, t))^2.

    In evaluation mode the last term is averaged over `times` levels, spread evenly; in training mode a batch has one
    level an image, spread evenly over the batch.

    Args:
        width: features of the network at full size, see `Denoiser`; a multiple of 8.
        times: levels of noise that a measurement in evaluation mode averages over.
        steps: T of a chain of so many steps, whose bound is looser; None: the continuum.
        image_size: height and width, a multiple of 4.
        channels: of the images.
        bit_depth: b, bits a channel.

    Raises:
        ValueError: an argument is not positive, a width that is no multiple of 8, or a size that is none of 4.

    >>> model = Diffusion(width=8, times=2, image_size=8, bit_depth=5).eval()
    >>> terms = model.terms(torch.rand(3, 3, 8, 8), torch.Generator().manual_seed(0))
    >>> terms.prior.shape, terms.reconstruction.shape, terms.diffusion.shape
    (torch.Size([3]), torch.Size([3]), torch.Size([3]))
    """

    def __init__(
        self,
        width: Count = 40,
        times: Count = 16,
        steps: Count | None = None,
        image_size: Count = 32,
        channels: Count = 3,
        bit_depth: BitDepth = 8,
    ) -> None:
        super().__init__(image_size, channels, bit_depth)
        if image_size % 4 or width % 8:
            raise ValueError(f"image_size={image_size}, width={width}: give a multiple of 4 and a multiple of 8")
        self.width, self.times, self.steps = width, times, steps
        self.denoiser = Denoiser(channels, width, (max(bit_depth - 2, 0), max(bit_depth - 1, 1)))
        # At the least noise sigma is a quarter of a grey level's width, so that the level can be told.
        least = 2 * math.log(2 / 2**bit_depth / 4)
        self.least, self.range = nn.Parameter(torch.tensor(least)), nn.Parameter(torch.tensor(5.0 - least))

    @property
    def config(self) -> dict[str, int | None]:
        """Keyword arguments that build this architecture again."""
        names = ("width", "times", "steps", "image_size", "channels", "bit_depth")
        return {name: getattr(self, name) for name in names}

    def gamma(self, t: Float[Tensor, " n"]) -> Float[Tensor, "n 1 1 1"]:
        """Compute the logarithm of the noise-to-signal ratio at these levels of noise."""
        return (self.least + F.softplus(self.range) * t)[:, None, None, None]

    def find_noise(self, z: Float[Tensor, "n c h w"], t: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """e': the noise that the network finds in noisy images; another model of the noise may take its place."""
        return self.denoiser(z, t)

    @door
    def terms(self, x: Images, generator: torch.Generator | None = None) -> BoundTerms:
        """Estimate the terms of the bound for images in [0, 1], each in nats an image.

        Raises:
            ValueError: wrong dtype, shape or range, NaN or an empty batch.
        """
        self._fits(x)
        return self._terms(x, generator)

    def _terms(self, x: Tensor, generator: torch.Generator | None) -> BoundTerms:
        f = 2 * x - 1
        ends = torch.tensor([0.0, 1.0]).to(f)
        least, most = self.gamma(ends)
        prior = 0.5 * (torch.sigmoid(most) + torch.sigmoid(-most) * f.square() - F.logsigmoid(most) - 1)
        noise = drawn(torch.randn, f.shape, f, generator)
        # P(level | z) is q(z | level), normalised over all levels; z - alpha f is sigma times the noise.
        levels = torch.linspace(-1, 1, 2**self.bit_depth).to(f)
        signal = torch.exp(-0.5 * least)  # alpha / sigma
        far = noise[..., None] + signal * (f[..., None] - levels)
        reconstruction = 0.5 * noise.square() + (-0.5 * far.square()).logsumexp(-1)
        counts = self.times if not self.training else 1
        diffusion = torch.stack([self._miss(f, k / counts, 1 / counts, generator) for k in range(counts)]).mean(0)
        return BoundTerms(*(term.flatten(1).sum(1) for term in (prior.expand_as(f), reconstruction, diffusion)))

    def _miss(self, f: Tensor, first: float, share: float, generator: torch.Generator | None) -> Tensor:
        """Measure what is missed of the noise at levels from `first` on, in a share of all levels, weighted."""
        noise, offset = drawn(torch.randn, f.shape, f, generator), drawn(torch.rand, (), f, generator)
        t = first + share * ((offset + torch.arange(len(f)).to(f) / len(f)) % 1)
        if self.steps is None:
            weight = F.softplus(self.range)
        else:
            t = (t * self.steps).floor().clamp(0, self.steps - 1).add(1) / self.steps
            weight = self.steps * torch.expm1(self.gamma(t) - self.gamma(t - 1 / self.steps))
        gamma = self.gamma(t)
        z = torch.sigmoid(-gamma).sqrt() * f + torch.sigmoid(gamma).sqrt() * noise
        return 0.5 * weight * (noise - self.find_noise(z, t)).square()

    def _log_p(self, x: Tensor, generator: torch.Generator | None) -> Float[Tensor, " n"]:
        terms = self._terms(x, generator)
        return -(terms.prior + terms.reconstruction + terms.diffusion)

    @door
    @torch.no_grad()
    def sample(
        self, n: Count, steps: Count = 100, generator: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """Draw n images: begin with noise, take a little of what the network finds away, add a little, and again.

        Args:
            n: images.
            steps: of the chain (equation 34, ancestral sampling).
            generator: draws the noise.

        Raises:
            ValueError: n < 1 or steps < 1.
        """
        shape = (n, self.channels, self.image_size, self.image_size)
        z = drawn(torch.randn, shape, self.least, generator)
        for i in range(steps, 0, -1):
            t, s = (torch.full((n,), k / steps).to(z) for k in (i, i - 1))
            now, then = self.gamma(t), self.gamma(s)
            taken = -torch.expm1(then - now)
            kept = (torch.sigmoid(-then) / torch.sigmoid(-now)).sqrt()
            z = kept * (z - torch.sigmoid(now).sqrt() * taken * self.find_noise(z, t))
            z = z + (torch.sigmoid(then) * taken).sqrt() * drawn(torch.randn, shape, z, generator)
        top = 2**self.bit_depth - 1
        f = z / torch.sigmoid(-self.gamma(torch.zeros(n).to(z))).sqrt()
        return ((f + 1) / 2 * top).round().clamp(0, top) / top

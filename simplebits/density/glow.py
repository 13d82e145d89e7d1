"""Glow (Kingma and Dhariwal 2018): an invertible network, so an image's density is its latents' times a volume.

Order of operations, channel order and constants follow the public models that SimpleBits builds on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check
from simplebits._door import door
from simplebits.density.base import BitDepth, DensityModel, drawn, quantise
from simplebits.density.glow_step import GlowStep
from simplebits.domains import Count, Images, NonNegative, Share

Start = Literal["pca", "orthogonal"]


@door
def squeeze(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 4*c h//2 w//2"]:
    """Trade space for channels: pixel (row i, column j) of each 2x2 block of channel c goes to channel 4c + 2i + j.

    Raises:
        TypeError: x is not a tensor.
        ValueError: not four axes, or an odd height or width.
    """
    if x.shape[2] % 2 or x.shape[3] % 2:
        raise ValueError(f"x: {x.shape[2]}x{x.shape[3]} pixels do not part into blocks of 2x2; give an even size")
    return F.pixel_unshuffle(x, 2)


@door
def unsqueeze(y: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c//4 2*h 2*w"]:
    """Invert `squeeze`.

    Raises:
        TypeError: y is not a tensor.
        ValueError: not four axes, or a number of channels that does not divide by 4.
    """
    if y.shape[1] % 4:
        raise ValueError(f"y: {y.shape[1]} channels do not divide by 4, the pixels of a block")
    return F.pixel_shuffle(y, 2)


class LatentAffine(nn.Module):
    """z = (h + b) e^s with one b and s for every latent dimension: the learned mean and scale of a level's prior."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, size, size))
        self.log_scale = nn.Parameter(torch.zeros(channels, size, size))

    def forward(self, h: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, ""]]:
        """Compute latent and log|det|."""
        return (h + self.bias) * self.log_scale.exp(), self.log_scale.sum()

    def inverse(self, z: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Invert `forward`."""
        return z * torch.exp(-self.log_scale) - self.bias

    @torch.no_grad()
    def initialise(self, h: Float[Tensor, "n c h w"]) -> None:
        """Standardise each dimension over the batch."""
        self.bias.copy_(-h.mean(0))
        self.log_scale.copy_(-h.std(0).clamp(min=1e-2).log())


@door
class Glow(DensityModel):
    """Multi-scale Glow: a squeeze and K steps a level; after each but the last, the first half of the channels leaves.

    Args:
        levels: L, number of scales.
        steps: K, flow steps a level.
        hidden: channels inside the coupling networks.
        image_size: height and width; a multiple of 2^L.
        channels: 3; grey images are replicated (SimpleBits, appendix S2).
        bit_depth: b, bits a channel that the measure counts with.
        scale_floor: smallest factor a coupling may multiply by; 0 as published, 0.1 makes inverting safe in single
            precision.
        generator: draws the initial weights; without one, torch's global generator does.

    Raises:
        ValueError: an argument is not positive, or the image does not divide by 2^L.

    >>> glow = Glow(levels=2, steps=2, hidden=8, image_size=8)
    >>> x = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> [list(z.shape) for z in glow.encode(x)]
    [[3, 6, 4, 4], [3, 24, 2, 2]]
    >>> bool((glow.decode(glow.encode(x)) - x).abs().max() < 1e-4)
    True
    """

    def __init__(
        self,
        levels: Count = 3,
        steps: Count = 8,
        hidden: Count = 128,
        image_size: Count = 32,
        channels: Count = 3,
        bit_depth: BitDepth = 8,
        scale_floor: Share = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(image_size, channels, bit_depth)
        if levels >= image_size.bit_length() or image_size % 2**levels:
            raise ValueError(
                f"image_size={image_size} does not divide by 2^levels = 2^{levels}; "
                f"give a multiple of it, or fewer levels"
            )
        self.levels, self.steps = levels, steps
        self.hidden, self.scale_floor = hidden, scale_floor
        self.flow = nn.ModuleList()
        self.prior = nn.ModuleList()
        width, size = channels, image_size
        for level in range(levels):
            width, size = width * 4, size // 2
            self.flow.append(nn.ModuleList(GlowStep(width, hidden, scale_floor, generator) for _ in range(steps)))
            last = level == levels - 1
            self.prior.append(LatentAffine(width if last else width // 2, size))
            width = width if last else width // 2

    @property
    def config(self) -> dict[str, float]:
        """Keyword arguments that build this architecture again."""
        names = ("levels", "steps", "hidden", "image_size", "channels", "bit_depth", "scale_floor")
        return {name: getattr(self, name) for name in names}

    def _levels(self) -> list[tuple[list[GlowStep], LatentAffine]]:
        """List the steps and the prior of each level, finest first."""
        pairs = zip(self.flow, self.prior, strict=True)
        return [([*cast("nn.ModuleList", steps)], prior) for steps, prior in pairs]  # pyright: ignore[reportReturnType]

    def flow_forward(self, g: Float[Tensor, "n c h w"]) -> tuple[list[Float[Tensor, "n _ _ _"]], Float[Tensor, " n"]]:
        """Map centred images to latents; returns log|det| of the whole map too, per image, in nats.

        Raises:
            TypeError: g is not a tensor.
            ValueError: another size or number of channels than the model's.
        """
        _check.shape("g", g, "n", self.channels, self.image_size, self.image_size)
        latents, log_det, h = [], g.new_zeros(g.shape[0]), g
        for level, (steps, prior) in enumerate(self._levels()):
            h = F.pixel_unshuffle(h, 2)  # squeeze
            for step in steps:
                h, change = step(h)
                log_det = log_det + change
            if level < self.levels - 1:
                leaving, h = h.chunk(2, dim=1)
            else:
                leaving = h
            z, change = prior(leaving)
            latents.append(z)
            log_det = log_det + change
        return latents, log_det

    @door
    def flow_inverse(self, latents: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n c h w"]:
        """Map latents to centred images: the exact inverse of `flow_forward`.

        Raises:
            TypeError: no sequence of tensors.
            ValueError: the number or the shapes of the latents do not fit.
        """
        self._fits_latents(latents)
        h = None
        for (steps, prior), z in zip(reversed(self._levels()), reversed(latents), strict=True):
            leaving = prior.inverse(z)
            h = leaving if h is None else torch.cat((leaving, h), dim=1)
            for step in reversed(steps):
                h = step.inverse(h)
            h = F.pixel_shuffle(h, 2)  # unsqueeze
        return cast("Tensor", h)  # there is at least one level

    def log_density(self, g: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Compute log p(g) = log|det| + sum over latents of log N(z; 0, 1), in nats."""
        latents, log_det = self.flow_forward(g)
        squares = sum(z.square().flatten(1).sum(1) for z in latents)
        return log_det - 0.5 * squares - 0.5 * self.dims * math.log(2 * math.pi)

    @door
    def encode(self, x: Images) -> list[Float[Tensor, "n _ _ _"]]:
        """Map images in [0, 1] to latents, one tensor a level, finest first; under the model each entry is N(0, 1).

        No noise is added, so that `decode` gives x back.

        Raises:
            ValueError: wrong dtype, shape or range, NaN or an empty batch.
        """
        self._fits(x)
        return self.flow_forward(self._centre(x))[0]

    @door
    def decode(self, latents: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n c h w"]:
        """Map latents to images; the inverse of `encode`. Not clipped: latents that no image has can leave [0, 1].

        Raises:
            TypeError: no sequence of tensors.
            ValueError: the number or the shapes of the latents do not fit.
        """
        return self.uncentre(self.flow_inverse(latents))

    def latent_shapes(self) -> list[tuple[int, int, int]]:
        """List each level's latent shape, (6, 16, 16), (12, 8, 8), (48, 4, 4) for the paper's 3x32x32 and L = 3."""
        return [(c, h, w) for c, h, w in (prior.bias.shape for _, prior in self._levels())]

    @door
    @torch.no_grad()
    def sample(
        self, n: Count, temperature: NonNegative = 1.0, generator: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """Draw n images: latents N(0, temperature^2), decoded and clipped to [0, 1].

        Raises:
            ValueError: n < 1 or temperature < 0.
        """
        weight = self._levels()[0][1].bias
        latents = [temperature * drawn(torch.randn, (n, *shape), weight, generator) for shape in self.latent_shapes()]
        return self.decode(latents).clamp(0, 1)

    @door
    @torch.no_grad()
    def initialise(self, x: Images, start: Start = "pca", generator: torch.Generator | None = None) -> None:
        """Start from data: every ActNorm standardises what this batch brings to it.

        Args:
            x: some hundred images in [0, 1].
            start: `orthogonal` keeps the random orthogonal 1x1 convolutions (as published). `pca` makes the first of
                each level the principal axes of its input and the others swaps of the two halves: a linear code is in
                place before the first gradient step.
            generator: draws the de-quantisation noise.

        Raises:
            ValueError: unknown start, fewer than two images, or x wrong as in `encode`.
        """
        self._fits(x)
        if x.shape[0] < 2:
            raise ValueError(f"x: a batch of {x.shape[0]} has no spread to standardise; give at least two images")
        h = self.dequantise(quantise(x, self.bit_depth), generator)
        for level, (steps, prior) in enumerate(self._levels()):
            h = F.pixel_unshuffle(h, 2)  # squeeze
            for k, step in enumerate(steps):
                mixing = "orthogonal" if start == "orthogonal" else "pca" if k == 0 else "swap"
                h = step.initialise(h, mixing, len(steps))
            leaving = h.chunk(2, dim=1)[0] if level < self.levels - 1 else h
            prior.initialise(leaving)
            h = h.chunk(2, dim=1)[1]

    def _fits_latents(self, latents: Sequence[Tensor]) -> None:
        got, wanted = [tuple(z.shape[1:]) for z in latents], self.latent_shapes()
        if got != wanted or len({len(z) for z in latents}) != 1:
            raise ValueError(
                f"latents: expected {len(wanted)} tensors [n, c, h, w] of one n with (c, h, w) = {wanted}, "
                f"got {[tuple(z.shape) for z in latents]}"
            )

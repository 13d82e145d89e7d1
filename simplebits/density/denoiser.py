"""The network of a diffusion model: from a noisy image, and how noisy it is, to the noise in it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two convolutions beside a short cut; what is known of the noise level is added between them."""

    def __init__(self, channels: int, outputs: int, width: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, channels), nn.Conv2d(channels, outputs, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(8, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.level = nn.Linear(width, outputs)
        self.short_cut = nn.Identity() if channels == outputs else nn.Conv2d(channels, outputs, 1)
        _begin_at_zero(self.conv2)

    def forward(self, x: Float[Tensor, "n c h w"], level: Float[Tensor, "n width"]) -> Float[Tensor, "n o h w"]:
        """Compute features on the same grid."""
        h = self.conv1(F.silu(self.norm1(x))) + self.level(level)[:, :, None, None]
        return self.short_cut(x) + self.conv2(F.silu(self.norm2(h)))


class Denoiser(nn.Module):
    """A UNet: full, half and quarter of the grid and back, with short cuts between equal sizes.

    Beside the noisy image it sees sines and cosines of it whose periods are a few grey levels: fine differences in
    brightness decide the last bits (Kingma et al. 2021, appendix C).

    Args:
        channels: of the images.
        width: features at full size, a multiple of 8; twice as many below.
        waves: k of each sin(2^k pi z) and cos(2^k pi z).
    """

    def __init__(self, channels: int, width: int, waves: tuple[int, ...]) -> None:
        super().__init__()
        self.width, self.waves = width, waves
        self.enter = nn.Conv2d(channels * (1 + 2 * len(waves)), width, 3, padding=1)
        self.embed = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        wide = 2 * width
        self.full_down = ResidualBlock(width, width, width)
        self.half_down = ResidualBlock(width, wide, width)
        self.quarter = ResidualBlock(wide, wide, width)
        self.half_up = ResidualBlock(2 * wide, wide, width)
        self.full_up = ResidualBlock(wide + width, width, width)
        self.leave = nn.Conv2d(width, channels, 3, padding=1)
        _begin_at_zero(self.leave)

    def forward(self, z: Float[Tensor, "n c h w"], level: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Predict the noise.

        Args:
            z: noisy images.
            level: how noisy, 0 (least) to 1 (most).
        """
        seen = [z, *(f(2**k * math.pi * z) for k in self.waves for f in (torch.sin, torch.cos))]
        embedded = self.embed(_sinusoidal(level, self.width))
        full = self.full_down(self.enter(torch.cat(seen, dim=1)), embedded)
        half = self.half_down(F.avg_pool2d(full, 2), embedded)
        quarter = self.quarter(F.avg_pool2d(half, 2), embedded)
        half = self.half_up(torch.cat((F.interpolate(quarter, scale_factor=2.0), half), dim=1), embedded)
        full = self.full_up(torch.cat((F.interpolate(half, scale_factor=2.0), full), dim=1), embedded)
        return self.leave(full)


def _begin_at_zero(layer: nn.Conv2d) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _sinusoidal(level: Float[Tensor, " n"], width: int) -> Float[Tensor, "n width"]:
    rates = torch.exp(torch.linspace(0, math.log(1000), width // 2, device=level.device, dtype=level.dtype))
    angles = level[:, None] * rates
    return torch.cat((angles.sin(), angles.cos()), dim=1)

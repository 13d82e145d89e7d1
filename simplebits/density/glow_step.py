"""One step of flow: ActNorm, invertible 1x1 convolution, affine coupling (Glow, section 3, table 1).

Each part is a module with `forward -> (y, log|det|)` and `inverse`. `GlowStep` computes the same map with fewer passes
over the image: an ActNorm is a diagonal matrix, so it is multiplied into the weights of the convolution next to it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check
from simplebits._door import door
from simplebits._precision import widened
from simplebits.domains import Count, Finite, Share

Mixing = Literal["orthogonal", "pca", "swap"]


def _inverse(weight: Float[Tensor, "c c"]) -> Float[Tensor, "c c"]:
    """Invert a matrix, in single precision where it is in half, which torch does not invert."""
    return torch.linalg.inv(widened(weight)).to(weight.dtype)


@door
class ActNorm(nn.Module):
    """y = e^s (x + b) per channel; log|det| = h w sum(s).

    Args:
        channels: c, of the images.

    Raises:
        ValueError: channels is not a whole number above 0; of all methods, images of another number of channels.
    """

    def __init__(self, channels: Count) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, ""]]:
        """Normalise; returns the image and log|det| (one number: it does not depend on x)."""
        _check.shape("x", x, "n", len(self.bias), "h", "w")
        y = (x + self.bias[:, None, None]) * self.log_scale.exp()[:, None, None]
        return y, self.log_scale.sum() * (x.shape[2] * x.shape[3])

    def inverse(self, y: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Invert `forward`."""
        _check.shape("y", y, "n", len(self.bias), "h", "w")
        return y * torch.exp(-self.log_scale)[:, None, None] - self.bias[:, None, None]

    @door
    @torch.no_grad()
    def initialise(self, x: Annotated[Float[Tensor, "n c h w"], Finite()]) -> Float[Tensor, "n c h w"]:
        """Set b and s so that every channel of this batch gets mean 0 and standard deviation 1; returns the result.

        Raises:
            ValueError: values that are not finite, or a single one a channel, which has no spread.
        """
        _check.shape("x", x, "n", len(self.bias), "h", "w")
        if x[:, 0].numel() < 2:
            raise ValueError(f"x: shape {list(x.shape)} has no spread to standardise; give more pixels or images")
        self.bias.copy_(-x.mean((0, 2, 3)))
        self.log_scale.copy_(-x.std((0, 2, 3)).clamp(min=1e-6).log())
        return self(x)[0]


@door
class Conv1x1(nn.Module):
    """y = W x at every pixel, W = P (L + I) (U + diag(sign e^w)): invertible, with log|det W| = sum(w) for free.

    Args:
        channels: c, of the images.
        generator: draws the first W, a rotation; without one, torch's global generator does.

    Raises:
        ValueError: channels is not a whole number above 0; of all methods, images of another number of channels.
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, channels: Count, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.register_buffer("permutation", torch.eye(channels))
        self.register_buffer("sign", torch.ones(channels))
        self.lower = nn.Parameter(torch.zeros(channels, channels))
        self.upper = nn.Parameter(torch.zeros(channels, channels))
        self.log_diagonal = nn.Parameter(torch.zeros(channels))
        self.set_weight(torch.linalg.qr(torch.randn(channels, channels, generator=generator))[0])

    @door
    @torch.no_grad()
    def set_weight(self, weight: Annotated[Float[Tensor, "c c"], Finite()]) -> None:
        """Take any invertible matrix as W.

        Raises:
            ValueError: it has another size, values that are not finite, or no inverse.
        """
        _check.shape("weight", weight, *self.lower.shape)
        if not bool(torch.linalg.det(weight.double()) != 0):
            raise ValueError("weight: this matrix has no inverse, and a flow must run backwards")
        permutation, lower, upper = torch.linalg.lu(weight)
        diagonal = upper.diagonal()
        self.permutation.copy_(permutation)
        self.sign.copy_(diagonal.sign())
        self.lower.copy_(lower.tril(-1))
        self.upper.copy_(upper.triu(1))
        self.log_diagonal.copy_(diagonal.abs().log())

    @property
    def weight(self) -> Float[Tensor, "c c"]:
        """The matrix W, assembled."""
        lower = self.lower.tril(-1) + torch.eye(len(self.lower), dtype=self.lower.dtype, device=self.lower.device)
        upper = self.upper.triu(1) + torch.diag(self.sign * self.log_diagonal.exp())
        return self.permutation @ lower @ upper

    def forward(self, x: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, ""]]:
        """Mix the channels; returns the image and log|det| (one number: it does not depend on x)."""
        self._fits("x", x)
        return F.conv2d(x, self.weight[:, :, None, None]), self.log_diagonal.sum() * (x.shape[2] * x.shape[3])

    def inverse(self, y: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Invert `forward`."""
        self._fits("y", y)
        return F.conv2d(y, _inverse(self.weight)[:, :, None, None])

    def _fits(self, argument: str, x: Tensor) -> None:
        _check.shape(argument, x, "n", len(self.lower), "h", "w")
        _check.beside(argument, x, self.lower)


class ZeroConv(nn.Module):
    """A 3x3 convolution that starts at zero, its output multiplied by e^(3 s): a fresh coupling only scales."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels_out, channels_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.log_scale = nn.Parameter(torch.zeros(channels_out))

    def folded(self) -> tuple[Float[Tensor, "o i 3 3"], Float[Tensor, " o"]]:
        """Multiply e^(3 s) into weight and bias."""
        factor = (3 * self.log_scale).exp()
        return self.weight * factor[:, None, None, None], self.bias * factor


@door
class Coupling(nn.Module):
    """Affine coupling: the first half of the channels stays and decides how the second moves, y2 = (x2 + t) s.

    A network of three convolutions gives shift t (its even output channels) and raw scale r (the odd ones) from the
    first half; s = floor + (1 - floor) sigmoid(r + 2). log|det| = sum(log s).

    Args:
        channels: c, even.
        hidden: channels inside the network.
        scale_floor: smallest factor s; 0 as published.
        generator: draws the initial weights; without one, torch's global generator does.

    Raises:
        ValueError: channels is odd (there are two equal halves), or another argument is out of range; of all methods,
            images of another number of channels.
    """

    def __init__(
        self, channels: Count, hidden: Count, scale_floor: Share = 0.0, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"channels={channels}: a coupling splits the channels in two halves; give an even number")
        half = channels // 2
        self.channels, self.scale_floor = channels, scale_floor
        self.conv1 = nn.Conv2d(half, hidden, 3, padding=1, bias=False)
        self.actnorm1 = ActNorm(hidden)
        self.conv2 = nn.Conv2d(hidden, hidden, 1, bias=False)
        self.actnorm2 = ActNorm(hidden)
        self.conv3 = ZeroConv(hidden, 2 * half)
        for conv in (self.conv1, self.conv2):
            nn.init.normal_(conv.weight, std=0.05, generator=generator)
        self.to(memory_format=torch.channels_last)  # a tenth faster, measured: the channels of a pixel lie together

    def _hidden_layer(self, conv: nn.Conv2d, actnorm: ActNorm, h: Tensor) -> Tensor:
        # ActNorm after a convolution: e^s (W h + b) is the convolution (e^s W) h with bias e^s b.
        factor = actnorm.log_scale.exp()
        weight = conv.weight * factor[:, None, None, None]
        # In place: the convolution's derivative does not need its output, and the widest tensor here is then held once.
        return F.relu(F.conv2d(h, weight, actnorm.bias * factor, padding=conv.padding), inplace=True)

    def shift_and_scale(
        self, first: Float[Tensor, "n half h w"]
    ) -> tuple[Float[Tensor, "n half h w"], Float[Tensor, "n half h w"]]:
        """Compute t and r + 2 from the unchanged half."""
        _check.shape("first", first, "n", self.channels // 2, "h", "w")
        h = self._hidden_layer(self.conv1, self.actnorm1, first)
        h = self._hidden_layer(self.conv2, self.actnorm2, h)
        weight, bias = self.conv3.folded()
        # Sorting the rows of the weight instead of the channels of its output leaves the two halves contiguous.
        out = F.conv2d(h, torch.cat((weight[0::2], weight[1::2])), torch.cat((bias[0::2], bias[1::2])), padding=1)
        shift, raw = out.to(first.dtype).chunk(2, dim=1)
        return shift, raw + 2

    def scale(self, raw: Float[Tensor, "n half h w"]) -> Float[Tensor, "n half h w"]:
        """Compute s = floor + (1 - floor) sigmoid(raw)."""
        return self.scale_floor + (1 - self.scale_floor) * raw.sigmoid()

    def forward(self, x: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, " n"]]:
        """Move the second half; returns the image and log|det| per image."""
        self._fits("x", x)
        first, second = x.chunk(2, dim=1)
        shift, raw = self.shift_and_scale(first)
        s = self.scale(raw)
        # Without a floor s may underflow to 0; logsigmoid stays finite there.
        log_s = s.log() if self.scale_floor else F.logsigmoid(raw)
        return torch.cat((first, (second + shift) * s), dim=1), log_s.flatten(1).sum(1)

    def inverse(self, y: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Invert `forward`."""
        self._fits("y", y)
        first, second = y.chunk(2, dim=1)
        shift, raw = self.shift_and_scale(first)
        return torch.cat((first, second / self.scale(raw) - shift), dim=1)

    @door
    @torch.no_grad()
    def initialise(self, x: Annotated[Float[Tensor, "n c h w"], Finite()]) -> Float[Tensor, "n c h w"]:
        """Let both inner ActNorms standardise what this batch brings to them; returns the coupled batch."""
        self._fits("x", x)
        h = F.relu(self.actnorm1.initialise(self.conv1(x.chunk(2, dim=1)[0])))
        self.actnorm2.initialise(self.conv2(h))
        return self(x)[0]

    def _fits(self, argument: str, x: Tensor) -> None:
        _check.shape(argument, x, "n", self.channels, "h", "w")
        _check.beside(argument, x, self.conv1.weight)


@door
class GlowStep(nn.Module):
    """ActNorm, 1x1 convolution, affine coupling.

    Args:
        channels: c, even.
        hidden: channels inside the coupling's network.
        scale_floor: smallest factor of the coupling; 0 as published.
        generator: draws the initial weights; without one, torch's global generator does.

    Raises:
        ValueError: `channels` is odd (a coupling needs two equal halves), or another argument is out of range; of all
            methods, images of another number of channels.
    """

    def __init__(
        self, channels: Count, hidden: Count, scale_floor: Share = 0.0, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.actnorm = ActNorm(channels)
        self.conv1x1 = Conv1x1(channels, generator)
        self.coupling = Coupling(channels, hidden, scale_floor, generator)

    def forward(self, x: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, " n"]]:
        """Take the step; returns the image and log|det| per image, in nats."""
        _check.shape("x", x, "n", len(self.actnorm.bias), "h", "w")
        _check.beside("x", x, self.actnorm.bias)
        # Likelihoods need every digit: only the coupling's network may run in lower precision under autocast.
        with torch.autocast(x.device.type, enabled=False):
            # W e^s (x + b) is the convolution (W e^s) x with bias W e^s b.
            weight = self.conv1x1.weight * self.actnorm.log_scale.exp()
            h = F.conv2d(x, weight[:, :, None, None], weight @ self.actnorm.bias)
        y, log_det = self.coupling(h)
        fixed = (self.actnorm.log_scale.sum() + self.conv1x1.log_diagonal.sum()) * (x.shape[2] * x.shape[3])
        return y, log_det + fixed

    def inverse(self, y: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Invert `forward`."""
        h = self.coupling.inverse(y)
        with torch.autocast(y.device.type, enabled=False):
            # e^-s W^-1 h - b: again one convolution with a bias.
            weight = _inverse(self.conv1x1.weight) * torch.exp(-self.actnorm.log_scale)[:, None]
            return F.conv2d(h, weight[:, :, None, None], -self.actnorm.bias)

    @door
    @torch.no_grad()
    def initialise(
        self, x: Annotated[Float[Tensor, "n c h w"], Finite()], mixing: Mixing, steps: Count
    ) -> Float[Tensor, "n c h w"]:
        """Start this step from data; returns what it makes of the batch.

        Args:
            x: the batch as it arrives at this step.
            mixing: `orthogonal` keeps the random 1x1 convolution, `pca` makes it the principal axes of x, `swap`
                exchanges the halves.
            steps: K; the axes are ordered so that after K - 1 swaps the strongest are in the half that stays in the
                flow.

        Raises:
            ValueError: unknown mixing, steps < 1, values that are not finite, or too few of them.
        """
        h = self.actnorm.initialise(x)
        half = x.shape[1] // 2
        if mixing == "pca":
            flat = h.transpose(0, 1).flatten(1)
            _, axes = torch.linalg.eigh(torch.cov(flat))  # columns, weakest first
            weight = axes.T
            if steps % 2 == 0:
                weight = torch.cat((weight[half:], weight[:half]))
            self.conv1x1.set_weight(weight)
        elif mixing == "swap":
            self.conv1x1.set_weight(torch.eye(2 * half, dtype=x.dtype, device=x.device).roll(half, 0))
        return self.coupling.initialise(self.conv1x1(h)[0])

"""PixelCNN: an image's probability is a product over its pixels, each predicted from those before it.

Two stacks of convolutions, one for the rows above and one for the pixels to the left, see all earlier pixels and no
other (van den Oord et al. 2016, Conditional image generation with PixelCNN decoders). A mixture of logistic
distributions, cut into the bins of grey levels, predicts a pixel; within it the colours follow one another (Salimans et
al. 2017, PixelCNN++).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits._precision import widened
from simplebits.density.base import BitDepth, DiscreteModel, drawn
from simplebits.domains import Count

SMALLEST_LOG_SCALE = -7.0  # of a logistic distribution on [-1, 1]: as in the code of PixelCNN++


def down(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Shift by a row: what stands at a pixel is that of the pixel above."""
    return F.pad(x, (0, 0, 1, -1))


def right(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Shift by a column: what stands at a pixel is that of the pixel to the left."""
    return F.pad(x, (1, -1, 0, 0))


class AboveConv(nn.Conv2d):
    """A convolution over three columns of this row and of the one above."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__(channels, outputs, (2, 3))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n o h w"]:
        """Convolve; beyond the border are zeros."""
        return super().forward(F.pad(x, (1, 1, 1, 0)))


class LeftConv(nn.Conv2d):
    """A convolution over this pixel and the one to the left."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__(channels, outputs, (1, 2))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n o h w"]:
        """Convolve; beyond the border are zeros."""
        return super().forward(F.pad(x, (1, 0, 0, 0)))


def gated(x: Float[Tensor, "n _ h w"]) -> Float[Tensor, "n half h w"]:
    """tanh(a) sigmoid(b) of the two halves of the channels."""
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


class GatedBlock(nn.Module):
    """One layer of both stacks, each added to what came in.

    The stack of rows may look at its own row, since what it hands over is shifted down by one.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.above, self.above_out = AboveConv(width, 2 * width), nn.Conv2d(width, width, 1)
        self.left, self.left_out = LeftConv(width, 2 * width), nn.Conv2d(width, width, 1)
        self.link = nn.Conv2d(2 * width, 2 * width, 1)

    def forward(
        self, rows: Float[Tensor, "n c h w"], pixels: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """Features of the rows up to this one, and of the pixels before this one."""
        from_rows = self.above(rows)
        pixels = pixels + self.left_out(gated(self.left(pixels) + self.link(down(from_rows))))
        return rows + self.above_out(gated(from_rows)), pixels


class Mixture(NamedTuple):
    """What is predicted of every pixel: a mixture of m logistic distributions of values in [-1, 1].

    Attributes:
        logits: of the m parts, [n, m, h, w].
        means: of each part and colour, [n, m, c, h, w].
        log_scales: of the same shape.
        slopes: by which the mean of a colour follows the colours before it, [n, m, c, c, h, w]; those below the
            diagonal count.
    """

    logits: Tensor
    means: Tensor
    log_scales: Tensor
    slopes: Tensor

    def means_given(self, y: Float[Tensor, "n c h w"]) -> Float[Tensor, "n m c h w"]:
        """Shift the mean of each colour by the pixel's earlier colours."""
        return self.means + torch.einsum("nmckhw,nkhw->nmchw", self.slopes, y)


@door
class PixelCNN(DiscreteModel):
    """A gated PixelCNN with discretised logistic mixtures: an exact probability, of images on the grey levels.

    Its bits per dimension need no noise: `draws` and the generator have no effect. Between grey levels the measure is
    that of a bin around the value, smooth in x but where the lowest and the highest bin begin, which have no outer end.

    Args:
        width: channels of either stack.
        blocks: gated blocks; a pixel is predicted from as many rows above it, and one more.
        mixture: logistic distributions in the mixture.
        image_size: height and width.
        channels: colours; each follows those before it.
        bit_depth: b, bits a channel.

    Raises:
        ValueError: an argument is not positive.

    >>> model = PixelCNN(width=4, blocks=2, mixture=2, image_size=4, channels=1, bit_depth=1)
    >>> images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 16)[:4].view(-1, 1, 4, 4)
    >>> model.log_likelihood(images).shape
    torch.Size([4])
    """

    def __init__(
        self,
        width: Count = 48,
        blocks: Count = 7,
        mixture: Count = 5,
        image_size: Count = 32,
        channels: Count = 3,
        bit_depth: BitDepth = 8,
    ) -> None:
        super().__init__(image_size, channels, bit_depth)
        self.width, self.blocks, self.mixture = width, blocks, mixture
        self.rows_above, self.pixels_left = AboveConv(channels, width), LeftConv(channels, width)
        self.stack = nn.ModuleList(GatedBlock(width) for _ in range(blocks))
        self.head = nn.Conv2d(width, mixture * (1 + channels * (2 + channels)), 1)

    @property
    def config(self) -> dict[str, int]:
        """Keyword arguments that build this architecture again."""
        names = ("width", "blocks", "mixture", "image_size", "channels", "bit_depth")
        return {name: getattr(self, name) for name in names}

    def mixture_of(self, y: Float[Tensor, "n c h w"]) -> Mixture:
        """Predict every pixel of images in [-1, 1] from the pixels before it, row by row, left to right."""
        y = y.to(self.head.weight.dtype)
        rows = self.rows_above(y)
        pixels = down(rows) + right(self.pixels_left(y))
        for block in self.stack:
            rows, pixels = block(rows, pixels)
        n, (m, c), grid = y.shape[0], (self.mixture, self.channels), y.shape[2:]
        logits, rest = widened(self.head(F.elu(pixels))).split((m, m * c * (2 + c)), dim=1)
        means, log_scales, slopes = rest.view(n, m, c * (2 + c), *grid).split((c, c, c * c), dim=2)
        below = torch.ones(c, c).tril(-1).to(rest)[:, :, None, None]
        slopes = torch.tanh(slopes.view(n, m, c, c, *grid)) * below
        return Mixture(logits, means, log_scales.clamp(min=SMALLEST_LOG_SCALE), slopes)

    def _log_p(self, x: Tensor, generator: torch.Generator | None) -> Float[Tensor, " n"]:
        """log P(x): the sum over pixels of the log of a mixture of bins' probabilities."""
        y = 2 * widened(x) - 1
        predicted = self.mixture_of(y)
        centred = y[:, None] - predicted.means_given(y)
        narrow = torch.exp(-predicted.log_scales)
        half = 1 / (2**self.bit_depth - 1)  # of a bin's width, where all levels lie in [-1, 1]
        upper, lower = narrow * (centred + half), narrow * (centred - half)
        # sigmoid(u) - sigmoid(l) = sigmoid(u) sigmoid(-l) (1 - exp(l - u)), which does not cancel
        within = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-2 * half * narrow))
        lowest, highest = y[:, None] < half - 1, y[:, None] > 1 - half
        each = torch.where(lowest, F.logsigmoid(upper), torch.where(highest, F.logsigmoid(-lower), within))
        parts = predicted.logits.log_softmax(1) + each.sum(2)
        return parts.logsumexp(1).flatten(1).sum(1)

    def _bits_alike(self, x: Tensor, generator: torch.Generator | None) -> Float[Tensor, " n"]:
        return self(x, quantised=True)

    @door
    @torch.no_grad()
    def sample(self, n: Count, generator: torch.Generator | None = None) -> Float[Tensor, "n c h w"]:
        """Draw n images, pixel by pixel and colour by colour; one pass of the network a pixel.

        Raises:
            ValueError: n < 1.
        """
        weight, top = self.head.weight, 2**self.bit_depth - 1
        y = widened(torch.zeros(n, self.channels, self.image_size, self.image_size).to(weight))

        def uniform(*shape: int) -> Tensor:
            """In (0, 1), without its ends."""
            return drawn(torch.rand, shape, weight, generator).clamp(1e-5, 1 - 1e-5)

        for i in range(self.image_size):
            for j in range(self.image_size):
                predicted = self.mixture_of(y[:, :, : i + 1])
                logits = predicted.logits[:, :, i, j]
                part = (logits - torch.log(-torch.log(uniform(*logits.shape)))).argmax(1)  # Gumbel: by probability
                chosen = torch.arange(n, device=y.device), part
                for c in range(self.channels):
                    mean = predicted.means_given(y[:, :, : i + 1])[*chosen, c, i, j]
                    draw = torch.logit(uniform(n))
                    value = mean + predicted.log_scales[*chosen, c, i, j].exp() * draw
                    y[:, c, i, j] = ((value + 1) / 2 * top).round().clamp(0, top) / top * 2 - 1
        return (y + 1) / 2

"""The augmentations with which gradient matching is evaluated: for every image one of a few, drawn anew."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from simplebits._door import door
from simplebits.condense.augment import Standardised, check_batches, crop, rotation, sample_linear, take


@dataclass(frozen=True)
class CropScaleRotate:
    """Every image moved, scaled or turned, each with probability 1/3: for networks trained on condensed digits.

    Moved by -4 to 3 pixels in each axis, scaled to 0.8 to 1.2 of its size in each axis, or turned by -45 to 44 whole
    degrees; the published evaluation of gradient matching on MNIST (without siamese augmentation). What moves in has
    the mean of its channel over the batch, and is zero around an image scaled down. The released code turns images by
    cubic splines; here it is done by bilinear sampling.

    >>> images = torch.randn(10, 1, 28, 28)
    >>> (changed,) = CropScaleRotate()(torch.Generator().manual_seed(0), images)
    >>> changed.shape
    torch.Size([10, 1, 28, 28])
    """

    @door
    def __call__(
        self, generator: torch.Generator | None, *batches: Standardised, shared: bool = False
    ) -> tuple[Float[Tensor, "n c h w"], ...]:
        """Change the batches alike: image i of each by draw i.

        Args:
            generator: makes the draws; None: torch's global generator does.
            *batches: standardised images, each `[n, c, h, w]`, all of one shape.
            shared: only False; here for calls that may as well go to `SiameseAugment`.

        Returns:
            A tuple, even of one batch; shapes, dtypes and devices as they came.

        Raises:
            TypeError: a batch is not a tensor, or generator is something else.
            ValueError: `shared`, no batch, one that is not float `[n, c, h, w]` or holds NaN, or batches of different
                shapes.
        """
        _check_call(batches, shared)
        return self._apply(generator, *batches)

    def _apply(
        self, generator: torch.Generator | None, *batches: Float[Tensor, "n c h w"], shared: bool = False
    ) -> tuple[Float[Tensor, "n c h w"], ...]:
        """Change the batches without a look at them: what loops call."""
        n, _, h, w = batches[0].shape
        # Drawn on the generator's own device, so that one seed gives one result on CPU and GPU.
        device = generator.device if generator is not None else batches[0].device
        choice = torch.randint(3, (n,), generator=generator, device=device)
        shifts = torch.randint(-4, 4, (2, n), generator=generator, device=device)
        factors = 0.8 + 0.4 * torch.rand(2, n, generator=generator, device=device)
        degrees = torch.randint(-45, 45, (n,), generator=generator, device=device)
        moved, scaled, turned = (choice == k for k in range(3))
        sides = torch.tensor([[h], [w]], device=device)
        sides = torch.where(scaled, (factors * sides).long(), sides)
        draws = (*(shifts * moved), *sides, degrees * turned, scaled)
        return tuple(crop_scale_rotate(x, *(draw.to(x.device) for draw in draws)) for x in batches)


@dataclass(frozen=True)
class CropNoise:
    """Every image moved or with noise added, each with probability 1/2: for networks with batch normalisation.

    Moved as by `CropScaleRotate`, or Gaussian noise with a standard deviation of 0.001 added; what the published
    evaluation uses for a ConvNet with batch normalisation.

    >>> images = torch.randn(10, 3, 32, 32)
    >>> (changed,) = CropNoise()(torch.Generator().manual_seed(0), images)
    >>> changed.shape
    torch.Size([10, 3, 32, 32])
    """

    @door
    def __call__(
        self, generator: torch.Generator | None, *batches: Standardised, shared: bool = False
    ) -> tuple[Float[Tensor, "n c h w"], ...]:
        """Change the batches alike: image i of each by draw i; arguments and errors as of `CropScaleRotate`."""
        _check_call(batches, shared)
        return self._apply(generator, *batches)

    def _apply(
        self, generator: torch.Generator | None, *batches: Float[Tensor, "n c h w"], shared: bool = False
    ) -> tuple[Float[Tensor, "n c h w"], ...]:
        """Change the batches without a look at them: what loops call."""
        shape = batches[0].shape
        device = generator.device if generator is not None else batches[0].device
        moved = torch.randint(2, (shape[0],), generator=generator, device=device) == 0
        top, left = torch.randint(-4, 4, (2, shape[0]), generator=generator, device=device) * moved
        noise = 1e-3 * torch.randn(shape, generator=generator, device=device) * ~moved.view(-1, 1, 1, 1)
        means = [x.mean((0, 2, 3), keepdim=True) for x in batches]
        return tuple(
            crop(x - mean, top.to(x.device), left.to(x.device)) + mean + noise.to(x)
            for x, mean in zip(batches, means, strict=True)
        )


def crop_scale_rotate(
    x: Float[Tensor, "n c h w"],
    top: Int[Tensor, " n"],
    left: Int[Tensor, " n"],
    height: Int[Tensor, " n"],
    width: Int[Tensor, " n"],
    degrees: Int[Tensor, " n"],
    zero_fill: Bool[Tensor, " n"],
) -> Float[Tensor, "n c h w"]:
    """Scale images to height x width pixels, show a window of their own size, then turn it.

    Args:
        x: standardised images.
        top: first row of the window, from where it shows the centre, in pixels.
        left: first column of the window, likewise.
        height: the image's height after scaling, in pixels, by the nearest ones.
        width: the image's width after scaling, likewise.
        degrees: the angle, against the clock for positive ones.
        zero_fill: the images around which is zero; around the others is the batch's mean of each channel.

    Returns:
        The changed images.
    """
    fill = x.mean((0, 2, 3), keepdim=True) * ~zero_fill.view(-1, 1, 1, 1)
    scaled = take(x - fill, _source(x.shape[2], top, height), _source(x.shape[3], left, width))
    return sample_linear(scaled, rotation(degrees.float())) + fill


def _source(side: int, shift: Int[Tensor, " n"], scaled: Int[Tensor, " n"]) -> Int[Tensor, "n side"]:
    """Find the row (or column) that each place of the window is filled from."""
    margin = (side - scaled).div(2, rounding_mode="trunc")
    place = torch.arange(side, device=shift.device) + (shift - margin)[:, None]
    return place.mul(side).div(scaled[:, None], rounding_mode="floor")


def _check_call(batches: tuple[Tensor, ...], shared: bool) -> None:
    check_batches(batches, same_n=True)
    if shared:
        raise ValueError("shared=True: every image has a draw of its own here; SiameseAugment shares one")

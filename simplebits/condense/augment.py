"""Differentiable siamese augmentation: one draw changes real and synthetic images alike.

Each operation is a pure function of the images `[n, c, h, w]` and of its raw draws, one value for each image `[n]` or
one for all of them `[1]`. All act on standardised images, in which zero is the mean of the set: what moves in from
outside is zero, what is cut out becomes zero. All are differentiable in the images.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from simplebits._door import door
from simplebits.domains import Finite, one_of

#: Sets of digits and letters: mirrored, they are other signs.
SIGNS = ("digits", "mnist", "usps", "svhn", "svhn-crops", "emnist-letters")
#: The published strategy for objects and clothes (CIFAR, Fashion-MNIST).
DSA_STRATEGY = "color_crop_cutout_flip_scale_rotate"
#: The same without mirroring, for digits (MNIST, SVHN).
DSA_STRATEGY_DIGITS = "color_crop_cutout_scale_rotate"


Standardised = Annotated[Float[Tensor, "_ c h w"], Finite()]  # images, at least one; zero is the mean of their set


@dataclass(frozen=True)
class Operations:
    """Names of operations, joined by underscores or in a sequence, at least one."""

    whole = True

    def __call__(self, argument: str, value: Any) -> tuple[str, ...]:
        """Check the names of a strategy, and return them in a tuple."""
        if not isinstance(value, Sequence):
            raise TypeError(f"{argument}: expected names such as {DSA_STRATEGY!r}, got {type(value).__name__}")
        names = value.split("_") if isinstance(value, str) else value
        if not names:
            raise ValueError(f"{argument}: none given; name at least one of {', '.join(_OPERATIONS)}")
        return tuple(one_of(argument, name, _OPERATIONS) for name in names)


@door
@dataclass(frozen=True)
class SiameseAugment:
    """Augmentation that is the same for real and synthetic images (differentiable siamese augmentation, DSA).

    Each call draws one of the strategies, all equally likely, and applies its operations:

    * `color`: `brightness`, `saturation` and `contrast`;
    * `crop`: `crop` by up to an eighth of the side;
    * `cutout`: `cutout` of a square of half the side;
    * `flip`: `flip` with probability 1/2;
    * `scale`: `scale` by 1/1.2 to 1.2 in each axis;
    * `rotate`: `rotate` by up to 15 degrees.

    Attributes:
        strategy: names from the table, joined by underscores or as a sequence; kept as a tuple. `DSA_STRATEGY` and,
            for digits, `DSA_STRATEGY_DIGITS` are the published ones.

    Raises:
        TypeError: strategy is neither a string nor a sequence.
        ValueError: an unknown strategy, or none.

    >>> real, synthetic = torch.randn(64, 3, 32, 32), torch.randn(1, 3, 32, 32, requires_grad=True)
    >>> augment = SiameseAugment(DSA_STRATEGY)
    >>> real, synthetic = augment(torch.Generator().manual_seed(0), real, synthetic)
    >>> real.shape, synthetic.shape, synthetic.requires_grad
    (torch.Size([64, 3, 32, 32]), torch.Size([1, 3, 32, 32]), True)
    """

    strategy: Annotated[str | Sequence[str], Operations()]

    @property
    def flips(self) -> bool:
        """Whether images may be mirrored, which digits and letters do not survive."""
        return "flip" in self.strategy

    @door
    def __call__(
        self, generator: torch.Generator | None, *batches: Standardised, shared: bool = True
    ) -> tuple[Float[Tensor, "_ c h w"], ...]:
        """Change all batches by the same draws.

        Args:
            generator: draws the strategy and its parameters; None: torch's global generator does.
            *batches: standardised images, each `[n, c, h, w]`, of equal c, h and w.
            shared: one draw for all images of all batches, whatever their n: this is how gradients or features are
                matched. False: image i of each batch gets draw i, for batches of equal n: this is how networks are
                trained on images.

        Returns:
            A tuple, even of one batch; shapes, dtypes and devices as they came.

        Raises:
            TypeError: a batch is not a tensor, or generator is something else.
            ValueError: no batch, an empty one, one that is not float `[n, c, h, w]` or holds NaN, or batches of
                different shapes.
        """
        check_batches(batches, same_n=not shared)
        return self._apply(generator, *batches, shared=shared)

    def _apply(
        self, generator: torch.Generator | None, *batches: Float[Tensor, "_ c h w"], shared: bool = True
    ) -> tuple[Float[Tensor, "_ c h w"], ...]:
        """Change the batches without a look at them: what loops call."""
        n, _, *size = batches[0].shape
        # Drawn on the generator's own device, so that one seed gives one result on CPU and GPU.
        device = generator.device if generator is not None else batches[0].device
        choice = int(torch.randint(len(self.strategy), (), generator=generator, device=device))
        for operation in _OPERATIONS[self.strategy[choice]]:
            draws = _draw(operation, 1 if shared else n, size, generator, device)
            batches = tuple(operation(x, *(draw.to(x.device) for draw in draws)) for x in batches)
        return batches


def warn_of_mirrored_signs(augment: SiameseAugment, name: str, stacklevel: int) -> None:
    """Warn where the images of this set, `mnist/train` for example, are digits or letters, which flips change."""
    if augment.flips and name.split("/")[0] in SIGNS:
        warnings.warn(
            f"augment={'_'.join(augment.strategy)!r} mirrors the images of {name}; a mirrored digit is another sign: "
            f"leave out 'flip'",
            stacklevel=stacklevel,
        )


def brightness(x: Float[Tensor, "n c h w"], u: Float[Tensor, " draws"]) -> Float[Tensor, "n c h w"]:
    """Make images darker or lighter by up to half a standard deviation: x + u - 1/2, u in [0, 1)."""
    return x + _per_image(u - 0.5, x)


def saturation(x: Float[Tensor, "n c h w"], u: Float[Tensor, " draws"]) -> Float[Tensor, "n c h w"]:
    """Multiply the distance of each pixel to its grey (the mean of its channels) by 2u, u in [0, 1)."""
    return torch.lerp(x.mean(1, keepdim=True), x, _per_image(2 * u, x))


def contrast(x: Float[Tensor, "n c h w"], u: Float[Tensor, " draws"]) -> Float[Tensor, "n c h w"]:
    """Multiply the distance of each value to the mean of its image by u + 1/2, u in [0, 1)."""
    return torch.lerp(x.mean((1, 2, 3), keepdim=True), x, _per_image(u + 0.5, x))


def crop(
    x: Float[Tensor, "n c h w"], top: Int[Tensor, " draws"], left: Int[Tensor, " draws"]
) -> Float[Tensor, "n c h w"]:
    """Take the window of the image's own size whose corner is at pixel (top, left); zero where it leaves the image."""
    rows, columns = torch.arange(x.shape[2], device=x.device), torch.arange(x.shape[3], device=x.device)
    return take(x, rows + top[:, None], columns + left[:, None])


def cutout(
    x: Float[Tensor, "n c h w"], row: Int[Tensor, " draws"], column: Int[Tensor, " draws"]
) -> Float[Tensor, "n c h w"]:
    """Blacken a square of half the image's side around pixel (row, column); what is outside the image is lost."""

    def inside(size: int, centre: Tensor) -> Tensor:
        side, distance = _half(size), torch.arange(size, device=x.device) - centre[:, None]
        return (distance >= -(side // 2)) & (distance < side - side // 2)

    rows, columns = inside(x.shape[2], row), inside(x.shape[3], column)
    return x.masked_fill(rows[:, None, :, None] & columns[:, None, None, :], 0)


def flip(x: Float[Tensor, "n c h w"], u: Float[Tensor, " draws"]) -> Float[Tensor, "n c h w"]:
    """Mirror left and right where u < 1/2."""
    return torch.where((u < 0.5).view(-1, 1, 1, 1), x.flip(3), x)


def scale(
    x: Float[Tensor, "n c h w"], u: Float[Tensor, " draws"], v: Float[Tensor, " draws"]
) -> Float[Tensor, "n c h w"]:
    """Make images narrower by 1/1.2 + u (1.2 - 1/1.2), below one wider, and lower by the same of v; u, v in [0, 1)."""
    factors = torch.stack([u, v], 1) * (1.2 - 1 / 1.2) + 1 / 1.2
    return sample_linear(x, torch.diag_embed(factors))


def rotate(x: Float[Tensor, "n c h w"], u: Float[Tensor, " draws"]) -> Float[Tensor, "n c h w"]:
    """Turn images about the centre by 30 u - 15 degrees, u in [0, 1); one that is not square is sheared as well."""
    return sample_linear(x, rotation(30 * (u - 0.5)))


def take(
    x: Float[Tensor, "n c h w"], rows: Int[Tensor, "draws h"], columns: Int[Tensor, "draws w"]
) -> Float[Tensor, "n c h w"]:
    """Fill pixel (i, j) from pixel (rows[i], columns[j]) of the image; with zero where that lies outside."""
    n, c, h, w = x.shape
    # One gather from the image in a frame of zeros, to which all places outside are sent.
    source = (rows.clamp(-1, h) + 1)[:, :, None] * (w + 2) + columns.clamp(-1, w)[:, None, :] + 1
    return F.pad(x, [1] * 4).flatten(2).gather(2, source.view(-1, 1, h * w).expand(n, c, -1)).view(x.shape)


def rotation(degrees: Float[Tensor, " draws"]) -> Float[Tensor, "draws 2 2"]:
    """Make the matrix for `sample_linear` that turns an image, for positive degrees against the clock."""
    angle = degrees * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], 1).view(-1, 2, 2)


def sample_linear(x: Float[Tensor, "n c h w"], matrix: Float[Tensor, "draws 2 2"]) -> Float[Tensor, "n c h w"]:
    """Multiply an image's coordinates by `matrix`: bilinear between pixels, zero outside.

    The value at (horizontal, vertical) = p, both from -1 to 1 across the image, is read from the place matrix @ p.
    """
    # bfloat16 knows a coordinate to a tenth of a pixel only.
    dtype = torch.promote_types(x.dtype, torch.float32)
    # This equals affine_grid, to the last bit; its batched product of tiny matrices costs more than all the sampling.
    down, across = (
        torch.linspace(-1, 1, side, device=x.device, dtype=dtype) * (side - 1) / side for side in x.shape[2:]
    )
    column = matrix.to(dtype)[:, :, :, None, None]
    grid = (column[:, :, 0] * across + column[:, :, 1] * down[:, None]).permute(0, 2, 3, 1)
    sampled = F.grid_sample(x.to(dtype), grid.expand(len(x), -1, -1, -1), align_corners=False)
    return sampled.to(x.dtype)


_OPERATIONS: dict[str, tuple[Callable[..., Tensor], ...]] = {
    "color": (brightness, saturation, contrast),
    "crop": (crop,),
    "cutout": (cutout,),
    "flip": (flip,),
    "scale": (scale,),
    "rotate": (rotate,),
}


def _draw(
    operation: Callable[..., Tensor],
    n: int,
    size: Sequence[int],
    generator: torch.Generator | None,
    device: torch.device,
) -> tuple[Tensor, ...]:
    """Draw n raw numbers for each parameter of the operation, for images of this height and width."""

    def whole(low: int, high: int) -> Tensor:
        return torch.randint(low, high + 1, (n,), generator=generator, device=device)

    if operation is crop:
        return tuple(whole(-((side + 4) // 8), (side + 4) // 8) for side in size)
    if operation is cutout:
        # The last centre at which at least one pixel is cut: a square of an even side reaches one further up and left.
        return tuple(whole(0, side - _half(side) % 2) for side in size)
    return tuple(torch.rand(n, generator=generator, device=device) for _ in range(2 if operation is scale else 1))


def _half(side: int) -> int:
    """Compute the side of the square that is cut out: half of the image's, rounded up."""
    return (side + 1) // 2


def _per_image(draws: Tensor, x: Tensor) -> Tensor:
    return draws.to(x.dtype).view(-1, 1, 1, 1)


def check_batches(batches: Sequence[Tensor], *, same_n: bool) -> None:
    """Raise ValueError unless there are batches that one draw can serve."""
    if not batches:
        raise ValueError("batches: none given; pass at least one tensor [n, c, h, w] after the generator")
    for i, batch in enumerate(batches):
        first = 0 if same_n else 1
        if batch.shape[first:] != batches[0].shape[first:]:
            raise ValueError(
                f"batches[{i}]: expected {'n, ' if same_n else ''}c, h and w of the first batch "
                f"{list(batches[0].shape)}, got {list(batch.shape)}; one draw serves them all"
            )

"""Images of which only some pixels are left: those that backward selection kept longest, or random ones."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from simplebits._door import door
from simplebits.data import ImageSet, RandomShift
from simplebits.domains import Count, Finite, Seed
from simplebits.subsets.arguments import ChannelFill, PixelShare, masks_fit


@door
def pixels_kept(share: PixelShare, pixels: Count) -> int:
    """Count the pixels in a subset: ceil(share * pixels); rounding errors of the product do not count.

    Args:
        share: of the pixels, above 0 and at most 1.
        pixels: of the image.

    Raises:
        ValueError: share or pixels out of range.

    >>> pixels_kept(0.05, 32 * 32), pixels_kept(0.07, 100)
    (52, 7)
    """
    return _pixels_kept(share, pixels)


def _pixels_kept(share: float, pixels: int) -> int:
    return math.ceil(share * pixels - 1e-9)


@door
def keep_last(
    order: Annotated[Int64[Tensor, "*n h w"], Finite()], share: PixelShare, *, whole_groups: bool = False
) -> Bool[Tensor, "*n h w"]:
    """Mask all pixels but those that backward selection masked last (Carter et al. 2021, section S2: 5 %).

    Args:
        order: the step at which each pixel was masked, from 0: `.steps` of what `back_select` returns, `.order` of what
            `batched_gradient_back_select` returns. Where a group was masked in one step and only some of its pixels
            fit, those with the lowest index stay.
        share: of the pixels to keep, above 0 and at most 1; ceil(share * h * w) of them stay.
        whole_groups: the rule of the paper's ImageNet code instead: all pixels of the steps from int((1 - share) * last
            step) on stay, so that no group is divided and somewhat more than the share may stay.

    Returns:
        True on the pixels that stay.

    Raises:
        TypeError: order is not a tensor.
        ValueError: order of another dtype or with fewer than two axes, fewer pixels to choose from than are to stay;
            share out of range.

    >>> keep_last(torch.tensor([[3, 0], [1, 2]]), 0.5)
    tensor([[ True, False],
            [False,  True]])
    """
    if whole_groups:
        last_step = order.flatten(-2).amax(-1)[..., None, None]
        # Rounded to a millionth: (1 - 0.1) * 10 is 9 and not 8.999...
        return (order >= ((1 - share) * last_step + 1e-6).floor()) & (order >= 0)
    flat = order.flatten(-2)
    last = flat.argsort(dim=-1, descending=True, stable=True)[..., : _pixels_kept(share, flat.shape[-1])]
    if int(flat.gather(-1, last).min()) < 0:
        raise ValueError(
            f"order: too few pixels were selected from to keep a share of {share:g}: negative steps mark those that "
            f"were masked from the start; give a smaller share, or select without an initial mask"
        )
    return torch.zeros_like(flat, dtype=torch.bool).scatter(-1, last, True).view(order.shape)


@door
def random_masks(n: Count, size: tuple[Count, Count], share: PixelShare, seed: Seed = 0) -> Bool[Tensor, "n h w"]:
    """Draw masks of random pixels, uniformly without replacement: one for each image, the same for the same seed.

    The mask of image i depends on the seed and on i alone. The paper's code has seed 1234 for the training images and
    5678 for the test images, and the same masks for all five replicates.

    Args:
        n: number of masks.
        size: height and width, pixels.
        share: of the pixels to keep, above 0 and at most 1; ceil(share * h * w) of them stay.
        seed: of the draw.

    Raises:
        ValueError: an argument out of range.

    >>> random_masks(3, (8, 8), 0.1).sum((1, 2))
    tensor([7, 7, 7])
    """
    height, width = size
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(n, height * width, generator=generator, dtype=torch.float64)
    kept = drawn.argsort(dim=1)[:, : _pixels_kept(share, height * width)]
    return torch.zeros(n, height * width, dtype=torch.bool).scatter(1, kept, True).view(n, height, width)


@door
def mean_pixel(images: ImageSet) -> Float[Tensor, " c"]:
    """Compute the mean of each channel over all images, on the nearest grey level, 0 to 1: what the paper fills with.

    In the paper, images are normalised first, and masked pixels are 0. A byte holds the nearest grey level exactly.

    Raises:
        TypeError: images is no image set.

    >>> pixels = torch.tensor([0, 51], dtype=torch.uint8).view(2, 1, 1, 1)
    >>> mean_pixel(ImageSet(pixels, torch.tensor([0, 1]), ("a", "b"), "tiny"))  # 26 of 255
    tensor([0.1020])
    """
    pixels = images.images
    total = pixels.sum((0, 2, 3), dtype=torch.int64).double()
    return ((total * pixels.shape[1] / pixels.numel()).round() / 255).float()


@door
def keep_pixels(images: ImageSet, masks: Bool[Tensor, "n h w"], fill: ChannelFill = 0.0) -> ImageSet:
    """Fill all pixels of images but those of their masks: an image set that classifiers train on.

    Args:
        images: the originals.
        masks: True on the pixels that stay, one mask for each image; all channels of a pixel stay or go together.
        fill: what the other pixels become, in [0, 1]: one number, or one for each channel as `mean_pixel` has them;
            it is rounded to the nearest grey level.

    Raises:
        TypeError: images is no image set, or masks no tensor.
        ValueError: masks that are not boolean or do not fit the images, or a fill out of range.

    >>> digits = ImageSet(torch.full((2, 1, 2, 2), 9, dtype=torch.uint8), torch.tensor([0, 1]), ("a", "b"), "tiny")
    >>> keep_pixels(digits, torch.eye(2, dtype=torch.bool).expand(2, 2, 2)).images[0, 0]
    tensor([[9, 0],
            [0, 9]], dtype=torch.uint8)
    """
    return _keep_pixels(images, masks, torch.as_tensor(fill, device=images.images.device).reshape(-1))


def _keep_pixels(images: ImageSet, masks: Bool[Tensor, "n h w"], levels: Float[Tensor, " c"]) -> ImageSet:
    masks_fit(masks, levels, images)
    blank = (levels * 255).round().to(torch.uint8)[:, None, None]
    return replace(images, images=torch.where(masks[:, None].to(images.images.device), images.images, blank))


@door
def keep_places(images: ImageSet, masks: Bool[Tensor, "n h w"]) -> ImageSet:
    """Show nothing but where the pixels of the masks are, white on black: the control of `keep_pixels`.

    A network chose the masks by looking at the images. What others learn from the places alone is its decision, not
    what the pixels show.

    Args:
        images: whose labels and number of channels are kept.
        masks: True on the pixels, one mask for each image.

    Raises:
        TypeError, ValueError: as `keep_pixels`.

    >>> digits = ImageSet(torch.full((2, 1, 2, 2), 9, dtype=torch.uint8), torch.tensor([0, 1]), ("a", "b"), "tiny")
    >>> keep_places(digits, torch.eye(2, dtype=torch.bool).expand(2, 2, 2)).images[0, 0]
    tensor([[255,   0],
            [  0, 255]], dtype=torch.uint8)
    """
    white = replace(images, images=torch.full_like(images.images, 255))
    return _keep_pixels(white, masks, torch.zeros(1, device=images.images.device))


@door
def augment_once(images: ImageSet, augment: RandomShift, seed: Seed = 0) -> ImageSet:
    """Move each image by one draw that then stays, as the paper's code augments its pixel subsets.

    The paper's code builds a subset data set once, from images that pass through random crops and flips on the way:
    every image moves once, before it is masked, and the mask was selected on the image that had not moved. What
    `keep_pixels` makes of the moved images with such masks is what table S1 trains on; tables S2 and S3 also train on
    images that were not moved.

    Args:
        images: the originals.
        augment: draws the moves; `RandomShift(4, flip=True)` in the paper.
        seed: of the draw.

    Raises:
        TypeError: images is no image set, or augment no `RandomShift`.

    >>> tiny = ImageSet(torch.ones(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 1]), ("a", "b"), "tiny")
    >>> augment_once(tiny, RandomShift(2)).images.shape
    torch.Size([2, 1, 4, 4])
    """
    (moved,) = augment(torch.Generator().manual_seed(seed), images.images)
    return replace(images, images=moved)

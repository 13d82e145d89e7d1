"""Pixel subsets: which pixels stay, how many, and that the others are gone from every channel."""

import pytest
import torch

from simplebits.data import ImageSet, RandomShift
from simplebits.subsets import (
    augment_once,
    back_select,
    batched_gradient_back_select,
    keep_last,
    keep_pixels,
    mean_pixel,
    pixels_kept,
    random_masks,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(n=6, channels=3, size=8, seed=0):
    images = torch.randint(0, 256, (n, channels, size, size), generator=seeded(seed), dtype=torch.uint8)
    return ImageSet(images, torch.arange(n) % 2, ("even", "odd"), "noise")


def orders(n=4, size=8):
    flat = torch.stack([torch.randperm(size * size, generator=seeded(i)) for i in range(n)])
    return flat.view(n, size, size)


@pytest.mark.parametrize(
    ("share", "pixels", "kept"), [(0.05, 1024, 52), (0.1, 1024, 103), (0.3, 1024, 308), (0.07, 100, 7), (1.0, 9, 9)]
)
def test_the_share_is_rounded_up_but_for_what_the_product_adds(share, pixels, kept):
    assert pixels_kept(share, pixels) == kept


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_the_pixels_masked_last_stay(share):
    order = orders()
    masks = keep_last(order, share)
    kept = pixels_kept(share, 64)
    assert torch.equal(masks, order >= 64 - kept)
    assert torch.equal(keep_last(order[0], share), masks[0])


def test_of_a_group_that_does_not_fit_the_lowest_indices_stay():
    order = torch.tensor([[[0, 1, 1], [1, 0, 2]]])
    assert keep_last(order, 0.5).flatten().tolist() == [False, True, True, False, False, True]


def test_what_was_masked_from_the_start_never_stays():
    assert keep_last(torch.tensor([[-1, 0], [1, -1]]), 0.25).tolist() == [[False, False], [True, False]]


def test_both_kinds_of_selection_fit():
    weights = torch.rand(1, 8, 8, generator=seeded())

    def score(inputs):
        return (inputs * weights).sum((1, 2, 3))

    x = torch.ones(2, 1, 8, 8)
    exact = torch.stack([one.steps for one in back_select(score, x)])
    by_gradient = batched_gradient_back_select(score, x, 1).order
    largest = weights[0] >= weights.flatten().topk(7).values[-1]
    for order in (exact, by_gradient):
        assert torch.equal(keep_last(order, 0.1), largest.expand(2, 8, 8))


def test_larger_shares_keep_the_smaller_subset():
    order = orders()
    small, large = keep_last(order, 0.1), keep_last(order, 0.4)
    assert bool((large | ~small).all())


def test_random_masks_keep_as_many_of_each_image_and_differ_between_images():
    masks = random_masks(50, (8, 6), 0.25, seed=3)
    assert masks.sum((1, 2)).tolist() == [12] * 50
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == 50


def test_random_masks_belong_to_seed_and_image_alone():
    assert torch.equal(random_masks(5, (8, 8), 0.1, 1), random_masks(9, (8, 8), 0.1, 1)[:5])
    assert not torch.equal(random_masks(5, (8, 8), 0.1, 1), random_masks(5, (8, 8), 0.1, 2))


def test_random_masks_are_uniform():
    n, share = 20_000, 0.25
    often = random_masks(n, (4, 4), share).float().mean(0)
    # Each frequency has a standard deviation of sqrt(.25 * .75 / 20000) = .003.
    assert float((often - share).abs().max()) < 0.015


def test_pixels_stay_or_go_with_all_channels():
    images = noise()
    masks = random_masks(6, (8, 8), 0.3)
    left = keep_pixels(images, masks, (0.2, 0.4, 0.6)).images
    stays = masks[:, None].expand_as(left)
    assert torch.equal(left[stays], images.images[stays])
    gone = left.permute(0, 2, 3, 1)[~masks]
    assert torch.equal(gone, torch.tensor([51, 102, 153], dtype=torch.uint8).expand_as(gone))


def test_labels_and_originals_are_left_alone():
    images = noise(channels=1)
    before = images.images.clone()
    left = keep_pixels(images, torch.zeros(6, 8, 8, dtype=torch.bool))
    assert torch.equal(images.images, before)
    assert torch.equal(left.labels, images.labels)
    assert int(left.images.max()) == 0


def test_the_mean_pixel_is_the_mean_on_a_grey_level():
    images = noise(n=40)
    mean = mean_pixel(images)
    exact = images.images.float().mean((0, 2, 3)) / 255
    assert float((mean - exact).abs().max()) <= 0.5 / 255 + 1e-6
    filled = keep_pixels(images, torch.zeros(40, 8, 8, dtype=torch.bool), mean).to_float()
    assert torch.equal(filled[0, :, 0, 0], mean)


def test_augmented_once_means_one_draw_for_each_image():
    images = noise(20)
    once = augment_once(images, RandomShift(2, flip=True), seed=1)
    assert torch.equal(once.images, augment_once(images, RandomShift(2, flip=True), seed=1).images)
    moved = (once.images != images.images).flatten(1).any(1)
    assert int(moved.sum()) >= 15  # one of fifty draws leaves an image where it is
    assert torch.equal(augment_once(images, RandomShift(0), seed=1).images, images.images)


def test_the_rule_of_the_imagenet_code_keeps_whole_groups():
    order = torch.arange(100).div(10, rounding_mode="floor").view(2, 5, 10)  # steps 0 to 4, and 5 to 9
    kept = keep_last(order, 0.3, whole_groups=True)
    for one, mask in zip(order, kept, strict=True):
        assert torch.equal(mask, one >= int(0.7 * int(one.max())))
    assert kept.sum((1, 2)).tolist() == [30, 40]
    masked_before = torch.full((2, 5), -1)
    masked_before[0, 0] = 0
    assert keep_last(masked_before, 1.0, whole_groups=True).sum() == 1


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pixels_kept(5, 100), ValueError, "share=5: give a number above 0 and of at most 1"),
        (lambda: pixels_kept(0, 100), ValueError, "share=0"),
        (lambda: keep_last([[0, 1]], 0.5), TypeError, "order: expected a torch.Tensor"),
        (
            lambda: keep_last(torch.rand(2, 2), 0.5),
            ValueError,
            r"order: expected whole numbers \(int64\), got dtype torch.float32",
        ),
        (
            lambda: keep_last(torch.tensor([0, 1]), 0.5),
            ValueError,
            r"order: expected shape \[\*n, h, w\], got \[2\]",
        ),
        (lambda: keep_last(torch.zeros(0, 2, 2).long(), 0.5), ValueError, "order: is empty"),
        (
            lambda: keep_pixels(noise(), random_masks(6, (8, 8), 0.5), "grey"),
            TypeError,
            "fill='grey': give a number in",
        ),
        (lambda: keep_last(torch.tensor([[0, -1]]), 1.0), ValueError, "masked from the start"),
        (lambda: random_masks(0, (8, 8), 0.5), ValueError, "n=0"),
        (lambda: random_masks(1, (8, 0), 0.5), ValueError, r"size\[1\]=0: give a whole number above 0"),
        (lambda: random_masks(1, (8, 8), 0.5, -1), ValueError, "seed=-1"),
        (lambda: random_masks(3, 8, 0.1), TypeError, "size: expected a tuple, got int"),
        (lambda: keep_pixels(torch.rand(1, 3, 8, 8), None), TypeError, "images: expected an ImageSet"),
        (lambda: mean_pixel(torch.rand(1, 3, 8, 8)), TypeError, "images: expected an ImageSet"),
        (lambda: augment_once(torch.rand(1, 3, 8, 8), RandomShift(1)), TypeError, "images: expected an ImageSet"),
        (lambda: augment_once(noise(), None), TypeError, "augment: expected a RandomShift"),
        (lambda: keep_last(torch.tensor([[0, 1]]), 2.0, whole_groups=True), ValueError, "share=2.0"),
        (lambda: keep_pixels(noise(), None), TypeError, "masks: expected"),
        (
            lambda: keep_pixels(noise(), torch.ones(6, 8, 8)),
            ValueError,
            r"masks: expected True or False, got dtype torch.float32",
        ),
        (lambda: keep_pixels(noise(), random_masks(5, (8, 8), 0.5)), ValueError, "one mask for each image"),
        (lambda: keep_pixels(noise(), random_masks(6, (8, 8), 0.5), 125.3), ValueError, "fill=125.3"),
        (lambda: keep_pixels(noise(), random_masks(6, (8, 8), 0.5), (0, 1)), ValueError, "one value or 3"),
    ],
)
def test_wrong_use_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()

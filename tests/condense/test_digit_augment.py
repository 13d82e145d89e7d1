"""The evaluation's augmentations: one change an image, those of the published evaluation, batches alike."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from simplebits.condense import digit_augment
from simplebits.condense.digit_augment import CropNoise, CropScaleRotate, crop_scale_rotate


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=4, c=1, size=28, seed=0):
    """Smooth pictures with a bright background, so that what moves in shows."""
    coarse = torch.randn(n, c, 7, 7, generator=seeded(seed))
    return F.interpolate(coarse, (size, size), mode="bicubic") + 1


def change(x, *, top=0, left=0, height=28, width=28, degrees=0, zero_fill=False):
    settings = (top, left, height, width, degrees, zero_fill)
    return crop_scale_rotate(x, *(torch.as_tensor(value).expand(len(x)) for value in settings))


def test_neutral_draws_change_nothing():
    x = images()
    torch.testing.assert_close(change(x), x, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("top", "left"), [(-4, 3), (0, -1), (2, 2)])
def test_moved_images_are_windows_of_the_image_padded_with_the_means(top, left):
    x = images(c=3)
    padded = x.mean((0, 2, 3)).view(1, 3, 1, 1).expand(4, 3, 36, 36).clone()
    padded[:, :, 4:32, 4:32] = x
    window = padded[:, :, 4 + top : 32 + top, 4 + left : 32 + left]
    torch.testing.assert_close(change(x, top=top, left=left), window, rtol=0, atol=1e-4)


@pytest.mark.parametrize("height", [22, 25, 28, 33])
@pytest.mark.parametrize("width", [23, 28, 32])
def test_scaled_images_are_resized_to_the_nearest_pixels_and_centred_on_zero(height, width):
    x = images()
    resized = F.interpolate(x, (height, width))  # the nearest pixel
    down, across = 40 // 2 - height // 2, 40 // 2 - width // 2
    canvas = torch.zeros(4, 1, 40, 40)
    canvas[:, :, down : down + height, across : across + width] = resized
    changed = change(x, height=height, width=width, zero_fill=True)
    # Where the sides differ by an odd number the centre lies half a pixel to either side.
    candidates = [canvas[:, :, i : i + 28, j : j + 28] for i in (5, 6, 7) for j in (5, 6, 7)]
    assert min(float((changed - y).abs().max()) for y in candidates) < 1e-4


@pytest.mark.parametrize("degrees", [-45, -17, 30])
def test_turned_images_are_close_to_those_turned_by_splines(degrees):
    from scipy import ndimage

    x = images()
    mean = float(x.mean())
    turned = torch.from_numpy(
        ndimage.rotate(x.numpy(), degrees, axes=(2, 3), reshape=False, mode="grid-constant", cval=mean)
    )
    difference = (change(x, degrees=degrees) - turned).abs().mean()
    assert difference < 0.03  # of a standard deviation of 0.7; turned the other way it is 0.5
    assert (change(x, degrees=-degrees) - turned).abs().mean() > 0.2


def test_every_image_is_moved_scaled_or_turned_within_the_published_ranges(monkeypatch):
    recorded = []
    monkeypatch.setattr(digit_augment, "crop_scale_rotate", lambda x, *draws: (recorded.extend(draws), x)[1])
    CropScaleRotate()(seeded(), torch.zeros(6000, 1, 28, 20))
    top, left, height, width, degrees, scaled = recorded
    moved, turned = (top != 0) | (left != 0), degrees != 0
    resized = (height != 28) | (width != 20)
    assert bool((moved.int() + scaled.int() + turned.int() <= 1).all()) and bool((scaled | ~resized).all())
    for kind, share in ((moved, 63 / 64), (scaled, 1), (turned, 89 / 90)):
        assert abs(float(kind.float().mean()) - share / 3) < 0.03  # five standard deviations
    assert sorted(top.unique().tolist()) == sorted(left.unique().tolist()) == list(range(-4, 4))
    assert sorted(height.unique().tolist()) == list(range(22, 34))
    assert sorted(width.unique().tolist()) == list(range(16, 24))
    assert sorted(degrees.unique().tolist()) == list(range(-45, 45))


@pytest.mark.parametrize("augment", [CropScaleRotate(), CropNoise()])
def test_batches_share_the_draws_of_their_images(augment):
    x = images(40)
    first, second = augment(seeded(5), x, x)
    assert torch.equal(first, second) and first.shape == x.shape
    assert not torch.equal(augment(seeded(6), x)[0], first)
    same = x[:1].expand(40, -1, -1, -1)
    assert len(augment(seeded(), same)[0].unique(dim=0)) > 15  # images have their own


@pytest.mark.parametrize("augment", [CropScaleRotate(), CropNoise()])
def test_types_stay_and_a_batch_of_one_works(augment):
    x = images(1, 3, 32).double()
    for seed in range(9):
        (y,) = augment(seeded(seed), x)
        assert y.dtype == x.dtype and y.shape == x.shape and bool(y.isfinite().all())


def test_noise_or_a_move_each_for_half_of_the_images():
    x = images(400, 3, 16)
    (y,) = CropNoise()(seeded(), x)
    difference = (y - x).flatten(1)
    noisy = difference.abs().amax(1) < 0.01
    assert 150 < int(noisy.sum()) < 260  # a 64th of the moved ones stays in place
    spread = difference[noisy].std(1)
    assert float(spread.median()) == pytest.approx(1e-3, rel=0.05)
    np.testing.assert_allclose(y.mean((2, 3))[~noisy].mean(0), x.mean((2, 3))[~noisy].mean(0), atol=0.05)


@pytest.mark.unchecked
@pytest.mark.parametrize("augment", [CropScaleRotate(), CropNoise()])
def test_wrong_use_is_refused(augment):
    with pytest.raises(TypeError, match=r"generator: expected a torch\.Generator, got int; torch\.Generator\(\)"):
        augment(0, images())
    with pytest.raises(ValueError, match="SiameseAugment shares one"):
        augment(seeded(), images(), shared=True)
    with pytest.raises(ValueError, match=r"batches\[1\]: expected n, c, h and w"):
        augment(seeded(), images(), images(3))
    with pytest.raises(ValueError, match="none given"):
        augment(seeded())

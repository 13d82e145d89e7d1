"""Random shifts: one draw for all batches, every shift in range, and values that only change place."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simplebits.data import RandomShift


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def impulse(n=2000, size=16):
    """n images with one bright pixel in the middle: where it lands is the shift."""
    x = torch.zeros(n, 1, size, size)
    x[:, :, size // 2, size // 2] = 1
    return x


def shifts_of(x):
    """(down, right) of every impulse."""
    size = x.shape[3]
    place = x.flatten(1).argmax(1)
    return torch.stack([place // size, place % size], 1) - size // 2


@settings(max_examples=40)
@given(
    n=st.integers(1, 5),
    h=st.integers(1, 9),
    w=st.integers(1, 9),
    pixels=st.integers(0, 10),
    flip=st.booleans(),
    one_sided=st.booleans(),
    seed=st.integers(0, 99),
)
def test_each_image_is_a_zero_padded_crop_mirrored_or_not(n, h, w, pixels, flip, one_sided, seed):
    x = torch.rand(n, 2, h, w, generator=seeded(seed)) + 1  # above zero: padding shows
    (y,) = RandomShift(pixels, flip, one_sided)(seeded(seed), x)
    assert y.shape == x.shape and y.dtype == x.dtype
    padded = torch.nn.functional.pad(x, [pixels] * 4)
    corners = range(pixels + 1) if one_sided else range(2 * pixels + 1)  # a corner c shifts by p - c
    for image, shifted in zip(padded, y, strict=True):
        crops = [image[:, i : i + h, j : j + w] for i in corners for j in corners]
        mirrors = [crop.flip(2) for crop in crops] if flip else []
        assert any(torch.equal(shifted, crop) for crop in crops + mirrors)


@pytest.mark.parametrize("flip", [False, True])
def test_all_batches_share_one_draw(flip):
    x = torch.rand(64, 3, 32, 32, generator=seeded())
    grey = x.mean(1, keepdim=True).double()
    augment = RandomShift(flip=flip)
    first, dark, colourless = augment(seeded(5), x, x / 2, grey)
    assert torch.equal(dark, first / 2)
    torch.testing.assert_close(colourless, first.mean(1, keepdim=True).double())
    assert torch.equal(augment(seeded(5), x)[0], first)
    assert not torch.equal(augment(seeded(6), x)[0], first)
    levels = (x * 255).byte()
    assert torch.equal(augment(seeded(5), levels)[0].float(), (first * 255).floor())


def test_every_shift_in_range_occurs_about_equally_often_and_none_beyond():
    (y,) = RandomShift(pixels=4)(seeded(), impulse(8100))
    shifts = shifts_of(y)
    pairs, counts = shifts.unique(dim=0, return_counts=True)
    assert len(pairs) == 81 and pairs.min() == -4 and pairs.max() == 4
    assert counts.min() > 60 and counts.max() < 140  # 100 each, four standard deviations


def test_the_codes_own_shift_goes_one_way():
    (y,) = RandomShift(pixels=4, one_sided=True)(seeded(), impulse(2500))
    shifts = shifts_of(y)
    assert len(shifts.unique(dim=0)) == 25 and shifts.min() == 0 and shifts.max() == 4


def test_half_of_the_images_are_mirrored():
    x = torch.rand(2000, 1, 1, 8, generator=seeded())
    (y,) = RandomShift(pixels=0, flip=True)(seeded(), x)
    mirrored = (y == x.flip(3)).flatten(1).all(1)
    assert bool(((y == x).flatten(1).all(1) ^ mirrored).all())
    assert 0.45 < mirrored.float().mean() < 0.55


def test_a_shift_of_zero_pixels_changes_nothing():
    x, y = torch.rand(3, 3, 8, 8), torch.rand(3, 1, 8, 8)
    for one_sided in (False, True):
        shifted = RandomShift(pixels=0, one_sided=one_sided)(seeded(), x, y)
        assert torch.equal(shifted[0], x) and torch.equal(shifted[1], y)


def test_gradients_go_back_to_where_the_values_came_from():
    x = torch.rand(16, 3, 8, 8, generator=seeded(), requires_grad=True)
    weight = torch.rand(16, 3, 8, 8, generator=seeded(1)) + 1
    (y,) = RandomShift(pixels=2, flip=True)(seeded(2), x)
    (grad,) = torch.autograd.grad(y, x, weight, retain_graph=True)
    # What is still in view gets exactly one weight, what has moved out gets zero.
    assert torch.equal(grad[grad > 0].sort().values, weight[y > 0].sort().values)
    torch.testing.assert_close((grad * x).sum(), (weight * y).sum())
    # Twice differentiable: for a sum of squares the second derivative is 2 where a pixel is in view.
    (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert torch.equal(second, 2 * (grad > 0).float())


def test_without_a_generator_the_global_one_draws():
    x = torch.rand(8, 1, 8, 8)
    torch.manual_seed(3)
    (first,) = RandomShift()(None, x)
    torch.manual_seed(3)
    assert torch.equal(RandomShift()(None, x)[0], first)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        ((), ValueError, "none given"),
        ((torch.zeros(3, 8, 8),), ValueError, r"batches\[0\]: .*\[None\]"),
        ((torch.zeros(2, 1, 8, 8), torch.zeros(3, 1, 8, 8)), ValueError, r"batches\[1\]: .*\[3, 1, 8, 8\]"),
        ((torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 9)), ValueError, r"batches\[1\]: "),
        ((torch.zeros(2, 1, 8, 8), "y"), TypeError, r"batches\[1\]: expected a torch.Tensor"),
    ],
)
def test_batches_that_cannot_share_a_draw_are_refused(batches, error, message):
    with pytest.raises(error, match=message):
        RandomShift()(seeded(), *batches)


@pytest.mark.unchecked
def test_draws_come_from_a_generator():
    with pytest.raises(TypeError, match="generator: expected a torch.Generator, got int"):
        RandomShift()(3, torch.zeros(1, 1, 4, 4))
    with pytest.raises(TypeError, match="flip='no': give True or False"):
        RandomShift(flip="no")


@pytest.mark.unchecked
@pytest.mark.parametrize("pixels", [-1, 1.5, True, None])
def test_shifts_are_whole_pixels(pixels):
    with pytest.raises(ValueError, match="pixels="):
        RandomShift(pixels)

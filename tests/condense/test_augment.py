"""Siamese augmentation: the published operations, one draw for all, and gradients that reach the images."""

import cmath
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from simplebits.condense import augment as operations
from simplebits.condense.augment import DSA_STRATEGY, DSA_STRATEGY_DIGITS, SiameseAugment

STRATEGIES = ["color", "crop", "cutout", "flip", "scale", "rotate"]
OPERATIONS = ["brightness", "saturation", "contrast", *STRATEGIES[1:]]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=4, c=3, h=16, w=16, seed=0, **kwargs):
    return torch.randn(n, c, h, w, generator=seeded(seed), **kwargs)


def draws_of(operation, n, h=16, w=16, seed=0):
    return operations._draw(getattr(operations, operation), n, (h, w), seeded(seed), torch.device("cpu"))


# Reference values


@pytest.mark.parametrize("mode", ["shared", "per_image"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_operations_equal_the_reference(golden, operation, mode):
    values = {name: torch.from_numpy(value) for name, value in golden("siamese_augmentation").items()}
    draws = [values[name] for name in sorted(values) if name.startswith(f"{operation}/{mode}/draw")]
    if mode == "shared":
        draws = [draw[:1] for draw in draws]
    y = getattr(operations, operation)(values["x"], *draws)
    torch.testing.assert_close(y, values[f"{operation}/{mode}/y"], rtol=0, atol=1e-5)


# What each operation does


def test_colour_operations_stretch_about_their_own_mean():
    x, u = images(), torch.tensor([0.0, 0.3, 0.5, 0.9])
    torch.testing.assert_close(operations.brightness(x, u) - x, (u - 0.5).view(-1, 1, 1, 1).expand_as(x))
    coloured, grey = operations.saturation(x, u), x.mean(1, keepdim=True)
    torch.testing.assert_close(coloured.mean(1, keepdim=True), grey)
    torch.testing.assert_close(coloured[0], grey[0].expand_as(x[0]))  # u = 0: no colour left
    torch.testing.assert_close(coloured[2], x[2])
    contrasted = operations.contrast(x, u)
    torch.testing.assert_close(contrasted.mean((1, 2, 3)), x.mean((1, 2, 3)))
    torch.testing.assert_close(contrasted.std((1, 2, 3)), x.std((1, 2, 3)) * (u + 0.5))


def test_grey_images_have_no_saturation():
    x = images(c=1)
    assert torch.equal(operations.saturation(x, torch.rand(4, generator=seeded())), x)


@settings(max_examples=40)
@given(h=st.integers(1, 9), w=st.integers(1, 9), top=st.integers(-12, 12), left=st.integers(-12, 12))
def test_crop_is_a_window_of_the_zero_padded_image(h, w, top, left):
    x = images(2, 2, h, w)
    y = operations.crop(x, torch.tensor([top]), torch.tensor([left]))
    padded = F.pad(x, [12] * 4)
    assert torch.equal(y, padded[:, :, 12 + top : 12 + top + h, 12 + left : 12 + left + w])


def test_cutout_takes_half_the_side_in_every_place():
    x = torch.ones(1000, 2, 28, 28)
    row, column = draws_of("cutout", 1000, 28, 28)
    y = operations.cutout(x, row, column)
    rows, columns = ((y == 0).any(1).any(axis).sum(1) for axis in (2, 1))
    assert torch.equal((y == 0).flatten(1).sum(1), 2 * rows * columns)  # a rectangle
    assert torch.equal(rows, torch.minimum(row + 7, torch.tensor(28)) - (row - 7).clamp(min=0))
    assert int(rows.min()) == int(columns.min()) == 7 and int(rows.max()) == int(columns.max()) == 14


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_cutout_never_misses_an_image(size):
    y = operations.cutout(torch.ones(300, 1, size, size), *draws_of("cutout", 300, size, size))
    assert bool((y == 0).flatten(1).any(1).all())


def test_scale_and_rotate_move_points_as_they_should():
    """The centre of a bright blob follows the map."""
    places = torch.arange(64.0) - 31.5
    blob = torch.exp(-((places[:, None] + 8) ** 2 + (places - 12) ** 2) / 8)[None, None]  # 12 right, 8 up

    def centre(y):
        return float((y[0, 0].sum(0) * places).sum() / y.sum()), float((y[0, 0].sum(1) * places).sum() / y.sum())

    ends = [torch.tensor([value]) for value in (0.0, 1.0)]  # larger by 1.2, smaller by 1.2
    assert centre(operations.scale(blob, *ends)) == pytest.approx((12 * 1.2, -8 / 1.2), abs=0.05)
    assert centre(operations.scale(blob, *ends[::-1])) == pytest.approx((12 / 1.2, -8 * 1.2), abs=0.05)
    right, down = centre(operations.rotate(blob, ends[1]))
    turned = complex(12, 8) * cmath.rect(1, math.radians(15))  # against the clock
    assert (right, -down) == pytest.approx((turned.real, turned.imag), abs=0.05)
    torch.testing.assert_close(operations.rotate(blob, torch.tensor([0.5])), blob, rtol=0, atol=1e-5)


def test_draws_cover_the_published_ranges():
    for shift in draws_of("crop", 3000, 32, 28):
        assert sorted(shift.unique().tolist()) == list(range(-4, 5))
    for (side, last), place in zip(((28, 28), (9, 8)), draws_of("cutout", 3000, 28, 9), strict=True):
        assert sorted(place.unique().tolist()) == list(range(last + 1)), side
    for operation in ("brightness", "flip", "rotate", "scale"):
        for u in draws_of(operation, 3000):
            assert 0 <= u.min() < 0.01 and 0.99 < u.max() < 1


# One draw for all, or one for each


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", range(3))
def test_shared_draws_do_not_depend_on_the_batch(strategy, seed):
    augment, real, synthetic = SiameseAugment(strategy), images(7), images(1, seed=1)
    together = augment(seeded(seed), real, synthetic)
    alone = augment(seeded(seed), synthetic)
    torch.testing.assert_close(together[1], alone[0])
    for i in range(7):
        torch.testing.assert_close(together[0][i : i + 1], augment(seeded(seed), real[i : i + 1])[0])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_images_have_their_own_draws_and_batches_share_them(strategy):
    x = images(1).expand(40, -1, -1, -1)
    augment = SiameseAugment(strategy)
    first, second = augment(seeded(), x, x, shared=False)
    assert torch.equal(first, second)
    assert len(first.unique(dim=0)) == 2 if strategy == "flip" else len(first.unique(dim=0)) > 20
    (shared,) = augment(seeded(), x)
    assert len(shared.unique(dim=0)) == 1


@pytest.mark.parametrize("shared", [True, False])
def test_a_batch_of_one_is_changed_alike_in_both_modes(shared):
    for seed in range(12):
        x = images(1, 1, 28, 28)
        assert torch.equal(*(SiameseAugment(DSA_STRATEGY)(seeded(seed), x, shared=s)[0] for s in (shared, True)))
        assert SiameseAugment(DSA_STRATEGY)(seeded(seed), x, shared=shared)[0].shape == x.shape


def test_each_call_applies_one_strategy_all_equally_often(monkeypatch):
    drawn = []
    for name in STRATEGIES:
        monkeypatch.setitem(operations._OPERATIONS, name, (lambda x, u, name=name: (drawn.append(name), x)[1],))
    augment, generator, x = SiameseAugment(DSA_STRATEGY), seeded(), images(1, 3, 4, 4)
    for _ in range(1200):
        augment(generator, x)
    assert len(drawn) == 1200
    assert all(140 < drawn.count(name) < 260 for name in STRATEGIES)  # 200 each, four standard deviations and more


def test_colour_is_brightness_then_saturation_then_contrast_with_a_draw_each():
    x, generator = images(), seeded(7)
    torch.randint(1, (), generator=generator)  # of the strategy
    u, v, w = (torch.rand(4, generator=generator) for _ in range(3))
    expected = operations.contrast(operations.saturation(operations.brightness(x, u), v), w)
    assert torch.equal(SiameseAugment("color")(seeded(7), x, shared=False)[0], expected)


# Gradients


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("draws", [1, 2])
def test_gradients_equal_finite_differences(operation, draws):
    x = images(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    raw = draws_of(operation, draws, 5, 6)
    assert torch.autograd.gradcheck(lambda x: getattr(operations, operation)(x, *raw), x)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_matched_gradients_of_a_network_reach_the_synthetic_images(strategy):
    """The distance of parameter gradients is differentiable in the images before the augmentation."""
    real, synthetic = images(6), images(2, seed=1, requires_grad=True)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Sigmoid(), torch.nn.Flatten(), torch.nn.LazyLinear(2))
    seen = SiameseAugment(strategy)(seeded(), real, synthetic)
    wanted, got = (
        torch.autograd.grad(F.cross_entropy(net(x), torch.zeros(len(x)).long()), net.parameters(), create_graph=True)
        for x in seen
    )
    distance = sum((a.detach() - b).square().sum() for a, b in zip(wanted, got, strict=True))
    (gradient,) = torch.autograd.grad(distance, synthetic)
    assert gradient.isfinite().all() and bool((gradient.abs().amax((1, 2, 3)) > 0).all())


# Types and wrong use


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_types_stay_and_places_are_not_rounded(strategy, dtype):
    x = images(3, 3, 32, 32)
    augment = SiameseAugment(strategy)
    (y,), (expected,) = augment(seeded(), x.to(dtype)), augment(seeded(), x)
    assert y.dtype == dtype
    torch.testing.assert_close(y.float(), expected, rtol=0, atol=1e-5 if dtype == torch.float64 else 0.05)


def test_without_a_generator_the_global_one_draws():
    x, augment = images(), SiameseAugment(DSA_STRATEGY)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        (first,) = augment(None, x)
        torch.manual_seed(3)
        assert torch.equal(augment(None, x)[0], first)


def test_strategies_are_named_by_a_string_or_a_sequence():
    assert SiameseAugment(DSA_STRATEGY).strategy == tuple(STRATEGIES)
    assert SiameseAugment(STRATEGIES) == SiameseAugment(DSA_STRATEGY)
    assert SiameseAugment(DSA_STRATEGY).flips and not SiameseAugment(DSA_STRATEGY_DIGITS).flips
    assert set(STRATEGIES) - set(SiameseAugment(DSA_STRATEGY_DIGITS).strategy) == {"flip"}


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("strategy", "error", "message"),
    [
        ("colour_crop", ValueError, "'colour' is not known; did you mean 'color'"),
        (["crop", "rotat"], ValueError, "did you mean 'rotate'"),
        ("", ValueError, "not known; Known: color, crop, cutout, flip, scale, rotate"),
        ([], ValueError, "none given"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_unknown_strategies_are_refused(strategy, error, message):
    with pytest.raises(error, match=message):
        SiameseAugment(strategy)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("batches", "shared", "error", "message"),
    [
        ((), True, ValueError, "none given"),
        ((torch.zeros(3, 8, 8),), True, ValueError, r"batches\[0\]: .*\[3, 8, 8\]"),
        ((torch.zeros(2, 1, 8, 8, dtype=torch.uint8),), True, ValueError, "uint8"),
        ((torch.zeros(0, 1, 8, 8),), True, ValueError, "give at least one value"),
        ((torch.zeros(2, 1, 8, 8), torch.zeros(2, 3, 8, 8)), True, ValueError, r"batches\[1\]: expected c, h and w"),
        ((torch.zeros(2, 1, 8, 8), torch.zeros(3, 1, 8, 8)), False, ValueError, r"batches\[1\]: expected n, c, h"),
        ((torch.zeros(2, 1, 8, 8), "y"), True, TypeError, r"batches\[1\]: expected a torch.Tensor"),
    ],
)
def test_batches_that_cannot_share_a_draw_are_refused(batches, shared, error, message):
    with pytest.raises(error, match=message):
        SiameseAugment("crop")(seeded(), *batches, shared=shared)


@pytest.mark.unchecked
def test_a_seed_is_no_generator():
    with pytest.raises(TypeError, match=r"generator: expected a torch\.Generator, got int; torch\.Generator\(\)"):
        SiameseAugment("crop")(0, images())

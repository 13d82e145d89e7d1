"""Corruptions: each changes the images, more with severity, the same for the same seed, and as its formula says."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from simplebits.data import CIFAR10_C, CORRUPTIONS, ImageSet, composite, corrupt, corruptions, load

RANDOM = {
    "gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise", "glass_blur", "motion_blur", "elastic_transform"
}  # fmt: skip


@pytest.fixture(scope="module")
def photos():
    found = load("photos", "test")
    return found.subset(range(0, len(found), max(1, len(found) // 8)))


def difference(a, b):
    return float((a.images.float() - b.images.float()).abs().mean())


def test_names_are_those_of_the_official_files():
    assert set(CORRUPTIONS) < set(CIFAR10_C)
    assert (len(CORRUPTIONS), len(CIFAR10_C)) == (15, 19)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_images_change_and_what_they_are_does_not(photos, name):
    found = corrupt(photos, name, 5)
    assert found.images.shape == photos.images.shape
    assert torch.equal(found.labels, photos.labels)
    assert difference(found, photos) > 1
    assert name in found.name
    assert "regenerated" in found.name


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_seed_gives_the_same_images_and_another_seed_others_where_chance_has_a_part(photos, name):
    one = corrupt(photos, name, 3, seed=1)
    assert torch.equal(one.images, corrupt(photos, name, 3, seed=1).images)
    assert torch.equal(one.images, corrupt(photos, name, 3, seed=2).images) == (name not in RANDOM)


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"saturate", "glass_blur", "elastic_transform"}))
def test_the_last_severity_is_worse_than_the_first(photos, name):
    assert difference(corrupt(photos, name, 5), photos) > difference(corrupt(photos, name, 1), photos)


def flat(value, channels=1, n=40):
    images = torch.full((n, channels, 32, 32), value, dtype=torch.uint8)
    return ImageSet(images, torch.zeros(n, dtype=torch.int64), ("one",), "flat")


@pytest.mark.parametrize(
    ("name", "spread"), [("gaussian_noise", 0.08), ("speckle_noise", 0.06), ("shot_noise", 0.0707)]
)
def test_noise_has_the_published_width(name, spread):
    values = corrupt(flat(128), name, 3).images.double() / 255
    assert float(values.std()) == pytest.approx(spread, rel=0.05)
    assert float(values.mean()) == pytest.approx(128 / 255, abs=0.003)


def test_impulses_are_black_or_white_at_the_published_rate():
    values = corrupt(flat(128), "impulse_noise", 4).images
    for extreme in (0, 255):
        assert float((values == extreme).float().mean()) == pytest.approx(0.025, abs=0.004)


@pytest.mark.parametrize(
    "name", ["gaussian_blur", "glass_blur", "defocus_blur", "motion_blur", "zoom_blur", "elastic_transform", "pixelate"]
)
def test_what_moves_pixels_leaves_a_flat_image_alone(name):
    assert int((corrupt(flat(77, 3, n=3), name, 5).images.int() - 77).abs().max()) <= 1


def test_the_means_of_brightness_and_contrast_are_those_of_their_formulas(photos):
    assert int(corrupt(flat(100), "brightness", 5).images[0, 0, 0, 0]) == round(100 + 0.3 * 255)
    assert int(corrupt(flat(100, 3), "brightness", 5).images[0, 1, 0, 0]) == round(100 + 0.3 * 255)
    flatter = corrupt(photos, "contrast", 5).images.double()
    assert torch.allclose(flatter.mean((2, 3)), photos.images.double().mean((2, 3)), atol=1)
    assert torch.allclose(flatter.std((2, 3)), 0.15 * photos.images.double().std((2, 3)), atol=0.5)


def test_saturation_falls_to_grey_and_rises_to_colour(photos):
    def spread(images):
        return float(images.images.double().std(1).mean())

    assert spread(corrupt(photos, "saturate", 2)) < spread(photos) < spread(corrupt(photos, "saturate", 3))


def test_a_gaussian_blur_is_scikit_images(photos):
    from skimage.filters import gaussian

    image = photos.images[0].permute(1, 2, 0).numpy() / 255
    wanted = np.clip(gaussian(image, 0.7, channel_axis=-1), 0, 1) * 255
    found = corrupt(photos.subset([0]), "gaussian_blur", 3).images[0].permute(1, 2, 0).numpy()
    assert np.abs(found - wanted).max() <= 0.5 + 1e-6


def test_motion_moves_a_dot_along_a_line_to_one_side():
    rows, columns = corrupt(dots(), "motion_blur", 3).images[:, 0].nonzero()[:, 1:].unbind(1)
    assert int(columns.max()) == 16
    assert int(columns.min()) < 14
    assert int((rows - 16).abs().max()) >= 2


def dots(n=30, size=33, row=16, column=16):
    images = torch.zeros(n, 1, size, size, dtype=torch.uint8)
    images[:, :, row, column] = 255
    return ImageSet(images, torch.zeros(n, dtype=torch.int64), ("dot",), "dots")


@pytest.mark.parametrize(("severity", "sigma"), [(1, 1), (2, 1.5), (3, 2), (4, 2), (5, 2.5)])
def test_motion_weighs_a_line_by_half_a_gaussian(severity, sigma):
    found = corrupt(dots(), "motion_blur", severity).images.double() / 255
    weights = np.exp(-(np.arange(20) ** 2) / (2 * sigma**2))
    # No step of the line but the first rounds to where the dot is.
    np.testing.assert_allclose(found[:, 0, 16, 16], weights[0] / weights.sum(), atol=0.6 / 255)
    np.testing.assert_allclose(found.sum((1, 2, 3)), 1, atol=0.03)


@pytest.mark.parametrize(
    ("severity", "radius", "soft"), [(1, 0.3, 0.4), (2, 0.4, 0.5), (3, 0.5, 0.6), (4, 1.0, 0.2), (5, 1.5, 0.1)]
)
def test_defocus_is_a_disc_softened_by_three_taps(severity, radius, soft):
    disc = np.zeros((7, 7))
    taps = np.exp(-np.array([1, 0, 1]) / (2 * soft**2))
    taps /= taps.sum()
    for row in range(-2, 3):
        for column in range(-2, 3):
            if row**2 + column**2 <= radius**2:
                disc[row + 2 : row + 5, column + 2 : column + 5] += np.outer(taps, taps)
    found = corrupt(dots(1), "defocus_blur", severity).images[0, 0, 13:20, 13:20].numpy()
    np.testing.assert_allclose(found, 255 * disc / disc.sum(), atol=0.5 + 1e-6)
    assert found.sum() == corrupt(dots(1), "defocus_blur", severity).images.sum()


@pytest.mark.parametrize(
    ("severity", "sigma", "iterations"), [(1, 0.05, 1), (2, 0.25, 1), (3, 0.4, 1), (4, 0.25, 2), (5, 0.4, 2)]
)
def test_glass_blurs_twice_and_moves_a_pixel_by_one_in_each_iteration(severity, sigma, iterations):
    def twice(place):
        """What two blurs leave of a dot at this row or column; values beyond the edge are those at the edge."""
        reach, matrix = 4, np.zeros((33, 33))
        taps = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
        for to in range(33):
            for tap, weight in zip(range(-reach, reach + 1), taps / taps.sum(), strict=True):
                matrix[to, min(max(to + tap, 0), 32)] += weight
        return (matrix @ matrix)[place, place]

    # The first two rows stay where they are.
    found = corrupt(dots(3, row=0), "glass_blur", severity).images[:, 0, 0, 16].numpy()
    np.testing.assert_allclose(found, 255 * twice(0) * twice(16), atol=0.6)
    places = (corrupt(dots(60), "glass_blur", severity).images[:, 0] > 100).nonzero()[:, 1:]
    assert places.amin(0).tolist() == [16, 16] and places.amax(0).tolist() == [16 + iterations] * 2


@pytest.mark.parametrize(("severity", "end"), [(1, 1.06), (2, 1.11), (3, 1.16), (4, 1.21), (5, 1.26)])
def test_zooms_are_averaged_up_to_the_published_factor(photos, severity, end):
    image = photos.subset([0]).images.double() / 255
    side, total = image.shape[-1], image.clone()
    factors = np.arange(1, end, 0.01)  # as published: by rounding the end itself is sometimes among them
    for factor in factors:
        inner = int(np.ceil(side / factor))
        begin = (side - inner) // 2
        window = image[..., begin : begin + inner, begin : begin + inner]
        large = F.interpolate(window, round(inner * factor), mode="bilinear", align_corners=True)
        begin = (large.shape[-1] - side) // 2
        total += large[..., begin : begin + side, begin : begin + side]
    found = corrupt(photos.subset([0]), "zoom_blur", severity).images
    np.testing.assert_allclose(found, 255 * total / (len(factors) + 1), atol=0.51)


@pytest.mark.parametrize(("severity", "left"), [(1, 30), (2, 28), (3, 27), (4, 24), (5, 20)])
def test_pixelation_leaves_so_many_rows_and_columns(severity, left):
    noise = torch.randint(0, 256, (1, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = corrupt(ImageSet(noise, torch.tensor([0]), ("one",), "noise"), "pixelate", severity).images[0, 0]
    assert len(found.unique_consecutive(dim=0)) == len(found.T.unique_consecutive(dim=0)) == left


@pytest.mark.parametrize(("severity", "quality"), [(1, 80), (2, 65), (3, 58), (4, 50), (5, 40)])
def test_jpeg_has_the_published_quality(photos, severity, quality):
    file = io.BytesIO()
    Image.fromarray(photos.images[0].permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
    found = corrupt(photos.subset([0]), "jpeg_compression", severity).images[0].permute(1, 2, 0).numpy()
    assert np.array_equal(found, np.asarray(Image.open(file)))


@pytest.mark.parametrize(
    ("severity", "alpha", "sigma", "jitter"),
    [(1, 0, 0, 0.08), (2, 0.05, 0.2, 0.07), (3, 0.08, 0.06, 0.06), (4, 0.1, 0.04, 0.05), (5, 0.1, 0.03, 0.03)],
)
def test_elastic_moves_three_corners_and_then_each_pixel(severity, alpha, sigma, jitter):
    """On a ramp a grey level says which column a pixel comes from."""
    side, n = 32, 200
    ramp = torch.arange(side, dtype=torch.uint8).mul(8).expand(n, 1, side, side).contiguous()
    found = corrupt(
        ImageSet(ramp, torch.zeros(n, dtype=torch.int64), ("ramp",), "ramps"), "elastic_transform", severity
    )
    column = (found.images[:, 0].double() / 8)[:, 8:24, 8:24].flatten(1)
    grid = torch.stack(torch.meshgrid(torch.arange(8, 24), torch.arange(8, 24), indexing="ij"), -1).flatten(0, 1)
    plane = torch.cat([grid, torch.ones(len(grid), 1)], 1).double()
    fit = torch.linalg.lstsq(plane, column.T).solution
    # The variance of smoothed uniform noise, and of rounding to a grey level.
    field = (side * alpha) ** 2 / 3 / (4 * np.pi * (side * sigma) ** 2) if sigma else 0.0
    rest = float((column.T - plane @ fit).std())
    assert rest == pytest.approx((field + 1 / 12 / 64) ** 0.5, rel=0.25 if severity > 2 else 0.5)
    corner = torch.tensor([16.0 + 10, 16 - 10, 1]).double()  # one of the three that are moved
    assert float((corner @ fit - (16 - 10)).std()) == pytest.approx(side * jitter / 3**0.5, rel=0.2)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_images_need_not_be_square(photos, name):
    wide = replace(photos, images=photos.images[:3, :, 4:25], labels=photos.labels[:3])
    found = corrupt(wide, name, 3)
    assert found.images.shape == wide.images.shape and difference(found, wide) > 0.5


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"saturate"}))
def test_grey_images_can_be_corrupted(name):
    digits = load("digits", "test").subset(range(3))
    assert corrupt(digits, name, 2).images.shape == digits.images.shape


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("name", "severity", "message"),
    [
        ("gausian_noise", 1, "did you mean 'gaussian_noise'"),
        ("contrast", 0, "severity=0"),
        ("contrast", True, "severity=True"),
        ("contrast", 1.0, "severity=1.0"),
        ("saturate", 1, "grey"),
    ],
)
def test_wrong_use_is_named(name, severity, message):
    with pytest.raises(ValueError, match=message):
        corrupt(flat(3), name, severity)


@pytest.mark.unchecked
def test_images_come_as_a_set():
    with pytest.raises(TypeError, match="images: expected an ImageSet, got Tensor; simplebits.data.load gives one"):
        corrupt(torch.zeros(1, 3, 8, 8), "contrast", 1)
    with pytest.raises(ValueError, match="images: holds 0; give at least 1"):
        corrupt(flat(3).subset([]), "contrast", 1)


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"saturate"}))
def test_a_single_pixel_can_be_corrupted(name):
    one = ImageSet(flat(3).images[:, :, :1, :1], flat(3).labels, flat(3).classes, "pixel")
    assert corrupt(one, name, np.int64(5)).images.shape == one.images.shape


def test_a_corrupted_sum_of_parts_is_a_plain_set():
    images = composite("interpolated", "test", task="digits", distractor="photos").draw(2)
    assert type(corrupt(images, "gaussian_noise", 3)) is ImageSet


@pytest.mark.parametrize("name", ["gaussian_noise", "contrast"])
def test_a_large_set_is_corrupted_in_parts(name, monkeypatch):
    """So that memory does not grow with the set; the draws go on from part to part, as if there were one."""
    images = torch.randint(0, 256, (2 * corruptions.PART + 1, 3, 2, 2), dtype=torch.uint8)
    many = ImageSet(images, torch.zeros(len(images), dtype=torch.int64), ("all",), "many")
    change, seen = corruptions._CHANGES[name], []

    def noted(x, level, rng):
        seen.append(len(x))
        return change(x, level, rng)

    monkeypatch.setitem(corruptions._CHANGES, name, noted)
    in_parts = corrupt(many, name, 3)
    assert seen == [corruptions.PART, corruptions.PART, 1]
    monkeypatch.setattr(corruptions, "PART", len(images))
    assert torch.equal(in_parts.images, corrupt(many, name, 3).images)

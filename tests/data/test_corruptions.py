"""Corruptions: each changes the images, more with severity, the same for the same seed, and as its formula says."""

import numpy as np
import pytest
import torch

from simplebits.data import CIFAR10_C, CORRUPTIONS, ImageSet, corrupt, load

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
    images = torch.zeros(30, 1, 33, 33, dtype=torch.uint8)
    images[:, :, 16, 16] = 255
    dots = ImageSet(images, torch.zeros(30, dtype=torch.int64), ("dot",), "dots")
    rows, columns = corrupt(dots, "motion_blur", 3).images[:, 0].nonzero()[:, 1:].unbind(1)
    assert int(columns.max()) == 16
    assert int(columns.min()) < 14
    assert int((rows - 16).abs().max()) >= 2


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
        ("saturate", 1, "grey"),
    ],
)
def test_wrong_use_is_named(name, severity, message):
    with pytest.raises(ValueError, match=message):
        corrupt(flat(3), name, severity)

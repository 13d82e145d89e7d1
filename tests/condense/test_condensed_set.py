"""Condensed sets: constants, grid, files, wrong input; and those that come with the package."""

import json
from dataclasses import replace

import pytest
import torch

import simplebits as sb
from simplebits.condense import CondensedSet, coreset, file_name, load, shipped
from simplebits.condense.condensed_set import constants
from simplebits.condense.shipped import FOLDER


@pytest.fixture(scope="module")
def digits():
    return sb.data.load("digits", "train")


@pytest.fixture
def few(digits):
    return CondensedSet.of(coreset(digits, "random", 3), digits, size=16, channels=3)


def test_constants_are_published_or_measured(digits):
    mnist = replace(digits, source="mnist")  # as `load` returns it
    for some in (mnist, mnist.draw(9), mnist.resized(8)):
        mean, std = constants(some, 3)
        assert mean.tolist() == pytest.approx([0.1307] * 3) and std.tolist() == pytest.approx([0.3081] * 3)
    x = digits.to_float()
    for name in (digits.name, "mnist/train"):  # images of one's own, whatever they are called
        mean, std = constants(replace(digits, name=name), 1)
        assert float(mean) == pytest.approx(float(x.mean())) and float(std) == pytest.approx(float(x.std()))


def test_standardised_real_images_have_mean_zero_and_deviation_one(few, digits):
    z = few.standardised(digits.to_float(channels=3))
    assert float(z.mean()) == pytest.approx(0, abs=1e-4) and float(z.std()) == pytest.approx(1, abs=1e-3)


def test_the_grid_has_a_column_for_each_class(few):
    grid = few.to_grid()
    for k in range(3):
        for c in range(10):
            own = few.images[few.labels == c]
            torch.testing.assert_close(grid[10 * k + c], own[k].clamp(0, 1))


def test_what_is_saved_is_read_again(few, tmp_path):
    few.made["accuracy"] = 0.5
    path = few.save(tmp_path / "few")
    assert path == tmp_path / "few.safetensors"
    again = CondensedSet.read(tmp_path / "few")
    assert torch.equal(again.images, few.images) and torch.equal(again.labels, few.labels)
    assert again.classes == few.classes and again.made == few.made and repr(again) == repr(few)
    torch.testing.assert_close((again.mean, again.std), (few.mean, few.std))


def test_a_card_with_the_names_of_before_is_read(few, tmp_path):
    few.made.update({"start": "real", "bit_weight": 2.0})
    path = few.save(tmp_path / "few")
    card = path.with_suffix(".json")
    card.write_text(card.read_text().replace('"start"', '"init"').replace('"bit_weight"', '"lambda_sim"'))
    assert CondensedSet.read(path).made == few.made and '"init"' in card.read_text()


def test_half_precision_halves_the_file(few, tmp_path):
    whole, half = few.save(tmp_path / "whole"), few.save(tmp_path / "half", half=True)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    torch.testing.assert_close(CondensedSet.read(half).images, few.images, atol=1e-3, rtol=1e-3)


def test_a_damaged_file_is_named(few, tmp_path):
    path = few.save(tmp_path / "few")
    path.write_bytes(path.read_bytes()[:-4] + b"abcd")
    with pytest.raises(ValueError, match=r"few\.safetensors is damaged"):
        CondensedSet.read(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError, match=r"few\.json is not there"):
        CondensedSet.read(path)
    with pytest.raises(FileNotFoundError, match="other"):
        CondensedSet.read(tmp_path / "other")


def test_to_image_set_is_what_a_picture_shows(few):
    few.images[0, 0, 0, 0], few.images[0, 0, 0, 1] = -1.0, 2.0
    shown = few.to_image_set()
    assert shown.images[0, 0, 0, :2].tolist() == [0, 255] and shown.labels.tolist() == few.labels.tolist()


def test_a_run_keeps_what_it_measured_where_the_environment_says(digits, tmp_path, monkeypatch):
    small = {"size": 8, "network_options": {"width": 8, "depth": 2}, "real_batch": 8, "progress": False}
    condensed = sb.condense.condense(digits, "distribution", 2, iterations=2, augment="crop", **small)
    monkeypatch.delenv("SIMPLEBITS_SETS", raising=False)
    assert sb.condense.keep(condensed, [0.5, 0.7], epochs=9, augmented=False) is None
    monkeypatch.setenv("SIMPLEBITS_SETS", str(tmp_path))
    path = sb.condense.keep(condensed, [0.5, 0.7], epochs=9, augmented=False)
    assert path == tmp_path / "digits-distribution-siamese-2.safetensors" and "accuracy" not in condensed.made
    again = load("digits", "distribution", 2, siamese=True, folder=tmp_path)
    assert again.made["accuracy"]["mean"] == pytest.approx(0.6) and again.made["accuracy"]["networks"] == 2
    torch.testing.assert_close(again.images, condensed.images, atol=2e-3, rtol=1e-3)


# Published accuracies of random images, one a class, rounded up.
RANDOM = {"mnist": 0.65, "fashion-mnist": 0.52, "cifar10": 0.15}


def test_every_shipped_set_is_whole_and_says_what_it_measured():
    assert shipped()
    for name in shipped():
        condensed = CondensedSet.read(FOLDER / name)
        made = condensed.made
        bit_weight = made["bit_weight"] if made["bit_depth"] else None
        origin = made["set"].split("/")[0]
        parts = (origin, made["method"], made["images_per_class"], bool(made["augment"]), bit_weight)
        assert name == file_name(*parts)
        unused = ("distance", "outer", "inner", "network_learning_rate", "network_momentum")
        assert all((made[key] is None) == (made["method"] != "gradient") for key in unused), name
        assert (made["momentum"] is None) == (made["bit_depth"] is not None), name
        assert torch.isfinite(condensed.images).all()
        assert condensed.labels.bincount().tolist() == [made["images_per_class"]] * len(condensed.classes)
        assert RANDOM[origin] < made["accuracy"]["mean"] < 1 and made["accuracy"]["networks"] >= 2
        assert load(*parts[:3], siamese=parts[3], bit_weight=parts[4]).made == made
        path = FOLDER / f"{name}.safetensors"
        assert path.stat().st_size < 500_000 and json.loads(path.with_suffix(".json").read_text())["sha256"]


def test_a_shipped_set_keeps_its_promise(real_data):
    """Fresh networks, a part of the test set: within five points of what its card says."""
    condensed = load("mnist", method="gradient", images_per_class=1)
    made = condensed.made["accuracy"]
    test, augment = real_data("mnist").draw(1000), sb.condense.CropScaleRotate() if made["augmented"] else None
    found = sb.condense.evaluate(condensed, test, seeds=[77], epochs=made["epochs"], augment=augment, bf16=None)
    assert found.mean == pytest.approx(made["mean"], abs=0.05)


@pytest.mark.unchecked
def test_wrong_sets_are_named(few, digits, tmp_path):
    parts = few.images, few.labels, few.classes, few.mean, few.std
    with pytest.raises(ValueError, match="ordered by class"):
        CondensedSet(few.images, few.labels.flip(0), *parts[2:])
    with pytest.raises(ValueError, match="equally many"):
        CondensedSet(few.images[1:], few.labels[1:], *parts[2:])
    with pytest.raises(ValueError, match="floating point"):
        CondensedSet(few.images.to(torch.uint8), *parts[1:])
    with pytest.raises(TypeError, match=r"labels: expected a torch\.Tensor \[n\], got list"):
        CondensedSet(few.images, few.labels.tolist(), *parts[2:])
    with pytest.raises(ValueError, match="images: holds NaN"):
        CondensedSet(few.images * torch.nan, *parts[1:])
    with pytest.raises(ValueError, match="each of the 3 channels"):
        CondensedSet(*parts[:3], few.mean[:1], few.std)
    for std in (few.std * 0, -few.std):
        with pytest.raises(ValueError, match="std: expected values above 0"):
            CondensedSet(*parts[:4], std)
    with pytest.raises(ValueError, match="mean: holds NaN"):
        CondensedSet(*parts[:3], few.mean * torch.nan, few.std)
    with pytest.raises(TypeError, match="images: expected an ImageSet"):
        CondensedSet.of(few.images, digits)
    with pytest.raises(ValueError, match="not made by condense"):
        sb.condense.keep(few, [0.5], epochs=1, augmented=False)
    with pytest.raises(ValueError, match=r"accuracies\[0\]=91.0: give a number of at least 0 and of at most 1"):
        sb.condense.keep(few, [91.0], epochs=1, augmented=False)
    with pytest.raises(ValueError, match="did you mean 'gradient'"):
        load("mnist", method="gradients")
    with pytest.raises(ValueError, match="holds no condensed set"):
        load("mnist", folder=tmp_path)


def test_unknown_sets_are_named_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'mnist-gradient-1'"):
        load("mnst", method="gradient", images_per_class=1)

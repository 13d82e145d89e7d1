"""The reader of digits that the live page runs: its card tells the truth, and its recipe learns."""

import json
import shutil

import pytest
import torch

from simplebits import data, networks
from simplebits.networks import digit_reader


def test_weights_are_small_and_their_card_tells_where_they_come_from():
    card = networks.digit_reader_card()
    assert (digit_reader.FOLDER / f"{digit_reader.NAME}.safetensors").stat().st_size < 100_000
    for key in ("data", "steps", "seed", "seconds", "device", "torch", "command", "sha256"):
        assert card[key] not in (None, ""), key
    assert card["command"] == "simplebits live --fit"


def test_the_card_says_what_the_weights_measure():
    card, reader, test = networks.digit_reader_card(), networks.load_digit_reader(), data.load("digits", "test")
    x = digit_reader.read_size(test.to_float(size=16))
    assert networks.accuracy(reader, x, test.labels) == pytest.approx(card["test_accuracy"], abs=1e-4)
    assert card["test_accuracy"] > 0.96
    assert card["test_accuracy_distorted"] > 0.9
    train = digit_reader.read_size(data.load("digits", "train").to_float(size=16))
    assert float(train.mean()) == pytest.approx(card["mean_pixel"], abs=1e-4)


def test_distortions_are_drawn_for_each_image_and_stay_images():
    x = data.load("digits", "test").draw(1).to_float().expand(4, -1, -1, -1)
    changed = digit_reader.distort(x, torch.Generator().manual_seed(0))
    assert changed.shape == x.shape
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1
    assert all((a - b).abs().max() > 0.1 for i, a in enumerate(changed) for b in changed[:i])
    assert torch.equal(changed, digit_reader.distort(x, torch.Generator().manual_seed(0)))


def test_averages_are_those_of_squares():
    x = torch.arange(256.0).view(1, 1, 16, 16) / 255
    assert digit_reader.read_size(x)[0, 0, 0, 0] == x[0, 0, :2, :2].mean()
    assert torch.equal(digit_reader.read_size(x[:, :, :8, :8]), x[:, :, :8, :8])
    with pytest.raises(ValueError, match=r"12x12 pixels; give a multiple of 8"):
        digit_reader.read_size(x[:, :, :12, :12])


def test_a_short_training_learns_and_is_repeatable(tmp_path):
    paths = [digit_reader.ship(tmp_path / name, steps=60, progress=False) for name in ("a", "b")]
    first, second = (json.loads(path.with_suffix(".json").read_text()) for path in paths)
    assert first["test_accuracy"] > 0.5  # chance is 0.1
    assert first["sha256"] == second["sha256"]


def test_damage_is_named_with_the_command_that_mends_it(tmp_path):
    folder = shutil.copytree(digit_reader.FOLDER, tmp_path / "weights")
    path = folder / f"{digit_reader.NAME}.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"is damaged.*simplebits live --fit"):
        networks.load_digit_reader(folder)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="simplebits live --fit"):
        networks.load_digit_reader(folder)
    path.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError, match="is not there"):
        networks.digit_reader_card(folder)

"""MedMNIST's archives, made small in their published format; fetched through pooch, checked by MD5."""

import numpy as np
import pooch
import pytest
import torch

from simplebits import data
from simplebits.data import torchvision_sets
from simplebits.data.medmnist import ChestMNIST, PneumoniaMNIST


def archive(path, findings):
    """Write an archive: `train_images` [n, 28, 28], `train_labels` [n, findings], and so on."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in {"train": 12, "val": 4, "test": 8}.items():
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = np.zeros((n, findings), dtype=np.uint8)
        labels[::2, 2 if findings > 1 else 0] = 1  # an effusion, or pneumonia
        labels[3::4, -1] = 1  # another finding
        arrays[f"{split}_labels"] = labels
    np.savez(path, **arrays)
    return arrays


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A data folder, whose archives have no published sum to be compared with."""
    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path))
    for reader in (ChestMNIST, PneumoniaMNIST):
        files = {split: {reader.file: None} for split in ("train", "test")}
        monkeypatch.setitem(
            torchvision_sets.SOURCES, reader.name, torchvision_sets.Source(reader, files, reader.classes)
        )
    return tmp_path


def test_chestmnist_has_effusions_and_images_without_any_finding(place):
    arrays = archive(place / "chestmnist.npz", 14)
    train = data.load("chestmnist")
    kept = [0, 1, 2, 4, 5, 6, 8, 9, 10]  # 3, 7 and 11 have another finding alone
    assert np.array_equal(train.images[:, 0].numpy(), arrays["train_images"][kept])
    assert train.labels.tolist() == [1, 0, 1, 1, 0, 1, 1, 0, 1]
    assert (train.classes, train.name) == (("no finding", "effusion"), "chestmnist/train")
    assert np.array_equal(data.load("chestmnist", "test").images[0, 0].numpy(), arrays["test_images"][0])


def test_pneumoniamnist_has_one_label(place):
    arrays = archive(place / "pneumoniamnist.npz", 1)
    test = data.load("pneumoniamnist", "test")
    assert test.labels.tolist() == arrays["test_labels"][:, 0].tolist()
    assert test.classes == ("normal", "pneumonia")


def test_labels_of_another_set_are_refused(place, monkeypatch):
    archive(place / "chestmnist.npz", 1)
    monkeypatch.setattr(pooch, "retrieve", lambda *args, **options: None)
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(FileNotFoundError, match=r"chestmnist\.npz"):
        data.load("chestmnist")


def test_what_is_not_there_is_fetched_with_its_sum(place, monkeypatch):
    asked = []

    def retrieve(url, known_hash, fname, path, progressbar):
        asked.append((url, known_hash))
        archive(f"{path}/{fname}", 1)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert len(data.load("pneumoniamnist")) == 12
    assert asked == [
        (
            "https://zenodo.org/records/10519652/files/pneumoniamnist.npz?download=1",
            "md5:28209eda62fecd6e6a2d98b1501bb15f",
        )
    ]


def test_a_file_of_other_content_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path))
    archive(tmp_path / "chestmnist.npz", 14)
    missing, damaged = torchvision_sets.inspect("chestmnist", "train")
    assert (missing, damaged) == ([], [str(tmp_path / "chestmnist.npz")])


@pytest.mark.unchecked
def test_published_sizes(real_data):
    train = real_data("pneumoniamnist", "train")
    assert len(train) == 4708
    assert train.images.shape[1:] == torch.Size([1, 28, 28])

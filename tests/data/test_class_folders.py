"""Sets in folders of classes: read in order and colour, and what is missing or broken is named."""

import numpy as np
import pytest
import torch
from PIL import Image

import simplebits as sb


def write(folder, split="train", side=32, classes=range(10), each=2):
    for c in classes:
        at = folder / "svhn-crops" / split / str(c)
        at.mkdir(parents=True)
        for k in range(each):
            pixels = np.full((side, side, 3), 20 * c + k, dtype=np.uint8)
            Image.fromarray(pixels).save(at / f"{k:04}.png")


def test_pictures_are_read_class_by_class(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path))
    write(tmp_path)
    images = sb.data.load("svhn-crops", "train")
    assert images.name == "svhn-crops/train" and images.classes == tuple("0123456789")
    assert images.labels.tolist() == [c for c in range(10) for _ in range(2)]
    assert images.images.shape == (20, 3, 32, 32)
    assert torch.equal(images.images[:, 0, 5, 5], 20 * images.labels.byte() + torch.tensor([0, 1] * 10).byte())


def test_other_sizes_and_grey_are_brought_to_colour_and_32_pixels(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path))
    write(tmp_path, side=20)
    Image.fromarray(np.full((9, 40), 77, dtype=np.uint8)).save(tmp_path / "svhn-crops" / "train" / "9" / "9999.png")
    images = sb.data.load("svhn-crops", "train")
    assert images.images.shape == (21, 3, 32, 32) and bool((images.images[-1] == 77).all())


def test_what_is_missing_or_broken_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"svhn-crops/test is not whole .* class '0'. Place its pictures as"):
        sb.data.load("svhn-crops", "test")
    write(tmp_path, classes=range(9))
    with pytest.raises(FileNotFoundError, match="class '9'"):
        sb.data.load("svhn-crops", "train")
    write(tmp_path, classes=[9])
    broken = tmp_path / "svhn-crops" / "train" / "4" / "0001.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"4/0001.png is damaged, or no image that Pillow reads"):
        sb.data.load("svhn-crops", "train")

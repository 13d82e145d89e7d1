"""Sets by name: embedded, drawn, torchvision's; and what happens without a network or with damaged files."""

import concurrent.futures
import shutil
import struct
import time

import numpy as np
import pooch
import pytest
import torch

from simplebits import data
from simplebits.data import torchvision_sets


def test_digits_are_all_there_and_split():
    train, test = data.load("digits"), data.load("digits", "test")
    assert (len(train), len(test)) == (1287, 510)
    assert train.images.shape[1:] == (1, 32, 32)
    assert train.labels.bincount().min() > 100 and test.labels.bincount().min() > 30


def test_photographs_are_crops_of_real_pictures_in_disjoint_halves():
    train, test = data.load("photos"), data.load("photos", "test")
    assert train.images.shape[1:] == (3, 32, 32) and len(train) > 2000 and len(test) > 500
    assert set(train.labels.tolist()) == set(test.labels.tolist()) == set(range(len(train.classes)))
    # Neighbouring pixels of photographs agree: the mean step is far below that of noise (85).
    steps = train.images[:, :, :, 1:].int() - train.images[:, :, :, :-1].int()
    assert 1 < steps.abs().float().mean() < 25
    # No test crop is a training crop.
    seen = {image.numpy().tobytes() for image in train.images if image.max() > image.min()}
    assert not any(image.numpy().tobytes() in seen for image in test.images)


def test_drawn_images_are_simple_varied_and_repeatable():
    first, again, other = data.synthetic(40, seed=1), data.synthetic(40, seed=1), data.synthetic(40, seed=2)
    assert torch.equal(first.images, again.images) and not torch.equal(first.images, other.images)
    flat = first.subset(first.labels == 0)
    assert bool((flat.images.flatten(2).float().std(2) == 0).all())
    strokes = first.subset(first.labels == 3)
    assert bool((strokes.images.flatten(2).float().std(2).amax(1) > 0).float().mean() > 0.5)
    with pytest.raises(ValueError, match="did you mean 'shapes'"):
        data.synthetic(4, kinds=("shape",))


@pytest.mark.parametrize(
    ("name", "hint"), [("minst", "mnist"), ("fashion_mnist", "fashion-mnist"), ("CIFAR-10", "cifar10")]
)
def test_an_unknown_name_gets_the_nearest_known_one(name, hint):
    with pytest.raises(ValueError, match=f"did you mean '{hint}'"):
        data.load(name)
    with pytest.raises(ValueError, match="train, test"):
        data.load("digits", "validation")


def write_mnist(folder, images=40):
    """A tiny set in MNIST's own file format."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (images, 28, 28), dtype=np.uint8)
    for stem in ("train", "t10k"):  # torchvision wants all four files, whichever split it reads
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, images, 28, 28) + pixels.tobytes())
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 0x801, images) + bytes(i % 10 for i in range(images))
        )
    return pixels


@pytest.fixture
def own_root(tmp_path, monkeypatch):
    """An empty data folder, and no network."""
    import urllib.request

    def refuse(*args, **kwargs):
        raise OSError("no network in this test")

    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(pooch, "retrieve", refuse)
    monkeypatch.setattr(
        torchvision_sets,
        "SOURCES",
        {
            name: torchvision_sets.Source(
                s.reader, {k: dict.fromkeys(f) for k, f in s.files.items()}, s.classes, s.options
            )
            for name, s in torchvision_sets.SOURCES.items()
        },
    )
    return tmp_path


def test_files_in_place_are_read_without_a_network(own_root):
    pixels = write_mnist(own_root)
    images = data.load("mnist")
    assert np.array_equal(images.images[:, 0].numpy(), pixels)
    assert images.labels[:3].tolist() == [0, 1, 2] and images.classes == tuple("0123456789")


@pytest.mark.parametrize("name", [n for n in data.NAMES if n in torchvision_sets.SOURCES])
def test_nothing_on_disk_and_no_network_says_what_to_place_where(own_root, name):
    with pytest.raises(FileNotFoundError) as caught:
        data.load(name, "test")
    message = str(caught.value)
    for file in torchvision_sets.SOURCES[name].files["test"]:
        assert str(own_root / file) in message
    assert "SIMPLEBITS_DATA" in message and "'digits'" in message


def test_a_truncated_file_is_named_and_fetched_again(own_root, monkeypatch):
    pixels = write_mnist(own_root)
    shelf = own_root / "shelf"
    shutil.copytree(own_root / "MNIST", shelf)
    file = own_root / "MNIST/raw/train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-100])
    with (
        pytest.warns(UserWarning, match="damaged.*train-images-idx3-ubyte"),
        pytest.raises(FileNotFoundError, match="Damaged"),
    ):
        data.load("mnist")
    assert file.exists(), "what is damaged is kept until there is something better"

    # With a network (here: torchvision's download of each archive, served from the shelf) the set is whole again.
    import torchvision.datasets.mnist as reader

    def serve(url, download_root, filename=None, **kwargs):
        shutil.copy(shelf / "raw" / filename.removesuffix(".gz"), own_root / "MNIST/raw")

    monkeypatch.setattr(reader, "download_and_extract_archive", serve)
    with pytest.warns(UserWarning, match="damaged.*train-images-idx3-ubyte"):
        images = data.load("mnist")
    assert np.array_equal(images.images[:, 0].numpy(), pixels)
    assert not list(file.parent.glob("*.damaged"))


def test_of_several_that_ask_at_once_one_fetches(own_root, monkeypatch):
    """Two processes that unpacked MNIST into one folder got in each other's way, and one failed."""
    import torchvision.datasets.mnist as reader

    write_mnist(own_root)
    shelf = own_root / "shelf"
    shutil.move(own_root / "MNIST", shelf)
    served = []

    def serve(url, download_root, filename=None, **kwargs):
        served.append(filename)
        raw = own_root / "MNIST/raw"
        raw.mkdir(parents=True, exist_ok=True)
        time.sleep(0.05)
        shutil.copy(shelf / "raw" / filename.removesuffix(".gz"), raw)

    monkeypatch.setattr(reader, "download_and_extract_archive", serve)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        sets = list(pool.map(data.load, ["mnist"] * 4))
    assert len(served) == len(set(served)) == 4, "each file once"
    assert all(torch.equal(one.images, sets[0].images) for one in sets)


def test_a_file_of_the_wrong_content_is_told_by_its_md5(own_root, monkeypatch):
    write_mnist(own_root)
    files = {"train": {"MNIST/raw/train-images-idx3-ubyte": "0" * 32}}
    monkeypatch.setitem(torchvision_sets.SOURCES, "mnist", torchvision_sets.Source("MNIST", files))
    missing, damaged = torchvision_sets.inspect("mnist", "train")
    assert not missing and damaged == [str(own_root / "MNIST/raw/train-images-idx3-ubyte")]


def test_the_root_is_the_variable_or_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path))
    assert data.root() == tmp_path
    monkeypatch.delenv("SIMPLEBITS_DATA")
    assert data.root().name == "simplebits"


@pytest.mark.parametrize(
    ("name", "n", "shape", "classes"),
    [
        ("mnist", 10_000, (1, 28, 28), 10),
        ("fashion-mnist", 10_000, (1, 28, 28), 10),
        ("cifar10", 10_000, (3, 32, 32), 10),
        ("usps", 2007, (1, 16, 16), 10),
        ("emnist-letters", None, (1, 28, 28), 26),
    ],
)
def test_real_sets_come_whole(real_data, name, n, shape, classes):
    images = real_data(name)
    assert images.images.shape[1:] == shape and len(images.classes) == classes
    assert n in (None, len(images))
    assert len(images.labels.unique()) == classes
    if name in (
        "mnist",
        "emnist-letters",
        "usps",
    ):  # ink on a dark ground: more of it in the middle than in the corners
        mean = images.images.float().mean((0, 1))
        side = mean.shape[0] // 4
        assert mean[side:-side, side:-side].mean() > 2 * mean[:2, :2].mean()

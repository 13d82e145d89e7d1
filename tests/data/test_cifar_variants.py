"""CIFAR-10-C and CIFAR-10.1 from files of the official layout, and errors that say what to place where."""

import numpy as np
import pytest
import torch

from simplebits.data import cifar10_1, cifar10_c, cifar_variants, corrupted_sets, synthetic


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path))
    monkeypatch.setattr(cifar_variants, "_PER_SEVERITY", 4)
    return tmp_path


def place(path, array, **options):
    path.parent.mkdir(exist_ok=True)
    np.save(path, array, **options)


def test_a_severity_is_its_part_of_the_file(folder):
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    place(folder / "CIFAR-10-C" / "fog.npy", images)
    place(folder / "CIFAR-10-C" / "labels.npy", np.tile(np.array([3, 1, 4, 1], dtype=np.uint8), 5))
    found = cifar10_c("fog", 2)
    assert torch.equal(found.images, torch.from_numpy(images[4:8]).permute(0, 3, 1, 2))
    assert found.labels.tolist() == [3, 1, 4, 1]
    assert (found.name, found.classes[3]) == ("cifar10-c/fog-2", "cat")


def test_the_new_test_set_is_read(folder):
    place(folder / "CIFAR-10.1" / "cifar10.1_v6_data.npy", np.full((2000, 32, 32, 3), 7, dtype=np.uint8))
    place(folder / "CIFAR-10.1" / "cifar10.1_v6_labels.npy", np.arange(2000, dtype=np.int32) % 10)
    found = cifar10_1()
    assert len(found) == 2000
    assert found.labels[:11].tolist() == [*range(10), 0]


@pytest.mark.parametrize(
    ("read", "file"),
    [(lambda: cifar10_c("snow", 1), "CIFAR-10-C/snow.npy"), (cifar10_1, "CIFAR-10.1/cifar10.1_v6_data.npy")],
)
def test_missing_files_are_named_with_their_place(folder, read, file):
    with pytest.raises(FileNotFoundError, match=r"Place .* in .*, or set SIMPLEBITS_DATA") as error:
        read()
    assert str(folder / file) in str(error.value)


def test_a_file_of_another_shape_is_refused(folder):
    place(folder / "CIFAR-10-C" / "snow.npy", np.zeros((20, 28, 28, 3), dtype=np.uint8))
    place(folder / "CIFAR-10-C" / "labels.npy", np.zeros(20, dtype=np.uint8))
    with pytest.raises(ValueError, match="not the official ones"):
        cifar10_c("snow", 1)


def test_nothing_is_unpickled(folder):
    place(folder / "CIFAR-10-C" / "snow.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="damaged"):
        cifar10_c("snow", 1)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: cifar10_c("snwo", 1), "did you mean 'snow'"),
        (lambda: cifar10_c("snow", 6), "severity=6"),
        (lambda: cifar10_1("v5"), "version='v5'"),
        (lambda: corrupted_sets(synthetic(4, size=8)), "test: .* are not CIFAR-10's 4 test images"),
        (lambda: corrupted_sets(synthetic(5)), "test: .* are not CIFAR-10's 4 test images"),
        (lambda: corrupted_sets(synthetic(4), limit=-1), "limit=-1"),
        (lambda: corrupted_sets(synthetic(4).subset([])), "test: holds 0"),
    ],
)
def test_wrong_use_is_named(read, message):
    with pytest.raises(ValueError, match=message):
        read()

"""The one rule for size and channels, and what wrong input gets."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from simplebits.data import ImageSet, synthetic, to_bytes, to_float


def bytes_of(n, c, h, w, seed=0):
    return torch.randint(0, 256, (n, c, h, w), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@settings(max_examples=30)
@given(n=st.integers(1, 4), c=st.sampled_from([1, 3]), size=st.integers(1, 40), seed=st.integers(0, 99))
def test_bytes_survive_the_way_to_floats_and_back(n, c, size, seed):
    images = bytes_of(n, c, size, size, seed)
    x = to_float(images)
    assert x.dtype == torch.float32 and x.min() >= 0 and x.max() <= 1
    assert torch.equal(to_bytes(x), images)


@settings(max_examples=30)
@given(
    c=st.sampled_from([1, 3]),
    size=st.integers(2, 40),
    wanted=st.integers(2, 40),
    channels=st.sampled_from([None, 1, 3]),
)
def test_any_size_and_channels_come_out_as_asked_and_in_range(c, size, wanted, channels):
    x = to_float(bytes_of(2, c, size, size), wanted, channels)
    assert x.shape == (2, channels or c, wanted, wanted)
    assert x.min() >= 0 and x.max() <= 1 + 1e-6


def test_resizing_is_bilinear_without_corner_alignment_or_antialiasing():
    images = bytes_of(2, 1, 28, 28)
    expected = F.interpolate(images.float() / 255, (32, 32), mode="bilinear", align_corners=False)
    got = to_float(images, size=32, channels=3)
    for channel in range(3):
        torch.testing.assert_close(got[:, channel : channel + 1], expected)


def test_colour_becomes_luma():
    red = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    red[:, 0] = 255
    torch.testing.assert_close(to_float(red, channels=1), torch.full((1, 1, 2, 2), 0.299))


def test_batches_cover_the_set_once_and_shuffle_by_the_generator():
    images = synthetic(10, size=8)
    plain = list(images.batches(4, channels=1))
    assert [len(x) for x, _ in plain] == [4, 4, 2]
    assert torch.equal(torch.cat([y for _, y in plain]), images.labels)
    first, second = (
        torch.cat([x for x, _ in images.batches(4, generator=torch.Generator().manual_seed(1))]) for _ in range(2)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, images.to_float())
    assert torch.equal(first.sum().round(), images.to_float().sum().round())


def test_draws_depend_on_the_seed_alone():
    images = synthetic(50, size=8)
    assert torch.equal(images.draw(20, seed=3).images, images.draw(20, seed=3).images)
    assert not torch.equal(images.draw(20, seed=3).images, images.draw(20, seed=4).images)
    with pytest.raises(ValueError, match="holds 50"):
        images.draw(51)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": torch.zeros(2, 1, 8, 8)}, ValueError, r"bytes.*uint8.*data\.to_bytes converts"),
        ({"images": torch.zeros(2, 8, 8, dtype=torch.uint8)}, ValueError, r"\[n, c, h, w\]"),
        ({"images": torch.zeros(2, 2, 8, 8, dtype=torch.uint8)}, ValueError, "c = 1 or 3"),
        ({"images": [[0]]}, TypeError, "torch.Tensor"),
        ({"labels": torch.tensor([0, 2])}, ValueError, "0 .. 1"),
        ({"labels": torch.tensor([0, -1])}, ValueError, "0 .. 1"),
        ({"labels": torch.tensor([0])}, ValueError, "one for each image"),
        ({"labels": torch.tensor([0.0, 1.0])}, ValueError, r"int64.*got dtype torch.float32; convert with \.long"),
        ({"labels": [0, 1]}, TypeError, "torch.Tensor"),
        ({"classes": "ab"}, TypeError, "expected a tuple, got str"),
        ({"classes": (0, 1)}, TypeError, r"classes\[0\]: expected a str, got int"),
        ({"name": 3}, TypeError, "expected a str, got int"),
    ],
)
def test_a_wrong_set_is_refused_with_the_argument_named(change, error, message):
    arguments = {
        "images": torch.zeros(2, 1, 8, 8, dtype=torch.uint8),
        "labels": torch.tensor([0, 1]),
        "classes": ("a", "b"),
        "name": "tiny",
    } | change
    with pytest.raises(error, match=message) as caught:
        ImageSet(**arguments)
    assert next(iter(change)) in str(caught.value)


THREE = ImageSet(bytes_of(3, 1, 2, 2), torch.tensor([0, 1, 2]), ("a", "b", "c"), "three")


@pytest.mark.parametrize(
    ("index", "taken"),
    [
        ([2, 0], [2, 0]),
        (range(1, 3), [1, 2]),
        (slice(None, None, -1), [2, 1, 0]),
        (slice(5, 9), []),
        (np.array([1, 1]), [1, 1]),
        (np.array([0, 2], dtype=np.uint8), [0, 2]),
        (torch.tensor([0, 1, 1], dtype=torch.uint8), [0, 1, 1]),
        (np.array([0, 2], dtype=np.uint16), [0, 2]),
        (torch.tensor([-1], dtype=torch.int32), [2]),
        ([np.int64(1)], [1]),
        ([True, False, True], [0, 2]),
        (np.array([False, True, False]), [1]),
        (torch.tensor([False, False, False]), []),
        ([], []),
    ],
)
def test_a_subset_is_taken_by_any_list_range_slice_array_or_mask(index, taken):
    some = THREE.subset(index)
    assert some.labels.tolist() == taken and torch.equal(some.images, THREE.images[taken])


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        ([3], ValueError, r"positions of 3 end at 2, got 3 \.\. 3"),
        ([0, -4], ValueError, "positions of 3 end at 2, got -4"),
        ([True, False], ValueError, "a mask needs one value for each of 3, got 2"),
        (torch.tensor([True] * 4), ValueError, "a mask needs one value for each of 3, got 4"),
        ([0.0, 1.0], ValueError, r"whole numbers or a mask, got dtype torch.float32; convert with \.long"),
        ([[0, 1]], ValueError, r"one axis of places, got shape \[1, 2\]"),
        (np.array(1), ValueError, r"one axis of places, got shape \[\]"),
        ([0, None], ValueError, "give whole numbers, a slice or a mask"),
        (1, TypeError, "expected a sequence, got int"),
        ("01", TypeError, "expected a sequence, got str"),
        (None, TypeError, "expected a sequence, got NoneType"),
    ],
)
def test_what_selects_nothing_is_refused(index, error, message):
    with pytest.raises(error, match=f"^index.*{message}"):
        THREE.subset(index)


def test_numbers_of_numpy_and_times_are_seeds_and_counts():
    assert len(THREE.draw(np.int64(2), seed=np.uint32(5))) == 2
    assert len(THREE.draw(2, seed=1_764_431_234_123_456_789)) == 2


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, "n=0"),
        ({"n": 2.0}, "n=2.0"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 2**64}, "seed=18446744073709551616"),
    ],
)
def test_wrong_draws_are_refused(wrong, message):
    with pytest.raises(ValueError, match=f"^{message}: give a whole number"):
        THREE.draw(**({"n": 1} | wrong))


@pytest.mark.unchecked
def test_wrong_floats_batches_and_places_are_refused():
    for wrong in (torch.zeros(2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.int64), torch.full((1, 1, 2, 2), torch.nan)):
        with pytest.raises(ValueError, match="^x: "):
            to_bytes(wrong)
    with pytest.raises(ValueError, match="batch_size=0"):
        THREE.batches(0)
    with pytest.raises(TypeError, match="generator: expected a torch.Generator, got int"):
        THREE.batches(2, generator=3)
    with pytest.raises(ValueError, match="device='gpu': give cpu"):
        THREE.to_float(device="gpu")
    with pytest.raises(ValueError, match=r"images: shape \[0, 1, 2, 2\] holds nothing to resize"):
        THREE.subset([]).to_float(8)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("size", "channels"), [(0, None), (-1, None), (2.5, None), (None, 2), (None, 0), (None, True), (None, 3.0)]
)
def test_wrong_sizes_and_channels_are_refused(size, channels):
    with pytest.raises(ValueError, match="size|channels"):
        to_float(bytes_of(1, 1, 4, 4), size, channels)


@pytest.mark.unchecked
@settings(max_examples=40)
@given(
    shape=st.lists(st.integers(0, 5), min_size=0, max_size=5),
    dtype=st.sampled_from([torch.uint8, torch.float32, torch.int64, torch.bool]),
)
def test_whatever_is_not_a_batch_of_bytes_is_refused_by_name(shape, dtype):
    images = torch.zeros(shape).to(dtype)
    if len(shape) == 4 and shape[1] in (1, 3) and dtype == torch.uint8:
        assert to_float(images).dtype == torch.float32
    else:
        with pytest.raises(ValueError, match="^images: "):
            to_float(images)


@pytest.mark.unchecked
def test_only_images_between_0_and_1_become_bytes_unless_clipping_is_asked_for():
    levels = torch.arange(256.0).view(1, 1, 16, 16)
    assert to_bytes(levels / 255).flatten().tolist() == list(range(256))
    for wrong in (levels, 256 * levels, (levels - 128) / 64):  # 0 to 255, 16 bits, standardised
        with pytest.raises(ValueError, match=r"^x: expected images in \[0, 1\], got values from .* divide by"):
            to_bytes(wrong)
    assert to_bytes((levels - 128) / 64, clip=True).unique().numel() > 60
    assert to_bytes(torch.full((1, 1, 1, 1), 1 + 1e-6)).item() == 255, "what rounding has added"


def test_classes_are_found_by_their_names():
    named = ImageSet(THREE.images, torch.tensor([0, 1, 1]), ("cat", "dog"), "pets")
    other = named.with_classes(("ape", "dog", "cat"))
    assert (other.labels.tolist(), other.classes) == ([2, 1, 1], ("ape", "dog", "cat"))
    assert named.with_classes(("cat", "dog")) is named
    with pytest.raises(
        ValueError, match=r"^classes: pets has a class 'dog', which is not among those learned: 'cat', 'ship'"
    ):
        named.with_classes(("cat", "ship"))

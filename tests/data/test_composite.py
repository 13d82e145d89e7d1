"""Composed sets: the parts add up, the label belongs to the task, and nothing is drawn twice alike."""

import math

import pytest
import torch
import torch.nn.functional as F

from simplebits import data
from simplebits.data import CompositeSet, composite, to_float

EMBEDDED = {
    "side-by-side": {"task": "digits", "distractor": "photos"},
    "uniform-noise": {"task": "digits"},
    "interpolated": {"task": "digits", "distractor": "photos"},
    "stripes": {"distractor": "photos"},
}
REAL = {
    "side-by-side": ("mnist", "fashion-mnist"),
    "uniform-noise": ("mnist",),
    "interpolated": ("mnist", "cifar10"),
    "stripes": ("cifar10",),
}
VARIANTS = [(name, {}) for name in data.COMPOSITES] + [
    ("uniform-noise", {"noise": "multiplicative"}),
    ("stripes", {"stripe_weight": 0.3}),
    ("stripes", {"stripe_weight": 1.0}),
]


def embedded(name, split="test", **options):
    return composite(name, split, **EMBEDDED[name], **options)


def same(one, other):
    return torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_the_parts_add_up_in_every_byte(name, options, split):
    images = embedded(name, split, **options)
    source = data.load("photos" if name == "stripes" else "digits", split)
    assert images.images.shape == (len(source), 3, 32, 32)
    assert torch.equal(images.images.int(), images.task_part.int() + images.distractor_part.int())
    if name == "stripes":
        assert images.classes == ("horizontal", "vertical")
        assert 0.4 < images.labels.float().mean() < 0.6
    else:
        assert torch.equal(images.labels, source.labels) and images.classes == source.classes


@pytest.mark.parametrize("name", data.COMPOSITES)
def test_one_seed_makes_one_set_and_another_another(name):
    assert same(embedded(name, seed=3), embedded(name, seed=3))
    assert not same(embedded(name, seed=3), embedded(name, seed=4))


def test_train_and_test_are_drawn_differently():
    train, test = (embedded("stripes", split).labels for split in ("train", "test"))
    assert not torch.equal(train[: len(test)], test)
    train, test = (embedded("uniform-noise", split).distractor_part for split in ("train", "test"))
    assert not torch.equal(train[: len(test)], test)


def test_neither_the_labels_nor_the_pairs_follow_the_draw_of_the_same_seed():
    images = embedded("stripes", seed=0)
    for half in (images.draw(len(images) // 2, seed=0), images.subset(range(len(images) // 2))):
        assert 0.4 < half.labels.float().mean() < 0.6


@pytest.mark.parametrize("name", data.COMPOSITES)
def test_subsets_and_draws_carry_their_parts(name):
    images = embedded(name)
    index = torch.tensor([5, 0, 17])
    for some in (images.subset(index), images.subset([5, 0, 17], name="three")):
        assert isinstance(some, CompositeSet)
        assert torch.equal(some.task_part, images.task_part[index])
        assert torch.equal(some.distractor_part, images.distractor_part[index])
        assert torch.equal(some.labels, images.labels[index])
    assert some.name == "three"
    drawn = images.draw(7, seed=1)
    assert isinstance(drawn, CompositeSet) and len(drawn) == len(drawn.task_part) == 7
    assert torch.equal(drawn.task_part + drawn.distractor_part, drawn.images)


@pytest.mark.parametrize("size", [None, 16, 48])
@pytest.mark.parametrize("channels", [None, 1])
def test_parts_in_floats_follow_the_one_rule_and_add_up(size, channels):
    images = embedded("interpolated").draw(5)
    task, distractor = images.parts(size, channels)
    assert torch.equal(task, to_float(images.task_part, size, channels))
    torch.testing.assert_close(task + distractor, images.to_float(size, channels), rtol=0, atol=2e-6)


def sides(images):
    """Per image: is any of the task's ink in the left half; in the right."""
    ink = images.task_part.amax((1, 2))
    return ink[:, :16].amax(1) > 0, ink[:, 16:].amax(1) > 0


def test_side_by_side_has_both_orders_and_is_the_resized_concatenation():
    images = embedded("side-by-side")
    left, right = sides(images)
    assert bool((left ^ right).all()) and 0.4 < left.float().mean() < 0.6
    # Where the one is, the other is not.
    assert not bool((images.distractor_part[left][..., :16] > 0).any())
    assert not bool((images.distractor_part[right][..., 16:] > 0).any())
    # The task's side is what the code makes of it: concatenate, then resize.
    x = data.load("digits", "test").to_float(32, 3)
    blank = torch.zeros_like(x)
    wide = torch.where(left[:, None, None, None], torch.cat([x, blank], 3), torch.cat([blank, x], 3))
    expected = F.interpolate(wide, (32, 32), mode="bilinear", align_corners=False)
    torch.testing.assert_close(to_float(images.task_part), expected, rtol=0, atol=0.51 / 255)


def test_interpolation_is_half_of_each_and_every_distractor_comes_once_before_any_comes_again():
    images = embedded("interpolated")
    digits, photos = data.load("digits", "test"), data.load("photos", "test")
    torch.testing.assert_close(to_float(images.task_part), digits.to_float(32, 3) / 2, rtol=0, atol=0.51 / 255)
    near = torch.cdist(to_float(images.distractor_part).flatten(1) * 2, photos.to_float(32, 3).flatten(1))
    distance, partner = near.min(1)
    assert distance.max() < 2 * 1.01 / 255 * math.sqrt(3072)  # one level off at most, before the doubling
    # More photographs than digits: none twice (a few crops are all black and alike), and not in their own order.
    assert len(photos) > len(digits) and len(partner.unique()) > 0.97 * len(digits)
    assert (partner[1:] > partner[:-1]).float().mean() < 0.6
    # Fewer digits than photographs: every digit, and none a third time before all have come twice.
    swapped = composite("interpolated", "test", task="photos", distractor="digits")
    near = torch.cdist(to_float(swapped.distractor_part).flatten(1) * 2, digits.to_float(32, 3).flatten(1))
    times = near.argmin(1).bincount(minlength=len(digits))
    rounds = len(photos) / len(digits)
    assert len(swapped) == len(photos) and math.floor(rounds) <= times.min() <= times.max() <= math.ceil(rounds)


def test_noise_is_added_or_multiplied():
    added, multiplied = (embedded("uniform-noise", noise=noise) for noise in ("additive", "multiplicative"))
    assert torch.equal(added.task_part, multiplied.task_part)
    black = (data.load("digits", "test").images == 0).expand_as(added.images)
    assert not bool((multiplied.images[black] > 0).any())
    grey = added.distractor_part[black].float() / 255
    assert abs(grey.mean() - 0.25) < 0.005 and 0.49 < grey.max() <= 0.503 and abs(grey.std() - 0.5 / 12**0.5) < 0.005
    # Every channel has its own.
    assert not torch.equal(added.distractor_part[:, 0], added.distractor_part[:, 1])
    # Multiplied noise never exceeds what it multiplies; the slack of one is rounding.
    assert bool((multiplied.distractor_part.int() <= multiplied.task_part.int() + 1).all())


@pytest.mark.parametrize("weight", [0.15, 0.3, 1.0])
def test_stripes_lie_as_the_label_says_with_five_and_a_half_periods(weight):
    images = embedded("stripes", stripe_weight=weight)
    wave = torch.tensor([0.5 + 0.5 * math.sin(11 * math.pi * k / 31) for k in range(32)])
    assert int((torch.diff((wave[1:-1] > 0.5).int()) != 0).sum()) == 10  # eleven half waves meet ten times
    horizontal, vertical = (to_float(images.task_part[images.labels == label]) for label in (0, 1))
    torch.testing.assert_close(horizontal, (weight * wave)[:, None].expand_as(horizontal), rtol=0, atol=0.51 / 255)
    torch.testing.assert_close(vertical, (weight * wave).expand_as(vertical), rtol=0, atol=0.51 / 255)
    ground = (1 - weight) * data.load("photos", "test").to_float(32, 3)
    torch.testing.assert_close(to_float(images.distractor_part), ground, rtol=0, atol=1.01 / 255)


@pytest.mark.parametrize("name", data.COMPOSITES)
def test_the_papers_own_sources(real_data, name):
    sources = [real_data(source) for source in REAL[name]]
    images = composite(name, "test")
    assert repr(images).startswith(f"CompositeSet('{name}/test': 10000 images 3x32x32")
    assert torch.equal(images.images.int(), images.task_part.int() + images.distractor_part.int())
    if name == "stripes":
        assert 0.48 < images.labels.float().mean() < 0.52
        ground = 0.85 * sources[0].to_float(32, 3, None)[:100]
        torch.testing.assert_close(to_float(images.distractor_part[:100]), ground, rtol=0, atol=1.01 / 255)
    else:
        assert torch.equal(images.labels, sources[0].labels)
    if name == "side-by-side":
        # Item k of the one stands beside item k of the other, as in the code: sets of one length.
        left, right = sides(images)
        assert not bool((left & right).any()) and 0.48 < left.float().mean() < 0.52
        narrow = F.interpolate(sources[1].to_float(32, 3), (32, 16), mode="bilinear", align_corners=False)
        halves = torch.where(
            left[:, None, None, None], images.distractor_part[..., 16:], images.distractor_part[..., :16]
        )
        torch.testing.assert_close(to_float(halves), narrow, rtol=0, atol=0.51 / 255)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "stripe"}, "name=.*did you mean 'stripes'"),
        ({"name": "side_by_side"}, "name=.*did you mean 'side-by-side'"),
        ({"split": "validation"}, "split=.*train, test"),
        ({"noise": "multiplied"}, "noise=.*did you mean 'multiplicative'"),
        ({"task": "digit"}, "task=.*did you mean 'digits'"),
        ({"distractor": "photo"}, "distractor=.*did you mean 'photos'"),
        ({"distractor": "digits"}, "distractor='digits': expected another set"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 0.5}, "seed=0.5"),
        ({"name": "stripes"}, "task='digits': .*the stripes are the task"),
        ({"name": "uniform-noise"}, "distractor='photos': .*the noise distracts"),
        ({"stripe_weight": 0}, "stripe_weight=0: .*above 0"),
        ({"stripe_weight": 1.01}, "stripe_weight=1.01"),
        ({"stripe_weight": math.nan}, "stripe_weight=nan"),
        ({"stripe_weight": "much"}, "stripe_weight='much'"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, message):
    arguments = {"name": "interpolated", "split": "test", "task": "digits", "distractor": "photos"} | arguments
    with pytest.raises(ValueError, match=message):
        composite(**arguments)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("part", "error", "message"),
    [
        (torch.full((2, 1, 4, 4), 99, dtype=torch.uint8), ValueError, "in every byte"),
        (torch.full((2, 1, 4, 4), 101, dtype=torch.uint8), ValueError, "in every byte"),
        (torch.full((1, 1, 4, 4), 100, dtype=torch.uint8), ValueError, r"task_part: .*images' shape \[2, 1, 4, 4\]"),
        (torch.full((2, 1, 4, 4), 100.0), ValueError, r"task_part: expected bytes.*uint8"),
        ([100], TypeError, "task_part: expected a torch.Tensor"),
    ],
)
def test_parts_that_do_not_make_the_image_are_refused(part, error, message):
    mix, rest = (torch.full((2, 1, 4, 4), level, dtype=torch.uint8) for level in (100, 0))
    with pytest.raises(error, match=message):
        CompositeSet(mix, torch.tensor([0, 0]), ("a",), "tiny", part, rest)
    # What wraps round is refused as well: 101 + 255 is 100 in bytes.
    wrapped = torch.full((2, 1, 4, 4), 255, dtype=torch.uint8)
    with pytest.raises(ValueError, match="in every byte"):
        CompositeSet(mix, torch.tensor([0, 0]), ("a",), "tiny", mix + 1, wrapped)

"""What a memory costs: bits add up over images, simple images are cheap, and size and colour are the density's."""

import pytest
import torch

import simplebits as sb
from simplebits.condense import CondensedSet, memory_bits, remember


@pytest.fixture(scope="module")
def density():
    return sb.density.load("glow-16px")


def flat(level, n=2, size=16, channels=3):
    x = torch.full((n, channels, size, size), level)
    return CondensedSet(x, torch.arange(n), tuple("abcdefgh"[:n]), torch.zeros(channels), torch.ones(channels))


def test_bits_are_those_of_all_images_together(density):
    one, two = remember(sb.data.load("digits", "train"), "random", 1), flat(0.0)
    x = one.to_image_set().to_float(16, 3)
    expected = sb.density.bits_of(density, x, seed=0).double().sum() * 3 * 16 * 16
    assert memory_bits([one], density) == pytest.approx(float(expected), rel=1e-5)
    assert memory_bits([one, two], density) == pytest.approx(memory_bits([one], density) + memory_bits([two], density))


def test_noise_is_dearer_than_black_by_far(density):
    noise = flat(0.0)
    noise.images.copy_(torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    assert memory_bits([noise], density) > 5 * memory_bits([flat(0.0)], density)


def test_a_memory_of_each_kind_has_the_shape_that_was_asked_for():
    train = sb.data.load("digits", "train").draw(300)
    quick = {"iterations": 1, "real_batch": 8, "network_options": {"width": 4, "depth": 2}, "progress": False}
    features = train.to_float(4).flatten(1)
    by_features = {"features": features}
    ways = {"random": {}, "herding": by_features, "k-centre": by_features, "gradient": quick, "distribution": quick}
    for method, options in (ways | {"pixels": {"iterations": 1, "progress": False}}).items():
        assert remember(train, method, 2, size=8, channels=3, **options).images.shape == (20, 3, 8, 8)


@pytest.mark.unchecked
def test_options_of_the_other_kind_are_refused():
    train = sb.data.load("digits", "train").draw(300)
    with pytest.raises(TypeError, match=r"^bit_weight=: 'random' chooses real images"):
        remember(train, "random", 1, bit_weight=3.0)
    with pytest.raises(ValueError, match="^features: this method needs them"):
        remember(train, "herding", 1)
    with pytest.raises(ValueError, match="^memory: holds 0"):
        memory_bits([], sb.density.load("glow-16px"))

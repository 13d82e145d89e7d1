"""Phantoms: the sign is where the mask says, and nothing else tells the classes apart."""

import pytest
import torch

from simplebits import data
from simplebits.data import PhantomSet, phantoms


def test_the_sign_is_what_fluid_changes():
    for seed in (0, 1):
        drawn = phantoms(60, seed=seed)
        assert drawn.labels.tolist() == [0, 1] * 30
        assert not drawn.sign[drawn.labels == 0].any()
        share = drawn.sign[drawn.labels == 1].float().mean((1, 2))
        assert 0.01 < float(share.min()) < float(share.max()) < 0.12
        lower = drawn.sign[:, 16:].sum() / drawn.sign.sum()
        assert float(lower) > 0.95, "fluid lies at the bottom"


def test_fluid_is_brighter_than_air_and_all_else_is_as_in_the_other_class():
    drawn = phantoms(400)
    clear, full = (drawn.images[drawn.labels == c].float().mean((0, 1)) for c in (0, 1))
    region = drawn.region()
    assert float((full - clear)[region].mean()) > 15
    assert float((full - clear)[~region].abs().mean()) < 5
    assert 0.05 < float(region.float().mean()) < 0.2


def test_either_side_has_it_alike_often():
    sign = phantoms(200).sign[1::2]
    left = sign[:, :, :16].sum((1, 2)) > sign[:, :, 16:].sum((1, 2))
    assert 0.35 < float(left.float().mean()) < 0.65


def test_the_same_seed_draws_the_same_and_another_other_people():
    first, again, other = phantoms(6, seed=1), phantoms(6, seed=1), phantoms(6, seed=2)
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)
    assert torch.equal(phantoms(3, seed=1).images, first.images[:3]), "more of them are the same and further ones"


def test_they_are_a_set_by_name_with_other_people_to_test():
    train, test = data.load("phantoms"), data.load("phantoms", "test")
    assert (len(train), len(test)) == (600, 400)
    assert isinstance(train, PhantomSet)
    seen = {image.numpy().tobytes() for image in train.images}
    assert not any(image.numpy().tobytes() in seen for image in test.images)
    assert torch.equal(train.subset([1, 3]).sign, train.sign[[1, 3]])


def test_a_region_shrinks_with_its_share_and_takes_a_size():
    drawn = phantoms(100)
    sizes = [int(drawn.region(least=share).sum()) for share in (0.05, 0.2, 0.4)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]
    assert drawn.region(size=16).shape == (16, 16)


@pytest.mark.unchecked
def test_what_cannot_be_is_told():
    with pytest.raises(ValueError, match="no image has the sign"):
        phantoms(1).region()
    with pytest.raises(ValueError, match="sign: expected shape"):
        PhantomSet(
            torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.tensor([0]), ("a", "b"), "p", torch.zeros(1, 4, 4) > 0
        )

"""Ensembles: the mean of logits, members in one mode, weights of all of them."""

import pytest
import torch
from torch import nn

from simplebits.subsets import Ensemble


def members(count=3):
    torch.manual_seed(0)
    return [nn.Linear(4, 3) for _ in range(count)]


def test_logits_are_averaged_before_the_softmax():
    nets, x = members(), torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    logits = torch.stack([net(x) for net in nets])
    found = Ensemble(nets)(x)
    assert torch.allclose(found, logits.mean(0), atol=1e-6)
    assert not torch.allclose(found.softmax(1), logits.softmax(2).mean(0), atol=1e-3)


def test_one_member_is_itself():
    (net,), x = members(1), torch.ones(2, 4)
    assert torch.equal(Ensemble([net])(x), net(x))


def test_it_holds_its_members():
    nets = members(2)
    ensemble = Ensemble(nets).eval()
    assert [net.training for net in nets] == [False, False]
    assert {id(p) for p in ensemble.parameters()} == {id(p) for net in nets for p in net.parameters()}


def test_an_empty_one_is_refused():
    with pytest.raises(ValueError, match="at least one classifier"):
        Ensemble([])


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        (nn.Sequential(nn.Linear(2, 2)), TypeError, r"expected several networks, \[net, ...\], got one Sequential"),
        ([nn.Linear(2, 2), 3], TypeError, r"members\[1\]: expected a torch.nn.Module, got int"),
        ([nn.Linear(2, 2), nn.Linear(2, 3)], ValueError, r"logits differ in shape, \[1, 2\], \[1, 3\]"),
    ],
)
def test_members_that_do_not_fit_are_named(members, error, message):
    with pytest.raises(error, match=message):
        Ensemble(members)(torch.zeros(1, 2))

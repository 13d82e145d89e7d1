"""Batches for networks that normalise over them: no image is left over alone."""

import pytest
import torch
from torch import nn

import simplebits as sb
from simplebits.condense.network import batches_for


class Normalised(nn.Module):
    """A small network that normalises over its batch."""

    def __init__(self, classes=2):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.linear = nn.Linear(8, classes)

    def embed(self, x):
        return self.body(x)

    def forward(self, x):
        return self.linear(self.body(x))


def images(n, classes=2):
    pixels = torch.randint(0, 256, (n, 1, 8, 8), dtype=torch.uint8)
    return sb.data.ImageSet(pixels, torch.arange(n) % classes, tuple(map(str, range(classes))), "mine")


@pytest.mark.parametrize(("n", "sizes"), [(16, [8, 8]), (17, [8, 9]), (18, [8, 8, 2]), (1, [1]), (9, [9])])
def test_the_last_image_joins_the_batch_before(n, sizes):
    order = torch.randperm(n)
    parts = batches_for(Normalised(), order, 8)
    assert [len(part) for part in parts] == sizes and torch.equal(torch.cat(parts), order)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    assert [len(part) for part in batches_for(plain, order, 8)] == [len(part) for part in order.split(8)]


CALLS = {
    "count_forgetting": lambda: sb.condense.count_forgetting(Normalised(), images(17), epochs=1, batch_size=16),
    "evaluate": lambda: sb.condense.evaluate(
        sb.condense.CondensedSet.of(sb.condense.coreset(images(40), "random", 9), images(40)),
        images(17), Normalised, seeds=[0], epochs=1, batch_size=17,
    ),
    "condense": lambda: sb.condense.condense(
        images(514, 257), "gradient", 1, network=lambda: Normalised(257), iterations=1, outer=2, inner=1, real_batch=2,
    ),
    "train_classifier": lambda: sb.subsets.train_classifier(Normalised(), images(17), epochs=1, batch_size=16),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_number_that_leaves_one_over_is_no_hindrance(name):
    CALLS[name]()

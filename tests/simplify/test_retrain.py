"""Retraining: what is left of the task in simplified images, learned by a fresh classifier."""

import pytest
import torch
from torch import nn

from simplebits.data import ImageSet
from simplebits.networks import NFWideResNet
from simplebits.simplify import retrain
from simplebits.simplify.retrain import GREY_LEVEL

QUIET = {"batch_size": 16, "augment": None, "bf16": False, "progress": False}


def halves(n=64, seed=0, noise=120, size=8):
    """Brighter at the top or at the bottom, under noise of this many grey levels."""
    labels = torch.arange(n) % 2
    images = torch.randint(0, noise, (n, 3, size, size), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)
    images[labels == 0, :, : size // 2] += 100
    images[labels == 1, :, size // 2 :] += 100
    return ImageSet(images, labels, ("top", "bottom"), f"halves/{seed}/{noise}")


def fresh(seed=0):
    torch.manual_seed(seed)
    return NFWideResNet(10, 1, classes=2, size=8, stem_stride=2)


def test_the_task_is_learned_from_simplified_images_and_tested_on_original_ones():
    simplified, original = halves(noise=1), halves(40, seed=5)
    result = retrain(
        fresh(), simplified, {"original": original, "simplified": simplified}, steps=60, measure_every=25, **QUIET
    )
    assert result.accuracy["original"] >= 0.9 and result.accuracy["simplified"] >= 0.95
    assert [step for step, _ in result.curve] == [25, 50, 60] and result.curve[-1][1] == result.accuracy
    assert len(result.losses) == 60 and sum(result.losses[-10:]) < sum(result.losses[:10])


def test_what_was_simplified_away_cannot_be_learned():
    images = halves()
    blank = ImageSet(torch.full_like(images.images, 90), images.labels, images.classes, "blank")
    result = retrain(fresh(), blank, {"simplified": blank}, steps=40, **QUIET)
    assert result.accuracy["simplified"] == 0.5 and sum(result.losses[-10:]) / 10 > 0.6  # a coin has 0.69 nats
    assert [step for step, _ in result.curve] == [40]


class Watched(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.seen = nn.Linear(3, 2), []

    def forward(self, x):
        if self.training:
            self.seen.append(x.detach())
        return self.linear(x.mean((2, 3)))


@pytest.mark.parametrize("size", [None, 12])
def test_every_batch_gets_fresh_noise_of_one_grey_level_and_tests_get_none(size):
    black = ImageSet(torch.zeros(8, 1, 8, 8, dtype=torch.uint8), torch.arange(8) % 2, ("a", "b"), "black")
    net = Watched()
    retrain(net, black, {"same": black}, steps=3, size=size, channels=3, **QUIET)
    batches = [x for x in net.seen if len(x) == 16]
    assert len(batches) == 3
    for x in batches:
        assert x.shape == (16, 3, size or 8, size or 8)
        assert -0.5 <= x.min() * 255 < -0.45 and 0.45 < x.max() / GREY_LEVEL <= 0.5
        assert not torch.equal(x[0], x[1])  # each image its own
    assert not torch.equal(batches[0], batches[1])
    without = Watched()
    retrain(without, black, {"same": black}, steps=1, noise=0.0, channels=3, **QUIET)
    assert all(x.eq(0).all() for x in without.seen)


def test_the_learning_rate_is_the_one_asked_for():
    before, moves = torch.cat([p.detach().flatten() for p in fresh().parameters()]), []
    for options in ({}, {"learning_rate": 5e-4}, {"learning_rate": 5e-3}):
        net = fresh()
        retrain(net, halves(), {"o": halves(6)}, steps=1, **options, **QUIET)
        moves.append(float((torch.cat([p.detach().flatten() for p in net.parameters()]) - before).abs().max()))
    assert moves[0] == moves[1] == pytest.approx(5e-4, rel=0.01) and moves[2] == pytest.approx(5e-3, rel=0.01)


def test_it_resumes_to_the_same_result(tmp_path):
    results = []
    for steps in (3, 6, 6):
        path = tmp_path / ("cut" if len(results) < 2 else "whole")
        results.append(
            retrain(fresh(), halves(), {"o": halves(6)}, steps=steps, measure_every=3, checkpoint=path, **QUIET)
        )
    assert results[1].losses == results[2].losses and results[1].accuracy == results[2].accuracy
    assert results[1].curve == results[2].curve
    done = retrain(fresh(1), halves(), {"o": halves(6)}, steps=6, measure_every=3, checkpoint=path, **QUIET)
    assert (done.accuracy, done.curve, done.losses) == (results[2].accuracy, results[2].curve, results[2].losses)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"test": {}}, "^test: "),
        ({"steps": 0}, "^steps=0"),
        ({"noise": -1.0}, "^noise=-1.0"),
        ({"size": 0}, "^size=0"),
        ({"seed": "a"}, "^seed='a'"),
        ({"simplified": halves().subset(torch.arange(0))}, "^simplified: holds 0; give at least 1"),
        ({"test": {"o": halves().subset(torch.arange(0))}}, r"^test\['o'\]: holds 0; give at least 1"),
        ({"classifier": nn.Flatten()}, "^classifier: Flatten has no parameters"),
        ({"size": 16}, "^classifier: it does not take images 3x16x16"),
    ],
)
def test_wrong_arguments_are_refused_by_name(wrong, message):
    with pytest.raises(ValueError, match=message):
        retrain(
            **({"classifier": fresh(), "simplified": halves(), "test": {"o": halves()}, "steps": 1} | QUIET | wrong)
        )


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"simplified": torch.rand(4, 3, 8, 8)}, "^simplified: expected an ImageSet, got Tensor"),
        ({"test": {"o": torch.rand(4, 3, 8, 8)}}, r"^test\['o'\]: expected an ImageSet, got Tensor"),
        ({"augment": 4}, "^augment: expected a RandomShift, got int"),
    ],
)
def test_arguments_of_another_kind_are_refused_by_name(wrong, message):
    with pytest.raises(TypeError, match=message):
        retrain(
            **({"classifier": fresh(), "simplified": halves(), "test": {"o": halves()}, "steps": 1} | QUIET | wrong)
        )


@pytest.mark.unchecked
def test_labels_without_an_output_are_refused():
    images = halves(6)
    three = ImageSet(images.images, torch.tensor([0, 1, 2, 0, 1, 2]), tuple("abc"), "three")
    with pytest.raises(ValueError, match=r"^labels: must lie in 0 \.\. 1 .*got 0 \.\. 2"):
        retrain(fresh(), three, {"o": three}, steps=1, **QUIET)

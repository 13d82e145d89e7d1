"""The training protocol: the published schedule, and that whole images and subsets are learned by it."""

import pytest
import torch
from torch import nn

from simplebits.data import ImageSet
from simplebits.networks import accuracy, fit_classifier
from simplebits.subsets import keep_pixels, random_masks, step_decay, train_classifier


def halves(n=96, seed=0):
    """Noise, brighter at the top (class 0) or at the bottom (class 1)."""
    labels = torch.arange(n) % 2
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 120, (n, 1, 8, 8), generator=generator, dtype=torch.uint8)
    images[labels == 0, :, :4] += 100
    images[labels == 1, :, 4:] += 100
    return ImageSet(images, labels, ("top", "bottom"), "halves")


def linear(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 2))


class Recorder(torch.optim.SGD):
    """Writes down the rate of each step."""

    def step(self, closure=None):
        self.rates = [*getattr(self, "rates", []), self.param_groups[0]["lr"]]
        return super().step(closure)


def test_the_rate_falls_at_the_published_epochs():
    rate = step_decay(200 * 391)
    for epoch, wanted in [(0, 1), (59, 1), (60, 0.2), (119, 0.2), (120, 0.04), (160, 0.008), (199, 0.008)]:
        assert rate(epoch * 391) == pytest.approx(wanted)


def test_every_step_has_the_rate_of_the_schedule():
    net = linear()
    optimiser = Recorder(net.parameters(), lr=0.5)
    schedule = step_decay(10, (0.5,), 0.1)
    fit_classifier(
        net, halves(), steps=10, batch_size=8, optimiser=optimiser, schedule=schedule, bf16=False, progress=False
    )
    assert optimiser.rates == pytest.approx([0.5] * 5 + [0.05] * 5)
    assert optimiser.param_groups[0]["lr"] == 0.5  # as it came


def test_a_resumed_training_ends_where_a_whole_one_does(tmp_path):
    whole, first, second = linear(), linear(), linear(1)
    schedule = step_decay(12, (0.5, 0.75))
    options = {"batch_size": 8, "schedule": schedule, "bf16": False, "progress": False}

    def sgd(net):
        return torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)

    fit_classifier(whole, halves(), steps=12, optimiser=sgd(whole), **options)
    file = tmp_path / "half.safetensors"
    stop = _Stop(7)
    with pytest.raises(KeyboardInterrupt):
        fit_classifier(
            first, halves(), steps=12, optimiser=sgd(first), checkpoint=file, checkpoint_every=1, transform=stop,
            **options,
        )  # fmt: skip
    fit_classifier(second, halves(), steps=12, optimiser=sgd(second), checkpoint=file, **options)
    for a, b in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


class _Stop:
    """A transform that interrupts the training after so many batches."""

    def __init__(self, after):
        self.left = after

    def __call__(self, x):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return x


def test_another_schedule_is_another_training(tmp_path):
    file = tmp_path / "part.safetensors"
    options = {"steps": 4, "batch_size": 8, "bf16": False, "progress": False, "checkpoint": file}
    fit_classifier(linear(), halves(), schedule=step_decay(4, (0.5,)), **options)
    with pytest.raises(ValueError, match="another training: schedule"):
        fit_classifier(linear(), halves(), schedule=step_decay(4, (0.25,)), **options)


def test_whole_images_and_subsets_are_learned():
    train, test = halves(seed=1), halves(seed=2)
    few = [keep_pixels(part, random_masks(96, (8, 8), 0.25, seed)) for part, seed in ((train, 0), (test, 1))]
    for learned, asked in ((train, test), few):
        net = linear()
        history = train_classifier(net, learned, epochs=8, batch_size=16, learning_rate=0.05, progress=False)
        assert len(history.losses) == 8 * 6
        assert accuracy(net, asked.to_float(), asked.labels) >= 0.9
        assert not net.training


def test_an_augmentation_and_sets_to_evaluate_reach_the_training():
    from simplebits.data import RandomShift

    class Counting(RandomShift):
        calls = 0

        def __call__(self, generator, *batches):
            type(self).calls += 1
            return super().__call__(generator, *batches)

    history = train_classifier(
        linear(), halves(), epochs=1, batch_size=48, augment=Counting(1), test={"fresh": halves(seed=3)},
        progress=False,
    )  # fmt: skip
    assert Counting.calls == 2
    assert set(history.curve[-1][1]) == {"fresh"}


def test_the_old_name_of_the_sets_to_evaluate_warns():
    with pytest.warns(DeprecationWarning, match="train_classifier: evaluate= is called test= now"):
        history = train_classifier(linear(), halves(), epochs=1, evaluate={"fresh": halves(seed=3)}, progress=False)
    assert set(history.curve[-1][1]) == {"fresh"}


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: step_decay(0), "steps=0"),
        (lambda: step_decay(10, (0.5, 0.2)), "milestones="),
        (lambda: step_decay(10, (60, 120)), r"milestones\[0\]=60: give a number of at least 0 and of at most 1"),
        (lambda: step_decay(10, factor=0), "factor=0"),
        (lambda: train_classifier(linear(), halves(), epochs=0), "epochs=0"),
        (lambda: train_classifier(linear(), halves(), batch_size=0), "batch_size=0"),
        (lambda: train_classifier(linear(), halves(), learning_rate=0), "learning_rate=0"),
    ],
)
def test_wrong_use_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

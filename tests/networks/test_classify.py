"""Training and testing classifiers: it learns, resumes exactly, and leaves what is not its own alone."""

import pytest
import torch
from torch import nn

from simplebits import _files
from simplebits.data import ImageSet, RandomShift
from simplebits.networks import (
    NFWideResNet,
    accuracy,
    build,
    classifier_optimiser,
    fit_classifier,
    predict,
)

QUIET = {"batch_size": 8, "bf16": False, "progress": False}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sides(n=64, seed=0, size=8):
    """Noise, brighter at the top (class 0) or at the bottom (class 1)."""
    labels = torch.arange(n) % 2
    images = torch.randint(0, 120, (n, 3, size, size), generator=seeded(seed), dtype=torch.uint8)
    images[labels == 0, :, : size // 2] += 100
    images[labels == 1, :, size // 2 :] += 100
    return ImageSet(images, labels, ("top", "bottom"), f"sides/{seed}")


def fresh(seed=0, **options):
    torch.manual_seed(seed)
    return NFWideResNet(**({"depth": 10, "widen": 1, "classes": 2, "size": 8, "stem_stride": 2} | options))


def flat(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


class Pooled(nn.Module):
    """Cheapest classifier of three channels: their means, dropout, batch normalisation, one linear layer."""

    def __init__(self, classes=2):
        super().__init__()
        self.dropout, self.norm, self.linear = nn.Dropout(0.5), nn.BatchNorm1d(3), nn.Linear(3, classes)

    def forward(self, x):
        return self.linear(self.norm(self.dropout(x.mean((2, 3)))))


@pytest.mark.parametrize("bf16", [False, True])
def test_an_easy_task_is_learned(bf16):
    net, test = fresh(), sides(40, seed=5)
    history = fit_classifier(
        net, sides(), steps=50, test={"test": test}, measure_every=20, **(QUIET | {"bf16": bf16, "batch_size": 16})
    )
    assert accuracy(net, test.to_float(), test.labels, bf16=bf16) >= 0.95
    assert len(history.losses) == 50 and sum(history.losses[-10:]) < 0.5 * sum(history.losses[:10])
    assert [step for step, _ in history.curve] == [20, 40, 50] and history.curve[-1][1]["test"] >= 0.95
    assert history.seconds > 0 and not net.training


def test_the_same_seed_gives_the_same_classifier_and_another_seed_another():
    nets = [fresh(), fresh(), fresh()]
    for net, seed in zip(nets, (3, 3, 4), strict=True):
        fit_classifier(net, sides(), steps=3, seed=seed, augment=RandomShift(1), noise=0.01, **QUIET)
        torch.rand(7)  # torch's global generator plays no part
    assert torch.equal(flat(nets[0]), flat(nets[1])) and not torch.equal(flat(nets[0]), flat(nets[2]))


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    net = Pooled()
    torch.random.set_rng_state(before)
    fit_classifier(net, sides(), steps=2, augment=RandomShift(1), noise=0.01, **QUIET)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_layers_that_normalise_over_the_batch_see_training_batches_only():
    net = Pooled()
    fit_classifier(net, sides(), steps=3, **QUIET)
    assert int(net.norm.num_batches_tracked) == 3


def test_a_training_that_was_cut_short_resumes_to_the_same_classifier(tmp_path):
    options = QUIET | {
        "steps": 9, "augment": RandomShift(1), "noise": 0.01, "checkpoint_every": 3, "measure_every": 2,
        "test": {"test": sides(10, seed=5)},
    }  # fmt: skip
    whole, cut = fresh(), fresh()
    one = fit_classifier(whole, sides(), checkpoint=tmp_path / "whole", **options)
    calls = []

    def killed_at_the_eighth_step(batch):
        calls.append(batch)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return batch

    with pytest.raises(KeyboardInterrupt):
        fit_classifier(cut, sides(), checkpoint=tmp_path / "cut", transform=killed_at_the_eighth_step, **options)
    _, header = _files.read_tensors(tmp_path / "cut")
    assert header["note"]["step"] == 6
    again = fresh(seed=1)
    two = fit_classifier(again, sides(), checkpoint=tmp_path / "cut", **options)
    assert torch.equal(flat(whole), flat(again))
    assert one.losses == two.losses and one.curve == two.curve


def test_a_finished_training_is_read_back_and_may_be_prolonged(tmp_path):
    net = fresh()
    one = fit_classifier(net, sides(), steps=4, checkpoint=tmp_path / "c", test={"t": sides(6)}, **QUIET)
    again = fresh(seed=1)
    two = fit_classifier(again, sides(), steps=4, checkpoint=tmp_path / "c", test={"t": sides(6)}, **QUIET)
    assert torch.equal(flat(net), flat(again)) and (one.losses, one.curve) == (two.losses, two.curve)
    longer = fit_classifier(fresh(), sides(), steps=6, checkpoint=tmp_path / "c", **QUIET)
    assert len(longer.losses) == 6


def test_a_foreign_checkpoint_is_refused(tmp_path):
    fit_classifier(fresh(), sides(), steps=1, checkpoint=tmp_path / "c", **QUIET)
    for images, change, named in (
        (sides(), {"seed": 4}, "seed=0 there, 4 here"),
        (sides(), {"noise": 0.5}, "noise=0.0 there, 0.5 here"),
        (sides(seed=1), {}, "set='sides/0' there, 'sides/1' here"),
    ):
        with pytest.raises(ValueError, match=f"belongs to another training: {named}"):
            fit_classifier(fresh(), images, steps=2, checkpoint=tmp_path / "c", **(QUIET | change))


def test_noise_and_transform_reach_the_classifier():
    seen = []

    class Watching(Pooled):
        def forward(self, x):
            seen.append(x.detach())
            return super().forward(x)

    white = ImageSet(torch.full((8, 3, 8, 8), 255, dtype=torch.uint8), torch.zeros(8).long(), ("a", "b"), "white")
    fit_classifier(Watching(), white, steps=2, noise=0.25, transform=lambda x: x / 2, **QUIET)
    batches = [x for x in seen if len(x) == 8]
    for batch in batches:
        assert 0.375 <= batch.min() < 0.38 and 0.62 < batch.max() <= 0.625
    assert not torch.equal(batches[0], batches[1])


def test_images_are_resized_and_grey_ones_stay_grey_if_asked():
    grey = ImageSet(torch.zeros(8, 1, 6, 6, dtype=torch.uint8), torch.arange(8) % 2, ("a", "b"), "grey")
    net = build("NFWideResNet", 2, 1, 8, depth=10, widen=1)
    fit_classifier(net, grey, steps=1, size=8, test={"same": grey}, **QUIET)


def test_weight_decay_spares_biases_only():
    net = fresh()
    decayed, free = classifier_optimiser(net).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (1e-5, 0.0)
    assert decayed["betas"] == (0.9, 0.995) and decayed["lr"] == 5e-4
    biases = {id(p) for name, p in net.named_parameters() if name.endswith("bias")}
    assert {id(p) for p in free["params"]} == biases
    assert len(decayed["params"]) + len(free["params"]) == len(list(net.parameters()))
    only = nn.Linear(2, 2, bias=False)
    assert len(classifier_optimiser(only).param_groups) == 1


@pytest.mark.parametrize("training", [False, True])
def test_predict_works_in_evaluation_mode_and_puts_the_mode_back(training):
    net = fresh(dropout=0.9).train(training)
    x = sides(10).to_float()
    logits = predict(net, x, batch_size=3)
    assert net.training is training and not logits.requires_grad
    torch.testing.assert_close(logits, net.eval()(x).detach(), atol=1e-5, rtol=0)


def test_predict_puts_the_mode_back_after_an_error():
    net = nn.Sequential(nn.Flatten(), nn.Linear(5, 2)).train()
    with pytest.raises(RuntimeError):
        predict(net, torch.rand(1, 3, 2, 2))
    assert net.training


def test_accuracy_counts_the_largest_logits():
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3, bias=False))
    net[2].weight.data = torch.eye(3)
    x = torch.zeros(4, 3, 2, 2)
    x[torch.arange(4), torch.tensor([0, 1, 2, 2])] = 1
    assert accuracy(net, x, torch.tensor([0, 1, 2, 0])) == 0.75
    assert accuracy(net, x, torch.tensor([0, 1, 2, 2]), bf16=True) == 1.0


def test_a_loss_that_is_not_finite_stops_the_training():
    net = fresh()
    net.linear.bias.data[0] = float("nan")
    with pytest.raises(FloatingPointError, match="loss is nan at step 0; lower the learning rate"):
        fit_classifier(net, sides(), steps=2, **QUIET)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"batch_size": 0}, {"checkpoint_every": -1}, {"noise": -0.1}, {"noise": float("nan")}],
)
def test_wrong_settings_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        fit_classifier(fresh(), sides(), **({"steps": 2} | QUIET | wrong))


@pytest.mark.unchecked
def test_labels_without_an_output_are_refused():
    images = sides(6)
    five = ImageSet(images.images, torch.tensor([0, 1, 2, 3, 4, 0]), tuple("abcde"), "five")
    with pytest.raises(ValueError, match=r"labels: must lie in 0 \.\. 1 for a classifier of 2 outputs, got 0 \.\. 4"):
        fit_classifier(fresh(), five, steps=1, **QUIET)
    with pytest.raises(ValueError, match=r"labels: must lie in 0 \.\. 1"):
        accuracy(fresh(), five.to_float(), five.labels)
    with pytest.raises(ValueError, match=r"labels: expected an int64 tensor \[6\]"):
        accuracy(fresh(), five.to_float(), five.labels[:5])
    with pytest.raises(ValueError, match=r"labels: expected whole numbers \(int64\), got .*float32; .*\.long"):
        accuracy(fresh(), five.to_float(), five.labels.float())
    with pytest.raises(TypeError, match=r"labels: .*got list"):
        accuracy(fresh(), five.to_float(), [0] * 6)


@pytest.mark.unchecked
def test_what_is_no_batch_of_images_is_refused():
    for x, error in (("x", TypeError), (torch.rand(3, 8, 8), ValueError), (torch.full((1, 3, 8, 8), 7.0), ValueError)):
        with pytest.raises(error, match="^x: "):
            predict(fresh(), x)
    with pytest.raises(ValueError, match="batch_size=0"):
        predict(fresh(), torch.rand(1, 3, 8, 8), batch_size=0)
    with pytest.raises(ValueError, match="x: expected torch.float32, as the classifier's weights, got torch.float64"):
        predict(fresh(), torch.rand(1, 3, 8, 8).double())
    with pytest.raises(TypeError, match=r"expected a torch.nn.Module, got function"):
        predict(lambda x: x, torch.rand(1, 3, 8, 8))


@pytest.mark.unchecked
def test_nothing_to_learn_and_nothing_to_learn_from_are_refused():
    frozen = fresh().requires_grad_(False)
    for call in (lambda: classifier_optimiser(nn.Flatten()), lambda: fit_classifier(frozen, sides(), steps=1, **QUIET)):
        with pytest.raises(ValueError, match=r"^classifier: none of its weights can learn; .*requires_grad_\(True\)"):
            call()
    none = sides().subset([])
    with pytest.raises(ValueError, match="^images: holds 0; give at least 1"):
        fit_classifier(fresh(), none, steps=1, **QUIET)
    with pytest.raises(ValueError, match=r"^test\['held out'\]: holds 0"):
        fit_classifier(fresh(), sides(), steps=1, test={"held out": none}, **QUIET)
    with pytest.raises(ValueError, match="^channels=2: give 1 .grey., 3"):
        fit_classifier(fresh(), sides(), steps=1, channels=2, **QUIET)


def test_a_time_in_nanoseconds_is_a_seed():
    assert len(fit_classifier(fresh(), sides(), steps=2, seed=1_764_431_234_123_456_789, **QUIET).losses) == 2


def test_a_network_without_parameters_can_be_asked():
    x = torch.rand(3, 1, 1, 2, generator=seeded())
    assert torch.equal(predict(nn.Flatten(), x), x.flatten(1))

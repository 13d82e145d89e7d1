"""Task after task: the loss is the formula, memories prevent forgetting, a killed run ends as others do."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import simplebits as sb
from simplebits.condense import TaskTraining, continual, remember
from simplebits.condense.task_learner import TaskLearner

QUICK = TaskTraining(steps=4, batch_size=32, schedule="constant", shift=1)
SMALL = {
    "network_options": {"width": 8, "depth": 2}, "size": 8, "channels": 1, "bf16": False, "device": "cpu",
    "progress": False,
}  # fmt: skip


def changed(images, change, name):
    return sb.data.ImageSet(change(images.images), images.labels, images.classes, name)


@pytest.fixture(scope="module")
def tasks():
    """Digits, and the same turned and in dark ink."""
    sets = [sb.data.load("digits", split).draw(400).resized(8) for split in ("train", "test")]
    return [tuple(sets), tuple(changed(images, lambda x: 255 - x.rot90(1, (2, 3)), "turned") for images in sets)]


def learner(tasks, **changes):
    arguments = {
        "tasks": tasks, "memory": "random", "images_per_class": 1, "how": QUICK, "distill": False, "shared_head": False,
        "network_maker": "ConvNet", "network_options": {"width": 8, "depth": 2}, "size": 8, "channels": 1,
        "memory_options": {}, "seed": 0, "bf16": False, "device": torch.device("cpu"),
    }  # fmt: skip
    return TaskLearner(**(arguments | changes))


@pytest.mark.parametrize("distill", [False, True])
@pytest.mark.parametrize("shared_head", [False, True])
def test_the_loss_is_the_formula(tasks, distill, shared_head):
    run = learner([*tasks, tasks[0]], distill=distill, shared_head=shared_head)
    run.run(None, 100, False)
    x, labels = tasks[0][1].to_float()[:20] - 0.5, tasks[0][1].labels[:20]
    expected, net = F.cross_entropy(run.network(x), labels), run.network
    for task in (0, 1):
        memory, old = run.memories[task], run.old[task]
        kept, head = memory.images - 0.5, net.linear if shared_head else old.linear
        expected = expected + F.cross_entropy(head(net.embed(kept)), memory.labels)
        for y in (x, kept) if distill else ():
            now, before = (logits / 2 for logits in (head(net.embed(y)), old(y)))
            expected = expected + F.cross_entropy(now, before.softmax(1))  # T = 2
    assert torch.allclose(run._loss(2, x, labels), expected / 3, rtol=1e-5)


def test_without_memory_and_distillation_the_new_task_is_all(tasks):
    run = learner(tasks, memory=None)
    run.run(None, 100, False)
    x, labels = tasks[1][1].to_float()[:20] - 0.5, tasks[1][1].labels[:20]
    assert torch.allclose(run._loss(1, x, labels), F.cross_entropy(run.network(x), labels), rtol=1e-5)
    assert run.memories == [None, None]


def test_a_memory_prevents_forgetting(tasks):
    training = TaskTraining(epochs=(8, 8), cycles=(1,), batch_size=32, learning_rates=(0.1,), shift=0)
    options = SMALL | {"network_options": {"width": 16, "depth": 2}, "training": training}
    forgot, kept = (continual(tasks, memory, 2, **options) for memory in (None, "herding"))
    assert forgot.accuracies[0, 0] == kept.accuracies[0, 0] > 0.7  # the first task is learned alike
    assert kept.final > forgot.final + 0.05
    assert forgot.forgetting[0] > kept.forgetting[0] + 0.1


def test_what_a_result_says(tasks):
    accuracies = torch.tensor([[0.9, math.nan], [0.5, 0.8]])
    run = sb.condense.Continual(accuracies, (None, None))
    assert run.mean.tolist() == pytest.approx([0.9, 0.65]) and run.final == pytest.approx(0.65)
    assert run.forgetting.tolist() == pytest.approx([0.4, 0.0])


def test_the_heads_of_old_tasks_rest_and_a_new_one_begins(tasks):
    run, heads = learner(tasks), []
    own_keep = run._keep

    def keep(*of_task):
        own_keep(*of_task)
        heads.append(run.network.linear.weight.detach().clone())

    run._keep = keep
    run.run(None, 100, False)
    assert torch.equal(run.old[0].linear.weight, heads[0])
    assert not torch.equal(run.network.linear.weight, heads[0])


class Killed(Exception):
    pass


@pytest.mark.parametrize("at", [2, 5, 9, 13])
@pytest.mark.parametrize("memory", ["herding", "distribution"])
def test_a_killed_run_ends_as_others_do(tasks, memory, at, tmp_path, monkeypatch):
    training = TaskTraining(epochs=(1, 1), batch_size=64, cycles=(1,), fine_tuning=2, own_constants=True)
    options = SMALL | {"training": training, "distill": True, "checkpoint_every": 1}
    if memory == "distribution":
        options |= {"memory_options": {"iterations": 2, "real_batch": 8, "network_options": {"width": 8, "depth": 2}}}
    whole = continual(tasks, memory, 1, **options)
    path, own_loss, count = tmp_path / "run.safetensors", TaskLearner._loss, []

    def loss(self, *arguments):
        count.append(1)
        if len(count) == at:
            raise Killed
        return own_loss(self, *arguments)

    monkeypatch.setattr(TaskLearner, "_loss", loss)
    with pytest.raises(Killed):
        continual(tasks, memory, 1, checkpoint=path, **options)
    monkeypatch.setattr(TaskLearner, "_loss", own_loss)
    again = continual(tasks, memory, 1, checkpoint=path, **options)
    assert whole.history.losses == again.history.losses and len(whole.history.losses) == 18
    assert torch.equal(whole.accuracies.nan_to_num(), again.accuracies.nan_to_num())
    for one, other in zip(whole.memories, again.memories, strict=True):
        assert torch.equal(one.images, other.images)
    with pytest.raises(ValueError, match="belongs to another training: seed=0 there, 1 here"):
        continual(tasks, memory, 1, checkpoint=path, seed=1, **options)


def test_memories_made_before_are_the_ones_that_are_used(tasks, tmp_path):
    ready = [remember(tasks[0][0], "random", 2, seed=0)]
    options = SMALL | {"training": QUICK, "images_per_class": 2}
    named, given = (continual(tasks, memory, **options) for memory in ("random", ready))
    assert named.history.losses == given.history.losses and given.memories == (ready[0], None)
    path = tmp_path / "run.safetensors"
    continual(tasks, ready, checkpoint=path, **options)
    assert continual(tasks, ready, checkpoint=path, **options).memories == (ready[0], None)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memory": []}, r"^memory: holds 0 sets; 1 tasks need one each"),
        ({"memory": "hering"}, r"^memory='hering' is not known; did you mean 'herding'"),
        ({"memory": "gradient", "memory_options": {"iteration": 3}}, "did you mean 'iterations'"),
        ({"memory_options": {"iterations": 3}}, "^iterations=: 'herding' chooses real images"),
        ({"images_per_class": 300}, "^images_per_class=300: class '0' of digits/train has"),
        ({"network": lambda: nn.Flatten()}, "^network: expected logits"),
        (
            {"network": lambda: torch.nn.Sequential(nn.Flatten(), torch.nn.Linear(64, 10))},
            "^network: .* has no embed",
        ),
    ],
)
def test_what_would_fail_later_fails_before_the_first_step(tasks, changes, message):
    if changes.get("network") is not None:
        changes = changes | {"network_options": None}
    with pytest.raises((TypeError, ValueError), match=message):
        continual(tasks, **({"training": QUICK} | SMALL | changes))


@pytest.mark.unchecked
def test_tasks_that_do_not_fit_are_named(tasks):
    letters = sb.data.ImageSet(tasks[0][0].images, tasks[0][0].labels, tuple("abcdefghijkl"), "letters")
    with pytest.raises(ValueError, match=r"^tasks\[1\]: letters has 12 classes, digits/train has 10"):
        continual([tasks[0], (letters, letters)], **SMALL)
    with pytest.raises(ValueError, match=r"^tasks\[0\]: .* is empty"):
        continual([(tasks[0][0], tasks[0][1].subset([]))], **SMALL)
    large = remember(sb.data.load("digits", "train"), "random", 1)
    with pytest.raises(ValueError, match=r"^memory\[0\]: expected images 1x8x8, got \[1, 32, 32\]"):
        continual(tasks, [large], **SMALL)


def test_classes_of_a_test_set_are_found_by_name(tasks):
    turned = [(train, test.with_classes(test.classes[::-1])) for train, test in tasks]
    runs = [continual(each, "random", 1, training=QUICK, **SMALL) for each in (tasks, turned)]
    assert torch.equal(runs[0].accuracies.nan_to_num(), runs[1].accuracies.nan_to_num())

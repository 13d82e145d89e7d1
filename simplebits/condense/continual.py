"""Task after task in one network, with a small memory of those that are over (SimpleBits, section S12; DC, 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from simplebits._door import door
from simplebits._precision import choose_bf16
from simplebits.condense.arguments import NetworkMaker, tasks_fit
from simplebits.condense.condensed_set import CondensedSet
from simplebits.condense.memory import Way
from simplebits.condense.task_learner import ContinualHistory, TaskLearner
from simplebits.condense.task_training import TaskTraining
from simplebits.data import ImageSet
from simplebits.data.image_set import Channels, _numbered_as
from simplebits.domains import Count, Device, Filled, Seed

Tasks = Annotated[Sequence[tuple[ImageSet, ImageSet]], Filled()]  # of each its training and its test set


@door
@dataclass(frozen=True, eq=False)
class Continual:
    """What one network still knew after each task.

    Attributes:
        accuracies: 0 to 1, a row after each task, a column for each task; NaN for tasks that are yet to come.
        memories: what was kept of each task; None: nothing.
        history: losses and time.
    """

    accuracies: Float[Tensor, "stages tasks"]
    memories: tuple[CondensedSet | None, ...]
    history: ContinualHistory = field(default_factory=ContinualHistory)

    @property
    def mean(self) -> Float[Tensor, " stages"]:
        """Average the accuracies of the tasks seen so far, after each task: what both papers report."""
        return self.accuracies.nanmean(1)

    @property
    def final(self) -> float:
        """Average the accuracies of all tasks after the last."""
        return float(self.mean[-1])

    @property
    def forgetting(self) -> Float[Tensor, " tasks"]:
        """Take the accuracy at the end from the one right after the task's own training; of the last task: 0."""
        return self.accuracies.diagonal() - self.accuracies[-1]


@door
def continual(
    tasks: Tasks,
    memory: Way | Sequence[CondensedSet] | None = "herding",
    images_per_class: Count = 10,
    *,
    training: TaskTraining | None = None,
    distill: bool = False,
    shared_head: bool = False,
    network: NetworkMaker = "ConvNet",
    network_options: Mapping[str, Any] | None = None,
    size: Count = 32,
    channels: Channels = 3,
    memory_options: Mapping[str, Any] | None = None,
    seed: Seed = 0,
    bf16: bool | None = None,
    device: Device = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: Count = 100,
    progress: bool | None = None,
) -> Continual:
    """Train one network on tasks one after the other, and test it on all tasks so far after each.

    The features are shared; each task has a linear head of its own, frozen when the task is over, and a new one begins.
    At each step the loss is the cross-entropy of a batch of the new task, plus, for each task that is over, the
    cross-entropy of its head on its whole memory. With distillation comes how far the old head on today's features
    departs from the network as it was at the end of that task, both at temperature T, on the new batch and on the
    memory. The sum is divided by one plus the number of tasks that take part in it.

    Args:
        tasks: (training set, test set) of each, in the order in which they are learned; equally many classes.
        memory: what is kept of each task: a way of `remember`, whose herding looks at the features of the network as it
            is then; or sets that were made before, one for each task but the last; None: nothing is kept.
        images_per_class: kept of each class, where `memory` is a way.
        training: rates, steps and batches; None: SimpleBits' pipeline. `DC_TRAINING` is gradient matching's.
        distill: with distillation (SimpleBits and DC report both).
        shared_head: one head for all tasks, which goes on learning, in place of a head for each.
        network: a name for `networks.build`, or a function as `condense` takes it; its last layer is `linear`.
        network_options: further arguments of `networks.build`.
        size: height and width of all images, pixels.
        channels: 1 or 3; None: those of the first task.
        memory_options: of `condense`, where `memory` is one of its ways.
        seed: of weights, batches and memories.
        bf16: bfloat16 autocast; None: where the device is faster in it.
        device: where to compute; None: a GPU where there is one.
        checkpoint: file to write and to resume from; a run that was killed ends where an uninterrupted one does.
        checkpoint_every: steps between two checkpoints.
        progress: show a bar; None: on a terminal only.

    Returns:
        Accuracies on the whole test sets, after each task, and the memories; `memory_bits` counts those.

    Raises:
        TypeError: an argument of the wrong kind, or a network without `embed` and `linear`.
        ValueError: an argument out of range, a task with other classes than the first, an empty set, a class with too
            few images, memories that do not fit, another run's checkpoint.
        FloatingPointError: the loss is not finite.

    >>> import simplebits as sb
    >>> few = [sb.data.load("digits", split).draw(200) for split in ("train", "test")]
    >>> turned = [sb.data.ImageSet(x.images.flip(2), x.labels, x.classes, "turned") for x in few]
    >>> quick = TaskTraining(steps=3, batch_size=32, schedule="constant")
    >>> small = {"network_options": {"width": 8, "depth": 2}, "size": 8, "channels": 1}
    >>> continual([tuple(few), tuple(turned)], "random", 1, training=quick, **small).accuracies.shape
    torch.Size([2, 2])
    """
    tasks_fit(tasks)
    tasks = [(train, _numbered_as(f"tasks[{i}]", test, train.classes)) for i, (train, test) in enumerate(tasks)]
    device = cast(torch.device, device)  # the door has made it one
    learner = TaskLearner(
        tasks, memory, images_per_class, training or TaskTraining(), distill, shared_head, network,
        network_options or {}, size, channels or tasks[0][0].images.shape[1], memory_options or {}, seed,
        choose_bf16(bf16, device), device,
    )  # fmt: skip
    history = learner.run(checkpoint, checkpoint_every, progress)
    accuracies = torch.full((len(tasks), len(tasks)), torch.nan)
    for stage, row in enumerate(history.rows):
        accuracies[stage, : stage + 1] = torch.tensor(row)
    return Continual(accuracies, tuple(learner.memories), history)

"""How a network is trained on one task after the other: the two published pipelines, and their learning rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from simplebits._door import door
from simplebits.domains import Count, CountOrZero, Filled, Momentum, NonNegative, Positive

T = TypeVar("T")


@door
@dataclass(frozen=True, kw_only=True)
class TaskTraining:
    """Settings of `continual`; the defaults are SimpleBits' own pipeline (its section S12).

    Sequences hold a value for each task; tasks beyond the last value take that one.

    SimpleBits' paper has a cosine in each of the cycles, and a rate of .1 for all tasks. Its code makes a new scheduler
    at the start of every epoch, whose warm-up is one epoch long: the rate climbs from 0 to its full value within each
    epoch and never falls (`schedule="saw-tooth"`), and it takes `learning_rates=(0.1, 0.01, 0.01)`.

    Attributes:
        epochs: passes over each task's training set, all cycles together.
        steps: updates a task, in place of epochs.
        cycles: cosines in a task's training; the rate jumps back to its full value between two.
        learning_rates: of SGD, the highest within each task.
        schedule: `cosine` falls to zero in each cycle, `saw-tooth` climbs in each epoch, `constant` stays.
        batch_size: images of the new task a step.
        momentum: of SGD.
        weight_decay: of SGD.
        shift: pixels. Each image of the new task moves by two such draws in each axis, one after the other: up to a
            tenth of 32 pixels and a crop with 3 pixels of padding, in the code. Memories stay as they are.
        fine_tuning: further updates at the end of each task on the memories of all tasks so far, its own among them:
            as many images of each class, old or new (E2E, Castro et al. 2018).
        fine_tuning_rate: of SGD in these.
        temperature: of distillation, which divides the logits by it.
        own_constants: standardise each task by its own mean and standard deviation, as DC does; else x - 1/2 for all.

    Raises:
        TypeError, ValueError: a setting of the wrong kind or out of range.

    >>> [round(TaskTraining().rate(0, at, 90, per_epoch=10), 3) for at in (0, 15, 29, 30)]
    [0.1, 0.05, 0.0, 0.1]
    """

    epochs: Annotated[Sequence[Count], Filled()] = (150, 50, 50)
    steps: Count | None = None
    cycles: Annotated[Sequence[Count], Filled()] = (3, 1, 1)
    learning_rates: Annotated[Sequence[Positive], Filled()] = (0.1, 0.1, 0.1)
    schedule: Literal["cosine", "saw-tooth", "constant"] = "cosine"
    batch_size: Count = 512
    momentum: Momentum = 0.9
    weight_decay: NonNegative = 1e-4
    shift: CountOrZero = 3
    fine_tuning: CountOrZero = 0
    fine_tuning_rate: Positive = 1e-3
    temperature: Positive = 2.0
    own_constants: bool = False

    @door
    def length(self, task: CountOrZero, per_epoch: Count) -> int:
        """Count the updates on a task's own images, of which an epoch has so many."""
        return self.steps or of_task(self.epochs, task) * per_epoch

    @door
    def rate(self, task: CountOrZero, at: CountOrZero, length: Count, per_epoch: Count) -> float:
        """Look up the learning rate of update `at` of a task's `length` on its own images; beyond: fine-tuning's."""
        if at >= length:
            return self.fine_tuning_rate
        highest = of_task(self.learning_rates, task)
        if self.schedule == "saw-tooth":
            return highest * (at % per_epoch + 1) / per_epoch
        if self.schedule == "cosine":
            cycle = math.ceil(length / of_task(self.cycles, task))
            return highest * (1 + math.cos(math.pi * (at % cycle) / cycle)) / 2
        return highest


def of_task(values: Sequence[T], task: int) -> T:
    """Take the value of this task, or the last one where there are fewer."""
    return values[min(task, len(values) - 1)]


#: Gradient matching's continual learning (its section 3.2 and appendix A), after E2E. Neither tells the size of a batch
#: or the weight decay; those of its other experiments are taken.
DC_TRAINING = TaskTraining(
    steps=5000, learning_rates=(0.01,), schedule="constant", batch_size=256, weight_decay=5e-4, shift=0,
    fine_tuning=500, own_constants=True,
)  # fmt: skip

"""The run behind `continual`: one network, a head for each task, a small memory, and the loss of all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simplebits._files import beside
from simplebits._training import Training, set_rates
from simplebits._training_state import TrainingState, digest, globally_seeded, step_generator
from simplebits.condense.arguments import memories_fit, network_fits, options_of_memory_fit, with_head
from simplebits.condense.condensation import Condensation
from simplebits.condense.condensed_set import CondensedSet, constants
from simplebits.condense.coresets import class_members
from simplebits.condense.gradient import in_cache
from simplebits.condense.matching import Matching
from simplebits.condense.memory import CHOSEN, remember
from simplebits.condense.network import maker
from simplebits.condense.task_training import TaskTraining
from simplebits.data import ImageSet, RandomShift
from simplebits.data.image_set import _to_float
from simplebits.networks.evaluation_mode import evaluation_mode


@dataclass
class ContinualHistory:
    """What the training on all tasks went through.

    Attributes:
        losses: of each step, nats.
        rows: after each task, the test accuracies of all tasks so far, 0 to 1.
        seconds: time spent, over all resumed parts.
    """

    losses: list[float] = field(default_factory=list)
    rows: list[tuple[float, ...]] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(eq=False)
class TaskLearner:
    """One run of `continual`, whose docstring explains these arguments; here none is missing.

    Attributes:
        memories: what is kept of each task so far.
    """

    tasks: Sequence[tuple[ImageSet, ImageSet]]
    memory: Any
    images_per_class: int
    how: TaskTraining
    distill: bool
    shared_head: bool
    network_maker: Any
    network_options: Mapping[str, Any]
    size: int
    channels: int
    memory_options: Mapping[str, Any]
    seed: int
    bf16: bool
    device: torch.device

    def __post_init__(self) -> None:
        """Make the networks."""
        classes = len(self.tasks[0][0].classes)
        self.fine_tuning = 0 if self.memory is None else self.how.fine_tuning
        self.with_memory = len(self.tasks) - (0 if self.fine_tuning else 1)  # the first so many tasks
        self.given = isinstance(self.memory, Sequence) and not isinstance(self.memory, str)
        if self.given:
            memories_fit(cast(Any, self.memory), classes, self.channels, self.size, self.with_memory)
        elif self.memory is not None:
            self._try_memory()
        self.make = maker(self.network_maker, classes, self.channels, self.size, self.network_options)
        self.network = cast(Any, self._fresh(self.seed))
        network_fits(self.network, classes, self.channels, self.size, self.device)
        with_head("network", self.network)
        # The network as it was at the end of each task but the last: its head, and what distillation asks for.
        copies = nn.ModuleList(deepcopy(self.network) for _ in self.tasks[1:]).requires_grad_(False).eval()
        self.old = cast(Any, copies)
        self.optimiser = torch.optim.SGD(
            self.network.parameters(), 0.1, momentum=self.how.momentum, weight_decay=self.how.weight_decay
        )
        self.per_epoch = [math.ceil(len(train) / self.how.batch_size) for train, _ in self.tasks]
        self.lengths = [self.how.length(task, each) for task, each in enumerate(self.per_epoch)]
        self.ends = torch.tensor(self.lengths).add(self.fine_tuning).cumsum(0).tolist()
        self.constants = [self._constants(train) for train, _ in self.tasks]
        self.memories: list[CondensedSet | None] = [None] * len(self.tasks)
        self.seen: dict[int, tuple[Tensor, Tensor]] = {}  # task to its memory, as networks see it, and labels
        self.taught: dict[int, Tensor] = {}  # task to the logits of its own network on its memory
        self.order: tuple[tuple[int, int], Tensor] = (-1, -1), torch.empty(0)

    def _try_memory(self) -> None:
        """Let what would fail when the first task is over, hours from now, fail at once."""
        options_of_memory_fit(self.memory, self.memory in CHOSEN, self.memory_options)
        for train, _ in self.tasks[: self.with_memory]:
            class_members(train, self.images_per_class)
        if self.memory not in CHOSEN:
            options = self._memory_options(None, None)
            Condensation(self.tasks[0][0], self.memory, self.images_per_class, **options)

    def run(self, checkpoint: str | Path | None, checkpoint_every: int, progress: bool | None) -> ContinualHistory:
        """Learn all tasks, and test after each."""
        history = ContinualHistory()
        training = Training(
            self.ends[-1], "continual", state=self._state(), history=history, checkpoint=checkpoint,
            checkpoint_every=checkpoint_every, tensors=self._kept, progress=progress,
        )  # fmt: skip
        self._recall(training.step, training.resumed or {})
        self.network.train()
        for step in training:
            task = next(i for i, end in enumerate(self.ends) if step < end)
            at = step - (self.ends[task - 1] if task else 0)
            if at == 0:
                self._begin(task)
            loss = self._loss(task, *self._batch(task, at, step))
            training.proceed(loss)
            set_rates(self.optimiser, [1.0], self.how.rate(task, at, self.lengths[task], self.per_epoch[task]))
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            history.losses.append(float(loss.detach()))
            if at + 1 == self.lengths[task] and task < self.with_memory and self.memory is not None:
                self._keep(task, checkpoint, progress)
            if step + 1 == self.ends[task]:
                if task < len(self.old):
                    self.old[task].load_state_dict(self.network.state_dict())
                history.rows.append(tuple(self._right(other, task) for other in range(task + 1)))
        return history

    def _begin(self, task: int) -> None:
        """Start a task without momentum, with a head that knows nothing."""
        self.optimiser.state.clear()
        if task and not self.shared_head:
            fresh = cast(Any, self._fresh(self.seed * 1_000_003 + task))
            self.network.linear.load_state_dict(fresh.linear.state_dict())

    def _batch(self, task: int, at: int, step: int) -> tuple[Tensor, Tensor]:
        """Take the next images of an epoch in random order; in fine-tuning, the memory of the task."""
        if at >= self.lengths[task]:
            return self.seen[task]
        epoch, part = divmod(at, self.per_epoch[task])
        train = self.tasks[task][0]
        if self.order[0] != (task, epoch):  # drawn from the step at which the epoch began, also after resuming
            drawn = torch.randperm(len(train), generator=step_generator(self.seed, step - part))
            self.order = (task, epoch), drawn
        index = self.order[1][part * self.how.batch_size : (part + 1) * self.how.batch_size]
        x = _to_float(train.images[index], self.size, self.channels, self.device)
        if self.how.shift:
            generator = step_generator(self.seed + 1, step)
            for _ in range(2):
                (x,) = RandomShift(self.how.shift)(generator, x)
        return self._standardised(x, task), train.labels[index].to(self.device)

    def _loss(self, task: int, x: Tensor, labels: Tensor) -> Tensor:
        """Add up the cross-entropies of the new task and of all memories, and what distillation adds."""
        remembered = [old for old in range(task) if old in self.seen]
        parts = [x, *(self.seen[old][0] for old in remembered)]
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            features = self.network.embed(torch.cat(parts)).split([len(part) for part in parts])
            loss = F.cross_entropy(self.network.linear(features[0]).float(), labels)
            for old, of_memory in zip(remembered, features[1:], strict=True):
                logits = self._head(old, task)(of_memory).float()
                loss = loss + F.cross_entropy(logits, self.seen[old][1])
                if self.distill:
                    loss = loss + self._departure(logits, self._taught(old))
            for old in range(task) if self.distill else ():
                with torch.no_grad():
                    before = self.old[old](x).float()
                loss = loss + self._departure(self._head(old, task)(features[0]).float(), before)
        return loss / (1 + (task if self.distill else len(remembered)))

    def _departure(self, now: Tensor, before: Tensor) -> Tensor:
        """Compute the cross-entropy of the two softened answers (Hinton et al. 2015, without the factor T squared)."""
        soft = (before / self.how.temperature).softmax(1)
        return -(soft * (now / self.how.temperature).log_softmax(1)).sum(1).mean()

    @torch.no_grad()
    def _taught(self, old: int) -> Tensor:
        """Ask the network of an old task for its answers to that task's memory, which never change."""
        if old not in self.taught:
            self.taught[old] = self.old[old](self.seen[old][0]).float()
        return self.taught[old]

    def _head(self, of: int, task: int) -> nn.Module:
        """Find the head of a task while another is learned."""
        return self.network.linear if self.shared_head or of == task else self.old[of].linear

    def _keep(self, task: int, checkpoint: str | Path | None, progress: bool | None) -> None:
        """Make the memory of a task whose own images have been learned."""
        if self.given:
            few = self.memory[task]
        else:
            options = self._memory_options(task, progress)
            if self.memory not in CHOSEN:
                options["checkpoint"] = beside(checkpoint, f"memory-{task}")
            few = remember(self.tasks[task][0], self.memory, self.images_per_class, seed=self.seed, **options)
        self._see(task, few)

    def _memory_options(self, task: int | None, progress: bool | None) -> dict[str, Any]:
        """List the arguments with which a memory is made; features are those of the network as it is."""
        options = {"size": self.size, "channels": self.channels} | dict(self.memory_options)
        if self.memory not in CHOSEN:
            options |= {"device": self.device, "progress": progress}
        elif self.memory != "random" and task is not None:
            options["features"] = self._features(task)
        return options

    def _see(self, task: int, few: CondensedSet) -> None:
        """Put a memory where the loss finds it, as networks see images."""
        self.memories[task] = few
        self.seen[task] = self._standardised(few.images.to(self.device), task), few.labels.to(self.device)

    @torch.no_grad()
    def _features(self, task: int) -> Tensor:
        """Compute the features of all images of a task by the network as it is."""
        batches = self.tasks[task][0].batches(500, self.size, self.channels, self.device)
        with evaluation_mode(self.network):
            return torch.cat([self._embedded(self._standardised(x, task)).float().cpu() for x, _ in batches])

    @torch.no_grad()
    def _right(self, of: int, task: int) -> float:
        """Measure the accuracy on the test set of one task when another has just been learned."""
        head, test, right = self._head(of, task), self.tasks[of][1], 0
        with evaluation_mode(self.network), torch.autocast(self.device.type, torch.bfloat16, self.bf16):
            for x, labels in test.batches(500, self.size, self.channels, self.device):
                right += int((head(self._embedded(self._standardised(x, of))).argmax(1) == labels).sum())
        return right / len(test)

    def _embedded(self, x: Tensor) -> Tensor:
        return torch.cat([self.network.embed(part) for part in in_cache(x)])

    def _constants(self, train: ImageSet) -> tuple[Tensor, Tensor]:
        mean, std = torch.full((self.channels,), 0.5), torch.ones(self.channels)
        if self.how.own_constants:
            mean, std = constants(train, self.channels)
        return mean[:, None, None].to(self.device), std[:, None, None].to(self.device)

    def _standardised(self, x: Tensor, task: int) -> Tensor:
        mean, std = self.constants[task]
        return (x - mean) / std

    def _fresh(self, seed: int) -> nn.Module:
        with globally_seeded(seed, self.device):
            return self.make().to(self.device)

    def _state(self) -> TrainingState:
        """Collect what a checkpoint holds, and what tells this run from another."""
        sets = [part for pair in self.tasks for images in pair for part in (images.images, images.labels)]
        memory = [digest(few.images) for few in self.memory] if self.given else self.memory
        settings = asdict(self.how) | {
            "tasks": digest(*sets), "memory": asdict(memory) if isinstance(memory, Matching) else memory,
            "images_per_class": self.images_per_class, "memory_options": _told(self.memory_options),
            "distill": self.distill, "shared_head": self.shared_head, "size": self.size, "channels": self.channels,
            "seed": self.seed, "bf16": self.bf16, "network": digest(*self.network.parameters()),
        }  # fmt: skip
        return TrainingState({"network": self.network, "old": self.old}, {"network": self.optimiser}, settings)

    def _kept(self) -> dict[str, Tensor]:
        """Name the tensors of all memories, for a checkpoint."""
        made = {} if self.given else {task: few for task, few in enumerate(self.memories) if few is not None}
        parts = ("images", "labels", "mean", "std")
        return {f"memory/{task}/{part}": getattr(few, part) for task, few in made.items() for part in parts}

    def _recall(self, step: int, resumed: Mapping[str, Tensor]) -> None:
        """Take up the memories of a run that was killed after so many steps."""
        for task in range(self.with_memory):
            if step < self.ends[task] - self.fine_tuning or self.memory is None:
                continue
            few = self.memory[task] if self.given else None
            if few is None:
                parts: dict[str, Any] = {
                    part: resumed[f"memory/{task}/{part}"] for part in ("images", "labels", "mean", "std")
                }
                train = self.tasks[task][0]
                few = CondensedSet(classes=train.classes, made={"name": f"{train.name}, {self.memory}"}, **parts)
            self._see(task, few)


def _told(options: Mapping[str, Any]) -> dict[str, str]:
    """Write options so that a checkpoint can compare them: a density by its weights."""
    return {
        name: digest(*value.parameters()) if isinstance(value, nn.Module) else repr(value)
        for name, value in options.items()
    }

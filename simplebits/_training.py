"""The one training loop: bar, resuming, checkpoints, time, steps that are not finite; a method's `fit` is its update.

training = Training(steps, "classifier", state=state, history=history, checkpoint=path, progress=progress)
for step in training:
    loss = update(step)
    if training.proceed(loss):
        history.losses.append(float(loss))
    if training.at(measure_every):
        history.measured.append((step + 1, measure()))
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simplebits import _progress
from simplebits._training_state import TrainingState

SECONDS = 30  # between two writes, where steps may take a millisecond or a minute
KEPT = "kept/"  # before the step, in the names of a checkpoint's kept frames


class Training:
    """The steps of one training, counted from 0, those before a checkpoint left out.

    Args:
        steps: in all, resumed ones included.
        description: what the bar says.
        state: networks and optimisers, written to a checkpoint and read back.
        history: a data class of JSON values with `seconds`; a field `kept`, if it has one, holds (step, frame).
        checkpoint: file to resume from, if it is there, and to write to; None: neither.
        checkpoint_every: steps between two writes; None: half a minute. The last step is written too.
        begun: steps taken in an earlier call with the same networks; above 0, the checkpoint is only written.
        patience: so many steps in a row that are not finite end the training.
        remedy: what to do about them, the end of the error message.
        tensors: what else a checkpoint holds, asked at each write.
        unit: what the method calls its steps, the name of its argument.
        progress: show a bar; None: on a terminal only.

    Attributes:
        step: steps done.
        stride: how many the present one counts for, where a pass does several at once; 1 unless the loop says more.
        bar: tqdm's, for `set_postfix`.
        resumed: the further tensors of the checkpoint that was gone on from; None at a fresh start.

    Raises:
        ValueError: the checkpoint belongs to another training, or holds more steps than these.
    """

    def __init__(
        self,
        steps: int,
        description: str,
        *,
        state: TrainingState,
        history: Any,
        checkpoint: str | Path | None = None,
        checkpoint_every: int | None = 100,
        begun: int = 0,
        patience: int = 1,
        remedy: str = "lower the learning rate",
        tensors: Callable[[], dict[str, Tensor]] = dict,
        unit: str = "steps",
        progress: bool | None = None,
    ) -> None:
        self.steps, self.unit = steps, unit
        self.description, self.progress = description, progress
        self.state, self.history = state, history
        self.tensors = tensors
        self.path = Path(checkpoint) if checkpoint else None
        self.checkpoint_every = checkpoint_every
        self.patience, self.remedy = patience, remedy
        self.step, self.stride = begun, 1
        self.in_a_row = 0  # steps that were not finite
        self.ended = False
        self.resumed: dict[str, Tensor] | None = None
        if self.path and self.path.is_file() and not begun:
            self._resume(self.path)

    def __iter__(self) -> Iterator[int]:
        clock = time.perf_counter()
        with _progress.bar(self.steps, self.step, self.description, self.progress) as self.bar:
            while self.step < self.steps and not self.ended:
                yield self.step
                before, self.step = self.step, self.step + self.stride
                self.bar.update(self.stride)
                self.stride = 1
                every, spent = self.checkpoint_every, time.perf_counter() - clock
                due = spent > SECONDS if every is None else self.step // every > before // every
                if due or self.step == self.steps or self.ended:
                    self.history.seconds += time.perf_counter() - clock
                    clock = time.perf_counter()
                    if self.path:
                        self._save(self.path)

    def at(self, every: int | None) -> bool:
        """Tell whether the present step is the last, or completes a round of so many; None: whether it is the last."""
        last = self.step + 1 == self.steps or self.ended
        return last or (every is not None and (self.step + 1) % every == 0)

    def end(self) -> None:
        """Let the present step be the last one."""
        self.ended = True

    def proceed(self, *values: Tensor | bool) -> bool:
        """Tell whether loss and gradients are finite, so that the update may be made; count steps where they are not.

        Args:
            values: the loss first; then gradients, or whether they are finite.

        Raises:
            FloatingPointError: for `patience` steps in a row they were not.
        """
        finite = all(value if isinstance(value, bool) else bool(torch.isfinite(value).all()) for value in values)
        self.in_a_row = 0 if finite else self.in_a_row + 1
        if self.in_a_row >= self.patience:
            what = f"{self.in_a_row} steps in a row gave a loss or gradient that is not finite"
            if self.patience == 1:
                what = f"the loss is {float(torch.as_tensor(values[0]).detach().mean())}"
            raise FloatingPointError(f"{what} at step {self.step}; {self.remedy}")
        return finite

    def cooling(self, share: float) -> float:
        """Give the factor on a learning rate that falls linearly to zero over this share of the steps, the last."""
        return min(1.0, (self.steps - self.step) / max(share * self.steps, 1))

    def keep(self, frame: Tensor, step: int | None = None) -> None:
        """Keep a frame in `history.kept`, as of after the present step or at the start; one for a step."""
        at = self.step + 1 if step is None else step
        if all(at != known for known, _ in self.history.kept):
            self.history.kept.append((at, frame.cpu()))

    def _save(self, path: Path) -> None:
        note = {name: value for name, value in vars(self.history).items() if name != "kept"}
        frames = {f"{KEPT}{at}": frame for at, frame in getattr(self.history, "kept", ())}
        content = {"step": self.step, "in_a_row": self.in_a_row, "history": note}
        self.state.save(path, content, frames | self.tensors())

    def _resume(self, path: Path) -> None:
        note, tensors = self.state.load(path)
        if "step" not in note:
            raise ValueError(f"{path} was written by an earlier version; delete it or name another file")
        if note["step"] > self.steps:
            raise ValueError(
                f"{path} holds {note['step']} {self.unit}, {self.unit}={self.steps} asks for fewer; give at least "
                f"that many, or name another file"
            )
        self.step, self.in_a_row = note["step"], note.get("in_a_row", 0)
        for name, value in note["history"].items():
            if isinstance(value, list):  # JSON has no tuples
                value = [tuple(entry) if isinstance(entry, list) else entry for entry in value]
            setattr(self.history, name, value)
        frames = {name: tensors.pop(name) for name in list(tensors) if name.startswith(KEPT)}
        if frames:
            self.history.kept = sorted(
                ((int(name.removeprefix(KEPT)), frame) for name, frame in frames.items()), key=lambda pair: pair[0]
            )
        self.resumed = tensors


def set_rates(optimiser: torch.optim.Optimizer, rates: Sequence[float], factor: float) -> None:
    """Give the optimiser's groups these learning rates, times a factor."""
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        group["lr"] = rate * factor

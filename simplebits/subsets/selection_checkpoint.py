"""What a selection goes on from after it was killed, written every so often."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from simplebits._training_state import TrainingState, digest
from simplebits.subsets.masking import Features
from simplebits.subsets.score import ClassScore, Score

SECONDS = 30  # between two checkpoints


class SelectionCheckpoint:
    """The steps of a selection that are done, in a file; nothing where no path is given.

    Args:
        path: file to write to and to resume from.
        features: of the inputs.
        probe: gives the scores by which a file's score is known, those of whole, of half masked and of blank inputs;
            not called without a path.
        score: of a `ClassScore` the network's weights and the classes are compared too.
        rows: of the inputs, in those that the score is of.
        settings: what else the selection depends on.
    """

    def __init__(
        self,
        path: str | Path | None,
        features: Features,
        probe: Callable[[], Float[Tensor, " p"]],
        score: Score,
        rows: Int64[Tensor, " n"],
        **settings: Any,
    ) -> None:
        self.path, self._written = Path(path) if path else None, time.monotonic()
        if self.path is not None:
            inputs = digest(features.x, features.fill, features.kept)
            self._state = TrainingState({}, {}, {"inputs": inputs, "network": _known(score, rows)} | settings)
            self._probe = probe().double().cpu()

    def load(self) -> tuple[int, dict[str, Tensor]]:
        """The number of steps done and what was saved with them; 0 and nothing without a file.

        Raises:
            ValueError: the file belongs to something else, naming what differs.
        """
        if self.path is None or not self.path.is_file():
            return 0, {}
        note, tensors = self._state.load(self.path)
        there = tensors.pop("probe")
        # Not exactly: scores of the same network differ in their last digits between devices.
        same = there.shape == self._probe.shape and torch.isclose(there, self._probe, 1e-3, 1e-6, equal_nan=True).all()
        if not same:
            raise ValueError(
                f"{self.path} belongs to another selection: its score gives the inputs, whole, half masked or blank, "
                f"other values. Delete it or name another file"
            )
        return note["steps"], tensors

    def save(self, steps: int, tensors: Mapping[str, Tensor], last: bool) -> None:
        """Write the steps done so far, if the last time is long enough ago or these are all."""
        if self.path is None or not (last or time.monotonic() - self._written > SECONDS):
            return
        self._state.save(self.path, {"steps": steps}, {**tensors, "probe": self._probe})
        self._written = time.monotonic()


def _known(score: Score, rows: Int64[Tensor, " n"]) -> str:
    """A digest of a classifier's weights, buffers and classes; of another function nothing but its values is known."""
    if not isinstance(score, ClassScore):
        return "unknown"
    mine = score.for_images(rows.to(score.classes.device))
    return digest(*mine.network.parameters(), *mine.network.buffers(), mine.classes.expand(len(rows)))

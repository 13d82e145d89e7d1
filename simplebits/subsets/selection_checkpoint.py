"""What a selection goes on from after it was killed, written every so often."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from simplebits._training_state import TrainingState, digest
from simplebits.subsets.masking import Features

SECONDS = 30  # between two checkpoints


class SelectionCheckpoint:
    """The steps of a selection that are done, in a file; nothing where no path is given.

    Args:
        path: file to write to and to resume from.
        features: of the inputs; they, and the scores, tell whose selection the file holds.
        start: the score of each input before the selection.
        generator: of what the selection draws; its state is kept too.
        settings: what else the selection depends on.
    """

    def __init__(
        self,
        path: str | Path | None,
        features: Features,
        start: Float[Tensor, " n"],
        generator: torch.Generator | None,
        **settings: Any,
    ) -> None:
        self.path, self.generator, self._written = Path(path) if path else None, generator, time.monotonic()
        if self.path is not None:
            # Rounded: scores of the same network differ in their last digits between devices.
            scores = [float(f"{value:.2g}") for value in start.tolist()]
            inputs = digest(features.x, features.fill, features.kept)
            self._state = TrainingState({}, {}, {"inputs": inputs, "scores": scores} | settings)

    def load(self) -> tuple[int, dict[str, Tensor]]:
        """The number of steps done and what was saved with them; 0 and nothing without a file.

        Raises:
            ValueError: the file belongs to something else, naming what differs.
        """
        if self.path is None or not self.path.is_file():
            return 0, {}
        note, tensors = self._state.load(self.path)
        if self.generator is not None:
            self.generator.set_state(tensors.pop("generator"))
        return note["steps"], tensors

    def save(self, steps: int, tensors: Mapping[str, Tensor], last: bool) -> None:
        """Write the steps done so far, if the last time is long enough ago or these are all."""
        if self.path is None or not (last or time.monotonic() - self._written > SECONDS):
            return
        drawn = {} if self.generator is None else {"generator": self.generator.get_state()}
        self._state.save(self.path, {"steps": steps}, {**tensors, **drawn})
        self._written = time.monotonic()

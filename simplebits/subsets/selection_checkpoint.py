"""By what a selection knows its own checkpoint: inputs, network, settings, and the scores of some masked inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from simplebits._training_state import TrainingState, digest
from simplebits.subsets.masking import Features
from simplebits.subsets.score import ClassScore, Score

NOT_WRITTEN = TrainingState({}, {}, {})  # digests of large networks take time


def selection_state(
    score: Score, features: Features, rows: Int64[Tensor, " r"], settings: Mapping[str, Any]
) -> TrainingState:
    """State what a checkpoint is compared by, which is all that a selection of the inputs in these rows depends on."""
    chosen = features.take(rows)
    inputs = digest(chosen.x, chosen.fill, chosen.kept)
    return TrainingState({}, {}, {"inputs": inputs, "network": _network(score, rows), **settings})


def check_same_score(path: str | Path, written: Float64[Tensor, " p"], measured: Float64[Tensor, " p"]) -> None:
    """Raise ValueError unless the score gives the same inputs what it gave when the checkpoint was written."""
    # Not exactly: scores of the same network differ in their last digits between devices.
    same = written.shape == measured.shape and torch.isclose(written, measured, 1e-3, 1e-6, equal_nan=True).all()
    if not same:
        raise ValueError(
            f"{path} belongs to another selection: its score gives the inputs, whole, half masked or blank, "
            f"other values. Delete it or name another file"
        )


def _network(score: Score, rows: Int64[Tensor, " r"]) -> str:
    """Compute a digest of a classifier's weights, buffers and classes; of a function, of nothing but its values."""
    if not isinstance(score, ClassScore):
        return "unknown"
    classes = score._classes_of(rows).expand(len(rows))
    return digest(*score.network.parameters(), *score.network.buffers(), classes)

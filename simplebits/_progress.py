"""One kind of progress bar for all long loops: on a terminal and in a live notebook, never in a rendered page."""

from __future__ import annotations

import os
from typing import Any

from tqdm.auto import tqdm


def bar(total: int, done: int, description: str, progress: bool | None) -> Any:
    """Make a tqdm bar that starts at `done`.

    Args:
        total: number of steps in all.
        done: steps taken before, by a run that is resumed.
        description: what the bar says.
        progress: show it; None: where someone watches, and not if the environment has TQDM_DISABLE, as every lesson
            has that `simplebits run` executes.
    """
    hide: bool | None = not progress
    if progress is None:
        hide = True if os.environ.get("TQDM_DISABLE") else None  # None: tqdm looks for a terminal
    return tqdm(total=total, initial=done, desc=description, unit="step", disable=hide)

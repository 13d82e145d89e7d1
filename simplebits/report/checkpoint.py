"""Where a lesson's long loops keep what a killed run goes on from."""

from __future__ import annotations

import os
from pathlib import Path

from simplebits._door import door


@door
def checkpoint(name: str) -> Path | None:
    """Name a file for the checkpoints of one long loop; None in a notebook that is not run by `simplebits run`.

    The runner names a folder of its own for every notebook, profile and set of parameters, and empties it after a
    complete run: in a notebook opened by hand nothing is left behind, and nothing old is taken up.

    Args:
        name: tells the loops of one notebook apart.

    Raises:
        ValueError: `name` is empty or no file name.
    """
    if not name or Path(name).name != name:
        raise ValueError(f"name={name!r}: give a plain file name, as 'glow' or 'ablation-2'")
    folder = os.environ.get("SIMPLEBITS_CHECKPOINTS")
    return Path(folder) / f"{name}.safetensors" if folder else None

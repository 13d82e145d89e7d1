"""An array script for SLURM: one case a task, each resumable by handing the script in again."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path

from simplebits import _files
from simplebits.run.standing import Standing

_SCRIPT = """#!/usr/bin/env bash
# One task a case; hand it in again to go on with what was killed: sbatch {name}
#SBATCH --job-name=simplebits
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task=1
#SBATCH --mem=8G
#SBATCH --time={hours}:00:00
{gpu}#SBATCH --output=simplebits-%A-%a.txt
set -euo pipefail
cases=(
{cases}
)
cd {root}
# shellcheck disable=SC2086  # a study and its case are two words
exec {python} -m simplebits.run.cli reproduce{at}{device} ${{cases[$SLURM_ARRAY_TASK_ID]}}
"""


def write(
    path: Path,
    cases: Sequence[Standing],
    root: Path,
    python: str,
    device: str | None = None,
    commit: str | None = None,
) -> int:
    """Write the script; returns how many tasks it has.

    Args:
        path: of the script.
        cases: those that are done are left out.
        root: the repository, which all nodes see at this path.
        python: the interpreter there.
        device: `cuda` asks for a GPU for each task.
        commit: from whose working tree the cases run; None: the tree as it is.

    Raises:
        ValueError: nothing is left to do.
        OSError: the script cannot be written.
    """
    left = [standing for standing in cases if not standing.done]
    if not left:
        raise ValueError("every case that was named is done; there is nothing to hand to SLURM")
    hours = max(case.case.gpu_hours if device == "cuda" else case.hours for case in left)
    text = _SCRIPT.format(
        name=path.name,
        last=len(left) - 1,
        hours=max(1, math.ceil(2 * hours)),  # estimates are rough, and nodes differ
        gpu="#SBATCH --gpus=1\n" if device == "cuda" else "",
        cases="\n".join(f'  "{shlex.quote(case.case.study)} {shlex.quote(case.case.name)}"' for case in left),
        root=shlex.quote(str(root)),
        python=shlex.quote(python),
        at=f" --at {shlex.quote(commit)}" if commit else "",
        device=f" --device {shlex.quote(device)}" if device else "",
    )
    _files.write_text(path, text)
    return len(left)

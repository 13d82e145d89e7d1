"""Refuse work that would not fit into memory before it starts."""

from __future__ import annotations

import os
from pathlib import Path

import torch


def available(device: torch.device) -> float:
    """Ask how many bytes can still be had on a device; infinity where the system does not tell."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        # What the page cache holds counts as free: Linux says so here only.
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return float("inf")


def require(work: str, size: float, device: torch.device, option: str) -> None:
    """Raise ValueError unless `size` bytes are free.

    Args:
        work: what needs them.
        size: bytes.
        device: where.
        option: what makes it smaller, for the message.
    """
    free = available(device)
    if size > free:
        raise ValueError(f"{work} needs {size / 2**30:.3g} GiB of memory, {free / 2**30:.3g} GiB are free; {option}")

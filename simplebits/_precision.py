"""Half precision where it pays: many processors have no bfloat16 arithmetic and need twenty times as long with it."""

from __future__ import annotations

import functools
import time

import torch
from torch import Tensor


def widened(x: Tensor) -> Tensor:
    """Bring half precision to single: what inverts a matrix or adds up logarithms needs it. Others stay as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def choose_bf16(bf16: bool | None, device: torch.device) -> bool:
    """Decide whether to compute in bfloat16: as the caller says; for None, if this device is faster so.

    Raises:
        TypeError: neither a bool nor None; "no" would mean yes.
    """
    if bf16 is not None and not isinstance(bf16, bool):
        raise TypeError(f"bf16: expected True, False, or None to choose by the device, got {bf16!r}")
    return faster_in_bf16(device.type) if bf16 is None else bf16


@functools.cache
def faster_in_bf16(device_type: str) -> bool:
    """Tell whether products of matrices take at most two thirds of the time in bfloat16; measured once, in some ms.

    Processors with the instructions for it need a quarter of the time, the others many times as long, so that noise
    does not decide. A GPU is asked for its generation: from Ampere (2020) on they have them.
    """
    if device_type == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    return _seconds(torch.bfloat16, device_type) < _seconds(torch.float32, device_type) * 2 / 3


def _seconds(dtype: torch.dtype, device_type: str) -> float:
    a, times = torch.ones(256, 256, dtype=dtype, device=device_type), []
    for _ in range(4):
        start = time.perf_counter()
        (a @ a)[0, 0].item()  # waits for the product, on any device
        times.append(time.perf_counter() - start)
    return min(times)

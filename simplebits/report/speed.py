"""How fast this machine is, by one short piece of work: from what a run took elsewhere follows what it takes here."""

from __future__ import annotations

import time
from collections.abc import Callable


def yardstick(tries: int = 5) -> float:
    """Measure the seconds that one thread needs for ten small convolutions, forward and back.

    The processor's time is taken, not the clock's, and the shortest of some tries, so that other work counts little.

    >>> 0 < yardstick(1) < 60
    True
    """
    import torch  # here, so that the command line, which shows costs too, starts without it
    from torch.nn.functional import conv2d

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        generator = torch.Generator().manual_seed(0)
        x = torch.rand(32, 16, 16, 16, generator=generator)
        weight = torch.rand(32, 16, 3, 3, generator=generator).requires_grad_()
        return min(_seconds(lambda: conv2d(x, weight, padding=1).square().mean().backward()) for _ in range(tries))
    finally:
        torch.set_num_threads(threads)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    for _ in range(10):
        work()
    return time.process_time() - begun

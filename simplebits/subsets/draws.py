"""What a selection draws for an image: the same whichever other images are selected together with it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from simplebits._training_state import step_generator

SEEDS = 2**40  # step_generator takes a seed times a million


class Draws:
    """One seed an image. A batch gets those that its images would get one after the other from the same generator.

    Args:
        generator: gives each image its seed; None: all have seed 0, so that each draws what it would draw alone.
        n: images.
    """

    def __init__(self, generator: torch.Generator | None, n: int) -> None:
        if generator is None:
            self.seeds = torch.zeros(n, dtype=torch.int64)
        else:
            self.seeds = torch.randint(SEEDS, (n,), generator=generator, device=generator.device).cpu()
        # Steps that each image has drawn for: a second selection of the image draws anew.
        self.steps = torch.zeros(n, dtype=torch.int64)

    def normal(self, rows: Int64[Tensor, " r"], step: int, count: int) -> Float[Tensor, "r count"]:
        """Draw from the standard normal distribution for a step of these images, in double precision on the CPU."""
        return self._each(rows, step, lambda draws: torch.randn(count, generator=draws, dtype=torch.float64))

    def uniform(self, rows: Int64[Tensor, " r"], step: int, count: int) -> Float[Tensor, "r count"]:
        """Draw from [0, 1) for a step of these images, in double precision on the CPU."""
        return self._each(rows, step, lambda draws: torch.rand(count, generator=draws, dtype=torch.float64))

    def advance(self, rows: Int64[Tensor, " r"], steps: int) -> None:
        """Note that these images have drawn for so many steps more."""
        self.steps[rows.cpu()] += steps

    def _each(self, rows: Tensor, step: int, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        rows = rows.cpu()
        places = list(zip(self.seeds[rows].tolist(), (self.steps[rows] + step).tolist(), strict=True))
        drawn = {place: draw(step_generator(*place)) for place in set(places)}
        return torch.stack([drawn[place] for place in places])

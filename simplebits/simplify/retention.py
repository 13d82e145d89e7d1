"""How much of each known part of an image a simplified version keeps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from simplebits._door import door
from simplebits.domains import Images

# A standard deviation below this is no picture: one pixel of 512x512 one grey level off has eight times as much.
_FLAT = 1e-6
# 1 - r^2 of two parts below this is a correlation of one, up to the rounding of 32-bit floats.
_COLLINEAR = 1e-10


@dataclass(frozen=True, eq=False)
class Retention:
    """The share of each part that is kept: 1 whole, 0 gone, below 0 inverted; NaN where it is not defined.

    Attributes:
        task: float64 `[n]`.
        distractor: float64 `[n]`.
        task_overall: one coefficient for all images: an image counts by its contrast, so that one with a part that is
            all but flat, whose own coefficients are mostly rounding, counts next to nothing.
        distractor_overall: the same of the distractor.
    """

    task: Float[Tensor, " n"]
    distractor: Float[Tensor, " n"]
    task_overall: float
    distractor_overall: float


@door
def retention(simplified: Images, task_part: Images, distractor_part: Images) -> Retention:
    """Measure what is left of task and distractor: simplified ~ a task + b distractor + c, for each image.

    Least squares over all values of an image, after the mean of each of the three is taken off: how bright an image is
    says nothing about what it shows. Solved in closed form, in float64.

    A part without contrast (all values equal) has no coefficient: its own is NaN, and the other's comes from the fit
    without it. Of two parts that are multiples of each other, up to brightness, none can be told from the other: both
    are NaN. `torch.nanmean` averages over the rest.

    Args:
        simplified: images in [0, 1].
        task_part: of the originals, in [0, 1]; `CompositeSet.parts` gives both parts.
        distractor_part: of the originals, in [0, 1].

    Returns:
        `.task` (a) and `.distractor` (b), `[n]` each, and one of each for all images together.

    Raises:
        TypeError: not a tensor.
        ValueError: not a float batch `[n, c, h, w]` with values in [0, 1], or the three differ in shape or device.

    >>> from simplebits import data
    >>> images = data.composite("interpolated", "test", task="digits", distractor="photos").draw(3)
    >>> task, distractor = images.parts()
    >>> kept = retention(task + 0.25 * distractor + 0.1, task, distractor)
    >>> kept.task, kept.distractor
    (tensor([1.0000, 1.0000, 1.0000], dtype=torch.float64), tensor([0.2500, 0.2500, 0.2500], dtype=torch.float64))
    """
    batches = {"simplified": simplified, "task_part": task_part, "distractor_part": distractor_part}
    for argument, x in batches.items():
        if (x.shape, x.device) != (simplified.shape, simplified.device):
            raise ValueError(
                f"{argument}: expected shape {list(simplified.shape)} on {simplified.device}, as simplified, "
                f"got {list(x.shape)} on {x.device}; CompositeSet.parts(size, channels, device) converts"
            )
    s, t, d = (x.double().flatten(1) for x in batches.values())
    s, t, d = (x - x.mean(1, keepdim=True) for x in (s, t, d))
    tt, td, dd, st, sd = ((x * y).sum(1) for x, y in ((t, t), (t, d), (d, d), (s, t), (s, d)))
    size = s.shape[1]
    overall = _coefficients(*(products.sum()[None] for products in (tt, td, dd, st, sd)), size * len(s))
    return Retention(*_coefficients(tt, td, dd, st, sd, size), *(float(share) for share in overall))


def _coefficients(
    tt: Float[Tensor, " n"],
    td: Float[Tensor, " n"],
    dd: Float[Tensor, " n"],
    st: Float[Tensor, " n"],
    sd: Float[Tensor, " n"],
    size: int,
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Solve the normal equations of two unknowns; `size` is the number of values that the products sum over."""
    flat_t, flat_d = (squares <= _FLAT**2 * size for squares in (tt, dd))
    determinant = tt * dd - td**2
    collinear = determinant <= _COLLINEAR * tt * dd
    a = torch.where(flat_d, st / tt, (st * dd - sd * td) / determinant)
    b = torch.where(flat_t, sd / dd, (sd * tt - st * td) / determinant)
    both = ~flat_t & ~flat_d & collinear
    return a.masked_fill(flat_t | both, torch.nan), b.masked_fill(flat_d | both, torch.nan)

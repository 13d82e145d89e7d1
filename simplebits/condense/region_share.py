"""Where two classes differ in a condensed set: the share of the difference that lies in a region known beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jaxtyping import Bool, Float
from torch import Tensor

from simplebits._door import door
from simplebits.condense.arguments import region_fits
from simplebits.domains import Finite


@dataclass(frozen=True)
class RegionShare:
    """How much of a difference between two classes lies in a region.

    Attributes:
        share: of the absolute difference, summed over pixels, that lies in the region, 0 to 1; NaN where the two
            classes do not differ.
        area: share of the pixels that the region has: what a difference without a place would put there.
        brighter: mean of second less first in the region, in [-1, 1] for images in [0, 1].
        elsewhere: the same outside the region.
    """

    share: float
    area: float
    brighter: float
    elsewhere: float


@door
def region_share(
    first: Annotated[Float[Tensor, "n c h w"], Finite()],
    second: Annotated[Float[Tensor, "m c h w"], Finite()],
    region: Bool[Tensor, "h w"],
) -> RegionShare:
    """Measure which share of the difference of two classes' mean images lies in a region.

    SimpleBits shows in figure 7 where the two condensed images of a pair differ, and names the place by eye. Where the
    region of the sign is known, this is a number. Channels are averaged before the difference is taken.

    Args:
        first: images of one class.
        second: images of the other.
        region: True on the pixels where the sign is, `PhantomSet.region` for example.

    Raises:
        TypeError: an argument is no tensor.
        ValueError: images or region of different sizes, values that are not finite, a region of no pixel or of all.

    >>> import torch
    >>> dark, fluid = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    >>> fluid[..., 3:, :] = 0.5
    >>> fluid[..., 0, 0] = 0.5
    >>> found = region_share(dark, fluid, torch.arange(4)[:, None].expand(4, 4) == 3)
    >>> found.share, found.area, found.brighter
    (0.8, 0.25, 0.5)
    """
    region_fits(region, first, second)
    difference = (second.double().mean((0, 1)) - first.double().mean((0, 1))).cpu()
    inside = region.cpu()
    share = difference[inside].abs().sum() / difference.abs().sum()
    return RegionShare(
        share=float(share), area=float(inside.double().mean()),
        brighter=float(difference[inside].mean()), elsewhere=float(difference[~inside].mean()),
    )  # fmt: skip

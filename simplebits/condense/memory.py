"""What a learner keeps of a task that is over: a few images a class, chosen or condensed, and their cost in bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from jaxtyping import Float
from torch import Tensor

from simplebits._door import door
from simplebits.condense.arguments import options_of_memory_fit
from simplebits.condense.condense import condense
from simplebits.condense.condensed_set import CondensedSet
from simplebits.condense.coresets import coreset
from simplebits.condense.matching import METHODS, Matching
from simplebits.data import ImageSet
from simplebits.data.image_set import Channels
from simplebits.density import DensityModel
from simplebits.density.measure import mean_bits
from simplebits.domains import Count, Filled, Finite, Known, Seed

CHOSEN = ("random", "herding", "k-centre")
Way = Annotated[str, Known(lambda: (*CHOSEN, *METHODS))] | Matching


@door
def remember(
    train: ImageSet,
    method: Way,
    images_per_class: Count,
    *,
    features: Annotated[Float[Tensor, "n d"], Finite()] | None = None,
    size: Count | None = None,
    channels: Channels = None,
    seed: Seed = 0,
    **options: Any,
) -> CondensedSet:
    """Make the memory of one task: real images, chosen as by `coreset`, or synthetic ones, learned as by `condense`.

    Args:
        train: the task's training set.
        method: `random`, `herding` or `k-centre` choose; `gradient`, `distribution` and `pixels`, or an object with
            such a method's settings, condense.
        images_per_class: images kept of each class.
        features: one row for each image, for herding and k-centre.
        size: height and width of what is kept; None: as they are, or the density's.
        channels: 1 or 3; None: as they are, or the density's.
        seed: of everything drawn.
        options: of `condense`: `density` and `bit_weight` put a price on bits; none for images that are chosen.

    Raises:
        TypeError: an argument of the wrong kind, or an option that the method does not have.
        ValueError: an argument out of range, features that are missing, a class with too few images.

    >>> import simplebits as sb
    >>> remember(sb.data.load("digits", "train"), "random", 2, size=8)
    CondensedSet('digits/train, random': 2 images per class, 20 x 1x8x8)
    """
    options_of_memory_fit(method, method in CHOSEN, options)
    if method not in CHOSEN:
        return condense(train, method, images_per_class, size=size, channels=channels, seed=seed, **options)
    chosen = coreset(train, str(method), images_per_class, features=features, seed=seed)  # type: ignore[arg-type]
    return CondensedSet.of(chosen, train, size, channels)


@door
def memory_bits(memory: Annotated[Sequence[CondensedSet], Filled()], density: DensityModel, seed: Seed = 0) -> float:
    """Count the bits that a memory takes: bits per dimension, times dimensions, times images, over all of its sets.

    Every image is rounded to bytes, brought to the density's size and channels, and measured there. So memories of
    chosen and of condensed images, with a price on bits or without, can be compared on one axis.

    Args:
        memory: the sets that are kept, one for each task.
        density: what measures; its size and channels count.
        seed: of the de-quantisation noise.

    Returns:
        Bits in all: those of the images, without their labels.

    Raises:
        TypeError: a set that is no CondensedSet, or density is none.
        ValueError: no set.

    >>> import simplebits as sb
    >>> digits, density = sb.data.load("digits", "train"), sb.density.load("glow-16px")
    >>> one, two = (memory_bits([remember(digits, "random", k)], density) for k in (1, 2))
    >>> 1.5 < two / one < 2.5
    True
    """
    device = next(density.parameters()).device
    total = 0.0
    for few in memory:
        x = few.to_image_set().to_float(density.image_size, density.channels, device)  # type: ignore[arg-type]
        total += mean_bits(density, x, seed) * density.dims * len(few)
    return total

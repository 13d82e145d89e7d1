"""Condense a data set: one call for all methods and any number of seeds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, overload

from simplebits._door import door
from simplebits._files import beside
from simplebits.condense.arguments import Seeds
from simplebits.condense.condensation import Condensation
from simplebits.condense.condensed_set import RENAMED, CondensedSet
from simplebits.condense.matching import Matching, Method
from simplebits.data import ImageSet
from simplebits.domains import Count


@overload
def condense(
    train: ImageSet, method: str | Matching, images_per_class: int, *, seed: int = 0, **options: Any
) -> CondensedSet: ...
@overload
def condense(
    train: ImageSet, method: str | Matching, images_per_class: int, *, seed: Iterable[int], **options: Any
) -> list[CondensedSet]: ...


@door(renamed=RENAMED)
def condense(
    train: ImageSet,
    method: Method,
    images_per_class: Count,
    *,
    seed: Seeds = 0,
    checkpoint: str | Path | None = None,
    **options: Any,
) -> CondensedSet | list[CondensedSet]:
    """Learn a few synthetic images a class on which a network trains as on the whole set.

    `gradient` matches the gradients of the classification loss in a network's weights (algorithm 1 of the paper; with
    `augment` its successor with siamese augmentation), `distribution` the mean features of randomly drawn networks,
    `pixels` the mean pixels, a baseline. With a density, images also become simple (SimpleBits, equation 7). A run
    with a `checkpoint` goes on from it if the file is there; on a CPU it ends bit for bit where an uninterrupted one
    does.

    Args:
        train: the whole set; every class needs `images_per_class` images.
        method: `gradient`, `distribution` or `pixels`; or an object that holds such a method's settings:
            `GradientMatching`, `DistributionMatching`, `PixelMatching`.
        images_per_class: synthetic images of each class.
        seed: of start, networks, batches and augmentation; several: a run for each.
        checkpoint: file to write and to resume from; with several seeds, each has a file of its own beside it.
        options: the rest of `Condensation`'s arguments, which its docstring explains: `network`, `network_options`,
            `size` and `channels`; `real_batch`, `augment`, `momentum` and `cool_down`; `density` and `bit_weight`;
            `device`, `together`, `bf16` and `compiled`; `keep_every`, `checkpoint_every` and `progress`. And what to
            change of the method's settings, which its class explains: `iterations`, `learning_rate` and `start`; of
            `gradient` also `outer`, `inner`, `distance`, `network_learning_rate` and `network_momentum`.

    Returns:
        The condensed set, or one for each seed.

    Raises:
        TypeError: an argument of the wrong kind, or an unknown option (the nearest is named).
        ValueError: an argument out of range or unknown, a class with too few images, images that do not fit the
            network or the density, another run's checkpoint.
        FloatingPointError: the loss is not finite.

    >>> import simplebits as sb
    >>> digits = sb.data.load("digits", "train")
    >>> small = {"network_options": {"width": 8, "depth": 2}, "size": 8, "real_batch": 8}
    >>> condense(digits, "distribution", 1, iterations=2, **small)
    CondensedSet('digits/train, distribution': 1 image per class, 10 x 1x8x8)
    >>> condense(digits, sb.condense.GradientMatching(iterations=2, distance="mse"), 1, **small)
    CondensedSet('digits/train, gradient': 1 image per class, 10 x 1x8x8)
    """
    seeds = [seed] if isinstance(seed, int) else list(seed)
    results = []
    for one in seeds:
        of_seed = checkpoint if len(seeds) == 1 else beside(checkpoint, one)
        results.append(Condensation(train, method, images_per_class, seed=one, **options).run(of_seed))
    return results[0] if isinstance(seed, int) else results

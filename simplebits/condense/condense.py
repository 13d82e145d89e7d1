"""Condense a data set: one call for all methods and any number of seeds."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from simplebits import _check
from simplebits.condense.condensation import Condensation
from simplebits.condense.condensed_set import CondensedSet
from simplebits.data import ImageSet


@overload
def condense(train: ImageSet, method: str, images_per_class: int, *, seed: int = 0, **options: Any) -> CondensedSet: ...
@overload
def condense(
    train: ImageSet, method: str, images_per_class: int, *, seed: Sequence[int], **options: Any
) -> list[CondensedSet]: ...


def condense(
    train: ImageSet,
    method: str,
    images_per_class: int,
    *,
    seed: int | Sequence[int] = 0,
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
        method: `gradient`, `distribution` or `pixels`.
        images_per_class: synthetic images of each class.
        seed: of start, networks, batches and augmentation; several: a run for each.
        checkpoint: file to write and to resume from; with several seeds, each has a file of its own beside it.
        options: the rest of `Condensation`'s arguments, which its docstring explains: `network`, `network_options`,
            `size` and `channels`; `iterations`, `outer`, `inner` and `real_batch`; `init` and `augment`; `distance`,
            `learning_rate`, `momentum`, `cool_down`, `network_learning_rate` and `network_momentum`; `density` and
            `lambda_sim`; `device`, `together`, `bf16` and `compiled`; `keep_every`, `checkpoint_every` and `progress`.

    Returns:
        The condensed set, or one for each seed.

    Raises:
        TypeError: train is no ImageSet, or an unknown option (the nearest is named).
        ValueError: an argument out of range or unknown, a class with too few images, images that do not fit the
            network or the density, another run's checkpoint.
        FloatingPointError: the loss is not finite.

    >>> import simplebits as sb
    >>> digits = sb.data.load("digits", "train")
    >>> small = {"network_options": {"width": 8, "depth": 2}, "size": 8, "real_batch": 8}
    >>> condense(digits, "distribution", 1, iterations=2, **small)
    CondensedSet('digits/train, distribution': 1 image per class, 10 x 1x8x8)
    """
    known = list(inspect.signature(Condensation).parameters)[3:]  # after train, method and images_per_class
    for name in options:
        if name not in known:
            raise TypeError(f"condense has no option {name!r}; {_check.nearest(name, known)}")
    several = isinstance(seed, Sequence) and not isinstance(seed, str)
    seeds = [_check.seed("seed", value) for value in (seed if several else [seed])]
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seed={seed!r}: give a whole number, or several different ones")
    path, results = None if checkpoint is None else Path(checkpoint), []
    for value in seeds:
        own = path and (path if len(seeds) == 1 else path.with_name(f"{path.stem}-{value}{path.suffix}"))
        results.append(Condensation(train, method, images_per_class, seed=value, **options).run(own))
    return results if several else results[0]

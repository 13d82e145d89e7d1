"""The numbers and names of a condensation, checked, with the published ones where the caller leaves the choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simplebits import _check
from simplebits.condense.distances import DISTANCES
from simplebits.condense.gradient import curriculum
from simplebits.density import DensityModel

METHODS = ("gradient", "distribution", "pixels")
STARTS = ("noise", "real")
ITERATIONS = {"gradient": 1000, "distribution": 20_000, "pixels": 20_000}
RATES = {"gradient": 0.1, "distribution": 1.0, "pixels": 1.0}
LOSSES = (*DISTANCES, "product", "unrolled")  # the last two: of the gradients of all classes together

_OF_GRADIENTS = ("distance", "outer", "inner", "network_learning_rate", "network_momentum")
_WHOLE = (
    "images_per_class", "iterations", "outer", "inner", "real_batch", "checkpoint_every", "keep_every", "size",
    "channels",
)  # fmt: skip


def resolved(
    method: str, density: DensityModel | None, augmented: bool, image: tuple[int, int], given: Mapping[str, Any]
) -> dict[str, Any]:
    """What `Condensation` is given, checked; its docstring says what None stands for.

    Args:
        method: `gradient`, `distribution` or `pixels`.
        density: measures bits, or None.
        augmented: whether there is a siamese augmentation.
        image: channels and height of the set's images.
        given: the arguments of `Condensation` that are numbers or names, by name.

    Raises:
        TypeError: a density of another kind.
        ValueError: an argument out of range or unknown, or one that only gradient matching has.
    """
    _check.one_of("method", method, METHODS)
    if density is not None:
        _check.density_model("density", density)
    foreign = [f"{name}={given[name]!r}" for name in _OF_GRADIENTS if method != "gradient" and given[name] is not None]
    if foreign:
        raise ValueError(f"{', '.join(foreign)}: only gradient matching has this; leave it out for {method!r}")
    _check.positive("images_per_class", given["images_per_class"], integer=True)
    steps, epochs = curriculum(given["images_per_class"])
    dense = density is not None
    channels, size = (density.channels, density.image_size) if dense else image
    usual = {
        "iterations": ITERATIONS[method] + 1, "outer": steps, "inner": epochs, "size": size, "channels": channels,
        "distance": "layerwise", "init": "noise" if dense or (method == "gradient" and not augmented) else "real",
        "learning_rate": 0.1 if dense else RATES[method],
        "network_learning_rate": 0.01, "network_momentum": 0.5 if dense else 0.0,
    }  # fmt: skip
    chosen = {name: usual.get(name) if value is None else value for name, value in given.items()}
    for name in _WHOLE:
        if chosen[name] is not None:
            _check.positive(name, chosen[name], integer=True)
            chosen[name] = int(chosen[name])  # NumPy's have no place on a card
    for name in ("learning_rate", "network_learning_rate"):
        _check.positive(name, chosen[name])
    for name in ("cool_down", "momentum", "network_momentum"):
        _check.share(name, chosen[name])
    _check.positive("lambda_sim", chosen["lambda_sim"], allow_zero=True)
    _check.one_of("distance", chosen["distance"], LOSSES)
    _check.one_of("init", chosen["init"], STARTS)
    if chosen["lambda_sim"] and not dense:
        raise ValueError(f"lambda_sim={chosen['lambda_sim']:g} weighs bits that nothing measures; pass a density")
    if dense and (chosen["channels"], chosen["size"]) != (channels, size):
        raise ValueError(
            f"size={chosen['size']}, channels={chosen['channels']}: the density measures images of size {size} with "
            f"{channels} channels; leave both out"
        )
    return chosen


def card(method: str, density: DensityModel | None, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What the card of a set says of these; None for what its method does not use."""
    unused = set() if method == "gradient" else set(_OF_GRADIENTS)
    unused |= set() if density is None else {"momentum"}  # Adam has its own
    left_out = {"checkpoint_every", "keep_every"}  # change nothing of the result
    left_out |= set() if chosen["cool_down"] else {"iterations"}  # where the cooling begins depends on them
    return {name: None if name in unused else value for name, value in chosen.items() if name not in left_out}

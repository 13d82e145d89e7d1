"""Checks of what the trainings are given: a sentence that names the argument, before anything is computed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from simplebits import _check
from simplebits.data import ImageSet, RandomShift
from simplebits.networks.classify import check_labels, predict
from simplebits.networks.evaluation_mode import evaluation_mode


def check_set(argument: str, images: ImageSet) -> None:
    """Raise TypeError unless this is an image set, ValueError if it is empty."""
    _check.image_set(argument, images)
    if not len(images):
        raise ValueError(f"{argument}: the set is empty; give at least one image")


def check_network(argument: str, network: nn.Module) -> None:
    """Raise TypeError unless this is a module, ValueError if it has no parameters to train."""
    if not isinstance(network, nn.Module):
        raise TypeError(f"{argument}: expected a torch.nn.Module, got {type(network).__name__}")
    if next(network.parameters(), None) is None:
        raise ValueError(f"{argument}: {type(network).__name__} has no parameters; give a network that can be trained")


def check_trainable(argument: str, network: nn.Module) -> None:
    """Raise ValueError if parameters of this network are frozen."""
    frozen = [name for name, p in network.named_parameters() if not p.requires_grad]
    if frozen:
        raise ValueError(f"{argument}: {frozen[0]} is frozen; call {argument}.requires_grad_(True) first")


def check_betas(argument: str, betas: tuple[float, float]) -> None:
    """Raise ValueError unless these are the two decays of Adam's averages."""
    pair = tuple(betas) if isinstance(betas, tuple | list) else ()
    if len(pair) != 2 or not all(isinstance(b, int | float) and 0 <= b < 1 for b in pair):
        raise ValueError(f"{argument}={betas!r}: give two numbers of at least 0 and below 1, as (0.5, 0.99)")


def check_parts_fit(
    classifier: nn.Module,
    simplifier: nn.Module,
    convert: Callable[[ImageSet], Tensor],
    images: ImageSet,
    test: ImageSet | None,
) -> None:
    """Raise ValueError unless both networks take images of the density's size and the classifier has all labels."""
    x = convert(images.subset([0]))
    shape = "x".join(map(str, x.shape[1:]))
    results = {}
    for name, network in {"classifier": classifier, "simplifier": simplifier}.items():
        try:
            with torch.no_grad(), evaluation_mode(network):
                results[name] = predict(network, x) if name == "classifier" else network(x)
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"{name}: it does not take images {shape}, the size that the density measures ({error}); build it "
                f"for this size, or load another density"
            ) from error
    if results["simplifier"].shape != x.shape:
        raise ValueError(f"simplifier: made {list(results['simplifier'].shape)} of images {list(x.shape)}")
    for own in (images, test):
        if own is not None:
            check_labels(own.labels, len(own), results["classifier"].shape[1])


def check_augment(augment: RandomShift | None) -> None:
    """Raise TypeError unless this is a `RandomShift` or None."""
    if not (augment is None or isinstance(augment, RandomShift)):
        raise TypeError(f"augment: expected a RandomShift or None, got {type(augment).__name__}")

"""Checks of what the trainings are given: a sentence that names the argument, before anything is computed."""

from __future__ import annotations

from torch import nn

from simplebits.data import ImageSet, RandomShift


def check_set(argument: str, images: ImageSet) -> None:
    """Raise TypeError unless this is an image set, ValueError if it is empty."""
    if not isinstance(images, ImageSet):
        raise TypeError(f"{argument}: expected an ImageSet, got {type(images).__name__}")
    if not len(images):
        raise ValueError(f"{argument}: the set is empty; give at least one image")


def check_network(argument: str, network: nn.Module) -> None:
    """Raise TypeError unless this is a module, ValueError if it has no parameters to train."""
    if not isinstance(network, nn.Module):
        raise TypeError(f"{argument}: expected a torch.nn.Module, got {type(network).__name__}")
    if next(network.parameters(), None) is None:
        raise ValueError(f"{argument}: {type(network).__name__} has no parameters; give a network that can be trained")


def check_augment(augment: RandomShift | None) -> None:
    """Raise TypeError unless this is a `RandomShift` or None."""
    if not (augment is None or isinstance(augment, RandomShift)):
        raise TypeError(f"augment: expected a RandomShift or None, got {type(augment).__name__}")

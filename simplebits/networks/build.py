"""Classifiers by name, for command lines, profiles and sweeps."""

from __future__ import annotations

from typing import Any

from torch import nn

from simplebits import _check
from simplebits.networks.nf_wide_resnet import NFWideResNet

CLASSIFIERS: dict[str, type[nn.Module]] = {"NFWideResNet": NFWideResNet}


def build(name: str, classes: int = 10, channels: int = 3, size: int = 32, **options: Any) -> nn.Module:
    """A classifier with fresh weights.

    Args:
        name: name of its class, `NFWideResNet` for example.
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images.
        options: further arguments of the class.

    Raises:
        ValueError: unknown name, or an argument out of range.
        TypeError: an option that the class does not have.

    >>> build("NFWideResNet", classes=4, depth=10, widen=1).linear.out_features
    4
    """
    return CLASSIFIERS[_check.one_of("name", name, CLASSIFIERS)](
        classes=classes, channels=channels, size=size, **options
    )

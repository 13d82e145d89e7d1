"""Classifiers by name, for command lines, profiles and sweeps."""

from __future__ import annotations

import contextlib
import inspect
from typing import Annotated, Any

import torch
from torch import nn

from simplebits._door import door
from simplebits._training_state import globally_seeded
from simplebits.domains import Count, Known, Seed, nearest
from simplebits.networks.alexnet import AlexCifarNet, AlexNet
from simplebits.networks.convnet import ConvNet
from simplebits.networks.lenet import LeNet
from simplebits.networks.mlp import MLP
from simplebits.networks.nf_wide_resnet import NFWideResNet
from simplebits.networks.resnet import ResNet18, ResNet20
from simplebits.networks.strided_cnn import StridedCNN
from simplebits.networks.vgg import VGG11, VGG16

CLASSIFIERS: dict[str, type[nn.Module]] = {
    network.__name__: network
    for network in (
        ConvNet,
        MLP,
        LeNet,
        AlexNet,
        AlexCifarNet,
        VGG11,
        VGG16,
        ResNet18,
        ResNet20,
        NFWideResNet,
        StridedCNN,
    )
}


@door
def build(
    name: Annotated[str, Known(lambda: CLASSIFIERS)],
    classes: Count = 10,
    channels: Count = 3,
    size: Count = 32,
    *,
    seed: Seed | None = None,
    **options: Any,
) -> nn.Module:
    """Make a classifier with fresh weights.

    Args:
        name: name of its class, `ConvNet` for example.
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images.
        seed: of the weights; None: torch's global generator goes on.
        options: further arguments of the class.

    Raises:
        ValueError: unknown name, or an argument out of range.
        TypeError: an option that the class does not have; names those that it has.

    >>> twins = [build("MLP", channels=1, size=8, seed=3) for _ in range(2)]
    >>> bool((twins[0].linear.weight == twins[1].linear.weight).all())
    True
    >>> build("ConvNet", classes=4, channels=1, size=16, width=32).linear
    Linear(in_features=128, out_features=4, bias=True)
    """
    network = CLASSIFIERS[name]
    known = [
        option for option in inspect.signature(network).parameters if option not in ("classes", "channels", "size")
    ]
    for option in options:
        if option not in known:
            raise TypeError(f"{option}= is no option of {name}; {nearest(option, known)}")
    with contextlib.nullcontext() if seed is None else globally_seeded(seed, torch.device("cpu")):
        return network(classes=classes, channels=channels, size=size, **options)

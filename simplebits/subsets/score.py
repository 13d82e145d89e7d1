"""Scores: what a subset must keep up. Any function of a batch of inputs will do; a class's probability is the usual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits import _check
from simplebits._door import door
from simplebits.domains import Labels
from simplebits.networks import predict
from simplebits.networks.evaluation_mode import evaluation_mode
from simplebits.subsets.arguments import (
    ImageOrImages,
    classes_fit,
    images_fit,
    logits_fit,
    score_fits,
    values_fit,
    weights_alike,
)
from simplebits.subsets.receptive_field import layers_of


@runtime_checkable
class Score(Protocol):
    """A number for each input of a batch, where each image that inputs are made from may have a score of its own.

    A plain function that maps inputs [b, ...] to one number each, [b], is a score too: the same for all images.

    >>> isinstance(ClassScore(nn.Identity(), torch.tensor([2, 0])), Score)
    True
    """

    def __len__(self) -> int:
        """Count the images that have a score of their own; 1: all images have the same."""
        ...

    def __call__(self, inputs: Tensor, /) -> Tensor:
        """Score inputs [b, ...] of which input i is made from image i: one number each, [b]."""
        ...

    def for_images(self, index: Tensor, /) -> Callable[[Tensor], Tensor]:
        """Give the score of inputs [b, ...] of which input j is made from image `index[j]`, by masking for example."""
        ...


@dataclass(frozen=True)
class SameForAll:
    """A plain function as a score."""

    function: Callable[[Tensor], Tensor]

    def __len__(self) -> int:
        return 1

    def __call__(self, inputs: Tensor) -> Tensor:
        """Score inputs of any images."""
        return self.function(inputs)

    def for_images(self, index: Tensor) -> Callable[[Tensor], Tensor]:
        """Give the function, whichever images the inputs are made from."""
        return self.function


@door
class ClassScore:
    """The probability that a classifier gives to one class, which may be another for each image (the paper's f).

    Args:
        network: maps images [b, c, h, w] to logits [b, classes]; run in evaluation mode, its mode is put back.
        classes: the class of each image, or one for all.
        local: for a chain of convolutions, poolings, pointwise layers and residual blocks: let backward selection
            recompute only what a masked pixel changes, which is exact up to rounding and faster, see `back_select`.

    Raises:
        TypeError: network is no module, or classes no tensor.
        ValueError: classes that are no int64 numbers of at least 0, local with a network that is no chain of layers, or
            batch normalisation without running statistics.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    >>> score = ClassScore(network, torch.tensor([2, 0]))
    >>> score(torch.rand(2, 1, 2, 2)).shape, score.for_images(torch.tensor([1, 1, 0])).classes
    (torch.Size([2]), tensor([0, 0, 2]))
    """

    def __init__(self, network: nn.Module, classes: Labels, local: bool = False) -> None:
        _check.own_statistics("network", network)
        if local:
            layers_of(network)
        self.network, self.classes, self.local = network, classes, local
        self._largest = int(classes.max())

    def __len__(self) -> int:
        return len(self.classes)

    @door
    def __call__(self, inputs: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """Give probabilities: row i counts as image i; with one class, all rows have it.

        Raises:
            ValueError: neither one class nor one for each row, or a class that the network has no output for.
        """
        classes_fit(len(self), len(inputs))
        weights_alike("inputs", inputs, self.network)
        with evaluation_mode(self.network):
            return self._of_logits(self.network(inputs), self.classes)

    @door
    def for_images(self, index: Int64[Tensor, " b"]) -> ClassScore:
        """Give the score of inputs of which input j is made from image `index[j]`, by masking for example.

        Raises:
            ValueError: an image that the score has no class for.
        """
        if len(self) == 1:
            return self
        images_fit(index, len(self))
        return ClassScore(self.network, self._classes_of(index), self.local)

    def _classes_of(self, index: Int64[Tensor, " b"]) -> Int64[Tensor, " c"]:
        """Look up the class of each of these images, or one for all."""
        return self.classes if len(self) == 1 else self.classes[index.to(self.classes.device)]

    def _of_logits(self, logits: Tensor, classes: Int64[Tensor, " c"]) -> Float[Tensor, " b"]:
        """Compute the probabilities of these classes, from what the network gave."""
        logits_fit(logits, self._largest)
        return logits.softmax(1).gather(1, classes.to(logits.device).expand(len(logits))[:, None])[:, 0]


@door
def class_score(network: nn.Module, x: ImageOrImages, *, local: bool = False) -> ClassScore:
    """Give the probability of the class that the network gives each unmasked image, as in the paper (section 3.1).

    Args:
        network: maps images [b, c, h, w] in [0, 1] to logits [b, classes].
        x: one image [c, h, w] or a batch of them.
        local: recompute only what a masked pixel changes, see `ClassScore`.

    Raises:
        TypeError: the network is no module, or x is no tensor.
        ValueError: x wrong as an image or a batch of images, or local with a network that is no chain of layers.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    >>> len(class_score(network, torch.rand(5, 1, 2, 2)))
    5
    """
    return ClassScore(network, predict(network, x[None] if x.dim() == 3 else x).argmax(1), local)


def as_score(score: Callable[[Tensor], Tensor], x: Tensor) -> Score:
    """Wrap a plain function as the score of a batch; a `Score` stays as it is.

    Raises:
        ValueError: the score is that of another number of images, or its network of another type or device than x.
    """
    if not isinstance(score, Score):
        return SameForAll(score)
    score_fits(len(score), x)
    if isinstance(score, ClassScore):
        weights_alike("x", x, score.network)
    return score


def evaluate(score: Score, inputs: Tensor, index: Int64[Tensor, " b"]) -> Tensor:
    """Score each input, input j being made from image `index[j]`; a classifier runs in the mode it is in.

    Raises:
        TypeError: the score gives something else than a tensor.
        ValueError: the score does not give one real number for each input.
    """
    if isinstance(score, ClassScore):
        values = score._of_logits(score.network(inputs), score._classes_of(index))
    else:
        values = score.for_images(index)(inputs)
    values_fit(values, len(inputs))
    return values if values.is_floating_point() else values.to(torch.get_default_dtype())

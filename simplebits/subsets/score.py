"""Scores: what a subset must keep up. Any function of a batch of inputs will do; a class's probability is the usual."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits import _check
from simplebits.networks import predict
from simplebits.networks.evaluation_mode import evaluation_mode
from simplebits.subsets.receptive_field import layers_of

#: Maps a batch of inputs [b, ...] to one number each, [b]. A score of its own for each image of a batch also has a
#: length, the number of images, and `for_images(index)`, the score for inputs that were made from these images.
Score = Callable[[Tensor], Tensor]


class ClassScore:
    """The probability that a classifier gives to one class, which may be another for each image (the paper's f).

    Args:
        network: maps images [b, c, h, w] to logits [b, classes]; run in evaluation mode, its mode is put back.
        classes: the class of each image, or one for all.
        local: for a plain chain of convolutions, poolings and pointwise layers: let backward selection recompute only
            what a masked pixel changes (`LocalNetwork`), which is several times as fast and exact up to rounding.

    Raises:
        TypeError: network is no module, or classes no tensor.
        ValueError: classes that are no int64 numbers of at least 0, local with a network that is no chain of layers, or
            batch normalisation without running statistics.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    >>> score = ClassScore(network, torch.tensor([2, 0]))
    >>> score(torch.rand(2, 1, 2, 2)).shape, score.for_images(torch.tensor([1, 1, 0])).classes
    (torch.Size([2]), tensor([0, 0, 2]))
    """

    def __init__(self, network: nn.Module, classes: Int64[Tensor, " n"], local: bool = False) -> None:
        if not isinstance(network, nn.Module):
            raise TypeError(f"network: expected a torch.nn.Module, got {type(network).__name__}")
        _check.own_statistics("network", network)
        if not isinstance(classes, Tensor):
            raise TypeError(
                f"classes: expected an int64 tensor [n], as torch.tensor([3]), got {type(classes).__name__}"
            )
        if classes.dtype != torch.int64 or classes.dim() != 1 or classes.numel() == 0 or int(classes.min()) < 0:
            raise ValueError(
                f"classes: expected int64 [n], each at least 0, got {classes.dtype} {list(classes.shape)}"
                + (f" from {int(classes.min())} on" if classes.numel() else "")
            )
        if local:
            layers_of(network)
        self.network, self.classes, self.local = network, classes, local

    def __len__(self) -> int:
        return len(self.classes)

    def __call__(self, inputs: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """Probabilities: row i counts as image i; with one class, all rows have it.

        Raises:
            ValueError: neither one class nor one for each row, or a class that the network has no output for.
        """
        if len(self) not in (1, len(inputs)):
            raise ValueError(f"score: has the classes of {len(self)} images, got {len(inputs)} inputs; use for_images")
        with self.evaluating():
            return self.of_logits(self.network(inputs))

    def for_images(self, index: Int64[Tensor, " b"]) -> ClassScore:
        """The score of inputs that were made from these images, by masking for example."""
        if len(self) == 1:
            return self
        return ClassScore(self.network, self.classes[index.to(self.classes.device)], self.local)

    def of_logits(self, logits: Float[Tensor, "b classes"]) -> Float[Tensor, " b"]:
        """The probabilities of the classes, from what the network gave.

        Raises:
            TypeError: that is no tensor.
            ValueError: a class that the network has no output for.
        """
        if not isinstance(logits, Tensor):
            raise TypeError(f"network: expected logits, a tensor [b, classes], got {type(logits).__name__}")
        if logits.dim() != 2 or int(self.classes.max()) >= logits.shape[1]:
            raise ValueError(
                f"score: the largest class is {int(self.classes.max())}, so the network must give logits [b, "
                f"{int(self.classes.max()) + 1} or more], got {list(logits.shape)}"
            )
        classes = self.classes.to(logits.device).expand(len(logits))
        return logits.softmax(1).gather(1, classes[:, None])[:, 0]

    def evaluating(self) -> contextlib.AbstractContextManager[None]:
        """The network in evaluation mode, its mode put back at the end."""
        return evaluation_mode(self.network)


def class_score(network: nn.Module, x: Float[Tensor, "*n c h w"], *, local: bool = False) -> ClassScore:
    """The probability of the class that the network gives each unmasked image, as in the paper (section 3.1).

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
    single = isinstance(x, Tensor) and x.dim() == 3
    return ClassScore(network, predict(network, x[None] if single else x).argmax(1), local)


def evaluate(score: Score, inputs: Tensor, index: Int64[Tensor, " b"]) -> Tensor:
    """The score of each input, input j being made from image `index[j]`; checked.

    Raises:
        TypeError: something else than a tensor.
        ValueError: not one number for each input, or NaN.
    """
    values = (score.for_images(index) if hasattr(score, "for_images") else score)(inputs)
    if not isinstance(values, Tensor):
        raise TypeError(f"score: expected a tensor [{len(inputs)}], got {type(values).__name__}")
    if values.shape != (len(inputs),):
        raise ValueError(
            f"score: expected one number for each of {len(inputs)} inputs, shape [{len(inputs)}], got shape "
            f"{list(values.shape)}; take one class's column, as class_score does"
        )
    if values.is_complex():
        raise ValueError("score: expected real numbers, got complex ones; give their absolute value or a real part")
    return values if values.is_floating_point() else values.to(torch.get_default_dtype())


def check_score(score: Score, images: int) -> None:
    """Raise unless `score` can be called, and is of as many images as there are."""
    if not callable(score):
        raise TypeError(f"score: expected a function of a batch of inputs, got {type(score).__name__}")
    if hasattr(score, "for_images") and len(score) not in (1, images):
        raise ValueError(f"score: is that of {len(score)} images, x holds {images}; make it from the same images")


def check_threshold(threshold: float) -> None:
    """Raise unless the threshold is a number."""
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or threshold != threshold:
        got = f"a tensor {list(threshold.shape)}" if isinstance(threshold, Tensor) else repr(threshold)
        swapped = "; the input comes before the threshold" if isinstance(threshold, Tensor) else ""
        raise ValueError(f"threshold: expected a number, as .99, got {got}{swapped}")

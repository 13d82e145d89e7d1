"""How far apart two sets of images are for a network: by the gradients they cause, or by their mean features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from simplebits._door import door
from simplebits.condense.arguments import Gradients, features_fit, gradients_fit
from simplebits.domains import Finite

Distance = Literal["layerwise", "mse", "cosine"]  # of two gradients
_EPS = 1e-6  # keeps rows without gradient defined: their cosine is 0


@door
def matching_distance(grads_a: Gradients, grads_b: Gradients, kind: Distance = "layerwise") -> Float[Tensor, ""]:
    """Measure the distance of two gradients of one network (gradient matching, equation 10 and appendix A).

    `layerwise` is the paper's: in every tensor of two axes or more, a row is what leads to one output (a filter of a
    convolution, a neuron of a linear layer), and the distance is the sum of 1 - cosine over all rows. Tensors of one
    axis, biases and the gains of normalisation, do not count, as in the code.

    Args:
        grads_a: a tensor for each parameter.
        grads_b: the same shapes.
        kind: `layerwise`; `mse`, squared Euclidean over all tensors; `cosine`, 1 - cosine of everything in one vector.

    Returns:
        The distance, at least 0; differentiable in both.

    Raises:
        TypeError: something else than floating point tensors.
        ValueError: unknown kind, no tensor, or shapes that differ.

    >>> weight, bias = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.ones(2)
    >>> round(float(matching_distance([weight, bias], [weight.flip(1), bias])), 3)
    2.0
    """
    gradients_fit(grads_a, grads_b, kind)
    return distance_of_gradients(grads_a, grads_b, kind)


def distance_of_gradients(grads_a: Iterable[Tensor], grads_b: Iterable[Tensor], kind: str) -> Float[Tensor, ""]:
    """Compute `matching_distance` of gradients that are known to fit."""
    if kind == "layerwise":
        weights = [(a.flatten(1), b.flatten(1)) for a, b in zip(grads_a, grads_b, strict=True) if a.dim() > 1]
        return torch.stack([_one_minus_cosine(a, b).sum() for a, b in weights]).sum()
    flat_a, flat_b = (torch.cat([g.flatten() for g in grads]) for grads in (grads_a, grads_b))
    if kind == "mse":
        return (flat_a - flat_b).square().sum()
    return _one_minus_cosine(flat_a[None], flat_b[None]).sum()


def _one_minus_cosine(a: Float[Tensor, "rows d"], b: Float[Tensor, "rows d"]) -> Float[Tensor, " rows"]:
    norms = torch.linalg.vector_norm(a, dim=1) * torch.linalg.vector_norm(b, dim=1)
    return 1 - (a * b).sum(1) / (norms + _EPS)


@door
def distribution_distance(
    features_a: Annotated[Float[Tensor, "n d"], Finite()],
    features_b: Annotated[Float[Tensor, "m d"], Finite()],
    labels_a: Integer[Tensor, " n"],
    labels_b: Integer[Tensor, " m"],
) -> Float[Tensor, ""]:
    """Sum over classes the squared distance between their mean features (the loss of distribution matching).

    Args:
        features_a: features of the first set.
        features_b: features of the second set.
        labels_a: classes of the first set's images.
        labels_b: classes of the second set's images; the same classes must occur.

    Returns:
        The distance, at least 0; differentiable in the features.

    Raises:
        TypeError: features or labels are no tensors.
        ValueError: no features, features that are not finite, shapes that do not fit, or a class that occurs in one set
            only.

    >>> labels = torch.tensor([0, 0, 1])
    >>> distribution_distance(torch.zeros(3, 5), torch.ones(2, 5), labels, torch.tensor([1, 0]))
    tensor(10.)
    """
    features_fit(features_a, features_b, labels_a, labels_b)
    return distance_of_means(features_a, features_b, labels_a, labels_b)


def distance_of_means(
    features_a: Float[Tensor, "n d"],
    features_b: Float[Tensor, "m d"],
    labels_a: Integer[Tensor, " n"],
    labels_b: Integer[Tensor, " m"],
) -> Float[Tensor, ""]:
    """Compute `distribution_distance` of features that are known to fit."""
    classes = labels_a.unique()
    means = [
        torch.stack([features[labels == c].mean(0) for c in classes])
        for features, labels in ((features_a, labels_a), (features_b, labels_b))
    ]
    return (means[0] - means[1]).square().sum()

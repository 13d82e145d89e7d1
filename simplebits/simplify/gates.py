"""Simulated forgetting: which weights does an image ask to have back once all are scaled down? (SimpleBits, section 5).

Every weight is multiplied by a gate. Scaling all gates by s < 1 makes the network forget a little; the gradient of the
lost prediction in the gates says, weight by weight, what the image needs to restore it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from simplebits._door import door
from simplebits._gradients import ExactNormalisation, can_be_vectorised
from simplebits.domains import Logits, NonNegative, Positive
from simplebits.simplify.arguments import (
    AnyImages,
    Method,
    Network,
    as_many_classes_fit,
    gates_fit,
    images_do_not_mix,
    misfits_named,
    pair_fits,
    reference_fits,
)


@door(renamed={"target": "reference"})
def kl_divergence(reference: Logits, logits: Logits) -> Float[Tensor, " n"]:
    """Compute KL(softmax(reference) || softmax(logits)) of each pair, in nats.

    Raises:
        TypeError: one of them is no tensor.
        ValueError: different shapes, none of [n, classes], or values that are not finite.

    >>> kl_divergence(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([0.])
    """
    pair_fits(reference, logits)
    return kl_of(reference, logits)


def kl_of(reference: Float[Tensor, "n classes"], logits: Float[Tensor, "n classes"]) -> Float[Tensor, " n"]:
    """Compute `kl_divergence` of two that fit."""
    return F.kl_div(logits.log_softmax(1), reference.log_softmax(1), reduction="none", log_target=True).sum(1)


@door(renamed={"target": "reference"})
def gate_gradients(
    classifier: Network,
    x: AnyImages,
    reference: Logits,
    scale: Positive = 0.95,
    *,
    method: Method = "vmap",
) -> tuple[dict[str, Tensor], Float[Tensor, "n classes"]]:
    """Differentiate KL(reference || f_s(x)) in the gates of f_s, f with all parameters times s, image by image.

    A parameter s phi with a gate g before it has dKL/dg = s phi * dKL/d(s phi) at g = 1: the scaled parameter times its
    own gradient. Where it is negative, turning that weight up again would bring the prediction back.

    Differentiable in x and reference. The network is run in the mode it is in; give it in evaluation mode.

    Args:
        classifier: f, maps images to logits; its parameters get no gradient.
        x: images, as the classifier takes them.
        reference: logits that are to be restored, f(x) as a rule.
        scale: s, above 0; the paper draws it from U(0.8, 0.95).
        method: `vmap`: all images in one pass, on one core up to three times as fast for small networks and no slower
            for large ones, as its speed benchmark shows; `loop`: one after the other, for networks with layers that
            vmap cannot run. A network with TorchScript in it takes the loop in any case, and warns.

    Returns:
        By parameter name, the gradients `[n, *shape]`; and the logits of f_s.

    Raises:
        TypeError: the classifier is no module.
        ValueError: unknown method, scale not above 0, a reference that is not [n, classes], images that the classifier
            does not take, batch normalisation in training mode or without running statistics, which would mix the
            images, or a classifier that vmap cannot run.

    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> x = torch.rand(3, 1, 2, 2)
    >>> gates, logits = gate_gradients(net, x, net(x), 0.9)
    >>> gates["1.weight"].shape, logits.shape
    (torch.Size([3, 2, 4]), torch.Size([3, 2]))
    """
    reference_fits(reference, x)
    images_do_not_mix(classifier)
    with misfits_named(classifier, None, x):
        return gates_of(classifier, x, reference, scale, method)


def gates_of(
    classifier: nn.Module, x: Tensor, reference: Tensor, scale: float, method: Method
) -> tuple[dict[str, Tensor], Float[Tensor, "n classes"]]:
    """Compute `gate_gradients` for what fits together."""
    weights = {name: scale * p.detach() for name, p in classifier.named_parameters()}
    buffers = dict(classifier.named_buffers())

    def lost(weights: dict[str, Tensor], image: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        logits = functional_call(classifier, (weights, buffers), (image[None],))
        as_many_classes_fit(wanted, logits)
        return kl_of(wanted[None], logits)[0], logits[0]

    one = grad(lost, has_aux=True)
    # The faster kinds of attention have no second derivative.
    with sdpa_kernel(SDPBackend.MATH):
        if method == "vmap" and can_be_vectorised(classifier):
            gradients, logits = _all_at_once(one, weights, x, reference)
        else:
            each = [one(weights, image, wanted) for image, wanted in zip(x, reference, strict=True)]
            gradients = {name: torch.stack([g[name] for g, _ in each]) for name in weights}
            logits = torch.stack([of_one for _, of_one in each])
    return {name: weights[name] * gradients[name] for name in weights}, logits


def _all_at_once(
    one: Callable[..., tuple[dict[str, Tensor], Tensor]], weights: dict[str, Tensor], x: Tensor, reference: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    try:
        with ExactNormalisation():
            return vmap(one, in_dims=(None, 0, 0))(weights, x, reference)
    except RuntimeError as error:
        if not any(word in str(error).lower() for word in ("vmap", "batching rule")):
            raise
        raise ValueError(f"classifier: vmap cannot run it; give method='loop', which can. It says: {error}") from error


@door
def gate_distance(
    gates: Mapping[str, Float[Tensor, "n ..."]],
    original: Mapping[str, Float[Tensor, "n ..."]],
    *,
    negligible: NonNegative | None = 1e-5,
) -> Float[Tensor, " n"]:
    """Compute L_grad: 1 - cosine similarity of two images' gate gradients, averaged over layers (algorithm 1).

    Only gates with a negative gradient for the original image count: those that, turned up, restore its prediction. A
    layer where these have a norm of at most `negligible` times that of the strongest layer has nothing to restore and
    is left out of the image's mean: biases before a normalisation, whose gradients are rounding errors, or layers
    without any negative one. The paper's code, whose network has neither, counts all layers: `negligible=None`, with
    which a layer without any negative gradient adds a distance of 1.

    Args:
        gates: of the simplified images, as `gate_gradients` returns them.
        original: of the original images, in the same order.
        negligible: share of the strongest layer's norm up to which a layer is left out; None: none is.

    Returns:
        One number per image, from 0 (the same direction in all layers) to 2.

    Raises:
        ValueError: the two do not have the same layers, different shapes in one, or a negative `negligible`.

    >>> original = {"a": torch.tensor([[-3.0, -4.0, 5.0]]), "b": torch.tensor([[-1.0, 2.0]])}
    >>> gates = {"a": torch.tensor([[-3.0, -4.0, -9.0]]), "b": torch.tensor([[1.0, 2.0]])}
    >>> gate_distance(gates, original)  # 0 in the first layer, 2 in the second
    tensor([1.])
    """
    gates_fit(gates, original)
    return distance_of(gates, original, negligible)


def distance_of(
    gates: Mapping[str, Tensor], original: Mapping[str, Tensor], negligible: float | None = 1e-5
) -> Float[Tensor, " n"]:
    """Compute `gate_distance` of two that fit."""
    layers = []
    for name, wanted in original.items():
        wanted = wanted.detach().flatten(1)
        negative = wanted < 0
        layers.append((gates[name].flatten(1) * negative, wanted * negative))
    norms = torch.stack([wanted.norm(dim=1) for _, wanted in layers])
    counted = torch.ones_like(norms, dtype=torch.bool)
    if negligible is not None:
        counted = norms > negligible * norms.amax(0)
    cosines = torch.stack([F.cosine_similarity(ours, wanted, dim=1, eps=1e-12) for ours, wanted in layers])
    number = counted.sum(0)
    # Nothing to restore at all: no distance.
    return torch.where(number > 0, 1 - cosines.where(counted, 0).sum(0) / number.clamp(min=1), 0)

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

from simplebits import _check

METHODS = ("vmap", "loop")


def kl_divergence(target: Float[Tensor, "n classes"], logits: Float[Tensor, "n classes"]) -> Float[Tensor, " n"]:
    """KL(softmax(target) || softmax(logits)) of each pair, in nats.

    Raises:
        ValueError: different shapes, or none of [n, classes].

    >>> kl_divergence(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([0.])
    """
    if target.dim() != 2 or target.shape != logits.shape:
        raise ValueError(
            f"target and logits: expected two of the same shape [n, classes], got {list(target.shape)} and "
            f"{list(logits.shape)}"
        )
    return F.kl_div(logits.log_softmax(1), target.log_softmax(1), reduction="none", log_target=True).sum(1)


def gate_gradients(
    classifier: nn.Module,
    x: Float[Tensor, "n c h w"],
    target: Float[Tensor, "n classes"],
    scale: float = 0.95,
    *,
    method: str = "vmap",
) -> tuple[dict[str, Tensor], Float[Tensor, "n classes"]]:
    """Gradient of KL(target || f_s(x)) in the gates of f_s, f with all parameters times s, for every image by itself.

    A parameter s phi with a gate g before it has dKL/dg = s phi * dKL/d(s phi) at g = 1: the scaled parameter times its
    own gradient. Where it is negative, turning that weight up again would bring the prediction back.

    Differentiable in x and target. The network is run in the mode it is in; give it in evaluation mode.

    Args:
        classifier: f, maps images to logits; its parameters get no gradient.
        x: images, as the classifier takes them.
        target: logits that are to be restored, f(x) as a rule.
        scale: s, above 0; the paper draws it from U(0.8, 0.95).
        method: `vmap`: all images in one pass, on one core up to three times as fast for small networks and no slower
            for large ones, as its speed benchmark shows; `loop`: one after the other, for networks with layers that
            vmap cannot run.

    Returns:
        By parameter name, the gradients `[n, *shape]`; and the logits of f_s.

    Raises:
        TypeError: the classifier is no module.
        ValueError: unknown method, scale not above 0, a target that is not [n, classes], batch normalisation in
            training mode or without running statistics, which would mix the images, or a classifier that vmap cannot
            run.

    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> x = torch.rand(3, 1, 2, 2)
    >>> gates, logits = gate_gradients(net, x, net(x), 0.9)
    >>> gates["1.weight"].shape, logits.shape
    (torch.Size([3, 2, 4]), torch.Size([3, 2]))
    """
    _check.positive("scale", scale)
    _check.one_of("method", method, METHODS)
    _check_arguments(classifier, x, target)
    weights = {name: scale * p.detach() for name, p in classifier.named_parameters()}
    buffers = dict(classifier.named_buffers())

    def lost(weights: dict[str, Tensor], image: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        logits = functional_call(classifier, (weights, buffers), (image[None],))
        if logits.shape != (1, len(wanted)):
            raise ValueError(f"target: has {len(wanted)} classes, the classifier gives logits {list(logits.shape)}")
        return kl_divergence(wanted[None], logits)[0], logits[0]

    one = grad(lost, has_aux=True)
    # The faster kinds of attention have no second derivative.
    with sdpa_kernel(SDPBackend.MATH):
        if method == "vmap":
            gradients, logits = _all_at_once(one, weights, x, target)
        else:
            each = [one(weights, image, wanted) for image, wanted in zip(x, target, strict=True)]
            gradients = {name: torch.stack([g[name] for g, _ in each]) for name in weights}
            logits = torch.stack([of_one for _, of_one in each])
    return {name: weights[name] * gradients[name] for name in weights}, logits


def _all_at_once(
    one: Callable[..., tuple[dict[str, Tensor], Tensor]], weights: dict[str, Tensor], x: Tensor, target: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    try:
        return vmap(one, in_dims=(None, 0, 0))(weights, x, target)
    except RuntimeError as error:
        if not any(word in str(error).lower() for word in ("vmap", "batching rule")):
            raise
        raise ValueError(f"classifier: vmap cannot run it; give method='loop', which can. It says: {error}") from error


def _check_arguments(classifier: nn.Module, x: Tensor, target: Tensor) -> None:
    if not isinstance(classifier, nn.Module):
        raise TypeError(f"classifier: expected a torch.nn.Module, got {type(classifier).__name__}")
    if target.dim() != 2 or len(target) != len(x):
        raise ValueError(
            f"target: expected logits [{len(x)}, classes], one row for each image, got {list(target.shape)}"
        )
    if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.training for layer in classifier.modules()):
        raise ValueError("classifier: its batch normalisation is in training mode; call .eval() first")
    _check.own_statistics("classifier", classifier)


def gate_distance(
    gates: Mapping[str, Tensor], original: Mapping[str, Tensor], *, negligible: float | None = 1e-5
) -> Float[Tensor, " n"]:
    """L_grad: 1 - cosine similarity of two images' gate gradients, layer by layer, averaged over layers (algorithm 1).

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
    if gates.keys() != original.keys():
        differ = ", ".join(sorted(gates.keys() ^ original.keys()))
        raise ValueError(f"gates and original: expected those of one network, only one of them has {differ}")
    layers = []
    for name, wanted in original.items():
        if gates[name].shape != wanted.shape:
            raise ValueError(
                f"gates[{name!r}]: expected {list(wanted.shape)} as in original, got {list(gates[name].shape)}"
            )
        wanted = wanted.detach().flatten(1)
        negative = wanted < 0
        layers.append((gates[name].flatten(1) * negative, wanted * negative))
    norms = torch.stack([wanted.norm(dim=1) for _, wanted in layers])
    counted = torch.ones_like(norms, dtype=torch.bool)
    if negligible is not None:
        _check.positive("negligible", negligible, allow_zero=True)
        counted = norms > negligible * norms.amax(0)
    cosines = torch.stack([F.cosine_similarity(ours, wanted, dim=1, eps=1e-12) for ours, wanted in layers])
    number = counted.sum(0)
    # Nothing to restore at all: no distance.
    return torch.where(number > 0, 1 - cosines.where(counted, 0).sum(0) / number.clamp(min=1), 0)

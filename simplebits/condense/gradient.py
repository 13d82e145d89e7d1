"""Gradient matching: synthetic images whose gradients point where those of the real ones do (Zhao et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from simplebits._door import door
from simplebits._gradients import ExactNormalisation, can_be_vectorised
from simplebits.condense.arguments import batch_norms, classes_fit, has_weights
from simplebits.condense.distances import Distance, distance_of_gradients
from simplebits.domains import Count, Finite

ClassImages = Annotated[Float[Tensor, "_ c h w"], Finite(filled=False)]  # standardised images of one class

# Steps of the outer loop (T) and epochs of the network between two of them, by images per class (its appendix B).
CURRICULUM = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}


@door
def curriculum(images_per_class: Count) -> tuple[int, int]:
    """Look up the published (T, epochs) for so many images per class; between two numbers, those of the nearest.

    >>> curriculum(10), curriculum(2)
    ((10, 50), (1, 1))
    """
    return CURRICULUM[min(CURRICULUM, key=lambda known: abs(known - images_per_class))]


def in_cache(x: Float[Tensor, "n c h w"]) -> Sequence[Float[Tensor, "_ c h w"]]:
    """Split images on a CPU, so that what a layer leaves of a part is in the cache when the next layer wants it."""
    return x.split(16) if x.device.type == "cpu" else [x]


def learned_parameters(network: nn.Module) -> dict[str, Tensor]:
    """List the parameters that learn, by name: frozen ones are part of the network, not of its training."""
    return {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}


@door
def class_gradients(
    network: nn.Module,
    batches: Sequence[ClassImages],
    *,
    create_graph: bool = False,
    together: bool = False,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> list[Tensor]:
    """Take the gradient of each class's mean cross-entropy in all parameters (gradient matching, algorithm 1, line 7).

    Args:
        network: maps standardised images to logits.
        batches: the images of class 0, of class 1, ...
        create_graph: so that the result can be differentiated in the images.
        together: all classes in one vectorised pass, if all batches have one size and the network is no TorchScript,
            which warns; else one after the other.
        forward: what to call in place of the network, its compiled twin; only one after the other.

    Returns:
        A tensor for each parameter that learns, with a first axis of classes; zeros for one that the logits do not use.

    Raises:
        TypeError: network is no module, or a batch no tensor.
        ValueError: no class, an empty batch, values that are not finite, batches of different shapes, of another dtype
            or device than the network, more classes than outputs, or `together` with batch normalisation that still
            follows its batches.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    >>> [list(g.shape) for g in class_gradients(network, [torch.rand(3, 1, 4, 4), torch.rand(5, 1, 4, 4)])]
    [[2, 2, 16], [2, 2]]
    """
    classes_fit(network, together, batches=batches)
    return gradients_of_classes(network, batches, create_graph=create_graph, together=together, forward=forward)


def gradients_of_classes(
    network: nn.Module,
    batches: Sequence[Tensor],
    *,
    create_graph: bool = False,
    together: bool = False,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> list[Tensor]:
    """Compute `class_gradients` of classes that are known to fit."""
    parameters = learned_parameters(network)
    labels = torch.arange(len(batches), device=batches[0].device)

    def loss(logits: Tensor, label: Tensor) -> Tensor:
        if logits.shape[1] < len(batches):
            raise ValueError(
                f"batches: {len(batches)} classes, but the network has {logits.shape[1]} outputs; build it with one "
                f"for each class"
            )
        logits = logits.float() if logits.dtype == torch.bfloat16 else logits
        return F.cross_entropy(logits, label.expand(len(logits)))

    # A class with fewer images than the batch asks for cannot be stacked with the others.
    if together and len({len(x) for x in batches}) == 1 and can_be_vectorised(network):

        def of_parameters(parameters: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
            return loss(functional_call(network, parameters, x), label)

        with torch.set_grad_enabled(create_graph), ExactNormalisation(), sdpa_kernel(SDPBackend.MATH):
            # torch.func differentiates by itself; the outer graph is recorded only where it is wanted.
            stacked = vmap(grad(of_parameters), in_dims=(None, 0, 0))(parameters, torch.stack(list(batches)), labels)
        return list(stacked.values())
    forward = forward or network

    def of_class(x: Tensor, label: Tensor) -> list[Tensor]:
        # Zeros for what the logits do not use.
        how: dict[str, Any] = {"create_graph": create_graph, "materialize_grads": True}
        parts = [
            torch.autograd.grad(loss(forward(part), label) * (len(part) / len(x)), list(parameters.values()), **how)
            for part in in_cache(x)
        ]
        return [cast(Tensor, sum(gradients)) for gradients in zip(*parts, strict=True)]

    # The faster kinds of attention have no second derivative.
    with sdpa_kernel(SDPBackend.MATH):
        each = [of_class(x, label) for x, label in zip(batches, labels, strict=True)]
    return [torch.stack(gradients) for gradients in zip(*each, strict=True)]


@door
def gradient_matching_loss(
    network: nn.Module,
    real: Sequence[ClassImages],
    synthetic: Sequence[ClassImages],
    *,
    kind: Distance = "layerwise",
    together: bool = False,
    bf16: bool = False,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, " classes"]:
    """Compare the gradients of each class (equation 9); the loss is differentiable through them, in the images.

    Args:
        network: with the weights at which gradients are compared.
        real: a batch of real images for each class, standardised.
        synthetic: the class's synthetic images, standardised.
        kind: of `matching_distance`.
        together: all classes at once, or one after the other.
        bf16: bfloat16 autocast for the real images; the synthetic ones stay in single precision.
        forward: the network's compiled twin, for the real images: compiled code has no second derivative.

    Returns:
        One distance a class, differentiable in the synthetic images; 0 where both cause the same gradient.

    Raises:
        TypeError, ValueError: as `class_gradients`; other numbers of classes in real and synthetic, or an unknown kind.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    >>> real = [torch.ones(3, 1, 4, 4), -torch.ones(3, 1, 4, 4)]
    >>> bool(gradient_matching_loss(network, real, [x[:1] for x in real]).abs().max() < 1e-4)
    True
    """
    classes_fit(network, together, real=real, synthetic=synthetic)
    if kind == "layerwise":
        has_weights(network)
    return gradient_loss(network, real, synthetic, kind=kind, together=together, bf16=bf16, forward=forward)


def gradient_loss(
    network: nn.Module,
    real: Sequence[Tensor],
    synthetic: Sequence[Tensor],
    *,
    kind: str,
    together: bool,
    bf16: bool,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, " classes"]:
    """Compute `gradient_matching_loss` of images that are known to fit."""
    wanted, reached = both_gradients(network, real, synthetic, together=together, bf16=bf16, forward=forward)
    return vmap(lambda a, b: distance_of_gradients(a, b, kind))(wanted, reached)


def both_gradients(
    network: nn.Module,
    real: Sequence[Tensor],
    synthetic: Sequence[Tensor],
    *,
    together: bool,
    bf16: bool,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """Take the gradients of the real images, which are constants, and of the synthetic ones, which depend on these."""
    with torch.autocast(real[0].device.type, dtype=torch.bfloat16, enabled=bf16):
        wanted = [g.detach() for g in gradients_of_classes(network, real, together=together, forward=forward)]
    return wanted, gradients_of_classes(network, synthetic, create_graph=True, together=together)


@torch.no_grad()
def freeze_batch_norm(network: nn.Module, real: Sequence[Float[Tensor, "_ c h w"]], each: int = 16) -> None:
    """Give batch normalisation the statistics of a few real images of every class, then hold them (its code).

    One synthetic image has no statistics of its own; a network without such layers is left as it is.

    The released code takes further real images for this. Here they are the first of the batch that is matched, and with
    a siamese augmentation they are augmented as it is: a step draws no more images than it compares.
    """
    layers = batch_norms(network)
    if layers:
        network.train()
        network(torch.cat([batch[:each] for batch in real]))
        for layer in layers:
            layer.eval()

"""Two losses that do not compare gradients row by row: their product, and what one step of training leads to.

Figure S13 of SimpleBits (Schirrmeister et al. 2022) condenses with both. Its text has no formula; these are its code's,
which takes the gradients of all classes together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from simplebits._door import door
from simplebits.condense.arguments import classes_fit
from simplebits.condense.gradient import ClassImages, both_gradients, gradients_of_classes, learned_parameters
from simplebits.domains import Positive


@door
def gradient_product_loss(
    network: nn.Module,
    real: Sequence[ClassImages],
    synthetic: Sequence[ClassImages],
    *,
    together: bool = False,
    bf16: bool = False,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, ""]:
    """Multiply the two gradients of the mean cross-entropy over all classes: their inner product, negative.

    To first order, what a small step of training on the synthetic images does to the loss on the real ones, divided by
    the learning rate.

    Args:
        network: with the weights at which gradients are taken.
        real: a batch of real images for each class, standardised.
        synthetic: the class's synthetic images, standardised.
        together: all classes at once, or one after the other.
        bf16: bfloat16 autocast for the real images; the synthetic ones stay in single precision.
        forward: the network's compiled twin, for the real images.

    Returns:
        A number, negative where the step helps; differentiable in the synthetic images.

    Raises:
        ValueError: as `gradient_matching_loss`.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    >>> real = [torch.ones(3, 1, 4, 4), -torch.ones(3, 1, 4, 4)]
    >>> bool(gradient_product_loss(network, real, real) < 0)
    True
    """
    classes_fit(network, together, real=real, synthetic=synthetic)
    return product_loss(network, real, synthetic, together=together, bf16=bf16, forward=forward)


def product_loss(
    network: nn.Module,
    real: Sequence[Tensor],
    synthetic: Sequence[Tensor],
    *,
    together: bool,
    bf16: bool,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, ""]:
    """Compute `gradient_product_loss` of images that are known to fit."""
    wanted, reached = both_gradients(network, real, synthetic, together=together, bf16=bf16, forward=forward)
    return -torch.stack([(a.mean(0) * b.mean(0)).sum() for a, b in zip(wanted, reached, strict=True)]).sum()


@door
def unrolled_step_loss(
    network: nn.Module,
    real: Sequence[ClassImages],
    synthetic: Sequence[ClassImages],
    *,
    learning_rate: Positive = 0.01,
    together: bool = False,
    bf16: bool = False,
) -> Float[Tensor, ""]:
    """Take the cross-entropy on real images after one step of SGD on the synthetic ones, mean over classes.

    Args:
        network: with the weights before the step; it is not changed.
        real: a batch of real images for each class, standardised.
        synthetic: the class's synthetic images, standardised.
        learning_rate: of the step, 0.01 in the code.
        together: gradients of all classes at once, or one after the other.
        bf16: bfloat16 autocast for the real images.

    Returns:
        A number in nats; differentiable in the synthetic images.

    Raises:
        ValueError: a learning rate that is not above 0; else as `gradient_matching_loss`.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    >>> real = [torch.ones(3, 1, 4, 4), -torch.ones(3, 1, 4, 4)]
    >>> bool(unrolled_step_loss(network, real, real, learning_rate=0.1) < unrolled_step_loss(network, real, real))
    True
    """
    classes_fit(network, together, real=real, synthetic=synthetic)
    return unrolled_loss(network, real, synthetic, learning_rate=learning_rate, together=together, bf16=bf16)


def unrolled_loss(
    network: nn.Module,
    real: Sequence[Tensor],
    synthetic: Sequence[Tensor],
    *,
    learning_rate: float,
    together: bool,
    bf16: bool,
) -> Float[Tensor, ""]:
    """Compute `unrolled_step_loss` of images that are known to fit."""
    gradients = gradients_of_classes(network, synthetic, create_graph=True, together=together)
    stepped = {
        name: p.detach() - learning_rate * g.mean(0)
        for (name, p), g in zip(learned_parameters(network).items(), gradients, strict=True)
    }

    def loss(x: Tensor, label: int) -> Tensor:
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=bf16):
            logits = functional_call(network, stepped, (x,))
        return F.cross_entropy(logits.float() if bf16 else logits, torch.full((len(x),), label, device=x.device))

    return torch.stack([loss(x, label) for label, x in enumerate(real)]).mean()

"""What simplification after training descends: what the decision rests on, at few bits (SimpleBits, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from simplebits import _check
from simplebits._door import door
from simplebits.density import DensityModel
from simplebits.domains import Images, NonNegative, Positive
from simplebits.simplify.arguments import (
    AnyImages,
    Method,
    Network,
    Reference,
    images_do_not_mix,
    images_fit,
    misfits_named,
)
from simplebits.simplify.gates import distance_of, gates_of, kl_of


@dataclass(frozen=True, eq=False)
class AfterTrainingLoss:
    """The terms of the loss, each with one number per image.

    Attributes:
        total: what the simplified image descends, the weighted mean of the four below.
        gradient: L_grad, distance of the gate gradients, 0 to 2.
        prediction: KL(f(x) || f(x_mix)), nats.
        scaled_prediction: KL(f_s(x) || f_s(x_mix)), nats.
        bits: L_sim, bits per dimension of x_sim.
    """

    total: Float[Tensor, " n"]
    gradient: Float[Tensor, " n"]
    prediction: Float[Tensor, " n"]
    scaled_prediction: Float[Tensor, " n"]
    bits: Float[Tensor, " n"]


@door(renamed={"target": "reference"})
def after_training_loss(
    classifier: Network,
    density: DensityModel,
    x: Images,
    mixed: AnyImages,
    simplified: AnyImages,
    scale: Positive = 0.95,
    *,
    bit_weight: NonNegative = 1.0,
    gradient_weight: NonNegative = 10.0,
    prediction_weights: tuple[NonNegative, NonNegative] = (1.0, 1.0),
    reference: Reference = "original",
    method: Method = "vmap",
    generator: torch.Generator | None = None,
) -> AfterTrainingLoss:
    """Compute the loss of algorithms 1 and 2 of SimpleBits for one draw of s and alpha, in the weighting of its code.

    The mean, weighted by w_g, w_1, w_2 and lambda, of L_grad, KL(f(x), f(x_mix)), KL(f_s(x), f_s(x_mix)) and the bits
    per dimension of x_sim. L_grad is the distance of two gate gradients, those of KL(f(x), f_s(x)) and of
    KL(f(x), f_s(x_mix)): see `gate_gradients` and `gate_distance`.
    Algorithm 1 is the case x_mix = x_sim. Nothing but x_mix and x_sim gets a gradient; the classifier runs in the mode
    it is in.

    Args:
        classifier: f, maps images to logits.
        density: measures the bits.
        x: the original images in [0, 1].
        mixed: x_mix, between the original and the simplified image; may leave [0, 1].
        simplified: x_sim, with its graph; values outside [0, 1] count as if clipped, the gradient passes through.
        scale: s, above 0; the paper draws it from U(0.8, 0.95).
        bit_weight: lambda.
        gradient_weight: w_g.
        prediction_weights: w_1 and w_2.
        reference: what f_s is to restore on x_mix in L_grad: `original`, f(x), as in the paper; `mixed`, f(x_mix), as
            in its code.
        method: `vmap` or `loop`, see `gate_gradients`.
        generator: draws the de-quantisation noise, one pattern for all images.

    Raises:
        TypeError, ValueError: an argument out of range, images that density or classifier do not take, or a classifier
            that `gate_gradients` refuses.

    >>> from simplebits.density import Glow
    >>> glow, net = Glow(levels=1, steps=1, hidden=4, image_size=4), nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    >>> x = torch.rand(2, 3, 4, 4)
    >>> loss = after_training_loss(net, glow, x, x, x)  # nothing is lost at the original
    >>> loss.total.shape, bool(loss.prediction.abs().max() < 1e-6)
    (torch.Size([2]), True)
    """
    weights_fit(bit_weight, gradient_weight, prediction_weights)
    images_do_not_mix(classifier)
    _check.fits("x", x, channels=density.channels, size=density.image_size, like=next(density.parameters(), None))
    for argument, images in {"mixed": mixed, "simplified": simplified}.items():
        images_fit(argument, images, x)
        if len(images) != len(x):
            raise ValueError(f"{argument}: expected {len(x)} images, one for each of x, got {len(images)}")
    with misfits_named(classifier, None, x):
        return after_training_terms(
            classifier, density, x, mixed, simplified, scale, bit_weight=bit_weight, gradient_weight=gradient_weight,
            prediction_weights=prediction_weights, reference=reference, method=method, generator=generator,
        )  # fmt: skip


def weights_fit(bit_weight: float, gradient_weight: float, prediction_weights: tuple[float, float]) -> None:
    """Raise ValueError where no term of the loss has a weight."""
    if bit_weight + gradient_weight + sum(prediction_weights) == 0:
        raise ValueError("bit_weight, gradient_weight and prediction_weights are all 0: nothing is left to descend")


def after_training_terms(
    classifier: nn.Module,
    density: DensityModel,
    x: Float[Tensor, "n c h w"],
    mixed: Float[Tensor, "n c h w"],
    simplified: Float[Tensor, "n c h w"],
    scale: float,
    *,
    bit_weight: float,
    gradient_weight: float,
    prediction_weights: tuple[float, float],
    reference: Reference,
    method: Method,
    generator: torch.Generator | None,
) -> AfterTrainingLoss:
    """Compute `after_training_loss` for what fits together; values may be anything."""
    weights = {name: p.detach() for name, p in classifier.named_parameters()}
    logits = functional_call(classifier, weights, (x,)).detach()
    logits_mixed = functional_call(classifier, weights, (mixed,))
    # What the original asks for is a constant.
    wanted, scaled = gates_of(classifier, x.detach(), logits, scale, method)
    wanted = {name: g.detach() for name, g in wanted.items()}
    restored = logits if reference == "original" else logits_mixed
    gates, scaled_mixed = gates_of(classifier, mixed, restored, scale, method)

    clipped = simplified + (simplified.clamp(0, 1) - simplified).detach()
    # One pattern of noise for all: what becomes of an image does not depend on its place in the batch.
    bits = density._bits_alike(clipped, generator)

    gradient = distance_of(gates, wanted)
    prediction, scaled_prediction = kl_of(logits, logits_mixed), kl_of(scaled.detach(), scaled_mixed)
    total = (
        gradient_weight * gradient
        + prediction_weights[0] * prediction
        + prediction_weights[1] * scaled_prediction
        + bit_weight * bits
    ) / (gradient_weight + sum(prediction_weights) + bit_weight)
    return AfterTrainingLoss(total, gradient, prediction, scaled_prediction, bits)

"""The loss of per-instance simplification: can the task still be learned from simplified images? (SimpleBits, S4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from simplebits._door import door
from simplebits._training_state import globally_seeded
from simplebits.data import RandomShift
from simplebits.density import DensityModel
from simplebits.domains import Finite, Images, Labels, NonNegative, Positive
from simplebits.networks.classify import check_labels
from simplebits.simplify.arguments import Gate, Network, ThreeWeights, labels_fit, misfits_named
from simplebits.simplify.noise import uniform_like
from simplebits.simplify.virtual_step import adamw_step, optimiser_fits


@dataclass(frozen=True)
class PerInstanceLoss:
    """The terms of the loss for one batch.

    Attributes:
        total: what the simplifier descends, a scalar with a graph: the weighted mean of the four below.
        before: cross-entropy of f on the simplified images, l(f(X_sim), y), nats.
        after: of f' on the simplified images, l(f'(X_sim), y).
        original: of f' on the original images, one per image, l(f'(x), y).
        gate: share of the bit loss that each image gets, 0 to 1.
        bits: bits per dimension of each simplified image; NaN where nothing depends on them (all gates shut, or
            lambda = 0).
        gradients: of `before` in the classifier's parameters, by name; what an ordinary step of it would take.
    """

    total: Float[Tensor, ""]
    before: Float[Tensor, ""]
    after: Float[Tensor, ""]
    original: Float[Tensor, " n"]
    gate: Float[Tensor, " n"]
    bits: Float[Tensor, " n"]
    gradients: dict[str, Tensor]


@door
def bit_gate(
    original: Annotated[Float[Tensor, " n"], Finite()], threshold: Positive = 0.1, gate: Gate = "ramp"
) -> Float[Tensor, " n"]:
    """Compute how much of the bit loss an image gets, by the loss of f' on its original.

    Args:
        original: cross-entropy per image, nats.
        threshold: tau, nats.
        gate: `ramp`: max(0, 1 - l/tau), as in the code; `threshold`: 1 where l <= tau, else 0, as in the paper.

    Raises:
        TypeError: original is no tensor.
        ValueError: unknown gate, or a threshold not above 0.

    >>> bit_gate(torch.tensor([0.0, 0.05, 0.2]))
    tensor([1.0000, 0.5000, 0.0000])
    """
    return _bit_gate(original, threshold, gate)


def _bit_gate(original: Float[Tensor, " n"], threshold: float, gate: Gate) -> Float[Tensor, " n"]:
    if gate == "threshold":
        return (original <= threshold).to(original.dtype)
    return ((threshold - original) / threshold).clamp(0, 1)


@door
def per_instance_loss(
    classifier: Network,
    optimiser: torch.optim.AdamW,
    density: DensityModel,
    x: Images,
    simplified: Images,
    labels: Labels,
    *,
    bit_weight: NonNegative = 1.0,
    threshold: Positive = 0.1,
    gate: Gate = "ramp",
    weights: ThreeWeights = (1.0, 1.0, 10.0),
    augment: RandomShift | None = None,
    noise: NonNegative = 0.0,
    generator: torch.Generator | None = None,
) -> PerInstanceLoss:
    """Compute equations (2) to (5) and (S3) of SimpleBits, in the weighting of its code.

    f' is the classifier f after one AdamW step on the simplified images (equation 3), with the live moments of its
    optimiser and differentiable. The loss is

        [w1 l(f(X_sim), y) + w2 l(f'(X_sim), y) + w3 l(f'(X_orig), y) + lambda mean_i b_i bpd(x_sim,i)]
        / (w1 + w2 + w3 + lambda),

    with (w1, w2, w3) = (1, 1, 10) and the gate b_i = max(0, 1 - l(f'(x_i), y_i)/tau), a constant to the gradient.
    Neither the classifier nor its optimiser is changed, and neither gets a gradient.

    Args:
        classifier: f, in the mode (training or evaluation) it is to run in. Layers that draw (dropout) get the same
            draws in all passes.
        optimiser: AdamW over its parameters.
        density: measures the bits of the simplified images, without augmentation.
        x: the original images in [0, 1].
        simplified: the simplifier's output, in [0, 1], with its graph.
        labels: y, the classes.
        bit_weight: lambda, at least 0.
        threshold: tau of the gate, nats.
        gate: `ramp` (the code's) or `threshold` (the paper's), see `bit_gate`.
        weights: w1, w2, w3.
        augment: one draw of it is applied to both images of a pair.
        noise: width of the uniform noise, centred on 0, that the classifier sees on simplified images; the bits are
            those without. The reference code adds U(0, 1/255) and, in evaluation, its mean.
        generator: draws augmentation, noise and dropout; without one, torch's global generator does.

    Returns:
        The loss and its parts.

    Raises:
        TypeError: the classifier is no module, the optimiser not AdamW, density no density model, x or simplified no
            tensor, generator none, or augment no `RandomShift`.
        ValueError: images of different shapes or devices, outside [0, 1], of another size than the density's or one
            that the classifier does not take; labels out of range; bit_weight < 0; a classifier without parameters, or
            an optimiser of other ones.

    >>> from simplebits import density, networks
    >>> classifier = networks.NFWideResNet(10, 1, size=16, stem_stride=2)
    >>> x, labels = torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 2, 3])
    >>> simplified = (0.5 * x).requires_grad_()
    >>> loss = per_instance_loss(
    ...     classifier, networks.classifier_optimiser(classifier), density.load("glow-16px"), x, simplified, labels,
    ...     threshold=10.0)
    >>> loss.total.backward()
    >>> simplified.grad.shape, loss.bits.shape
    (torch.Size([4, 3, 16, 16]), torch.Size([4]))
    """
    _batch_fits(classifier, density, x, simplified, labels)
    optimiser_fits(optimiser, dict(classifier.named_parameters()))
    weights_fit(weights, bit_weight)
    with misfits_named(classifier, None, x):
        return loss_terms(
            classifier, optimiser, density, x, simplified, labels, highest=int(labels.max()), bit_weight=bit_weight,
            threshold=threshold, gate=gate, weights=weights, augment=augment, noise=noise, generator=generator,
        )  # fmt: skip


def _batch_fits(classifier: nn.Module, density: DensityModel, x: Tensor, simplified: Tensor, labels: Tensor) -> None:
    got, wanted = (f"shape {list(t.shape)}, {t.dtype} on {t.device}" for t in (simplified, x))
    if got != wanted:
        raise ValueError(f"simplified: expected {wanted}, as x, got {got}; convert with .to(x)")
    device = next(classifier.parameters()).device
    places = {"x": x.device, "labels": labels.device, "density": next(density.parameters(), x).device}
    for name, place in places.items():
        if place != device:
            raise ValueError(f"{name} is on {place}, the classifier on {device}; move one to the other with .to(...)")
    if (density.channels, density.image_size, density.image_size) != tuple(x.shape[1:]):
        raise ValueError(
            f"density measures images {density.channels}x{density.image_size}x{density.image_size}, "
            f"x is {'x'.join(map(str, x.shape[1:]))}; resize the images or load another density"
        )
    check_labels(labels, len(x))


def weights_fit(weights: ThreeWeights, bit_weight: float) -> None:
    """Raise ValueError where no term of the loss has a weight."""
    if sum(weights) + bit_weight == 0:
        raise ValueError(
            f"weights={weights!r}: with bit_weight=0 nothing is left to descend; give at least one weight above 0, of "
            f"l(f(X_sim)), l(f'(X_sim)), l(f'(X_orig)) or the bits"
        )


def loss_terms(
    classifier: nn.Module,
    optimiser: torch.optim.AdamW,
    density: DensityModel,
    x: Float[Tensor, "n c h w"],
    simplified: Float[Tensor, "n c h w"],
    labels: Tensor,
    *,
    highest: int,
    bit_weight: float,
    threshold: float,
    gate: Gate,
    weights: ThreeWeights,
    augment: RandomShift | None,
    noise: float,
    generator: torch.Generator | None,
) -> PerInstanceLoss:
    """Compute `per_instance_loss` of images that have been looked at; `highest` is the largest label of the whole set.

    A label without an output stops a GPU for good, so that the outputs are counted before they are used.
    """
    parameters, device = dict(classifier.named_parameters()), x.device
    shown, original = simplified, x
    if augment is not None:
        shown, original = augment(generator, shown, original)
    if noise:
        shown = shown + noise * (uniform_like(shown, generator) - 0.5)
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device if generator else None))
    run = _passes(classifier, seed, device)

    # Leaves of their own: the classifier's parameters get no gradient. No values are copied.
    theta = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    logits = run(theta, shown)
    labels_fit(highest, logits.shape[1])
    before = F.cross_entropy(logits, labels)
    gradients = torch.autograd.grad(before, list(theta.values()), create_graph=True, allow_unused=True)
    gradients = {
        name: torch.zeros_like(p) if g is None else g for (name, p), g in zip(theta.items(), gradients, strict=True)
    }
    theta_after = adamw_step(optimiser, parameters, gradients)

    after = F.cross_entropy(run(theta_after, shown), labels)
    each = F.cross_entropy(run(theta_after, original), labels, reduction="none")
    gates = _bit_gate(each.detach(), threshold, gate)

    total = weights[0] * before + weights[1] * after + weights[2] * each.mean()
    bits = torch.full_like(each, torch.nan).detach()
    if bit_weight > 0 and bool(gates.any()):
        bits = density(simplified, generator)  # `bits_per_dim` without a second look at the images
        total = total + bit_weight * (gates * bits).mean()
    total = total / (sum(weights) + bit_weight)
    detached = {name: g.detach() for name, g in gradients.items()}
    return PerInstanceLoss(total, before, after, each, gates, bits, detached)


def _passes(classifier: nn.Module, seed: int, device: torch.device) -> Callable[[dict[str, Tensor], Tensor], Tensor]:
    """Make a forward pass with given weights; all with the same dropout masks, logits in single precision or better.

    The passes after the step are not merged into one of twice the batch: on a CPU that was slower (645 ms against 592
    for NF-WRN-16-2), and each image would need its own copy of the masks.
    """
    # Copies of the buffers: running statistics must not move in a step that is only imagined.
    buffers = {name: buffer.clone() for name, buffer in classifier.named_buffers()}

    def run(theta: dict[str, Tensor], x: Tensor) -> Tensor:
        with globally_seeded(seed, device):
            logits = functional_call(classifier, (theta, buffers), (x,))
        return logits if logits.dtype == torch.float64 else logits.float()

    return run

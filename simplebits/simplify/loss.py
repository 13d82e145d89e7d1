"""The loss of per-instance simplification: can the task still be learned from simplified images? (SimpleBits, S4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.func import functional_call

from simplebits import _check
from simplebits._training_state import globally_seeded
from simplebits.data import RandomShift
from simplebits.density import DensityModel
from simplebits.networks.classify import check_labels
from simplebits.simplify.arguments import check_augment, check_network
from simplebits.simplify.noise import uniform_like
from simplebits.simplify.virtual_step import virtual_adamw_step

GATES = ("ramp", "threshold")


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


def check_weights(weights: tuple[float, float, float], bit_weight: float) -> None:
    """Raise ValueError unless these are three numbers of at least 0 that do not add up to 0 with lambda."""
    numbers = isinstance(weights, Sequence) and all(isinstance(w, int | float) and 0 <= w < math.inf for w in weights)
    if not numbers or len(weights) != 3 or sum(weights) + bit_weight == 0:
        raise ValueError(
            f"weights={weights!r}: give three numbers of at least 0, of l(f(X_sim)), l(f'(X_sim)) and l(f'(X_orig)), "
            f"at least one of them or bit_weight above 0"
        )


def bit_gate(original: Float[Tensor, " n"], threshold: float = 0.1, gate: str = "ramp") -> Float[Tensor, " n"]:
    """How much of the bit loss an image gets, by the loss of f' on its original.

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
    if not isinstance(original, Tensor):
        raise TypeError(f"original: expected a tensor of losses, got {type(original).__name__}")
    _check.one_of("gate", gate, GATES)
    _check.positive("threshold", threshold)
    if gate == "threshold":
        return (original <= threshold).to(original.dtype)
    return ((threshold - original) / threshold).clamp(0, 1)


def per_instance_loss(
    classifier: nn.Module,
    optimiser: torch.optim.AdamW,
    density: DensityModel,
    x: Float[Tensor, "n c h w"],
    simplified: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    *,
    bit_weight: float = 1.0,
    threshold: float = 0.1,
    gate: str = "ramp",
    weights: tuple[float, float, float] = (1.0, 1.0, 10.0),
    augment: RandomShift | None = None,
    noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> PerInstanceLoss:
    """Equations (2) to (5) and (S3) of SimpleBits, in the weighting of its code.

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
        labels: y.
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
        ValueError: images of different shapes or devices, outside [0, 1], of another size than the density's; labels
            out of range; bit_weight < 0; a classifier without parameters, or an optimiser of other ones.

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
    check_network("classifier", classifier)
    _check.density_model("density", density)
    check_augment(augment)
    _check.generator("generator", generator)
    parameters = dict(classifier.named_parameters())
    device = next(iter(parameters.values())).device
    _check.image_batch("x", x)
    _check.image_batch("simplified", simplified, channels=x.shape[1], size=x.shape[2], like=x)
    if simplified.shape != x.shape:
        raise ValueError(f"simplified: expected shape {list(x.shape)}, that of x, got {list(simplified.shape)}")
    places = {"x": x.device, "labels": labels.device, "density": next(density.parameters(), x).device}
    for name, place in places.items():
        if place != device:
            raise ValueError(f"{name} is on {place}, the classifier on {device}; move one to the other with .to(...)")
    if (density.image_size, density.channels) != (x.shape[2], x.shape[1]):
        raise ValueError(
            f"density measures images {density.channels}x{density.image_size}x{density.image_size}, "
            f"x is {'x'.join(map(str, x.shape[1:]))}; resize the images or load another density"
        )
    _check.positive("bit_weight", bit_weight, allow_zero=True)
    check_weights(weights, bit_weight)
    _check.positive("noise", noise, allow_zero=True)
    check_labels(labels, len(x))

    seen, original = simplified, x
    if augment is not None:
        seen, original = augment(generator, seen, original)
    if noise:
        seen = seen + noise * (uniform_like(seen, generator) - 0.5)
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device if generator else None))
    run = _passes(classifier, seed, device)

    # Leaves of their own: the classifier's parameters get no gradient. No values are copied.
    theta = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    logits = run(theta, seen)
    check_labels(labels, len(x), logits.shape[1])
    before = F.cross_entropy(logits, labels)
    gradients = torch.autograd.grad(before, list(theta.values()), create_graph=True, allow_unused=True)
    gradients = {
        name: torch.zeros_like(p) if g is None else g for (name, p), g in zip(theta.items(), gradients, strict=True)
    }
    theta_after = virtual_adamw_step(optimiser, parameters, gradients)

    after = F.cross_entropy(run(theta_after, seen), labels)
    original = F.cross_entropy(run(theta_after, original), labels, reduction="none")
    gates = bit_gate(original.detach(), threshold, gate)

    total = weights[0] * before + weights[1] * after + weights[2] * original.mean()
    bits = torch.full_like(original, torch.nan).detach()
    if bit_weight > 0 and bool(gates.any()):
        bits = density.bits_per_dim(simplified, generator)
        total = total + bit_weight * (gates * bits).mean()
    held = {name: g.detach() for name, g in gradients.items()}
    return PerInstanceLoss(total / (sum(weights) + bit_weight), before, after, original, gates, bits, held)


def _passes(classifier: nn.Module, seed: int, device: torch.device) -> Callable[[dict[str, Tensor], Tensor], Tensor]:
    """A forward pass with given weights; all with the same dropout masks, logits in single precision or better.

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

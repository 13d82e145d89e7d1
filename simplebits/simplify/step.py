"""One step of SimpleBits: the simplifier descends its loss, then the classifier takes an ordinary step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simplebits._training import set_rates
from simplebits._training_state import TrainingState, globally_seeded
from simplebits.data import RandomShift
from simplebits.density import quantise
from simplebits.domains import Momentum, NonNegative, Positive, Seed, UnitInterval
from simplebits.simplify.arguments import Gate, ThreeWeights, same_shape
from simplebits.simplify.loss import PerInstanceLoss, loss_terms
from simplebits.simplify.measuring import contrast
from simplebits.simplify.noise import uniform_like
from simplebits.simplify.schedule import Stage


@dataclass(frozen=True)
class StepSettings:
    """Settings of `SimplifyWhileTraining`; the defaults are the published ones.

    Attributes:
        bit_weight: lambda, at least 0.
        threshold: tau of the gate, nats.
        gate: `ramp` or `threshold`, see `bit_gate`.
        weights: of the three classification losses, see `per_instance_loss`.
        learning_rate: of the classifier's AdamW (betas .9, .995, weight decay 1e-5 but on biases).
        simplifier_learning_rate: of the simplifier's Adam.
        simplifier_betas: its betas.
        simplifier_weight_decay: its coupled L2 penalty (the paper says AdamW with 1e-5).
        clip: largest norm of the simplifier's gradient; None: as it is.
        augment: drawn once for both images of a pair.
        noise: width of the uniform noise on the simplified images that the classifier sees, in grey levels of the
            density: nothing can hide below it. The reference code's earlier runs have 1, its final ones 0. Where the
            task is easy, dimming the whole image is a cheap way to few bits; more noise makes it a dear one. The
            classifier's own step sees the loss's noise again, where the reference code draws anew.
        reuse_gradient: take the classifier's step with the gradient that the loss has computed anyway, on the images as
            they were before the simplifier's update. The reference code simplifies again and computes it anew, which
            takes a sixth of the step's time.
        bf16: bfloat16 autocast in both networks, not in the likelihood; None: where the device is faster in it.
        seed: of batches, augmentation, noise and dropout.
    """

    bit_weight: NonNegative = 1.0
    threshold: Positive = 0.1
    gate: Gate = "ramp"
    weights: ThreeWeights = (1.0, 1.0, 10.0)
    learning_rate: Positive = 5e-4
    simplifier_learning_rate: Positive = 5e-4
    simplifier_betas: tuple[Momentum, Momentum] = (0.5, 0.99)
    simplifier_weight_decay: NonNegative = 5e-5
    clip: Positive | None = None
    augment: RandomShift | None = RandomShift(4)  # noqa: RUF009 - frozen
    noise: NonNegative = 0.0
    reuse_gradient: bool = False
    bf16: bool | None = None
    seed: Seed = 0

    def noted(self) -> dict[str, Any]:
        """List the settings as a checkpoint's note holds them."""
        rates = [self.learning_rate, self.simplifier_learning_rate]
        adam = [self.simplifier_betas, self.simplifier_weight_decay]
        alike = ("bit_weight", "threshold", "gate", "weights", "clip", "noise", "bf16", "seed", "reuse_gradient")
        same = {name: getattr(self, name) for name in alike}
        return same | {"augment": repr(self.augment), "learning_rates": rates, "simplifier": adam}


@dataclass(frozen=True, eq=False)
class Networks:
    """The two networks that are trained side by side, and what trains them."""

    classifier: nn.Module
    simplifier: nn.Module
    classifier_optimiser: torch.optim.AdamW
    simplifier_optimiser: torch.optim.Adam

    def set_rates(self, settings: StepSettings, factor: float) -> None:
        """Give both optimisers their learning rates, times a factor."""
        of_classifier = [settings.learning_rate] * len(self.classifier_optimiser.param_groups)
        set_rates(self.classifier_optimiser, of_classifier, factor)
        set_rates(self.simplifier_optimiser, [settings.simplifier_learning_rate], factor)

    def state(self, settings: Mapping[str, Any]) -> TrainingState:
        """Give what a checkpoint holds of them."""
        modules = {"classifier": self.classifier, "simplifier": self.simplifier}
        optimisers = {"classifier": self.classifier_optimiser, "simplifier": self.simplifier_optimiser}
        return TrainingState(modules, optimisers, settings)


@dataclass(frozen=True)
class StepResult:
    """What one step did.

    Attributes:
        loss: the simplifier's loss and its parts.
        finite: False where loss or gradients were not finite; such a step is skipped.
        contrast: of the simplified batch, relative to the original one.
    """

    loss: PerInstanceLoss
    finite: bool
    contrast: float


def training_step(
    networks: Networks,
    stage: Stage,
    x: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    settings: StepSettings,
    highest: int,
) -> StepResult:
    """Take one step of both networks (SimpleBits, section 3 and appendix S4).

    Args:
        networks: simplifier, classifier and their optimisers.
        stage: whose density measures the bits.
        x: original images in [0, 1], of the density's size.
        labels: theirs.
        generator: draws augmentation, noise and dropout.
        settings: all numbers.
        highest: the largest label of the whole set.
    """
    noise = settings.noise / (2**stage.density.bit_depth - 1)
    autocast = torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=bool(settings.bf16))
    again = torch.Generator()
    again.set_state(generator.get_state())  # the classifier's step sees the same augmentation

    with autocast:
        simple = simplify_batch(networks.simplifier, x, stage)
        UnitInterval()("simplifier", simple)
        loss = loss_terms(
            networks.classifier, networks.classifier_optimiser, stage.density, x, simple, labels, highest=highest,
            bit_weight=settings.bit_weight * stage.factor, threshold=settings.threshold, gate=settings.gate,
            weights=settings.weights, augment=settings.augment, noise=noise, generator=generator,
        )  # fmt: skip
    finite = _update_simplifier(networks, loss.total, settings.clip)

    if finite and settings.reuse_gradient:
        finite = update_classifier(networks, loss.gradients.values())
    elif finite:
        with autocast:
            shown = _shown_to_the_classifier(networks.simplifier, x, stage, settings.augment, noise, again)
            ordinary = _cross_entropy(networks.classifier, shown, labels, again)
        finite = update_classifier(networks, _gradients(ordinary, networks.classifier))
    return StepResult(loss, finite, contrast(simple.detach(), x))


def simplify_batch(simplifier: nn.Module, x: Tensor, stage: Stage) -> Tensor:
    """Simplify a batch, on the grid of the density's grey levels."""
    simple = simplifier(x)
    same_shape(simple, x)
    return quantise(simple.to(x.dtype), stage.density.bit_depth)


@torch.no_grad()
def _shown_to_the_classifier(
    simplifier: nn.Module,
    x: Tensor,
    stage: Stage,
    augment: RandomShift | None,
    noise: float,
    generator: torch.Generator,
) -> Tensor:
    """Make images with the updated simplifier, augmented and with noise."""
    simple = simplify_batch(simplifier, x, stage)
    if augment is not None:
        (simple,) = augment(generator, simple)
    if noise:
        simple = simple + noise * (uniform_like(simple, generator) - 0.5)
    return simple


def _cross_entropy(classifier: nn.Module, x: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Compute the loss of an ordinary step."""
    seed = int(torch.randint(2**62, (), generator=generator))
    with globally_seeded(seed, x.device):
        return F.cross_entropy(classifier(x).float(), labels)


def _gradients(loss: Tensor, network: nn.Module) -> list[Tensor]:
    """Differentiate the loss in the network's parameters; zero where it does not depend on one."""
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)]


def _update_simplifier(networks: Networks, total: Tensor, clip: float | None) -> bool:
    """Take a step of Adam down the loss; False, and no step, if loss or gradients are not finite."""
    parameters = list(networks.simplifier.parameters())
    # Differentiate in the simplifier's parameters only: the gradient in the classifier's is not needed here.
    for p, g in zip(parameters, torch.autograd.grad(total, parameters, allow_unused=True), strict=True):
        p.grad = g
    norm = torch.nn.utils.clip_grad_norm_(parameters, math.inf if clip is None else clip)
    finite = bool(torch.isfinite(total) & torch.isfinite(norm))
    if finite:
        networks.simplifier_optimiser.step()
    networks.simplifier_optimiser.zero_grad()
    return finite


def update_classifier(networks: Networks, gradients: Iterable[Tensor]) -> bool:
    """Take an ordinary step of the classifier; False, and no step, if a gradient is not finite."""
    gradients = list(gradients)
    finite = bool(torch.stack([torch.isfinite(g).all() for g in gradients]).all())
    if finite:
        for p, g in zip(networks.classifier.parameters(), gradients, strict=True):
            p.grad = g
        networks.classifier_optimiser.step()
        networks.classifier_optimiser.zero_grad()
    return finite

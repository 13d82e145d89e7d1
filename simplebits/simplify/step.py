"""One step of SimpleBits: the simplifier descends its loss, then the classifier takes an ordinary step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simplebits import _check
from simplebits._precision import choose_bf16
from simplebits._training_state import globally_seeded
from simplebits.data import RandomShift
from simplebits.density import DensityModel, quantise
from simplebits.networks.classify import classifier_optimiser
from simplebits.simplify.arguments import check_augment, check_betas, check_network, check_trainable
from simplebits.simplify.history import SimplifyHistory
from simplebits.simplify.loss import GATES, PerInstanceLoss, check_weights, per_instance_loss
from simplebits.simplify.noise import uniform_like
from simplebits.simplify.schedule import Stage, stages_of


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


def contrast(simple: Tensor, x: Tensor) -> float:
    """Mean standard deviation within a channel of an image, relative to the originals'."""
    return float(simple.flatten(2).std(2).mean() / x.flatten(2).std(2).mean().clamp(min=1e-6))


class TrainingStep:
    """Simplifier, classifier, their optimisers and all settings of a step (SimpleBits, section 3 and appendix S4).

    `SimplifyWhileTraining`, which adds the loop, documents the arguments.
    """

    def __init__(
        self,
        classifier: nn.Module,
        simplifier: nn.Module,
        density: DensityModel | Sequence[Stage],
        *,
        bit_weight: float = 1.0,
        threshold: float = 0.1,
        gate: str = "ramp",
        weights: tuple[float, float, float] = (1.0, 1.0, 10.0),
        learning_rate: float = 5e-4,
        simplifier_learning_rate: float = 5e-4,
        simplifier_betas: tuple[float, float] = (0.5, 0.99),
        simplifier_weight_decay: float = 5e-5,
        clip: float | None = None,
        augment: RandomShift | None = RandomShift(4),  # noqa: B008 - frozen
        noise: float = 0.0,
        reuse_gradient: bool = False,
        bf16: bool | None = None,
        seed: int = 0,
    ) -> None:
        self.stages = stages_of(density)
        check_network("classifier", classifier)
        check_network("simplifier", simplifier)
        check_trainable("classifier", classifier)
        check_trainable("simplifier", simplifier)
        check_betas("simplifier_betas", simplifier_betas)
        check_augment(augment)
        _check.seed("seed", seed)
        _check.positive("bit_weight", bit_weight, allow_zero=True)
        _check.positive("threshold", threshold)
        _check.positive("noise", noise, allow_zero=True)
        _check.one_of("gate", gate, GATES)
        if clip is not None:
            _check.positive("clip", clip)
        _check.positive("learning_rate", learning_rate)
        _check.positive("simplifier_learning_rate", simplifier_learning_rate)
        check_weights(weights, bit_weight)
        parts = {"classifier": classifier, "simplifier": simplifier}
        parts |= {f"density {k}" if k else "density": stage.density for k, stage in enumerate(self.stages)}
        weight = {name: next(part.parameters(), None) for name, part in parts.items()}
        devices = {name: p.device for name, p in weight.items() if p is not None}
        if len(set(devices.values())) > 1:
            raise ValueError(
                "all parts must be on one device, got "
                + ", ".join(f"{name} on {device}" for name, device in devices.items())
            )
        if reuse_gradient and any(getattr(m, "track_running_stats", False) for m in classifier.modules()):
            raise ValueError("reuse_gradient: running statistics of the classifier would never move; leave it off")
        self.classifier, self.simplifier = classifier, simplifier
        self.device = devices["classifier"]
        self.bit_weight, self.threshold, self.gate, self.weights = bit_weight, threshold, gate, tuple(weights)
        self.clip, self.augment, self.seed = clip, augment, seed
        self.bf16 = choose_bf16(bf16, self.device)
        self.noise, self.reuse_gradient = noise, reuse_gradient
        self.rates = [learning_rate, simplifier_learning_rate]
        self.classifier_optimiser = classifier_optimiser(classifier, learning_rate)
        self.simplifier_optimiser = torch.optim.Adam(
            simplifier.parameters(),
            lr=simplifier_learning_rate,
            betas=tuple(simplifier_betas),
            weight_decay=simplifier_weight_decay,
        )
        self.simplifier_settings = [simplifier_betas, simplifier_weight_decay]
        self.step, self.history = 0, SimplifyHistory()
        self.warmed = 0  # steps that the classifier has learned alone
        self.kept: list[tuple[int, Tensor]] = []
        self._flat = self._bad = 0

    def take(self, x: Tensor, labels: Tensor, stage: Stage, generator: torch.Generator) -> StepResult:
        """Take one step of both networks.

        Args:
            x: original images in [0, 1], of the density's size.
            labels: theirs.
            stage: whose density measures the bits.
            generator: draws augmentation, noise and dropout.
        """
        again = torch.Generator()
        again.set_state(generator.get_state())  # the classifier's step sees the same augmentation
        autocast = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)
        with autocast:
            simple = quantise(self.simplifier(x).to(x.dtype), stage.density.bit_depth)
            loss = per_instance_loss(
                self.classifier, self.classifier_optimiser, stage.density, x, simple, labels,
                bit_weight=self.bit_weight * stage.factor, threshold=self.threshold, gate=self.gate,
                weights=self.weights, augment=self.augment, noise=self._noise_width(stage), generator=generator,
            )  # fmt: skip
        parameters = list(self.simplifier.parameters())
        # Of these parameters only: what the graph would give for the classifier's is never computed.
        gradients = torch.autograd.grad(loss.total, parameters, allow_unused=True)
        for p, g in zip(parameters, gradients, strict=True):
            p.grad = g
        norm = torch.nn.utils.clip_grad_norm_(parameters, math.inf if self.clip is None else self.clip)
        finite = bool(torch.isfinite(loss.total) & torch.isfinite(norm))
        if finite:
            self.simplifier_optimiser.step()
            classifier_gradients = (
                loss.gradients.values() if self.reuse_gradient else self._fresh(stage, x, labels, again, autocast)
            )
            finite = self._classifier_step(classifier_gradients)
        self.simplifier_optimiser.zero_grad()
        return StepResult(loss, finite, contrast(simple.detach(), x))

    def _fresh(
        self, stage: Stage, x: Tensor, labels: Tensor, generator: torch.Generator, autocast: Any
    ) -> Iterable[Tensor]:
        """The classifier's gradient on the images as the updated simplifier makes them."""
        with torch.no_grad(), autocast:
            simple = quantise(self.simplifier(x).to(x.dtype), stage.density.bit_depth)
            if self.augment is not None:
                (simple,) = self.augment(generator, simple)
            if self.noise:
                simple = simple + self._noise_width(stage) * (uniform_like(simple, generator) - 0.5)
        seed = int(torch.randint(2**62, (), generator=generator))
        with autocast, globally_seeded(seed, self.device):
            loss = F.cross_entropy(self.classifier(simple).float(), labels)
        parameters = list(self.classifier.parameters())
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)]

    def _classifier_step(self, gradients: Iterable[Tensor]) -> bool:
        """An ordinary step of the classifier, if all of its gradients are finite."""
        gradients = list(gradients)
        finite = all(bool(torch.isfinite(g).all()) for g in gradients)
        if finite:
            for p, g in zip(self.classifier.parameters(), gradients, strict=True):
                p.grad = g
            self.classifier_optimiser.step()
            self.classifier_optimiser.zero_grad()
        return finite

    def _noise_width(self, stage: Stage) -> float:
        return self.noise / (2**stage.density.bit_depth - 1)

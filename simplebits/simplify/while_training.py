"""SimpleBits: a simplifier and a classifier trained side by side (SimpleBits, section 3; its appendix S4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, overload

import torch
from jaxtyping import Float
from torch import Tensor

from simplebits import _check
from simplebits._door import door
from simplebits._files import beside
from simplebits._precision import choose_bf16
from simplebits._training import Training
from simplebits._training_state import TrainingState, step_generator
from simplebits.data import ImageSet, RandomShift, to_bytes
from simplebits.data.image_set import _numbered_as
from simplebits.density import DensityModel
from simplebits.domains import Count, CountOrZero, Images, Momentum, NonNegative, Positive, Seed, Share
from simplebits.networks.classify import classifier_optimiser, fit_classifier
from simplebits.simplify.arguments import (
    FilledSet,
    Gate,
    Schedule,
    ThreeWeights,
    Trainable,
    labels_fit,
    misfits_named,
    networks_fit,
    one_device,
)
from simplebits.simplify.history import SimplifyHistory
from simplebits.simplify.loss import weights_fit
from simplebits.simplify.measuring import measured, simplified
from simplebits.simplify.schedule import Stage, stage_at
from simplebits.simplify.step import Networks, StepResult, StepSettings, training_step
from simplebits.simplify.sweep import runs_by_bit_weight

PUBLISHED = StepSettings()


@door
class SimplifyWhileTraining:
    """Train a simplifier to lower the bits of images as far as a classifier can still learn its task from them.

    Every step lowers `per_instance_loss` in the simplifier's weights, then takes one ordinary AdamW step of the
    classifier on the newly simplified images. The defaults are the published settings; what a short run on few cores
    needs instead is in lesson 04.

    Args:
        classifier: f: images [n, c, h, w] in [0, 1] to logits; trained in place.
        simplifier: images to images in [0, 1], `ResidualUNet` for example; trained in place.
        density: measures bits: one model for the whole run (as published) or a schedule of stages.

    All further arguments, `bit_weight` to `seed`, are fields of `StepSettings`, which documents them.

    Attributes:
        settings: all but the networks and the density.
        stages: which density measures bits when.
        history: what happened so far.
        warmed: steps that the classifier has learned alone.

    Raises:
        TypeError: no density model, or a stage that is none; a network that is no module; augment no `RandomShift`.
        ValueError: an argument out of range, a network without parameters, networks on different devices, densities
            of different sizes.

    >>> import simplebits as sb
    >>> run = SimplifyWhileTraining(
    ...     sb.networks.NFWideResNet(10, 1, size=16, stem_stride=2), sb.networks.ResidualUNet(4, 2, merge=1.0),
    ...     sb.density.load("glow-16px"), bit_weight=4.0)
    >>> history = run.fit(sb.data.load("digits", "train"), steps=2, batch_size=8, progress=False)
    >>> len(history.terms["bits"]), run.simplify(torch.rand(3, 3, 16, 16)).shape
    (2, torch.Size([3, 3, 16, 16]))
    """

    def __init__(
        self,
        classifier: Trainable,
        simplifier: Trainable,
        density: Schedule,
        *,
        bit_weight: NonNegative = PUBLISHED.bit_weight,
        threshold: Positive = PUBLISHED.threshold,
        gate: Gate = PUBLISHED.gate,
        weights: ThreeWeights = PUBLISHED.weights,
        learning_rate: Positive = PUBLISHED.learning_rate,
        simplifier_learning_rate: Positive = PUBLISHED.simplifier_learning_rate,
        simplifier_betas: tuple[Momentum, Momentum] = PUBLISHED.simplifier_betas,
        simplifier_weight_decay: NonNegative = PUBLISHED.simplifier_weight_decay,
        clip: Positive | None = PUBLISHED.clip,
        augment: RandomShift | None = PUBLISHED.augment,
        noise: NonNegative = PUBLISHED.noise,
        reuse_gradient: bool = PUBLISHED.reuse_gradient,
        bf16: bool | None = PUBLISHED.bf16,
        seed: Seed = PUBLISHED.seed,
    ) -> None:
        self.stages = cast(Sequence[Stage], density)  # of a single model, the door has made one stage
        densities = {f"density {k}" if k else "density": stage.density for k, stage in enumerate(self.stages)}
        self.device = one_device(classifier=classifier, simplifier=simplifier, **densities)
        weights_fit(weights, bit_weight)
        if reuse_gradient and any(getattr(m, "track_running_stats", False) for m in classifier.modules()):
            raise ValueError("reuse_gradient: running statistics of the classifier would never move; leave it off")
        self.settings = StepSettings(
            bit_weight, threshold, gate, weights, learning_rate, simplifier_learning_rate, simplifier_betas,
            simplifier_weight_decay, clip, augment, noise, reuse_gradient, choose_bf16(bf16, self.device), seed,
        )  # fmt: skip
        adam = torch.optim.Adam(
            simplifier.parameters(), simplifier_learning_rate, simplifier_betas, weight_decay=simplifier_weight_decay
        )
        self.networks = Networks(classifier, simplifier, classifier_optimiser(classifier, learning_rate), adam)
        self.classifier, self.classifier_optimiser = classifier, self.networks.classifier_optimiser
        self.simplifier, self.simplifier_optimiser = simplifier, adam
        self.history, self.warmed = SimplifyHistory(), 0

    @property
    def density(self) -> DensityModel:
        """The last stage's density: what bits are reported in."""
        return self.stages[-1].density

    @property
    def step(self) -> int:
        """Steps taken, those before a checkpoint included."""
        return self.history.steps

    @property
    def kept(self) -> list[tuple[int, Tensor]]:
        """Simplified versions of the images that `fit` was to keep: (step, uint8 images)."""
        return self.history.kept

    @door
    def fit(
        self,
        images: FilledSet,
        *,
        steps: Count,
        batch_size: Count = 32,
        warm_up: CountOrZero = 0,
        cool_down: Share = 0.0,
        test: FilledSet | None = None,
        measure_every: Count | None = None,
        keep: FilledSet | None = None,
        keep_every: Count | None = None,
        checkpoint: str | Path | None = None,
        checkpoint_every: Count = 200,
        collapse_patience: Count | None = 20,
        patience: Count = 20,
        progress: bool | None = None,
    ) -> SimplifyHistory:
        """Train both networks; calling again with more steps goes on.

        A fit with a `checkpoint` goes on from it if the file is there. What a step draws depends on `seed` and its
        number alone: on a CPU, a resumed run ends bit for bit where an uninterrupted one does.

        Args:
            images: the training set, brought to the density's size and channels batch by batch.
            steps: of the simplifier, in all, resumed ones included. The paper takes 100 epochs.
            batch_size: images a step.
            warm_up: steps in which the classifier alone learns from the original images. While it errs on them, the
                gate is shut and nothing is simplified; the paper has none and waits.
            cool_down: share of all steps, the last ones, in which both learning rates fall to zero; 0 as published.
            test: images to measure on; `measured` of the history.
            measure_every: steps between two measurements; None: at the end only.
            keep: images whose simplified versions are kept in `kept`, a list of (step, uint8 images).
            keep_every: steps between two of them; None: at the start and at the end.
            checkpoint: file to write and to resume from.
            checkpoint_every: steps between two checkpoints.
            collapse_patience: so many batches of constant images in a row end the fit; None: never.
            patience: so many non-finite steps in a row end the fit.
            progress: show a bar; None: on a terminal only.

        Returns:
            `history`.

        Raises:
            TypeError: images, test or keep is no ImageSet.
            ValueError: an argument out of range, one of these sets empty, a network that does not take images of the
                density's size, labels that the classifier has no output for, another training's checkpoint.
            CollapseError: the images became constant; says at which lambda.
            FloatingPointError: loss or gradients stayed non-finite for `patience` steps.
        """
        test = None if test is None else _numbered_as("test", test, images.classes)
        state = self._state(images, batch_size, warm_up if self.step == 0 else 0, cool_down, steps)
        training = Training(
            steps, f"simplify, λ = {self.settings.bit_weight:g}", state=state, history=self.history, begun=self.step,
            checkpoint=checkpoint, checkpoint_every=checkpoint_every, patience=patience,
            remedy="lower the learning rates, or set clip", progress=progress,
        )  # fmt: skip
        if training.resumed is not None:
            self.warmed = state.settings["warm_up"]
        elif self.step == 0 and warm_up:
            self._warm_up(images, warm_up, batch_size, checkpoint, progress, test)
        shown = None if keep is None else self._convert(keep)
        highest = max(int(labelled.labels.max()) for labelled in (images, test) if labelled is not None)
        self.classifier.train()
        self.simplifier.train()
        if self.history.collapsed is not None:
            training.end()
        with misfits_named(self.classifier, self.simplifier, self._convert(images.subset([0]))):
            if shown is not None and self.step == 0:
                training.keep(to_bytes(self._simplify(shown)), 0)
            for step in training:
                self.networks.set_rates(self.settings, training.cooling(cool_down))
                result = self._update(images, batch_size, stage_at(self.stages, step / steps), highest)
                training.proceed(result.loss.total, result.finite)
                if collapse_patience and self.history.constant >= collapse_patience:
                    self.history.collapsed = step + 1
                    training.end()
                if shown is not None and training.at(keep_every):
                    training.keep(to_bytes(self._simplify(shown)))
                if test is not None and training.at(measure_every):
                    on_test = self.measure(test)
                    self.history.measured.append({"step": step + 1} | on_test)
                    training.bar.set_postfix({name: f"{value:.2f}" for name, value in on_test.items()})
        self.classifier.eval()
        self.simplifier.eval()
        self.history.refuse_collapse(self.settings.bit_weight)
        return self.history

    def _update(self, images: ImageSet, batch_size: int, stage: Stage, highest: int) -> StepResult:
        """Take a step on a batch that depends on the seed and the step's number alone."""
        generator = step_generator(self.settings.seed, self.step)
        batch = images.subset(torch.randint(len(images), (batch_size,), generator=generator))
        x, labels = self._convert(batch), batch.labels.to(self.device)
        result = training_step(self.networks, stage, x, labels, generator, self.settings, highest)
        self.history.add(result.loss, result.finite, result.contrast)
        return result

    @door
    def sweep(
        self,
        images: FilledSet,
        bit_weights: Sequence[NonNegative],
        *,
        batch_size: Count = 32,
        warm_up: CountOrZero = 0,
        test: FilledSet | None = None,
        checkpoint: str | Path | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> dict[float, SimplifyWhileTraining]:
        """Train one run for each lambda, all from this one's present state and from one warm-up.

        A run that collapses stays in the result, with `history.collapsed` set. One that stops with a
        `FloatingPointError` ends the sweep; called again with the same `checkpoint`, it reads back what was done.

        Args:
            images: the training set.
            bit_weights: the lambdas.
            batch_size: images a step.
            warm_up: steps in which the classifier alone learns, once for all runs.
            test: images to measure on.
            checkpoint: each lambda has a file of its own beside this one.
            progress: show bars; None: on a terminal only.
            options: further arguments of `fit`.

        Returns:
            The runs by lambda; this one has taken the warm-up only.

        Raises:
            TypeError, ValueError: bit_weights is no list of different lambdas of at least 0; else as `fit`.
            FloatingPointError: a run did not stay finite.
        """
        shared = {"batch_size": batch_size, "test": test, "progress": progress}
        return runs_by_bit_weight(self, images, bit_weights, warm_up, checkpoint, options, shared)

    @overload
    def simplify(self, images: ImageSet) -> ImageSet: ...
    @overload
    def simplify(self, images: Tensor) -> Tensor: ...

    @door
    def simplify(self, images: FilledSet | Images) -> ImageSet | Tensor:
        """Simplify images with the simplifier in evaluation mode, on the grid of the (last) density's grey levels.

        Args:
            images: an `ImageSet` (brought to the density's size and channels) or images in [0, 1] of that size.

        Returns:
            The same kind of thing, an image set with the labels of the original one.

        Raises:
            TypeError: neither an ImageSet nor a tensor.
            ValueError: images outside [0, 1], of another size than the density's, or an empty set.
        """
        if isinstance(images, Tensor):
            _check.fits("images", images, channels=self.density.channels, size=self.density.image_size)
            return self._simplify(images)
        batches = torch.arange(len(images)).split(100)
        parts = [to_bytes(self._simplify(self._convert(images.subset(i)))).cpu() for i in batches]
        return ImageSet(torch.cat(parts), images.labels, images.classes, f"{images.name}, simplified")

    @door
    def measure(self, images: FilledSet) -> dict[str, float]:
        """Measure the classifier's accuracy on original and on simplified images, and bits and contrast of the latter.

        Args:
            images: brought to the density's size and channels.

        Returns:
            `accuracy_original` and `accuracy_simplified` (0 to 1), `bits` (per dimension, under the last density) and
            `contrast` (relative to the originals').

        Raises:
            TypeError: images is no ImageSet.
            ValueError: it is empty, or has labels that the classifier has no output for.
        """
        x, bf16 = self._convert(images).cpu(), bool(self.settings.bf16)
        return measured(self.classifier, self.simplifier, self.density, x, images.labels, bf16)

    def _simplify(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return simplified(self.simplifier, self.density, x, bool(self.settings.bf16))

    def _warm_up(
        self,
        images: ImageSet,
        steps: int,
        batch_size: int,
        checkpoint: str | Path | None,
        progress: bool | None,
        test: ImageSet | None,
    ) -> None:
        """Let the classifier learn alone; what only the steps after it would tell is told before."""
        classes = networks_fit(self.classifier, self.simplifier, self._convert(images.subset([0])))
        for labelled in (images, test):
            labels_fit(-1 if labelled is None else int(labelled.labels.max()), classes)
        path = beside(checkpoint, "warm-up")
        again = path is not None and path.is_file()  # then the file's steps are all that the classifier has taken
        fit_classifier(
            self.classifier, images, steps=steps, size=self.density.image_size, channels=self.density.channels,
            batch_size=batch_size, optimiser=self.classifier_optimiser, augment=self.settings.augment,
            bf16=self.settings.bf16, seed=self.settings.seed, progress=progress, description="warm-up", checkpoint=path,
        )  # fmt: skip
        self.warmed = steps if again else self.warmed + steps

    def _convert(self, images: ImageSet) -> Float[Tensor, "n c h w"]:
        return images.to_float(self.density.image_size, self.density.channels, self.device)

    def _state(self, images: ImageSet, batch_size: int, warm_up: int, cool_down: float, steps: int) -> TrainingState:
        settings = self.settings.noted() | {
            "set": images.name, "images": len(images), "batch_size": batch_size, "warm_up": self.warmed + warm_up,
            "cool_down": cool_down,
            "stages": [[s.density.bit_depth, s.density.image_size, s.share, s.factor] for s in self.stages],
        }  # fmt: skip
        if len(self.stages) > 1 or cool_down:
            settings["steps"] = steps  # where a stage ends and the cooling begins depends on it
        return self.networks.state(settings)

"""SimpleBits: a simplifier and a classifier trained side by side (SimpleBits, section 3; its appendix S4)."""

from __future__ import annotations

import contextlib
import copy
import inspect
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import torch
from jaxtyping import Float
from torch import Tensor

from simplebits import _check, _progress
from simplebits._training_state import TrainingState, step_generator
from simplebits.data import ImageSet, to_bytes
from simplebits.density import DensityModel, mean_bits, quantise
from simplebits.networks.classify import accuracy, fit_classifier
from simplebits.networks.evaluation_mode import evaluation_mode
from simplebits.simplify.arguments import check_parts_fit, check_set
from simplebits.simplify.history import TERMS, CollapseError, SimplifyHistory
from simplebits.simplify.schedule import Stage, stage_at
from simplebits.simplify.step import StepResult, TrainingStep, contrast

COLLAPSED = 0.05  # share of the originals' contrast below which simplified images count as constant


class SimplifyWhileTraining(TrainingStep):
    """Train a simplifier to lower the bits of images as far as a classifier can still learn its task from them.

    Every step lowers `per_instance_loss` in the simplifier's weights, then takes one ordinary AdamW step of the
    classifier on the newly simplified images. The defaults are the published settings; what a short run on few cores
    needs instead is in chapter 04.

    Args:
        classifier: f: images [n, c, h, w] in [0, 1] to logits; trained in place.
        simplifier: images to images in [0, 1], `ResidualUNet` for example; trained in place.
        density: measures bits: one model for the whole run (as published) or a schedule of stages.
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
        bf16: bfloat16 autocast in all three networks, not in the likelihood; None: where the device is faster in it.
        seed: of batches, augmentation, noise and dropout.

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

    @property
    def density(self) -> DensityModel:
        """The last stage's density: what bits are reported in."""
        return self.stages[-1].density

    def fit(
        self,
        images: ImageSet,
        *,
        steps: int,
        batch_size: int = 32,
        warm_up: int = 0,
        cool_down: float = 0.0,
        test: ImageSet | None = None,
        measure_every: int | None = None,
        keep: ImageSet | None = None,
        keep_every: int | None = None,
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 200,
        collapse_patience: int | None = 20,
        patience: int = 20,
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
            ValueError: an argument out of range, one of these sets empty, labels that the classifier has no output
                for, another training's checkpoint.
            CollapseError: the images became constant; says at which lambda.
            FloatingPointError: loss or gradients stayed non-finite for `patience` steps.
        """
        for name, value in {"images": images, "test": test, "keep": keep}.items():
            if value is not None or name == "images":
                check_set(name, value)
        whole = {"steps": steps, "batch_size": batch_size, "checkpoint_every": checkpoint_every, "patience": patience}
        optional = {"measure_every": measure_every, "keep_every": keep_every, "collapse_patience": collapse_patience}
        for name, value in (whole | {k: v for k, v in optional.items() if v is not None}).items():
            _check.positive(name, value, integer=True)
        _check.positive("warm_up", warm_up, allow_zero=True, integer=True)
        _check.share("cool_down", cool_down)
        check_parts_fit(self.classifier, self.simplifier, self._convert, images, test)
        state = self._state(images, batch_size, warm_up if self.step == 0 else 0, cool_down, steps)
        path = None if checkpoint is None else Path(checkpoint)
        if path is not None and path.is_file() and self.step == 0:
            self._load(state, path)
        elif self.step == 0 and warm_up:
            self._warm_up(images, warm_up, batch_size, path, progress)

        clock = time.perf_counter()
        shown = None if keep is None else self._convert(keep)
        bar = _progress.bar(steps, self.step, f"simplify, λ = {self.bit_weight:g}", progress)
        self.classifier.train()
        self.simplifier.train()
        with bar:
            if self.step == 0:
                self._keep(shown)
            while self.step < steps and self.history.collapsed is None:
                self._set_rates((steps - self.step) / max(cool_down * steps, 1))
                result = self._update(images, batch_size, stage_at(self.stages, self.step / steps))
                self.step += 1
                self._bad = 0 if result.finite else self._bad + 1
                self._flat = self._flat + 1 if result.contrast < COLLAPSED else 0
                if self._bad >= patience:
                    raise FloatingPointError(
                        f"{self._bad} steps in a row gave a loss or gradient that is not finite (step {self.step}, "
                        f"{self.history.skipped} skipped in all); lower the learning rates, or set clip"
                    )
                bar.update()
                if collapse_patience and self._flat >= collapse_patience:
                    self.history.collapsed = self.step
                last = self.step == steps or self.history.collapsed is not None
                if last or (keep_every and self.step % keep_every == 0):
                    self._keep(shown)
                if test is not None and (last or (measure_every and self.step % measure_every == 0)):
                    self.history.measured.append({"step": self.step} | self.measure(test))
                    bar.set_postfix({k: f"{v:.2f}" for k, v in self.history.measured[-1].items() if k != "step"})
                if last or self.step % checkpoint_every == 0:
                    self.history.seconds += time.perf_counter() - clock
                    clock = time.perf_counter()
                    if path is not None:
                        self._save(state, path)
        self.classifier.eval()
        self.simplifier.eval()
        if self.history.collapsed is not None:
            raise CollapseError(
                f"at lambda = {self.bit_weight:g} every image had become constant by step {self.history.collapsed} "
                f"(contrast below {COLLAPSED:.0%} of the originals'); lower bit_weight, or stop earlier"
            )
        return self.history

    def sweep(
        self, images: ImageSet, bit_weights: Sequence[float], **options: Any
    ) -> dict[float, SimplifyWhileTraining]:
        """One run for each lambda, all from this one's present state and from one warm-up.

        A run that collapses stays in the result, with `history.collapsed` set. One that stops with a
        `FloatingPointError` ends the sweep; called again with the same `checkpoint`, it reads back what was done.

        Args:
            images: the training set.
            bit_weights: the lambdas.
            options: arguments of `fit`. With a `checkpoint`, each lambda has a file of its own beside it.

        Returns:
            The runs by lambda; this one has taken the warm-up only.

        Raises:
            TypeError, ValueError: bit_weights is no list of different lambdas of at least 0; else as `fit`.
            FloatingPointError: a run did not stay finite.
        """
        if not isinstance(bit_weights, Sequence):
            raise TypeError(f"bit_weights: expected a list of lambdas, got {type(bit_weights).__name__}")
        check_set("images", images)
        if not bit_weights or len(set(bit_weights)) < len(bit_weights):
            raise ValueError(f"bit_weights={bit_weights!r}: give at least one lambda, and each once")
        for value in bit_weights:
            _check.positive("bit_weights", value, allow_zero=True)
        inspect.signature(self.fit).bind(images, **options)  # a misspelt option shows before the warm-up, not after it
        warm_up, checkpoint = options.pop("warm_up", 0), options.pop("checkpoint", None)
        path = None if checkpoint is None else Path(checkpoint)
        _check.positive("warm_up", warm_up, allow_zero=True, integer=True)
        check_parts_fit(self.classifier, self.simplifier, self._convert, images, options.get("test"))
        if warm_up:
            self._warm_up(images, warm_up, options.get("batch_size", 32), path, options.get("progress"))
        runs = {}
        for value in bit_weights:
            # Everything is copied but the densities, which no run changes.
            run = copy.deepcopy(self, {id(stage): stage for stage in self.stages})
            run.bit_weight = value
            own = path and path.with_name(f"{path.stem}-{value:g}{path.suffix}")
            with contextlib.suppress(CollapseError):
                run.fit(images, checkpoint=own, **options)
            runs[value] = run
        return runs

    @overload
    def simplify(self, images: ImageSet) -> ImageSet: ...
    @overload
    def simplify(self, images: Tensor) -> Tensor: ...

    @torch.no_grad()
    def simplify(self, images: ImageSet | Float[Tensor, "n c h w"]) -> ImageSet | Float[Tensor, "n c h w"]:
        """Simplified images, on the grid of the (last) density's grey levels, from the simplifier in evaluation mode.

        Args:
            images: an `ImageSet` (brought to the density's size and channels) or images in [0, 1] of that size.

        Returns:
            The same kind of thing, an image set with the labels of the original one.

        Raises:
            TypeError: neither an ImageSet nor a tensor.
            ValueError: images outside [0, 1], of another size than the density's, or an empty set.
        """
        if isinstance(images, ImageSet):
            check_set("images", images)
            batches = torch.arange(len(images)).split(100)
            parts = [to_bytes(self.simplify(self._convert(images.subset(i)))).cpu() for i in batches]
            return ImageSet(torch.cat(parts), images.labels, images.classes, f"{images.name}, simplified")
        _check.image_batch("images", images, channels=self.density.channels, size=self.density.image_size)
        autocast = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)
        with evaluation_mode(self.simplifier), autocast:
            parts = [self.simplifier(part.to(self.device)).to(images.dtype) for part in images.float().split(100)]
        return quantise(torch.cat(parts), self.density.bit_depth).to(images.device)

    @torch.no_grad()
    def measure(self, images: ImageSet) -> dict[str, float]:
        """Accuracy of the classifier on original and on simplified images, and bits and contrast of the latter.

        Args:
            images: brought to the density's size and channels.

        Returns:
            `accuracy_original` and `accuracy_simplified` (0 to 1), `bits` (per dimension, under the last density) and
            `contrast` (relative to the originals').

        Raises:
            TypeError: images is no ImageSet.
            ValueError: it is empty, or has labels that the classifier has no output for.
        """
        check_set("images", images)
        x = self._convert(images).cpu()
        simple = self.simplify(x)
        return {
            "accuracy_original": accuracy(self.classifier, x, images.labels, bf16=self.bf16),
            "accuracy_simplified": accuracy(self.classifier, simple, images.labels, bf16=self.bf16),
            "bits": mean_bits(self.density, simple),
            "contrast": contrast(simple, x),
        }

    def _update(self, images: ImageSet, batch_size: int, stage: Stage) -> StepResult:
        """One step on a batch that depends on the seed and the step's number alone."""
        generator = step_generator(self.seed, self.step)
        batch = images.subset(torch.randint(len(images), (batch_size,), generator=generator))
        result = self.take(self._convert(batch), batch.labels.to(self.device), stage, generator)
        self.history.skipped += not result.finite
        for name in TERMS:
            value = float(getattr(result.loss, name).detach().mean()) if result.finite else math.nan
            self.history.terms[name].append(value)
        return result

    def _set_rates(self, factor: float) -> None:
        for optimiser, rate in zip((self.classifier_optimiser, self.simplifier_optimiser), self.rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1.0, factor)

    def _warm_up(self, images: ImageSet, steps: int, batch_size: int, path: Path | None, progress: bool | None) -> None:
        own = path and path.with_name(f"{path.stem}-warm-up{path.suffix}")
        again = own is not None and own.is_file()  # then the file's steps are all that the classifier has taken
        fit_classifier(
            self.classifier, images, steps=steps, size=self.density.image_size, channels=self.density.channels,
            batch_size=batch_size, optimiser=self.classifier_optimiser, augment=self.augment, bf16=self.bf16,
            seed=self.seed, progress=progress, description="warm-up", checkpoint=own,
        )  # fmt: skip
        self.warmed = steps if again else self.warmed + steps

    def _convert(self, images: ImageSet) -> Float[Tensor, "n c h w"]:
        return images.to_float(self.density.image_size, self.density.channels, self.device)

    def _keep(self, shown: Tensor | None) -> None:
        if shown is not None and (not self.kept or self.kept[-1][0] != self.step):
            self.kept.append((self.step, to_bytes(self.simplify(shown)).cpu()))

    def _state(self, images: ImageSet, batch_size: int, warm_up: int, cool_down: float, steps: int) -> TrainingState:
        settings = {
            "set": images.name, "images": len(images), "batch_size": batch_size, "warm_up": self.warmed + warm_up,
            "bit_weight": self.bit_weight, "threshold": self.threshold, "gate": self.gate, "weights": self.weights,
            "clip": self.clip, "augment": repr(self.augment), "noise": self.noise, "bf16": self.bf16, "seed": self.seed,
            "reuse_gradient": self.reuse_gradient,
            "learning_rates": self.rates, "simplifier": self.simplifier_settings, "cool_down": cool_down,
            "stages": [[s.density.bit_depth, s.density.image_size, s.share, s.factor] for s in self.stages],
        }  # fmt: skip
        if len(self.stages) > 1 or cool_down:
            settings["steps"] = steps  # where a stage ends and the cooling begins depends on it
        return TrainingState(
            {"classifier": self.classifier, "simplifier": self.simplifier},
            {"classifier": self.classifier_optimiser, "simplifier": self.simplifier_optimiser},
            settings,
        )

    def _save(self, state: TrainingState, path: Path) -> None:
        note = {"step": self.step, "flat": self._flat, "bad": self._bad, "history": vars(self.history)}
        state.save(path, note, {f"kept/{step}": images for step, images in self.kept})

    def _load(self, state: TrainingState, path: Path) -> None:
        note, tensors = state.load(path)
        self.warmed = state.settings["warm_up"]
        self.step, self.history = note["step"], SimplifyHistory(**note["history"])
        self._flat, self._bad = note.get("flat", 0), note.get("bad", 0)
        kept = {int(name.removeprefix("kept/")): images for name, images in tensors.items()}
        self.kept = sorted(kept.items(), key=lambda pair: pair[0])

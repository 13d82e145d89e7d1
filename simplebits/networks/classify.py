"""Training a classifier and counting what it gets right: the plain loop that every method here builds on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits import _check, _progress
from simplebits._precision import choose_bf16
from simplebits._training_state import TrainingState, globally_seeded, step_generator
from simplebits.data import ImageSet, RandomShift
from simplebits.networks.evaluation_mode import evaluation_mode


def classifier_optimiser(
    classifier: nn.Module,
    learning_rate: float = 5e-4,
    betas: tuple[float, float] = (0.9, 0.995),
    weight_decay: float = 1e-5,
) -> torch.optim.AdamW:
    """AdamW with weight decay on everything but biases (SimpleBits, section 3; betas as in its code)."""
    decayed = [p for name, p in classifier.named_parameters() if not name.endswith("bias")]
    free = [p for name, p in classifier.named_parameters() if name.endswith("bias")]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=learning_rate, betas=betas)


def check_labels(labels: Tensor, n: int, classes: int | None = None) -> None:
    """Raise unless `labels` is an int64 tensor [n] with values in 0 .. classes - 1."""
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.shape != (n,):
        got = f"{labels.dtype} {list(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(f"labels: expected an int64 tensor [{n}], one for each image, got {got}")
    if classes is not None and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(
            f"labels: must lie in 0 .. {classes - 1} for a classifier of {classes} outputs, "
            f"got {int(labels.min())} .. {int(labels.max())}"
        )


@torch.no_grad()
def predict(
    classifier: nn.Module, x: Float[Tensor, "n c h w"], batch_size: int = 250, bf16: bool = False
) -> Float[Tensor, "n classes"]:
    """Logits in evaluation mode, by the batch, on the classifier's device; its mode is put back afterwards.

    A classifier without parameters runs where x is.

    Raises:
        TypeError: the classifier is no module, or x no tensor.
        ValueError: x wrong as an image batch, of another dtype than the classifier's weights, or batch_size < 1.
    """
    _check.positive("batch_size", batch_size, integer=True)
    _check.image_batch("x", x)
    with evaluation_mode(classifier):
        weight = next(classifier.parameters(), x)
        if weight.dtype != x.dtype and not bf16:
            raise ValueError(
                f"x: expected {weight.dtype}, as the classifier's weights, got {x.dtype}; convert it with .to(...)"
            )
        with torch.autocast(weight.device.type, dtype=torch.bfloat16, enabled=bf16):
            parts = [classifier(part.to(weight.device)).float() for part in x.split(batch_size)]
        return torch.cat(parts).to(x.device)


def accuracy(
    classifier: nn.Module, x: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"], bf16: bool = False
) -> float:
    """Share of images whose largest logit is their label's, 0 to 1, in evaluation mode.

    Raises:
        TypeError: the classifier is no module, or x no tensor.
        ValueError: as for `predict`, or labels that do not fit x.
    """
    logits = predict(classifier, x, bf16=bf16)
    check_labels(labels, len(x), logits.shape[1])
    return float((logits.argmax(1) == labels.to(logits.device)).float().mean())


@dataclass
class ClassifierHistory:
    """What a training went through.

    Attributes:
        losses: cross-entropy of each step's batch, nats.
        curve: (step, {name of a set: accuracy}).
        seconds: time spent, over all resumed parts.
    """

    losses: list[float] = field(default_factory=list)
    curve: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    seconds: float = 0.0


def fit_classifier(
    classifier: nn.Module,
    images: ImageSet,
    *,
    steps: int,
    size: int | None = None,
    channels: int | None = None,
    batch_size: int = 32,
    optimiser: torch.optim.Optimizer | None = None,
    schedule: Callable[[int], float] | None = None,
    augment: RandomShift | None = None,
    noise: float = 0.0,
    evaluate: Mapping[str, ImageSet] | None = None,
    evaluate_every: int | None = None,
    bf16: bool | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    progress: bool | None = None,
    description: str = "classifier",
    transform: Callable[[Tensor], Tensor] | None = None,
) -> ClassifierHistory:
    """Minimise the cross-entropy; the classifier is fitted in place, on its device, and left in evaluation mode.

    Args:
        classifier: maps images [n, c, h, w] in [0, 1] to logits [n, classes].
        images: the training set.
        steps: number of updates in all, resumed ones included.
        size: height and width to resize the images to; None keeps them.
        channels: 1 or 3; None keeps them.
        batch_size: images a step.
        optimiser: of the classifier's parameters; None: `classifier_optimiser` with the paper's settings.
        schedule: what the optimiser's learning rates are multiplied by at a step, counted from 0; None: they stay.
        augment: draws crops and flips; None: images as they are.
        noise: width of uniform noise, centred on 0, added to each batch, freshly drawn; 1/255 is one grey level.
        evaluate: sets to measure the accuracy on.
        evaluate_every: steps between two measurements; None: at the end only.
        bf16: bfloat16 autocast; None: where the device is faster in it.
        seed: of batches, augmentation, noise and dropout.
        checkpoint: file to write and to resume from.
        checkpoint_every: steps between two checkpoints.
        progress: show a bar; None: on a terminal only.
        description: what the bar says.
        transform: applied to the images of each batch before the augmentation.

    Raises:
        ValueError: an argument out of range, labels that the classifier has no output for, another training's
            checkpoint.
        FloatingPointError: the loss is not finite.
    """
    for name, value in {"steps": steps, "batch_size": batch_size, "checkpoint_every": checkpoint_every}.items():
        _check.positive(name, value, integer=True)
    _check.positive("noise", noise, allow_zero=True)
    if evaluate_every is not None:
        _check.positive("evaluate_every", evaluate_every, integer=True)
    device = next(classifier.parameters()).device
    bf16 = choose_bf16(bf16, device)
    optimiser = optimiser or classifier_optimiser(classifier)
    rates = [group["lr"] for group in optimiser.param_groups]
    history, step = ClassifierHistory(), 0
    settings = {
        "set": images.name, "images": len(images), "batch_size": batch_size, "augment": repr(augment), "noise": noise,
        "bf16": bf16, "seed": seed, "learning_rate": optimiser.param_groups[0]["lr"],
    }  # fmt: skip
    if schedule is not None:
        settings["schedule"] = [schedule(at) for at in range(0, steps, -(-steps // 20))]
    state = TrainingState({"classifier": classifier}, {"classifier": optimiser}, settings)
    if checkpoint is not None and Path(checkpoint).is_file():
        note, _ = state.load(Path(checkpoint))
        curve = [(at, now) for at, now in note["history"]["curve"]]  # JSON has no tuples
        step, history = note["step"], ClassifierHistory(**(note["history"] | {"curve": curve}))
    held = {name: (s.to_float(size, channels), s.labels) for name, s in (evaluate or {}).items()}
    clock = time.perf_counter()
    bar = _progress.bar(steps, step, description, progress)
    classifier.train()
    with bar:
        while step < steps:
            generator = step_generator(seed, step)
            index = torch.randint(len(images), (batch_size,), generator=generator)
            batch = images.subset(index)
            x, labels = batch.to_float(size, channels, device), batch.labels.to(device)
            if transform is not None:
                x = transform(x)
            if noise:
                x = x + noise * (torch.rand(x.shape, generator=generator) - 0.5).to(device)
            if augment is not None:
                (x,) = augment(generator, x)
            with (
                globally_seeded(seed * 1_000_003 + step, device),
                torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16),
            ):
                logits = classifier(x).float()
            if step == 0:
                check_labels(images.labels, len(images), logits.shape[1])
            loss = F.cross_entropy(logits, labels)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} at step {step}; lower the learning rate")
            if schedule is not None:
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * schedule(step)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
            history.losses.append(float(loss.detach()))
            bar.update()
            if step == steps or (evaluate_every and step % evaluate_every == 0):
                now = {name: accuracy(classifier, *pair, bf16=bf16) for name, pair in held.items()}
                history.curve.append((step, now))
                bar.set_postfix({name: f"{value:.3f}" for name, value in now.items()})
            if checkpoint is not None and (step == steps or step % checkpoint_every == 0):
                history.seconds += time.perf_counter() - clock
                clock = time.perf_counter()
                state.save(Path(checkpoint), {"step": step, "history": vars(history)})
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        group["lr"] = rate
    history.seconds += time.perf_counter() - clock
    classifier.eval()
    return history

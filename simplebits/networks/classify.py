"""Training a classifier and counting what it gets right: the plain loop that every method here builds on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits._precision import choose_bf16
from simplebits._training import Training, set_rates
from simplebits._training_state import TrainingState, globally_seeded, step_generator
from simplebits.data import ImageSet, RandomShift
from simplebits.data.image_set import Channels, _numbered_as, _to_float
from simplebits.domains import Count, Filled, Images, Labels, Momentum, NonNegative, Positive, Seed
from simplebits.networks.binary import two_or_more
from simplebits.networks.evaluation_mode import evaluation_mode


@door
def classifier_optimiser(
    classifier: nn.Module,
    learning_rate: Positive = 5e-4,
    betas: tuple[Momentum, Momentum] = (0.9, 0.995),
    weight_decay: NonNegative = 1e-5,
) -> torch.optim.AdamW:
    """Make AdamW with weight decay on everything but biases (SimpleBits, section 3; betas as in its code).

    Raises:
        TypeError: the classifier is no module.
        ValueError: a rate, decay or beta out of range, or a classifier without weights.
    """
    _learned_weight(classifier)
    decayed = [p for name, p in classifier.named_parameters() if not name.endswith("bias")]
    free = [p for name, p in classifier.named_parameters() if name.endswith("bias")]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=learning_rate, betas=betas)


def _learned_weight(classifier: nn.Module) -> Tensor:
    """Return one of the weights that learn.

    Raises:
        ValueError: there is none.
    """
    weight = next((p for p in classifier.parameters() if p.requires_grad), None)
    if weight is None:
        raise ValueError("classifier: none of its weights can learn; classifier.requires_grad_(True) lets frozen ones")
    return weight


def check_labels(labels: Tensor, n: int, classes: int | None = None) -> None:
    """Raise unless `labels` is an int64 tensor [n] with values in 0 .. classes - 1."""
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.shape != (n,):
        got = f"{labels.dtype} {list(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(f"labels: expected an int64 tensor [{n}], one for each image, got {got}")
    if classes is not None:
        two_or_more("classifier", (n, classes))
    if classes is not None and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(
            f"labels: must lie in 0 .. {classes - 1} for a classifier of {classes} outputs, "
            f"got {int(labels.min())} .. {int(labels.max())}"
        )


@door
@torch.no_grad()
def predict(
    classifier: nn.Module, x: Images, batch_size: Count = 250, bf16: bool = False
) -> Float[Tensor, "n classes"]:
    """Compute logits in evaluation mode, by the batch, on the classifier's device; its mode is put back afterwards.

    A classifier without parameters runs where x is.

    Raises:
        TypeError: the classifier is no module, or x no tensor.
        ValueError: x wrong as an image batch, of another dtype than the classifier's weights, or batch_size < 1.
    """
    weight = next(classifier.parameters(), x)
    if weight.dtype != x.dtype and not bf16:
        raise ValueError(
            f"x: expected {weight.dtype}, as the classifier's weights, got {x.dtype}; convert it with .to(...)"
        )
    autocast = torch.autocast(weight.device.type, dtype=torch.bfloat16, enabled=bf16)
    with evaluation_mode(classifier), autocast:
        parts = [classifier(part.to(weight.device)).float() for part in x.split(batch_size)]
    return torch.cat(parts).to(x.device)


@door
def accuracy(classifier: nn.Module, x: Images, labels: Labels, bf16: bool = False) -> float:
    """Measure the share of images whose largest logit is their label's, 0 to 1, in evaluation mode.

    Raises:
        TypeError: the classifier is no module, or x no tensor.
        ValueError: as for `predict`, or labels that do not fit x.
    """
    return _accuracy(classifier, x, labels, bf16)


def _accuracy(classifier: nn.Module, x: Tensor, labels: Tensor, bf16: bool) -> float:
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


@door(renamed={"evaluate": "test", "evaluate_every": "measure_every"})
def fit_classifier(
    classifier: nn.Module,
    images: Annotated[ImageSet, Filled()],
    *,
    steps: Count,
    size: Count | None = None,
    channels: Channels = None,
    batch_size: Count = 32,
    optimiser: torch.optim.Optimizer | None = None,
    schedule: Callable[[int], float] | None = None,
    augment: RandomShift | None = None,
    noise: NonNegative = 0.0,
    test: Mapping[str, Annotated[ImageSet, Filled()]] | None = None,
    measure_every: Count | None = None,
    bf16: bool | None = None,
    seed: Seed = 0,
    checkpoint: str | Path | None = None,
    checkpoint_every: Count = 500,
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
        test: sets to measure the accuracy on; their classes are found by name.
        measure_every: steps between two measurements; None: at the end only.
        bf16: bfloat16 autocast; None: where the device is faster in it.
        seed: of batches, augmentation, noise and dropout.
        checkpoint: file to write and to resume from.
        checkpoint_every: steps between two checkpoints.
        progress: show a bar; None: on a terminal only.
        description: what the bar says.
        transform: applied to the images of each batch before the augmentation.

    Raises:
        ValueError: an argument out of range, no images, labels that the classifier has no output for, no weights that
            learn, another training's checkpoint.
        FloatingPointError: the loss is not finite.
    """
    device = _learned_weight(classifier).device
    bf16 = choose_bf16(bf16, device)
    optimiser = optimiser or classifier_optimiser(classifier)
    rates = [group["lr"] for group in optimiser.param_groups]
    settings = {
        "set": images.name, "images": len(images), "batch_size": batch_size, "augment": repr(augment), "noise": noise,
        "bf16": bf16, "seed": seed, "learning_rate": rates[0],
    }  # fmt: skip
    if schedule is not None:
        settings["schedule"] = [schedule(at) for at in range(0, steps, -(-steps // 20))]
    history = ClassifierHistory()
    training = Training(
        steps, description, state=TrainingState({"classifier": classifier}, {"classifier": optimiser}, settings),
        history=history, checkpoint=checkpoint, checkpoint_every=checkpoint_every, progress=progress,
    )  # fmt: skip
    held_out = {name: _numbered_as(f"test[{name!r}]", one, images.classes) for name, one in (test or {}).items()}
    measured = {name: (one.to_float(size, channels), one.labels) for name, one in held_out.items()}
    classifier.train()
    for step in training:
        generator = step_generator(seed, step)
        index = torch.randint(len(images), (batch_size,), generator=generator)
        x, labels = _to_float(images.images[index], size, channels, device), images.labels[index].to(device)
        if transform is not None:
            x = transform(x)
        if noise:
            x = x + noise * (torch.rand(x.shape, generator=generator) - 0.5).to(device)
        if augment is not None:
            (x,) = augment(generator, x)
        autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)
        with globally_seeded(seed * 1_000_003 + step, device), autocast:
            logits = classifier(x).float()
        if step == 0:
            check_labels(images.labels, len(images), logits.shape[1])
        loss = F.cross_entropy(logits, labels)
        training.proceed(loss)
        if schedule is not None:
            set_rates(optimiser, rates, schedule(step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.losses.append(float(loss.detach()))
        if training.at(measure_every):
            right = {name: _accuracy(classifier, *pair, bf16) for name, pair in measured.items()}
            history.curve.append((step + 1, right))
            training.bar.set_postfix({name: f"{value:.3f}" for name, value in right.items()})
    set_rates(optimiser, rates, 1.0)
    classifier.eval()
    return history

"""The training protocol of the overinterpretation experiments: SGD whose rate falls in steps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits.data import ImageSet, RandomShift
from simplebits.domains import Count, Momentum, NonNegative, Positive, Probability, Seed
from simplebits.networks import ClassifierHistory, fit_classifier, predict


@door
def step_decay(
    steps: Count, milestones: Sequence[Probability] = (0.3, 0.6, 0.8), factor: Positive = 0.2
) -> Callable[[int], float]:
    """Give the factor of the learning rate at a step: times `factor` at each milestone.

    The defaults are Carter et al. 2021, section S2: a fifth after epochs 60, 120 and 160 of 200.

    Args:
        steps: of the whole training.
        milestones: shares of it, 0 to 1, rising.
        factor: what the rate is multiplied by at each.

    Raises:
        ValueError: an argument out of range, or milestones that do not rise.

    >>> rate = step_decay(200)
    >>> [round(rate(step), 3) for step in (0, 59, 60, 120, 199)]
    [1.0, 1.0, 0.2, 0.04, 0.008]
    """
    if list(milestones) != sorted(milestones):
        raise ValueError(f"milestones={tuple(milestones)!r}: give rising shares of the training, each 0 to 1")
    starts = [round(at * steps) for at in milestones]
    return lambda step: factor ** bisect_right(starts, step)


@door(renamed={"evaluate": "test"})
def train_classifier(
    classifier: nn.Module,
    images: ImageSet,
    *,
    epochs: Count = 200,
    batch_size: Count = 128,
    learning_rate: Positive = 0.1,
    momentum: Momentum = 0.9,
    weight_decay: NonNegative = 5e-4,
    milestones: Sequence[Probability] = (0.3, 0.6, 0.8),
    augment: RandomShift | None = None,
    test: Mapping[str, ImageSet] | None = None,
    bf16: bool | None = False,
    seed: Seed = 0,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
    description: str = "classifier",
) -> ClassifierHistory:
    """Train on whole images or on pixel subsets by SGD with Nesterov momentum; the last weights are kept.

    The defaults are Carter et al. 2021, section S2. An epoch is as many steps as the images fill batches; each batch is
    drawn anew, so that an image may come twice in an epoch.

    Args:
        classifier: maps images [n, c, h, w] in [0, 1] to logits; trained in place, on its device.
        images: the training set, for example one of `keep_pixels`.
        epochs: passes over the set.
        batch_size: images a step.
        learning_rate: at the start; a fifth of it after each milestone.
        momentum: of Nesterov, 0 to below 1.
        weight_decay: of all parameters.
        milestones: shares of the training, see `step_decay`.
        augment: fresh crops and flips of each batch, `RandomShift(4, flip=True)` in the paper for whole images. Pixel
            subsets are trained on as they are: for the paper's (+) see `augment_once`.
        test: sets to measure the accuracy on at the end.
        bf16: bfloat16 autocast; None: where the device is faster in it.
        seed: of batches, augmentation and dropout.
        checkpoint: file to write and to resume from.
        progress: show a bar; None: on a terminal only.
        description: what the bar says.

    Raises:
        TypeError: images is no image set.
        ValueError: an argument out of range, labels that the classifier has no output for, another training's
            checkpoint.
        FloatingPointError: the loss is not finite.

    >>> pixels = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1)
    >>> tiny = ImageSet(pixels, torch.tensor([0, 0, 1, 1]), ("a", "b"), "tiny")
    >>> history = train_classifier(nn.Sequential(nn.Flatten(), nn.Linear(1, 2)), tiny, epochs=3, batch_size=2)
    >>> len(history.losses)
    6
    """
    steps = epochs * -(-len(images) // batch_size)
    optimiser = torch.optim.SGD(
        classifier.parameters(),
        lr=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        nesterov=momentum > 0,
    )
    return fit_classifier(
        classifier,
        images,
        steps=steps,
        batch_size=batch_size,
        optimiser=optimiser,
        schedule=step_decay(steps, milestones),
        augment=augment,
        test=test,
        bf16=bf16,
        seed=seed,
        checkpoint=checkpoint,
        progress=progress,
        description=description,
    )


@door
def check_trained(
    classifier: nn.Module, test: ImageSet, least_accuracy: Probability, threshold: Probability = 0.99
) -> Float[Tensor, "n classes"]:
    """Give the logits of test images, unless the network is broken: too often wrong, or sure of all images or of none.

    Sufficient subsets of a broken network mean nothing, and nothing else would say that the network is broken.

    Args:
        classifier: a trained network.
        test: images that it was not trained on.
        least_accuracy: share of them that a sound network gets right, 0 to 1.
        threshold: confidence from which on a network counts as sure of an image, 0 to 1.

    Raises:
        ValueError: the network is broken, saying in which way.

    >>> pixels = torch.tensor([0, 255, 0, 255], dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 3, 1, 1)
    >>> dark = ImageSet(pixels, torch.zeros(4, dtype=torch.int64), ("a", "b", "c"), "dark")
    >>> check_trained(nn.Flatten(), dark, 0.5, 0.9)
    Traceback (most recent call last):
    ValueError: the network is broken: 100.0% of dark right (at least 50.0% asked for), sure of 0 of 4 images...
    """
    logits = predict(classifier, test.to_float())
    right = float((logits.argmax(1) == test.labels).float().mean())
    sure = int((logits.softmax(1).amax(1) >= threshold).sum())
    if right < least_accuracy or sure in (0, len(test)):
        raise ValueError(
            f"the network is broken: {right:.1%} of {test.name} right (at least {least_accuracy:.1%} asked for), sure "
            f"of {sure} of {len(test)} images at {threshold:g}; train it longer or at a lower learning rate"
        )
    return logits

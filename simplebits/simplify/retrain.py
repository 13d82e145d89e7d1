"""What is left of the task in simplified images: a fresh classifier learns from them (SimpleBits, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simplebits._door import door
from simplebits.data import RandomShift
from simplebits.data.image_set import Channels
from simplebits.domains import Count, NonNegative, Positive, Seed
from simplebits.networks.classify import classifier_optimiser, fit_classifier
from simplebits.simplify.arguments import FilledSet, Network, misfits_named

GREY_LEVEL = 1 / 255


@dataclass(frozen=True)
class Retraining:
    """What a fresh classifier learned from simplified images.

    Attributes:
        accuracy: on each set, after the last step, 0 to 1.
        curve: (step, accuracies by set): the learning curve (figure S3).
        losses: cross-entropy of each step's batch, nats.
    """

    accuracy: dict[str, float]
    curve: list[tuple[int, dict[str, float]]]
    losses: list[float]


@door
def retrain(
    classifier: Network,
    simplified: FilledSet,
    test: Mapping[str, FilledSet],
    *,
    steps: Count,
    size: Count | None = None,
    channels: Channels = None,
    batch_size: Count = 32,
    learning_rate: Positive = 5e-4,
    augment: RandomShift | None = RandomShift(4),  # noqa: B008 - frozen
    noise: NonNegative = GREY_LEVEL,
    measure_every: Count | None = None,
    bf16: bool | None = None,
    seed: Seed = 0,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> Retraining:
    """Train a fresh classifier on images that were simplified once and for all, and test it on original images.

    The settings are the paper's (AdamW, 5e-4, weight decay 1e-5, batches of 32, 100 epochs of them), as is the noise of
    one grey level that every batch gets anew.

    Args:
        classifier: with fresh weights; trained in place.
        simplified: training images as `SimplifyWhileTraining.simplify` gives them, or a baseline.
        test: sets to measure on, by name: the *original* test images above all.
        steps: number of updates.
        size: height and width to resize the images to; None keeps them.
        channels: 1 or 3; None keeps them.
        batch_size: images a step.
        learning_rate: of AdamW.
        augment: crops and flips.
        noise: width of the uniform noise on training images.
        measure_every: steps between two points of the learning curve; None: its end only.
        bf16: bfloat16 autocast; None: where the device is faster in it.
        seed: of batches, augmentation, noise and dropout.
        checkpoint: file to write and to resume from.
        progress: show a bar; None: on a terminal only.

    Raises:
        TypeError: the classifier is no module, simplified or a test set no ImageSet, or augment no `RandomShift`.
        ValueError: no test set, an empty set, an argument out of range, images that the classifier does not take,
            labels that it has no output for, another training's checkpoint.
        FloatingPointError: the loss is not finite.

    >>> from simplebits import data, networks
    >>> images = data.load("digits", "train").draw(40)
    >>> fresh = networks.build("ConvNet", channels=1, size=8, width=8, depth=1)
    >>> result = retrain(fresh, images, {"original": images}, steps=2, size=8, progress=False)
    >>> len(result.losses), list(result.accuracy)
    (2, ['original'])
    """
    if not test:
        raise ValueError("test: give at least one set to measure on, as {'original': images}")
    device = next(classifier.parameters()).device
    with misfits_named(classifier, None, simplified.subset([0]).to_float(size, channels, device)):
        history = fit_classifier(
            classifier, simplified, steps=steps, size=size, channels=channels, batch_size=batch_size, augment=augment,
            noise=noise, test=test, measure_every=measure_every, bf16=bf16, seed=seed, checkpoint=checkpoint,
            progress=progress, description="retrain", optimiser=classifier_optimiser(classifier, learning_rate),
        )  # fmt: skip
    return Retraining(history.curve[-1][1], history.curve, history.losses)

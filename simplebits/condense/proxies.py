"""What the networks of a search learn from in place of the whole set, and for how long."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simplebits._door import door
from simplebits._training import Training, set_rates
from simplebits._training_state import TrainingState, digest, step_generator
from simplebits.condense.arguments import Augmentation, Seeds
from simplebits.condense.augment import SiameseAugment
from simplebits.condense.condensed_set import CondensedSet, constants
from simplebits.data import ImageSet
from simplebits.data.image_set import _to_float
from simplebits.domains import Count, Momentum, NonNegative, Positive


@door
@dataclass(frozen=True, eq=False)
class Proxy:
    """A training that stands for another: the images that every network learns from, and for how many steps.

    A few images, chosen or condensed, are one kind; the whole set for a few steps, *early stopping*, is another. The
    whole set for many steps is what both stand for. SGD as in `evaluate`: after half of the steps the rate falls to a
    tenth. Every image is seen once before one is seen again.

    Attributes:
        images: a condensed set, or real images, which are standardised by their own set's constants.
        steps: updates; 100 in gradient matching's search, which are 100 passes over 100 images.
        batch_size: images a step, at most.
        learning_rate: of SGD.
        momentum: of SGD.
        weight_decay: of SGD.
        augment: draws new parameters for each image at each step, as in `evaluate`.
        seeds: trainings of each network, each with weights and batches of its own; five in the papers.

    Raises:
        TypeError: images of another kind, or an augmentation of another kind.
        ValueError: an argument out of range, no images, or a seed that occurs twice.

    >>> from simplebits import data
    >>> Proxy(data.load("digits", "train").resized(8), steps=100, batch_size=100).images_seen
    1287
    """

    how_to_get: ClassVar[str] = "; sb.condense.Proxy(images, steps=100) makes one"

    images: ImageSet | CondensedSet
    steps: Count
    batch_size: Count = 256
    learning_rate: Positive = 0.01
    momentum: Momentum = 0.9
    weight_decay: NonNegative = 5e-4
    augment: Augmentation = None
    seeds: Seeds = range(5)

    def __post_init__(self) -> None:
        if not len(self.images):
            raise ValueError(f"images: {self.images!r} is empty; give at least one image")

    @property
    def each_seed(self) -> list[int]:
        """List the seeds."""
        return [self.seeds] if isinstance(self.seeds, int) else list(self.seeds)

    @property
    def images_seen(self) -> int:
        """Count the different images that a network sees: what has to be stored."""
        return min(len(self.images), self.steps * min(self.batch_size, len(self.images)))

    @property
    def shape(self) -> tuple[int, int]:
        """Give channels and size of the images."""
        return self.images.images.shape[1], self.images.images.shape[2]

    @functools.cached_property
    def constants(self) -> tuple[Tensor, Tensor]:
        """Give mean and standard deviation per channel, which networks subtract and divide by."""
        if isinstance(self.images, CondensedSet):
            return self.images.mean, self.images.std
        return constants(self.images, self.shape[0])

    def standardised(self, x: Tensor) -> Tensor:
        """Standardise images in [0, 1]."""
        mean, std = (value.to(x.device)[:, None, None] for value in self.constants)
        return (x - mean) / std

    def factor(self, step: int) -> float:
        """Give the factor on the learning rate: a tenth after half of the steps."""
        return 1.0 if 2 * step < self.steps else 0.1

    def batch(self, seed: int, step: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Give the standardised images and labels of one step; they depend on its number and the seed alone."""
        n = len(self.images)
        batches = -(-n // self.batch_size)
        order = _order(n, seed, step // batches)
        index = order[step % batches * self.batch_size :][: self.batch_size]
        x = self.images.images[index]
        x = _to_float(x, None, None, device) if isinstance(self.images, ImageSet) else x.to(device)
        x = self.standardised(x)
        if self.augment is not None:
            augment = cast(SiameseAugment, self.augment)  # the door has made it one
            (x,) = augment._apply(step_generator(seed, -1 - step), x, shared=False)
        return x, self.images.labels[index].to(device)

    def settings(self) -> dict[str, Any]:
        """Write down all that a training depends on but network and seed."""
        mean, std = self.constants
        return {
            "images": digest(self.images.images, self.images.labels, mean, std), "steps": self.steps,
            "batch_size": self.batch_size, "learning_rate": self.learning_rate, "momentum": self.momentum,
            "weight_decay": self.weight_decay, "augment": repr(self.augment),
        }  # fmt: skip


@functools.lru_cache(4)
def _order(n: int, seed: int, epoch: int) -> Tensor:
    """Shuffle the images of one pass."""
    return torch.randperm(n, generator=step_generator(seed, epoch))


def learn(
    network: nn.Module, proxy: Proxy, seed: int, bf16: bool, settings: Mapping[str, Any], checkpoint: Path | None
) -> float:
    """Train a network, in place, as the proxy says, from the checkpoint on if there is one.

    Args:
        network: with fresh weights; maps standardised images to logits.
        proxy: what it learns from, and how long.
        seed: of the batches.
        bf16: bfloat16 autocast.
        settings: by which the checkpoint of another training is refused.
        checkpoint: file to write every half minute, and to go on from.

    Returns:
        Seconds, over all resumed parts.

    Raises:
        FloatingPointError: the loss is not finite.
        ValueError: the checkpoint of another training.
    """
    device = next(network.parameters()).device
    optimiser = torch.optim.SGD(
        network.parameters(), proxy.learning_rate, momentum=proxy.momentum, weight_decay=proxy.weight_decay
    )
    history = SimpleNamespace(seconds=0.0)
    training = Training(
        proxy.steps, "network", state=TrainingState({"network": network}, {"network": optimiser}, settings),
        history=history, checkpoint=checkpoint, checkpoint_every=None, progress=False,
    )  # fmt: skip
    network.train()
    for step in training:
        set_rates(optimiser, [proxy.learning_rate], proxy.factor(step))
        x, labels = proxy.batch(seed, step, device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            logits = network(x)
        loss = F.cross_entropy(logits.float(), labels)
        training.proceed(loss)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    return history.seconds


@torch.no_grad()
def share_right(network: nn.Module, proxy: Proxy, images: ImageSet, bf16: bool) -> float:
    """Measure the accuracy on real images, standardised as the proxy's are, 0 to 1."""
    device = next(network.parameters()).device
    channels, size = proxy.shape
    right = 0
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        for x, labels in images.batches(100, size, channels, device):
            right += int((network(proxy.standardised(x)).argmax(1) == labels).sum())
    return right / len(images)

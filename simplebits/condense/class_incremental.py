"""Classes that come a few at a time, networks trained on a balanced memory alone (GDumb, as in DM's experiment)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from simplebits._door import door
from simplebits._files import beside
from simplebits._training_state import globally_seeded
from simplebits.condense.arguments import (
    Augmentation,
    NetworkMaker,
    Seeds,
    increments_fit,
    options_of_memory_fit,
    with_features,
)
from simplebits.condense.augment import DSA_STRATEGY
from simplebits.condense.condensed_set import CondensedSet
from simplebits.condense.coresets import class_members, penultimate_features
from simplebits.condense.evaluate import evaluate
from simplebits.condense.memory import CHOSEN, Way, remember
from simplebits.condense.network import maker
from simplebits.data import ImageSet
from simplebits.data.image_set import Channels, _numbered_as
from simplebits.domains import Count, CountOrZero, Device, Seed
from simplebits.networks.classify import fit_classifier


@door
@dataclass(frozen=True, eq=False)
class ClassIncremental:
    """How much of all classes so far the networks know, after each increment.

    Attributes:
        accuracies: 0 to 1, a row after each increment, a column for each network trained then.
        increments: the classes that came in each increment, in the order of the stream.
        memory: all that is kept at the end, in that order of classes.
    """

    accuracies: Float[Tensor, "increments networks"]
    increments: tuple[tuple[str, ...], ...]
    memory: CondensedSet

    @property
    def mean(self) -> Float[Tensor, " increments"]:
        """Average over the networks."""
        return self.accuracies.mean(1)

    @property
    def final(self) -> float:
        """Average the accuracies on all classes, after the last increment."""
        return float(self.mean[-1])


@door
def class_incremental(
    train: ImageSet,
    test: ImageSet,
    memory: Way = "distribution",
    images_per_class: Count = 20,
    *,
    increments: Count = 5,
    order: Seed = 0,
    seeds: Seeds = range(3),
    network: NetworkMaker = "ConvNet",
    network_options: Mapping[str, Any] | None = None,
    size: Count | None = None,
    channels: Channels = None,
    epochs: Count = 1000,
    augment: Augmentation = DSA_STRATEGY,
    feature_epochs: CountOrZero = 10,
    memory_options: Mapping[str, Any] | None = None,
    bf16: bool | None = None,
    device: Device = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> ClassIncremental:
    """Let classes come in increments; after each, train fresh networks on the memory of all classes so far.

    Nothing else is carried over, as in GDumb (Prabhu et al. 2020). What is kept of an increment is made of its own
    classes and images alone: condensed with networks of so few outputs, herded by the features of a network trained on
    them (DM's supplement, section 1.2). The networks that are tested have an output for every class of the whole set
    from the start, and are tested on all classes so far.

    Args:
        train: the whole set, whose classes come in increments.
        test: of the same classes.
        memory: a way of `remember`.
        images_per_class: kept of each class, the same for all.
        increments: into how many equal parts the classes are split; DM has 5 and 10.
        order: seed of the classes' order, drawn by NumPy's older generator as in DM's code; DM has 0 to 4.
        seeds: one network each after every increment; DM has 3.
        network: a name for `networks.build`, or a function as `condense` takes it, with an output for each class of the
            whole set; a function cannot make the smaller networks of condensing, which take a name's default then.
        network_options: further arguments of `networks.build`.
        size: height and width of all images; None: as they are.
        channels: 1 or 3; None: as they are.
        epochs: passes of each network over the memory; one more is taken, as in `evaluate`.
        augment: of these networks; DM's strategy, whose mirroring digits and letters do not survive.
        feature_epochs: passes over an increment by the network whose features herding and k-centre look at.
        memory_options: of `condense`, where `memory` is one of its ways.
        bf16: bfloat16 autocast; None: where the device is faster in it.
        device: where to compute; None: a GPU where there is one.
        checkpoint: name for files to resume from: each increment's memory and networks have their own beside it.
        progress: show bars; None: on a terminal only.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: an argument out of range, classes that cannot be split equally, sets of different classes, a class
            with too few images, another run's checkpoint.
        FloatingPointError: a loss is not finite.

    >>> import simplebits as sb
    >>> train, test = (sb.data.load("digits", split).draw(300) for split in ("train", "test"))
    >>> small = {"network": "MLP", "size": 8, "epochs": 20, "seeds": [0], "augment": None}
    >>> run = class_incremental(train, test, "random", 2, increments=5, **small)
    >>> run.accuracies.shape, run.memory
    (torch.Size([5, 1]), CondensedSet('digits/train, random: 5 increments': 2 images per class, 20 x 1x8x8))
    """
    test = _numbered_as("test", test, train.classes)
    increments_fit(train, test, increments)
    options_of_memory_fit(memory, memory in CHOSEN, memory_options or {})
    class_members(train, images_per_class)
    each = len(train.classes) // increments
    stream = torch.from_numpy(np.random.RandomState(order % 2**32).permutation(len(train.classes)))
    shared = {"bf16": bf16, "device": device, "progress": progress}
    kept: list[CondensedSet] = []
    rows: list[tuple[float, ...]] = []
    for number, arrived in enumerate(stream.split(each)):
        few = of_classes(train, arrived)
        options: dict[str, Any] = {"size": size, "channels": channels, "seed": order} | dict(memory_options or {})
        if memory in ("herding", "k-centre"):
            options["features"] = _features(few, network, network_options or {}, size, channels, feature_epochs, shared)
        elif memory not in CHOSEN:
            of_networks = {"network": network, "network_options": network_options} if isinstance(network, str) else {}
            options = of_networks | shared | options | {"checkpoint": beside(checkpoint, f"memory-{number}")}
        kept.append(remember(few, memory, images_per_class, **options))
        found = evaluate(
            joined(kept), of_classes(test, stream[: (number + 1) * each]), network, seeds, epochs=epochs,
            network_options=network_options, augment=augment, outputs=len(train.classes),
            checkpoint=beside(checkpoint, f"networks-{number}"), **shared,
        )  # fmt: skip
        rows.append(found.accuracies)
    names = tuple(tuple(train.classes[c] for c in part.tolist()) for part in stream.split(each))
    return ClassIncremental(torch.tensor(rows), names, joined(kept))


def of_classes(images: ImageSet, classes: Tensor) -> ImageSet:
    """Take the images of these classes, which are counted anew in this order."""
    place = torch.full((len(images.classes),), -1)
    place[classes] = torch.arange(len(classes))
    kept = images.subset((place[images.labels] >= 0).nonzero()[:, 0])
    return replace(kept, labels=place[kept.labels], classes=tuple(images.classes[c] for c in classes.tolist()))


def joined(sets: list[CondensedSet]) -> CondensedSet:
    """Put memories of different classes together, to be standardised as the first one is."""
    images = torch.cat([few.images.cpu() for few in sets])
    classes = tuple(name for few in sets for name in few.classes)
    labels = torch.arange(len(classes)).repeat_interleave(sets[0].images_per_class)
    made = {"name": f"{sets[0].made.get('name', 'memory')}: {len(sets)} increments"}
    return CondensedSet(images, labels, classes, sets[0].mean.cpu(), sets[0].std.cpu(), made)


def _features(
    few: ImageSet, network: Any, options: Mapping[str, Any], size: int | None, channels: int | None, epochs: int,
    shared: Mapping[str, Any],
) -> Float[Tensor, "n d"]:  # fmt: skip
    """Train a network on the images of one increment, and compute their features."""
    of_images = channels or few.images.shape[1], size or few.images.shape[2]
    device = cast(torch.device, shared["device"])
    with globally_seeded(0, device):
        classifier = maker(network, len(few.classes), *of_images, options)().to(device)
    with_features("network", classifier)
    if epochs:
        sgd = torch.optim.SGD(classifier.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
        steps = epochs * -(-len(few) // 256)
        fit_classifier(
            classifier, few, steps=steps, size=size, channels=channels, batch_size=256, optimiser=sgd,
            bf16=shared["bf16"], progress=shared["progress"], description="features",
        )  # fmt: skip
    return penultimate_features(classifier, few, size=size, channels=channels)

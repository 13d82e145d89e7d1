"""Coresets: a few real images for each class, chosen rather than learned (Zhao, Mopuri and Bilen 2021, table 1)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits._door import door
from simplebits._precision import choose_bf16
from simplebits._training import Training
from simplebits._training_state import TrainingState, globally_seeded, step_generator
from simplebits.condense.class_batches import ClassBatches
from simplebits.condense.network import batches_for, embedding
from simplebits.data import ImageSet
from simplebits.domains import Count, Finite, Positive, Seed
from simplebits.networks.classify import check_labels
from simplebits.networks.evaluation_mode import evaluation_mode


@door
def coreset(
    train: ImageSet,
    method: Literal["random", "herding", "k-centre", "forgetting"],
    images_per_class: Count,
    *,
    features: Annotated[Float[Tensor, "n d"], Finite()] | None = None,
    forgetting: Int64[Tensor, " n"] | Annotated[Float[Tensor, " n"], Finite()] | None = None,
    seed: Seed = 0,
) -> ImageSet:
    """Choose images of each class: the four baselines of gradient matching (its section 3.1 and table 1).

    * `random`: all equally likely.
    * `herding`: one by one, the image that brings the mean of the chosen features closest to the mean of the class
      (Rebuffi et al. 2017, without their normalisation of the features).
    * `k-centre`: the image closest to the mean of the class, then always the one farthest from all chosen
      (Sener and Savarese 2018).
    * `forgetting`: those forgotten most often in a training (Toneva et al. 2019); ties are broken at random. Images
      that were never learned count as forgotten more often than any other, as there.

    Distances are Euclidean, each class is chosen by itself. Fewer images, with the same seed, are the first of more.
    What a method does not need is ignored: one call can serve all of them in a loop.

    Args:
        train: the set to choose from.
        method: `random`, `herding`, `k-centre` or `forgetting`.
        images_per_class: at least 1, at most what the smallest class has.
        features: one row for each image, for herding and k-centre: `penultimate_features` of a network trained on the
            whole set, in the paper.
        forgetting: how often each image was forgotten, for forgetting: `count_forgetting` counts.
        seed: of random, and of ties in forgetting.

    Returns:
        The chosen images in the order of the classes, those of one class in the order in which they were chosen.

    Raises:
        TypeError: train is no ImageSet, or features or forgetting no tensor.
        ValueError: an unknown method, a class with no or too few images, features or counts that are missing, of the
            wrong shape or not finite, or a seed that is no whole number.

    >>> from simplebits import data
    >>> coreset(data.load("digits", "train"), "random", images_per_class=2)
    ImageSet('digits/train, random': 20 images 1x32x32, 10 classes)
    """
    members = class_members(train, images_per_class)
    generator = torch.Generator().manual_seed(seed)
    if method in ("herding", "k-centre"):
        features = _row_each("features", features, train, "penultimate_features(classifier, train) makes them")
        greedy = _herding if method == "herding" else _k_centre
        chosen = [index[greedy(features[index.to(features.device)], images_per_class)] for index in members]
    else:
        chosen = [index[torch.randperm(len(index), generator=generator)] for index in members]
    if method == "forgetting":
        how = "count_forgetting(classifier, train, epochs=...) counts them"
        counts = _row_each("forgetting", forgetting, train, how).cpu()
        chosen = [index[counts[index].argsort(descending=True, stable=True)] for index in chosen]
    return train.subset(torch.cat([index[:images_per_class] for index in chosen]), f"{train.name}, {method}")


def class_members(train: ImageSet, least: int = 1) -> list[Int64[Tensor, " _"]]:
    """List the positions of each class's images, ascending.

    Raises:
        ValueError: a class with no image, or with fewer than `least`.
    """
    _, channels, height, _ = train.images.shape
    return ClassBatches(train, least, height, channels).members


def _herding(features: Float[Tensor, "n d"], count: int) -> Int64[Tensor, " _"]:
    """Choose `count` times argmin_i |mean of (f_i and those chosen) - mean of the class|."""
    f = features.double() - features.double().mean(0)
    # With the mean at 0: argmin |f_i + s|^2, s the sum of those chosen, of which |s|^2 is the same for all i.
    squares, total, chosen = f.square().sum(1), torch.zeros_like(f[0]), []
    for _ in range(count):
        best = int((squares + 2 * f @ total).argmin())
        chosen.append(best)
        total += f[best]
        squares[best] = torch.inf  # never again
    return torch.tensor(chosen)


def _k_centre(features: Float[Tensor, "n d"], count: int) -> Int64[Tensor, " _"]:
    """Choose first argmin_i |f_i - mean of the class|, then argmax_i of the distance to the nearest of those chosen."""
    f = features.double() - features.double().mean(0)
    squares = f.square().sum(1)
    chosen, nearest = [int(squares.argmin())], torch.full_like(squares, torch.inf)
    while len(chosen) < count:
        last = chosen[-1]
        nearest = torch.minimum(nearest, squares - 2 * f @ f[last] + squares[last])
        nearest[last] = -torch.inf  # never again, even if all others lie on top of it
        chosen.append(int(nearest.argmax()))
    return torch.tensor(chosen)


def _row_each(argument: str, values: Tensor | None, train: ImageSet, how: str) -> Tensor:
    """Check that there is a row of values for each image, and return them."""
    if values is None:
        raise ValueError(f"{argument}: this method needs them, a row for each image; {how}")
    if len(values) != len(train):
        raise ValueError(f"{argument}: expected {len(train)} rows, one for each image, got {list(values.shape)}; {how}")
    return values


@door
@torch.no_grad()
def penultimate_features(
    classifier: nn.Module,
    images: ImageSet,
    *,
    size: Count | None = None,
    channels: Count | None = None,
    batch_size: Count = 250,
) -> Float[Tensor, "n d"]:
    """Take what the classifier's last layer sees of each image, for `coreset`: train it on the whole set first.

    Args:
        classifier: has `embed(x)` from images [n, c, h, w] in [0, 1] to features [n, d], as every network of
            `simplebits.networks`; used in evaluation mode, on its device; its mode is put back afterwards.
        images: the set.
        size: height and width to resize the images to; None keeps them.
        channels: 1 or 3; None keeps them.
        batch_size: images at a time.

    Returns:
        Features on the CPU, in the order of the images.

    Raises:
        TypeError: the classifier has no `embed`, or images is no ImageSet.
        ValueError: batch_size < 1, or no images.

    >>> class Flat(nn.Linear):
    ...     def embed(self, x):
    ...         return x.flatten(1)
    >>> tiny = ImageSet(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]), ("zero", "one"), "tiny")
    >>> penultimate_features(Flat(64, 2), tiny).shape
    torch.Size([2, 64])
    """
    embed = embedding("classifier", classifier)
    _check_not_empty(images)
    batches = images.batches(batch_size, size, channels, next(classifier.parameters()).device)
    with evaluation_mode(classifier):
        return torch.cat([embed(x).float().cpu() for x, _ in batches])


@door
def count_forgetting(
    classifier: nn.Module,
    images: ImageSet,
    *,
    epochs: Count,
    size: Count | None = None,
    channels: Count | None = None,
    batch_size: Count = 256,
    learning_rate: Positive = 0.01,
    bf16: bool | None = None,
    seed: Seed = 0,
    progress: bool | None = None,
) -> Int64[Tensor, " n"]:
    """Train the classifier and count how often it forgets each image (Toneva et al. 2019).

    Every epoch presents every image once, in a batch, before the update by that batch. An image is forgotten when it
    was classified rightly at one presentation and wrongly at the next. SGD with momentum .9 and weight decay 5e-4, as
    networks are trained on the chosen images afterwards.

    Args:
        classifier: maps images [n, c, h, w] in [0, 1] to logits [n, classes]; trained in place, on its device, and
            left in evaluation mode.
        images: the set.
        epochs: presentations of each image.
        size: height and width to resize the images to; None keeps them.
        channels: 1 or 3; None keeps them.
        batch_size: images a step.
        learning_rate: of SGD.
        bf16: bfloat16 autocast; None: where the device is faster in it.
        seed: of the order of the images and of dropout.
        progress: show a bar; None: on a terminal only.

    Returns:
        Events for each image, at most epochs / 2. An image that was never classified rightly gets `epochs`: more than
        any that was.

    Raises:
        TypeError: images is no ImageSet, classifier no module.
        ValueError: an argument out of range, no images, labels that the classifier has no output for.
        FloatingPointError: the loss is not finite.
    """
    _check_not_empty(images)
    device = next(classifier.parameters()).device
    bf16 = choose_bf16(bf16, device)
    optimiser = torch.optim.SGD(classifier.parameters(), learning_rate, momentum=0.9, weight_decay=5e-4)
    events = torch.zeros(len(images), dtype=torch.int64, device=device)
    was_right = torch.zeros_like(events, dtype=torch.bool)
    learned = torch.zeros_like(events, dtype=torch.bool)
    orders = [torch.randperm(len(images), generator=step_generator(seed, epoch)) for epoch in range(epochs)]
    parts = [index for order in orders for index in batches_for(classifier, order, batch_size)]
    classifier.train()
    training = Training(
        len(parts), "forgetting", state=TrainingState({}, {}, {}), history=SimpleNamespace(seconds=0.0),
        progress=progress,
    )  # fmt: skip
    for step in training:
        batch, index = images.subset(parts[step]), parts[step].to(device)
        x, labels = batch.to_float(size, channels, device), batch.labels.to(device)
        autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)
        with globally_seeded(seed * 1_000_003 + step, device), autocast:
            logits = classifier(x).float()
        if step == 0:
            check_labels(images.labels, len(images), logits.shape[1])
        right = logits.argmax(1) == labels
        events[index] += was_right[index] & ~right
        was_right[index] = right
        learned[index] |= right
        loss = F.cross_entropy(logits, labels)
        training.proceed(loss)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    classifier.eval()
    return events.masked_fill(~learned, epochs).cpu()


def _check_not_empty(images: ImageSet) -> None:
    if not len(images):
        raise ValueError(f"images: {images.name} is empty; give at least one image")

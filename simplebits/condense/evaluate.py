"""What a condensed set is worth: fresh networks learn from it and are tested on real images (Zhao et al. 2021).

`evaluate` keeps a loop of its own: its units are networks, not steps, and those of a checkpoint may be asked for again
in another order.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from simplebits import _progress
from simplebits._door import door
from simplebits._precision import choose_bf16
from simplebits._training_state import TrainingState, digest, globally_seeded, step_generator
from simplebits.condense.arguments import Augmentation, NetworkMaker, Seeds, batch_norms, network_fits
from simplebits.condense.augment import SiameseAugment, warn_of_mirrored_signs
from simplebits.condense.condensed_set import CondensedSet
from simplebits.condense.digit_augment import CropNoise, CropScaleRotate
from simplebits.condense.gradient import in_cache, learned_parameters
from simplebits.condense.network import batches_for, maker
from simplebits.data import ImageSet
from simplebits.data.image_set import _numbered_as
from simplebits.domains import Count, Device, Filled, Momentum, NonNegative, Positive, Probability


@door
@dataclass(frozen=True)
class Evaluation:
    """Test accuracy of networks that have seen the condensed set only.

    Attributes:
        accuracies: one for each seed, 0 to 1.
    """

    accuracies: tuple[Probability, ...]

    @property
    def mean(self) -> float:
        """Average the accuracies."""
        return statistics.fmean(self.accuracies)

    @property
    def sd(self) -> float:
        """Take the population standard deviation, as in the papers."""
        return statistics.pstdev(self.accuracies)

    def __repr__(self) -> str:
        n = len(self.accuracies)
        return f"Evaluation({self.mean:.1%} ± {self.sd:.1%}, {n} network{'s'[: n > 1]})"


@door
def evaluate(
    condensed: CondensedSet,
    test: Annotated[ImageSet, Filled()],
    network: NetworkMaker = "ConvNet",
    seeds: Seeds = range(5),
    *,
    network_options: Mapping[str, Any] | None = None,
    epochs: Count = 300,
    batch_size: Count = 256,
    learning_rate: Positive = 0.01,
    momentum: Momentum = 0.9,
    weight_decay: NonNegative = 5e-4,
    augment: Augmentation = None,
    noise: NonNegative = 0.0,
    outputs: Count | None = None,
    together: bool | None = None,
    bf16: bool | None = None,
    device: Device = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> Evaluation:
    """Train fresh networks on the condensed set, test them on real images (gradient matching, section 3.1; its code).

    SGD; after half of the epochs the rate falls to a tenth and the momentum starts anew, as in the code. The published
    numbers have 300 epochs, or 1000 with an augmentation, and 20 networks for each of five sets.

    Args:
        condensed: what to learn from; `CondensedSet.of` makes one of real images.
        test: real images, brought to the size and channels of the condensed ones; their classes are found by name.
        network: a name for `networks.build`, or a function as `condense` takes it.
        seeds: one network each; a single number is one seed, range(3) gives three networks.
        network_options: further arguments of `networks.build`.
        epochs: passes over the condensed set; one more is taken, as in the code.
        batch_size: images a step.
        learning_rate: of SGD.
        momentum: of SGD.
        weight_decay: of SGD.
        augment: draws new parameters for each image at each step; a string or a sequence of them: `SiameseAugment`'s
            strategy, as `condense` takes it.
        noise: width of uniform noise that is drawn once and added to the images; SimpleBits' code has 1/255.
        outputs: of the networks; None: one for each class. More, where further classes are to come: none of those is
            ever right.
        together: train all networks in one vectorised pass; None: on a GPU, where that is faster.
        bf16: bfloat16 autocast; None: where the device is faster in it.
        device: where to compute; None: a GPU where there is one.
        checkpoint: file to write the accuracies of finished networks to, and to read them back from.
        progress: show a bar; None: on a terminal only.

    Returns:
        An accuracy for each seed.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: an argument out of range, other classes, no seed or one that occurs twice, a network that does not
            fit, a function with `network_options`, networks with batch normalisation together, or the
            checkpoint of another evaluation.
        FloatingPointError: a training diverged.

    >>> import simplebits as sb
    >>> digits = sb.data.load("digits", "train")
    >>> few = CondensedSet.of(sb.condense.coreset(digits, "random", 5), digits, size=8)
    >>> evaluate(few, sb.data.load("digits", "test"), "MLP", seeds=[0], epochs=40).mean > 0.5
    True
    """
    if outputs is not None and outputs < len(condensed.classes):
        raise ValueError(f"outputs={outputs}: the set has {len(condensed.classes)} classes; give at least as many")
    test = _numbered_as("test", test, condensed.classes)
    if isinstance(augment, SiameseAugment):
        warn_of_mirrored_signs(augment, test.name, stacklevel=4)  # past the door
    seeds = [seeds] if isinstance(seeds, int) else list(seeds)
    device = cast(torch.device, device)  # the door has made it one
    bf16 = choose_bf16(bf16, device)
    classes, (channels, size) = outputs or len(condensed.classes), condensed.images.shape[1:3]
    make = maker(network, classes, channels, size, network_options or {})
    nets = {seed: _fresh(make, seed, device) for seed in seeds}
    first = nets[seeds[0]]
    network_fits(first, classes, channels, size, device)
    together = device.type == "cuda" and not batch_norms(first) if together is None else together
    if together and batch_norms(first):
        raise ValueError("together: batch normalisation keeps a state that cannot be stacked; leave together out")
    images = condensed.images
    if noise:
        images = images + noise * torch.rand(images.shape, generator=step_generator(0, 0)).to(images.device)
    x, labels = condensed._standardised(images).to(device), condensed.labels.to(device)
    lessons = Lessons(x, labels, batch_size, cast(SiameseAugment | CropScaleRotate | CropNoise | None, augment), first)
    sgd = Schedule(learning_rate, momentum, weight_decay, epochs)
    settings = asdict(sgd) | {
        "batch_size": batch_size, "augment": repr(augment), "noise": noise, "bf16": bf16,
        "condensed": digest(condensed.images, condensed.labels), "test": digest(test.images, test.labels),
        "network": digest(*first.parameters()),
    }  # fmt: skip
    state = TrainingState({}, {}, settings)
    path = checkpoint and Path(checkpoint)
    accuracies: dict[int, float] = {}
    if path and path.is_file():
        accuracies = {int(seed): value for seed, value in state.load(path)[0]["accuracies"].items()}
    left = [seed for seed in seeds if seed not in accuracies]
    groups = ([left] if left else []) if together else [[seed] for seed in left]
    train = _train_together if together else _train_one
    with _progress.bar(len(groups) * (epochs + 1), 0, "evaluate", progress) as bar:
        for group in groups:
            train([nets[seed] for seed in group], group, lessons, sgd, bf16, bar.update)
            for seed in group:
                if not all(torch.isfinite(p).all() for p in nets[seed].parameters()):
                    raise FloatingPointError(
                        f"the network of seed {seed} has weights that are not finite; lower the learning rate"
                    )
                accuracies[seed] = _test(nets[seed], condensed, test, device, bf16)
            if path:
                state.save(path, {"accuracies": accuracies})
    return Evaluation(tuple(accuracies[seed] for seed in seeds))


def _fresh(make: Callable[[], nn.Module], seed: int, device: torch.device) -> nn.Module:
    with globally_seeded(seed, device):
        return make().to(device)


@dataclass(frozen=True)
class Lessons:
    """What a network sees.

    Attributes:
        x: the condensed images, standardised.
        labels: their classes.
        batch_size: images a step.
        augment: draws new parameters for each image at each step; None: images stay.
        network: one of those that learn.
    """

    x: Tensor
    labels: Tensor
    batch_size: int
    augment: SiameseAugment | CropScaleRotate | CropNoise | None
    network: nn.Module

    def of(self, seed: int, epoch: int) -> list[tuple[Tensor, Tensor]]:
        """List the batches that the network of this seed sees in this epoch; the draws depend on both alone."""
        generator = step_generator(seed, epoch)
        batches = []
        for index in batches_for(self.network, torch.randperm(len(self.x), generator=generator), self.batch_size):
            index = index.to(self.x.device)
            batch = self.x[index]
            if self.augment is not None:
                (batch,) = self.augment._apply(generator, batch, shared=False)
            batches.append((batch, self.labels[index]))
        return batches


@dataclass(frozen=True)
class Schedule:
    """SGD whose rate falls to a tenth after half of the epochs, where its momentum starts anew."""

    lr: float
    momentum: float
    weight_decay: float
    epochs: int

    def rate(self, epoch: int) -> float | None:
        """Look up the learning rate from this epoch on; None where rate and momentum go on."""
        return {0: self.lr, self.epochs // 2 + 2: self.lr * 0.1}.get(epoch)


def _train_one(
    nets: list[nn.Module], seeds: list[int], lessons: Lessons, sgd: Schedule, bf16: bool, tick: Callable[[], object]
) -> None:
    (net,), (seed,) = nets, seeds
    net.train()
    for epoch in range(sgd.epochs + 1):
        rate = sgd.rate(epoch)
        if rate is not None:
            optimiser = torch.optim.SGD(net.parameters(), lr=rate, momentum=sgd.momentum, weight_decay=sgd.weight_decay)
        for x, labels in lessons.of(seed, epoch):
            with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=bf16):
                logits = net(x)
            optimiser.zero_grad()
            F.cross_entropy(logits.float(), labels).backward()
            optimiser.step()
        tick()


def _train_together(
    nets: list[nn.Module], seeds: list[int], lessons: Lessons, sgd: Schedule, bf16: bool, tick: Callable[[], object]
) -> None:
    """Train all networks at once as one is trained: weights are stacked, one vectorised pass gives all gradients."""
    for net in nets:
        net.train()
    stacked, _ = stack_module_state(nets)
    learned = learned_parameters(nets[0])
    weights = {name: value.detach() for name, value in stacked.items() if name in learned}
    frozen = {name: value.detach() for name, value in stacked.items() if name not in learned}

    def loss(weights: dict[str, Tensor], frozen: dict[str, Tensor], x: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(nets[0], weights | frozen, x).float(), labels)

    slopes_of = vmap(grad(loss), randomness="different")
    for epoch in range(sgd.epochs + 1):
        new_rate = sgd.rate(epoch)
        if new_rate is not None:
            rate, velocity = new_rate, {name: torch.zeros_like(value) for name, value in weights.items()}
        for step in zip(*(lessons.of(seed, epoch) for seed in seeds), strict=True):
            x, labels = (torch.stack(parts) for parts in zip(*step, strict=True))
            with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=bf16):
                slopes = slopes_of(weights, frozen, x, labels)
            for name, value in weights.items():
                velocity[name].mul_(sgd.momentum).add_(slopes[name] + sgd.weight_decay * value)
                value.sub_(rate * velocity[name])
        tick()
    for i, net in enumerate(nets):
        net.load_state_dict({name: value[i] for name, value in weights.items()}, strict=False)


@torch.no_grad()
def _test(net: nn.Module, condensed: CondensedSet, test: ImageSet, device: torch.device, bf16: bool) -> float:
    net.eval()
    channels, size = condensed.images.shape[1:3]
    right = 0
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        for x, labels in test.batches(500, size, channels, device):
            logits = torch.cat([net(part) for part in in_cache(condensed._standardised(x))])
            right += int((logits.argmax(1) == labels).sum())
    return right / len(test)

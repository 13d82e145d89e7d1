"""What a condensed set is worth: fresh networks learn from it and are tested on real images (Zhao et al. 2021)."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from simplebits import _check, _progress
from simplebits._precision import choose_bf16
from simplebits._training_state import TrainingState, digest, globally_seeded, step_generator
from simplebits.condense.augment import SiameseAugment
from simplebits.condense.condensed_set import CondensedSet
from simplebits.condense.digit_augment import CropNoise, CropScaleRotate
from simplebits.condense.gradient import batch_norms, in_cache
from simplebits.condense.network import check_network, maker
from simplebits.data import ImageSet

AUGMENTATIONS = (SiameseAugment, CropScaleRotate, CropNoise)


@dataclass(frozen=True)
class Evaluation:
    """Test accuracy of networks that have seen the condensed set only.

    Attributes:
        accuracies: one for each seed, 0 to 1.
    """

    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean accuracy."""
        return statistics.fmean(self.accuracies)

    @property
    def sd(self) -> float:
        """Population standard deviation, as in the papers."""
        return statistics.pstdev(self.accuracies)

    def __repr__(self) -> str:
        n = len(self.accuracies)
        return f"Evaluation({self.mean:.1%} ± {self.sd:.1%}, {n} network{'s'[: n > 1]})"


def evaluate(
    condensed: CondensedSet,
    test: ImageSet,
    network: str | Callable[[], nn.Module] = "ConvNet",
    seeds: int | Iterable[int] = range(5),
    *,
    network_options: dict[str, Any] | None = None,
    epochs: int = 300,
    batch_size: int = 256,
    learning_rate: float = 0.01,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    augment: str | Sequence[str] | SiameseAugment | CropScaleRotate | CropNoise | None = None,
    noise: float = 0.0,
    together: bool | None = None,
    bf16: bool | None = False,
    device: torch.device | str = "cpu",
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> Evaluation:
    """Train fresh networks on the condensed set, test them on real images (gradient matching, section 3.1; its code).

    SGD; after half of the epochs the rate falls to a tenth and the momentum starts anew, as in the code. The published
    numbers have 300 epochs, or 1000 with an augmentation, and 20 networks for each of five sets.

    Args:
        condensed: what to learn from; `CondensedSet.of` makes one of real images.
        test: real images, brought to the size and channels of the condensed ones.
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
        together: train all networks in one vectorised pass; None: on a GPU, where that is faster.
        bf16: bfloat16 autocast; None: where the device is faster in it.
        device: where to compute.
        checkpoint: file to write the accuracies of finished networks to, and to read them back from.
        progress: show a bar; None: on a terminal only.

    Returns:
        An accuracy for each seed.

    Raises:
        TypeError: condensed, test or augment is of another kind.
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
    if not isinstance(condensed, CondensedSet):
        hint = "; CondensedSet.of(images, train) makes one" if isinstance(condensed, ImageSet) else ""
        raise TypeError(f"condensed: expected a CondensedSet, got {type(condensed).__name__}{hint}")
    _check.image_set("test", test)
    if len(test.classes) != len(condensed.classes):
        raise ValueError(f"test: has {len(test.classes)} classes, the condensed set {len(condensed.classes)}")
    for name, value in {"epochs": epochs, "batch_size": batch_size}.items():
        _check.positive(name, value, integer=True)
    _check.positive("learning_rate", learning_rate)
    _check.share("momentum", momentum)
    for name, value in {"weight_decay": weight_decay, "noise": noise}.items():
        _check.positive(name, value, allow_zero=True)
    if not len(test):
        raise ValueError("test: the set is empty; give at least one image")
    if augment is not None and not callable(augment):
        augment = SiameseAugment(augment)
    if augment is not None and not isinstance(augment, AUGMENTATIONS):
        kinds = ", ".join(kind.__name__ for kind in AUGMENTATIONS)
        raise TypeError(f"augment: expected a strategy such as 'crop_scale' or one of {kinds}, got {augment!r}")
    if isinstance(augment, SiameseAugment):
        augment.warn_of_mirrored_signs(test.name)
    seeds = [_check.seed("seeds", value) for value in (seeds if isinstance(seeds, Iterable) else [seeds])]
    if not seeds:
        raise ValueError("seeds: none given; give at least one")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds={seeds!r}: one occurs twice, and would count the same network twice")
    device = torch.device(device)
    bf16 = choose_bf16(bf16, device)
    channels, size = condensed.images.shape[1:3]

    make = maker(network, len(condensed.classes), channels, size, network_options or {})

    def fresh(seed: int) -> nn.Module:
        with globally_seeded(seed, device):
            return make().to(device)

    nets = [fresh(seed) for seed in seeds]
    check_network(nets[0], len(condensed.classes), channels, size, device)
    together = device.type == "cuda" and not batch_norms(nets[0]) if together is None else together
    if together and batch_norms(nets[0]):
        raise ValueError("together: batch normalisation keeps a state that cannot be stacked; leave together out")
    images = condensed.images
    if noise:
        images = images + noise * torch.rand(images.shape, generator=step_generator(0, 0)).to(images.device)
    x, labels = condensed.standardised(images).to(device), condensed.labels.to(device)

    def batches(seed: int, epoch: int) -> list[tuple[Tensor, Tensor]]:
        """What this network sees in this epoch; the draws depend on both numbers alone."""
        generator = step_generator(seed, epoch)
        parts = []
        for index in torch.randperm(len(x), generator=generator).split(batch_size):
            batch = x[index.to(device)]
            if augment is not None:
                (batch,) = augment(generator, batch, shared=False)
            parts.append((batch, labels[index.to(device)]))
        return parts

    settings = {"lr": learning_rate, "momentum": momentum, "weight_decay": weight_decay}
    known = settings | {
        "epochs": epochs, "batch_size": batch_size, "augment": repr(augment), "noise": noise, "bf16": bf16,
        "condensed": digest(condensed.images, condensed.labels), "test": digest(test.images, test.labels),
        "network": digest(*nets[0].parameters()),
    }  # fmt: skip
    state, path, accuracies = TrainingState({}, {}, known), checkpoint and Path(checkpoint), {}
    if path and path.is_file():
        accuracies = {int(seed): value for seed, value in state.load(path)[0]["accuracies"].items()}
    left = [i for i, seed in enumerate(seeds) if seed not in accuracies]
    groups = ([left] if left else []) if together else [[i] for i in left]
    with _progress.bar(len(groups) * (epochs + 1), 0, "evaluate", progress) as bar:
        for group in groups:
            train = _train_together if together else _train_one
            own = [seeds[i] for i in group]
            train([nets[i] for i in group], lambda epoch, own=own: [batches(s, epoch) for s in own], epochs, settings,
                  bf16, bar.update)  # fmt: skip
            for i in group:
                if not all(torch.isfinite(p).all() for p in nets[i].parameters()):
                    raise FloatingPointError(
                        f"the network of seed {seeds[i]} has weights that are not finite; lower the learning rate"
                    )
                accuracies[seeds[i]] = _test(nets[i], condensed, test, device, bf16)
            if path:
                state.save(path, {"accuracies": accuracies})
    return Evaluation(tuple(accuracies[seed] for seed in seeds))


Batches = Callable[[int], list[list[tuple[Tensor, Tensor]]]]  # epoch -> for each network, its batches


def _train_one(
    nets: list[nn.Module], batches: Batches, epochs: int, settings: dict[str, float], bf16: bool, tick: Callable
) -> None:
    (net,) = nets
    net.train()
    for epoch in range(epochs + 1):
        if epoch in (0, epochs // 2 + 2):
            rate = settings["lr"] * (0.1 if epoch else 1.0)
            optimiser = torch.optim.SGD(net.parameters(), **(settings | {"lr": rate}))
        for x, labels in batches(epoch)[0]:
            with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=bf16):
                logits = net(x)
            optimiser.zero_grad()
            F.cross_entropy(logits.float(), labels).backward()
            optimiser.step()
        tick()


def _train_together(
    nets: list[nn.Module], batches: Batches, epochs: int, settings: dict[str, float], bf16: bool, tick: Callable
) -> None:
    """The same, all networks at once: their weights are stacked, one vectorised pass gives all gradients."""
    for net in nets:
        net.train()
    stacked, _ = stack_module_state(nets)
    weights = {name: value.detach() for name, value in stacked.items()}

    def loss(weights: dict[str, Tensor], x: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(nets[0], weights, x).float(), labels)

    gradients = vmap(grad(loss), randomness="different")
    for epoch in range(epochs + 1):
        if epoch in (0, epochs // 2 + 2):
            rate = settings["lr"] * (0.1 if epoch else 1.0)
            velocity = {name: torch.zeros_like(value) for name, value in weights.items()}
        for step in zip(*batches(epoch), strict=True):
            x, labels = (torch.stack(parts) for parts in zip(*step, strict=True))
            with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=bf16):
                found = gradients(weights, x, labels)
            for name, value in weights.items():
                velocity[name].mul_(settings["momentum"]).add_(found[name] + settings["weight_decay"] * value)
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
            logits = torch.cat([net(part) for part in in_cache(condensed.standardised(x))])
            right += int((logits.argmax(1) == labels).sum())
    return right / len(test)

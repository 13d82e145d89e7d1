"""The run that learns synthetic images: one loop for all ways to match (Zhao et al. 2021, 2023)."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simplebits._door import door
from simplebits._precision import choose_bf16
from simplebits._training import Training, set_rates
from simplebits._training_state import TrainingState, digest, globally_seeded, step_generator
from simplebits.condense.arguments import NetworkMaker, Siamese, network_fits
from simplebits.condense.augment import SiameseAugment, warn_of_mirrored_signs
from simplebits.condense.class_batches import ClassBatches
from simplebits.condense.condensed_set import RENAMED, CondensedSet, CondenseHistory
from simplebits.condense.matching import GradientMatching, Method, Passes, chosen
from simplebits.condense.network import batches_for, maker
from simplebits.condense.pixels import FreePixels, start_pixels
from simplebits.data import ImageSet, to_bytes
from simplebits.density import DensityModel
from simplebits.domains import Count, CountOrZero, Device, Momentum, NonNegative, Seed, Share, nearest

BITS_CHUNK = 50  # images whose mean bits are one term of SimpleBits' loss, as in its code
LEARNED_TOGETHER = 256  # images a step while a network learns


@door(renamed=RENAMED)
class Condensation:
    """One run of `condense`, step by step. The defaults are the published settings for small sets.

    Args:
        train: the whole set.
        method: `gradient`, `distribution` or `pixels`, or one of `GradientMatching`, `DistributionMatching` and
            `PixelMatching`, which hold the papers' settings.
        images_per_class: synthetic images of each class.
        network: a name for `networks.build`, or a function that gives a network with fresh weights from torch's global
            generator, which is seeded for it. It maps standardised images to logits; `distribution` calls its `embed`,
            `pixels` looks at no network.
        network_options: further arguments of `networks.build`; none for a function.
        size: height and width of the images; None: the density's, or as they are.
        channels: 1 or 3; None: the density's, or as they are.
        real_batch: real images of a class at each step.
        augment: a siamese augmentation, or its strategy; None: none. Batch normalisation, where a network has some,
            takes its statistics from the augmented real images (`freeze_batch_norm`).
        momentum: of the images; not with a density, whose optimiser is Adam.
        cool_down: share of the iterations, the last ones, in which the images' learning rate falls to zero; 0 as
            published. Short runs are noisy at the end without it.
        density: makes the pixels bounded and measures their bits; SimpleBits' parametrisation and optimiser.
        bit_weight: at least 0, the code's w: matching weighs 10 C/(1 + w), bits 2 w/(1 + w).
        seed: of everything drawn.
        device: where to compute; None: a GPU where there is one.
        together: gradients of all classes in one vectorised pass; None: on a GPU, where that is faster.
        bf16: bfloat16 autocast for the real images; None: where the device is faster in it.
        compiled: compile the pass of the real images, which pays off in long runs.
        keep_every: iterations between two pictures kept in `history.kept`; None: none.
        checkpoint_every: iterations between two checkpoints.
        progress: show a bar; None: on a terminal only.
        of_method: fields of the method to change, which its class explains: `iterations`, `learning_rate` and `start`;
            of `gradient` also `outer`, `inner`, `distance`, `network_learning_rate` and `network_momentum`.

    Attributes:
        settings: what the card of the result says; None for what this method does not use.

    Raises:
        TypeError, ValueError: as `condense`.
    """

    def __init__(
        self,
        train: ImageSet,
        method: Method,
        images_per_class: Count,
        *,
        network: NetworkMaker = "ConvNet",
        network_options: Mapping[str, Any] | None = None,
        size: Count | None = None,
        channels: Count | None = None,
        real_batch: Count = 256,
        augment: Siamese = None,
        momentum: Momentum = 0.5,
        cool_down: Share = 0.0,
        density: DensityModel | None = None,
        bit_weight: NonNegative = 0.0,
        seed: Seed = 0,
        device: Device = None,
        together: bool | None = None,
        bf16: bool | None = None,
        compiled: bool = False,
        keep_every: Count | None = None,
        checkpoint_every: Count = 100,
        progress: bool | None = None,
        **of_method: Any,
    ) -> None:
        _refuse_unknown(of_method)
        self.method = chosen(method, of_method).settled(
            images_per_class, dense=density is not None, augmented=augment is not None
        )
        self.train, self.images_per_class = train, images_per_class
        self.real_batch = real_batch
        self.momentum, self.cool_down = momentum, cool_down
        self.density, self.bit_weight = density, bit_weight
        self.seed = seed
        self.device = cast(torch.device, device)  # the door has made it one, and an augmentation of a strategy
        self.augment = cast(SiameseAugment | None, augment)
        self.keep_every, self.checkpoint_every = keep_every, checkpoint_every
        self.progress = progress
        self.channels, self.size = self._image_shape(channels, size)
        self.bf16 = choose_bf16(bf16, self.device)
        self.together = self.device.type == "cuda" and not compiled if together is None else together
        if self.together and compiled and isinstance(self.method, GradientMatching):
            raise ValueError("together, compiled: a vectorised pass is not compiled; choose one of them")
        if self.augment is not None:
            warn_of_mirrored_signs(self.augment, train.name, stacklevel=6)  # past both doors, to who calls condense
        self.real = ClassBatches(train, images_per_class, self.size, self.channels, device)
        self.labels = torch.arange(len(self.real), device=device).repeat_interleave(images_per_class)
        self.make_network = maker(network, len(train.classes), self.channels, self.size, network_options or {})
        self.network = self._fresh(0)
        network_fits(self.network, len(train.classes), self.channels, self.size, self.device)
        of_real = self.method.of_real(self.network)
        of_real = torch.compile(of_real) if compiled else of_real
        self.passes = Passes(self.network, of_real, self.together, self.bf16)
        self.pixels = self._start()
        self.optimiser = self._optimiser()
        name = network if isinstance(network, str) else type(self.network).__name__
        self.settings = self._card(name, dict(network_options or {}), compiled)

    def _image_shape(self, channels: int | None, size: int | None) -> tuple[int, int]:
        """Find the images' channels and size; raise where the density has others, or bits weigh without a density."""
        if self.density is None:
            if self.bit_weight:
                raise ValueError(f"bit_weight={self.bit_weight:g} weighs bits that nothing measures; pass a density")
            return channels or self.train.images.shape[1], size or self.train.images.shape[2]
        measured = self.density.channels, self.density.image_size
        if (channels or measured[0], size or measured[1]) != measured:
            raise ValueError(
                f"size={size}, channels={channels}: the density measures images of size {measured[1]} with "
                f"{measured[0]} channels; leave both out"
            )
        weight = next(self.density.parameters(), None)
        if weight is not None and weight.device.type != self.device.type:
            raise ValueError(
                f"density: lies on {weight.device}, device={str(self.device)!r}; move one with .to(...), or name the "
                f"other's device"
            )
        return measured

    @door
    def run(self, checkpoint: str | Path | None = None) -> CondensedSet:
        """Take all iterations, from the checkpoint on if there is one; arguments, result and errors as `condense`."""
        history = CondenseHistory()
        training = Training(
            self.method.iterations, f"{self.method.name} matching", state=self._state(checkpoint), history=history,
            checkpoint=checkpoint, checkpoint_every=self.checkpoint_every, unit="iterations", progress=self.progress,
        )  # fmt: skip
        if self.keep_every and training.step == 0:
            training.keep(self._picture(), 0)
        for iteration in training:
            set_rates(self.optimiser, [self._rate], training.cooling(self.cool_down))
            loss, bits = self._step(iteration)
            history.losses.append(loss)
            history.bits += [] if bits is None else [bits]
            if self.keep_every and training.at(self.keep_every):
                training.keep(self._picture())
        return self._result(training.step, history)

    @door
    def step(self, iteration: CountOrZero) -> tuple[float, float | None]:
        """Take the steps with one network; returns the mean matching loss a class and the images' mean bits."""
        return self._step(iteration)

    def _step(self, iteration: int) -> tuple[float, float | None]:
        generator = step_generator(self.seed, iteration)
        self._draw_network(generator)
        learner, (outer, inner) = self.method.learner(self.network), self.method.rounds()
        total, bits = 0.0, None
        for t in range(outer):
            real, synthetic = self._batches(generator)
            matching = self.method._loss(self.passes, real, synthetic)
            loss, bits = (matching, None) if self.density is None else self._priced(matching, self.density, generator)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} at iteration {iteration}; lower the learning rate")
            self.optimiser.zero_grad()
            loss.backward(inputs=list(self.pixels.parameters()))  # the network's own gradients are not wanted
            self.optimiser.step()
            total += float(matching.detach()) / (len(self.real) * outer)
            if learner is not None and t < outer - 1:
                self._train_network(learner, inner, generator)
        return total, bits

    def _draw_network(self, generator: torch.Generator) -> None:
        """Give the network fresh weights (algorithm 1, line 2)."""
        fresh = self._fresh(int(torch.randint(2**31, (), generator=generator)))
        self.network.load_state_dict(fresh.state_dict())
        self.network.train()

    def _batches(self, generator: torch.Generator) -> tuple[list[Tensor], list[Tensor]]:
        """Draw real images of each class, and show the synthetic ones; one augmentation a class, shared by both."""
        synthetic = list(self.pixels(generator).split(self.images_per_class))
        real = [self.pixels.standardised(x) for x in self.real.all(self.real_batch, generator)]
        if self.augment is None:
            return real, synthetic
        pairs = [self.augment._apply(generator, *pair) for pair in zip(real, synthetic, strict=True)]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def _priced(self, matching: Tensor, density: DensityModel, generator: torch.Generator) -> tuple[Tensor, float]:
        """Weigh the two losses as SimpleBits' code does: matching by 10 C/(1 + w), mean bits by 2 w/(1 + w)."""
        w = self.bit_weight
        with torch.set_grad_enabled(w > 0):
            chunks = [density(x, generator) for x in self.pixels.images().split(BITS_CHUNK)]
        loss = matching * (10 * len(self.real) / (1 + w))
        if w:
            loss = loss + 2 * w / (1 + w) * torch.stack([chunk.mean() for chunk in chunks]).sum()
        return loss, float(torch.cat(chunks).detach().mean())

    def _train_network(self, learner: torch.optim.Optimizer, epochs: int, generator: torch.Generator) -> None:
        """Let the network learn from the synthetic images as they are now (algorithm 1, line 9)."""
        self.network.train()
        for _ in range(epochs):
            x = self.pixels(generator).detach()
            for index in batches_for(self.network, torch.randperm(len(x), generator=generator), LEARNED_TOGETHER):
                batch = x[index]
                if self.augment is not None:
                    (batch,) = self.augment._apply(generator, batch, shared=False)
                learner.zero_grad()
                F.cross_entropy(self.network(batch), self.labels[index]).backward()
                learner.step()

    def _start(self) -> FreePixels:
        """Make the images to begin with."""
        generator, n = step_generator(self.seed, -1), self.images_per_class
        noise = torch.randn(len(self.labels), self.channels, self.size, self.size, generator=generator)
        drawn = torch.cat([self.real.draw(c, n, generator) for c in range(len(self.real))]).cpu()
        return start_pixels(noise, drawn, self.method.start or "noise", self.train, self.density).to(self.device)

    def _optimiser(self) -> torch.optim.Optimizer:
        if self.density is None:
            return torch.optim.SGD(self.pixels.parameters(), lr=self._rate, momentum=self.momentum)
        return torch.optim.Adam(self.pixels.parameters(), lr=self._rate, betas=(0.5, 0.99), eps=1e-6)

    def _fresh(self, seed: int) -> nn.Module:
        with globally_seeded(seed, self.device):
            network = self.make_network()
        return network.to(self.device)

    def _state(self, checkpoint: str | Path | None) -> TrainingState:
        parts = {} if checkpoint is None else {"parts": self._parts()}
        return TrainingState({"pixels": self.pixels}, {"pixels": self.optimiser}, self.settings | parts, RENAMED)

    def _parts(self) -> str:
        """Collect what the card's names do not tell: the images themselves, and what a function makes."""
        network = self._fresh(0)
        weights = [part for value in network.state_dict().values() for part in (torch.tensor(value.shape), value)]
        layers = torch.tensor(list(repr(network).encode()), dtype=torch.uint8)
        return digest(self.train.images, self.train.labels, layers, *weights)

    def _picture(self) -> Tensor:
        return to_bytes(self.pixels.images().detach(), clip=True)

    @property
    def _rate(self) -> float:
        return self.method.learning_rate or 0.0

    def _card(self, network: str, network_options: dict[str, Any], compiled: bool) -> dict[str, Any]:
        """Write what the set's card says of this run; None for what its method does not use."""
        of_method = dict.fromkeys(field.name for field in fields(GradientMatching)) | asdict(self.method)
        if not self.cool_down:
            del of_method["iterations"]  # a longer run goes on from a shorter one, unless the cooling has begun
        if self.method.name == "pixels":
            of_network = {"network": None, "network_options": None}
        else:
            of_network = {"network": network, "network_options": network_options}
        density = self.density
        return of_method | of_network | {
            "set": self.train.name, "images": len(self.train), "method": self.method.name,
            "images_per_class": self.images_per_class, "size": self.size, "channels": self.channels,
            "real_batch": self.real_batch, "augment": self.augment and list(self.augment.strategy),
            "momentum": self.momentum if density is None else None,  # Adam has its own
            "cool_down": self.cool_down, "bit_weight": self.bit_weight,
            "bit_depth": None if density is None else density.bit_depth,
            "density": None if density is None else _fingerprint(density),
            "seed": self.seed, "bf16": self.bf16, "compiled": compiled,
        }  # fmt: skip

    def _result(self, iterations: int, history: CondenseHistory) -> CondensedSet:
        made = self.settings | {"iterations": iterations, "name": f"{self.train.name}, {self.method.name}"}
        images, mean, std = (part.detach().cpu() for part in (self.pixels.images(), self.pixels.mean, self.pixels.std))
        return CondensedSet(images, self.labels.cpu(), self.train.classes, mean.flatten(), std.flatten(), made, history)


def _refuse_unknown(options: Iterable[str]) -> None:
    of_method = [field.name for field in fields(GradientMatching)]  # which has all that the other methods have
    known = [*list(inspect.signature(Condensation).parameters)[3:-1], *of_method]
    for name in options:
        if name not in of_method:
            raise TypeError(f"condense has no option {name!r}; {nearest(name, known)}")


def _fingerprint(density: DensityModel) -> float:
    """Summarise a density's weights, to tell it from another of the same depth and size, on any device."""
    return round(sum(float(p.double().abs().sum()) for p in density.parameters()), 2)

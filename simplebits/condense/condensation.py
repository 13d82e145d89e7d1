"""The run that learns synthetic images: one loop for all ways to match (Zhao et al. 2021, 2023)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simplebits import _check, _progress
from simplebits._precision import choose_bf16
from simplebits._training_state import TrainingState, digest, globally_seeded, step_generator
from simplebits.condense.augment import SiameseAugment
from simplebits.condense.class_batches import ClassBatches
from simplebits.condense.condensed_set import CondensedSet, CondenseHistory
from simplebits.condense.distribution import distribution_matching_loss
from simplebits.condense.gradient import batch_norms, freeze_batch_norm, gradient_matching_loss
from simplebits.condense.network import check_network, maker
from simplebits.condense.other_losses import gradient_product_loss, unrolled_step_loss
from simplebits.condense.pixels import FreePixels, start_pixels
from simplebits.condense.settings import card, resolved
from simplebits.data import ImageSet, to_bytes
from simplebits.density import DensityModel

BITS_CHUNK = 50  # images whose mean bits are one term of SimpleBits' loss, as in its code


class Condensation:
    """One run of `condense`, step by step. The defaults are the published settings for small sets.

    Two published exceptions are the caller's to make: distribution matching has a learning rate of 10 from 100 images
    a class upwards, and gradient matching with an MLP has 0.01.

    Args:
        train: the whole set.
        method: `gradient`, `distribution` or `pixels`.
        images_per_class: synthetic images of each class.
        network: a name for `networks.build`, or a function that gives a network with fresh weights from torch's global
            generator, which is seeded for it. It maps standardised images to logits; `distribution` calls its `embed`,
            `pixels` looks at no network.
        network_options: further arguments of `networks.build`; none for a function.
        size: height and width of the images; None: the density's, or as they are.
        channels: 1 or 3; None: the density's, or as they are.
        iterations: networks drawn, K + 1 with K = 1000 (gradient) or 20,000 in the papers, which count from 0 to K.
        outer: steps with one network (T); None: the paper's number for these images per class. `gradient` only.
        inner: epochs of that network on the synthetic images between two steps; None: the paper's number. `gradient`
            only.
        real_batch: real images of a class at each step.
        init: `noise` or `real` images drawn at random; None: noise for `gradient` without augmentation, else real.
        augment: a siamese augmentation, or its strategy; None: none. Batch normalisation, where a network has some,
            takes its statistics from the augmented real images (`freeze_batch_norm`).
        distance: of gradients: `layerwise`, `mse` or `cosine`; or one of SimpleBits' other losses (its figure S13),
            `product` (`gradient_product_loss`) and `unrolled` (`unrolled_step_loss`); None: `layerwise`. `gradient`
            only.
        learning_rate: of the images; None: 0.1 (gradient, and Adam with a density) or 1.
        momentum: of the images; not with a density, whose optimiser is Adam.
        cool_down: share of the iterations, the last ones, in which the images' learning rate falls to zero; 0 as
            published. Short runs are noisy at the end without it.
        network_learning_rate: of the network between two steps; None: 0.01. `gradient` only, as the next one.
        network_momentum: None: 0.5 with a density, as in SimpleBits' code; else 0, as in gradient matching's code
            today, where it was 0.5 when the paper was published.
        density: makes the pixels bounded and measures their bits; SimpleBits' parametrisation and optimiser.
        lambda_sim: at least 0, the code's w: matching weighs 10 C/(1 + w), bits 2 w/(1 + w).
        seed: of everything drawn.
        device: where to compute.
        together: gradients of all classes in one vectorised pass; None: on a GPU, where that is faster.
        bf16: bfloat16 autocast for the real images; None: where the device is faster in it.
        compiled: compile the pass of the real images, which pays off in long runs.
        keep_every: iterations between two pictures kept in `history.kept`; None: none.
        checkpoint_every: iterations between two checkpoints.
        progress: show a bar; None: on a terminal only.

    Attributes:
        settings: what the card of the result says; None for what this method does not use.

    Raises:
        TypeError, ValueError: as `condense`.
    """

    def __init__(
        self,
        train: ImageSet,
        method: str,
        images_per_class: int,
        *,
        network: str | Callable[[], nn.Module] = "ConvNet",
        network_options: dict[str, Any] | None = None,
        size: int | None = None,
        channels: int | None = None,
        iterations: int | None = None,
        outer: int | None = None,
        inner: int | None = None,
        real_batch: int = 256,
        init: str | None = None,
        augment: str | Sequence[str] | SiameseAugment | None = None,
        distance: str | None = None,
        learning_rate: float | None = None,
        momentum: float = 0.5,
        cool_down: float = 0.0,
        network_learning_rate: float | None = None,
        network_momentum: float | None = None,
        density: DensityModel | None = None,
        lambda_sim: float = 0.0,
        seed: int = 0,
        device: torch.device | str = "cpu",
        together: bool | None = None,
        bf16: bool | None = False,
        compiled: bool = False,
        keep_every: int | None = None,
        checkpoint_every: int = 100,
        progress: bool | None = None,
    ) -> None:
        _check.image_set("train", train)
        self.augment = SiameseAugment(augment) if isinstance(augment, str | Sequence) else augment
        if not isinstance(self.augment, SiameseAugment | None):
            kind = type(augment).__name__
            raise TypeError(f"augment: expected a strategy such as 'crop_scale' or a SiameseAugment, got {kind}")
        given = {
            "images_per_class": images_per_class, "size": size, "channels": channels, "iterations": iterations,
            "outer": outer, "inner": inner, "real_batch": real_batch, "init": init, "distance": distance,
            "learning_rate": learning_rate, "momentum": momentum, "cool_down": cool_down,
            "network_learning_rate": network_learning_rate, "network_momentum": network_momentum,
            "lambda_sim": lambda_sim, "keep_every": keep_every, "checkpoint_every": checkpoint_every,
        }  # fmt: skip
        chosen = resolved(method, density, self.augment is not None, train.images.shape[1:3], given)
        self.images_per_class, self.size, self.channels = (
            chosen[name] for name in ("images_per_class", "size", "channels")
        )
        self.iterations, self.outer, self.inner = (chosen[name] for name in ("iterations", "outer", "inner"))
        self.real_batch, self.init, self.distance = (chosen[name] for name in ("real_batch", "init", "distance"))
        self.rate, self.cool_down, self.lambda_sim = chosen["learning_rate"], cool_down, lambda_sim
        self.network_rate, self.network_momentum = chosen["network_learning_rate"], chosen["network_momentum"]
        self.keep_every, self.checkpoint_every = chosen["keep_every"], chosen["checkpoint_every"]
        self.train, self.method, self.density, self.progress = train, method, density, progress
        self.seed, self.device = _check.seed("seed", seed), torch.device(device)
        self.together = self.device.type == "cuda" and not compiled if together is None else together
        if self.together and compiled and method == "gradient":
            raise ValueError("together, compiled: a vectorised pass is not compiled; choose one of them")
        self.bf16 = choose_bf16(bf16, self.device)
        if self.augment is not None:
            self.augment.warn_of_mirrored_signs(train.name, stacklevel=4)
        self.real = ClassBatches(train, self.images_per_class, self.size, self.channels, self.device)
        options = dict(network_options or {})
        self.make_network = maker(network, len(train.classes), self.channels, self.size, options)
        self.network = self._fresh(0)
        check_network(self.network, len(train.classes), self.channels, self.size, self.device)
        if method == "distribution" and not callable(getattr(self.network, "embed", None)):
            raise TypeError(
                f"network: {type(self.network).__name__} has no embed(x) -> [n, d], whose means are matched; take a "
                f"network of simplebits.networks, or add the method"
            )
        self.real_pass = torch.compile(self._real_pass) if compiled else self._real_pass
        self.pixels, self.optimiser = self._start(momentum)
        named = {
            "network": network if isinstance(network, str) else type(self.network).__name__, "network_options": options,
        }  # fmt: skip
        self.settings = card(method, density, chosen) | {
            "set": train.name, "images": len(train), "method": method,
            **(dict.fromkeys(named) if method == "pixels" else named),
            "augment": self.augment and list(self.augment.strategy),
            "bit_depth": density.bit_depth if density is not None else None,
            "density": None if density is None else _fingerprint(density),
            "seed": self.seed, "bf16": self.bf16, "compiled": compiled,
        }  # fmt: skip

    def run(self, checkpoint: Path | None = None) -> CondensedSet:
        """All iterations, from the checkpoint on if there is one; arguments, result and errors as `condense`."""
        parts = {} if checkpoint is None else {"parts": self._parts()}
        state = TrainingState({"pixels": self.pixels}, {"pixels": self.optimiser}, self.settings | parts)
        step, history = 0, CondenseHistory()
        if checkpoint is not None and checkpoint.is_file():
            note, kept = state.load(checkpoint)
            step, history = note["step"], CondenseHistory(**note["history"])
            if step > self.iterations:
                raise ValueError(
                    f"{checkpoint} holds {step} iterations, iterations={self.iterations} asks for fewer; give at least "
                    f"{step}, or name another file"
                )
            history.kept = sorted((int(name.removeprefix("kept/")), images) for name, images in kept.items())
        clock = time.perf_counter()
        with _progress.bar(self.iterations, step, f"{self.method} matching", self.progress) as bar:
            if step == 0:
                self._keep(history, step)
            while step < self.iterations:
                loss, bits = self.step(step)
                step += 1
                history.losses.append(loss)
                history.bits += [] if bits is None else [bits]
                last = step == self.iterations
                if last or (self.keep_every and step % self.keep_every == 0):
                    self._keep(history, step)
                if last or step % self.checkpoint_every == 0:
                    history.seconds += time.perf_counter() - clock
                    clock = time.perf_counter()
                    if checkpoint is not None:
                        note = {k: v for k, v in vars(history).items() if k != "kept"}
                        kept = {f"kept/{at}": images for at, images in history.kept}
                        state.save(checkpoint, {"step": step, "history": note}, kept)
                bar.update()
        return self._result(step, history)

    def step(self, iteration: int) -> tuple[float, float | None]:
        """One network: T steps of the images; returns the mean matching loss a class and the images' mean bits."""
        generator = step_generator(self.seed, iteration)
        self.network.load_state_dict(self._fresh(int(torch.randint(2**31, (), generator=generator))).state_dict())
        self.network.train()
        self._set_rate(iteration)
        total, bits = 0.0, None
        outer = self.outer if self.method == "gradient" else 1
        rate, momentum = self.network_rate, self.network_momentum
        learner = torch.optim.SGD(self.network.parameters(), lr=rate, momentum=momentum)
        for t in range(outer):
            synthetic = list(self.pixels(generator).split(self.images_per_class))
            real = [self.pixels.standardised(x) for x in self.real.all(self.real_batch, generator)]
            if self.augment is not None:  # one draw a class, shared by its real and its synthetic images
                pairs = [self.augment(generator, *pair) for pair in zip(real, synthetic, strict=True)]
                real, synthetic = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            matching = self._matching(real, synthetic)
            loss = matching
            if self.density is not None:
                loss, bits = self._with_bits(matching, generator)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} at iteration {iteration}; lower the learning rate")
            self.optimiser.zero_grad()
            loss.backward(inputs=list(self.pixels.parameters()))  # the network's own gradients are not wanted
            self.optimiser.step()
            total += float(matching.detach()) / (len(synthetic) * outer)
            if t < outer - 1:
                self._train_network(learner, generator)
        return total, bits

    def _set_rate(self, iteration: int) -> None:
        left = (self.iterations - iteration) / max(self.cool_down * self.iterations, 1)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * min(1.0, left)

    def _matching(self, real: list[Tensor], synthetic: list[Tensor]) -> Tensor:
        if self.method == "gradient":
            freeze_batch_norm(self.network, real)
            how = {"together": self.together, "bf16": self.bf16}
            if self.distance == "product":
                return len(real) * gradient_product_loss(self.network, real, synthetic, forward=self.real_pass, **how)
            if self.distance == "unrolled":
                rate = self.network_rate
                return len(real) * unrolled_step_loss(self.network, real, synthetic, learning_rate=rate, **how)
            losses = gradient_matching_loss(
                self.network, real, synthetic, kind=self.distance, forward=self.real_pass, **how
            )
            return losses.sum()
        if self.method == "pixels":
            return distribution_matching_loss(lambda x: x.flatten(1), real, synthetic)
        together = self.together or bool(batch_norms(self.network))  # batch statistics are those of all classes
        return distribution_matching_loss(
            self.network.embed, real, synthetic, together=together, bf16=self.bf16, embed_real=self.real_pass
        )

    def _with_bits(self, matching: Tensor, generator: torch.Generator) -> tuple[Tensor, float]:
        """The two losses, weighted as in SimpleBits' code: matching by 10 C/(1 + w), mean bits by 2 w/(1 + w)."""
        w = self.lambda_sim
        with torch.set_grad_enabled(w > 0):
            chunks = [self.density.bits_per_dim(x, generator) for x in self.pixels.images().split(BITS_CHUNK)]
        loss = matching * (10 * len(self.real) / (1 + w))
        if w:
            loss = loss + 2 * w / (1 + w) * torch.stack([chunk.mean() for chunk in chunks]).sum()
        return loss, float(torch.cat(chunks).detach().mean())

    def _train_network(self, learner: torch.optim.Optimizer, generator: torch.Generator) -> None:
        """The network learns from the synthetic images as they are now (algorithm 1, line 9)."""
        self.network.train()
        labels = self._labels()
        for _ in range(self.inner):
            x = self.pixels(generator).detach()
            for index in torch.randperm(len(x), generator=generator).split(256):
                batch = x[index]
                if self.augment is not None:
                    (batch,) = self.augment(generator, batch, shared=False)
                learner.zero_grad()
                F.cross_entropy(self.network(batch), labels[index]).backward()
                learner.step()

    def _start(self, momentum: float) -> tuple[FreePixels, torch.optim.Optimizer]:
        """The images to begin with, and their optimiser."""
        generator = step_generator(self.seed, -1)
        noise = torch.randn(len(self._labels()), self.channels, self.size, self.size, generator=generator)
        drawn = torch.cat([self.real.draw(c, self.images_per_class, generator) for c in range(len(self.real))]).cpu()
        pixels = start_pixels(noise, drawn, self.init, self.train, self.density).to(self.device)
        if self.density is None:
            return pixels, torch.optim.SGD(pixels.parameters(), lr=self.rate, momentum=momentum)
        return pixels, torch.optim.Adam(pixels.parameters(), lr=self.rate, betas=(0.5, 0.99), eps=1e-6)

    def _fresh(self, seed: int) -> nn.Module:
        with globally_seeded(seed, self.device):
            network = self.make_network()
        return network.to(self.device)

    def _parts(self) -> str:
        """What the card's names do not tell: the images themselves, and what a function makes."""
        network = self._fresh(0)
        weights = [part for value in network.state_dict().values() for part in (torch.tensor(value.shape), value)]
        layers = torch.tensor(list(repr(network).encode()), dtype=torch.uint8)
        return digest(self.train.images, self.train.labels, layers, *weights)

    def _real_pass(self, x: Tensor) -> Tensor:
        return self.network.embed(x) if self.method == "distribution" else self.network(x)

    def _labels(self) -> Tensor:
        return torch.arange(len(self.real), device=self.device).repeat_interleave(self.images_per_class)

    def _keep(self, history: CondenseHistory, step: int) -> None:
        if self.keep_every and all(step != at for at, _ in history.kept):
            history.kept.append((step, to_bytes(self.pixels.images().detach()).cpu()))

    def _result(self, step: int, history: CondenseHistory) -> CondensedSet:
        made = self.settings | {"iterations": step, "name": f"{self.train.name}, {self.method}"}
        images, labels = self.pixels.images().detach().cpu(), self._labels().cpu()
        mean, std = self.pixels.mean.flatten().cpu(), self.pixels.std.flatten().cpu()
        return CondensedSet(images, labels, self.train.classes, mean, std, made, history)


def _fingerprint(density: DensityModel) -> float:
    """Tells one density from another of the same depth and size, on any device."""
    return round(sum(float(p.double().abs().sum()) for p in density.parameters()), 2)

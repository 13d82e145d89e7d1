"""Maximum likelihood: fit a density model to images (Glow, appendix C; SimpleBits, appendix S1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import UInt8
from torch import Tensor

from simplebits._door import door
from simplebits._precision import choose_bf16
from simplebits._training import Training, set_rates
from simplebits._training_state import TrainingState, step_generator
from simplebits.data import ImageSet
from simplebits.data.image_set import _grey_or_colour_images, _to_float
from simplebits.density.base import DensityModel, _quantise
from simplebits.density.glow import Start
from simplebits.domains import Count, CountOrZero, Filled, NonNegative, Positive, Seed, Share

OPTIMISERS = {"adam": torch.optim.Adam, "adamax": torch.optim.Adamax}
Bytes = ImageSet | UInt8[Tensor, "n c h w"]


@dataclass
class FitHistory:
    """What a fit went through.

    Attributes:
        losses: mean bits/dim of each step's batch; NaN where the step was skipped.
        validation: (step, mean bits/dim of the averaged weights on the validation images).
        skipped: number of steps without an update because loss or gradient was not finite.
        seconds: time spent, over all resumed parts.
    """

    losses: list[float] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    skipped: int = 0
    seconds: float = 0.0


@door
def fit(
    model: DensityModel,
    images: Annotated[Bytes, Filled(2)],
    *,
    steps: Count,
    batch_size: Count = 64,
    learning_rate: Positive = 1e-3,
    optimiser: Literal["adam", "adamax"] = "adam",
    weight_decay: NonNegative = 0.0,
    warm_up: CountOrZero = 100,
    cool_down: Share = 0.3,
    average: Share = 0.998,
    clip: Positive = 1.0,
    bf16: bool | None = None,
    flip: bool = True,
    start: Start = "pca",
    seed: Seed = 0,
    validation: Annotated[Bytes, Filled()] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: Count = 500,
    patience: Count = 20,
    progress: bool | None = None,
) -> FitHistory:
    """Minimise the mean bits/dim of the images; the model ends with the running average of its weights.

    A fit with a `checkpoint` goes on from it if the file is there: a run killed at any moment loses at most
    `checkpoint_every` steps. What a step draws depends on `seed` and its number alone, so a resumed run sees the same
    batches.

    Args:
        model: fitted in place, on the device it is on.
        images: uint8; resized, replicated and quantised to the model's size, channels and bit depth batch by batch.
        steps: number of updates in all, resumed ones included.
        batch_size: images a step. The reference code takes 64.
        learning_rate: peak rate.
        optimiser: `adam` or `adamax` (the reference code: Adamax, 5e-4, weight decay 5e-5).
        weight_decay: coupled L2 penalty.
        warm_up: steps in which the rate rises to its peak.
        cool_down: share of all steps, the last ones, in which it falls to zero.
        average: decay of the exponential moving average of the weights.
        clip: largest gradient norm.
        bf16: run the coupling networks in bfloat16, the likelihood itself in single precision; None: where the device
            is faster in it.
        flip: mirror every other image.
        start: `pca` or `orthogonal`, see `Glow.initialise`; used if the model has that method.
        seed: of batches, flips and noise.
        validation: measured at every checkpoint and at the end.
        checkpoint: file to write and to resume from.
        checkpoint_every: steps between two checkpoints.
        patience: so many non-finite steps in a row end the fit.
        progress: show a bar; None: on a terminal only.

    Raises:
        TypeError: not a density model, or no images.
        ValueError: an argument out of range, an unknown optimiser, fewer than two images, a model without weights to
            learn, or a checkpoint of another fit or of more steps.
        FloatingPointError: loss or gradients stayed non-finite for `patience` steps.
    """
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("model: none of its weights can learn; model.requires_grad_(True) lets those of a shipped one")
    pool = _Pool(images, model)
    held_out = None if validation is None else _Pool(validation, model)
    device = pool.device
    bf16 = choose_bf16(bf16, device)
    # What a resumed run shares with the one it goes on from; steps and cool-down may differ, to prolong or end a run.
    settings = {
        "optimiser": optimiser, "learning_rate": learning_rate, "weight_decay": weight_decay, "batch_size": batch_size,
        "warm_up": warm_up, "average": average, "clip": clip, "bf16": bf16, "flip": flip, "start": start, "seed": seed,
        "model": getattr(model, "config", type(model).__name__),
    }  # fmt: skip
    descent = OPTIMISERS[optimiser](model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    history, mean = FitHistory(), RunningAverage(model, average)
    training = Training(
        steps, "fit", state=TrainingState({"model": model}, {"model": descent}, settings), history=history,
        checkpoint=checkpoint, checkpoint_every=checkpoint_every, patience=patience, progress=progress,
        remedy=f"lower learning_rate={learning_rate}, raise warm_up={warm_up}, or give the model a scale_floor",
        tensors=lambda: mean.weights,
    )  # fmt: skip
    if training.resumed is not None:
        mean.take(training.resumed)
    elif isinstance(model, StartsFromData):
        generator = torch.Generator().manual_seed(seed)
        first = torch.randint(len(pool), (min(256, len(pool)),), generator=generator)
        model.initialise(pool[first], start=start, generator=generator)
        mean.restart()

    for step in training:
        generator = step_generator(seed, step)
        x = pool[torch.randint(len(pool), (batch_size,), generator=generator)]
        if flip:
            mirrored = torch.rand(batch_size, generator=generator).to(device) < 0.5
            x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            loss = model(x, generator).mean()
        descent.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        set_rates(descent, [learning_rate], min((step + 1) / max(warm_up, 1), training.cooling(cool_down)))
        if training.proceed(loss, norm):
            descent.step()
            mean.follow(step)
            history.losses.append(float(loss.detach()))
        else:
            history.losses.append(float("nan"))
            history.skipped += 1
        if step % 10 == 9:
            skipped = {"skipped": history.skipped} if history.skipped else {}
            training.bar.set_postfix({"bits/dim": f"{history.losses[-1]:.3f}"} | skipped)
        if held_out is not None and training.at(checkpoint_every):
            history.validation.append((step + 1, mean.bits_of(held_out, seed)))
    model.load_state_dict(mean.weights, strict=False)
    return history


@runtime_checkable
class StartsFromData(Protocol):
    """A model that can set its weights by a first batch of images, as `Glow.initialise` does."""

    def initialise(self, x: Tensor, start: Start, generator: torch.Generator) -> None:
        """Set the weights by images in [0, 1]."""


class RunningAverage:
    """The exponential moving average of a model's weights.

    Args:
        model: whose weights are averaged, from the present ones on.
        decay: share of the average that a step keeps, less while there are few steps to average.

    Attributes:
        weights: the averages, by name.
    """

    def __init__(self, model: DensityModel, decay: float) -> None:
        self.model, self.decay = model, decay
        self.restart()

    def restart(self) -> None:
        """Begin with the present weights."""
        self.weights = {name: p.detach().clone() for name, p in self.model.named_parameters()}

    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from these averages; where their numbers lie in memory stays, on which the last digits depend."""
        for name, value in weights.items():
            self.weights[name].copy_(value)

    def follow(self, step: int) -> None:
        """Move towards the weights as they are after this step, counted from 0."""
        decay = min(self.decay, (2 + step) / (11 + step))
        names, weights = zip(*self.model.named_parameters(), strict=True)
        averages = [self.weights[name] for name in names]
        torch._foreach_lerp_(averages, [w.detach() for w in weights], 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def bits_of(self, pool: _Pool, seed: int) -> float:
        """Measure the mean bits/dim of the images under the averaged weights, always with the same noise."""
        generator = torch.Generator().manual_seed(seed)
        parts = [pool[index] for index in torch.arange(len(pool)).split(100)]
        bits = [torch.func.functional_call(self.model, self.weights, (part, generator)) for part in parts]
        return float(torch.cat(bits).mean())


class _Pool:
    """Images as bytes, converted by the batch to what a model measures: its size, channels, grey levels and device."""

    def __init__(self, images: ImageSet | Tensor, model: DensityModel) -> None:
        self.images = images.images if isinstance(images, ImageSet) else images
        _grey_or_colour_images(self.images)
        self.size, self.channels = model.image_size, model.channels
        self.bit_depth = model.bit_depth
        self.device = next(model.parameters()).device

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Tensor) -> Tensor:
        return _quantise(_to_float(self.images[index], self.size, self.channels, self.device), self.bit_depth)

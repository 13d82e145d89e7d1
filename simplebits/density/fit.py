"""Maximum likelihood: fit a density model to images (Glow, appendix C; SimpleBits, appendix S1)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from simplebits import _check, _progress
from simplebits._precision import choose_bf16
from simplebits._training_state import TrainingState, step_generator
from simplebits.data import ImageSet, to_float
from simplebits.density.base import DensityModel, quantise

OPTIMISERS = {"adam": torch.optim.Adam, "adamax": torch.optim.Adamax}


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


def fit(
    model: DensityModel,
    images: ImageSet | UInt8[Tensor, "n c h w"],
    *,
    steps: int,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    optimiser: str = "adam",
    weight_decay: float = 0.0,
    warm_up: int = 100,
    cool_down: float = 0.3,
    average: float = 0.998,
    clip: float = 1.0,
    bf16: bool | None = None,
    flip: bool = True,
    start: str = "pca",
    seed: int = 0,
    validation: ImageSet | UInt8[Tensor, "n c h w"] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    patience: int = 20,
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
        TypeError: not a density model.
        ValueError: an argument out of range, an unknown optimiser, or a checkpoint of another fit.
        FloatingPointError: loss or gradients stayed non-finite for `patience` steps.
    """
    _check.density_model("model", model)
    whole = {"steps": steps, "batch_size": batch_size, "checkpoint_every": checkpoint_every, "patience": patience}
    for name, value in whole.items():
        _check.positive(name, value, integer=True)
    _check.positive("learning_rate", learning_rate)
    _check.positive("clip", clip)
    _check.positive("warm_up", warm_up, allow_zero=True)
    _check.share("cool_down", cool_down)
    _check.share("average", average)
    _check.one_of("optimiser", optimiser, OPTIMISERS)
    pool = images.images if isinstance(images, ImageSet) else images
    convert = _Converter(model)
    if len(pool) < 2:
        raise ValueError(f"images: {len(pool)} of them; a density needs at least two")

    bf16 = choose_bf16(bf16, next(model.parameters()).device)
    # What a resumed run shares with the one it goes on from; steps and cool-down may differ, to prolong or end a run.
    settings = {
        "optimiser": optimiser, "learning_rate": learning_rate, "weight_decay": weight_decay, "batch_size": batch_size,
        "warm_up": warm_up, "average": average, "clip": clip, "bf16": bf16, "flip": flip, "start": start, "seed": seed,
    }  # fmt: skip
    state = _State(model, settings)
    if checkpoint is not None and Path(checkpoint).is_file():
        state.load(Path(checkpoint))
    elif hasattr(model, "initialise"):
        generator = torch.Generator().manual_seed(seed)
        first = torch.randint(len(pool), (min(256, len(pool)),), generator=generator)
        model.initialise(convert(pool[first]), start=start, generator=generator)
        state.restart_average()

    history, clock, bad = state.history, time.perf_counter(), 0
    bar = _progress.bar(steps, state.step, "fit", progress)
    with bar:
        while state.step < steps:
            generator = step_generator(seed, state.step)
            x = convert(pool[torch.randint(len(pool), (batch_size,), generator=generator)])
            if flip:
                mirrored = torch.rand(batch_size, generator=generator).to(x.device) < 0.5
                x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
            for group in state.optimiser.param_groups:
                group["lr"] = learning_rate * _rate(state.step, steps, warm_up, cool_down)
            loss, finite = _update(model, x, state.optimiser, clip, bf16, generator)
            history.losses.append(loss if finite else float("nan"))
            history.skipped += not finite
            bad = 0 if finite else bad + 1
            if bad >= patience:
                raise FloatingPointError(
                    f"{bad} steps in a row gave a loss or gradient that is not finite (step {state.step}, "
                    f"{history.skipped} skipped in all); lower learning_rate={learning_rate}, raise warm_up={warm_up}, "
                    f"or give the model a scale_floor"
                )
            state.advance(average if finite else 1.0)
            bar.update()
            if state.step % 10 == 0:
                bar.set_postfix({"bits/dim": f"{loss:.3f}"} | ({"skipped": history.skipped} if history.skipped else {}))
            if state.step % checkpoint_every == 0 or state.step == steps:
                history.seconds += time.perf_counter() - clock
                clock = time.perf_counter()
                if validation is not None:
                    history.validation.append((state.step, state.measure(validation, convert, seed)))
                if checkpoint is not None:
                    state.save(Path(checkpoint))
    model.load_state_dict(state.average, strict=False)
    return history


def _rate(step: int, steps: int, warm_up: int, cool_down: float) -> float:
    """Factor on the learning rate: linear up, flat (so that a run can be prolonged or cut short), linear down."""
    return min(1.0, (step + 1) / max(warm_up, 1), (steps - step) / max(cool_down * steps, 1))


def _update(
    model: DensityModel,
    x: Tensor,
    optimiser: torch.optim.Optimizer,
    clip: float,
    bf16: bool,
    generator: torch.Generator,
) -> tuple[float, bool]:
    """One step of descent: (loss, True) or, without any update, (loss, False) where something is not finite."""
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=bf16):
        loss = model.bits_per_dim(x, generator).mean()
    optimiser.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    finite = bool(torch.isfinite(loss) & torch.isfinite(norm))
    if finite:
        optimiser.step()
    return float(loss.detach()), finite


class _Converter:
    """Bytes to what the model measures: its size, channels, grey levels and device."""

    def __init__(self, model: DensityModel) -> None:
        self.size, self.channels, self.bit_depth = model.image_size, model.channels, model.bit_depth
        self.device = next(model.parameters()).device

    def __call__(self, images: UInt8[Tensor, "n c h w"]) -> Tensor:
        return quantise(to_float(images, self.size, self.channels, self.device), self.bit_depth)


class _State:
    """The training, the running average of its weights, its history."""

    def __init__(self, model: DensityModel, settings: dict[str, Any]) -> None:
        self.model, self.step, self.history = model, 0, FitHistory()
        kind = OPTIMISERS[settings["optimiser"]]
        self.optimiser = kind(model.parameters(), lr=settings["learning_rate"], weight_decay=settings["weight_decay"])
        described = settings | {"model": getattr(model, "config", type(model).__name__)}
        self.training = TrainingState({"model": model}, {"model": self.optimiser}, described)
        self.restart_average()

    def restart_average(self) -> None:
        self.average = {name: p.detach().clone() for name, p in self.model.named_parameters()}

    def advance(self, decay: float) -> None:
        """Count the step and move the average towards the weights, faster while there are few steps to average."""
        self.step += 1
        decay = min(decay, (1 + self.step) / (10 + self.step)) if decay < 1 else 1.0
        names, weights = zip(*self.model.named_parameters(), strict=True)
        torch._foreach_lerp_([self.average[n] for n in names], [w.detach() for w in weights], 1 - decay)

    @torch.no_grad()
    def measure(self, images: ImageSet | Tensor, convert: _Converter, seed: int) -> float:
        """Mean bits/dim of these images under the averaged weights, always with the same noise."""
        pool = images.images if isinstance(images, ImageSet) else images
        generator = torch.Generator().manual_seed(seed)
        bits = [
            torch.func.functional_call(self.model, self.average, (convert(part), generator)) for part in pool.split(100)
        ]
        return float(torch.cat(bits).mean())

    def save(self, path: Path) -> None:
        self.training.save(path, {"step": self.step, "history": vars(self.history)}, self.average)

    def load(self, path: Path) -> None:
        note, average = self.training.load(path)
        device = next(self.model.parameters()).device
        self.average = {name: value.to(device) for name, value in average.items()}
        self.step, self.history = note["step"], FitHistory(**note["history"])

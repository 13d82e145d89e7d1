"""One step of simplifying after training: what is decoded to images moves down the loss (SimpleBits, algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from simplebits._training_state import step_generator
from simplebits.density import DensityModel
from simplebits.simplify.after_training_loss import after_training_terms
from simplebits.simplify.arguments import with_latents

TERMS = ("bits", "gradient", "prediction", "scaled_prediction")


@dataclass(frozen=True)
class Space:
    """Where images are moved: in the latents of the density, or as pixels.

    Attributes:
        encode: from images to what is moved, tensors with a row for each image.
        decode: from what is moved to images.
        zero: where a start that knows nothing of the images begins: the mean of latents; of pixels, mid-grey.
        mixes: whether x_mix is decoded from a mixture with the original. If not, x_mix = x_sim is moved as it is, and
            clipped to [0, 1].
    """

    encode: Callable[[Tensor], Sequence[Tensor]]
    decode: Callable[[Sequence[Tensor]], Tensor]
    zero: float
    mixes: bool

    @classmethod
    def of(cls, density: DensityModel, name: str, x: Tensor) -> Space:
        """Make the space of this name, `latents`, which not every density has, or `pixels`, for images like x."""
        if name == "latents":
            latents = with_latents(density)
            return cls(latents.encode, latents.decode, 0.0, mixes=True)
        mid_grey = float(density.uncentre(x.new_zeros(1, 1, 1, 1)))
        return cls(lambda x: [x], lambda z: z[0], mid_grey, mixes=False)


@dataclass(frozen=True, eq=False)
class Originals:
    """What does not change from step to step.

    Attributes:
        x: the original images.
        z: what they are in the space where images are moved.
        network: the classifier, behind the change of its input if there is one.
        density: measures the bits.
        space: where images are moved.
        options: weights and kind of the loss, keyword arguments of `after_training_terms`.
        seed: of the de-quantisation noise.
        batch_size: images at once.
    """

    x: Float[Tensor, "n c h w"]
    z: Sequence[Float[Tensor, "n ..."]]
    network: nn.Module
    density: DensityModel
    space: Space
    options: Mapping[str, Any]
    seed: int
    batch_size: int


def simplification_step(
    originals: Originals, moving: nn.ParameterList, adam: torch.optim.Adam, step: int, s: float, alpha: float
) -> dict[str, Float[Tensor, " n"]]:
    """Take one step of Adam with all images (SimpleBits, algorithm 2).

    Args:
        originals: what stays.
        moving: z_sim, which is moved.
        adam: moves it.
        step: counted from 0; it seeds the noise.
        s: scale of the classifier's weights.
        alpha: share of z_sim in the mixture.

    Returns:
        For each image the terms of the loss before the step; and `not_finite`, 1 where its gradient was set to 0.
    """
    x, space = originals.x, originals.space
    notes = {name: x.new_zeros(len(x)) for name in (*TERMS, "not_finite")}
    for part in torch.arange(len(x), device=x.device).split(originals.batch_size):
        z_sim = [z.detach()[part].requires_grad_() for z in moving]
        simplified = mixed = space.decode(z_sim)
        if space.mixes and alpha < 1:
            mixed = space.decode([alpha * a + (1 - alpha) * b[part] for a, b in zip(z_sim, originals.z, strict=True)])
        # Each part gets the same generator, so that all images get one pattern of noise.
        loss = after_training_terms(
            originals.network, originals.density, x[part], mixed, simplified, s,
            generator=step_generator(originals.seed, 2 * step + 1), **originals.options,
        )  # fmt: skip
        # A sum, not a mean: the number of images changes no image's gradient.
        gradients = torch.autograd.grad(loss.total.sum(), z_sim)
        notes["not_finite"][part] = _set_gradients(moving, part, gradients).to(x)
        for name in TERMS:
            notes[name][part] = getattr(loss, name).detach()
    adam.step()
    if not space.mixes:
        moving[0].data.clamp_(0, 1)
    return notes


def _set_gradients(moving: nn.ParameterList, part: Tensor, gradients: Sequence[Tensor]) -> Bool[Tensor, " b"]:
    """Set the gradients of some images, 0 for an image with one that is not finite; return which those are."""
    finite = torch.stack([g.flatten(1).isfinite().all(1) for g in gradients]).all(0)
    for z, g in zip(moving, gradients, strict=True):
        z.grad = torch.zeros_like(z) if z.grad is None else z.grad
        z.grad[part] = g.where(finite[:, None, None, None], 0)
    return ~finite


def draws(seed: int, step: int, scale: tuple[float, float]) -> tuple[float, float]:
    """Draw s ~ U(scale) and alpha ~ U(0, 1]."""
    drawn = torch.rand(2, generator=step_generator(seed, 2 * step), dtype=torch.float64).tolist()
    return scale[0] + (scale[1] - scale[0]) * drawn[0], 1 - drawn[1]


@torch.no_grad()
def by_the_batch(
    function: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor], batch_size: int
) -> list[Float[Tensor, "n _ _ _"]]:
    """Apply a function to a few images at a time, and join what comes out."""
    parts = [function(*part) for part in zip(*(z.split(batch_size) for z in inputs), strict=True)]
    return [torch.cat(level) for level in zip(*parts, strict=True)]

"""Simplify an image after training: which information carried the network's decision? (SimpleBits, section 5, S5)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits._door import door
from simplebits._gradients import with_gradients
from simplebits._training import Training, set_rates
from simplebits._training_state import TrainingState, digest
from simplebits.density import DensityModel
from simplebits.density.measure import bits_of
from simplebits.domains import Count, Images, NonNegative, Positive, Seed, Share
from simplebits.networks.evaluation_mode import evaluation_mode
from simplebits.simplify.after_training_loss import weights_fit
from simplebits.simplify.after_training_step import TERMS, Originals, Space, by_the_batch, draws, simplification_step
from simplebits.simplify.arguments import (
    Method,
    Network,
    Reference,
    bounds_fit,
    logits_fit,
    logits_of,
    original_fits,
    same_logits_fit,
)
from simplebits.simplify.gates import kl_of


@dataclass(frozen=True, eq=False)
class SimplifiedAfterTraining:
    """Images, simplified while a classifier's answer stays.

    Attributes:
        images: x_sim in [0, 1].
        bits_before: bits per dimension of the originals, rounded to the density's grey levels.
        bits_after: of the simplified images, in the same way, with the same noise.
        kl: KL(f(x) || f(x_sim)), nats.
        probabilities_before: softmax of f(x).
        probabilities_after: softmax of f(x_sim).
        history: for every step `bits` of x_sim (L_sim), and of x_mix `gradient` (L_grad), `prediction` and
            `scaled_prediction` (the two terms of L_pred).
        not_finite: number of steps in which an image's gradient was not finite and was set to 0.
        frames: images on the way, if asked for.
        frame_steps: number of steps before each frame.
    """

    images: Float[Tensor, "n c h w"]
    bits_before: Float[Tensor, " n"]
    bits_after: Float[Tensor, " n"]
    kl: Float[Tensor, " n"]
    probabilities_before: Float[Tensor, "n classes"]
    probabilities_after: Float[Tensor, "n classes"]
    history: dict[str, Float[Tensor, "steps n"]]
    not_finite: Int64[Tensor, " n"]
    frames: tuple[Float[Tensor, "n c h w"], ...] = ()
    frame_steps: tuple[int, ...] = ()

    @property
    def predicted_before(self) -> Int64[Tensor, " n"]:
        """The class predicted for each original."""
        return self.probabilities_before.argmax(1)

    @property
    def predicted_after(self) -> Int64[Tensor, " n"]:
        """The class predicted for each simplified image."""
        return self.probabilities_after.argmax(1)

    @property
    def frame_iterations(self) -> tuple[int, ...]:
        """The old name of `frame_steps`."""
        warnings.warn("frame_iterations is called frame_steps now", DeprecationWarning, stacklevel=2)
        return self.frame_steps


@dataclass
class _History:
    kept: list[tuple[int, Tensor]] = field(default_factory=list)
    seconds: float = 0.0


@door(renamed={"iterations": "steps", "frame_every": "keep_every", "target": "reference"})
@with_gradients
def simplify_after_training(
    classifier: Network,
    density: DensityModel,
    x: Images,
    *,
    bit_weight: NonNegative = 1.0,
    gradient_weight: NonNegative = 10.0,
    prediction_weights: tuple[NonNegative, NonNegative] = (1.0, 1.0),
    steps: Count = 5000,
    learning_rate: Positive = 1e-2,
    cool_down: Share = 0.0,
    scale: tuple[Positive, Positive] = (0.8, 0.95),
    space: Literal["latents", "pixels"] = "latents",
    start: Literal["zero", "image"] = "zero",
    reference: Reference = "original",
    method: Method = "vmap",
    prepare: Callable[[Tensor], Tensor] | None = None,
    keep_every: Count | None = None,
    batch_size: Count = 32,
    seed: Seed = 0,
    checkpoint: str | Path | None = None,
    checkpoint_every: Count = 100,
    progress: bool | None = None,
) -> SimplifiedAfterTraining:
    """Simplify images for a fixed classifier: algorithm 2 of SimpleBits, in the latents of a Glow; or in pixels.

    Every step draws s ~ U(0.8, 0.95) and alpha ~ U(0, 1], the same for all images, mixes the latents,
    z_mix = alpha z_sim + (1 - alpha) z, and moves z_sim by Adam down `after_training_loss` of x_mix = decode(z_mix) and
    x_sim = decode(z_sim). The last step has s = 0.95 and alpha = 1. In pixels, which is not in the paper, the same loss
    moves x_sim itself, clipped to [0, 1] after every step, and x_mix = x_sim. No labels are needed, and what becomes of
    an image does not depend on the others.

    The defaults are those of the paper's code: 5,000 steps from latents of zero. From the image's own latents
    (`start="image"`) far fewer will do: 60 to 100 with `learning_rate` 3e-2, `bit_weight` 0.3, `gradient_weight` 1 and
    `prediction_weights` (3, 3).

    Args:
        classifier: f, any module that maps images to logits. It runs in evaluation mode and is left as it was.
        density: measures the bits; `latents` need its `encode` and `decode`.
        x: images in [0, 1], as the density takes them.
        bit_weight: lambda, at least 0.
        gradient_weight: w_g of the loss, at least 0.
        prediction_weights: w_1 and w_2 of the loss, of the unscaled and the scaled prediction.
        steps: of Adam.
        learning_rate: of Adam.
        cool_down: share of the steps in which this rate falls to zero, 0 to below 1; the code has none. Short runs
            with a high rate end nearer the prediction with it.
        scale: lower and upper bound of s, above 0.
        space: `latents` (algorithm 2) or `pixels`.
        start: `zero`, the mean of the latents (in pixels: mid-grey), or `image`, the original.
        reference: `original` or, as in the paper's code, `mixed`; see `after_training_loss`.
        method: `vmap` or `loop`, see `gate_gradients`.
        prepare: from the density's images to the classifier's, where they differ in size or channels.
        keep_every: keep the images at the start, after every so many steps and at the end; None: none.
        batch_size: images at once; the result does not depend on it.
        seed: of s, alpha and the de-quantisation noise.
        checkpoint: file to write and to resume from.
        checkpoint_every: steps between two checkpoints.
        progress: show a bar; None: on a terminal only.

    Raises:
        TypeError: the classifier is not a module or gives no tensor, the density is none, x no tensor, or prepare no
            function.
        ValueError: an argument out of range, images that the density or the classifier cannot take, parts on different
            devices, a density without latents, batch normalisation without running statistics, which would mix the
            images, or the checkpoint of another run.

    >>> from simplebits.density import Glow
    >>> glow = Glow(levels=1, steps=1, hidden=4, image_size=4)
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    >>> result = simplify_after_training(net, glow, torch.rand(2, 3, 4, 4), steps=2, start="image")
    >>> result.images.shape, result.kl.shape, result.history["bits"].shape
    (torch.Size([2, 3, 4, 4]), torch.Size([2]), torch.Size([2, 2]))
    """
    weights_fit(bit_weight, gradient_weight, prediction_weights)
    bounds_fit(scale)
    original_fits(classifier, density, x)
    where = Space.of(density, space, x)
    x = x.detach()
    network = classifier if prepare is None else _Prepared(prepare, classifier)
    options = {
        "bit_weight": bit_weight, "gradient_weight": gradient_weight, "prediction_weights": prediction_weights,
        "reference": reference, "method": method,
    }  # fmt: skip
    parts = [x, *classifier.parameters(), *classifier.buffers(), *density.parameters(), *density.buffers()]
    settings = options | {
        "steps": steps, "learning_rate": learning_rate, "cool_down": cool_down, "scale": scale, "space": space,
        "start": start, "keep_every": keep_every, "seed": seed, "parts": digest(*parts),
    }  # fmt: skip

    with evaluation_mode(classifier, density):
        before = _logits(network, x, batch_size)
        encoded = by_the_batch(where.encode, [x], batch_size)
        originals = Originals(x, encoded, network, density, where, options, seed, batch_size)
        moving = nn.ParameterList(z.clone() if start == "image" else torch.full_like(z, where.zero) for z in encoded)
        adam = torch.optim.Adam(moving, lr=learning_rate)
        notes = {name: x.new_zeros(steps, len(x)) for name in TERMS} | {"not_finite": x.new_zeros(len(x))}
        history = _History()
        training = Training(
            steps, "simplify", state=TrainingState({"images": moving}, {"images": adam}, settings), history=history,
            checkpoint=checkpoint, checkpoint_every=checkpoint_every, tensors=lambda: notes | {"logits": before},
            progress=progress,
        )  # fmt: skip
        if training.resumed is not None:
            same_logits_fit(training.resumed.pop("logits"), before, checkpoint)
            notes.update({name: note.to(x.device) for name, note in training.resumed.items()})

        if keep_every and training.step == 0:
            training.keep(_shown(originals, moving), 0)
        for step in training:
            s, alpha = draws(seed, step, scale) if step < steps - 1 else (scale[1], 1.0)
            left = (steps - step) / steps
            set_rates(adam, [learning_rate], min(1.0, left / cool_down) if cool_down else 1.0)
            of_step = simplification_step(originals, moving, adam, step, s, alpha)
            notes["not_finite"] += of_step.pop("not_finite")
            for name, values in of_step.items():
                notes[name][step] = values
            if keep_every and training.at(keep_every):
                training.keep(_shown(originals, moving))
        return _result(originals, _shown(originals, moving), before, notes, history)


def _shown(originals: Originals, moving: nn.ParameterList) -> Float[Tensor, "n c h w"]:
    decode = originals.space.decode
    (decoded,) = by_the_batch(lambda *z: [decode(z)], list(moving), originals.batch_size)
    return decoded.nan_to_num(0.5).clamp(0, 1)


def _result(
    originals: Originals, simplified: Tensor, before: Tensor, notes: dict[str, Tensor], history: _History
) -> SimplifiedAfterTraining:
    density, seed, batch_size = originals.density, originals.seed, originals.batch_size
    after = _logits(originals.network, simplified, batch_size)
    return SimplifiedAfterTraining(
        images=simplified,
        bits_before=bits_of(density, originals.x, seed, batch_size),
        bits_after=bits_of(density, simplified, seed, batch_size),
        kl=kl_of(before, after),
        probabilities_before=before.softmax(1),
        probabilities_after=after.softmax(1),
        not_finite=notes["not_finite"].long(),
        history={name: notes[name] for name in TERMS},
        frames=tuple(frame.to(simplified.device) for _, frame in history.kept),
        frame_steps=tuple(at for at, _ in history.kept),
    )


class _Prepared(nn.Module):
    """A classifier behind a change of its input."""

    def __init__(self, prepare: Callable[[Tensor], Tensor], classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier
        # Hidden from nn.Module: if `prepare` has parameters, they are not the classifier's and keep their scale.
        self._prepare = [prepare]

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self._prepare[0](x))


@torch.no_grad()
def _logits(network: nn.Module, x: Float[Tensor, "n c h w"], batch_size: int) -> Float[Tensor, "n classes"]:
    remedy = "give prepare=..., which makes its input of the density's images (another size, grey)"
    logits = torch.cat([logits_of(network, part, remedy) for part in x.split(batch_size)])
    logits_fit(logits)
    return logits

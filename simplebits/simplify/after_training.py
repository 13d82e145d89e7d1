"""Simplify an image after training: which information carried the network's decision? (SimpleBits, section 5, S5)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from simplebits import _check
from simplebits._door import door
from simplebits._gradients import with_gradients
from simplebits._training import Training, set_rates
from simplebits._training_state import TrainingState, digest, step_generator
from simplebits.density import DensityModel
from simplebits.density.measure import bits_of
from simplebits.domains import Count, Images, NonNegative, Positive, Seed, Share
from simplebits.networks.evaluation_mode import evaluation_mode
from simplebits.simplify.after_training_loss import after_training_terms, weights_fit
from simplebits.simplify.arguments import Method, Network, Reference, logits_of
from simplebits.simplify.gates import kl_of

_TERMS = ("bits", "gradient", "prediction", "scaled_prediction")


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


@runtime_checkable
class HasLatents(Protocol):
    """A density whose images and latents are exact inverses of each other."""

    def encode(self, x: Tensor) -> list[Tensor]:
        """Give the latents of images."""
        ...

    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        """Give the images of latents."""
        ...


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
    if scale[0] > scale[1]:
        raise ValueError(f"scale={scale!r}: give a lower and an upper bound of s, in this order")
    _parts_fit(classifier, density, x)
    encode, decode = _ways(density, space)
    x, network = x.detach(), classifier if prepare is None else _Prepared(prepare, classifier)
    options = {
        "bit_weight": bit_weight, "gradient_weight": gradient_weight, "prediction_weights": prediction_weights,
        "reference": reference, "method": method,
    }  # fmt: skip
    settings = options | {
        "steps": steps, "learning_rate": learning_rate, "cool_down": cool_down, "scale": scale, "space": space,
        "start": start, "keep_every": keep_every, "seed": seed,
        "parts": digest(
            x, *classifier.parameters(), *classifier.buffers(), *density.parameters(), *density.buffers()
        ),
    }  # fmt: skip

    with evaluation_mode(classifier, density):
        before = _logits(network, x, batch_size)
        original = _by_the_batch(encode, [x], batch_size)
        # The zero of pixels is that of centred images, mid-grey.
        zero = 0.0 if space == "latents" else float(density.uncentre(x.new_zeros(1, 1, 1, 1)))
        moving = nn.ParameterList(z.clone() if start == "image" else torch.full_like(z, zero) for z in original)
        adam = torch.optim.Adam(moving, lr=learning_rate)
        notes = {name: x.new_zeros(steps, len(x)) for name in _TERMS} | {"not_finite": x.new_zeros(len(x))}
        history = _History()
        training = Training(
            steps, "simplify", state=TrainingState({"images": moving}, {"images": adam}, settings), history=history,
            checkpoint=checkpoint, checkpoint_every=checkpoint_every, tensors=lambda: notes | {"logits": before},
            progress=progress,
        )  # fmt: skip
        if training.resumed is not None:
            _same_logits(training.resumed.pop("logits"), before, checkpoint)
            notes = {name: note.to(x.device) for name, note in training.resumed.items()}

        def images() -> Float[Tensor, "n c h w"]:
            (decoded,) = _by_the_batch(lambda *z: [decode(z)], list(moving), batch_size)
            return decoded.nan_to_num(0.5).clamp(0, 1)

        if keep_every and training.step == 0:
            training.keep(images(), 0)
        for step in training:
            s, alpha = _draws(seed, step, scale) if step < steps - 1 else (scale[1], 1.0)
            for part in torch.arange(len(x), device=x.device).split(batch_size):
                z_sim = [z.detach()[part].requires_grad_() for z in moving]
                simplified = mixed = decode(z_sim)
                if space == "latents" and alpha < 1:
                    mixed = decode([alpha * a + (1 - alpha) * b[part] for a, b in zip(z_sim, original, strict=True)])
                # The same generator for each part: all images get one pattern of noise.
                loss = after_training_terms(
                    network, density, x[part], mixed, simplified, s, generator=step_generator(seed, 2 * step + 1),
                    **options,
                )  # fmt: skip
                # A sum, not a mean: the number of images changes no image's gradient.
                gradients = torch.autograd.grad(loss.total.sum(), z_sim)
                notes["not_finite"][part] += _set_gradients(moving, part, gradients).to(x)
                for name in _TERMS:
                    notes[name][step, part] = getattr(loss, name).detach()
            left = (steps - step) / steps
            set_rates(adam, [learning_rate], min(1.0, left / cool_down) if cool_down else 1.0)
            adam.step()
            if space == "pixels":
                moving[0].data.clamp_(0, 1)
            if keep_every and training.at(keep_every):
                training.keep(images())

        simplified = images()
        after = _logits(network, simplified, batch_size)
        return SimplifiedAfterTraining(
            images=simplified,
            bits_before=bits_of(density, x, seed, batch_size),
            bits_after=bits_of(density, simplified, seed, batch_size),
            kl=kl_of(before, after),
            probabilities_before=before.softmax(1),
            probabilities_after=after.softmax(1),
            not_finite=notes.pop("not_finite").long(),
            history={name: notes[name] for name in _TERMS},
            frames=tuple(frame.to(x.device) for _, frame in history.kept),
            frame_steps=tuple(at for at, _ in history.kept),
        )


def _set_gradients(moving: nn.ParameterList, part: Tensor, gradients: Sequence[Tensor]) -> Bool[Tensor, " b"]:
    """Set the gradients of some images, 0 for an image with one that is not finite; return which those are."""
    finite = torch.stack([g.flatten(1).isfinite().all(1) for g in gradients]).all(0)
    for z, g in zip(moving, gradients, strict=True):
        z.grad = torch.zeros_like(z) if z.grad is None else z.grad
        z.grad[part] = g.where(finite[:, None, None, None], 0)
    return ~finite


def _same_logits(stored: Tensor, computed: Tensor, checkpoint: str | Path | None) -> None:
    """Raise ValueError where `prepare` is another one, which shows in nothing else."""
    # Not exactly: devices differ in the last digits.
    if not torch.allclose(stored.to(computed), computed, rtol=1e-3, atol=1e-3):
        raise ValueError(
            f"{checkpoint} belongs to another run: the classifier, behind prepare, gives these images other logits. "
            f"Delete it or name another file"
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


def _parts_fit(classifier: nn.Module, density: DensityModel, x: Tensor) -> None:
    _check.own_statistics("classifier", classifier)
    _check.fits("x", x, channels=density.channels, size=density.image_size, like=next(density.parameters(), None))
    weight = next(classifier.parameters())
    if (weight.dtype, weight.device) != (x.dtype, x.device):
        raise ValueError(
            f"classifier: its weights are {weight.dtype} on {weight.device}, x is {x.dtype} on {x.device}; "
            f"move one to the other with .to(...)"
        )


def _ways(density: DensityModel, space: str) -> tuple[Callable[..., list[Tensor]], Callable[..., Tensor]]:
    """Make the way from images to what is moved, and the way back."""
    if space == "pixels":
        return lambda x: [x], lambda z: z[0]
    if not isinstance(density, HasLatents):
        raise ValueError(
            f"density: {type(density).__name__} has no latents (no encode and decode); give space='pixels', or a Glow, "
            f"sb.density.load('glow') for example"
        )
    return density.encode, density.decode


def _draws(seed: int, step: int, scale: tuple[float, float]) -> tuple[float, float]:
    """Draw s ~ U(scale) and alpha ~ U(0, 1]."""
    drawn = torch.rand(2, generator=step_generator(seed, 2 * step), dtype=torch.float64).tolist()
    return scale[0] + (scale[1] - scale[0]) * drawn[0], 1 - drawn[1]


@torch.no_grad()
def _by_the_batch(
    function: Callable[..., list[Tensor]], inputs: list[Tensor], batch_size: int
) -> list[Float[Tensor, "n _ _ _"]]:
    parts = [function(*part) for part in zip(*(z.split(batch_size) for z in inputs), strict=True)]
    return [torch.cat(level) for level in zip(*parts, strict=True)]


@torch.no_grad()
def _logits(network: nn.Module, x: Float[Tensor, "n c h w"], batch_size: int) -> Float[Tensor, "n classes"]:
    remedy = "give prepare=..., which makes its input of the density's images (another size, grey)"
    logits = torch.cat([logits_of(network, part, remedy) for part in x.split(batch_size)])
    if logits.shape[1] < 2:
        raise ValueError(f"classifier: expected logits of two or more classes, got {list(logits.shape)}")
    if not bool(logits.isfinite().all()):
        raise ValueError("classifier: its logits are not finite on these images")
    return logits

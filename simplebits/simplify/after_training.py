"""Simplify an image after training: which information carried the network's decision? (SimpleBits, section 5, S5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits import _check, _progress
from simplebits._gradients import with_gradients
from simplebits._training_state import TrainingState, digest, step_generator
from simplebits.density import DensityModel
from simplebits.density.measure import bits_of
from simplebits.networks.evaluation_mode import evaluation_mode
from simplebits.simplify.after_training_loss import TARGETS, after_training_loss, check_loss_weights
from simplebits.simplify.gates import METHODS, kl_divergence

SPACES = ("latents", "pixels")
STARTS = ("zero", "image")
_TERMS = ("bits", "gradient", "prediction", "scaled_prediction")


@dataclass(frozen=True, eq=False)
class SimplifiedAfterTraining:
    """Images, simplified as far as the decision allows.

    Attributes:
        images: x_sim in [0, 1].
        bits_before: bits per dimension of the originals, rounded to the density's grey levels.
        bits_after: of the simplified images, in the same way, with the same noise.
        kl: KL(f(x) || f(x_sim)), nats.
        probabilities_before: softmax of f(x).
        probabilities_after: softmax of f(x_sim).
        history: for every iteration `bits` of x_sim (L_sim), and of x_mix `gradient` (L_grad), `prediction` and
            `scaled_prediction` (the two terms of L_pred).
        not_finite: number of iterations in which an image's gradient was not finite and was set to 0.
        frames: images on the way, if asked for.
        frame_iterations: number of steps before each frame.
    """

    images: Float[Tensor, "n c h w"]
    bits_before: Float[Tensor, " n"]
    bits_after: Float[Tensor, " n"]
    kl: Float[Tensor, " n"]
    probabilities_before: Float[Tensor, "n classes"]
    probabilities_after: Float[Tensor, "n classes"]
    history: dict[str, Float[Tensor, "iterations n"]]
    not_finite: Int64[Tensor, " n"]
    frames: tuple[Float[Tensor, "n c h w"], ...] = ()
    frame_iterations: tuple[int, ...] = ()

    @property
    def predicted_before(self) -> Int64[Tensor, " n"]:
        """The class predicted for each original."""
        return self.probabilities_before.argmax(1)

    @property
    def predicted_after(self) -> Int64[Tensor, " n"]:
        """The class predicted for each simplified image."""
        return self.probabilities_after.argmax(1)


@with_gradients
def simplify_after_training(
    classifier: nn.Module,
    density: DensityModel,
    x: Float[Tensor, "n c h w"],
    *,
    bit_weight: float = 1.0,
    gradient_weight: float = 10.0,
    prediction_weights: tuple[float, float] = (1.0, 1.0),
    iterations: int = 5000,
    learning_rate: float = 1e-2,
    cool_down: float = 0.0,
    scale: tuple[float, float] = (0.8, 0.95),
    space: str = "latents",
    start: str = "zero",
    target: str = "original",
    method: str = "vmap",
    prepare: Callable[[Tensor], Tensor] | None = None,
    frame_every: int | None = None,
    batch_size: int = 32,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 100,
    progress: bool | None = None,
) -> SimplifiedAfterTraining:
    """Algorithm 2 of SimpleBits, in the latents of a Glow, or algorithm 1, in pixels.

    Every iteration draws s ~ U(0.8, 0.95) and alpha ~ U(0, 1], the same for all images, mixes the latents,
    z_mix = alpha z_sim + (1 - alpha) z, and takes a step of Adam in z_sim on `after_training_loss` of
    x_mix = decode(z_mix) and x_sim = decode(z_sim). The last iteration has s = 0.95 and alpha = 1. Algorithm 1 moves
    x_sim itself, clipped to [0, 1] after every step, and x_mix = x_sim. No labels are needed, and what becomes of an
    image does not depend on the others.

    The defaults are those of the paper's code: 5,000 iterations from latents of zero. From the image's own latents
    (`start="image"`) far fewer will do: 60 to 100 with `learning_rate` 3e-2, `bit_weight` 0.3, `gradient_weight` 1 and
    `prediction_weights` (3, 3), see chapter 13.

    Args:
        classifier: f, any module that maps images to logits. It runs in evaluation mode and is left as it was.
        density: measures the bits; `latents` need its `encode` and `decode`.
        x: images in [0, 1], as the density takes them.
        bit_weight: lambda, at least 0.
        gradient_weight: w_g of the loss, at least 0.
        prediction_weights: w_1 and w_2 of the loss, of the unscaled and the scaled prediction.
        iterations: number of steps.
        learning_rate: of Adam.
        cool_down: share of the iterations in which this rate falls to zero, 0 to below 1; the code has none. Short runs
            with a high rate end nearer the prediction with it.
        scale: lower and upper bound of s, above 0.
        space: `latents` (algorithm 2) or `pixels` (algorithm 1).
        start: `zero`, the mean of the latents (in pixels: mid-grey), or `image`, the original.
        target: `original` or, as in the paper's code, `mixed`; see `after_training_loss`.
        method: `vmap` or `loop`, see `gate_gradients`.
        prepare: from the density's images to the classifier's, where they differ in size or channels.
        frame_every: keep the images at the start and after every so many iterations.
        batch_size: images at once; the result does not depend on it.
        seed: of s, alpha and the de-quantisation noise.
        checkpoint: file to write and to resume from.
        checkpoint_every: iterations between two checkpoints.
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
    >>> result = simplify_after_training(net, glow, torch.rand(2, 3, 4, 4), iterations=2, start="image")
    >>> result.images.shape, result.kl.shape, result.history["bits"].shape
    (torch.Size([2, 3, 4, 4]), torch.Size([2]), torch.Size([2, 2]))
    """
    counts = {
        "iterations": iterations, "frame_every": 1 if frame_every is None else frame_every, "batch_size": batch_size,
        "checkpoint_every": checkpoint_every,
    }  # fmt: skip
    for name, value in counts.items():
        _check.positive(name, value, integer=True)
    _check.positive("learning_rate", learning_rate)
    _check.share("cool_down", cool_down)
    check_loss_weights(bit_weight, gradient_weight, prediction_weights)
    pair = scale if isinstance(scale, tuple | list) and len(scale) == 2 else (0, 0)
    if not all(isinstance(s, int | float) for s in pair) or not 0 < pair[0] <= pair[1] < math.inf:
        raise ValueError(f"scale={scale!r}: give a lower and an upper bound of s, both above 0")
    for name, value, known in (
        ("space", space, SPACES), ("start", start, STARTS), ("target", target, TARGETS), ("method", method, METHODS)
    ):  # fmt: skip
        _check.one_of(name, value, known)
    seed = _check.seed("seed", seed)
    if not (prepare is None or callable(prepare)):
        raise TypeError(f"prepare: expected a function of images, got {type(prepare).__name__}")
    _check_parts(classifier, density, x)
    x = x.detach()
    encode, decode = _ways(density, space)
    network = classifier if prepare is None else _Prepared(prepare, classifier)
    options = {
        "bit_weight": bit_weight, "gradient_weight": gradient_weight, "prediction_weights": prediction_weights,
        "target": target, "method": method,
    }  # fmt: skip
    settings = options | {
        "iterations": iterations, "learning_rate": learning_rate, "cool_down": cool_down, "scale": scale,
        "space": space, "start": start, "frame_every": frame_every, "seed": seed,
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
        notes = {name: x.new_zeros(iterations, len(x)) for name in _TERMS} | {"not_finite": x.new_zeros(len(x))}
        frames: dict[str, Tensor] = {}
        state, begun = TrainingState({"images": moving}, {"images": adam}, settings), 0
        if checkpoint is not None and Path(checkpoint).is_file():
            note, held = state.load(Path(checkpoint))
            # Another `prepare` shows in nothing else. Not exactly: devices differ in the last digits.
            if not torch.allclose(held.pop("logits").to(before), before, rtol=1e-3, atol=1e-3):
                raise ValueError(
                    f"{checkpoint} belongs to another run: the classifier, behind prepare, gives these images other "
                    f"logits. Delete it or name another file"
                )
            begun, notes = note["iteration"], {name: held.pop(name).to(x.device) for name in notes}
            frames = {at: held[at].to(x.device) for at in sorted(held, key=int)}

        def images() -> Float[Tensor, "n c h w"]:
            (decoded,) = _by_the_batch(lambda *z: [decode(z)], list(moving), batch_size)
            return decoded.nan_to_num(0.5).clamp(0, 1)

        with _progress.bar(iterations, begun, "simplify", progress) as bar:
            for iteration in range(begun, iterations):
                if frame_every and iteration % frame_every == 0:
                    frames[str(iteration)] = images()
                s, alpha = _draws(seed, iteration, scale) if iteration < iterations - 1 else (scale[1], 1.0)
                for part in torch.arange(len(x), device=x.device).split(batch_size):
                    z_sim = [z.detach()[part].requires_grad_() for z in moving]
                    simplified = mixed = decode(z_sim)
                    if space == "latents" and alpha < 1:
                        mixed = decode(
                            [alpha * a + (1 - alpha) * b[part] for a, b in zip(z_sim, original, strict=True)]
                        )
                    # The same generator for each part: all images get one pattern of noise.
                    generator = step_generator(seed, 2 * iteration + 1)
                    loss = after_training_loss(
                        network, density, x[part], mixed, simplified, s, generator=generator, **options
                    )
                    # A sum, not a mean: the number of images changes no image's gradient.
                    gradients = torch.autograd.grad(loss.total.sum(), z_sim)
                    finite = torch.stack([g.flatten(1).isfinite().all(1) for g in gradients]).all(0)
                    for z, g in zip(moving, gradients, strict=True):
                        z.grad = torch.zeros_like(z) if z.grad is None else z.grad
                        z.grad[part] = g.where(finite[:, None, None, None], 0)
                    notes["not_finite"][part] += (~finite).to(x)
                    for name in _TERMS:
                        notes[name][iteration, part] = getattr(loss, name).detach()
                left = (iterations - iteration) / iterations
                adam.param_groups[0]["lr"] = learning_rate * (min(1.0, left / cool_down) if cool_down else 1.0)
                adam.step()
                if space == "pixels":
                    moving[0].data.clamp_(0, 1)
                bar.update()
                if checkpoint is not None and (iteration + 1) % checkpoint_every == 0:
                    state.save(Path(checkpoint), {"iteration": iteration + 1}, notes | frames | {"logits": before})

        simplified = images()
        if frame_every:
            frames[str(iterations)] = simplified
        after = _logits(network, simplified, batch_size)
        return SimplifiedAfterTraining(
            images=simplified,
            bits_before=bits_of(density, x, seed, batch_size),
            bits_after=bits_of(density, simplified, seed, batch_size),
            kl=kl_divergence(before, after),
            probabilities_before=before.softmax(1),
            probabilities_after=after.softmax(1),
            not_finite=notes.pop("not_finite").long(),
            history=notes,
            frames=tuple(frames.values()),
            frame_iterations=tuple(map(int, frames)),
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


def _check_parts(classifier: nn.Module, density: DensityModel, x: Tensor) -> None:
    if not isinstance(classifier, nn.Module):
        raise TypeError(f"classifier: expected a torch.nn.Module, got {type(classifier).__name__}")
    _check.own_statistics("classifier", classifier)
    _check.density_model("density", density)
    density.check(x)
    weight = next(classifier.parameters(), None)
    if weight is None:
        raise ValueError("classifier: it has no parameters, so there is nothing to scale down")
    if (weight.dtype, weight.device) != (x.dtype, x.device):
        raise ValueError(
            f"classifier: its weights are {weight.dtype} on {weight.device}, x is {x.dtype} on {x.device}; "
            f"move one to the other with .to(...)"
        )


def _ways(density: DensityModel, space: str) -> tuple[Callable[..., list[Tensor]], Callable[..., Tensor]]:
    """From images to what is moved, and back."""
    if space == "pixels":
        return lambda x: [x], lambda z: z[0]
    if not (hasattr(density, "encode") and hasattr(density, "decode")):
        raise ValueError(
            f"density: {type(density).__name__} has no latents (no encode and decode); give space='pixels', or a Glow, "
            f"sb.density.load('glow') for example"
        )
    return density.encode, density.decode


def _draws(seed: int, iteration: int, scale: tuple[float, float]) -> tuple[float, float]:
    """s ~ U(scale) and alpha ~ U(0, 1]."""
    drawn = torch.rand(2, generator=step_generator(seed, 2 * iteration), dtype=torch.float64).tolist()
    return scale[0] + (scale[1] - scale[0]) * drawn[0], 1 - drawn[1]


@torch.no_grad()
def _by_the_batch(
    function: Callable[..., list[Tensor]], inputs: list[Tensor], batch_size: int
) -> list[Float[Tensor, "n _ _ _"]]:
    parts = [function(*part) for part in zip(*(z.split(batch_size) for z in inputs), strict=True)]
    return [torch.cat(level) for level in zip(*parts, strict=True)]


@torch.no_grad()
def _logits(network: nn.Module, x: Float[Tensor, "n c h w"], batch_size: int) -> Float[Tensor, "n classes"]:
    try:
        parts = [network(part) for part in x.split(batch_size)]
    except RuntimeError as error:
        raise ValueError(
            f"classifier: it cannot take images {list(x.shape)} ({error}); give prepare=..., which makes its input of "
            f"the density's images (another size, grey)"
        ) from error
    if not all(isinstance(part, Tensor) for part in parts):
        raise TypeError(f"classifier: expected logits, a tensor [n, classes], got {type(parts[0]).__name__}")
    logits = torch.cat(parts)
    if logits.dim() != 2 or len(logits) != len(x) or logits.shape[1] < 2:
        raise ValueError(
            f"classifier: expected logits [{len(x)}, classes] of two or more classes, got {list(logits.shape)}"
        )
    if not bool(logits.isfinite().all()):
        raise ValueError("classifier: its logits are not finite on these images")
    return logits

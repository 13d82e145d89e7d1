"""What a sample changes, the long way: train once with all samples, and once more without each of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import grad, vmap

from simplebits._door import door
from simplebits._training import Training
from simplebits._training_state import TrainingState, digest
from simplebits.domains import Count, NonNegative, Positive
from simplebits.information import memory
from simplebits.information.arguments import Examples, Indices, OtherExamples, Outputs, left_out, samples_fit
from simplebits.information.weights import WeightFunction


@dataclass(frozen=True)
class Retrained:
    """How far weights and predictions end from those of the training with all samples.

    Attributes:
        functional: of the predictions, for each sample left out; see `retrain_without`.
        weights: of the weights.
        indices: which samples were left out.
        predictions: outputs for x_val after the training with all samples.
        predictions_without: the same without each of them.
        end: weights after the training with all samples, in the order of the network's parameters.
    """

    functional: Float[Tensor, " i"]
    weights: Float[Tensor, " i"]
    indices: Int64[Tensor, " i"]
    predictions: Float[Tensor, "m k"]
    predictions_without: Float[Tensor, "i m k"]
    end: Float[Tensor, " d"]


@door(renamed={"model": "network"})
def retrain_without(
    network: nn.Module,
    x: Examples,
    targets: Outputs,
    x_val: OtherExamples,
    learning_rate: Positive,
    steps: Count,
    weight_decay: NonNegative = 0.0,
    *,
    indices: Indices | None = None,
    half: bool = True,
    rescale_decay: bool = True,
    together: Count | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> Retrained:
    """Leave one out by brute force (Harutyunyan et al. 2021, section 6): the truth that fast scores are compared with.

    Every training starts from the network's weights w0 and takes `steps` steps of full-batch gradient descent on

        mean of 1/2 norm(y - f_w(x))^2 over its samples  +  weight_decay / 2 norm(w - w0)^2

    in evaluation mode. The paper's code takes one step more than its tables say: give steps=2001 for its 2,000.

    Args:
        network: maps x to outputs [n, k]; its weights are the start and are left as they are.
        x: training samples, in the network's dtype, or int64 where an embedding takes them.
        targets: what the outputs should be: one output with 0 and 1 for two classes, one-hot rows for more.
        x_val: samples on which predictions are compared.
        learning_rate: of every training; eta = learning_rate / n in the paper's sum over samples.
        steps: of gradient descent.
        weight_decay: lambda' of the mean loss; the paper's lambda is n times as much.
        indices: the samples to leave out, each for itself; None: all, one after the other.
        half: with the factor 1/2 of equations 5 and 8, as the paper; the paper's code leaves it out.
        rescale_decay: True keeps lambda' where a sample is left out, as the paper's retraining does; False keeps
            lambda, as its scores and `sample_information` do, so that lambda' is n / (n - 1) times as large there.
        together: trainings in one vectorised pass, which changes nothing but the time and the memory; None: as many
            as have 2 MiB of weights on a CPU, where more are no faster, 1 GiB on a GPU, and fit into half of the free
            memory with what their layers give.
        checkpoint: file to write after each pass and to resume from.
        progress: show a bar; None: on a terminal only.

    Returns:
        `functional`: 1/2 the mean over x_val of norm(f_without - f)^2, summed over outputs (F-SI, equation 8);
        `weights`: 1/2 norm(w_without - w)^2 (SI, equation 5, identity smoothing).

    Raises:
        TypeError: a network or tensors of another kind.
        ValueError: an argument out of range, shapes that do not fit, another network's or training's checkpoint, or
            more trainings together than fit into memory.
        FloatingPointError: a training diverged; says the largest stable rate of the linearised network.

    >>> x, line = torch.tensor([[0.0], [1.0], [2.0], [9.0]]), nn.Linear(1, 1)
    >>> scores = retrain_without(line, x, 2 * x, torch.ones(1, 1), 0.01, 50)
    >>> int(scores.weights.argmax())
    3
    """
    f = WeightFunction(network)
    samples_fit(f, x, targets, x_val)
    samples = left_out(indices, len(x)).to(x.device)
    runs = torch.cat([samples.new_full((1,), -1), samples])  # the first is the training with all samples
    together = _fitting(f, x, len(runs), together)
    decay = f.start.new_full((len(runs),), weight_decay)
    if not rescale_decay:
        decay[1:] *= len(x) / (len(x) - 1)

    settings = {
        "learning_rate": learning_rate, "steps": steps, "weight_decay": weight_decay, "rescale_decay": rescale_decay,
        "indices": samples.tolist(), "network": hashlib.sha256(f"{network!r} {list(f.shapes)}".encode()).hexdigest(),
        "weights": digest(*network.parameters(), *network.buffers()), "data": digest(x, targets, x_val),
    }  # fmt: skip
    distances = f.start.new_zeros(len(runs))
    outputs = f.start.new_zeros(len(runs), len(x_val), targets.shape[1])
    kept = {"distances": distances, "outputs": outputs, "reference": f.start.clone()}
    training = Training(
        len(runs), "retraining", state=TrainingState({}, {}, settings), history=SimpleNamespace(seconds=0.0),
        checkpoint=checkpoint, checkpoint_every=1, tensors=lambda: kept, unit="trainings", progress=progress,
    )  # fmt: skip
    for name, tensor in (training.resumed or {}).items():
        kept[name].copy_(tensor)
    with f.evaluating(), torch.no_grad():
        for done in training:
            now = slice(done, min(done + together, len(runs)))
            weights = descend(f, x, targets, runs[now], learning_rate, steps, decay[now])
            if not torch.isfinite(weights).all():
                raise FloatingPointError(
                    f"the weights are not finite after {steps} steps at learning_rate={learning_rate:g}; linearised at "
                    f"its start, the network is stable below {stable_rate(f, x, weight_decay):.3g}"
                )
            if done == 0:
                kept["reference"].copy_(weights[0])
            distances[now] = (weights - kept["reference"]).square().sum(1)
            outputs[now] = torch.stack([f(w, x_val) for w in weights])
            training.stride = now.stop - done
    factor = 0.5 if half else 1.0
    functional = factor * (outputs[1:] - outputs[0]).square().sum(2).mean(1)
    return Retrained(functional, factor * distances[1:], samples, outputs[0], outputs[1:], kept["reference"])


def _fitting(f: WeightFunction, x: Tensor, runs: int, together: int | None) -> int:
    """Count how many trainings go in one pass.

    Raises:
        ValueError: so many do not fit into memory.
    """
    each = bytes_of_one(f, x)
    if together is None:
        few_weights = 2 ** (21 if x.device.type == "cpu" else 30) // (len(f.start) * f.start.itemsize)
        together = max(1, min(few_weights, int(memory.available(x.device) / 2 / each)))
    together = min(together, runs)
    option = "give a smaller together=" if together > 1 else "take fewer samples or a smaller network"
    memory.require(f"together={together} trainings with {len(x)} samples", together * each, x.device, option)
    return together


def bytes_of_one(f: WeightFunction, x: Tensor) -> float:
    """Estimate what one training takes: its weights, and what its layers keep of every sample for the way back.

    Counted for one example. Four times that is near what was measured: the way back is kept as well, and its work.
    """
    of_network = {value.data_ptr() for value in (*f.network.parameters(), *f.network.buffers())}
    saved: dict[int, int] = {}

    def note(value: Tensor) -> Tensor:
        if value.data_ptr() not in of_network:
            saved[value.data_ptr()] = value.numel() * value.itemsize
        return value

    with f.evaluating(), torch.enable_grad(), saved_tensors_hooks(note, lambda value: value):
        outputs = f.network(x[:1])  # in a variable until all is counted, so that no place in memory is used twice
    saved[outputs.data_ptr()] = outputs.numel() * outputs.itemsize
    return 4.0 * (f.start.numel() * f.start.itemsize + len(x) * sum(saved.values()))


def descend(
    f: WeightFunction,
    x: Tensor,
    targets: Tensor,
    without: Int64[Tensor, " r"],
    learning_rate: float,
    steps: int,
    decay: Float[Tensor, " r"],
) -> Float[Tensor, "r d"]:
    """Compute the final weights of several trainings, each without one sample, or with all of them (-1)."""

    def loss(weights: Tensor, x: Tensor, targets: Tensor, share: Tensor) -> Tensor:
        return 0.5 * ((f(weights, x) - targets).square().sum(1) * share).sum()

    weights = f.start.expand(len(without), -1).clone()
    everyone = torch.arange(len(x), device=x.device)
    if len(without) == 1:
        kept = everyone != without
        slope, data = grad(loss), (x[kept], targets[kept], targets.new_full((), 1 / int(kept.sum())))
        weights = weights[0]
    else:
        kept = (everyone != without[:, None]).to(targets.dtype)
        # A sample left out stays in the batch with weight zero, so that all trainings share one x.
        slope = vmap(grad(loss), in_dims=(0, None, None, 0))
        data = (x, targets, kept / kept.sum(1, keepdim=True))
        decay = decay[:, None]
    decays = bool(decay.any())
    for _ in range(steps):
        g = slope(weights, *data)
        if decays:
            g = g + decay * (weights - f.start)
        weights.sub_(g, alpha=learning_rate)
    return weights.view(len(without), -1)


def stable_rate(f: WeightFunction, x: Tensor, weight_decay: float, rounds: int = 30) -> float:
    """Compute 2 / the largest eigenvalue of J'J / n + lambda' at the start, by power iteration over outputs."""
    forth, back = f.derivative(x)
    u = torch.ones_like(f(f.start, x))
    for _ in range(rounds):
        u = forth(back(u / u.norm()))
    return 2 / (float(u.norm()) / len(x) + weight_decay)

"""Unique information by its definition, where that can be computed: linear regression in the plane, trained by SGD."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from simplebits._door import door
from simplebits.domains import Count, CountOrZero, Finite, NonNegative, Positive
from simplebits.information.arguments import on_one_device

Redraw = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class UniqueInformation:
    """What one sample tells the weights of a randomised training, in nats.

    Attributes:
        information: ``I(W; z_i | S_-i)``, equation 1.
        bound: ``KL(p(w | S) || p(w | S_-i))``, equation 3; above the information in the mean over z_i, not for each.
        weights: final weights of trainings with all samples.
        weights_without: without sample i.
        weights_redrawn: with another sample drawn in its place, for each redraw.
    """

    information: float
    bound: float
    weights: Float[Tensor, "runs d"]
    weights_without: Float[Tensor, "runs d"]
    weights_redrawn: Float[Tensor, "redraws runs d"]


@door
def two_gaussians(
    n: Count, generator: torch.Generator, spread: NonNegative = 0.5
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"]]:
    """Draw points of two classes in the plane, targets -1 and 1, from Gaussians around (1, -1.4) and (-1, 1.4).

    The paper does not say where its two classes lie; these means make weights like those of its figure.

    Args:
        n: how many; one half of them from each class, at random for a single one.
        generator: draws them.
        spread: standard deviation in each direction.

    >>> x, y = two_gaussians(80, torch.Generator().manual_seed(0))
    >>> x.shape, int((y > 0).sum())
    (torch.Size([80, 2]), 40)
    """
    first = torch.randint(2, (), generator=generator)
    y = 2.0 * ((torch.arange(n) + first) % 2).double() - 1
    mean = torch.tensor([1.0, -1.4], dtype=torch.float64)
    return y[:, None] * mean + spread * torch.randn(n, 2, generator=generator, dtype=torch.float64), y


@door
def sgd_linear_regression(
    x: Annotated[Float[Tensor, "*sets n d"], Finite()],
    y: Annotated[Float[Tensor, "*sets n"], Finite()],
    runs: Count,
    generator: torch.Generator,
    *,
    epochs: Count = 200,
    batch_size: Count = 5,
    learning_rate: Positive = 0.1,
) -> Float[Tensor, "*sets runs d"]:
    """Compute the final weights of many trainings of y = w.x, from w = 0, that differ in the samples' order only.

    The loss of a batch is its mean of 1/2 (y - w.x)^2. All runs on all sets go together, a run has one order for all
    sets, and the last batch of an epoch is smaller where batch_size does not divide n. Defaults: the paper's,
    section A.1.

    Args:
        x: inputs of one or many sets of samples.
        y: their targets.
        runs: trainings on each set.
        generator: draws the orders.
        epochs: passes over the samples.
        batch_size: samples of a step.
        learning_rate: of the batch's mean loss.

    Returns:
        Weights w for each set and run.

    Raises:
        ValueError: an argument out of range, shapes that do not fit, or NaN.
        FloatingPointError: training diverged.

    >>> x, y = two_gaussians(20, torch.Generator().manual_seed(0))
    >>> sgd_linear_regression(x, y, 3, torch.Generator().manual_seed(1), epochs=5).shape
    torch.Size([3, 2])
    """
    if y.shape != x.shape[:-1]:
        raise ValueError(f"y: expected shape {list(x.shape[:-1])}, one target a row of x, got {list(y.shape)}")
    on_one_device(x=x, y=y)
    return _descend(x, y, runs, generator, epochs, batch_size, learning_rate)


def _descend(
    x: Float[Tensor, "*sets n d"],
    y: Float[Tensor, "*sets n"],
    runs: int,
    generator: torch.Generator,
    epochs: int,
    batch_size: int,
    learning_rate: float,
) -> Float[Tensor, "*sets runs d"]:
    *sets, n, d = x.shape
    # Sets come last: a sample is one row of memory, and the short axes are summed over by whole rows.
    rows_x = x.reshape(-1, n, d).permute(1, 2, 0).reshape(n, -1)
    rows_y = y.reshape(-1, n).T.contiguous()
    w = x.new_zeros(runs, d, rows_y.shape[1])
    for _ in range(epochs):
        order = torch.rand(runs, n, generator=generator).argsort(1)
        for batch in order.split(batch_size, 1):
            samples = batch.flatten()
            xb = rows_x[samples].view(runs, batch.shape[1], d, -1)
            miss = (xb * w[:, None]).sum(2) - rows_y[samples].view(runs, batch.shape[1], -1)
            w = w - learning_rate * (xb * miss[:, :, None]).mean(1)
    if not torch.isfinite(w).all():
        raise FloatingPointError(f"training diverged at learning_rate={learning_rate:g}; give a smaller one")
    return w.permute(2, 0, 1).reshape(*sets, runs, d)


@door
def unique_information(
    x: Annotated[Float[Tensor, "n d"], Finite()],
    y: Annotated[Float[Tensor, " n"], Finite()],
    index: CountOrZero,
    redraw: Redraw,
    generator: torch.Generator,
    *,
    runs: Count = 500,
    redraws: Count = 100,
    epochs: Count = 200,
    batch_size: Count = 5,
    learning_rate: Positive = 0.1,
) -> UniqueInformation:
    """Compute ``I(W; z_i | S_-i)`` and its leave-one-out bound by their definitions (equations 1 and 3, figure 3).

    The distribution of the weights for one set of samples is taken as the Gaussian with the mean and covariance of many
    runs. ``r(w | S_-i)``, with sample i drawn anew, is then a mixture of Gaussians; its divergence from p(w | S) is the
    mean of log p - log r over the runs with all samples.

    Args:
        x: inputs.
        y: targets.
        index: the sample i.
        redraw: (how many, generator) -> inputs and targets of fresh samples.
        generator: draws orders of samples and redraws.
        runs: trainings for each set of samples.
        redraws: fresh samples to put in the place of sample i.
        epochs: see `sgd_linear_regression`; so the other settings.
        batch_size: samples of a step.
        learning_rate: of SGD.

    Raises:
        TypeError: an argument of another kind.
        ValueError: an argument out of range, shapes that do not fit, or fewer runs than a covariance needs.
        FloatingPointError: training diverged.

    >>> draw = torch.Generator().manual_seed(0)
    >>> x, y = two_gaussians(20, draw)
    >>> first = unique_information(x, y, 0, two_gaussians, draw, runs=20, redraws=5, epochs=3)
    >>> first.bound > 0
    True
    """
    _fits(x, y, index, runs)
    kept = torch.arange(len(x)) != index
    fresh_x, fresh_y = _redrawn(redraw, redraws, generator, x)
    many_x, many_y = x.expand(redraws, -1, -1).clone(), y.expand(redraws, -1).clone()
    many_x[:, index], many_y[:, index] = fresh_x, fresh_y

    weights, without, redrawn = (
        _descend(*samples, runs, generator, epochs, batch_size, learning_rate)
        for samples in ((x, y), (x[kept], y[kept]), (many_x, many_y))
    )
    p, q, parts = (_gaussian(w) for w in (weights, without, redrawn))
    log_r = parts.log_prob(weights[:, None]).logsumexp(1) - math.log(redraws)
    information = float((p.log_prob(weights) - log_r).mean())
    bound = float(torch.distributions.kl_divergence(p, q))
    return UniqueInformation(information, bound, weights, without, redrawn)


def _gaussian(w: Float[Tensor, "*sets runs d"]) -> torch.distributions.MultivariateNormal:
    """Fit the Gaussian with the mean and covariance of the runs."""
    mean = w.mean(-2)
    off = w - mean[..., None, :]
    covariance = off.mT @ off / (w.shape[-2] - 1)
    return torch.distributions.MultivariateNormal(mean, covariance)


def _fits(x: Tensor, y: Tensor, index: int, runs: int) -> None:
    """Raise ValueError unless these are samples with targets, two or more, and enough runs for a covariance."""
    n, d = x.shape
    on_one_device(x=x, y=y)
    if len(y) != n:
        raise ValueError(f"y: expected shape [{n}], one target a row of x, got {list(y.shape)}")
    if not index < n:
        raise ValueError(f"index={index}: give a whole number in 0 .. {n - 1} for {n} samples")
    if runs < d + 2:
        raise ValueError(f"runs={runs}: the covariance of {d} weights needs at least {d + 2}")
    if n < 2:
        raise ValueError("x: 1 sample; leaving one out needs at least 2")


def _redrawn(redraw: Redraw, redraws: int, generator: torch.Generator, x: Tensor) -> tuple[Tensor, Tensor]:
    """Draw fresh samples; raise ValueError unless they are like x, as a smaller shape would be spread over all."""
    fresh = redraw(redraws, generator)
    wanted = [(redraws, x.shape[1]), (redraws,)]
    got = [getattr(value, "shape", None) for value in fresh] if isinstance(fresh, tuple | list) else type(fresh)
    if got != wanted:
        raise ValueError(f"redraw: expected inputs and targets of shapes {wanted}, got {got}")
    fresh_x, fresh_y = fresh
    return fresh_x, fresh_y

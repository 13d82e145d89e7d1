"""Unique information by its definition, where that can be computed: linear regression in the plane, trained by SGD."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from simplebits import _check

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


def two_gaussians(
    n: int, generator: torch.Generator, spread: float = 0.5
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"]]:
    """Points of two classes in the plane with targets -1 and 1, drawn from Gaussians around (1, -1.4) and (-1, 1.4).

    The paper does not say where its two classes lie; these means make weights like those of its figure.

    Args:
        n: how many; one half of them from each class, at random for a single one.
        generator: draws them.
        spread: standard deviation in each direction.

    >>> x, y = two_gaussians(80, torch.Generator().manual_seed(0))
    >>> x.shape, int((y > 0).sum())
    (torch.Size([80, 2]), 40)
    """
    _check.positive("n", n, integer=True)
    first = torch.randint(2, (), generator=generator)
    y = 2.0 * ((torch.arange(n) + first) % 2).double() - 1
    mean = torch.tensor([1.0, -1.4], dtype=torch.float64)
    return y[:, None] * mean + spread * torch.randn(n, 2, generator=generator, dtype=torch.float64), y


def sgd_linear_regression(
    x: Float[Tensor, "*sets n d"],
    y: Float[Tensor, "*sets n"],
    runs: int,
    generator: torch.Generator,
    *,
    epochs: int = 200,
    batch_size: int = 5,
    learning_rate: float = 0.1,
) -> Float[Tensor, "*sets runs d"]:
    """Final weights of many trainings of y = w.x, from w = 0, that differ in the order of the samples only.

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
    for name, value in {"runs": runs, "epochs": epochs, "batch_size": batch_size}.items():
        _check.positive(name, value, integer=True)
    _check.positive("learning_rate", learning_rate)
    if x.dim() < 2 or y.shape != x.shape[:-1] or not y.numel():
        raise ValueError(f"y: expected shape {list(x.shape[:-1])}, one target a row of x, got {list(y.shape)}")
    for name, value in {"x": x, "y": y}.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{name}: holds NaN or infinity; every value must be a finite number")
    *sets, n, d = x.shape
    # Sets come last: a sample is one row of memory, and the short axes are summed over by whole rows.
    rows_x = x.reshape(-1, n, d).permute(1, 2, 0).reshape(n, -1)
    rows_y = y.reshape(-1, n).T.contiguous()
    w = x.new_zeros(runs, d, rows_y.shape[1])
    for _ in range(epochs):
        order = torch.rand(runs, n, generator=generator).argsort(1)
        for batch in order.split(batch_size, 1):
            some = batch.flatten()
            xb = rows_x[some].view(runs, batch.shape[1], d, -1)
            miss = (xb * w[:, None]).sum(2) - rows_y[some].view(runs, batch.shape[1], -1)
            w = w - learning_rate * (xb * miss[:, :, None]).mean(1)
    if not torch.isfinite(w).all():
        raise FloatingPointError(f"training diverged at learning_rate={learning_rate:g}; give a smaller one")
    return w.permute(2, 0, 1).reshape(*sets, runs, d)


def unique_information(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, " n"],
    index: int,
    redraw: Redraw,
    generator: torch.Generator,
    *,
    runs: int = 500,
    redraws: int = 100,
    epochs: int = 200,
    batch_size: int = 5,
    learning_rate: float = 0.1,
) -> UniqueInformation:
    """``I(W; z_i | S_-i)`` and its leave-one-out bound by their definitions (equations 1 and 3, figure 3).

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
        ValueError: an argument out of range, or fewer runs than a covariance needs.
        FloatingPointError: training diverged.

    >>> draw = torch.Generator().manual_seed(0)
    >>> x, y = two_gaussians(20, draw)
    >>> found = unique_information(x, y, 0, two_gaussians, draw, runs=20, redraws=5, epochs=3)
    >>> found.bound > 0
    True
    """
    if not isinstance(index, numbers.Integral) or not 0 <= index < len(x):
        raise ValueError(f"index={index}: give a whole number in 0 .. {len(x) - 1} for {len(x)} samples")
    _check.positive("redraws", redraws, integer=True)
    if not isinstance(runs, int) or runs < x.shape[1] + 2:
        raise ValueError(f"runs={runs}: the covariance of {x.shape[1]} weights needs at least {x.shape[1] + 2}")
    if len(x) < 2:
        raise ValueError("x: 1 sample; leaving one out needs at least 2")
    how = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    kept = torch.arange(len(x)) != index
    fresh_x, fresh_y = redraw(redraws, generator)
    many_x, many_y = x.expand(redraws, -1, -1).clone(), y.expand(redraws, -1).clone()
    many_x[:, index], many_y[:, index] = fresh_x, fresh_y

    weights = sgd_linear_regression(x, y, runs, generator, **how)
    without = sgd_linear_regression(x[kept], y[kept], runs, generator, **how)
    redrawn = sgd_linear_regression(many_x, many_y, runs, generator, **how)
    p, q, parts = (_gaussian(w) for w in (weights, without, redrawn))
    log_r = parts.log_prob(weights[:, None]).logsumexp(1) - math.log(redraws)
    information = float((p.log_prob(weights) - log_r).mean())
    bound = float(torch.distributions.kl_divergence(p, q))
    return UniqueInformation(information, bound, weights, without, redrawn)


def _gaussian(w: Float[Tensor, "*sets runs d"]) -> torch.distributions.MultivariateNormal:
    """The Gaussian with the mean and covariance of the runs."""
    mean = w.mean(-2)
    off = w - mean[..., None, :]
    covariance = off.mT @ off / (w.shape[-2] - 1)
    return torch.distributions.MultivariateNormal(mean, covariance)

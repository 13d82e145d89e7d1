"""Influence functions: what a sample changes, guessed from the curvature of the loss where training ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.func import vmap

from simplebits import _progress
from simplebits._door import door
from simplebits.domains import Count, NonNegative, Positive
from simplebits.information.arguments import Examples, Indices, OtherExamples, Outputs, left_out, samples_fit
from simplebits.information.hessian import (
    conjugate_gradients,
    factorised,
    hessian_product,
    lissa,
    sample_gradients,
)
from simplebits.information.kernel import gram
from simplebits.information.weights import WeightFunction

Method = Literal["cg", "exact", "lissa", "gauss-newton"]
METHODS = get_args(Method)
_PAPER = 10.0  # the paper's damping .01, which LiSSA multiplies by its scale of 1000


@dataclass(frozen=True)
class Influence:
    """Changes of weights and predictions that influence functions expect; scaled as those of `retrain_without`.

    Attributes:
        functional: of the predictions, for each sample left out.
        weights: of the weights.
        indices: which samples.
        prediction_changes: of the outputs for x_val, to first order.
    """

    functional: Float[Tensor, " i"]
    weights: Float[Tensor, " i"]
    indices: Int64[Tensor, " i"]
    prediction_changes: Float[Tensor, "i m k"]


@door(renamed={"model": "network"})
def influence(
    network: nn.Module,
    x: Examples,
    targets: Outputs,
    x_val: OtherExamples,
    weight_decay: NonNegative = 0.0,
    *,
    method: Method = "cg",
    damping: NonNegative | None = None,
    indices: Indices | None = None,
    half: bool = True,
    tolerance: Positive = 1e-6,
    max_steps: Count = 1000,
    depth: Count = 1000,
    scale: Positive = 1000.0,
    batch_size: Count = 128,
    generator: torch.Generator | None = None,
    chunk: Count | None = None,
    progress: bool | None = None,
) -> Influence:
    """Estimate the effect of leaving each sample out, by influence functions (Koh and Liang 2017), as the paper does.

    To first order the weights change by (H + damping I)^-1 g_i / n, with g_i the gradient of sample i's loss
    1/2 norm(y - f)^2 and H the Hessian of the mean loss, the decay's lambda' I with it, both at the present weights.

    How the system is solved, by `method`:

    - `exact`: the whole Hessian, for networks of at most a few thousand weights.
    - `cg`: conjugate gradients on Hessian-vector products, many samples at once. They need H + damping I to be positive
      definite, which a network's Hessian is only near a minimum; where it is not, an error says so.
    - `lissa`: the paper's own, a recursion on the Hessians of random batches. With its settings it has not converged:
      eigenvalues below scale / depth are felt only in part.
    - `gauss-newton`: J'J / n in place of the Hessian of the mean loss (equal where residuals or second derivatives
      vanish), always positive semi-definite, solved exactly among outputs.

    Args:
        network: a trained one, maps x to outputs [n, k]; left as it is.
        x: training samples, in the network's dtype, or int64 where an embedding takes them.
        targets: of the training.
        x_val: samples on which predictions are compared.
        weight_decay: lambda' of the mean loss it was trained with.
        method: see above.
        damping: added to H; None: none with weight decay, else 10. The paper's LiSSA writes this 10 as .01, which its
            scale of 1000 multiplies; its exact variant has 1e-10.
        indices: the samples to leave out, each for itself; None: all.
        half: with the factor 1/2 of equations 5 and 8, as the paper; the paper's code leaves it out.
        tolerance: of `cg`: residual over right-hand side at which it stops.
        max_steps: of `cg`.
        depth: steps of `lissa`; the paper has 1000 for MNIST, 50 for its ResNets.
        scale: of `lissa`, must exceed half of the largest eigenvalue of any batch's Hessian.
        batch_size: of `lissa`, random samples of one step.
        generator: draws these; None: torch's own.
        chunk: samples solved for at once; None: as many as copies of the weights fit into 64 MiB. Each chunk of
            `lissa` has random batches of its own: its draws, and so its scores, depend on this.
        progress: show a bar; None: on a terminal only.

    Returns:
        `functional`: 1/2 the mean over x_val of norm(J dw)^2, summed over outputs; `weights`: 1/2 norm(dw)^2.

    Raises:
        TypeError: a network or tensors of another kind.
        ValueError: unknown method (the nearest is named), an argument out of range, shapes that do not fit, a network
            too large for `exact`, a matrix that is not positive definite.
        FloatingPointError: `lissa` diverged, or `cg` did not converge.

    >>> x = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    >>> scores = influence(nn.Linear(1, 1), x, 2 * x, torch.ones(1, 1), method="exact")
    >>> scores.weights.shape, scores.prediction_changes.shape
    (torch.Size([4]), torch.Size([4, 1, 1]))
    """
    f = WeightFunction(network)
    samples_fit(f, x, targets, x_val)
    samples = left_out(indices, len(x))
    if damping is None:
        damping = 0.0 if weight_decay else _PAPER
    ridge = weight_decay + damping

    def solver() -> Callable[[Tensor], Tensor]:
        """Make the function that solves (H + ridge I) dw = g for each row g."""
        if method == "lissa":
            return lambda g: lissa(f, x, targets, g, ridge, depth, scale, batch_size, generator)
        product = hessian_product(f, x, targets, ridge)
        if method == "cg":
            return lambda g: conjugate_gradients(product, g, tolerance, max_steps)
        factors = factorised(product, f.start)
        return lambda g: torch.linalg.lu_solve(*factors, g.T).T

    if method == "gauss-newton":
        squares, changes = gauss_newton(f, x, targets, x_val, ridge, samples, progress)
    else:
        chunk = chunk or max(1, 2**26 // (len(f.start) * f.start.element_size()))
        parts = []
        with f.evaluating(), torch.no_grad():
            solve, along = solver(), f.derivative(x_val)[0]
            with _progress.bar(len(samples), 0, f"influence by {method}", progress) as bar:
                for part in samples.split(chunk):
                    dw = solve(sample_gradients(f, x[part], targets[part])) / len(x)
                    parts.append((dw.square().sum(1), vmap(along)(dw)))
                    bar.update(len(part))
        squares, changes = (torch.cat(values) for values in zip(*parts, strict=True))
    factor = 0.5 if half else 1.0
    return Influence(factor * changes.square().sum(2).mean(1), factor * squares, samples, changes)


def gauss_newton(
    f: WeightFunction,
    x: Tensor,
    targets: Tensor,
    x_val: Tensor,
    ridge: float,
    samples: Int64[Tensor, " i"],
    progress: bool | None,
) -> tuple[Float[Tensor, " i"], Float[Tensor, "i m k"]]:
    """Compute norm(dw)^2 and J_val dw for dw = (J'J + n ridge I)^-1 J_i' r_i = J' a: by Woodbury, n k unknowns a."""
    n, k = targets.shape
    theta = gram(f, x, dtype=torch.float64, progress=progress)
    theta_val = gram(f, x_val, x, dtype=torch.float64, progress=progress)
    with f.evaluating(), torch.no_grad():
        residual = (f(f.start, x) - targets).double()
    right = theta.new_zeros(n, k, len(samples))
    right[samples, :, torch.arange(len(samples))] = residual[samples]
    matrix = theta + n * ridge * torch.eye(n * k, dtype=theta.dtype, device=theta.device)
    a, failed = torch.linalg.solve_ex(matrix, right.flatten(0, 1))
    if failed:
        raise ValueError("method='gauss-newton': J'J plus damping is singular; give a larger damping")
    changes = (theta_val @ a).T.unflatten(1, (-1, k))
    return (a * (theta @ a)).sum(0).to(targets.dtype), changes.to(targets.dtype)

"""Multiplying with the Hessian of the training loss, and three ways to solve for it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import grad, vjp, vmap

from simplebits.information.weights import WeightFunction

Product = Callable[[Float[Tensor, "i d"]], Float[Tensor, "i d"]]


def sample_gradients(f: WeightFunction, x: Tensor, targets: Tensor) -> Float[Tensor, "i d"]:
    """Compute the gradient of each sample's loss 1/2 norm(y - f)^2 at the network's weights."""

    def loss(weights: Tensor, x: Tensor, target: Tensor) -> Tensor:
        return 0.5 * (f(weights, x[None])[0] - target).square().sum()

    return vmap(grad(loss), in_dims=(None, 0, 0))(f.start, x, targets)


def hessian_product(f: WeightFunction, x: Tensor, targets: Tensor, ridge: float) -> Product:
    """Make the function that multiplies many vectors at once with the mean loss's Hessian plus ridge times identity."""
    slope = grad(lambda weights: 0.5 * (f(weights, x) - targets).square().sum(1).mean())
    _, back = vjp(slope, f.start)[:2]  # the Hessian is symmetric: backwards is forwards
    return lambda v: vmap(back)(v)[0] + ridge * v


def factorised(product: Product, like: Float[Tensor, " d"]) -> tuple[Tensor, Tensor]:
    """Factorise the whole matrix behind a product: LU.

    Raises:
        ValueError: the matrix is too large, or singular.
    """
    d, limit = len(like), 20_000
    if d > limit:
        raise ValueError(
            f"method='exact': the Hessian of {d:,} weights takes {d * d * like.element_size() / 2**30:,.0f} GiB; "
            f"up to {limit:,} weights are done so, method='cg' does larger networks"
        )
    matrix = like.new_empty(d, d)
    for part in torch.arange(d, device=like.device).split(64):
        unit = like.new_zeros(len(part), d)
        unit[torch.arange(len(part)), part] = 1
        matrix[part] = product(unit)
    factors, pivots, failed = torch.linalg.lu_factor_ex(matrix)
    if failed:
        raise ValueError("method='exact': the Hessian plus damping is singular; give a larger damping")
    return factors, pivots


def conjugate_gradients(
    product: Product, right: Float[Tensor, "i d"], tolerance: float, max_steps: int
) -> Float[Tensor, "i d"]:
    """Solve for every row at once, each with step lengths of its own; rows that have converged stand still.

    Raises:
        ValueError: the matrix is not positive definite.
        FloatingPointError: a row has not converged.
    """
    solution, residual = torch.zeros_like(right), right.clone()
    direction, size = residual.clone(), residual.square().sum(1)
    goal = tolerance**2 * size
    for _ in range(max_steps):
        unsolved = (size > goal).nonzero().flatten()
        if not len(unsolved):
            return solution
        along = direction[unsolved]
        bent = product(along)
        curvature = (along * bent).sum(1)
        if bool((curvature <= 0).any()):
            raise ValueError(
                "method='cg': the Hessian plus damping is not positive definite, as happens away from a minimum; "
                "give a larger damping, or method='gauss-newton', which leaves the negative part out"
            )
        step = (size[unsolved] / curvature)[:, None]
        solution[unsolved] += step * along
        residual[unsolved] -= step * bent
        now = residual[unsolved].square().sum(1)
        direction[unsolved] = residual[unsolved] + (now / size[unsolved])[:, None] * along
        size[unsolved] = now
    if bool((size > goal).any()):
        worst = float((size / goal.clamp_min(1e-300)).max().sqrt()) * tolerance
        raise FloatingPointError(
            f"method='cg': a relative residual of {worst:.2g} is left after {max_steps} steps; give a larger "
            f"max_steps, tolerance or damping, or weights in float64"
        )
    return solution


def lissa(
    f: WeightFunction,
    x: Tensor,
    targets: Tensor,
    right: Float[Tensor, "i d"],
    ridge: float,
    depth: int,
    scale: float,
    batch_size: int,
    generator: torch.Generator | None,
) -> Float[Tensor, "i d"]:
    """Repeat u <- g + u - (H_batch + ridge) u / scale `depth` times; return u / scale (Agarwal et al. 2017).

    Raises:
        FloatingPointError: the recursion diverged.
    """
    u = right.clone()
    for _ in range(depth):
        # A batch of all samples is the same whatever is drawn: in one order, its sums are too.
        drawn = torch.randperm(len(x), generator=generator)[:batch_size]
        batch = drawn.sort().values.to(x.device)
        u = right + u - hessian_product(f, x[batch], targets[batch], ridge)(u) / scale
    if not torch.isfinite(u).all():
        raise FloatingPointError(
            f"method='lissa': diverged; scale={scale:g} is below half of a Hessian's largest eigenvalue, "
            f"give a larger one"
        )
    return u / scale

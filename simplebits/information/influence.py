"""Influence functions: what a sample changes, guessed from the curvature of the loss where training ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, Num
from torch import Tensor, nn
from torch.func import grad, vjp, vmap

from simplebits import _check, _progress
from simplebits.information.kernel import kernel
from simplebits.information.retraining import checked_indices
from simplebits.information.weights import WeightFunction

METHODS = ("cg", "exact", "lissa", "gauss-newton")
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


def influence(
    model: nn.Module,
    x: Num[Tensor, "n ..."],
    targets: Float[Tensor, "n k"],
    x_val: Num[Tensor, "m ..."],
    weight_decay: float = 0.0,
    *,
    method: str = "cg",
    damping: float | None = None,
    indices: Sequence[int] | Tensor | None = None,
    half: bool = True,
    tolerance: float = 1e-6,
    max_steps: int = 1000,
    depth: int = 1000,
    scale: float = 1000.0,
    batch_size: int = 128,
    generator: torch.Generator | None = None,
    chunk: int | None = None,
    progress: bool | None = None,
) -> Influence:
    """Effect of leaving each sample out, by influence functions (Koh and Liang 2017), as the paper compares them.

    To first order the weights change by (H + damping I)^-1 g_i / n, with g_i the gradient of sample i's loss
    1/2 norm(y - f)^2 and H the Hessian of the mean loss, the decay's lambda' I with it, both at the model's weights.

    How the system is solved, by `method`:

    - `exact`: the whole Hessian, for networks of at most a few thousand weights.
    - `cg`: conjugate gradients on Hessian-vector products, many samples at once. They need H + damping I to be positive
      definite, which a network's Hessian is only near a minimum; where it is not, an error says so.
    - `lissa`: the paper's own, a recursion on the Hessians of random batches. With its settings it has not converged:
      eigenvalues below scale / depth are felt only in part.
    - `gauss-newton`: J'J / n in place of the Hessian of the mean loss (equal where residuals or second derivatives
      vanish), always positive semi-definite, solved exactly among outputs.

    Args:
        model: a trained network, maps x to outputs [n, k]; left as it is.
        x: training samples, in the model's dtype, or int64 where an embedding takes them.
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
        TypeError: a model or tensors of another kind.
        ValueError: unknown method (the nearest is named), an argument out of range, shapes that do not fit, a network
            too large for `exact`, a matrix that is not positive definite.
        FloatingPointError: `lissa` diverged, or `cg` did not converge.

    >>> x = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    >>> found = influence(nn.Linear(1, 1), x, 2 * x, torch.ones(1, 1), method="exact")
    >>> found.weights.shape, found.prediction_changes.shape
    (torch.Size([4]), torch.Size([4, 1, 1]))
    """
    _check.one_of("method", method, METHODS)
    f = WeightFunction(model)
    f.check(x, targets, x_val)
    for name, value in {"tolerance": tolerance, "scale": scale}.items():
        _check.positive(name, value)
    for name, value in {"max_steps": max_steps, "depth": depth, "batch_size": batch_size}.items():
        _check.positive(name, value, integer=True)
    _check.positive("weight_decay", weight_decay, allow_zero=True)
    if damping is None:
        damping = 0.0 if weight_decay else _PAPER
    _check.positive("damping", damping, allow_zero=True)
    if chunk is None:
        chunk = max(1, 2**26 // (len(f.start) * f.start.element_size()))
    _check.positive("chunk", chunk, integer=True)
    left_out, ridge = checked_indices(indices, len(x)), float(weight_decay) + damping

    scaled = 0.5 if half else 1.0
    if method == "gauss-newton":
        squares, changes = gauss_newton(f, x, targets, x_val, ridge, left_out)
        return Influence(scaled * changes.square().sum(2).mean(1), scaled * squares, left_out, changes)
    with f.evaluating(), torch.no_grad():
        product = hessian_product(f, x, targets, ridge)
        solve: Callable[[Tensor], Tensor]
        if method == "exact":
            factors = factorised(product, f.start)
            solve = lambda g: torch.linalg.lu_solve(*factors, g.T).T  # noqa: E731
        elif method == "cg":
            solve = lambda g: conjugate_gradients(product, g, tolerance, max_steps)  # noqa: E731
        else:
            solve = lambda g: lissa(f, x, targets, g, ridge, depth, scale, batch_size, generator)  # noqa: E731
        found, along = [], f.derivative(x_val)[0]
        with _progress.bar(len(left_out), 0, f"influence by {method}", progress) as bar:
            for part in left_out.split(chunk):
                dw = solve(sample_gradients(f, x[part], targets[part])) / len(x)
                found.append((dw.square().sum(1), vmap(along)(dw)))
                bar.update(len(part))
    squares, changes = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Influence(scaled * changes.square().sum(2).mean(1), scaled * squares, left_out, changes)


def sample_gradients(f: WeightFunction, x: Tensor, targets: Tensor) -> Float[Tensor, "i d"]:
    """Gradient of each sample's loss 1/2 norm(y - f)^2 at the model's weights."""

    def loss(weights: Tensor, x: Tensor, target: Tensor) -> Tensor:
        return 0.5 * (f(weights, x[None])[0] - target).square().sum()

    return vmap(grad(loss), in_dims=(None, 0, 0))(f.start, x, targets)


def hessian_product(
    f: WeightFunction, x: Tensor, targets: Tensor, ridge: float
) -> Callable[[Float[Tensor, "i d"]], Float[Tensor, "i d"]]:
    """Multiplies many vectors at once with the Hessian of the mean loss plus ridge times the identity."""
    slope = grad(lambda weights: 0.5 * (f(weights, x) - targets).square().sum(1).mean())
    _, back = vjp(slope, f.start)  # the Hessian is symmetric: backwards is forwards
    return lambda v: vmap(back)(v)[0] + ridge * v


def factorised(product: Callable[[Tensor], Tensor], like: Float[Tensor, " d"]) -> tuple[Tensor, Tensor]:
    """LU factors of the whole matrix behind a product."""
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
    return torch.linalg.lu_factor(matrix)


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], right: Float[Tensor, "i d"], tolerance: float, max_steps: int
) -> Float[Tensor, "i d"]:
    """Solve for every row at once, each with step lengths of its own; rows that have converged stand still."""
    solution, residual = torch.zeros_like(right), right.clone()
    direction, size = residual.clone(), residual.square().sum(1)
    goal = tolerance**2 * size
    for _ in range(max_steps):
        open_ = (size > goal).nonzero().flatten()
        if not len(open_):
            return solution
        along = direction[open_]
        bent = product(along)
        curvature = (along * bent).sum(1)
        if bool((curvature <= 0).any()):
            raise ValueError(
                "method='cg': the Hessian plus damping is not positive definite, as happens away from a minimum; "
                "give a larger damping, or method='gauss-newton', which leaves the negative part out"
            )
        step = (size[open_] / curvature)[:, None]
        solution[open_] += step * along
        residual[open_] -= step * bent
        now = residual[open_].square().sum(1)
        direction[open_] = residual[open_] + (now / size[open_])[:, None] * along
        size[open_] = now
    if bool((size > goal).any()):
        worst = float((size / goal.clamp_min(1e-300)).max().sqrt()) * tolerance
        raise FloatingPointError(
            f"method='cg': a relative residual of {worst:.2g} is left after {max_steps} steps; give a larger "
            f"max_steps, tolerance or damping, or weights in float64"
        )
    return solution


def gauss_newton(
    f: WeightFunction, x: Tensor, targets: Tensor, x_val: Tensor, ridge: float, left_out: Int64[Tensor, " i"]
) -> tuple[Float[Tensor, " i"], Float[Tensor, "i m k"]]:
    """norm(dw)^2 and J_val dw for dw = (J'J + n ridge I)^-1 J_i' r_i = J' a: by Woodbury, n k unknowns a."""
    n, k = targets.shape
    theta, theta_val = (kernel(f.model, *pair, dtype=torch.float64) for pair in ((x,), (x_val, x)))
    with f.evaluating(), torch.no_grad():
        residual = (f(f.start, x) - targets).double()
    right = theta.new_zeros(n, k, len(left_out))
    right[left_out, :, torch.arange(len(left_out))] = residual[left_out]
    matrix = theta + n * ridge * torch.eye(n * k, dtype=theta.dtype, device=theta.device)
    a = torch.linalg.solve(matrix, right.flatten(0, 1))
    changes = (theta_val @ a).T.unflatten(1, (-1, k))
    return (a * (theta @ a)).sum(0).to(targets.dtype), changes.to(targets.dtype)


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
    """u <- g + u - (H_batch + ridge) u / scale, `depth` times; the result is u / scale (Agarwal et al. 2017)."""
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

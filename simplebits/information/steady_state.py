"""Weight scores in units of SGD's own noise: its steady-state covariance, where the weights are few."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits.domains import Count, NonNegative, Positive
from simplebits.information.arguments import Decomposable, Examples, changes_fit, examples_fit, gradients_fit
from simplebits.information.jacobians import Jacobians
from simplebits.information.memory import require
from simplebits.information.weights import WeightFunction


@door(renamed={"model": "network"})
def jacobian(network: nn.Module, x: Examples) -> Float[Tensor, "nk d"]:
    """Differentiate all outputs by all trainable weights, for small networks; `kernel` does without.

    Args:
        network: maps examples to outputs [n, k]; runs in evaluation mode.
        x: examples [n, ...], in the network's dtype, or int64 where an embedding takes them.

    Returns:
        Row i k + o for output o of example i; columns in the order of the network's parameters.

    Raises:
        TypeError: a network or examples of another kind.
        ValueError: nothing to train, outputs that are not [n, k], examples that do not fit, or too little memory.

    >>> jacobian(nn.Linear(2, 1), torch.tensor([[3.0, 4.0]]))
    tensor([[3., 4., 1.]])
    """
    f = WeightFunction(network)
    rows, d = len(x) * examples_fit(f, x=x), f.start.numel()
    require(
        f"a Jacobian by {d:,} weights", 3.0 * rows * d * f.start.itemsize, x.device, "kernel(network, x) holds none"
    )
    with torch.no_grad(), f.evaluating():
        jacobians = Jacobians(network, x[:1])
        return jacobians.rows(jacobians.whole(), x)


@door
def sgd_covariance(
    jacobian: Annotated[Float[Tensor, "nk d"], Decomposable()],
    gradients: Annotated[Float[Tensor, "n d"], Decomposable()],
    learning_rate: Positive,
    batch_size: Count,
    weight_decay: NonNegative = 0.0,
    *,
    jitter: NonNegative = 1e-10,
) -> Float[Tensor, "d d"]:
    """Compute the covariance Sigma of weights around which SGD settles: H Sigma + Sigma H = eta / b Lambda (eq. 14).

    H = J' J + lambda I is the Hessian of the linearised network, Lambda the covariance of the samples' gradients
    (appendix C). Solved in the basis of H's eigenvectors, in O(d^3).

    Args:
        jacobian: J of the training samples, from `jacobian`.
        gradients: of each sample's loss 1/2 norm(y - f(x))^2 at the end of training. The paper's code takes those of
            the network itself at the linearised network's final weights; a weight decay would not change Lambda.
        learning_rate: of the mean loss; eta = learning_rate / n. The paper's code leaves eta / b out, as does
            learning_rate = n batch_size.
        batch_size: b, samples a step.
        weight_decay: lambda' of the mean loss; lambda = n weight_decay.
        jitter: added to Lambda's diagonal, as in the paper's code: with fewer samples than weights it has no inverse.

    Returns:
        Sigma, symmetric.

    Raises:
        TypeError: an argument is no tensor.
        ValueError: shapes, dtypes or devices that do not fit, NaN, an argument out of range, or directions that
            neither samples nor decay hold in place, along which SGD has no steady state.

    >>> sgd_covariance(torch.eye(2), torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), 4.0, 1, jitter=0.0)
    tensor([[1., 0.],
            [0., 0.]])
    """
    gradients_fit(jacobian, gradients)
    n, d = gradients.shape
    require(f"a covariance of {d:,} weights", 40.0 * d * d, jacobian.device, "sample_information needs none")
    curvature, basis = torch.linalg.eigh(jacobian.T @ jacobian)
    curvature = curvature.clamp(min=0) + n * weight_decay
    if curvature[0] <= d * torch.finfo(curvature.dtype).eps * curvature[-1]:
        raise ValueError(
            f"jacobian: {n} samples leave directions of the {d} weights without curvature, where SGD has no steady "
            f"state; give weight_decay"
        )
    centred = gradients - gradients.mean(0)
    noise = centred.T @ centred / n + jitter * torch.eye(d, dtype=centred.dtype, device=centred.device)
    rotated = basis.T @ noise @ basis * (learning_rate / n / batch_size)
    sigma = basis @ (rotated / (curvature[:, None] + curvature)) @ basis.T
    return (sigma + sigma.T) / 2


@door
def weight_information(
    changes: Annotated[Float[Tensor, "n d"], Decomposable()],
    covariance: Annotated[Float[Tensor, "d d"], Decomposable()],
    *,
    half: bool = True,
    jitter: NonNegative = 1e-10,
) -> Float[Tensor, " n"]:
    """Compute SI of each sample with any smoothing: 1/2 dw' Sigma^-1 dw (equations 5 and 13).

    Args:
        changes: of the weights when each sample is left out, `leave_one_out(...) @ jacobian(...)`.
        covariance: Sigma, such as `sgd_covariance` gives.
        half: with the factor 1/2 of the paper, which its code leaves out.
        jitter: added to the diagonal of Sigma, as in the paper's code.

    Returns:
        One score a sample, in nats.

    Raises:
        TypeError: an argument is no tensor.
        ValueError: shapes, dtypes or devices that do not fit, NaN, or a covariance that is not positive definite.

    >>> weight_information(torch.tensor([[2.0, 0.0]]), torch.diag(torch.tensor([4.0, 1.0])))
    tensor([0.5000])
    """
    changes_fit(changes, covariance)
    factor, failed = torch.linalg.cholesky_ex(covariance + jitter * torch.eye(len(covariance)).to(covariance))
    if failed:
        raise ValueError("covariance: not positive definite; raise jitter, or give one that is")
    scaled = torch.linalg.solve_triangular(factor, changes.T, upper=False)
    return (0.5 if half else 1.0) * scaled.square().sum(0)

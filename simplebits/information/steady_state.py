"""Weight scores in units of SGD's own noise: its steady-state covariance, where the weights are few."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import jacrev, vmap

from simplebits import _check
from simplebits.information.memory import require
from simplebits.information.weights import WeightFunction


def jacobian(model: nn.Module, x: Tensor) -> Float[Tensor, "nk d"]:
    """Derivatives of all outputs by all trainable weights, for small networks; `kernel` does without them.

    Args:
        model: maps examples to outputs [n, k]; runs in evaluation mode.
        x: examples [n, ...].

    Returns:
        Row i k + o for output o of example i; columns in the order of the model's parameters.

    Raises:
        ValueError: nothing to train, or too little memory.

    >>> jacobian(nn.Linear(2, 1), torch.tensor([[3.0, 4.0]]))
    tensor([[3., 4., 1.]])
    """
    f = WeightFunction(model)
    with torch.no_grad(), f.evaluating():
        size = 2.0 * model(x[:1]).numel() * len(x) * f.start.numel() * f.start.itemsize
        require(f"a Jacobian by {f.start.numel():,} weights", size, x.device, "kernel(model, x) holds none")
        return vmap(jacrev(lambda w, example: f(w, example[None])[0]), in_dims=(None, 0))(f.start, x).flatten(0, 1)


def sgd_covariance(
    jacobian: Float[Tensor, "nk d"],
    gradients: Float[Tensor, "n d"],
    learning_rate: float,
    batch_size: int,
    weight_decay: float = 0.0,
    *,
    jitter: float = 1e-10,
) -> Float[Tensor, "d d"]:
    """Covariance Sigma of the weights around which SGD settles: H Sigma + Sigma H = eta / b Lambda (equation 14).

    H = J' J + lambda I is the Hessian of the linearised network, Lambda the covariance of the samples' gradients
    (appendix C). Solved in the basis of H's eigenvectors, in O(d^3).

    Args:
        jacobian: J of the training samples, from `jacobian`.
        gradients: of each sample's loss 1/2 norm(y - f(x))^2 at the end of training. The paper's code takes those of
            the network itself at the linearised network's final weights; a weight decay would not change Lambda.
        learning_rate: of the mean loss; eta = learning_rate / n. The paper's code leaves eta / b out, as does
            learning_rate = n batch_size.
        batch_size: b.
        weight_decay: lambda' of the mean loss; lambda = n weight_decay.
        jitter: added to Lambda's diagonal, as in the paper's code: with fewer samples than weights it has no inverse.

    Returns:
        Sigma, symmetric.

    Raises:
        ValueError: shapes that do not fit, an argument out of range, or directions that neither samples nor decay
            hold in place, along which SGD has no steady state.

    >>> sgd_covariance(torch.eye(2), torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), 4.0, 1, jitter=0.0)
    tensor([[1., 0.],
            [0., 0.]])
    """
    for name, value in {"learning_rate": learning_rate, "batch_size": batch_size}.items():
        _check.positive(name, value, integer=name == "batch_size")
    for name, value in {"weight_decay": weight_decay, "jitter": jitter}.items():
        _check.positive(name, value, allow_zero=True)
    n, d = gradients.shape
    if jacobian.dim() != 2 or jacobian.shape[1] != d or n < 2 or len(jacobian) % n:
        raise ValueError(
            f"gradients: expected [n, d] with n > 1 samples of the Jacobian [n k, d], got {list(gradients.shape)} and "
            f"{list(jacobian.shape)}"
        )
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


def weight_information(
    changes: Float[Tensor, "n d"], covariance: Float[Tensor, "d d"], *, half: bool = True, jitter: float = 1e-10
) -> Float[Tensor, " n"]:
    """SI of each sample with any smoothing: 1/2 dw' Sigma^-1 dw (equations 5 and 13).

    Args:
        changes: of the weights when each sample is left out, `leave_one_out(...) @ jacobian(...)`.
        covariance: Sigma, such as `sgd_covariance` gives.
        half: with the factor 1/2 of the paper, which its code leaves out.
        jitter: added to the diagonal of Sigma, as in the paper's code.

    Raises:
        ValueError: shapes that do not fit, or a covariance that is not positive definite.

    >>> weight_information(torch.tensor([[2.0, 0.0]]), torch.diag(torch.tensor([4.0, 1.0])))
    tensor([0.5000])
    """
    _check.positive("jitter", jitter, allow_zero=True)
    d = changes.shape[-1]
    if changes.dim() != 2 or covariance.shape != (d, d):
        raise ValueError(
            f"covariance: expected shape {[d, d]} for changes [n, {d}], got {list(covariance.shape)} for "
            f"{list(changes.shape)}"
        )
    factor, failed = torch.linalg.cholesky_ex(covariance + jitter * torch.eye(d).to(covariance))
    if failed:
        raise ValueError("covariance: not positive definite; raise jitter, or give one that is")
    scaled = torch.linalg.solve_triangular(factor, changes.T, upper=False)
    return (0.5 if half else 1.0) * scaled.square().sum(0)

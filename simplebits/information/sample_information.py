"""How much one sample informs the weights and the predictions: all samples at once, for the linearised network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from simplebits import _progress
from simplebits._door import door
from simplebits.domains import NonNegative, Positive
from simplebits.information.arguments import (
    Dynamics,
    Kernel,
    KernelVal,
    Outputs,
    OutputsVal,
    Precision,
    Steps,
    validation_fits,
)
from simplebits.information.leave_one_out import LeaveOneOut
from simplebits.information.memory import require
from simplebits.information.problem import LinearProblem


@dataclass(frozen=True)
class SampleInformation:
    """What each sample tells, in nats for noise of variance 1.

    Attributes:
        functional: F-SI, about the predictions.
        weights: SI, about the weights.
        predictions: for the validation samples, after training with all samples.
    """

    functional: Float64[Tensor, " n"]
    weights: Float64[Tensor, " n"]
    predictions: Float64[Tensor, "m k"]


@door
def sample_information(
    kernel: Kernel,
    kernel_val: KernelVal,
    targets: Outputs,
    f0: Outputs,
    f0_val: OutputsVal,
    learning_rate: Positive,
    steps: Steps | None,
    weight_decay: NonNegative = 0.0,
    *,
    dynamics: Dynamics = "discrete",
    metric: Literal["plain", "hessian"] = "plain",
    half: bool = True,
    precision: Precision = 1e-10,
    progress: bool | None = None,
) -> SampleInformation:
    """Compute every sample's smooth unique information (Harutyunyan et al. 2021, eqs. 5 and 16), the 1/2 included.

    F-SI is 1/2 the mean over validation samples of norm(f_without - f)^2, summed over outputs (sigma = 1). SI is
    1/2 norm(w_without - w)^2 (Sigma the identity), or with the Hessian H of the training loss 1/2 dw' H dw (equation 15
    with eta sigma^2 = 2 b). Both for the network linearised at its start and the loss of `linearised_training`.

    The training without a sample has eta = learning_rate / (n - 1), and lambda = n weight_decay as with all: so does
    the paper's code, although the mean loss would call for n - 1. Where the code differs from the paper: it leaves out
    the 1/2 (`half=False`), and takes matrix powers in float32, for each sample anew. Here the kernel is decomposed
    once, in float64; see `leave_one_out.py`. Memory: about six matrices of n k by n k, three of m k by n k.

    Args:
        kernel: Theta of the training samples, [n k, n k], rows example-major.
        kernel_val: of validation samples with training samples.
        targets: one output with 0 and 1 for two classes, one-hot rows for more.
        f0: outputs at the start for the training samples.
        f0_val: for the validation samples.
        learning_rate: of the mean loss, above 0.
        steps: of full-batch descent; None: infinitely many, where the learning rate plays no part.
        weight_decay: lambda' of the mean loss, towards the start, at least 0.
        dynamics: `discrete` steps, the experiments' and the default, or `continuous` time.
        metric: of the weight scores: `plain` or `hessian`; see `weight_information` for SGD's covariance.
        half: with the factor 1/2 of equations 5 and 8, as the paper; the paper's code leaves it out.
        precision: bound on the error of what training has done along a direction of the reduced kernel, as a share of
            min(eta t, 1 / eigenvalue); from 1e-12. Nothing to choose at infinity, which is exact.
        progress: show a bar; None: on a terminal only.

    Returns:
        Scores of all samples and predictions, in float64.

    Raises:
        TypeError: a kernel, targets or outputs that are no tensors.
        ValueError: a kernel that is not symmetric or has negative eigenvalues, shapes that do not fit, one sample
            only, NaN, an option out of range, a learning rate at which discrete descent diverges (the largest stable
            one is named), a singular kernel with infinitely many steps and no decay, or too little memory.

    >>> kernel, one = torch.eye(4), torch.ones(3, 1)
    >>> scores = sample_information(kernel[:3, :3], kernel[3:, :3] + 1, one, 0 * one, one[:1], 1.0, steps=None)
    >>> scores.weights, scores.functional
    (tensor([0.5000, 0.5000, 0.5000], dtype=torch.float64), tensor([0.5000, 0.5000, 0.5000], dtype=torch.float64))
    """
    problem = LinearProblem(kernel, targets, f0)
    validation_fits(kernel_val, f0_val, f0)
    require("the kernel of the validation samples", 24.0 * kernel_val.numel(), kernel.device, "take fewer of them")

    trainings = LeaveOneOut(problem, learning_rate, steps, weight_decay, dynamics, precision)
    # A change of a by V u changes weights and loss by u' diag(.) u, and validation outputs by (Theta_val V) u.
    values, vectors = problem.spectrum
    squares = values if metric == "plain" else values * (values + trainings.full.decay)
    rotated = kernel_val.double() @ vectors
    scores = torch.empty(2, len(f0), dtype=torch.float64, device=kernel.device)
    with _progress.bar(len(f0), 0, "leave one out", progress) as bar:
        for rows, changes in trainings.blocks():
            scores[0, rows] = (rotated @ changes).square().sum(0)
            scores[1, rows] = squares @ changes.square()
            bar.update(rows.stop - rows.start)

    factor = (0.5 if half else 1.0) * torch.tensor([[1 / len(f0_val)], [1.0]], dtype=torch.float64)
    functional, weights = scores * factor.to(scores.device)
    predictions = f0_val.double() + (kernel_val.double() @ problem.coefficients(trainings.full)).view_as(f0_val)
    return SampleInformation(functional, weights, predictions)

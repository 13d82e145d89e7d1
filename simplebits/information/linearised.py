"""Training of the linearised network in closed form: no step is taken, the kernel is decomposed once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from simplebits._door import door
from simplebits.domains import NonNegative, Positive
from simplebits.information.arguments import (
    Dynamics,
    Examples,
    Kernel,
    KernelVal,
    Outputs,
    OutputsVal,
    Steps,
    examples_fit,
    validation_fits,
)
from simplebits.information.problem import LinearProblem
from simplebits.information.weights import WeightFunction


@dataclass(frozen=True)
class LinearisedTraining:
    """Where training of the linearised network ends.

    Attributes:
        coefficients: a, by which the weights move: w_t - w0 = J' a, J the Jacobian [n k, d] at w0.
        predictions: for the training samples.
        weight_change: norm(w_t - w0)^2.
    """

    coefficients: Float64[Tensor, "n k"]
    predictions: Float64[Tensor, "n k"]
    weight_change: Float64[Tensor, ""]

    @door
    def predict(self, kernel_val: KernelVal, f0_val: OutputsVal) -> Float64[Tensor, "m k"]:
        """Predict outputs for other samples (equations 11 and 53), from their kernel with the training samples.

        Raises:
            ValueError: shapes or devices that do not fit, or NaN.
        """
        validation_fits(kernel_val, f0_val, self.coefficients)
        return f0_val.double() + (kernel_val.double() @ self.coefficients.flatten()).view_as(f0_val)

    @door(renamed={"model": "network"})
    def weights(self, network: nn.Module, x: Examples) -> Float[Tensor, " d"]:
        """Compute w_t as one vector, of all trainable weights in the network's order, by one backward pass.

        Args:
            network: at w0.
            x: the training samples, in the order of the kernel.

        Raises:
            TypeError: the network is no module, or x no tensor.
            ValueError: examples that the network does not take, or another number of samples or outputs than trained
                on.
        """
        f = WeightFunction(network)
        got, wanted = [len(x), examples_fit(f, x=x)], list(self.coefficients.shape)
        if got != wanted:
            raise ValueError(
                f"x: expected the samples of the training, for which the network gives outputs {wanted}, got {got}"
            )
        with f.evaluating():
            outputs, pull = torch.func.vjp(lambda w: f(w, x), f.start)[:2]
            (change,) = pull(self.coefficients.to(outputs))
        return f.start + change


@door
def linearised_training(
    kernel: Kernel,
    targets: Outputs,
    f0: Outputs,
    learning_rate: Positive,
    steps: Steps | None,
    weight_decay: NonNegative = 0.0,
    *,
    dynamics: Dynamics = "discrete",
) -> LinearisedTraining:
    """Train the linearised network by gradient descent, to the end (Harutyunyan et al. 2021, equations 10, 11 and 50).

    The loss is the mean over the samples of 1/2 norm(y - f(x))^2, plus weight_decay / 2 norm(w - w0)^2. The paper sums
    over the samples instead: its eta is learning_rate / n, its lambda n weight_decay.

    Args:
        kernel: Theta of the training samples, [n k, n k], rows example-major, as `kernel` returns it.
        targets: Y, what the outputs should be.
        f0: outputs of the network at w0.
        learning_rate: of the mean loss, above 0.
        steps: of full-batch descent; None: infinitely many, where the learning rate plays no part.
        weight_decay: lambda' of the mean loss, towards the start, at least 0.
        dynamics: `discrete` steps as in the experiments, or `continuous` time as in equation 10.

    Returns:
        Coefficients of the weights, predictions for the training samples, and how far the weights have moved.

    Raises:
        TypeError: a kernel, targets or outputs that are no tensors.
        ValueError: a kernel that is not symmetric or has negative eigenvalues, shapes that do not fit, NaN, a learning
            rate at which discrete descent diverges, or a singular kernel, infinitely many steps and no decay.

    >>> one = torch.ones(2, 1)
    >>> linearised_training(torch.eye(2), one, 0 * one, learning_rate=1.0, steps=1).predictions.flatten()
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    problem = LinearProblem(kernel, targets, f0)
    a = problem.coefficients(problem.shrinkage(learning_rate, steps, weight_decay, dynamics))
    values, vectors = problem.spectrum
    reached = vectors @ (values * (vectors.T @ a))
    return LinearisedTraining(a.view(f0.shape), f0.double() + reached.view(f0.shape), a @ reached)

"""Regression with the linearised network: checked once, decomposed once, and all that is computed starts from there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from simplebits.information.arguments import Dynamics, eigenvalues_fit, problem_fits
from simplebits.information.shrinkage import Shrinkage


class Spectrum(NamedTuple):
    """A kernel Theta = V diag(s) V'.

    Attributes:
        values: s, from the smallest; those that rounding made negative are 0.
        vectors: V, a column each.
    """

    values: Float64[Tensor, " nk"]
    vectors: Float64[Tensor, "nk nk"]


@dataclass(frozen=True, eq=False)
class LinearProblem:
    """A kernel, and the residual Y - f0 that training has to remove.

    The kernel is decomposed at first use, which takes minutes for large ones: whatever else may be refused is by then.

    Attributes:
        kernel: Theta of the training samples, rows example-major.
        targets: Y, what the outputs should be.
        f0: outputs of the network at w0.

    Raises:
        ValueError: shapes or devices that do not fit, a kernel that is not symmetric or, at first use, has negative
            eigenvalues, or too little memory to decompose it.

    >>> one = torch.ones(2, 1)
    >>> LinearProblem(2 * torch.eye(2), one, 0 * one).spectrum.values
    tensor([2., 2.], dtype=torch.float64)
    """

    kernel: Float[Tensor, "nk nk"]
    targets: Float[Tensor, "n k"]
    f0: Float[Tensor, "n k"]

    def __post_init__(self) -> None:
        problem_fits(self.kernel, self.targets, self.f0)

    @property
    def samples(self) -> int:
        """The number n of samples."""
        return self.f0.shape[0]

    @property
    def outputs(self) -> int:
        """The number k of outputs of each."""
        return self.f0.shape[1]

    @cached_property
    def spectrum(self) -> Spectrum:
        """Eigenvalues and eigenvectors of the kernel, in float64."""
        theta = self.kernel.detach().double()
        values, vectors = torch.linalg.eigh((theta + theta.T) / 2)
        eigenvalues_fit(values)
        return Spectrum(values.clamp(min=0), vectors)

    @cached_property
    def rotated(self) -> Float64[Tensor, " nk"]:
        """The residual Y - f0 of all outputs of all samples, in the basis of the eigenvectors."""
        residual = (self.targets.detach().double() - self.f0.detach().double()).flatten()
        return self.spectrum.vectors.T @ residual

    def shrinkage(
        self, learning_rate: float, steps: float | None, weight_decay: float, dynamics: Dynamics, without: int = 0
    ) -> Shrinkage:
        """Make phi of training on these samples, or with some of them left out, which leaves lambda = n weight_decay.

        Raises:
            ValueError: descent diverges, or infinitely long training has no unique end, as there are directions that
                are never learned and no decay.
        """
        n = self.samples
        phi = Shrinkage(learning_rate / (n - without), steps, n * weight_decay, dynamics)
        values = self.spectrum.values
        phi.check_stable(float(values[-1]), n - without)
        rounding = len(values) * torch.finfo(torch.float64).eps * float(values[-1])
        if steps is None and float(values[0]) + phi.decay <= rounding:
            raise ValueError(
                f"kernel: singular, eigenvalues go from {values[0]:.3g} to {values[-1]:.3g} (equal samples make it "
                f"so), which infinitely long training cannot divide by; give steps or weight_decay"
            )
        return phi

    def coefficients(self, phi: Shrinkage) -> Float64[Tensor, " nk"]:
        """Compute the coefficients a by which training moves the weights along the Jacobians: w_t - w_0 = J' a."""
        return self.spectrum.vectors @ (phi(self.spectrum.values) * self.rotated)

"""Every training with one sample left out, in closed form and all at once.

Deleting row and column i of a matrix A changes its inverse in a known way: with G = A^-1 and g = G r, the solution
without sample i is g - G[:, i] G[i, i]^-1 g[i], which is 0 at i. That is training to infinity. A finite training is a
sum of some twenty resolvents (Theta + lambda - z_j)^-1, see `Shrinkage.resolvents`, and each obeys the same identity.
In the basis of Theta's eigenvectors the resolvents are diagonal, so that all leave-one-outs together cost one
eigendecomposition and n^2 k^2 j operations: no matrix is decomposed, multiplied or inverted again for a sample.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float64
from torch import Tensor

from simplebits._door import door
from simplebits.domains import NonNegative, Positive
from simplebits.information.arguments import Dynamics, Kernel, Outputs, Precision, Steps
from simplebits.information.problem import LinearProblem

_BLOCK_BYTES = 2**26  # of one working array: fits the caches of none, the memory of all


class LeaveOneOut:
    """Changes of the dual coefficients a, w_t - w0 = J' a, when each sample is left out.

    Args:
        problem: with all samples.
        learning_rate: of the mean loss; eta = learning_rate / n, and learning_rate / (n - 1) without a sample.
        steps: None: infinitely many.
        weight_decay: lambda = n weight_decay, with and without a sample.
        dynamics: `discrete` or `continuous`.
        precision: of phi, see `Shrinkage.resolvents`.

    Attributes:
        full: phi of the training with all samples.

    Raises:
        ValueError: one sample only, or a training that diverges or has no unique end.
    """

    def __init__(
        self,
        problem: LinearProblem,
        learning_rate: float,
        steps: float | None,
        weight_decay: float,
        dynamics: Dynamics,
        precision: float,
    ) -> None:
        if problem.samples < 2:
            raise ValueError(f"targets: {problem.samples} sample(s); leaving one out needs at least 2")
        without = problem.shrinkage(learning_rate, steps, weight_decay, dynamics, without=1)
        self.full = problem.shrinkage(learning_rate, steps, weight_decay, dynamics)
        self.outputs = problem.outputs
        values, self.vectors = problem.spectrum
        z, self._weights = (t.to(values.device) for t in without.resolvents(precision))
        self._change = without(values) * problem.rotated - self.full(values) * problem.rotated
        self._resolvents = 1 / (values[:, None] + without.decay - z)
        self._pulls = self._solve(problem.rotated)

    def _solve(self, rotated: Tensor) -> Tensor:
        """Compute G[i, i]^-1 g[i] of every resolvent and sample, times the weight of the resolvent: [n, k, j]."""
        vectors, k = self.vectors, self.outputs
        g = _real_times(vectors, self._resolvents * rotated[:, None]).unflatten(0, (-1, k))
        if k == 1:
            return g / _real_times(vectors**2, self._resolvents)[:, None] * self._weights
        blocks = g.new_empty(*g.shape[:1], k, *g.shape[1:])
        for p in range(k):
            for q in range(p, k):
                blocks[:, p, q] = _real_times(vectors[p::k] * vectors[q::k], self._resolvents)
                blocks[:, q, p] = blocks[:, p, q]
        solved = torch.linalg.solve(blocks.permute(0, 3, 1, 2), g.permute(0, 2, 1))
        return solved.permute(0, 2, 1) * self._weights

    def blocks(self) -> Iterator[tuple[slice, Float64[Tensor, "nk b"]]]:
        """Go through the samples by the block: which, and the changes of a, as coefficients of the eigenvectors."""
        k, basis = self.outputs, self.vectors.unflatten(0, (-1, self.outputs))
        left = torch.cat([self._resolvents.real, -self._resolvents.imag], 1)
        right = torch.cat([self._pulls.real, self._pulls.imag], 2)
        size = max(1, _BLOCK_BYTES // (8 * len(basis) * k))
        for start in range(0, len(basis), size):
            rows = slice(start, min(start + size, len(basis)))
            changes = self._change[:, None].repeat(1, rows.stop - start)
            for p in range(k):
                changes -= basis[rows, p].T * (left @ right[rows, p].T)
            yield rows, changes


def _real_times(a: Tensor, b: Tensor) -> Tensor:
    """Multiply a real matrix with a complex one, without making the first complex."""
    product = a @ torch.view_as_real(b).flatten(1)
    return torch.view_as_complex(product.unflatten(1, (-1, 2)))


@door
def leave_one_out(
    kernel: Kernel,
    targets: Outputs,
    f0: Outputs,
    learning_rate: Positive,
    steps: Steps | None,
    weight_decay: NonNegative = 0.0,
    *,
    dynamics: Dynamics = "discrete",
    precision: Precision = 1e-10,
) -> Float64[Tensor, "n nk"]:
    """Compute how the linearised network's weights change without each sample, in the basis of the Jacobians.

    Row i is a_without - a, where w_t - w0 = J' a: the weights change by `changes @ J`, [n, d], the outputs for other
    samples by `changes @ kernel_val.T`, [n, m k]. Arguments and errors are those of `sample_information`.

    >>> one = torch.ones(2, 1)
    >>> leave_one_out(torch.eye(2), one, 0 * one, learning_rate=1.0, steps=1)
    tensor([[-0.5000,  0.5000],
            [ 0.5000, -0.5000]], dtype=torch.float64)
    """
    trainings = LeaveOneOut(LinearProblem(kernel, targets, f0), learning_rate, steps, weight_decay, dynamics, precision)
    return torch.cat([(trainings.vectors @ changes).T for _, changes in trainings.blocks()])

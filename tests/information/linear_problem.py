"""A small linearised network in float64, and its training step by step: what the closed forms must reproduce."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Problem:
    """Jacobians of n samples and m for validation, k outputs, d weights; targets and outputs at the start."""

    J: Tensor
    J_val: Tensor
    targets: Tensor
    f0: Tensor
    f0_val: Tensor

    def __post_init__(self):
        self.n, self.k = self.f0.shape
        self.kernel, self.kernel_val = self.J @ self.J.T, self.J_val @ self.J.T

    @property
    def arguments(self):
        return self.kernel, self.kernel_val, self.targets, self.f0, self.f0_val

    def without(self, i):
        keep = torch.arange(self.n) != i
        rows = keep.repeat_interleave(self.k)
        return Problem(self.J[rows], self.J_val, self.targets[keep], self.f0[keep], self.f0_val)

    def permuted(self, order):
        rows = (order[:, None] * self.k + torch.arange(self.k)).flatten()
        return Problem(self.J[rows], self.J_val, self.targets[order], self.f0[order], self.f0_val)

    def change(self, eta, steps, decay, dynamics="discrete"):
        """w_t - w0, the slow way: every step taken; continuous time by the exponential of the d x d Hessian."""
        pull, hessian = self.J.T @ (self.targets - self.f0).flatten(), self.J.T @ self.J
        hessian = hessian + decay * torch.eye(len(hessian)).double()
        if steps is None:
            return torch.linalg.lstsq(hessian, pull).solution
        w = torch.zeros_like(pull)
        if dynamics == "continuous":
            # d/dt (w, 1) = (-eta H w + eta pull, 0)
            system = torch.zeros(len(w) + 1, len(w) + 1).double()
            system[:-1, :-1], system[:-1, -1] = -eta * hessian, eta * pull
            return torch.linalg.matrix_exp(system * steps)[:-1, -1]
        for _ in range(steps):
            w = w - eta * (hessian @ w - pull)
        return w

    def scores(self, learning_rate, steps, weight_decay, dynamics="discrete"):
        """Functional and weight scores by removing each sample, and the changes of the weights."""
        decay = self.n * weight_decay
        full = self.change(learning_rate / self.n, steps, decay, dynamics)
        eta = learning_rate / (self.n - 1)
        dw = torch.stack([self.without(i).change(eta, steps, decay, dynamics) - full for i in range(self.n)])
        outputs = (dw @ self.J_val.T).square().sum(1) / len(self.f0_val)
        return outputs / 2, dw.square().sum(1) / 2, dw


def problem(n=9, k=1, d=40, m=5, seed=0):
    g = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    return Problem(draw(n * k, d) / d**0.5, draw(m * k, d) / d**0.5, draw(n, k), draw(n, k), draw(m, k))

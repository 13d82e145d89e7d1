"""How far gradient descent has come along each direction of the kernel, exactly and as a sum of a few resolvents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Complex128, Float
from torch import Tensor

from simplebits._door import door
from simplebits.domains import Count, Finite, NonNegative, Number, Positive
from simplebits.information.arguments import Dynamics, Precision, Steps

_FEWEST_STEPS = 20  # from here on discrete steps are close enough to the exponential for its contour
_WHOLE_STEPS = Number(0, open_low=True, integer=True)


@door
@dataclass(frozen=True)
class Shrinkage:
    """phi, with which training multiplies the residual: w_t - w0 = J' phi(Theta) (Y - f0) (equations 10 and 50).

    With x = s + decay, s an eigenvalue of the kernel: phi = (1 - (1 - eta x)^t) / x for t discrete steps,
    (1 - exp(-eta t x)) / x for continuous time, 1 / x at infinity.

    Attributes:
        eta: learning rate for the sum of the losses over the samples.
        steps: t; None: infinitely many.
        decay: lambda, weight decay towards the start for the sum of the losses.
        dynamics: `discrete`, the paper's experiments, or `continuous`, equation 10.

    Raises:
        ValueError: an attribute out of range, or a broken number of discrete steps.

    >>> Shrinkage(eta=0.1, steps=1)(torch.tensor([0.0, 2.0], dtype=torch.float64))
    tensor([0.1000, 0.1000], dtype=torch.float64)
    """

    eta: Positive
    steps: Steps | None
    decay: NonNegative = 0.0
    dynamics: Dynamics = "discrete"

    def __post_init__(self) -> None:
        if self.dynamics == "discrete" and self.steps is not None:
            _WHOLE_STEPS("steps", self.steps)

    @door
    def __call__(self, eigenvalues: Annotated[Float[Tensor, " s"], Finite(filled=False)]) -> Float[Tensor, " s"]:
        """Compute phi at these eigenvalues of the kernel."""
        x = eigenvalues + self.decay
        if self.steps is None:
            return 1 / x
        if self.dynamics == "continuous":
            reached = -torch.expm1(-self.eta * self.steps * x)
        else:
            # (1 - eta x)^t by its logarithm, so that small x keep all their digits; beyond 1 powers alternate in sign.
            small = self.eta * x < 0.5
            slow = -torch.expm1(self.steps * torch.log1p(-self.eta * torch.where(small, x, 0)))
            reached = torch.where(small, slow, 1 - (1 - self.eta * x) ** self.steps)
        return torch.where(x > 0, reached / x.where(x > 0, 1), self.eta * self.steps)

    @door
    def check_stable(self, largest: NonNegative, count: Count) -> None:
        """Raise ValueError unless discrete descent converges; names the largest learning rate at which it does.

        Args:
            largest: eigenvalue of the kernel.
            count: the number by which the learning rate of the mean loss was divided.
        """
        curvature = largest + self.decay
        if self.dynamics == "discrete" and self.steps is not None and self.eta * curvature >= 2:
            raise ValueError(
                f"learning_rate={self.eta * count:.6g}: discrete descent diverges, as eta times the largest eigenvalue "
                f"of the kernel and its decay is {self.eta * curvature:.4g}, not below 2; the largest stable rate is "
                f"{math.nextafter(2 * count / curvature, 0):.6g}"
            )

    @door
    def resolvents(self, precision: Precision) -> tuple[Complex128[Tensor, " j"], Complex128[Tensor, " j"]]:
        """Find poles z and weights c with phi(x) = Re sum_j c_j / (x - z_j), for all x from 0 to 2 / eta.

        Cauchy's integral of phi around its interval, by the trapezoidal rule. In time, phi is the inverse Laplace
        transform of 1 / (p (p + x)): Talbot's contour, with the constants of Trefethen, Weideman and Schmelzer (2006),
        gains a factor of 3.9 a node. Discrete steps are the same in p = t log(1 - eta x), with a second contour
        for 1 - eta x < 0; for a few steps, a circle around all eigenvalues.

        Args:
            precision: largest error of phi(x), as a share of min(eta t, 1/x); from 1e-12.

        Returns:
            Poles and weights, of each pair of conjugates one.

        Raises:
            ValueError: precision out of range.
        """
        if self.steps is None:
            return torch.zeros(1, dtype=torch.complex128), torch.ones(1, dtype=torch.complex128)
        if self.dynamics == "discrete" and self.steps < _FEWEST_STEPS:
            return self._circle(int(self.steps), precision)
        p, weight = talbot(precision)
        if self.dynamics == "continuous":
            return -p / (self.eta * self.steps), weight / p
        u = -p / self.steps
        z = -torch.expm1(-u) / self.eta
        front, back = weight / self.steps * torch.exp(-u) / self.eta, (1 + torch.exp(-u)) / self.eta
        sign = -1 if self.steps % 2 == 0 else 1
        return torch.cat([z, back]), torch.cat([-front / z, -sign * front / back])

    def _circle(self, steps: int, precision: float) -> tuple[Tensor, Tensor]:
        radius = math.exp(5 / max(steps, 4))  # (radius)^steps is lost to rounding: at most 150
        nodes = 2 * math.ceil((math.log(1 / precision) / math.log(radius) + steps) / 2) + 8
        angle = (torch.arange(nodes // 2, dtype=torch.float64) + 0.5) * (2 * math.pi / nodes)
        w = torch.polar(torch.full_like(angle, radius), angle)
        z = (1 - w) / self.eta
        return z, -2 / nodes * w ** (steps + 1) / (self.eta * z)


def talbot(precision: float) -> tuple[Complex128[Tensor, " j"], Complex128[Tensor, " j"]]:
    """Compute nodes p and weights of the inverse Laplace transform: f(1) = Re sum_j weight_j F(p_j).

    >>> p, weight = talbot(1e-12)
    >>> round(float((weight / (p + 1)).sum().real * math.e), 10)
    1.0
    """
    # 300: by how much the error of phi at most exceeds 3.89^-nodes, over all x and t (the tests measure it).
    nodes = min(2 * math.ceil(math.log(300 / precision) / (2 * math.log(3.89))), 28)
    theta = (torch.arange(nodes // 2, dtype=torch.float64) + 0.5) * (2 * math.pi / nodes)
    a = 0.6407 * theta
    p = nodes * torch.complex(-0.6122 + 0.5017 * theta / a.tan(), 0.2645 * theta)
    slope = nodes * torch.complex(0.5017 * (1 / a.tan() - a / a.sin() ** 2), torch.full_like(theta, 0.2645))
    return p, 2 * torch.exp(p) * slope / (1j * nodes)

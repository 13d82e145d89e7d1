"""Training of the linearised network in closed form: no step is taken, the kernel is decomposed once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn
from torch.func import vjp

from simplebits import _check
from simplebits.information.memory import require
from simplebits.information.shrinkage import Shrinkage
from simplebits.information.weights import WeightFunction

_TOLERANCE = 1e-5  # of the largest entry or eigenvalue: what single precision leaves of symmetry and sign


def check_training(kernel: Float[Tensor, "nk nk"], targets: Float[Tensor, "n k"], f0: Float[Tensor, "n k"]) -> None:
    """Raise unless these fit each other and their decomposition fits into memory; see `linearised_training`."""
    check_values({"kernel": kernel, "targets": targets, "f0": f0})
    for name, value in {"targets": targets, "f0": f0}.items():
        if value.dim() != 2 or value.shape != f0.shape:
            hint = f"; add the axis of outputs with {name}[:, None]" if value.dim() == 1 else ""
            raise ValueError(
                f"{name}: expected shape [n, k], the same for targets and f0, got {list(value.shape)} "
                f"(targets {list(targets.shape)}, f0 {list(f0.shape)}){hint}"
            )
    n, k = f0.shape
    if not n * k:
        raise ValueError(f"targets: expected at least one sample and one output, got shape {list(targets.shape)}")
    if kernel.shape != (n * k, n * k):
        raise ValueError(
            f"kernel: expected shape {[n * k, n * k]} for {n} samples with {k} output(s), got {list(kernel.shape)}"
        )
    require(
        f"decomposing a kernel of {n * k} rows in float64", 48.0 * (n * k) ** 2, kernel.device, "take fewer samples"
    )


@dataclass(frozen=True)
class Spectrum:
    """A kernel Theta = V diag(s) V' and the residual Y - f0 that training has to remove, in float64.

    Attributes:
        values: s, from the smallest; those that rounding made negative are 0.
        vectors: V.
        residual: Y - f0, of all outputs of all samples.
        samples: n.
    """

    values: Float64[Tensor, " nk"]
    vectors: Float64[Tensor, "nk nk"]
    residual: Float64[Tensor, " nk"]
    samples: int

    @classmethod
    def of(cls, kernel: Float[Tensor, "nk nk"], targets: Float[Tensor, "n k"], f0: Float[Tensor, "n k"]) -> Spectrum:
        """Check and decompose; see `linearised_training` for what raises."""
        check_training(kernel, targets, f0)
        theta = kernel.detach().double()
        scale, skew = float(theta.abs().max()), float((theta - theta.T).abs().max())
        if skew > _TOLERANCE * scale:
            raise ValueError(
                f"kernel: not symmetric, entries differ from their mirror image by up to {skew:.3g} where the largest "
                f"is {scale:.3g}; give kernel(model, x) of the training samples, rows and columns in one order"
            )
        values, vectors = torch.linalg.eigh((theta + theta.T) / 2)
        if values[0] < -_TOLERANCE * values[-1].abs():
            raise ValueError(
                f"kernel: not positive semi-definite, eigenvalues go from {values[0]:.3g} to {values[-1]:.3g}; a Gram "
                f"matrix of Jacobians has none below 0"
            )
        residual = (targets.detach().double() - f0.detach().double()).flatten()
        return cls(values.clamp(min=0), vectors, residual, len(f0))

    def check_invertible(self, shrinkage: Shrinkage) -> None:
        """Raise where infinitely long training has no unique end: no decay, and directions that are never learned."""
        rounding = len(self.values) * torch.finfo(torch.float64).eps * float(self.values[-1])
        if shrinkage.steps is None and float(self.values[0]) + shrinkage.decay <= rounding:
            raise ValueError(
                f"kernel: singular, eigenvalues go from {self.values[0]:.3g} to {self.values[-1]:.3g} (equal samples "
                f"make it so), which infinitely long training cannot divide by; give steps or weight_decay"
            )

    def coefficients(self, shrinkage: Shrinkage) -> Float64[Tensor, " nk"]:
        """The a of w_t - w0 = J' a."""
        return self.vectors @ (shrinkage(self.values) * (self.vectors.T @ self.residual))


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

    def predict(self, kernel_val: Float[Tensor, "mk nk"], f0_val: Float[Tensor, "m k"]) -> Float64[Tensor, "m k"]:
        """Outputs for other samples (equations 11 and 53), from their kernel with the training samples."""
        check_validation(kernel_val, f0_val, *self.coefficients.shape)
        return f0_val.double() + (kernel_val.double() @ self.coefficients.flatten()).view_as(f0_val)

    def weights(self, model: nn.Module, x: Tensor) -> Float[Tensor, " d"]:
        """w_t as one vector, of all trainable weights in the model's order; one backward pass, no Jacobian is held.

        Args:
            model: the network at w0.
            x: the training samples, in the order of the kernel.

        Raises:
            TypeError: a model or examples of another kind.
            ValueError: examples that the model does not take, or another number of samples or outputs than trained on.
        """
        f = WeightFunction(model)
        f.check_examples(x=x)
        with f.evaluating():
            outputs, pull = vjp(lambda w: f(w, x), f.start)
            if outputs.shape != self.coefficients.shape:
                raise ValueError(
                    f"x: expected the samples of the training, for which the model gives outputs "
                    f"{list(self.coefficients.shape)}, got {list(outputs.shape)}"
                )
            (change,) = pull(self.coefficients.to(outputs))
        return f.start + change


def linearised_training(
    kernel: Float[Tensor, "nk nk"],
    targets: Float[Tensor, "n k"],
    f0: Float[Tensor, "n k"],
    learning_rate: float,
    steps: float | None,
    weight_decay: float = 0.0,
    *,
    dynamics: str = "discrete",
) -> LinearisedTraining:
    """Gradient descent on the linearised network, to the end (equations 10, 11 and 50 of Harutyunyan et al. 2021).

    The loss is the mean over the samples of 1/2 norm(y - f(x))^2, plus weight_decay / 2 norm(w - w0)^2. The paper sums
    over the samples instead: its eta is learning_rate / n, its lambda n weight_decay.

    Args:
        kernel: Theta of the training samples, [n k, n k], rows example-major, as `kernel` returns it.
        targets: Y.
        f0: outputs of the network at w0.
        learning_rate: of the mean loss, above 0.
        steps: of full-batch descent; None: infinitely many, where the learning rate plays no part.
        weight_decay: lambda' of the mean loss, towards the start, at least 0.
        dynamics: `discrete` steps as in the experiments, or `continuous` time as in equation 10.

    Returns:
        Coefficients of the weights, predictions for the training samples, and how far the weights have moved.

    Raises:
        ValueError: a kernel that is not symmetric or has negative eigenvalues, shapes that do not fit, NaN, a learning
            rate at which discrete descent diverges, or a singular kernel, infinitely many steps and no decay.

    >>> one = torch.ones(2, 1)
    >>> linearised_training(torch.eye(2), one, 0 * one, learning_rate=1.0, steps=1).predictions.flatten()
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    _check.positive("learning_rate", learning_rate)
    _check.positive("weight_decay", weight_decay, allow_zero=True)
    spectrum = Spectrum.of(kernel, targets, f0)
    n = spectrum.samples
    shrinkage = Shrinkage(learning_rate / n, steps, n * weight_decay, dynamics)
    shrinkage.check_stable(float(spectrum.values[-1]), n)
    spectrum.check_invertible(shrinkage)
    a = spectrum.coefficients(shrinkage)
    reached = spectrum.vectors @ (spectrum.values * (spectrum.vectors.T @ a))
    return LinearisedTraining(a.view(f0.shape), f0.double() + reached.view(f0.shape), a @ reached)


def check_validation(kernel_val: Tensor, f0_val: Tensor, n: int, k: int) -> None:
    """Raise unless these are the kernel and the outputs of other samples."""
    check_values({"kernel_val": kernel_val, "f0_val": f0_val})
    if f0_val.dim() != 2 or f0_val.shape[1] != k or not len(f0_val):
        raise ValueError(f"f0_val: expected shape [m, {k}], as f0 has {k} output(s), got {list(f0_val.shape)}")
    if kernel_val.shape != (f0_val.numel(), n * k):
        raise ValueError(
            f"kernel_val: expected shape {[f0_val.numel(), n * k]}, samples of f0_val by training samples, got "
            f"{list(kernel_val.shape)}"
        )


def check_values(tensors: dict[str, Tensor]) -> None:
    """Raise unless these are floating point tensors of finite numbers on one device."""
    for name, value in tensors.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: expected a torch.Tensor, got {type(value).__name__}")
        if not value.is_floating_point():
            raise ValueError(f"{name}: expected floating point values, got dtype {value.dtype}; convert with .double()")
        if not torch.isfinite(value).all():
            raise ValueError(f"{name}: holds NaN or infinity; every value must be a finite number")
    devices = {name: value.device for name, value in tensors.items()}
    if len(set(devices.values())) > 1:
        got = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise ValueError(f"expected all tensors on one device, got {got}; move them with .to(...)")

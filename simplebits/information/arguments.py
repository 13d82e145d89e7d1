"""What the arguments of this folder may be, and what those of one call must have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int64, Num
from torch import Tensor

from simplebits import _check, domains
from simplebits.domains import Finite, Number
from simplebits.information.memory import require
from simplebits.information.weights import WeightFunction

TOLERANCE = 1e-5  # of the largest entry or eigenvalue: what single precision leaves of symmetry and sign


@dataclass(frozen=True)
class StepsOrTime(Number):
    """A number of steps or a time; what stands for infinitely many is part of the message."""

    def __str__(self) -> str:
        return f"{super().__str__()}; steps=None means infinitely many"


@dataclass(frozen=True)
class Decomposable(Finite):
    """Finite values in single or double precision: torch decomposes matrices of no other dtype."""

    def __call__(self, argument: str, value: Tensor) -> Tensor:
        """Check that a tensor can be decomposed, and return it."""
        if value.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"{argument}: expected float32 or float64, got dtype {value.dtype}; convert with .double()"
            )
        return super().__call__(argument, value)


@dataclass(frozen=True)
class FloatingPoint:
    """A floating point dtype."""

    whole = True

    def __call__(self, argument: str, value: Any) -> torch.dtype:
        """Check that a dtype is one of floating point, and return it."""
        if not (isinstance(value, torch.dtype) and value.is_floating_point):
            raise TypeError(
                f"{argument}={value!r}: give a floating point dtype of torch, such as torch.float64, or None"
            )
        return value


@dataclass(frozen=True)
class NoBytes:
    """Positions of samples as anywhere in the library, but no bytes: a mask of 0 and 1 would pass for positions."""

    whole = True

    def __call__(self, argument: str, value: Any) -> Tensor | slice:
        """Check that positions are no bytes, and return a tensor or a slice."""
        if str(getattr(value, "dtype", "")).removeprefix("torch.") == "uint8":
            raise ValueError(
                f"{argument}: got dtype uint8, which may be a mask or positions; convert a mask to bool, positions to "
                f"int64"
            )
        return domains.positions(argument, value)


Kernel = Annotated[Float[Tensor, "nk nk"], Finite()]
KernelVal = Annotated[Float[Tensor, "mk nk"], Finite()]
Outputs = Annotated[Float[Tensor, "n k"], Finite()]
OutputsVal = Annotated[Float[Tensor, "m k"], Finite()]
Examples = Annotated[Num[Tensor, "n ..."], Finite()]
OtherExamples = Annotated[Num[Tensor, "m ..."], Finite()]
Steps = Annotated[float, StepsOrTime(0, 2**63 - 1, open_low=True)]  # torch multiplies with 64 bits
Dynamics = Literal["discrete", "continuous"]
Precision = Annotated[float, Number(1e-12, 1, open_high=True)]
FloatingDtype = Annotated[torch.dtype, FloatingPoint()]
Indices = Annotated[Sequence[int] | slice | Tensor, NoBytes()]  # inside, a tensor or a slice: `left_out`


def left_out(indices: Sequence[int] | slice | Tensor | None, n: int) -> Int64[Tensor, " i"]:
    """List which of n samples are left out, each for itself; all of them for None."""
    positions = _check.places("indices", slice(None) if indices is None else indices, n)
    if not len(positions) or int(positions.min()) < 0:
        raise ValueError(
            f"indices: must lie in 0 .. {n - 1} for {n} samples, at least one of them, got {positions.tolist()}"
        )
    return positions


def on_one_device(**tensors: Tensor) -> None:
    """Raise ValueError unless these lie together."""
    if len({value.device for value in tensors.values()}) > 1:
        got = ", ".join(f"{name} on {value.device}" for name, value in tensors.items())
        raise ValueError(f"expected all tensors on one device, got {got}; move them with .to(...)")


def of_one_dtype(**tensors: Tensor) -> None:
    """Raise ValueError unless these have one precision."""
    if len({value.dtype for value in tensors.values()}) > 1:
        got = ", ".join(f"{name} in {value.dtype}" for name, value in tensors.items())
        raise ValueError(f"expected one dtype, got {got}; convert with .double()")


def examples_fit(f: WeightFunction, **examples: Tensor) -> int:
    """Raise ValueError unless the network maps examples of this shape to outputs [n, k].

    Args:
        f: the network.
        examples: by argument, all shaped as the first ones; in the weights' dtype, or whole numbers where an embedding
            takes them. Bytes are refused: they are images that nobody has divided by 255.

    Returns:
        The number k of outputs.
    """
    (first, like), *_ = examples.items()
    whole = like.dtype in (torch.int32, torch.int64)
    for name, value in examples.items():
        _as_weights(f, name, value, like.dtype if whole else f.start.dtype)
        if value.dim() < 2 or value.shape[1:] != like.shape[1:]:
            shape = "" if name == first else f", examples like {first}'s {list(like.shape[1:])}"
            raise ValueError(f"{name}: expected at least one example [n, ...]{shape}, got {list(value.shape)}")
    try:
        with torch.no_grad(), f.evaluating():
            outputs = f.network(like[:1])
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ValueError(
            f"{first}: the network takes no examples {list(like.shape[1:])} of {like.dtype} ({error}); give others, "
            f"or a network built for these"
        ) from error
    if not isinstance(outputs, Tensor) or outputs.dim() != 2 or len(outputs) != 1:
        got = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ValueError(f"network: expected outputs [n, k], got {got} for one example")
    return outputs.shape[1]


def samples_fit(f: WeightFunction, x: Tensor, targets: Tensor, x_val: Tensor) -> None:
    """Raise ValueError unless the network can be trained on these with one sample left out, and judged on x_val."""
    wanted = [len(x), examples_fit(f, x=x, x_val=x_val)]
    _as_weights(f, "targets", targets, f.start.dtype)
    if len(x) < 2:
        raise ValueError(f"x: {len(x)} example(s); leaving one out needs at least 2")
    if list(targets.shape) != wanted:
        raise ValueError(f"targets: expected shape {wanted}, got {list(targets.shape)}")


def problem_fits(kernel: Tensor, targets: Tensor, f0: Tensor) -> None:
    """Raise ValueError unless these are the kernel, targets and outputs of the same samples."""
    on_one_device(kernel=kernel, targets=targets, f0=f0)
    if targets.shape != f0.shape:
        raise ValueError(
            f"targets: expected shape [n, k], the same for targets and f0, got targets {list(targets.shape)}, f0 "
            f"{list(f0.shape)}"
        )
    n, k = f0.shape
    if kernel.shape != (n * k, n * k):
        raise ValueError(
            f"kernel: expected shape {[n * k, n * k]} for {n} samples with {k} output(s), got {list(kernel.shape)}"
        )
    require(
        f"decomposing a kernel of {n * k} rows in float64", 48.0 * (n * k) ** 2, kernel.device, "take fewer samples"
    )
    theta = kernel.detach().double()
    scale, skew = float(theta.abs().max()), float((theta - theta.T).abs().max())
    if skew > TOLERANCE * scale:
        raise ValueError(
            f"kernel: not symmetric, entries differ from their mirror image by up to {skew:.3g} where the largest is "
            f"{scale:.3g}; give kernel(network, x) of the training samples, rows and columns in one order"
        )


def eigenvalues_fit(values: Float[Tensor, " nk"]) -> None:
    """Raise ValueError unless these, ascending, are the eigenvalues of a Gram matrix: none below 0."""
    if values[0] < -TOLERANCE * values[-1].abs():
        raise ValueError(
            f"kernel: not positive semi-definite, eigenvalues go from {values[0]:.3g} to {values[-1]:.3g}; a Gram "
            f"matrix of Jacobians has none below 0"
        )


def validation_fits(kernel_val: Tensor, f0_val: Tensor, coefficients: Float[Tensor, "n k"]) -> None:
    """Raise ValueError unless these are of other samples for a training on n samples with k outputs."""
    n, k = coefficients.shape
    on_one_device(kernel_val=kernel_val, f0_val=f0_val, kernel=coefficients)
    if f0_val.shape[1] != k:
        raise ValueError(f"f0_val: expected shape [m, {k}], as f0 has {k} output(s), got {list(f0_val.shape)}")
    if kernel_val.shape != (f0_val.numel(), n * k):
        raise ValueError(
            f"kernel_val: expected shape {[f0_val.numel(), n * k]}, samples of f0_val by training samples, got "
            f"{list(kernel_val.shape)}"
        )


def gradients_fit(jacobian: Tensor, gradients: Tensor) -> None:
    """Raise ValueError unless these are gradients of the samples behind this Jacobian."""
    on_one_device(jacobian=jacobian, gradients=gradients)
    of_one_dtype(jacobian=jacobian, gradients=gradients)
    if jacobian.shape[1] != gradients.shape[1] or len(gradients) < 2 or len(jacobian) % len(gradients):
        raise ValueError(
            f"gradients: expected [n, d] with n > 1 samples of the Jacobian [n k, d], got {list(gradients.shape)} and "
            f"{list(jacobian.shape)}"
        )


def changes_fit(changes: Tensor, covariance: Tensor) -> None:
    """Raise ValueError unless this is a covariance of the weights that change."""
    on_one_device(changes=changes, covariance=covariance)
    of_one_dtype(changes=changes, covariance=covariance)
    if covariance.shape != (changes.shape[1], changes.shape[1]):
        raise ValueError(
            f"covariance: expected shape [d, d] for changes [n, d], got {list(covariance.shape)} for "
            f"{list(changes.shape)}"
        )


def _as_weights(f: WeightFunction, argument: str, value: Tensor, dtype: torch.dtype) -> None:
    if (value.dtype, value.device) != (dtype, f.start.device):
        of_whom = "the network's weights" if dtype == f.start.dtype else "x"
        raise ValueError(
            f"{argument}: expected {dtype} on {f.start.device}, as {of_whom}, got {value.dtype} on {value.device}; "
            f"move one to the other with .to(...)"
        )

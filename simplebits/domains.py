"""What arguments may be: annotations that `door` checks, named as the field names things.

    def matching_step(images: Images, steps: Count, learning_rate: Positive, seed: Seed = 0) -> ...

An editor reads `Images` as a tensor and `Count` as an int; the door reads, beside that, what may be wrong with them and
how to put it right. A check takes the argument's name and value, and returns the value to use or raises: a TypeError
where the kind is wrong, a ValueError where the value is.
"""

from __future__ import annotations

import difflib
import numbers
import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, SupportsFloat

import torch
from jaxtyping import AbstractArray, Float, Int64
from torch import Tensor

# How to come by what is not at hand: the end of an error message. A class of the library has its own `how_to_get`.
HOW_TO_GET: dict[Any, str] = {torch.Generator: "; torch.Generator().manual_seed(0) is one"}


@dataclass(frozen=True)
class Number:
    """A finite number within bounds; those of NumPy and tensors of one number become Python's.

    Attributes:
        low: lower bound.
        high: upper bound.
        open_low: whether the lower bound itself is too low.
        open_high: whether the upper bound itself is too high.
        integer: whole numbers only.
        infinite: infinity is allowed too.
    """

    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    integer: bool = False
    infinite: bool = False
    whole = True  # the check of the bare type in the annotation is part of this one

    def __call__(self, argument: str, value: Any) -> float:
        """Check a number, and return it as an int or a float."""
        number = value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value
        kind = numbers.Integral if self.integer else numbers.Real
        if not isinstance(number, kind) or isinstance(number, bool) or not self._within(number):
            raise ValueError(f"{argument}={_short(value)}: give {self}")
        if isinstance(number, numbers.Integral) and self.high is None and abs(int(number)) >= 2**63:
            raise ValueError(f"{argument}={_short(value)}: give {self}, of 64 bits at most")
        return int(number) if isinstance(number, numbers.Integral) else float(number)

    def _within(self, number: Any) -> bool:
        if number != number or (abs(number) == float("inf") and not self.infinite):
            return False
        if self.low is not None and (number < self.low or (number == self.low and self.open_low)):
            return False
        return self.high is None or number < self.high or (number == self.high and not self.open_high)

    def __str__(self) -> str:
        bounds = []
        if self.low is not None:
            bounds.append(f"above {self.low}" if self.open_low else f"of at least {self.low}")
        if self.high is not None:
            bounds.append(f"below {self.high}" if self.open_high else f"of at most {self.high}")
        kind = "a whole number" if self.integer else "a number" if bounds else "a finite number"
        return f"{kind} {' and '.join(bounds)}".strip()


NUMBER, INTEGER = Number(), Number(integer=True)


@dataclass(frozen=True)
class UnitInterval:
    """Every value of the tensor lies in [0, 1], and there is at least one."""

    def __call__(self, argument: str, value: Tensor) -> Tensor:
        """Check a tensor's values, and return it; inside vmap they are hidden, and its outermost call was checked."""
        if value.numel() == 0:
            raise ValueError(f"{argument}: the batch is empty, shape {list(value.shape)}; give at least one image")
        if not _hidden(argument, value):
            low, high = torch.stack(torch.aminmax(value.detach())).tolist()  # one wait for the device
            if not (low == low and high == high):
                raise ValueError(f"{argument}: holds NaN; every value must be a number in [0, 1]")
            # A thousandth of slack admits rounding and nothing else: [0, 255] or standardised images are caught.
            if low < -1e-3 or high > 1 + 1e-3:
                raise ValueError(f"{argument}: values must lie in [0, 1], got [{low:.4g}, {high:.4g}]")
        return value


@dataclass(frozen=True)
class Finite:
    """No value of the tensor is NaN or infinite; with `filled`, there is at least one."""

    filled: bool = True

    def __call__(self, argument: str, value: Tensor) -> Tensor:
        """Check that all values are finite, and return the tensor."""
        if self.filled and value.numel() == 0:
            raise ValueError(f"{argument}: is empty, shape {list(value.shape)}; give at least one value")
        if not _hidden(argument, value) and not torch.isfinite(value).all():
            raise ValueError(f"{argument}: holds NaN or infinity; every value must be a finite number")
        return value


@dataclass(frozen=True)
class ClassNumbers:
    """Labels: whole numbers of at least 0, at least one."""

    def __call__(self, argument: str, value: Tensor) -> Tensor:
        """Check that these are class numbers, and return them."""
        if value.numel() == 0:
            raise ValueError(f"{argument}: is empty; give at least one label")
        if not _hidden(argument, value) and (low := int(value.min())) < 0:
            raise ValueError(f"{argument}: labels count classes from 0, got {low}")
        return value


@dataclass(frozen=True)
class Filled:
    """The collection has members, at least so many."""

    least: int = 1

    def __call__(self, argument: str, value: Any) -> Any:
        """Check that a collection is not empty, and return it."""
        if len(value) < self.least:
            raise ValueError(f"{argument}: holds {len(value)}; give at least {self.least}")
        return value


@dataclass(frozen=True)
class Known:
    """One of these words; the nearest one is named where it is none."""

    words: Callable[[], Iterable[str]]  # called when needed: registries fill while the library is imported
    whole = True

    def __call__(self, argument: str, value: Any) -> str:
        """Check that a word is one of the known ones, and return it."""
        return one_of(argument, value, self.words())


def device(argument: str, value: Any) -> torch.device:
    """Find the device of this name; for None a GPU where there is one, else the CPU."""
    if value is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not isinstance(value, str | torch.device):
        refuse_kind(argument, value, torch.device)
    try:
        chosen = torch.device(value)
    except RuntimeError:
        raise ValueError(f"{argument}={value!r}: give cpu, cuda, mps or another device that torch knows") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"{argument}={str(chosen)!r}: torch finds no GPU here; give 'cpu', or None to let it choose")
    return chosen


device.whole = device.chooses = True  # it checks the bare type too, and says what a default of None stands for


def positions(argument: str, value: Any) -> Tensor | slice:
    """Convert places in a sequence, any list, range or array of them, to int64, a mask to bool; a slice stays one.

    Bytes are places here: torch takes them for a mask.
    """
    if isinstance(value, slice):
        return value
    if isinstance(value, str) or not (isinstance(value, Sequence | Tensor) or hasattr(value, "__array__")):
        refuse_kind(argument, value, Sequence)
    try:
        index = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{argument}={_short(value)}: give whole numbers, a slice or a mask ({error})") from None
    if index.numel() == 0:
        index = index.bool() if index.dtype == torch.bool else index.long()
    if index.is_floating_point() or index.is_complex():
        raise ValueError(f"{argument}: expected whole numbers or a mask, got dtype {index.dtype}; convert with .long()")
    if index.dim() != 1:
        raise ValueError(
            f"{argument}: expected one axis of places, got shape {list(index.shape)}; [3] is a list of one"
        )
    return index if index.dtype == torch.bool else index.long()


positions.whole = True

Positive = Annotated[float, Number(0, open_low=True)]
NonNegative = Annotated[float, Number(0)]
LearningRate = Positive
Momentum = Annotated[float, Number(0, 1, open_high=True)]
Probability = Annotated[float, Number(0, 1)]
Share = Annotated[float, Number(0, 1, open_high=True)]
Count = Annotated[int, Number(0, open_low=True, integer=True)]  # of steps, images, channels
CountOrZero = Annotated[int, Number(0, integer=True)]
Seed = Annotated[int, Number(0, 2**64 - 1, integer=True)]  # torch's generators take 64 bits
Device = Annotated[torch.device | str | None, device]  # inside, always a torch.device
ToDevice = Annotated[torch.device | str, device] | None  # None: what is moved stays where it lies

Positions = Annotated[Sequence[int] | slice | Tensor, positions]  # inside, a tensor or a slice: `_check.places`

Images = Annotated[Float[Tensor, "n c h w"], UnitInterval()]
Image = Annotated[Float[Tensor, "c h w"], UnitInterval()]
Labels = Annotated[Int64[Tensor, " n"], ClassNumbers()]
Logits = Annotated[Float[Tensor, "n classes"], Finite()]


# The beginning of jaxtyping's names of dtypes: what is expected, in words, and the method that converts to it.
KINDS = {
    "bool": ("True or False", "bool"),
    "float": ("floating point values", "float"),
    "complex": ("numbers", "float"),
    "int64": ("whole numbers", "long"),
    "uint8": ("bytes, 0 to 255", "byte"),
    "": ("whole numbers", "long"),
}


def dtype_and_shape(argument: str, value: Any, hint: type[AbstractArray]) -> Any:
    """Check a tensor's kind and number of axes by a jaxtyping annotation; its sizes are the method's to compare."""
    axes = hint.dim_str.split()
    if not isinstance(value, hint.array_type):
        refuse_kind(argument, value, hint.array_type, f" [{', '.join(axes)}]")
    of_kind = str(value.dtype).removeprefix("torch.")
    if isinstance(hint.dtypes, tuple) and of_kind not in hint.dtypes:
        wanted, convert = next(words for start, words in KINDS.items() if hint.dtypes[-1].startswith(start))
        if len(hint.dtypes) == 1:
            wanted, convert = f"{wanted} ({hint.dtypes[0]})", {"float64": "double"}.get(hint.dtypes[0], convert)
        how = f"convert with .{convert}()"
        if of_kind == "uint8" and convert == "float":
            how = "divide uint8 images by 255 (ImageSet.to_float does)"
        if convert == "byte":
            how = "simplebits.data.to_bytes converts images in [0, 1]"
        raise ValueError(f"{argument}: expected {wanted}, got dtype {value.dtype}; {how}")
    if getattr(value, "layout", torch.strided) != torch.strided:
        raise ValueError(f"{argument}: expected a dense tensor, got layout {value.layout}; convert with .to_dense()")
    any_number = any(axis.startswith(("*", "...")) for axis in axes)  # of axes, beside those that have names
    if value.dim() < len(axes) - 1 if any_number else value.dim() != len(axes):
        how = f"; add a batch axis with {argument}[None]" if axes[0] == "n" and value.dim() == len(axes) - 1 else ""
        if axes[1:] == ["k"] and value.dim() == 1:
            how = f"; add the axis of outputs with {argument}[:, None]"
        raise ValueError(f"{argument}: expected shape [{', '.join(axes)}], got {list(value.shape)}{how}")
    return value


def one_of(argument: str, value: Any, known: Iterable[str]) -> Any:
    """Return the value if it is one of these words; raise if not."""
    known = list(known)
    if not isinstance(value, Hashable) or value not in known:
        raise ValueError(f"{argument}={_short(value)} is not known; {nearest(value, known)}")
    return value


def nearest(name: Any, known: Iterable[str]) -> str:
    """Write the clause of an error message that names the known spelling closest to `name`, and all others.

    >>> nearest("minst", ["mnist", "usps"])
    "did you mean 'mnist'? Known: mnist, usps."
    """
    spelled = {str(option).lower().replace("_", "-"): option for option in known}
    close = difflib.get_close_matches(str(name).lower().replace("_", "-"), spelled, n=1, cutoff=0.5)
    return (
        f"did you mean {spelled[close[0]]!r}? " if close else ""
    ) + f"Known: {', '.join(map(str, spelled.values()))}."


def refuse_kind(argument: str, value: Any, kind: Any, shape: str = "") -> NoReturn:
    """Raise the TypeError that says what was wanted, what came and how to come by what was wanted."""
    name = getattr(kind, "__name__", str(kind))
    name = name.lower() if kind.__module__ == "collections.abc" else name
    name = f"torch.{name}" if kind in (Tensor, torch.Generator, torch.device) else name
    name = "torch.nn.Module" if kind is torch.nn.Module else "function" if name == "callable" else name
    article = "an" if name[0] in "AEIOaeio" else "a"
    how = HOW_TO_GET.get(kind, getattr(kind, "how_to_get", ""))
    raise TypeError(f"{argument}: expected {article} {name}{shape}, got {type(value).__name__}{how}")


def instance(argument: str, value: Any, kind: type) -> Any:
    """Return the value if it is of this class; raise if not."""
    return value if isinstance(value, kind) else refuse_kind(argument, value, kind)


def convertible(argument: str, value: Any) -> Any:
    """Check that a value is a number, or what becomes one: an element of an array, a tensor of one number; NaN too."""
    if not isinstance(value, SupportsFloat):
        raise TypeError(f"{argument}={_short(value)}: give a number")
    return value


def function(argument: str, value: Any) -> Any:
    """Return the value if it can be called; raise if not."""
    return value if callable(value) else refuse_kind(argument, value, Callable)


def boolean(argument: str, value: Any) -> bool:
    """Check that a value is True or False; NumPy's become Python's."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError(f"{argument}={_short(value)}: give True or False")
    return bool(value)


def path(argument: str, value: Any) -> Any:
    """Check that a value is a path or its text, and return it."""
    return value if isinstance(value, str | os.PathLike) else refuse_kind(argument, value, Path)


def _hidden(argument: str, value: Tensor) -> bool:
    """Tell whether values cannot be looked at: inside vmap, whose outermost call has been checked."""
    if value.is_meta:
        raise ValueError(f"{argument}: is on meta, a device without values; give a tensor on the device of the others")
    functorch: Any = getattr(torch._C, "_functorch")  # noqa: B009 torch's stubs do not know it
    return functorch.is_functorch_wrapped_tensor(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{type(value).__name__} {text[:40]}..."

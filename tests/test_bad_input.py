"""Bad input, generated from the annotations of every public function: each is refused by a sentence that names it.

A door checks what it is given before it asks for what is missing. So one bad argument alone is enough to call a
function with, and none of them begins to compute. `python tests/test_bad_input.py` prints what has no door yet.

What no list foresees is drawn at random: 15 values for each annotation here, SIMPLEBITS_BAD_INPUTS of them once a week.
"""

import collections.abc
import dataclasses
import inspect
import math
import numbers
import os
import types
import typing
from typing import Annotated, Any, Literal, Union

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jaxtyping import AbstractArray
from torch import Tensor

import simplebits as sb
from simplebits import domains
from simplebits._annotations import check_of

pytestmark = pytest.mark.unchecked
FOLDERS = (sb.data, sb.density, sb.networks, sb.simplify, sb.condense, sb.subsets, sb.information, sb.report)

# Their annotations name matplotlib's figure, and matplotlib is loaded only when something is drawn: they check by hand,
# see tests/report/test_figures.py and test_slider.py.
OF_FIGURES = {"report.image_grid", "report.show", "report.slider"}


class Stranger:
    """Of no kind that anything takes."""

    def __repr__(self):
        return "Stranger()"


def doors():
    """Every public function, constructor and method of the library: name and what is called."""
    for folder in FOLDERS:
        for name in folder.__all__:
            thing = getattr(folder, name)
            label = f"{folder.__name__.removeprefix('simplebits.')}.{name}"
            if label in OF_FIGURES:
                continue
            if inspect.isfunction(thing):
                yield label, thing
            elif inspect.isclass(thing) and not getattr(thing, "_is_protocol", False):
                if "__init__" in vars(thing):
                    yield label, thing.__init__
                for method, function in vars(thing).items():
                    function = getattr(function, "__func__", function)  # of a class method
                    if not method.startswith("_") and inspect.isfunction(function):
                        yield f"{label}.{method}", function


def hints_of(function):
    """Arguments and their annotations, `self` and further keywords left out."""
    hints = typing.get_type_hints(getattr(function, "__door__", function), include_extras=True)
    kinds = inspect.signature(function).parameters
    left_out = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    named = kinds.keys() - {"self"}  # which has an annotation where a method returns its own class
    return {name: hint for name, hint in hints.items() if name in named and kinds[name].kind not in left_out}


def bad_values(hint: Any) -> list[Any]:
    """Values that an argument of this annotation must not have; empty where anything may come."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        options = [option for option in inner if option is not type(None)]
        kinds = [bad_values(option) for option in options]
        if not all(kinds):
            return []
        return kinds[0] if len(options) == 1 else [Stranger()]
    if origin is Annotated:
        bad = bad_values(inner[0])
        for check in inner[1:]:
            bad = bad + of_domain(check, inner[0])
            if getattr(check, "infinite", False):
                bad = [value for value in bad if value is not math.inf]
        return bad
    if origin is Literal:
        return ["no such word", Stranger()]
    if origin is not None:
        return [Stranger(), 3] if isinstance(origin, type) or origin is collections.abc.Callable else []
    if hint in (int, float):
        return [math.nan, math.inf, "1", True, Stranger(), np.zeros(2), *([0.5] if hint is int else [])]
    if hint is bool:
        return ["no", 1, Stranger()]
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return [Stranger(), [[1.0]], np.zeros(3), *of_shape(hint)]
    if isinstance(hint, type) and hint is not object and not getattr(hint, "_is_protocol", False):
        return [Stranger()]
    if hint is typing.SupportsFloat:
        return [Stranger(), "1"]
    return [3] if hint in (collections.abc.Callable, typing.Callable) else []


def of_shape(hint) -> list[Tensor]:
    axes = hint.dim_str.split()
    if any(axis.startswith(("*", "...")) for axis in axes):
        return []
    dtype = next((getattr(torch, name) for name in reversed(hint.dtypes) if hasattr(torch, name)), torch.float32)
    other = torch.int32 if dtype.is_floating_point else torch.float32
    return [torch.ones([2] * (len(axes) + 1), dtype=dtype), torch.ones([2] * len(axes), dtype=other)]


def of_domain(check, kind) -> list[Any]:
    if isinstance(check, domains.Number):
        low = [] if check.low is None else [check.low if check.open_low else check.low - 1]
        high = [] if check.high is None else [check.high if check.open_high else check.high + 1]
        return [*low, *high]
    if isinstance(check, domains.UnitInterval | domains.Finite) and not kind.dim_str.startswith(("*", "...")):
        shape = [2] * len(kind.dim_str.split())
        empty = [torch.zeros(0, *shape[1:])] if getattr(check, "filled", True) else []
        return [torch.full(shape, math.nan), torch.full(shape, math.inf), *empty]
    if isinstance(check, domains.ClassNumbers):
        return [torch.tensor([-1, 0]), torch.zeros(0, dtype=torch.int64)]
    if isinstance(check, domains.Known):
        return ["no such word"]
    return ["no such device"] if check is domains.device else []


CASES = [
    pytest.param(function, name, value, id=f"{label}({name}={type(value).__name__} {i})")
    for label, function in doors()
    if hasattr(function, "__door__")
    for name, hint in hints_of(function).items()
    for i, value in enumerate(bad_values(hint))
]


@pytest.mark.parametrize(("function", "name", "value"), CASES)
def test_a_bad_argument_is_named(function, name, value):
    # NumPy scalars are numbers wherever numbers are; a bad value of one argument of a union may suit another.
    given = {name: value}
    if next(iter(inspect.signature(function).parameters)) == "self":
        given["self"] = None
    with pytest.raises((TypeError, ValueError), match=rf"^{name}\b") as caught:
        function(**given)
    assert "simplebits" in str(caught.traceback[-1].path), "the error comes from the depths of another library"


DTYPES = (
    torch.float16,
    torch.float32,
    torch.float64,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
    torch.complex64,
)
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.booleans(), st.fractions(), st.decimals(), st.complex_numbers(),
    st.integers(-(2**1100), 2**1100), st.floats(width=32).map(np.float32), st.integers(0, 255).map(np.uint8),
)  # fmt: skip
TENSORS = st.builds(
    lambda dtype, shape, low, spread: (low + spread * torch.rand(shape)).to(dtype),
    st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=5),
    st.floats(-2, 2) | st.just(math.nan) | st.just(-math.inf), st.floats(0, 2),
)  # fmt: skip
ARRAYS = arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
SIMPLE = st.one_of(NUMBERS, TENSORS, ARRAYS, st.text(), st.binary(), st.none(), st.just(Stranger()), st.slices(5))
ANYTHING = st.recursive(SIMPLE, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(), one, max_size=2))


def every_check():
    """Every annotation of an argument once, with what it demands, called after the first argument that has it."""
    hints = {}
    for label, function in doors():
        for name, hint in hints_of(function).items():
            hints.setdefault(repr(hint), (hint, f"{label}({name})"))
    return [pytest.param(hint, check, id=name) for hint, name in hints.values() if (check := check_of(hint))]


def never(hint, value):
    """Whether this value can in no case be what the annotation of a number or a tensor says; others: unknown."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    kind, demands = (inner[0], inner[1:]) if origin is Annotated else (hint, ())
    if kind in (int, float):
        number = value.item() if getattr(value, "shape", None) == () else value
        if isinstance(number, bool) or not isinstance(number, numbers.Real) or math.isnan(number):
            return True
        bounds = [demand for demand in demands if isinstance(demand, domains.Number)]
        outside = any(
            (b.low is not None and number < b.low) or (b.high is not None and number > b.high) for b in bounds
        )
        return outside or (kind is int and number != int(number))
    if isinstance(kind, type) and issubclass(kind, AbstractArray):
        return not isinstance(value, Tensor) or value.is_complex() or bool(value.isnan().any() and demands)
    return False


@pytest.mark.filterwarnings("ignore")  # of NumPy, about values that are not to be converted
@pytest.mark.parametrize(("hint", "check"), every_check())
def test_whatever_comes_is_named_or_may_come(hint, check):
    at_length = int(os.environ.get("SIMPLEBITS_BAD_INPUTS", 0))

    @settings(
        max_examples=at_length or 15, deadline=None, derandomize=not at_length, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(ANYTHING)
    def comes(value):
        try:
            check("argument", value)
            told = ""
        except (TypeError, ValueError) as refused:
            told = str(refused)
        assert told.startswith("argument") if told else not never(hint, value)

    comes()


# What runs in every step of a training looks at shapes inside, at nothing else: a door would wait for the device.
INNER = {
    "forward", "inverse", "embed", "log_density", "flow_forward", "scale", "shift_and_scale", "standardised",
    "mixture_of", "gamma", "find_noise",
}  # fmt: skip


def is_result(label):
    """Whether only the library makes it: a data class that a function returns."""
    folder, name, *_ = label.split(".")
    return dataclasses.is_dataclass(getattr(getattr(sb, folder), name))


def test_every_public_function_stands_behind_a_door():
    bare = [label for label, function in doors() if not hasattr(function, "__door__") and hints_of(function)]
    assert [label for label in bare if label.split(".")[-1] not in INNER and not is_result(label)] == []


@pytest.mark.parametrize(
    "name", ["ConvNet", "MLP", "LeNet", "AlexNet", "VGG11", "ResNet18", "ResNet20", "NFWideResNet"]
)
def test_a_network_names_what_is_no_batch_of_its_images(name):
    network = sb.networks.build(name, 10, 3, 32).eval()
    for wrong in (torch.rand(3, 32, 32), torch.rand(2, 1, 32, 32), torch.rand(2, 3, 24, 24), "x", torch.rand(2, 3)):
        with pytest.raises((TypeError, ValueError), match="^x: expected"):
            network(wrong)


def test_every_argument_says_what_it_may_be():
    vague = [
        f"{label}({name})"
        for label, function in doors()
        if hasattr(function, "__door__")
        for name, hint in hints_of(function).items()
        if not bad_values(hint)
    ]
    assert vague == []


if __name__ == "__main__":
    print(*(label for label, function in doors() if not hasattr(function, "__door__") and hints_of(function)), sep="\n")

"""The door: what an argument may be stands in its annotation, and is checked once, where a public function is entered.

Behind the door a method computes, and checks nothing but what relates two arguments. `domains.py` has the annotations.
The mechanism, this file and `_annotations.py`, is held to 150 lines of code. The vocabulary, `domains.py`, counts
apart: it is a list that any mechanism would need, and grows with every kind of argument.
Two well-kept libraries were measured first: pydantic's validate_call (12 us a call) takes "0.5", True and infinity for
numbers and names an argument by its position; beartype's validators (10 us) refuse NumPy's numbers and quote the source
of a test in place of what is allowed.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, overload

import torch

from simplebits._annotations import Check, check_of

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)


@overload
def door(entered: C, *, renamed: Mapping[str, str] | None = None) -> C: ...
@overload
def door(entered: Callable[P, R], *, renamed: Mapping[str, str] | None = None) -> Callable[P, R]: ...
@overload
def door(entered: None = None, *, renamed: Mapping[str, str]) -> Callable[[R], R]: ...


def door(entered: Any = None, *, renamed: Mapping[str, str] | None = None) -> Any:
    """Check arguments by their annotations; of a class, those of its constructor.

    Args:
        entered: the public function or class.
        renamed: old keyword to new one: the old one is still taken, with a DeprecationWarning.

    >>> from simplebits.domains import Positive
    >>> @door
    ... def halve(width: Positive) -> float:
    ...     return width / 2
    >>> halve(-1)
    Traceback (most recent call last):
    ...
    ValueError: width=-1: give a number above 0
    """
    if entered is None:
        return functools.partial(door, renamed=renamed)
    if not isinstance(entered, type):
        return _guarded(entered, entered, renamed or {})
    source = entered if dataclasses.is_dataclass(entered) else entered.__init__  # a data class has its fields' hints
    entered.__init__ = _guarded(entered.__init__, source, renamed or {})
    return entered


def _guarded(function: Callable[..., Any], source: Any, renamed: Mapping[str, str]) -> Callable[..., Any]:
    @functools.cache
    def of_arguments() -> tuple[list[tuple[str, Check | None]], tuple[str, Check | None], dict[str, Check], dict]:
        """Read checks off the annotations, by position and by name; at the first call, as reading is cheap there."""
        hints = typing.get_type_hints(source, include_extras=True)
        by_position, further, by_name, chosen = [], ("", None), {}, {}
        for name, parameter in inspect.signature(function).parameters.items():
            check = check_of(hints[name]) if name in hints else None
            if parameter.kind is parameter.VAR_POSITIONAL:
                further = name, check
            elif parameter.kind is not parameter.VAR_KEYWORD:
                by_name |= {name: check} if check else {}
                chosen |= {name: parameter.default} if getattr(check, "chooses", False) else {}
                by_position += [(name, check)] if parameter.kind is not parameter.KEYWORD_ONLY else []
        return by_position, further, by_name, chosen

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():  # the outermost call, which is not compiled, has checked
            return function(*args, **kwargs)
        for old, new in renamed.items():
            if old in kwargs:
                text = f"{function.__qualname__}: {old}= is called {new}= now; the old name goes in the next version"
                warnings.warn(text, DeprecationWarning, stacklevel=2)
                if new in kwargs:
                    raise TypeError(f"{function.__qualname__}: got {old}= and {new}=, which are one argument")
                kwargs[new] = kwargs.pop(old)
        by_position, further, by_name, chosen = of_arguments()
        if chosen:  # a default such as device=None, which the check replaces by what it stands for
            taken = {name for name, _ in by_position[: len(args)]}
            kwargs = {name: value for name, value in chosen.items() if name not in taken} | kwargs
        passed = list(args)
        for i, value in enumerate(args):
            beyond = i - len(by_position)
            name, check = by_position[i] if beyond < 0 else (f"{further[0]}[{beyond}]", further[1])
            if check is not None:
                passed[i] = check(name, value)
        for name in kwargs.keys() & by_name.keys():
            kwargs[name] = by_name[name](name, kwargs[name])
        return function(*passed, **kwargs)

    vars(wrapper)["__door__"] = function  # by which tests find every door
    return wrapper

"""What an annotation demands of an argument, as a function that checks it."""

from __future__ import annotations

import collections.abc
import functools
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, SupportsFloat, Union

from jaxtyping import AbstractArray

from simplebits import domains

Check = Callable[[str, Any], Any]  # an argument's name and value -> the value to pass on; or raises


def check_of(hint: Any) -> Check | None:
    """Find the check that an annotation demands; None where anything may come."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        wanted = [check for check in inner[1:] if callable(check)]
        kind = None if any(getattr(check, "whole", False) for check in wanted) else check_of(inner[0])
        return _in_turn([kind, *wanted] if kind else wanted)
    if origin in (Union, types.UnionType):
        return _any_of([arg for arg in inner if arg is not type(None)], type(None) in inner)
    if origin is Literal:
        return functools.partial(domains.one_of, known=inner)
    if origin is not None:
        return _container(origin, inner)
    simple = {int: domains.INTEGER, float: domains.NUMBER, SupportsFloat: domains.convertible, bool: domains.boolean}
    simple |= {Path: domains.path, collections.abc.Callable: domains.function}
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return functools.partial(domains.dtype_and_shape, hint=hint)
    checkable = isinstance(hint, type) and hint not in (object, Any) and not getattr(hint, "_is_protocol", False)
    return functools.partial(domains.instance, kind=hint) if checkable else None


def _in_turn(checks: list[Check]) -> Check | None:
    def check(argument: str, value: Any) -> Any:
        for one in checks:
            value = one(argument, value)
        return value

    return (checks[0] if len(checks) == 1 else check) if checks else None


def _any_of(hints: list[Any], or_none: bool) -> Check | None:
    checks = [check for check in map(check_of, hints) if check is not None]
    if len(checks) < len(hints):
        return None

    def check(argument: str, value: Any) -> Any:
        if value is None and or_none:
            return None
        errors = []
        for one in checks:
            try:
                return one(argument, value)
            except (TypeError, ValueError) as error:
                errors.append(error)
        # A ValueError says that the kind was right and the value was not, which is the better news.
        raise next((error for error in reversed(errors) if isinstance(error, ValueError)), errors[0])

    return check


def _container(origin: Any, inner: tuple[Any, ...]) -> Check | None:
    if origin is collections.abc.Callable:
        return domains.function
    if not isinstance(origin, type):
        return None
    if issubclass(origin, Mapping):
        return functools.partial(_mapping, of_values=check_of(inner[1]) if inner else None)
    if issubclass(origin, Sequence) and inner:
        fixed = origin is tuple and Ellipsis not in inner
        checks = [check_of(hint) for hint in inner if hint is not Ellipsis]
        return functools.partial(_sequence, kind=origin, checks=checks, length=len(inner) if fixed else None)
    return functools.partial(domains.instance, kind=origin)  # elements of an iterator would be used up


def _mapping(argument: str, value: Any, of_values: Check | None) -> Any:
    domains.instance(argument, value, Mapping)
    if of_values is None:
        return value
    return {key: of_values(f"{argument}[{key!r}]", item) for key, item in value.items()}


def _sequence(argument: str, value: Any, kind: type, checks: list[Check | None], length: int | None) -> Any:
    """Check every element of a sequence, or of an array of numbers; return it as the annotation says."""
    if isinstance(checks[0], domains.Number) and hasattr(value, "tolist") and not getattr(value, "is_meta", False):
        value = value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, str):
        domains.refuse_kind(argument, value, kind)
    if length is not None and len(value) != length:
        raise ValueError(f"{argument}: expected {length} values, got {len(value)}")
    checks = checks if length is not None else checks * len(value)
    if any(checks):
        pairs = enumerate(zip(checks, value, strict=True))
        value = [check(f"{argument}[{i}]", item) if check else item for i, (check, item) in pairs]
    return tuple(value) if kind is tuple else value

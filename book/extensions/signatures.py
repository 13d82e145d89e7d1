"""A Sphinx extension: signatures of the reference as they stand in the source, array shapes included."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from typing import Any


def written(obj: Any) -> tuple[str, str | None] | None:
    """Arguments and result of a function or class as its author wrote them; None where there is no source to read.

    Evaluated annotations are long and lose their aliases; `Float[Tensor, "n c h w"]` is what a reader wants to see.
    """
    if dataclasses.is_dataclass(obj):
        return _fields(obj)
    if getattr(obj, "_is_protocol", False):  # nothing is constructed: what matters is how it is called, if it is
        return written(obj.__call__) if "__call__" in vars(obj) else ("", None)
    target = inspect.unwrap(obj.__init__ if inspect.isclass(obj) and "__init__" in vars(obj) else obj)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(target)))
    except (OSError, TypeError, SyntaxError):
        return None
    function = tree.body[0]
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    arguments = function.args
    for first in (arguments.posonlyargs, arguments.args):
        if first and first[0].arg in ("self", "cls"):
            del first[0]
    arguments, result = _Plain().visit(arguments), function.returns and _Plain().visit(function.returns)
    returns = None if inspect.isclass(obj) or result is None else ast.unparse(result)
    return f"({ast.unparse(arguments)})", returns


class _Plain(ast.NodeTransformer):
    """`Annotated[X, ...]` becomes X: the domain of an argument stands in words beside it."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == "Annotated" and isinstance(node.slice, ast.Tuple):
            return node.slice.elts[0]
        return node


def _fields(kind: type) -> tuple[str, None]:
    """The arguments of a data class: its fields as they are written, those with a default last."""
    texts = []
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        kind_of = ast.unparse(_Plain().visit(ast.parse(str(field.type), mode="eval")))
        default = "" if field.default is dataclasses.MISSING else f" = {field.default!r}"
        if field.default_factory is not dataclasses.MISSING:
            default = f" = {getattr(field.default_factory, '__name__', '...')}()"
        texts.append(f"{field.name}: {kind_of}{default}")
    return f"({', '.join(texts)})", None


def process(app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None) -> Any:
    """Sphinx's event `autodoc-process-signature`."""
    if what not in ("function", "method", "class", "exception") or signature is None:
        return None
    if isinstance(obj, property) or (inspect.isclass(obj) and "__init__" not in vars(obj)):
        return None
    return written(obj)


_as_written: dict[str, list[str]] = {}


def keep(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Before napoleon: remember what a property says of itself, in one sentence or more but without sections."""
    if what in ("property", "attribute") and not any(line in ("Raises:", "Returns:", "Args:") for line in lines):
        _as_written[name] = list(lines)


def restore(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """After napoleon, which takes the words before a colon for a type."""
    lines[:] = _as_written.pop(name, lines)


def setup(app: Any) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("autodoc-process-signature", process)
    app.connect("autodoc-process-docstring", keep, priority=400)
    app.connect("autodoc-process-docstring", restore, priority=600)
    return {"parallel_read_safe": True}

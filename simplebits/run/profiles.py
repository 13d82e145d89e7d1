"""Profiles and parameters: which values a notebook runs with, and that it knows every one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from simplebits import _check
from simplebits.run import notebook as notebooks
from simplebits.run.notebook import Notebook

DEFAULT = "laptop"  # the defaults in the notebooks themselves
_FLOAT, _INT, _BOOL = (f"tag:yaml.org,2002:{kind}" for kind in ("float", "int", "bool"))
_NUMBER = r"[-+]?((\d[\d_]*\.[\d_]*|\.\d+)([eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+|\.inf|\.nan)$"
_ORDER = ("smoke", DEFAULT, "standard")


def names(root: Path) -> list[str]:
    """List the profiles there are, smallest first."""
    known = {DEFAULT, *(path.stem for path in (root / "notebooks" / "profiles").glob("*.yml"))}
    return sorted(known, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))


def load(root: Path, profile: str) -> dict[str, dict[str, Any]]:
    """Load parameters by notebook stem, as the profile's file gives them; nothing for `laptop`.

    Raises:
        ValueError: an unknown profile, a file of another shape, or a notebook in it that does not exist.
    """
    _check.one_of("profile", profile, names(root))
    path = root / "notebooks" / "profiles" / f"{profile}.yml"
    if not path.is_file():
        return {}
    content = parse(path.read_text(encoding="utf-8"), str(path)) or {}
    if not isinstance(content, dict) or not all(isinstance(values, dict | None) for values in content.values()):
        raise ValueError(f"{path}: expected notebook: {{parameter: value}} on every line, got {content!r:.80}")
    known = [notebook.stem for notebook in notebooks.all_of(root)]
    for stem in content:
        _check.one_of(f"{path.name}: notebook", stem, known)
    return {stem: values or {} for stem, values in content.items()}


def parse(text: str, where: str = "value") -> Any:
    """Read a YAML literal as YAML 1.2 has it: `1e-3` is a number, `010` is ten, `on`, `off`, `yes`, `no` are words.

    Raises:
        ValueError: not YAML.

    >>> parse("1e-3"), parse("010"), parse("[16, 32]"), parse("mnist"), parse("true"), parse("no"), parse("1:30")
    (0.001, 10, [16, 32], 'mnist', True, 'no', '1:30')
    """
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, ten times as fast

    class Loader(base):
        """A SafeLoader that reads numbers and truth values as YAML 1.2 does."""

        yaml_implicit_resolvers: ClassVar = {
            first: [(tag, rule) for tag, rule in rules if tag not in (_FLOAT, _INT, _BOOL)]
            for first, rules in base.yaml_implicit_resolvers.items()
        }

    Loader.add_implicit_resolver(_FLOAT, re.compile(_NUMBER), list("-+0123456789."))
    Loader.add_implicit_resolver(_INT, re.compile(r"[-+]?\d[\d_]*$"), list("-+0123456789"))
    Loader.add_constructor(_INT, lambda loader, node: int(loader.construct_scalar(node)))
    Loader.add_implicit_resolver(_BOOL, re.compile(r"([Tt]rue|[Ff]alse)$"), list("tTfF"))
    try:
        return yaml.load(text, Loader)  # noqa: S506
    except yaml.YAMLError as error:
        raise ValueError(f"{where}: {text!r:.80} is not YAML ({str(error).splitlines()[0]})") from error


def given(notebook: Notebook, profile: str, values: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Join what is passed to the notebook: the profile's values, and the caller's own over them.

    Raises:
        ValueError: a name the notebook does not declare (the nearest is named), or a value of another kind than its
            default.
    """
    known = notebook.parameters()
    for source, part in ((f"profile {profile!r}, ", values), ("", own)):
        for name, value in part.items():
            argument = f"{source}{notebook.stem}: parameter"
            if name not in known:
                raise ValueError(
                    f"{argument} {name!r} is not known; "
                    + (_check.nearest(name, known) if known else "this notebook has no parameters")
                )
            default = known[name]
            if default is not None and value is not None and _kind(value) != _kind(default):
                raise ValueError(f"{argument} {name!r} takes {_kind(default)} (default {default!r}), got {value!r}")
    return {**values, **own}


def _kind(value: Any) -> str:
    kinds = ((bool, "true or false"), (int | float, "a number"), (str, "a word"), (list | tuple, "a list like [1, 2]"))
    return next((text for kind, text in kinds if isinstance(value, kind)), "a mapping")

"""Studies and their cases: which published numbers each case judges, with which parameters, at what cost.

A study is one published table or figure, `notebooks/studies/dc_table_2.yml`. Its cases run in the notebook of its
protocol, which it names (`notebook: condense`) where that is not its own name: several tables share one protocol.
"""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simplebits import _check
from simplebits.run import profiles
from simplebits.run.notebook import Notebook

SMOKE = "smoke"
_STUDY = {"title", "claims", "measured", "notebook", "version", "tolerance", "units", "differs", "diagnosis", "cases"}
_CASE = {"parameters", "numbers", "near", "reduced", "needs"}


@dataclass(frozen=True)
class Case:
    """One run of a study: a row or a cell of its table.

    Attributes:
        study: stem of the study, `dc_table_2`.
        name: of the case, `mlp`.
        parameters: values over the notebook's defaults, which are the paper's setting.
        numbers: keys of the published numbers and claims that it judges.
        near: what alone differs from the paper's setting; empty where nothing does.
        reduced: in which way the setting is smaller than the paper's; empty where it is not.
        data: image sets it needs.
        cpu_hours: what it takes on one thread; an estimate until the ledger knows.
        gpu_hours: the same on one GPU.
    """

    study: str
    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    near: str = ""
    reduced: str = ""
    data: tuple[str, ...] = ()
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0

    @property
    def smoke(self) -> bool:
        """Whether it is tiny and judges nothing: `smoke`, or one that touches another path, as `smoke-pixels`."""
        return self.name == SMOKE or self.name.startswith(f"{SMOKE}-")

    @property
    def level(self) -> str:
        """`paper`, `near` or `reduced`."""
        return "near" if self.near else "reduced" if self.reduced else "paper"

    def __str__(self) -> str:
        return f"{self.study} {self.name}"


@dataclass(frozen=True)
class Study:
    """One published table or figure.

    Attributes:
        notebook: in which its cases run.
        name: stem of its file.
        title: what it is called on its page.
        claims: what the table claims, in a sentence or two.
        measured: how that is measured here.
        version: raised when the method is meant to compute something else than before; older records are then marked.
        tolerance: up to which two fingerprints are equal, relative to their largest number.
        units: parameters that only list independent units: runs with other lists are joined.
        differs: what differs from the paper in every case, a line each.
        diagnosis: what explains a miss, Markdown.
        cases: by name.
    """

    notebook: Notebook
    name: str
    title: str
    claims: str
    measured: str
    version: int
    tolerance: float
    units: tuple[str, ...]
    differs: tuple[str, ...]
    diagnosis: str
    cases: Mapping[str, Case]

    @property
    def smokes(self) -> tuple[Case, ...]:
        """Its tiny cases, which tell whether the method computes something else than before."""
        return tuple(case for case in self.cases.values() if case.smoke)

    @property
    def numbers(self) -> tuple[str, ...]:
        """What its cases judge together."""
        return tuple(dict.fromkeys(key for case in self.cases.values() for key in case.numbers))


def folder(root: Path) -> Path:
    """Name the folder where studies lie."""
    return root / "notebooks" / "studies"


def all_of(root: Path) -> dict[str, Study]:
    """Load all studies, by name.

    Raises:
        ValueError: as `load`.
    """
    return {path.stem: load(root, path.stem) for path in sorted(folder(root).glob("*.yml"))}


def load(root: Path, name: str) -> Study:
    """Read one study.

    Raises:
        ValueError: an unknown study, a file of another shape, a notebook or a parameter that does not exist, a number
            that is not published; the file and the nearest known name are named.
    """
    known = [path.stem for path in sorted(folder(root).glob("*.yml"))]
    path = folder(root) / f"{_check.one_of('study', name, known)}.yml"
    return _read(root, name, path, path.stat().st_mtime_ns)


@functools.lru_cache(256)
def _read(root: Path, name: str, path: Path, _: int) -> Study:
    """Read one file; a changed one is read again."""
    content = profiles.parse(path.read_text(encoding="utf-8"), str(path))
    if not isinstance(content, dict) or not {"title", "claims", "cases"} <= content.keys():
        raise ValueError(f"{path}: expected title, claims and cases at least")
    _known(path.name, content, _STUDY)
    stem = content.get("notebook", name)
    if not (folder(root) / f"{stem}.ipynb").is_file():
        raise ValueError(f"{path}: notebook {stem!r} is not there; {_check.nearest(stem, _notebooks(root))}")
    notebook = Notebook(root, f"studies/{stem}")
    cases = {str(case): _case(path, name, case, entry or {}, notebook) for case, entry in content["cases"].items()}
    if SMOKE not in cases:
        raise ValueError(f"{path}: a case {SMOKE!r} is missing, by which changes of the method are found out")
    return Study(
        notebook, name, content["title"], content["claims"], content.get("measured", ""), content.get("version", 1),
        float(content.get("tolerance", 1e-3)), tuple(content.get("units", ())), tuple(content.get("differs", ())),
        content.get("diagnosis", ""), cases,
    )  # fmt: skip


def choose(root: Path, words: Sequence[str]) -> list[Case]:
    """Find the cases that are named: a study for all of its cases, or a study and some of them.

    Raises:
        ValueError: an unknown study or case; the nearest known one is named.
    """
    if not words:
        return [case for study in all_of(root).values() for case in study.cases.values() if not case.smoke]
    study = load(root, words[0])
    names = words[1:] or [name for name, case in study.cases.items() if not case.smoke]
    return [study.cases[_check.one_of(f"case of {study.name}", name, study.cases)] for name in names]


def _case(path: Path, study: str, name: str, entry: Mapping[str, Any], notebook: Notebook) -> Case:
    where = f"{path.name}, case {name}"
    _known(where, entry, _CASE)
    needs = entry.get("needs", {})
    _known(f"{where}, needs", needs, {"data", "cpu_hours", "gpu_hours"})
    parameters = entry.get("parameters", {})
    profiles.given(notebook, where, parameters, {})
    if entry.get("near") and entry.get("reduced"):
        raise ValueError(f"{where}: near the paper's setting or reduced, not both")
    return Case(
        study, str(name), parameters, _numbers(where, entry.get("numbers", ())), str(entry.get("near", "")),
        str(entry.get("reduced", "")), tuple(needs.get("data", ())), float(needs.get("cpu_hours", 0)),
        float(needs.get("gpu_hours", 0)),
    )  # fmt: skip


def _numbers(where: str, patterns: Iterable[str]) -> tuple[str, ...]:
    """List the keys of published numbers; `dc.cross-architecture.mlp.*` stands for all that fit."""
    from simplebits.report.published import everything, published

    listed: dict[str, None] = {}
    for pattern in patterns:
        if set(pattern) & set("*?["):
            keys = fnmatch.filter(everything(), pattern)
            if not keys:
                raise ValueError(f"{where}: no published number fits {pattern!r}")
        else:
            try:
                keys = [published(pattern).key]
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from error
        listed |= dict.fromkeys(keys)
    return tuple(listed)


def _known(where: str, entry: Mapping[str, Any], known: set[str]) -> None:
    for name in entry:
        if name not in known:
            raise ValueError(f"{where}: {name!r} is not known; {_check.nearest(name, sorted(known))}")


def _notebooks(root: Path) -> list[str]:
    return [path.stem for path in sorted(folder(root).glob("*.ipynb"))]

"""What a run depends on, as digests: the run is repeated when one of them has changed, and only then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simplebits import _files, _here
from simplebits.run.notebook import Notebook

if TYPE_CHECKING:
    from simplebits.data.torchvision_sets import Source

PACKAGE = Path(_files.__file__).parent
VERSIONS = (
    "torch",
    "torchvision",
    "numpy",
    "scikit-learn",
    "scikit-image",
    "scipy",
    "pillow",
    "matplotlib",
    "ipywidgets",
)
_WORDS = {
    "source": "the notebook",
    "parameters": "its parameters",
    "package": "the package's sources",
    "weights": "weights",
    "published": "published.yml",
    "versions": "versions",
    "data": "data files",
}


def shared(folder: Path) -> dict[str, Any]:
    """Digest what all runs in this repository depend on.

    Returns:
        `package` and `published`: digests; `weights`: file to digest; `versions`: package to version.
    """
    files = {path.relative_to(PACKAGE).as_posix(): path for path in _package_files()}
    weights = {name: path for name, path in files.items() if name.endswith(".safetensors")}
    published = folder / "book" / "results" / "published.yml"
    return {
        "package": _hash({name: _files.sha256(path) for name, path in files.items() if name not in weights}),
        "weights": {name: _files.sha256(path) for name, path in weights.items()},
        "published": _files.sha256(published) if published.is_file() else None,
        "versions": _here.versions(VERSIONS),
    }


def own(notebook: Notebook, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Digest what a run of this notebook depends on besides.

    Args:
        notebook: which.
        parameters: all of them with their values, defaults included.

    Returns:
        `source`, `parameters`: digests; `data`: file under the data folder to [bytes, seconds], None where it is not
        there (yet).
    """
    return {
        "source": source(notebook),
        "parameters": _hash(dict(parameters)),
        "data": data_files(parameters),
    }


def source(notebook: Notebook) -> str:
    """Compute a digest of the notebook's cells without their outputs."""
    return _hash([[cell["kind"], cell["tags"], cell["source"]] for cell in notebook.cells()])


def total(parts: Mapping[str, Any]) -> str:
    """Compute one digest of all parts."""
    return _hash(parts)


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Say what differs between two runs' parts; empty where nothing does."""
    return ", ".join(word for key, word in _WORDS.items() if old.get(key) != new.get(key))


def data_files(parameters: Mapping[str, Any]) -> dict[str, list[float] | None]:
    """Look up size and time of the files of every image set that a parameter names."""
    if not (sets := _sets(parameters)):
        return {}
    from simplebits.data import root

    return {file: _stat(root() / file) for source in sets.values() for split in source.files.values() for file in split}


def data_sums(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Compute a digest for every image set that a parameter names, of its files' published sums, checked at loading."""
    if not (sets := _sets(parameters)):
        return {}
    from simplebits.data import root

    sums = {}
    for name, source in sets.items():
        files = {file: md5 for split in source.files.values() for file, md5 in split.items()}
        here = {
            file: md5 or _files.sha256(root() / file) for file, md5 in files.items() if md5 or (root() / file).is_file()
        }
        if len(here) == len(files):
            sums[name] = _hash(here)
    return sums


def _sets(parameters: Mapping[str, Any]) -> dict[str, Source]:
    words = {word for value in parameters.values() for word in _strings(value)}
    if not words:
        return {}
    # Reading the list of sets imports torch: only for notebooks that have words among their parameters.
    from simplebits.data.torchvision_sets import SOURCES

    return {name: SOURCES[name] for name in sorted(words & set(SOURCES))}


def settle(parts: Mapping[str, Any], notebook: Notebook, data_root: Path) -> dict[str, Any]:
    """Bring the parts up to date once the run is over.

    Data files that were not there before are those the run has fetched, and count as if they had been. Where sources
    were changed while it ran, nobody can say which ones it used: the parts then equal those of no run to come.
    """
    now = shared(notebook.root) | {"source": source(notebook)}
    changed = {name: [part, now[name]] for name, part in parts.items() if now.get(name, part) != part}
    data = {file: stat or _stat(data_root / file) for file, stat in parts["data"].items()}
    return {**parts, **changed, "data": data}


def _stat(path: Path) -> list[float] | None:
    return [float(path.stat().st_size), path.stat().st_mtime] if path.is_file() else None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (word for item in value.items() for part in item for word in _strings(part))
    elif isinstance(value, list | tuple):
        yield from (word for item in value for word in _strings(item))


def _package_files() -> list[Path]:
    files = (path for path in PACKAGE.rglob("*") if path.is_file())
    return sorted(path for path in files if path.parent.name != "__pycache__" and path.suffix != ".part")


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()

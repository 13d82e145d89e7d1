"""Notebooks with parameters, run and remembered: profiles, papermill, sweeps, the book, the command line."""

import importlib
from typing import TYPE_CHECKING

from simplebits import _here

if TYPE_CHECKING:  # imported when first touched, see below
    from simplebits.run import (
        address,
        book,
        datasets,
        digest,
        doctor,
        execute,
        job,
        notebook,
        outcome,
        profiles,
        reproduce,
        spread,
        studies,
        summary,
        sweep,
    )

__all__ = [
    "address",
    "book",
    "datasets",
    "digest",
    "doctor",
    "execute",
    "job",
    "notebook",
    "outcome",
    "profiles",
    "reproduce",
    "spread",
    "studies",
    "summary",
    "sweep",
]

_here.require_book("simplebits.run, which runs notebooks and builds the book,")


def __getattr__(name: str) -> object:
    if name in __all__:
        return importlib.import_module(f"simplebits.run.{name}")
    raise AttributeError(f"module 'simplebits.run' has no attribute {name!r}; it has {', '.join(__all__)}")

"""Notebooks with parameters, run and remembered: profiles, papermill, sweeps, the book, the command line."""

import importlib

__all__ = [
    "address",
    "book",
    "datasets",
    "digest",
    "doctor",
    "execute",
    "job",
    "notebook",
    "profiles",
    "reproduce",
    "studies",
    "summary",
    "sweep",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        return importlib.import_module(f"simplebits.run.{name}")
    raise AttributeError(f"module 'simplebits.run' has no attribute {name!r}; it has {', '.join(__all__)}")

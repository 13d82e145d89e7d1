"""Where the repository is: notebooks, book and ledger lie in a checkout, not in the installed package."""

from __future__ import annotations

from pathlib import Path

from simplebits._here import MARKS, repository


def require(start: Path | None = None) -> Path:
    """Find the nearest folder at or above `start` (the working directory) that holds the book.

    Raises:
        FileNotFoundError: this is not inside a checkout; says how to get one.
    """
    if folder := repository(start):
        return folder
    raise FileNotFoundError(
        f"{(start or Path.cwd()).resolve()} is not inside a checkout of the repository (no {' and '.join(MARKS)} there "
        f"or above), and the installed package alone holds no notebooks. Get one and work inside it: "
        f"git clone {published_address()}"
    )


def published_address() -> str:
    """Look up the repository's public address, as the installed package states it."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        urls = metadata("simplebits").get_all("Project-URL") or []
    except PackageNotFoundError:
        urls = []
    addresses = [url.partition(",")[2].strip() for url in urls if url.lower().startswith("repository,")]
    return addresses[0] if addresses else "<address of the repository>"

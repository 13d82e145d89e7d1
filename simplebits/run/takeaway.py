"""The book to take along: the site as one file that opens without a network, and an e-book."""

from __future__ import annotations

import shutil
from pathlib import Path

from simplebits import _files
from simplebits.run import render


def zipped(root: Path) -> Path:
    """Pack the built website; unpacked, its index.html opens without a network.

    Args:
        root: the repository, whose website has been built.

    Returns:
        `_build/simplebits.zip`.
    """
    build = root / "_build"
    target = build / "simplebits.zip"
    _files.write_atomic(target, lambda part: shutil.move(shutil.make_archive(str(part), "zip", build, "html"), part))
    return target


def epub(root: Path) -> Path:
    """Make an e-book of the pages that the website was built from; sliders show their first picture.

    Args:
        root: the repository, whose website has been built.

    Returns:
        `_build/simplebits.epub`.

    Raises:
        RuntimeError: with what Sphinx complained of.
    """
    build = root / "_build"
    made = render.sphinx(build / "stage", build / "render-epub", "epub", warnings_as_errors=False)
    (found,) = made.glob("*.epub")
    target = build / "simplebits.epub"
    _files.write_atomic(target, lambda part: shutil.copyfile(found, part))
    return target

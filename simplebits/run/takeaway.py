"""The book to take along: the site as one file that opens without a network, and the lessons as a PDF."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from simplebits import _files
from simplebits.run import book

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SECONDS = 20  # of a page's own time, for its formulas; the clock does not wait for them
PATIENCE = 120  # seconds by the clock for one page


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


def pdf(root: Path) -> Path:
    """Print the lessons of the built website into one file; sliders show their first picture.

    Args:
        root: the repository, whose website has been built.

    Returns:
        `_build/simplebits.pdf`, with the lessons as bookmarks.

    Raises:
        FileNotFoundError: no Chromium or Chrome, which prints the pages, is installed here.
        RuntimeError: a page was not printed.
    """
    from pypdf import PdfReader, PdfWriter

    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise FileNotFoundError("a PDF is printed by Chromium or Chrome, and none is installed: apt install chromium")
    whole, target = PdfWriter(), root / "_build" / "simplebits.pdf"
    with tempfile.TemporaryDirectory() as folder:
        for entry in book.contents(root):
            if entry.startswith("notebooks/"):
                printed = _printed(browser, root / "_build" / "html" / f"{entry}.html", Path(folder))
                whole.append(PdfReader(printed), outline_item=Path(entry).name.replace("_", " "))
        _files.write_atomic(target, whole.write)
    return target


def _printed(browser: str, page: Path, folder: Path) -> Path:
    target = folder / f"{page.stem}.pdf"
    command = [
        browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
        f"--user-data-dir={folder / 'profile'}", f"--virtual-time-budget={SECONDS * 1000}",
        f"--print-to-pdf={target}", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    if not target.is_file():
        raise RuntimeError(f"{page.name} was not printed: {done.stderr.strip()[-300:]}")
    return target

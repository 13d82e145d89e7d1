"""The website: prose, executed notebooks and generated parts in, pages without warnings and outside requests out."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from simplebits import _files
from simplebits.run import address, digest, execute, numbers, profiles, studies, study_pages
from simplebits.run import notebook as notebooks
from simplebits.run.worker import plain

PAGE_LIMIT = 2_000_000  # bytes of one page with its own pictures, shared scripts not counted
_COLAB_BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]")
_SOLUTION = re.compile(r"<details>\s*<summary>\s*Solution.*?</details>\s*", re.DOTALL | re.IGNORECASE)
_COST = re.compile(r'measured_cost\("(\w+)"\)')
_NBVAL = re.compile(r"^# NBVAL_\w+\n", re.MULTILINE)
_STYLE_FETCHES = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)")
# Attributes that make a browser fetch something when it opens the page (plain links do not).
_FETCHED = {"src", "srcset", "poster", "data"}
_FETCHED_LINKS = {
    "stylesheet",
    "icon",
    "shortcut icon",
    "preload",
    "modulepreload",
    "preconnect",
    "dns-prefetch",
    "manifest",
}


def build(root: Path, profile: str = profiles.DEFAULT, warnings_as_errors: bool = True) -> Path:
    """Build the website from the executed notebooks of a profile.

    Nothing is executed here. Until the new site is whole and has passed `faults`, the old one stays.

    Args:
        root: the repository.
        profile: whose executed notebooks are shown.
        warnings_as_errors: a warning of Sphinx stops the build; broken references are warnings.

    Returns:
        `_build/html/index.html`.

    Raises:
        RuntimeError: a chapter's executed notebook is missing or not up to date (names it and the command that makes
            it), Sphinx complained, or a page is too large or would ask another host for something.
    """
    root = Path(root).resolve()
    entries = contents(root)
    chapters = [Path(entry).name for entry in entries if entry.startswith("notebooks/")]
    stale = [stem for stem in chapters if not execute.fresh(stem, profile, folder=root)]
    if stale:
        raise RuntimeError(
            f"not up to date in profile {profile}: {', '.join(stale)}. The website never shows an old or missing run; "
            f"make them: simplebits run {' '.join(stale)} --profile {profile}"
        )
    build_folder = root / "_build"
    stage, site = build_folder / "stage", build_folder / "html"
    executed = {stem: execute.executed_path(stem, profile, folder=root) for stem in chapters}
    assemble(root, stage, executed, entries)
    fresh = render(stage, build_folder / "render", warnings_as_errors)
    if found := faults(fresh):
        raise RuntimeError("the website was built, but must not be shown:\n" + "\n".join(found))
    shutil.rmtree(site, ignore_errors=True)
    fresh.rename(site)
    return site / "index.html"


def contents(root: Path) -> list[str]:
    """The pages that `_toc.yml` lists, in order, without their endings."""
    import yaml

    def files(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (value for key, value in node.items() if key in ("root", "file"))
            yield from (file for value in node.values() for file in files(value))
        elif isinstance(node, list):
            yield from (file for item in node for file in files(item))

    return list(files(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))))


def assemble(root: Path, stage: Path, executed: dict[str, Path], entries: list[str]) -> None:
    """Put everything the website is made of into one folder.

    Args:
        root: the repository.
        stage: the folder; what was there is removed.
        executed: executed notebook of each chapter, by stem.
        entries: the pages of the table of contents.
    """
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree(root / "book", stage / "book", ignore=shutil.ignore_patterns("results", "__pycache__", "*.py.orig"))
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(root / name, stage / name)
    url = address.current(root)
    for page in (stage / "book").rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        text = text.replace("{{ repository }}", url).replace("{{ repository_name }}", url.rsplit("/", 1)[-1])
        page.write_text(text, encoding="utf-8")

    generated = stage / "book" / "generated"
    (stage / "notebooks").mkdir()
    (generated / "handouts").mkdir(parents=True)
    for stem, path in executed.items():
        notebook = _read(path)
        _files.write_text(stage / "notebooks" / f"{stem}.ipynb", json.dumps(shown(notebook)))
        _files.write_text(generated / "handouts" / f"{stem}.ipynb", json.dumps(handout(notebook), indent=1))
    modules = [Path(entry).name for entry in entries if entry.startswith("book/api/")]
    for module in modules:
        _files.write_text(stage / "book" / "api" / f"{module}.md", reference(module))
    _files.write_text(generated / "modules.md", module_table(modules))
    _files.write_text(generated / "chapters.md", chapter_table(executed))
    _write_evidence(root, stage)


def _write_evidence(root: Path, stage: Path) -> None:
    """The scoreboard and the page of every study, from the ledger."""
    from simplebits.report.scoreboard import scoreboard_markdown

    known = studies.all_of(root)
    sources = {notebook.stem: digest.source(notebook) for notebook in notebooks.all_of(root)}
    board = scoreboard_markdown(
        present=study_pages.present(known),
        sources=sources,
        studies={name: study.numbers for name, study in known.items()},
    )
    _files.write_text(stage / "book" / "generated" / "scoreboard.md", board)
    _files.write_text(stage / "book" / "generated" / "studies.md", study_pages.index(root))
    for name, text in study_pages.pages(root).items():
        _files.write_text(stage / "book" / "studies" / f"{name}.md", text)


def shown(notebook: dict[str, Any]) -> dict[str, Any]:
    """An executed notebook as its page shows it.

    The Colab badge, a picture from another host, becomes a plain link; numbers in sentences become those of this run,
    see `numbers`; marks for the tests go; values that replace the defaults say whose they are; the cost of the chapter
    is that of the ledger as it is now, this run included.
    """
    from simplebits.report.cost import measured_cost

    profile = notebook["metadata"].get("simplebits", {}).get("profile")
    for cell in notebook["cells"]:
        source = numbers.live(_COLAB_BADGE.sub("[Open in Colab]", "".join(cell["source"])))
        if cell["cell_type"] == "code":
            source = _NBVAL.sub("", source)
            if found := _COST.search(source):
                table = measured_cost(found[1])._repr_markdown_()
                for data in (output["data"] for output in cell["outputs"] if "data" in output):
                    data["text/markdown"] = table
        if "injected-parameters" in cell["metadata"].get("tags", []) and profile:
            source = source.replace("# Parameters", f"# values of the profile {profile}, in place of the above", 1)
        cell["source"] = source
    return notebook


def handout(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook without solutions, outputs and traces of its run."""
    cells = []
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        if "solution" in tags or "injected-parameters" in tags:
            continue
        metadata = {key: value for key, value in cell["metadata"].items() if key not in ("papermill", "execution")}
        bare = {**cell, "metadata": metadata, "source": _SOLUTION.sub("", "".join(cell["source"]))}
        cells.append({**bare, "outputs": [], "execution_count": None} if cell["cell_type"] == "code" else bare)
    metadata = {key: value for key, value in notebook["metadata"].items() if key in ("kernelspec", "language_info")}
    return {**notebook, "cells": cells, "metadata": metadata}


def reference(module: str) -> str:
    """The page of a module: what it says of itself, a table of what it offers, and all docstrings.

    A module that only gathers other modules shows those one after the other.
    """
    loaded = importlib.import_module(module)
    parts = [name for name in getattr(loaded, "__all__", ()) if inspect.ismodule(getattr(loaded, name))]
    names = [f"{module}.{name}" for name in parts] or [module]
    text = [f"# {module}", ""]
    if parts:
        text += [str(inspect.getdoc(loaded)), ""]
    for name in names:
        text += [f"## {name}", ""] if parts else []
        text += ["```{eval-rst}", f".. automodule:: {name}", "   :members:", "```", ""]
    return "\n".join(text)


def module_table(modules: list[str]) -> str:
    """The modules of the reference, each with the first sentence of its docstring."""
    rows = [f"| [`{name}`](/book/api/{name}.md) | {_summary(importlib.import_module(name))} |" for name in modules]
    return "\n".join(["| module | what it holds |", "|---|---|", *rows, ""])


def chapter_table(executed: dict[str, Path]) -> str:
    """Chapters with their measured cost and their handout."""
    from simplebits.report.cost import measured_cost

    text = []
    for stem, path in executed.items():
        prose = "\n".join("".join(cell["source"]) for cell in _read(path)["cells"] if cell["cell_type"] == "markdown")
        heading = re.search(r"^# (.+)", prose, re.MULTILINE)
        links = (
            f"[The chapter](/notebooks/{stem}.ipynb), its "
            f"{{download}}`handout without solutions <generated/handouts/{stem}.ipynb>`"
        )
        cost = measured_cost(stem)._repr_markdown_()
        text += [f"### {heading[1] if heading else stem}", "", cost, "", links, ""]
    return "\n".join(text)


def render(stage: Path, target: Path, warnings_as_errors: bool = True) -> Path:
    """Have jupyter-book make HTML of a staged folder; returns the folder that holds it.

    Raises:
        RuntimeError: with the warnings and errors it printed.
    """
    shutil.rmtree(target, ignore_errors=True)
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(stage),
        "--path-output",
        str(target),
        "-n",
        *(["-W", "--keep-going"] if warnings_as_errors else []),
    ]
    package = str(Path(execute.__file__).resolve().parents[2])
    path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"PYTHONPATH": path, "NO_COLOR": "1"},
    )
    if done.returncode:
        said = plain(done.stdout + done.stderr).splitlines()
        complaints = [line for line in said if "WARNING" in line or "ERROR" in line] or said[-20:]
        raise RuntimeError("jupyter-book did not build the website:\n" + "\n".join(dict.fromkeys(complaints)))
    site = target / "_build" / "html"
    # jupyter-book's forward to the first page is bare, and browsers then ask for an icon in vain.
    forward = site / "index.html"
    head = '<!DOCTYPE html><html lang="en"><title>simplebits</title><link rel="icon" href="_static/favicon.svg">\n'
    forward.write_text(head + forward.read_text(encoding="utf-8"), encoding="utf-8")
    return site


def faults(site: Path) -> list[str]:
    """What is wrong with a built site: pages above the limit, and other hosts that opening a page would ask."""
    found = []
    for page in sorted(site.rglob("*.html")):
        name, text = page.relative_to(site).as_posix(), page.read_text(encoding="utf-8")
        reader = _Page()
        reader.feed(text)
        own = {(page.parent / source).resolve() for source in reader.fetched if "_images/" in source}
        size = page.stat().st_size + sum(path.stat().st_size for path in own if path.is_file())
        if size > PAGE_LIMIT:
            found.append(
                f"{name}: {size / 1e6:.2f} MB with its pictures, above the limit of {PAGE_LIMIT / 1e6:g} MB; "
                "show fewer or smaller frames and figures"
            )
        found += [f"{name}: asks {source} of another host" for source in sorted(reader.fetched) if _elsewhere(source)]
    for style in sorted(site.rglob("*.css")):
        name, text = style.relative_to(site).as_posix(), style.read_text(encoding="utf-8")
        found += [f"{name}: asks {source} of another host" for source in _STYLE_FETCHES.findall(text)]
    return found


class _Page(HTMLParser):
    """Collects what a page fetches when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.fetched |= {value for key, value in values.items() if key in _FETCHED}
        if tag == "link" and values.get("rel", "").lower() in _FETCHED_LINKS:
            self.fetched.add(values.get("href", ""))


def _elsewhere(source: str) -> bool:
    return re.match(r"(?:https?:)?//", source) is not None


def _summary(module: Any) -> str:
    return str(inspect.getdoc(module)).split("\n\n")[0].replace("\n", " ")


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))

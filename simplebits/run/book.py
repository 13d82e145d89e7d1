"""The website: prose, executed notebooks and generated parts in, pages without warnings and outside requests out."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simplebits import _files
from simplebits.run import (
    address,
    citations,
    digest,
    execute,
    faults,
    launch,
    live,
    markdown_copies,
    numbers,
    profiles,
    render,
    studies,
    study_pages,
)
from simplebits.run import notebook as notebooks

_SOLUTION = re.compile(r"<details>\s*<summary>\s*Solution.*?</details>\s*", re.DOTALL | re.IGNORECASE)
_COST = re.compile(r'measured_cost\("(\w+)"\)')
FIRST_LOOK = """```{admonition} A first look
:class: warning
Pictures and outputs on this page come from a run with tiny parameters (`smoke`): they show that the code runs, not what
it finds. Numbers in sentences are those of the default run; `simplebits book` makes this page with it.
```"""
_NBVAL = re.compile(r"^# NBVAL_\w+\n", re.MULTILINE)


def build(root: Path, profile: str = profiles.DEFAULT, warnings_as_errors: bool = True) -> Path:
    """Build the website from the executed notebooks of a profile.

    Nothing is executed here. Until the new site is whole and has passed `faults.of`, the old one stays.

    Args:
        root: the repository.
        profile: whose executed notebooks are shown.
        warnings_as_errors: a warning of Sphinx stops the build; broken references are warnings.

    Returns:
        `_build/html/index.html`.

    Raises:
        RuntimeError: a lesson's executed notebook is missing or not up to date (names it and the command that makes
            it), Sphinx complained, or a page is too large or would ask another host for something.
    """
    root = Path(root).resolve()
    entries = contents(root)
    lessons = [Path(entry).name for entry in entries if entry.startswith("notebooks/")]
    stale = [stem for stem in lessons if not execute.fresh(stem, profile, folder=root)]
    if stale:
        raise RuntimeError(
            f"not up to date in profile {profile}: {', '.join(stale)}. The website never shows an old or missing run; "
            f"make them: simplebits run {' '.join(stale)} --profile {profile}"
        )
    build_folder = root / "_build"
    stage, site = build_folder / "stage", build_folder / "html"
    executed = {stem: execute.executed_path(stem, profile, folder=root) for stem in lessons}
    assemble(root, stage, executed, entries)
    fresh = render.website(stage, build_folder / "render", warnings_as_errors)
    markdown_copies.write(stage, fresh, executed, entries)
    if found := faults.of(fresh):
        raise RuntimeError("the website was built, but must not be shown:\n" + "\n".join(found))
    shutil.rmtree(site, ignore_errors=True)
    fresh.rename(site)
    return site / "index.html"


def contents(root: Path) -> list[str]:
    """List the pages of `_toc.yml`, in order, without their endings."""
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
        executed: executed notebook of each lesson, by stem.
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
    _files.write_text(generated / "lessons.md", lesson_table(executed))
    if "book/live" in entries:
        live.write(stage)
    _write_evidence(root, stage)


def _write_evidence(root: Path, stage: Path) -> None:
    """Write the scoreboard and the page of every study, from the ledger."""
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
    """Turn an executed notebook into what its page shows.

    The Colab badge, a picture from another host, becomes links; numbers in sentences become those of this run, see
    `numbers`; marks for the tests go; values that replace the defaults say whose they are; the cost of the lesson is
    that of the ledger as it is now, this run included. Of a smoke run, which shows that code runs and nothing else, the
    sentences keep the default run's numbers, and the page says so. The cell that hands numbers to the ledger teaches
    nothing: the page takes the numbers and leaves the cell out.
    """
    from simplebits.report.cost import measured_cost

    profile = notebook["metadata"].get("simplebits", {}).get("profile")
    number = numbers.plain if profile == "smoke" else numbers.live
    for cell in notebook["cells"]:
        source = citations.live(number(launch.in_place_of_badges("".join(cell["source"]))))
        if cell["cell_type"] == "code":
            source = _NBVAL.sub("", source)
            if numbers.recording(cell):
                cell["metadata"]["tags"].append("remove-cell")
            if found := _COST.search(source):
                table = measured_cost(found[1]).table()
                for data in (output["data"] for output in cell["outputs"] if "data" in output):
                    data["text/markdown"] = table
        if "injected-parameters" in cell["metadata"].get("tags", []) and profile:
            source = source.replace("# Parameters", f"# values of the profile {profile}, in place of the above", 1)
        cell["source"] = source
    if profile == "smoke":
        note = {"id": "first-look", "cell_type": "markdown", "metadata": {}, "source": FIRST_LOOK}
        notebook["cells"].insert(1, note)
    return notebook


def handout(notebook: dict[str, Any]) -> dict[str, Any]:
    """Strip a notebook of solutions, outputs and traces of its run."""
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
    """Write the page of a module: what it says of itself, a table of what it offers, and all docstrings.

    Modules that it offers, beside functions and classes or alone, follow one after the other.
    """
    loaded = importlib.import_module(module)
    offered = {name: inspect.ismodule(getattr(loaded, name)) for name in getattr(loaded, "__all__", ())}
    parts = [f"{module}.{name}" for name, is_module in offered.items() if is_module]
    text = [f"# {module}", ""]
    if offered and len(parts) == len(offered):
        text += [str(inspect.getdoc(loaded)), ""]
    else:
        text += ["```{eval-rst}", f".. automodule:: {module}", "   :members:"]
        text += [f"   :exclude-members: {', '.join(name.rsplit('.', 1)[-1] for name in parts)}"] if parts else []
        text += ["```", ""]
    for name in parts:
        text += [f"## {name}", "", "```{eval-rst}", f".. automodule:: {name}", "   :members:", "```", ""]
    return "\n".join(text)


def module_table(modules: list[str]) -> str:
    """List the modules of the reference, each with the first sentence of its docstring."""
    rows = [f"| [`{name}`](/book/api/{name}.md) | {_summary(importlib.import_module(name))} |" for name in modules]
    return "\n".join(["| module | what it holds |", "|---|---|", *rows, ""])


def lesson_table(executed: dict[str, Path]) -> str:
    """Lessons with their measured cost and their handout."""
    from simplebits.report.cost import measured_cost

    text = []
    for stem, path in executed.items():
        prose = "\n".join("".join(cell["source"]) for cell in _read(path)["cells"] if cell["cell_type"] == "markdown")
        heading = re.search(r"^# (.+)", prose, re.MULTILINE)
        links = (
            f"[The lesson](/notebooks/{stem}.ipynb), its "
            f"{{download}}`handout without solutions <generated/handouts/{stem}.ipynb>`"
        )
        cost = measured_cost(stem).table()
        text += [f"### {heading[1] if heading else stem}", "", cost, "", links, ""]
    return "\n".join(text)


def _summary(module: Any) -> str:
    return str(inspect.getdoc(module)).split("\n\n")[0].replace("\n", " ")


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))

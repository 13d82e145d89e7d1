"""Sentences with numbers: text in the notebook, the last run's number on the website.

A number that a lesson has measured is written `15.1<!--=subsets.size:.1f-->`: Jupyter and Colab show 15.1, that of the
`laptop` run in the ledger, and hide the comment, which names the record and the format. The website puts the number of
the run that it shows in its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simplebits import _files
from simplebits.run import citations, profiles
from simplebits.run import notebook as notebooks

MARK = re.compile(r"(?P<shown>[+-]?(?:[\d.,]*\d(?:e[+-]?\d+)?|nan|inf)%?)<!--=(?P<name>[\w.-]+):(?P<form>[^<>`]+?)-->")


def live(text: str) -> str:
    """Text for the website: each marked number becomes a reference to the record in the executed notebook.

    >>> live("It takes 15.1<!--=subsets.size:.1f--> % of them.")
    'It takes {glue:text}`subsets.size:.1f` % of them.'
    """
    return MARK.sub(lambda mark: f"{{glue:text}}`{mark['name']}:{mark['form']}`", text)


def plain(text: str) -> str:
    """Text with its numbers as they stand, those of the default run, and without the marks.

    >>> plain("It takes 15.1<!--=subsets.size:.1f--> % of them.")
    'It takes 15.1 % of them.'
    """
    return MARK.sub(lambda mark: mark["shown"], text)


def recording(cell: Mapping[str, Any]) -> bool:
    """Whether a cell is the hidden one of a lesson that hands numbers to the ledger."""
    return "hide-cell" in cell["metadata"].get("tags", []) and "report.record(" in "".join(cell["source"])


def filled(text: str, values: Mapping[str, float]) -> str:
    """Text with each marked number replaced by the value of its record.

    Args:
        text: of a notebook, in either form.
        values: name of a record to its mean.

    Raises:
        ValueError: a mark names a record that is not among these.

    >>> filled("It takes 9<!--=subsets.size:.1f--> %.", {"subsets.size": 15.123})
    'It takes 15.1<!--=subsets.size:.1f--> %.'
    """

    def number(mark: re.Match[str]) -> str:
        if mark["name"] not in values:
            raise ValueError(f"{mark[0]} names {mark['name']!r}, which no record of the run has")
        return f"{values[mark['name']]:{mark['form']}}<!--={mark['name']}:{mark['form']}-->"

    return MARK.sub(number, text)


def measured(stem: str, folder: Path) -> dict[str, float]:
    """Name to value of all records of a lesson's newest complete `laptop` run.

    Raises:
        ValueError: the ledger has no such run.
    """
    from simplebits.report import ledger

    runs = ledger.runs(ledger.results_folder(folder), notebook=stem, profile=profiles.DEFAULT)
    complete = [run for run in runs if run.status == "complete"]
    if not complete:
        raise ValueError(f"the ledger has no complete run of {stem}; make one: simplebits run {stem}")
    return {record.name: record.mean for record in complete[-1].records}


def write(folder: Path, stems: Sequence[str] = ()) -> list[str]:
    """Bring numbers and citations in the lessons' text up to date; returns the lessons that changed.

    Numbers become those of the lesson's last `laptop` run, citations what `book/references.bib` says.

    Args:
        folder: the repository.
        stems: of lessons; all for none.

    Raises:
        ValueError: a lesson has no run, or a mark names no record of it or no entry of the bibliography.
    """
    changed = []
    cited = citations.works(folder / "book" / "references.bib")
    for stem in [one.stem for one in (notebooks.resolve(folder, stems) if stems else notebooks.all_of(folder))]:
        paths = [folder / "notebooks" / f"{stem}{ending}" for ending in (".py", ".ipynb")]
        texts = [path.read_text(encoding="utf-8") for path in paths]
        values = measured(stem, folder) if any(map(MARK.search, texts)) else {}
        for path, text in zip(paths, texts, strict=True):
            if (new := citations.filled(filled(text, values), cited)) != text:
                _files.write_text(path, new)
                changed += [stem] if stem not in changed else []
    return changed

"""Sentences that name works: names, year and a link in the notebook, an entry of the bibliography on the website.

A work that a lesson names is written `[Shannon (1948)](https://…)<!--cite:t shannon1948-->`: Jupyter and Colab show the
link and hide the comment, which names the entry of `book/references.bib`. On the website Sphinx cites that entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

_LINK = r"\[[^\[\]\n]*\]\([^()\s]*\)"
MARK = re.compile(rf"(?:{_LINK}(?=<!--cite:t)|\({_LINK}\)(?=<!--cite:p))<!--cite:(?P<form>[tp]) (?P<key>[\w-]+)-->")
ROLE = re.compile(r"\{cite:(?P<form>[tp])\}`(?P<key>[\w-]+)`")


class Work(NamedTuple):
    """What a sentence says of a work.

    Attributes:
        names: of its authors.
        year: in which it was published.
        link: where to read it.
    """

    names: str
    year: str
    link: str


def live(text: str) -> str:
    """Put a role for Sphinx in place of each marked work.

    >>> live("as [Shannon (1948)](https://doi.org/1)<!--cite:t shannon1948--> has it")
    'as {cite:t}`shannon1948` has it'
    """
    return MARK.sub(lambda mark: f"{{cite:{mark['form']}}}`{mark['key']}`", text)


def plain(text: str) -> str:
    """Take the marks away and leave the text.

    >>> plain("as [Shannon (1948)](https://doi.org/1)<!--cite:t shannon1948--> has it")
    'as [Shannon (1948)](https://doi.org/1) has it'
    """
    return MARK.sub(lambda mark: mark[0].partition("<!--")[0], text)


def filled(text: str, works: Mapping[str, Work]) -> str:
    """Write out each work that the text names, by a mark or by a role.

    Args:
        text: of a notebook, in either form.
        works: by key.

    Raises:
        ValueError: a key is not among these.

    >>> shannon = Work("Shannon", "1948", "https://doi.org/1")
    >>> filled("as {cite:t}`shannon1948` has it", {"shannon1948": shannon})
    'as [Shannon (1948)](https://doi.org/1)<!--cite:t shannon1948--> has it'
    """

    def written(found: re.Match[str]) -> str:
        if found["key"] not in works:
            raise ValueError(f"{found['key']!r} is cited and not in book/references.bib")
        names, year, link = works[found["key"]]
        shown = f"[{names} ({year})]({link})" if found["form"] == "t" else f"([{names}, {year}]({link}))"
        return f"{shown}<!--cite:{found['form']} {found['key']}-->"

    return ROLE.sub(written, MARK.sub(written, text))


def works(path: Path) -> dict[str, Work]:
    """Read the works of a BibTeX file: the names of one or two authors, or of the first of more.

    Raises:
        ValueError: an entry has no link: neither eprint (of arXiv) nor doi nor url.
    """
    return {key: _work(key, entry) for key, entry in _entries(path).items()}


def _work(key: str, entry: Any) -> Work:
    surnames = [
        " ".join(part.render_as("text") for part in (*author.rich_prelast_names, *author.rich_last_names))
        for author in entry.persons["author"]
    ]
    names = f"{surnames[0]} et al." if len(surnames) > 2 else " and ".join(surnames)
    for field, address in (("eprint", "https://arxiv.org/abs/"), ("doi", "https://doi.org/"), ("url", "")):
        if field in entry.fields:
            # Brackets would end a link in Markdown.
            link = (address + entry.fields[field]).replace("(", "%28").replace(")", "%29")
            return Work(names, entry.fields["year"], link)
    raise ValueError(f"{key} has no link: give it an eprint (of arXiv), a doi or a url")


def _entries(path: Path) -> dict[str, Any]:
    from pybtex.database import parse_file

    return dict(parse_file(str(path)).entries.items())  # pyright: ignore[reportOptionalMemberAccess]

"""Every source that a lesson cites is in the bibliography, under one of the headings of its page."""

from __future__ import annotations

import re

import pytest
from lessons import ROOT, read, stems

from simplebits.run import citations

ENTRIES = dict(
    re.findall(r"(?ms)^@\w+\{([^,\s]+),(.*?)^\}", (ROOT / "book/references.bib").read_text(encoding="utf-8"))
)
HEADINGS = re.findall(r'keywords % "(\w+)"', (ROOT / "book/bibliography.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("stem", stems())
def test_what_a_lesson_cites_is_in_the_bibliography(stem: str) -> None:
    text = "\n".join(cell.source for cell in read(stem).cells)
    cited = {mark["key"] for mark in citations.MARK.finditer(text)}
    assert cited, "a lesson names its sources"
    assert cited <= set(ENTRIES), "add these to book/references.bib"


def test_every_entry_stands_under_a_heading() -> None:
    found = {key: re.search(r"keywords\s*=\s*\{(\w+)\}", fields) for key, fields in ENTRIES.items()}
    lost = [key for key, keyword in found.items() if keyword is None or keyword[1] not in HEADINGS]
    assert not lost, f"entries whose keywords name none of {HEADINGS}: a citation of them finds nothing"


@pytest.mark.parametrize("stem", stems())
def test_citations_are_text_and_as_in_the_bibliography(stem: str) -> None:
    works = citations.works(ROOT / "book" / "references.bib")
    for ending in (".py", ".ipynb"):
        text = (ROOT / "notebooks" / f"{stem}{ending}").read_text(encoding="utf-8")
        assert "{cite" not in text and text.count("<!--cite") == len(citations.MARK.findall(text))
        assert citations.filled(text, works) == text, f"simplebits numbers {stem}"


def test_a_work_without_an_entry_is_named() -> None:
    with pytest.raises(ValueError, match="'nobody1900' is cited"):
        citations.filled("{cite:t}`nobody1900`", {})

"""Every source that a lesson cites is in the bibliography, under one of the headings of its page."""

from __future__ import annotations

import re

import pytest
from lessons import ROOT, read, stems

ENTRIES = dict(
    re.findall(r"(?ms)^@\w+\{([^,\s]+),(.*?)^\}", (ROOT / "book/references.bib").read_text(encoding="utf-8"))
)
HEADINGS = re.findall(r'keywords % "(\w+)"', (ROOT / "book/bibliography.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("stem", stems())
def test_what_a_lesson_cites_is_in_the_bibliography(stem: str) -> None:
    text = "\n".join(cell.source for cell in read(stem).cells)
    cited = {key.strip() for keys in re.findall(r"\{cite:\w+\}`([^`]+)`", text) for key in keys.split(",")}
    assert cited, "a lesson names its sources"
    assert cited <= set(ENTRIES), "add these to book/references.bib"


def test_every_entry_stands_under_a_heading() -> None:
    found = {key: re.search(r"keywords\s*=\s*\{(\w+)\}", fields) for key, fields in ENTRIES.items()}
    lost = [key for key, keyword in found.items() if keyword is None or keyword[1] not in HEADINGS]
    assert not lost, f"entries whose keywords name none of {HEADINGS}: a citation of them finds nothing"

"""The book for machines: a Markdown copy of each page beside it, and llms.txt, which lists them (llmstxt.org)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simplebits import _files
from simplebits.run import citations, launch, numbers

_INCLUDE = re.compile(r"^```\{include\} (?P<path>\S+)\n```$", re.MULTILINE)
LONGEST = 4_000  # characters of one output: tables yes, pictures' data no


def write(stage: Path, site: Path, executed: Mapping[str, Path], entries: Sequence[str]) -> None:
    """Write a copy of every page that has a text of its own, and the list of them.

    Args:
        stage: from `book.assemble`.
        site: the built website.
        executed: executed notebook of each lesson, by stem.
        entries: the pages of the table of contents.
    """
    lines = []
    for entry in entries:
        name = Path(entry).name
        if name in executed:
            text = of_notebook(json.loads(executed[name].read_text(encoding="utf-8")))
        elif (page := stage / f"{entry}.md").is_file() and not entry.startswith("book/api/"):
            text = _INCLUDE.sub(lambda part, page=page: _read(page.parent / part["path"]), _read(page))
        else:
            continue
        _files.write_text(site / f"{entry}.md", text)
        lines.append(f"- [{title(text)}]({entry}.md): {description(text)}")
    head = _read(site / f"{entries[0]}.md")
    start = f"# simplebits\n\n> {description(head)}\n\n## Pages\n\n"
    _files.write_text(site / "llms.txt", start + "\n".join(lines) + "\n")


def of_notebook(notebook: Mapping[str, Any]) -> str:
    """Write a lesson as one text: sentences, code, and what the code printed. Numbers are the default run's."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(citations.plain(numbers.plain(launch.in_place_of_badges(source))))
        elif cell["cell_type"] == "code" and source and not numbers.recording(cell):
            parts.append(f"```python\n{source}\n```")
            parts += [f"```text\n{text}\n```" for text in map(_printed, cell["outputs"]) if text]
    return "\n\n".join(parts) + "\n"


def title(text: str) -> str:
    """Find the first heading."""
    found = re.search(r"^# +(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def description(text: str) -> str:
    r"""Give the first paragraph after the title, in one line and without marks.

    >>> description("# A title\n\n**Bits are *short*,\nsee [there](a.md).**\n\nMore.")
    'Bits are short, see there.'
    """
    after = re.split(r"^# +.+$", text, maxsplit=1, flags=re.MULTILINE)[-1]
    after = re.sub(r"^```.*?^```$", "", after, flags=re.MULTILINE | re.DOTALL)
    paragraphs = [part.strip() for part in after.split("\n\n")]
    first = next((part for part in paragraphs if re.match(r"[\w*_`\"]", part)), "")
    first = re.sub(r"<!--.*?-->", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", first))
    return re.sub(r"\s+", " ", re.sub(r"[*`]|\{\w+\}", "", first)).strip()


def _printed(output: Mapping[str, Any]) -> str:
    text = output.get("text") or output.get("data", {}).get("text/markdown") or ""
    return "".join(text).strip()[:LONGEST]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")

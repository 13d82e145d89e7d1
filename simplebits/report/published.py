"""What the papers say: every headline number and claim with its table, row and column, looked up by key."""

from __future__ import annotations

import difflib
import fnmatch
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simplebits._door import door


@dataclass(frozen=True)
class Published:
    """One number, or one claim without a number, of a paper.

    Attributes:
        key: the name to look it up by, `dc.mnist.ipc1.random`.
        value: the number; None for a claim, which only a trend can judge.
        sd: the standard deviation printed with it, if any.
        unit: `%`, `bits/dim`, `r`, ...; empty for a claim.
        paper: key of the paper in the bibliography.
        table: the table, figure or section it stands in.
        row: the row and column, in words.
        quantity: what was measured or, for a claim, what is said.
        chapter: the notebook that measures it.
        system: the method it belongs to.
        text: the number exactly as printed.
        units: independent units behind the number (condensed sets, trained networks); of a correlation, its pairs;
            None where the paper does not say.
        margin: the difference that would not matter to a reader of the table, in `unit`; None where none is stated.
        because: why that much.
        tests: of a claim: the sentences that would refute it, see `claim`.
        each: values within each unit that its printed spread is over too (networks trained on one condensed set).
    """

    key: str
    value: float | None
    sd: float | None
    unit: str
    paper: str
    table: str
    row: str
    quantity: str
    chapter: str
    system: str
    text: str = ""
    units: int | None = None
    margin: float | None = None
    because: str = ""
    tests: tuple[str, ...] = ()
    each: int = 1

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Published:
        """Make a published number from what a record holds of it, from whatever version wrote the record."""
        known: dict[str, Any] = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        known["tests"] = tuple(known.get("tests", ()))
        return cls(**known)

    def __str__(self) -> str:
        unit = self.unit if self.unit == "%" else f" {self.unit}"
        return self.quantity if self.value is None else f"{self.text.replace('±', ' ± ')}{unit}"


@dataclass(frozen=True)
class Table:
    """One table of a paper; `cells` maps (row, column), both in words, to the number there."""

    paper: str
    table: str
    quantity: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], Published]


@door
def published(key: str) -> Published:
    """Look up what a paper says.

    Args:
        key: as in `book/results/published.yml`, whose head explains how keys are formed.

    Raises:
        ValueError: no such key; the nearest ones are named.

    >>> print(published("dc.mnist.ipc1.random"))
    64.9 ± 3.5%
    """
    known = everything()
    if key not in known:
        close = difflib.get_close_matches(str(key), known, n=3, cutoff=0.4)
        raise ValueError(
            f"published key {key!r} is not known; "
            + (f"did you mean {', '.join(map(repr, close))}? " if close else "")
            + f"All {len(known)} keys are formed in {_file()}"
        )
    return known[key]


@functools.cache
def everything() -> Mapping[str, Published]:
    """Look up every number and claim by its key, in the order of the file.

    Raises:
        ValueError: the file is damaged or two numbers have one key, naming them.
    """
    cells = [cell for table in tables() for cell in table.cells.values()] + list(claims())
    by_key = {cell.key: cell for cell in cells}
    if len(by_key) < len(cells):
        twice = {cell.key for cell in cells if by_key[cell.key] is not cell}
        raise ValueError(f"{_file()}: keys used twice: {', '.join(sorted(twice))}; every number needs its own")
    return by_key


@functools.cache
def tables() -> tuple[Table, ...]:
    """List the papers' tables of numbers, in the order of the file."""
    content = _content()
    return tuple(_table(block, content["names"]) for block in content["tables"])


@functools.cache
def claims() -> tuple[Published, ...]:
    """List what the papers say without a number, in the order of the file."""
    return tuple(
        Published(
            key, None, None, "", block["paper"], where, "", says, block["chapter"], block["system"], tests=tuple(tests)
        )
        for block in _content()["claims"]
        for key, (where, says, *tests) in block["claims"].items()
    )


def without_case() -> dict[str, str]:
    """Look up what no case of a study judges, and why: a reason for each key.

    Raises:
        ValueError: a pattern of the file fits no key.

    >>> without_case()["overinterpretation.humans.pixels5"]
    'measured on people'
    """
    reasons: dict[str, str] = {}
    for block in _content().get("without_case", ()):
        reason: str = block["reason"]
        for pattern in block["keys"]:
            if not (keys := fnmatch.filter(everything(), pattern)):
                raise ValueError(f"{_file()}: without_case speaks of {pattern!r}, which fits no key")
            reasons |= dict.fromkeys(keys, reason)
    return reasons


def papers() -> Mapping[str, tuple[str, str]]:
    """List the papers: key in the bibliography, short name and title."""
    return {key: (short, title) for key, (short, title) in _content()["papers"].items()}


def _table(block: Mapping[str, Any], names: Mapping[str, str]) -> Table:
    """Expand one block of the file; its head says how."""
    (_, *columns), *lines = (line.split() for line in block["cells"].splitlines())
    cells = {}
    for row, *texts in lines:
        if len(texts) != len(columns):
            raise ValueError(
                f"{_file()}: {block['table']} of {block['paper']}, row {row}: "
                f"{len(columns)} columns, {len(texts)} cells"
            )
        for column, text in zip(columns, texts, strict=True):
            if text == "-":
                continue
            words = row.replace("*", column) if "*" in row else row if column == "value" else f"{row}.{column}"
            value, _, sd = text.partition("±")
            row_text, column_text = place = _words(row, names), _words(column, names)
            if place in cells:
                raise ValueError(f"{_file()}: {block['table']} of {block['paper']} has two cells for {place}")
            cells[place] = Published(
                key=f"{block['key']}.{words}",
                value=float(value),
                sd=float(sd) if sd else None,
                text=text,
                unit=_choose(block["unit"], words),
                system=_choose(block["system"], words),
                chapter=_choose(block["chapter"], words),
                paper=block["paper"],
                table=block["table"],
                row=", ".join(filter(None, (row_text, column_text))),
                quantity=block["quantity"],
                units=_choose(block.get("units"), words),
                each=_choose(block.get("each", 1), words),
                margin=_choose(block.get("margin"), words),
                because=_choose(block.get("because", ""), words),
            )
    return Table(
        block["paper"],
        block["table"],
        block["quantity"],
        tuple(_words(row, names) for row, *_ in lines),
        tuple(_words(c, names) for c in columns),
        cells,
    )


def _choose(option: Any, words: str) -> Any:
    """Choose a text or number of the block: one for all, or by a word (`full.bs5` may be two) of row and column."""
    if not isinstance(option, dict):
        return option
    for word, text in option.items():
        if f".{word}." in f".{words}.":
            return text
    raise ValueError(f"{_file()}: {words} holds none of {', '.join(option)}")


def _words(name: str, names: Mapping[str, str]) -> str:
    """Write a row or column in words: `mnist.ipc1` is "MNIST, 1 image per class"."""
    return ", ".join(names.get(word, word) for word in name.split(".") if word not in ("*", "value"))


def _file() -> Path:
    # In a checkout the file stands with the results, where people read it; a wheel carries a copy in the package.
    here = Path(__file__).resolve()
    checkout = here.parents[2] / "book" / "results" / "published.yml"
    return checkout if checkout.is_file() else here.with_name("published.yml")


@functools.cache
def _content() -> dict[str, Any]:
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, ten times as fast
        content = yaml.load(_file().read_text(encoding="utf-8"), loader)  # noqa: S506
    except yaml.YAMLError as error:
        raise ValueError(f"{_file()} is damaged ({error}); restore it from the repository") from error
    if not isinstance(content, dict) or not {"papers", "names", "tables", "claims"} <= set(content):
        raise ValueError(f"{_file()} is damaged (no papers, names, tables and claims); restore it from the repository")
    return content

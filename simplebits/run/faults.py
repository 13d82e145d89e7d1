"""What must not be on a website that opens quickly and without a network."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

PAGE_LIMIT = 2_000_000  # bytes of one page with its own pictures, shared scripts not counted
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


def of(site: Path) -> list[str]:
    """List what is wrong with a built site: pages above the limit, and other hosts that opening a page would ask."""
    faults = []
    for page in sorted(site.rglob("*.html")):
        name, text = page.relative_to(site).as_posix(), page.read_text(encoding="utf-8")
        reader = _Page()
        reader.feed(text)
        pictures = {(page.parent / source).resolve() for source in reader.fetched if "_images/" in source}
        size = page.stat().st_size + sum(path.stat().st_size for path in pictures if path.is_file())
        if size > PAGE_LIMIT:
            faults.append(
                f"{name}: {size / 1e6:.2f} MB with its pictures, above the limit of {PAGE_LIMIT / 1e6:g} MB; "
                "show fewer or smaller frames and figures"
            )
        faults += [f"{name}: asks {source} of another host" for source in sorted(reader.fetched) if _elsewhere(source)]
    for style in sorted(site.rglob("*.css")):
        name, text = style.relative_to(site).as_posix(), style.read_text(encoding="utf-8")
        faults += [f"{name}: asks {source} of another host" for source in _STYLE_FETCHES.findall(text)]
    return faults


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

"""The repository's public address: it stands in pyproject.toml, and everything else that names it follows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from simplebits import _files

_SLUG = r"(?P<slug>[\w.-]+/[\w.-]*?\w)(?=\.git\b|[^\w.-]|\.?(?:\s|$))"
# What can only mean this repository, whatever address stands there: an address changed by hand is found and mended too.
_OWN = {
    "": (
        rf"colab\.research\.google\.com/github/{_SLUG}",
        rf"mybinder\.org/v2/gh/{_SLUG}",
        rf"github\.com/{_SLUG}(?=/actions/workflows/)",
    ),
    "notebooks/": (rf"git\+https://github\.com/{_SLUG}",),
    "_config.yml": (rf"^repository:[ \t]*\n(?:[ \t]+.*\n)*?[ \t]+url[ \t]*:[ \t]*[\"']?https://github\.com/{_SLUG}",),
    "CITATION.cff": (rf"^repository-code:[ \t]*[\"']?https://github\.com/{_SLUG}",),
}
_URLS = re.compile(r"^\[project\.urls\][ \t]*\n(?:(?!\[).*\n?)*", re.MULTILINE)
_REPOSITORY = re.compile(r"^\s*[\"']?Repository[\"']?\s*=\s*[\"'](?P<url>[^\"']+)[\"']", re.MULTILINE | re.IGNORECASE)
_FOLDERS = ("book", "notebooks", ".github", ".ci", "binder")
_ENDINGS = (".md", ".rst", ".cff", ".yml", ".yaml", ".toml", ".py", ".ipynb", ".html", ".txt", ".json", "")


def current(root: Path) -> str:
    """Read the present address from `pyproject.toml`.

    Raises:
        ValueError: it does not stand there, or is not of the form https://github.com/OWNER/REPO.
    """
    match = _REPOSITORY.search(_urls(root))
    if not match:
        raise ValueError(
            f"{root / 'pyproject.toml'} has no Repository under [project.urls]; "
            'add: Repository = "https://github.com/OWNER/REPO"'
        )
    return f"https://github.com/{slug(match['url'])}"


def slug(url: str) -> str:
    """Take OWNER/REPO from an address.

    Raises:
        ValueError: not https://github.com/OWNER/REPO (Colab and Binder open nothing else).

    >>> slug("https://github.com/someone/book.git")
    'someone/book'
    """
    match = re.fullmatch(r"https://github\.com/([\w-]+/[\w.-]+?)(?:\.git)?/?", url.strip())
    if not match:
        raise ValueError(f"address {url!r}: expected https://github.com/OWNER/REPO; Colab and Binder open nothing else")
    return match[1]


def change(root: Path, url: str) -> list[Path]:
    """Make `url` the address, in `pyproject.toml` and everywhere else; returns the files that changed.

    Every file is written in one step and `pyproject.toml` last: after an interruption the same command does the rest.

    Raises:
        ValueError: as `slug` and `current`.
    """
    old, new = slug(current(root)), slug(url)
    texts = [(path, text, _rewrite(root, path, text, old, new)) for path, text in _texts(root)]
    changed = [(path, after) for path, before, after in texts if after != before]
    for path, text in sorted(changed, key=lambda item: item[0].name == "pyproject.toml"):
        _files.write_text(path, text)
    return [path for path, _ in changed]


def disagreements(root: Path) -> list[str]:
    """List places that name another address than `pyproject.toml`, as `file:line: what stands there`.

    Raises:
        ValueError: as `current`.
    """
    now, places = slug(current(root)), []
    for path, text in _texts(root):
        wanted = _rewrite(root, path, text, now, now).splitlines()
        for number, (line, other) in enumerate(zip(text.splitlines(), wanted, strict=True), 1):
            if line != other:
                places.append(f"{path.relative_to(root).as_posix()}:{number}: {line.strip()[:160]}")
    return places


def _rewrite(root: Path, path: Path, text: str, old: str, new: str) -> str:
    name = path.relative_to(root).as_posix()
    if old != new:
        text = re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w-])", new, text)
    pages, their = (f"{owner}.github.io/{repo}" for owner, repo in (old.split("/"), new.split("/")))
    text = re.sub(rf"(?<![\w.-]){re.escape(pages)}(?![\w-])", their, text, flags=re.IGNORECASE)
    for prefix, patterns in _OWN.items():
        for pattern in patterns if name.startswith(prefix) else ():
            text = re.sub(pattern, lambda m: _put(m, new), text, flags=re.MULTILINE)
    if name == "pyproject.toml":
        # All of the project's own addresses on GitHub, wherever they point to below it.
        text = _URLS.sub(lambda urls: re.sub(rf"https://github\.com/{_SLUG}", lambda m: _put(m, new), urls[0]), text)
    return text


def _put(match: re.Match[str], new: str) -> str:
    start, end = (position - match.start() for position in match.span("slug"))
    return match[0][:start] + new + match[0][end:]


def _urls(root: Path) -> str:
    match = _URLS.search((root / "pyproject.toml").read_text(encoding="utf-8"))
    return match[0] if match else ""


def _texts(root: Path) -> Iterator[tuple[Path, str]]:
    """List every text file that may name the address; never the ledger, which holds what was true when written."""
    paths = [path for path in root.iterdir() if path.is_file()]
    paths += [path for folder in _FOLDERS for path in (root / folder).rglob("*")]
    for path in sorted(paths):
        inside = path.relative_to(root).parts
        if not path.is_file() or path.suffix not in _ENDINGS or inside[:2] == ("book", "results"):
            continue
        if any(part.startswith(".ipynb_checkpoints") or part == "__pycache__" for part in inside):
            continue
        try:
            # newline="": line ends stay as they are
            with open(path, encoding="utf-8", newline="") as file:
                yield path, file.read()
        except UnicodeDecodeError:
            continue

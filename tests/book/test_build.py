"""Staging, refusing and replacing: what `simplebits.run.book` promises beside the pages themselves."""

from __future__ import annotations

import html
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from pypdf import PdfReader

from simplebits.run import book, execute, faults, launch, takeaway

ROOT = Path(__file__).parents[2]
PAGE = "<html><body>{}</body></html>"


@pytest.fixture
def repository(tmp_path: Path, chapter: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository with one page and one chapter, whose run is up to date."""
    shutil.copytree(ROOT / "book" / "static", tmp_path / "book" / "static")
    (tmp_path / "book" / "extensions").mkdir()
    for name in (
        "_config.yml",
        "pyproject.toml",
        "book/references.bib",
        "book/symbols.md",
        "book/bibliography.md",
        "book/extensions/commands.py",
        "book/extensions/signatures.py",
    ):
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / "book" / "intro.md").write_text("# First page\n\nGet it: {{ repository }} as {{ repository_name }}.\n")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\nchapters:\n"
        "  - file: notebooks/chapter\n  - file: book/symbols\n  - file: book/bibliography\n"
    )
    monkeypatch.setattr(execute, "fresh", lambda stem, profile, folder: True)
    monkeypatch.setattr(execute, "executed_path", lambda stem, profile, folder: chapter)
    return tmp_path


def test_a_good_site_replaces_the_old_one_and_a_bad_one_does_not(repository: Path) -> None:
    site = repository / "_build" / "html"
    site.mkdir(parents=True)
    (site / "left-over.html").write_text("old")

    assert book.build(repository, "smoke") == site / "index.html"
    assert not (site / "left-over.html").exists()
    first = (site / "book" / "intro.html").read_text(encoding="utf-8")
    assert "https://github.com/" in first
    assert "{{" not in first

    with (repository / "book" / "intro.md").open("a") as page:
        page.write("\nSee [nothing](nowhere.md).\n")
    with pytest.raises(RuntimeError, match=r"intro\.md.*nowhere"):
        book.build(repository, "smoke")
    assert (site / "book" / "intro.html").read_text(encoding="utf-8") == first


def test_a_page_that_is_too_large_is_not_shown(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "PAGE_LIMIT", 60_000)
    with pytest.raises(RuntimeError, match=r"notebooks/chapter\.html: 0\.\d+ MB"):
        book.build(repository, "smoke")
    assert not (repository / "_build" / "html").exists()


def test_a_stale_run_is_refused_with_its_command(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "fresh", lambda stem, profile, folder: False)
    with pytest.raises(RuntimeError, match="simplebits run chapter --profile smoke"):
        book.build(repository, "smoke")
    assert not (repository / "_build").exists()


def test_contents_names_every_page_of_the_real_book_once() -> None:
    entries = book.contents(ROOT)
    assert entries[0] == "book/intro"
    assert len(entries) == len(set(entries))
    made = {entry for entry in entries if entry.startswith(("book/api/", "book/studies/"))}
    missing = [entry for entry in entries if entry not in made and not any(ROOT.glob(f"{entry}.*"))]
    assert missing == []
    assert "book/api/simplebits.data" in made


@pytest.mark.parametrize(
    "content",
    [
        '<script src="https://cdn.example.org/a.js"></script>',
        '<img alt="a" src="//example.org/a.png">',
        '<link rel="stylesheet" href="https://example.org/a.css">',
        '<link rel="preconnect" href="https://example.org">',
        '<iframe src="http://example.org"></iframe>',
    ],
)
def test_addresses_of_other_hosts_are_found(tmp_path: Path, content: str) -> None:
    (tmp_path / "page.html").write_text(PAGE.format(content))
    (fault,) = faults.of(tmp_path)
    assert fault.startswith("page.html: asks")
    assert "example.org" in fault


def test_links_and_local_files_are_no_faults(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        PAGE.format(
            '<a href="https://example.org">there</a><link rel="canonical" href="https://example.org/page">'
            '<img alt="" src="data:image/png;base64,AA=="><script src="_static/a.js"></script>'
        )
    )
    (tmp_path / "a.css").write_text("body { background: url(a.png) } /* https://example.org */")
    assert faults.of(tmp_path) == []


@pytest.mark.parametrize("rule", ["@import 'https://example.org/a.css';", "a { background: url(//example.org/a.png) }"])
def test_style_sheets_are_looked_at_too(tmp_path: Path, rule: str) -> None:
    (tmp_path / "a.css").write_text(rule)
    (fault,) = faults.of(tmp_path)
    assert fault.startswith("a.css: asks")


def test_a_page_counts_with_its_own_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "a.png").write_bytes(bytes(900))
    (tmp_path / "page.html").write_text(PAGE.format('<img alt="a" src="_images/a.png">'))
    monkeypatch.setattr(faults, "PAGE_LIMIT", 1000)
    assert faults.of(tmp_path) == []
    monkeypatch.setattr(faults, "PAGE_LIMIT", 900)
    assert len(faults.of(tmp_path)) == 1


def test_a_handout_has_no_solutions_and_no_outputs(chapter: Path) -> None:
    whole = json.loads(chapter.read_text(encoding="utf-8"))
    bare = book.handout(whole)
    nbformat.validate(bare)
    text = json.dumps(bare)
    assert "is the solution" in json.dumps(whole)
    assert "is the solution" not in text
    assert "that is" not in text
    assert "Count with" in text  # a hint is no solution
    assert "seed = 1" not in text
    assert "Exercise 1" in text
    assert "seed = 0" in text
    assert not any(cell.get("outputs") for cell in bare["cells"])
    assert "widgets" not in bare["metadata"]


def test_a_page_shows_what_a_reader_needs(chapter: Path) -> None:
    notebook = json.loads(chapter.read_text(encoding="utf-8"))
    notebook["metadata"]["simplebits"] = {"profile": "smoke"}
    notebook["cells"][3]["source"] = "# Parameters\nseed = 1"
    assert "NBVAL_CHECK_OUTPUT" in json.dumps(notebook)
    cells = book.shown(notebook)["cells"]
    assert cells[0]["source"].startswith('<p>Open in <a href="https://colab.research.google.com/github/')
    assert [name for name in launch.SERVICES if f">{name}</a>" not in cells[0]["source"]] == []
    assert "badge.svg" not in cells[0]["source"]
    assert "A first look" in cells[1]["source"], "a smoke run is marked"
    assert cells[4]["source"].startswith("# values of the profile smoke")
    assert "NBVAL" not in json.dumps(cells)


def test_a_module_of_modules_shows_each_of_them() -> None:
    page = book.reference("simplebits.run")
    assert ".. automodule:: simplebits.run.book" in page
    assert ".. automodule:: simplebits.run\n" not in page
    assert ".. automodule:: simplebits.data\n" in book.reference("simplebits.data")


def test_vendored_scripts_are_small_and_keep_their_licences() -> None:
    vendor = ROOT / "book" / "static" / "vendor"
    folders = [path for path in vendor.iterdir() if path.is_dir()]
    assert folders
    about = (vendor / "README.md").read_text(encoding="utf-8")
    for folder in folders:
        assert "redistribut" in (folder / "LICENSE").read_text(encoding="utf-8").lower()
        assert f"`{folder.name}`" in about
    assert sum(path.stat().st_size for path in vendor.rglob("*") if path.is_file()) < 5_000_000


@pytest.mark.parametrize("name", ["quantise", "squeeze"])
def test_signatures_stand_as_they_were_written(small_site: Path, name: str) -> None:
    page = (small_site / "book" / "api" / "simplebits.density.html").read_text(encoding="utf-8")
    signature = page.split(f'id="simplebits.density.{name}"')[1].split("</dt>")[0]
    signature = html.unescape(re.sub(r"<[^>]*>", "", signature))
    assert "Float[Tensor, 'n c h w']" in signature
    assert "jaxtyping" not in signature


def test_what_is_called_has_the_signature_of_its_call(small_site: Path) -> None:
    page = (small_site / "book" / "api" / "simplebits.subsets.html").read_text(encoding="utf-8")
    signature = page.split('id="simplebits.subsets.Score"')[1].split("</dt>")[0]
    signature = " ".join(html.unescape(re.sub(r"<[^>]*>", "", signature)).split())
    assert "inputs: Tensor" in signature
    assert "kwargs" not in signature


def test_the_cell_that_hands_numbers_to_the_ledger_is_on_no_page_and_its_numbers_are(small_site: Path) -> None:
    page = (small_site / "notebooks" / "chapter.html").read_text(encoding="utf-8")
    assert "myst_nb" not in page
    assert re.search(r"The answer is (<[^>]*>)*2", page)
    assert "myst_nb" not in (small_site / "notebooks" / "chapter.md").read_text(encoding="utf-8")


def test_the_first_picture_can_be_drawn_again_and_its_text_says_its_numbers(
    tmp_path: Path, run_script: Callable[..., Any]
) -> None:
    from PIL import Image, ImageChops

    made = run_script(ROOT / "book" / "picture.py")["draw"]()
    bits = [axes.get_title() for axes in made.axes]
    alt = re.search(r"^:alt: (.*)$", (ROOT / "book" / "intro.md").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert f"fall from {bits[0]} to {bits[-1]}." in alt
    assert bits == sorted(bits, key=float, reverse=True)

    made.savefig(tmp_path / "again.png", dpi=200)
    paths = tmp_path / "again.png", ROOT / "book" / "static" / "how-little.png"
    again, kept = (Image.open(path).convert("RGB") for path in paths)
    assert again.size == kept.size
    rows = (0, 40, again.width, again.height)  # below the numbers, whose letters depend on the version of matplotlib
    assert ImageChops.difference(again.crop(rows), kept.crop(rows)).getbbox() is None


def test_the_book_can_be_taken_along(repository: Path) -> None:
    book.build(repository, "smoke")
    with zipfile.ZipFile(takeaway.zipped(repository)) as packed:
        assert {"html/index.html", "html/notebooks/chapter.html"} <= set(packed.namelist())
    if not any(map(shutil.which, takeaway.BROWSERS)):
        pytest.skip("no Chromium here, which prints the lessons")
    printed = PdfReader(takeaway.pdf(repository))
    assert [entry.title for entry in printed.outline] == ["chapter"]
    assert "Exercise 1" in "".join(page.extract_text() for page in printed.pages)


def test_a_pdf_without_a_browser_says_what_to_install(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="apt install chromium"):
        takeaway.pdf(repository)

"""The website under test: a small one built here, and the real one where it has been built; both in a real browser."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import runpy
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from simplebits.run import book, execute, markdown_copies, render

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
)
LOOK = """
const reveal = [...document.querySelectorAll('details')]; reveal.forEach(d => d.open = true);
document.documentElement.dataset.theme = 'dark';
const images = [...document.querySelectorAll('img')].map(i => ({
  alt: i.alt, logo: Boolean(i.closest('.navbar-brand, .article-header-buttons')),
  filter: getComputedStyle(i).filter, whole: i.complete && i.naturalWidth > 0}));
return {images, math: document.querySelectorAll('mjx-container').length,
        broken: document.querySelectorAll('mjx-merror').length,
        raw: [...document.querySelectorAll('.math')].filter(m => !m.querySelector('mjx-container')).length,
        sliders: [...document.querySelectorAll('.noUi-handle')].map(h => h.getAttribute('aria-label'))};
"""


SETTLED = """
const views = document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]').length;
const shown = document.querySelectorAll('.widget-subarea > .jupyter-widgets').length;
return document.readyState === 'complete' && shown >= views;
"""


@dataclass
class Visit:
    """What a browser found on one page."""

    errors: list[str]
    outside: list[str]
    images: list[dict[str, Any]] = field(default_factory=list)
    math: int = 0
    broken: int = 0
    raw: int = 0
    sliders: list[str] = field(default_factory=list)
    overflow: int = 0


@dataclass
class Site:
    """A built website and the address it is served at."""

    folder: Path
    address: str

    @functools.cached_property
    def pages(self) -> list[str]:
        """Every page that a reader can open."""
        found = sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.html"))
        return [page for page in found if not page.startswith(("_static/", "_sources/"))]


@pytest.fixture(scope="session")
def chapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An executed chapter that holds one of everything."""
    made = runpy.run_path(str(Path(__file__).with_name("chapter.py")))
    return made["execute"](tmp_path_factory.mktemp("run") / "chapter.ipynb")


@pytest.fixture(scope="session")
def small_site(chapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages of the book, with the chapter for tests in place of those without a smoke run up to date."""
    stage, entries = tmp_path_factory.mktemp("site") / "stage", book.contents(ROOT)
    stems = [Path(entry).name for entry in entries if entry.startswith("notebooks/")]
    fresh = {stem: execute.fresh(stem, "smoke", folder=ROOT) for stem in stems}
    executed = {stem: execute.executed_path(stem, "smoke", folder=ROOT) if fresh[stem] else chapter for stem in stems}
    book.assemble(ROOT, stage, executed | {"chapter": chapter}, entries)
    toc = yaml.safe_load((stage / "_toc.yml").read_text(encoding="utf-8"))
    toc["parts"][1]["chapters"].append({"file": "notebooks/chapter"})
    (stage / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")
    site = render.website(stage, stage.parent / "render")
    markdown_copies.write(stage, site, executed | {"chapter": chapter}, [*entries, "notebooks/chapter"])
    return site


@pytest.fixture(scope="session", params=["small", "built"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The website made for these tests, then the real one."""
    if request.param == "built" and not (ROOT / "_build" / "html" / "index.html").is_file():
        pytest.skip("the real book is not built here (simplebits book); the small one is tested")
    folder = request.getfixturevalue("small_site") if request.param == "small" else ROOT / "_build" / "html"
    with served(folder) as address:
        yield Site(folder, address)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine for as long as the block lasts."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium."""
    driver = shutil.which("chromedriver")
    if not (CHROMIUM and driver):
        pytest.skip("no chromium and chromedriver here; on Debian: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def visits(site: Site, browser: Any) -> dict[str, Visit]:
    """Every page, opened once on a wide window and looked at, then made as narrow as a phone."""
    found = {}
    for page in site.pages:
        browser.set_window_size(1300, 900)
        errors, outside = open_page(browser, site.address + page, site.address)
        visit = Visit(errors, outside, **browser.execute_script(LOOK))
        browser.set_window_size(500, 900)  # the narrowest window that Chromium makes; its content is narrower still
        browser.execute_script("document.body.style.width = '390px'")
        visit.overflow = browser.execute_script("return document.querySelector('main, body').scrollWidth") - 390
        found[page] = visit
    return found


def open_page(browser: Any, address: str, host: str) -> tuple[list[str], list[str]]:
    """Open a page and let it settle; returns the console's errors and the requests to anything but `host`."""
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(address)
    until(lambda: browser.execute_script(SETTLED))
    browser.execute_async_script(
        "const typeset = window.MathJax?.startup?.promise ?? Promise.resolve();"
        "typeset.then(() => setTimeout(arguments[0], 150))"
    )
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    outside = sorted(url for url in asked if not url.startswith((host, "data:", "blob:", "about:", "chrome:")))
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"], outside


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait until the condition holds and return what it gave; AssertionError if it never does."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return value


@pytest.fixture(name="visit")
def _visit(browser: Any) -> Callable[[str, str], tuple[list[str], list[str]]]:
    return functools.partial(open_page, browser)


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    return until


@pytest.fixture
def run_script() -> Callable[[Path], dict[str, Any]]:
    return lambda path: runpy.run_path(str(path))

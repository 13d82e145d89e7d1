"""Every page in a real browser: quiet, complete without a network, and all there for those who cannot see it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest

HANDLE = ".noUi-handle"
SERVICES = {  # each with its address as a browser shows it
    "Colab": "https://colab.research.google.com/github/{slug}/blob/main/{path}",
    "Kaggle": "https://www.kaggle.com/kernels/welcome?src=https://github.com/{slug}/blob/main/{path}",
    "Lightning": "https://lightning.ai/new?repo_url=https://github.com/{slug}/blob/main/{path}",
    "Binder": "https://mybinder.org/v2/gh/{slug}/main?urlpath=lab/tree/{path}",
}


def test_no_page_complains(visits: dict[str, Any]) -> None:
    assert {page: visit.errors for page, visit in visits.items() if visit.errors} == {}


def test_no_page_asks_another_host(visits: dict[str, Any]) -> None:
    assert {page: visit.outside for page, visit in visits.items() if visit.outside} == {}


def test_every_picture_loads_and_says_what_it_shows(visits: dict[str, Any]) -> None:
    images = [(page, image) for page, visit in visits.items() for image in visit.images]
    assert len(images) > len(visits)  # the logo is on every page; the lessons and the first page have more
    assert [(page, image) for page, image in images if not (image["alt"].strip() and image["whole"])] == []


def test_the_dark_theme_leaves_pixels_alone(visits: dict[str, Any]) -> None:
    pictures = [(page, image) for page, visit in visits.items() for image in visit.images if not image["logo"]]
    assert len(pictures) > 3
    assert [(page, image) for page, image in pictures if image["filter"] != "none"] == []


def test_the_dark_theme_turns_the_ground_around_images_dark(site: Any, browser: Any, visit: Callable[..., Any]) -> None:
    import io

    import numpy as np
    from PIL import Image
    from selenium.webdriver.common.by import By

    page = next(page for page in site.pages if page.startswith("notebooks/"))
    visit(site.address + page, site.address)
    browser.set_window_size(1300, 900)
    hide = "document.querySelectorAll('header, .bd-header-article').forEach(bar => { bar.style.display = 'none'; })"
    browser.execute_script(hide)  # bars that stay in sight lie over pictures
    shot, styles = {}, []
    for theme in ("light", "dark"):
        browser.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
        sheets = [sheet for sheet in browser.find_elements(By.CSS_SELECTOR, ".sb-sheet") if sheet.is_displayed()][:4]
        styles = [sheet.find_element(By.CSS_SELECTOR, ".sb-ink").get_attribute("style") for sheet in sheets]
        taken = [Image.open(io.BytesIO(sheet.screenshot_as_png)).convert("L") for sheet in sheets]
        shot[theme] = [np.asarray(image).astype(int) for image in taken]
    holes = 0
    for light, dark, style in zip(shot["light"], shot["dark"], styles, strict=True):
        corners = [(float(x) / 100, float(y) / 100) for x, y in re.findall(r"([-\d.]+)% ([-\d.]+)%", style)]
        assert dark[4, 4] < 40 or light[4, 4] < 250, "the ground is dark"
        for (left, top), _, (right, bottom) in (corners[i : i + 3] for i in range(5, len(corners), 6)):
            place = int((top + bottom) / 2 * light.shape[0]), int((left + right) / 2 * light.shape[1])
            assert abs(light[place] - dark[place]) < 3, "an image stays as it is"
            holes += 1
    assert holes


def test_formulas_are_typeset_on_the_spot(visits: dict[str, Any]) -> None:
    assert visits["notebooks/chapter.html" if "notebooks/chapter.html" in visits else "book/symbols.html"].math >= 2
    assert {page: (visit.raw, visit.broken) for page, visit in visits.items() if visit.raw or visit.broken} == {}


def test_every_slider_has_a_name(visits: dict[str, Any]) -> None:
    names = [name for visit in visits.values() for name in visit.sliders]
    assert names
    assert all(names)


def test_no_page_is_wider_than_a_phone(visits: dict[str, Any]) -> None:
    assert {page: visit.overflow for page, visit in visits.items() if visit.overflow > 0} == {}


def test_sliders_change_their_picture(
    site: Any, visits: dict[str, Any], browser: Any, visit: Callable[..., Any], until: Any
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    pages = [page for page, found in visits.items() if found.sliders]
    for page in pages:
        visit(site.address + page, site.address)
        areas = browser.find_elements(By.CSS_SELECTOR, f".widget-subarea:has({HANDLE})")
        assert len(areas) == len(visits[page].sliders)
        for area in areas:
            first, handle = shown(area), area.find_element(By.CSS_SELECTOR, HANDLE)
            handle.send_keys(Keys.ARROW_RIGHT)  # neighbours may look the same, their labels never do
            until(lambda area=area, first=first: (new := shown(area)) and new[2] != first[2])
            handle.send_keys(Keys.END)
            last = until(lambda area=area, first=first: (new := shown(area)) and new[0] != first[0] and new)
            assert all(last)
            assert last[1] != first[1], "the alternative text must follow the picture"
            assert last[2] != first[2], "the label must follow the picture"


def shown(area: Any) -> tuple[str, ...] | None:
    """Source, alternative text and label of the picture that a slider shows; None while it changes."""
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.common.by import By

    try:
        pictures, labels = (area.find_elements(By.CSS_SELECTOR, f"figure {part}") for part in ("img", "figcaption"))
        if len(pictures) != 1 or len(labels) != 1:
            return None
        return pictures[0].get_attribute("src"), pictures[0].get_attribute("alt"), labels[0].text
    except StaleElementReferenceException:
        return None


def test_a_slider_works_from_a_file(
    site: Any, visits: dict[str, Any], browser: Any, visit: Callable[..., Any], until: Any
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    page = next(page for page, found in visits.items() if found.sliders)
    address = (site.folder / page).as_uri()
    assert visit(address, "file:") == ([], [])
    area = browser.find_element(By.CSS_SELECTOR, ".widget-subarea")
    seen = shown(area)
    area.find_element(By.CSS_SELECTOR, HANDLE).send_keys(Keys.END)
    assert until(lambda: (new := shown(area)) and new[0] != seen[0])


def test_the_theme_switch_goes_round(site: Any, browser: Any, visit: Callable[..., Any]) -> None:
    from selenium.webdriver.common.by import By

    visit(site.address + "book/intro.html", site.address)
    browser.set_window_size(1300, 900)
    modes, themes = [], {}
    for _ in range(3):
        button = next(b for b in browser.find_elements(By.CSS_SELECTOR, ".theme-switch-button") if b.is_displayed())
        button.click()
        root = "return document.documentElement.dataset"
        mode, theme = (browser.execute_script(f"{root}.{key}") for key in ("mode", "theme"))
        modes.append(mode)
        themes[mode] = (theme, browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert sorted(modes) == ["auto", "dark", "light"]
    assert themes["dark"][0] == "dark"
    assert themes["light"][0] == "light"
    assert themes["dark"][1] != themes["light"][1]


def test_launch_buttons_open_the_notebook_of_the_page(site: Any) -> None:
    slug = published_slug()
    lessons = [page for page in site.pages if page.startswith("notebooks/")]
    assert lessons
    for page in lessons:
        wanted = SERVICES["Colab"].format(slug=slug, path=f"{page.removesuffix('.html')}.ipynb")
        content = (site.folder / page).read_text(encoding="utf-8")
        assert re.search(rf'<a href="{re.escape(wanted)}"[^>]*title="Launch on Colab"', content)


@pytest.mark.parametrize("service", SERVICES)
def test_a_lesson_can_be_opened_in_every_service(site: Any, service: str) -> None:
    slug, lessons = published_slug(), [page for page in site.pages if page.startswith("notebooks/")]
    assert lessons
    for page in lessons:
        content = (site.folder / page).read_text(encoding="utf-8")
        opened = re.search(rf'<a [^>]*href="([^"]+)"[^>]*>{service}</a>', content)
        assert opened, f"{page} has no link to {service}"
        # Where a lesson has not been run for the small site, the lesson for tests stands on its page.
        named = {page.removesuffix(".html"), "notebooks/chapter"}
        allowed = {SERVICES[service].format(slug=slug, path=f"{path}.ipynb") for path in named}
        assert unquote(html.unescape(opened[1])) in allowed


def published_slug() -> str:
    from simplebits.run import address, root

    return address.slug(address.current(root.require()))


def test_nothing_is_left_for_the_builder_to_find(site: Any) -> None:
    from simplebits.run import faults

    assert faults.of(site.folder) == []


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ("book/scoreboard.html", "not run"),
        ("book/api/simplebits.density.html", "bits_per_dim"),
        ("book/instructor.html", "handout"),
        ("book/how-to-run.html", "Run notebooks that are not up to date"),
    ],
)
def test_generated_pages_have_their_content(site: Any, page: str, wanted: str) -> None:
    assert wanted in (site.folder / page).read_text(encoding="utf-8")


def test_a_lesson_is_marked_as_read_and_stays_so(site: Any, browser: Any, visit: Callable[..., Any]) -> None:
    from selenium.webdriver.common.by import By

    page = next(page for page in site.pages if page.startswith("notebooks/"))
    ticks = (
        "return [...document.querySelectorAll('.bd-sidebar-primary nav a.sb-read')].map(a => new URL(a.href).pathname)"
    )
    visit(site.address + page, site.address)
    button = browser.find_element(By.CSS_SELECTOR, ".sb-mark-read")
    assert (button.text, browser.execute_script(ticks)) == ("Mark as read", [])
    browser.execute_script("arguments[0].click()", button)
    assert button.get_attribute("aria-pressed") == "true"
    visit(site.address + "book/intro.html", site.address)
    assert browser.execute_script(ticks) == [f"/{page}"], "the table of contents of every page has the tick"
    assert browser.find_elements(By.CSS_SELECTOR, ".sb-mark-read") == [], "only lessons are marked"
    visit(site.address + page, site.address)
    browser.execute_script("document.querySelector('.sb-mark-read').click()")
    assert browser.execute_script(ticks) == []


def test_search_engines_and_chats_see_every_page(site: Any) -> None:
    listed = (site.folder / "llms.txt").read_text(encoding="utf-8")
    copies = re.findall(r"\]\((\S+\.md)\)", listed)
    assert len(copies) == len(set(copies))
    assert {page for page in site.pages if page.startswith("notebooks/")} <= {f"{copy[:-3]}.html" for copy in copies}
    for copy in copies:
        text = (site.folder / copy).read_text(encoding="utf-8")
        assert text.strip(), copy
        assert "<!--=" not in text, "no marks of numbers"
        page = (site.folder / f"{copy[:-3]}.html").read_text(encoding="utf-8")
        described = re.search(r'<meta name="description" content="([^"]{20,})"', page)
        assert described, copy
        assert "Open in" not in described[1], copy
        assert re.search(r'<meta property="og:image" content="https://[^"]+\.png"', page), copy

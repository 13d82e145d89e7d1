"""The quiz in a real browser: with the mouse, with the keyboard, in the dark, on a phone; and in the built book."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import simplebits as sb
from simplebits.report.quiz import quiz_html

LABELS = [[0, 2], [1, 1, 0]]
PREDICTIONS = [[0, 2], [1, 0, 0]]
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width"><title>quiz</title></head>
<body style="margin: 0; {style}"><main>{content}</main></body></html>"""


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., str]:
    """Write a page that holds nothing but a quiz; returns its address."""

    def write(style: str = "") -> str:
        generator = torch.Generator().manual_seed(0)
        people = sb.report.published("overinterpretation.humans.pixels5")
        rounds = [
            sb.report.QuizRound(
                title, torch.rand(len(labels), 3, 32, 32, generator=generator), torch.tensor(labels),
                torch.tensor(predictions), people if title == "5%" else None,
            )
            for title, labels, predictions in zip(("5%", "50%"), LABELS, PREDICTIONS, strict=True)
        ]  # fmt: skip
        path = tmp_path / "quiz.html"
        path.write_text(PAGE.format(style=style, content=quiz_html(rounds, ["cat", "dog", "frog"], "What is this?")))
        return path.as_uri()

    return write


def find(browser: Any, selector: str) -> Any:
    from selenium.webdriver.common.by import By

    return browser.find_element(By.CSS_SELECTOR, f".sb-quiz {selector}")


def press(browser: Any, answer: int) -> None:
    find(browser, f'[data-answer="{answer}"]').click()


def table(browser: Any) -> list[list[str]]:
    return browser.execute_script(
        "return [...document.querySelectorAll('.sb-quiz tr')].map(r => [...r.children].map(c => c.textContent))"
    )


def test_a_reader_takes_it_and_sees_the_score(page: Any, visit: Any, browser: Any) -> None:
    errors, outside = visit(page(), "file:")
    assert (errors, outside) == ([], [])
    assert not find(browser, ".sb-quiz-end").is_displayed()
    seen = []
    for number, answer in enumerate([0, 1, 1, 1, 0]):
        assert f"Picture {number + 1} of 5" in find(browser, ".sb-quiz-where").text
        image = find(browser, ".sb-quiz-stage img")
        seen.append(image.get_attribute("src"))
        assert image.get_attribute("alt").startswith(f"Picture {number + 1} of 5: ")
        press(browser, answer)
    assert len(set(seen)) == 5
    assert not find(browser, ".sb-quiz-ask").is_displayed()
    assert table(browser)[1:] == [
        ["5%", "1 of 2 (50%)", "2 of 2 (100%)", "19.2 ± 4.8%"],
        ["50%", "3 of 3 (100%)", "2 of 3 (67%)", "–"],
    ]
    review = browser.execute_script(
        "return [...document.querySelectorAll('.sb-quiz-review > div')]"
        ".map(c => [c.textContent.trim(), c.querySelector('img').alt])"
    )
    assert [text for text, _ in review] == ["✓ cat", "✗ frog, you: dog", "✓ dog", "✓ dog", "✓ cat"]
    assert review[1][1].endswith("It is: frog.")


def test_it_starts_again_from_nothing(page: Any, visit: Any, browser: Any) -> None:
    visit(page(), "file:")
    for _ in range(2):
        for _ in range(5):
            press(browser, 1)
        assert [row[1] for row in table(browser)[1:]] == ["0 of 2 (0%)", "2 of 3 (67%)"]
        find(browser, ".sb-quiz-again").click()
        assert "Picture 1 of 5" in find(browser, ".sb-quiz-where").text
        assert not find(browser, ".sb-quiz-end").is_displayed()
        assert browser.execute_script("return document.activeElement.textContent") == "cat"


def test_the_keyboard_is_enough(page: Any, visit: Any, browser: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def keys(*pressed: str) -> None:
        ActionChains(browser).send_keys(*pressed).perform()

    visit(page(), "file:")
    keys(Keys.TAB, Keys.ENTER)  # cat
    keys(Keys.ARROW_LEFT, Keys.SPACE)  # round the end: frog
    keys(Keys.ARROW_LEFT, Keys.ENTER)  # dog
    keys(Keys.ENTER)
    keys(Keys.ARROW_LEFT, Keys.ENTER)  # cat
    assert [row[1] for row in table(browser)[1:]] == ["2 of 2 (100%)", "3 of 3 (100%)"]
    assert browser.execute_script("return document.activeElement.className") == "sb-quiz-table"


def test_every_part_has_a_name(page: Any, visit: Any, browser: Any) -> None:
    visit(page(), "file:")
    assert find(browser, "[role=group]").accessible_name == "Your answer"
    assert browser.execute_script("return document.querySelector('.sb-quiz').ariaLabel") == "What is this?"
    assert find(browser, ".sb-quiz-where").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize(
    ("ground", "ink"), [("rgb(255, 255, 255)", "rgb(10, 10, 10)"), ("rgb(20, 24, 32)", "rgb(230, 230, 230)")]
)
def test_its_colours_are_those_of_the_page(page: Any, visit: Any, browser: Any, ground: str, ink: str) -> None:
    visit(page(f"background: {ground}; color: {ink}"), "file:")
    for _ in range(5):
        press(browser, 0)
    colours = browser.execute_script(
        "return [...document.querySelectorAll('.sb-quiz button, .sb-quiz td, .sb-quiz th')].map(e => {"
        "const s = getComputedStyle(e); return [s.color, s.backgroundColor]})"
    )
    assert {tuple(pair) for pair in colours} == {(ink, "rgba(0, 0, 0, 0)")}


def test_a_phone_is_wide_enough(page: Any, visit: Any, browser: Any) -> None:
    visit(page("width: 390px"), "file:")
    for answered in range(6):
        assert browser.execute_script("return document.querySelector('main').scrollWidth") <= 390
        if answered < 5:
            press(browser, 0)


def test_it_works_in_the_built_book(site: Any, browser: Any, visit: Any) -> None:
    pages = [page for page in site.pages if "sb-quiz-stage" in (site.folder / page).read_text(encoding="utf-8")]
    assert pages
    for page in pages:
        errors, outside = visit(site.address + page, site.address)
        assert (errors, outside) == ([], [])
        browser.execute_script("document.documentElement.dataset.theme = 'dark'")
        ground = browser.execute_script(
            "let e = document.querySelector('.sb-quiz'), g;"
            "do { g = getComputedStyle(e).backgroundColor; e = e.parentElement } while (g === 'rgba(0, 0, 0, 0)' && e);"
            "return g"
        )
        assert ground == browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        total = int(find(browser, ".sb-quiz-where").text.split(" of ")[1].split(",")[0])
        for _ in range(total):
            browser.execute_script("arguments[0].click()", find(browser, "[data-answer]"))
        assert find(browser, ".sb-quiz-end").is_displayed()
        assert len(table(browser)) >= 2

"""Photographs the page "Try it" for the first page: `python book/live_picture.py` writes book/static/try-it.png.

`simplebits book` must have made the website, or an address of the page is given. Needs Chromium and chromedriver.
"""

from __future__ import annotations

import io
import shutil
import sys
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PATIENCE = 300  # seconds, for each of the two computations
UNTIL = """
const [id, words, done] = arguments;
const look = () => document.getElementById(id).textContent.includes(words) ? done() : setTimeout(look, 200);
look();
"""
# From the first line to the end of both explanations, in CSS pixels of the page.
BOX = """
const top = document.getElementById('live').getBoundingClientRect();
const bottom = document.querySelector('.sb-live-pair').getBoundingClientRect().bottom;
return [top.left + scrollX, top.top + scrollY, top.width, bottom - top.top];
"""


def photograph(address: str) -> Image.Image:
    """The page in the light theme, after one example, its subsets and its simplification."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1250,1800"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        browser.set_script_timeout(PATIENCE)
        browser.get(address)
        browser.execute_async_script(UNTIL, "live-says", "The network reads a 3")
        for button, words in (("live-simplify", "steps: "), ("live-subset", "sufficient subset")):
            browser.find_element("id", button).click()
            browser.execute_async_script(UNTIL, "live-says", words)
        time.sleep(0.5)  # the last frame is painted
        left, top, width, height = browser.execute_script(BOX)
        browser.set_window_size(1250, int(top + height) + 200)
        browser.execute_script("scrollTo(0, 0)")
        shot = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
        return shot.crop((int(left) - 8, int(top) - 8, int(left + width) + 8, int(top + height)))
    finally:
        browser.quit()


if __name__ == "__main__":
    page = sys.argv[1] if len(sys.argv) > 1 else (ROOT / "_build" / "html" / "book" / "live.html").as_uri()
    few = photograph(page).quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(ROOT / "book" / "static" / "try-it.png", optimize=True)

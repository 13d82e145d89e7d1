"""The page "Try it", opened from a file: a browser computes what the library computes, and a reader can use it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import simplebits as sb
from simplebits.networks import digit_reader
from simplebits.run import live

ROOT = Path(__file__).parents[2]
THRESHOLD, SCALE = 0.9, 0.85
# A page of its own for numbers: it computes without the worker, and hands everything over.
MEASURE = """
const buffer = Uint8Array.from(atob(Live.data), (letter) => letter.charCodeAt(0)).buffer;
const engine = new Live.Engine(buffer, Live.about);
const run = (work) => { let step; while (!(step = work.next()).done); return step.value; };
const plain = (value) => Array.from(value);
return arguments[0].map((drawing) => {
  const x = Live.coloured(Float64Array.from(drawing));
  const readers = [engine.reader, engine.reader.scaled(arguments[2])];
  const latents = engine.glow.encode(x).map((z) => z.map((value) => 0.9 * value));
  const loss = Live.simplifyLoss(engine.glow, readers, x, latents, engine.noise, Live.SETTINGS);
  const found = run(engine.subsets({ drawing: Float64Array.from(drawing), threshold: arguments[1] }));
  return {
    bits: engine.bits(x), logits: plain(engine.reader.forward(Live.reduce(x)).logits),
    back: plain(engine.glow.decode(engine.glow.encode(x)).x), loss: loss.loss, gradient: loss.gradient.map(plain),
    rounds: found.rounds.map(({ order, sis, values }) => ({ order, sis, values: plain(values) })),
  };
});
"""


class Prepared(nn.Module):
    """The reader behind what the page shows it of a colour picture."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = sb.networks.load_digit_reader().double()

    def forward(self, x: Tensor) -> Tensor:
        return self.reader(digit_reader.read_size(x.mean(1, keepdim=True)))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page in one file, made as `simplebits live` makes it."""
    root = tmp_path_factory.mktemp("live")
    scripts = root / live.FOLDER
    scripts.mkdir(parents=True)
    for part in (ROOT / live.FOLDER).iterdir():
        if part.name != "weights.js":
            (scripts / part.name).write_bytes(part.read_bytes())
    live.write(root)
    return live.whole(root)


@pytest.fixture(scope="module")
def drawings() -> Tensor:
    """A 0, a 3 and a 4, a blank picture and noise: [5, 1, 16, 16]."""
    digits, _ = live.examples()
    noise = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    return torch.cat((digits[[0, 6, 8]], torch.zeros(1, 1, 16, 16), noise)).double()


@pytest.fixture
def opened(page: Path, browser: Any, until: Callable[..., Any]) -> Iterator[Any]:
    """The browser with the page open, its worker at work, a first picture seen; in the end nothing has gone wrong."""
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(page.as_uri())
    until(lambda: browser.execute_script("return document.getElementById('live').dataset.ready"), 60)
    until(lambda: says(browser, "The network reads a 3"), 60)
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.fixture(scope="module")
def measured(page: Path, browser: Any, drawings: Tensor) -> list[dict[str, Any]]:
    """What the page computes of the drawings."""
    browser.get(page.as_uri())
    return browser.execute_script(MEASURE, drawings.flatten(1).tolist(), THRESHOLD, SCALE)


def says(browser: Any, text: str) -> bool:
    return text in browser.execute_script("return document.getElementById('live-says').textContent")


def text(browser: Any, name: str) -> str:
    return browser.execute_script("return document.getElementById(arguments[0]).textContent", f"live-{name}")


def test_bits_and_answers_are_those_of_the_library(measured: list[dict[str, Any]], drawings: Tensor) -> None:
    glow, reader = sb.density.load(live.DENSITY), sb.networks.load_digit_reader()
    for found, drawing in zip(measured, drawings.float(), strict=True):
        (bits,) = sb.density.bits_of(glow, drawing.expand(1, 3, -1, -1)).tolist()
        assert found["bits"] == pytest.approx(bits, abs=1e-3)
        logits = reader(digit_reader.read_size(drawing[None]))[0]
        assert found["logits"] == pytest.approx(logits.tolist(), abs=1e-3)
        assert found["back"] == pytest.approx(drawing.expand(3, -1, -1).flatten().tolist(), abs=1e-6)


def test_gradients_in_latents_are_those_of_torch(measured: list[dict[str, Any]], drawings: Tensor) -> None:
    glow, classifier = sb.density.load(live.DENSITY).double(), Prepared()
    for found, drawing in zip(measured, drawings, strict=True):
        x = drawing.expand(1, 3, -1, -1)
        latents = [(0.9 * z).requires_grad_() for z in glow.encode(x)]
        decoded = glow.decode(latents)
        loss = sb.simplify.after_training_loss(
            classifier, glow, x, decoded, decoded, SCALE, bit_weight=1.0, gradient_weight=0.0,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        assert found["loss"] == pytest.approx(loss.total.item(), abs=1e-6)
        for theirs, ours in zip(found["gradient"], torch.autograd.grad(loss.total.sum(), latents), strict=True):
            difference = torch.tensor(theirs, dtype=ours.dtype) - ours.flatten()
            assert difference.norm() < 1e-5 * ours.norm()


def test_selections_are_exactly_those_of_the_library(measured: list[dict[str, Any]], drawings: Tensor) -> None:
    reader, fill = sb.networks.load_digit_reader().double(), sb.networks.digit_reader_card()["mean_pixel"]
    found = 0
    for theirs, drawing in zip(measured, drawings, strict=True):
        small = digit_reader.read_size(drawing[None])[0]
        ours = sb.subsets.sis_collection(
            sb.subsets.class_score(reader, small), small, THRESHOLD, fill=fill, progress=False
        )
        pixel = torch.tensor([8, 1])
        assert [one["order"] for one in theirs["rounds"]] == [(subset.order @ pixel).tolist() for subset in ours]
        assert [one["sis"] for one in theirs["rounds"]] == [(subset.sis @ pixel).tolist() for subset in ours]
        for one, subset in zip(theirs["rounds"], ours, strict=True):
            assert one["values"] == pytest.approx(subset.values.tolist(), abs=1e-9)
        found += len(ours)
    assert found >= 3, "something to compare"


@pytest.mark.parametrize(
    ("values", "score", "threshold", "sis"),
    [
        ([0.9, 0.8, 0.3, 0.1], 1.0, 0.8, [3, 2]),  # at least: 0.8 reaches 0.8
        ([0.9, 0.8, 0.3, 0.6], 1.0, 0.5, [2]),  # the wholly masked input reaches it
        ([0.2, 0.9, 0.3, 0.1], 1.0, 0.8, [3, 2]),  # what comes last counts
        ([0.2, 0.1], 0.4, 0.5, None),
    ],
)
def test_reading_a_subset_off_a_selection(
    page: Path, browser: Any, values: list[float], score: float, threshold: float, sis: list[int] | None
) -> None:
    browser.get(page.as_uri())
    order = list(range(len(values)))
    script = "return Live.sufficient({order: arguments[0], values: arguments[1], score: arguments[2]}, arguments[3])"
    found = browser.execute_script(script, order, values, score, threshold)
    selection = sb.subsets.BackSelection(
        torch.ones(len(values), dtype=torch.bool), torch.tensor(order)[:, None], torch.tensor(values).double(), score
    )
    ours = selection.sufficient(threshold)
    assert (found and found["sis"]) == (ours and ours.sis.flatten().tolist()) == sis


def test_ties_go_to_the_first_pixel(page: Path, browser: Any) -> None:
    browser.get(page.as_uri())
    script = """
const work = Live.backSelect((inputs, n) => new Float64Array(n), new Float64Array(4), Array(4).fill(true), 0);
let step; while (!(step = work.next()).done); return step.value.order;"""
    assert browser.execute_script(script) == [0, 1, 2, 3]


def test_the_png_file_holds_the_picture_and_is_small(page: Path, browser: Any, drawings: Tensor) -> None:
    browser.get(page.as_uri())
    script = """
const [drawings, done] = arguments;
const file = async (drawing) => Array.from(await Live.pngFile(Live.coloured(Float64Array.from(drawing)), 16));
Promise.all(drawings.map(file)).then(done)"""
    files = browser.execute_async_script(script, drawings.flatten(1).tolist())
    bits = sb.density.png_bits_per_dim(drawings.float().expand(-1, 3, -1, -1))
    for file, drawing, pillows in zip(files, drawings, (bits * 768 / 8).tolist(), strict=True):
        picture = Image.open(io.BytesIO(bytes(file))).convert("RGB")
        wanted = sb.data.to_bytes(drawing[None].expand(1, 3, -1, -1))[0].permute(1, 2, 0)
        assert torch.equal(torch.from_numpy(np.asarray(picture).copy()), wanted)
        assert len(file) < 1.03 * pillows


def test_a_pointer_draws_and_the_bits_follow(opened: Any, until: Callable[..., Any]) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    opened.find_element("id", "live-clear").click()
    until(lambda: says(opened, "Nothing is drawn yet"))
    blank = float(text(opened, "glow"))
    canvas = opened.find_element("id", "live-drawing")
    stroke = ActionChains(opened).move_to_element_with_offset(canvas, 0, -110).click_and_hold()
    stroke.move_by_offset(0, 110).move_by_offset(0, 110).release().perform()
    until(lambda: says(opened, "The network reads a 1"))
    assert float(text(opened, "glow")) > blank + 0.1
    assert "nearest" in text(opened, "condensed")


def test_keys_draw(opened: Any, until: Callable[..., Any]) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    opened.find_element("id", "live-clear").click()
    until(lambda: says(opened, "Nothing is drawn yet"))
    opened.execute_script("document.getElementById('live-drawing').focus()")
    keys = ActionChains(opened).send_keys(Keys.ARROW_UP * 6).key_down(Keys.SPACE)
    keys.send_keys(Keys.ARROW_DOWN * 11).key_up(Keys.SPACE).perform()
    until(lambda: says(opened, "The network reads a 1"))


def test_the_subset_appears_and_follows_the_threshold(opened: Any, until: Callable[..., Any]) -> None:
    opened.find_element("id", "live-subset").click()
    until(lambda: says(opened, "sufficient subset"), 90)
    items = opened.execute_script("return [...document.querySelectorAll('#live-subsets canvas')].map(c => c.ariaLabel)")
    assert items
    assert all(item.startswith(f"Subset {i + 1}: ") for i, item in enumerate(items))
    assert "pixels left" in text(opened, "masking")
    before = text(opened, "subsets")
    opened.execute_script(
        "const slider = document.getElementById('live-threshold');"
        "slider.value = 0.5; slider.dispatchEvent(new Event('input'))"
    )
    until(lambda: text(opened, "subsets") not in ("", before), 60)
    opened.find_elements("css selector", "#live-examples button")[0].click()
    until(lambda: text(opened, "subsets") == "")  # those of another picture are gone


def test_a_press_in_the_middle_of_a_look_stops_nothing(opened: Any, until: Callable[..., Any]) -> None:
    opened.execute_script(
        "document.querySelector('#live-examples button').click(); document.getElementById('live-subset').click()"
    )
    until(lambda: says(opened, "sufficient subset"), 90)
    opened.find_element("id", "live-clear").click()
    until(lambda: says(opened, "Nothing is drawn yet"))


def test_simplifying_lowers_the_bits_and_keeps_the_answer(opened: Any, until: Callable[..., Any]) -> None:
    before = float(text(opened, "glow"))
    button = opened.find_element("id", "live-simplify")
    button.click()
    until(lambda: int(text(opened, "simplifying").partition("After ")[2].partition(" ")[0] or 0) >= 25, 120)
    button.click()
    until(lambda: button.text == "Simplify")
    assert float(text(opened, "simple-bits")) < before - 0.1
    assert text(opened, "simple-decision").startswith("3: ")


def test_without_a_worker_the_page_does_the_work(page: Path, browser: Any, until: Callable[..., Any]) -> None:
    added = browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": "window.Worker = function () { throw new Error('no'); };"}
    )
    try:
        browser.get(page.as_uri())
        until(lambda: says(browser, "The network reads a 3"), 60)
        assert browser.execute_script("return document.getElementById('live').dataset.ready") == "page"
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_every_control_and_picture_has_a_name(opened: Any) -> None:
    nameless = opened.execute_script(
        "return [...document.querySelectorAll('#live button, #live canvas, #live input')].filter((element) => "
        "!(element.ariaLabel || element.textContent.trim() || element.labels?.length || element.closest('button')))"
        ".map((element) => element.outerHTML)"
    )
    assert nameless == []


def test_the_page_says_what_the_cards_say(opened: Any) -> None:
    card = sb.networks.digit_reader_card()
    shown = opened.execute_script("return document.getElementById('live').textContent.replace(/\\s+/g, ' ')")
    assert f"{card['test_accuracy']:.1%}".replace("%", " %") in shown
    assert f"of {card['test_images']} test digits" in shown
    about = json.loads((page_text(opened).partition("Live.about = ")[2]).partition(";\nLive.data")[0])
    assert about == live.about()


def page_text(browser: Any) -> str:
    return browser.execute_script(
        "return [...document.scripts].map((script) => script.textContent).find((t) => t.includes('Live.about = '))"
    )

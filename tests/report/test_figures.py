"""Pictures: their text, their pixels, their size."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import simplebits as sb
from simplebits.report.picture import _holds_images, picture

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_settings():
    """Leave matplotlib as it was, and no figure open."""
    with matplotlib.rc_context():
        yield
    plt.close("all")


def images(n=3, channels=3, size=8):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(n * size))


def as_bytes(x):
    """One image as red, green and blue bytes `[h, w, 3]`."""
    return (x * 255).round().byte().expand(3, -1, -1).permute(1, 2, 0).numpy()


def line():
    figure, axes = plt.subplots()
    axes.plot(np.sin(np.arange(50) / 5), label="a")
    axes.legend()
    return figure


class Parts(HTMLParser):
    """Attributes of the image, and the text of the caption."""

    def __init__(self, content):
        super().__init__()
        self.image, self.ink, self.caption, self.tags = {}, "", "", []
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.image = dict(attrs)
        if dict(attrs).get("class") == "sb-ink":
            self.ink = dict(attrs)["style"]

    def handle_data(self, data):
        self.caption += data

    def inked(self):
        """Which pixels of the file the dark theme turns, [h, w]."""
        from matplotlib.path import Path as Outline

        height, width = self.pixels.shape[:2]
        corners = [[float(x) for x in pair] for pair in re.findall(r"([-\d.]+)% ([-\d.]+)%", self.ink)]
        y, x = np.mgrid[:height, :width] + 0.5
        points = np.stack((x.ravel(), y.ravel()), 1)
        whole, *holes = [corners[i : i + 5] for i in (0, *range(5, len(corners), 6))]
        inked = Outline(np.array(whole) * [width / 100, height / 100]).contains_points(points)
        for hole in holes:
            inked &= ~Outline(np.array(hole) * [width / 100, height / 100]).contains_points(points)
        return inked.reshape(height, width)

    @property
    def pixels(self):
        file = base64.b64decode(self.image["src"].removeprefix("data:image/png;base64,"))
        return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def displayed(monkeypatch):
    """What `show` hands to IPython."""
    found = []
    monkeypatch.setattr("IPython.display.display", found.append)
    return found


def test_show_displays_text_caption_and_picture_and_closes_the_figure(monkeypatch):
    found, figure = displayed(monkeypatch), line()
    sb.report.show(figure, alt='A "sine" < 1.', caption="A wave & more.")
    (shown,) = found
    parts = Parts(shown._repr_html_())
    assert parts.image["alt"] == 'A "sine" < 1.'
    assert parts.caption == "A wave & more."
    assert "dark-light" in parts.image["class"].split()
    assert plt.get_fignums() == []
    assert repr(shown) == 'Figure: A "sine" < 1.'


def test_formulas_of_a_caption_become_what_the_page_typesets():
    content = picture(line(), "A line.", "Bits $b^2 < 3$ over $t$.")
    formulas = re.findall(r'<span class="math notranslate nohighlight">(.*?)</span>', content)
    assert formulas == [r"\(b^2 &lt; 3\)", r"\(t\)"]
    assert "$" not in content


def test_without_a_caption_there_is_none():
    assert "figcaption" not in picture(line(), "A line.")


@pytest.mark.unchecked
@pytest.mark.parametrize("alt", ["", "  ", None])
def test_a_picture_without_a_text_is_refused(alt):
    with pytest.raises(ValueError, match="say in a sentence"):
        sb.report.show(line(), alt=alt)


@pytest.mark.unchecked
def test_only_figures_are_shown():
    axes = plt.subplots()[1]
    with pytest.raises(TypeError, match=r"expected a matplotlib Figure, got Axes; pass axes\.figure"):
        sb.report.show(axes, alt="Axes.")
    with pytest.raises(TypeError, match="got ndarray"):
        sb.report.show(np.zeros((4, 4)), alt="Zeros.")


def test_a_figure_is_as_wide_on_the_page_as_its_inches_say():
    figure = plt.figure(figsize=(4, 2))
    parts = Parts(picture(figure, "Nothing."))
    assert (parts.image["width"], parts.image["height"]) == ("400", "200")
    assert parts.pixels.shape == (400, 800, 3)  # two pixels of the file for one of the page
    assert "max-width:100%;height:auto" in parts.image["style"]
    assert "pixelated" not in parts.image["style"]


def test_line_drawings_are_small_and_look_the_same():
    figure = line()
    exact = io.BytesIO()
    figure.savefig(exact, dpi=200)
    parts = Parts(picture(figure, "A line."))
    drawn = np.asarray(Image.open(exact).convert("RGB")).astype(int)
    assert np.abs(parts.pixels.astype(int) - drawn).mean() < 0.5
    assert len(parts.image["src"]) < 60_000


@settings(max_examples=20)
@given(
    n=st.integers(1, 5),
    channels=st.sampled_from([1, 3]),
    size=st.integers(3, 40),
    columns=st.integers(1, 6),
    zoom=st.sampled_from([0.3, 1.0, 1.7]),
    titled=st.booleans(),
)
def test_every_pixel_of_a_grid_is_an_exact_square(n, channels, size, columns, zoom, titled):
    x = images(n, channels, size)
    rows = -(-n // min(columns, n))
    titles, row_titles = (["t\nu"] * n, ["row", *[""] * (rows - 1)]) if titled else (None, None)
    figure = sb.report.image_grid(x, titles, columns, row_titles, zoom)
    pixels = Parts(picture(figure, "Images.")).pixels
    square = max(1, round(zoom * 160 / size))
    height, width = pixels.shape[:2]
    for i, axes in enumerate(figure.axes):
        box = axes.get_position()
        left, top = round(box.x0 * width), height - round(box.y1 * height)
        wanted = as_bytes(x[i]).repeat(square, 0).repeat(square, 1)
        assert np.array_equal(pixels[top : top + size * square, left : left + size * square], wanted)


def test_the_dark_theme_turns_ink_and_leaves_the_pixels_of_images():
    x = images(3, size=8)
    figure = sb.report.image_grid(x, titles=["a", "b", "c"], row_titles=["row"])
    parts = Parts(picture(figure, "Images."))
    inked, height, width = parts.inked(), *parts.pixels.shape[:2]
    around = np.ones_like(inked)
    for axes in figure.axes:
        box = axes.get_position()
        rows = slice(height - round(box.y1 * height), height - round(box.y0 * height))
        columns = slice(round(box.x0 * width), round(box.x1 * width))
        assert not inked[rows, columns].any()
        around[rows.start - 2 : rows.stop + 2, columns.start - 2 : columns.stop + 2] = False  # the frame is either
    assert inked[around].all()
    assert figure.dpi == 100, "as it was"


@pytest.mark.parametrize("kind", ["thumbnail", "imshow", "mesh"])
def test_images_in_a_chart_are_found(kind):
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    red = np.zeros((8, 8, 3))
    red[..., 0] = 1
    figure, axes = plt.subplots(figsize=(4, 3))
    if kind == "thumbnail":
        axes.add_artist(AnnotationBbox(OffsetImage(red, zoom=3), (0.5, 0.5)))
    elif kind == "imshow":
        axes.imshow(red, extent=(0.2, 0.4, 0.5, 0.9))
        axes.set(xlim=(0, 1), ylim=(0, 1))
    else:
        axes.pcolormesh(np.ones((2, 2)), cmap=matplotlib.colors.ListedColormap(["red"]))
        axes.set(xlim=(-1, 3), ylim=(-1, 3))
    parts = Parts(picture(figure, "A chart with a red image."))
    is_red = (parts.pixels == [255, 0, 0]).all(2)
    assert is_red.sum() > 500
    left_out = ~parts.inked()
    assert left_out[is_red].all()
    assert left_out.sum() < 1.2 * is_red.sum()


def test_a_chart_is_all_ink_and_a_single_image_has_none():
    assert Parts(picture(line(), "A line.")).inked().all()
    assert Parts(picture(images()[0], "An image.")).ink == ""


def test_images_of_a_grid_share_one_scale():
    dim = torch.full((2, 1, 4, 4), 0.2)
    dim[1] = 0.4
    pixels = Parts(picture(sb.report.image_grid(dim), "Two greys.")).pixels
    frame = 196
    assert {tuple(p) for p in pixels.reshape(-1, 3)} == {(v, v, v) for v in (51, 102, frame, 255)}


def test_a_frame_shows_where_a_white_image_ends():
    pixels = Parts(picture(sb.report.image_grid(torch.ones(1, 1, 4, 4)), "White.")).pixels[:, :, 0]
    height, width = pixels.shape
    assert (pixels[2:-2, 2:-2] == 255).all()
    assert (pixels == 196).sum() == height * width - (height - 4) * (width - 4)


def test_a_grid_can_be_saved_twice_whatever_the_layout_settings(tmp_path):
    sb.report.style()
    figure = sb.report.image_grid(images())
    for name in ("a.png", "b.png"):
        figure.savefig(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_line_breaks_of_a_title_stay():
    figure = sb.report.image_grid(images(1), titles=["1.25\na rather long name of a set"])
    assert figure.axes[0].get_title().split("\n")[0] == "1.25"
    assert max(map(len, figure.axes[0].get_title().split("\n"))) < 20


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": images() * 255}, "must lie in"),
        ({"images": images()[0]}, r"\[n, c, h, w\]"),
        ({"images": images(2, 2)}, "1 .grey. or 3 .colour. channels, got 2"),
        ({"images": images(0)}, "empty"),
        ({"titles": ["one"]}, "titles: expected 3, one for each image, got 1"),
        ({"row_titles": ["a", "b"]}, "row_titles: expected 1, one for each row, got 2"),
        ({"columns": 0}, "columns=0"),
        ({"zoom": 0}, "zoom=0"),
    ],
)
def test_a_grid_of_wrong_things_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sb.report.image_grid(**({"images": images()} | arguments))


@pytest.mark.parametrize(("channels", "size", "width"), [(1, 8, 256), (3, 32, 256), (3, 28, 252), (3, 300, 300)])
def test_a_single_image_keeps_its_pixels_and_the_page_enlarges_them(channels, size, width):
    x = images(1, channels, size)[0]
    parts = Parts(picture(x, "An image."))
    assert np.array_equal(parts.pixels, as_bytes(x))
    assert parts.image["width"] == str(width)
    assert "dark-light" in parts.image["class"].split()
    assert "image-rendering:pixelated" in parts.image["style"]


@pytest.mark.unchecked
@pytest.mark.parametrize("x", [images(), images()[0] * 2, images(1, 2)[0], torch.full((1, 4, 4), float("nan"))])
def test_a_single_image_of_the_wrong_kind_is_refused(x):
    with pytest.raises(ValueError, match=r"image|channel|c = 1 or 3"):
        picture(x, "Wrong.")


def luminance(colour):
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in matplotlib.colors.to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], channels))


# How eyes without one kind of cone see colours (Machado and others 2009, full strength), on linear red, green and blue.
CONES = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


@pytest.mark.parametrize("kind", CONES)
def test_the_colours_stay_apart_for_colour_blind_eyes(kind):
    style_cycle = ["blue", "orange", "green", "pink", "amber"]
    seen = []
    for name in style_cycle:
        rgb = np.array(matplotlib.colors.to_rgb(sb.report.COLOURS[name]))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen.append(np.clip(np.array(CONES[kind]) @ linear, 0, 1) ** (1 / 2.2))
    apart = [np.abs(a - b).sum() for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 0.15


def test_lines_and_text_read_on_their_ground():
    sb.report.style()
    ground = luminance(matplotlib.rcParams["figure.facecolor"])
    for name in ("blue", "orange", "black", "grey"):
        # 3 is what the accessibility guidelines ask of graphics.
        assert (ground + 0.05) / (luminance(sb.report.COLOURS[name]) + 0.05) > 3


def in_the_dark(colour):
    """A colour after invert(.92) and hue-rotate(180deg), as the dark theme shows it; the matrix is CSS's."""
    turn = [[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]]
    inverted = 0.92 - 0.84 * np.array(matplotlib.colors.to_rgb(colour))
    return tuple(np.clip(np.array(turn) @ inverted, 0, 1))


def test_lines_and_text_read_in_the_dark_theme():
    css = (ROOT / "book" / "static" / "book.css").read_text()
    assert " backdrop-filter: invert(.92) hue-rotate(180deg)" in css
    ground = luminance(in_the_dark("white"))
    assert ground < 0.01
    seen = {name: luminance(in_the_dark(colour)) for name, colour in sb.report.COLOURS.items()}
    assert min((value + 0.05) / (ground + 0.05) for value in seen.values()) > 2.5
    assert (seen["black"] + 0.05) / (ground + 0.05) > 7


def test_style_draws_with_the_named_colours():
    sb.report.style()
    cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    assert cycle[0] == sb.report.COLOURS["blue"]
    assert set(cycle) <= set(sb.report.COLOURS.values())
    assert len(set(cycle)) == len(cycle) >= 6


@pytest.mark.parametrize(("colours", "few"), [(15, True), (256, False)])
def test_a_mesh_of_few_colours_takes_few_bytes_and_one_of_many_keeps_them(colours, few):
    figure, axes = plt.subplots()
    mesh = axes.pcolormesh(np.random.default_rng(0).random((40, 40)), cmap=plt.get_cmap("PuOr", colours))
    assert _holds_images(figure) is not few
    pixels = Parts(picture(figure, "A mesh.")).pixels.reshape(-1, 3)
    drawn = len(np.unique(pixels, axis=0))
    assert (drawn <= 256) is few
    assert colours == mesh.cmap.N

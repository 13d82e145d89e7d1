"""Figures of the book: one style, grids of images, and a display that never forgets the alternative text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from simplebits import _check
from simplebits._door import door
from simplebits.report.picture import DENSE, INCH, picture

if TYPE_CHECKING:
    import matplotlib.figure

#: Named colours that stay apart for every common kind of colour vision (Okabe and Ito), and read on white.
COLOURS = MappingProxyType(
    {
        "blue": "#0072B2",
        "orange": "#D55E00",
        "green": "#009E73",
        "pink": "#CC79A7",
        "amber": "#E69F00",
        "sky": "#56B4E9",
        "black": "#222222",
        "grey": "#767676",
    }
)

_CELL = 80  # CSS pixels an image of a grid takes at zoom 1
# Pixels of the file: between images, of the frame around each, for a line of a title and a letter of it.
_GAP, _FRAME, _LINE, _LETTER = 10, 2, 26, 10
_FONT = 8  # points


def style() -> None:
    """Set matplotlib up for the book: colours of `COLOURS`, readable sizes, white ground, few frames.

    The ground of the file is white; what the website's dark theme makes of it is told in `picture`.
    """
    import matplotlib
    from cycler import cycler

    matplotlib.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=[COLOURS[name] for name in COLOURS if name != "grey"]),
            "figure.figsize": (6.8, 3.6),
            "figure.dpi": INCH,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.titlesize": 10,
            "axes.labelsize": 10,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e4e4e4",
            "grid.linewidth": 0.8,
            "lines.linewidth": 1.8,
            "image.interpolation": "nearest",
        }
    )


def show(figure: matplotlib.figure.Figure, alt: str, caption: str | None = None) -> None:
    """Display a figure with its alternative text and caption, and close it.

    It is shown as HTML because that is the one form in which Jupyter, Colab and the rendered page all keep the text.

    Args:
        figure: any matplotlib figure; an inch of it is 100 pixels wide on the page.
        alt: what there is to see, for those who cannot see it: the kind of picture and its message, in a sentence.
        caption: printed below; may hold formulas as `$x$`.

    Raises:
        TypeError: not a figure.
        ValueError: `alt` is empty.

    >>> from matplotlib.figure import Figure
    >>> show(Figure(), alt="An empty figure.")
    Figure: An empty figure.
    """
    from IPython.display import display

    shown = _Shown(picture(figure, alt, caption), alt)
    close(figure)
    display(shown)


class _Shown:
    """What `show` displays: the picture where HTML is, its text everywhere else."""

    def __init__(self, content: str, alt: str) -> None:
        self._content, self._alt = content, alt

    def _repr_html_(self) -> str:
        return self._content

    def __repr__(self) -> str:
        return f"Figure: {self._alt}"


def close(figure: matplotlib.figure.Figure) -> None:
    """Forget a figure that pyplot holds, so that a notebook does not show it a second time."""
    import matplotlib.pyplot as plt

    plt.close(figure)


def image_grid(
    images: Float[Tensor, "n c h w"],
    titles: Sequence[str] | None = None,
    columns: int = 8,
    row_titles: Sequence[str] | None = None,
    zoom: float = 1.0,
) -> matplotlib.figure.Figure:
    """Images side by side on one scale (0 black, 1 white), each pixel a whole square of the file, without axes.

    Args:
        images: values in [0, 1], grey (c = 1) or colour (c = 3).
        titles: one above each image.
        columns: images in a row.
        row_titles: one left of each row.
        zoom: an image is about 80 * zoom pixels wide on the page.

    Raises:
        ValueError: images as `simplebits` never has them, or not one title for each image or row.

    >>> import torch
    >>> figure = image_grid(torch.rand(3, 1, 8, 8), titles=["a", "b", "c"])
    >>> len(figure.axes)
    3
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import PlaceHolderLayoutEngine
    from matplotlib.patches import Rectangle

    from simplebits.data import to_bytes

    _check.image_batch("images", images)
    n, channels, height, width = images.shape
    if channels not in (1, 3):
        raise ValueError(f"images: expected 1 (grey) or 3 (colour) channels, got {channels}")
    _check.positive("columns", columns, integer=True)
    _check.positive("zoom", zoom)
    columns = min(columns, n)
    rows = -(-n // columns)
    for name, texts, wanted, of in (("titles", titles, n, "image"), ("row_titles", row_titles, rows, "row")):
        if texts is not None and len(texts) != wanted:
            raise ValueError(f"{name}: expected {wanted}, one for each {of}, got {len(texts)}")

    # All lengths are pixels of the file, so that an image's pixel is a whole number of them and stays a sharp square.
    square = max(1, round(zoom * _CELL * DENSE / max(height, width)))
    cell_h, cell_w = square * height, square * width
    above = [_wrapped(title, max(6, cell_w // _LETTER)) for title in titles or [""] * n]
    lines = [1 + title.count("\n") if title else 0 for title in above]
    top = [_LINE * max(lines[row * columns : (row + 1) * columns]) for row in range(rows)]
    left = _FRAME + (round(16 + max(_width(title) for title in row_titles)) if row_titles else 0)
    full_w = left + columns * (cell_w + _GAP) - _GAP + _FRAME
    full_h = sum(top) + rows * (cell_h + _GAP) - _GAP + 2 * _FRAME
    # An engine that does nothing: with "none", saving a figure twice would bring back the one of the rcParams.
    still = PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=False)
    inch = INCH * DENSE
    figure = Figure(((full_w + 0.01) / inch, (full_h + 0.01) / inch), dpi=INCH, layout=still, facecolor="white")
    pixels = to_bytes(images.detach(), clip=True).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
    for i in range(n):
        row, column = divmod(i, columns)
        x = left + column * (cell_w + _GAP)
        y = full_h - _FRAME - sum(top[: row + 1]) - row * (cell_h + _GAP) - cell_h
        # A frame, outside the pixels, shows where a white image ends.
        corner = (x - _FRAME) / full_w, (y - _FRAME) / full_h
        reach = (cell_w + 2 * _FRAME) / full_w, (cell_h + 2 * _FRAME) / full_h
        figure.add_artist(Rectangle(corner, *reach, color="#c4c4c4", linewidth=0, zorder=-1))
        axes = figure.add_axes((x / full_w, y / full_h, cell_w / full_w, cell_h / full_h))
        axes.imshow(pixels[i], interpolation="nearest", aspect="auto")
        axes.set_axis_off()
        axes.set_title(above[i], fontsize=_FONT, pad=2.5)
        if row_titles and column == 0:
            place = (left - _FRAME - 12) / full_w, (y + cell_h / 2) / full_h
            figure.text(*place, row_titles[row], fontsize=_FONT, ha="right", va="center")
    return figure


@door
def painted(image: Tensor, mask: Tensor) -> Tensor:
    """Paint the pixels outside a mask blue, for people: a network sees one grey there.

    Args:
        image: [c, h, w] in [0, 1].
        mask: [h, w], True on the pixels to show.

    Returns:
        [3, h, w] on the CPU, in single precision.
    """
    import torch

    blue = torch.tensor([0.34, 0.71, 0.91])[:, None, None]
    return torch.where(mask.cpu(), image.detach().cpu().float().expand(3, -1, -1), blue)


def _wrapped(text: str, width: int) -> str:
    """Lines of at most so many letters; the caller's own line breaks stay."""
    return "\n".join(textwrap.fill(line, width) for line in text.split("\n"))


def _width(text: str) -> float:
    """Pixels of the file that a title of a grid takes."""
    from matplotlib.textpath import TextPath

    lines = [line for line in text.split("\n") if line.strip()]  # a path of spaces has no extents
    points = max((TextPath((0, 0), line, size=_FONT).get_extents().width for line in lines), default=0.0)
    return points * INCH * DENSE / 72

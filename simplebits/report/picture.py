"""A picture as HTML: a PNG, the text for those who cannot see it, and a caption.

No theme touches the pixels of images. In the dark theme, the website turns black ink on white ground around them into
light ink on dark ground, hues kept, with an empty element above the picture that leaves the images out.
"""

from __future__ import annotations

import base64
import html
import io
import re
from typing import TYPE_CHECKING

from jaxtyping import Float

from simplebits import _check

if TYPE_CHECKING:
    import matplotlib.figure
    from matplotlib.artist import Artist
    from PIL.Image import Image
    from torch import Tensor

INCH = 100  # CSS pixels an inch of figure takes on the page
DENSE = 2  # pixels of the file per CSS pixel: sharp on dense screens
FEW_COLOURS = 64  # of a mesh: with those of lines and text they are far below 256
_SINGLE = 256  # CSS pixels that a single small image is enlarged to, at most
_MATH = re.compile(r"\$([^$]+)\$")


def picture(
    source: matplotlib.figure.Figure | Float[Tensor, "c h w"],
    alt: str,
    caption: str | None = None,
    *,
    live: bool = False,
) -> str:
    """Write a picture as HTML: `<figure>`, an `<img>` that holds the PNG, its alternative text, the caption.

    Args:
        source: a figure, or one image in [0, 1], whose pixels are then enlarged to squares.
        alt: the alternative text.
        caption: printed below; formulas as `$x$`.
        live: the caption changes while it is read, so that a screen reader should say it again.

    Raises:
        TypeError: neither a figure nor a tensor.
        ValueError: `alt` is empty, or the image is not `[c, h, w]` in [0, 1].
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt={alt!r}: say in a sentence what there is to see, for those who cannot see it")
    png, width, height, ink = _png(source)
    # The theme leaves `dark-light` pictures alone. Styles stand here because Jupyter and Colab have no sheet of ours.
    style = "max-width:100%;height:auto" + ("" if ink else ";image-rendering:pixelated")
    content = (
        f'<img class="dark-light{"" if ink else " sb-pixels"}" style="{style}" width="{width}" height="{height}" '
        f'alt="{html.escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    )
    if ink:
        content += f'<span class="sb-ink" style="clip-path:{ink}"></span>'
        style = f"display:inline-block;max-width:100%;width:{width}px"
        content = f'<div class="sb-scroll"><span class="sb-sheet" style="{style}">{content}</span></div>'
    if caption:
        # \( \) is what the page's MathJax looks for; the classes let it look here.
        text = _MATH.sub(r'<span class="math notranslate nohighlight">\\(\1\\)</span>', html.escape(caption))
        spoken = ' aria-live="polite"' if live else ""
        content += f"<figcaption{spoken}>{text}</figcaption>"
    return f'<figure class="sb-figure">{content}</figure>'


def _png(source: matplotlib.figure.Figure | Float[Tensor, "c h w"]) -> tuple[bytes, int, int, str]:
    """Draw a PNG; give its size in CSS pixels and where ink is; if nowhere, each pixel becomes a sharp square."""
    import matplotlib.figure
    import torch
    from PIL import Image

    from simplebits.data import to_bytes

    if isinstance(source, torch.Tensor):
        if source.dim() != 3 or source.shape[0] not in (1, 3):
            raise ValueError(f"expected one image [c, h, w] with c = 1 or 3, got shape {list(source.shape)}")
        _check.image_batch("image", source[None])
        pixels = to_bytes(source.detach()[None], clip=True)[0].permute(1, 2, 0).squeeze(-1).cpu().numpy()
        height, width = pixels.shape[:2]
        enlarge = max(1, _SINGLE // max(height, width))
        return _smallest(Image.fromarray(pixels)), width * enlarge, height * enlarge, ""
    if not isinstance(source, matplotlib.figure.Figure):
        hint = "; pass axes.figure" if hasattr(source, "figure") else ""
        raise TypeError(f"expected a matplotlib Figure, got {type(source).__name__}{hint}")
    raw = io.BytesIO()
    before, source.dpi = source.dpi, INCH * DENSE  # places of images are those in the file
    source.savefig(raw, format="png", dpi=INCH * DENSE)
    ink = _ink(source)
    source.dpi = before
    drawn = Image.open(raw).convert("RGB")
    if not _holds_images(source):
        # Lines and text lose nothing visible in 256 colours and take a third of the bytes; images are never touched.
        drawn = drawn.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return _smallest(drawn), round(drawn.width / DENSE), round(drawn.height / DENSE), ink


def _holds_images(figure: matplotlib.figure.Figure) -> bool:
    """Whether 256 colours might be too few: it shows images, or a mesh in a continuous range of colours."""
    from matplotlib.collections import QuadMesh

    return any(not isinstance(shown, QuadMesh) or shown.cmap.N > FEW_COLOURS for shown in _images(figure))


def _images(figure: matplotlib.figure.Figure) -> list[Artist]:
    """List what a figure shows in colours that mean something by themselves: images and meshes."""
    from matplotlib.collections import QuadMesh
    from matplotlib.image import AxesImage, BboxImage, FigureImage

    return figure.findobj(lambda artist: isinstance(artist, AxesImage | BboxImage | FigureImage | QuadMesh))


def _ink(figure: matplotlib.figure.Figure) -> str:
    """Outline the figure but for its images, a CSS polygon with holes, at the resolution it was just drawn with."""
    from matplotlib.image import BboxImage
    from matplotlib.transforms import Bbox

    first = (-1.0, -1.0)  # outside: an edge on the border could leave half a row of pixels
    corners = [first, (101.0, -1.0), (101.0, 101.0), (-1.0, 101.0), first]
    width, height = figure.bbox.size
    for artist in _images(figure):
        box = artist.get_window_extent()
        if artist.axes is not None and not isinstance(artist, BboxImage):  # a thumbnail may reach beyond its axes
            box = Bbox.intersection(box, artist.axes.bbox)
        if box is not None and artist.get_visible():
            left, right = (100 * x / width for x in (box.xmin - 1, box.xmax + 1))  # a pixel more: edges are rounded
            top, bottom = (100 - 100 * y / height for y in (box.ymax + 1, box.ymin - 1))
            # Back to the first corner: with the rule "evenodd", the way there and back encloses nothing.
            corners += [(left, top), (right, top), (right, bottom), (left, bottom), (left, top), first]
    return f"polygon(evenodd,{','.join(f'{x:.2f}% {y:.2f}%' for x, y in corners)})"


def _smallest(drawn: Image) -> bytes:
    """Write the PNG in few bytes, without changing a pixel: with a palette where 256 colours are all there are."""
    from PIL import Image

    if drawn.mode == "RGB" and (colours := drawn.getcolors(256)):
        palette = Image.new("P", (1, 1))
        palette.putpalette([value for _, colour in colours if isinstance(colour, tuple) for value in colour])
        exact = drawn.quantize(palette=palette, dither=Image.Dither.NONE)
        drawn = exact if exact.convert("RGB").tobytes() == drawn.tobytes() else drawn
    buffer = io.BytesIO()
    drawn.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()

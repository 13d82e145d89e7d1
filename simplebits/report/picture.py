"""A picture as HTML: a PNG whose pixels no theme touches, the text for those who cannot see it, and a caption."""

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
    """The HTML of a picture: `<figure>`, an `<img>` that holds the PNG, its alternative text, the caption.

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
    png, width, height, pixelated = _png(source)
    # The theme leaves `dark-light` pictures alone. Styles stand here because Jupyter and Colab have no sheet of ours.
    style = "max-width:100%;height:auto" + (";image-rendering:pixelated" if pixelated else "")
    content = (
        f'<img class="dark-light{" sb-pixels" * pixelated}" style="{style}" width="{width}" height="{height}" '
        f'alt="{html.escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    )
    if caption:
        # \( \) is what the page's MathJax looks for; the classes let it look here.
        text = _MATH.sub(r'<span class="math notranslate nohighlight">\\(\1\\)</span>', html.escape(caption))
        spoken = ' aria-live="polite"' if live else ""
        content += f"<figcaption{spoken}>{text}</figcaption>"
    return f'<figure class="sb-figure">{content}</figure>'


def _png(source: matplotlib.figure.Figure | Float[Tensor, "c h w"]) -> tuple[bytes, int, int, bool]:
    """A PNG, its width and height in CSS pixels, and whether its pixels are to be enlarged to squares."""
    import matplotlib.figure
    import torch
    from PIL import Image

    from simplebits.data import to_bytes

    if isinstance(source, torch.Tensor):
        if source.dim() != 3 or source.shape[0] not in (1, 3):
            raise ValueError(f"expected one image [c, h, w] with c = 1 or 3, got shape {list(source.shape)}")
        _check.image_batch("image", source[None])
        pixels = to_bytes(source.detach()[None])[0].permute(1, 2, 0).squeeze(-1).cpu().numpy()
        height, width = pixels.shape[:2]
        enlarge = max(1, _SINGLE // max(height, width))
        return _smallest(Image.fromarray(pixels)), width * enlarge, height * enlarge, True
    if not isinstance(source, matplotlib.figure.Figure):
        hint = "; pass axes.figure" if hasattr(source, "figure") else ""
        raise TypeError(f"expected a matplotlib Figure, got {type(source).__name__}{hint}")
    raw = io.BytesIO()
    source.savefig(raw, format="png", dpi=INCH * DENSE)
    drawn = Image.open(raw).convert("RGB")
    if not _holds_images(source):
        # Lines and text lose nothing visible in 256 colours and take a third of the bytes; images are never touched.
        drawn = drawn.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return _smallest(drawn), round(drawn.width / DENSE), round(drawn.height / DENSE), False


def _holds_images(figure: matplotlib.figure.Figure) -> bool:
    """Whether 256 colours might be too few: it shows images, or a mesh in a continuous range of colours."""
    from matplotlib.collections import QuadMesh
    from matplotlib.image import AxesImage, BboxImage, FigureImage

    images = figure.findobj(lambda artist: isinstance(artist, AxesImage | BboxImage | FigureImage))
    meshes = figure.findobj(lambda artist: isinstance(artist, QuadMesh) and artist.cmap.N > FEW_COLOURS)
    return bool(images or meshes)


def _smallest(drawn: Image) -> bytes:
    """The PNG in few bytes, without changing a pixel: with a palette where 256 colours are all there are."""
    from PIL import Image

    if drawn.mode == "RGB" and (colours := drawn.getcolors(256)):
        palette = Image.new("P", (1, 1))
        palette.putpalette([value for _, colour in colours if isinstance(colour, tuple) for value in colour])
        exact = drawn.quantize(palette=palette, dither=Image.Dither.NONE)
        drawn = exact if exact.convert("RGB").tobytes() == drawn.tobytes() else drawn
    buffer = io.BytesIO()
    drawn.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()

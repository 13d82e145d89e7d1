"""Draws the picture of the first page: `python book/picture.py` writes book/static/how-little.png.

One photograph (scikit-image's cat) with ever fewer grey levels and larger squares, and its bits per dimension.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage.data
import torch
from matplotlib.figure import Figure
from PIL import Image

import simplebits as sb

FACE = (0, 90, 280, 370)  # top, left, bottom, right in the photograph
# Side of a square in pixels, levels of a channel.
STEPS = ((1, 256), (1, 24), (1, 10), (2, 24), (4, 24), (8, 24), (32, 24))


def simplify(image: torch.Tensor, square: int, levels: int) -> torch.Tensor:
    """Average over squares, then round to so many levels."""
    size = image.shape[-1]
    small = torch.nn.functional.avg_pool2d(image, square)
    return torch.nn.functional.interpolate((small * (levels - 1)).round() / (levels - 1), size=size, mode="nearest")


def draw() -> Figure:
    """The picture."""
    top, left, bottom, right = FACE
    face = Image.fromarray(skimage.data.chelsea()[top:bottom, left:right]).resize((32, 32), Image.Resampling.BOX)
    photo = torch.from_numpy(np.asarray(face).copy()).permute(2, 0, 1)[None] / 255
    images = torch.cat([simplify(photo, *step) for step in STEPS])
    bits = sb.density.png_bits_per_dim(images)
    return sb.report.image_grid(images, titles=[f"{b:.2f}" for b in bits], columns=len(STEPS), zoom=1.2)


if __name__ == "__main__":
    draw().savefig(Path(__file__).parent / "static" / "how-little.png", dpi=200, pil_kwargs={"optimize": True})

"""The size of an image file, as a second opinion on how simple an image is (SimpleBits, figure S2)."""

from __future__ import annotations

import io

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from simplebits._door import door
from simplebits.data import to_bytes
from simplebits.domains import Images


@door
def png_bits_per_dim(x: Images) -> Float[Tensor, " n"]:
    """Compute 8 x bytes of the optimised PNG file / dimensions, header included.

    The header and the palette-free colour format are the same for all images of one size: about 0.15 bits/dim at
    3x32x32.

    Args:
        x: images in [0, 1] with one or three channels; rounded to 8 bits.

    Raises:
        TypeError: x is not a tensor.
        ValueError: wrong dtype, shape or range, NaN, an empty batch.

    >>> flat, noise = torch.zeros(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    >>> bool(png_bits_per_dim(flat) < 1 < 8 < png_bits_per_dim(noise))
    True
    """
    if x.shape[1] not in (1, 3):
        raise ValueError(f"x: a PNG has 1 or 3 channels here, got {x.shape[1]}")
    sizes = []
    for picture in to_bytes(x.detach(), clip=True).permute(0, 2, 3, 1).cpu().numpy():
        file = io.BytesIO()
        Image.fromarray(picture.squeeze(2) if picture.shape[2] == 1 else picture).save(file, "PNG", optimize=True)
        sizes.append(8 * file.tell() / picture.size)
    return torch.tensor(sizes)

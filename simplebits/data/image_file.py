"""One image file of any kind as bytes: grey, colour, palette, transparent, of 16 bits, turned by its EXIF note."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from simplebits._door import door
from simplebits.data.image_set import Channels
from simplebits.domains import Count, Positive

_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")  # Pillow's modes of grey values beyond a byte


@door
def read_image(
    path: str | Path, *, size: Count | None = None, channels: Channels = None, white: Positive | None = None
) -> UInt8[Tensor, "c h w"]:
    """Read one image file as it is meant to be seen.

    A note in the file on how the camera was held (EXIF) is followed, what is transparent lies on black, a palette
    becomes the colours that it names. Resizing is Pillow's bilinear, which averages over the pixels that a smaller one
    covers, as SimpleBits' code reads radiographs; height and width are brought to `size` each for itself.

    Args:
        path: of a file that Pillow reads: PNG, JPEG, TIFF and others; no DICOM.
        size: height and width to come out with; None keeps them.
        channels: 1 (colour becomes luma, ITU-R 601), 3 (grey is replicated) or None (as the file is).
        white: value that is shown as white, where a file holds grey values of more than 8 bits; values above it are
            white too. Other files have 255.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no image, a damaged one, or one of more than 8 bits without `white`.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "deep.png"
    >>> Image.fromarray(np.full((4, 6), 2047, dtype=np.uint16)).save(file)
    >>> read_image(file, size=2, white=4095).tolist()
    [[[127, 127], [127, 127]]]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; give the path of an image file")
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is damaged, or no image that Pillow reads ({error}); convert it to PNG") from error
    if picture.mode in _DEEP:
        picture = _of_bytes(picture, path, white, size)
    picture = _grey_or_colour(picture)
    if size is not None and picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    if channels is not None:
        picture = picture.convert("L" if channels == 1 else "RGB")
    pixels = torch.from_numpy(np.array(picture))
    return pixels[None] if pixels.dim() == 2 else pixels.permute(2, 0, 1).contiguous()


def _of_bytes(picture: Image.Image, path: Path, white: float | None, size: int | None) -> Image.Image:
    """Bring deep grey values to 0 .. 255, resized before they are rounded."""
    values = np.asarray(picture, dtype=np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"{path} holds values that are not finite; write them as whole numbers")
    if white is None:
        depth = next((bits for bits in (8, 10, 12, 14) if values.max() < 2**bits), 16)
        raise ValueError(
            f"{path} holds grey values from {values.min():g} to {values.max():g}, more than a byte can; say which one "
            f"is white, white={2**depth - 1} if they have {depth} bits"
        )
    deep = Image.fromarray(values)
    if size is not None:
        deep = deep.resize((size, size), Image.Resampling.BILINEAR)
    return Image.fromarray(np.rint(np.clip(np.asarray(deep) / white, 0, 1) * 255).astype(np.uint8))


def _grey_or_colour(picture: Image.Image) -> Image.Image:
    """Bring any mode to grey (`L`) or colour (`RGB`); what is transparent lies on black."""
    if picture.mode in ("L", "RGB"):
        return picture
    if picture.mode == "1":
        return picture.convert("L")
    if picture.has_transparency_data:
        whole = picture.convert("RGBA")
        ground = Image.new("RGBA", whole.size, (0, 0, 0, 255))
        return Image.alpha_composite(ground, whole).convert("L" if picture.mode in ("LA", "La") else "RGB")
    colour = picture.convert("RGB")
    values = np.asarray(colour)
    grey = picture.mode == "P" and bool((values == values[..., :1]).all())  # a palette of greys
    return colour.convert("L") if grey else colour

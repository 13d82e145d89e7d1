"""Image sets made of a part that carries the label and a part that distracts, both known (SimpleBits, section 3.1)."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from simplebits._door import door
from simplebits.data.image_set import Channels, ImageSet, _to_bytes, _to_float
from simplebits.data.load import SetName, Split, load
from simplebits.domains import Count, Known, Number, Seed, ToDevice

# The paper's sources: whose labels, and what distracts. None: drawn here, from no set.
_SOURCES = {
    "side-by-side": ("mnist", "fashion-mnist"),
    "uniform-noise": ("mnist", None),
    "interpolated": ("mnist", "cifar10"),
    "stripes": (None, "cifar10"),
}
COMPOSITES = tuple(_SOURCES)
_ORIENTATIONS = ("horizontal", "vertical")
_SIZE = 32
_CHUNK = 1024  # images in floats at a time: 12 MB each for the part, the distractor and the mix, whatever the set holds


@door
@dataclass(frozen=True, eq=False, repr=False)
class CompositeSet(ImageSet):
    """Images that are the sum of two known parts, byte by byte: `images == task_part + distractor_part`.

    Attributes:
        images: uint8 `[n, c, h, w]`, as in `ImageSet`, with labels, classes and name.
        task_part: uint8 `[n, c, h, w]`, what the label can be told from.
        distractor_part: uint8 `[n, c, h, w]`, what says nothing about the label.

    Raises:
        TypeError: a part is not a tensor; images and labels as in `ImageSet`.
        ValueError: a part is not uint8, has another shape than the images, or the parts do not add up to them.

    >>> ink, ground = torch.full((1, 1, 2, 2), 200, dtype=torch.uint8), torch.full((1, 1, 2, 2), 55, dtype=torch.uint8)
    >>> CompositeSet(ink + ground, torch.tensor([0]), ("ink",), "tiny", ink, ground)
    CompositeSet('tiny': 1 images 1x2x2, 1 classes)
    """

    task_part: UInt8[Tensor, "n c h w"]
    distractor_part: UInt8[Tensor, "n c h w"]

    def __post_init__(self) -> None:
        super().__post_init__()
        for argument in ("task_part", "distractor_part"):
            part = getattr(self, argument)
            if part.shape != self.images.shape:
                raise ValueError(
                    f"{argument}: expected the images' shape {list(self.images.shape)}, got {list(part.shape)}"
                )
        chunks = zip(*(t.split(_CHUNK) for t in (self.images, self.task_part, self.distractor_part)), strict=True)
        # The difference of bytes wraps round below zero: the comparison catches parts that exceed the image.
        if not all(bool((part <= mix).all()) and torch.equal(mix - part, other) for mix, part, other in chunks):
            raise ValueError(
                "task_part: expected task_part + distractor_part == images in every byte; "
                "take distractor_part = images - task_part"
            )

    def __repr__(self) -> str:
        return super().__repr__().replace("ImageSet", "CompositeSet", 1)

    @door
    def parts(
        self, size: Count | None = None, channels: Channels = None, device: ToDevice = None
    ) -> tuple[Float[Tensor, "n C H W"], Float[Tensor, "n C H W"]]:
        """Convert the two parts of all images, (task, distractor); arguments and errors as in `data.to_float`.

        The rule is linear, so the two add up to the images of `to_float(size, channels, device)`.
        """
        task, distractor = (_to_float(part, size, channels, device) for part in (self.task_part, self.distractor_part))
        return task, distractor


@door
def composite(
    name: Annotated[str, Known(lambda: COMPOSITES)],
    split: Split = "train",
    *,
    task: SetName | None = None,
    distractor: SetName | None = None,
    seed: Seed = 0,
    noise: Literal["additive", "multiplicative"] = "additive",
    stripe_weight: Annotated[float, Number(0, 1, open_low=True)] = 0.15,
) -> CompositeSet:
    """Make images 3x32x32 with a distractor put in on purpose: what a simplifier keeps of it can be measured.

    ============= ============================================================ ============================
    name          image, of a digit x and another image y                      label
    ============= ============================================================ ============================
    side-by-side  x and y, each 32 high and 16 wide, in random order (p = 0.5) the digit
    uniform-noise x/2 + u/2, u ~ U(0, 1) for each pixel and channel            the digit
    interpolated  x/2 + y/2                                                    the digit
    stripes       (1 - a) y + a s, s(k) = 1/2 + sin(11 pi k / 31) / 2          0 horizontal, 1 vertical
    ============= ============================================================ ============================

    Where paper and released code differ: noise is added in the paper and multiplied in the code (u x/2 + x/2, black
    stays black: `noise="multiplicative"`); horizontal stripes have label 0 in the paper, as here, and 1 in the code.
    The paper gives no weight of the stripes; the code's first version has a = 0.15, a later one 0.3. The task part of
    `stripes` are the stripes a s, its distractor the image (1 - a) y.

    The randomness is drawn once, from the seed, and differs between train and test; the code draws it again at every
    access. Image k of the task meets image k of the distractor in `side-by-side` where both sets are of one length, as
    in the code; else the distractor's images come in random order, all of them once before any comes again (in the
    code, an independent draw each time).

    Values are rounded to bytes: the mix and the task part to the nearest level each; the distractor is the rest, at
    most one level off its own nearest, so that the parts add up exactly.

    Args:
        name: one of the four; `COMPOSITES` lists them.
        split: `train` or `test`, of both sources.
        task: the set whose labels are the task; None: `mnist`. `stripes` takes none.
        distractor: the set that distracts; None: the paper's, `fashion-mnist` in `side-by-side` and `cifar10` in the
            others. `uniform-noise` takes none. Any name of `load` will do for either, `digits` with `photos` without a
            network.
        seed: of the order, the pairs, the noise and the stripes.
        noise: `additive` or `multiplicative`; `uniform-noise` alone has any.
        stripe_weight: a, above 0 and at most 1; `stripes` alone has them.

    Returns:
        Images and parts uint8 `[n, 3, 32, 32]`, labels int64 `[n]`, one for each image of the task (`stripes`: of the
        distractor).

    Raises:
        ValueError: an unknown name, split, noise or set, a set where none is taken, one set in both places, a seed that
            is no whole number of at least 0, or stripe_weight outside (0, 1].
        FileNotFoundError: a set is not on disk and there is no network; says what to place where.

    >>> images = composite("side-by-side", "test", task="digits", distractor="photos")
    >>> images
    CompositeSet('side-by-side:digits+photos/test': 510 images 3x32x32, 10 classes)
    >>> torch.equal(images.images, images.task_part + images.distractor_part)
    True
    """
    sources = _sources(name, task, distractor)
    asked = "" if sources == _SOURCES[name] else ":" + "+".join(source for source in sources if source)
    first, second = sets = [load(source, split) if source else None for source in sources]
    n = len(next(images for images in sets if images is not None))
    # Keyed by a digest: neighbouring seeds, the splits and `ImageSet.draw` of the same seed have nothing in common.
    key = hashlib.sha256(f"composite/{name}/{split}/{seed}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(key[:8], "big"))

    if first is None:
        labels, classes = torch.randint(0, 2, (n,), generator=generator), _ORIENTATIONS
        pairs = torch.arange(n)
    else:
        labels, classes = first.labels, first.classes
        if second is None or (name == "side-by-side" and len(second) == n):
            pairs = torch.arange(n)
        else:
            pairs = _in_random_rounds(n, len(second), generator)
    left = torch.rand(n, generator=generator) < 0.5

    images, task_part, distractor_part = (torch.empty(n, 3, _SIZE, _SIZE, dtype=torch.uint8) for _ in range(3))
    for chunk in torch.arange(n).split(_CHUNK):
        x = _stripes(labels[chunk]) if first is None else _to_float(first.images[chunk], _SIZE, 3, None)
        if second is None:
            y = torch.rand(x.shape, generator=generator)
        else:
            y = _to_float(second.images[pairs[chunk]], _SIZE, 3, None)
        if name == "side-by-side":
            x, y = _side_by_side(x, y, left[chunk])
        elif name == "uniform-noise":
            x, y = x / 2, y / 2 if noise == "additive" else y * x / 2
        elif name == "interpolated":
            x, y = x / 2, y / 2
        else:
            x, y = stripe_weight * x, (1 - stripe_weight) * y
        images[chunk], task_part[chunk] = _to_bytes(x + y), _to_bytes(x)
        # Rounding keeps order and y is not below zero: the task part never exceeds the mix, and no byte wraps round.
        distractor_part[chunk] = images[chunk] - task_part[chunk]
    return CompositeSet(images, labels, classes, f"{name}{asked}/{split}", task_part, distractor_part)


def _sources(name: str, task: str | None, distractor: str | None) -> tuple[str | None, str | None]:
    """Name the two sources, the paper's where none is given.

    Raises:
        ValueError: a set where none is taken, or one set in both places.
    """
    if name == "stripes" and task is not None:
        raise ValueError(
            f"task={task!r}: in 'stripes' the stripes are the task, and no set; leave task out, "
            f"and name the set under the stripes with distractor="
        )
    if name == "uniform-noise" and distractor is not None:
        raise ValueError(
            f"distractor={distractor!r}: in 'uniform-noise' the noise distracts, and no set; leave distractor out, "
            f"or ask for 'interpolated' to put a set below the digits"
        )
    sources = task or _SOURCES[name][0], distractor or _SOURCES[name][1]
    if sources[0] == sources[1]:
        raise ValueError(
            f"distractor={sources[1]!r}: expected another set than the task's; an image would not say which of its two "
            f"parts the label means"
        )
    return sources


def _in_random_rounds(n: int, among: int, generator: torch.Generator) -> Int64[Tensor, " n"]:
    """Draw n positions below `among` in random order, every one used once before any is used again."""
    rounds = [torch.randperm(among, generator=generator) for _ in range(math.ceil(n / among))]
    return torch.cat(rounds)[:n]


def _side_by_side(
    x: Float[Tensor, "b 3 32 32"], y: Float[Tensor, "b 3 32 32"], left: Bool[Tensor, " b"]
) -> tuple[Float[Tensor, "b 3 32 32"], Float[Tensor, "b 3 32 32"]]:
    """Put each image at half its width on its side, black on the other; x on the left where `left` is true.

    Halving a width without antialiasing averages columns 2j and 2j + 1, which never lie on two sides of the seam: the
    sum of both is what the code gets by resizing the concatenated 32x64 image.
    """
    narrow = [F.interpolate(t, (_SIZE, _SIZE // 2), mode="bilinear", align_corners=False) for t in (x, y)]
    one, other = (torch.cat([t, torch.zeros_like(t)], 3) for t in narrow)
    left = left[:, None, None, None]
    half = _SIZE // 2
    return torch.where(left, one, one.roll(half, 3)), torch.where(left, other.roll(half, 3), other)


def _stripes(vertical: Int64[Tensor, " b"]) -> Float[Tensor, "b 3 32 32"]:
    """Draw sinusoidal stripes in [0, 1], 5.5 periods: constant along rows (label 0) or along columns (label 1)."""
    wave = 0.5 + 0.5 * torch.sin(11 * math.pi / (_SIZE - 1) * torch.arange(_SIZE))
    across = wave.expand(_SIZE, _SIZE)
    return torch.where(vertical[:, None, None, None] == 1, across, across.T).expand(-1, 3, -1, -1)

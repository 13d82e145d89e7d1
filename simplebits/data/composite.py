"""Image sets made of a part that carries the label and a part that distracts, both known (SimpleBits, section 3.1)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from simplebits import _check
from simplebits.data.image_set import ImageSet, to_bytes, to_float
from simplebits.data.load import NAMES, load

# The paper's sources: whose labels, and what distracts. None: drawn here, from no set.
_SOURCES = {
    "side-by-side": ("mnist", "fashion-mnist"),
    "uniform-noise": ("mnist", None),
    "interpolated": ("mnist", "cifar10"),
    "stripes": (None, "cifar10"),
}
COMPOSITES = tuple(_SOURCES)
_NOISES = ("additive", "multiplicative")
_ORIENTATIONS = ("horizontal", "vertical")
_SIZE = 32
_CHUNK = 1024  # images in floats at a time: 12 MB each for the part, the distractor and the mix, whatever the set holds


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
            if not isinstance(part, Tensor):
                raise TypeError(f"{argument}: expected a torch.Tensor [n, c, h, w], got {type(part).__name__}")
            if part.dtype != torch.uint8 or part.shape != self.images.shape:
                raise ValueError(
                    f"{argument}: expected uint8 of the images' shape {list(self.images.shape)}, "
                    f"got {part.dtype} {list(part.shape)}"
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

    def parts(
        self, size: int | None = None, channels: int | None = None, device: torch.device | str | None = None
    ) -> tuple[Float[Tensor, "n C H W"], Float[Tensor, "n C H W"]]:
        """The two parts of all images, (task, distractor); arguments and errors as in `simplebits.data.to_float`.

        The rule is linear, so the two add up to the images of `to_float(size, channels, device)`.
        """
        return to_float(self.task_part, size, channels, device), to_float(self.distractor_part, size, channels, device)

    def subset(self, index: Sequence[int] | Tensor, name: str | None = None) -> CompositeSet:
        """The images at these positions (numbers or a boolean mask), in this order, with their parts."""
        index = torch.as_tensor(index)
        return replace(
            self,
            images=self.images[index],
            labels=self.labels[index],
            name=name or self.name,
            task_part=self.task_part[index],
            distractor_part=self.distractor_part[index],
        )


def composite(
    name: str,
    split: str = "train",
    *,
    task: str | None = None,
    distractor: str | None = None,
    seed: int = 0,
    noise: str = "additive",
    stripe_weight: float = 0.15,
) -> CompositeSet:
    """Images 3x32x32 with a distractor put in on purpose: what a simplifier keeps of it can be measured.

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
    _check_arguments(name, split, task, distractor, seed, noise, stripe_weight)
    sources = _with_defaults(name, task, distractor)
    asked = "" if sources == _SOURCES[name] else ":" + "+".join(source for source in sources if source)
    first, second = (load(source, split) if source else None for source in sources)
    n = len(first if first is not None else second)
    # Keyed by a digest: neighbouring seeds, the splits and `ImageSet.draw` of the same seed have nothing in common.
    key = hashlib.sha256(f"composite/{name}/{split}/{seed}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(key[:8], "big"))

    if first is None:
        labels, classes, pairs = torch.randint(0, 2, (n,), generator=generator), _ORIENTATIONS, torch.arange(n)
    else:
        labels, classes = first.labels, first.classes
        if second is None or (name == "side-by-side" and len(second) == n):
            pairs = torch.arange(n)
        else:
            pairs = _in_random_rounds(n, len(second), generator)
    left = torch.rand(n, generator=generator) < 0.5

    images, task_part, distractor_part = (torch.empty(n, 3, _SIZE, _SIZE, dtype=torch.uint8) for _ in range(3))
    for chunk in torch.arange(n).split(_CHUNK):
        x = to_float(first.images[chunk], _SIZE, 3) if first is not None else None
        y = to_float(second.images[pairs[chunk]], _SIZE, 3) if second is not None else None
        if name == "side-by-side":
            x, y = _side_by_side(x, y, left[chunk])
        elif name == "uniform-noise":
            u = torch.rand(x.shape, generator=generator)
            x, y = x / 2, u / 2 if noise == "additive" else u * x / 2
        elif name == "interpolated":
            x, y = x / 2, y / 2
        else:
            x, y = stripe_weight * _stripes(labels[chunk]), (1 - stripe_weight) * y
        images[chunk], task_part[chunk] = to_bytes(x + y), to_bytes(x)
        # Rounding keeps order and y is not below zero: the task part never exceeds the mix, and no byte wraps round.
        distractor_part[chunk] = images[chunk] - task_part[chunk]
    return CompositeSet(images, labels, classes, f"{name}{asked}/{split}", task_part, distractor_part)


def _check_arguments(
    name: str,
    split: str,
    task: str | None,
    distractor: str | None,
    seed: int,
    noise: str,
    stripe_weight: float,
) -> None:
    _check.one_of("name", name, COMPOSITES)
    _check.one_of("split", split, ("train", "test"))
    _check.one_of("noise", noise, _NOISES)
    _check.positive("seed", seed, allow_zero=True, integer=True)
    if not isinstance(stripe_weight, int | float) or isinstance(stripe_weight, bool) or not 0 < stripe_weight <= 1:
        raise ValueError(f"stripe_weight={stripe_weight!r}: give a number above 0 and at most 1")
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
    for argument, value in (("task", task), ("distractor", distractor)):
        if value is not None:
            _check.one_of(argument, value, NAMES)
    one, other = _with_defaults(name, task, distractor)
    if one == other:
        raise ValueError(
            f"distractor={other!r}: expected another set than the task's; an image would not say which of its two "
            f"parts the label means"
        )


def _with_defaults(name: str, task: str | None, distractor: str | None) -> tuple[str | None, str | None]:
    """The names of the two sources, the paper's where none is given."""
    return task or _SOURCES[name][0], distractor or _SOURCES[name][1]


def _in_random_rounds(n: int, among: int, generator: torch.Generator) -> Int64[Tensor, " n"]:
    """n positions below `among` in random order, every one used once before any is used again."""
    rounds = [torch.randperm(among, generator=generator) for _ in range(math.ceil(n / among))]
    return torch.cat(rounds)[:n]


def _side_by_side(
    x: Float[Tensor, "b 3 32 32"], y: Float[Tensor, "b 3 32 32"], left: Bool[Tensor, " b"]
) -> tuple[Float[Tensor, "b 3 32 32"], Float[Tensor, "b 3 32 32"]]:
    """Each image at half its width on its side, black on the other; x on the left where `left` is true.

    Halving a width without antialiasing averages columns 2j and 2j + 1, which never lie on two sides of the seam: the
    sum of both is what the code gets by resizing the concatenated 32x64 image.
    """
    narrow = [F.interpolate(t, (_SIZE, _SIZE // 2), mode="bilinear", align_corners=False) for t in (x, y)]
    one, other = (torch.cat([t, torch.zeros_like(t)], 3) for t in narrow)
    left = left[:, None, None, None]
    half = _SIZE // 2
    return torch.where(left, one, one.roll(half, 3)), torch.where(left, other.roll(half, 3), other)


def _stripes(vertical: Int64[Tensor, " b"]) -> Float[Tensor, "b 3 32 32"]:
    """Sinusoidal stripes in [0, 1], 5.5 periods: constant along rows (label 0) or along columns (label 1)."""
    wave = 0.5 + 0.5 * torch.sin(11 * math.pi / (_SIZE - 1) * torch.arange(_SIZE))
    across = wave.expand(_SIZE, _SIZE)
    return torch.where(vertical[:, None, None, None] == 1, across, across.T).expand(-1, 3, -1, -1)

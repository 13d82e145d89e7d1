"""What the arguments of this folder may be, and what those of one call must have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from simplebits.data import ImageSet
from simplebits.domains import Finite, Number, UnitInterval, dtype_and_shape
from simplebits.networks.binary import two_or_more

FLOATING: Any = Float[Tensor, "..."]
IMAGE_BATCH = 4  # axes of a batch of images; an input with fewer is a single one


@dataclass(frozen=True)
class OneOrBatch:
    """One input of so many axes at least, or a batch of images [n, c, h, w]; there is at least one value."""

    axes: int = 1
    whole = True

    def __call__(self, argument: str, value: Any) -> Tensor:
        """Check that this is one input or a batch, and return it."""
        if not isinstance(value, Tensor):
            swapped = "; the input comes before the threshold" if isinstance(value, int | float) else ""
            raise TypeError(
                f"{argument}: expected a torch.Tensor, one input or a batch of images, got "
                f"{type(value).__name__}{swapped}"
            )
        dtype_and_shape(argument, value, FLOATING)
        if not self.axes <= value.dim() <= IMAGE_BATCH or value.numel() == 0:
            of_one = "one image [c, h, w]" if self.axes == 3 else "one input of 1 to 3 axes, as [c, h, w],"
            raise ValueError(
                f"{argument}: expected {of_one} or a batch of images [n, c, h, w], none of them empty; got "
                f"{list(value.shape)}"
            )
        return value


@dataclass(frozen=True)
class TrueWhereKept:
    """A boolean tensor."""

    whole = True

    def __call__(self, argument: str, value: Any) -> Tensor:
        """Check that this is a mask, and return it."""
        if not isinstance(value, Tensor) or value.dtype != torch.bool:
            got = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(
                f"{argument}: expected a boolean tensor, True where a feature is kept, got {got}; convert a tensor "
                f"with .bool()"
            )
        return value


@dataclass(frozen=True)
class GreyLevels:
    """One number in [0, 1], or one for each channel."""

    whole = True

    def __call__(self, argument: str, value: Any) -> Tensor:
        """Check one grey level or one for each channel; return a tensor [c], or [1] of one for all channels."""
        try:
            levels = torch.as_tensor(value, dtype=torch.float32).reshape(-1)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise TypeError(f"{argument}={value!r}: give a number in [0, 1], or one for each channel") from None
        if len(levels) == 0 or not bool(((levels >= 0) & (levels <= 1)).all()):
            raise ValueError(f"{argument}={value!r}: values must lie in [0, 1], as the images' do")
        return levels


Inputs = Annotated[Float[Tensor, "*x"], OneOrBatch(), Finite()]
ImageOrImages = Annotated[Float[Tensor, "*n c h w"], OneOrBatch(axes=3), UnitInterval()]
Mask = Annotated[Bool[Tensor, "*m"], TrueWhereKept()]
Fill = float | Annotated[Float[Tensor, "*f"], Finite()]
PixelShare = Annotated[float, Number(0, 1, open_low=True)]
ChannelFill = Annotated[Float[Tensor, " c"] | Sequence[float] | float, GreyLevels()]


def broadcast_fits(argument: str, given: Tensor, x: Tensor) -> None:
    """Raise ValueError unless a mask or fill broadcasts to a batch of inputs."""
    try:
        fits = torch.broadcast_shapes(given.shape, x.shape) == x.shape
    except RuntimeError:
        fits = False
    if not fits:
        # A batch of one may have been a single input.
        shape = list(x.shape[1:] if x.shape[0] == 1 else x.shape)
        many = x.dim() == IMAGE_BATCH and x.shape[0] > 1
        hint = f"; one for each image is [{x.shape[0]}, 1, h, w]" if given.dim() == 3 and many else ""
        raise ValueError(f"{argument}: shape {list(given.shape)} does not broadcast to x, {shape}{hint}")


def weights_alike(argument: str, inputs: Tensor, network: nn.Module) -> None:
    """Raise ValueError unless inputs are of the type, and on the device, of the network's weights."""
    weight = next(network.parameters(), inputs)
    if (inputs.dtype, inputs.device) != (weight.dtype, weight.device):
        raise ValueError(
            f"{argument}: expected {weight.dtype} on {weight.device}, as the network's weights, got {inputs.dtype} "
            f"on {inputs.device}; move one to the other with .to(...)"
        )


def classes_fit(classes: int, inputs: int) -> None:
    """Raise ValueError unless a score has one class, or one for each of the inputs."""
    if classes not in (1, inputs):
        raise ValueError(f"score: has the classes of {classes} images, got {inputs} inputs; use for_images")


def images_fit(index: Tensor, images: int) -> None:
    """Raise ValueError unless these are positions of images that a score has classes of."""
    if len(index) == 0 or not 0 <= int(index.min()) <= int(index.max()) < images:
        given = f"{int(index.min())} .. {int(index.max())}" if len(index) else "none"
        raise ValueError(f"index: must lie in 0 .. {images - 1} for a score of {images} images, got {given}")


def score_fits(images: int, x: Tensor) -> None:
    """Raise ValueError unless the score is one for all images, or one for each image of x."""
    if images not in (1, len(x)):
        raise ValueError(f"score: is that of {images} images, x holds {len(x)}; make it from the same images")


def logits_fit(logits: Any, largest: int) -> None:
    """Raise unless a network gave logits, of more classes than the number of the largest class that is asked for."""
    if not isinstance(logits, Tensor):
        raise TypeError(f"network: expected logits, a tensor [b, classes], got {type(logits).__name__}")
    if logits.dim() != 2 or largest >= logits.shape[1]:
        raise ValueError(
            f"score: the largest class is {largest}, so the network must give logits [b, {largest + 1} or more], got "
            f"{list(logits.shape)}"
        )
    two_or_more("network", logits.shape)


def values_fit(values: Any, inputs: int) -> None:
    """Raise unless a score gave one real number for each input."""
    if not isinstance(values, Tensor):
        raise TypeError(f"score: expected a tensor [{inputs}], got {type(values).__name__}")
    if values.shape != (inputs,):
        raise ValueError(
            f"score: expected one number for each of {inputs} inputs, shape [{inputs}], got shape "
            f"{list(values.shape)}; take one class's column, as class_score does"
        )
    if values.is_complex():
        raise ValueError("score: expected real numbers, got complex ones; give their absolute value or a real part")


def masks_fit(masks: Bool[Tensor, "_ _ _"], levels: Float[Tensor, " _"], images: ImageSet) -> None:
    """Raise ValueError unless there is a mask for each image, and one grey level or one for each channel."""
    n, channels, height, width = images.images.shape
    if masks.shape != (n, height, width):
        raise ValueError(
            f"masks: expected shape {[n, height, width]}, one mask for each image, got {list(masks.shape)}"
        )
    if len(levels) not in (1, channels):
        raise ValueError(f"fill: expected one value or {channels}, one for each channel, got {len(levels)}")


def several_networks(members: Iterable[nn.Module]) -> list[nn.Module]:
    """Raise unless these are networks, at least one; list them."""
    if isinstance(members, nn.Module) and not isinstance(members, nn.ModuleList):
        raise TypeError(f"members: expected several networks, [net, ...], got one {type(members).__name__}")
    networks = list(members)
    for i, member in enumerate(networks):
        if not isinstance(member, nn.Module):
            raise TypeError(f"members[{i}]: expected a torch.nn.Module, got {type(member).__name__}")
    if not networks:
        raise ValueError("members: an ensemble needs at least one classifier")
    return networks


def shapes_fit(logits: Sequence[Tensor]) -> None:
    """Raise ValueError unless the members of an ensemble give logits of one shape."""
    shapes = {tuple(each.shape) for each in logits}
    if len(shapes) > 1:
        listed = ", ".join(str(list(shape)) for shape in sorted(shapes))
        raise ValueError(f"members: their logits differ in shape, {listed}; give networks of the same classes")

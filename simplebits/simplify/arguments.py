"""What the arguments of this folder may be, and what those of one call must have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check
from simplebits.data import ImageSet
from simplebits.density import DensityModel
from simplebits.domains import Filled, Finite, NonNegative, Probability, UnitInterval, dtype_and_shape
from simplebits.networks.evaluation_mode import evaluation_mode


@dataclass(frozen=True)
class HasParameters:
    """A network with weights; with `trainable`, none of them is frozen."""

    trainable: bool = False

    def __call__(self, argument: str, value: nn.Module) -> nn.Module:
        """Check that a network has parameters, and return it."""
        if next(value.parameters(), None) is None:
            kind = type(value).__name__
            raise ValueError(f"{argument}: {kind} has no parameters; give a network that can be trained")
        frozen = [name for name, p in value.named_parameters() if not p.requires_grad] if self.trainable else []
        if frozen:
            raise ValueError(f"{argument}: {frozen[0]} is frozen; call {argument}.requires_grad_(True) first")
        return value


Network = Annotated[nn.Module, HasParameters()]
Trainable = Annotated[nn.Module, HasParameters(trainable=True)]
FilledSet = Annotated[ImageSet, Filled()]
Gate = Literal["ramp", "threshold"]
Method = Literal["vmap", "loop"]
Reference = Literal["original", "mixed"]
ThreeWeights = tuple[NonNegative, NonNegative, NonNegative]
AnyImages = Annotated[Float[Tensor, "n c h w"], Finite()]  # values may leave [0, 1]
OtherImages = Annotated[Float[Tensor, "m c h w"], UnitInterval()]  # as many as there are, like x otherwise
Fill = Probability | OtherImages  # a grey level, or images


_BATCH: Any = Float[Tensor, "n c h w"]


def check_images(argument: str, value: Any) -> Tensor:
    """Check images that a function of the caller has made; raise unless they are a batch with values in [0, 1]."""
    return UnitInterval()(argument, dtype_and_shape(argument, value, _BATCH))


def outputs_of(argument: str, network: nn.Module, x: Tensor, remedy: str = "build it for this size") -> Tensor:
    """Compute what a network makes of images; name the network where it cannot take them.

    Raises:
        ValueError: the network does not take these images.
        TypeError: it gives something other than a tensor.
    """
    try:
        outputs = network(x)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        shape = "x".join(map(str, x.shape[1:]))
        raise ValueError(f"{argument}: it does not take images {shape} ({error}); {remedy}") from error
    if not isinstance(outputs, Tensor):
        kind = "logits, a tensor [n, classes]" if argument == "classifier" else "images, a tensor [n, c, h, w]"
        raise TypeError(f"{argument}: expected {kind}, got {type(outputs).__name__}")
    return outputs


def logits_of(classifier: nn.Module, x: Tensor, remedy: str = "build it for this size") -> Tensor:
    """Compute logits [n, classes] of images; errors as `outputs_of`, and a ValueError for outputs of another shape."""
    logits = outputs_of("classifier", classifier, x, remedy)
    if logits.dim() != 2 or len(logits) != len(x):
        raise ValueError(f"classifier: expected logits [{len(x)}, classes], got {list(logits.shape)}")
    return logits


def networks_fit(classifier: nn.Module, simplifier: nn.Module | None, x: Tensor) -> int:
    """Raise ValueError unless both networks, in evaluation mode, take images like x; returns the number of classes."""
    remedy = "build it for this size"
    if simplifier is not None:
        remedy += ", which the density measures, or load another density"
    with torch.no_grad(), evaluation_mode(classifier, *([simplifier] if simplifier else [])):
        logits = logits_of(classifier, x, remedy)
        if simplifier is not None:
            same_shape(outputs_of("simplifier", simplifier, x, remedy), x)
    return logits.shape[1]


@contextlib.contextmanager
def misfits_named(classifier: nn.Module, simplifier: nn.Module | None, x: Tensor) -> Iterator[None]:
    """Try the networks on one image where something fails inside, and name the one that does not take it.

    Tried afterwards, not before: what fits costs nothing.
    """
    try:
        yield
    except Exception:
        networks_fit(classifier, simplifier, x[:1])
        raise


def one_device(**parts: nn.Module) -> torch.device:
    """Find where all networks lie; a ValueError if not together. A density without weights lies anywhere."""
    weights = {name: next(part.parameters(), None) for name, part in parts.items()}
    devices = {name: weight.device for name, weight in weights.items() if weight is not None}
    if len(set(devices.values())) > 1:
        raise ValueError(
            "all parts must be on one device, got "
            + ", ".join(f"{name} on {device}" for name, device in devices.items())
        )
    return next(iter(devices.values()))


def same_shape(simplified: Tensor, x: Tensor) -> None:
    """Raise ValueError unless the simplifier made images of the shape that it got."""
    if simplified.shape != x.shape:
        raise ValueError(f"simplifier: made {list(simplified.shape)} of images {list(x.shape)}; it must keep the shape")


def labels_fit(highest: int, classes: int) -> None:
    """Raise ValueError unless the classifier has an output for the highest label."""
    if highest >= classes:
        raise ValueError(
            f"labels: must lie in 0 .. {classes - 1} for a classifier of {classes} outputs, got {highest}; "
            f"build a classifier of at least {highest + 1}"
        )


def images_fit(argument: str, images: Tensor, x: Tensor) -> None:
    """Raise ValueError unless these are images of the size, channels, dtype and device of x."""
    if images.shape[1:] != x.shape[1:]:
        raise ValueError(f"{argument}: expected images {list(x.shape[1:])} as in x, got {list(images.shape[1:])}")
    if (images.dtype, images.device) != (x.dtype, x.device):
        raise ValueError(
            f"{argument}: expected {x.dtype} on {x.device} as x, got {images.dtype} on {images.device}; convert with "
            f".to(x)"
        )


def one_or_each(argument: str, images: Tensor, x: Tensor) -> None:
    """Raise ValueError unless this is one image for all of x, or one for each, like them."""
    images_fit(argument, images, x)
    if len(images) not in (1, len(x)):
        raise ValueError(f"{argument}: give 1 image, or {len(x)}, one for each of x; got {len(images)}")


def window_fits(x: Tensor, window: int, stride: int = 1) -> None:
    """Raise ValueError unless windows of this size and stride cover images like x."""
    if window > min(x.shape[2:]) or stride > window:
        raise ValueError(
            f"window={window}, stride={stride}: give a window of at most {min(x.shape[2:])} pixels and a stride of at "
            f"most the window"
        )


@runtime_checkable
class HasLatents(Protocol):
    """A density whose images and latents are exact inverses of each other."""

    def encode(self, x: Tensor) -> list[Tensor]:
        """Give the latents of images."""
        ...

    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        """Give the images of latents."""
        ...


def with_latents(density: DensityModel) -> HasLatents:
    """Raise ValueError unless the density has latents; return it."""
    if not isinstance(density, HasLatents):
        raise ValueError(
            f"density: {type(density).__name__} has no latents (no encode and decode); give space='pixels', or a Glow, "
            f"sb.density.load('glow') for example"
        )
    return density


def bounds_fit(scale: tuple[float, float]) -> None:
    """Raise ValueError unless these are a lower and an upper bound."""
    if scale[0] > scale[1]:
        raise ValueError(f"scale={scale!r}: give a lower and an upper bound of s, in this order")


def original_fits(classifier: nn.Module, density: DensityModel, x: Tensor) -> None:
    """Raise ValueError unless density and classifier take x, and the classifier keeps images apart."""
    _check.own_statistics("classifier", classifier)
    _check.fits("x", x, channels=density.channels, size=density.image_size, like=next(density.parameters(), None))
    weight = next(classifier.parameters())
    if (weight.dtype, weight.device) != (x.dtype, x.device):
        raise ValueError(
            f"classifier: its weights are {weight.dtype} on {weight.device}, x is {x.dtype} on {x.device}; "
            f"move one to the other with .to(...)"
        )


def logits_fit(logits: Tensor) -> None:
    """Raise ValueError unless these are finite logits of two or more classes."""
    if logits.shape[1] < 2:
        raise ValueError(f"classifier: expected logits of two or more classes, got {list(logits.shape)}")
    if not bool(logits.isfinite().all()):
        raise ValueError("classifier: its logits are not finite on these images")


def same_logits_fit(stored: Tensor, computed: Tensor, checkpoint: str | Path | None) -> None:
    """Raise ValueError where `prepare` is another one than at the checkpoint, which shows in nothing else."""
    # Not exactly: devices differ in the last digits.
    if not torch.allclose(stored.to(computed), computed, rtol=1e-3, atol=1e-3):
        raise ValueError(
            f"{checkpoint} belongs to another run: the classifier, behind prepare, gives these images other logits. "
            f"Delete it or name another file"
        )

"""What the arguments of this folder may be, and what those of one call must have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check
from simplebits.data import ImageSet
from simplebits.density import DensityModel
from simplebits.domains import Filled, Finite, NonNegative, Number, Probability, UnitInterval, dtype_and_shape, one_of
from simplebits.networks.binary import two_or_more
from simplebits.networks.evaluation_mode import evaluation_mode
from simplebits.simplify.schedule import Stage

FILLS = ("inpaint", "mean")


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


class InStages:
    """A schedule; a single model is one stage."""

    whole = True  # the kind is part of this check

    def __call__(self, argument: str, value: Any) -> tuple[Stage, ...]:
        """Check that there are stages, all of models that measure images of one size, and return them."""
        stages = (Stage(value),) if isinstance(value, DensityModel) else value
        if not isinstance(stages, Sequence) or not stages or not all(isinstance(stage, Stage) for stage in stages):
            raise TypeError(
                f"{argument}: expected a DensityModel or a sequence of Stage(density, share, factor), got "
                f"{type(value).__name__}{DensityModel.how_to_get}"
            )
        sizes = {(stage.density.channels, stage.density.image_size) for stage in stages}
        if len(sizes) > 1:
            raise ValueError(
                f"{argument}: all stages must measure images of one size, got {sorted(sizes)} (channels, pixels)"
            )
        return tuple(stages)


class GreyLevelOrWord:
    """A grey level, or the name of a way to fill."""

    whole = True  # the kind is part of this check

    def __call__(self, argument: str, value: Any) -> float | str:
        """Check a grey level or a word; return the word, or the level as a float."""
        if isinstance(value, str):
            return one_of(argument, value, FILLS)
        try:
            return Number(0, 1)(argument, value)
        except ValueError:
            raise ValueError(
                f"{argument}={value!r}: give a grey level in [0, 1], or one of {', '.join(FILLS)}"
            ) from None


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
Schedule = Annotated[DensityModel | Sequence[Stage], InStages()]  # inside, always a tuple of stages

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
    two_or_more("classifier", logits.shape)
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
    """Raise ValueError unless these logits are finite."""
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


def images_do_not_mix(classifier: nn.Module) -> None:
    """Raise ValueError where a normalisation by the batch would let images see each other."""
    if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.training for layer in classifier.modules()):
        raise ValueError("classifier: its batch normalisation is in training mode; call .eval() first")
    _check.own_statistics("classifier", classifier)


def pair_fits(reference: Tensor, logits: Tensor) -> None:
    """Raise ValueError unless these are logits of the same images and classes."""
    if reference.shape != logits.shape:
        raise ValueError(
            f"reference and logits: expected two of the same shape [n, classes], got {list(reference.shape)} and "
            f"{list(logits.shape)}"
        )
    two_or_more("reference and logits", logits.shape)


def reference_fits(reference: Tensor, x: Tensor) -> None:
    """Raise ValueError unless there is a row of logits for each image."""
    if len(reference) != len(x):
        raise ValueError(
            f"reference: expected logits [{len(x)}, classes], one row for each image, got {list(reference.shape)}"
        )
    two_or_more("reference", reference.shape)


def as_many_classes_fit(wanted: Tensor, logits: Tensor) -> None:
    """Raise ValueError unless a classifier's logits of one image have the classes of the logits that are wanted."""
    if logits.shape != (1, len(wanted)):
        raise ValueError(f"reference: has {len(wanted)} classes, the classifier gives logits {list(logits.shape)}")


def gates_fit(gates: Mapping[str, Tensor], original: Mapping[str, Tensor]) -> None:
    """Raise ValueError unless these are gate gradients of one network for as many images."""
    if not gates:
        raise ValueError("gates: holds no layers; gate_gradients gives those of a network")
    if gates.keys() != original.keys():
        differ = ", ".join(sorted(gates.keys() ^ original.keys()))
        raise ValueError(f"gates and original: expected those of one network, only one of them has {differ}")
    for name, wanted in original.items():
        if gates[name].shape != wanted.shape:
            raise ValueError(
                f"gates[{name!r}]: expected {list(wanted.shape)} as in original, got {list(gates[name].shape)}"
            )


def changed_fits(changed: Tensor, x: Tensor) -> None:
    """Raise ValueError unless a control image has the shape of its original."""
    if changed.shape != x.shape:
        raise ValueError(f"change: it made images {list(changed.shape)} of {list(x.shape)}; keep the shape")


def images_made(argument: str, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Make images with the caller's function; name it where it fails, or makes no images, or not one for each of x."""
    try:
        made = function(x)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ValueError(f"{argument}: it fails on images {list(x.shape)} ({error})") from error
    made = check_images(f"{argument}(x)", made)
    if len(made) != len(x):
        raise ValueError(f"{argument}: it made {len(made)} images of {len(x)}; keep their number")
    return made


def region_fits(region: Tensor, x: Tensor) -> None:
    """Raise ValueError unless this is a region of images like x, for all or one for each, that leaves something."""
    n, _, h, w = x.shape
    if tuple(region.shape) not in ((h, w), (n, h, w)):
        raise ValueError(f"region: expected bool [{h}, {w}] or [{n}, {h}, {w}], got {list(region.shape)}")
    if bool(region.flatten(-2).all(-1).any()):
        raise ValueError("region: it covers a whole image; leave something to fill it from")

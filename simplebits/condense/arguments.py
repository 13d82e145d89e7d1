"""What the arguments of this folder may be, and what those of one call must have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from simplebits import _check
from simplebits.condense.augment import Operations, SiameseAugment
from simplebits.condense.digit_augment import CropNoise, CropScaleRotate
from simplebits.domains import Number, one_of, refuse_kind
from simplebits.networks import CLASSIFIERS
from simplebits.networks.evaluation_mode import evaluation_mode


@dataclass(frozen=True)
class OneOfAugmentations:
    """An augmentation of one of these kinds, or the strategy of a siamese one."""

    kinds: tuple[type, ...]
    whole = True

    def __call__(self, argument: str, value: Any) -> Any:
        """Check an augmentation, and return it."""
        if isinstance(value, str | Sequence):
            return SiameseAugment(Operations()(argument, value))
        if value is not None and not isinstance(value, self.kinds):
            names = ", ".join(kind.__name__ for kind in self.kinds)
            raise TypeError(
                f"{argument}: expected a strategy such as 'crop_scale' or one of {names}, got {type(value).__name__}"
            )
        return value


@dataclass(frozen=True)
class NameOrMaker:
    """The name of a classifier, or a function that gives one with fresh weights each time."""

    whole = True

    def __call__(self, argument: str, value: Any) -> Any:
        """Check that this is a network's name or a function that makes one, and return it."""
        if isinstance(value, str):
            return one_of(argument, value, CLASSIFIERS)
        if isinstance(value, nn.Module) or not callable(value):
            raise TypeError(
                f"{argument}: expected a name, or a function that gives a network with fresh weights each time, got "
                f"{type(value).__name__}; for example lambda: sb.networks.ConvNet(10, 1, 28)"
            )
        return value


@dataclass(frozen=True)
class OneForEachParameter:
    """A floating point tensor for each parameter of a network; those of a generator come in a list."""

    whole = True

    def __call__(self, argument: str, value: Any) -> list[Tensor]:
        """Check that there is a tensor for each parameter, and list them."""
        if not isinstance(value, Iterable):
            refuse_kind(argument, value, Iterable)
        if isinstance(value, Tensor):
            raise TypeError(f"{argument}: expected a tensor for each parameter, in a list, got {type(value).__name__}")
        tensors = list(value)
        for i, one in enumerate(tensors):
            if not isinstance(one, Tensor) or not one.is_floating_point():
                got = one.dtype if isinstance(one, Tensor) else type(one).__name__
                hint = "; leave out parameters without gradient" if one is None else ""
                raise TypeError(f"{argument}[{i}]: expected a floating point tensor, got {got}{hint}")
        return tensors


@dataclass(frozen=True)
class OneOrSeveralSeeds:
    """A seed, or several different ones; those of NumPy become Python's."""

    whole = True

    def __call__(self, argument: str, value: Any) -> int | list[int]:
        """Check one seed or several; return the one as an int, several in a list."""
        seed = Number(0, integer=True)
        value = value.tolist() if hasattr(value, "tolist") else value
        if not isinstance(value, Iterable) or isinstance(value, str):
            return int(seed(argument, value))
        seeds = [int(seed(f"{argument}[{i}]", one)) for i, one in enumerate(value)]
        if not seeds:
            raise ValueError(f"{argument}: none given; give a whole number, or several different ones")
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"{argument}={seeds!r}: one occurs twice, and would count the same run twice")
        return seeds


Strategy = str | Sequence[str]
Siamese = Annotated[Strategy | SiameseAugment | None, OneOfAugmentations((SiameseAugment,))]
Augmentation = Annotated[
    Strategy | SiameseAugment | CropScaleRotate | CropNoise | None,
    OneOfAugmentations((SiameseAugment, CropScaleRotate, CropNoise)),
]  # inside, never a strategy
NetworkMaker = Annotated[str | Callable[[], nn.Module], NameOrMaker()]
Gradients = Annotated[Iterable[Tensor], OneForEachParameter()]  # inside, a list
Seeds = Annotated[int | Iterable[int], OneOrSeveralSeeds()]  # inside, an int or a list


def batch_norms(network: nn.Module) -> list[nn.Module]:
    """List the layers whose output depends on the whole batch."""
    return [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


def batches_of_classes_fit(**sets: Sequence[Tensor]) -> None:
    """Raise ValueError unless there are classes, equally many in all sets, and their batches can be compared."""
    lengths = [[len(batch) for batch in batches] for batches in sets.values()]
    if not lengths[0] or not all(map(all, lengths)) or len({len(each) for each in lengths}) > 1:
        raise ValueError(
            f"{', '.join(sets)}: a batch of each class is needed, of at least one image, and as many synthetic ones as "
            f"real ones; got batches of {' and '.join(map(str, lengths))} images"
        )
    first = next(iter(sets.values()))[0]
    for name, batches in sets.items():
        for i, batch in enumerate(batches):
            if (batch.shape[1:], batch.dtype, batch.device) != (first.shape[1:], first.dtype, first.device):
                raise ValueError(
                    f"{name}[{i}]: expected images {list(first.shape[1:])}, {first.dtype} on {first.device}, as in the "
                    f"first batch, got {list(batch.shape[1:])}, {batch.dtype} on {batch.device}"
                )


def classes_fit(network: nn.Module, together: bool, **sets: Sequence[Tensor]) -> None:
    """Raise ValueError unless the network's gradients can be taken of these batches of classes."""
    batches_of_classes_fit(**sets)
    weight = next(network.parameters(), None)
    if weight is None:
        raise ValueError(f"network: {type(network).__name__} has no parameters, so that there are no gradients")
    for name, batches in sets.items():
        _check.fits(f"{name}[0]", batches[0], like=weight)
    if together and any(layer.training for layer in batch_norms(network)):
        raise ValueError(
            "together: batch normalisation keeps a state that a vectorised pass cannot change; leave together out, or "
            "put these layers into evaluation mode"
        )


def has_weights(network: nn.Module) -> None:
    """Raise ValueError unless the network has weights with rows, which the layerwise distance compares."""
    if all(parameter.dim() < 2 for parameter in network.parameters()):
        raise ValueError(
            f"network: every parameter of {type(network).__name__} has one axis; the layerwise distance looks at "
            f"weights, not biases"
        )


@torch.no_grad()
def network_fits(network: nn.Module, classes: int, channels: int, size: int, device: torch.device) -> None:
    """Raise ValueError unless the network turns images of this size into as many logits as there are classes."""
    try:
        with evaluation_mode(network):
            shape = list(network(torch.zeros(2, channels, size, size, device=device)).shape)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"network: {type(network).__name__} does not take images {channels}x{size}x{size} ({error}); give one that "
            f"does, or another size"
        ) from error
    if shape != [2, classes]:
        raise ValueError(
            f"network: expected logits [n, {classes}], one for each class, got [n, {', '.join(map(str, shape[1:]))}]"
        )

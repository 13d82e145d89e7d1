"""What the arguments of this folder may be, and what those of one call must have in common."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from simplebits import _check
from simplebits.condense.augment import Operations, SiameseAugment
from simplebits.condense.digit_augment import CropNoise, CropScaleRotate
from simplebits.data import ImageSet
from simplebits.domains import Number, nearest, one_of, refuse_kind
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
    weight = next((p for p in network.parameters() if p.requires_grad), None)
    if weight is None:
        raise ValueError(f"network: {type(network).__name__} has no parameters that learn, so there are no gradients")
    for name, batches in sets.items():
        _check.fits(f"{name}[0]", batches[0], like=weight)
    if together and any(layer.training for layer in batch_norms(network)):
        raise ValueError(
            "together: batch normalisation keeps a state that a vectorised pass cannot change; leave together out, or "
            "put these layers into evaluation mode"
        )


def has_weights(network: nn.Module) -> None:
    """Raise ValueError unless the network learns weights with rows, which the layerwise distance compares."""
    if all(parameter.dim() < 2 for parameter in network.parameters() if parameter.requires_grad):
        raise ValueError(
            f"network: every parameter of {type(network).__name__} that learns has one axis; the layerwise distance "
            f"looks at weights, not biases"
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


def gradients_fit(grads_a: Iterable[Tensor], grads_b: Iterable[Tensor], kind: str) -> None:
    """Raise ValueError unless these are two gradients of one network, with rows where the distance compares rows."""
    shapes_a, shapes_b = [list(a.shape) for a in grads_a], [list(b.shape) for b in grads_b]
    if not shapes_a or shapes_a != shapes_b:
        raise ValueError(f"grads_a, grads_b: expected the same shapes, one a parameter, got {shapes_a} and {shapes_b}")
    if kind == "layerwise" and all(len(shape) < 2 for shape in shapes_a):
        raise ValueError("grads_a: every tensor has one axis; the layerwise distance looks at weights, not biases")


def features_fit(features_a: Tensor, features_b: Tensor, labels_a: Tensor, labels_b: Tensor) -> None:
    """Raise ValueError unless these are features of one length, with labels, of the same classes."""
    if features_a.shape[1:] != features_b.shape[1:]:
        raise ValueError(
            f"features_a, features_b: expected [n, d] and [m, d], got {list(features_a.shape)} and "
            f"{list(features_b.shape)}"
        )
    for name, labels, features in (("labels_a", labels_a, features_a), ("labels_b", labels_b, features_b)):
        if labels.shape != (len(features),):
            raise ValueError(f"{name}: expected [{len(features)}], one for each feature row, got {list(labels.shape)}")
    if only := set(labels_a.tolist()) ^ set(labels_b.tolist()):
        raise ValueError(
            f"labels_a, labels_b: classes {sorted(only)} occur in one set only; their means cannot be compared"
        )


@runtime_checkable
class Embeds(Protocol):
    """A network whose features can be asked for, as those of `simplebits.networks`."""

    def embed(self, x: Tensor) -> Tensor:
        """Compute features [n, d] of images [n, c, h, w]."""
        ...


def with_features(argument: str, network: nn.Module) -> Embeds:
    """Raise TypeError unless the network has features; return it."""
    if not isinstance(network, Embeds) or not callable(network.embed):
        raise TypeError(
            f"{argument}: {type(network).__name__} has no embed(x) -> [n, d]; take a network of "
            f"simplebits.networks, or add the method"
        )
    return network


def options_fit(network: str | Callable[[], nn.Module], options: Mapping[str, Any]) -> None:
    """Raise unless the options are those of a network by name; a function gets none."""
    if isinstance(network, str):
        known = inspect.signature(CLASSIFIERS[network]).parameters
        for name in options:
            if name not in known:
                raise TypeError(f"network_options: {network} has no option {name!r}; {nearest(name, known)}")
    elif options:
        raise ValueError(
            f"network_options={dict(options)!r}: these are for a network by name; build them into the function instead"
        )


def members_fit(train: ImageSet, members: Sequence[Tensor], least: int) -> None:
    """Raise ValueError unless every class of the set has images, at least so many."""
    for name, of_class in zip(train.classes, members, strict=True):
        if not len(of_class):
            raise ValueError(f"train: class {name!r} of {train.name} has no image; take it out of the classes")
        if len(of_class) < least:
            raise ValueError(
                f"images_per_class={least}: class {name!r} of {train.name} has {len(of_class)} images; give at most "
                f"that many"
            )


def tasks_fit(tasks: Sequence[tuple[ImageSet, ImageSet]]) -> None:
    """Raise ValueError unless all tasks have equally many classes, and images to learn from and to be tested on."""
    classes = len(tasks[0][0].classes)
    for i, (train, test) in enumerate(tasks):
        for images in (train, test):
            if len(images.classes) != classes:
                raise ValueError(
                    f"tasks[{i}]: {images.name} has {len(images.classes)} classes, {tasks[0][0].name} has {classes}; a "
                    f"head for each task is of one size here, so give tasks with equally many classes"
                )
            if not len(images):
                raise ValueError(f"tasks[{i}]: {images.name} is empty; give at least one image")


def memories_fit(memory: Sequence[Any], classes: int, channels: int, size: int, least: int) -> None:
    """Raise ValueError unless there is a memory for each of so many tasks, of their classes and images' shape."""
    if len(memory) < least:
        raise ValueError(f"memory: holds {len(memory)} sets; {least} tasks need one each, in their order")
    for i, few in enumerate(memory):
        if len(few.classes) != classes:
            raise ValueError(f"memory[{i}]: has {len(few.classes)} classes, the tasks have {classes}")
        if list(few.images.shape[1:]) != [channels, size, size]:
            raise ValueError(
                f"memory[{i}]: expected images {channels}x{size}x{size}, got {list(few.images.shape[1:])}; give size= "
                f"and channels= of the memory, or make it again with those of the tasks"
            )


def with_head(argument: str, network: nn.Module) -> None:
    """Raise TypeError unless the network has features and a last layer, `linear`, that a new task can have anew."""
    with_features(argument, network)
    if not isinstance(getattr(network, "linear", None), nn.Linear):
        raise TypeError(
            f"{argument}: {type(network).__name__} has no last layer `linear`, which each task has anew; take one of "
            f"simplebits.networks, or name its last layer so"
        )


def options_of_memory_fit(method: Any, chooses: bool, options: Mapping[str, Any]) -> None:
    """Raise TypeError where options of condense come with a method that chooses real images."""
    if chooses and options:
        raise TypeError(f"{next(iter(options))}=: {method!r} chooses real images; leave out the options of condense")


def increments_fit(train: ImageSet, test: ImageSet, increments: int) -> None:
    """Raise ValueError unless the classes can be split into so many equal parts, with test images of each."""
    if len(train.classes) % increments:
        parts = [part for part in range(1, len(train.classes) + 1) if len(train.classes) % part == 0]
        raise ValueError(
            f"increments={increments}: {len(train.classes)} classes cannot be split into so many equal parts; give one "
            f"of {parts}"
        )
    if absent := set(range(len(test.classes))) - set(test.labels.tolist()):
        raise ValueError(f"test: {test.name} has no image of class {test.classes[min(absent)]!r}; add some")


def search_fits(candidates: Sequence[Any], proxies: Iterable[str], trained_on: Mapping[str, Any]) -> None:
    """Raise ValueError unless candidates differ, proxies have names for files, and all images are of one kind."""
    if len(set(candidates)) < len(candidates):
        raise ValueError("candidates: one occurs twice, and would count as two networks")
    for name in proxies:
        if name == "whole" or not re.fullmatch(r"\w[\w.-]*", str(name)):
            raise ValueError(
                f"proxies: {name!r} names files; give letters, digits, '-', '_' and '.', and not 'whole', which is the "
                f"whole set's"
            )
    whole = trained_on["whole"]
    for name, images in trained_on.items():
        if images.images.shape[1:] != whole.images.shape[1:]:
            raise ValueError(
                f"proxies[{name!r}]: has images {list(images.images.shape[1:])}, whole has "
                f"{list(whole.images.shape[1:])}; bring both to one shape, ImageSet.resized does"
            )
        if images.classes != whole.classes:
            raise ValueError(
                f"proxies[{name!r}]: has the classes {list(images.classes)[:9]}, whole has {list(whole.classes)[:9]}; "
                f"give both the same, in one order: ImageSet.with_classes renumbers"
            )


def region_fits(region: Tensor, first: Tensor, second: Tensor) -> None:
    """Raise ValueError unless the region is a part of both classes' images."""
    if first.shape[1:] != second.shape[1:] or first.shape[2:] != region.shape:
        raise ValueError(
            f"region: expected the images' height and width, got {list(region.shape)} for images "
            f"{list(first.shape)} and {list(second.shape)}"
        )
    if not 0 < int(region.sum()) < region.numel():
        raise ValueError(f"region: holds {int(region.sum())} of {region.numel()} pixels; give some, and not all")

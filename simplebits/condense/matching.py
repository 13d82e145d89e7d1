"""The ways to match synthetic images with real ones: what each compares, and the settings of its paper."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits.condense.arguments import batch_norms, has_weights
from simplebits.condense.distribution import feature_loss
from simplebits.condense.gradient import curriculum, freeze_batch_norm, gradient_loss
from simplebits.condense.network import embedding
from simplebits.condense.other_losses import product_loss, unrolled_loss
from simplebits.domains import Count, Known, Momentum, Positive

Start = Literal["noise", "real"]
Batches = Sequence[Float[Tensor, "_ c h w"]]  # of class 0, of class 1, ...; standardised
RATE_WITH_DENSITY = 0.1  # of Adam, in SimpleBits' code


@dataclass(frozen=True)
class Passes:
    """How a step computes.

    Attributes:
        network: with the weights of this step.
        of_real: what the method computes of real images, maybe compiled.
        together: all classes in one vectorised pass, or one after the other.
        bf16: bfloat16 autocast for the real images.
    """

    network: nn.Module
    of_real: Callable[[Tensor], Tensor]
    together: bool
    bf16: bool


@dataclass(frozen=True, kw_only=True)
class Matching(ABC):
    """One way to match. The fields of a subclass have its paper's settings as defaults.

    Attributes:
        iterations: networks drawn.
        learning_rate: of the images.
        start: `noise` or `real` images drawn at random.
    """

    name: ClassVar[str]

    iterations: Count
    learning_rate: Positive | None = None
    start: Start | None = None

    @abstractmethod
    def settled(self, images_per_class: Count, *, dense: bool, augmented: bool) -> Matching:
        """Replace each None by what the paper has in this case; with a density, by what SimpleBits has."""

    @door
    def loss(self, passes: Passes, real: Batches, synthetic: Batches) -> Float[Tensor, ""]:
        """Compare real and synthetic images, class by class; returns the sum over classes."""
        return self._loss(passes, real, synthetic)

    @abstractmethod
    def _loss(self, passes: Passes, real: Batches, synthetic: Batches) -> Float[Tensor, ""]:
        """Compare them, without a look at the arguments: what a loop calls."""

    def of_real(self, network: nn.Module) -> Callable[[Tensor], Tensor]:
        """Say what is computed of real images; this much can be compiled.

        Raises:
            TypeError, ValueError: images cannot be matched in such a network.
        """
        return lambda x: network(x)

    def rounds(self) -> tuple[int, int]:
        """Count the steps with one network (T) and the epochs that it learns between two of them."""
        return 1, 0

    def learner(self, network: nn.Module) -> torch.optim.Optimizer | None:
        """Make the optimiser of a network that learns between two steps."""
        return None


@door
@dataclass(frozen=True, kw_only=True)
class GradientMatching(Matching):
    """Match the gradients of the classification loss in a network's weights (Zhao, Mopuri and Bilen 2021, algorithm 1).

    The defaults are the published settings for small sets; with an MLP the published learning rate is 0.01.

    Attributes:
        iterations: networks drawn, K + 1 with K = 1000: the paper counts from 0 to K.
        learning_rate: of the images.
        start: `noise` or `real` images drawn at random; None: noise, but real images with an augmentation and without a
            density.
        outer: steps with one network (T); None: the paper's number for these images per class.
        inner: epochs of that network on the synthetic images between two steps; None: the paper's number.
        distance: of gradients: `layerwise`, `mse` or `cosine`; or one of SimpleBits' other losses (its figure S13),
            `product` (`gradient_product_loss`) and `unrolled` (`unrolled_step_loss`).
        network_learning_rate: of the network between two steps.
        network_momentum: None: 0.5 with a density, as in SimpleBits' code; else 0, as in gradient matching's code
            today, where it was 0.5 when the paper was published.

    Raises:
        ValueError: a value out of range or unknown.

    >>> GradientMatching(outer=2, inner=5).rounds()
    (2, 5)
    """

    name: ClassVar[str] = "gradient"

    iterations: Count = 1001
    learning_rate: Positive | None = 0.1
    outer: Count | None = None
    inner: Count | None = None
    distance: Literal["layerwise", "mse", "cosine", "product", "unrolled"] = "layerwise"
    network_learning_rate: Positive = 0.01
    network_momentum: Momentum | None = None

    @door
    def settled(self, images_per_class: Count, *, dense: bool, augmented: bool) -> GradientMatching:
        """Replace each None by what the paper has in this case; with a density, by what SimpleBits has."""
        steps, epochs = curriculum(images_per_class)
        momentum = 0.5 if dense else 0.0
        return replace(
            self,
            start=self.start or ("real" if augmented and not dense else "noise"),
            outer=self.outer or steps,
            inner=self.inner or epochs,
            network_momentum=momentum if self.network_momentum is None else self.network_momentum,
        )

    def _loss(self, passes: Passes, real: Batches, synthetic: Batches) -> Float[Tensor, ""]:
        """Sum the distances between the gradients of real and of synthetic images over classes (equation 9)."""
        network, how = passes.network, {"together": passes.together, "bf16": passes.bf16}
        freeze_batch_norm(network, real)
        if self.distance == "unrolled":
            rate = self.network_learning_rate
            return len(real) * unrolled_loss(network, real, synthetic, learning_rate=rate, **how)
        if self.distance == "product":
            return len(real) * product_loss(network, real, synthetic, forward=passes.of_real, **how)
        return gradient_loss(network, real, synthetic, kind=self.distance, forward=passes.of_real, **how).sum()

    @door
    def of_real(self, network: nn.Module) -> Callable[[Tensor], Tensor]:
        """Say what is computed of real images: logits, whose gradients need weights with rows."""
        has_weights(network)
        return lambda x: network(x)

    def rounds(self) -> tuple[int, int]:
        """Count the steps with one network (T) and the epochs that it learns between two of them."""
        return self.outer or 1, self.inner or 1

    @door
    def learner(self, network: nn.Module) -> torch.optim.Optimizer:
        """Make the optimiser of a network that learns from the synthetic images between two steps."""
        rate, momentum = self.network_learning_rate, self.network_momentum or 0.0
        return torch.optim.SGD(network.parameters(), lr=rate, momentum=momentum)


@dataclass(frozen=True, kw_only=True)
class _OfMeans(Matching):
    """What ways to match means have in common."""

    iterations: Count = 20_001

    @door
    def settled(self, images_per_class: Count, *, dense: bool, augmented: bool) -> _OfMeans:
        """Replace each None by what the paper has; with a density, by what SimpleBits has."""
        rate, start = (RATE_WITH_DENSITY, "noise") if dense else (1.0, "real")
        return replace(self, learning_rate=self.learning_rate or rate, start=self.start or start)


@door
@dataclass(frozen=True, kw_only=True)
class DistributionMatching(_OfMeans):
    """Match the mean features of randomly drawn networks (Zhao and Bilen 2023).

    The defaults are the published settings for small sets; from 100 images a class upwards the published learning rate
    is 10.

    Attributes:
        iterations: networks drawn, K + 1 with K = 20,000: the paper counts from 0 to K.
        learning_rate: of the images; None: 1, and 0.1 with a density, whose optimiser is Adam.
        start: `noise` or `real` images drawn at random; None: real images, and noise with a density.

    Raises:
        ValueError: a value out of range or unknown.
    """

    name: ClassVar[str] = "distribution"

    def _loss(self, passes: Passes, real: Batches, synthetic: Batches) -> Float[Tensor, ""]:
        """Sum the squared distances between mean features over classes."""
        together = passes.together or bool(batch_norms(passes.network))  # batch statistics are those of all classes
        embed = embedding("network", passes.network)
        return feature_loss(embed, real, synthetic, together=together, bf16=passes.bf16, embed_real=passes.of_real)

    @door
    def of_real(self, network: nn.Module) -> Callable[[Tensor], Tensor]:
        """Say what is computed of real images: features."""
        embed = embedding("network", network)
        return lambda x: embed(x)


@door
@dataclass(frozen=True, kw_only=True)
class PixelMatching(_OfMeans):
    """Match mean pixels, in which no network takes part: the baseline of distribution matching.

    Attributes:
        iterations: steps, as many as distribution matching has.
        learning_rate: of the images; None: 1, and 0.1 with a density, whose optimiser is Adam.
        start: `noise` or `real` images drawn at random; None: real images, and noise with a density.

    Raises:
        ValueError: a value out of range or unknown.
    """

    name: ClassVar[str] = "pixels"

    def _loss(self, passes: Passes, real: Batches, synthetic: Batches) -> Float[Tensor, ""]:
        """Sum the squared distances between mean images over classes."""
        return feature_loss(_pixels, real, synthetic, together=False, bf16=False, embed_real=_pixels)


METHODS = {way.name: way for way in (GradientMatching, DistributionMatching, PixelMatching)}
Method = Annotated[str, Known(lambda: METHODS)] | Matching


def chosen(method: str | Matching, changes: Mapping[str, Any]) -> Matching:
    """Look a method up by name, or take it as it is, and change these of its fields; None leaves a field as it is.

    Raises:
        ValueError: a value out of range, or a field that this method does not have.
    """
    method = METHODS[method]() if isinstance(method, str) else method
    changes = {name: value for name, value in changes.items() if value is not None}
    fields_of_method = {field.name for field in fields(method)}
    foreign = [f"{name}={value!r}" for name, value in changes.items() if name not in fields_of_method]
    if foreign:
        raise ValueError(f"{', '.join(foreign)}: only gradient matching has this; leave it out for {method.name!r}")
    return replace(method, **changes)


def _pixels(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
    return x.flatten(1)

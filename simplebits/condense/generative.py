"""Generative models as a source of training images (Zhao and Bilen 2023, table T1): small and class-conditional.

All three turn noise and a class into an image with one and the same network; they differ in what teaches it. The paper
takes larger ones (DC-VAE, BigGAN); the question is the same: are images that look real also good to learn from?
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Annotated, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits._training import Training
from simplebits._training_state import TrainingState, globally_seeded, step_generator
from simplebits.condense.coresets import class_members
from simplebits.data import ImageSet, to_bytes
from simplebits.domains import Count, Device, Known, Seed

HIDDEN = 256  # units of each of the two hidden layers, in all networks
LEARNING_RATE, BETAS = 2e-3, (0.5, 0.999)  # of Adam, for all three
BANDWIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)  # of the kernels, in mean squared distances of the real images


def _mlp(inputs: int, outputs: int) -> nn.Sequential:
    hidden = (nn.Linear(inputs, HIDDEN), nn.LeakyReLU(0.2), nn.Linear(HIDDEN, HIDDEN), nn.LeakyReLU(0.2))
    return nn.Sequential(*hidden, nn.Linear(HIDDEN, outputs))


class ConditionalGenerator(nn.Module, ABC):
    """Noise and a class become an image; subclasses say what it learns from.

    Args:
        pixels: values of an image, c h w.
        classes: their number.
        latent: dimensions of the noise.
    """

    def __init__(self, pixels: int, classes: int, latent: int = 16) -> None:
        super().__init__()
        self.latent = latent
        self.decoder = _mlp(latent + classes, pixels)

    def noise(self, n: int, generator: torch.Generator) -> Float[Tensor, "n latent"]:
        """Draw standard normal noise on the CPU: one seed gives one draw on every device."""
        return torch.randn(n, self.latent, generator=generator)

    def sample(self, y: Float[Tensor, "n classes"], generator: torch.Generator) -> Float[Tensor, "n pixels"]:
        """Draw images in [0, 1] of the one-hot classes y."""
        return self.decoder(torch.cat([self.noise(len(y), generator).to(y), y], 1)).sigmoid()

    def players(self) -> tuple[nn.Module, ...]:
        """Name what is trained, each by a loss of its own."""
        return (self,)

    @abstractmethod
    def losses(
        self, x: Float[Tensor, "n pixels"], y: Float[Tensor, "n classes"], generator: torch.Generator
    ) -> Iterator[Float[Tensor, ""]]:
        """Give the loss of each player; each is updated before the next one's is asked for.

        Args:
            x: real images in [0, 1].
            y: their classes, one-hot.
            generator: draws the noise.
        """


class VAE(ConditionalGenerator):
    """Variational autoencoder (Kingma and Welling 2014): the negative evidence lower bound, nats an image.

    >>> VAE(pixels=64, classes=10).sample(torch.eye(10), torch.Generator()).shape
    torch.Size([10, 64])
    """

    def __init__(self, pixels: int, classes: int, latent: int = 16) -> None:
        super().__init__(pixels, classes, latent)
        self.encoder = _mlp(pixels + classes, 2 * latent)

    def losses(
        self, x: Float[Tensor, "n pixels"], y: Float[Tensor, "n classes"], generator: torch.Generator
    ) -> Iterator[Float[Tensor, ""]]:
        """Give the cross-entropy of the pixels, read as probabilities, and KL(q(z | x, y) || N(0, 1))."""
        mean, log_variance = self.encoder(torch.cat([x, y], 1)).chunk(2, dim=1)
        log_variance = 10 * (log_variance / 10).tanh()  # else one odd batch can make its exponential infinite
        z = mean + (log_variance / 2).exp() * self.noise(len(x), generator).to(x)
        logits = self.decoder(torch.cat([z, y], 1))
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        yield (reconstruction + divergence) / len(x)


class GMMN(ConditionalGenerator):
    """Generative moment matching network (Li, Swersky and Zemel 2015): the squared MMD to the real images."""

    def noise(self, n: int, generator: torch.Generator) -> Float[Tensor, "n latent"]:
        """Draw uniform noise in [-1, 1], as there."""
        return 2 * torch.rand(n, self.latent, generator=generator) - 1

    def losses(
        self, x: Float[Tensor, "n pixels"], y: Float[Tensor, "n classes"], generator: torch.Generator
    ) -> Iterator[Float[Tensor, ""]]:
        """Give `class_mmd` of the real images and as many samples of the same classes."""
        yield class_mmd(x, self.sample(y, generator), y)


def class_mmd(
    real: Float[Tensor, "n pixels"], fake: Float[Tensor, "n pixels"], y: Float[Tensor, "n classes"]
) -> Float[Tensor, ""]:
    """Measure the squared maximum mean discrepancy of images together with their classes (biased estimate).

    The kernel of two images is a sum of Gaussians exp(-|a - b|^2 / (s m)), s of `BANDWIDTHS`, m the mean squared
    distance of the real images; of two images of different classes it is 0.

    Args:
        real: images.
        fake: images.
        y: classes of both, one-hot.

    Returns:
        At least 0, and 0 on equal images; differentiable in both.

    >>> x = torch.rand(4, 9)
    >>> float(class_mmd(x, x, torch.eye(4)).abs()) < 1e-6
    True
    """
    n = len(real)
    both = torch.cat([real, fake])
    classes = torch.cat([y, y])
    squared = torch.cdist(both, both).square()
    # The scale is that of all real images: a batch may hold one image of a class only.
    scale = squared[:n, :n].mean().detach().clamp(min=1e-12)
    kernel = (classes @ classes.T) * sum((-squared / (s * scale)).exp() for s in BANDWIDTHS)
    sign = torch.cat([real.new_ones(n), -real.new_ones(n)])
    return sign @ kernel @ sign / n**2


class GAN(ConditionalGenerator):
    """Conditional generative adversarial network (Goodfellow et al. 2014; Mirza and Osindero 2014)."""

    def __init__(self, pixels: int, classes: int, latent: int = 16) -> None:
        super().__init__(pixels, classes, latent)
        self.discriminator = _mlp(pixels + classes, 1)

    def players(self) -> tuple[nn.Module, ...]:
        """Name the discriminator, then the decoder."""
        return self.discriminator, self.decoder

    def losses(
        self, x: Float[Tensor, "n pixels"], y: Float[Tensor, "n classes"], generator: torch.Generator
    ) -> Iterator[Float[Tensor, ""]]:
        """Give the cross-entropy of real against fake; then, for the decoder, that of its fakes taken for real."""
        fake = self.sample(y, generator)
        yield F.softplus(-self._realness(x, y)).mean() + F.softplus(self._realness(fake.detach(), y)).mean()
        yield F.softplus(-self._realness(fake, y)).mean()

    def _realness(self, x: Float[Tensor, "n pixels"], y: Float[Tensor, "n classes"]) -> Float[Tensor, "n 1"]:
        """Rate how real images look, as logits."""
        return self.discriminator(torch.cat([x, y], 1))


METHODS: dict[str, type[ConditionalGenerator]] = {"vae": VAE, "gmmn": GMMN, "gan": GAN}


@door
def generative_set(
    train: ImageSet,
    method: Annotated[str, Known(lambda: METHODS)],
    images_per_class: Count,
    *,
    size: Count | None = None,
    channels: Count | None = None,
    steps: Count = 2000,
    batch_size: Count = 128,
    latent: Count = 16,
    seed: Seed = 0,
    device: Device = None,
    progress: bool | None = None,
) -> ImageSet:
    """Train a generative model on the whole set and draw a few images of each class from it (table T1).

    Args:
        train: the set; every class needs an image.
        method: `vae`, `gmmn` (moment matching with Gaussian kernels) or `gan`.
        images_per_class: to draw.
        size: height and width of the images; None keeps them.
        channels: 1 or 3; None keeps them.
        steps: updates.
        batch_size: real images a step. `gmmn` compares images of one class: give several times the number of classes.
        latent: dimensions of the noise.
        seed: of the initial weights, batches and noise.
        device: where to train; None: a GPU where there is one.
        progress: show a bar; None: on a terminal only.

    Returns:
        The drawn images, ordered by class.

    Raises:
        TypeError: train is no ImageSet.
        ValueError: an unknown method, an argument out of range, or a class with no image.
        FloatingPointError: a loss is not finite.

    >>> from simplebits import data
    >>> generative_set(data.load("digits", "train"), "gmmn", images_per_class=3, size=8, steps=2)
    ImageSet('digits/train, gmmn': 30 images 1x8x8, 10 classes)
    """
    class_members(train)  # refuses a class with no image
    device = cast(torch.device, device)  # the door has made it one
    classes, shape = len(train.classes), train.subset([0]).to_float(size, channels).shape[1:]
    with globally_seeded(seed, device):
        model = METHODS[method](shape.numel(), classes, latent).to(device)
    optimisers = [torch.optim.Adam(player.parameters(), LEARNING_RATE, BETAS) for player in model.players()]
    training = Training(
        steps, method, state=TrainingState({}, {}, {}), history=SimpleNamespace(seconds=0.0),
        remedy="try another seed", progress=progress,
    )  # fmt: skip
    for step in training:
        generator = step_generator(seed, step)
        batch = train.subset(torch.randint(len(train), (batch_size,), generator=generator))
        x = batch.to_float(size, channels, device).flatten(1)
        y = F.one_hot(batch.labels, classes).to(x)
        for optimiser, loss in zip(optimisers, model.losses(x, y, generator), strict=True):
            training.proceed(loss)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    labels = torch.arange(classes).repeat_interleave(images_per_class)
    with torch.no_grad():
        images = model.sample(F.one_hot(labels, classes).float().to(device), step_generator(seed, steps))
    pixels = to_bytes(images.view(-1, *shape), clip=True).cpu()
    return ImageSet(pixels, labels, train.classes, f"{train.name}, {method}")

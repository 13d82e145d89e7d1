"""Prediction difference analysis: what a network would say without knowing a window (Zintgraf et al. 2017).

A window is not blanked, which makes an image that the network has never seen, but filled many times with what could
stand there given its surroundings; the predictions are averaged.
"""

from __future__ import annotations

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _progress
from simplebits._door import door
from simplebits.domains import Count, CountOrZero, Images, Labels, Positive, Seed
from simplebits.networks.evaluation_mode import evaluation_mode
from simplebits.simplify.arguments import OtherImages, images_fit, window_fits
from simplebits.simplify.attribution import explained_class


@door
class PatchGaussian:
    """A normal distribution of small patches, to draw a window from given the rest of the patch around it.

    One mean and covariance for patches from all places of the training images, as in Zintgraf et al.; near an edge the
    patch is shifted inwards, so that the window is no longer in its middle.

    Args:
        images: training images.
        window: height and width of what is drawn, pixels.
        border: pixels of surroundings on each side.
        patches: number of random patches to fit to.
        jitter: added to the variances, so that flat regions can be conditioned on.
        seed: of the patches' places.

    Raises:
        ValueError: wrong images, a patch larger than the images, or numbers out of range.

    >>> images = torch.rand(8, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    >>> gaussian = PatchGaussian(images, window=2, border=1, patches=100)
    >>> gaussian.fill(images[:2], 0, 3, 5, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 5, 1, 6, 6])
    """

    def __init__(
        self,
        images: Images,
        window: Count = 4,
        border: Count = 2,
        *,
        patches: Count = 20_000,
        jitter: Positive = 1e-4,
        seed: Seed = 0,
    ) -> None:
        window_fits(images, window)
        self.window, self.border, self.side = window, border, window + 2 * border
        m, c, h, w = images.shape
        if self.side > min(h, w):
            raise ValueError(
                f"window={window}, border={border}: the patch has {self.side} pixels a side, the images have "
                f"{min(h, w)}; give smaller ones"
            )
        generator = torch.Generator().manual_seed(seed)
        which, top, left = (
            torch.randint(high, (patches,), generator=generator) for high in (m, h - self.side + 1, w - self.side + 1)
        )
        views = images.cpu().unfold(2, self.side, 1).unfold(3, self.side, 1)
        vectors = views[which, :, top, left].flatten(1).double()
        self.channels, self.mean = c, vectors.mean(0)
        centred = vectors - self.mean
        self.covariance = centred.T @ centred / max(patches - 1, 1) + jitter * torch.eye(len(self.mean)).double()
        self._conditionals: dict[tuple[int, int], tuple[Tensor, Tensor, Tensor, Tensor]] = {}

    @door
    def conditional(self, top: CountOrZero, left: CountOrZero) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Work out the distribution of a window given the rest of its patch: mean + gain (rest - mean), and L L^T.

        Args:
            top: first row of the window within the patch.
            left: first column.

        Returns:
            Where the window's values stand in a flattened patch, where the others stand, the gain, and the Cholesky
            factor L of the covariance.

        Raises:
            ValueError: a window that leaves the patch.
        """
        if max(top, left) + self.window > self.side:
            raise ValueError(
                f"top={top}, left={left}: the window of {self.window} pixels leaves the patch of {self.side}; give at "
                f"most {self.side - self.window}"
            )
        return self._conditional(top, left)

    def _conditional(self, top: int, left: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if (top, left) not in self._conditionals:
            inside = torch.zeros(self.channels, self.side, self.side, dtype=torch.bool)
            inside[:, top : top + self.window, left : left + self.window] = True
            a, b = (mask.flatten().nonzero().squeeze(1) for mask in (inside, ~inside))
            cross = self.covariance[b][:, a]
            gain = torch.linalg.solve(self.covariance[b][:, b], cross).T
            rest = self.covariance[a][:, a] - gain @ cross
            self._conditionals[top, left] = a, b, gain, torch.linalg.cholesky((rest + rest.T) / 2)
        return self._conditionals[top, left]

    @door
    def fill(
        self, x: Images, top: CountOrZero, left: CountOrZero, samples: Count, generator: torch.Generator
    ) -> Float[Tensor, "n samples c h w"]:
        """Draw a window anew, given what lies around it.

        Args:
            x: images with the channels of the training images, no smaller than a patch.
            top: first row of the window in the image.
            left: first column.
            samples: how often each image is filled.
            generator: draws the samples, the same for all images.

        Returns:
            Each image `samples` times, its window clipped to [0, 1].

        Raises:
            ValueError: images of other channels, smaller ones, or a window that leaves them.
        """
        h, w = x.shape[2:]
        if x.shape[1] != self.channels or min(h, w) < self.side:
            raise ValueError(
                f"x: expected images of {self.channels} channels and at least {self.side} pixels a side, got "
                f"{list(x.shape[1:])}"
            )
        if top + self.window > h or left + self.window > w:
            raise ValueError(
                f"top={top}, left={left}: the window of {self.window} pixels leaves the image of {h}x{w}; give at most "
                f"{h - self.window} and {w - self.window}"
            )
        return self._fill(x, top, left, samples, generator)

    def _fill(self, x: Tensor, top: int, left: int, samples: int, generator: torch.Generator) -> Tensor:
        n, c, h, w = x.shape
        row, column = (min(max(at - self.border, 0), length - self.side) for at, length in ((top, h), (left, w)))
        a, b, gain, factor = self._conditional(top - row, left - column)
        patch = x[:, :, row : row + self.side, column : column + self.side].flatten(1).cpu().double() - self.mean
        noise = torch.randn(samples, len(a), generator=generator, dtype=torch.float64)
        drawn = self.mean[a] + (patch[:, b] @ gain.T)[:, None] + noise @ factor.T
        filled = x[:, None].repeat(1, samples, 1, 1, 1)
        filled[..., top : top + self.window, left : left + self.window] = (
            drawn.clamp(0, 1).view(n, samples, c, self.window, self.window).to(x)
        )
        return filled


@door
def prediction_difference(
    classifier: nn.Module,
    x: Images,
    references: OtherImages,
    target: Labels | None = None,
    *,
    window: Count = 4,
    border: Count = 2,
    stride: Count = 1,
    samples: Count = 10,
    seed: Seed = 0,
    batch_size: Count = 500,
    progress: bool | None = None,
) -> Float[Tensor, "n h w"]:
    """Compute the weight of evidence of every window, averaged over a pixel's windows (Zintgraf et al. 2017).

    WE = log2 odds(c | x) - log2 odds(c | x without the window), the second with the mean probability over samples from
    p(window | surroundings), see `PatchGaussian`. Probabilities are corrected as (p m + 1) / (m + classes), m the
    number of references (Laplace; Zintgraf et al., section 3). Positive: the window spoke for the class.

    Args:
        classifier: maps images to logits; run in evaluation mode.
        x: images in [0, 1].
        references: training images, from which the normal distribution is fitted.
        target: class c; None: the predicted one.
        window: height and width, pixels. Zintgraf et al. use 10 to 20 for 224x224.
        border: pixels of surroundings on each side.
        stride: pixels between two windows.
        samples: fillings of each window.
        seed: of the distribution's patches and the samples; all images share the samples' noise.
        batch_size: images and samples at once.
        progress: show a bar; None: on a terminal only.

    Returns:
        Bits; 0 where no window lies, which a stride that does not fit the size leaves at the right and the bottom.

    Raises:
        TypeError: the classifier is not a module, or x no tensor.
        ValueError: wrong images or labels, or numbers out of range.

    >>> images = torch.rand(8, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    >>> prediction_difference(net, images[:2], images, window=2, border=1).shape
    torch.Size([2, 6, 6])
    """
    images_fit("references", references, x)
    window_fits(x, window, stride)
    gaussian = PatchGaussian(references, window, border, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    n, _, h, w = x.shape
    total, covered = x.new_zeros(n, h, w), x.new_zeros(h, w)
    with evaluation_mode(classifier), torch.no_grad():
        target = explained_class(classifier, x, target)

        def probability(images: Tensor) -> Tensor:
            return torch.cat([classifier(part).softmax(1) for part in images.split(batch_size)])

        def evidence(p: Tensor) -> Tensor:
            m, classes = len(references), p.shape[1]
            p = ((p.double() * m + 1) / (m + classes)).gather(1, target[:, None]).squeeze(1)
            return torch.log(p / (1 - p)) / math.log(2)

        known = evidence(probability(x))
        places = list(itertools.product(range(0, h - window + 1, stride), range(0, w - window + 1, stride)))
        with _progress.bar(len(places), 0, "prediction difference", progress) as bar:
            for top, left in places:
                filled = gaussian._fill(x, top, left, samples, generator)
                without = probability(filled.flatten(0, 1)).view(n, samples, -1).mean(1)
                place = (..., slice(top, top + window), slice(left, left + window))
                total[place] += (known - evidence(without)).to(x)[:, None, None]
                covered[place] += 1
                bar.update()
    return total / covered.clamp(min=1)

"""Which pixels spoke for the prediction? Saliency maps to hold beside simplified images (SimpleBits, figure S16).

Integrated and expected gradients and occlusion come from captum (extra `attribution`). The paper has neither code nor
settings for its maps; the defaults here are this library's choice.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Annotated, Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits import _check, _progress
from simplebits._door import door
from simplebits._gradients import with_gradients
from simplebits.domains import Count, Images, Known, Labels, Seed
from simplebits.networks.evaluation_mode import evaluation_mode
from simplebits.simplify.arguments import Fill, OtherImages, images_fit, logits_of, one_or_each, window_fits

SCORES: dict[str, Callable[[Tensor], Tensor]] = {
    "logit": lambda logits: logits,
    "log_probability": lambda logits: logits.log_softmax(1),
    "probability": lambda logits: logits.softmax(1),
}
Score = Annotated[str, Known(lambda: SCORES)]


def _captum() -> ModuleType:
    try:
        import captum.attr
    except ImportError as error:
        raise ImportError(
            "this needs captum, which is not installed; pip install 'simplebits[attribution]' brings it"
        ) from error
    return captum.attr


class _Score(nn.Module):
    """What is attributed: a score of every class."""

    def __init__(self, classifier: nn.Module, score: str) -> None:
        super().__init__()
        self.classifier, self.score = classifier, SCORES[score]

    def forward(self, x: Tensor) -> Tensor:
        return self.score(self.classifier(x))


def explained_class(classifier: nn.Module, x: Tensor, target: Tensor | None) -> Int64[Tensor, " n"]:
    """Give the target, or the predicted class where none is given.

    Raises:
        ValueError: the classifier does not take these images, or has no output for the target.
    """
    _check.fits("x", x, like=next(classifier.parameters(), None))
    with torch.no_grad():
        logits = logits_of(classifier, x)
    if target is None:
        return logits.argmax(1)
    if len(target) != len(x):
        raise ValueError(f"target: expected [{len(x)}], one class for each of x, got {list(target.shape)}")
    if (highest := int(target.max())) >= logits.shape[1]:
        raise ValueError(
            f"target: must lie in 0 .. {logits.shape[1] - 1} for a classifier of {logits.shape[1]} outputs, "
            f"got {highest}"
        )
    return target.to(x.device)


@door
@with_gradients
def integrated_gradients(
    classifier: nn.Module,
    x: Images,
    target: Labels | None = None,
    *,
    baseline: OtherImages | None = None,
    steps: Count = 50,
    score: Score = "logit",
    batch_size: Count = 500,
) -> Float[Tensor, "n c h w"]:
    """Multiply x - x' by the mean gradient of the score on the way from x' to x (Sundararajan et al. 2017, equation 1).

    Adds up to score(x) - score(x') over an image's values, up to the error of the quadrature, which is large where the
    path begins at a flat image and the network normalises each image by itself. By captum.

    Args:
        classifier: maps images to logits; run in evaluation mode.
        x: images in [0, 1].
        target: class whose score is attributed; None: the predicted one.
        baseline: x', one image for all (m = 1) or one for each; None: black.
        steps: points of the Gauss-Legendre quadrature.
        score: `logit`, `log_probability` or `probability`.
        batch_size: images and points at once.

    Raises:
        ImportError: captum is not installed; names the extra.
        TypeError: the classifier is not a module, or x no tensor.
        ValueError: wrong images or labels, an unknown score, or steps < 1.
    """
    attr = _captum()
    baseline = torch.zeros_like(x[:1]) if baseline is None else baseline
    one_or_each("baseline", baseline, x)
    with evaluation_mode(classifier):
        target = explained_class(classifier, x, target)
        return _along_the_path(
            attr.IntegratedGradients(_Score(classifier, score)), x, target, baseline, steps, batch_size
        )


def _along_the_path(
    method: Any, x: Tensor, target: Tensor, baseline: Tensor, steps: int, batch_size: int
) -> Float[Tensor, "n c h w"]:
    """Compute captum's integrated gradients, from one baseline or from one for each image."""
    # captum warns where a batch does not hold one point of every image.
    return method.attribute(
        x.detach(),
        baselines=baseline.expand_as(x),
        target=target,
        n_steps=steps,
        internal_batch_size=max(batch_size, len(x)),
    ).detach()


@door
@with_gradients
def expected_gradients(
    classifier: nn.Module,
    x: Images,
    references: OtherImages,
    target: Labels | None = None,
    *,
    draws: Count = 50,
    steps: Count = 4,
    score: Score = "logit",
    seed: Seed = 0,
    batch_size: Count = 500,
    progress: bool | None = None,
) -> Float[Tensor, "n c h w"]:
    """Average integrated gradients with training images for baselines (Erion et al. 2021, equation 3).

    Erion et al. draw one point of each path; here a path has `steps` points by quadrature, so that every path adds up.
    (captum's GradientShap draws from NumPy's global generator, which a seed of ours would disturb.)

    Args:
        classifier: maps images to logits; run in evaluation mode.
        x: images in [0, 1].
        references: training images, as x.
        target: class whose score is attributed; None: the predicted one.
        draws: references, drawn without replacement; all of them where there are fewer. The same for all images.
        steps: points of the quadrature on each path.
        score: `logit`, `log_probability` or `probability`.
        seed: of the draw.
        batch_size: images and points at once.
        progress: show a bar; None: on a terminal only.

    Raises:
        ImportError, TypeError, ValueError: as `integrated_gradients`.
    """
    images_fit("references", references, x)
    drawn = torch.randperm(len(references), generator=torch.Generator().manual_seed(seed))[:draws]
    attr, total = _captum(), torch.zeros_like(x)
    with evaluation_mode(classifier), _progress.bar(len(drawn), 0, "expected gradients", progress) as bar:
        target = explained_class(classifier, x, target)
        method = attr.IntegratedGradients(_Score(classifier, score))
        for k in drawn.tolist():
            total += _along_the_path(method, x, target, references[k : k + 1], steps, batch_size)
            bar.update()
    return total / len(drawn)


@door
def occlusion(
    classifier: nn.Module,
    x: Images,
    target: Labels | None = None,
    *,
    fill: Fill = 0.0,
    window: Count = 4,
    stride: Count = 1,
    score: Score = "logit",
) -> Float[Tensor, "n h w"]:
    """Measure how far the score falls when a window is filled, in the mean of a pixel's (Zeiler and Fergus 2014).

    All channels of a window are filled together. By captum.

    Args:
        classifier: maps images to logits; run in evaluation mode.
        x: images in [0, 1].
        target: class whose score is attributed; None: the predicted one.
        fill: a grey level, or an image for all (m = 1; the mean of training images) or one for each.
        window: height and width, pixels.
        stride: pixels between two windows.
        score: `logit`, `log_probability` or `probability`.

    Raises:
        ImportError, TypeError, ValueError: as `integrated_gradients`; a window larger than the image, or a stride
            larger than the window.
    """
    window_fits(x, window, stride)
    attr = _captum()
    if isinstance(fill, Tensor):
        one_or_each("fill", fill, x)
        fill = fill.expand_as(x)
    with evaluation_mode(classifier), torch.no_grad():
        target = explained_class(classifier, x, target)
        channels = x.shape[1]
        maps = attr.Occlusion(_Score(classifier, score)).attribute(
            x.detach(),
            sliding_window_shapes=(channels, window, window),
            strides=(channels, stride, stride),
            baselines=fill,
            target=target,
        )
    # captum adds up in single precision.
    return maps[:, 0].to(x)

"""Which pixels spoke for the prediction? Saliency maps to hold beside simplified images (SimpleBits, figure S16).

Integrated and expected gradients and occlusion come from captum (extra `attribution`). The paper has neither code nor
settings for its maps; the defaults here are this library's choice.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits import _check, _progress
from simplebits._gradients import with_gradients
from simplebits.networks.classify import check_labels
from simplebits.networks.evaluation_mode import evaluation_mode

SCORES: dict[str, Callable[[Tensor], Tensor]] = {
    "logit": lambda logits: logits,
    "log_probability": lambda logits: logits.log_softmax(1),
    "probability": lambda logits: logits.softmax(1),
}


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
        self.classifier, self.score = classifier, SCORES[_check.one_of("score", score, SCORES)]

    def forward(self, x: Tensor) -> Tensor:
        return self.score(self.classifier(x))


def predicted_or(classifier: nn.Module, x: Tensor, target: Tensor | None) -> Tensor:
    """The target, checked, or the predicted class where none is given; raises for images that do not fit."""
    _check.image_batch("x", x, like=next(classifier.parameters(), None))
    with torch.no_grad():
        logits = classifier(x)
    if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(x):
        got = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"classifier: expected logits [{len(x)}, classes], got {got}")
    if target is None:
        return logits.argmax(1)
    check_labels(target, len(x), logits.shape[1])
    return target.to(x.device)


def check_like(argument: str, images: Tensor, x: Tensor) -> None:
    """Raise ValueError unless these are images of the size, channels, dtype and device of x."""
    _check.image_batch(argument, images, like=x)
    if images.shape[1:] != x.shape[1:]:
        raise ValueError(f"{argument}: expected images {list(x.shape[1:])} as in x, got {list(images.shape[1:])}")


@with_gradients
def integrated_gradients(
    classifier: nn.Module,
    x: Float[Tensor, "n c h w"],
    target: Int64[Tensor, " n"] | None = None,
    *,
    baseline: Float[Tensor, "m c h w"] | None = None,
    steps: int = 50,
    score: str = "logit",
    batch_size: int = 500,
) -> Float[Tensor, "n c h w"]:
    """(x - x') times the mean gradient of the score on the way from x' to x (Sundararajan et al. 2017, equation 1).

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
    _check.positive("steps", steps, integer=True)
    _check.positive("batch_size", batch_size, integer=True)
    attr = _captum()
    with evaluation_mode(classifier):
        target = predicted_or(classifier, x, target)
        baseline = torch.zeros_like(x[:1]) if baseline is None else baseline
        check_like("baseline", baseline, x)
        if len(baseline) not in (1, len(x)):
            raise ValueError(f"baseline: give 1 image, or {len(x)}, one for each of x; got {len(baseline)}")
        return _along_the_path(
            attr.IntegratedGradients(_Score(classifier, score)), x, target, baseline, steps, batch_size
        )


def _along_the_path(
    method: Any, x: Tensor, target: Tensor, baseline: Tensor, steps: int, batch_size: int
) -> Float[Tensor, "n c h w"]:
    """captum's integrated gradients, from one baseline or from one for each image."""
    # captum warns where a batch does not hold one point of every image.
    return method.attribute(
        x.detach(),
        baselines=baseline.expand_as(x),
        target=target,
        n_steps=steps,
        internal_batch_size=max(batch_size, len(x)),
    ).detach()


@with_gradients
def expected_gradients(
    classifier: nn.Module,
    x: Float[Tensor, "n c h w"],
    references: Float[Tensor, "m c h w"],
    target: Int64[Tensor, " n"] | None = None,
    *,
    draws: int = 50,
    steps: int = 4,
    score: str = "logit",
    seed: int = 0,
    batch_size: int = 500,
    progress: bool | None = None,
) -> Float[Tensor, "n c h w"]:
    """Integrated gradients with training images for baselines, averaged (Erion et al. 2021, equation 3).

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
    for name, value in {"draws": draws, "steps": steps, "batch_size": batch_size}.items():
        _check.positive(name, value, integer=True)
    seed = _check.seed("seed", seed)
    _check.image_batch("x", x)
    check_like("references", references, x)
    drawn = torch.randperm(len(references), generator=torch.Generator().manual_seed(seed))[:draws]
    attr, total = _captum(), torch.zeros_like(x)
    with evaluation_mode(classifier), _progress.bar(len(drawn), 0, "expected gradients", progress) as bar:
        target = predicted_or(classifier, x, target)
        method = attr.IntegratedGradients(_Score(classifier, score))
        for k in drawn.tolist():
            total += _along_the_path(method, x, target, references[k : k + 1], steps, batch_size)
            bar.update()
    return total / len(drawn)


def occlusion(
    classifier: nn.Module,
    x: Float[Tensor, "n c h w"],
    target: Int64[Tensor, " n"] | None = None,
    *,
    fill: Float[Tensor, "m c h w"] | float = 0.0,
    window: int = 4,
    stride: int = 1,
    score: str = "logit",
) -> Float[Tensor, "n h w"]:
    """How far the score falls when a window is filled, averaged over a pixel's windows (Zeiler and Fergus 2014).

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
    _check.image_batch("x", x)
    check_window(x, window, stride)
    attr = _captum()
    if isinstance(fill, Tensor):
        check_like("fill", fill, x)
        if len(fill) not in (1, len(x)):
            raise ValueError(f"fill: give 1 image, or {len(x)}, one for each of x; got {len(fill)}")
        fill = fill.expand_as(x)
    elif isinstance(fill, bool) or not isinstance(fill, int | float) or not 0 <= fill <= 1:
        raise ValueError(f"fill={fill!r}: give a grey level in [0, 1], or images [1, c, h, w] or [n, c, h, w]")
    with evaluation_mode(classifier), torch.no_grad():
        target = predicted_or(classifier, x, target)
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


def check_window(x: Tensor, window: int, stride: int) -> None:
    """Raise ValueError unless windows of this size and stride cover images like x."""
    _check.positive("window", window, integer=True)
    _check.positive("stride", stride, integer=True)
    if window > min(x.shape[2:]) or stride > window:
        raise ValueError(
            f"window={window}, stride={stride}: give a window of at most {min(x.shape[2:])} pixels and a stride of at "
            f"most the window"
        )

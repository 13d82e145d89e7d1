"""Temperature scaling, and how far confidence is from accuracy (Guo et al. 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits import _check
from simplebits._gradients import with_gradients
from simplebits.networks.classify import check_labels


class Calibrated(nn.Module):
    """A classifier whose logits are divided by a temperature: the same predictions, other confidences.

    Args:
        classifier: maps images to logits.
        temperature: T, above 0; more than 1 makes it less confident.

    Raises:
        ValueError: temperature out of range.

    >>> Calibrated(nn.Identity(), 2.0)(torch.tensor([[2.0, 4.0]]))
    tensor([[1., 2.]])
    """

    def __init__(self, classifier: nn.Module, temperature: float) -> None:
        super().__init__()
        _check.positive("temperature", temperature)
        self.classifier, self.temperature = classifier, temperature

    def forward(self, x: Tensor) -> Float[Tensor, "n classes"]:
        """Logits divided by the temperature."""
        return self.classifier(x) / self.temperature


@with_gradients
def fit_temperature(logits: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"]) -> float:
    """The temperature T that minimises the cross-entropy of logits/T, found by LBFGS in 1/T (Guo et al. 2017).

    Args:
        logits: of images that the classifier was not trained on, and that it is not tested on either.
        labels: of these images.

    Raises:
        ValueError: logits that are not finite, or labels that do not fit them.
        FloatingPointError: no temperature is best: every one of these images is classified correctly, so that ever more
            confidence (T to 0) gains, or the logits are no better than chance (T to infinity).

    >>> sure = torch.tensor([[4.0, 0.0]] * 4)
    >>> round(fit_temperature(sure, torch.tensor([0, 0, 0, 1])), 3)  # 3 of 4: logits of log 3
    3.641
    """
    _check_logits(logits, labels)
    logits = logits.detach().double()
    own = logits.gather(1, labels[:, None])[:, 0]
    # The cross-entropy is convex in 1/T. These are the cases in which it falls all the way to an end.
    if bool((own >= logits.amax(1)).all()):
        raise FloatingPointError(
            f"no temperature is best: all {len(labels)} images are classified correctly, and ever more confidence "
            f"would gain; give more images, held out from the training"
        )
    if bool((own - logits.mean(1)).mean() <= 0):
        raise FloatingPointError(
            f"no temperature is best: on these {len(labels)} images the logits are no better than chance; train the "
            f"classifier first, and give labels in the order of its outputs"
        )
    sharpness = torch.ones((), dtype=torch.float64, device=logits.device, requires_grad=True)  # 1/T
    optimiser = torch.optim.LBFGS(
        [sharpness], max_iter=200, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(logits * sharpness, labels)
        value.backward()
        return value

    optimiser.step(loss)
    return 1 / float(sharpness.detach())


def calibration_error(logits: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"], bins: int = 15) -> float:
    """Expected calibration error, 0 to 1: the mean gap of accuracy and confidence over bins, weighted by their images.

    Args:
        logits: of the classifier.
        labels: of these images.
        bins: of equal width in confidence; 15 in the paper.

    Raises:
        ImportError: torchmetrics is not installed.
        ValueError: logits that are not finite, labels that do not fit them, or bins < 1.

    >>> round(calibration_error(torch.tensor([[4.0, 0.0]] * 4), torch.tensor([0, 0, 0, 1])), 3)  # sure to .982
    0.232
    """
    _check.positive("bins", bins, integer=True)
    _check_logits(logits, labels)
    try:
        from torchmetrics.functional.classification import multiclass_calibration_error
    except ImportError as error:
        raise ImportError(
            "calibration_error needs torchmetrics, which the extra 'attribution' brings: "
            "pip install 'simplebits[attribution]'"
        ) from error
    # torchmetrics rounds to 32 bits and would give a confidence of exactly 1 a bin of its own.
    probabilities = logits.detach().double().softmax(1).clamp(max=1 - 1e-6)
    return float(multiclass_calibration_error(probabilities, labels, logits.shape[1], n_bins=bins, norm="l1"))


def _check_logits(logits: Tensor, labels: Tensor) -> None:
    if not isinstance(logits, Tensor) or not logits.is_floating_point() or logits.dim() != 2 or not len(logits):
        got = f"{logits.dtype} {list(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"logits: expected a float tensor [n, classes], got {got}; networks.predict gives one")
    if not bool(torch.isfinite(logits).all()):
        raise ValueError("logits: every value must be finite")
    check_labels(labels, len(logits), logits.shape[1])

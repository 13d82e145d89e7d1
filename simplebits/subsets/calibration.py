"""Temperature scaling, and how far confidence is from accuracy (Guo et al. 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits._gradients import with_gradients
from simplebits.domains import Count, Labels, Logits, Positive
from simplebits.networks.classify import check_labels


@door
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

    def __init__(self, classifier: nn.Module, temperature: Positive) -> None:
        super().__init__()
        self.classifier, self.temperature = classifier, temperature

    @door
    def forward(self, x: Tensor) -> Float[Tensor, "n classes"]:
        """Divide the logits by the temperature."""
        return self.classifier(x) / self.temperature


@door
@with_gradients
def fit_temperature(logits: Logits, labels: Labels) -> float:
    """Find the temperature T that minimises the cross-entropy of logits/T, by LBFGS in 1/T (Guo et al. 2017).

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
    check_labels(labels, len(logits), logits.shape[1])
    logits, labels = logits.detach().double(), labels.to(logits.device)
    of_label = logits.gather(1, labels[:, None])[:, 0]
    # The cross-entropy is convex in 1/T. These are the cases in which it falls all the way to an end.
    if bool((of_label >= logits.amax(1)).all()):
        raise FloatingPointError(
            f"no temperature is best: all {len(labels)} images are classified correctly, and ever more confidence "
            f"would gain; give more images, held out from the training"
        )
    if bool((of_label - logits.mean(1)).mean() <= 0):
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


@door
def calibration_error(logits: Logits, labels: Labels, bins: Count = 15) -> float:
    """Compute the expected calibration error, 0 to 1: the mean gap of accuracy and confidence, over bins of confidence.

    Each bin counts by its images.

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
    check_labels(labels, len(logits), logits.shape[1])
    try:
        from torchmetrics.functional.classification import multiclass_calibration_error
    except ImportError as error:
        raise ImportError(
            "calibration_error needs torchmetrics, which the extra 'attribution' brings: "
            "pip install 'simplebits[attribution]'"
        ) from error
    # torchmetrics rounds to 32 bits and would give a confidence of exactly 1 a bin of its own.
    probabilities = logits.detach().double().softmax(1).clamp(max=1 - 1e-6)
    return float(
        multiclass_calibration_error(probabilities, labels.to(logits.device), logits.shape[1], n_bins=bins, norm="l1")
    )

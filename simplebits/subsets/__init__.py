"""Sufficient input subsets: the pixels that alone keep up a network's decision, and training on nothing but them."""

from simplebits.subsets.back_select import back_select
from simplebits.subsets.batched_gradient import (
    batched_gradient_back_select,
    batched_gradient_find_sis,
    batched_gradient_sis_collection,
)
from simplebits.subsets.calibration import Calibrated, calibration_error, fit_temperature
from simplebits.subsets.ensemble import Ensemble
from simplebits.subsets.input_dropout import InputDropout
from simplebits.subsets.masking import masked
from simplebits.subsets.pixel_subsets import (
    augment_once,
    keep_last,
    keep_pixels,
    keep_places,
    mean_pixel,
    pixels_kept,
    random_masks,
)
from simplebits.subsets.results import BackSelection, GradientSelection, SufficientInputSubset
from simplebits.subsets.score import ClassScore, Score, class_score
from simplebits.subsets.sufficient import find_sis, sis_collection
from simplebits.subsets.training import check_trained, step_decay, train_classifier

__all__ = [
    "BackSelection", "Calibrated", "ClassScore", "Ensemble", "GradientSelection", "InputDropout", "Score",
    "SufficientInputSubset", "augment_once", "back_select", "batched_gradient_back_select",
    "batched_gradient_find_sis", "batched_gradient_sis_collection", "calibration_error", "check_trained", "class_score",
    "find_sis", "fit_temperature", "keep_last", "keep_pixels", "keep_places", "masked", "mean_pixel",
    "pixels_kept", "random_masks", "sis_collection", "step_decay", "train_classifier",
]  # fmt: skip

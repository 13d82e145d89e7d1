"""Classifiers and the simplifier network, one family a file, and the loop that trains a classifier."""

from simplebits.networks.build import CLASSIFIERS, build
from simplebits.networks.classify import (
    ClassifierHistory,
    accuracy,
    classifier_optimiser,
    fit_classifier,
    predict,
)
from simplebits.networks.nf_wide_resnet import NFWideResNet, ScaledConv2d
from simplebits.networks.residual_unet import ResidualUNet
from simplebits.networks.standardise import Standardise

__all__ = [
    "CLASSIFIERS", "ClassifierHistory", "NFWideResNet", "ResidualUNet", "ScaledConv2d", "Standardise", "accuracy",
    "build", "classifier_optimiser", "fit_classifier", "predict",
]  # fmt: skip

"""Classifiers and the simplifier network, one family a file, and the loop that trains a classifier."""

from simplebits.networks.alexnet import AlexCifarNet, AlexNet
from simplebits.networks.base import Classifier
from simplebits.networks.binary import BinaryLogits
from simplebits.networks.build import CLASSIFIERS, build
from simplebits.networks.classify import (
    ClassifierHistory,
    accuracy,
    classifier_optimiser,
    fit_classifier,
    predict,
)
from simplebits.networks.convnet import ConvNet
from simplebits.networks.digit_reader import digit_reader_card, load_digit_reader
from simplebits.networks.lenet import LeNet
from simplebits.networks.mlp import MLP
from simplebits.networks.nf_wide_resnet import NFWideResNet, ScaledConv2d
from simplebits.networks.residual_unet import ResidualUNet
from simplebits.networks.resnet import ResNet18, ResNet20
from simplebits.networks.standardise import Standardise
from simplebits.networks.strided_cnn import StridedCNN
from simplebits.networks.vgg import VGG11, VGG16

__all__ = [
    "CLASSIFIERS", "MLP", "VGG11", "VGG16", "AlexCifarNet", "AlexNet", "BinaryLogits", "Classifier",
    "ClassifierHistory", "ConvNet", "LeNet", "NFWideResNet", "ResNet18", "ResNet20", "ResidualUNet", "ScaledConv2d",
    "Standardise", "StridedCNN", "accuracy", "build", "classifier_optimiser", "digit_reader_card", "fit_classifier",
    "load_digit_reader", "predict",
]  # fmt: skip

"""What one sample tells: unique information by linearised networks, influence functions, and retraining."""

from simplebits.information.influence import Influence, influence
from simplebits.information.kernel import kernel
from simplebits.information.leave_one_out import leave_one_out
from simplebits.information.linearised import LinearisedTraining, linearised_training
from simplebits.information.retraining import Retrained, retrain_without
from simplebits.information.sample_information import SampleInformation, sample_information
from simplebits.information.shrinkage import Shrinkage
from simplebits.information.span import InSpan, in_span
from simplebits.information.steady_state import jacobian, sgd_covariance, weight_information
from simplebits.information.toy import (
    UniqueInformation,
    sgd_linear_regression,
    two_gaussians,
    unique_information,
)

__all__ = [
    "InSpan", "Influence", "LinearisedTraining", "Retrained", "SampleInformation", "Shrinkage", "UniqueInformation",
    "in_span", "influence", "jacobian", "kernel", "leave_one_out", "linearised_training", "retrain_without",
    "sample_information", "sgd_covariance", "sgd_linear_regression", "two_gaussians", "unique_information",
    "weight_information",
]  # fmt: skip

"""SimpleBits: lower the bits of every input as far as the task allows, while training or after it; its baselines."""

from simplebits.simplify.after_training import SimplifiedAfterTraining, simplify_after_training
from simplebits.simplify.after_training_loss import AfterTrainingLoss, after_training_loss
from simplebits.simplify.attribution import expected_gradients, integrated_gradients, occlusion
from simplebits.simplify.baselines import BLUR_SIGMAS, JPEG_QUALITIES, blur, fit_mse_simplifier, jpeg
from simplebits.simplify.controls import Control, control, fill_region, grey
from simplebits.simplify.gates import gate_distance, gate_gradients, kl_divergence
from simplebits.simplify.history import CollapseError, SimplifyHistory
from simplebits.simplify.loss import PerInstanceLoss, bit_gate, per_instance_loss
from simplebits.simplify.prediction_difference import PatchGaussian, prediction_difference
from simplebits.simplify.retention import Retention, retention
from simplebits.simplify.retrain import Retraining, retrain
from simplebits.simplify.schedule import Stage
from simplebits.simplify.virtual_step import virtual_adamw_step
from simplebits.simplify.while_training import SimplifyWhileTraining

__all__ = [
    "BLUR_SIGMAS", "JPEG_QUALITIES", "AfterTrainingLoss", "CollapseError", "Control", "PatchGaussian",
    "PerInstanceLoss", "Retention", "Retraining", "SimplifiedAfterTraining", "SimplifyHistory",
    "SimplifyWhileTraining", "Stage", "after_training_loss", "bit_gate", "blur", "control", "expected_gradients",
    "fill_region", "fit_mse_simplifier", "gate_distance", "gate_gradients", "grey", "integrated_gradients", "jpeg",
    "kl_divergence", "occlusion", "per_instance_loss", "prediction_difference", "retention", "retrain",
    "simplify_after_training", "virtual_adamw_step",
]  # fmt: skip

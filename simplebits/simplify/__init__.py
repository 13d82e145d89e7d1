"""SimpleBits: lower the bits of every input as far as the task allows, while training; its baselines and its tests."""

from simplebits.simplify.baselines import BLUR_SIGMAS, JPEG_QUALITIES, blur, fit_mse_simplifier, jpeg
from simplebits.simplify.history import CollapseError, SimplifyHistory
from simplebits.simplify.loss import PerInstanceLoss, bit_gate, per_instance_loss
from simplebits.simplify.retention import Retention, retention
from simplebits.simplify.retrain import Retraining, retrain
from simplebits.simplify.schedule import Stage
from simplebits.simplify.virtual_step import virtual_adamw_step
from simplebits.simplify.while_training import SimplifyWhileTraining

__all__ = [
    "BLUR_SIGMAS", "JPEG_QUALITIES", "CollapseError", "PerInstanceLoss", "Retention", "Retraining", "SimplifyHistory",
    "SimplifyWhileTraining", "Stage", "bit_gate", "blur", "fit_mse_simplifier", "jpeg",
    "per_instance_loss", "retention", "retrain", "virtual_adamw_step",
]  # fmt: skip

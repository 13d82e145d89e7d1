"""Models with a likelihood, and through them bits per dimension: the unit in which this project counts information."""

from simplebits.density.base import DensityModel, quantise
from simplebits.density.diffusion import BoundTerms, Diffusion
from simplebits.density.fit import FitHistory, fit
from simplebits.density.glow import Glow, squeeze, unsqueeze
from simplebits.density.glow_step import ActNorm, Conv1x1, Coupling, GlowStep
from simplebits.density.measure import bits_of, mean_bits
from simplebits.density.onnx import export_onnx
from simplebits.density.pixelcnn import PixelCNN
from simplebits.density.png import png_bits_per_dim
from simplebits.density.recipes import general_images
from simplebits.density.weights import NAMES, card, load

__all__ = [
    "NAMES",
    "ActNorm",
    "BoundTerms",
    "Conv1x1",
    "Coupling",
    "DensityModel",
    "Diffusion",
    "FitHistory",
    "Glow",
    "GlowStep",
    "PixelCNN",
    "bits_of",
    "card",
    "export_onnx",
    "fit",
    "general_images",
    "load",
    "mean_bits",
    "png_bits_per_dim",
    "quantise",
    "squeeze",
    "unsqueeze",
]

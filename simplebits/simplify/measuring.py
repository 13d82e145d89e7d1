"""What a simplifier makes of images, and how much that leaves: accuracy, bits, contrast."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits.density import DensityModel, mean_bits, quantise
from simplebits.networks.classify import accuracy
from simplebits.networks.evaluation_mode import evaluation_mode


@torch.no_grad()
def simplified(
    simplifier: nn.Module, density: DensityModel, x: Float[Tensor, "n c h w"], bf16: bool
) -> Float[Tensor, "n c h w"]:
    """Simplify images in evaluation mode, on the grid of the density's grey levels; they come back to where x lies."""
    device = next(simplifier.parameters()).device
    with evaluation_mode(simplifier), torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        parts = [simplifier(part.to(device)).to(x.dtype) for part in x.float().split(100)]
    return quantise(torch.cat(parts), density.bit_depth).to(x.device)


def measured(
    classifier: nn.Module,
    simplifier: nn.Module,
    density: DensityModel,
    x: Float[Tensor, "n c h w"],
    labels: Int64[Tensor, " n"],
    bf16: bool,
) -> dict[str, float]:
    """Measure what `SimplifyWhileTraining.measure` returns."""
    simple = simplified(simplifier, density, x, bf16)
    return {
        "accuracy_original": accuracy(classifier, x, labels, bf16=bf16),
        "accuracy_simplified": accuracy(classifier, simple, labels, bf16=bf16),
        "bits": mean_bits(density, simple),
        "contrast": contrast(simple, x),
    }


def contrast(simple: Float[Tensor, "n c h w"], x: Float[Tensor, "n c h w"]) -> float:
    """Compute the mean standard deviation within a channel of an image, relative to the originals'."""
    return float(simple.flatten(2).std(2).mean() / x.flatten(2).std(2).mean().clamp(min=1e-6))

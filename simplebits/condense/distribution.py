"""Distribution matching: synthetic images whose mean features are those of the real ones (Zhao and Bilen 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from simplebits._door import door
from simplebits.condense.arguments import batches_of_classes_fit
from simplebits.condense.distances import distance_of_means
from simplebits.condense.gradient import ClassImages, in_cache


@door
def distribution_matching_loss(
    embed: Callable[[Tensor], Tensor],
    real: Sequence[ClassImages],
    synthetic: Sequence[ClassImages],
    *,
    together: bool = False,
    bf16: bool = False,
    embed_real: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, ""]:
    """Sum over classes the squared distance between the mean features of real and synthetic images.

    Args:
        embed: maps standardised images to features [n, d], `network.embed` for example; frozen.
        real: a batch of real images for each class.
        synthetic: the class's synthetic images.
        together: all real images in one pass, which networks with batch normalisation need; else a few at a time.
        bf16: bfloat16 autocast for the real images.
        embed_real: what embeds the real images, the compiled twin of `embed`; None: `embed`.

    Returns:
        The distance, differentiable in the synthetic images; 0 where the means of all classes agree.

    Raises:
        TypeError: embed is no function, or a batch no tensor.
        ValueError: no class, an empty batch, values that are not finite, other numbers of classes in real and
            synthetic, or images of different shapes.

    >>> real = [torch.ones(4, 1, 2, 2), torch.zeros(4, 1, 2, 2)]
    >>> distribution_matching_loss(torch.nn.Flatten(), real, [torch.zeros(1, 1, 2, 2)] * 2)
    tensor(4.)
    """
    batches_of_classes_fit(real=real, synthetic=synthetic)
    return feature_loss(embed, real, synthetic, together=together, bf16=bf16, embed_real=embed_real or embed)


def feature_loss(
    embed: Callable[[Tensor], Tensor],
    real: Sequence[Tensor],
    synthetic: Sequence[Tensor],
    *,
    together: bool,
    bf16: bool,
    embed_real: Callable[[Tensor], Tensor],
) -> Float[Tensor, ""]:
    """Compute `distribution_matching_loss` of images that are known to fit; not finite where a run diverges."""
    batches = [torch.cat(list(real))] if together else [part for batch in real for part in in_cache(batch)]
    # The real images get no gradient: nothing of their passes is kept.
    with torch.no_grad(), torch.autocast(real[0].device.type, dtype=torch.bfloat16, enabled=bf16):
        features = torch.cat([embed_real(batch).flatten(1).to(batch.dtype) for batch in batches])
    # Synthetic images are few: one pass for all classes.
    return distance_of_means(features, embed(torch.cat(list(synthetic))).flatten(1), _labels(real), _labels(synthetic))


def _labels(batches: Sequence[Tensor]) -> Tensor:
    lengths = torch.tensor([len(batch) for batch in batches])
    return torch.arange(len(batches)).repeat_interleave(lengths).to(batches[0].device)

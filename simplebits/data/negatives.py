"""Which radiographs are negatives of the others: air bright, bones dark (MONOCHROME1 written as it is)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from simplebits.data.image_set import _to_float

_SIZE = 16  # pixels to a side, at which pictures are compared
_LEAST = 8  # pictures; of fewer nobody can say which are the odd ones
ALIKE, OPPOSITE = 0.3, -0.3  # correlation with the others' mean: of the most at least, of a negative at most


def negatives(images: UInt8[Tensor, "n c h w"]) -> Bool[Tensor, " n"]:
    """Find pictures that correlate negatively with the mean of the others, where most of them look alike.

    The pictures must have the same parts in the same places, as frontal chest radiographs do. Where they do not
    (photographs), or where there are fewer than 8, nothing is found. Where all are negatives nothing is found either:
    nobody can tell them by comparing them.
    """
    none = torch.zeros(len(images), dtype=torch.bool)
    if len(images) < _LEAST:
        return none
    x = torch.cat([_to_float(part, _SIZE, 1, None).flatten(1) for part in images.split(1000)])
    x = torch.nn.functional.normalize(x - x.mean(1, keepdim=True), dim=1)
    others = torch.nn.functional.normalize(x.sum(0) - x, dim=1)
    alike = (x * others).sum(1)
    return alike < OPPOSITE if float(alike.median()) > ALIKE else none

"""Input dropout: random pixels are missing, in training and whenever the network is asked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check


class InputDropout(nn.Module):
    """A classifier that sees each pixel with probability `keep` (Carter et al. 2021, sections 4.5 and S4.5).

    A pixel goes with all its channels. What stays is not rescaled, and one draw an image is made in evaluation mode
    too, as in the paper's code.

    Args:
        classifier: maps images [n, c, h, w] in [0, 1] to logits.
        keep: probability that a pixel stays, above 0 and at most 1; 0.8 in the paper.
        fill: what the others become, in [0, 1], one number or one for each channel; the paper's code has the mean pixel
            (`mean_pixel`), which is 0 after its normalisation.
        generator: draws the pixels in evaluation mode; None: torch's global generator. In training mode the global one
            always does, as for every dropout layer: `fit_classifier` seeds it at each step.

    Raises:
        TypeError: generator is no torch.Generator.
        ValueError: keep or fill out of range.

    >>> dropped = InputDropout(nn.Flatten(), 0.5, generator=torch.Generator().manual_seed(0)).eval()
    >>> dropped(torch.ones(1, 3, 2, 2)).view(3, 4)
    tensor([[1., 0., 1., 1.],
            [1., 0., 1., 1.],
            [1., 0., 1., 1.]])
    """

    def __init__(
        self,
        classifier: nn.Module,
        keep: float = 0.8,
        fill: Float[Tensor, " c"] | Sequence[float] | float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check.positive("keep", keep)
        if keep > 1:
            raise ValueError(f"keep={keep!r}: give a probability, above 0 and at most 1")
        _check.generator("generator", generator)
        level = torch.as_tensor(fill, dtype=torch.float32).reshape(-1, 1, 1)
        if not bool(((level >= 0) & (level <= 1)).all()):
            raise ValueError(f"fill={fill!r}: values must lie in [0, 1], as the images' do")
        self.classifier, self.keep, self.generator = classifier, float(keep), generator
        self.register_buffer("fill", level, persistent=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits of the images with a fresh draw of missing pixels.

        Raises:
            ValueError: fill has values for another number of channels.
        """
        n, channels, height, width = x.shape
        if len(self.fill) not in (1, channels):
            raise ValueError(f"fill: has values for {len(self.fill)} channels, the images have {channels}")
        generator = None if self.training else self.generator
        device = generator.device if generator is not None else x.device
        drawn = torch.rand(n, 1, height, width, generator=generator, device=device).to(x.device)
        return self.classifier(torch.where(drawn <= self.keep, x, self.fill.to(x.dtype)))

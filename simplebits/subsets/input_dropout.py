"""Input dropout: random pixels are missing, in training and whenever the network is asked."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits.subsets.arguments import ChannelFill, PixelShare


@door
class InputDropout(nn.Module):
    """A classifier that sees each pixel with probability `keep` (Carter et al. 2021, sections 4.5 and S4.5).

    A missing pixel misses in all channels. What stays is not rescaled, and one draw an image is made in evaluation mode
    too, as in the paper's code.

    Args:
        classifier: maps images [n, c, h, w] in [0, 1] to logits.
        keep: probability that a pixel stays, above 0 and at most 1; 0.8 in the paper.
        fill: what the missing pixels become, in [0, 1], one number or one for each channel; the paper's code has the
            mean pixel (`mean_pixel`), which is 0 after its normalisation.
        generator: draws the pixels in evaluation mode; None: torch's global generator. In training mode the global
            generator always draws, as for every dropout layer: `fit_classifier` seeds it at each step.

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
        keep: PixelShare = 0.8,
        fill: ChannelFill = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.classifier, self.keep, self.generator = classifier, float(keep), generator
        self.fill: Tensor
        self.register_buffer("fill", torch.as_tensor(fill).view(-1, 1, 1), persistent=False)

    @door
    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Give logits of the images with a fresh draw of missing pixels.

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

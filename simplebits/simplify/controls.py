"""Control images: take a suspected cue away and see whether the prediction changes (SimpleBits, figure 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from simplebits import _check
from simplebits._door import door
from simplebits.domains import Images
from simplebits.networks import predict
from simplebits.networks.binary import two_or_more
from simplebits.simplify.arguments import GreyLevelOrWord, changed_fits, images_made, region_fits


@dataclass(frozen=True, eq=False)
class Control:
    """What a network says of images before and after a change.

    Attributes:
        images: the control images.
        probabilities_before: softmax of the network's logits on the originals.
        probabilities_after: on the control images.
    """

    images: Float[Tensor, "n c h w"]
    probabilities_before: Float[Tensor, "n classes"]
    probabilities_after: Float[Tensor, "n classes"]

    @property
    def predicted_before(self) -> Int64[Tensor, " n"]:
        """The class predicted for each original."""
        return self.probabilities_before.argmax(1)

    @property
    def predicted_after(self) -> Int64[Tensor, " n"]:
        """The class predicted for each control image."""
        return self.probabilities_after.argmax(1)

    @property
    def flipped(self) -> Bool[Tensor, " n"]:
        """Whether the prediction changed: the cue mattered, or the change did other damage."""
        return self.predicted_before != self.predicted_after


@door
def control(
    classifier: nn.Module,
    x: Images,
    change: Callable[[Tensor], Tensor],
    prepare: Callable[[Tensor], Tensor] | None = None,
) -> Control:
    """Predict before and after a suspected cue is removed; the classifier runs in evaluation mode.

    Args:
        classifier: maps images to logits.
        x: images in [0, 1].
        change: from images to control images of the same shape: `grey`, or `blur` and `fill_region` with their
            arguments filled in.
        prepare: from these images to the classifier's, where they differ in size or channels.

    Raises:
        TypeError: x is not a tensor, or change or prepare no function.
        ValueError: x or the control images are not images in [0, 1], are of different shapes, or the classifier cannot
            take them.

    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    >>> control(net, torch.rand(4, 3, 2, 2), grey).flipped.shape
    torch.Size([4])
    """
    changed = images_made("change", change, x)
    changed_fits(changed, x)
    probabilities = []
    for images in (x, changed):
        prepared = images if prepare is None else images_made("prepare", prepare, images)
        try:
            logits = predict(classifier, prepared)
        except (RuntimeError, IndexError) as error:
            raise ValueError(
                f"classifier: it does not take images {list(prepared.shape)} ({error}); give prepare=..., which makes "
                f"its input of them (another size, grey)"
            ) from error
        two_or_more("classifier", logits.shape)
        probabilities.append(logits.softmax(1))
    return Control(changed, *probabilities)


@door
def grey(x: Images) -> Float[Tensor, "n c h w"]:
    """Remove the colour of images: every channel becomes the luminance 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).

    Raises:
        TypeError: x is not a tensor.
        ValueError: x wrong as an image batch, or without three channels.

    >>> grey(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)).flatten()
    tensor([0.2990, 0.2990, 0.2990])
    """
    _check.fits("x", x, channels=3)
    return (x * x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True).expand_as(x).contiguous()


@door
def fill_region(
    x: Images, region: Bool[Tensor, "... h w"], fill: Annotated[str | float, GreyLevelOrWord()] = "inpaint"
) -> Float[Tensor, "n c h w"]:
    """Fill a region of images from what lies around it.

    Args:
        x: images in [0, 1].
        region: True where to fill, `[h, w]` for all images or `[n, h, w]`.
        fill: `inpaint`: a smooth continuation of the surroundings (biharmonic, scikit-image); `mean`: each image's and
            channel's mean outside the region; or a grey level in [0, 1].

    Raises:
        TypeError: x or the region is not a tensor.
        ValueError: x wrong as an image batch; a region of another shape or dtype, or one that leaves nothing; an
            unknown fill, or a grey level outside [0, 1].

    >>> x = torch.linspace(0, 1, 5).expand(1, 1, 5, 5).contiguous()
    >>> region = torch.zeros(5, 5, dtype=torch.bool)
    >>> region[2, 2] = True
    >>> fill_region(1 - x.where(~region, 0), region).allclose(1 - x, atol=1e-5)
    True
    """
    region_fits(region, x)
    masks = region.to(x.device).expand(len(x), *x.shape[2:])
    if fill == "inpaint":
        from skimage.restoration import inpaint_biharmonic

        pairs = zip(x.detach().cpu().double().numpy(), masks.cpu().numpy(), strict=True)
        filled = [inpaint_biharmonic(image, mask, channel_axis=0) if mask.any() else image for image, mask in pairs]
        value = torch.stack([torch.from_numpy(image) for image in filled]).to(x).clamp(0, 1)
    elif fill == "mean":
        kept = (~masks)[:, None].to(x)
        value = (x * kept).sum((2, 3), keepdim=True) / kept.sum((2, 3), keepdim=True)
    else:
        value = x.new_tensor(fill)
    return torch.where(masks[:, None], value, x)

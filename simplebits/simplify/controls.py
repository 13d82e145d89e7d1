"""Control images: take a suspected cue away and see whether the prediction changes (SimpleBits, figure 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from simplebits import _check
from simplebits.networks import predict

FILLS = ("inpaint", "mean")


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


def control(
    classifier: nn.Module,
    x: Float[Tensor, "n c h w"],
    change: Callable[[Tensor], Tensor],
    prepare: Callable[[Tensor], Tensor] | None = None,
) -> Control:
    """Predictions before and after a suspected cue is removed; the classifier runs in evaluation mode.

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
    _check.image_batch("x", x)
    for name, function in {"change": change, "prepare": prepare}.items():
        if not callable(function) and not (name == "prepare" and function is None):
            raise TypeError(f"{name}: expected a function of images, got {type(function).__name__}")
    changed = change(x)
    _check.image_batch("change(x)", changed)
    if changed.shape != x.shape:
        raise ValueError(f"change: it made images {list(changed.shape)} of {list(x.shape)}; keep the shape")
    prepare = prepare or (lambda image: image)
    try:
        before, after = (predict(classifier, prepare(images)).softmax(1) for images in (x, changed))
    except RuntimeError as error:
        raise ValueError(
            f"classifier: it cannot take images {list(x.shape)} ({error}); give prepare=..., which makes its input of "
            f"them (another size, grey)"
        ) from error
    return Control(changed, before, after)


def grey(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Images without colour: every channel becomes the luminance 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).

    Raises:
        TypeError: x is not a tensor.
        ValueError: x wrong as an image batch, or without three channels.

    >>> grey(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)).flatten()
    tensor([0.2990, 0.2990, 0.2990])
    """
    _check.image_batch("x", x, channels=3)
    return (x * x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True).expand_as(x).contiguous()


def fill_region(
    x: Float[Tensor, "n c h w"], region: Bool[Tensor, "... h w"], fill: str | float = "inpaint"
) -> Float[Tensor, "n c h w"]:
    """Images whose region is filled from what lies around it.

    Args:
        x: images in [0, 1].
        region: True where to fill, `[h, w]` for all images or `[n, h, w]`.
        fill: `inpaint`: a smooth continuation of the surroundings (biharmonic, scikit-image); `mean`: each image's and
            channel's mean outside the region; or a grey level in [0, 1].

    Raises:
        TypeError: x or the region is not a tensor.
        ValueError: x wrong as an image batch; a region of another shape or dtype, or one that leaves nothing; an
            unknown fill.

    >>> x = torch.linspace(0, 1, 5).expand(1, 1, 5, 5).contiguous()
    >>> region = torch.zeros(5, 5, dtype=torch.bool)
    >>> region[2, 2] = True
    >>> fill_region(1 - x.where(~region, 0), region).allclose(1 - x, atol=1e-5)
    True
    """
    _check.image_batch("x", x)
    n, _, h, w = x.shape
    if not isinstance(region, Tensor):
        raise TypeError(f"region: expected a bool torch.Tensor [{h}, {w}], got {type(region).__name__}")
    if region.dtype != torch.bool or tuple(region.shape) not in ((h, w), (n, h, w)):
        raise ValueError(
            f"region: expected bool [{h}, {w}] or [{n}, {h}, {w}], got {region.dtype} {list(region.shape)}"
        )
    masks = region.to(x.device).expand(n, h, w)
    if bool(masks.flatten(1).all(1).any()):
        raise ValueError("region: it covers a whole image; leave something to fill it from")
    if isinstance(fill, str):
        _check.one_of("fill", fill, FILLS)
    elif isinstance(fill, bool) or not isinstance(fill, int | float) or not 0 <= fill <= 1:
        raise ValueError(f"fill={fill!r}: give a grey level in [0, 1], or one of {', '.join(FILLS)}")
    if fill == "inpaint":
        from skimage.restoration import inpaint_biharmonic

        pairs = zip(x.detach().cpu().double().numpy(), masks.cpu().numpy(), strict=True)
        filled = [inpaint_biharmonic(image, mask, channel_axis=0) if mask.any() else image for image, mask in pairs]
        value = torch.stack([torch.from_numpy(image) for image in filled]).to(x).clamp(0, 1)
    elif fill == "mean":
        kept = (~masks)[:, None].to(x)
        value = (x * kept).sum((2, 3), keepdim=True) / kept.sum((2, 3), keepdim=True)
    else:
        value = x.new_tensor(float(fill))
    return torch.where(masks[:, None], value, x)

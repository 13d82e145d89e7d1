"""Residual networks for small images (He et al. 2016), with the condensation papers' variant that has no strides."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from simplebits._door import door
from simplebits.domains import Count
from simplebits.networks.base import NORMS, Classifier, Norm, check_size
from simplebits.networks.standardise import ConstantsOf


class Subsample(nn.Module):
    """He et al.'s option A: every second pixel, and zeros for the channels that the input lacks. No parameters.

    Args:
        stride: 2 keeps every second row and column.
        extra: channels of zeros, half of them before the input's, half behind.
    """

    def __init__(self, stride: int, extra: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, extra

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n o _ _"]:
        """Keep every so many pixels, and add the channels."""
        before = self.extra // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.extra - before))


class BasicBlock(nn.Module):
    """relu(residual + shortcut): two 3x3 convolutions beside the input, or beside what fits it to their output.

    Args:
        channels: of the input.
        filters: of the output.
        norm: `instance` or `batch`.
        stride: of the first convolution and of the shortcut.
        average: average 2x2 pixels after them instead.
        subsample: the shortcut is `Subsample` (option A) in place of a 1x1 convolution.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        norm: str,
        *,
        stride: int = 1,
        average: bool = False,
        subsample: bool = False,
    ) -> None:
        super().__init__()
        pool = nn.AvgPool2d(2) if average else nn.Identity()
        self.residual = nn.Sequential(
            nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False),
            NORMS[norm](filters),
            nn.ReLU(),
            pool,
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
            NORMS[norm](filters),
        )
        self.shortcut: nn.Module = nn.Identity()
        if subsample and (stride > 1 or channels != filters):
            self.shortcut = Subsample(stride, filters - channels)
        elif stride > 1 or average or channels != filters:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, filters, 1, stride, bias=False), pool, NORMS[norm](filters)
            )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n o _ _"]:
        """Compute the block's output."""
        return F.relu(self.residual(x) + self.shortcut(x))


@door
class ResNet18(Classifier):
    """A convolution and four stages of two blocks: 11,173,962 parameters for 3x32x32 images and 10 classes.

    Args:
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images. With instance normalisation the last maps need two pixels a side, which
            takes 9 with strides and 16 without; with batch normalisation 1 and 8 are enough.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.
        norm: `instance`, to learn from condensed images; `batch`, to condense with.
        downsampling: `stride`: the first block of the last three stages has stride 2, and the features are averaged
            over all pixels; `average`: that block averages 2x2 pixels and the features are not averaged, so that every
            pixel of a condensed image gets its own gradient (Zhao, Mopuri and Bilen 2021, appendix A).

    Raises:
        ValueError: an argument out of range, an unknown name, or images that are too small.

    >>> ResNet18(norm="batch", downsampling="average").linear
    Linear(in_features=8192, out_features=10, bias=True)
    """

    def __init__(
        self,
        classes: Count = 10,
        channels: Count = 3,
        size: Count = 32,
        *,
        standardise: ConstantsOf | None = None,
        norm: Norm = "instance",
        downsampling: Literal["stride", "average"] = "stride",
    ) -> None:
        super().__init__(classes, channels, size, standardise)
        average = downsampling == "average"
        # A last map of one pixel, normalised by itself, is 0. Strides round odd sizes up, averages round them down.
        last = 2 if norm == "instance" else 1
        least = 8 * last if average else 8 * last - 7
        check_size(f"ResNet18 with norm={norm!r}, downsampling={downsampling!r}", size, least)
        layers: list[nn.Module] = [
            nn.Conv2d(channels, 64, 3, padding=1, bias=False),
            NORMS[norm](64),
            nn.ReLU(),
            BasicBlock(64, 64, norm),
            BasicBlock(64, 64, norm),
        ]
        for filters in (128, 256, 512):
            layers += [
                BasicBlock(filters // 2, filters, norm, stride=1 if average else 2, average=average),
                BasicBlock(filters, filters, norm),
            ]
        if not average:
            layers.append(nn.AdaptiveAvgPool2d(1))
        self.features = nn.Sequential(*layers)
        self.linear = nn.Linear(512 * (size // 8) ** 2 if average else 512, classes)


@door
class ResNet20(Classifier):
    """A convolution and three stages of three blocks: 269,722 parameters for 3x32x32 images and 10 classes.

    He et al. 2016 (section 4.2) as Carter, Jain, Mueller and Gifford 2021 use it: the shortcuts have no parameters
    (option A), weights start Kaiming-normal.

    Args:
        classes: number of outputs.
        channels: of the images.
        size: height and width of the images; with instance normalisation at least 5.
        standardise: whose mean and standard deviation to apply first, see `Standardise`.
        norm: `batch`, as published, or `instance`.
        width: filters of the first stage; the second has twice, the third four times as many.

    Raises:
        ValueError: an argument out of range, an unknown name, or images that are too small.

    >>> sum(p.numel() for p in ResNet20().parameters())
    269722
    """

    def __init__(
        self,
        classes: Count = 10,
        channels: Count = 3,
        size: Count = 32,
        *,
        standardise: ConstantsOf | None = None,
        norm: Norm = "batch",
        width: Count = 16,
    ) -> None:
        super().__init__(classes, channels, size, standardise)
        check_size(f"ResNet20 with norm={norm!r}", size, 5 if norm == "instance" else 1)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1, bias=False), NORMS[norm](width), nn.ReLU()]
        before = width
        for filters, stride in ((width, 1), (2 * width, 2), (4 * width, 2)):
            layers.append(BasicBlock(before, filters, norm, stride=stride, subsample=True))
            layers += [BasicBlock(filters, filters, norm) for _ in range(2)]
            before = filters
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1))
        self.linear = nn.Linear(before, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

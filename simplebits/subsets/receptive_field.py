"""Recompute only what one masked pixel changes: in plain convolutional networks, a small window of the first layers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits.networks import Classifier, Standardise

# Each value of their output depends on the value at the same place alone.
POINTWISE = (
    nn.Identity, nn.Dropout, nn.BatchNorm2d, Standardise,
    nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Softplus,
)  # fmt: skip
MOST = 0.6  # of a map: where the window is larger, the rest of the network is computed as usual


def layers_of(network: nn.Module) -> list[nn.Module]:
    """The layers of a network that applies one after the other.

    Raises:
        ValueError: another network.
    """
    if isinstance(network, nn.Sequential):
        return [layer for part in network for layer in layers_of(part)]
    if isinstance(network, Classifier):
        return [network.standardise, *layers_of(network.features), nn.Flatten(), network.linear]
    if any(True for _ in network.children()):
        raise ValueError(
            f"network: {type(network).__name__} is not a plain chain of layers, so what a pixel changes in it is not "
            f"known; give an nn.Sequential, or leave local=False"
        )
    return [network]


@dataclass(frozen=True)
class Window:
    """A convolution or pooling, and for each pixel where what it changes lies in the layer's input.

    Attributes:
        layer: the convolution or pooling.
        padding: rows and columns of zeros around its input.
        size: rows and columns of the window of its input that has to be known, for any pixel.
        corner: the first row and column of this window in the padded input, for each pixel.
        changed: the places in the window that the pixel has changed, for each pixel.
    """

    layer: nn.Module
    padding: tuple[int, int]
    size: tuple[int, int]
    corner: tuple[Int64[Tensor, " pixels"], Int64[Tensor, " pixels"]]
    changed: Int64[Tensor, "pixels places"]

    def __call__(self, patch: Float[Tensor, "b c rows columns"]) -> Float[Tensor, "b d rows2 columns2"]:
        """The layer on windows, whose padding is in them already."""
        layer = self.layer
        if isinstance(layer, nn.Conv2d):
            return F.conv2d(patch, layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)
        return layer(patch)


class LocalNetwork:
    """A network, for inputs that differ in one pixel from one of a few known ones.

    Only the windows that the pixel can change are computed, layer by layer, from the known input's maps; from the first
    layer on where a window is most of the map, or that is not local, all is computed as usual. Exact up to rounding.

    Args:
        network: a chain of layers, see `layers_of`; in evaluation mode.
        shape: of one input, [c, h, w].
        device: of the inputs.

    Raises:
        ValueError: another network, or one whose first layers are not local.
    """

    def __init__(self, network: nn.Module, shape: tuple[int, ...], device: torch.device) -> None:
        layers = layers_of(network)
        local = list(itertools.takewhile(lambda layer: isinstance(layer, POINTWISE) or _geometry(layer), layers))
        spans = _spans(local, shape)
        while local and spans is None:
            local.pop()
            spans = _spans(local, shape)
        if spans is None:
            raise ValueError(
                "network: its first layers are no convolutions or poolings in which a pixel changes a small part of "
                "the map; leave local=False"
            )
        self.local: list[nn.Module | Window] = []
        for layer in local:
            i = sum(isinstance(part, Window) for part in self.local)
            self.local.append(layer if isinstance(layer, POINTWISE) else _window(layer, i, spans, device))
        self.tail = nn.Sequential(*layers[len(local) :])
        rows, columns = spans
        last = _places(rows.begin[-1], columns.begin[-1], rows.length[-1], columns.length[-1], columns.size[-1])
        self.changed = last.to(device)

    def know(self, inputs: Float[Tensor, "n c h w"]) -> None:
        """Compute all maps of the inputs that others will be compared with."""
        self.maps: list[Tensor | None] = []
        x = inputs
        for part in self.local:
            if isinstance(part, Window):
                (top, left), (rows, columns) = part.padding, part.size
                padded = F.pad(x, (left, left, top, top))
                self.maps.append(padded.unfold(2, rows, 1).unfold(3, columns, 1))
                x = part(padded)
            else:
                self.maps.append(None)
                x = part(x)
        self.reached = x

    def __call__(
        self, image: Int64[Tensor, " b"], pixel: Int64[Tensor, " b"], value: Float[Tensor, "b c"]
    ) -> Float[Tensor, "b out"]:
        """The network's output for known inputs, each with another value at one pixel."""
        x = value[:, :, None, None]
        for part, known in zip(self.local, self.maps, strict=True):
            if isinstance(part, Window):
                row, column = part.corner
                patch = known[image, :, row[pixel], column[pixel]]
                x = part(_put(patch, part.changed[pixel], x))
            else:
                x = part(x)
        return self.tail(_put(self.reached[image], self.changed[pixel], x))


def _put(patch: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """The patches with other values at these places."""
    flat = patch.flatten(2)
    return flat.scatter_(2, places[:, None].expand(-1, flat.shape[1], -1), values.flatten(2)).view(patch.shape)


def _geometry(layer: nn.Module) -> list[tuple[int, int, int]] | None:
    """Kernel, stride and padding along both axes; None where the layer is no plain convolution or pooling."""

    def pair(value: int | tuple[int, int]) -> tuple[int, int]:
        return value if isinstance(value, tuple) else (value, value)

    if isinstance(layer, nn.Conv2d):
        if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            return None
        kernel = [(k - 1) * d + 1 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
        plain = layer.padding in (0, (0, 0)) and not layer.ceil_mode and getattr(layer, "dilation", 1) in (1, (1, 1))
        if not plain or getattr(layer, "return_indices", False):
            return None
        kernel = list(pair(layer.kernel_size))
    else:
        return None
    geometry = list(zip(kernel, pair(layer.stride), pair(layer.padding), strict=True))
    return None if any(k < s for k, s, _ in geometry) else geometry  # some pixels would not count


def _spans(layers: list[nn.Module], shape: tuple[int, ...]) -> tuple[Span, Span] | None:
    """What a pixel changes along both axes; None where that is too much to gain anything, or nothing is there."""
    windows = [_geometry(layer) or [] for layer in layers if not isinstance(layer, POINTWISE)]
    rows, columns = (_span([pair[axis] for pair in windows], shape[1 + axis]) for axis in (0, 1))
    if rows is None or columns is None or not windows:
        return None
    areas = zip(rows.length, columns.length, rows.size, columns.size, strict=True)
    return (rows, columns) if all(a * b <= MOST * h * w for a, b, h, w in areas) else None


@dataclass(frozen=True)
class Span:
    """What a pixel changes along one axis: of the image, and of the output of each convolution and pooling.

    Attributes:
        begin: the first row (or column) that may be changed, for each row of the image; one tensor a layer.
        length: how many may be changed, at most; one number a layer.
        size: how many there are.
    """

    begin: list[Int64[Tensor, " rows"]]
    length: list[int]
    size: list[int]


def _span(geometry: list[tuple[int, int, int]], size: int) -> Span | None:
    """Along one axis, through layers of these kernels, strides and paddings; None where a row does not count at all."""
    sizes = [size]
    for kernel, stride, padding in geometry:
        sizes.append((sizes[-1] + 2 * padding - kernel) // stride + 1)
    counting = sizes[:]  # without the rows at the end that a stride leaves over
    for i, (kernel, stride, padding) in reversed(list(enumerate(geometry))):
        counting[i] = min(sizes[i], (counting[i + 1] - 1) * stride + kernel - padding)
    if min(counting) < 1 or counting[0] < size:
        return None
    begin, length = [torch.arange(size)], [1]
    for (kernel, stride, padding), count in zip(geometry, counting[1:], strict=True):
        first = (-((kernel - 1 - padding - begin[-1]) // stride)).clamp(min=0)
        last = ((begin[-1] + length[-1] - 1 + padding) // stride).clamp(max=count - 1)
        length.append(int((last - first).max()) + 1)
        begin.append(first.clamp(max=count - length[-1]))
    return Span(begin, length, sizes)


def _places(
    top: Int64[Tensor, " h"], left: Int64[Tensor, " w"], rows: int, columns: int, width: int
) -> Int64[Tensor, "pixels places"]:
    """For each pixel the places of a rectangle, counted row by row in a map of this width."""
    down = top[:, None, None, None] + torch.arange(rows)[:, None]
    across = left[None, :, None, None] + torch.arange(columns)
    return (down * width + across).reshape(len(top) * len(left), rows * columns)


def _window(layer: nn.Module, i: int, spans: tuple[Span, Span], device: torch.device) -> Window:
    """Where the i-th convolution or pooling has to look."""
    corners, sizes, changed = [], [], []
    for span, (kernel, stride, padding) in zip(spans, _geometry(layer) or [], strict=True):
        corners.append(span.begin[i + 1] * stride)
        sizes.append((span.length[i + 1] - 1) * stride + kernel)
        changed.append(span.begin[i] + padding - corners[-1])
    rows, columns = (corner.flatten().to(device) for corner in torch.meshgrid(*corners, indexing="ij"))
    places = _places(*changed, spans[0].length[i], spans[1].length[i], sizes[1]).to(device)
    padding = tuple(p for _, _, p in _geometry(layer) or [])
    return Window(layer, padding, tuple(sizes), (rows, columns), places)

"""Recompute only what one masked pixel changes: in a chain of convolutions, a window of the first layers' maps."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from simplebits.networks import Classifier, Standardise
from simplebits.networks.resnet import BasicBlock

# Each value of their output depends on the value at the same place alone.
POINTWISE = (
    nn.Identity, nn.Dropout, nn.BatchNorm2d, Standardise,
    nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Softplus,
)  # fmt: skip
MULTIPLE = 32  # oneDNN prepares a convolution anew for each batch size: let it meet few of them
WHOLE = 128  # inputs of which the rest of the network is computed at once: their maps are large
MOST = 0.6  # of a map: where the window is larger, the rest of the network is computed as usual


def layers_of(network: nn.Module) -> list[nn.Module]:
    """List the layers and residual blocks of a network that applies one after the other.

    Raises:
        ValueError: another network.
    """
    if isinstance(network, BasicBlock):
        return [network]
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
        places: the places of this window in the padded input, for each pixel, counted row by row.
        changed: the places in the window that the pixel has changed, for each pixel.
    """

    layer: nn.Module
    padding: tuple[int, int]
    size: tuple[int, int]
    places: Int64[Tensor, "pixels window"]
    changed: Int64[Tensor, "pixels places"]

    def cut(
        self, known: Float[Tensor, "n all c"], x: Tensor, image: Int64[Tensor, " b"], pixel: Int64[Tensor, " b"]
    ) -> Float[Tensor, "b c rows columns"]:
        """Cut the windows of pixels from known inputs of the layer, and put in what the pixels have changed."""
        where = image[:, None] * known.shape[1] + self.places[pixel]
        patch = known.flatten(0, 1).index_select(0, where.flatten()).view(*where.shape, -1)
        return _with_values(patch, self.changed[pixel], x).unflatten(2, self.size)

    def __call__(self, patch: Float[Tensor, "b c rows columns"]) -> Float[Tensor, "b d rows2 columns2"]:
        """Apply the layer to windows, which hold their padding already."""
        layer = self.layer
        if isinstance(layer, nn.Conv2d):
            return F.conv2d(patch, layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)
        return layer(patch)


@dataclass(frozen=True)
class Residual:
    """A residual block whose shortcut is its input.

    Attributes:
        parts: what the block adds to its input.
        shortcut: for each pixel the window of the input that lies under the output of `parts`.
    """

    parts: list[Part]
    shortcut: Window


Part = nn.Module | Window | Residual


class LocalNetwork:
    """A network, for inputs that differ in one pixel from one of a few known ones.

    Only the windows that the pixel can change are computed, layer by layer, from the known input's maps. From the first
    layer on that is not local, or whose window is most of the map, the whole map is computed as usual. Exact up to
    rounding.

    Args:
        network: a chain of layers and residual blocks, see `layers_of`; in evaluation mode.
        shape: of one input, [c, h, w].
        device: of the inputs.

    Raises:
        ValueError: another network, or one whose first layers are not local.
    """

    def __init__(self, network: nn.Module, shape: tuple[int, ...], device: torch.device) -> None:
        layers = layers_of(network)
        local = list(itertools.takewhile(lambda layer: _geometries(layer) is not None, layers))
        spans = _spans(local, shape)
        while local and spans is None:
            local.pop()
            spans = _spans(local, shape)
        if spans is None:
            raise ValueError(
                "network: its first layers are no convolutions or poolings in which a pixel changes a small part of "
                "the map; leave local=False"
            )
        self.local = _parts(local, 0, spans, device)
        self.tail = nn.Sequential(*layers[len(local) :])
        rows, columns = spans
        last = _places(rows.begin[-1], columns.begin[-1], rows.length[-1], columns.length[-1], columns.size[-1])
        self.changed = last.to(device)

    def know(self, inputs: Float[Tensor, "n c h w"]) -> None:
        """Compute all maps of the known inputs."""
        self.maps: list[Tensor] = []  # what each window is cut from, [n, places, channels]
        x = self._know(self.local, inputs)
        self.reached, self.size = _by_place(x), x.shape[2:]

    def _know(self, parts: list[Part], x: Tensor) -> Tensor:
        for part in parts:
            if isinstance(part, Residual):
                self.maps.append(_by_place(x))
                x = F.relu(self._know(part.parts, x) + x)
                continue
            if isinstance(part, Window):
                top, left = part.padding
                x = F.pad(x, (left, left, top, top))
                self.maps.append(_by_place(x))
            x = part(x)
        return x

    def __call__(
        self, image: Int64[Tensor, " b"], pixel: Int64[Tensor, " b"], value: Float[Tensor, "b c"]
    ) -> Float[Tensor, "b out"]:
        """Give the network's output for known inputs, each with another value at one pixel."""
        count, more = len(image), -len(image) % MULTIPLE
        image, pixel, value = F.pad(image, (0, more)), F.pad(pixel, (0, more)), F.pad(value, (0, 0, 0, more))
        x = self._through(self.local, value[:, :, None, None], image, pixel, iter(self.maps))
        outputs = []
        for of_image, of_pixel, values in zip(*(each.split(WHOLE) for each in (image, pixel, x)), strict=True):
            maps = _with_values(self.reached[of_image], self.changed[of_pixel], values)
            outputs.append(self.tail(maps.unflatten(2, self.size)))
        return torch.cat(outputs)[:count]

    def _through(
        self, parts: list[Part], x: Tensor, image: Tensor, pixel: Tensor, maps: Iterator[Tensor]
    ) -> Float[Tensor, "b c rows columns"]:
        """Follow a pixel's change through these layers: from the windows that differ before them to those after."""
        for part in parts:
            if isinstance(part, Residual):
                beside = part.shortcut.cut(next(maps), x, image, pixel)
                x = F.relu(self._through(part.parts, x, image, pixel, maps) + beside)
                continue
            if isinstance(part, Window):
                x = part.cut(next(maps), x, image, pixel)
            x = part(x)
        return x


def _by_place(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n places c"]:
    """Lay out maps with all channels of a place side by side, so that windows are copied place by place."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2).contiguous()


def _with_values(
    patch: Float[Tensor, "b window c"], places: Int64[Tensor, "b places"], values: Float[Tensor, "b c rows columns"]
) -> Float[Tensor, "b c window"]:
    """Write other values into the patches at these places; channels in front, though last in memory."""
    b, window, channels = patch.shape
    where = torch.arange(0, b * window, window, device=places.device)[:, None] + places
    patch.view(-1, channels).index_copy_(0, where.flatten(), values.permute(0, 2, 3, 1).reshape(-1, channels))
    return patch.transpose(1, 2)


def _geometry(layer: nn.Module) -> list[tuple[int, int, int]] | None:
    """Read kernel, stride and padding along both axes; None where the layer is no plain convolution or pooling."""
    if isinstance(layer, nn.Conv2d):
        if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            return None
        kernel = [(k - 1) * d + 1 for k, d in zip(_pair(layer.kernel_size), _pair(layer.dilation), strict=True)]
    elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
        plain = layer.padding in (0, (0, 0)) and not layer.ceil_mode and getattr(layer, "dilation", 1) in (1, (1, 1))
        if not plain or getattr(layer, "return_indices", False):
            return None
        kernel = _pair(layer.kernel_size)
    else:
        return None
    geometry = list(zip(kernel, _pair(layer.stride), _pair(layer.padding), strict=True))
    return None if any(k < s for k, s, _ in geometry) else geometry  # some pixels would not count


def _geometries(layer: nn.Module) -> list[list[tuple[int, int, int]]] | None:
    """Read the geometry of each window that a layer or block needs; None where it is not local."""
    if isinstance(layer, POINTWISE):
        return []
    if not isinstance(layer, BasicBlock):
        geometry = _geometry(layer)
        return None if geometry is None else [geometry]
    of_parts = [_geometries(part) for part in layer.residual.children()]
    if not isinstance(layer.shortcut, nn.Identity) or None in of_parts:
        return None
    return [geometry for part in of_parts for geometry in part or []]


def _pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _spans(layers: list[nn.Module], shape: tuple[int, ...]) -> tuple[Span, Span] | None:
    """Find what a pixel changes along both axes, layer by layer; None if most of a map, or no layer has a window."""
    windows = [pair for layer in layers for pair in _geometries(layer) or []]
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
    """Find what a pixel changes along one axis, by kernels, strides and paddings; None if some row counts nowhere."""
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
    """List for each pixel the places of a rectangle, counted row by row in a map of this width."""
    down = top[:, None, None, None] + torch.arange(rows)[:, None]
    across = left[None, :, None, None] + torch.arange(columns)
    return (down * width + across).reshape(len(top) * len(left), rows * columns)


def _parts(layers: Iterable[nn.Module], i: int, spans: tuple[Span, Span], device: torch.device) -> list[Part]:
    """Pair the layers with their windows; the first that needs one takes the i-th, and so on."""
    parts: list[Part] = []
    for layer in layers:
        windows = len(_geometries(layer) or [])
        if isinstance(layer, BasicBlock):
            inner = _parts(layer.residual.children(), i, spans, device)
            parts.append(Residual(inner, _shortcut(i, i + windows, spans, device)))
        else:
            parts.append(_window(layer, i, spans, device) if windows else layer)
        i += windows
    return parts


def _window(layer: nn.Module, i: int, spans: tuple[Span, Span], device: torch.device) -> Window:
    """Work out where the i-th convolution or pooling has to look."""
    geometry = _geometry(layer) or []
    corners = [span.begin[i + 1] * stride for span, (_, stride, _) in zip(spans, geometry, strict=True)]
    rows, columns = (
        (span.length[i + 1] - 1) * stride + kernel for span, (kernel, stride, _) in zip(spans, geometry, strict=True)
    )
    (_, _, top), (_, _, left) = geometry
    places = _places(corners[0], corners[1], rows, columns, spans[1].size[i] + 2 * left)
    begin = [
        span.begin[i] + padding - corner for span, padding, corner in zip(spans, (top, left), corners, strict=True)
    ]
    changed = _places(begin[0], begin[1], spans[0].length[i], spans[1].length[i], columns)
    return Window(layer, (top, left), (rows, columns), places.to(device), changed.to(device))


def _shortcut(i: int, end: int, spans: tuple[Span, Span], device: torch.device) -> Window:
    """Work out where a block has to look in its own input; its inner layers are those from the i-th on."""
    rows, columns = spans
    size = rows.length[end], columns.length[end]
    places = _places(rows.begin[end], columns.begin[end], *size, columns.size[i])
    begin = rows.begin[i] - rows.begin[end], columns.begin[i] - columns.begin[end]
    changed = _places(*begin, rows.length[i], columns.length[i], size[1])
    return Window(nn.Identity(), (0, 0), size, places.to(device), changed.to(device))

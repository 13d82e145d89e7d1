"""A density model as an ONNX graph: bits per dimension and their gradient, for programs without PyTorch."""

from __future__ import annotations

import copy
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_arg

from simplebits import _files
from simplebits._door import door
from simplebits.density.base import DensityModel, DiscreteModel, drawn
from simplebits.density.diffusion import Diffusion

NEEDED = ("onnx", "onnxscript")


@door
def export_onnx(
    model: DensityModel, path: Path, *, gradient: bool = True, generator: torch.Generator | None = None
) -> Path:
    """Write a model as an ONNX graph: images in, bits per dimension out, and their gradient in the images.

    The graph takes `images`, float32 [n, c, h, w] in [0, 1] for any n of at least 1, and gives `bits` [n] and
    `gradient` [n, c, h, w], the derivative of each image's bits. It checks nothing: images outside [0, 1]
    get numbers that mean nothing.

    A continuous density needs noise that spreads a grey level over its bin. The graph holds one draw, the same for
    every image: an image's bits are what `model.bits_per_dim(image[None], generator)` gives with this generator, and
    those of another draw differ by 0.01 to 0.03 (standard deviation, shipped weights). The middle of the bin in place
    of noise would give 0.2 to 0.5 bits too few. A `PixelCNN` needs no noise.

    Args:
        model: Glow, PixelCNN or a model of your own whose `log_density` draws nothing; it stays as it is, and the graph
            computes in single precision, as in evaluation mode.
        path: of the file, `glow.onnx` for example.
        gradient: whether the graph gives the gradient too.
        generator: draws the noise; without one, one with seed 0, so that two exports give the same bits.

    Returns:
        The path.

    Raises:
        ModuleNotFoundError: onnx or onnxscript is not installed.
        TypeError: an argument is of the wrong kind.
        ValueError: the model is a Diffusion.
        OSError: the file could not be written.
    """
    if isinstance(model, Diffusion):
        raise ValueError(
            "model: the bits of a Diffusion are a mean over noise of many levels, and this graph holds one draw; give "
            "a Glow or a PixelCNN"
        )
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ModuleNotFoundError(f"{' and '.join(missing)} not installed: pip install 'simplebits[onnx]'")
    path = Path(path)
    plain = copy.deepcopy(model).to("cpu", torch.float32).eval().requires_grad_(False)
    x = torch.full((2, plain.channels, plain.image_size, plain.image_size), 0.5)  # 1 would be taken for a fixed size
    noise = drawn(torch.rand, (1, *x.shape[1:]), x, generator or torch.Generator().manual_seed(0))
    program = torch.onnx.export(
        _traced(_measure(plain, noise, gradient), x),
        (x,),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("n")},),
        input_names=["images"],
        output_names=["bits", "gradient"] if gradient else ["bits"],
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    _files.write_atomic(path, lambda part: program.save(part, external_data=False))
    return path


def _measure(model: DensityModel, noise: Tensor, gradient: bool) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """Bits per dimension with this noise in each image, and with `gradient` their derivative in the images."""

    def bits(x: Tensor) -> Tensor:
        if isinstance(model, DiscreteModel):
            return model(x)
        spread = model.centre(x) + noise / 2**model.bit_depth
        return model.bit_depth - model.log_density(spread) / (model.dims * math.log(2))

    def with_gradient(x: Tensor) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            measured = bits(x)
            (slope,) = torch.autograd.grad(measured.sum(), x)  # each image's bits depend on this image alone
        return measured.detach(), slope

    return with_gradient if gradient else lambda x: (bits(x),)


def _traced(function: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor) -> GraphModule:
    """Every operation that the function does for such images, those of the backward pass among them."""
    convolution_backward = torch.ops.aten.convolution_backward.default
    graph = make_fx(
        function,
        decomposition_table={convolution_backward: _transposed_convolution},
        tracing_mode="symbolic",  # for any number of images
        _allow_non_fake_inputs=True,  # the weights, which stay what they are
    )(x)
    return _folded(graph).eval()


def _transposed_convolution(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: list[int] | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    wanted: list[bool],
) -> tuple[Tensor, None, None]:
    """Write a convolution's derivative in its input, for which ONNX has no operator, as a transposed convolution.

    Raises:
        ValueError: the convolution is a transposed one itself.
    """
    if transposed:
        raise ValueError("model: transposed convolutions cannot be exported with their gradient; give gradient=False")
    reached = [
        (size - 1) * step - 2 * pad + gap * (kernel - 1) + 1
        for size, step, pad, gap, kernel in zip(
            grad.shape[2:], stride, padding, dilation, weight.shape[2:], strict=True
        )
    ]
    # With a stride, the last rows and columns may have gone into no output: as many as the transposed one lacks.
    lacking = [size - got for size, got in zip(x.shape[2:], reached, strict=True)]
    arguments = (stride, padding, lacking, groups, dilation)
    return torch.conv_transpose2d(grad, weight, None, *arguments), None, None


def _folded(graph: GraphModule) -> GraphModule:
    """Compute once what depends on weights alone: about half of a flow's operations."""
    values: dict[Node, Tensor] = {}
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            values[node] = getattr(graph, node.target)
        elif node.op == "call_function" and all(before in values for before in node.all_input_nodes):
            args, kwargs = map_arg((node.args, node.kwargs), values.__getitem__)
            values[node] = node.target(*args, **kwargs)
    for i, (node, value) in enumerate(values.items()):
        if node.op == "call_function" and any(after not in values for after in node.users):
            graph.register_buffer(f"folded_{i}", value.detach().clone())
            with graph.graph.inserting_before(node):
                node.replace_all_uses_with(graph.graph.get_attr(f"folded_{i}"))
    graph.graph.eliminate_dead_code()
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph

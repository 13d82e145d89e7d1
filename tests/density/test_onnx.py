"""Densities as ONNX graphs, run by onnxruntime: the numbers of torch, for any number of images."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import simplebits as sb
from simplebits.density import onnx
from simplebits.run.cli import main

onnxruntime = pytest.importorskip("onnxruntime")


def small(kind):
    """A model with weights unlike those it starts with."""
    torch.manual_seed(0)
    if kind == "glow":
        model = sb.density.Glow(levels=2, steps=1, hidden=4, image_size=4, bit_depth=5)
    else:
        model = sb.density.PixelCNN(width=4, blocks=1, mixture=2, image_size=4, bit_depth=5)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.1)
    return model


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options)


@pytest.fixture(scope="module", params=["glow", "pixelcnn"])
def exported(request, tmp_path_factory):
    """A model in training mode, with gradients, and its graph."""
    model = small(request.param)
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert sb.density.export_onnx(model, path) == path
    return model, session(path)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_bits_and_gradient_are_those_of_torch(exported, n):
    model, graph = exported
    x = torch.rand(n, 3, 4, 4, generator=torch.Generator().manual_seed(n))
    bits, gradient = graph.run(["bits", "gradient"], {"images": x.numpy()})
    x.requires_grad_()
    # Each image has the same noise, which is that of seed 0.
    wanted = torch.cat([model.bits_per_dim(image[None], torch.Generator().manual_seed(0)) for image in x])
    (slope,) = torch.autograd.grad(wanted.sum(), x)
    np.testing.assert_allclose(bits, wanted.detach().numpy(), rtol=1e-5)
    np.testing.assert_allclose(gradient, slope.numpy(), rtol=1e-3, atol=1e-5 * float(slope.abs().max()))
    assert float(slope.abs().max()) > 0


def test_the_model_stays_as_it_was(exported):
    model, _ = exported
    assert model.training
    assert all(weight.requires_grad for weight in model.parameters())


def test_names_and_shapes_of_the_graph(exported):
    _, graph = exported
    assert [(one.name, one.shape, one.type) for one in (*graph.get_inputs(), *graph.get_outputs())] == [
        ("images", ["n", 3, 4, 4], "tensor(float)"),
        ("bits", ["n"], "tensor(float)"),
        ("gradient", ["n", 3, 4, 4], "tensor(float)"),
    ]


def test_the_command_writes_a_graph_of_bits_alone(tmp_path, monkeypatch):
    model, path = small("glow").double(), tmp_path / "own" / "small.onnx"
    monkeypatch.setattr(sb.density, "load", lambda name: {"glow": model}[name])
    result = CliRunner().invoke(main, ["export", "onnx", "glow", "--bits-only", "--output", str(path)])
    assert (result.exit_code, result.stdout.strip()) == (0, str(path)), result.output
    graph = session(path)
    assert [one.name for one in graph.get_outputs()] == ["bits"]
    x = torch.rand(3, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    noise = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0))
    wanted = 5 - model.log_density(model.centre(x) + noise / 32) / (48 * np.log(2))
    (bits,) = graph.run(None, {"images": x.float().numpy()})
    np.testing.assert_allclose(bits, wanted.detach().numpy(), rtol=1e-4)


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 1, 1, 1), (2, 0, 1, 1), (3, 1, 2, 2)])
def test_a_convolutions_derivative_is_a_transposed_convolution(stride, padding, dilation, groups):
    draw = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(shape, generator=draw) for shape in ((2, 4, 8, 9), (6, 4 // groups, 3, 2)))
    x.requires_grad_()
    y = torch.nn.functional.conv2d(x, weight, None, stride, padding, dilation, groups)
    grad = torch.randn(y.shape, generator=draw)
    both = [[value, value] for value in (stride, padding, dilation)]
    got, *none = onnx._transposed_convolution(grad, x, weight, None, *both, False, [0, 0], groups, [True, False, False])
    torch.testing.assert_close(got, torch.autograd.grad(y, x, grad)[0])
    assert none == [None, None]
    with pytest.raises(ValueError, match="gradient=False"):
        onnx._transposed_convolution(grad, x, weight, None, *both, True, [0, 0], groups, [True, False, False])


def test_a_density_that_draws_noise_is_refused(tmp_path):
    model = sb.density.Diffusion(width=8, times=1, image_size=4, bit_depth=5)
    with pytest.raises(ValueError, match=r"^model: the bits of a Diffusion .* give a Glow or a PixelCNN"):
        sb.density.export_onnx(model, tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_without_the_extra_the_error_says_how_to_get_it(missing, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx.importlib.util, "find_spec", lambda name: None if name == missing else name)
    wanted = f"{missing} not installed: pip install 'simplebits[onnx]'"
    with pytest.raises(ModuleNotFoundError) as caught:
        sb.density.export_onnx(small("glow"), tmp_path / "a.onnx")
    assert str(caught.value) == wanted
    result = CliRunner().invoke(main, ["export", "onnx", "glow-16px", "--output", str(tmp_path / "a.onnx")])
    assert result.exit_code == 1
    assert wanted in result.output

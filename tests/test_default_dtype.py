"""With torch's default set to double precision, images, networks and densities are double, and everything fits."""

import pytest
import torch

import simplebits as sb


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def digits(double):
    return sb.data.load("digits", "train").draw(20)


def network(size, channels=1):
    return sb.networks.build("ConvNet", 10, channels, size, width=8, depth=1)


SMALL = {"size": 8, "iterations": 1, "real_batch": 4, "progress": False}
CALLS = {
    "bits": lambda d: sb.density.load("glow-16px").bits_per_dim(d.to_float(16, 3)),
    "pixelcnn": lambda d: sb.density.bits_of(sb.density.load("pixelcnn-16px"), d.to_float(16, 3)[:1]),
    "diffusion": lambda d: sb.density.bits_of(sb.density.load("diffusion-16px"), d.to_float(16, 3)[:1]),
    "accuracy": lambda d: sb.networks.accuracy(network(8), d.to_float(8), d.labels),
    "subset": lambda d: sb.subsets.find_sis(
        sb.subsets.class_score(network(8), d.to_float(8)[:2]), d.to_float(8)[:2], 0.05
    ),
    "gradient": lambda d: sb.condense.condense(d, "gradient", 1, network_options={"width": 8, "depth": 1}, **SMALL),
    "kernel": lambda d: sb.information.kernel(network(8), d.to_float(8)),
    "while training": lambda d: sb.simplify.SimplifyWhileTraining(
        network(16, 3), sb.networks.ResidualUNet(4, 2, merge=1.0), sb.density.load("glow-16px"), threshold=10.0
    ).fit(d, steps=1, batch_size=4, progress=False),
    "after training": lambda d: sb.simplify.simplify_after_training(
        network(16, 3), sb.density.load("glow-16px"), d.to_float(16, 3)[:2], steps=1, progress=False
    ),
}


@pytest.mark.unchecked
@pytest.mark.parametrize("name", CALLS)
def test_everything_fits_in_double_precision(name, digits):
    assert digits.to_float(8).dtype == torch.float64
    CALLS[name](digits)


@pytest.mark.unchecked
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["glow-16px", "pixelcnn-16px", "diffusion-16px"])
def test_densities_in_half_precision_measure_nearly_the_same(name, dtype):
    torch.set_default_dtype(torch.float32)
    density, x = sb.density.load(name), sb.data.load("digits", "test").draw(2).to_float(16, 3)
    bits = density.bits_per_dim(x, torch.Generator().manual_seed(0))
    half = density.to(dtype)
    torch.testing.assert_close(
        half.bits_per_dim(x.to(dtype), torch.Generator().manual_seed(0)).float(), bits, rtol=0.15, atol=0.1
    )
    if isinstance(half, sb.density.Glow):
        back = half.decode(half.encode(x.to(dtype)))
        assert back.dtype == dtype and float((back.float() - x).abs().mean()) < 0.1

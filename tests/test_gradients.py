"""vmap(grad(...)) differentiated once more, against finite differences, for every way to call a normalisation."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import grad, vmap

from simplebits._gradients import NORMALISATIONS, ExactNormalisation, can_be_vectorised

SHAPE = (3, 4, 4)  # of one image
aten = torch.ops.aten

# Of layer norms: (images, weight, bias); both of shape SHAPE.
LAYER = {
    "functional": lambda x, w, b: F.layer_norm(x, SHAPE, w, b),
    "by name": lambda x, w, b: F.layer_norm(x, SHAPE, eps=1e-3, bias=b, weight=w),
    "no bias": lambda x, w, b: F.layer_norm(x, SHAPE, w),
    "no weight": lambda x, w, b: F.layer_norm(x, SHAPE, None, b) * w,
    "torch": lambda x, w, b: torch.layer_norm(x, SHAPE, w, b),
    "native": lambda x, w, b: torch.native_layer_norm(x, SHAPE, w, b, 1e-5)[0],
    "aten": lambda x, w, b: aten.layer_norm(x, SHAPE, w, b),
    "aten default": lambda x, w, b: aten.layer_norm.default(x, SHAPE, w, b),
    "aten native": lambda x, w, b: aten.native_layer_norm.default(x, SHAPE, w, b, 1e-5)[0],
}
# Of those with a weight for each channel.
CHANNEL = {
    "instance": lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
    "instance by place": lambda x, w, b: F.instance_norm(x, None, None, w, b),
    "instance torch": lambda x, w, b: torch.instance_norm(x, w, b, None, None, True, 0.1, 1e-5, True),
    "batch": lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
    "batch torch": lambda x, w, b: torch.batch_norm(x, w, b, None, None, True, 0.1, 1e-5, True),
    "batch native": lambda x, w, b: torch.native_batch_norm(x, w, b, None, None, True, 0.1, 1e-5)[0],
    "batch, running": lambda x, w, b: F.batch_norm(x, torch.zeros_like(w), torch.ones_like(w), w, b, False),
    "group": lambda x, w, b: F.group_norm(x, 1, w, b),
    "vectors": lambda x, w, b: F.batch_norm(x.mean((2, 3)), None, None, w, b, True),
}
CALLS = [pytest.param(call, SHAPE, id=f"layer, {name}") for name, call in LAYER.items()]
CALLS += [pytest.param(call, SHAPE[:1], id=name) for name, call in CHANNEL.items()]


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("call", "shape"), CALLS)
def test_second_derivatives_equal_finite_differences(call, shape):
    weight, bias = numbers(*shape, seed=1), numbers(*shape, seed=2)
    along = numbers(2, 2, *shape, seed=3)  # of two groups of images, by weight and bias

    def slopes(images):
        def loss(weight, bias, x):
            return call(x, weight, bias).tanh().square().sum()

        with ExactNormalisation():
            by_weight, by_bias = vmap(grad(loss, (0, 1)), in_dims=(None, None, 0))(weight, bias, images)
        return (by_weight * along[0]).sum() + (by_bias * along[1]).sum()

    images = numbers(2, 4, *SHAPE, seed=4).requires_grad_()
    assert torch.autograd.gradcheck(slopes, images, atol=1e-6, rtol=1e-6, fast_mode=True)


@pytest.mark.parametrize(("call", "shape"), CALLS)
@pytest.mark.parametrize("bf16", [False, True])
def test_values_and_dtypes_stay(call, shape, bf16):
    weight, bias, x = (numbers(*shape, seed=seed).float() for seed, shape in enumerate((shape, shape, (2, *SHAPE))))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        x = x.bfloat16() if bf16 else x
        plain = call(x, weight, bias)
        with ExactNormalisation():
            exact = call(x, weight, bias)
    assert exact.dtype == plain.dtype
    tolerance = 0.1 if bf16 else 1e-5  # torch keeps the statistics in bfloat16 where there is no weight
    torch.testing.assert_close(exact, plain, atol=tolerance, rtol=tolerance)


def test_every_normalisation_of_torch_is_listed():
    """All that take a weight and statistics of their input, but those that agree with finite differences."""
    names = {name for name in dir(torch) if name.endswith(("layer_norm", "batch_norm", "instance_norm"))}
    listed = {function.__name__ for function in NORMALISATIONS}
    # What torch.batch_norm calls on some devices, and what has no derivative.
    assert names - listed <= {"cudnn_batch_norm", "miopen_batch_norm", "quantized_batch_norm"}


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_torchscript_hides_what_it_calls():
    plain = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    assert can_be_vectorised(plain)
    for hidden in (torch.jit.script(plain), nn.Sequential(torch.jit.trace(plain, torch.rand(1, 4)))):
        with pytest.warns(UserWarning, match="TorchScript"):
            assert not can_be_vectorised(hidden)

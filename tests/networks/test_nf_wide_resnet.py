"""The normaliser-free Wide ResNet: reference values, both shortcut readings, the folding of its two constants."""

import pytest
import torch
import torch.nn.functional as F

from simplebits.networks import NFWideResNet, ScaledConv2d
from simplebits.networks.nf_wide_resnet import ACTIVATIONS, Block


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def randomised(net, seed=0):
    """Every parameter drawn anew, gains and biases too: nothing hides behind a one or a zero."""
    generator = seeded(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.copy_(torch.randn(p.shape, generator=generator).to(p) * (0.3 if name.endswith("bias") else 0.5))
            if name.endswith("gain"):
                p.add_(1)
    return net


def tiny(**options):
    return randomised(NFWideResNet(**({"depth": 10, "widen": 1, "classes": 4, "size": 8} | options))).double()


def images(n=3, size=8, channels=3, seed=1):
    return torch.rand(n, channels, size, size, generator=seeded(seed), dtype=torch.float64)


def plain_convolution(layer, x):
    """Formula of the paper's appendix S2, filter by filter, with the code's gain and epsilon."""
    weights = []
    for w, g in zip(layer.weight, layer.gain, strict=True):
        n = w.numel()
        mean = w.sum() / n
        std = ((w - mean).square().sum() / n).sqrt()
        weights.append(g * (w - mean) / (std + 1e-5) / n**0.5)
    return F.conv2d(x, torch.stack(weights), layer.bias, layer.stride, layer.weight.shape[2] // 2)


def plain_logits(net, x, activated, gamma=ACTIVATIONS["elu"][1], activation=F.elu):
    """Evaluation mode, as the reference writes it: gamma on the activations, 0.2 on the residual branch."""
    h = plain_convolution(net.features.stem, x)
    for block in net.features.blocks:
        aside = activation(h) if activated else h
        r = plain_convolution(block.conv1, gamma * activation(h))
        r = plain_convolution(block.conv2, gamma * activation(r))
        h = 0.2 * r + (aside if block.shortcut is None else plain_convolution(block.shortcut, aside))
    return F.linear(h.mean(3).mean(2), net.linear.weight, net.linear.bias)


def test_standardised_convolution_equals_the_reference_values(golden):
    values = {name: torch.from_numpy(value) for name, value in golden("scaled_weight_standardisation").items()}
    layer = ScaledConv2d(3, 5, stride=2)
    layer.load_state_dict({name: values[name] for name in ("weight", "gain", "bias")})
    assert float(values["eps"]) == pytest.approx(1e-5)
    torch.testing.assert_close(layer.standardised(), values["std_weight"], atol=1e-5, rtol=0)
    torch.testing.assert_close(layer(values["x"]), values["y"], atol=1e-5, rtol=0)


def test_scaled_elu_equals_the_reference_values(golden):
    values = golden("scaled_weight_standardisation")
    activation, gamma = ACTIVATIONS["elu"]
    y = gamma * activation(torch.from_numpy(values["elu_x"]))
    torch.testing.assert_close(y, torch.from_numpy(values["elu_gamma_scaled"]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gamma_keeps_the_variance(name):
    activation, gamma = ACTIVATIONS[name]
    z = torch.randn(2_000_000, generator=seeded(), dtype=torch.float64)
    # 5 standard errors: the fourth moments of these activations are below 10.
    assert (gamma * activation(z)).var().item() == pytest.approx(1.0, abs=5 * (10 / 2e6) ** 0.5)


def test_a_convolution_keeps_the_variance_of_scaled_activations():
    layer = ScaledConv2d(64, 64)
    z = torch.randn(8, 64, 20, 20, generator=seeded())
    with torch.no_grad():
        y = layer(F.elu(z), gamma=ACTIVATIONS["elu"][1])[:, :, 1:-1, 1:-1]
    # The mean of the activations adds nothing: every filter's weights have mean zero. Borders are padded, so left out.
    assert y.var().item() == pytest.approx(1.0, rel=0.1)


def test_folded_factors_equal_the_unfolded_computation():
    layer = randomised(ScaledConv2d(4, 6, stride=2)).double()
    x = torch.randn(2, 4, 9, 9, generator=seeded(), dtype=torch.float64)
    gamma, beta = 1.7, 0.2
    torch.testing.assert_close(layer(x, gamma, beta), beta * plain_convolution(layer, gamma * x), atol=1e-12, rtol=0)
    torch.testing.assert_close(layer(x), plain_convolution(layer, x), atol=1e-12, rtol=0)


def test_sixteen_two_has_the_papers_number_of_parameters():
    assert sum(p.numel() for p in NFWideResNet(16, 2, 10).parameters()) == 692_122


@pytest.mark.parametrize("depth", [10, 16])
@pytest.mark.parametrize("activated", [False, True])
def test_logits_equal_a_plain_computation(depth, activated):
    net = tiny(depth=depth, shortcut="activated" if activated else "input").eval()
    x = images()
    torch.testing.assert_close(net(x), plain_logits(net, x, activated), atol=1e-11, rtol=1e-11)


def test_the_two_readings_of_the_shortcut_differ():
    here, there = tiny(shortcut="input").eval(), tiny(shortcut="activated").eval()
    there.load_state_dict(here.state_dict())
    x = images()
    assert (here(x) - there(x)).abs().max() > 0.05 * here(x).std()


@pytest.mark.parametrize(("name", "function"), [("relu", F.relu), ("tanh", torch.tanh)])
def test_other_activations_take_their_own_gamma(name, function):
    net = tiny(activation=name).eval()
    plain = plain_logits(net, images(), False, ACTIVATIONS[name][1], function)
    torch.testing.assert_close(net(images()), plain, atol=1e-11, rtol=1e-11)


def test_constants_of_the_set_are_applied_first():
    with_constants, without = tiny(standardise="cifar10").eval(), tiny().eval()
    mean = torch.tensor([0.4914, 0.4822, 0.4465])[:, None, None]
    std = torch.tensor([0.2023, 0.1994, 0.2010])[:, None, None]
    torch.testing.assert_close(with_constants(images()), without((images() - mean) / std), atol=1e-6, rtol=0)


def test_nothing_is_activated_before_the_pooling():
    net = tiny().eval()
    last = net.features.blocks[-1](net.features.blocks[:-1](net.features.stem(images())))
    assert last.min() < -1.01  # below what ELU could give
    torch.testing.assert_close(net(images()), F.linear(last.mean((2, 3)), net.linear.weight, net.linear.bias))


def test_the_stride_is_on_the_second_convolution():
    net = NFWideResNet(16, 2)
    stem, blocks = net.features.stem, net.features.blocks
    strides = [(b.conv1.stride, b.conv2.stride) for b in blocks]
    assert strides == [(1, 1), (1, 1), (1, 2), (1, 1), (1, 2), (1, 1)]
    assert [None if b.shortcut is None else b.shortcut.stride for b in blocks] == [1, None, 2, None, 2, None]
    assert [b.conv2.weight.shape[0] for b in blocks] == [32, 32, 64, 64, 128, 128]
    assert stem.stride == 1 and blocks(stem(torch.rand(1, 3, 32, 32))).shape == (1, 128, 8, 8)


def test_dropout_sits_between_the_two_convolutions():
    block = Block(4, 4, 1, "elu", 0.999999, "input").train()
    x = torch.rand(2, 4, 6, 6, generator=seeded())
    torch.testing.assert_close(block(x), x + 0.2 * block.conv2.bias[:, None, None])  # all of the branch is dropped


def test_initial_weights_are_xavier_uniform_and_biases_zero():
    layer = ScaledConv2d(32, 64)
    bound = (2 * 6 / (9 * (32 + 64))) ** 0.5
    assert layer.weight.abs().max() <= bound and layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert layer.bias.eq(0).all() and layer.gain.eq(1).all()


@pytest.mark.parametrize(("size", "channels", "stride"), [(1, 3, 1), (7, 1, 2), (16, 1, 1), (20, 3, 2)])
def test_any_size_goes_in(size, channels, stride):
    net = tiny(size=size, channels=channels, stem_stride=stride, stem_kernel=5)
    assert net(images(2, size, channels)).shape == (2, 4)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    "wrong",
    [
        {"depth": 12},
        {"depth": 4},
        {"depth": 16.0},
        {"widen": 0},
        {"classes": -1},
        {"channels": 0},
        {"size": 0},
        {"stem_stride": 0},
        {"stem_kernel": 4},
        {"activation": "selu"},
        {"shortcut": "output"},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"standardise": "imagenet"},
    ],
)
def test_wrong_arguments_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NFWideResNet(**({"depth": 10, "widen": 1} | wrong))


@pytest.mark.unchecked
@pytest.mark.parametrize("wrong", [{"channels": 0}, {"filters": 1.5}, {"kernel": 4}, {"kernel": 0}, {"stride": -1}])
def test_wrong_convolutions_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ScaledConv2d(**({"channels": 3, "filters": 4} | wrong))


@pytest.mark.unchecked
@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (3, 8, 8), (2, 3)])
def test_convolutions_name_the_shape_that_they_take(shape):
    with pytest.raises(ValueError, match=r"^x: expected shape \[n, 3, h, w\], got "):
        ScaledConv2d(3, 4)(torch.zeros(shape))

"""ConvNet: the published structure, every option, what each normalisation does, sizes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from simplebits.networks import ConvNet
from simplebits.networks.convnet import ACTIVATIONS, NORMS, POOLINGS


def images(n=4, channels=3, size=8, seed=0):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small(seed=0, **options):
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        return ConvNet(**({"classes": 5, "size": 8, "width": 8, "depth": 2} | options)).double()


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def plain_logits(net, x, padding):
    """The published network, written out: instance normalisation, ReLU, average pooling."""
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in net.modules() if isinstance(m, nn.GroupNorm)]
    for convolution, norm in zip(convolutions, norms, strict=True):
        x = F.conv2d(x, convolution.weight, convolution.bias, padding=padding)
        mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
        x = (x - mean) / (variance + 1e-5).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]
        x = x.clamp(min=0).unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
        padding = 1
    return F.linear(x.flatten(1), net.linear.weight, net.linear.bias)


@pytest.mark.parametrize(
    ("channels", "size", "options", "expected", "features"),
    [
        (1, 28, {}, 317_706, 2048),
        (3, 32, {}, 320_010, 2048),
        (1, 32, {}, 317_706, 2048),
        (3, 28, {}, 320_010 - 8_960, 1152),
        (1, 16, {}, 317_706 - 15_360, 512),
        (3, 32, {"norm": "none"}, 320_010 - 768, 2048),
        (3, 32, {"norm": "batch"}, 320_010, 2048),
        (3, 32, {"norm": "group"}, 320_010, 2048),
        (3, 32, {"norm": "layer"}, 320_010 - 768 + 2 * 128 * (32**2 + 16**2 + 8**2), 2048),
        (3, 32, {"pooling": "none"}, 320_010 - 20_480 + 10 * 131_072, 131_072),
        (3, 32, {"depth": 1}, (27 + 1 + 2) * 128 + 327_690, 32_768),
        (3, 32, {"width": 64}, (27 + 2 * 576 + 3 * 3) * 64 + 10_250, 1024),
    ],
)
def test_numbers_of_parameters_and_features(channels, size, options, expected, features):
    net = ConvNet(10, channels, size, **options)
    assert parameters(net) == expected
    assert net.linear.in_features == features and net.embed(torch.rand(1, channels, size, size)).shape == (1, features)


@pytest.mark.parametrize(("channels", "size", "padding"), [(3, 32, 1), (1, 28, 3), (1, 8, 1)])
def test_logits_equal_a_plain_computation(channels, size, padding):
    net = small(channels=channels, size=size, depth=3)
    with torch.no_grad():
        for p in net.parameters():
            if p.dim() == 1:
                p.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(0))  # norms that are not the identity
    x = images(2, channels, size)
    torch.testing.assert_close(net(x), plain_logits(net, x, padding), atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_combination_runs_and_has_gradients(norm, activation, pooling):
    net = small(norm=norm, activation=activation, pooling=pooling)
    x = images().requires_grad_()
    logits = net(x)
    assert logits.shape == (4, 5) and logits.isfinite().all()
    F.cross_entropy(logits, torch.arange(4)).backward()
    assert all(tensor.grad.isfinite().all() and tensor.grad.abs().max() > 0 for tensor in (x, net.features[0].weight))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("sigmoid", lambda z: 1 / (1 + torch.exp(-z))),
        ("relu", lambda z: z.clamp(min=0)),
        ("leaky_relu", lambda z: torch.where(z > 0, z, 0.01 * z)),
        ("swish", lambda z: z / (1 + torch.exp(-z))),
    ],
)
def test_activations_are_the_papers(name, function):
    z = torch.linspace(-4, 4, 33, dtype=torch.float64)
    torch.testing.assert_close(ACTIVATIONS[name]()(z), function(z))


@pytest.mark.parametrize(("name", "pooled"), [("max", [[6.0]]), ("avg", [[3.0]]), ("none", [[0.0, 2.0], [4.0, 6.0]])])
def test_poolings_take_the_maximum_or_the_mean_of_four_pixels(name, pooled):
    square = torch.tensor([[[[0.0, 2.0], [4.0, 6.0]]]])
    assert torch.equal(POOLINGS[name]()(square)[0, 0], torch.tensor(pooled))


@pytest.mark.parametrize(
    ("norm", "over"),
    [("instance", (2, 3)), ("layer", (1, 2, 3)), ("batch", (0, 2, 3))],
)
def test_a_normalisation_has_mean_0_and_variance_1_over_its_own_axes_only(norm, over):
    x = images() * torch.arange(1, 13, dtype=torch.float64).view(4, 3, 1, 1)
    y = NORMS[norm](3, 8).double()(x)
    assert y.mean(over).abs().max() < 1e-12 and (y.var(over, correction=0) - 1).abs().max() < 1e-3
    if norm != "instance":
        assert y.mean((2, 3)).abs().max() > 0.1


def test_group_normalisation_has_four_groups():
    x = images(channels=8) * torch.arange(1, 33, dtype=torch.float64).view(4, 8, 1, 1)
    y = NORMS["group"](8, 8).double()(x)
    assert y.unflatten(1, (4, 2)).mean((2, 3, 4)).abs().max() < 1e-12
    assert y.mean((2, 3)).abs().max() > 0.1


@given(st.lists(st.floats(0.05, 20), min_size=4, max_size=4))
def test_instance_normalisation_makes_the_contrast_of_an_image_irrelevant(contrasts):
    x, factors = images(), torch.tensor(contrasts, dtype=torch.float64).view(-1, 1, 1, 1)
    net = small()
    for m in net.modules():
        if isinstance(m, nn.GroupNorm):
            m.eps = 0.0  # what is left of the contrast otherwise
    torch.testing.assert_close(net(x * factors), net(x), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("norm", ["none", "layer", "group"])
def test_other_normalisations_leave_something_of_the_contrast(norm):
    net = small(norm=norm)
    assert (net(images() * 0.2) - net(images())).abs().max() > 1e-3


@pytest.mark.parametrize("norm", NORMS)
def test_only_batch_normalisation_remembers_and_mixes_images(norm):
    net, x = small(norm=norm), images()
    assert bool(net.state_dict().keys() & {"features.1.running_mean"}) == (norm == "batch")
    alone, among = net(x[:2]), net(x)[:2]
    assert ((alone - among).abs().max() > 1e-3) == (norm == "batch")
    net.eval()
    torch.testing.assert_close(net(x[:2]), net(x)[:2], atol=1e-12, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_derivatives_of_vectorised_gradients_equal_finite_differences(norm):
    """By plain torch.func, at weights where the normalisation does something; torch's own LayerNorm fails here."""
    net, generator = small(norm=norm, activation="swish").eval(), torch.Generator().manual_seed(1)
    weights = {
        name: p.detach() + 0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
        for name, p in net.named_parameters()
    }
    along = {name: torch.randn((2, *p.shape), generator=generator, dtype=p.dtype) for name, p in weights.items()}

    def loss(weights, x, label):
        return F.cross_entropy(functional_call(net, weights, (x,)), label.expand(len(x)))

    def slope(x):
        gradients = vmap(grad(loss), in_dims=(None, 0, 0))(weights, x, torch.arange(2))
        return sum((g * along[name]).sum() for name, g in gradients.items())

    x = images(6).unflatten(0, (2, 3)).requires_grad_()
    assert torch.autograd.gradcheck(slope, x, atol=1e-7, rtol=1e-5, fast_mode=True)


def test_layer_normalisation_has_the_values_and_the_state_of_torchs():
    (norm,), plain = (m for m in small(norm="layer", depth=1).features if isinstance(m, nn.LayerNorm)), nn.LayerNorm
    plain = plain(norm.normalized_shape).double()
    assert repr(norm) == repr(plain) and norm.state_dict().keys() == plain.state_dict().keys()
    with torch.no_grad():
        for p in norm.parameters():
            p.normal_(generator=torch.Generator().manual_seed(0))
    plain.load_state_dict(norm.state_dict())
    x = images(channels=8)
    torch.testing.assert_close(norm(x), plain(x), atol=1e-12, rtol=1e-12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert norm.float()(x.bfloat16()).dtype == plain.float()(x.bfloat16()).dtype


def test_stacked_networks_with_batch_statistics_train_like_one_after_another():
    nets, x = [small(seed, norm="batch") for seed in (0, 1)], images()
    weights, buffers = stack_module_state(nets)
    skeleton = copy.deepcopy(nets[0])
    together = vmap(lambda p, b: functional_call(skeleton, (p, b), (x,)))(weights, buffers)
    torch.testing.assert_close(together, torch.stack([net(x) for net in nets]), atol=1e-10, rtol=1e-10)
    for name, stacked in buffers.items():
        torch.testing.assert_close(stacked, torch.stack([net.get_buffer(name) for net in nets]))


def test_the_same_seed_gives_the_same_weights_whatever_the_normalisation():
    first, *others = (small(norm=norm).linear.weight for norm in NORMS)
    assert all(torch.equal(first, other) for other in others)


def test_initial_weights_are_torchs_defaults():
    net = ConvNet()
    for layer in (net.features[0], net.features[4], net.linear):
        bound = layer.weight[0].numel() ** -0.5  # Kaiming uniform with a = sqrt(5)
        for tensor in (layer.weight, layer.bias):
            assert tensor.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


@pytest.mark.parametrize(("size", "depth"), [(8, 2), (8, 3), (16, 4), (28, 4), (32, 5), (15, 3), (2, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes_that_allow_the_depth(size, depth, channels):
    x = torch.rand(2, channels, size, size)
    assert ConvNet(5, channels, size, width=4, depth=depth)(x).shape == (2, 5)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("channels", "size", "depth", "fits"), [(1, 8, 4, 3), (3, 16, 5, 4), (3, 28, 5, 4), (1, 28, 6, 5), (3, 31, 5, 4)]
)
def test_images_too_small_for_the_depth_are_refused_and_what_fits_is_said(channels, size, depth, fits):
    with pytest.raises(ValueError, match=rf"size={size}: .* at most {fits}, images of at least {2**depth}x{2**depth}"):
        ConvNet(5, channels, size, width=4, depth=depth)
    for right in ({"depth": fits}, {"depth": depth, "pooling": "none"}):
        ConvNet(5, channels, size, width=4, **right)
    ConvNet(5, channels, 2**depth, width=4, depth=depth)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"width": 6, "norm": "group"},
        {"depth": 0},
        {"depth": 2.0},
        {"norm": "instancenorm"},
        {"activation": "gelu"},
        {"pooling": "mean"},
    ],
)
def test_wrong_arguments_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ConvNet(**wrong)

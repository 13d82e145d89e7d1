"""What every classifier keeps to: features, one linear layer on them, and functional calls that equal plain ones."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call, grad, stack_module_state, vmap

from simplebits.networks import CLASSIFIERS, ConvNet, build
from simplebits.networks.base import Classifier, extra_padding

# Name, options and (channels, size) that each runs on here: the smallest that shows every kind of layer.
NETWORKS = {
    "ConvNet": ("ConvNet", {"width": 8, "depth": 2}, (1, 8)),
    "ConvNet-batch": ("ConvNet", {"width": 8, "depth": 2, "norm": "batch"}, (1, 8)),
    "ConvNet-layer": ("ConvNet", {"width": 8, "depth": 2, "norm": "layer"}, (3, 8)),
    "MLP": ("MLP", {"width": 8}, (1, 8)),
    "LeNet": ("LeNet", {}, (3, 16)),
    "AlexNet": ("AlexNet", {}, (1, 8)),
    "AlexCifarNet": ("AlexCifarNet", {}, (1, 8)),
    "VGG11": ("VGG11", {}, (3, 32)),
    "VGG16": ("VGG16", {}, (3, 32)),
    "ResNet18": ("ResNet18", {}, (3, 16)),
    "ResNet18-average": ("ResNet18", {"norm": "batch", "downsampling": "average"}, (3, 16)),
    "ResNet20": ("ResNet20", {}, (3, 16)),
    "StridedCNN": ("StridedCNN", {}, (1, 20)),
    "NFWideResNet": ("NFWideResNet", {"depth": 10, "widen": 1}, (3, 16)),
}
each_network = pytest.mark.parametrize("key", NETWORKS)


def make(key, seed=0):
    """The network in evaluation mode, in float64, and three images for it."""
    name, options, (channels, size) = NETWORKS[key]
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        net = build(name, 4, channels, size, **options).double().eval()
    x = torch.rand(3, channels, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return net, x


def test_every_classifier_is_among_them():
    assert {name for name, _, _ in NETWORKS.values()} == set(CLASSIFIERS)


@each_network
def test_the_last_layer_is_linear_in_the_features(key):
    net, x = make(key)
    features = net.embed(x)
    assert features.shape == (3, net.linear.in_features)
    assert torch.equal(net.linear(features), net(x)) and net(x).shape == (3, 4)
    assert features.std(0).max() > 0  # different images, different features


@each_network
def test_stacked_networks_equal_one_after_another(key):
    nets = [make(key, seed)[0] for seed in (0, 1)]
    x = make(key)[1]
    parameters, buffers = stack_module_state(nets)
    skeleton = copy.deepcopy(nets[0]).to("meta")
    together = vmap(lambda p, b: functional_call(skeleton, (p, b), (x,)))(parameters, buffers)
    torch.testing.assert_close(together, torch.stack([net(x) for net in nets]), atol=1e-9, rtol=1e-9)
    assert (together[0] - together[1]).abs().max() > 1e-3


@each_network
def test_functional_gradients_equal_those_of_backward(key):
    net, x = make(key)
    labels = torch.arange(3)
    parameters = dict(net.named_parameters())
    functional = grad(lambda p: F.cross_entropy(functional_call(net, p, (x,)), labels))(parameters)
    F.cross_entropy(net(x), labels).backward()
    for name, p in parameters.items():
        torch.testing.assert_close(functional[name], p.grad, atol=1e-9, rtol=1e-9)


@each_network
def test_parameter_gradients_have_a_derivative_with_respect_to_the_images(key):
    """What gradient matching needs, against a central difference along the derivative itself."""
    net, x = make(key)
    parameters = [p for p in net.parameters() if p.dim() > 1]

    def squares(images):
        loss = F.cross_entropy(net(images), torch.arange(3))
        return sum(g.square().sum() for g in torch.autograd.grad(loss, parameters, create_graph=True))

    x.requires_grad_()
    (slope,) = torch.autograd.grad(squares(x), x)
    direction, step = slope / slope.norm(), 1e-6
    with torch.no_grad():
        ahead, behind = x + step * direction, x - step * direction
    difference = (squares(ahead) - squares(behind)) / (2 * step)
    torch.testing.assert_close(difference.detach(), slope.norm(), atol=0, rtol=1e-3)


@each_network
def test_constants_of_the_set_are_applied_first(key):
    name, options, (channels, size) = NETWORKS[key]
    net, x = make(key)
    other = build(name, 4, channels, size, standardise="mnist", **options).double().eval()
    other.load_state_dict(net.state_dict())
    torch.testing.assert_close(other(x), net((x - 0.1307) / 0.3081), atol=1e-4, rtol=1e-4)


def test_only_grey_images_of_28_pixels_are_padded_more():
    assert extra_padding(1, 28) == 2
    assert extra_padding(3, 28) == extra_padding(1, 32) == extra_padding(1, 27) == 0


@pytest.mark.unchecked
@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 1, 8, 9), (2, 1, 16, 16), (1, 8, 8)])
def test_images_that_do_not_fit_are_refused(shape):
    net = ConvNet(channels=1, size=8, width=4, depth=2)
    for call in (net, net.embed):
        with pytest.raises(ValueError, match=r"^x: expected shape \[n, 1, 8, 8\], got \["):
            call(torch.rand(shape))
        with pytest.raises(ValueError, match=r"^x: expected floating point values, got dtype torch.uint8; divide"):
            call(torch.zeros(shape, dtype=torch.uint8))
        with pytest.raises(TypeError, match=r"^x: expected a torch.Tensor \[n, 1, 8, 8\], got ndarray"):
            call(torch.rand(shape).numpy())
        with pytest.raises(
            ValueError, match="^x: expected torch.float32 on cpu, as the network's weights, got .*float64"
        ):
            call(torch.rand(2, 1, 8, 8).double())


@pytest.mark.unchecked
def test_less_precise_images_are_taken_and_networks_compile_whole():
    net = ConvNet(channels=1, size=8, width=4, depth=2)
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert net(x.half()).dtype == torch.float32 and net.double()(x).dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net.float()(x.bfloat16()).isfinite().all()
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), net(x))


@pytest.mark.unchecked
@each_network
def test_every_network_refuses_grey_images_for_colour_ones_and_other_sizes(key):
    net, x = make(key)
    for other in (torch.cat((x, x), 2), x[:, :1] if x.shape[1] == 3 else x.repeat(1, 3, 1, 1)):
        with pytest.raises(ValueError, match=r"^x: expected shape \[n, .* ImageSet.to_float\(size="):
            net(other)


@pytest.mark.unchecked
@pytest.mark.parametrize("name", [name for name, network in CLASSIFIERS.items() if issubclass(network, Classifier)])
@pytest.mark.parametrize(
    "wrong",
    [{"classes": 0}, {"classes": 2.0}, {"channels": 0}, {"size": 0}, {"size": "32"}, {"standardise": "imagenet"}],
)
def test_wrong_common_arguments_are_refused_by_name(name, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        build(name, **wrong)

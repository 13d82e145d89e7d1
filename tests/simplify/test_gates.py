"""Gate gradients: finite differences, each image by itself, both methods, the distance and its exceptions."""

import copy

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from simplebits.networks import ConvNet, ResNet20, build
from simplebits.networks.convnet import NORMS
from simplebits.simplify.gates import gate_distance, gate_gradients, kl_divergence


def images(n=3, channels=1, size=8, dtype=torch.float64):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(0), dtype=dtype)


def small_net():
    """Two layers and a normalisation with running statistics, away from its initial values."""
    generator = torch.Generator().manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ELU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(72, 3)
    )
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=generator)
    net[1].running_var.fill_(2.0)
    return net.double().eval()


def test_gate_gradients_equal_finite_differences():
    net, x, scale, step = small_net(), images(), 0.9, 1e-6
    target = net(x).detach()
    gates, logits = gate_gradients(net, x, target, scale)

    def lost(name, index, gate):
        """KL of every image, one gate of the scaled network turned up or down."""
        gated = copy.deepcopy(net)
        for p in gated.parameters():
            p.data *= scale
        dict(gated.named_parameters())[name].data.view(-1)[index] *= gate
        return kl_divergence(target, gated(x)).detach()

    scaled = copy.deepcopy(net)
    for p in scaled.parameters():
        p.data *= scale
    torch.testing.assert_close(logits, scaled(x))
    for name, gradient in gates.items():
        for index in range(min(gradient[0].numel(), 10)):
            slope = (lost(name, index, 1 + step) - lost(name, index, 1 - step)) / (2 * step)
            torch.testing.assert_close(gradient.flatten(1)[:, index], slope, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize(
    "net",
    [
        lambda: ConvNet(3, 1, 8, depth=2, width=4),
        lambda: ResNet20(3, 1, 8, width=2),
        lambda: build("NFWideResNet", 3, 1, 8, depth=10, widen=1),
    ],
)
def test_vmap_equals_the_loop_in_values_and_second_derivatives(net):
    net = net().double().eval()
    x, y = images(), images().flip(3).requires_grad_()
    target = net(x).detach()
    found = []
    for method in ("vmap", "loop"):
        wanted, _ = gate_gradients(net, x, target, 0.85, method=method)
        gates, logits = gate_gradients(net, y, target, 0.85, method=method)
        distance = gate_distance(gates, wanted)
        (slope,) = torch.autograd.grad(distance.sum() + logits.sum(), y)
        found.append((distance, logits, slope))
    for by_vmap, by_loop in zip(*found, strict=True):
        torch.testing.assert_close(by_vmap, by_loop, atol=1e-8, rtol=1e-6)


def test_second_derivatives_equal_finite_differences():
    net, x = small_net(), images(2)
    target = net(x).detach()
    wanted, _ = gate_gradients(net, x, target, 0.9)

    def distance(y):
        return gate_distance(gate_gradients(net, y, target, 0.9)[0], wanted)

    start = images(2).flip(2).requires_grad_()
    assert torch.autograd.gradcheck(distance, start, atol=1e-6, rtol=1e-4, fast_mode=True)


def convnet(norm):
    return ConvNet(3, 3, 16, depth=2, width=4, norm=norm, activation="swish")


def torch_layer_norm():
    net = convnet("none")
    net.features[1] = nn.LayerNorm((4, 16, 16))
    return net


def torch_instance_norm():
    net = convnet("none")
    net.features[1] = nn.InstanceNorm2d(4, affine=True)
    return net


def transformer():
    return VisionTransformer(16, patch_size=8, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=3)


def assert_slope(net, method):
    """Of the gates along a direction, at weights where normalisations do something."""
    generator = torch.Generator().manual_seed(2)
    for p in net.double().eval().parameters():
        p.data += 0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    x = images(2, 3, 16)
    target = net(x).detach()
    along = [torch.randn((2, *p.shape), generator=generator, dtype=p.dtype) for p in net.parameters()]

    def slope(y):
        gates, _ = gate_gradients(net, y, target, 0.9, method=method)
        return sum((g * a).sum() for g, a in zip(gates.values(), along, strict=True))

    assert torch.autograd.gradcheck(slope, x.flip(3).requires_grad_(), atol=1e-7, rtol=1e-5, fast_mode=True)


@pytest.mark.parametrize("method", ["vmap", "loop"])
@pytest.mark.parametrize(
    "net",
    [
        *(pytest.param(lambda norm=norm: convnet(norm), id=norm) for norm in NORMS),
        torch_layer_norm,
        torch_instance_norm,
        transformer,
    ],
)
def test_second_derivatives_are_exact_for_every_normalisation_and_a_transformer(net, method):
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        net = net()
    assert_slope(net, method)


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_second_derivatives_of_torchscript_are_taken_by_the_loop():
    net = torch_layer_norm().double()
    net.features[1] = torch.jit.trace(net.features[1], torch.rand(1, 4, 16, 16).double())
    with pytest.warns(UserWarning, match="TorchScript"):
        assert_slope(net, "vmap")


def test_each_image_is_by_itself():
    net, x = small_net(), images(4)
    target = net(x).detach()
    together, _ = gate_gradients(net, x, target, 0.9)
    for i in range(4):
        alone, _ = gate_gradients(net, x[i : i + 1], target[i : i + 1], 0.9)
        for name, gradient in alone.items():
            torch.testing.assert_close(gradient[0], together[name][i])


def test_nothing_is_left_in_the_network():
    net, x = small_net(), images()
    before = copy.deepcopy(net.state_dict())
    gate_gradients(net, x, net(x).detach(), 0.9)
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_the_prediction_that_is_not_lost_has_no_gradient():
    net, x = small_net(), images()
    gates, logits = gate_gradients(net, x, net(x).detach(), 1.0)
    torch.testing.assert_close(logits, net(x))
    assert max(float(g.abs().max()) for g in gates.values()) < 1e-12


def test_distance_is_zero_for_the_same_and_counts_negative_gates_only():
    wanted = {"a": torch.tensor([[-1.0, -2.0, 5.0]]), "b": torch.tensor([[[-3.0], [1.0]]])}
    assert gate_distance(wanted, wanted).item() == pytest.approx(0, abs=1e-6)
    other = {"a": torch.tensor([[-2.0, -4.0, -9.0]]), "b": torch.tensor([[[-1.0], [-7.0]]])}
    assert gate_distance(other, wanted).item() == pytest.approx(0, abs=1e-6)
    opposite = {"a": -wanted["a"], "b": wanted["b"]}
    assert gate_distance(opposite, wanted).item() == pytest.approx(1)  # mean of 2 and 0
    right_angle = {"a": torch.tensor([[2.0, -1.0, 0.0]]), "b": wanted["b"]}
    assert gate_distance(right_angle, wanted).item() == pytest.approx(0.5)


def test_layers_with_nothing_to_restore_are_left_out():
    wanted = {"a": torch.tensor([[-1.0, 2.0]] * 2), "b": torch.tensor([[3.0, 4.0], [-1e-7, 1e-7]])}
    gates = {"a": wanted["a"], "b": torch.tensor([[1.0, 1.0], [1e-7, 1e-7]])}
    assert gate_distance(gates, wanted).tolist() == pytest.approx([0, 0], abs=1e-6)
    nothing = {"a": torch.ones(1, 2)}
    assert gate_distance({"a": -torch.ones(1, 2)}, nothing).tolist() == [0]


def test_gates_of_zero_have_finite_slopes():
    wanted = {"a": torch.tensor([[-1.0, -2.0]])}
    gates = torch.zeros(1, 2, requires_grad=True)
    gate_distance({"a": gates}, wanted).sum().backward()
    assert gates.grad.isfinite().all()


def test_biases_before_a_normalisation_do_not_count():
    """Their gradient is 0 up to rounding, which has any direction."""
    net = ConvNet(3, 1, 8, depth=2, width=4).eval()
    with torch.no_grad():
        for p in net.parameters():
            p += 0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(2))
    x = images(dtype=torch.float32)
    target = net(x).detach()
    wanted, _ = gate_gradients(net, x, target, 0.9)
    gates, _ = gate_gradients(net, x + 1e-6, target, 0.9)
    assert gate_distance(gates, wanted).max() < 1e-3


@pytest.mark.unchecked
def test_wrong_arguments_are_refused():
    net, x = small_net(), images()
    with pytest.raises(ValueError, match=r"method='vmp' is not known; did you mean 'vmap'"):
        gate_gradients(net, x, net(x), 0.9, method="vmp")
    with pytest.raises(ValueError, match="scale=0"):
        gate_gradients(net, x, net(x), 0)
    with pytest.raises(ValueError, match=r"reference: expected shape \[n, classes\], got \[3\]"):
        gate_gradients(net, x, net(x)[:, 0], 0.9)
    with pytest.raises(ValueError, match=r"reference: expected logits \[3, classes\], one row for each image"):
        gate_gradients(net, x, net(x)[:2], 0.9)
    for method in ("vmap", "loop"):
        with pytest.raises(ValueError, match=r"reference: has 2 classes, the classifier gives logits \[1, 3\]"):
            gate_gradients(net, x, net(x)[:, :2], 0.9, method=method)
        with pytest.raises(ValueError, match="classifier: it does not take images 3x8x8"):
            gate_gradients(net, images(channels=3), net(x), 0.9, method=method)
    with pytest.raises(TypeError, match=r"classifier: expected a torch.nn.Module, got function"):
        gate_gradients(lambda y: y, x, net(x), 0.9)
    with pytest.raises(ValueError, match=r"batch normalisation is in training mode; call .eval\(\)"):
        gate_gradients(net.train(), x, net(x), 0.9)


class Peeking(nn.Module):
    """Looks at a value, which vmap forbids."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 3).double()

    def forward(self, x):
        return self.linear(x.flatten(1)) * (2.0 if x.sum().item() > 0 else 1.0)


@pytest.mark.unchecked
def test_what_vmap_cannot_run_the_loop_can():
    net, x = Peeking(), images()
    target = net(x).detach()
    with pytest.raises(ValueError, match="vmap cannot run it; give method='loop'"):
        gate_gradients(net, x, target, 0.9)
    gates, logits = gate_gradients(net, x, target, 0.9, method="loop")
    assert gates["linear.weight"].shape == (3, 3, 64) and logits.shape == (3, 3)


def test_without_a_bound_all_layers_count():
    original = {"a": torch.tensor([[-3.0, -4.0, 5.0]]), "b": torch.tensor([[1.0, 2.0]]), "c": torch.tensor([[-1e-9]])}
    gates = {"a": torch.tensor([[-3.0, -4.0, -9.0]]), "b": torch.tensor([[1.0, 2.0]]), "c": torch.tensor([[1e-9]])}
    assert gate_distance(gates, original).tolist() == pytest.approx([0.0], abs=1e-6)
    # 0, no negative gradient: 1, the opposite direction: 2
    assert gate_distance(gates, original, negligible=None).tolist() == pytest.approx([1.0], abs=1e-5)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, b: gate_distance({"a": a}, {"b": b}), "expected those of one network, only one of them has a, b"),
        (lambda a, b: gate_distance({"a": a}, {"a": b[:2]}), r"gates\['a'\]: expected \[2, 4\] as in original, got"),
        (lambda a, b: gate_distance({"a": a}, {"a": b}, negligible=-1), "negligible=-1"),
        (lambda a, b: gate_distance({}, {}), "gates: holds no layers"),
        (lambda a, b: kl_divergence(a, b[:, :1]), r"same shape \[n, classes\], got \[3, 4\] and \[3, 1\]"),
        (lambda a, b: kl_divergence(a[0], b[0]), r"reference: expected shape \[n, classes\], got \[4\]"),
    ],
)
def test_what_cannot_be_compared_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(3, 4), torch.ones(3, 4))


@pytest.mark.unchecked
def test_batch_normalisation_without_running_statistics_is_refused():
    net = nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), nn.Flatten(), nn.Linear(64, 3)).double().eval()
    with pytest.raises(ValueError, match="batch normalisation '0' keeps no running statistics"):
        gate_gradients(net, images(), net(images()), 0.9)


def test_the_old_keyword_warns():
    net, x = small_net(), images()
    with pytest.warns(DeprecationWarning, match="target= is called reference= now"):
        old, _ = gate_gradients(net, x, target=net(x).detach())
    new, _ = gate_gradients(net, x, reference=net(x).detach())
    assert all(torch.equal(old[name], new[name]) for name in new)

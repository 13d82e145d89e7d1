"""Gradient matching: plain autograd, both paths, finite differences, batch normalisation held still."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import VisionTransformer

from simplebits.condense import (
    class_gradients,
    curriculum,
    gradient_matching_loss,
    gradient_product_loss,
    matching_distance,
    unrolled_step_loss,
)
from simplebits.condense.gradient import freeze_batch_norm
from simplebits.networks.convnet import NORMS


@pytest.mark.parametrize("together", [False, True])
def test_gradients_are_those_of_each_class_by_itself(together, network, batches):
    net, real = network(), batches(5)
    found = class_gradients(net, real, together=together)
    for c, x in enumerate(real):
        net.zero_grad()
        F.cross_entropy(net(x), torch.full((5,), c)).backward()
        for mine, parameter in zip(found, net.parameters(), strict=True):
            torch.testing.assert_close(mine[c], parameter.grad)


def test_both_paths_agree_in_the_loss_and_in_its_gradient(network, batches):
    net, real = network(activation="swish"), batches(5)
    results = []
    for together in (False, True):
        synthetic = [x.requires_grad_(True) for x in batches(2, seed=1)]
        loss = gradient_matching_loss(net, real, synthetic, together=together)
        results.append((loss.detach(), torch.autograd.grad(loss.sum(), synthetic)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["layerwise", "mse", "cosine"])
def test_its_gradient_in_the_images_equals_finite_differences(kind, network, batches):
    net, real = network(activation="swish"), batches(3)
    start = torch.stack(batches(1, seed=1))

    def loss(images):
        return gradient_matching_loss(net, real, list(images), kind=kind).sum()

    assert torch.autograd.gradcheck(loss, start.requires_grad_(True), eps=1e-6, atol=1e-6, fast_mode=True)


def perturbed(net):
    """In evaluation mode, away from its initial weights, where normalisations do nothing and heads may be zero."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for p in net.parameters():
            p += 0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    return net.eval()


def transformer():
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        return VisionTransformer(
            16, patch_size=8, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=3
        ).double()


def assert_slope(loss, net, real, synthetic, together):
    def of_images(images):
        return loss(net, real, list(images), together=together).sum()

    start = torch.stack(synthetic).requires_grad_()
    assert torch.autograd.gradcheck(of_images, start, eps=1e-6, atol=1e-7, rtol=1e-5, fast_mode=True)


def long_step_loss(*args, **options):
    return unrolled_step_loss(*args, learning_rate=1.0, **options)


each_loss = pytest.mark.parametrize("loss", [gradient_matching_loss, gradient_product_loss, long_step_loss])


@each_loss
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("together", [False, True])
def test_its_gradient_is_exact_for_every_normalisation_in_both_paths(loss, norm, together, network, batches):
    net = perturbed(network(norm=norm, activation="swish"))
    assert_slope(loss, net, batches(5), batches(1, seed=1), together)


@each_loss
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.LayerNorm((4, 8, 8)),
        lambda: nn.InstanceNorm2d(4, affine=True),
        lambda: nn.BatchNorm2d(4, track_running_stats=False),
    ],
)
def test_its_gradient_is_exact_with_layers_of_torch(loss, together, layer, network, batches):
    net = network(norm="none", activation="swish")
    net.features[1] = layer().double()
    assert_slope(loss, perturbed(net), batches(5), batches(2, seed=1), together)


@each_loss
@pytest.mark.parametrize("together", [False, True])
def test_its_gradient_is_exact_for_a_transformer(loss, together):
    generator = torch.Generator().manual_seed(0)
    real, synthetic = (
        [torch.randn(n, 3, 16, 16, generator=generator, dtype=torch.float64) for _ in range(3)] for n in (5, 1)
    )
    assert_slope(loss, perturbed(transformer()), real, synthetic, together)


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_torchscript_is_differentiated_one_class_after_the_other(network, batches):
    net = perturbed(network(norm="none", activation="swish"))
    net.features[1] = torch.jit.trace(nn.LayerNorm((4, 8, 8)).double(), torch.rand(1, 4, 8, 8).double())
    with pytest.warns(UserWarning, match="TorchScript"):
        assert_slope(gradient_matching_loss, net, batches(5), batches(1, seed=1), together=True)


def test_the_loss_is_the_distance_of_the_gradients_and_zero_on_the_real_images_themselves(network, batches):
    net, real, synthetic = network(), batches(4), batches(1, seed=1)
    a, b = class_gradients(net, real), class_gradients(net, synthetic)
    by_hand = torch.stack([matching_distance([g[c] for g in a], [g[c] for g in b]) for c in range(3)])
    torch.testing.assert_close(gradient_matching_loss(net, real, synthetic), by_hand)
    assert float(gradient_matching_loss(net, real, real).detach().sum()) < 1e-2


def test_the_twin_serves_the_real_images(network, batches):
    net, calls = network(), []

    def twin(x):
        calls.append(len(x))
        return net(x)

    gradient_matching_loss(net, batches(4), batches(1), forward=twin)
    assert calls == [4, 4, 4]


def test_batch_normalisation_is_held_at_the_statistics_of_real_images(network, batches):
    net, real = network(norm="batch"), batches(20)
    freeze_batch_norm(net, real)
    layers = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [layer.running_mean.clone() for layer in layers]
    assert net.training and layers and not any(layer.training for layer in layers)
    assert all(not torch.equal(mean, torch.zeros_like(mean)) for mean in before)
    gradient_matching_loss(net, real, batches(1, seed=1))
    assert all(torch.equal(layer.running_mean, mean) for layer, mean in zip(layers, before, strict=True))


def test_the_curriculum_is_the_published_one():
    assert [curriculum(n) for n in (1, 10, 20, 30, 40, 50)] == [
        (1, 1),
        (10, 50),
        (20, 25),
        (30, 20),
        (40, 15),
        (50, 10),
    ]
    assert curriculum(9) == (10, 50) and curriculum(500) == (50, 10)


def test_a_large_batch_in_parts_has_the_gradient_of_the_whole(network, batches):
    net, real = network(), batches(37)
    for mine, whole in zip(class_gradients(net, real), class_gradients(net, real, together=True), strict=True):
        torch.testing.assert_close(mine, whole)


@pytest.mark.unchecked
def test_wrong_use_is_named(network, batches):
    net, real = network(), batches(4)
    for loss in (gradient_matching_loss, gradient_product_loss, unrolled_step_loss):
        for synthetic in (real[:2], [], [real[0][:0], *real[1:]]):
            with pytest.raises(ValueError, match="as many synthetic ones as real ones"):
                loss(net, real, synthetic)
    for together in (False, True):
        with pytest.raises(ValueError, match="4 classes, but the network has 3 outputs"):
            gradient_matching_loss(net, [*real, real[0]], [*real, real[0]], together=together)
    with pytest.raises(ValueError, match="a batch of each class"):
        class_gradients(net, [])
    following = network(norm="batch")
    with pytest.raises(ValueError, match="keeps a state"):
        gradient_matching_loss(following, real, real, together=True)
    freeze_batch_norm(following, real)
    gradient_matching_loss(following, real, real, together=True)

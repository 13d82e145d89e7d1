"""Gradient matching: plain autograd, both paths, finite differences, batch normalisation held still."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from simplebits.condense import (
    class_gradients,
    curriculum,
    gradient_matching_loss,
    gradient_product_loss,
    matching_distance,
    unrolled_step_loss,
)
from simplebits.condense.gradient import freeze_batch_norm


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

"""Networks that are not this library's: everything that explains one decision runs on torchvision's."""

import pytest
import torch
from torchvision import models

from simplebits import subsets
from simplebits.density import Glow
from simplebits.simplify import gate_gradients, simplify_after_training

SIZE = 8


def transformer():
    return models.VisionTransformer(
        SIZE, patch_size=4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=3
    )


def residual():
    return models.resnet18(num_classes=3)


@pytest.fixture(params=[transformer, residual])
def network(request):
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        network = request.param()
        for p in network.parameters():  # a transformer's last layer begins at 0
            p.data += 0.05 * torch.randn(p.shape)
    return network.eval()


@pytest.fixture
def images():
    return torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def test_images_are_simplified(network, images):
    glow = Glow(levels=1, steps=1, hidden=4, image_size=SIZE, generator=torch.Generator().manual_seed(0))
    result = simplify_after_training(network, glow, images, steps=3, start="image", bit_weight=0.3)
    assert result.images.isfinite().all() and not torch.equal(result.images, images)
    assert result.history["gradient"].abs().max() > 0 and not result.not_finite.any()


@pytest.mark.parametrize("method", ["vmap", "loop"])
def test_gate_gradients_have_a_slope(network, images, method):
    y = images.flip(3).requires_grad_()
    gates, _ = gate_gradients(network, y, network(images).detach(), 0.9, method=method)
    (slope,) = torch.autograd.grad(sum(g.square().sum() for g in gates.values()), y)
    assert slope.isfinite().all() and slope.abs().max() > 0


def test_sufficient_subsets_are_found(network, images):
    score = subsets.class_score(network, images)
    with torch.no_grad():
        threshold = float(score(images).min()) - 1e-4
    by_gradient = subsets.batched_gradient_find_sis(score, images, threshold, 4)
    for found in (subsets.find_sis(score, images, threshold), by_gradient):
        for i, subset in enumerate(found):
            with torch.no_grad():
                alone = score.for_images(torch.tensor([i]))(subsets.masked(images[i], subset.mask)[None])
            assert float(alone) >= threshold - 1e-5

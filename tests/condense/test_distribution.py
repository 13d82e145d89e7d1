"""Distribution matching: plain sums, finite differences, all passes alike, batch normalisation, wrong input."""

import pytest
import torch

from simplebits.condense import distribution_matching_loss


def by_hand(embed, real, synthetic):
    pairs = zip(real, synthetic, strict=True)
    return sum((embed(a).mean(0) - embed(b).mean(0)).square().sum() for a, b in pairs)


@pytest.mark.parametrize("together", [False, True])
def test_is_the_sum_over_classes_and_zero_on_the_real_images_themselves(together, network, batches):
    """In parts or at once, in classes of different sizes; features may still be maps."""
    net, synthetic = network(), batches(2, seed=1)
    real = [x[:n] for x, n in zip(batches(40), (40, 17, 3), strict=True)]  # parts have 16 images
    expected = by_hand(net.embed, real, synthetic)
    torch.testing.assert_close(distribution_matching_loss(net.embed, real, synthetic, together=together), expected)
    torch.testing.assert_close(distribution_matching_loss(net.features, real, synthetic, together=together), expected)
    same = distribution_matching_loss(net.embed, real, real, together=together)
    assert float(same.detach()) == pytest.approx(0, abs=1e-12)


def test_its_gradient_in_the_images_equals_finite_differences(network, batches):
    net, real = network(activation="swish"), batches(3)
    start = torch.stack(batches(2, seed=1)).requires_grad_(True)

    def loss(images):
        return distribution_matching_loss(net.embed, real, list(images))

    assert torch.autograd.gradcheck(loss, start, eps=1e-6, atol=1e-6, fast_mode=True)


def test_batch_normalisation_sees_all_classes_in_one_pass(network, batches):
    net, real, synthetic = network(norm="batch"), batches(20), batches(2, seed=1)
    means = [net.embed(torch.cat(parts)).view(3, -1, 16).mean(1) for parts in (real, synthetic)]
    expected = (means[0] - means[1]).square().sum()
    torch.testing.assert_close(distribution_matching_loss(net.embed, real, synthetic, together=True), expected)
    # Class by class, the class's own mean is taken off: another number.
    apart = distribution_matching_loss(net.embed, real, synthetic)
    assert not torch.isclose(apart, expected, rtol=0.01)


def test_the_twin_serves_the_real_images(network, batches):
    net, calls = network(), []

    def twin(x):
        calls.append(len(x))
        return net.embed(x)

    distribution_matching_loss(net.embed, batches(4), batches(1), embed_real=twin)
    assert calls == [4, 4, 4]


@pytest.mark.unchecked
def test_wrong_use_is_named(network, batches):
    net, real = network(), batches(4)
    for synthetic in (real[:2], [], [real[0][:0], *real[1:]]):
        with pytest.raises(ValueError, match="as many synthetic ones as real ones"):
            distribution_matching_loss(net.embed, real, synthetic)
    with pytest.raises(ValueError, match="a batch of each class"):
        distribution_matching_loss(net.embed, [], [])

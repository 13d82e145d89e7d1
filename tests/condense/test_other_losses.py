"""The product of gradients and the unrolled step: by hand, against each other, their gradients, and in a run."""

import pytest
import torch
import torch.nn.functional as F

import simplebits as sb
from simplebits.condense import condense, gradient_product_loss, unrolled_step_loss
from simplebits.networks import ConvNet

SMALL = {
    "network_options": {"width": 8, "depth": 1},
    "size": 8,
    "real_batch": 16,
    "bf16": False,
    "device": "cpu",
    "progress": False,
}


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        return ConvNet(3, 1, 8, width=4, depth=1).double()


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    return [[torch.randn(n, 1, 8, 8, generator=generator).double() for _ in range(3)] for n in (5, 1)]


def loss_of_all(network, batches):
    each = [F.cross_entropy(network(x), torch.full((len(x),), c)) for c, x in enumerate(batches)]
    return sum(each) / len(each)


def gradient(network, batches):
    return torch.autograd.grad(loss_of_all(network, batches), list(network.parameters()))


def test_the_product_is_that_of_the_two_whole_gradients(network, images):
    by_hand = -sum((a * b).sum() for a, b in zip(*(gradient(network, part) for part in images), strict=True))
    for together in (False, True):
        torch.testing.assert_close(gradient_product_loss(network, *images, together=together), by_hand)


def test_the_unrolled_loss_is_that_after_a_real_step_and_the_network_stays_as_it_was(network, images):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    unrolled = unrolled_step_loss(network, *images, learning_rate=0.3)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    step = gradient(network, images[1])
    with torch.no_grad():
        for p, g in zip(network.parameters(), step, strict=True):
            p -= 0.3 * g
    torch.testing.assert_close(unrolled.detach(), loss_of_all(network, images[0]).detach())


def test_the_product_is_the_derivative_of_the_unrolled_loss_at_a_rate_of_zero(network, images):
    product = float(gradient_product_loss(network, *images).detach())
    change = unrolled_step_loss(network, *images, learning_rate=1e-7) - loss_of_all(network, images[0])
    assert float(change.detach()) / 1e-7 == pytest.approx(product, rel=1e-4)


@pytest.mark.parametrize("loss", [gradient_product_loss, unrolled_step_loss])
def test_gradients_in_the_images_equal_finite_differences(loss, network, images):
    real, synthetic = images
    # Pixels far from a kink of the ReLU: a smooth network.
    network.features[2] = torch.nn.Softplus()

    def of_pixels(x):
        return loss(network, real, list(x.split(1)))

    assert torch.autograd.gradcheck(of_pixels, torch.cat(synthetic).requires_grad_(), fast_mode=True)


@pytest.mark.parametrize(("distance", "rate"), [("product", 1.0), ("unrolled", 100.0)])
def test_images_condensed_with_either_teach_more_than_where_they_began(distance, rate):
    """From noise, and measured on the classes' training images: far above the tenth that noise teaches."""
    train = sb.data.load("digits", "train")
    few = condense(train, "gradient", 1, distance=distance, learning_rate=rate, iterations=40, **SMALL)
    found = sb.condense.evaluate(
        few,
        train.draw(300),
        seeds=[0, 1],
        network_options=SMALL["network_options"],
        epochs=100,
        bf16=False,
        progress=False,
    )
    assert found.mean > 0.35


@pytest.mark.unchecked
def test_wrong_input_is_named(network, images):
    with pytest.raises(ValueError, match="learning_rate=0"):
        unrolled_step_loss(network, *images, learning_rate=0)
    with pytest.raises(ValueError, match="did you mean 'product'"):
        condense(sb.data.load("digits", "train"), "gradient", 1, distance="produkt", **SMALL)

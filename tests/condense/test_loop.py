"""The loop of gradient matching, written out: network, images, what the network learns in between, shared draws."""

import pytest
import torch
import torch.nn.functional as F

import simplebits as sb
from simplebits._training_state import step_generator
from simplebits.condense import Condensation, SiameseAugment, condense, matching_distance
from simplebits.condense.matching import METHODS
from simplebits.networks import ConvNet

SMALL = {"size": 8, "network_options": {"width": 8, "depth": 2}, "real_batch": 12, "start": "real"}
SMALL |= {"bf16": False, "device": "cpu", "progress": False}
EACH, CLASSES, INNER, RATE = 2, 10, 3, 0.1


@pytest.fixture(scope="module")
def digits():
    return sb.data.load("digits", "train")


def gradient(net, x, label, **options):
    loss = F.cross_entropy(net(x), torch.full((len(x),), label))
    return torch.autograd.grad(loss, list(net.parameters()), **options)


def by_hand(run, momentum=0.0, inner=INNER, stale=False):
    """Algorithm 1 with one network and T = 2; `stale`: the network learns from the images before the first step."""
    generator = step_generator(run.seed, 0)
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        net = ConvNet(CLASSES, 1, 8, width=8, depth=2)
    pixels, pace = run.pixels.values.detach().clone(), 0.0
    labels, velocity = torch.arange(CLASSES).repeat_interleave(EACH), [0.0 for _ in net.parameters()]
    for t in range(2):
        real = [run.pixels.standardised(run.real.draw(c, 12, generator)) for c in range(CLASSES)]
        before = pixels
        images = pixels.clone().requires_grad_()
        loss = sum(
            matching_distance(
                gradient(net, x, c), gradient(net, images[EACH * c : EACH * (c + 1)], c, create_graph=True)
            )
            for c, x in enumerate(real)
        )
        pace = 0.5 * pace + torch.autograd.grad(loss, images)[0]
        pixels = pixels - 0.1 * pace
        for _ in range(inner if t == 0 else 0):
            torch.randperm(len(pixels), generator=generator)  # the order does not matter in one batch
            learned = F.cross_entropy(net(before if stale else pixels), labels)
            slopes = torch.autograd.grad(learned, list(net.parameters()))
            velocity = [momentum * v + g for v, g in zip(velocity, slopes, strict=True)]
            with torch.no_grad():
                for p, v in zip(net.parameters(), velocity, strict=True):
                    p -= RATE * v
    return pixels


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_the_network_learns_from_the_images_between_two_steps(digits, momentum):
    """Line 9, from the images as the first step has left them; without it, or otherwise, others come out."""
    options = SMALL | {"outer": 2, "inner": INNER, "network_learning_rate": RATE, "network_momentum": momentum}
    run = Condensation(digits, "gradient", EACH, iterations=1, **options)
    start = run.pixels.values.detach().clone()
    right = by_hand(run, momentum)
    wrong = [by_hand(run, momentum, inner=0), by_hand(run, momentum, stale=True), by_hand(run, 0.5 - momentum)]
    found = condense(digits, "gradient", EACH, iterations=1, **options)
    found, moved = found.standardised(found.images), (right - start).norm()
    assert (found - right).norm() < 1e-3 * moved
    assert all((other - right).norm() > 1e-2 * moved for other in wrong)


def test_the_momentum_of_the_network_is_simplebits_with_a_density(digits):
    plain = {
        "network_options": SMALL["network_options"],
        "real_batch": 4,
        "bf16": False,
        "device": "cpu",
        "progress": False,
    }
    density = sb.density.load("glow-16px")
    assert Condensation(digits, "gradient", 1, **plain).settings["network_momentum"] == 0.0
    assert Condensation(digits, "gradient", 1, density=density, **plain).settings["network_momentum"] == 0.5
    told = Condensation(digits, "gradient", 1, density=density, network_momentum=0.0, **plain)
    assert told.method.network_momentum == 0.0


@pytest.mark.parametrize("method", ["gradient", "distribution"])
def test_each_class_has_one_draw_for_its_real_and_its_synthetic_images(digits, method, monkeypatch):
    """One call for each class in turn, with both of its batches."""
    seen = []

    def core(self, passes, real, synthetic):
        seen.extend(zip(real, synthetic, strict=True))
        return sum(x.square().sum() for x in synthetic)

    monkeypatch.setattr(METHODS[method], "_loss", core)
    options = SMALL | {"augment": SiameseAugment("crop_scale_rotate")} | ({"outer": 1} if method == "gradient" else {})
    run = Condensation(digits, method, EACH, iterations=1, **options)
    start = run.pixels.values.detach().clone()
    run.step(0)
    generator = step_generator(run.seed, 0)
    torch.randint(2**31, (), generator=generator)
    real = [run.pixels.standardised(x) for x in run.real.all(12, generator)]
    for pair, x, s in zip(seen, real, start.split(EACH), strict=True):
        expected = run.augment(generator, x, s)
        torch.testing.assert_close(tuple(part.detach() for part in pair), expected)


def test_an_augmentation_is_taken_as_well_as_its_strategy(digits):
    options = SMALL | {"iterations": 2}
    sets = [
        condense(digits, "distribution", 1, augment=how, **options)
        for how in ("crop_scale", ["crop", "scale"], SiameseAugment("crop_scale"))
    ]
    assert all(torch.equal(sets[0].images, other.images) and other.made == sets[0].made for other in sets[1:])

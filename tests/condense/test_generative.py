"""Generative baselines: the distance that teaches one, what the samples are worth, seeds, wrong input."""

import pytest
import torch
import torch.nn.functional as F

import simplebits as sb
from simplebits.condense import generative
from simplebits.condense.generative import GAN, GMMN, VAE, class_mmd, generative_set
from simplebits.data import ImageSet

QUICK = {"size": 8, "progress": False}


@pytest.fixture(scope="module")
def digits():
    return {split: sb.data.load("digits", split) for split in ("train", "test")}


def nearest_mean(few, test):
    """Accuracy on the test set when each image goes to the class with the nearest mean of the few."""
    x = few.to_float().flatten(1)
    means = torch.stack([x[few.labels == label].mean(0) for label in range(len(few.classes))])
    nearest = torch.cdist(test.to_float(size=few.images.shape[2]).flatten(1), means).argmin(1)
    return float((nearest == test.labels).float().mean())


def batch(n=12, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = F.one_hot(torch.arange(n) % classes, classes).double()
    return torch.rand(n, 5, generator=generator, dtype=torch.float64), y


# Measured over five seeds: VAE .84 to .87, GMMN .83 to .84, GAN .78 to .83; chance is .10.
@pytest.mark.parametrize(
    ("method", "steps", "seed"), [(m, 150, seed) for m in ("vae", "gmmn") for seed in range(3)] + [("gan", 600, 0)]
)
def test_ten_samples_a_class_tell_the_digits_apart(digits, method, steps, seed):
    few = generative_set(digits["train"], method, 10, steps=steps, seed=seed, **QUICK)
    assert few.name == f"digits/train, {method}" and few.classes == digits["train"].classes
    assert few.images.shape == (100, 1, 8, 8) and torch.equal(few.labels, torch.arange(10).repeat_interleave(10))
    assert nearest_mean(few, digits["test"]) >= 0.65
    # The samples of a class are not copies of one image: measured .03 (VAE) to .13 (GMMN).
    assert few.to_float().view(10, 10, -1).std(1).mean() > 0.015


def test_the_seed_decides_and_the_global_generator_is_left_alone(digits):
    before = torch.random.get_rng_state()
    sets = []
    for seed in (1, 1, 2):
        sets.append(generative_set(digits["train"], "vae", 2, steps=3, seed=seed, **QUICK))
        torch.rand(3)
    torch.random.set_rng_state(before)
    assert torch.equal(sets[0].images, sets[1].images) and not torch.equal(sets[0].images, sets[2].images)
    generative_set(digits["train"], "gan", 2, steps=3, **QUICK)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("method", ["vae", "gmmn", "gan"])
def test_colour_many_classes_and_one_image_of_each(method):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (20, 3, 12, 10), generator=generator, dtype=torch.uint8)
    train = ImageSet(images, torch.arange(20), tuple("abcdefghijklmnopqrst"), "colour")
    few = generative_set(train, method, 3, steps=5, batch_size=16, latent=4, progress=False)
    assert few.images.shape == (60, 3, 12, 10) and few.labels.unique(return_counts=True)[1].tolist() == [3] * 20
    assert generative_set(train, method, 1, size=8, channels=1, steps=1, progress=False).images.shape == (20, 1, 8, 8)


def test_mmd_is_zero_on_equal_images_in_any_order_and_positive_on_others():
    x, y = batch()
    order = torch.tensor([3, 1, 2, 0, *range(4, 12)])  # images 0 and 3 are of one class
    assert float(class_mmd(x, x[order], y)) == pytest.approx(0, abs=1e-9)
    assert float(class_mmd(x, batch(seed=1)[0], y)) > 0.01
    # The same images under other classes: the discrepancy is of images together with their classes.
    assert float(class_mmd(x, x.roll(1, 0), y)) > 0.01


def test_mmd_is_the_sum_over_pairs():
    (x, y), (fake, _) = batch(), batch(seed=1)
    scale = sum((a - b).square().sum() for a in x for b in x) / len(x) ** 2

    def kernel(a, b):
        return sum(torch.exp(-(a - b).square().sum() / (s * scale)) for s in (0.125, 0.25, 0.5, 1, 2))

    total = 0.0
    for i in range(12):
        for j in range(12):
            if i % 3 == j % 3:
                total += kernel(x[i], x[j]) + kernel(fake[i], fake[j]) - 2 * kernel(x[i], fake[j])
    assert float(class_mmd(x, fake, y)) == pytest.approx(float(total) / 12**2, rel=1e-9)


def test_mmd_pulls_samples_towards_the_images():
    (x, y), (fake, _) = batch(), batch(seed=1)
    fake.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda f: class_mmd(x, f, y), fake)
    start = float(class_mmd(x, fake, y).detach())
    optimiser = torch.optim.Adam([fake], 0.02)
    for _ in range(100):
        optimiser.zero_grad()
        class_mmd(x, fake, y).backward()
        optimiser.step()
    assert float(class_mmd(x, fake, y).detach()) < 0.1 * start


def test_the_loss_of_the_vae_exceeds_the_likelihood_by_the_divergence_from_the_posterior():
    # One pixel, one class, one latent dimension: log p(x) and KL(q(z | x) || p(z | x)) are integrals over a line.
    torch.manual_seed(0)
    model, one = VAE(pixels=1, classes=1, latent=1).double(), torch.ones(1, 1, dtype=torch.float64)
    z, dz = torch.linspace(-8, 8, 4001, dtype=torch.float64)[:, None], 16 / 4000
    with torch.no_grad():
        model.encoder[-1].bias.copy_(torch.tensor([1.0, -1.0]))  # far from the posterior
        mean, log_variance = model.encoder(torch.cat([one, one], 1))[0]
        prior = torch.distributions.Normal(0, 1).log_prob(z)
        joint = prior + F.logsigmoid(model.decoder(torch.cat([z, torch.ones_like(z)], 1)))
        log_p = (joint.exp().sum() * dz).log()
        q = torch.distributions.Normal(mean, (log_variance / 2).exp()).log_prob(z)
        divergence = (q.exp() * (q - joint + log_p)).sum() * dz
        many = one.expand(20_000, 1)
        (loss,) = model.losses(many, many, torch.Generator().manual_seed(0))
    assert float(divergence) > 0.3
    assert float(loss) == pytest.approx(float(divergence - log_p), abs=0.01)


def test_each_player_of_the_gan_is_taught_by_its_own_loss():
    torch.manual_seed(0)
    model = GAN(pixels=5, classes=3)
    x, y = (t.float() for t in batch())
    losses = model.losses(x, y, torch.Generator().manual_seed(0))
    next(losses).backward()
    assert all(p.grad is None for p in model.decoder.parameters())
    assert all(p.grad.abs().sum() > 0 for p in model.discriminator.parameters())
    next(losses).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.decoder.parameters())
    assert [type(player) for player in model.players()] == [torch.nn.Sequential] * 2


def test_samples_are_images_and_the_noise_is_what_it_says():
    y = torch.eye(3)[torch.zeros(2000, dtype=torch.int64)]
    for kind, spread in ((VAE, 1.0), (GAN, 1.0), (GMMN, 3**-0.5)):
        model, generator = kind(pixels=5, classes=3), torch.Generator().manual_seed(0)
        noise, images = model.noise(2000, generator), model.sample(y, generator)
        assert images.shape == (2000, 5) and 0 <= float(images.min().detach()) <= float(images.max().detach()) <= 1
        assert float(noise.std()) == pytest.approx(spread, rel=0.05) and abs(float(noise.mean())) < 0.05
    assert noise.abs().max() <= 1


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": "vea"}, ValueError, "did you mean 'vae'"),
        ({"images_per_class": 0}, ValueError, "images_per_class=0"),
        ({"steps": 0}, ValueError, "steps=0"),
        ({"batch_size": 2.5}, ValueError, "batch_size=2.5"),
        ({"latent": -1}, ValueError, "latent=-1"),
        ({"seed": 1.5}, ValueError, "seed=1.5"),
        ({"channels": 2}, ValueError, "channels=2"),
        ({"train": torch.zeros(3)}, TypeError, "expected an ImageSet, got Tensor"),
    ],
)
def test_wrong_use_is_explained(digits, change, error, message):
    with pytest.raises(error, match=message):
        generative_set(**({"train": digits["train"], "method": "vae", "images_per_class": 1} | change))


def test_a_class_without_images_is_refused(digits):
    train = digits["train"].subset(digits["train"].labels != 4)
    with pytest.raises(ValueError, match="class '4' of digits/train has no image"):
        generative_set(train, "gan", 1, **QUICK)


@pytest.mark.parametrize("method", ["vae", "gan"])
def test_a_loss_that_is_not_finite_ends_the_training(digits, monkeypatch, method):
    monkeypatch.setattr(generative, "LEARNING_RATE", 1e30)
    with pytest.raises(FloatingPointError, match="the loss is (nan|inf) at step [0-9]+; try another seed"):
        generative_set(digits["train"], method, 1, steps=20, **QUICK)


def test_an_encoder_that_runs_away_leaves_the_loss_finite():
    """On colour images one step could send the logarithm of a variance, and the loss with it, to infinity."""
    model = VAE(pixels=12, classes=2)
    with torch.no_grad():
        model.encoder[-1].bias.fill_(1e4)
    x, y = torch.rand(3, 12), torch.eye(2)[[0, 1, 0]]
    (loss,) = model.losses(x, y, torch.Generator().manual_seed(0))
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    assert torch.isfinite(loss) and all(torch.isfinite(g).all() for g in gradients)

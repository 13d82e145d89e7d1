"""The diffusion model's bound: exact where theory gives it, derivatives, samples, fitting."""

import math

import pytest
import torch

from simplebits.density import Diffusion, fit


def small(seed=0, **options):
    torch.manual_seed(seed)
    return Diffusion(**{"width": 8, "times": 4, "image_size": 8, "channels": 1, "bit_depth": 5} | options).double()


class OfNormalImages(Diffusion):
    """The bound with the best guess of the noise for images whose values are independent, N(mean, sd^2)."""

    mean, sd = 0.2, 0.3

    def __init__(self, **options):
        torch.manual_seed(0)
        super().__init__(width=8, image_size=8, channels=1, **options)
        self.double().eval()
        # The best guess does not know of grey levels; below half of a level's width knowing of them would pay.
        self.least.data.fill_(2 * math.log(1 / 2**self.bit_depth))

    def find_noise(self, z, t):
        alpha, sigma = torch.sigmoid(-self.gamma(t)).sqrt(), torch.sigmoid(self.gamma(t)).sqrt()
        return sigma * (z - alpha * self.mean) / (alpha**2 * self.sd**2 + sigma**2)


def normal_images(model, n, seed=0):
    """Values on the grey levels, and -log of their probability under N(mean, sd^2) cut into bins, in bits."""
    generator = torch.Generator().manual_seed(seed)
    top = 2**model.bit_depth - 1
    f = model.mean + model.sd * torch.randn(n, 1, 8, 8, generator=generator, dtype=torch.float64)
    level = ((f + 1) / 2 * top).round().clamp(0, top)
    edges = torch.arange(-0.5, top, 1, dtype=torch.float64) / top * 2 - 1
    below = torch.special.ndtr((edges[1:] - model.mean) / model.sd)
    shares = torch.diff(torch.cat((torch.zeros(1), below, torch.ones(1)))).clamp_min(1e-300)
    return level / top, -shares.log2()[level.long()].flatten(1).mean(1)


def missed(model, gamma):
    """The least mean square of what is missed of the noise in normal images: E |e - e'|^2 of a value."""
    alpha2, sigma2 = torch.sigmoid(-gamma), torch.sigmoid(gamma)
    return alpha2 * model.sd**2 / (alpha2 * model.sd**2 + sigma2)


def chain(model, steps):
    """What theory says of the diffusion term of a chain of so many steps, in nats a value."""
    gamma = model.gamma(torch.linspace(0, 1, steps + 1).double()).flatten()
    return float(0.5 * (torch.expm1(gamma.diff()) * missed(model, gamma[1:])).sum().detach())


def test_the_bound_of_normal_images_lies_above_their_code_length_and_tends_to_it():
    model = OfNormalImages(times=64, bit_depth=8)
    x, exact = normal_images(model, 1200)
    with torch.no_grad():
        found = {}
        for steps in (4, 16, 64, None):
            model.steps = steps
            found[steps] = float(model.bits_per_dim(x, torch.Generator().manual_seed(1)).mean())
    exact = float(exact.mean())
    assert found[4] > found[16] > found[64] > found[None] > exact - 0.01
    assert found[None] - exact < 0.02, "in the continuum nothing is lost but at the two ends"
    # The surplus of a chain over the continuum is what theory says.
    continuum = chain(model, 100_000)
    for steps in (4, 16, 64):
        surplus = (chain(model, steps) - continuum) / math.log(2)
        assert found[steps] - found[None] == pytest.approx(surplus, rel=0.03, abs=0.005)


def test_terms_are_those_of_the_definitions():
    model = OfNormalImages(times=32, bit_depth=5)
    x, _ = normal_images(model, 300)
    f = 2 * x - 1
    terms = model.terms(x, torch.Generator().manual_seed(0))
    end = model.gamma(torch.ones(1).double()).flatten()
    alpha2, sigma2 = torch.sigmoid(-end), torch.sigmoid(end)
    prior = torch.distributions.kl_divergence(
        torch.distributions.Normal(alpha2.sqrt() * f, sigma2.sqrt()), torch.distributions.Normal(0.0, 1.0)
    )
    torch.testing.assert_close(terms.prior, prior.flatten(1).sum(1))
    # -log P(x | z_0) by a softmax over levels, at the same z_0: its noise is drawn first.
    start = model.gamma(torch.zeros(1).double()).flatten()
    alpha, sigma = torch.sigmoid(-start).sqrt(), torch.sigmoid(start).sqrt()
    z = alpha * f + sigma * torch.randn(f.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    levels = torch.linspace(-1, 1, 32).double()
    logits = torch.distributions.Normal(alpha * levels, sigma).log_prob(z[..., None])
    index = (x * 31).round().long()[..., None]
    wanted = -logits.log_softmax(-1).gather(-1, index).flatten(1).sum(1)
    torch.testing.assert_close(terms.reconstruction, wanted, rtol=1e-4, atol=1e-4)  # levels in single precision
    assert float(terms.diffusion.mean().detach()) / model.dims == pytest.approx(chain(model, 100_000), rel=0.02)
    total = -(terms.prior + terms.reconstruction + terms.diffusion)
    torch.testing.assert_close(total, model.log_likelihood(x, torch.Generator().manual_seed(0)))


def test_gradients_in_the_image_are_those_of_finite_differences():
    model = small(times=2).eval()
    torch.nn.init.normal_(model.denoiser.leave.weight, std=0.1)
    x = (torch.rand(2, 1, 8, 8, dtype=torch.float64) * 0.8 + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: model(x, torch.Generator().manual_seed(0)), x)


def test_more_levels_of_noise_make_the_measure_steadier_and_do_not_move_it():
    x = torch.rand(1, 1, 8, 8, dtype=torch.float64)

    def found(times):
        model = small(times=times).eval()
        return torch.stack([model(x, torch.Generator().manual_seed(seed)).detach() for seed in range(60)])

    few, many = found(1), found(16)
    assert float(many.std()) < float(few.std()) / 4
    assert float((few.mean() - many.mean()).abs()) < 4 * float(few.std()) / 60**0.5


def test_in_training_a_batch_has_one_level_of_noise_an_image_spread_evenly():
    model, seen = small(), []
    model.find_noise = lambda z, t: (seen.append(t), torch.zeros_like(z))[1]
    model.train()(torch.rand(8, 1, 8, 8).double())
    (t,) = seen
    assert torch.equal((t.sort().values * 8).floor(), torch.arange(8).double())
    model.eval()(torch.rand(8, 1, 8, 8).double())
    assert len(seen) == 1 + model.times


def test_samples_of_the_best_guess_are_normal_images():
    model = OfNormalImages(bit_depth=8)
    drawn = 2 * model.sample(200, 200, torch.Generator().manual_seed(0)) - 1
    assert float(drawn.mean()) == pytest.approx(model.mean, abs=0.01)
    assert float(drawn.std()) == pytest.approx(model.sd, rel=0.03)
    torch.testing.assert_close(((drawn + 1) / 2 * 255).round(), (drawn + 1) / 2 * 255)


def test_it_is_fitted_as_any_density(tmp_path):
    from simplebits import data

    digits = data.load("digits", "train")
    model = small(bit_depth=4).float()
    settings = {"batch_size": 32, "progress": False, "learning_rate": 3e-3, "warm_up": 0, "bf16": False}
    history = fit(model, digits, steps=40, checkpoint=tmp_path / "c", **settings)
    assert sum(history.losses[-10:]) < 0.9 * sum(history.losses[:10])
    longer = fit(small(bit_depth=4).float(), digits, steps=44, checkpoint=tmp_path / "c", **settings)
    assert longer.losses[:40] == history.losses and len(longer.losses) == 44


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="multiple of 4"):
        Diffusion(width=8, image_size=10)
    with pytest.raises(ValueError, match="multiple of 8"):
        Diffusion(width=9)
    with pytest.raises(ValueError, match="times"):
        Diffusion(times=0)
    with pytest.raises(ValueError, match="steps"):
        small().sample(1, 0)

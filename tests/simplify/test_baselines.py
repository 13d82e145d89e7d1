"""What SimpleBits is compared with: blur against a direct convolution, JPEG against its own rules, squared error."""

import io
import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import nn

import simplebits as sb
from simplebits.data import synthetic, to_bytes
from simplebits.density import DensityModel, mean_bits
from simplebits.networks import ResidualUNet
from simplebits.simplify import BLUR_SIGMAS, JPEG_QUALITIES, blur, fit_mse_simplifier, jpeg


def noise(n=2, size=16, channels=3, seed=0):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(seed))


# Blur


@pytest.mark.parametrize("sigma", [0.2, 1.0, 2.2])
@pytest.mark.parametrize("channels", [1, 3])
def test_blur_equals_a_reflecting_gaussian_filter_of_fifteen_pixels(sigma, channels):
    x = noise(channels=channels)
    expected = np.stack(
        [[gaussian_filter(c, sigma, mode="mirror", radius=7) for c in image] for image in x.double().numpy()]
    )
    torch.testing.assert_close(blur(x, sigma), torch.from_numpy(expected).float(), atol=1e-5, rtol=0)


def test_blur_with_another_kernel_equals_a_direct_convolution():
    x = noise(1, 9, 1)
    weights = torch.exp(-0.5 * (torch.arange(-2, 3) / 0.8).square())
    weights = weights / weights.sum()
    padded = nn.functional.pad(x, [2] * 4, mode="reflect")[0, 0]
    expected = torch.zeros(9, 9)
    for i in range(5):
        for j in range(5):
            expected += weights[i] * weights[j] * padded[i : i + 9, j : j + 9]
    torch.testing.assert_close(blur(x, 0.8, kernel=5)[0, 0], expected)


@pytest.mark.parametrize("sigma", BLUR_SIGMAS)
def test_blur_leaves_constants_as_they_are_and_stays_in_range(sigma):
    x = torch.tensor([0.0, 0.37, 1.0])[:, None, None, None].expand(3, 3, 16, 16)
    torch.testing.assert_close(blur(x, sigma), x, atol=1e-6, rtol=0)
    y = blur(noise().round(), sigma)
    assert y.min() >= 0 and y.max() <= 1


def test_more_blur_leaves_less_contrast():
    spreads = [float(blur(noise(8), sigma).std()) for sigma in BLUR_SIGMAS]
    assert spreads == sorted(spreads, reverse=True) and spreads[-1] < 0.3 * spreads[0]


def test_the_grids_are_the_papers():
    assert list(BLUR_SIGMAS) == pytest.approx([*np.linspace(0.2, 1.5, 14), *np.linspace(1.6, 2.2, 7)])
    assert JPEG_QUALITIES == (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 30, 40, 60, 80, 100)


# JPEG


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [0, 1, 10, 75, 100])
def test_jpeg_is_encoded_once_and_read_back(quality, channels):
    x = noise(channels=channels)
    y = jpeg(x, quality)
    assert y.shape == x.shape and y.dtype == x.dtype and y.is_contiguous()
    for image, result in zip(to_bytes(x), y, strict=True):
        file = io.BytesIO()
        pixels = image.permute(1, 2, 0).numpy()
        Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(file, "JPEG", quality=quality)
        expected = np.atleast_3d(np.asarray(Image.open(file)))
        torch.testing.assert_close(result, torch.tensor(expected).permute(2, 0, 1) / 255)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_higher_quality_brings_a_smaller_error(channels):
    x = sb.data.load("photos", "test").draw(20).to_float(32, channels)
    errors = [float((jpeg(x, quality) - x).square().mean()) for quality in JPEG_QUALITIES]
    assert all(later <= 1.02 * earlier for earlier, later in itertools.pairwise(errors))
    assert errors[-1] < 0.1 * errors[0]


def test_images_of_a_batch_do_not_mix():
    x = noise(3)
    assert torch.equal(jpeg(x, 20)[1:2], jpeg(x[1:2], 20)) and torch.equal(blur(x, 1.0)[1:2], blur(x[1:2], 1.0))


# Squared error


class Dark(DensityModel):
    """The brighter, the more bits: 8 for black."""

    def __init__(self):
        super().__init__(8)
        self.weight = nn.Parameter(torch.tensor(30.0))

    def log_density(self, g):
        return -self.weight * (g + 0.5).flatten(1).sum(1)


def unet(**options):
    torch.manual_seed(0)
    return ResidualUNet(4, 2, **({"merge": 1.0} | options))


QUICK = {"batch_size": 8, "learning_rate": 1e-2, "progress": False}


@pytest.mark.parametrize("bf16", [False, True])
def test_without_a_price_it_stays_at_the_identity_and_with_one_bits_fall(bf16):
    images, density = synthetic(40, 8), Dark()
    x, changes, bits = images.to_float(), {}, {}
    for bit_weight in (0.0, 0.05, 5.0):
        simplifier = unet()
        losses = fit_mse_simplifier(simplifier, density, images, steps=30, bit_weight=bit_weight, bf16=bf16, **QUICK)
        assert len(losses) == 30 and not simplifier.training and density.weight.grad is None
        simple = simplifier(x).detach()
        changes[bit_weight], bits[bit_weight] = float((simple - x).abs().mean()), mean_bits(density, simple)
    before = mean_bits(density, x)
    assert changes[0.0] < 0.02 and bits[0.0] == pytest.approx(before, rel=0.02)
    assert bits[5.0] - 8 < 0.3 * (before - 8) < bits[0.05] - 8 < 0.95 * (before - 8)
    assert changes[5.0] > changes[0.05] > changes[0.0]


def test_the_loss_is_the_weighted_mean_of_squared_error_and_bits():
    class Still(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.tensor(0.25))

        def forward(self, x):
            return x + self.shift

    black = synthetic(8, 8).subset([0] * 8)
    black = type(black)(torch.zeros_like(black.images), black.labels, black.classes, "black")
    (loss,) = fit_mse_simplifier(
        Still(), Dark(), black, steps=1, bit_weight=3.0, mse_weight=7.0, batch_size=64, bf16=False, progress=False
    )
    # Uniform noise of one grey level on top: mean (0.25 + u/255)^2.
    squared = 0.25**2 + 0.25 / 255 + 1 / 255**2 / 3
    bits = 8 + 30 * 0.25 / np.log(2)
    assert loss == pytest.approx((7 * squared + 3 * bits) / 10, rel=5e-3)


@pytest.mark.parametrize(("cool_down", "steps_taken"), [(0.0, 4), (0.75, 1 + 1 + 2 / 3 + 1 / 3)])
def test_the_rate_falls_to_zero_over_the_last_steps(cool_down, steps_taken):
    class Level(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.tensor(0.25))

        def forward(self, x):
            return 0 * x + self.shift

    # The bits of one level fall evenly with it: Adam's step is the rate itself.
    level, options = Level(), {"mse_weight": 1e-6, "weight_decay": 0.0, "bf16": False} | QUICK
    fit_mse_simplifier(level, Dark(), synthetic(8, 8), steps=4, cool_down=cool_down, **options)
    assert 0.25 - level.shift.item() == pytest.approx(options["learning_rate"] * steps_taken, rel=1e-3)


def test_the_same_seed_gives_the_same_simplifier_whatever_else_is_drawn():
    results = []
    for seed in (3, 3, 4):
        simplifier = unet()
        before = torch.random.get_rng_state()
        fit_mse_simplifier(simplifier, Dark(), synthetic(20, 8), steps=3, bf16=False, seed=seed, clip=1.0, **QUICK)
        assert torch.equal(torch.random.get_rng_state(), before)
        results.append(torch.cat([p.detach().flatten() for p in simplifier.parameters()]))
        torch.rand(3)
    assert torch.equal(results[0], results[1]) and not torch.equal(results[0], results[2])


def test_it_resumes_to_the_same_simplifier(tmp_path):
    options = QUICK | {"bf16": False, "checkpoint_every": 2}
    fit = lambda net, steps, **more: fit_mse_simplifier(net, Dark(), synthetic(20, 8), steps=steps, **options, **more)  # noqa: E731
    whole, cut, again = unet(), unet(), unet(merge=0.5)  # what is read back replaces other weights
    losses = fit(whole, 5)
    fit(cut, 3, checkpoint=tmp_path / "c")
    assert fit(again, 5, checkpoint=tmp_path / "c") == losses
    for p, q in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(p, q)
    assert fit(unet(), 5, checkpoint=tmp_path / "c") == losses  # done already: read back
    with pytest.raises(ValueError, match=r"another training: bit_weight=1.0 there, 2.0 here"):
        fit(unet(), 5, checkpoint=tmp_path / "c", bit_weight=2.0)


def test_a_simplifier_that_gives_half_precision_is_welcome():
    plain = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Sigmoid())
    losses = fit_mse_simplifier(plain, sb.density.load("glow-16px"), synthetic(8, 16), steps=2, **QUICK)
    assert np.isfinite(losses).all()


def test_images_are_brought_to_the_densitys_size():
    losses = fit_mse_simplifier(unet(), Dark(), synthetic(8, 20), steps=1, **QUICK)
    assert np.isfinite(losses[0])


def test_a_loss_that_is_not_finite_stops_it():
    density = Dark()
    density.weight.data.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="loss is nan at step 0; lower the learning rate"):
        fit_mse_simplifier(unet(), density, synthetic(8, 8), steps=2, **QUICK)


# Wrong use


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"x": [1.0]}, TypeError, "^x: "),
        ({"x": noise() * 255}, ValueError, "^x: values must lie in"),
        ({"x": noise()[0]}, ValueError, "^x: expected shape"),
        ({"sigma": 0.0}, ValueError, "^sigma=0.0"),
        ({"sigma": -1.0}, ValueError, "^sigma=-1.0"),
        ({"kernel": 4}, ValueError, "^kernel=4: give an odd number below 32"),
        ({"kernel": 33}, ValueError, "^kernel=33: give an odd number below 32"),
        ({"kernel": 3.0}, ValueError, "^kernel=3.0"),
    ],
)
def test_wrong_blurs_are_refused_by_name(wrong, error, message):
    with pytest.raises(error, match=message):
        blur(**({"x": noise(), "sigma": 1.0} | wrong))


def test_the_largest_kernel_that_the_message_allows_works():
    assert blur(noise(), 1.0, kernel=31).shape == (2, 3, 16, 16)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"x": "x"}, TypeError, "^x: "),
        ({"x": noise() - 1}, ValueError, "^x: values must lie in"),
        ({"x": noise(channels=2)}, ValueError, "^x: .*1 or 3 channels.*got 2"),
        ({"quality": -1}, ValueError, "^quality=-1"),
        ({"quality": 101}, ValueError, "^quality=101"),
        ({"quality": 50.0}, ValueError, "^quality=50.0"),
    ],
)
def test_wrong_qualities_and_images_are_refused_by_name(wrong, error, message):
    with pytest.raises(error, match=message):
        jpeg(**({"x": noise(), "quality": 50} | wrong))


@pytest.mark.unchecked
@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"batch_size": 0}, {"bit_weight": -1.0}, {"mse_weight": 0.0}, {"seed": "a"}]
)
def test_wrong_settings_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}="):
        fit_mse_simplifier(unet(), Dark(), synthetic(8, 8), **({"steps": 1} | QUICK | wrong))


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"simplifier": nn.Identity()}, ValueError, "^simplifier: Identity has no parameters"),
        ({"simplifier": "unet"}, TypeError, "^simplifier: expected a torch.nn.Module, got str"),
        ({"density": "glow"}, TypeError, "^density: expected a DensityModel, got str"),
        ({"images": noise()}, TypeError, "^images: expected an ImageSet, got Tensor"),
        ({"images": synthetic(8, 8).subset(torch.arange(0))}, ValueError, "^images: holds 0; give at least 1"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(wrong, error, message):
    given = {"simplifier": unet(), "density": Dark(), "images": synthetic(8, 8)} | wrong
    with pytest.raises(error, match=message):
        fit_mse_simplifier(**given, steps=1, **QUICK)

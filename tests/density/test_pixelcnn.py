"""PixelCNN: its probabilities, what each pixel is predicted from, its derivatives and its samples."""

import itertools
import math

import pytest
import torch

from simplebits.density import PixelCNN, fit
from simplebits.density.pixelcnn import SMALLEST_LOG_SCALE


def small(seed=0, **options):
    torch.manual_seed(seed)
    return PixelCNN(**{"width": 6, "blocks": 3, "mixture": 2, "image_size": 4, "bit_depth": 3} | options).double()


@pytest.mark.parametrize(("size", "channels", "bit_depth"), [(2, 2, 1), (2, 1, 3), (1, 3, 3), (3, 1, 1)])
def test_probabilities_of_all_images_sum_to_one(size, channels, bit_depth):
    model = small(image_size=size, channels=channels, bit_depth=bit_depth)
    levels = torch.linspace(0, 1, 2**bit_depth, dtype=torch.float64).tolist()
    images = torch.tensor(list(itertools.product(levels, repeat=channels * size**2)), dtype=torch.float64)
    images = images.view(-1, channels, size, size)
    assert float(model.log_likelihood(images).exp().sum().detach()) == pytest.approx(1, abs=1e-12)
    # As a density, the probability of a bin is spread over it: 2^b per dimension times its width is 1.
    spread = model.log_density(model.dequantise(images)) - model.dims * bit_depth * math.log(2)
    torch.testing.assert_close(spread, model.log_likelihood(images))


def test_a_pixel_is_predicted_from_all_pixels_before_it_and_no_other():
    model = small(image_size=5, channels=3)
    y = torch.rand(1, 3, 5, 5, dtype=torch.float64) * 2 - 1

    def predicted(y):
        mixture = model.mixture_of(y)
        return torch.cat([part.flatten(1, -3) for part in mixture], dim=1).sum((0, 1))

    slopes = torch.autograd.functional.jacobian(predicted, y)[:, :, 0].abs().sum(2).view(25, 25)
    assert bool((slopes.triu() == 0).all()), "neither itself nor a later pixel"
    assert bool((slopes.tril(-1) > 0)[torch.ones(25, 25).tril(-1) > 0].all()), "no blind spot"


def test_a_colour_is_predicted_from_the_colours_before_it():
    model = small(channels=3)
    y = (torch.rand(1, 3, 4, 4, dtype=torch.float64) * 2 - 1).requires_grad_()
    means = model.mixture_of(y.detach()).means_given(y)
    for colour in range(3):
        (slope,) = torch.autograd.grad(means[:, :, colour].sum(), y, retain_graph=True, allow_unused=True)
        assert bool((slope[:, colour:] == 0).all())
        assert bool((slope[:, :colour] != 0).all())


def test_bits_are_those_of_bins_computed_plainly():
    model = small(channels=2)
    x = torch.randint(0, 8, (3, 2, 4, 4)).double() / 7
    y = 2 * x - 1
    mixture = model.mixture_of(y)
    means, scales = mixture.means_given(y), mixture.log_scales.exp()
    upper = torch.where(y[:, None] > 0.99, torch.inf, y[:, None] + 1 / 7)
    lower = torch.where(y[:, None] < -0.99, -torch.inf, y[:, None] - 1 / 7)
    bins = torch.sigmoid((upper - means) / scales) - torch.sigmoid((lower - means) / scales)
    each = (mixture.logits.softmax(1) * bins.prod(2)).sum(1)
    wanted = -each.log2().sum((1, 2)) / model.dims
    torch.testing.assert_close(model.bits_per_dim(x), wanted)


def test_gradients_in_the_image_are_those_of_finite_differences():
    model = small(channels=3)
    x = (torch.rand(2, 3, 4, 4, dtype=torch.float64) * 0.6 + 0.2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: model(x), x)
    assert torch.autograd.gradgradcheck(lambda x: model(x).sum(), x[:1].detach().requires_grad_())


def test_bits_need_no_noise_and_stay_finite_where_the_prediction_is_narrow():
    model = small(channels=3)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.fill_(2 * SMALLEST_LOG_SCALE)  # as narrow as it gets, far from most values
    x = torch.randint(0, 8, (4, 3, 4, 4)).double() / 7
    bits = model.bits_per_dim(x, torch.Generator().manual_seed(1), draws=3)
    assert torch.isfinite(bits).all()
    assert torch.equal(bits, model.bits_per_dim(x))
    # In single precision too, and for the gradient.
    single, y = model.float(), x.float().requires_grad_()
    (slope,) = torch.autograd.grad(single(y).sum(), y)
    assert torch.isfinite(slope).all()


def test_samples_lie_on_the_levels_and_follow_what_is_predicted():
    model = small(image_size=2, channels=1, bit_depth=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    images = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4))).double().view(-1, 1, 2, 2)
    wanted = model.log_likelihood(images).exp()
    drawn = model.sample(4000, torch.Generator().manual_seed(0))
    assert drawn.shape == (4000, 1, 2, 2) and set(drawn.unique().tolist()) <= {0.0, 1.0}
    which = (drawn.view(-1, 4) * torch.tensor([8.0, 4, 2, 1]).double()).sum(1).long()
    counts = torch.bincount(which, minlength=16) / 4000
    assert float((counts - wanted).abs().max().detach()) < 0.03  # about four standard errors of a share of one half
    again = model.sample(5, torch.Generator().manual_seed(0))
    assert torch.equal(again, model.sample(5, torch.Generator().manual_seed(0)))


def test_it_is_fitted_as_any_density_and_goes_on_from_a_checkpoint(tmp_path):
    from simplebits import data

    digits = data.load("digits", "train")
    settings = {"steps": 30, "batch_size": 8, "progress": False, "learning_rate": 1e-2, "warm_up": 0, "bf16": False}
    whole, parted = (small(channels=1, image_size=8, bit_depth=4).float() for _ in range(2))
    history = fit(whole, digits, **settings)
    assert sum(history.losses[-5:]) < 0.8 * sum(history.losses[:5])
    fit(parted, digits, **settings | {"steps": 12}, checkpoint=tmp_path / "c")
    with pytest.raises(ValueError, match="another"):
        fit(
            small(width=8, channels=1, image_size=8, bit_depth=4).float(), digits, **settings, checkpoint=tmp_path / "c"
        )
    prolonged = small(channels=1, image_size=8, bit_depth=4).float()
    fit(prolonged, digits, **settings, checkpoint=tmp_path / "c")
    x = digits.draw(4, 0).to_float(8, 1)
    with torch.no_grad():
        assert float(prolonged(x).mean()) < float(parted(x).mean())


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="width"):
        PixelCNN(width=0)
    with pytest.raises(ValueError, match="n="):
        small().sample(0)
    with pytest.raises(ValueError, match="expected shape"):
        small()(torch.rand(2, 3, 5, 5).double())

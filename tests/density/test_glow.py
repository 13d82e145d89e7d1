"""The whole Glow: exact inverse, exact determinant, a density that integrates to one, derivatives of both orders."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simplebits.density import DensityModel, Glow, GlowStep, bits_of, mean_bits, quantise, squeeze, unsqueeze

from .test_glow_step import awake


def small(dtype=torch.float64, **options):
    options = {"levels": 2, "steps": 2, "hidden": 8, "image_size": 8} | options
    return awake(Glow(**options, generator=torch.Generator().manual_seed(0)).to(dtype))


def images(n=3, size=8, dtype=torch.float64, seed=0):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_parameter_counts_are_those_of_the_public_models():
    count = lambda **options: sum(p.numel() for p in Glow(**options).parameters())  # noqa: E731
    assert count(levels=3, steps=8, hidden=128) == 1_624_608
    assert count(levels=3, steps=6, hidden=128) == 1_219_992
    assert count(levels=3, steps=32, hidden=512) == 44_155_008


def test_latents_have_the_papers_shapes():
    assert Glow(steps=1, hidden=4).latent_shapes() == [(6, 16, 16), (12, 8, 8), (48, 4, 4)]


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@pytest.mark.parametrize("scale_floor", [0.0, 0.1])
def test_decoding_inverts_encoding(dtype, bound, scale_floor):
    model = small(dtype, scale_floor=scale_floor)
    x = images(dtype=dtype)
    model.initialise(images(20, dtype=dtype, seed=1))
    assert (model.decode(model.encode(x)) - x).abs().max() < bound


def test_log_det_equals_the_jacobians():
    model, g = small(), images(1)[0] - 0.5
    flat = lambda v: torch.cat([z.flatten() for z in model.flow_forward(v[None])[0]])  # noqa: E731
    jacobian = torch.func.jacrev(flat)(g).reshape(192, 192)
    torch.testing.assert_close(model.flow_forward(g[None])[1][0], torch.linalg.slogdet(jacobian)[1], atol=1e-6, rtol=0)


def test_the_density_integrates_to_one():
    """By importance sampling: the model at a higher temperature covers p everywhere, so the estimate is sharp."""
    model = awake(Glow(levels=1, steps=2, hidden=4, image_size=2, channels=1).double())
    generator = torch.Generator().manual_seed(0)
    z = 1.3 * torch.randn(40_000, 4, 1, 1, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        g = model.flow_inverse([z])
        log_det = model.flow_forward(g)[1]
        log_q = log_det - (0.5 * (z / 1.3).square() + 0.5 * math.log(2 * math.pi) + math.log(1.3)).flatten(1).sum(1)
        weight = torch.exp(model.log_density(g) - log_q)
    assert abs(weight.mean() - 1) < 4 * weight.std() / len(weight) ** 0.5
    assert weight.std() / len(weight) ** 0.5 < 0.01


class Uniform(DensityModel):
    """Knows nothing: density one everywhere."""

    def log_density(self, g):
        return g.new_zeros(len(g))


class Triangle(DensityModel):
    """Density 2 (g + 1/2) on [-1/2, 1/2) in every dimension: dark levels are rare. Bins have known probabilities."""

    def log_density(self, g):
        return (2 * (g + 0.5)).log().flatten(1).sum(1)


@pytest.mark.parametrize("bit_depth", [1, 5, 8])
def test_bits_of_known_densities(bit_depth):
    x = quantise(images(4), bit_depth)
    torch.testing.assert_close(
        Uniform(8, 3, bit_depth).bits_per_dim(x), torch.full((4,), float(bit_depth), dtype=torch.float64)
    )
    level = (x * (2**bit_depth - 1)).round()
    mass = (2 * level + 1) / 4**bit_depth  # integral of the triangle over the level's bin
    exact = -mass.log2().flatten(1).mean(1)
    bound = Triangle(8, 3, bit_depth).bits_per_dim(x, torch.Generator().manual_seed(0), draws=400)
    assert bool((bound > exact - 0.01).all()), "noise gives an upper bound of the bits (Jensen)"
    assert bool((bound - exact < 0.3).all()), "and not a loose one"


def test_probabilities_of_all_images_sum_to_one():
    """1-bit grey images of 2x2 pixels: 2^4 of them, each bin integrated over a fine grid of noise."""
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4).reshape(16, 1, 2, 2)
    points = (torch.arange(200, dtype=torch.float64) + 0.5) / 400  # of one bin, which is half wide
    per_pixel = torch.stack([(2 * (v / 2 + points)).mean() / 2 for v in torch.tensor([0.0, 1.0])])
    total = per_pixel[x.long()].flatten(1).prod(1).sum()
    assert abs(total - 1) < 1e-9


def test_bits_are_the_formula():
    model, x = small(), images()
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(7), dtype=x.dtype) / 256
    by_hand = 8 - model.log_density(x * 255 / 256 - 0.5 + noise) / (192 * math.log(2))
    torch.testing.assert_close(model.bits_per_dim(x, torch.Generator().manual_seed(7)), by_hand)


def test_more_draws_scatter_less():
    model, x = small(), images(1)

    def scatter(draws):
        measured = [model.bits_per_dim(x, torch.Generator().manual_seed(s), draws=draws) for s in range(30)]
        return torch.stack(measured).std()

    with torch.no_grad():
        assert scatter(16) < 0.5 * scatter(1)


def test_first_and_second_derivatives_match_finite_differences():
    model, x = small(), images(1)[:, :, :, :].requires_grad_()
    bits = lambda v: model.bits_per_dim(v, torch.Generator().manual_seed(0))  # noqa: E731
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(5), dtype=x.dtype)
    grad = torch.autograd.grad(bits(x).sum(), x, create_graph=True)[0]
    h = 1e-5
    with torch.no_grad():
        finite = (bits(x + h * direction) - bits(x - h * direction)) / (2 * h)
    torch.testing.assert_close((grad * direction).sum(), finite.sum(), rtol=1e-6, atol=1e-8)
    second = torch.autograd.grad((grad * direction).sum(), x)[0]
    slope = lambda v: torch.autograd.grad(bits(v).sum(), v)[0]  # noqa: E731
    finite = (
        slope((x + h * direction).detach().requires_grad_()) - slope((x - h * direction).detach().requires_grad_())
    ) / (2 * h)
    torch.testing.assert_close(second, finite, rtol=1e-4, atol=1e-6)


def test_per_image_gradients_by_vmap():
    model, x = small(), images(3)
    g = model.centre(x)
    each = torch.func.vmap(torch.func.grad(lambda v: model.log_density(v[None])[0]))(g)
    g.requires_grad_()
    torch.testing.assert_close(each, torch.autograd.grad(model.log_density(g).sum(), g)[0])


def test_quantising_rounds_forward_and_passes_gradients_through():
    x = images(1).requires_grad_()
    y = quantise(x, 3)
    assert torch.allclose(y * 7, (y * 7).round())
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.ones_like(x))


def test_samples_are_images_and_cold_ones_are_simpler():
    model = small(torch.float32)
    model.initialise(images(50, dtype=torch.float32) * 0.5)
    cold, warm = (model.sample(8, t, torch.Generator().manual_seed(0)) for t in (0.0, 1.0))
    assert cold.shape == (8, 3, 8, 8) and warm.min() >= 0 and warm.max() <= 1
    assert torch.allclose(cold, cold[:1].expand_as(cold)) and warm.std(0).mean() > 0.01


def test_data_dependent_start_standardises_every_step():
    model = Glow(levels=2, steps=3, hidden=8, image_size=8)
    x = torch.rand(200, 3, 8, 8, generator=torch.Generator().manual_seed(0)) ** 3
    for start in ("pca", "orthogonal"):
        model.initialise(x, start=start, generator=torch.Generator().manual_seed(0))
        latents = model.encode(x)
        for z in latents:
            assert z.mean().abs() < 0.02 and abs(z.std() - 1) < 0.05
        first = model.flow[0][0]
        assert isinstance(first, GlowStep)
    weight = model.flow[0][0].conv1x1.weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(12), atol=1e-4, rtol=1e-4)


def test_the_pca_start_beats_random_rotations_on_smooth_images():
    coarse = torch.rand(300, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    x = quantise(torch.nn.functional.interpolate(coarse, (8, 8), mode="bilinear"))
    bits = {}
    for start in ("pca", "orthogonal"):
        model = Glow(levels=2, steps=4, hidden=8, image_size=8, generator=torch.Generator().manual_seed(0))
        model.initialise(x, start=start, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            bits[start] = float(model.bits_per_dim(x, torch.Generator().manual_seed(1)).mean())
    assert bits["pca"] < bits["orthogonal"] - 0.5


BAD = {
    "bytes": (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "dtype"),
    "whole numbers": (torch.zeros(2, 3, 8, 8, dtype=torch.int64), "dtype"),
    "not a batch": (torch.zeros(3, 8, 8), r"add a batch axis with x\[None\]"),
    "empty": (torch.zeros(0, 3, 8, 8), "empty"),
    "grey": (torch.zeros(2, 1, 8, 8), r"\['n', 3, 8, 8\]"),
    "large": (torch.zeros(2, 3, 16, 16), r"\['n', 3, 8, 8\]"),
    "not a number": (torch.full((2, 3, 8, 8), float("nan")), "NaN"),
    "infinite": (torch.full((2, 3, 8, 8), float("inf")), r"\[0, 1\]"),
    "0 to 255": (torch.full((2, 3, 8, 8), 255.0), r"\[0, 1\]"),
    "standardised": (torch.full((2, 3, 8, 8), -0.42), r"\[0, 1\]"),
}


@pytest.mark.unchecked
@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("call", ["bits_per_dim", "log_likelihood", "encode", "initialise"])
def test_unchecked_is_refused_with_argument_and_remedy(case, call):
    x, message = BAD[case]
    with pytest.raises(ValueError, match=message) as caught:
        getattr(Glow(levels=2, steps=1, hidden=4, image_size=8), call)(x)
    assert str(caught.value).startswith("x:")


@pytest.mark.unchecked
def test_other_wrong_use_is_refused():
    model, x = Glow(levels=2, steps=1, hidden=4, image_size=8), torch.zeros(2, 3, 8, 8)
    with pytest.raises(TypeError, match="torch.Tensor"):
        model.bits_per_dim([[0.0]])
    with pytest.raises(ValueError, match="draws"):
        model.bits_per_dim(x, draws=0)
    with pytest.raises(ValueError, match="latents"):
        model.decode(model.encode(x)[:1])
    with pytest.raises(ValueError, match="of one n"):
        model.decode([z[: 1 + level] for level, z in enumerate(model.encode(x))])
    for call in (model.bits_per_dim, model.encode, model.initialise):
        with pytest.raises(ValueError, match=r"x: expected torch.float32 on cpu.*got torch.float64"):
            call(x.double())
    for depth in (0, 9, 2.5):
        with pytest.raises(ValueError, match="bit_depth"):
            quantise(x, depth)
    with pytest.raises(ValueError, match="dtype"):
        quantise(x.byte())
    with pytest.raises(ValueError, match="temperature=-1.0"):
        model.sample(2, -1.0)
    with pytest.raises(ValueError, match="temperature=inf"):
        model.sample(2, float("inf"))
    with pytest.raises(TypeError, match="generator: expected a torch.Generator, got int"):
        model.bits_per_dim(x, 0)
    with pytest.raises(TypeError, match="latents: expected a sequence, got Tensor"):
        model.decode(x)
    with pytest.raises(TypeError, match=r"latents\[0\]: expected a torch.Tensor"):
        model.decode(["z"])
    with pytest.raises(ValueError, match="n=0"):
        model.sample(0)
    with pytest.raises(ValueError, match="did you mean 'pca'"):
        model.initialise(x, start="pcaa")
    with pytest.raises(ValueError, match="at least two"):
        model.initialise(x[:1])
    for options in (
        {"levels": 4},
        {"levels": 10**9},
        {"levels": 0},
        {"scale_floor": 1.0},
        {"channels": 1.5},
        {"hidden": -1},
        {"bit_depth": 9},
        {"image_size": 0},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            Glow(**({"levels": 2, "steps": 1, "hidden": 4, "image_size": 8} | options))


@pytest.mark.unchecked
@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 3, 8, 4), (3, 8, 8), (2, 3, 8), ()])
def test_loops_have_shapes_named_and_values_not_looked_at(shape):
    model = Glow(levels=2, steps=1, hidden=4, image_size=8)
    for call, name in ((model, "x"), (model.flow_forward, "g"), (model.log_density, "g")):
        with pytest.raises(ValueError, match=f"^{name}: expected shape "):
            call(torch.zeros(shape))
        with pytest.raises(TypeError, match=f"^{name}: expected a torch.Tensor"):
            call([0.0])
    with pytest.raises(TypeError, match="generator: expected a torch.Generator, got int"):
        model(torch.zeros(2, 3, 8, 8), 0)
    assert model(torch.full((2, 3, 8, 8), 3.0)).isfinite().all()
    with pytest.raises(ValueError, match="x: expected torch.float32 on cpu, as the model's weights, got torch.float64"):
        model(torch.zeros(2, 3, 8, 8).double())


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: squeeze(x[0]), r"x: expected shape \[n, c, h, w\], got \[3, 8, 8\]; add a batch axis"),
        (lambda x: squeeze(x[..., 1:]), "x: 8x7 pixels do not part"),
        (lambda x: unsqueeze(x), "y: 3 channels do not divide by 4"),
        (lambda x: bits_of(Glow(1, 1, 4, 8), x, batch_size=0), "batch_size=0"),
        (lambda x: bits_of(Glow(1, 1, 4, 8), x, seed=-1), "seed=-1"),
        (lambda x: bits_of(Glow(1, 1, 4, 8), x + 2), r"x: values must lie in \[0, 1\]"),
        (lambda x: mean_bits(Glow(1, 1, 4, 8), x[:, :1]), r"x: expected shape \['n', 3, 8, 8\]"),
        (lambda x: Glow(1, 1, 4, 8).centre(x.byte()), "x: expected floating point values"),
    ],
)
def test_what_cannot_be_measured_or_folded_is_refused(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call(torch.zeros(2, 3, 8, 8))


def test_bits_of_many_images_are_those_of_the_model_by_the_batch():
    model, x = small(torch.float32), images(5, dtype=torch.float32)
    noise = torch.Generator().manual_seed(3)
    by_hand = [model.bits_per_dim(part, noise, quantised=True) for part in x.split(2)]
    torch.testing.assert_close(bits_of(model, x, seed=3, batch_size=2), torch.cat(by_hand))
    assert mean_bits(model, x, 3) == pytest.approx(float(bits_of(model, x, 3).mean()))


@settings(max_examples=25)
@given(n=st.integers(1, 3), level=st.integers(0, 255), seed=st.integers(0, 1000), depth=st.integers(1, 8))
def test_every_valid_image_has_finite_bits_and_comes_back(n, level, seed, depth):
    model = small(torch.float32, bit_depth=depth, scale_floor=0.1)
    x = torch.where(
        images(n, dtype=torch.float32, seed=seed) < 0.5,
        torch.tensor(level / 255),
        images(n, dtype=torch.float32, seed=seed + 1),
    )
    bits = model.bits_per_dim(x, torch.Generator().manual_seed(seed), quantised=True)
    assert bits.shape == (n,) and bool(torch.isfinite(bits).all())
    assert (model.decode(model.encode(x)) - x).abs().max() < 1e-4


@pytest.mark.unchecked
@settings(max_examples=40)
@given(
    shape=st.lists(st.integers(0, 9), min_size=0, max_size=5),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool]),
    value=st.sampled_from([0.0, 1.0, -1.0, 2.0, 255.0, float("nan"), float("inf")]),
)
def test_whatever_is_not_a_batch_of_images_is_refused_by_name(shape, dtype, value):
    model = Glow(levels=1, steps=1, hidden=4, image_size=8)
    x = torch.full(shape, value).to(dtype)
    fits = (
        shape[1:] == [3, 8, 8] and len(shape) == 4 and shape[0] > 0 and dtype == torch.float32 and value in (0.0, 1.0)
    )
    if fits:
        assert model.bits_per_dim(x).shape == (shape[0],)
    else:
        with pytest.raises(ValueError, match="^x: "):
            model.bits_per_dim(x)

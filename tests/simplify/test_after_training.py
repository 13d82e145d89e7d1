"""Simplification after training: what is zero at the start, independence of images, both spaces, behaviour, errors."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from simplebits.density import DensityModel, Diffusion, Glow, PixelCNN, quantise
from simplebits.networks import ConvNet
from simplebits.simplify import after_training_loss, simplify_after_training
from simplebits.simplify.after_training_loss import after_training_terms
from simplebits.simplify.gates import gate_distance, gate_gradients, kl_divergence

FEW = {"start": "image", "learning_rate": 3e-2, "bit_weight": 0.3, "gradient_weight": 1.0, "prediction_weights": (3, 3)}


def images(n=3, channels=3, size=8, dtype=torch.float64, seed=0):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def small_glow(channels=3, size=8):
    glow = Glow(
        levels=2, steps=2, hidden=4, image_size=size, channels=channels, generator=torch.Generator().manual_seed(0)
    )
    glow.initialise(images(20, channels, size, torch.float32, seed=1), generator=torch.Generator().manual_seed(0))
    return glow.double().eval()


class Flat(DensityModel):
    """Bits grow with the squared distance from mid-grey; no latents."""

    def log_density(self, g):
        return -10 * g.square().flatten(1).sum(1)


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ConvNet(3, 3, 8, depth=2, width=4, norm="batch").double()
        net.train()(images(20, seed=2))
    return net.eval()


def test_nothing_is_lost_at_the_original(net):
    x = images()
    loss = after_training_loss(net, small_glow(), x, x, x, 0.9)
    for term in (loss.gradient, loss.prediction, loss.scaled_prediction):
        torch.testing.assert_close(term, torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    assert loss.bits.shape == (3,) and (loss.bits > 0).all()


def test_the_loss_is_the_weighted_mean_of_its_written_out_terms(net):
    glow, x, mixed, simplified = small_glow(), images(), images(seed=3), images(seed=4)
    scaled = copy.deepcopy(net)
    for p in scaled.parameters():
        p.data *= 0.8

    def kl(a, b):
        return (a.softmax(1) * (a.log_softmax(1) - b.log_softmax(1))).sum(1)

    target = net(x).detach()
    wanted, gates = (gate_gradients(net, y, target, 0.8)[0] for y in (x, mixed))
    for which in ("original", "mixed"):
        if which == "mixed":
            gates, _ = gate_gradients(net, mixed, net(mixed), 0.8)
        loss = after_training_loss(
            net, glow, x, mixed, simplified, 0.8, bit_weight=2.0, gradient_weight=5.0, prediction_weights=(1.0, 4.0),
            reference=which, generator=torch.Generator().manual_seed(7),
        )  # fmt: skip
        u = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(7)).double()
        bits = 8 - glow.log_density(simplified * 255 / 256 - 0.5 + u / 256) / (192 * math.log(2))
        terms = [gate_distance(gates, wanted), kl(target, net(mixed)), kl(scaled(x), scaled(mixed)), bits]
        found = [loss.gradient, loss.prediction, loss.scaled_prediction, loss.bits]
        for ours, expected in zip(found, terms, strict=True):
            torch.testing.assert_close(ours, expected)
        total = (5 * terms[0] + terms[1] + 4 * terms[2] + 2 * terms[3]) / 12
        torch.testing.assert_close(loss.total, total)


def test_the_first_step_is_adams_on_the_loss(net):
    """A loop of one iteration has s = 0.95 and alpha = 1, so that it can be written out."""
    glow, x = small_glow(), images()
    result = simplify_after_training(net, glow, x, steps=1, learning_rate=0.01, bit_weight=0.0)
    z = [torch.zeros_like(level, requires_grad=True) for level in glow.encode(x)]
    y = glow.decode(z)
    loss = after_training_loss(net, glow, x, y, y, 0.95, bit_weight=0.0)
    assert result.history["gradient"][0].tolist() == pytest.approx(loss.gradient.tolist())
    slopes = torch.autograd.grad(loss.total.sum(), z)
    # Adam's first step is the rate times the sign, where the slope is not as small as its epsilon.
    expected = glow.decode([-0.01 * slope / (slope.abs() + 1e-8) for slope in slopes])
    torch.testing.assert_close(result.images, expected.detach(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("space", ["latents", "pixels"])
@pytest.mark.parametrize("method", ["vmap", "loop"])
def test_an_image_does_not_depend_on_the_others(net, space, method):
    glow, x = small_glow(), images(4)
    options = FEW | {"steps": 4, "space": space, "method": method, "seed": 5}
    together = simplify_after_training(net, glow, x, batch_size=3, **options)
    for i in (0, 3):
        alone = simplify_after_training(net, glow, x[i : i + 1], **options)
        torch.testing.assert_close(alone.images[0], together.images[i], atol=1e-6, rtol=0)
        torch.testing.assert_close(alone.history["bits"][:, 0], together.history["bits"][:, i], atol=1e-6, rtol=0)


def test_vmap_equals_the_loop(net):
    glow, x = small_glow(), images(2)
    a, b = (
        simplify_after_training(net, glow, x, steps=4, method=m, reference="mixed", **FEW) for m in ("vmap", "loop")
    )
    torch.testing.assert_close(a.images, b.images, atol=1e-6, rtol=0)


def test_the_rate_falls_to_zero_in_the_last_share(net, monkeypatch):
    rates = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self: rates.append(self.param_groups[0]["lr"]) or step(self))
    simplify_after_training(net, small_glow(), images(1), steps=4, learning_rate=0.1, cool_down=0.5)
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.05])


def test_what_is_returned_is_measured_on_the_returned_images(net):
    glow, x = small_glow(), images()
    result = simplify_after_training(net, glow, x, steps=3, keep_every=2, **FEW)
    assert result.images.min() >= 0 and result.images.max() <= 1
    torch.testing.assert_close(result.kl, kl_divergence(net(x), net(result.images)).detach())
    assert torch.equal(result.predicted_after, net(result.images).argmax(1))
    assert torch.equal(result.predicted_before, net(x).argmax(1))
    assert result.frame_steps == (0, 2, 3) and torch.equal(result.frames[-1], result.images)
    torch.testing.assert_close(result.frames[0], x, atol=1e-6, rtol=0)
    assert {name: values.shape for name, values in result.history.items()} == dict.fromkeys(
        ("bits", "gradient", "prediction", "scaled_prediction"), (3, 3)
    )


def test_the_last_iteration_has_no_interpolation_and_the_upper_scale(net):
    """From zero, x_mix of the last iteration is the same for all images: the latents' mean."""
    glow, x = small_glow(), images()
    result = simplify_after_training(net, glow, x, steps=1)
    mean = glow.decode([torch.zeros_like(z) for z in glow.encode(x)])
    expected = kl_divergence(net(x), net(mean)).detach()
    torch.testing.assert_close(result.history["prediction"][0], expected)
    wide = simplify_after_training(net, glow, x, steps=1, scale=(0.1, 0.95))
    torch.testing.assert_close(wide.history["scaled_prediction"], result.history["scaled_prediction"])


def test_pixels_start_mid_grey_or_at_the_image(net):
    x = images()
    for start, expected in (("zero", torch.full_like(x, 128 / 255)), ("image", x)):
        result = simplify_after_training(net, Flat(8).double(), x, space="pixels", start=start, steps=1, keep_every=1)
        torch.testing.assert_close(result.frames[0], expected)


@pytest.mark.parametrize("space", ["latents", "pixels"])
def test_bits_fall_and_the_prediction_stays(net, space):
    glow, x = small_glow(), images(4)
    result = simplify_after_training(net, glow, x, steps=40, space=space, **FEW)
    assert (result.bits_after < result.bits_before - 0.3).all()
    assert result.kl.max() < 0.02 and torch.equal(result.predicted_before, result.predicted_after)
    assert not result.not_finite.any()


def test_without_weight_on_bits_nothing_moves_from_the_image(net):
    glow, x = small_glow(), images(2)
    still = simplify_after_training(net, glow, x, steps=5, **(FEW | {"bit_weight": 0.0, "gradient_weight": 0.0}))
    free = simplify_after_training(net, glow, x, steps=5, **FEW)
    torch.testing.assert_close(still.images, x, atol=1e-9, rtol=0)
    assert (free.images - x).abs().mean() > (still.images - x).abs().mean()
    assert (free.bits_after < still.bits_after).all()


def test_gradients_that_are_not_finite_are_zeroed_for_their_image_alone(net):
    class Broken(Flat):
        def log_density(self, g):
            # An image with a bright corner has a slope of nan there.
            corner = g[:, 0, 0, 0]
            return super().log_density(g) + 0 * torch.where(corner > 0.4, corner - corner, corner + 1).sqrt()

    x = images(2) * 0.5
    x[0, 0, 0, 0] = 1.0
    broken = simplify_after_training(net, Broken(8).double(), x, space="pixels", steps=3, **FEW)
    whole = simplify_after_training(net, Flat(8).double(), x, space="pixels", steps=3, **FEW)
    assert broken.not_finite.tolist() == [3, 0]
    torch.testing.assert_close(broken.images[0], x[0])
    torch.testing.assert_close(broken.images[1], whole.images[1])


def test_networks_are_left_as_they_were(net):
    glow, x = small_glow(), images(2)
    net.train()
    net.features[1].eval()
    held = copy.deepcopy((net.state_dict(), glow.state_dict()))
    modes = [layer.training for layer in net.modules()]
    simplify_after_training(net, glow, x, steps=2)
    for network, before in zip((net, glow), held, strict=True):
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
        assert all(p.grad is None and p.requires_grad for p in network.parameters())
    assert modes == [layer.training for layer in net.modules()]


def test_a_classifier_of_other_images_sees_them_prepared():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        grey = ConvNet(3, 1, 12, depth=2, width=4).double().eval()

    class Grey(nn.Module):
        """A change of the input with a parameter of its own, which is not to be scaled."""

        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.ones((), dtype=torch.float64))

        def forward(self, x):
            return self.gain * F.interpolate(x.mean(1, keepdim=True), 12)

    x = images(2)
    a = simplify_after_training(grey, small_glow(), x, prepare=Grey(), steps=3, **FEW)
    b = simplify_after_training(
        grey, small_glow(), x, prepare=lambda y: F.interpolate(y.mean(1, keepdim=True), 12), steps=3, **FEW
    )
    torch.testing.assert_close(a.images, b.images)
    torch.testing.assert_close(a.probabilities_before, grey(F.interpolate(x.mean(1, keepdim=True), 12)).softmax(1))


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(net, tmp_path, monkeypatch):
    glow, x, file = small_glow(), images(2), tmp_path / "run.safetensors"
    options = FEW | {"steps": 6, "keep_every": 2, "checkpoint": file, "checkpoint_every": 3}
    whole = simplify_after_training(net, glow, x, **(options | {"checkpoint": None}))
    steps = []

    def killed(*arguments, **settings):
        steps.append(1)
        if len(steps) == 6:
            raise KeyboardInterrupt
        return after_training_terms(*arguments, **settings)

    monkeypatch.setattr("simplebits.simplify.after_training_step.after_training_terms", killed)
    with pytest.raises(KeyboardInterrupt):
        simplify_after_training(net, glow, x, **options)
    steps.append(1)
    resumed = simplify_after_training(net, glow, x, **options)
    assert len(steps) == 6 + 1 + 3  # the last three steps alone
    assert torch.equal(resumed.images, whole.images) and resumed.frame_steps == whole.frame_steps == (
        0,
        2,
        4,
        6,
    )
    assert all(torch.equal(a, b) for a, b in zip(resumed.frames, whole.frames, strict=True))
    assert all(torch.equal(resumed.history[name], whole.history[name]) for name in whole.history)
    with pytest.raises(ValueError, match="belongs to another training: bit_weight=0.3 there, 1.0 here"):
        simplify_after_training(net, glow, x, **(options | {"bit_weight": 1.0}))
    with pytest.raises(ValueError, match="belongs to another training: parts="):
        simplify_after_training(net, glow, images(2, seed=9), **options)


def test_a_checkpoint_is_of_these_statistics_and_this_prepare(net, tmp_path):
    x = images(2)
    options = FEW | {"steps": 2, "checkpoint": tmp_path / "run.safetensors", "checkpoint_every": 1}
    simplify_after_training(net, small_glow(), x, **options)
    with pytest.raises(ValueError, match="belongs to another run: .* behind prepare, gives these images other logits"):
        simplify_after_training(net, small_glow(), x, prepare=lambda y: y.flip(1), **options)
    simplify_after_training(net, small_glow(), x, prepare=lambda y: y, **options)  # the same, said otherwise
    net = copy.deepcopy(net)
    next(buffer for buffer in net.buffers() if buffer.is_floating_point()).add_(1e-9)
    with pytest.raises(ValueError, match="belongs to another training: parts="):
        simplify_after_training(net, small_glow(), x, **options)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_differentiates_wherever_it_is_called(net, mode):
    expected = simplify_after_training(net, small_glow(), images(2), steps=2, **FEW)
    glow = small_glow()
    with mode():
        found = simplify_after_training(net, glow, images(2), steps=2, **FEW)
    assert torch.equal(found.images, expected.images) and not found.images.is_inference()


class Pair(nn.Module):
    """Gives more than logits."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x), x


def test_the_seed_decides(net):
    glow, x = small_glow(), images(2)
    one, again, other = (simplify_after_training(net, glow, x, steps=3, seed=s, **FEW).images for s in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bit_weight": -1}, "bit_weight=-1: give a number of at least 0"),
        ({"gradient_weight": float("nan")}, "gradient_weight=nan"),
        ({"prediction_weights": (1, -1)}, r"prediction_weights\[1\]=-1: give a number of at least 0"),
        ({"bit_weight": 0, "gradient_weight": 0, "prediction_weights": (0, 0)}, "are all 0"),
        ({"scale": (0.9, 0.8)}, r"scale=\(0.9, 0.8\): give a lower and an upper bound"),
        ({"scale": (0.0, 0.8)}, r"scale\[0\]=0.0: give a number above 0"),
        ({"steps": 0}, "steps=0"),
        ({"keep_every": 0}, "keep_every=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"learning_rate": 0}, "learning_rate=0"),
        ({"cool_down": 1.0}, "cool_down=1.0"),
        ({"space": "latent"}, "did you mean 'latents'"),
        ({"start": "zeros"}, "did you mean 'zero'"),
        ({"reference": "mix"}, "did you mean 'mixed'"),
        ({"method": "map"}, "did you mean 'vmap'"),
        ({"seed": -1}, "seed=-1"),
        ({"prediction_weights": (1, None)}, r"prediction_weights\[1\]=None: give a number"),
        ({"scale": (0.9,)}, "scale: expected 2 values, got 1"),
    ],
)
def test_wrong_settings_are_refused(net, wrong, message):
    with pytest.raises(ValueError, match=message):
        simplify_after_training(net, small_glow(), images(), **wrong)


@pytest.mark.unchecked
@pytest.mark.parametrize("name", ["scale", "prediction_weights"])
def test_one_number_is_no_pair(net, name):
    with pytest.raises(TypeError, match=f"^{name}: expected a tuple, got float"):
        simplify_after_training(net, small_glow(), images(), **{name: 0.9})


def test_old_keywords_warn_and_do_the_same(net):
    glow, x = small_glow(), images(1)
    new = simplify_after_training(net, glow, x, steps=2, keep_every=1, reference="mixed", **FEW)
    with pytest.warns(DeprecationWarning, match="is called (steps|keep_every|reference)= now"):
        old = simplify_after_training(net, glow, x, iterations=2, frame_every=1, target="mixed", **FEW)
    assert torch.equal(old.images, new.images) and len(new.frames) == 3
    with pytest.warns(DeprecationWarning, match="is called frame_steps now"):
        assert old.frame_iterations == new.frame_steps == (0, 1, 2)


@pytest.mark.unchecked
def test_the_loss_names_what_does_not_fit(net):
    glow, x = small_glow(), images()
    for wrong, message in (
        ({"mixed": images(2)}, "mixed: expected 3 images, one for each of x, got 2"),
        ({"simplified": images(size=16)}, r"simplified: expected images \[3, 8, 8\] as in x"),
        ({"simplified": images().float()}, "simplified: expected torch.float64 on cpu as x, got torch.float32"),
        ({"mixed": x * torch.nan}, "mixed: holds NaN or infinity"),
        ({"x": images(size=16)}, r"x: expected shape \['n', 3, 8, 8\]"),
        ({"classifier": nn.Sequential(nn.Flatten(), nn.Linear(7, 2)).double()}, "classifier: it does not take images"),
        ({"classifier": copy.deepcopy(net).train()}, "classifier: its batch normalisation is in training mode"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            after_training_loss(**({"classifier": net, "density": glow, "x": x, "mixed": x, "simplified": x} | wrong))


@pytest.mark.unchecked
def test_parts_that_do_not_fit_are_refused(net):
    glow, x = small_glow(), images()
    with pytest.raises(ValueError, match=r"x: expected shape \['n', 3, 8, 8\], got \[3, 3, 16, 16\]"):
        simplify_after_training(net, glow, images(size=16))
    with pytest.raises(ValueError, match=r"Flat has no latents .* space='pixels'"):
        simplify_after_training(net, Flat(8).double(), x)
    with pytest.raises(TypeError, match=r"expected a torch.nn.Module, got function"):
        simplify_after_training(lambda y: y, glow, x)
    with pytest.raises(ValueError, match=r"no parameters"):
        simplify_after_training(nn.Flatten(), glow, x)
    with pytest.raises(ValueError, match=r"its weights are torch.float32 on cpu, x is torch.float64 on cpu"):
        simplify_after_training(copy.deepcopy(net).float(), glow, x)
    with pytest.raises(ValueError, match=r"its weights are torch.float64 on meta"):
        simplify_after_training(copy.deepcopy(net).to("meta"), glow, x)
    with pytest.raises(ValueError, match=r"does not take images 3x8x8 .* give prepare="):
        simplify_after_training(nn.Sequential(nn.Flatten(), nn.Linear(7, 2)).double(), glow, x)
    with pytest.raises(ValueError, match=r"expected logits of two or more classes, got \[3, 1\]"):
        simplify_after_training(nn.Sequential(nn.Flatten(), nn.Linear(192, 1)).double(), glow, x)
    with pytest.raises(TypeError, match=r"density: expected a DensityModel, got str; simplebits.density.load"):
        simplify_after_training(net, "glow", x)
    with pytest.raises(TypeError, match=r"prepare: expected a function, got int"):
        simplify_after_training(net, glow, x, prepare=3)
    with pytest.raises(TypeError, match=r"classifier: expected logits, a tensor \[n, classes\], got tuple"):
        simplify_after_training(Pair(net), glow, x)
    by_the_batch = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.Flatten(), nn.Linear(192, 2)).double()
    with pytest.raises(ValueError, match=r"batch normalisation '0' keeps no running statistics.* track_running_stats"):
        simplify_after_training(by_the_batch, glow, x)
    broken = copy.deepcopy(net)
    broken.linear.bias.data[0] = float("inf")
    with pytest.raises(ValueError, match=r"its logits are not finite"):
        simplify_after_training(broken, glow, x)
    assert not any(layer.training for layer in broken.modules())


@pytest.mark.parametrize("kind", [PixelCNN, Diffusion])
def test_models_without_a_density_count_the_image_on_its_grey_levels(kind):
    small = {"width": 8, "image_size": 4, "bit_depth": 3}
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        model = kind(**small).requires_grad_(False).eval()
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))
    x = quantise(torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(1)), 3)

    def bits(images):
        noise = torch.Generator().manual_seed(2)
        return after_training_loss(net, model, images, images, images, 0.9, generator=noise).bits

    between = (x + 0.02).clamp(0, 1)  # less than half of the seventh between two levels
    assert torch.equal(bits(between), bits(x)), "an image between two levels counts as the nearer one"
    assert torch.allclose(bits(x[1:2]), bits(x)[1:2]), "no image counts otherwise in other company"
    if kind is PixelCNN:
        assert torch.allclose(bits(x), model.bits_per_dim(x))

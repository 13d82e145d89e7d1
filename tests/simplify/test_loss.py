"""The loss of per-instance simplification against finite differences and a plain formulation, in float64."""

import copy
import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from simplebits.data import RandomShift
from simplebits.density import Glow
from simplebits.networks import NFWideResNet, ResidualUNet, classifier_optimiser
from simplebits.simplify import bit_gate, per_instance_loss

N, CLASSES = 4, 3
OPEN = {"gate": "threshold", "threshold": 1e6}  # every gate is 1, whatever the images


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Quiet(Glow):
    """Glow whose de-quantisation adds the middle of the bin: no draws, so formulas can be compared."""

    def _dequantise(self, x, generator):
        return self.centre(x) + 0.5 / 2**self.bit_depth


class WithBatchNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4)
        self.dropout, self.linear = nn.Dropout(0.5), nn.Linear(4, CLASSES)

    def forward(self, x):
        return self.linear(self.dropout(F.elu(self.norm(self.convolution(x)))).mean((2, 3)))


def density(kind=Quiet, **options):
    model = kind(**({"levels": 2, "steps": 2, "hidden": 8, "image_size": 8} | options), generator=seeded())
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=seeded(1)))
    return model.double()


def images(n=N, size=8, seed=0):
    return 0.05 + 0.9 * torch.rand(n, 3, size, size, generator=seeded(seed), dtype=torch.float64)


LABELS = torch.tensor([0, 1, 2, 0])


def trained(net=None, steps=3, learning_rate=5e-3, dropout=0.0):
    """A classifier some steps into its training, with its optimiser."""
    torch.manual_seed(0)
    net = net or NFWideResNet(10, 1, classes=CLASSES, size=8, stem_stride=2, dropout=dropout)
    net = net.double().train()
    optimiser = classifier_optimiser(net, learning_rate, weight_decay=0.1)
    for seed in range(steps):
        F.cross_entropy(net(images(seed=seed)), LABELS).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    return net, optimiser


def still(net=None, **options):
    """An optimiser that changes nothing: f' = f."""
    net, _ = trained(net, **options)
    return net, torch.optim.AdamW(net.parameters(), lr=0.0, weight_decay=0.0)


def loss(net, optimiser, x, simplified, *, model=None, labels=LABELS, **options):
    return per_instance_loss(net, optimiser, model or density(), x, simplified, labels, **options)


def plain(net, optimiser, model, x, simplified, labels, weights, bit_weight, gates):
    """Three passes of a copy of the weights, AdamW written out, gates given: (total, before, after, original)."""
    theta = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    before = F.cross_entropy(functional_call(net, theta, (simplified,)), labels)
    gradients = torch.autograd.grad(before, list(theta.values()), create_graph=True)
    settings = {id(p): group for group in optimiser.param_groups for p in group["params"]}
    new = {}
    for (name, p), g in zip(net.named_parameters(), gradients, strict=True):
        group, state = settings[id(p)], optimiser.state[p]
        (b1, b2), t = group["betas"], float(state["step"]) + 1
        m = b1 * state["exp_avg"] + (1 - b1) * g
        v = b2 * state["exp_avg_sq"] + (1 - b2) * g**2
        moved = (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + group["eps"])
        new[name] = theta[name].detach() * (1 - group["lr"] * group["weight_decay"]) - group["lr"] * moved
    after = F.cross_entropy(functional_call(net, new, (simplified,)), labels)
    original = F.cross_entropy(functional_call(net, new, (x,)), labels, reduction="none")
    bits = model.bits_per_dim(simplified)
    total = weights[0] * before + weights[1] * after + weights[2] * original.mean() + bit_weight * (gates * bits).mean()
    return total / (sum(weights) + bit_weight), before, after, original


def slope(function, at, direction, h=1e-7):
    return float((function(at + h * direction) - function(at - h * direction)).detach() / (2 * h))


def close(value, expected, rel=1e-5):
    assert value == pytest.approx(expected, rel=rel, abs=1e-9)


# The loss and its parts


@pytest.mark.parametrize("weights", [(1.0, 1.0, 10.0), (0.5, 2.0, 0.0)])
@pytest.mark.parametrize("bit_weight", [0.7, 4.0])
def test_values_equal_a_real_step_of_a_copy(weights, bit_weight):
    net, optimiser = trained()
    x, simplified, model = images(), images(seed=7), density()
    got = loss(net, optimiser, x, simplified, model=model, weights=weights, bit_weight=bit_weight, **OPEN)
    twin, its_optimiser = copy.deepcopy((net, optimiser))
    before = F.cross_entropy(twin(simplified), LABELS)
    before.backward()
    its_optimiser.step()
    after, original = F.cross_entropy(twin(simplified), LABELS), F.cross_entropy(twin(x), LABELS, reduction="none")
    bits = model.bits_per_dim(simplified)
    parts = weights[0] * before + weights[1] * after + weights[2] * original.mean() + bit_weight * bits.mean()
    for value, expected in (
        (got.before, before),
        (got.after, after),
        (got.original, original),
        (got.bits, bits),
        (got.gate, torch.ones(N, dtype=torch.float64)),
        (got.total, parts / (sum(weights) + bit_weight)),
    ):
        torch.testing.assert_close(value, expected, atol=1e-11, rtol=0)
    assert got.total.requires_grad and not got.gate.requires_grad


@pytest.mark.parametrize("gate", [{"gate": "ramp", "threshold": 3.0}, OPEN])
def test_gradient_equals_that_of_three_separate_passes(gate):
    net, optimiser = trained()
    x, simplified, model = images(), images(seed=7).requires_grad_(), density()
    weights, bit_weight = (1.0, 2.0, 10.0), 5.0
    got = loss(net, optimiser, x, simplified, model=model, weights=weights, bit_weight=bit_weight, **gate)
    assert got.gate.min() > 0.2 and (gate is OPEN or got.gate.max() < 0.9)
    total, *_ = plain(net, optimiser, model, x, simplified, LABELS, weights, bit_weight, got.gate)
    torch.testing.assert_close(got.total, total, atol=1e-11, rtol=0)
    here, there = (torch.autograd.grad(t, simplified)[0] for t in (got.total, total))
    torch.testing.assert_close(here, there, atol=1e-11, rtol=1e-8)
    assert here.flatten(1).norm(dim=1).min() > 1e-4


@pytest.mark.parametrize("augment", [None, RandomShift(2, flip=True)])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_gradient_for_the_images_equals_finite_differences(augment, dropout):
    net, optimiser = trained(dropout=dropout)
    x, model = images(), density()

    def total(s):
        options = {"bit_weight": 3.0, "augment": augment, "generator": seeded(3), **OPEN}
        return loss(net, optimiser, x, s, model=model, **options).total

    at = images(seed=7)
    (gradient,) = torch.autograd.grad(total(at.requires_grad_()), at)
    for seed in range(4):
        direction = torch.randn(at.shape, generator=seeded(seed), dtype=torch.float64)
        close(slope(total, at.detach(), direction), float((gradient * direction).sum()))


@pytest.mark.parametrize("bit_weight", [0.0, 3.0])
def test_gradient_for_the_simplifiers_weights_equals_finite_differences(bit_weight):
    net, optimiser = trained()
    x, model = images(), density()
    torch.manual_seed(5)
    unet = ResidualUNet(4, 2, merge=0.7).double()
    nn.init.normal_(unet.last.weight, std=0.1)  # a start at zero would leave all other weights without gradient

    def total(vector):
        parts = vector.split([p.numel() for p in unet.parameters()])
        weights = {name: part.view_as(p) for part, (name, p) in zip(parts, unet.named_parameters(), strict=True)}
        simplified = functional_call(unet, weights, (x,))
        return loss(net, optimiser, x, simplified, model=model, bit_weight=bit_weight, **OPEN).total

    at = nn.utils.parameters_to_vector(unet.parameters()).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(total(at), at)
    for seed in range(3):
        direction = torch.randn(at.shape, generator=seeded(seed), dtype=torch.float64)
        close(slope(total, at.detach(), direction), float((gradient * direction).sum()), rel=1e-4)
    edges = torch.tensor([0, *(p.numel() for p in unet.parameters())]).cumsum(0)
    for first, last in itertools.pairwise(edges):  # each tensor by itself
        direction = torch.zeros_like(at)
        direction[first:last] = torch.randn(int(last - first), generator=seeded(9), dtype=torch.float64)
        close(slope(total, at.detach(), direction), float((gradient * direction).sum()), rel=1e-4)


def test_the_ramp_is_a_constant_to_the_gradient():
    net, optimiser = trained()
    x, model, at = images(), density(), images(seed=7).requires_grad_()
    parts = lambda s: loss(net, optimiser, x, s, model=model, bit_weight=5.0, threshold=3.0)  # noqa: E731
    here = parts(at)
    assert here.gate.min() > 0.1

    def frozen(s):
        p = parts(s)
        return (p.before + p.after + 10 * p.original.mean() + 5 * (here.gate * p.bits).mean()) / 17

    (gradient,) = torch.autograd.grad(here.total, at)
    moving = []
    for seed in range(3):
        direction = torch.randn(at.shape, generator=seeded(seed), dtype=torch.float64)
        close(slope(frozen, at.detach(), direction), float((gradient * direction).sum()))
        moving.append(slope(lambda s: parts(s).total, at.detach(), direction) - float((gradient * direction).sum()))
    assert max(map(abs, moving)) > 1e-6  # a gate that moved along would show


def test_single_precision_and_autocast_give_the_same_loss():
    net, optimiser = trained()
    x, simplified, model = images(), images(seed=7), density()
    exact = loss(net, optimiser, x, simplified, model=model, **OPEN)
    # Moments follow the weights: an optimiser is deep-copied with its network, then both are converted.
    net, optimiser = copy.deepcopy((net, optimiser))
    net.float()
    optimiser.load_state_dict(optimiser.state_dict())
    for autocast, bound in ((False, 1e-4), (True, 0.1)):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            got = loss(net, optimiser, x.float(), simplified.float(), model=copy.deepcopy(model).float(), **OPEN)
        assert got.total.dtype == torch.float32
        assert got.total.item() == pytest.approx(exact.total.item(), rel=bound)


# The gate


def test_gate_values():
    losses = torch.tensor([0.0, 0.025, 0.1, 0.1001, 7.0], dtype=torch.float64)
    torch.testing.assert_close(bit_gate(losses), torch.tensor([1.0, 0.75, 0.0, 0.0, 0.0], dtype=torch.float64))
    assert bit_gate(losses, gate="threshold").tolist() == [1, 1, 1, 0, 0]
    assert bit_gate(losses, threshold=14.0).tolist()[-1] == pytest.approx(0.5)


@pytest.mark.parametrize("gate", ["ramp", "threshold"])
def test_the_gate_switches_the_bit_loss_off_image_by_image(gate):
    net, optimiser = trained()
    x, model, simplified = images(), density(), images(seed=7).requires_grad_()
    weights, bit_weight = (1.0, 1.0, 10.0), 6.0
    without = loss(net, optimiser, x, simplified, model=model, bit_weight=0.0)
    threshold = without.original.sort().values[1:3].mean().item()  # two images below, two above
    within = loss(net, optimiser, x, simplified, model=model, bit_weight=bit_weight, gate=gate, threshold=threshold)
    torch.testing.assert_close(within.gate, bit_gate(without.original.detach(), threshold, gate))
    off = within.gate == 0
    assert off.sum() == 2
    (all_terms,), (classification,) = (
        torch.autograd.grad(part.total * (sum(weights) + w), simplified)
        for part, w in ((within, bit_weight), (without, 0.0))
    )
    of_bits = all_terms - classification
    (bits,) = torch.autograd.grad(model.bits_per_dim(simplified).sum(), simplified)
    assert of_bits[off].abs().max() < 1e-12
    expected = bit_weight / N * within.gate[:, None, None, None] * bits
    torch.testing.assert_close(of_bits, expected, atol=1e-11, rtol=0)
    assert expected[~off].abs().max() > 1e-4


def test_gradients_are_those_of_an_ordinary_step_on_the_simplified_images():
    net, optimiser = trained()
    x, simplified = images(), images(seed=7).requires_grad_()
    got = loss(net, optimiser, x, simplified, **OPEN)
    ordinary = torch.autograd.grad(F.cross_entropy(net(simplified), LABELS), list(net.parameters()))
    assert list(got.gradients) == list(dict(net.named_parameters()))
    for value, expected in zip(got.gradients.values(), ordinary, strict=True):
        torch.testing.assert_close(value, expected, atol=1e-12, rtol=0)
        assert not value.requires_grad


def test_no_bits_are_measured_where_nothing_depends_on_them():
    class Untouchable(Quiet):
        def log_density(self, g):
            raise AssertionError("measured all the same")

    net, optimiser = trained()
    for options in ({"bit_weight": 0.0}, {"bit_weight": 2.0, "threshold": 1e-9}):
        got = loss(net, optimiser, images(), images(seed=7), model=density(Untouchable), **options)
        assert got.bits.isnan().all() and got.bits.shape == (N,)
        parts = got.before + got.after + 10 * got.original.mean()
        torch.testing.assert_close(got.total, parts / (12 + options["bit_weight"]))


# Draws


@pytest.mark.parametrize("net", [None, "batch norm"])
@pytest.mark.parametrize("generator", [False, True])
def test_all_passes_share_one_dropout_mask(net, generator):
    net, optimiser = still(WithBatchNorm() if net else None, dropout=0.5)
    x, befores = images(), []
    torch.manual_seed(0)
    draws = seeded(1) if generator else None
    for _ in range(3):
        got = loss(net, optimiser, x, x.clone(), bit_weight=0.0, generator=draws)
        torch.testing.assert_close(got.after, got.before, atol=1e-12, rtol=0)
        torch.testing.assert_close(got.original.mean(), got.before, atol=1e-12, rtol=0)
        befores.append(got.before.item())
    assert len(set(befores)) == 3  # and there is dropout


def test_evaluation_mode_is_respected():
    net, optimiser = still(dropout=0.5)
    net.eval()
    x = images()
    got = loss(net, optimiser, x, x, bit_weight=0.0)
    torch.testing.assert_close(got.before, F.cross_entropy(net(x), LABELS))
    assert not net.training


def test_both_images_of_a_pair_are_augmented_alike_and_bits_are_measured_before():
    net, optimiser = trained()
    x, simplified, model = images(), images(seed=7), density()
    augment = RandomShift(3, flip=True)
    got = loss(net, optimiser, x, simplified, model=model, augment=augment, generator=seeded(4), **OPEN)
    moved, both = augment(seeded(4), simplified, x)
    by_hand = loss(net, optimiser, both, moved, model=model, **OPEN)
    for name in ("before", "after", "original"):
        torch.testing.assert_close(getattr(got, name), getattr(by_hand, name))
    torch.testing.assert_close(got.bits, model.bits_per_dim(simplified))
    assert not torch.allclose(got.bits, by_hand.bits)
    same = loss(*still(), x, x.clone(), augment=augment, generator=seeded(4), bit_weight=0.0)
    torch.testing.assert_close(same.original.mean(), same.after, atol=1e-12, rtol=0)


def test_noise_reaches_the_classifier_on_simplified_images_and_nothing_else():
    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.seen = nn.Linear(3, CLASSES), []

        def forward(self, x):
            self.seen.append(x.detach())
            return self.linear(x.mean((2, 3)))

    net, optimiser = trained(Watched(), steps=1)
    net.seen.clear()
    x, simplified, model = images(), images(seed=7).requires_grad_(), density()
    got = loss(net, optimiser, x, simplified, model=model, noise=0.04, generator=seeded(1), **OPEN)
    before, after, original = net.seen
    assert torch.equal(original, x) and torch.equal(before, after)
    added = before - simplified.detach()
    assert added.abs().max() <= 0.02001
    assert added.std().item() == pytest.approx(0.04 / 12**0.5, rel=0.1)
    torch.testing.assert_close(got.bits, model.bits_per_dim(simplified))
    other = loss(net, optimiser, x, simplified, model=model, noise=0.04, generator=seeded(2), **OPEN)
    assert not torch.equal(other.before, got.before) and torch.equal(other.bits, got.bits)
    # A constant to the gradient: that of the images with the noise already in them.
    shifted = before.clone().requires_grad_()
    by_hand = loss(net, optimiser, x, shifted, model=model, bit_weight=0.0)
    with_noise = loss(net, optimiser, x, simplified, model=model, bit_weight=0.0, noise=0.04, generator=seeded(1))
    torch.testing.assert_close(
        *(torch.autograd.grad(v.total, s)[0] for v, s in ((by_hand, shifted), (with_noise, simplified)))
    )


def test_a_generator_makes_it_repeatable_and_leaves_the_global_one_alone():
    net, optimiser = trained(dropout=0.5)
    options = {"augment": RandomShift(2, flip=True), "model": density(Glow), **OPEN}
    before = torch.random.get_rng_state()
    one, same, other = (
        loss(net, optimiser, images(), images(seed=7), generator=seeded(seed), **options) for seed in (3, 3, 4)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one.total, same.total) and not torch.equal(one.total, other.total)
    assert not torch.equal(one.bits, other.bits)
    torch.manual_seed(1)
    first = loss(net, optimiser, images(), images(seed=7), **options)
    second = loss(net, optimiser, images(), images(seed=7), **options)
    torch.manual_seed(1)
    again = loss(net, optimiser, images(), images(seed=7), **options)
    assert torch.equal(first.total, again.total) and not torch.equal(first.total, second.total)


# What stays as it was


@pytest.mark.parametrize("net", [None, "batch norm"])
def test_classifier_and_optimiser_are_not_changed(net):
    net, optimiser = trained(WithBatchNorm() if net else None)
    state, moments = copy.deepcopy((net.state_dict(), optimiser.state_dict()))
    simplified = images(seed=7).requires_grad_()
    got = loss(net, optimiser, images(), simplified, **OPEN)
    got.total.backward()
    assert simplified.grad.abs().max() > 0
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())  # running statistics among them
    now = optimiser.state_dict()
    assert now["param_groups"] == moments["param_groups"] and now["state"].keys() == moments["state"].keys()
    for index, values in now["state"].items():
        assert all(torch.equal(v, moments["state"][index][k]) for k, v in values.items())
    assert net.training


def test_batch_normalisation_works_as_in_three_separate_passes():
    net, optimiser = trained(WithBatchNorm())
    net.dropout.p = 0.0
    x, simplified, model = images(), images(seed=7).requires_grad_(), density()
    got = loss(net, optimiser, x, simplified, model=model, bit_weight=2.0, **OPEN)
    total, before, after, original = plain(
        net, optimiser, model, x, simplified, LABELS, (1.0, 1.0, 10.0), 2.0, got.gate
    )
    for value, expected in (
        (got.before, before),
        (got.after, after),
        (got.original, original),
        (got.total, total),
        (torch.autograd.grad(got.total, simplified)[0], torch.autograd.grad(total, simplified)[0]),
    ):
        torch.testing.assert_close(value, expected, atol=1e-11, rtol=1e-8)


def test_parameters_that_the_logits_do_not_depend_on_are_allowed():
    net = WithBatchNorm()
    net.unused = nn.Parameter(torch.ones(3))
    optimiser = torch.optim.AdamW(net.double().parameters())
    got = loss(net, optimiser, images(), images(seed=7), bit_weight=0.0)
    assert torch.isfinite(got.total)


# Wrong use


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"x": "x"}, TypeError, "^x: "),
        ({"simplified": [1.0]}, TypeError, "^simplified: "),
        ({"x": images() * 255}, ValueError, r"^x: values must lie in \[0, 1\]"),
        ({"simplified": images() - 0.5}, ValueError, r"^simplified: values must lie in \[0, 1\]"),
        ({"simplified": images() * torch.nan}, ValueError, "^simplified: holds NaN"),
        ({"simplified": images(size=16)}, ValueError, r"^simplified: expected shape .*8, 8"),
        ({"simplified": images()[:, :1]}, ValueError, r"^simplified: expected shape .*3, 8, 8"),
        ({"simplified": images(n=3)}, ValueError, r"^simplified: .*\[3, 3, 8, 8\]"),
        ({"simplified": images().float()}, ValueError, "^simplified: expected .*torch.float64.* got .*torch.float32"),
        ({"simplified": images().to("meta")}, ValueError, "^simplified: is on meta"),
        ({"classifier": nn.Linear(1, 1, device="meta")}, ValueError, "x is on cpu, the classifier on meta"),
        ({"density": density(image_size=16)}, ValueError, "^density measures images 3x16x16, x is 3x8x8"),
        ({"labels": torch.tensor([0, 1, 2, 3])}, ValueError, r"^labels: must lie in 0 \.\. 2 .*got 3"),
        ({"labels": torch.tensor([0, 1, 2, -1])}, ValueError, "^labels: .* from 0, got -1"),
        ({"labels": LABELS[:3]}, ValueError, r"^labels: expected an int64 tensor \[4\]"),
        ({"labels": LABELS.float()}, ValueError, r"^labels: .*float32"),
        ({"bit_weight": -1.0}, ValueError, "^bit_weight=-1.0"),
        ({"bit_weight": float("nan")}, ValueError, "^bit_weight=nan"),
        ({"noise": -0.1}, ValueError, "^noise=-0.1"),
        ({"threshold": 0.0}, ValueError, "^threshold=0.0"),
        ({"gate": "step"}, ValueError, "^gate='step'"),
        ({"weights": (1.0, 1.0)}, ValueError, "^weights: expected 3 values, got 2"),
        ({"weights": None}, TypeError, "^weights: expected a tuple, got NoneType"),
        ({"weights": ("a", 1, 1)}, ValueError, r"^weights\[0\]='a'"),
        ({"augment": 4}, TypeError, "^augment: expected a RandomShift, got int"),
        ({"weights": (1.0, 1.0, -1.0)}, ValueError, r"^weights\[2\]=-1.0"),
        ({"weights": (0.0, 0.0, 0.0), "bit_weight": 0.0}, ValueError, "^weights="),
        ({"weights": (1.0, 1.0, float("nan"))}, ValueError, r"^weights\[2\]=nan"),
        (
            {"optimiser": torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)},
            TypeError,
            "^optimiser: .*AdamW, got SGD",
        ),
        (
            {"optimiser": torch.optim.AdamW([nn.Parameter(torch.ones(1))])},
            ValueError,
            "^optimiser: it does not hold features.stem",
        ),
    ],
)
def test_wrong_use_is_refused_by_name(wrong, error, message):
    net, optimiser = trained(steps=0)
    right = {
        "classifier": net, "optimiser": optimiser, "density": density(), "x": images(), "simplified": images(seed=7),
        "labels": LABELS,
    }  # fmt: skip
    with pytest.raises(error, match=message):
        per_instance_loss(**(right | wrong))


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("net", "error", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(7, 3)), ValueError, "^classifier: it does not take images 3x8x8"),
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 1), nn.Flatten(0)), ValueError, r"^classifier: .*\[1, classes\]"),
        (nn.LSTM(8, 3), ValueError, "^classifier: it does not take images 3x8x8"),
    ],
)
def test_a_classifier_of_other_images_or_without_logits_is_named(net, error, message):
    optimiser = torch.optim.AdamW(net.double().parameters())
    with pytest.raises(error, match=message):
        loss(net, optimiser, images(), images(seed=7))

"""SimpleBits' loop: starts at the identity, lowers bits but not accuracy, resumes exactly, tells of a collapse."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import simplebits as sb
from simplebits import _files
from simplebits.data import ImageSet, RandomShift, synthetic, to_bytes
from simplebits.density import DensityModel, Glow, mean_bits, quantise
from simplebits.networks import NFWideResNet, ResidualUNet, accuracy
from simplebits.simplify import (
    CollapseError,
    SimplifyWhileTraining,
    Stage,
    per_instance_loss,
    step,
)
from simplebits.simplify.loss import loss_terms

TERMS = ("total", "before", "after", "original", "gate", "bits")
QUIET = {"batch_size": 8, "progress": False}


class Dark(DensityModel):
    """The brighter, the more bits: 8 for black, and no draws. NaN on chosen calls."""

    def __init__(self, size=8, broken=(), channels=3, bit_depth=8):
        super().__init__(size, channels, bit_depth)
        self.weight = nn.Parameter(torch.tensor(30.0))
        self.broken, self.calls = set(broken), 0

    def _dequantise(self, x, generator):
        return self.centre(x)

    def log_density(self, g):
        self.calls += 1
        return -(math.nan if self.calls - 1 in self.broken else 1.0) * self.weight * (g + 0.5).flatten(1).sum(1)


class Fader(nn.Module):
    """A simplifier of one weight: how bright. The start is the identity but for two thousandths."""

    def __init__(self, start=6.0):
        super().__init__()
        self.level = nn.Parameter(torch.tensor(start))

    def forward(self, x):
        return x * torch.sigmoid(self.level)


class Painter(nn.Module):
    """Paints everything in one colour."""

    def __init__(self):
        super().__init__()
        self.colour = nn.Parameter(torch.tensor([2.0, -2.0, 0.0]))

    def forward(self, x):
        return torch.sigmoid(self.colour)[:, None, None] + 0 * x


def shapes(n=24, seed=0, size=8, channels=3):
    images = synthetic(n, size, seed)
    return ImageSet(images.images[:, :channels], images.labels, images.classes, images.name)


def classifier(classes=4, size=8, seed=0, **options):
    torch.manual_seed(seed)
    return NFWideResNet(10, 1, classes=classes, size=size, stem_stride=2, **options)


def unet(seed=1, filters=4, **options):
    torch.manual_seed(seed)
    return ResidualUNet(filters, 2, **({"merge": 1.0} | options))


def glow(seed=0, bit_depth=5):
    return Glow(2, 2, 8, 8, bit_depth=bit_depth, generator=torch.Generator().manual_seed(seed))


def trainer(density=None, *, simplifier=None, net=None, **options):
    """Gates open from the start, so that bits count in every step."""
    defaults = {"bit_weight": 2.0, "threshold": 1e3, "bf16": False, "augment": RandomShift(1), "seed": 3}
    return SimplifyWhileTraining(net or classifier(), simplifier or unet(), density or glow(), **(defaults | options))


def weights_of(run):
    return torch.cat([p.detach().flatten() for m in (run.classifier, run.simplifier) for p in m.parameters()])


def assert_same(one, two):
    """Bit for bit: weights, moments, history, kept images."""
    assert torch.equal(weights_of(one), weights_of(two))
    for name in ("classifier_optimiser", "simplifier_optimiser"):
        here, there = (getattr(run, name).state_dict()["state"] for run in (one, two))
        assert here.keys() == there.keys()
        for index, moments in here.items():
            assert all(torch.equal(value, there[index][key]) for key, value in moments.items())
    described = [repr(vars(run.history) | {"seconds": 0}) for run in (one, two)]  # by repr: NaN equals NaN
    assert described[0] == described[1] and one.step == two.step
    assert [step for step, _ in one.kept] == [step for step, _ in two.kept]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(one.kept, two.kept, strict=True))


# What it is for


def one_pixel(n, seed):
    """Drawn pictures in which a single pixel says the class: white, or black."""
    images = synthetic(n, 16, seed, kinds=("shapes", "strokes")).images // 2
    labels = torch.randint(2, (n,), generator=torch.Generator().manual_seed(seed))
    images[:, :, 8, 8] = (255 * labels).to(torch.uint8)[:, None]
    return ImageSet(images, labels, ("black", "white"), f"one pixel/{seed}")


@pytest.fixture(scope="module")
def pixel_runs():
    """From one warm-up: lambda 0 and lambda 4; images before and after, bits and accuracies."""
    train, test, density = one_pixel(400, 0), one_pixel(100, 1), sb.density.load("glow-16px")
    base = SimplifyWhileTraining(
        classifier(2, 16, dropout=0.0), unet(filters=8, pool=4), density, threshold=0.3, clip=0.3,
        learning_rate=2e-3, simplifier_learning_rate=3e-3, simplifier_betas=(0.9, 0.99), augment=None, noise=1.0,
        bf16=False,
    )  # fmt: skip
    options = {"steps": 80, "batch_size": 16, "warm_up": 60, "test": test, "collapse_patience": None}
    return test, density, base.sweep(train, [0.0, 4.0], progress=False, **options)


def test_without_a_price_bits_stay(pixel_runs):
    test, density, runs = pixel_runs
    before, after = mean_bits(density, test.to_float()), runs[0.0].history.measured[-1]
    assert after["bits"] == pytest.approx(before, rel=0.1)
    assert after["accuracy_original"] >= 0.95 and after["accuracy_simplified"] >= 0.95


def test_a_price_lowers_bits_and_keeps_the_pixel_that_the_task_needs(pixel_runs):
    test, density, runs = pixel_runs
    before, after = mean_bits(density, test.to_float()), runs[4.0].history.measured[-1]
    assert after["bits"] < 0.8 * before
    assert after["accuracy_original"] >= 0.95 and after["accuracy_simplified"] >= 0.95
    simple = runs[4.0].simplify(test)
    white, black = (simple.images[simple.labels == label].float() for label in (1, 0))
    kept = (white[:, :, 8, 8].mean() - black[:, :, 8, 8].mean()) / 255
    elsewhere = simple.images[:, :, :8].float().std() / test.images[:, :, :8].float().std()
    assert kept > 0.3 and elsewhere < 0.75


# One step


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("depth", [5, 8])
def test_a_step_descends_the_loss_and_then_trains_on_what_the_simplifier_makes(reuse, depth):
    one = shapes(1, seed=5).subset([0] * 8)  # eight times one image: which are drawn makes no difference
    options = {"bit_weight": 3.0, "weights": (1.0, 2.0, 5.0), "clip": 0.01, "augment": None, "reuse_gradient": reuse}
    run = trainer(Dark(bit_depth=depth), net=classifier(dropout=0.0), **options)
    net, simplifier = copy.deepcopy((run.classifier, run.simplifier))
    adamw = torch.optim.AdamW(
        [
            {"params": [p for n, p in net.named_parameters() if not n.endswith("bias")], "weight_decay": 1e-5},
            {"params": [p for n, p in net.named_parameters() if n.endswith("bias")], "weight_decay": 0.0},
        ],
        lr=5e-4,
        betas=(0.9, 0.995),
    )
    adam = torch.optim.Adam(simplifier.parameters(), lr=5e-4, betas=(0.5, 0.99), weight_decay=5e-5)
    x = one.to_float()
    for _ in range(2):
        old = quantise(simplifier(x), depth)
        loss = per_instance_loss(
            net, adamw, Dark(bit_depth=depth), x, old, one.labels, bit_weight=3.0, threshold=1e3,
            weights=(1.0, 2.0, 5.0),
        )  # fmt: skip
        adam.zero_grad()
        loss.total.backward()
        nn.utils.clip_grad_norm_(simplifier.parameters(), 0.01)
        adam.step()
        adamw.zero_grad()
        F.cross_entropy(net((old if reuse else quantise(simplifier(x), depth)).detach()), one.labels).backward()
        adamw.step()
    history = run.fit(one, steps=2, **QUIET)
    expected = torch.cat([p.detach().flatten() for m in (net, simplifier) for p in m.parameters()])
    torch.testing.assert_close(weights_of(run), expected, atol=2e-5, rtol=0)
    for name in TERMS:
        assert history.terms[name][-1] == pytest.approx(getattr(loss, name).detach().mean().item(), abs=1e-4)


def test_both_networks_see_one_draw_of_the_augmentation_in_a_step():
    class Watching(RandomShift):
        states = []  # noqa: RUF012 - no field

        def __call__(self, generator, *batches):
            self.states.append(generator.get_state())
            return super().__call__(generator, *batches)

    watching = Watching(2)
    trainer(augment=watching).fit(shapes(), steps=3, **QUIET)
    states = watching.states
    assert len(states) == 6
    assert all(torch.equal(a, b) for a, b in zip(states[::2], states[1::2], strict=True))
    assert not torch.equal(states[0], states[2])


def test_the_global_generator_is_left_alone():
    run = trainer(augment=RandomShift(1, flip=True))
    before = torch.random.get_rng_state()
    run.fit(shapes(), steps=2, **QUIET)
    assert torch.equal(torch.random.get_rng_state(), before)


class Watched(nn.Module):
    """A cheap classifier that remembers what it saw."""

    def __init__(self):
        super().__init__()
        self.linear, self.seen = nn.Linear(3, 4), []

    def forward(self, x):
        self.seen.append(x.detach())
        return self.linear(x.mean((2, 3)))


@pytest.mark.parametrize("depth", [5, 8])
def test_noise_is_counted_in_grey_levels_of_the_density_and_lies_on_simplified_images_only(depth):
    white = ImageSet(torch.full((8, 3, 8, 8), 255, dtype=torch.uint8), torch.zeros(8).long(), tuple("abcd"), "white")
    run = trainer(Dark(bit_depth=depth), net=Watched(), simplifier=Fader(20.0), augment=None, noise=2.0)
    run.fit(white, steps=1, collapse_patience=None, **QUIET)
    width = 2 / (2**depth - 1)
    before, after, original, trained_on = run.classifier.seen
    assert torch.equal(original, torch.ones(8, 3, 8, 8)) and torch.equal(before, after)
    for x in (before, trained_on):
        assert -0.5001 <= (x.min() - 1) / width < -0.45 and 0.45 < (x.max() - 1) / width <= 0.5001


def test_rates_fall_to_zero_at_the_end_if_asked_to(monkeypatch):
    rates, real = [], step.update_classifier

    def watched(networks, gradients):
        optimisers = (networks.classifier_optimiser, networks.simplifier_optimiser)
        rates.append([group["lr"] for optimiser in optimisers for group in optimiser.param_groups])
        return real(networks, gradients)

    monkeypatch.setattr(step, "update_classifier", watched)
    run = trainer(Dark(), net=Watched(), simplifier=Fader(), learning_rate=0.1, simplifier_learning_rate=0.01)
    run.fit(shapes(), steps=10, cool_down=0.5, **QUIET)
    shares = [1.0] * 6 + [0.8, 0.6, 0.4, 0.2]
    assert [r[0] for r in rates] == [r[1] for r in rates] == pytest.approx([0.1 * s for s in shares])
    assert [r[2] for r in rates] == pytest.approx([0.01 * s for s in shares])
    rates.clear()
    run.fit(shapes(), steps=12, **QUIET)
    assert rates == [[0.1, 0.1, 0.01]] * 2


def test_a_reused_gradient_would_leave_running_statistics_behind():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 4))
    with pytest.raises(ValueError, match="reuse_gradient"):
        trainer(Dark(), net=net, simplifier=Fader(), reuse_gradient=True)


# Simplified images


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("merge", [0.0, 1.0])
def test_the_start_is_the_identity_on_the_densitys_grid(merge, bf16):
    images = shapes(120)
    for depth, expected in ((8, images.images), (5, to_bytes(quantise(images.to_float(), 5)))):
        run = trainer(Dark(bit_depth=depth), simplifier=unet(merge=merge), bf16=bf16)
        assert torch.equal(run.simplify(images).images, expected)
        x = images.to_float() * 0.9
        assert (run.simplify(x) - x).abs().max() <= 1e-3 + 0.5 / (2**depth - 1) + 1e-6


def test_simplified_images_are_on_the_grid_of_the_last_density_and_keep_their_labels():
    images = shapes(7)
    run = trainer([Stage(Dark()), Stage(Dark(bit_depth=5))], simplifier=Fader(0.3))
    simple = run.simplify(images)
    assert (
        isinstance(simple, ImageSet) and torch.equal(simple.labels, images.labels) and simple.classes == images.classes
    )
    assert simple.name == "synthetic/0, simplified"
    x = run.simplify(images.to_float())
    assert not x.requires_grad and torch.equal(to_bytes(x), simple.images)
    torch.testing.assert_close(x * 31, (x * 31).round(), atol=1e-4, rtol=0)
    large = run.simplify(shapes(5, size=20, channels=1))  # brought to the density's size and channels
    assert large.images.shape == (5, 3, 8, 8)


def test_grey_images_stay_grey_where_all_parts_are():
    density = Dark(channels=1)
    run = trainer(density, net=classifier(channels=1), simplifier=unet(channels=1))
    run.fit(shapes(), steps=2, test=shapes(4), **QUIET)
    assert run.simplify(shapes(3)).images.shape == (3, 1, 8, 8)


@pytest.mark.parametrize("training", [False, True])
def test_simplify_works_in_evaluation_mode_and_puts_the_mode_back(training):
    simplifier = nn.Sequential(Fader(), nn.Dropout(0.9))
    run, x = trainer(simplifier=simplifier), shapes(3).to_float()
    simplifier.train(training)
    assert torch.equal(run.simplify(x), run.simplify(x))
    assert simplifier.training is training and simplifier[1].training is training


def test_a_simplifier_that_gives_half_precision_is_welcome():
    plain = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Sigmoid())  # does not cast its output
    images, run = shapes(6), trainer(simplifier=plain, bf16=True)
    history = run.fit(shapes(), steps=2, test=images, keep=images, **QUIET)
    assert history.skipped == 0 and math.isfinite(history.measured[-1]["bits"])
    simple = run.simplify(images.to_float())
    assert simple.dtype == torch.float32 and torch.equal(to_bytes(simple), run.simplify(images).images)
    torch.testing.assert_close(simple * 31, (simple * 31).round(), atol=1e-4, rtol=0)


# Runs


def test_history_measurements_and_kept_images():
    test, keep, run = shapes(10, seed=2), shapes(3, seed=4), trainer()
    history = run.fit(shapes(), steps=7, test=test, measure_every=3, keep=keep, keep_every=3, **QUIET)
    assert history is run.history and run.step == 7
    assert list(history.terms) == list(TERMS) and all(len(values) == 7 for values in history.terms.values())
    assert all(math.isfinite(v) for values in history.terms.values() for v in values)
    assert history.skipped == 0 and history.collapsed is None and history.seconds > 0
    assert [m["step"] for m in history.measured] == [3, 6, 7]
    assert [step for step, _ in run.kept] == [0, 3, 6, 7]
    assert torch.equal(run.kept[0][1], to_bytes(quantise(keep.to_float(), 5)))
    assert torch.equal(run.kept[-1][1], run.simplify(keep).images)
    assert not run.classifier.training and not run.simplifier.training
    simple = run.simplify(test).to_float()
    last = history.measured[-1]
    assert last["accuracy_original"] == accuracy(run.classifier, test.to_float(), test.labels)
    assert last["accuracy_simplified"] == accuracy(run.classifier, simple, test.labels)
    assert last["bits"] == pytest.approx(mean_bits(run.density, simple), abs=1e-5)
    spread = lambda x: x.flatten(1).std(1).mean()  # noqa: E731
    assert last["contrast"] == pytest.approx(float(spread(simple) / spread(test.to_float())), abs=0.05)


def test_by_default_images_are_kept_at_the_start_and_at_the_end():
    run = trainer(Dark(), simplifier=Fader())
    run.fit(shapes(), steps=2, keep=shapes(2), test=shapes(4), **QUIET)
    assert [step for step, _ in run.kept] == [0, 2] and [m["step"] for m in run.history.measured] == [2]


def test_no_bits_are_asked_for_while_the_gates_are_shut():
    density = Dark()
    history = trainer(density, threshold=1e-6).fit(shapes(), steps=2, **QUIET)
    assert all(math.isnan(v) for v in history.terms["bits"]) and density.calls == 0 and history.skipped == 0


def test_stages_follow_each_other_in_the_order_and_shares_given(monkeypatch):
    coarse, fine = Dark(bit_depth=5), Dark()
    seen = []

    def watched(net, optimiser, density, *args, bit_weight, **options):
        seen.append((density, bit_weight))
        return loss_terms(net, optimiser, density, *args, bit_weight=bit_weight, **options)

    monkeypatch.setattr(step, "loss_terms", watched)
    run = trainer([Stage(coarse, 1.0, 4.0), Stage(fine, 3.0, 0.5)], simplifier=Fader(), bit_weight=2.0)
    run.fit(shapes(), steps=8, test=shapes(4), collapse_patience=None, **QUIET)
    assert [density is fine for density, _ in seen] == [False] * 2 + [True] * 6
    assert [weight for _, weight in seen] == [8.0] * 2 + [1.0] * 6
    assert run.density is fine
    assert run.history.measured[-1]["bits"] == pytest.approx(mean_bits(fine, run.simplify(shapes(4)).to_float()))


def test_the_classifier_may_be_warmed_up_first():
    cold, warm = (trainer(net=classifier(2), learning_rate=3e-3) for _ in range(2))
    cold.fit(bright_or_dark(), steps=1, **QUIET)
    warm.fit(bright_or_dark(), steps=1, warm_up=20, **QUIET)
    assert warm.history.terms["before"][0] < 0.5 * cold.history.terms["before"][0]
    assert warm.step == 1 and len(warm.history.terms["total"]) == 1
    assert float(warm.classifier_optimiser.state[warm.classifier.linear.weight]["step"]) == 21


def test_fitting_again_with_more_steps_goes_on():
    whole, parts = trainer(noise=1.0), trainer(noise=1.0)
    whole.fit(shapes(), steps=5, warm_up=2, **QUIET)
    parts.fit(shapes(), steps=2, warm_up=2, **QUIET)
    parts.fit(shapes(), steps=5, warm_up=2, **QUIET)
    assert_same(whole, parts)


def test_bfloat16_trains_and_leaves_weights_in_single_precision():
    run, plain = trainer(bf16=True), trainer()
    history = run.fit(shapes(), steps=3, warm_up=2, test=shapes(5), **QUIET)
    plain.fit(shapes(), steps=3, warm_up=2, test=shapes(5), **QUIET)
    assert all(p.dtype == torch.float32 for m in (run.classifier, run.simplifier) for p in m.parameters())
    assert history.skipped == 0
    for name in TERMS:
        assert history.terms[name] == pytest.approx(plain.history.terms[name], rel=0.1, abs=0.02)


def test_other_classifiers_and_densities_without_weights_are_welcome():
    class Flat(DensityModel):  # as many bits as there are, whatever the image
        def log_density(self, g):
            return 0 * g.flatten(1).sum(1)

    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 4))
    run = trainer(Flat(8), net=net)
    history = run.fit(shapes(), steps=2, warm_up=1, test=shapes(6), **QUIET)
    assert history.terms["bits"] == [8.0, 8.0] and history.measured[-1]["bits"] == 8.0


# Collapse


def bright_or_dark(n=24, seed=0):
    images = torch.randint(0, 80, (n, 3, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    labels = torch.arange(n) % 2
    images[labels == 1] += 150
    return ImageSet(images, labels, ("dark", "bright"), "bright or dark")


def fading(**options):
    """Large steps of one weight: a price of 1000 fades everything to black within ten steps."""
    defaults = {"net": classifier(2), "simplifier": Fader(), "bit_weight": 1000.0, "simplifier_learning_rate": 1.0}
    return trainer(Dark(), augment=None, **(defaults | options))


@pytest.mark.parametrize("simplifier", [Fader(-9.0), Painter()])
def test_constant_images_stop_the_run_and_the_message_names_lambda(simplifier, tmp_path):
    run = fading(simplifier=simplifier, bit_weight=12.5, simplifier_learning_rate=1e-3)
    with pytest.raises(CollapseError, match=r"lambda = 12\.5 .*constant by step 3 .*lower bit_weight"):
        run.fit(
            bright_or_dark(), steps=9, collapse_patience=3, keep=shapes(2), test=bright_or_dark(4),
            checkpoint=tmp_path / "c", **QUIET,
        )  # fmt: skip
    assert run.history.collapsed == run.step == 3
    assert [step for step, _ in run.kept] == [0, 3] and [m["step"] for m in run.history.measured] == [3]
    assert (tmp_path / "c").is_file() and not run.classifier.training
    patient = fading(simplifier=simplifier)
    patient.fit(bright_or_dark(), steps=4, collapse_patience=None, **QUIET)
    assert patient.history.collapsed is None and patient.step == 4


def test_a_collapsed_run_stays_as_it_is_when_fitted_again(tmp_path):
    options = {"steps": 9, "collapse_patience": 3, "keep": shapes(2), "checkpoint": tmp_path / "c", **QUIET}
    one, two = fading(simplifier=Fader(-9.0)), fading(simplifier=Fader(-9.0))
    for run in (one, one, two):
        with pytest.raises(CollapseError, match="constant by step 3"):
            run.fit(bright_or_dark(), **options)
        assert run.step == 3
    assert_same(one, two)


def test_what_came_before_an_interruption_counts_towards_a_collapse(tmp_path, monkeypatch):
    options = {"steps": 9, "collapse_patience": 5, "checkpoint_every": 2, **QUIET}
    whole, cut, again = (fading(simplifier=Fader(-9.0)) for _ in range(3))
    with pytest.raises(CollapseError, match="by step 5"):
        whole.fit(bright_or_dark(), checkpoint=tmp_path / "whole", **options)
    interrupt(monkeypatch, at=4)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(bright_or_dark(), checkpoint=tmp_path / "cut", **options)
    monkeypatch.undo()
    with pytest.raises(CollapseError, match="by step 5"):
        again.fit(bright_or_dark(), checkpoint=tmp_path / "cut", **options)
    assert_same(whole, again)


def test_a_sweep_gives_one_run_a_lambda_and_keeps_those_that_collapse(tmp_path):
    base = fading()
    images = bright_or_dark()
    runs = base.sweep(
        images,
        [0.0, 1000.0],
        steps=18,
        warm_up=30,
        collapse_patience=3,
        test=images,
        checkpoint=tmp_path / "c.st",
        **QUIET,
    )
    assert list(runs) == [0.0, 1000.0] and base.step == 0
    free, dear = runs.values()
    assert (free.settings.bit_weight, dear.settings.bit_weight) == (0.0, 1000.0)
    assert free.history.collapsed is None and free.step == 18 and free.history.measured[-1]["contrast"] > 0.9
    assert dear.history.collapsed == dear.step < 18 and dear.history.measured[-1]["contrast"] < 0.05
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c-0.st", "c-1000.st", "c-warm-up.st"]
    # Copies of everything that is trained, each optimiser with its own network; the density is shared.
    assert free.density is dear.density is base.density
    for run in runs.values():
        assert run.classifier is not base.classifier
        held = {id(p) for group in run.classifier_optimiser.param_groups for p in group["params"]}
        assert held == {id(p) for p in run.classifier.parameters()}
        assert float(run.classifier_optimiser.state[run.classifier.linear.weight]["step"]) == 30 + run.step
    alone = fading(bit_weight=0.0)
    alone.fit(images, steps=18, warm_up=30, collapse_patience=3, test=images, **QUIET)
    assert_same(alone, free)
    # Done already: read back, with the same result.
    twin = fading().sweep(
        images,
        [0.0, 1000.0],
        steps=18,
        warm_up=30,
        collapse_patience=3,
        test=images,
        checkpoint=tmp_path / "c.st",
        **QUIET,
    )
    for value in runs:
        assert_same(runs[value], twin[value])


def test_a_sweep_from_another_warm_up_is_refused(tmp_path):
    options = {"steps": 2, "checkpoint": tmp_path / "c.st", **QUIET}
    first, again = (trainer(Dark(), simplifier=Fader()) for _ in range(2))
    first.sweep(shapes(), [2.0], warm_up=2, **options)
    with pytest.raises(ValueError, match=r"another training: warm_up=2 there, 4 here"):
        again.sweep(shapes(), [2.0], warm_up=4, **options)
    # The same file as that of a run by itself, which may go on from it.
    alone = trainer(Dark(), simplifier=Fader())
    alone.fit(shapes(), steps=3, warm_up=2, checkpoint=tmp_path / "c-2.st", **QUIET)
    assert alone.step == 3
    alone.fit(shapes(), steps=4, warm_up=2, checkpoint=tmp_path / "c-2.st", **QUIET)
    read = trainer(Dark(), simplifier=Fader())
    read.fit(shapes(), steps=4, warm_up=2, checkpoint=tmp_path / "c-2.st", **QUIET)
    assert_same(alone, read)


def test_a_run_that_breaks_ends_its_sweep_and_those_done_are_read_back(tmp_path):
    def sweep(weights, broken=()):
        base = trainer(Dark(broken=broken), simplifier=Fader())
        return base.sweep(shapes(), weights, steps=4, patience=2, checkpoint=tmp_path / "c", **QUIET)

    with pytest.raises(FloatingPointError, match="2 steps in a row"):
        sweep([1.0, 2.0, 3.0], broken=range(4, 99))  # four calls of the density for the first lambda
    runs = sweep([1.0, 3.0], broken=range(4, 4))
    whole = trainer(Dark(), simplifier=Fader()).sweep(shapes(), [1.0, 3.0], steps=4, **QUIET)
    for value in (1.0, 3.0):
        assert_same(runs[value], whole[value])


# What is not finite


def test_a_step_that_is_not_finite_is_skipped_and_counted():
    run, shorter = trainer(Dark(broken={2})), trainer(Dark())
    history = run.fit(shapes(), steps=3, **QUIET)
    shorter.fit(shapes(), steps=2, **QUIET)
    assert history.skipped == 1 and torch.equal(weights_of(run), weights_of(shorter))
    for name in TERMS:
        assert [math.isnan(v) for v in history.terms[name]] == [False, False, True]
    run.fit(shapes(), steps=5, **QUIET)
    assert history.skipped == 1 and not torch.equal(weights_of(run), weights_of(shorter))
    assert torch.isfinite(weights_of(run)).all()


def test_a_run_that_stays_broken_stops_and_says_what_to_change():
    run = trainer(Dark(broken=range(1, 100)))
    with pytest.raises(FloatingPointError, match=r"4 steps in a row.*at step 4; lower the learning rates, or set clip"):
        run.fit(shapes(), steps=50, patience=4, **QUIET)


# Interruption


def interrupt(monkeypatch, at):
    """Ctrl-C in the middle of a step: the simplifier has moved, the classifier has not."""
    calls, real = [], step.update_classifier

    def interrupted(*args):
        calls.append(args)
        if len(calls) == at:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(step, "update_classifier", interrupted)


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("at", [2, 6])  # before the first checkpoint and after it
def test_a_run_that_was_cut_short_resumes_to_the_same_result(tmp_path, monkeypatch, stages, at):
    def fresh(seed):
        density = glow() if stages == 1 else [Stage(glow(bit_depth=5), 2.0, 3.0), Stage(glow(bit_depth=8), 2.0)]
        rest = {"noise": 1.0, "reuse_gradient": stages == 2}
        return trainer(density, net=classifier(seed=seed), simplifier=unet(seed + 1), clip=0.3, **rest)

    options = {
        "steps": 8, "warm_up": 3, "checkpoint_every": 3, "test": shapes(6, seed=2), "measure_every": 2,
        "keep": shapes(2, seed=4), "keep_every": 2, "cool_down": 0.5, **QUIET,
    }  # fmt: skip
    whole, cut, again = fresh(0), fresh(0), fresh(7 if at == 6 else 0)
    whole.fit(shapes(), checkpoint=tmp_path / "whole", **options)
    interrupt(monkeypatch, at)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(shapes(), checkpoint=tmp_path / "cut", **options)
    monkeypatch.undo()
    if at == 6:
        _, header = _files.read_tensors(tmp_path / "cut")
        assert header["note"]["step"] == 3
    again.fit(shapes(), checkpoint=tmp_path / "cut", **options)
    assert_same(whole, again)
    assert [step for step, _ in again.kept] == [0, 2, 4, 6, 8]
    # A finished run is read back, without further steps.
    read = fresh(9)
    read.fit(shapes(), checkpoint=tmp_path / "cut", **options)
    assert_same(whole, read)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path, options = tmp_path / "c", {"steps": 1, **QUIET}
    make = lambda density=None, **other: trainer(density or Dark(), simplifier=Fader(), **other)  # noqa: E731
    make().fit(shapes(), checkpoint=path, **options)
    for run, images, change, named in (
        (make(bit_weight=3.0), shapes(), {}, "bit_weight=2.0 there, 3.0 here"),
        (make(seed=4), shapes(), {}, "seed=3 there, 4 here"),
        (make(gate="threshold"), shapes(), {}, "gate='ramp' there, 'threshold' here"),
        (make(augment=None), shapes(), {}, "augment='RandomShift"),
        (make(learning_rate=1e-3), shapes(), {}, "learning_rates="),
        (make(Dark(bit_depth=5)), shapes(), {}, "stages="),
        (make(), shapes(seed=1), {}, "set='synthetic/0' there, 'synthetic/1' here"),
        (make(), shapes(), {"batch_size": 4}, "batch_size=8 there, 4 here"),
        (make(), shapes(), {"warm_up": 1}, "warm_up=0 there, 1 here"),
        (make(), shapes(), {"cool_down": 0.5}, "cool_down=0.0 there, 0.5 here"),
        (make(noise=1.0), shapes(), {}, "noise=0.0 there, 1.0 here"),
        (make(reuse_gradient=True), shapes(), {}, "reuse_gradient=False there, True here"),
    ):
        with pytest.raises(ValueError, match=f"{path} belongs to another training") as caught:
            run.fit(images, checkpoint=path, **(options | change))
        assert named in str(caught.value)
    for run in (make(net=classifier(5)), trainer(Dark(), simplifier=unet())):
        with pytest.raises(ValueError, match=f"{path} belongs to another training"):
            run.fit(shapes(), checkpoint=path, **options)
    make(simplifier_betas=(0.5, 0.99)).fit(shapes(), checkpoint=path, **options)
    with pytest.raises(ValueError, match="belongs to another training"):
        make(simplifier_betas=(0.9, 0.99)).fit(shapes(), checkpoint=path, **options)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=f"{path} is damaged"):
        make().fit(shapes(), checkpoint=path, **options)


# Wrong use


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"density": nn.Linear(1, 1)}, TypeError, "^density: expected a DensityModel or a sequence of Stage"),
        ({"bit_weight": -1.0}, ValueError, "^bit_weight=-1.0"),
        ({"bit_weight": math.inf}, ValueError, "^bit_weight=inf"),
        ({"threshold": 0.0}, ValueError, "^threshold=0.0"),
        ({"gate": "rump"}, ValueError, "^gate='rump' is not known; did you mean 'ramp'"),
        ({"weights": (1.0, 1.0)}, ValueError, "^weights: expected 3 values, got 2"),
        ({"weights": (1.0, -1.0, 1.0)}, ValueError, r"^weights\[1\]=-1.0: give a number of at least 0"),
        ({"clip": 0.0}, ValueError, "^clip=0.0"),
        ({"noise": -1.0}, ValueError, "^noise=-1.0"),
        ({"learning_rate": 0.0}, ValueError, "^learning_rate=0.0"),
        ({"simplifier_learning_rate": -1.0}, ValueError, "^simplifier_learning_rate=-1.0"),
        ({"simplifier_betas": (0.9, 1.0)}, ValueError, "beta"),
        ({"weights": None}, TypeError, "^weights: expected a tuple, got NoneType"),
        ({"weights": ("a", 1, 1)}, ValueError, r"^weights\[0\]='a'"),
        ({"weights": (0.0, 0.0, 0.0), "bit_weight": 0.0}, ValueError, "^weights=.* nothing is left to descend"),
        ({"augment": 4}, TypeError, "^augment: expected a RandomShift, got int"),
        ({"reuse_gradient": "no"}, TypeError, "^reuse_gradient='no': give True or False"),
        ({"simplifier_weight_decay": math.inf}, ValueError, "^simplifier_weight_decay=inf"),
        ({"seed": "a"}, ValueError, "^seed='a'"),
        ({"classifier": nn.Flatten()}, ValueError, "^classifier: Flatten has no parameters"),
        ({"simplifier": nn.Identity()}, ValueError, "^simplifier: Identity has no parameters"),
        ({"classifier": "NFWideResNet"}, TypeError, "^classifier: expected a torch.nn.Module, got str"),
        (
            {"classifier": nn.Linear(1, 1, device="meta")},
            ValueError,
            "one device, got classifier on meta, simplifier on cpu",
        ),
        ({"density": [Stage(Dark()), Stage(Dark().to("meta"))]}, ValueError, "one device"),
    ],
)
def test_wrong_arguments_are_refused_by_name(wrong, error, message):
    with pytest.raises(error, match=message):
        SimplifyWhileTraining(**({"classifier": classifier(), "simplifier": Fader(), "density": Dark()} | wrong))


@pytest.mark.unchecked
@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch_size": 0},
        {"warm_up": -1},
        {"warm_up": 1.5},
        {"cool_down": 1.0},
        {"cool_down": -0.1},
        {"measure_every": 0},
        {"keep_every": 0},
        {"checkpoint_every": 0},
        {"collapse_patience": 0},
        {"patience": 0},
    ],
)
def test_wrong_settings_of_a_fit_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}="):
        trainer(Dark(), simplifier=Fader()).fit(shapes(), **({"steps": 1} | QUIET | wrong))


@pytest.mark.unchecked
def test_labels_without_an_output_are_refused():
    images = shapes()
    high = ImageSet(images.images, torch.full((24,), 5), tuple("abcdef"), "high")
    for warm_up in (0, 1):
        with pytest.raises(ValueError, match=r"^labels: must lie in 0 \.\. 3 for a classifier of 4 outputs, got 5"):
            trainer(Dark(), simplifier=Fader()).fit(high, steps=1, warm_up=warm_up, **QUIET)


@pytest.mark.unchecked
def test_simplify_refuses_what_is_no_batch_of_images_of_its_size():
    run, x = trainer(Dark(), simplifier=Fader()), shapes(2).to_float()
    for images, error in (
        ("x", TypeError),
        (x * 255, ValueError),
        (x[0], ValueError),
        (x[:, :1], ValueError),
        (shapes(2, size=16).to_float(), ValueError),
    ):
        with pytest.raises(error, match="^images: "):
            run.simplify(images)


@pytest.mark.unchecked
@pytest.mark.parametrize("argument", ["images", "test", "keep"])
def test_sets_are_checked_before_anything_is_trained(argument):
    for wrong, error, message in (
        (shapes().subset(torch.arange(0)), ValueError, f"^{argument}: holds 0; give at least 1"),
        (shapes().to_float(), TypeError, f"^{argument}: expected an ImageSet, got Tensor"),
    ):
        run = trainer(Dark(), simplifier=Fader())
        with pytest.raises(error, match=message):
            run.fit(**({"images": shapes(), "steps": 1, "warm_up": 1} | {argument: wrong} | QUIET))
        assert run.step == 0 and not run.classifier_optimiser.state
    run = trainer(Dark(), simplifier=Fader())
    for method in (run.simplify, run.measure):
        with pytest.raises(ValueError, match="^images: holds 0; give at least 1"):
            method(shapes().subset(torch.arange(0)))
    with pytest.raises(TypeError, match="^images: expected an ImageSet, got Tensor"):
        run.measure(shapes().to_float())


@pytest.mark.unchecked
def test_a_sweep_over_one_number_is_refused():
    with pytest.raises(TypeError, match="^bit_weights: expected a sequence, got float"):
        trainer(Dark(), simplifier=Fader()).sweep(shapes(), 1.0, steps=1, **QUIET)


@pytest.mark.unchecked
@pytest.mark.parametrize("values", [[], [1.0, 1.0], [1.0, -2.0]])
def test_a_sweep_over_nothing_twice_or_negative_is_refused(values):
    with pytest.raises(ValueError, match=r"^bit_weights(\[1\])?="):
        trainer(Dark(), simplifier=Fader()).sweep(shapes(), values, steps=1, **QUIET)

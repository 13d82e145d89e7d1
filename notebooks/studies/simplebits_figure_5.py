# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Accuracy against bits
#
# For each lambda: train a simplifier beside a classifier, simplify the whole training set once, train a fresh classifier
# on it, test that on *original* images. A unit is one start: simplifiers, their warm-up and the fresh classifiers all
# begin anew with its seed. Every curve has lambda = 0, where bits cost nothing: losses are counted from there. Methods
# are compared at equal bits, on straight lines between points no further apart than half a bit.

# %%
import simplebits as sb

# %% tags=["parameters"]
image_set = "cifar10"  # the complex set, with all baselines
simple_sets = []  # simpler sets to hold against it, SimpleBits alone
densities = [["glow", 1.0, 1.0]]  # what measures bits: name, share of the steps, factor of lambda; one after the other
bit_weights = {"": [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.6, 2.0]}  # lambdas by set; "": of the others
mse_weights = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.4, 2.0]  # lambdas of the simplifier with squared error
sigmas = [0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 1.8, 2.2]  # of the blur, pixels
qualities = [0, 1, 2, 4, 8, 12, 16, 20, 40, 80, 100]  # of JPEG, Pillow's numbers
judged = [
    "tradeoff.decay",
    "tradeoff.knee",
    "tradeoff.lambda0",
    "tradeoff.png",
    "retraining.speed",
    "baselines.l2",
    "baselines.blur",
    "baselines.jpeg",
]  # claims of this case
decay_below = 2.0  # bits/dim below which accuracy decays markedly; 0: middle between lambda = 0 and the largest
network = {}  # options of NFWideResNet; {}: the paper's 16-2
simplifier = {}  # options of ResidualUNet; {}: the paper's
options = {}  # further arguments of SimplifyWhileTraining; {}: the paper's setting
mse_options = {}  # of fit_mse_simplifier; {}: the paper's setting
standardise = {"cifar10": "cifar10", "mnist": "mnist", "fashion-mnist": "fashion-mnist", "svhn": "svhn"}  # by set
flip = ["cifar10"]  # sets whose training images are mirrored at random
warm_up = 0  # steps in which the classifier alone learns from original images
steps = 156250  # of simplifier and classifier: 100 epochs of 50,000 images
mse_steps = 78125  # of the simplifier with squared error
retraining_steps = 156250  # of the fresh classifiers
learning_rate = 0.0005  # of the fresh classifiers
cool_down = 0.0  # share of the simplifiers' steps in which the rates fall to zero
shift = 4  # pixels of the random crop's padding
least_accuracy = 80.0  # percent, of a classifier that learned from originals; below this it is broken
seeds = [0, 1, 2]  # of the starts
limits = [0, 0]  # training and test images used; 0: all
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## One point of a curve

# %%
from functools import partial
from statistics import fmean

import torch
from scipy.stats import linregress, spearmanr

device = device or "cpu"
stages = [sb.simplify.Stage(sb.density.load(name, device), *rest) for name, *rest in densities]
measure = stages[-1].density
size = measure.image_size


def changed(images, change):
    """A set at the density's size with every image changed, on the grey levels that the density counts."""
    parts = [change(images.subset(i).to_float(size, 3)) for i in torch.arange(len(images)).split(250)]
    pixels = sb.data.to_bytes(sb.density.quantise(torch.cat(parts), measure.bit_depth))
    return sb.data.ImageSet(pixels, images.labels, images.classes, images.name)


def fresh(name, seed, classes=10):
    """A classifier and a simplifier of this seed, neither trained."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shape = {"classes": classes, "size": size, "standardise": standardise.get(name, "composite")}
        classifier = sb.networks.NFWideResNet(**shape, **network).to(device)
        return classifier, sb.networks.ResidualUNet(**simplifier).to(device)


def point(name, label, seed, train, pictures, test):
    """Bits and PNG size of simplified test images, and what a fresh classifier learns from simplified training images."""
    learned = sb.simplify.retrain(
        fresh(name, 1000 + seed, len(test.classes))[0],
        train,
        {"original": test},
        steps=retraining_steps,
        augment=sb.data.RandomShift(shift, flip=name in flip),
        learning_rate=learning_rate,
        bf16=False,
        seed=1000 + seed,
        measure_every=max(retraining_steps // 25, 1),
        checkpoint=sb.report.checkpoint(f"{name}-{label}-{seed}"),
    )
    x, end = pictures.to_float(), learned.accuracy["original"]
    close = next(step for step, now in learned.curve if now["original"] >= end - 0.01)  # within a point
    png, pace = float(sb.density.png_bits_per_dim(x).mean()), 100 * close / retraining_steps
    return {"bits": sb.density.mean_bits(measure, x), "png": png, "accuracy": 100 * end, "pace": pace}


# %% [markdown]
# ## The curves
#
# Blur and JPEG are applied once; the paper's code measures the bits of images that were changed twice.

# %%
baselines = {"l2": mse_weights, "blur": sigmas, "jpeg": qualities}
methods = ["original", "SimpleBits", *(m for m, values in baselines.items() if values)]


def squared_error(name, weight, seed, train):
    """A simplifier that knows no task, trained, as a change of images."""
    plain, path = fresh(name, seed)[1], sb.report.checkpoint(f"{name}-mse-{weight:g}-{seed}")
    settings = {"bit_weight": weight, "cool_down": cool_down, "seed": seed, "checkpoint": path} | mse_options
    sb.simplify.fit_mse_simplifier(plain, measure, train, steps=mse_steps, bf16=False, **settings)
    return torch.no_grad()(lambda x: plain(x.to(device)).cpu())


def simplebits(name, seed, train, test):
    """Simplifiers trained with each lambda from this start: lambda to simplified training and test images."""
    augment = sb.data.RandomShift(shift, flip=name in flip)
    networks = fresh(name, seed, len(train.classes))
    start = sb.simplify.SimplifyWhileTraining(*networks, stages, augment=augment, bf16=False, seed=seed, **options)
    how = {"steps": steps, "warm_up": warm_up, "cool_down": cool_down}
    weights, path = bit_weights.get(name, bit_weights[""]), sb.report.checkpoint(f"{name}-{seed}")
    runs = start.sweep(train, weights, checkpoint=path, **how)
    runs = {v: run for v, run in runs.items() if not run.history.collapsed}  # constant pictures are no point
    sb.report.fingerprint(f"{name}, start {seed}", runs[max(runs)].simplify(test).images.float())
    return {v: (run.simplify(train), run.simplify(test)) for v, run in runs.items()}


def curve(name, method, seed):
    """All points of one method, by its setting."""
    sets = [sb.data.load(name, split) for split in ("train", "test")]
    sets = [s.draw(min(limit or len(s), len(s))) for s, limit in zip(sets, limits, strict=True)]
    train, test = (changed(s, lambda x: x) for s in sets)
    if method == "SimpleBits":
        simple = simplebits(name, seed, train, test)
    else:
        changes = {
            "original": lambda: {0: lambda x: x},
            "l2": lambda: {v: squared_error(name, v, seed, train) for v in mse_weights},
            "blur": lambda: {v: partial(sb.simplify.blur, sigma=v) for v in sigmas},
            "jpeg": lambda: {v: partial(sb.simplify.jpeg, quality=v) for v in qualities},
        }[method]()
        simple = {v: (changed(train, f), changed(test, f)) for v, f in changes.items()}
    return {f"{v:g}": point(name, f"{method}-{v:g}", seed, *pair, test) for v, pair in simple.items()}


# %% [markdown]
# ## Compare at equal bits

# %%
curves, values, knee = {}, {}, {}
LEVELS = [k / 50 for k in range(500)]  # bits/dim


def at_bits(points, bits):
    """Accuracy of a curve at these bits; None where it has none."""
    return sb.report.on_curve([(p["bits"], p["accuracy"]) for p in points], bits, widest=0.5)


def note(claim, **by_group):
    """Add this start's values to the groups of a claim, and judge it as far as they go, if this case does."""
    groups = values.setdefault(claim, {})
    for group, value in by_group.items():
        groups.setdefault(group.replace("_", "-"), {})[f"start {seed}"] = value
    if claim in judged:
        sb.report.judge_claim(f"simplebits.{claim}", groups)


def falls(priced_points):
    """Of one curve: where 5 points are lost against lambda = 0, in bits gone; points lost with a quarter of the bits gone."""
    free, none = priced_points["0"]["bits"], priced_points["0"]["accuracy"]
    lost = {b: none - a for b in LEVELS if b < free and (a := at_bits(priced_points.values(), b)) is not None}
    gone = [free - b for b, points in lost.items() if points >= 5]
    quarter = at_bits(priced_points.values(), 0.75 * free)
    return min(gone, default=None), None if quarter is None else none - quarter


# %%
for seed in seeds:
    for name, method in [(image_set, m) for m in methods] + [(s, "SimpleBits") for s in simple_sets]:
        made = partial(curve, name, method, seed)
        curves[name, method, seed] = sb.report.once(f"{name}, {method}, {seed}", made)
    whole, priced_points = curves[image_set, "original", seed]["0"], curves[image_set, "SimpleBits", seed]
    if whole["accuracy"] < least_accuracy:
        raise RuntimeError(f"start {seed}: {whole['accuracy']:.1f} % learned from originals: broken")
    for base in methods[2:]:
        others = [whole, *curves[image_set, base, seed].values()]
        gaps = [(p["accuracy"], at_bits(others, p["bits"])) for v, p in priced_points.items() if v != "0"]
        if gaps := [mine - theirs for mine, theirs in gaps if theirs is not None]:
            note(f"baselines.{base}", advantage=fmean(gaps))
    none, *priced = (priced_points[weight] for weight in sorted(priced_points, key=float))
    least, most = priced[0], priced[-1]
    note("tradeoff.lambda0", none=none["bits"], least=least["bits"], most=most["bits"])
    ranks = spearmanr([p["png"] for p in priced_points.values()], [p["accuracy"] for p in priced_points.values()])
    rank = float(torch.tensor(ranks.statistic).nan_to_num())  # 0 where the accuracy is always the same
    note("tradeoff.png", rank=rank, png_none=none["png"], png_most=most["png"])
    note("retraining.speed", none=none["pace"], most=most["pace"])
    split = decay_below or (most["bits"] + none["bits"]) / 2
    halves = [[p for p in priced_points.values() if (p["bits"] < split) == side] for side in (True, False)]
    if min(map(len, halves)) > 1:
        bits, right = ([[p[of] for p in half] for half in halves] for of in ("bits", "accuracy"))
        below, above = (linregress(*pair).slope for pair in zip(bits, right, strict=True))
        ends = {"none": none["accuracy"], "most": most["accuracy"]}
        note("tradeoff.decay", **ends, slope_below=float(below), slope_above=float(above))
    found = {s: falls(curves[s, "SimpleBits", seed]) for s in [image_set, *simple_sets]}
    for k, claim in enumerate(("tradeoff.svhn", "tradeoff.order")):
        if all(pair[k] is not None for pair in found.values()):
            note(claim, **{s: pair[k] for s, pair in found.items()})
    if found[image_set][0] is not None:
        knee[f"start {seed}"] = none["bits"] - found[image_set][0]
        if "tradeoff.knee" in judged:
            sb.report.judge("simplebits.tradeoff.knee", knee)

# %%
for what, of in (("bits", "bits/dim"), ("png", "PNG bits/dim"), ("accuracy", "%")):
    for name, method in {key[:2]: None for key in curves}:
        by_point = {f"{v}, start {s}": p[what] for s in seeds for v, p in curves[name, method, s].items()}
        sb.report.beside(f"{name}, {method}, {what}", by_point, of)
for claim, groups in values.items():
    print(claim, groups)
sb.report.table_beside({"simplebits.tradeoff.knee": knee} if knee else {})

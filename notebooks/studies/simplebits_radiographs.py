# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Condense radiographs, and look where two classes differ
#
# Learn one image for each of two classes, with a price on bits and without. Train fresh networks on each pair and test them on images of other patients;
# beside it stand random pairs of real images, the mean images of the classes, and all training images. Then measure what the paper says in words: is
# the bottom of the lung whiter in the image with an effusion, are the lungs smaller in the female image? A condensed pair is a unit. Phantoms, whose sign is
# known, say how much of the difference lies where the sign is.

# %%
import dataclasses
import statistics
from functools import partial

import torch
from skimage.filters import threshold_otsu

import simplebits as sb
from simplebits.report.interval import of_mean

# %% tags=["parameters"]
image_set = "mimic-cxr"  # mimic-cxr, chexpert, chestmnist, chest-xray (real; by sex only) or phantoms
label = "effusion"  # effusion or sex
density = "glow"  # measures bits, and sets size and channels of the images
weights = [0.0, 100.0, 1000.0, 10000.0]  # of the bits, w in the code; 0 comes first
folds = 0  # of a cross-validation by patient; of phantoms: sets of other people; 0: the set's own split
sets = [0, 1, 2, 3, 4]  # seeds of the condensed pairs of each fold
width = 128  # of all ConvNets
options = {}  # further arguments of sb.condense.condense; {}: the paper's setting
networks = 5  # trained on each pair
epochs = 300  # of each training
random_pairs = 5  # of real images, beside each condensed pair
whole_epochs = 30  # of training on all images; 0: leave it out
phantoms = 600  # drawn for either split of each set of them
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## Real images, and where their sign should be

# %%
device = device or "cpu"
measure = sb.density.load(density, device)
size, levels = measure.image_size, 2**measure.bit_depth
ARCHIVES = {"mimic-cxr": (sb.data.mimic_cxr, "mimic-cxr-jpg"), "chexpert": (sb.data.chexpert, "CheXpert-v1.0-small")}
v, u = torch.meshgrid(torch.arange(size) / size, torch.arange(size) / size, indexing="ij")
chest = (v > 0.15) & (v < 0.8) & (u > 0.1) & (u < 0.9)
region = (v >= 0.6) & (v < 0.85) & ((u - 0.5).abs() >= 0.1) & ((u - 0.5).abs() < 0.4)  # bottom of the lungs, by eye
if image_set == "phantoms":
    region = sb.data.phantoms(600, seed=10**6).region(size)


def splits():
    """Images to condense and to test on, by fold."""
    if image_set == "phantoms":
        for k in range(max(folds, 1)):
            yield f"people {k}", *(sb.data.phantoms(phantoms, seed=2 * k + i).resized(size) for i in (0, 1))
    elif image_set == "chest-xray":
        table = sb.data.root() / "chest-xray" / "metadata.csv"
        people = sb.data.from_table(table, "sex", patient="patient", classes=["F", "M"], size=size, channels=1)
        for k, (train, test) in enumerate(people.folds(max(folds, 2))):
            yield f"fold {k}", train, test
    elif image_set in ARCHIVES:
        read, folder = ARCHIVES[image_set]
        kept = {part: sb.report.checkpoint(f"read-{part}") for part in ("train", "test")}  # where a killed run goes on
        yield "split", *(read(sb.data.root() / folder, label, part, size=size, checkpoint=kept[part]) for part in kept)
    else:
        yield "split", *(sb.data.load(image_set, part).resized(size) for part in ("train", "test"))


def looked_at(images):
    """What the paper sees in a pair: how white the bottom of the lung is, and how many pixels of the chest are air."""
    grey = images.mean(1).double()
    at = sb.condense.region_share(images[:1], images[1:], region)
    air = (grey[:, chest] < threshold_otsu(grey[:, chest].numpy())).sum(1)  # one threshold for both
    seen = {"bottom": grey[:, region].mean(1).tolist(), "lungs": air.tolist()}
    return {"share": 100 * at.share} | {f"{what}, {c}": pair[c] for what, pair in seen.items() for c in (0, 1)}


UNITS = {"bits": "bits/dim", "accuracy": "%", "share": "%"}
UNITS |= {f"bottom, {c}": "brightness" for c in (0, 1)} | {f"lungs, {c}": "pixels" for c in (0, 1)}
how = {"network_options": {"width": width}, "bf16": False, "device": device, "progress": False}


def accuracy(few, test, **passes):
    """Mean accuracy, in percent, of fresh networks that learned from these images."""
    return 100 * sb.condense.evaluate(few, test, "ConvNet", range(networks), **how, **passes).mean


def measured(few, images, test):
    """Bits and accuracy of a pair of images on the density's grey levels, and what is seen in it."""
    images = sb.density.quantise(images, measure.bit_depth)
    right = accuracy(dataclasses.replace(few, images=images), test, epochs=epochs, noise=1 / (levels - 1))
    return {"bits": sb.density.mean_bits(measure, images), "accuracy": right} | looked_at(images)


def of_unit(name, train, test, seed):
    """Everything about one condensed pair and what stands beside it: condition to quantity to value."""
    pairs = {}
    for w in weights:
        path = sb.report.checkpoint(f"{name}-{seed}-{w:g}".replace(" ", "-"))
        own = {"density": measure, "bit_weight": w, "seed": seed, "checkpoint": path} | how | options
        few = sb.condense.condense(train, "gradient", 1, **own)
        sb.report.fingerprint(f"{name}, {seed}, {w:g}", few.images)
        pairs[f"weight {w:g}"] = few.images
    x = train.to_float(size, 3)
    pairs["mean images"] = torch.stack([x[train.labels == c].mean(0) for c in (0, 1)])
    found = {condition: measured(few, images, test) for condition, images in pairs.items()}
    drawn = (sb.condense.coreset(train, "random", 1, seed=1000 * seed + k) for k in range(random_pairs))
    by_chance = [measured(few, pair.to_float(size, 3), test) for pair in drawn]
    found["random pairs"] = {what: statistics.fmean(one[what] for one in by_chance) for what in UNITS}
    if whole_epochs:
        every = sb.condense.CondensedSet.of(train.subset(train.labels.argsort(stable=True)), train, size, 3)
        found["all images"] = {"accuracy": accuracy(every, test, epochs=whole_epochs)}
    priced = [found[f"weight {w:g}"] for w in weights]  # chosen by bits alone: the smallest that takes more than half
    found["simplified"] = next((p for p in priced if p["bits"] < priced[0]["bits"] / 2), priced[-1])
    return found


# %%
found = {}
for name, train, test in splits():
    train, test = train.balanced(), test.balanced()
    for seed in sets:
        unit, piece = f"{name}, set {seed}", partial(of_unit, name, train, test, seed)
        for condition, values in sb.report.once(unit, piece).items():
            for what, value in values.items():
                found.setdefault((condition, what), {})[unit] = value
                sb.report.beside(f"{what}, {condition}", found[condition, what], UNITS[what])

# %% [markdown]
# ## What the paper says, and what it stands against

# %%
comparisons = [(what, other) for other in ("random pairs", "mean images") for what in ("accuracy", "share")]
comparisons += [(what, f"weight {weights[0]:g}") for what in ("accuracy", "share", "bits")]
for what, other in comparisons:
    values = {unit: value - found[other, what][unit] for unit, value in found["simplified", what].items()}
    sb.report.beside(f"{what}, simplified less {other}", values, UNITS[what])
    between = of_mean(list(values.values()))
    print(f"{what}, simplified less {other}: {between.difference:.2f} [{between.low:.2f}, {between.high:.2f}]")

# %%
if label == "sex":
    groups = {sex: found["simplified", f"lungs, {c}"] for c, sex in enumerate(("female", "male"))}
    print(sb.report.judge_claim("simplebits.radiographs.gender", groups, "pixels"))
elif image_set != "phantoms":
    groups = {state: found["simplified", f"bottom, {c}"] for c, state in enumerate(("healthy", "pathological"))}
    print(sb.report.judge_claim("simplebits.radiographs.effusion", groups, "brightness"))

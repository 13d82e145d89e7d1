# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Condense a set and price its bits
#
# Learn a few synthetic images a class by matching gradients, with a weight on their bits, several times for each weight;
# train fresh networks on each set and test them on real images. A condensed set is an independent unit. Beside weight 0
# stands DC itself, with free pixels and its own optimiser, on the same data; beside the variants, random real images.

# %%
import simplebits as sb

# %% tags=["parameters"]
image_set = "cifar10"  # a name for sb.data.load
images_per_class = 1  # synthetic images of each class
density = "glow"  # measures bits, and sets size and channels of the images
weights = [0.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0, 1000000.0]  # of the bits, w in the code; 0 comes first
variants = {"layerwise": {}}  # label to what it changes of condense: network, distance, outer, inner, iterations
claim = ""  # of the variants, judged against random images: losses, architectures; "": baseline and flat of the first
network_options = {"width": 128}  # of every ConvNet that condenses
options = {}  # further arguments of sb.condense.condense for every set; {}: the paper's setting
seeds = [0, 1, 2]  # of the condensed sets
networks = 5  # trained on each set
test_options = {"width": 128}  # of these ConvNets
epochs = 300  # of each training
moved = False  # crop, scale and turn the images in each training, as the code does on MNIST
with_dc = True  # condense without a density too, which the claim about weight 0 needs
least_accuracy = 15.0  # percent at weight 0; below this a set taught nothing
test_images = 0  # real images to test on; 0: all
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## Condense, and train fresh networks

# %%
from dataclasses import replace
from functools import partial

device = device or "cpu"
measure = sb.density.load(density, device)
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
test = test.draw(test_images) if test_images else test
size, channels, levels = measure.image_size, 3, 2**measure.bit_depth


def condensed(label, seed, **how):
    """A set condensed with this variant's changes."""
    settings = {"network": "ConvNet", "bf16": False} | options | variants.get(label, {}) | how
    settings |= {"network_options": network_options if settings["network"] == "ConvNet" else {}}
    path = sb.report.checkpoint(f"{label}-{how.get('bit_weight', 'dc')}-{seed}")
    return sb.condense.condense(
        train, "gradient", images_per_class, seed=seed, device=device, checkpoint=path, progress=False, **settings
    )  # fmt: skip


def accuracy(few, seed, **how):
    """Mean test accuracy, in percent, of fresh networks that have seen this set only."""
    evaluation = sb.condense.evaluate(
        few,
        test,
        "ConvNet",
        range(1000 * seed, 1000 * seed + networks),
        network_options=test_options,
        epochs=epochs,
        augment=sb.condense.CropScaleRotate() if moved else None,
        bf16=False,
        device=device,
        progress=False,
        **how,
    )
    return 100 * evaluation.mean


def priced(label, weight, seed):
    """Bits and accuracy of one set whose bits have this weight."""
    few = condensed(label, seed, density=measure, bit_weight=weight)
    sb.report.fingerprint(f"{label} {weight:g} of {seed}", few.images)
    percent = accuracy(few, seed, noise=1 / (levels - 1))
    if weight == 0 and percent < least_accuracy:
        raise RuntimeError(f"{label}, set {seed}: {percent:.1f} % at weight 0: it taught nothing")
    return {"bits": sb.density.mean_bits(measure, few.images), "accuracy": percent}


def random(seed):
    """Real images drawn at random, centred for the networks as the condensed ones are."""
    chosen = sb.condense.coreset(train, "random", images_per_class, seed=seed)
    few = sb.condense.CondensedSet.of(chosen, train, size, channels)
    mean, std = few.mean * 0 + levels / (levels - 1) / 2, few.std * 0 + levels / (levels - 1)
    bits = sb.density.mean_bits(measure, few.images)
    return {"bits": bits, "accuracy": accuracy(replace(few, mean=mean, std=std), seed)}


def without_density(seed):
    """DC on the same data: free pixels, its own optimiser, size and channels of the density's images."""
    few = condensed("", seed, size=size, channels=channels)
    return {"accuracy": accuracy(few, seed)}


# %%
first, found, groups = next(iter(variants)), {}, {}


def note(group, seed, value):
    """Add a set's value to a group."""
    groups.setdefault(group, {})[f"set {seed}"] = value


for seed in seeds:
    pieces = {f"{label}, weight {w:g}": partial(priced, label, w, seed) for label in variants for w in weights}
    pieces |= {"random": partial(random, seed)} | ({"DC": partial(without_density, seed)} if with_dc else {})
    for name, piece in pieces.items():
        for what, value in sb.report.once(f"{name}, set {seed}", piece).items():
            found.setdefault(f"{name}, {what}", {})[f"set {seed}"] = value
            sb.report.beside(f"{name}, {what}", found[f"{name}, {what}"], "%" if what == "accuracy" else "bits/dim")
    of = {w: {what: found[f"{first}, weight {w:g}, {what}"][f"set {seed}"] for what in ("bits", "accuracy")} for w in weights}  # fmt: skip
    none = of[weights[0]]  # the weight is chosen by bits alone: the smallest that takes more than half of them
    simple = next((p for p in of.values() if p["bits"] < none["bits"] / 2), of[weights[-1]])
    note("none", seed, none["accuracy"])
    note("simple", seed, simple["accuracy"])
    note("bits-left", seed, simple["bits"] / none["bits"])
    note("random", seed, found["random, accuracy"][f"set {seed}"])
    for label in variants:
        note(label, seed, found[f"{label}, weight {weights[0]:g}, accuracy"][f"set {seed}"])
    of_variants = [groups[label][f"set {seed}"] for label in variants]
    note("condensed", seed, sum(of_variants) / len(of_variants))
    if with_dc:
        note("dc", seed, found["DC, accuracy"][f"set {seed}"])
        sb.report.judge_claim("simplebits.condensation.baseline", {g: groups[g] for g in ("none", "dc")}, "%")
    if claim:
        sb.report.judge_claim(f"simplebits.condensation.{claim}", groups, "%")
    else:
        sb.report.judge_claim("simplebits.condensation.flat", groups, "%")

# %%
for name, values in found.items():
    print(f"{name}: {[round(v, 3) for v in values.values()]}")

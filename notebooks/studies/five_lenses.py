# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Do five measures of information agree?
#
# A small network learns from a few hundred images. Each image gets five numbers, one from each of five methods, and from each method a second number that is meant to
# measure the same. Spearman's rank correlations say whether the numbers put the images in one order: between methods, within a method, with brightness, and with it held fixed.

# %%
import copy
from itertools import combinations

import torch
import torch.nn.functional as F

import simplebits as sb

# %% tags=["parameters"]
image_set = "mnist"  # a name for sb.data.load
images = 500  # that the network learns from, and that all lenses look at
validation = 500  # others, on which predictions are compared
density = "glow-16px"  # measures bits, and sets the size of the images
width = 64  # units of each of the two hidden layers of an MLP
training_steps = 400  # of the network, batches of 32
bit_weights = [16.0, 4.0]  # price of a bit while training, and after it
simplify_steps = [120, 24]  # updates of the simplifier, and of the latents of every image
threshold = 0.9  # confidence that a subset of pixels must keep
orders = 20  # random orders of pixels
iterations = 200  # networks drawn while condensing
tangent_steps = 1000  # of the tangent network, at half of the largest stable rate
seed = 0  # of the draw, the network and everything else

# %%
measure = sb.density.load(density)
size = measure.image_size
drawn = sb.data.load(image_set, "train").draw(images + validation, seed).resized(size)
train, x_val = drawn.subset(range(images)), drawn.subset(range(images, len(drawn))).to_float(size, 3)
x, y, classes = train.to_float(size, 3), train.labels, len(train.classes)
start, other = (sb.networks.build("MLP", classes, 3, size, seed=s, width=width) for s in (seed, seed + 1))
network = copy.deepcopy(start)
optimiser = sb.networks.classifier_optimiser(network, 0.004)
how = {"optimiser": optimiser, "size": size, "channels": 3, "seed": seed, "bf16": False, "progress": False}
sb.networks.fit_classifier(network, train, steps=training_steps, **how)
score = sb.subsets.class_score(network, x)

# %% [markdown]
# ## The lenses
#
# Each gives its number and a second one. Simplified images are compared at equal accuracy: from the simplification while training those images are taken, of every tenth
# step, of which its classifier reads most nearly as many as the network reads of the images that were simplified after training.

# %%
fill = sb.subsets.mean_pixel(train)[:, None, None]


def bits():
    return {"Glow": sb.density.bits_of(measure, x), "PNG": sb.density.png_bits_per_dim(x)}


def simplified():
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        simplifier = sb.networks.ResidualUNet(filters=8, downsamplings=3, merge=1.0)
    run = sb.simplify.SimplifyWhileTraining(
        copy.deepcopy(network), simplifier, measure, bit_weight=bit_weights[0], clip=0.3, noise=1.0, augment=None,
        simplifier_learning_rate=0.005, learning_rate=0.001, bf16=False, seed=seed,
    )  # fmt: skip
    every = {"measure_every": 10, "keep_every": 10, "checkpoint": sb.report.checkpoint("while"), "progress": False}
    run.fit(train, steps=simplify_steps[0], cool_down=0.3, test=train, keep=train, **every)
    result = sb.simplify.simplify_after_training(
        network, measure, x, bit_weight=bit_weights[1], gradient_weight=1.0, prediction_weights=(5.0, 5.0), steps=simplify_steps[1],
        learning_rate=0.06, cool_down=0.4, start="image", batch_size=50, seed=seed,
        checkpoint=sb.report.checkpoint("after"), checkpoint_every=5, progress=False,
    )  # fmt: skip
    read = sb.networks.accuracy(network, result.images, y)
    reads = [measured["accuracy_simplified"] for measured in run.history.measured]
    nearest = min(range(len(reads)), key=lambda k: (abs(reads[k] - read), -k))
    pair = {"after training": result.images, "while training": sb.data.to_float(run.kept[nearest + 1][1])}
    bits_of_pair = {name: sb.density.bits_of(measure, images) for name, images in pair.items()}
    return bits_of_pair | {"read": torch.tensor([read, reads[nearest]])}


def subset():
    selection = sb.subsets.batched_gradient_back_select(score, x, 1, fill=fill, progress=False)
    chosen = [-1.0 if each is None else float(len(each)) for each in selection.sufficient(threshold)]
    draw, needed, counts = torch.Generator().manual_seed(seed), [], range(0, size * size + 1, 4)
    for _ in range(orders):
        rank = torch.randperm(size * size, generator=draw).view(size, size)
        sure = torch.stack([score(torch.where(rank < k, x, fill)) >= threshold for k in counts])
        needed.append(4.0 * sure.int().argmax(0))
    return {"chosen pixels": torch.tensor(chosen), "random pixels": torch.stack(needed).mean(0)}


def gradient(image, label):
    return torch.autograd.grad(F.cross_entropy(start(image[None]), label[None]), list(start.parameters()))


def condensed():
    how = {"network_options": {"width": width}, "size": size, "channels": 3, "bf16": False, "progress": False}
    few = sb.condense.condense(
        train, "distribution", 1, network="MLP", seed=seed, iterations=iterations, real_batch=32, **how
    )
    of_few = [gradient(image, label) for image, label in zip(few.images, few.labels, strict=True)]
    far = [sb.condense.matching_distance(gradient(image, c), of_few[c]) for image, c in zip(x, y, strict=True)]
    return {"gradients": torch.stack(far), "pixels": (x - few.images[y]).square().mean((1, 2, 3)).sqrt()}


def unique():
    information = {}
    for name, net in {"one start": start, "another start": other}.items():
        theta, theta_val = (sb.information.kernel(net, *inputs).double() for inputs in ((x,), (x_val, x)))
        outputs = F.one_hot(y, classes).double(), sb.networks.predict(net, x), sb.networks.predict(net, x_val)
        how = 0.99 * (images - 1) / float(torch.linalg.matrix_norm(theta, 2)), tangent_steps
        information[name] = sb.information.sample_information(theta, theta_val, *outputs, *how).functional
    return information


# %%
lenses = {"bits": bits, "simplified": simplified, "subset": subset, "condensed": condensed, "unique": unique}
by_lens = {}
for name, look in lenses.items():
    kept = sb.report.once(name, lambda look=look: {key: v.tolist() for key, v in look().items()})
    by_lens[name] = {key: torch.tensor(values, dtype=torch.float64) for key, values in kept.items()}
    for key, values in by_lens[name].items():
        sb.report.fingerprint(f"{name}, {key}", values.log() if name == "unique" else values)

# %%
# Images of which the network is not sure enough have no sufficient subset, and are left out everywhere.
for name, share in zip(("after", "while"), by_lens["simplified"].pop("read"), strict=True):
    sb.report.beside(f"images read, simplified {name} training", {"all": 100 * float(share)}, "%")
sufficient = by_lens["subset"]["chosen pixels"] >= 0
sb.report.beside("images with a sufficient subset", {"all": int(sufficient.sum())}, "images")
ink, groups = x.mean((1, 2, 3))[sufficient], y[sufficient].tolist()
numbers = {name: [values[sufficient] for values in both.values()] for name, both in by_lens.items()}


def note(name, a, b, **fixed):
    result = sb.report.rank_correlation(a, b, **fixed)
    sb.report.beside(name, {"all": result.rho}, "ρ", pairs=result.pairs)
    print(f"{name:70s} {result}")


for name, both in by_lens.items():
    note(f"within {name}, {' and '.join(both)}", *numbers[name])
    note(f"{name} and brightness", numbers[name][0], ink)
for one, two in combinations(lenses, 2):
    note(f"{one} and {two}", numbers[one][0], numbers[two][0])
    fixed = f"{one} and {two}, brightness and class held fixed"
    note(fixed, numbers[one][0], numbers[two][0], given=[ink], groups=groups)

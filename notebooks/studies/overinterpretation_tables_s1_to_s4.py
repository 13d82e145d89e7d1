# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Learn from five per cent of the pixels
#
# Train a network on whole images, mask in each image all but the pixels that it could spare least, and train fresh
# networks on what is left (tables S1 to S4). Masked pixels show the mean pixel. A trained network is an independent unit.
# The control beside selected pixels is *places*: networks that see where these are, white on black, and not what they show.

# %%
from functools import cache

import torch

import simplebits as sb

# %% tags=["parameters"]
image_set = "cifar10"  # a name for sb.data.load
network = "ResNet20"  # selects the pixels
network_options = {"standardise": "cifar10"}  # of it, beyond its name
learner = ""  # network that learns from them; "": the one that selects
learner_options = {}  # of it
tests = {
    "overinterpretation.tableS1.resnet20.random5.cifar10": ["random+", "random"]
}  # published number to what is learned (+: from images moved once) and what is shown
claims = {}  # claim to its groups, each again what is learned and what is shown
shown_set = (
    "test"  # images that are shown: test, cifar10-c, cifar10.1, or corrupted (15 of the 19 corruptions, made anew)
)
seeds = [0, 1, 2, 3, 4]  # of the trained networks
share = 0.05  # of the pixels that are kept
group = 1  # k, pixels that the gradient rule masks at a time
epochs = 200  # of every training, 128 images a step, rates as in section S2
limits = [0, 0, 2000]  # training images of subsets, test images, corrupted images selected from; 0: all
least_accuracy = 0.85  # test accuracy on whole images below which a network counts as broken
device = None  # cpu, cuda; None: a GPU where there is one

# %% [markdown]
# ## Networks, each trained once for all cases and refused where it is broken, and the pixels that they need longest

# %%
device = device or ("cuda" if torch.cuda.is_available() else "cpu")
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
fill, moves = sb.subsets.mean_pixel(train), sb.data.RandomShift(4, flip=True)
channels, side = train.images.shape[1:3]
chooser = [network, network_options]
apprentice = [learner, learner_options] if learner else chooser
blank, masks_of = fill.to(device)[:, None, None], {}  # what masked pixels become; masks selected so far
WHOLE = ("full", "dropout", "ensemble")  # kinds that learn from whole images


@cache
def trained(kind, seed, choosing=False):
    """The network of this seed: trained now, gone on with after a kill, or trained before by another case."""
    name, options = chooser if choosing else apprentice
    how = {"set": image_set, "network": name, "options": options, "learned": kind, "seed": seed, "epochs": epochs}
    if kind not in WHOLE:
        how |= {"chooser": chooser, "share": share, "group": group, "limit": limits[0]}
    with torch.random.fork_rng():  # other initial weights than the network that selects
        torch.random.default_generator.manual_seed(seed if kind in WHOLE else 1000 + seed)
        net = sb.networks.build(name, len(test.classes), channels, side, **options).to(device)
    if kind == "dropout":
        net = sb.subsets.InputDropout(net, 0.8, fill, torch.Generator().manual_seed(seed)).to(device)
    path = sb.report.artefact("networks", **how) or sb.report.checkpoint(f"{name}-{kind}-{seed}")
    few = train.draw(limits[0]) if limits[0] and kind not in WHOLE else train
    images, augment = dressed(few, kind, True), moves if kind in WHOLE else None
    sb.subsets.train_classifier(net, images, epochs=epochs, augment=augment, seed=seed, checkpoint=path, progress=False)
    if kind == "full":
        sb.subsets.check_trained(net, test, least_accuracy)
    sb.report.fingerprint(f"{name} {kind} {seed}", torch.cat([p.flatten() for p in net.parameters()]))
    return net.eval()


def selected(images, by):
    """Masks of the pixels that a network could spare least, a thousand images at a time."""
    name, masks = f"{images.name} by {(chooser if by[2] else apprentice)[0]} {by[1]}", []
    if name in masks_of:
        return masks_of[name]
    how = {"set": name, "options": chooser if by[2] else apprentice, "epochs": epochs, "limits": limits, "group": group}
    for i, x in enumerate(images.to_float(device=device).split(1000)):
        score = sb.subsets.class_score(trained(*by), x)
        path = sb.report.artefact("selections", n=i, **how) or sb.report.checkpoint(f"{name} {i}".replace("/", " "))
        found = sb.subsets.batched_gradient_back_select(score, x, group, fill=blank, checkpoint=path, progress=False)
        masks.append(sb.subsets.keep_last(found.order.cpu(), share))
    sb.report.fingerprint(f"masks of {name}", masks_of.setdefault(name, torch.cat(masks)))
    return masks_of[name]


def dressed(images, kind, training=False, by=("full", 0, True)):
    """Images as networks of a kind see them: whole, selected or random pixels, or only the places of selected ones."""
    if kind in WHOLE:
        return images
    if kind.startswith("random"):
        masks = sb.subsets.random_masks(len(images), (side, side), share, 1234 if training else 5678)
    else:
        masks = selected(images, by)
    if kind == "places":
        return sb.subsets.keep_places(images, masks)
    if kind.endswith("+") and training:
        images = sb.subsets.augment_once(images, moves)  # the masks are those of the images before they moved
    return sb.subsets.keep_pixels(images, masks, fill)


def shown(seen):
    """The images that networks are tested on, at most 10,000 at a time."""
    images = sb.data.cifar10_1() if shown_set == "cifar10.1" else test
    images = images.draw(limits[1]) if limits[1] and shown_set != "cifar10-c" else images
    if shown_set in ("test", "cifar10.1"):
        return [images]
    return sb.data.corrupted_sets(images, shown_set == "cifar10-c", 0 if seen in ("full", "random") else limits[2])


def accuracy(kind, seen, seed):
    """Percent of the images shown that a network of this kind gets right, and how many there are."""
    one = kind != "ensemble"
    net = trained(kind, seed) if one else sb.subsets.Ensemble([trained("full", s) for s in seeds]).eval()
    right = count = 0
    for part in shown(seen):  # a network that learned from whole images selects for itself
        part = dressed(part, seen, by=("full", seed, False) if kind == "full" else ("full", 0, True))
        right += len(part) * sb.networks.accuracy(net, part.to_float(), part.labels)
        count += len(part)
    return [100 * right / count, count]


# %% [markdown]
# ## Accuracy, published beside measured

# %%
values, groups, control = {key: {} for key in tests}, {claim: {} for claim in claims}, {}
for seed in seeds:
    found = lambda kind, seen, s=seed: sb.report.once(f"{kind} shown {seen} {s}", lambda: accuracy(kind, seen, s))  # noqa: E731
    for key, (kind, seen) in tests.items():
        one = kind != "ensemble"  # of a single ensemble the images are the trials
        value, count = found(kind, seen, seed if one else "all")
        values[key][f"network {seed}" if one else "ensemble"] = value
        sb.report.judge(key, values[key], pairs=None if one else count, learned=kind, shown=seen)
        if kind.startswith("selected") and seen == "selected":
            control[f"network {seed}"] = found("places", "places")[0]
            sb.report.beside(f"places of pixels selected by {network}, {shown_set}", control, "%", learner=apprentice)
    for claim, ways in claims.items():
        for name, way in ways.items():
            groups[claim].setdefault(name, {})[f"network {seed}"] = found(*way)[0]
        sb.report.judge_claim(claim, groups[claim], "%")
sb.report.table_beside(values)

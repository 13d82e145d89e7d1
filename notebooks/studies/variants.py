# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Condense in several ways, compare what the sets are worth
#
# The protocol behind claims such as *accuracy hardly depends on it*: sets condensed in ways that differ in one thing,
# tested alike. Sets of one seed start from the same pixels, and are compared with each other. A way may also choose real
# images: at random, or by herding, as k-centres or for being forgotten, for which a network learns the whole set first.

# %%
import functools

import torch

import simplebits as sb

# %% tags=["parameters"]
claim = "dc.steps"  # whose tests name the ways; "": none, they are recorded beside the papers
ways = {"default": {}, "K500": {"options": {"iterations": 501}}}  # group to what differs in it
image_set = "mnist"  # a name for sb.data.load
method = "gradient"  # gradient, distribution, pixels; or random, herding, k-centre, forgetting
images_per_class = 10  # synthetic or chosen images of each class
network = "ConvNet"  # that the images are condensed with
network_options = {}  # of it
options = {}  # further arguments of sb.condense.condense; those of a way are added to them
augment = ""  # siamese strategy while condensing; "": none
epochs = 300  # of each network that learns from a set
test_augment = ""  # in each training: digits (crop, scale or rotate, as DC on MNIST), a siamese strategy, or ""
test_network = "ConvNet"  # that learns from the sets, and whose features choose images
test_options = {}  # of it
sets = [0, 1, 2, 3, 4]  # seeds, one set of each way
networks = 4  # trained on each set
feature_epochs = 10  # passes over the whole set, of the network that chooses images
image_limit = 0  # real images used of either split; 0: all
device = None  # cpu, cuda; None: the library's choice

# %%
device = device or "cpu"
AUGMENTS = {"": None, "digits": sb.condense.CropScaleRotate()}
BASE = {
    "image_set": image_set, "method": method, "images_per_class": images_per_class, "network": network,
    "network_options": network_options, "options": options, "augment": augment, "epochs": epochs,
    "test_augment": test_augment,
}  # fmt: skip


@functools.cache
def load(name, split):
    """Real images."""
    images = sb.data.load(name, split)
    return images.draw(image_limit) if image_limit else images


def in_way(way):
    """All settings of a way."""
    return BASE | ways[way] | {"options": options | ways[way].get("options", {})}


@functools.cache
def looks(name, seed):
    """By what images are chosen: what a network that learned the whole set sees in each, and how often it forgot it."""
    train = load(name, "train")
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        net = sb.networks.build(test_network, len(train.classes), *train.images.shape[1:3], **test_options)
    scale = sb.condense.CondensedSet.of(sb.condense.coreset(train, "random", 1), train)
    net.standardise.mean, net.standardise.std = (x[:, None, None] for x in (scale.mean, scale.std))
    forgotten = sb.condense.count_forgetting(
        net.to(device), train, epochs=feature_epochs, bf16=False, seed=seed, progress=False
    )
    return {"forgetting": forgotten, "features": sb.condense.penultimate_features(net, train)}


def few_images(way, seed):
    """The set of this way and seed: made now, gone on with after a kill, or made before by another case."""
    setting, train = in_way(way), load(in_way(way)["image_set"], "train")
    if setting["method"] in ("random", "herding", "k-centre", "forgetting"):
        by = {} if setting["method"] == "random" else looks(setting["image_set"], seed)
        chosen = sb.condense.coreset(train, setting["method"], setting["images_per_class"], seed=seed, **by)
        return sb.condense.CondensedSet.of(chosen, train)
    made_with = {name: setting[name] for name in ("method", "network", "network_options")}
    made_with |= {"augment": setting["augment"] or None} | setting["options"]
    each = setting["images_per_class"]
    path = sb.report.artefact("condensed", set=train.name, limit=image_limit, each=each, seed=seed, **made_with)
    if path and path.is_file():
        return sb.condense.CondensedSet.read(path)
    checkpoint = sb.report.checkpoint(f"{way}-{seed}")
    few = sb.condense.condense(
        train,
        images_per_class=each,
        seed=seed,
        bf16=False,
        device=device,
        checkpoint=checkpoint,
        progress=False,
        **made_with,
    )
    if path:
        few.save(path)
    return few


def accuracy(way, seed):
    """Mean test accuracy, in percent, of fresh networks that have seen this set only."""
    setting, few = in_way(way), few_images(way, seed)
    sb.report.fingerprint(f"{way}, {seed}", few.images)
    evaluation = sb.condense.evaluate(
        few,
        load(setting["image_set"], "test"),
        test_network,
        seeds=range(1000 * seed, 1000 * seed + networks),  # the same initial weights for all ways
        network_options=test_options,
        epochs=setting["epochs"],
        augment=AUGMENTS.get(setting["test_augment"], setting["test_augment"]),
        bf16=False,
        device=device,
        checkpoint=sb.report.checkpoint(f"test-{way}-{seed}"),
        progress=False,
    )
    return 100 * evaluation.mean


# %%
values = {way: {} for way in ways}
for seed in sets:
    for way in ways:
        values[way][f"set {seed}"] = sb.report.once(f"{seed} {way}", lambda seed=seed, way=way: accuracy(way, seed))
        if not claim:
            sb.report.beside(way, values[way], "%", way=in_way(way), networks=networks)
    if claim:
        record = sb.report.judge_claim(claim, values, "%", networks=networks)
        print(*record.tests, sep="\n")

# %% [markdown]
# ## What the ways are worth, percent

# %%
for way, by_set in values.items():
    print(f"{way:20} {sum(by_set.values()) / len(by_set):5.1f}  ({len(by_set)} sets)")

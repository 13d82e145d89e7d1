# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Match features of poor and of good networks
#
# Distribution matching draws random networks. Its figure F2 draws them by their accuracy instead, from poor to good ones,
# and finds images that look different and are worth about the same. Here each pool holds networks that have learned the
# task for a while, from not at all to well; images are condensed with networks drawn from one pool only.

# %%
import copy

import torch

import simplebits as sb

# %% tags=["parameters"]
claim = "dm.networks"  # whose tests name the pools
image_set = "cifar10"  # a name for sb.data.load
images_per_class = 10  # synthetic images of each class
pools = {
    "poor": 0,
    "middling": 400,
    "good": 20000,
}  # steps that the networks of a pool have learned, 128 real images each
pool_size = 10  # networks in a pool
network_options = {}  # of the ConvNets in the pools
options = {}  # further arguments of sb.condense.condense; nothing else is changed from the paper's setting
augment = "color_crop_cutout_flip_scale_rotate"  # siamese strategy while condensing and while learning from the sets
sets = [0, 1, 2, 3, 4]  # seeds, one set of each pool
test_options = {}  # of the ConvNets that learn from the sets
networks = 2  # trained on each set
epochs = 1000  # of each training
image_limit = 0  # real images used of either split; 0: all
device = None  # cpu, cuda; None: the library's choice

# %%
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
train, test = (images.draw(image_limit) if image_limit else images for images in (train, test))
device = device or "cpu"
scale = sb.condense.CondensedSet.of(sb.condense.coreset(train, "random", 1), train)


def trained(name, member):
    """A ConvNet that has learned as long as its pool says, and its test accuracy in percent."""
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(1000 + member)
        net = sb.networks.build("ConvNet", len(train.classes), *train.images.shape[1:3], **network_options)
    net.standardise.mean, net.standardise.std = (x[:, None, None] for x in (scale.mean, scale.std))
    net.to(device)
    if pools[name]:
        sb.networks.fit_classifier(
            net,
            train,
            steps=pools[name],
            batch_size=128,
            optimiser=torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=5e-4),
            bf16=False,
            seed=member,
            checkpoint=sb.report.checkpoint(f"{name}-{member}"),
            progress=False,
        )
    right = sb.report.once(
        f"{name}, network {member}", lambda: 100 * sb.networks.accuracy(net, test.to_float(), test.labels)
    )
    net.standardise = torch.nn.Identity()  # condensing shows it standardised images
    return net, right


# %%
POOLS = {}
for name in pools:
    members = [trained(name, member) for member in range(pool_size)]
    POOLS[name] = [net for net, _ in members]
    known = {f"network {i}": right for i, (_, right) in enumerate(members)}
    sb.report.beside(f"accuracy of the pool {name}", known, "%", steps=pools[name])


def condensed(name, seed):
    """A set condensed with networks of this pool, drawn at random for each step."""
    few = sb.condense.condense(
        train,
        "distribution",
        images_per_class,
        network=lambda: copy.deepcopy(POOLS[name][int(torch.randint(pool_size, ()))]),
        augment=augment,
        seed=seed,
        bf16=False,
        device=device,
        checkpoint=sb.report.checkpoint(f"set-{name}-{seed}"),
        progress=False,
        **options,
    )
    sb.report.fingerprint(f"{name}, {seed}", few.images)
    return few


def accuracy(name, seed):
    """Mean test accuracy, in percent, of fresh networks that have seen this set only."""
    found = sb.condense.evaluate(
        condensed(name, seed),
        test,
        "ConvNet",
        seeds=range(1000 * seed, 1000 * seed + networks),
        network_options=test_options,
        epochs=epochs,
        augment=augment,
        bf16=False,
        device=device,
        progress=False,
    )
    return 100 * found.mean


# %%
values = {name: {} for name in pools}
for seed in sets:
    for name in pools:
        values[name][f"set {seed}"] = sb.report.once(
            f"{seed} {name}", lambda seed=seed, name=name: accuracy(name, seed)
        )
    record = sb.report.judge_claim(claim, values, "%", networks=networks)
    print(*record.tests, sep="\n")

# %%
for name, by_set in values.items():
    print(f"{name:10} {sum(by_set.values()) / len(by_set):5.1f}  ({len(by_set)} sets)")

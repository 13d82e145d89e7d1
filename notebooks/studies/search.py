# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Choose a network by a small stand-in for the whole set
#
# Train every network of a search space on small proxy sets, on the whole set for as many steps, and on the whole set to
# the end. Does the order of the best networks on a proxy hold on the whole set, and what does its first one lose?
#
# A search is an independent unit: a proxy set of its own, and networks with weights of their own. What the whole set
# says is the same in all searches. A correlation in the paper's table is that of mean accuracies over all runs.

# %%
import contextlib
import statistics
from dataclasses import replace

import torch

import simplebits as sb

# %% tags=["parameters"]
image_set = "cifar10"  # a name for sb.data.load
size = 0  # height and width that images are brought to; 0: as they are
space = {}  # of SearchSpace; the default is the paper's, 720 networks
networks = 0  # drawn at random from the space; 0: all
validation_images = 5000  # training images set aside to choose by
few = 10  # images of each class in a proxy set
ways = {"random": {}, "herding": {}, "dc": {"method": "gradient"}}  # proxy sets; of a condensed one, condense's options
sets = [0]  # seeds of the proxy sets, one search each
runs = 5  # trainings of each network on each proxy set
steps = 100  # of each training on a proxy, and of early stopping
batch_size = 100  # images of each of these steps
augment = ""  # siamese strategy in these trainings
whole_epochs = 100  # passes over the whole set
whole_batch = 256  # images of each of its steps
whole_runs = 5  # trainings of each network on the whole set
top = 10  # best networks by a proxy, whose rank correlation counts
judges = ["correlation", "performance", "time", "storage"]  # rows of the table that this case judges
claims = ["dc.search.order"]  # judged by the rank correlation of each search
feature_steps = 4000  # of the network that herding looks at, 32 images each
image_limit = 0  # real images used of either split; 0: all
scheduler = ""  # address of a Dask cluster that trains the networks
device = None  # cpu, cuda; None: the library's choice

# %%
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
train, test = (x.draw(min(image_limit, len(x))) if image_limit else x for x in (train, test))
train, test = (x.resized(size) if size else x for x in (train, test))
shuffled, device = train.draw(len(train)), device or "cpu"
validation, train = shuffled.subset(slice(0, validation_images)), shuffled.subset(slice(validation_images, None))
grid = sb.condense.SearchSpace(**{choice: tuple(values) for choice, values in space.items()})
candidates = grid.draw(networks, seed=0) if networks else grid.architectures

# %% [markdown]
# ## The proxy sets, then the search

# %%
SHAPE = (len(train.classes), *train.images.shape[1:3])


def features(seed):
    """What a network that has learned the whole set sees of each image."""
    net = sb.networks.build("ConvNet", *SHAPE, seed=seed).to(device)
    how = {"checkpoint": sb.report.checkpoint(f"features-{seed}"), "progress": False}
    sb.networks.fit_classifier(net, train, steps=feature_steps, seed=seed, **how)
    return sb.condense.penultimate_features(net, train)


def made(way, seed):
    """A few images of each class, made now, or before by another case."""
    made_with = {"set": train.name, "images": len(train), "size": SHAPE[2], "few": few, "options": ways[way]}
    path = sb.report.artefact("proxy", way=way, seed=seed, **made_with)
    if path and path.is_file():
        return sb.condense.CondensedSet.read(path)
    if "method" in ways[way]:
        how = {"checkpoint": sb.report.checkpoint(f"{way}-{seed}"), "device": device, "progress": False}
        found = sb.condense.condense(train, images_per_class=few, seed=seed, **how, **ways[way])
    else:
        looks = {"features": features(seed)} if way == "herding" else {}
        found = sb.condense.CondensedSet.of(sb.condense.coreset(train, way, few, seed=seed, **looks), train)
    if path:
        found.save(path)
    return found


proxies = {}
for seed in sets:
    how = {"batch_size": batch_size, "augment": augment or None, "seeds": range(runs * seed, runs * (seed + 1))}
    for way in ways:
        images = made(way, seed)
        sb.report.fingerprint(f"{way}, {seed}", images.images)
        proxies[f"{way}-{seed}"] = sb.condense.Proxy(images, steps, **how)
    proxies[f"early-stopping-{seed}"] = sb.condense.Proxy(train, steps, **how)
whole = sb.condense.Proxy(train, whole_epochs * -(-len(train) // whole_batch), whole_batch, seeds=range(whole_runs))

# %%
folder = sb.report.checkpoint("search")
how = {"folder": folder and folder.with_suffix(""), "device": device, "progress": False}
with sb.run.spread.over_cluster(scheduler) if scheduler else contextlib.nullcontext(map) as spread:
    result = sb.condense.search(candidates, proxies, whole, validation, test, spread=spread, **how)
seen = {name.rpartition("-")[0]: proxy.images_seen for name, proxy in proxies.items()} | {"whole": whole.images_seen}
trials = [replace(trial, proxy=trial.proxy.rpartition("-")[0] or "whole") for trial in result.trials]
result = sb.condense.SearchResult(result.candidates, tuple(trials))
for name in result.proxies:
    sb.report.fingerprint(f"accuracies, {name}", torch.tensor(result.accuracies(name)))


# %%
def rho(name, best=None, seed=None):
    """Rank correlation of the best networks with the whole set; 0 where all of them are equal on one of the two."""
    pairs = result.pairs(name, best, seed=seed)
    return sb.report.rank_correlation(*pairs).rho if all(len(set(values)) > 1 for values in pairs) else 0.0


names = result.proxies[:-1]
units = {f"search {seed}": seed for seed in range(runs * min(sets), runs * (max(sets) + 1))}
searches = {name: {unit: rho(name, top, seed) for unit, seed in units.items()} for name in names}
for name in names:
    losses = {unit: 100 * result.regret(name, seed=seed) for unit, seed in units.items()}
    sb.report.beside(f"regret of {name}", losses, "points")
    for said, best in (("all networks", None), (f"the best {top}", top)):
        pairs = best or len(candidates)
        sb.report.beside(f"rank correlation of {name}, {said}", {"all": rho(name, best)}, "ρ", pairs=pairs)
blind = result.worth("whole") - statistics.fmean(result.accuracies("whole", "test"))
sb.report.beside("regret of a blind pick", {"all": 100 * blind}, "points")
for name in result.proxies:
    sb.report.beside(f"training time on {name}", {"all": result.seconds(name) / 60}, "min")

# %%
for claim in claims:
    sb.report.judge_claim(claim, searches, "ρ", top=top, networks=len(candidates))
values = {}
for name in ("random", "herding", "dc", "early-stopping", "whole") if judges else ():
    first = result.ranking(name)[0]
    found = {"time": {"all": result.seconds(name) / 60}, "storage": {"all": seen[name]}}
    of_runs = {seed: result.accuracies("whole", "test", seed=seed)[first] for seed in range(whole_runs)}
    found["performance"] = {f"run {seed}": 100 * right for seed, right in of_runs.items()}
    found |= {"correlation": {"all": rho(name, top)}} if name != "whole" else {}
    for row in set(judges) & found.keys():
        values[f"dc.search.{row}.{name}"] = found[row]
        sb.report.judge(f"dc.search.{row}.{name}", found[row], pairs=top if row == "correlation" else None)

# %%
sb.report.table_beside(dict(sorted(values.items()))) if values else None

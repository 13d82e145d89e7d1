# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How much of a score is the sample's own
#
# A score belongs to a sample *and* a training. The same samples are scored for several networks, for several initial weights, for several lengths of training, or with
# a kernel from some of the weights in place of all; then the scores are compared by Pearson's r and by the overlap of their ten highest. A run draws its
# own samples and initial weights and is an independent unit.

# %%
from functools import partial
from itertools import combinations, pairwise
from statistics import fmean

import torch
from torch import nn

import simplebits as sb

# %% tags=["parameters"]
vary = "networks"  # networks, starts, lengths or coordinates
image_set = "mnist"  # a name for sb.data.load
classes = [4, 9]  # with target 0, and with target 1
samples = 1000  # n, training samples, and as many on which predictions are compared
size = 28  # pixels a side
networks = [
    "MLP",
    "MLP, two hidden layers",
    "LeNet",
    "StridedCNN",
]  # compared; the first one alone where something else varies
width = 1024  # hidden units of an MLP
learning_rate = 0.001  # of full-batch descent on the mean loss; 0: half of the largest stable one of each network
steps = 1000  # t; 2000 for the MLP in other figures
lengths = [250, 500, 1000, 2000, 4000, None]  # t, compared; None: training without end
coordinates = 2000  # of each parameter tensor, against all
draws = 3  # of these, or initial weights that are compared with each other
runs = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]  # as the paper
device = None  # cpu, cuda; None: the library's choice

# %%
device = device or "cpu"
images = sb.data.load(image_set, "train")
here = torch.isin(images.labels, torch.tensor(classes)).nonzero().flatten()


def make(name, seed):
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        if not name.startswith("MLP"):
            return sb.networks.build(name, 1, 1, size).to(device)
        parts, features = [nn.Flatten()], size * size
        for _ in range(2 if "two" in name else 1):
            parts, features = [*parts, nn.Linear(features, width), nn.ReLU()], width
        return nn.Sequential(*parts, nn.Linear(features, 1)).to(device)


def scores(net, x, y, x_val, lengths, coordinates=None, seed=0):
    """F-SI of every sample, for each length of training."""
    how = {"dtype": torch.float64, "coordinates": coordinates, "seed": seed}
    theta, theta_val = (sb.information.kernel(net, *some, **how) for some in ((x,), (x_val, x)))
    f0, f0_val = net(x).detach(), net(x_val).detach()
    rate = learning_rate or 0.99 * (len(x) - 1) / float(torch.linalg.matrix_norm(theta, 2))
    return [sb.information.sample_information(theta, theta_val, y, f0, f0_val, rate, t).functional for t in lengths]


# %% [markdown]
# ## One run: all scores that are compared, a row each

# %%
names = {"networks": networks, "lengths": [str(t or "∞") for t in lengths]}.get(
    vary, [f"{vary} {i}" for i in range(draws)]
)


def rows(run):
    draw = torch.Generator().manual_seed(42 + run)
    order = here[torch.randperm(len(here), generator=draw)]
    some = images.subset(order[: 2 * samples])
    both = (some.to_float(size, 1, device) - 0.456) / 0.224
    y = (some.labels == classes[1]).float()[:samples, None].to(device)
    data = both[:samples], y, both[samples:]
    if vary == "lengths":
        found = scores(make(networks[0], run), *data, lengths)
    elif vary == "networks":
        found = [scores(make(name, 100 * run + i), *data, [steps])[0] for i, name in enumerate(networks)]
    elif vary == "starts":
        found = [scores(make(networks[0], 100 * run + i), *data, [steps])[0] for i in range(draws)]
    else:
        net = make(networks[0], run)
        found = scores(net, *data, [steps])
        found += [scores(net, *data, [steps], coordinates, draws * run + i)[0] for i in range(draws)]
    return torch.stack(found).tolist()


# %% [markdown]
# ## Compare

# %%
groups = {}


def note(name, run, value):
    groups.setdefault(name, {})[f"run {run}"] = float(value)


for run in runs:
    found = torch.tensor(sb.report.once(f"run {run}", partial(rows, run)), dtype=torch.float64)
    sb.report.fingerprint(f"log scores {run}", found.log())
    r = torch.corrcoef(found)
    top = [set(row.topk(min(10, samples)).indices.tolist()) for row in found]
    if vary == "coordinates":
        note("r", run, r[0, 1:].mean())
        sb.report.judge_claim("unique-information.coordinates", groups, "r")
    elif vary == "lengths":
        note("neighbours", run, min(r[i, j] for i, j in pairwise(range(len(names)))))
        note("farthest", run, r[0, -1])
        sb.report.judge_claim("unique-information.lengths", groups, "r")
    elif vary == "networks":
        note("overlap", run, fmean(len(a & b) for a, b in combinations(top, 2)))
        sb.report.judge_claim("unique-information.top-ten", groups, "of 10")
    if vary != "coordinates":
        for i, j in combinations(range(len(names)), 2):
            note(f"{names[i]} and {names[j]}", run, r[i, j])

# %% [markdown]
# ## What came out, by run
#
# Of the lengths, *neighbours* is the least correlation of two lengths that follow each other. Ten samples of a thousand, drawn twice, share 0.1 in the mean.

# %%
for name, values in groups.items():
    sb.report.beside(f"{vary}, {name}", values, "of 10" if name == "overlap" else "r")
    print(f"{name:40s} {fmean(values.values()):.3f}")

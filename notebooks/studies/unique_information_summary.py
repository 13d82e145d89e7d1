# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Throw samples away, and train on the rest
#
# A sample that says nothing which others do not say can go. The least informative go first: *once*, by the scores of the full set, or *iteratively*, 5 % of what
# remains at a time, scored anew. To compare with: the most informative first, and at random. Then a network is trained on the rest, really and not
# linearised, and tested on test images. A run, with its own draw of samples and initial weights, is an independent unit.

# %%
from functools import partial
from statistics import fmean

import torch
from torch import nn

import simplebits as sb

# %% tags=["parameters"]
image_set = "mnist"  # a name for sb.data.load
classes = [4, 9]  # with target 0, and with target 1
samples = 1000  # n, training samples, and as many on which predictions are compared
size = 28  # pixels a side
width = 1024  # hidden units
learning_rate = 0.001  # of full-batch descent on the mean loss
steps = 2000  # t, of scores and of trainings
removed = [0.0, 0.475, 0.8075, 0.855, 0.9025, 0.95]  # shares; the paper has 21 from 0 to 0.95, these among them
strategies = ["least", "iterative", "random", "most"]  # what goes first
transfer = False  # also train networks with two hidden layers, by the scores of the one with one
runs = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]  # each draws samples, initial weights and what goes at random
device = None  # cpu, cuda; None: the library's choice

# %%
device = device or "cpu"
half, late = [share for share in removed if 0.4 < share < 0.6], [share for share in removed if share > 0.8]


def perceptron(seed, layers):
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        parts, features = [nn.Flatten()], size * size
        for _ in range(layers):
            parts, features = [*parts, nn.Linear(features, width), nn.ReLU()], width
        return nn.Sequential(*parts, nn.Linear(features, 1)).to(device)


def draw(split, seed, count, skip=0):
    """Images of the two classes in random order, as the paper's code shifts them, and their targets."""
    images = sb.data.load(image_set, split)
    here = torch.isin(images.labels, torch.tensor(classes)).nonzero().flatten()
    order = here[torch.randperm(len(here), generator=torch.Generator().manual_seed(seed))][skip:][:count]
    some = images.subset(order)
    return (some.to_float(size, 1, device) - 0.456) / 0.224, (some.labels == classes[1]).float()[:, None].to(device)


# %% [markdown]
# ## In which order samples go

# %%
AT_A_TIME = 0.05  # of what remains, in the paper


def orders(run, x, y, x_val):
    """For each strategy: samples, those that stay longest first."""
    net = perceptron(run, 1)
    theta, theta_val = (sb.information.kernel(net, *some, dtype=torch.float64) for some in ((x,), (x_val, x)))
    f0, f0_val = net(x).detach(), net(x_val).detach()

    def scores(kept):
        return sb.information.sample_information(theta[kept][:, kept], theta_val[:, kept], y[kept], f0[kept], f0_val, learning_rate, steps).functional  # fmt: skip

    kept, gone = torch.arange(len(x), device=device), []
    once = scores(kept)
    while len(kept) > (1 - max(removed)) * len(x):
        now, count = scores(kept).argsort(), max(1, int(AT_A_TIME * len(kept)))
        gone.append(kept[now[:count]])
        kept = kept[now[count:].sort().values]
    at_random = torch.randperm(len(x), generator=torch.Generator().manual_seed(run))
    found = {
        "least": once.argsort(descending=True),
        "most": once.argsort(),
        "iterative": torch.cat([*gone, kept]).flip(0),
        "random": at_random,
    }
    return {"scores": once.tolist()} | {strategy: order.tolist() for strategy, order in found.items()}


# %% [markdown]
# ## Train on what is left
#
# Descent sees the images in coordinates of the space that they span: the same descent in less time.

# %%
x_test, y_test = draw("test", 0, None)


def accuracy(net, x, y, x_test, y_test):
    """Percent of the test images, after full-batch descent on these samples, as the paper trains."""
    net, x, x_test = sb.information.in_span(net, x, x_test)
    optimiser = torch.optim.SGD(net.parameters(), lr=learning_rate)
    for _ in range(steps):
        optimiser.zero_grad()
        (0.5 * (net(x) - y).square().mean()).backward()
        optimiser.step()
    return 100 * float(((net(x_test) > 0.5) == (y_test > 0.5)).float().mean())


# %%
groups, prefix = {}, "unique-information.summary"


def group(name, run, values):
    groups.setdefault(name, {})[f"run {run}"] = fmean(values)


for run in runs:
    x, y = draw("train", 42 + run, samples)
    x_val, _ = draw("train", 42 + run, samples, skip=samples)
    order = sb.report.once(f"orders {run}", partial(orders, run, x, y, x_val))
    sb.report.fingerprint(f"scores {run}", torch.tensor(order["scores"]))
    found = {}
    for layers in (1, 2) if transfer else (1,):
        for strategy in strategies:
            for share in removed:
                kept = sorted(order[strategy][: max(2, round((1 - share) * len(x)))])
                of = f"run {run}, {layers}, {strategy if share else 'all'}, {share:g}"
                start = perceptron(run if layers == 1 else 1000 + run, layers)
                data = x[kept], y[kept], x_test, y_test
                found[layers, strategy, share] = sb.report.once(of, partial(accuracy, start, *data))
    if transfer:
        for name, layers, strategy in (
            ("own", 1, "iterative"),
            ("other", 2, "iterative"),
            ("other-random", 2, "random"),
        ):
            group(name, run, [found[layers, strategy, share] for share in removed if share])
        sb.report.judge_claim(f"{prefix}.transfer", groups, "%")
        continue
    group("all", run, [found[1, strategies[0], 0.0]])
    for strategy in strategies:
        group(strategy, run, [found[1, strategy, share] for share in half])
        group(f"{strategy}-late", run, [found[1, strategy, share] for share in late])
    for claim in ("order", "crossing", "iterative"):
        sb.report.judge_claim(f"{prefix}.{claim}", groups, "%")
    sb.report.fingerprint(f"accuracies {run}", torch.tensor(list(found.values())))

# %% [markdown]
# ## What is left, and what it gives

# %%
for name, values in groups.items():
    sb.report.beside(f"{'transfer, ' if transfer else ''}{name}", values, "% of test images")
    print(f"{name:16s} {fmean(values.values()):.2f} %")

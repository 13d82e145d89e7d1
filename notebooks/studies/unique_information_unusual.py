# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Do unusual samples score higher?
#
# Five sets in which some samples are known to be unusual: labels flipped, digits of a second source, the few of a kind, rare classes, adversarial images.
# In each the functional information of every sample is computed. `ratio` is the mean score of the unusual ones over that of those that they are compared with,
# `auc` the probability that one of the former scores above one of the latter. A run draws samples and initial weights anew and is an independent unit.

# %%
from functools import partial
from statistics import fmean

import torch
from torch import nn
from torchvision.datasets import ImageFolder
from torchvision.transforms.functional import pil_to_tensor

import simplebits as sb

# %% tags=["parameters"]
what = "mislabelled"  # mislabelled, sources, subclass, rare, adversarial
image_sets = ["mnist"]  # a name for sb.data.load or svhn-crops; two of them for sources
counts = {4: 500, 9: 500}  # training samples of each class; subclass: the few, the many of their class, the other class
size = 28  # pixels a side
channels = 1  # 1 or 3
shift = [0.456, 0.224]  # subtracted from grey values, then they are divided by it
validation = 1000  # samples on which predictions are compared
network = "MLP"  # MLP, or a name for sb.networks.build
width = 1024  # hidden units or channels
learned_first = "cifar10"  # what the network learns before, without the task's classes
pretraining = 0  # steps of that; 0: weights at random
learning_rate = 0.001  # of full-batch descent on the mean loss; 0: half of the largest stable one
steps = 2000  # t
coordinates = 0  # of each parameter tensor that the kernel counts; 0: all
flip_share = 0.1  # of the labels
epsilons = [
    0.01
]  # steps of adversarial images, grey values; the first that fools the network on a tenth of the samples
runs = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]  # each draws samples and initial weights
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## Samples and networks

# %%
device = device or "cpu"
counts = {int(label): count for label, count in counts.items()}
names, outputs = list(counts), len(counts) if what in ("sources", "rare") else 1


def load(name):
    if name != "svhn-crops":
        return sb.data.load(name, "train")
    folder = ImageFolder(
        str(sb.data.root() / name / "train")
    )  # digits cut from SVHN's full photographs, a folder for each
    images = torch.stack([pil_to_tensor(picture.resize((32, 32))) for picture, _ in folder])
    return sb.data.ImageSet(images, torch.tensor(folder.targets), tuple(folder.classes), name)


def pick(images, draw):
    """So many images of each class in random order, and others of these classes for validation."""
    taken, rest = [], []
    for label, count in counts.items():
        own = (images.labels == label).nonzero().flatten()
        own = own[torch.randperm(len(own), generator=draw)]
        taken.append(own[:count])
        rest.append(own[count:])
    rest = torch.cat(rest)
    rest = rest[torch.randperm(len(rest), generator=draw)][: validation // len(image_sets)]
    return images.subset(torch.cat(taken)), images.subset(rest)


def shifted(x):
    return (x - shift[0]) / shift[1]


def make(seed, outputs, body=None):
    """A network with weights at random, or a pretrained one with a new last layer."""
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        if network == "MLP":
            features = channels * size * size
            net = nn.Sequential(nn.Flatten(), nn.Linear(features, width), nn.ReLU(), nn.Linear(width, outputs))
        else:
            net = sb.networks.build(network, outputs, channels, size, width=width)
            if body is not None:
                net.features.load_state_dict(body.features.state_dict())
    return net.to(device)


body, sources = None, [load(name) for name in image_sets]
if pretraining:
    first = sb.data.load(learned_first, "train")
    if learned_first in image_sets:
        first = first.subset(~torch.isin(first.labels, torch.tensor(names)))  # the task's classes stay unseen
    body = make(0, len(first.classes))
    sb.networks.fit_classifier(body, first, steps=pretraining, size=size, channels=channels, batch_size=64, bf16=False, transform=shifted, checkpoint=sb.report.checkpoint("pretraining"))  # fmt: skip

# %% [markdown]
# ## Scores of one run

# %%
everyone = torch.arange(len(image_sets) * sum(counts.values()), device=device)


def scores(net, x, y, x_val):
    """F-SI of every sample."""
    how = {"dtype": torch.float64, "coordinates": coordinates or None}
    theta, theta_val = (sb.information.kernel(net, *some, **how) for some in ((x,), (x_val, x)))
    f0, f0_val = net(x).detach(), net(x_val).detach()
    rate = learning_rate or 0.99 * (len(x) - 1) / float(torch.linalg.matrix_norm(theta, 2))
    return sb.information.sample_information(theta, theta_val, y, f0, f0_val, rate, steps).functional


def auc(above, below):
    return float(((above[:, None] > below).double() + 0.5 * (above[:, None] == below)).mean())


def attacked(run, x, y, draw):
    """Images after one step against a trained network, and which of them, at most a tenth, take their place."""
    victim = make(1000 + run, outputs, body)
    optimiser = torch.optim.SGD(victim.parameters(), lr=learning_rate)
    for _ in range(steps):
        optimiser.zero_grad()
        (0.5 * (victim(x) - y).square().mean()).backward()
        optimiser.step()
    images = (x * shift[1] + shift[0]).requires_grad_()
    answers = victim(shifted(images))
    against = torch.autograd.grad((answers - y).square().sum(), images)[0].sign()
    for epsilon in epsilons:
        moved = shifted((images + epsilon * against).clamp(0, 1)).detach()
        fooled = ((answers > 0.5) == (y > 0.5)) & ((victim(moved) > 0.5) != (y > 0.5))
        if fooled.sum() >= len(x) // 10:
            break
    found = fooled[:, 0].nonzero().flatten()
    found = found[torch.randperm(len(found), generator=draw).to(device)[: len(x) // 10]]
    return moved, torch.isin(everyone, found), epsilon


def measure(run):
    draw = torch.Generator().manual_seed(42 + run)
    parts = [pick(images, draw) for images in sources]
    x, x_val = (shifted(torch.cat([pair[i].to_float(size, channels, device) for pair in parts])) for i in (0, 1))
    labels = torch.cat([pair[0].labels for pair in parts]).to(device)
    y = (
        torch.stack([labels == label for label in names], 1).float()
        if outputs > 1
        else (labels == names[1]).float()[:, None]
    )
    net, more = make(run, outputs, body), {}
    if what == "mislabelled":
        unusual = torch.isin(everyone, torch.randperm(len(x), generator=draw)[: round(flip_share * len(x))].to(device))
        y = torch.where(unusual[:, None], 1 - y, y)
    elif what == "adversarial":
        moved, unusual, more["epsilon"] = attacked(run, x, y, draw)
        before = scores(net, x, y, x_val)
        more |= {"auc-before": auc(before[unusual], before[~unusual]), "images": int(unusual.sum())}
        x = torch.where(unusual[:, None, None, None], moved, x)
    elif what == "sources":
        unusual = everyone >= len(parts[0][0])
    else:  # the few of a kind, or the two rarest classes
        unusual = torch.isin(labels, torch.tensor(names[: 1 if what == "subclass" else 2], device=device))
        y = torch.isin(labels, torch.tensor(names[:2], device=device)).float()[:, None] if what == "subclass" else y
    usual = ~unusual & (labels != names[2]) if what == "subclass" else ~unusual
    found = scores(net, x, y, x_val)
    ratio = float(found[unusual].mean() / found[usual].mean())
    return {"ratio": ratio, "auc": auc(found[unusual], found[usual])} | more | {"scores": found.tolist()}


# %% [markdown]
# ## All runs

# %%
groups = {}
for run in runs:
    found = sb.report.once(f"run {run}", partial(measure, run))
    sb.report.fingerprint(f"log scores {run}", torch.tensor(found.pop("scores")).log())
    for name, value in found.items():
        groups.setdefault(name, {})[f"run {run}"] = value
    print(sb.report.judge_claim(f"unique-information.{what}", groups).reason)
for name, values in groups.items():
    sb.report.beside(
        f"{what}, {name}", values, {"ratio": "×", "epsilon": "grey value", "images": "images"}.get(name, "AUC")
    )
    print(f"{name:10s} {fmean(values.values()):.3f}")

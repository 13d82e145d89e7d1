# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What the scores cost, beside influence functions
#
# The same samples, by two ways and their seconds: influence functions as the paper solves them (a recursion of 1,000 random batches for each sample), and the network
# linearised at its start, as the paper's code computes it (for each sample a matrix power of the kernel without it). Both are timed one after the other, sample by
# sample, so that a busy machine slows both. Beside them stands this library's way, all samples from one eigendecomposition.

# %%
import time
from functools import partial

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
steps = 2000  # t of the linearised network
depth = 1000  # steps of the recursion, each on 128 random samples
timed = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]  # samples
device = None  # cpu, cuda; None: the library's choice

# %%
device = device or "cpu"
images = sb.data.load(image_set, "train")
here = torch.isin(images.labels, torch.tensor(classes)).nonzero().flatten()
some = images.subset(here[torch.randperm(len(here), generator=torch.Generator().manual_seed(42))][: 2 * samples])
both = (some.to_float(size, 1, device) - 0.456) / 0.224
y = (some.labels == classes[1]).float()[:samples, None].to(device)
x, x_val = both[:samples], both[samples:]
with torch.random.fork_rng():
    torch.random.default_generator.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(size * size, width), nn.ReLU(), nn.Linear(width, 1)).to(device)

# %% [markdown]
# ## Once for all samples: the kernel, and this library's scores

# %%
begin = time.perf_counter()
theta, theta_val = (sb.information.kernel(net, *pair) for pair in ((x,), (x_val, x)))
of_kernel = (time.perf_counter() - begin) / samples
begin = time.perf_counter()
f0, f0_val = net(x).detach(), net(x_val).detach()
scores = sb.information.sample_information(theta.double(), theta_val.double(), y, f0, f0_val, learning_rate, steps)
at_once = of_kernel + (time.perf_counter() - begin) / samples

# %% [markdown]
# ## For each sample
#
# The time of a recursion does not depend on where training has ended: it is run at the start.

# %%
inverse, residual = torch.linalg.inv(theta), y - f0
full = inverse @ (residual - torch.linalg.matrix_power(torch.eye(samples, device=device) - learning_rate / samples * theta, steps) @ residual)  # fmt: skip


def one_sample(i):
    """Seconds of both ways, and the score of the second: a matrix power, in float32 as in the paper's code."""
    begin, draw = time.perf_counter(), torch.Generator().manual_seed(i)
    guess = sb.information.influence(net, x, y, x_val, method="lissa", depth=depth, indices=[i], generator=draw)
    influence = time.perf_counter() - begin
    begin = time.perf_counter()
    rest = torch.arange(samples, device=device) != i
    smaller, eye = theta[rest][:, rest], torch.eye(samples - 1, device=device)
    column = inverse[rest, i : i + 1]
    reduced = inverse[rest][:, rest] - column @ column.T / inverse[i, i]  # the inverse without row and column i
    power = torch.linalg.matrix_power(eye - learning_rate / (samples - 1) * smaller, steps)
    changes = theta_val[:, rest] @ (reduced @ (residual[rest] - power @ residual[rest])) - theta_val @ full
    linear = time.perf_counter() - begin
    return {"influence": influence, "linear": linear, "score": float(0.5 * changes.square().mean()), "guess": float(guess.functional)}  # fmt: skip


# %%
key = "unique-information.speed-up"
times, at_once_too, gaps = {}, {}, {}
for i in timed:
    found = sb.report.once(f"sample {i}", partial(one_sample, i))
    times[f"sample {i}"] = found["influence"] / (of_kernel + found["linear"])
    at_once_too[f"sample {i}"] = found["influence"] / at_once
    gaps[f"sample {i}"] = abs(found["score"] / float(scores.functional[i]) - 1)
    sb.report.judge(key, times)
    sb.report.fingerprint(f"scores of sample {i}", torch.tensor([found["score"], found["guess"]]).log())

# %% [markdown]
# ## The ratio, and what an eigendecomposition makes of it

# %%
sb.report.beside("speed-up, all samples from one eigendecomposition", at_once_too, "×")
sb.report.beside("difference of the paper's float32 scores from float64", gaps, "of the score")
sb.report.table_beside({key: times})

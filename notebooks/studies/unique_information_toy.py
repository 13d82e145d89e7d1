# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The toy: information and its bound, of every sample
#
# Linear regression on points of two classes in the plane, by SGD; random is the order of samples. The paper has $I(W; z_i \mid S_{-i}) \approx 1.3$ and the bound
# $\mathrm{KL} \approx 3.0$ for one sample that it does not name, of classes whose places it does not tell. So both are computed for *every* sample of several toys,
# and the two numbers are looked up among them. Nothing is chosen by what comes out.

# %%
from functools import partial
from statistics import fmean, median

import torch

import simplebits as sb

# %% tags=["parameters"]
points = 80  # samples, half of them of each class
spread = 0.5  # standard deviation of a class; the means are (1, -1.4) and (-1, 1.4), whose weights resemble those of the paper's figure
sgd_runs = 500  # trainings for each set of samples
redraws = 100  # fresh samples in the place of the one in question
epochs = 200  # of SGD in batches of 5 with rate 0.1
toys = [0, 1, 2]  # seeds; each draws the points and the order of samples
said = {"information": 1.3, "bound": 3.0}  # nats, in the paper

# %% [markdown]
# ## Every sample of every toy

# %%
fresh = partial(sb.information.two_gaussians, spread=spread)


def toy(seed):
    """Information and bound of each sample, in nats."""
    draw = torch.Generator().manual_seed(seed)
    x, y = fresh(points, draw)
    answers = {"information": [], "bound": []}
    for i in range(points):
        answer = sb.information.unique_information(x, y, i, fresh, draw, runs=sgd_runs, redraws=redraws, epochs=epochs)
        answers["information"].append(answer.information)
        answers["bound"].append(answer.bound)
    return answers


# %%
noted = {}
for seed in toys:
    answers = sb.report.once(f"toy {seed}", partial(toy, seed))
    sb.report.fingerprint(f"toy {seed}", torch.tensor([answers["information"], answers["bound"]]))
    for name, values in answers.items():
        summary = {"mean": fmean(values), "median": median(values), "largest": max(values)}
        summary[f"share of samples below {said[name]}"] = fmean(value < said[name] for value in values)
        for of, value in summary.items():
            noted.setdefault(f"{name}, {of}", {})[f"toy {seed}"] = value
    alike = [i for i, bound in enumerate(answers["bound"]) if abs(bound - said["bound"]) < 0.5]
    noted.setdefault("information where the bound is 2.5 to 3.5", {}).update(
        {f"toy {seed}, sample {i}": answers["information"][i] for i in alike}
    )

# %% [markdown]
# ## Where the paper's sample would stand
#
# The bound is no smaller than the information in the mean over samples, not for each.

# %%
for name, values in noted.items():
    if values:
        sb.report.beside(name, values, "share" if "share" in name else "nats", spread=spread)
        print(f"{name:45s} {fmean(values.values()):.2f}")

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/12_architecture_search.ipynb)
#
# # Architecture search
#
# **Ten condensed digits point to a good network: of 24<!--=search.networks:.0f--> networks, the one that comes first on them loses
# 2.9<!--=search.regret-distribution:.1f--> points of accuracy against the choice of the whole set in our short run, where a blind pick loses
# 16.2<!--=search.blind:.1f-->. But an order of ten networks says little: its correlation with the true order has an interval about
# 1.2<!--=search.width-of-ten:.1f--> wide, on a scale from −1 to 1.**
#
# Which network should read these digits? Wide or narrow, one layer or three, which normalisation? To be sure, train each of them on all images and compare. With 720 networks
# that takes days. So try each on something small and quick, and train only the winner on all images. What should the small thing be?
# Ten real images? Ten condensed ones? All images, but only for a moment? Write down which one you trust most.
#
# You will
#
# - train one network on ten images by hand, and 24 of them with `sb.condense.search`;
# - compare the order of the networks on five cheap stand-ins with their order on the whole set;
# - count what a wrong choice costs, and how much ten ranks can say at all.
#
# **To know before:** [gradient matching](07_gradient_matching.ipynb) and [distribution matching](08_distribution_matching.ipynb), which make condensed images.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import statistics

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import simplebits as sb

sb.report.style()
sb.report.measured_cost("12_architecture_search")

# %% tags=["parameters"]
image_set = "digits"  # ten classes of images
size = 8  # height and width of the images, pixels
validation_images = 300  # training images set aside to choose by; 5,000 in the paper
widths = [4, 8, 16]  # W, channels; 32 to 256 in the paper
depths = [1, 2, 3]  # D, blocks; also 4 in the paper
networks = 24  # drawn from the space; all 720 in the paper
few = 1  # images of each class in a small set; 10 in the paper
iterations = 100  # networks drawn while condensing
learning_rate = 0.05  # of the networks; 0.01 in the paper
steps = 30  # of each network on a small set; 100 in the paper
whole_steps = 90  # of each network on the whole set, 64 images each
seeds = [0, 1, 2]  # trainings of each network on each set; 5 in the paper

# %% [markdown]
# ## The networks to choose from
#
# All candidates are ConvNets: blocks of convolution, normalisation, activation and pooling, then one linear layer. The *search space* is a grid of five
# choices. The paper's has $4 \cdot 4 \cdot 5 \cdot 3 \cdot 3 = 720$ networks ([Zhao et al., 2021](https://openreview.net/forum?id=mSAKhLYLSsl))<!--cite:p zhao2021gradient-->; the grid is in its appendix A.

# %%
# NBVAL_CHECK_OUTPUT
paper = sb.condense.SearchSpace()
print(len(paper.architectures), "networks in the paper's space")
for choice in ("widths", "depths", "norms", "activations", "poolings"):
    print(f"{choice:12}", *getattr(paper, choice))

# %% [markdown]
# Our images are small, so our networks are narrower. Draw some of them; each is equally likely.

# %%
space = sb.condense.SearchSpace(widths=tuple(widths), depths=tuple(depths))
candidates = space.draw(networks, seed=0)
print(f"{networks} of {len(space.architectures)}:", *map(str, candidates[:4]), "...")

# %% [markdown]
# Three sets of images are needed. Networks learn from the first. Networks are *chosen* by their accuracy on the second, the validation images. Only the chosen ones
# are reported, by their accuracy on the third, the test images. Whoever chooses by the test images reports a lucky draw.

# %%
images, test = (sb.data.load(image_set, split).resized(size) for split in ("train", "test"))
shuffled = images.draw(len(images))
validation = shuffled.subset(slice(0, validation_images))
train = shuffled.subset(slice(validation_images, None))
print(len(train), "to learn from,", len(validation), "to choose by,", len(test), "to report")

# %% [markdown]
# ## Five stand-ins for the whole set
#
# A *proxy* stands for the whole set. Four proxies are small sets:
#
# - **random**: real images, drawn by chance;
# - **herding**: the real image of each class whose features are nearest to its class's mean, in a network that has learned all images (lesson 08);
# - **gradient**: condensed by gradient matching (lesson 07);
# - **distribution**: condensed by distribution matching (lesson 08).
#
# The condensed sets are made once, with one plain ConvNet. All candidates then learn from the same images, though none of them helped to make these.

# %%
how = {"network_options": {"width": 16, "depth": 2}, "bf16": False, "progress": False}
how |= {"iterations": iterations, "real_batch": 32, "learning_rate": 1.0, "cool_down": 0.5}
reader = sb.networks.build("ConvNet", 10, images.images.shape[1], size, seed=1, width=16, depth=2)
sb.subsets.train_classifier(reader, train, epochs=10, learning_rate=0.05, progress=False)
features = sb.condense.penultimate_features(reader, train)
chosen = {
    way: sb.condense.coreset(train, way, few, features=features) for way in ("random", "herding")
}
small = {way: sb.condense.CondensedSet.of(some, train) for way, some in chosen.items()}
small |= {
    method: sb.condense.condense(train, method, few, **how)
    for method in ("gradient", "distribution")
}

# %% tags=["hide-input"]
first = [images.images[:: images.images_per_class] for images in small.values()]
figure = sb.report.image_grid(
    torch.cat(first).clamp(0, 1), columns=10, row_titles=list(small), zoom=1.2
)
sb.report.show(
    figure,
    alt="Four rows of ten digits of 8 by 8 pixels: random real ones, herded real ones, and two rows of condensed ones, which look like sharpened averages.",
    caption="One image of each class in the four small sets.",
)

# %% [markdown]
# The fifth proxy is the whole set itself, left early: *early stopping* takes as many steps as the others, but each on a new batch. So this proxy must store and see
# more images.

# %%
how_long = {"learning_rate": learning_rate, "seeds": seeds}
proxies = {
    name: sb.condense.Proxy(images, steps=steps, **how_long) for name, images in small.items()
}
proxies["early-stopping"] = sb.condense.Proxy(train, steps=steps, batch_size=10 * few, **how_long)
whole = sb.condense.Proxy(train, steps=whole_steps, batch_size=64, **how_long)

# %% [markdown]
# ## One network by hand
#
# A candidate learns as networks learned in lesson 07: descend the cross-entropy $\ell$ with momentum $v$ and weight decay, at a rate $\eta$ that falls to a tenth after half of the steps,
#
# $$ v \leftarrow 0.9\, v + \nabla_\theta\, \ell(\theta) + 0.0005\, \theta, \qquad \theta \leftarrow \theta - \eta\, v. $$
#
# Train the first candidate so on the ten images condensed by distribution matching.

# %%
proxy = proxies["distribution"]
network = candidates[0].build(10, images.images.shape[1], size, seed=seeds[0])
optimiser = torch.optim.SGD(network.parameters(), learning_rate, momentum=0.9, weight_decay=5e-4)
x, labels = proxy.standardised(small["distribution"].images), small["distribution"].labels
for step in range(steps):
    optimiser.param_groups[0]["lr"] = learning_rate * (1 if step < steps / 2 else 0.1)
    loss = F.cross_entropy(network(x), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
network.eval()
unseen = proxy.standardised(validation.to_float())
by_hand = float((network(unseen).argmax(1) == validation.labels).float().mean())
print(f"{candidates[0]} after ten images: {by_hand:.1%} of the validation images")

# %% [markdown]
# ## All of them
#
# `sb.condense.search` does the same for every candidate, every proxy and every seed, and trains every candidate on the whole set too. That training on the whole set is what a search wants to
# avoid; here we do it once, to know the truth. With `folder=` the result of each training is kept in a file, so that a
# killed search goes on. With `spread=` the trainings are spread over processes, or over a cluster.

# %%
result = sb.condense.search(
    candidates, proxies, whole, validation, test, bf16=False, progress=False
)
for name in result.proxies:
    best = max(result.accuracies(name))
    print(f"{name:15} {result.seconds(name):5.1f} s   best on validation images: {best:.1%}")

# %%
# NBVAL_CHECK_OUTPUT
of_library = result.accuracies("distribution", seed=seeds[0])[0]
print("by hand as in the library:", abs(by_hand - of_library) < 0.011)

# %% [markdown]
# ## Does the order hold?
#
# A search does not need the proxy's accuracies themselves, only their order. Replace both accuracies of each network by *ranks*: $r_i$ on the proxy, $s_i$ on the whole set.
# Spearman's *rank correlation* is the ordinary correlation of the ranks,
#
# $$ \rho = \frac{\sum_i (r_i - \bar r)(s_i - \bar s)}{\sqrt{\sum_i (r_i - \bar r)^2 \sum_i (s_i - \bar s)^2}}, $$
#
# 1 for the same order, −1 for the opposite one, about 0 if one order says nothing about the other.

# %%
ten = min(10, networks)  # as many as the paper looks at


def ranks(values):
    """Rank of each value, 1 for the largest; equal values share their mean rank."""
    values = torch.tensor(values, dtype=torch.float64)
    above = (values[None] > values[:, None]).sum(1)
    equal = (values[None] == values[:, None]).sum(1)
    return above.double() + (equal.double() + 1) / 2


def correlation(a, b):
    """Spearman's rho."""
    return float(torch.corrcoef(torch.stack([ranks(a), ranks(b)]))[0, 1])


# %%
# NBVAL_CHECK_OUTPUT
pairs = result.pairs("random")
same = abs(correlation(*pairs) - sb.report.rank_correlation(*pairs).rho) < 1e-9
print("by hand as in the library:", same)

# %% [markdown]
# Move the slider from proxy to proxy. On the diagonal both orders agree. The best networks stand at the lower left.

# %%
names = [name for name in result.proxies if name != "whole"]
everywhere = {name: sb.report.rank_correlation(*result.pairs(name)) for name in names}
true_ranks = ranks(result.accuracies("whole"))

# %% tags=["hide-input"]
frames, labels, alts = [], [], []
for name in names:
    figure, axes = plt.subplots(figsize=(4.2, 3.8))
    axes.plot([1, networks], [1, networks], ":", color="#767676")
    axes.plot(ranks(result.accuracies(name)), true_ranks, "o", color=sb.report.COLOURS["blue"])
    axes.set(xlabel=f"rank after learning from: {name}", ylabel="rank after the whole set")
    axes.set(xlim=(0, networks + 1), ylim=(0, networks + 1), aspect="equal")
    frames.append(figure)
    labels.append(f"{name}: ρ = {everywhere[name]}")
    alts.append(
        f"Scatter plot: rank of {networks} networks after learning from {name} against their rank on the whole set. Rank correlation {everywhere[name]}."
    )
sb.report.slider(frames, labels, alts, "proxy")

# %% [markdown]
# **What you should see.** In the default run the rank correlation over all networks is 0.59<!--=search.all-random:.2f--> for random images,
# 0.67<!--=search.all-herding:.2f--> for herding, 0.61<!--=search.all-gradient:.2f--> and 0.61<!--=search.all-distribution:.2f--> for the sets condensed by gradient and distribution matching, and
# 0.69<!--=search.all-early-stopping:.2f--> for early stopping. All five tell hopeless networks from good ones, and none is clearly
# ahead of another: the intervals below the pictures overlap.
#
# ## What does a wrong choice cost?
#
# A search does not need the whole order either, only its top. Take the network that is first on the proxy, train it on the whole set, and compare it with the network that the whole set itself would choose. The
# difference of their test accuracies is the *regret*. Compare it with two numbers: the mean regret of a blind pick, and the smallest difference that can show. With a few hundred test
# images one image is 0.2<!--=search.one-image:.1f--> points.

# %%
regrets = {name: [100 * result.regret(name, seed=seed) for seed in seeds] for name in names}
accuracies = result.accuracies("whole", "test")
blind = 100 * (result.worth("whole") - statistics.fmean(accuracies))
for name in names:
    print(f"{name:15} picks {result.pick(name)}: regret {100 * result.regret(name):.1f} points")
print(f"{'blindly':15} regret {blind:.1f} points on average")

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.6, 2.6))
for i, values in enumerate(regrets.values()):
    axes.plot(values, [i] * len(values), "o", color=sb.report.COLOURS["blue"], alpha=0.6)
    axes.plot(statistics.fmean(values), i, "|", markersize=18, color=sb.report.COLOURS["black"])
axes.axvline(blind, linestyle=":", color="#767676")
axes.axvline(0, linewidth=0.8, color="#767676")
axes.set(xlabel="regret, points of test accuracy")
axes.set_yticks(range(len(names)), names)
axes.set_ylim(len(names) - 0.5, -0.5)
sb.report.show(
    figure,
    alt="Regret of the pick of each proxy, a dot for each seed. Mean: "
    + ", ".join(f"{name} {statistics.fmean(values):.1f}" for name, values in regrets.items())
    + f"; a blind pick {blind:.1f} points.",
    caption="What the pick of each proxy loses against the pick of the whole set. Dots: one training of each network on the proxy; marks: their mean; dotted: a blind pick.",
)

# %% [markdown]
# **What you should see.** In the default run a blind pick loses 16.2<!--=search.blind:.1f--> points on average. The pick of random images loses
# 4.1<!--=search.regret-random:.1f-->, of herding 4.1<!--=search.regret-herding:.1f-->, of the condensed sets 2.2<!--=search.regret-gradient:.1f--> (gradient) and
# 2.9<!--=search.regret-distribution:.1f--> (distribution), of early stopping 2.0<!--=search.regret-early-stopping:.1f-->.
# All proxies are far better here than a blind pick. Which of them is best, one search among few networks cannot settle: trainings of one network with other seeds scatter by
# 2.7<!--=search.noise:.1f--> points (standard deviation, validation images). The trainings on one proxy took 16<!--=search.share-of-time:.0f--> percent of the time of those on the
# whole set. That set is small here; in the paper's table the share is 0.2<!--=search.paper-share:.1f--> percent.
#
# ## How much do ten ranks say?
#
# The paper correlates ranks of only the ten networks that are best on the proxy, "because the best model that we want will come from the top 10". Ten pairs are few. How far could the correlation be off, had other networks been
# drawn? Fisher's transform answers: $\operatorname{artanh} \rho$ is about normal, with variance $(1 + \rho^2/2)/(n - 3)$ for $n$ pairs
# ([Bonett and Wright, 2000](https://doi.org/10.1007/BF02294183))<!--cite:p bonett2000correlations-->.

# %%
# NBVAL_CHECK_OUTPUT
rivals = ("random", "herding", "early-stopping", "dc")
said = {name: sb.report.published(f"dc.search.correlation.{name}").value for name in rivals}
for name, rho in said.items():
    low, high = sb.report.rank_interval(rho, 10)
    print(f"the paper, {name:15} {rho:+.2f}, which ten pairs tell from {low:+.2f} to {high:+.2f}")

# %%
of_ten = {name: sb.report.rank_correlation(*result.pairs(name, ten)) for name in names}

# %% tags=["hide-input"]
rows = [
    (f"the paper: {name}", rho, *sb.report.rank_interval(rho, 10)) for name, rho in said.items()
]
rows += [(f"here: {name}", found.rho, found.low, found.high) for name, found in of_ten.items()]
figure, axes = plt.subplots(figsize=(6.6, 3.4))
for i, (name, rho, low, high) in enumerate(rows):
    colour = sb.report.COLOURS["black" if name.startswith("the paper") else "blue"]
    axes.plot([low, high], [i, i], "-", color=colour)
    axes.plot(rho, i, "o", color=colour)
axes.axvline(0, linewidth=0.8, color="#767676")
axes.set(
    xlabel="rank correlation of the ten best on the proxy, with its 95 % interval", xlim=(-1, 1)
)
axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
axes.set_ylim(len(rows) - 0.5, -0.5)
sb.report.show(
    figure,
    alt="Rank correlations of ten networks with their intervals: "
    + "; ".join(
        f"{name} {rho:+.2f}, from {low:+.2f} to {high:+.2f}" for name, rho, low, high in rows
    ),
    caption="Ten networks each. Black: the paper's numbers, with the interval that ten pairs have; blue: our run.",
)

# %% [markdown]
# **What you should see.** The four black intervals follow from the paper's numbers alone (`dc` is gradient matching). That of early stopping, 0.42<!--=search.paper-early-stopping:.2f-->, reaches from
# -0.31<!--=search.paper-early-stopping-low:.2f--> to 0.84<!--=search.paper-early-stopping-high:.2f-->: it holds both 0 and the 0.79<!--=search.paper-dc:.2f--> of the condensed images, whose own interval begins at
# 0.22<!--=search.paper-dc-low:.2f-->. So the table shows that condensed images rank the ten best better than chance. Whether they rank them better than early stopping does, ten pairs cannot tell. In the default run our own intervals, in blue, are as wide:
# 1.2<!--=search.width-of-ten:.1f--> on average.
#
# The ten best have a second trouble. Where all of ten networks are nearly equally good on the whole set, the true order is itself a matter of luck. In the default run the ten best on the whole set differ by
# 3.4<!--=search.spread-of-top:.1f--> points of validation accuracy, and trainings of one network with other seeds scatter by 2.7<!--=search.noise:.1f--> (standard deviation). A choice among equals costs nothing, so regret can be small
# where $\rho$ is small. That is why a search should report both regret and $\rho$.

# %%
noise = statistics.fmean(
    statistics.stdev([100 * result.accuracies("whole", seed=seed)[i] for seed in seeds])
    for i in range(networks)
)
top = sorted(result.accuracies("whole"))[-ten:]
print(f"ten best on the whole set: {100 * (top[-1] - top[0]):.1f} points from first to last")
print(f"one network, other seeds: {noise:.1f} points")

# %% [markdown]
# ## What the papers report, and what the studies found

# %% tags=["hide-input"]
sb.report.studied(
    "dc.search.correlation.random",
    "dc.search.correlation.herding",
    "dc.search.correlation.dc",
    "dc.search.correlation.early-stopping",
    "dc.search.order",
    "dm.search",
)

# %% [markdown]
# The study `dc_table_4` takes its networks from the paper's own 720.
#
# ## Exercises
#
# **Exercise 1.** Our proxies rank all networks better than they rank the ten best. Take away the networks that are *worst on the proxy*, two at a time, and watch the rank correlation. Why should it fall?
#
# <details><summary>Solution</summary>
#
# Any proxy tells the networks that learn nothing from the others, and these lift the correlation. Among the rest the differences are smaller, and the noise stays. A correlation depends on how
# different the compared networks are, and not on the proxy alone.
#
# ```python
# for top in range(networks, 4, -2):
#     print(top, sb.report.rank_correlation(*result.pairs("gradient", top)))
# ```
#
# </details>
#
# **Exercise 2.** How many networks must be compared to tell a rank correlation of 0.79 from one of 0.42? Guess, then compute when the two intervals separate.
#
# <details><summary>Solution</summary>
#
# About fifty. That intervals do not overlap is a strict test: an interval of the difference itself would need fewer. And the two numbers come from two sets of ten networks, each the best of its proxy.
#
# ```python
# for pairs in (10, 20, 30, 40, 50, 60):
#     print(pairs, sb.report.rank_interval(0.79, pairs), sb.report.rank_interval(0.42, pairs))
# ```
#
# </details>
#
# **Exercise 3.** Give early stopping larger batches, 64 images in place of 10, and the same number of steps. What does it gain, and what does it cost?
#
# <details><summary>Solution</summary>
#
# It sees more images and each of its gradients is less noisy, so its order should come nearer to that of the whole set; it needs more time, and all images must be at hand.
#
# ```python
# richer = sb.condense.Proxy(train, steps=steps, batch_size=64, learning_rate=learning_rate, seeds=0)
# again = sb.condense.search(candidates, {"richer": richer}, whole, validation, test, bf16=False)
# print(sb.report.rank_correlation(*again.pairs("richer")), again.regret("richer"))
# ```
#
# </details>
#
# ## References
#
# - [Zhao et al. (2021)](https://openreview.net/forum?id=mSAKhLYLSsl)<!--cite:t zhao2021gradient-->: gradient matching; the search is in section 3.2, table 4 and appendix A.
# - [Zhao and Bilen (2023)](https://arxiv.org/abs/2110.04181)<!--cite:t zhao2023distribution-->: distribution matching; the search is in figure F1 of the supplement.
# - [Bonett and Wright (2000)](https://doi.org/10.1007/BF02294183)<!--cite:t bonett2000correlations-->: intervals of rank correlations.

# %% tags=["hide-cell"]
numbers = {
    "networks": (networks, "networks"),
    "blind": (blind, "points"),
    "one-image": (100 / len(test), "points"),
    "noise": (noise, "points"),
    "spread-of-top": (100 * (top[-1] - top[0]), "points"),
    "best": (100 * result.worth("whole"), "%"),
    "width-of-ten": (statistics.fmean(r.high - r.low for r in of_ten.values()), "ρ"),
    "paper-share": (
        100 * sb.report.published("dc.search.time.dc").value / sb.report.published("dc.search.time.whole").value, "%",
    ),
    "share-of-time": (
        100 * statistics.fmean(result.seconds(n) for n in names) / result.seconds("whole"), "%",
    ),
}  # fmt: skip
for name, rho in said.items():
    ends = sb.report.rank_interval(rho, 10)
    numbers[f"paper-{name}"] = (rho, "ρ")
    numbers[f"paper-{name}-low"], numbers[f"paper-{name}-high"] = ((end, "ρ") for end in ends)
for name in names:
    numbers[f"all-{name}"] = (everywhere[name].rho, "rank correlation")
    numbers[f"ten-{name}"] = (of_ten[name].rho, "rank correlation")
    numbers[f"regret-{name}"] = (100 * result.regret(name), "points")
    numbers[f"best-{name}"] = (100 * max(result.accuracies(name)), "%")
setting = {"image_set": image_set, "size": size, "networks": networks, "few": few, "steps": steps}
setting |= {"whole_steps": whole_steps, "seeds": seeds, "learning_rate": learning_rate}
for name, (value, unit) in numbers.items():
    sb.report.record("search", name, value, unit, setting=setting)

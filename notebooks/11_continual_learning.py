# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/11_continual_learning.ipynb)
#
# # Continual learning
#
# **Teach a network three tasks one after the other, and at the end it reads 74.9<!--=continual-learning.final-none:.1f--> % of all test images; let it
# rehearse ten images of each task that is over, chosen by *herding*, and it reads 82.5<!--=continual-learning.final-herding:.1f--> %. With ten condensed images in
# their place it reads 82.4<!--=continual-learning.final-free:.1f--> %, and with ten that have
# 2.9<!--=continual-learning.fewer-bits:.1f--> times fewer bits 81.7<!--=continual-learning.final-dearest:.1f--> %.**
#
# A network has learned to read digits on photographs. Now it learns another task, and then a third, and the images of the first are gone. What is left of
# the first task? And how many bits must be kept of it so that it stays? Write down a guess.
#
# You will
#
# - watch a network forget, and measure how much;
# - write the loop that rehearses a small memory of each task that is over, beside the library's;
# - draw final accuracy against the *bits* of the memory, for chosen images and for condensed ones with and without a price on bits.
#
# **To know before:** [distribution matching](08_distribution_matching.ipynb) for random, herded and condensed images,
# [condense and simplify](09_condense_and_simplify.ipynb) for the price of bits.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import copy
import statistics

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import simplebits as sb

sb.report.style()
sb.report.measured_cost("11_continual_learning")

# %% tags=["parameters"]
names = ["on photographs", "digits", "thin"]  # the tasks, in the order in which they are learned
train_images = 500  # training images of each task, at most
size = 16  # height and width of all images, pixels; 32 in the paper
width = 16  # channels of the ConvNets; 128 in the paper
epochs = [5, 4, 4]  # passes over each task; 150, 50 and 50 in the paper
batch_size = 32  # images of the new task a step; 512 in the paper
learning_rate = 0.1  # of SGD, at the start of each task
counts = [1, 4]  # images of each class in a memory of real images; 10 in the papers
density = "glow-16px"  # measures the bits of a memory
prices = [0.0, 1000.0, 10000.0]  # of bits (lambda) while a memory is condensed, 0 first
iterations = 50  # networks drawn while condensing; 1001 in the paper's code
seeds = [0, 1, 2, 3, 4]  # one network each, with its own weights, batches and random memory

# %% [markdown]
# ## Three tasks
#
# All three ask the same question: which digit is this? What changes is the picture. First each image is half digit, half photograph. Then the digits are plain.
# Last they are drawn thin, in dark ink on light paper, and turned by a quarter turn.

# %%
quarters = 1  # of a turn


def thin(images):
    """Thin strokes, dark on light, turned: each pixel takes the darkest of its neighbours before."""
    x = -F.max_pool2d(-images.to_float(), 3, stride=1, padding=1)
    x = sb.data.to_bytes(1 - x.rot90(quarters, (2, 3)))
    return sb.data.ImageSet(x, images.labels, images.classes, f"thin {images.name}")


def load(name, split):
    """Images of one task, or any set that `sb.data.load` knows."""
    if name == "on photographs":
        return sb.data.composite("interpolated", split, task="digits", distractor="photos")
    return thin(sb.data.load("digits", split)) if name == "thin" else sb.data.load(name, split)


# %%
tasks = []
for name in names:
    train, test = (load(name, split).resized(size) for split in ("train", "test"))
    tasks.append((train.draw(min(train_images, len(train))), test))
classes = len(tasks[0][0].classes)

# %% tags=["hide-input"]
first_of = [
    torch.stack([(train.labels == c).nonzero()[0, 0] for c in range(classes)]) for train, _ in tasks
]
shown = [train.to_float(size, 3)[index] for (train, _), index in zip(tasks, first_of, strict=True)]
figure = sb.report.image_grid(torch.cat(shown), columns=classes, row_titles=names, zoom=0.8)
sb.report.show(
    figure,
    alt=f"Three rows of ten digits, one row for each task: {', '.join(names)}.",
    caption="The three tasks, in the order in which they are learned.",
)

# %% [markdown]
# ## Forgetting
#
# The network has one body of *features* $\psi_\theta$ for all tasks, and for each task $t$ a last layer of its own, its *head* $h_t$. When a task is over,
# its head is frozen and a new one begins. But the features go on learning, for the new task alone. In `sb.condense.continual`, `memory=None` keeps no image. Each row below
# is a moment in time, each column a task.

# %%
training = sb.condense.TaskTraining(
    epochs=epochs, cycles=[1], batch_size=batch_size, learning_rates=[learning_rate], shift=1
)
common = {"training": training, "size": size, "network_options": {"width": width}}
common |= {"bf16": False, "progress": False}


def learn_in_turn(memory, each=1, **options):
    """One run for each seed."""
    return [
        sb.condense.continual(tasks, memory, each, seed=seed, **(common | options))
        for seed in seeds
    ]


def final(runs):
    """Mean accuracy on all tasks after the last, in percent: a value for each seed."""
    return [100 * run.final for run in runs]


# %%
runs = {"nothing": learn_in_turn(None)}
table = 100 * torch.stack([run.accuracies for run in runs["nothing"]]).mean(0)
for stage, row in enumerate(table):
    known = "  ".join(
        f"{name} {value:.1f} %" for name, value in zip(names, row[: stage + 1], strict=False)
    )
    print(f"after {names[stage]}: {known}")

# %%
# NBVAL_CHECK_OUTPUT
print("the future is not known:", bool(table[0, 1:].isnan().all()))
print("rows and columns:", list(table.shape))

# %% [markdown]
# **What you should see.** In the default run the network reads 83.0<!--=continual-learning.first-at-once:.1f--> % of the digits on photographs right after
# it has learned them, and 67.2<!--=continual-learning.first-at-end:.1f--> % after two more tasks. The features
# moved to where the new task wanted them, and the frozen head still expects them where they were. This is *catastrophic forgetting*
# ([McCloskey and Cohen, 1989](https://doi.org/10.1016/S0079-7421%2808%2960536-8))<!--cite:p mccloskey1989catastrophic-->.
#
# ## Rehearse
#
# Keep a few images $M_s$ of each task $s$ that is over, and ask the network about them at every step. With the cross-entropy $\ell$ and a batch $B$ of
# the new task, number $t$, the loss is
#
# $$ L(\theta, h_t) = \frac{1}{t} \Big[ \operatorname*{mean}_{(x, y) \in B} \ell\big(h_t(\psi_\theta(x)), y\big)
#    + \sum_{s < t} \operatorname*{mean}_{(x, y) \in M_s} \ell\big(h_s(\psi_\theta(x)), y\big) \Big]. $$
#
# This loss is that of [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits--> (section S12), which follows
# [Zhao et al. (2021)](https://openreview.net/forum?id=mSAKhLYLSsl)<!--cite:t zhao2021gradient-->. Write the loop by hand, with one learning rate throughout:

# %%
constant_rate = 0.05


def fresh(number):
    """A ConvNet with random weights."""
    return sb.networks.build("ConvNet", classes, 3, size, seed=number, width=width)


def by_hand(tasks, memory, passes):
    """Learn the tasks in turn, rehearse their memories; the losses of all steps."""
    network, heads, losses = fresh(0), [], []
    for task, (train, _) in enumerate(tasks):
        if task:
            network.linear.load_state_dict(fresh(task).linear.state_dict())
        sgd = torch.optim.SGD(network.parameters(), constant_rate, momentum=0.9, weight_decay=1e-4)
        x, labels = train.to_float(size, 3) - 0.5, train.labels
        for _ in range(passes):
            generator = torch.Generator().manual_seed(len(losses))
            for part in torch.randperm(len(x), generator=generator).split(batch_size):
                loss = F.cross_entropy(network(x[part]), labels[part])
                for head, few in zip(heads, memory, strict=False):
                    logits = head(network.embed(few.images - 0.5))
                    loss = loss + F.cross_entropy(logits, few.labels)
                loss = loss / (1 + len(heads))
                sgd.zero_grad()
                loss.backward()
                sgd.step()
                losses.append(float(loss.detach()))
        heads.append(copy.deepcopy(network.linear))
    return losses


# %% [markdown]
# The library keeps the memory with `remember`, which takes every way of choosing or condensing from the lessons before. Run both loops on a small part of
# the tasks:

# %%
# NBVAL_CHECK_OUTPUT
few_images = [(train.draw(min(96, len(train))), test.draw(20)) for train, test in tasks]
kept = [
    sb.condense.remember(train, "random", 1, size=size, channels=3) for train, _ in few_images[:-1]
]
plain = sb.condense.TaskTraining(
    epochs=[2], batch_size=batch_size, learning_rates=[constant_rate], schedule="constant", shift=0
)
library = sb.condense.continual(few_images, kept, **(common | {"training": plain}))
losses = torch.tensor(by_hand(few_images, kept, 2))
close = torch.allclose(losses, torch.tensor(library.history.losses), rtol=0.01, atol=0.01)
print("steps:", len(losses))
print("by hand as in the library:", close)

# %% [markdown]
# Now keep real images, chosen at random or by *herding*: those whose mean features come closest to the mean of their class. The features are
# those of the network when the task ends.

# %%
for way in ("random", "herding"):
    for each in counts:
        runs[f"{way}, {each} a class"] = learn_in_turn(way, each)
for name, of_memory in runs.items():
    print(f"{name:20} {statistics.fmean(final(of_memory)):.1f} %")

# %% [markdown]
# **What you should see.** In the default run ten random images of each old task lift the mean accuracy from
# 74.9<!--=continual-learning.final-none:.1f--> to 81.4<!--=continual-learning.final-random:.1f--> %, forty to
# 83.9<!--=continual-learning.final-random-most:.1f--> %. Ten herded images reach 82.5<!--=continual-learning.final-herding:.1f--> %. If no task were
# forgotten, and none learned less well because of the others, the mean would be 85.4<!--=continual-learning.ceiling:.1f--> %: the accuracies right
# after each task, without memory. The first ten images do most of the work.
#
# ## Distil
#
# Or keep the *network* as it was after the old task $s$, $\psi_s$ with $h_s$, and ask the new features to give the old head the
# old answers, on the images at hand. Soften both answers, $p$ and $q$, by a temperature $T = 2$. For each old task add to the loss their cross-entropy, a sum over classes $c$,
# on the new batch and on the memory:
#
# $$ -\sum_c p_c \log q_c, \qquad p = \mathrm{softmax}\big(h_s(\psi_s(x)) / T\big), \quad q = \mathrm{softmax}\big(h_s(\psi_\theta(x)) / T\big). $$
#
# This is *knowledge distillation* ([Hinton et al., 2015](https://arxiv.org/abs/1503.02531))<!--cite:p hinton2015distilling-->. It needs no image of the
# old task. But a whole network is a memory too:

# %%
runs["nothing, distilled"] = learn_in_turn(None, distill=True)
weights = sum(parameter.numel() for parameter in fresh(0).parameters())
print(f"distilled, no image kept: {statistics.fmean(final(runs['nothing, distilled'])):.1f} %")
print(f"an old network: {weights} weights of 32 bits, {32 * weights} bits")

# %% [markdown]
# **What you should see.** In the default run distillation alone reaches 82.1<!--=continual-learning.final-distilled:.1f--> %, without one old image. Each old
# network takes 187<!--=continual-learning.network-kbits:.0f--> thousand bits if its weights are kept in single precision.
#
# ## What does a memory cost?
#
# The papers count *images*: ten a class. But an image of noise is a heavier load than a plain one. So count bits: bits per dimension under a density
# (lesson 01), times dimensions, times images, for all images that are kept. `memory_bits` does it. Check it by hand for one memory:

# %%
# NBVAL_CHECK_OUTPUT
measure = sb.density.load(density)
x = kept[0].to_image_set().to_float(measure.image_size, measure.channels)
bits = float(sb.density.bits_of(measure, x).sum()) * measure.dims
counted = sb.condense.memory_bits(kept[:1], measure)
print(f"{len(x)} images of {measure.dims} dimensions")
print("by hand as in the library:", abs(bits / counted - 1) < 1e-4)

# %% [markdown]
# Then condense: ten images for each of the first two tasks, by gradient matching, with a price $\lambda$ on bits as in lesson 09. The higher the price, the
# simpler the memory.

# %%
how = {"density": sb.density.load(density, None), "network_options": {"width": width}}
how |= {"iterations": iterations, "real_batch": 16, "cool_down": 0.5, "bf16": False}
condensed = {}
for price in prices:
    condensed[price] = [
        sb.condense.condense(train, "gradient", 1, bit_weight=price, progress=False, **how)
        for train, _ in tasks[:-1]
    ]
    runs[f"condensed, λ = {price:g}"] = learn_in_turn(condensed[price])


# %%
def thousand_bits(runs):
    """Bits of all memories of a run, in thousands: the mean over the seeds."""
    memories = [[few for few in run.memories if few is not None] for run in runs]
    return statistics.fmean(
        sb.condense.memory_bits(sets, measure) / 1000 if sets else 0.0 for sets in memories
    )


cost = {
    name: thousand_bits(of_memory) for name, of_memory in runs.items() if "distilled" not in name
}
for name, thousands in cost.items():
    print(f"{name:22} {thousands:6.1f} thousand bits, {statistics.fmean(final(runs[name])):.1f} %")

# %% [markdown]
# Move the slider from memory to memory. The filled point is the one whose images you see below it, those of the first two tasks, for the first seed.

# %% tags=["hide-input"]
blue, grey = sb.report.COLOURS["blue"], sb.report.COLOURS["grey"]
kinds = {"nothing": ("x", grey), "random": ("*", sb.report.COLOURS["green"])}
kinds |= {"herding": ("s", sb.report.COLOURS["orange"]), "condensed": ("o", blue)}
ceiling = statistics.fmean(100 * float(run.accuracies.diagonal().mean()) for run in runs["nothing"])
frames, labels = [], []
for chosen in cost:
    figure, (axes, below) = plt.subplots(
        2, 1, figsize=(6.8, 4.9), height_ratios=[2.2, 1], layout="constrained"
    )
    for kind, (marker, colour) in kinds.items():
        ways = [name for name in cost if name.startswith(kind)]
        means = [statistics.fmean(final(runs[name])) for name in ways]
        spread = [statistics.stdev(final(runs[name])) if len(seeds) > 1 else 0.0 for name in ways]
        line = "none" if kind == "nothing" else "-"
        axes.errorbar(
            [cost[name] for name in ways], means, spread, marker=marker, color=colour, mfc="none", linestyle=line,
            linewidth=1, capsize=2, label=kind,
        )  # fmt: skip
    marker, colour = next(look for kind, look in kinds.items() if chosen.startswith(kind))
    axes.plot(
        cost[chosen], statistics.fmean(final(runs[chosen])), marker, color=colour, markersize=11
    )
    axes.axhline(ceiling, color=grey, linestyle=":", label="each task right after it")
    axes.set(xlabel="bits of the memory, thousands", ylabel="all three tasks, % right")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=5, fontsize=8)
    sets = [few for few in runs[chosen][0].memories if few is not None]
    rows = [few.to_grid()[:classes] for few in sets] or [torch.zeros(classes, 3, size, size)] * 2
    framed = [F.pad(row, (1, 1, 1, 1), value=1.0) for row in rows]
    picture = torch.cat([torch.cat(list(row), dim=2) for row in framed], dim=1)
    below.imshow(picture.permute(1, 2, 0), interpolation="nearest")
    below.grid(visible=False)
    below.set_yticks([size / 2 + 1, 1.5 * size + 3], ["task 1", "task 2"])
    below.set_xticks([])
    below.tick_params(length=0)
    below.spines[:].set_visible(False)
    frames.append(figure)
    labels.append(
        f"{chosen}: {cost[chosen]:.1f} thousand bits, {statistics.fmean(final(runs[chosen])):.1f} %"
    )
sb.report.slider(
    frames,
    labels,
    [
        f"Final accuracy against the bits of the memory, one point filled; below, its first ten images of two tasks. {label}."
        for label in labels
    ],
    "memory",
)

# %% [markdown]
# **What you should see.** In the default run the ten condensed images a task begin at 62.0<!--=continual-learning.kbits-free:.1f--> thousand bits and
# 82.4<!--=continual-learning.final-free:.1f--> %, and at the highest price they end at 21.1<!--=continual-learning.kbits-dearest:.1f--> thousand bits and
# 81.7<!--=continual-learning.final-dearest:.1f--> %. So most of their bits were not needed: the paper's claim, in small. But look at the squares of
# herding. Ten herded real images have 22.6<!--=continual-learning.kbits-herding:.1f--> thousand bits and reach
# 82.5<!--=continual-learning.final-herding:.1f--> %. On the axis of bits the price brings condensed images back to where herded real digits are; it does not
# carry them past. Error bars are standard deviations of five networks: differences of a point or two say nothing.
#
# ## What the papers report, and what the studies found
#
# The paper says that memories with about nine times fewer bits serve as well as those without a price, with distillation and without. The studies run
# the papers' tasks, SVHN, MNIST and USPS, on ten images a class. This lesson keeps one image a class, of small digits, so that there is less to save.

# %% tags=["hide-input"]
sb.report.studied(
    "simplebits.continual.final.with-kd",
    "simplebits.continual.final.without-kd",
    "simplebits.continual.fewer-bits",
    "simplebits.continual.forgetting",
    "dc.continual.t3.with-kd",
    "dc.continual.t3.without-kd",
    "dc.continual.t3.without-kd.above-herding",
    "dm.class-incremental",
)

# %% [markdown]
# Another setting is *class-incremental* learning: the classes of one set come a few at a time, and one head must tell all of them apart.
# *GDumb* of [Prabhu et al. (2020)](https://doi.org/10.1007/978-3-030-58536-5_31)<!--cite:t prabhu2020gdumb--> keeps only a memory with equally many images of each class, from which a fresh network
# learns whenever it is asked: `sb.condense.class_incremental`.
#
# ## Exercises
#
# **Exercise 1.** The paper lets the learning rate fall along a cosine. Its code makes a new scheduler at the start of every epoch, which then begins its
# warm-up anew: a *saw-tooth*. `TaskTraining` knows both as `schedule`. Draw both rates over the steps of a task. With which should a network forget more?
#
# <details><summary>Solution</summary>
#
# The saw-tooth climbs from zero to its full height within each epoch and never fades out, so that the last steps of a task are its largest. A large rate
# moves the features farther from the old heads. Is the final accuracy lower? Measure. (`rate` takes task, step, steps in all and steps an epoch.)
#
# ```python
# import dataclasses
#
# for schedule in ("cosine", "saw-tooth"):
#     other = dataclasses.replace(training, schedule=schedule)
#     plt.plot([other.rate(1, at, 60, 15) for at in range(60)], label=schedule)
#     print(schedule, statistics.fmean(final(learn_in_turn(None, training=other))))
# plt.legend()
# ```
#
# </details>
#
# **Exercise 2.** Let the classes of plain digits come two at a time, with two images of each kept. How does the accuracy on all classes so far fall, for
# random and for herded images? Why would it fall even if all images were kept?
#
# <details><summary>Solution</summary>
#
# More classes are harder to tell apart: with two classes a guess is right half of the time, with ten one time in ten.
#
# ```python
# train, test = tasks[names.index("digits")]
# for way in ("random", "herding"):
#     run = sb.condense.class_incremental(
#         train, test, way, 2, increments=5, network_options={"width": width}, epochs=100,
#         augment=sb.condense.DSA_STRATEGY_DIGITS, progress=False,
#     )
#     print(way, [round(float(value), 3) for value in run.mean])
# ```
#
# </details>
#
# **Exercise 3.** Keep images *and* distil. Does distillation still add anything to ten herded images?
#
# <details><summary>Solution</summary>
#
# Compare the two means; a difference of a point or two says nothing.
#
# ```python
# for distill in (False, True):
#     print(distill, statistics.fmean(final(learn_in_turn("herding", 1, distill=distill))))
# ```
#
# </details>
#
# ## References
#
# - [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits-->: section S12, figures S8 and S9.
# - [Zhao et al. (2021)](https://openreview.net/forum?id=mSAKhLYLSsl)<!--cite:t zhao2021gradient-->: section 3.2 and figure 4.
# - [Zhao and Bilen (2023)](https://arxiv.org/abs/2110.04181)<!--cite:t zhao2023distribution-->: class-incremental learning with condensed memories.
# - [Castro et al. (2018)](https://arxiv.org/abs/1807.09536)<!--cite:t castro2018endtoend-->: rehearsal, distillation and a last training on balanced images, which Zhao et al. follow.
# - [Rebuffi et al. (2017)](https://arxiv.org/abs/1611.07725)<!--cite:t rebuffi2017icarl-->: herding.
# - [Prabhu et al. (2020)](https://doi.org/10.1007/978-3-030-58536-5_31)<!--cite:t prabhu2020gdumb-->: GDumb.

# %% tags=["hide-cell"]
setting = {"tasks": names, "train_images": train_images, "size": size, "width": width}
setting |= {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
setting |= {
    "counts": counts,
    "density": density,
    "prices": prices,
    "iterations": iterations,
    "seeds": seeds,
}
least, most = (f"{{}}, {each} a class" for each in (counts[0], counts[-1]))
of = {
    "final-none": "nothing",
    "final-distilled": "nothing, distilled",
    "final-random": least.format("random"),
    "final-random-most": most.format("random"),
    "final-herding": least.format("herding"),
    "final-herding-most": most.format("herding"),
    "final-free": f"condensed, λ = {prices[0]:g}",
    "final-dearest": f"condensed, λ = {prices[-1]:g}",
}
numbers = {name: (final(runs[key]), "%") for name, key in of.items()}
numbers |= {
    "first-at-once": ([100 * float(run.accuracies[0, 0]) for run in runs["nothing"]], "%"),
    "first-at-end": ([100 * float(run.accuracies[-1, 0]) for run in runs["nothing"]], "%"),
    "ceiling": (ceiling, "%"),
    "network-kbits": (32 * weights / 1000, "thousand bits"),
    "kbits-free": (cost[of["final-free"]], "thousand bits"),
    "kbits-dearest": (cost[of["final-dearest"]], "thousand bits"),
    "kbits-herding": (cost[of["final-herding"]], "thousand bits"),
    "fewer-bits": (cost[of["final-free"]] / cost[of["final-dearest"]], "ratio"),
}
for name, (value, unit) in numbers.items():
    sb.report.record("continual-learning", name, value, unit, setting=setting)

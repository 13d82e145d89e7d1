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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/10_chest_radiographs.ipynb)
#
# # Chest radiographs
#
# **Two learned images, one for each class of drawn chests, differ where the fluid is: 26<!--=chest-radiographs.share-free:.0f--> % of their difference lies in
# 13<!--=chest-radiographs.area:.0f--> % of the picture. A price on bits takes more than half of the bits away and raises this share to
# 37<!--=chest-radiographs.share-half:.0f--> %; networks that see only these two images tell 93<!--=chest-radiographs.accuracy-half:.0f--> % of new chests
# right, and 90<!--=chest-radiographs.accuracy-free:.0f--> % without the price.**
#
# Fluid between lung and chest wall, a *pleural effusion*, shows on a radiograph as a white area at the bottom of a lung. The paper *SimpleBits* condenses
# thousands of radiographs with and without fluid to one image a class, and points at the place where the two images differ. Does such a pair really show what
# tells the classes apart? Or does it show whatever pleases a network? How would you test it?
#
# You will
#
# - condense two classes of chests, one with a known *sign*, the fluid, with a price on bits and without, and write the loop;
# - measure how much of the difference of the two images lies where the sign is, and compare with images that are not learned;
# - read images and labels from a table, and split them by patient.
#
# **To know before:** [gradient matching](07_gradient_matching.ipynb), [condense and simplify](09_condense_and_simplify.ipynb).
#
# > **Caution.** Nothing here is for patients. The pictures are drawings, the networks are tiny, and the images have 16 × 16 pixels. Do not use such a
# > network, or such a pair of images, to find, to rule out or to explain a disease in anybody. A pair that looks right is no proof that a network decides
# > by what doctors look at. And a label such as sex can be read off a radiograph by a network that nobody asked to do so.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import dataclasses
import statistics
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from PIL import Image

import simplebits as sb
from simplebits.report.interval import of_mean

sb.report.style()
sb.report.measured_cost("10_chest_radiographs")

# %% tags=["parameters"]
train_images = 600  # phantoms to condense
test_images = 400  # phantoms of other people, to test on
density = "glow-16px"  # measures bits; it sets the size of the images too
width = 32  # channels of all ConvNets; 128 in the paper
networks = 60  # random networks that the images are moved for (K); 1001 in the paper's code
real_batch = 32  # phantoms of a class at each step; 256 in the paper
learning_rate = 0.1  # of Adam, as in the paper's code
cool_down = 0.5  # share of the steps, at the end, in which this rate falls to zero; 0 in the paper
prices = [0.0, 300.0, 1000.0, 3000.0]  # of bits (lambda), 0 first; 0 to 1e6 in the code
epochs = 150  # passes over the two images when a network learns from them; 300 in the paper's code
test_networks = 4  # networks that learn from each two images; 5 in the paper's code

# %% [markdown]
# ## Chests of which everything is known
#
# MIMIC-CXR, the radiographs of the paper, are given to trained and registered people only, and on a real radiograph nobody has marked each pixel of the
# fluid. So begin with *phantoms*: drawings with lungs, ribs, heart, spine and a letter in a corner, as it marks the side on a radiograph. Sizes, places and brightness
# vary from person to person. Every second phantom has fluid at the bottom of one lung, more or less of it. Phantoms are no radiographs,
# but for each of them we know which pixels the fluid has changed.

# %%
# NBVAL_CHECK_OUTPUT
phantoms = sb.data.phantoms(train_images, seed=0)
others = sb.data.phantoms(test_images, seed=1)
print(phantoms.classes, phantoms.labels[:6].tolist())
print("a sign in class 0:", bool(phantoms.sign[phantoms.labels == 0].any()))
print(
    "a sign in each of class 1:", bool(phantoms.sign[phantoms.labels == 1].flatten(1).any(1).all())
)

# %% tags=["hide-input"]
few = phantoms.subset([0, 2, 4, 6, 1, 3, 5, 7])
shown = few.to_float(channels=3)
marked = torch.stack(
    [sb.report.painted(x, ~mask) for x, mask in zip(shown[4:], few.sign[4:], strict=True)]
)
figure = sb.report.image_grid(
    torch.cat([shown, marked]), columns=4, row_titles=["clear", "fluid", "its sign"], zoom=1.1
)
sb.report.show(
    figure,
    alt="Four drawn chests with two dark lungs in the first row; in the second row four others, each with a light area at the bottom of one lung; in "
    "the third row the same four, the light area coloured.",
    caption="Phantoms: clear, with fluid, and the pixels that the fluid has changed.",
)

# %% [markdown]
# Bring the phantoms to the image size of the density model that measures bits, as in lesson 09. The *region* of the sign is where it may be: all pixels that fluid covers in at least a
# tenth of the phantoms that have some.

# %%
measure = sb.density.load(density)
size, levels = measure.image_size, 2**measure.bit_depth
train, test = phantoms.resized(size), others.resized(size)
region = phantoms.region(size)
real = [train.to_float(channels=3)[train.labels == c] for c in (0, 1)]
print(f"{region.sum()} of {region.numel()} pixels: {region.float().mean():.0%}")

# %% [markdown]
# ## How much of a difference lies there?
#
# Take a pair of images, one of each class: two means, or two learned ones. Call $d_p$ the difference of the pair at pixel $p$, averaged over
# the colour channels. The share of the difference that lies in the region $R$ is
#
# $$ \text{share} = \frac{\sum_{p \in R} |d_p|}{\sum_{p} |d_p|}. $$
#
# If a difference is alike everywhere, its share is that of the region in the area. Compare with this first.

# %%
d = real[1].mean((0, 1)) - real[0].mean((0, 1))  # of the mean images of the two classes
print(f"their largest difference: {d.max():.2f}, where white less black is 1")


def share(clear, fluid):
    """The share of the difference that lies in the region; images [n, 3, h, w]."""
    d = (fluid.mean((0, 1)) - clear.mean((0, 1))).abs()
    return 100 * float(d[region].sum() / d.sum())  # percent


# %%
# NBVAL_CHECK_OUTPUT
library = sb.condense.region_share(real[0], real[1], region)
print("as in the library:", abs(share(*real) - 100 * library.share) < 1e-3)
print("more than the area:", library.share > library.area)
print("whiter with fluid:", library.brighter > 0)

# %%
pairs = [[x[k : k + 1] for x in real] for k in range(100)]
by_chance = [share(*pair) for pair in pairs]
print(f"area of the region: {100 * library.area:.0f} %")
print(f"mean images of the classes: {share(*real):.0f} %")
print(f"one clear and one with fluid, mean of 100 pairs: {statistics.fmean(by_chance):.0f} %")

# %% [markdown]
# **What you should see.** In the default run the region has 13<!--=chest-radiographs.area:.0f--> % of the area. The mean images hold
# 61<!--=chest-radiographs.share-means:.0f--> % of their difference there: averaging 300 people of each class leaves little but the sign. Two single people
# differ everywhere, one is wider than the other, and only 22<!--=chest-radiographs.share-random:.0f--> % of their difference lies in the region. A learned
# pair has one image of each class too. To which of these two shares is its own closer?
#
# ## The loop
#
# The two images are learned as in lesson 09. Each image is made from numbers $\alpha$ by $x = \mathrm{round}(\sigma(\alpha))$, one for each value of a pixel. The loss is the paper's
# equation 7 with the weights of the authors' code, for $C = 2$ classes:
#
# $$ \frac{10\,C}{1 + \lambda} \sum_{c} L_\text{match}^{(c)} \;+\; \frac{2 \lambda}{1 + \lambda}\, \overline{\mathrm{bits}}. $$
#
# $L_\text{match}^{(c)}$ is lesson 07's distance of gradients in class $c$, $\lambda$ the price, $\overline{\mathrm{bits}}$ the mean bits per dimension of both images.

# %%
options = {"width": width, "depth": 3}  # of the ConvNets


def image(alpha):
    """On the density's grey levels; the gradient is that of the sigmoid."""
    smooth = torch.sigmoid(alpha)
    rounded = torch.round(smooth * (levels - 1)) / (levels - 1)
    return smooth + (rounded - smooth).detach()


def loss_of(alpha, price, generator):
    """Matching in one fresh network, and bits, weighed by their price."""
    number = int(torch.randint(2**31, (), generator=generator))
    network = sb.networks.build("ConvNet", 2, 3, size, seed=number, **options)
    x = image(alpha)
    seen = measure.centre(x + torch.rand(x.shape, generator=generator) / (levels - 1))
    drawn = [torch.randperm(len(r), generator=generator)[:real_batch] for r in real]
    batches = [measure.centre(r[index]) for r, index in zip(real, drawn, strict=True)]
    matching = sb.condense.gradient_matching_loss(network, batches, list(seen.split(1))).sum()
    bits = measure.bits_per_dim(x, generator).mean()
    return 10 * 2 / (1 + price) * matching + 2 * price / (1 + price) * bits


# %%
def learn(alpha, price, steps):
    """Move the numbers behind the pixels; return the two images."""
    alpha = alpha.clone().requires_grad_()
    adam = torch.optim.Adam([alpha], lr=learning_rate, betas=(0.5, 0.99), eps=1e-6)
    for step in range(steps):
        loss = loss_of(alpha, price, torch.Generator().manual_seed(step))
        adam.zero_grad()
        loss.backward(inputs=[alpha])
        adam.step()
    return image(alpha.detach())


# %% [markdown]
# The library, `sb.condense.condense`, takes the same steps and lets the learning rate fall at the end. A few steps from the same start must give the same images.

# %%
how = {
    "density": sb.density.load(density, None),  # None: on a GPU where there is one
    "network_options": options,
    "real_batch": real_batch,
    "learning_rate": learning_rate,
    "bf16": False,  # in single precision
    "progress": False,
}

# %%
# NBVAL_CHECK_OUTPUT
run = sb.condense.Condensation(train, "gradient", 1, bit_weight=prices[-1], iterations=4, **how)
start = run.pixels.values.detach().cpu().clone()
library_images, by_hand = run.run().images, learn(start, prices[-1], 4)
# Values near the border of two grey levels may be rounded differently.
same = (by_hand - library_images).abs() < 1e-4
moved = (by_hand - image(start)).abs() > 1e-4
print("most values have moved:", bool(moved.float().mean() > 0.5))
print("by hand as in the library:", bool(same.float().mean() > 0.9))

# %% [markdown]
# ## Two images at each price
#
# Condense at each price. Then let fresh networks learn from the two images alone, and test them on phantoms of other people.

# %%
sets = {
    price: sb.condense.condense(
        train, "gradient", 1, bit_weight=price, iterations=networks, cool_down=cool_down, **how
    )
    for price in prices
}


# %%
def accuracies(images):
    """Percent of test phantoms told right, for each network that learned from these two images."""
    few = dataclasses.replace(sets[0.0], images=sb.density.quantise(images, measure.bit_depth))
    found = sb.condense.evaluate(
        few, test, "ConvNet", range(test_networks), network_options=options,
        epochs=epochs, noise=1 / (levels - 1), bf16=False, progress=False,
    )  # fmt: skip
    return [100 * value for value in found.accuracies]


# %%
candidates = {f"λ = {price:g}": found.images for price, found in sets.items()}
candidates["mean images"] = torch.stack([x.mean(0) for x in real])
for k in range(3):
    candidates[f"random pair {k}"] = torch.cat(pairs[k])
results = {}
for name, x in candidates.items():
    right = accuracies(x)
    bits = sb.density.mean_bits(measure, sb.density.quantise(x, measure.bit_depth))
    results[name] = {"bits": bits, "share": share(x[:1], x[1:]), "right": statistics.fmean(right)}
    mean = of_mean(right)  # with Student's 95 % interval
    print(
        f"{name:14} {bits:.2f} bits/dim, {results[name]['share']:3.0f} % in the region,",
        f"{mean.difference:.0f} % right, {mean.low:.0f} to {mean.high:.0f}",
    )

# %% [markdown]
# The intervals are over networks that learned from the same pair of images. They do not say how much another pair would differ.
#
# Move the slider and raise the price. In the difference, orange is whiter with fluid, purple darker, on a scale of its own at each price; the line borders the region.

# %% tags=["hide-input"]
frames, labels = [], []
for price, found in sets.items():
    of_price = results[f"λ = {price:g}"]
    figure, axes = plt.subplots(1, 3, figsize=(6.8, 2.6), layout="constrained")
    titles = ("clear", "fluid", "difference")
    for panel, title, x in zip(axes, titles, [*found.images, None], strict=True):
        if x is None:
            d = (found.images[1] - found.images[0]).mean(0)
            panel.imshow(
                d, cmap="PuOr_r", vmin=-d.abs().max(), vmax=d.abs().max(), interpolation="nearest"
            )
            panel.contour(region.float(), levels=[0.5], colors="black", linewidths=1.2)
        else:
            panel.imshow(x.permute(1, 2, 0), interpolation="nearest")
        panel.set(title=title, xticks=[], yticks=[])
        panel.grid(visible=False)
    frames.append(figure)
    labels.append(
        f"λ = {price:g}: {of_price['bits']:.2f} bits/dim, {of_price['share']:.0f} % of the difference in the region, "
        f"{of_price['right']:.0f} % right"
    )
sb.report.slider(
    frames,
    labels,
    [
        f"The learned image of each class and their difference, the border of the region drawn. {label}."
        for label in labels
    ],
    "price",
)

# %%
# The lowest price at which half of the bits are gone.
free = results[f"λ = {prices[0]:g}"]
half = next((p for p in prices if results[f"λ = {p:g}"]["bits"] <= free["bits"] / 2), prices[-1])
priced = results[f"λ = {half:g}"]
print(f"λ = {half:g}: {priced['bits']:.2f} bits per dimension, without a price {free['bits']:.2f}")

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.6, 2.9))
blue, grey = sb.report.COLOURS["blue"], sb.report.COLOURS["grey"]
curve = [results[f"λ = {price:g}"] for price in prices]
axes.plot(
    [p["bits"] for p in curve], [p["share"] for p in curve], "o-", color=blue, label="learned"
)
means = results["mean images"]
axes.plot(
    means["bits"], means["share"], "^", color=sb.report.COLOURS["orange"], label="mean images"
)
for k in range(3):
    point = results[f"random pair {k}"]
    axes.plot(
        point["bits"],
        point["share"],
        "*",
        color=sb.report.COLOURS["green"],
        label="random pairs" if k == 0 else None,
    )
axes.axhline(100 * library.area, color=grey, linestyle=":", label="area of the region")
axes.set(xlabel="bits per dimension", ylabel="difference in the region, %", ylim=(0, None))
figure.legend(loc="outside right upper")
sb.report.show(
    figure,
    alt="Share of the difference in the region against bits: learned pairs "
    + ", ".join(f"{p['bits']:.1f} bits {p['share']:.0f} %" for p in curve)
    + f"; mean images {means['share']:.0f} %; the region has {100 * library.area:.0f} % of the area.",
    caption="How much of the difference lies where the sign is. The price rises from right to left.",
)

# %% [markdown]
# **What you should see.** In the default run the pair without a price has 26<!--=chest-radiographs.share-free:.0f--> % of its difference in the region, about twice the
# area's 13<!--=chest-radiographs.area:.0f--> %, and little more than the 22<!--=chest-radiographs.share-random:.0f--> % of two random people; the rest
# is grain all over. At $\lambda$ = 300<!--=chest-radiographs.half-lambda:.0f--> more than half of the bits are gone,
# 3.71<!--=chest-radiographs.bits-free:.2f--> become 1.66<!--=chest-radiographs.bits-half:.2f-->, and the share is
# 37<!--=chest-radiographs.share-half:.0f--> %, while networks tell 93<!--=chest-radiographs.accuracy-half:.0f--> % right, and
# 90<!--=chest-radiographs.accuracy-free:.0f--> % without the price. The grain goes first, and the sign stays. Up to a point: at the highest price the share is
# 17<!--=chest-radiographs.share-dearest:.0f--> %, and accuracy is 58<!--=chest-radiographs.accuracy-dearest:.0f--> %. There the two images fade into one.
# Each price has only one pair here, so a difference of a few points says nothing.
#
# Random pairs of people teach least, 54<!--=chest-radiographs.accuracy-random:.0f--> % on average over three. And the mean images? They teach
# 84<!--=chest-radiographs.accuracy-means:.0f--> %, and 61<!--=chest-radiographs.share-means:.0f--> % of their difference lies in the region, more than in any
# learned pair. Whoever wants to *see* where two classes of aligned images differ need not condense. Condensing asks something else: what can a network
# learn from?
#
# ## From drawings to radiographs
#
# Real radiographs come as a folder of files with a table. `sb.data.from_table` reads both; `sb.data.mimic_cxr` and `sb.data.chexpert` know the tables of
# two archives and the paper's rule for their labels: images with *effusion* 1 against images with *effusion* 0 and *no finding* 1, all others left out. Here is a small folder of this kind,
# made of phantoms. Patient 3 has come twice.

# %%
folder = Path(tempfile.mkdtemp())
lines = ["file,patient,finding,part"]
for k in range(12):
    Image.fromarray(phantoms.images[k, 0].numpy()).save(folder / f"{k:02}.png")
    patient = 3 if k == 11 else k
    lines.append(
        f"{k:02}.png,p{patient:02},{phantoms.classes[k % 2]},{'test' if k > 8 else 'train'}"
    )
table = folder / "people.csv"
table.write_text("\n".join(lines))
whole = sb.data.from_table(table, "finding", patient="patient", size=size)
print(whole)

# %% [markdown]
# The column `part` says which image trains and which tests. What is wrong with it?

# %%
# NBVAL_CHECK_OUTPUT
try:
    sb.data.from_table(
        table, "finding", patient="patient", split="test", split_column="part", size=size
    )
except ValueError as refused:
    print(refused)

# %% [markdown]
# A network can know a person again, by ribs or by a pacemaker. If the same person is in both parts, a test measures memory too. So every split here is a
# split of *patients*: `folds` deals them out, so that each patient is tested once.

# %%
for fold_train, fold_test in whole.folds(3, seed=0):
    shared = set(fold_train.patients.tolist()) & set(fold_test.patients.tolist())
    print(f"{len(fold_train)} train, {len(fold_test)} test, patients in both: {len(shared)}")

# %% [markdown]
# ## What the paper reports, and what the study found
#
# The paper shows two pairs of images (figure 7) and says in words where they differ: the bottom of the lung is whiter with an effusion; lungs are slightly
# smaller in the female image. It has no number, no control and no second pair.

# %% tags=["hide-input"]
sb.report.studied("simplebits.radiographs.effusion", "simplebits.radiographs.gender")

# %% [markdown]
# The study runs the same method on 406 public radiographs of 267 patients, labelled by sex, in five folds by patient. Only fifteen of these images have a
# known effusion, too few to learn from. 406 images can show whether learned pairs teach more than random ones, if the difference is large. They
# cannot show one of a few points: each fold tests some 60 images, for which
# the interval of an accuracy reaches about 13 points to either side.

# %% tags=["hide-input"]
sb.report.measured_in("simplebits_radiographs", "accuracy", "bits")

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Does the share follow the *sign*, or does any condensed pair differ in the region? Shuffle the labels of the training phantoms, and condense
# again. Say first what the share and the accuracy should be.
#
# <details><summary>Solution</summary>
#
# ```python
# order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
# shuffled = dataclasses.replace(train, labels=train.labels[order])
# blind = sb.condense.condense(
#     shuffled, "gradient", 1, bit_weight=half, iterations=networks, cool_down=cool_down, **how
# )
# print(share(*blind.images.split(1)), statistics.fmean(accuracies(blind.images)))
# ```
#
# With shuffled labels the classes do not differ. The share should fall to about that of two random people or of the area, and the accuracy to about 50 %.
#
# </details>
#
# **Exercise 2.** Do the networks decide by the sign? Replace the region of all *test* phantoms by that of the mean clear training phantom, and test the networks again.
#
# <details><summary>Solution</summary>
#
# ```python
# clear = train.images[train.labels == 0].float().mean(0).byte()
# hidden = dataclasses.replace(test, images=torch.where(region, clear, test.images))
# found = sb.condense.evaluate(
#     sets[half], hidden, "ConvNet", range(test_networks), network_options=options, epochs=epochs, noise=1 / (levels - 1)
# )
# print(found)
# ```
#
# The region covers nearly all fluid, so the accuracy should fall to little above 50 %. What is left comes from fluid outside the region, where it is rare.
# A network that stayed good would decide by something else, and the share could not have told you.
#
# </details>
#
# **Exercise 3.** Read radiographs of your own: a folder, a table with the columns file, patient and label. What does `from_table` say if nearly half of them are
# negatives, with bright air and dark bones?
#
# <details><summary>Solution</summary>
#
# ```python
# for k in range(5):
#     Image.fromarray(255 - phantoms.images[k, 0].numpy()).save(folder / f"{k:02}.png")
# sb.data.from_table(table, "finding", patient="patient")
# ```
#
# Here five of the twelve phantoms are turned. `from_table` names the first that looks like a negative of the others, and how to turn them: `negatives="turn"`. It compares each image with the mean of the others,
# so it needs some eight images that look alike, and it follows the majority.
#
# </details>
#
# ## References
#
# - [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits-->: section 4.1 and figure 7.
# - [Johnson et al. (2019)](https://arxiv.org/abs/1901.07042)<!--cite:t johnson2019mimic-->: MIMIC-CXR-JPG, its files and labels.
# - [Irvin et al. (2019)](https://arxiv.org/abs/1901.07031)<!--cite:t irvin2019chexpert-->: CheXpert, and the program that made both archives' labels.

# %% tags=["hide-cell"]
setting = {
    "train_images": len(train), "test_images": len(test), "density": density, "width": width, "networks": networks,
    "real_batch": real_batch, "learning_rate": learning_rate, "cool_down": cool_down, "epochs": epochs,
    "test_networks": test_networks,
}  # fmt: skip
of_random = [results[f"random pair {k}"]["right"] for k in range(3)]
numbers = {
    "area": (100 * library.area, "%"),
    "share-means": (share(*real), "%"),
    "share-random": (statistics.fmean(by_chance), "%"),
    "half-lambda": (half, "λ"),
    "accuracy-random": (statistics.fmean(of_random), "%"),
    "accuracy-means": (means["right"], "%"),
}
for name, found in {"free": free, "half": priced, "dearest": curve[-1]}.items():
    numbers[f"bits-{name}"] = (found["bits"], "bits/dim")
    numbers[f"share-{name}"] = (found["share"], "%")
    numbers[f"accuracy-{name}"] = (found["right"], "%")
for name, (value, unit) in numbers.items():
    sb.report.record("chest-radiographs", name, value, unit, setting=setting)

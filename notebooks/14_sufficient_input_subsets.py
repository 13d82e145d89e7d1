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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/14_sufficient_input_subsets.ipynb)
#
# # Sufficient input subsets
#
# **Paint pixels grey as long as the network stays sure of its answer: what is left is enough for the network, and need not be what you would
# look at.**
#
# A network has read a digit of 8×8 pixels and is sure of it. How many of the 64 pixels can you paint grey, if you may choose which, before it is less
# than 99 % sure? Write down a guess before you go on.
#
# You will
#
# - paint the pixels of a digit grey one after the other, always the one that the network misses least;
# - read off which pixels are enough for any confidence that you ask for, and check that none of these can go;
# - find several sets of pixels of one image that have no pixel in common and are each enough.
#
# **To know before:** what the softmax of a classifier gives; a little PyTorch.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import matplotlib.pyplot as plt
import torch

import simplebits as sb

sb.report.style()
sb.report.measured_cost("14_sufficient_input_subsets")

# %% tags=["parameters"]
threshold = 0.99  # tau, the confidence that a subset must keep
width = 16  # channels of the network's two convolutions
epochs = 40  # passes of the network over the training images
learning_rate = 0.1  # of SGD at the start
thresholds = [0.2, 0.5, 0.9, 0.99, 0.999]  # values of tau on the second slider
collection_threshold = 0.9  # tau of the separate subsets
seed = 0  # of the network and its training

# %% [markdown]
# ## A network, and how sure it is
#
# A small network learns scikit-learn's digits, grey images of 8×8 pixels. We keep the test digits that it gets right and choose the one whose
# confidence lies in the middle of theirs.

# %%
digits, test = (sb.data.load("digits", split).resized(8) for split in ("train", "test"))
network = sb.networks.build(
    "ConvNet", 10, 1, 8, seed=seed, width=width, depth=2, norm="batch", pooling="max"
)
sb.subsets.train_classifier(
    network, digits, epochs=epochs, learning_rate=learning_rate, seed=seed, progress=False
)
network = network.double()  # rounding in single precision could change the order of pixels

# %%
images = test.to_float().double()
confidence, answer = sb.networks.predict(network, images).softmax(1).max(1)
right = (answer == test.labels).nonzero()[:, 0]
chosen = right[confidence[right].argsort()[len(right) // 2]]
x, c0 = images[chosen], int(answer[chosen])

# %% [markdown]
# ## The score, and what "grey" means
#
# The network's confidence in the class $c_0$ that it gave to the whole image is our *score*,
#
# $$ f(x) = p_\theta(c_0 \mid x). $$
#
# The class $c_0$ stays the same from now on, whatever we do to the image. To *mask* a pixel means to replace it by one flat grey, the mean of all
# training pixels. Write $x_S$ for the image of which only the pixels in the set $S$ are left. Call $S$ *enough* for a confidence $\tau$ if
#
# $$ f(x_S) \ge \tau. $$
#
# A **sufficient input subset** ([Carter et al., 2019](https://arxiv.org/abs/1810.03805))<!--cite:p carter2019sis--> is enough *and minimal*: without any one of its pixels it is no longer enough.

# %%
grey = float(sb.subsets.mean_pixel(digits))


def f(inputs):
    """The confidence in c0, for a batch of images."""
    with torch.no_grad():
        return network.eval()(inputs).softmax(1)[:, c0]


tau = min(threshold, float(f(x[None])) - 1e-12)  # no more than the whole image has
print(f"the whole digit: {float(f(x[None])):.4f}")
print(f"nothing but grey: {float(f(torch.full_like(x, grey)[None])):.4f}")

# %% [markdown]
# ## Mask the pixel that the network misses least
#
# There are $2^{64}$ sets of pixels, too many to try. *Backward selection* is greedy. It begins with all pixels and masks one at a time: the pixel
# $i^*$ without which the score stays highest,
#
# $$ i^* = \arg\max_{i \in S}\, f(x_{S \setminus \{i\}}), \qquad S \leftarrow S \setminus \{i^*\}. $$
#
# If two pixels are equally good, the one that comes first, row by row, is masked.

# %%
everything = torch.ones(8, 8, dtype=torch.bool)


def select_by_hand(f, x, left):
    """The pixels in the order in which they are masked, and the score after each."""
    left, order, scores = left.clone(), [], []
    while left.any():
        candidates = left.nonzero()
        masks = left.repeat(len(candidates), 1, 1)  # for each candidate: without it
        masks[range(len(candidates)), candidates[:, 0], candidates[:, 1]] = False
        without = f(torch.where(masks[:, None], x, grey))
        best = without.argmax()
        left[tuple(candidates[best])] = False
        order.append(candidates[best])
        scores.append(without[best])
    return torch.stack(order), torch.stack(scores)


order, scores = select_by_hand(f, x, everything)

# %% [markdown]
# `sb.subsets.back_select` does the same for many images at once and evaluates only what a masked pixel changes.

# %%
# NBVAL_CHECK_OUTPUT
# local: recompute only the part of the network that the masked pixel reaches
score = sb.subsets.class_score(network, x, local=True)
selection = sb.subsets.back_select(score, x, fill=grey)
print("the same order:", torch.equal(selection.order, order))
print("the same scores:", torch.allclose(selection.values, scores))

# %% [markdown]
# ## Watch the pixels go
#
# Move the slider. Masked pixels are painted blue here, so that you can tell them from the digit; the network sees grey in their place.

# %% tags=["hide-input"]
along = [float(f(x[None])), *scores.tolist()]
counts = [64, 56, 48, 40, 32, 24, 20, 16, 14, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
# steps: when each pixel was masked, 0 to 63; those that are left were masked later
frames = [sb.report.painted(x, selection.steps >= 64 - left) for left in counts]
names = [f"{left} pixels left: confidence {along[64 - left]:.4f}" for left in counts]
sb.report.slider(
    frames,
    names,
    [f"The digit, masked pixels in blue. {name}." for name in names],
    "pixels left",
)

# %% [markdown]
# The curve below shows the same walk at a glance. Read it from the left, where all 64 pixels are there, to the right.

# %% tags=["hide-input"]
enough = selection.sufficient(tau)
size = len(enough)
shown = [64, size, size - 1]
figure, (axes, *thumbnails) = plt.subplots(
    1, 4, figsize=(8, 2.6), width_ratios=[3, 1, 1, 1], layout="tight"
)
left = torch.arange(64, -1, -1)
sure = torch.tensor(along) >= tau
axes.plot(left, along, color=sb.report.COLOURS["grey"])
axes.scatter(left[sure], torch.tensor(along)[sure], s=12, color=sb.report.COLOURS["green"])
axes.scatter(left[~sure], torch.tensor(along)[~sure], s=12, color=sb.report.COLOURS["orange"])
axes.axhline(tau, linestyle=":", color=sb.report.COLOURS["black"])
axes.set(xlim=(66, -2), ylim=(-0.05, 1.05), xlabel="pixels left", ylabel="confidence")
for axis, count in zip(thumbnails, shown, strict=True):
    picture = sb.report.painted(x, selection.steps >= 64 - count)
    axis.imshow(picture.permute(1, 2, 0), interpolation="nearest")
    axis.set_title(f"{count} left\n{along[64 - count]:.3f}")
    axis.axis("off")
sb.report.show(
    figure,
    alt=f"Confidence against pixels left: above the dotted level down to {size} pixels, below it from {size - 1} on. "
    f"Beside it the digit with 64, {size} and {size - 1} pixels.",
    caption="Confidence while pixels are masked; dotted: τ. Green: still at least τ.",
)

# %% [markdown]
# Does the choice of the pixels matter? Paint them in a random order, a hundred times, and count how many go before the confidence first falls below τ.

# %%
draw = torch.Generator().manual_seed(seed)
gone = []
for _ in range(100):
    when = torch.randperm(64, generator=draw).view(8, 8)  # when each pixel is masked, 0 to 63
    masks = when >= torch.arange(65)[:, None, None]  # with 0, 1, ..., 64 pixels masked
    below = f(torch.where(masks[:, None], x, grey)) < tau
    gone.append(int(below.int().argmax()) - 1)
by_chance = sum(gone) / 100
print(f"random order: {by_chance:.1f} pixels, chosen: {64 - size}")

# %% [markdown]
# **What you should see.** At first the confidence even rises, in the default run: some pixels spoke against the answer, and those go first. With
# 11<!--=sufficient-subsets.small-size:.0f--> of the 64 pixels the confidence is still
# 0.993<!--=sufficient-subsets.small-score:.3f-->; with one pixel less it is 0.985<!--=sufficient-subsets.score-with-one-less:.3f-->. So you can paint
# 53<!--=sufficient-subsets.small-painted:.0f--> of the 64, if you choose them well; in a random order only
# 10<!--=sufficient-subsets.painted-by-chance:.0f-->, on average. How near was your guess?
#
# ## Which pixels are enough
#
# Walk back from the empty image. Put the pixels back in reverse order, the one masked last first, until the score reaches τ. The pixels that are
# back then are the subset. This is *FindSIS*.

# %%
back = []
for j in reversed(range(64)):
    # scores[j]: order[j] and all before it are masked,
    # so exactly order[j + 1:], the pixels in back, are left
    if scores[j] >= tau:
        break
    back.append(order[j])

print("pixels:", len(back))
print("the library reads off the same number:", len(selection.sufficient(tau)) == len(back))

# %% [markdown]
# Is the subset enough, and is it minimal? Mask each of its pixels in turn and look.

# %%
# NBVAL_CHECK_OUTPUT
subset = selection.sufficient(tau)
fewer = subset.mask.repeat(len(subset), 1, 1)
fewer[range(len(subset)), subset.sis[:, 0], subset.sis[:, 1]] = False
alone = f(torch.where(subset.mask, x, grey)[None])
print("enough:", bool(alone >= tau))
print("minimal:", bool((f(torch.where(fewer[:, None], x, grey)) < tau).all()))

# %% [markdown]
# The second answer is yes by construction. FindSIS stops at a set that backward selection once had in front of it. There, backward selection tried to
# mask each of its pixels and took the best one. FindSIS has just seen that even this best score is below τ. So every other one is below τ too. This is
# all that "minimal" means here: a set of other pixels may be smaller still.
#
# ## Ask for more, or for less
#
# The order of masking does not depend on τ. So one selection gives the subset for every τ. Here are four digits, each with its own order.

# %% tags=["hide-input"]
several = right[confidence[right].argsort()[len(right) // 8 :: len(right) // 4]][:4]
four = images[several]
selections = sb.subsets.back_select(
    sb.subsets.class_score(network, four, local=True), four, fill=grey
)
nothing = torch.zeros(8, 8, dtype=torch.bool)
digit_names = [f"an {n}" if n == 8 else f"a {n}" for n in answer[several].tolist()]
frames, names = [], []
for level in thresholds:
    subsets = [each.sufficient(level) for each in selections]
    masks = [nothing if each is None else each.mask for each in subsets]
    rows = [sb.report.painted(image, ~nothing) for image in four]
    rows += [sb.report.painted(image, mask) for image, mask in zip(four, masks, strict=True)]
    sizes = ["none" if each is None else f"{len(each)} pixels" for each in subsets]
    titles = [*digit_names, *sizes]
    frames.append(sb.report.image_grid(torch.stack(rows), titles=titles, columns=4, zoom=0.9))
    said = ", ".join(f"{name}: {many}" for name, many in zip(digit_names, sizes, strict=True))
    names.append(f"τ = {level:g} ({said})")
sb.report.slider(
    frames,
    names,
    [
        f"Four digits above, their sufficient subsets below, other pixels blue. {name}."
        for name in names
    ],
    "threshold",
)

# %% [markdown]
# **What you should see.** The more you ask for, the more pixels it takes. "0 pixels" is no mistake: in the default run this network calls plain grey an
# 8 with a confidence of 0.51<!--=sufficient-subsets.grey-top:.2f-->, so for the 8 nothing needs to be left to reach 0.5. "none" means that not
# even the whole digit is that sure.
#
# ## More than one reason
#
# A subset that is enough does not make the other pixels idle. *SIScollection* masks the subset that it has found and looks for another one among
# the pixels that are left, until these no longer reach τ. Here it does so for the same four digits at once.

# %%
of_four = sb.subsets.class_score(network, four, local=True)  # each digit with its own class
reasons = sb.subsets.sis_collection(of_four, four, collection_threshold, fill=grey)
for name, subsets in zip(digit_names, reasons, strict=True):
    print(f"{name}: {len(subsets)} separate, pixels in each:", *map(len, subsets))

# %%
# NBVAL_CHECK_OUTPUT
for n, subsets in enumerate(reasons):
    used = sum(each.mask.int() for each in subsets)
    rest = torch.where(used == 0, four[n], grey)[None]
    own_score = of_four.for_images(torch.tensor([n]))  # of digit n, with its own class
    with torch.no_grad():
        enough_left = bool(own_score(rest) >= collection_threshold)
    print("no pixel is in two:", int(used.max()) <= 1, "| the rest is enough:", enough_left)

# %% tags=["hide-input"]
columns = 1 + max(map(len, reasons))
figure, grid = plt.subplots(
    4, columns, figsize=(1.35 * columns, 6.2), squeeze=False, layout="constrained"
)
for n, subsets in enumerate(reasons):
    shown = [(digit_names[n], ~nothing), *((f"{len(each)} pixels", each.mask) for each in subsets)]
    for axis in grid[n]:
        axis.axis("off")
    for axis, (title, mask) in zip(grid[n], shown, strict=False):
        axis.imshow(sb.report.painted(four[n], mask).permute(1, 2, 0), interpolation="nearest")
        axis.set_title(title)
sb.report.show(
    figure,
    alt="One row for each of four digits: the digit, then its separate sufficient subsets with all other pixels blue.",
    caption="Each digit, and right of it its separate sufficient subsets in the order in which they are found.",
)

# %% [markdown]
# **What you should see.** One of the four digits has 3<!--=sufficient-subsets.collection-most:.0f--> subsets without a common pixel, each of which keeps
# the network at least 90 % sure: as many separate reasons for one answer. In the default run this is the 8, the answer to which the network leans even
# on plain grey; so little has to be left of an 8. Cover the digits and look at the subsets alone. Which of them would you recognise? In the
# default run at most the 1, an upright bar. The network needs no more of an 8 than three pixels, in which nobody would see one.
#
# The share of pixels that is enough may depend on the size of the image. We expect a smaller share in larger images, where neighbours say much the same;
# we do not test it here. So compare shares only between images of one size. For photographs, where trying every pixel takes too long, lesson 15 masks
# by gradients.
#
# ## What the papers report, and what the studies found

# %% tags=["hide-input"]
sb.report.studied(
    "overinterpretation.tableS5.resnet20.uncalibrated.sis-size",
    "overinterpretation.tableS5.resnet18.uncalibrated.sis-size",
    "overinterpretation.tableS5.vgg16.uncalibrated.sis-size",
    "overinterpretation.size.correct",
)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Fill with black (`fill=0.0`) in place of grey. Which pixels of a digit can then never be in a sufficient subset?
#
# <details><summary>Solution</summary>
#
# ```python
# black = sb.subsets.back_select(score, x, fill=0.0).sufficient(tau)
# print(len(subset), "pixels with grey,", len(black), "with black")
# for mask in (subset.mask, black.mask):
#     print("almost black (below 0.05):", int((x[0][mask] < 0.05).sum()))
# ```
#
# Those that are black already: without one of them the image is the same, so that a subset that held it would not be minimal. Almost black pixels change
# little when they are painted black. Of the 10<!--=sufficient-subsets.black-size:.0f--> pixels that are enough with black,
# 0<!--=sufficient-subsets.black-dark:.0f--> are almost black; of the 11<!--=sufficient-subsets.small-size:.0f--> with grey it is
# 3<!--=sufficient-subsets.small-dark:.0f-->. With grey, a black pixel says something, namely that no stroke is there. What "missing" means is part of the
# question, and the fill is where you answer it.
#
# </details>
#
# **Exercise 2.** $f$ need not be a confidence: any score will do, and τ is then on its scale. Let $f(x) = \sum_i w_i x_i$ with positive $w_i x_i$, and let
# masked values be 0. In which order does backward selection mask? Is the subset for τ the smallest possible one? Try it with four weights;
# `sb.subsets.find_sis(f, x, tau)` does both parts at once, and its `fill` is 0.
#
# <details><summary>Solution</summary>
#
# To mask $i$ costs $w_i x_i$, whatever else is masked. So the values go in the order of what they contribute, the smallest first. The subset holds the largest
# contributions, as few as add up to τ, and no other set is smaller.
#
# ```python
# weights = torch.tensor([3.0, 1.0, 4.0, 1.5])
# small = sb.subsets.find_sis(lambda inputs: (inputs * weights).sum(1), torch.ones(4), 6.0)
# print(small.sis.flatten())  # the places of the weights 4 and 3
# ```
#
# A network is not linear. If two pixels say the same, the first of them costs nothing to mask, and the second one a lot.
#
# </details>
#
# **Exercise 3.** How often is $f$ evaluated for an image of $p$ pixels? For 8×8, 32×32 and 224×224?
#
# <details><summary>Solution</summary>
#
# $p + (p-1) + \dots + 1 = p(p+1)/2$ times: 2,080 times for 8×8, 524,800 for 32×32, and 1.3 billion for 224×224.
#
# </details>
#
# ## References
#
# - [Carter et al. (2019)](https://arxiv.org/abs/1810.03805)<!--cite:t carter2019sis-->: sufficient input subsets, backward selection, collections.
# - [Carter et al. (2021)](https://arxiv.org/abs/2003.08907)<!--cite:t carter2021overinterpretation-->: the same for networks on CIFAR-10 and ImageNet, sections S1 and S3.

# %% tags=["hide-cell"]
black = sb.subsets.back_select(score, x, fill=0.0).sufficient(tau)
with torch.no_grad():
    plain_grey = network(torch.full_like(x, grey)[None]).softmax(1)
setting = {"width": width, "epochs": epochs, "learning_rate": learning_rate, "seed": seed}
numbers = {
    "small-size": (size, "pixels"),
    "small-score": (along[64 - size], "confidence"),
    "score-with-one-less": (along[64 - size + 1], "confidence"),
    "small-painted": (64 - size, "pixels"),
    "painted-by-chance": (by_chance, "pixels"),
    "small-dark": (int((x[0][subset.mask] < 0.05).sum()), "pixels"),
    "black-size": (len(black), "pixels"),
    "black-dark": (int((x[0][black.mask] < 0.05).sum()), "pixels"),
    "grey-top": (float(plain_grey.max()), "confidence"),
    "collection-most": (max(map(len, reasons)), "subsets"),
}
for name, (value, unit) in numbers.items():
    sb.report.record("sufficient-subsets", name, value, unit, setting=setting)

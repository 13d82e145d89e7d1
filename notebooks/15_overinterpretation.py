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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/15_overinterpretation.ipynb)
#
# # Overinterpretation
#
# **A decision can rest on very few pixels, and that does not prove that these pixels mean anything: from
# 7<!--=overinterpretation.kept-pixels:.0f--> of 64<!--=overinterpretation.pixels:,.0f--> pixels, chosen by another network, a network gets
# 95.3<!--=overinterpretation.backward:.1f--> % of the test images right, from 7<!--=overinterpretation.kept-pixels:.0f--> random ones
# 33.7<!--=overinterpretation.random:.1f--> %, and from nothing but the *places* of the chosen ones
# 92.7<!--=overinterpretation.places:.1f--> %.**
#
# Paint 95 % of the pixels of an image grey. Could you still say what it shows? A network can, for
# 66.5<!--=overinterpretation.quiz-pixels5:.1f--> % of the test images, if it may choose the few pixels that are left. What does it see in them?
#
# You will
#
# - find out with gradients which pixels a network can spare, for all images of a set;
# - take the test yourself: what do you recognise in 5, 30 and 50 % of the pixels?
# - train new networks on nothing but the pixels that were kept, and run the control that shows what these networks read.
#
# **To know before:** [sufficient input subsets](14_sufficient_input_subsets.ipynb), and how a classifier is trained.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import copy
import math

import matplotlib.pyplot as plt
import torch

import simplebits as sb

sb.report.style()
sb.report.measured_cost("15_overinterpretation")

# %% tags=["parameters"]
image_set = "digits"  # name for sb.data.load; cifar10 in the paper
size = 8  # height and width of the images, pixels; 32 in the paper
train_images = 10000  # training images at most, drawn at random; digits has 1287
test_images = 10000  # test images at most, likewise; digits has 510
width = 16  # channels of the networks' convolutions
depth = 2  # convolutions; the paper has ResNets and VGG16
share = 0.1  # of the pixels that are kept; 0.05 in the paper
group = 1  # pixels masked at once, k
epochs = 40  # passes over the training images; 200 in the paper
learning_rate = 0.1  # of SGD at the start
quiz_images = 8  # pictures in each round of the test that you take
seed = 0  # of the networks and their training

# %% [markdown]
# ## The first network
#
# The default run takes scikit-learn's digits at the 8×8 pixels in which they are stored, so that every pixel is a value of its own. `learn` trains a fresh
# network on whatever images it gets. All networks of this lesson come from it.

# %%
train = sb.data.load(image_set, "train").resized(size)
test = sb.data.load(image_set, "test").resized(size)
train = train.draw(min(train_images, len(train)), seed)
test = test.draw(min(test_images, len(test)), seed)
classes, channels = len(train.classes), train.images.shape[1]
grey = sb.subsets.mean_pixel(train)  # the mean of all training pixels, one number a channel


def learn(images, number):
    """A new network after training on these images; number: seed of its weights and training."""
    options = {"width": width, "depth": depth, "norm": "batch", "pooling": "max"}
    network = sb.networks.build("ConvNet", classes, channels, size, seed=number, **options)
    sb.subsets.train_classifier(
        network, images, epochs=epochs, learning_rate=learning_rate, seed=number, progress=False
    )
    return network.eval()


# %%
first = learn(train, seed)


def accuracy(network, images):
    """Test images that a network gets right, in percent."""
    return 100 * sb.networks.accuracy(network, images.to_float(), images.labels)


answers = sb.networks.predict(first, test.to_float()).argmax(1)
right = answers == test.labels
print(f"right: {accuracy(first, test):.1f} % of {len(test)} test images")

# %% [markdown]
# ## Which pixel can the network spare?
#
# Lesson 14 tried every pixel in turn: 2,080 evaluations of the network for one image of 8×8 pixels, 524,800 for one of 32×32. A gradient needs far fewer.
#
# Give each pixel $i$ a number $m_i$, 1 while the pixel is kept and 0 when it is masked, and let
#
# $$ x_m = m \odot x + (1 - m) \odot \text{grey} $$
#
# be what the network sees; $\odot$ multiplies pixel by pixel. As in lesson 14, $f$ is the network's confidence in the class $c_0$ that it saw in the whole image, whether that is the right class or not. The derivative
# $\partial f(x_m) / \partial m_i$ says what the confidence loses, to first order, when $m_i$ falls. Where it is negative, the network gets *surer* without the pixel. So
# mask the $k$ kept pixels with the smallest derivatives, take the derivatives again, and go on until nothing is left: $\lceil p / k \rceil$ gradients in all
# for an image of $p$ pixels.
#
# This is algorithm 2 in the supplement of the paper ([Carter et al., 2021](https://arxiv.org/abs/2003.08907))<!--cite:p carter2021overinterpretation-->. There $M = 1 - m$ counts the other way round, so the $k$ *largest* derivatives in $M$ are
# taken; the pixels are the same. The paper selects from large photographs in this way; for the small ones of CIFAR-10 it tries every pixel.

# %%
pixels = size * size


def select_by_hand(network, x, k):
    """The step in which each pixel is masked, from 0; x is one image, [1, c, h, w]."""
    c0 = network(x).argmax()
    kept, order = torch.ones(size, size, dtype=x.dtype), torch.zeros(size, size, dtype=torch.int64)
    for step in range(math.ceil(pixels / k)):
        m = kept.clone().requires_grad_()
        f = network(m * x + (1 - m) * grey[:, None, None]).softmax(1)[0, c0]
        (derivative,) = torch.autograd.grad(f, m)
        derivative[kept == 0] = math.inf  # masked already
        least = derivative.flatten().argsort(stable=True)[: min(k, int(kept.sum()))]
        kept.view(-1)[least] = 0
        order.view(-1)[least] = step
    return order


# %% [markdown]
# `sb.subsets.batched_gradient_back_select` does the same for many images at once. We compute in double precision, so that even the tiny derivatives of a network
# that is very sure have an order, and leave out the noise by which the paper's code breaks ties.

# %%
precise = copy.deepcopy(first).double()


def select(images):
    """The step in which each pixel of each image is masked."""
    x = images.to_float().double()
    score = sb.subsets.class_score(precise, x)  # f, with c0 from the whole images
    blank = grey.double()[:, None, None]
    selection = sb.subsets.batched_gradient_back_select(score, x, group, fill=blank, noise=0.0)
    return selection.order


# %%
# NBVAL_CHECK_OUTPUT
x = test.to_float()[:1].double()
same = torch.equal(select_by_hand(precise, x, group), select(test.subset([0]))[0])
print("by hand and library agree:", same)

# %% [markdown]
# ## Keep the pixels that were masked last
#
# The pixels that were masked last are those that the network could spare least. Of every training and test image, keep the last
# 7<!--=overinterpretation.kept-pixels:.0f-->. This needs no label: the order belongs to the network's own answer. To compare with, keep as many random pixels, drawn anew for each image.

# %%
order = {"train": select(train), "test": select(test)}
kept = {part: sb.subsets.keep_last(steps, share) for part, steps in order.items()}
drawn = {
    "train": sb.subsets.random_masks(len(train), (size, size), share, seed=1234),
    "test": sb.subsets.random_masks(len(test), (size, size), share, seed=5678),
}  # the seeds of the paper's code
count = sb.subsets.pixels_kept(share, pixels)  # rounded up

# %%
# NBVAL_CHECK_OUTPUT
last = order["test"][0].flatten().argsort(descending=True, stable=True)[:count]
print("kept, by hand and by the library:", set(last.tolist()) == set(
    kept["test"][0].flatten().nonzero()[:, 0].tolist()
))  # fmt: skip
seen = torch.where(kept["test"][:, None], test.to_float(), grey[:, None, None])
library = sb.subsets.keep_pixels(test, kept["test"], grey)
print("what networks see, likewise:", torch.equal(seen, library.to_float()))
print("as many random pixels:", bool((drawn["test"].sum((1, 2)) == count).all()))

# %% [markdown]
# ## Your turn
#
# Before you see more: what do *you* recognise? Masked pixels are painted blue here, so that you can tell them from the digit; the network
# gets grey in their place. The table that ends the test says in its last column what people reached in the paper. They saw photographs of ten kinds of things (CIFAR-10), of which 5 % is 52
# pixels; so that column tells how hard such a task is, not how well you do.

# %% tags=["hide-input"]
mixed = torch.randperm(len(test), generator=torch.Generator().manual_seed(1))


def painted(images, masks):
    """The images in colour, masked pixels blue."""
    return torch.stack(
        [
            sb.report.painted(image, mask)
            for image, mask in zip(images.to_float(), masks, strict=True)
        ]
    )


rounds, hits = [], {}
for number, (key, part) in enumerate({"pixels5": 0.05, "pixels30": 0.3, "pixels50": 0.5}.items()):
    chosen = mixed[number * quiz_images : (number + 1) * quiz_images]
    masks = sb.subsets.keep_last(order["test"], part)
    seen = sb.subsets.keep_pixels(test, masks, grey)
    hits[key] = accuracy(first, seen)
    says = sb.networks.predict(first, seen.subset(chosen).to_float()).argmax(1)
    left = sb.subsets.pixels_kept(part, pixels)
    rounds.append(
        sb.report.QuizRound(
            f"{left} of {pixels} pixels ({left / pixels:.0%})",
            painted(test.subset(chosen), masks[chosen]),
            test.labels[chosen],
            says,
            sb.report.published(f"overinterpretation.humans.{key}"),
        )
    )
sb.report.quiz(rounds, train.classes, "What is in the picture?")

# %% [markdown]
# **What you should see.** Over *all* test images, the first network gets 66.5<!--=overinterpretation.quiz-pixels5:.1f--> % right when it is shown 5 % of the pixels, and
# 91.6<!--=overinterpretation.quiz-pixels50:.1f--> % when it is shown half of them. The people of the paper got 19.2 % and 68.2 % of their photographs right.
#
# ## How few are enough?
#
# Move the slider. The upper row has the kept pixels of one image of each class, the lower row as many random ones. The label gives the first network's accuracy over all test images.

# %% tags=["hide-input"]
one_each = [int((test.labels == label).nonzero()[0, 0]) for label in range(classes)]
frames, labels = [], []
tests = {}
for part in sorted({0.5, 0.3, 0.2, 0.1, 0.05, 0.02, share}, reverse=True):
    both = [
        sb.subsets.keep_last(order["test"], part),
        sb.subsets.random_masks(len(test), (size, size), part, seed=5678),
    ]
    tests[part] = [accuracy(first, sb.subsets.keep_pixels(test, masks, grey)) for masks in both]
    rows = [painted(test.subset(one_each), masks[one_each]) for masks in both]
    frames.append(
        sb.report.image_grid(
            torch.cat(rows), columns=classes, row_titles=["kept", "random"], zoom=0.75
        )
    )
    left = sb.subsets.pixels_kept(part, pixels)
    labels.append(
        f"{left} pixels ({left / pixels:.0%}): the first network gets {tests[part][0]:.1f} % right from kept pixels, "
        f"{tests[part][1]:.1f} % from random ones"
    )
alts = [f"Images of every class, kept pixels above, random ones below. {text}." for text in labels]
sb.report.slider(frames, labels, alts, "pixels kept")

# %% [markdown]
# **What you should see.** From the 7<!--=overinterpretation.kept-pixels:.0f--> pixels that were kept, the first network still gets
# 90.2<!--=overinterpretation.whole-network-selected:.1f--> % of the test images right, from as many random ones
# 11.8<!--=overinterpretation.whole-network-random:.1f--> %, and from whole images 95.7<!--=overinterpretation.whole-network:.1f--> %.
#
# A network *overinterprets* when it finds strong evidence in what means nothing to people. Does this network? Or are the kept pixels good evidence, of a kind that people cannot read?
#
# ## Are they good enough to learn from?
#
# The paper's test: train a *new* network, from other random weights, on the kept pixels of the training images and their true labels. This network never sees a whole image. Then
# show it the kept pixels of the test images. The same is done with whole images and with random pixels, to compare.

# %%
sets = {
    "whole": (train, test),
    "kept": tuple(
        sb.subsets.keep_pixels(images, kept[part], grey)
        for part, images in (("train", train), ("test", test))
    ),
    "random": tuple(
        sb.subsets.keep_pixels(images, drawn[part], grey)
        for part, images in (("train", train), ("test", test))
    ),
}
learned = {name: learn(images, seed + 100) for name, (images, _) in sets.items()}

# %%
for name, network in learned.items():
    print(f"{name}: {accuracy(network, sets[name][1]):.1f} % right")

# %% [markdown]
# **What you should see.** In the default run whole images teach 95.5<!--=overinterpretation.full:.1f--> %, the kept pixels
# 95.3<!--=overinterpretation.backward:.1f--> %, random ones 33.7<!--=overinterpretation.random:.1f--> %. The paper finds much the same on photographs, and
# concludes that these few pixels hold regularities of the data that carry over to new images.
#
# Stop here for a moment. Who chose the pixels of the *test* images, and what had it looked at?
#
# ## The control: places without pixels
#
# The first network looked at each whole test image, gave its answer, and kept the pixels that hold up *this answer*. So the answer may be written into the choice of pixels, whatever the
# pixels show. To find out, erase what they show and leave the choice: white where a pixel was kept, black elsewhere. Not one value of the image is left.

# %%
sets["places"] = tuple(
    sb.subsets.keep_places(images, kept[part])
    for part, images in (("train", train), ("test", test))
)
learned["places"] = learn(sets["places"][0], seed + 100)

# %%
# NBVAL_CHECK_OUTPUT
white = torch.where(kept["test"][:, None], 255, 0).expand(-1, channels, -1, -1)
print("by hand and library agree:", torch.equal(white.to(torch.uint8), sets["places"][1].images))
print("values that are left:", sets["places"][1].images.unique().tolist())

# %% tags=["hide-input"]
scores = {name: accuracy(network, sets[name][1]) for name, network in learned.items()}
names = {
    "whole": "whole images",
    "kept": f"{count} kept pixels",
    "random": f"{count} random pixels",
    "places": "places of the kept\npixels, nothing else",
}
shades = {"whole": "grey", "kept": "blue", "random": "amber", "places": "orange"}
figure, axes = plt.subplots(figsize=(6.8, 2.6))
for row, name in enumerate(names):
    axes.barh(row, scores[name], color=sb.report.COLOURS[shades[name]], height=0.65)
    axes.text(scores[name] + 1, row, f"{scores[name]:.1f} %", va="center")
axes.axvline(100 / classes, color=sb.report.COLOURS["black"], linestyle=":")
axes.set(yticks=range(len(names)), yticklabels=names.values(), xlim=(0, 110))
axes.set(xlabel="test images right, %", xticks=range(0, 101, 20))
axes.invert_yaxis()
axes.grid(axis="y", visible=False)
told = ", ".join(f"{said} {scores[name]:.1f} %" for name, said in names.items()).replace("\n", " ")
sb.report.show(
    figure,
    alt=f"Four bars, the test accuracy of networks that learned from: {told}. A dotted line marks chance.",
    caption="What a new network learns from each kind of picture; dotted: guessing.",
)

# %% [markdown]
# **What you should see.** In the default run the network that is shown nothing but places gets
# 92.7<!--=overinterpretation.places:.1f--> % of the test images right, almost as many as the network on kept pixels.
# So the high bar of the kept pixels is no proof of good evidence: the bar is nearly as high without their values.
#
# ## What the network reads
#
# Look at single images. The title of each picture is the answer of the network that learned from pictures of this kind. The lower two rows are images that the *first* network got
# wrong.

# %% tags=["hide-input"]
says = {
    name: sb.networks.predict(network, sets[name][1].to_float()).argmax(1)
    for name, network in learned.items()
}
says["whole"] = answers  # of the first network, which chose the pixels
rows = [*right.nonzero()[:2, 0].tolist(), *(~right).nonzero()[:2, 0].tolist()]
pictures, titles = [], []
for i in rows:
    whole = test.to_float()[i]
    pictures += [sb.report.painted(whole, torch.ones(size, size, dtype=torch.bool))]
    pictures += [sb.report.painted(whole, masks["test"][i]) for masks in (kept, drawn)]
    pictures += [sets["places"][1].to_float()[i].expand(3, -1, -1)]
    titles += [f"{name}: {test.classes[int(says[name][i])]}" for name in names]
row_titles = [
    f"label {test.classes[int(test.labels[i])]}\nfirst network\n{'right' if right[i] else 'wrong'}"
    for i in rows
]
sb.report.show(
    sb.report.image_grid(
        torch.stack(pictures), titles=titles, columns=4, row_titles=row_titles, zoom=1.1
    ),
    alt="Rows of four pictures of one image: whole, kept pixels, random pixels, places alone. The title of each is a network's answer; on images "
    "that the first network got wrong, the networks on kept pixels and on places mostly give its wrong answer.",
    caption="One image a row. Title: the kind of picture, and what the network of this kind answers (whole: the first network).",
)

# %% [markdown]
# A network that reads the image should sometimes be right where the first network is wrong. A network that reads the first network's answer should repeat the mistake. Count both.

# %%
wrong = ~right
for name in ("kept", "random", "places"):
    repeated = int((says[name] == answers)[wrong].sum())
    corrected = int((says[name] == test.labels)[wrong].sum())
    print(f"{name}: {repeated} of {int(wrong.sum())} mistakes repeated, {corrected} corrected")

# %% [markdown]
# **What you should see.** In the default run, of the 22<!--=overinterpretation.mistakes:.0f--> test images that the first network got wrong, the network on kept pixels gives the *same wrong answer* for
# 22<!--=overinterpretation.repeated-kept:.0f--> and corrects none, the network on places repeats
# 18<!--=overinterpretation.repeated-places:.0f-->, the network on random pixels 3<!--=overinterpretation.repeated-random:.0f-->. They all learned from true labels
# and never met the first network. Its answers reached the networks on kept pixels and on places through the choice of the pixels.
#
# ## How can a choice tell the class?
#
# Count how often each pixel is kept, class by class: one map for each class. Then give each test mask, by itself, the class whose map is nearest.

# %%
maps = torch.stack([kept["train"][train.labels == c].float().mean(0) for c in range(classes)])
distance = torch.cdist(kept["test"].float().flatten(1), maps.flatten(1))
nearest = distance.argmin(1)  # the class whose map is most like the mask
by_maps = 100 * float((nearest == test.labels).float().mean())
print(f"the nearest map is that of the right class for {by_maps:.1f} % of the test masks")

# %% tags=["hide-input"]
figure, panels = plt.subplots(math.ceil(classes / 5), 5, figsize=(6.8, 3.2), squeeze=False)
for panel in panels.flat:
    panel.set_axis_off()
for panel, often, name in zip(panels.flat, maps, train.classes, strict=False):
    drawing = panel.imshow(
        100 * often, vmin=0, vmax=100 * float(maps.max()), cmap="viridis", interpolation="nearest"
    )
    panel.set_title(name)
figure.colorbar(drawing, ax=panels, label="kept in % of the images", shrink=0.9)
sb.report.show(
    figure,
    alt="A map for each class of how often each pixel is kept in its training images. The maps differ from class to class.",
    caption="How often each pixel is kept, by class; one scale for all maps.",
)

# %% [markdown]
# **What you should see.** The maps differ. Without any network, the map that is nearest to a mask names the right class for
# 91.2<!--=overinterpretation.nearest-map:.1f--> % of the test images in the default run, nearly as often as the network on places.
#
# What follows? *First*, a network's answer can rest on a few pixels in which you may recognise nothing. No control takes this away. *Second*, the accuracy of new networks on
# chosen pixels does not prove that these pixels mean something by themselves: a choice that was made by looking at the whole image carries what was seen there. Whenever a model does
# well on features that another model has chosen, ask how well it does on the choice alone. The paper's tables do not have this control.
#
# It does not follow that the pixels' values say nothing. Exercises 1 and 2 ask for their part.
#
# ## What the papers report, and what the studies found
#
# Backward selection is what kept the pixels. In table S1 the training images were moved a little before they were masked; in table S2 a ResNet18 learns from the pixels that a ResNet20 kept; in table S3
# networks that learned from kept pixels are tested on whole images. Table S6 has the people. The paper also asks whether a network that learned with missing pixels (*input dropout*) stands up
# better to damaged images, and whether the subsets of right and of wrong decisions differ in size. The claim about sizes has a trap of its own:
# where a blank image already reaches the confidence that is asked for, the subset has no pixel at all. Such empty subsets are more frequent among wrong decisions, and can make the whole
# difference. The study therefore tests the claim with and without them.

# %% tags=["hide-input"]
sb.report.studied(
    "overinterpretation.tableS1.resnet20.bs5.cifar10",
    "overinterpretation.tableS1.resnet20.random5.cifar10",
    "overinterpretation.tableS2.resnet20.resnet18.cifar10",
    "overinterpretation.tableS3.resnet20.bs5.plain.cifar10",
    "overinterpretation.humans.pixels5",
    "overinterpretation.humans.pixels30",
    "overinterpretation.humans.pixels50",
    "overinterpretation.size.correct",
    "overinterpretation.dropout",
)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Let the two sources disagree. Show the network that learned from kept pixels the values of one test image at the places that were kept for *another* test image, one of a different
# class. Whose class does it name more often?
#
# <details><summary>Solution</summary>
#
# ```python
# other = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
# differ = test.labels != test.labels[other]
# mixed_up = sb.subsets.keep_pixels(test, kept["test"][other], grey)
# says_now = sb.networks.predict(learned["kept"], mixed_up.to_float()).argmax(1)[differ]
# print("class of the values:", float((says_now == test.labels[differ]).float().mean()))
# print("class of the places:", float((says_now == test.labels[other][differ]).float().mean()))
# ```
#
# In the default run it names the class of the places about three times as often as the class of the values. The values do count: where they contradict the places, it often names a third class.
#
# </details>
#
# **Exercise 2.** What are the values worth once the places say nothing? Train and test on kept pixels whose masks were exchanged: each image gets the mask of another image, drawn at
# random. Guess first, between the bars of random pixels and of kept ones.
#
# <details><summary>Solution</summary>
#
# ```python
# exchanged = []
# for part, images in (("train", train), ("test", test)):
#     other = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
#     exchanged.append(sb.subsets.keep_pixels(images, kept[part][other], grey))
# print(accuracy(learn(exchanged[0], seed + 100), exchanged[1]), "against", scores["random"], "for random pixels")
# ```
#
# On the digits it is near the random pixels' bar, somewhat above it: the places where networks look are more telling than others, but so few pixels, chosen for another image, are
# far from enough.
#
# </details>
#
# **Exercise 3.** Masked pixels become grey. What if they become black, as most of a digit's ground is? Select again with `grey = torch.zeros(channels)` and measure the first network on the kept pixels.
#
# <details><summary>Solution</summary>
#
# ```python
# mean_grey, grey = grey, torch.zeros(channels)
# black = sb.subsets.keep_pixels(test, sb.subsets.keep_last(select(test), share), grey)
# print(accuracy(first, black), "with black, against", tests[share][0], "with grey")
# grey = mean_grey
# ```
#
# A pixel that is black already can be masked without any change, so its derivative is 0, and it says nothing when it is kept. What stands for *missing* is a choice, and every number of this
# lesson depends on it.
#
# </details>
#
# ## References
#
# - [Carter et al. (2021)](https://arxiv.org/abs/2003.08907)<!--cite:t carter2021overinterpretation-->: algorithm 2 of the supplement; sections S2 and S4; tables S1 to S6.
# - [Carter et al. (2019)](https://arxiv.org/abs/1810.03805)<!--cite:t carter2019sis-->: sufficient input subsets.

# %% tags=["hide-cell"]
setting = {
    "image_set": image_set, "size": size, "train_images": len(train), "test_images": len(test), "width": width,
    "depth": depth, "share": share, "group": group, "epochs": epochs, "learning_rate": learning_rate, "seed": seed,
}  # fmt: skip
numbers = {
    "pixels": (pixels, "pixels"),
    "kept-pixels": (count, "pixels"),
    "whole-network": (accuracy(first, test), "%"),
    "whole-network-selected": (tests[share][0], "%"),
    "whole-network-random": (tests[share][1], "%"),
    "full": (scores["whole"], "%"),
    "backward": (scores["kept"], "%"),
    "random": (scores["random"], "%"),
    "places": (scores["places"], "%"),
    "mistakes": (int(wrong.sum()), "images"),
    "repeated-kept": (int((says["kept"] == answers)[wrong].sum()), "images"),
    "repeated-places": (int((says["places"] == answers)[wrong].sum()), "images"),
    "repeated-random": (int((says["random"] == answers)[wrong].sum()), "images"),
    "nearest-map": (by_maps, "%"),
    **{f"quiz-{key}": (value, "%") for key, value in hits.items()},
}
for name, (value, unit) in numbers.items():
    # Rounded as the pictures show it.
    sb.report.record("overinterpretation", name, round(value, 1), unit, setting=setting)

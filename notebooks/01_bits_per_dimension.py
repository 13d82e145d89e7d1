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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/01_bits_per_dimension.ipynb)
#
# # Bits per dimension
#
# **The bits of an image are minus the base-2 logarithm of its probability under a model, so an image that the model expects is a short message.**
#
# You send three pictures to a friend, each of 32×32 pixels in colour: a black square, the face of a cat, and the coloured static of an old television. A
# pixel has three values, its red, green and blue. Stored plainly, every value takes 8 bits. If you and your friend agree on a good code beforehand:
# which picture is the longest message, and how many bits a value does each one take? Write down three guesses before you go on.
#
# You will
#
# - write messages in a code, and see that likely messages get short words;
# - go from a probability to a density, and compute the bits of a photograph by hand;
# - lay images on a ruler of bits, and watch the bits of a cat while you blur it or add noise.
#
# **To know before:** what a probability, a density and a logarithm are. The neural network that measures stays a closed box here;
# [the next lesson](02_glow_step_by_step.ipynb) opens it.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import math

import matplotlib.pyplot as plt
import skimage.data
import torch

import simplebits as sb

sb.report.style()
sb.report.measured_cost("01_bits_per_dimension")

# %% tags=["parameters"]
density = "glow"  # the model that measures, a name for sb.density.load
coarse_density = "glow-5bit"  # a model of images with fewer grey levels, for one comparison
image_sets = ["digits", "photos"]  # names for sb.data.load; add others, the text needs these two
images_per_set = 500  # test images measured of each set
noise_draws = 20  # draws of the noise u; the bits of a single image are the mean over them
coupling = 1.0  # J, how much neighbouring pixels of the toy model like to agree; 0: not at all
blurs = [0.4, 0.6, 0.8, 1.0, 1.4, 2.0, 3.0]  # standard deviations of the blur, in pixels
grains = [0.01, 0.02, 0.05, 0.1, 0.2, 0.4]  # standard deviations of added noise; 1 is white
level_bits = [6, 5, 4, 3, 2, 1]  # k, where 2^k levels of red, green and blue each are left
seed = 0  # of every random draw

# %% [markdown]
# ## A code gives likely messages short words
#
# A weather station sends one of four messages a day. Sun is the likeliest, snow and fog are rare. Give each message a word of zeros and ones, the
# likeliest the shortest. No word is the beginning of another one, so that the words can be written one after the other without a gap.

# %%
words = {"sun": "0", "rain": "10", "snow": "110", "fog": "111"}
chance = torch.tensor([1 / 2, 1 / 4, 1 / 8, 1 / 8])

generator = torch.Generator().manual_seed(seed)
days = torch.multinomial(chance, 1000, replacement=True, generator=generator)
sent = [list(words)[day] for day in days]
stream = "".join(words[message] for message in sent)
print(stream[:40], "...", len(stream), "bits for", len(sent), "days")

# %% [markdown]
# The friend reads the stream bit by bit. As soon as the bits are a word, a message is complete.

# %%
meaning = {word: message for message, word in words.items()}
received, read = [], ""
for bit in stream:
    read += bit
    if read in meaning:
        received.append(meaning[read])
        read = ""

# %%
# NBVAL_CHECK_OUTPUT
lengths = torch.tensor([len(word) for word in words.values()])
print("read back without a mistake:", received == sent)
print("every word has -log2 P bits:", torch.equal(-torch.log2(chance), lengths.float()))
print(f"mean length, if the chances are true: {(chance * lengths).sum():.2f} bits")
print(f"mean length, if all four are equally likely: {lengths.float().mean():.2f} bits")

# %% [markdown]
# This is the whole idea. A message $x$ that the code expects with probability $P(x)$ gets a word of
#
# $$ -\log_2 P(x) \ \text{bits}. $$
#
# If the messages really come with these probabilities, the mean length is their *entropy*, $H = -\sum_x P(x) \log_2 P(x)$, the third line printed. The
# stream above comes close: divide its bits by its days. No code whose stream can be read back is shorter on average ([Shannon, 1948](https://doi.org/10.1002/j.1538-7305.1948.tb01338.x))<!--cite:p shannon1948-->. The last line
# shows what a wrong expectation costs. If all four messages are equally likely, a message takes 2.25 bits on average, although numbering the four
# takes 2. Keep that in mind for the static.
#
# A probability need not be ½, ¼ or ⅛, and then $-\log_2 P(x)$ is no whole number. A code with words of that length *rounded up* always exists. For a
# whole image, which takes thousands of bits, rounding costs less than one bit, so from now on we count $-\log_2 P(x)$ itself.
#
# ## A model of images is a code for images
#
# So a model that gives every image a probability also says how long the message of every image is. Take images so small that we can look at them all.
# There are only sixteen black-and-white images of 2×2 pixels. Let us make up a model of them in which neighbours like to agree:
# $P(x) \propto e^{J\,a(x)}$. Here $a(x)$ counts, of the four pairs of neighbouring pixels, those of equal colour, and $J$ is the strength of the liking.

# %%
pixels = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4).reshape(16, 1, 2, 2)
beside = (pixels[..., 0] == pixels[..., 1]).sum((1, 2))
below = (pixels[:, :, 0] == pixels[:, :, 1]).sum((1, 2))
weight = torch.exp(coupling * (beside + below))
probability = weight / weight.sum()  # now they add up to 1
toy_bits = -torch.log2(probability)
entropy = (probability * toy_bits).sum()
print(f"mean: {entropy:.2f} bits an image")

# %% tags=["hide-input"]
order = toy_bits.argsort()
figure = sb.report.image_grid(
    pixels[order], titles=[f"{cost:.2f} bits" for cost in toy_bits[order]], columns=8
)
sb.report.show(
    figure,
    alt="The sixteen black-and-white images of 2 by 2 pixels, sorted by bits: the two flat ones come first, the two "
    "chequered ones last.",
    caption="All images of 2×2 pixels, sorted by their bits under the toy model.",
)

# %% [markdown]
# **What you should see.** The two flat images are the cheapest, the two chequered ones the dearest. On average an image costs
# 3.21<!--=bits-per-dimension.toy-entropy:.2f--> bits instead of 4, one for each pixel, provided that images really come as the model says. Divided by the
# number of values, here 4, the bits of an image are its **bits per dimension** (bits/dim), the unit of this book.
#
# ## From a probability to a density
#
# There are too many ordinary images to list: 3×32×32 values of 8 bits make $2^{24576}$ of them. Models of such images give a *density* $p$ instead of
# probabilities. To read a probability off a density, we need three letters.
#
# | letter | meaning | values |
# |---|---|---|
# | $v$ | a grey level, as the file stores it with $b$ bits | $0, 1, \dots, 2^b - 1$ |
# | $g$ | the same level as a number around zero, $g = v / 2^b - \tfrac12$ | from $-\tfrac12$ in steps of $2^{-b}$ |
# | $u$ | a random number, equally likely everywhere in its range | between $0$ and $2^{-b}$ |
#
# So level $v$ owns the *bin* from $g$ to $g + 2^{-b}$, and $g + u$ is a random place in that bin. The probability of the level is the area under the
# density over its bin, width times mean height: $P(v) = 2^{-b} \cdot \mathbb{E}_u\, p(g + u)$, where $\mathbb{E}_u$ is the mean over $u$. Take the logarithm:
#
# $$ -\log_2 P(v) = b - \log_2 \mathbb{E}_u\, p(g + u). $$
#
# Try it with eight levels, $b = 3$, and a density with two bumps.

# %%
b = 3
g = torch.arange(2**b) / 2**b - 0.5
u = (torch.arange(500) + 0.5) / 500 / 2**b  # 500 places in every bin
left, right = torch.distributions.Normal(-0.2, 0.08), torch.distributions.Normal(0.25, 0.05)
height = 0.6 * left.log_prob(g[:, None] + u).exp() + 0.4 * right.log_prob(g[:, None] + u).exp()

level_cost = b - torch.log2(height.mean(1))
level_probability = 2**-level_cost

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.8, 2.8))
middle = g + 0.5 / 2**b
axes.bar(middle, level_probability, width=0.115, color=sb.report.COLOURS["sky"], label="P(v)")
axes.plot(
    (g[:, None] + u).flatten(),
    height.flatten() / 2**b,
    color=sb.report.COLOURS["orange"],
    label="density / 8",
)
axes.axhline(1 / 2**b, color=sb.report.COLOURS["grey"], linestyle="--", linewidth=1)
axes.text(-0.56, 1 / 2**b + 0.01, "3 bits", color=sb.report.COLOURS["grey"])
box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
for place, share, cost in zip(middle, level_probability, level_cost, strict=True):
    axes.text(place, share + 0.015, f"{cost:.1f}", ha="center", fontsize=9, bbox=box)
axes.set(xlabel="grey level as a number around zero", ylabel="probability", ylim=(0, 0.45))
axes.set_xlim(-0.57, 0.52)
axes.set_xticks(g.tolist())
figure.legend(loc="outside upper center", ncols=2)
sb.report.show(
    figure,
    alt="A density with two bumps over eight bins, and a bar for each bin. Bars above the dashed line of one eighth cost fewer "
    "than 3 bits, bars below it more.",
    caption="Probabilities of eight grey levels and, above each, its bits. The density is divided by 8, as a bin is one eighth "
    "wide. Dashed: one eighth, 3 bits, where the density is 1.",
)

# %%
# NBVAL_CHECK_OUTPUT
print(f"the probabilities add up to {level_probability.sum():.2f}")
print("a flat density of height 1 gives b bits:", float(b - torch.log2(torch.tensor(1.0))))
print("some levels cost more than b bits:", bool((level_cost > b).any()))
noisy_cost = b - torch.log2(height).mean(1)
print("the mean over u of the cost is never too low:", bool((noisy_cost >= level_cost).all()))

# %% [markdown]
# **What you should see.** A level over whose bin the density has a mean above 1 costs fewer than 3 bits, one with a mean below 1 costs more. A density has
# area 1, so it cannot be high everywhere: whoever bets on some levels pays for the others.
#
# The last printed line prepares a shortcut. With a network we cannot afford 500 places in every bin. We draw one $u$ and take $b - \log_2 p(g + u)$. On
# average over $u$ this is a little *too many* bits, never too few (the mean of a logarithm is at most the logarithm of the mean, Jensen's inequality;
# [Theis et al. (2016)](https://arxiv.org/abs/1511.01844)<!--cite:t theis2016-->, equation 7). So we do not promise fewer bits than a code could reach. And since no probability is above 1, the bits of an image,
# averaged over $u$, are never below 0.
#
# An image has $d$ values, so its bin is a cube in $d$ dimensions, with edges of length $2^{-b}$ and volume $2^{-bd}$. Hence
# $P(x) \approx p(g + u)\, 2^{-bd}$, and per value
#
# $$ \mathrm{bits/dim}(x) = -\frac{\log_2 P(x)}{d} \approx b - \frac{\ln p(g + u)}{d \ln 2}. $$
#
# This is the loss $L_\text{sim} = -\log p_G(x)$ of [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits-->, their equation 1, in the unit in which they report it. $G$ is the
# model that gives the density.
#
# ## The bits of a photograph
#
# *Glow* is a neural network that takes an image and gives $\ln p$. Until the next lesson we need to know no more of the network. Glow learned its density
# by making training images likely. Seven in ten are CIFAR-10's training images, small photographs of animals and vehicles. Three in ten we mixed in: crops
# of other photographs in colour and in grey, and drawn images, which are flat colours, gradients, shapes and strokes. More than half of the drawn images
# are grey. A quarter of the colours in which they are drawn is exactly black, another quarter exactly white. Glow has never seen a handwritten digit.
#
# Our cat is a photograph that comes with scikit-image, shrunk to the size that Glow takes. Parts of that photograph, cut out otherwise, are among the
# training images.

# %%
model = sb.density.load(density)
size, b, d = model.image_size, model.bit_depth, model.dims

photo = torch.from_numpy(skimage.data.chelsea()).permute(2, 0, 1)[None] / 255
cat = torch.nn.functional.avg_pool2d(photo[:, :, 44:300, 120:376], 256 // size)
cat = sb.density.quantise(cat, b)  # round to the grey levels v / (2^b - 1)
print(f"{d} values of {b} bits: {d * b} bits without a code")

# %% [markdown]
# Compute the bits by hand and with the library, on the same noise. In a tensor a level is stored as $x = v / (2^b - 1)$, between 0 and 1, hence the third
# line of the code below.

# %%
draw = torch.Generator().manual_seed(seed)
u = torch.rand(cat.shape, generator=draw) / 2**b
g = cat * (2**b - 1) / 2**b - 0.5
by_hand = b - model.log_density(g + u) / (d * math.log(2))
by_library = model.bits_per_dim(cat, torch.Generator().manual_seed(seed))
print(f"the cat, by hand: {float(by_hand):.2f} bits/dim")

# %%
# NBVAL_CHECK_OUTPUT
print("by hand and by the library agree:", torch.allclose(by_hand, by_library, atol=1e-5))
print("the cat costs less than without a code:", bool(by_hand < b))

# %% [markdown]
# ## A ruler of bits
#
# Measure the three pictures of the beginning, and a few flat ones beside them. `sb.density.bits_of` rounds images to the model's grey levels and measures
# them. Of a single image we take the mean over several draws of $u$.

# %%
static = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


def flat(red, green, blue):
    """An image of one colour."""
    return torch.tensor([red, green, blue])[:, None, None].expand(1, 3, size, size)


single = {
    "black": flat(0.0, 0.0, 0.0),
    "white": flat(1.0, 1.0, 1.0),
    "grey": flat(0.5, 0.5, 0.5),
    "red": flat(1.0, 0.0, 0.0),
    "cat": cat,
    "static": static,
}
bits = {}
for name, image in single.items():
    bits[name] = float(sb.density.bits_of(model, image.repeat(noise_draws, 1, 1, 1)).mean())
    print(f"{name}: {bits[name]:.2f} bits/dim")

# %% [markdown]
# Measure whole sets as well, each image with one draw of $u$. `digits` are handwritten digits, enlarged from 8×8 pixels. `photos` are crops of 14
# photographs, in grey or in colour. Both are test images, which Glow has not learned from. Glow has learned from other parts of the 14 photographs.

# %%
images, set_bits = {}, {}
for name in image_sets:
    test = sb.data.load(name, "test")
    images[name] = test.draw(min(images_per_set, len(test)), seed).to_float(size, channels=3)
    set_bits[name] = sb.density.bits_of(model, images[name])
    print(f"{name}: {set_bits[name].mean():.2f} bits/dim on average")

# %% [markdown]
# Lay four of the pictures and a few images of the sets on a ruler: each stands on a stalk above its bits. The ticks below the ruler are all measured images
# of the sets and, in grey, the nine images whose bits the paper gives in its figure 2.

# %% tags=["hide-input"]
hung = [(bits[name], single[name][0], name) for name in ("black", "red", "cat", "static")]
for wanted in (1.3, 1.8, 2.3, 2.8, 3.3, 3.8, 5.0, 5.8):
    name = "digits" if wanted < 2 else "photos"
    nearest = (set_bits[name] - wanted).abs().argmin()
    hung.append((float(set_bits[name][nearest]), images[name][nearest], name.removesuffix("s")))
hung.sort(key=lambda entry: entry[0])

figure, axes = plt.subplots(figsize=(8, 4.6))
axes.axhline(0, color=sb.report.COLOURS["black"], linewidth=1.5)
for place, (value, image, label) in enumerate(hung):
    foot = (0.35, 1.45, 2.55)[place % 3]
    axes.plot([value, value], [0, foot], color=sb.report.COLOURS["blue"], linewidth=1)
    thumbnail = axes.inset_axes((value - 0.31, foot, 0.62, 0.62), transform=axes.transData)
    thumbnail.imshow(image.permute(1, 2, 0), interpolation="nearest")
    thumbnail.set(xticks=[], yticks=[], anchor="S")
    thumbnail.spines[:].set(visible=True, color="#c4c4c4")
    axes.text(value, foot + 0.66, f"{label}\n{value:.2f}", ha="center", va="bottom", fontsize=8)
paper = [sb.report.published("simplebits.bits.glow.black").value]
paper += [sb.report.published(f"simplebits.bits.glow.image{i}").value for i in range(2, 10)]
ticks = {**set_bits, "the paper's nine": torch.tensor(paper)}
colours = ["green", "orange", "pink", "sky", "amber", "black"]
for row, (name, values) in enumerate(ticks.items()):
    low = -0.35 - 0.3 * row
    colour = "grey" if row == len(set_bits) else colours[row % len(colours)]
    colour = sb.report.COLOURS[colour]
    thin = 1.8 if row == len(set_bits) else 0.4
    axes.vlines(values, low, low + 0.22, color=colour, linewidth=thin)
    axes.text(10.1, low + 0.11, name, va="center", fontsize=8, color=colour)
axes.axvline(b, color=sb.report.COLOURS["grey"], linestyle="--", linewidth=1)
axes.text(b - 0.08, 3.7, "uncompressed", ha="right", va="top", rotation=90, fontsize=8)
axes.set(xlim=(-0.05, 10.05), ylim=(-0.4 - 0.3 * len(ticks), 3.75), xlabel="bits per dimension")
axes.set(yticks=[], xticks=range(11))
axes.spines["left"].set_visible(False)
axes.grid(visible=False)
sb.report.show(
    figure,
    alt="An axis of 0 to 10 bits per dimension with pictures on stalks: flat squares at the left, then digits, then "
    "photographs, the cat among them, and coloured static far right, beyond the dashed line of an uncompressed image.",
    caption="Pictures at their bits per dimension. Below the ruler: every image measured, and the nine images of the paper's figure 2 under the paper's Glow. "
    "Dashed: an uncompressed image.",
)

# %%
# NBVAL_CHECK_OUTPUT
print("black is shorter than the cat:", bits["black"] < bits["cat"])
print("the cat is shorter than static:", bits["cat"] < bits["static"])
print("static is longer than without a code:", bits["static"] > b)

# %% [markdown]
# **What you should see.**
#
# - The black square takes 0.36<!--=bits-per-dimension.black:.2f--> bits a value, the cat 4.39<!--=bits-per-dimension.cat:.2f--> and the static
#   9.27<!--=bits-per-dimension.noise:.2f-->. How near were your guesses?
# - Static costs *more* than the 8 bits that it takes without a code. Static is the weather that the code does not expect: Glow bets on images in which
#   neighbours are alike, and loses the bet. All bits are bits **under a model**.
# - Black is not special. White takes 0.36<!--=bits-per-dimension.white:.2f--> bits, a middle grey 0.34<!--=bits-per-dimension.grey:.2f-->, and a flat red
#   0.76<!--=bits-per-dimension.red:.2f-->, twice as many, though it is as flat. What is cheap depends on the training images, and ours hold many shades
#   of grey, black and white among them.
# - The sets overlap. A digit takes 1.72<!--=bits-per-dimension.digits:.2f--> bits on average and a photograph
#   2.91<!--=bits-per-dimension.photos:.2f-->, yet single photographs take from 0.68<!--=bits-per-dimension.simplest-image:.2f--> to
#   5.85<!--=bits-per-dimension.most-complex-image:.2f-->. A busy photograph in grey can be cheaper than a smoother one in colour: its red, green and blue
#   are equal. Without their soft grey edges, as `(images["digits"] > 0.5).float()`, the same digits take
#   1.29<!--=bits-per-dimension.sharp-digits:.2f-->.
# - The leftmost grey tick is the paper's black image, cheaper than ours. The paper measured with its own Glow. Neither that network nor the images it
#   learned from are public, so we cannot tell which of the two makes the difference. Our Glow was stopped while it still got better; with more training,
#   black could come nearer to 0, but not below.
#
# ## Change a picture, watch the bits
#
# Take the cat and blur it, add noise, or take grey levels away. What will each of the three do to the bits? Guess before you move.

# %%
grain = torch.randn(cat.shape, generator=torch.Generator().manual_seed(seed))
changes = {
    "blur": [(f"blur of {s} pixels", sb.simplify.blur(cat, s)) for s in blurs],
    "noise": [(f"noise of {a}", (cat + a * grain).clamp(0, 1)) for a in grains],
    "grey levels": [(f"{2**k} levels", sb.density.quantise(cat, k)) for k in level_bits],
}

# %%
changed_bits = {}
for change, versions in changes.items():
    names, frames = zip(("unchanged", cat), *versions, strict=True)
    cats = torch.cat(frames)
    changed_bits[change] = sb.density.bits_of(model, cats).tolist()
    labels = [
        f"{name}: {v:.2f} bits/dim" for name, v in zip(names, changed_bits[change], strict=True)
    ]
    sb.report.slider(list(cats), labels, [f"The cat, {text}." for text in labels], change)

# %% [markdown]
# **What you should see.** Blur takes bits away: neighbours become alike, as the model expects. Noise adds bits at once. Noise with a standard deviation of
# 0.01, which you can hardly see, adds 0.75<!--=bits-per-dimension.noise-price:.2f--> bits to every value. Taking grey levels away makes the picture poorer
# for the eye, and yet the picture costs *more*: +3.22<!--=bits-per-dimension.price-of-two-levels:+.2f--> bits a value when two levels are left. The model
# still allows for all its levels, and it has learned that neighbours differ a little, not that many small patches end in sudden steps. The digits became
# cheaper in black and white, but they have few edges. What is simple for a code need not be what looks simple.
#
# ## Bits belong to a bit depth
#
# A model that only knows 32 grey levels, $b = 5$, counts otherwise. Uncompressed, an image takes 5 bits a value there.

# %%
coarse = sb.density.load(coarse_density)
test = sb.data.load("photos", "test")
same = test.draw(min(images_per_set, len(test)), seed).to_float(coarse.image_size, channels=3)
print(f"{2**b} levels: {set_bits['photos'].mean():.2f} bits/dim")
print(f"{2**coarse.bit_depth} levels: {sb.density.mean_bits(coarse, same):.2f} bits/dim")

# %% [markdown]
# The same photographs take 1.39<!--=bits-per-dimension.photos-coarse:.2f--> instead of 2.91<!--=bits-per-dimension.photos:.2f--> bits. So about half of
# what they cost is spent on steps finer than one in 32, as far as two different models can be compared. Compare bits only under one model,
# with one size and one bit depth. Later lessons often measure with 32 levels, where the finest steps cost nothing.
#
# ## What the papers report, and what the studies found
#
# [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits--> say that images with fewer bits are simpler (figure 2), and check in their figure S1 that two quite different models,
# a PixelCNN and a diffusion model, put the same nine images in the same order. "All black" is an image in which every value is 0. A row with the verdict
# *not run* is not measured again yet.

# %% tags=["hide-input"]
sb.report.studied(
    "simplebits.bits.order",
    "simplebits.bits.glow.black",
    "simplebits.bits.agreement",
)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Set the toy's `coupling` $J$ to 0. Without running it: how many bits does each of the sixteen images take, and how many do they take on
# average? What happens for a negative $J$?
#
# <details><summary>Solution</summary>
#
# With $J = 0$ all sixteen images have probability 1/16. Each takes 4 bits, one for each pixel, and so do they on average: there is nothing to compress.
# With $J < 0$ neighbours like to differ, and the chequered images become the cheapest. Which image is simple, the *model* decides, not the image alone.
#
# </details>
#
# **Exercise 2.** A chequerboard of single black and white pixels is described in one sentence. Is it the longer message, or the static? Measure both, and
# an image that is black on the left and white on the right.
#
# <details><summary>Solution</summary>
#
# ```python
# rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
# for pattern in ((rows + columns) % 2, columns >= size // 2):
#     print(sb.density.bits_of(model, pattern.float().expand(1, 3, size, size)))
# print(bits["static"])
# ```
#
# The chequerboard takes 19.77<!--=bits-per-dimension.chequerboard:.2f--> bits a value, more than twice as many as static, and the image of two
# halves 0.49<!--=bits-per-dimension.halves:.2f-->. The halves have one edge, the rest is flat. On the chequerboard every single neighbour is as different
# as can be, and the model has no word for "and so on". English is a code too, but one that expects patterns.
#
# </details>
#
# **Exercise 3.** Measure the cat a hundred times, each time with other noise $u$. How much do the bits scatter? Why so little, and why is one draw enough
# for the mean of a set?
#
# <details><summary>Solution</summary>
#
# ```python
# print(sb.density.bits_of(model, cat.repeat(100, 1, 1, 1)).std())
# ```
#
# Less than a hundredth of a bit. Bits per dimension are a mean over $d$ values, each with noise of its own; the standard deviation of a mean over $d$
# independent things is that of a single one divided by $\sqrt{d}$, and $\sqrt{3072}$ is 55. The mean of several hundred images scatters less still.
#
# </details>
#
# **Exercise 4.** A PNG file is a code too; it predicts each value from its neighbours and stores what is left. `sb.density.png_bits_per_dim(images)` gives
# its size. Do PNG and Glow put images in the same order? Ask among the digits, among the photographs, and among both together, with the rank correlation,
# `scipy.stats.spearmanr`: 1 for the same order, 0 for no relation.
#
# <details><summary>Solution</summary>
#
# ```python
# from scipy.stats import spearmanr
#
# both = ("digits", "photos")
# png = {name: sb.density.png_bits_per_dim(images[name]) for name in both}
# for name in both:
#     print(name, spearmanr(set_bits[name], png[name]).statistic)
# together = [torch.cat([each[name] for name in both]) for each in (set_bits, png)]
# print("together", spearmanr(*together).statistic)
# ```
#
# It is 0.85<!--=bits-per-dimension.png-digits:.2f--> among the digits and 0.71<!--=bits-per-dimension.png-photos:.2f--> among the photographs,
# but 0.90<!--=bits-per-dimension.png-rank-correlation:.2f--> together. The last number also counts that a photograph is mostly longer than a
# digit, under either code. It says more about the difference between the two sets than about the order within one of them. Nor are the two
# codes independent witnesses, since both predict from neighbours.
#
# </details>
#
# ## References
#
# - [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits-->: equation 1, figures 2 and S1.
# - [Shannon (1948)](https://doi.org/10.1002/j.1538-7305.1948.tb01338.x)<!--cite:t shannon1948-->: code lengths and entropy.
# - [Theis et al. (2016)](https://arxiv.org/abs/1511.01844)<!--cite:t theis2016-->: equation 7, the bound from uniform noise.
# - [Kingma and Dhariwal (2018)](https://arxiv.org/abs/1807.03039)<!--cite:t kingma2018glow-->: the model.

# %% tags=["hide-cell"]
from scipy.stats import spearmanr

setting = {"density": density, "images_per_set": images_per_set, "noise_draws": noise_draws}
rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
patterns = [
    pattern.float().expand(1, 3, size, size)
    for pattern in ((rows + columns) % 2, columns >= size // 2)
]
both = ("digits", "photos")
png = {name: sb.density.png_bits_per_dim(images[name]) for name in both}
numbers = {name: bits[name] for name in ("black", "white", "grey", "red", "cat")}
numbers |= {name: values.mean() for name, values in set_bits.items()}
numbers |= {
    "noise": bits["static"],
    "simplest-image": set_bits["photos"].min(),
    "most-complex-image": set_bits["photos"].max(),
    "sharp-digits": sb.density.mean_bits(model, (images["digits"] > 0.5).float()),
    "noise-price": changed_bits["noise"][1] - changed_bits["noise"][0],
    "price-of-two-levels": changed_bits["grey levels"][-1] - changed_bits["grey levels"][0],
    "photos-coarse": sb.density.mean_bits(coarse, same),
    "chequerboard": sb.density.mean_bits(model, patterns[0]),
    "halves": sb.density.mean_bits(model, patterns[1]),
}
for name, value in numbers.items():
    sb.report.record("bits-per-dimension", name, float(value), "bits/dim", setting=setting)
sb.report.record("bits-per-dimension", "toy-entropy", float(entropy), "bits")
orders = {f"png-{name}": spearmanr(set_bits[name], png[name]) for name in both}
together = [torch.cat([each[name] for name in both]) for each in (set_bits, png)]
orders["png-rank-correlation"] = spearmanr(*together)
for name, value in orders.items():
    sb.report.record(
        "bits-per-dimension", name, float(value.statistic), "Spearman", setting=setting
    )

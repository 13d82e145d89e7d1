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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/03_other_density_models.ipynb)
#
# # Other density models
#
# **Bits are bits under a model. A digit takes 1.38<!--=other-models.digits-glow:.2f--> bits a value under a Glow, 0.86<!--=other-models.digits-pixelcnn:.2f--> under a PixelCNN and
# 1.33<!--=other-models.digits-diffusion:.2f--> under a diffusion model. Yet the three put the images of one set in nearly the same order, with rank correlations of
# 0.89<!--=other-models.lowest:.2f--> and more.**
#
# A hiker, a cyclist and a pilot tell you how far it is to ten towns. One counts hours, one hills, one fuel. Would they list the ten
# towns in the same order, from near to far? A Glow, a PixelCNN and a diffusion model are three such travellers among images.
#
# You will
#
# - read an image like a text, pixel by pixel, and see where its bits are spent;
# - bury an image under noise, and count the bits by how badly a network finds the noise;
# - ask whether three rulers put images in the same order, and whether an image simplified under one is simple under the others.
#
# **To know before:** [bits per dimension](01_bits_per_dimension.ipynb). [Glow, step by step](02_glow_step_by_step.ipynb) explains the first of the three
# models; here it is only used.

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
import torch

import simplebits as sb

sb.report.style()
sb.report.measured_cost("03_other_density_models")

# %% tags=["parameters"]
simple_set = "digits"  # a name for sb.data.load
busy_set = "photos"  # another one, of more complex images
images_per_set = 100  # test images measured of each set
draws = 4  # measurements of a noisy measure that one number is the mean of
levels_of_noise = 24  # at which the diffusion model is watched
simplified_images = 8  # images of each set that are simplified under each model
steps = 60  # of each simplification
bit_weight = 4.0  # lambda, the price of a bit per dimension while simplifying
seed = 0  # of every random draw

# %% [markdown]
# ## Read an image like a text
#
# Three shipped models measure the same images: colour, 16×16 pixels, 32 grey levels a value, $b = 5$. All three learned from the same images, photographs
# and simple drawings; none of them has seen a digit of the set that we measure.

# %%
glow, pixelcnn, diffusion = (
    sb.density.load(name) for name in ("glow-16px", "pixelcnn-16px", "diffusion-16px")
)
size, levels = pixelcnn.image_size, 2**pixelcnn.bit_depth
generator = torch.Generator().manual_seed(seed)


def prepared(name):
    """Test images of a set, at the models' size and on their grey levels."""
    images = sb.data.load(name, "test")
    few = images.draw(min(images_per_set, len(images)), seed)
    return sb.density.quantise(few.to_float(size, channels=3), pixelcnn.bit_depth)


sets = {"black": torch.zeros(1, 3, size, size)}
sets |= {name: prepared(name) for name in (simple_set, busy_set)}
sets["static"] = torch.randint(levels, (20, 3, size, size), generator=generator) / (levels - 1)

# %% [markdown]
# A *PixelCNN* reads an image as you read this line: row by row, from left to right. Before it sees a pixel, it says how likely each colour is there, given
# all pixels before. By the chain rule of probability the guesses multiply, so their bits add up:
#
# $$ P(x) = \prod_i P(x_i \mid x_1, \dots, x_{i-1}), \qquad -\log_2 P(x) = \sum_i -\log_2 P(x_i \mid x_1, \dots, x_{i-1}). $$
#
# Nothing is approximated: $P$ is a probability, not a density, as in the first half of lesson 01. All pixels are guessed in one pass
# of a convolutional network. That is allowed only if no guess sees its own pixel or a later one. Test by a derivative
# on which pixels one guess depends.

# %%
image = sets[busy_set][:1].clone().requires_grad_()
row, column = size // 2, size // 2
guess = pixelcnn.mixture_of(2 * image - 1)  # takes values from -1 to 1
(slope,) = torch.autograd.grad(guess.logits[0, :, row, column].square().sum(), image)
seen = slope[0].abs().sum(0)  # of each pixel

# %%
# NBVAL_CHECK_OUTPUT
order = torch.arange(size * size).reshape(size, size)
print("sees pixels before:", bool((seen[order < order[row, column]] > 0).any()))
print("sees itself or later ones:", bool((seen[order >= order[row, column]] > 0).any()))

# %% [markdown]
# Its convolutions are cut off so that they reach up and to the left only ([van den Oord et al., 2016](https://arxiv.org/abs/1601.06759))<!--cite:p oord2016pixelrnn-->.
#
# What does a guess look like? For each pixel the network gives five bell-shaped curves $k$, *logistic distributions*, for each of red, green and blue, with means
# $\mu_{kc}$, widths $s_{kc}$ and weights $\pi_k$. It names red first; the means of green and blue may depend on what was named. A grey level $v$ owns the stretch from half a level below it to half a level above it, and its probability
# is the area under the curve over that stretch ([Salimans et al., 2017](https://arxiv.org/abs/1701.05517))<!--cite:p salimans2017pixelcnn-->. With the sigmoid $\sigma$, which is the area under the logistic curve up to a place,
#
# $$ P(v) = \sum_k \pi_k \prod_{\text{colours } c} \Big[ \sigma\Big(\frac{v_c + \tfrac12 \delta - \mu_{kc}}{s_{kc}}\Big)
# - \sigma\Big(\frac{v_c - \tfrac12 \delta - \mu_{kc}}{s_{kc}}\Big) \Big], $$
#
# where $v_c$ is the level of colour $c$ and $\delta$ the distance of two levels. The lowest level also owns all that is below it, and the highest all that is above.

# %%
half = 1 / (levels - 1)  # half the distance of two levels, where black is -1 and white 1


def bits_by_pixel(x):
    """Bits of each pixel, its three values together: [n, h, w]."""
    y = 2 * x - 1  # from -1 to 1
    guess = pixelcnn.mixture_of(y)
    means, widths = guess.means_given(y), guess.log_scales.exp()

    def area(edge):
        return torch.sigmoid((edge[:, None] - means) / widths)

    upper = area(torch.where(y > 1 - half, torch.inf, y + half))
    lower = area(torch.where(y < half - 1, -torch.inf, y - half))
    chance = (guess.logits.softmax(1) * (upper - lower).prod(2)).sum(1)
    return -torch.log2(chance)


# %%
# NBVAL_CHECK_OUTPUT
x = torch.cat((sets["black"], sets[simple_set][:8], sets[busy_set][:8]))
by_hand = bits_by_pixel(x)
library = pixelcnn.bits_per_dim(x)
print("by hand and library agree:", torch.allclose(by_hand.mean((1, 2)) / 3, library, atol=1e-3))

# %% [markdown]
# Now look at what no Glow can show: the bits of each single pixel.

# %% tags=["hide-input"]
shown = torch.cat((sets[simple_set][:3], sets[busy_set][:3], sets["static"][:1]))
spent = bits_by_pixel(shown).detach()
figure, rows = plt.subplots(2, len(shown), figsize=(8, 2.7))
for (above, below), picture, spending in zip(rows.T, shown, spent, strict=True):
    above.imshow(picture.permute(1, 2, 0), interpolation="nearest")
    heat = below.imshow(spending, cmap="cividis", vmin=0, vmax=12, interpolation="nearest")
    below.set_xlabel(f"{float(spending.mean()) / 3:.2f}")
for axes in rows.flat:
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
rows[1, 0].set_ylabel("bits")
figure.colorbar(heat, ax=rows[1], label="bits a pixel", fraction=0.02)
sb.report.show(
    figure,
    alt="Digits, photographs and static, below each a map of the bits of its pixels: in digits only the outlines of strokes are bright, in "
    "photographs edges and texture, in static everything.",
    caption="Above: images. Below: the bits that each pixel takes under the PixelCNN, 15 without a code. The number is the mean for each value.",
)

# %% [markdown]
#

# %% [markdown]
# Is it the edges that cost? Call a pixel of a digit *flat* if it is nearly as bright as the pixels to the left and above, and a *step* if it clearly is not.

# %%
grey = sets[simple_set].mean(1)
here, left, above = grey[:, 1:, 1:], grey[:, 1:, :-1], grey[:, :-1, 1:]
change = torch.maximum((here - left).abs(), (here - above).abs())
spent = bits_by_pixel(sets[simple_set]).detach()[:, 1:, 1:]
flat_bits, step_bits = float(spent[change < 0.03].mean()), float(spent[change > 0.15].mean())
print(f"flat {flat_bits:.2f} bits a pixel, step {step_bits:.2f}")

# %% [markdown]
# **What you should see.** A pixel that goes on with what its neighbours began takes 0.10<!--=other-models.flat:.2f--> bits, a step 3.60<!--=other-models.step:.2f-->. All 256 pixels of a digit would take 3,840 bits without a code. Static
# costs as much everywhere: no pixel announces the next. And the top row is dear, since nothing comes before it.
#
# ## Find the noise
#
# The diffusion model knows no order of pixels. Take an image $f$, that is $x$ scaled to values from −1 to 1, and mix it with noise $\epsilon$ from a standard
# normal distribution:
#
# $$ z_t = \alpha_t f + \sigma_t \epsilon, \qquad \alpha_t^2 + \sigma_t^2 = 1. $$
#
# At $t = 0$ there is next to no noise, at $t = 1$ next to no image. One number says how noisy $z_t$ is, the logarithm of the ratio of noise to signal,
# $\gamma_t = \log(\sigma_t^2 / \alpha_t^2)$. It rises with $t$ along a straight line, from $\gamma_0$ to $\gamma_1$. A network looks at $z_t$ and says which noise it
# sees: $\hat\epsilon(z_t, t)$. Whoever knows the noise knows the image too: $(z_t - \sigma_t \hat\epsilon) / \alpha_t$ is the network's guess of $f$.

# %%
times = (torch.arange(levels_of_noise) + 0.5) / levels_of_noise  # t, evenly from 0 to 1


def noisy(f, t):
    """z_t for one level of noise, and the noise in it."""
    gamma = diffusion.gamma(t.repeat(len(f)))
    noise = torch.randn(f.shape, generator=generator)
    z = torch.sigmoid(-gamma).sqrt() * f + torch.sigmoid(gamma).sqrt() * noise
    return z, noise


def miss(f, t):
    """Squared error of the noise that the network finds, summed over each image."""
    z, noise = noisy(f, t)
    return (noise - diffusion.find_noise(z, t.repeat(len(f)))).square().sum((1, 2, 3))


# %% tags=["hide-input"]
one = 2 * sets[busy_set][:1] - 1
strip = []
for t in times[:: max(1, levels_of_noise // 6)]:
    gamma = diffusion.gamma(t[None])
    z, _ = noisy(one, t)
    denoised = z - torch.sigmoid(gamma).sqrt() * diffusion.find_noise(z, t[None])
    strip.append((float(t), z, denoised / torch.sigmoid(-gamma).sqrt()))
mixes, guesses = (torch.cat([entry[k] for entry in strip]) for k in (1, 2))
sb.report.show(
    sb.report.image_grid(
        ((torch.cat((mixes, guesses)) + 1) / 2).clamp(0, 1).detach(),
        [f"t = {entry[0]:.2f}" for entry in strip] + [""] * len(strip),
        columns=len(strip),
        row_titles=["mixed", "guess"],
        zoom=1.1,
    ),
    alt="A photograph under more and more noise; below it what the network believes is behind the noise: first the photograph itself, then a "
    "smoother and smoother one, in the end a blur.",
    caption="Above: a photograph under noise. Below: the image that the network believes is behind it.",
)

# %% [markdown]
# Why does that measure bits? Send the image to a friend who has the same network. First he gets $z_1$, almost pure noise, which says nothing. Then he gets it
# clearer and clearer. He too can guess how it goes on: the better his guess of the noise, the shorter what you have to send. If you
# add up what is sent over infinitely small steps, you get ([Kingma et al. (2021)](https://arxiv.org/abs/2107.00630)<!--cite:t kingma2021vdm-->, equations 11 and 15)
#
# $$ -\ln P(x) \;\le\; \underbrace{D_\text{KL}\big(q(z_1 | x) \,\|\, \mathcal{N}(0, I)\big)}_{\text{prior}} \;-\;
# \underbrace{\mathbb{E} \ln P(x \mid z_0)}_{\text{reconstruction}} \;+\; \underbrace{\frac{\gamma_1 - \gamma_0}{2}\, \mathbb{E}_{t, \epsilon}
# \big\| \epsilon - \hat\epsilon(z_t, t) \big\|^2}_{\text{diffusion}}. $$
#
# It is a bound, in nats: the image needs at most that much. $q(z_1 | x)$ is the distribution of $z_1$ for this image. The first term is what is left of the image
# at $t = 1$, the second what it takes to name the grey levels at $t = 0$. Most is in the third term, the *miss*: the squared error of the guessed noise.

# %%
f = 2 * torch.cat((sets[simple_set][:4], sets[busy_set][:4])) - 1
ends = diffusion.gamma(torch.tensor([0.0, 1.0])).flatten()
with torch.no_grad():
    misses = sum(miss(f, t) for _ in range(draws) for t in times) / (draws * levels_of_noise)
    terms = [diffusion.terms((f + 1) / 2, generator) for _ in range(draws)]
by_hand = (ends[1] - ends[0]) / 2 * misses
library = sum(term.diffusion for term in terms) / draws
others = sum(term.prior + term.reconstruction for term in terms) / draws
share = float((others / (others + library)).mean())

# %%
# NBVAL_CHECK_OUTPUT
print("by hand and library agree:", bool(((by_hand / library - 1).abs() < 0.1).all()))
print("the other two terms are small:", share < 0.3)

# %% [markdown]
# At which level of noise are the bits spent? Draw the miss over $t$, in bits; the area below a curve is the diffusion term.

# %%
nats = math.log(2)  # in a bit
with torch.no_grad():
    curves = {
        name: torch.stack([miss(2 * x[:20] - 1, t).mean() for t in times])
        * ((ends[1] - ends[0]) / 2 / (x[0].numel() * nats))
        for name, x in sets.items()
    }

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7, 3))
colours = ["black", "blue", "orange", "green"]
for (name, curve), colour in zip(curves.items(), colours, strict=True):
    axes.plot(times, curve.detach(), color=sb.report.COLOURS[colour], label=name)
axes.set(
    xlabel="t, from no noise (0) to nothing else (1)",
    ylabel="bits/dim for each unit of t",
    xlim=(0, 1),
    ylim=(0, None),
)
axes.legend()
sb.report.show(
    figure,
    alt="Four curves over the level of noise: static is high at the left and falls, photographs lower, digits lower still, black near zero.",
    caption="What finding the noise costs, by the level of noise. The area under a curve is the diffusion term in bits per dimension.",
)

# %% [markdown]
# **What you should see.** Black costs next to nothing at any level. Photographs are dearest where there is little noise: fine texture is what the network cannot guess. Of a digit and of a
# photograph alike, the coarse shape, which is all that is left to guess at $t > 0.5$, takes little. In the default run the digits' curve lies even above the photographs' there: a
# network that learned from photographs expects no white stroke on black. Static is as dear as it can be at all levels at which anything can be seen.
#
# ## Three rulers
#
# Measure all four kinds of images with all three models. Glow and the diffusion model draw noise to measure, so take the mean over several draws. PNG, a code without any network,
# joins as a fourth.

# %%
models = {"Glow": glow, "PixelCNN": pixelcnn, "diffusion": diffusion}
repeats = {
    "Glow": draws,
    "PixelCNN": 1,
    "diffusion": 2,
}  # of a measurement; the third averages over 16 levels itself


def measured(x):
    """Bits per dimension of each image, by each ruler."""
    by_model = {}
    for name, model in models.items():
        by_model[name] = (
            sum(sb.density.bits_of(model, x, k) for k in range(repeats[name])) / repeats[name]
        )
    return by_model | {"PNG": sb.density.png_bits_per_dim(x)}


bits = {name: measured(x) for name, x in sets.items()}
print(" " * 8, *(f"{ruler:>9}" for ruler in bits["black"]))
for name, by_model in bits.items():
    print(f"{name:8}", *(f"{values.mean():9.2f}" for values in by_model.values()))

# %%
# NBVAL_CHECK_OUTPUT
rising = ["black", simple_set, busy_set, "static"]
for ruler in models:
    means = [float(bits[name][ruler].mean()) for name in rising]
    print(f"{ruler} puts {', '.join(rising)} in this order:", means == sorted(means))

# %% [markdown]
# **What you should see.** The three models differ: black takes 0.44<!--=other-models.black-glow:.2f-->, 0.01<!--=other-models.black-pixelcnn:.2f--> and 0.28<!--=other-models.black-diffusion:.2f--> bits a value, a photograph
# 1.61<!--=other-models.photos-glow:.2f-->, 1.25<!--=other-models.photos-pixelcnn:.2f--> and 1.57<!--=other-models.photos-diffusion:.2f-->, and static 6.91<!--=other-models.static-glow:.2f-->, 6.47<!--=other-models.static-pixelcnn:.2f--> and 11.10<!--=other-models.static-diffusion:.2f-->, more than the 5 bits that it takes without a
# code. All three put the four kinds of images in one order. The PixelCNN needs least. One possible reason: it need
# not be a map that can be inverted, as Glow must, and its bits are no mere bound, as the diffusion model's are.
#
# ## The same order?
#
# Do rulers with different numbers put images in the same order? The paper named below asks this of its measure. Rank the images of a set under either
# ruler and correlate the ranks: *Spearman's rank correlation*, 1 for the same order, 0 for no relation, −1 for the reverse. Ask within one set: across two sets
# the correlation would be high merely because a photograph takes more bits than a digit. A hundred images or so are a sample, so give the correlation $r$ an interval: $\operatorname{artanh} r$
# scatters around the true value almost normally, with a variance of about $1.06 / (n - 3)$ for $n$ images.

# %%
rulers = [*models, "PNG"]


def rank_correlation(a, b):
    """Spearman's correlation and its 95 % interval."""
    ranks = torch.stack((a.argsort().argsort(), b.argsort().argsort())).double()
    r = torch.corrcoef(ranks)[0, 1].clamp(-0.9999, 0.9999)
    half = 1.96 * math.sqrt(1.06 / (len(a) - 3))
    return [float(torch.tanh(torch.atanh(r) + away)) for away in (0, -half, half)]


pairs = [(a, b) for i, a in enumerate(rulers) for b in rulers[i + 1 :]]
agreement = {
    name: {pair: rank_correlation(*(bits[name][ruler] for ruler in pair)) for pair in pairs}
    for name in (simple_set, busy_set)
}

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(7, 3.2))
for name, colour, shift in ((simple_set, "blue", 0.13), (busy_set, "orange", -0.13)):
    r, low, high = torch.tensor(list(agreement[name].values())).T
    places = torch.arange(len(pairs), 0, -1) + shift
    axes.hlines(places, low, high, color=sb.report.COLOURS[colour])
    axes.plot(r, places, "o", color=sb.report.COLOURS[colour], label=name)
axes.set(xlabel="rank correlation within the set", xlim=(min(0, axes.get_xlim()[0]), 1.01))
axes.set(yticks=range(len(pairs), 0, -1), yticklabels=[" and ".join(pair) for pair in pairs])
axes.legend(loc="lower left")
sb.report.show(
    figure,
    alt="Rank correlations with intervals for each pair of rulers, in two colours for the two sets: "
    + "; ".join(
        f"{a} and {b} among {name} {agreement[name][a, b][0]:.2f}"
        for name in agreement
        for a, b in pairs
    ),
    caption="Do two rulers put the images of one set in the same order? Bars: 95 % intervals.",
)

# %% [markdown]
# **What you should see.** Among digits, Glow and PixelCNN agree to 0.95<!--=other-models.digits-glow-pixelcnn:.2f-->, Glow and the diffusion model to 0.89<!--=other-models.digits-glow-diffusion:.2f-->; among photographs, to
# 0.95<!--=other-models.photos-glow-pixelcnn:.2f--> and 0.98<!--=other-models.photos-glow-diffusion:.2f-->. PNG agrees less with any of the three, 0.64<!--=other-models.photos-pixelcnn-png:.2f--> with the PixelCNN among photographs. The three models learned from the same
# images. Part of what they share is what these images taught them; PNG has seen none.
#
# Move the slider from the simplest to the most complex photograph. At each place stand the image that Glow ranks there, the PixelCNN's and
# the diffusion model's.

# %% tags=["hide-input"]
sorted_by = {ruler: sets[busy_set][bits[busy_set][ruler].argsort()] for ruler in models}
last = len(sets[busy_set]) - 1
places = [round(k * last / 10) for k in range(11)]
texts = [
    ", ".join(f"{ruler} {float(bits[busy_set][ruler].sort().values[k]):.2f}" for ruler in models)
    for k in places
]
sb.report.slider(
    [
        sb.report.image_grid(
            torch.stack([sorted_by[r][k] for r in models]), list(models), columns=3, zoom=1.6
        )
        for k in places
    ],
    [
        f"place {k + 1} of {last + 1}: {text} bits/dim"
        for k, text in zip(places, texts, strict=True)
    ],
    [
        f"The image at place {k + 1} by each model: {text} bits per dimension."
        for k, text in zip(places, texts, strict=True)
    ],
    "from simple to complex",
)

# %% [markdown]
# ## Where they disagree
#
# Subtract the ranks. Which photographs does Glow find simpler than the PixelCNN, and the other way round?

# %%
ranks = {ruler: bits[busy_set][ruler].argsort().argsort().float() / last for ruler in rulers}
gap = ranks["PixelCNN"] - ranks["Glow"]  # above 0: simpler for Glow
extremes = gap.argsort()[[0, 1, 2, 3, -4, -3, -2, -1]]

# %% tags=["hide-input"]
sb.report.show(
    sb.report.image_grid(
        sets[busy_set][extremes],
        [
            f"Glow {float(ranks['Glow'][i]):.0%}\nPixelCNN {float(ranks['PixelCNN'][i]):.0%}"
            for i in extremes
        ],
        columns=8,
    ),
    alt="Eight photographs on which Glow and PixelCNN disagree most: the first four are simpler for the PixelCNN, the last four for Glow.",
    caption="Place of each image in the order of its set, 0 % the simplest. Left: simpler for the PixelCNN. Right: simpler for Glow.",
)

# %% [markdown]
# To the left, in the default run, stand grey textures, to the right dark images in colour. Why? A suspicion: where the image is grey, the PixelCNN knows green and blue
# as soon as it has named red. Test it: take the colour out of all photographs. Which model saves most bits?

# %%
grey = sb.density.quantise(sets[busy_set].mean(1, keepdim=True).expand(-1, 3, -1, -1), 5)
saved = {
    ruler: 1 - float(found.mean() / bits[busy_set][ruler].mean())
    for ruler, found in measured(grey).items()
}
print(", ".join(f"{ruler} {share:.0%}" for ruler, share in saved.items()))

# %% [markdown]
# **What you should see.** Without colour, photographs take 35%<!--=other-models.saved-pixelcnn:.0%--> fewer bits under the PixelCNN, 20%<!--=other-models.saved-glow:.0%--> fewer under Glow and 20%<!--=other-models.saved-diffusion:.0%--> fewer under the
# diffusion model. So the PixelCNN rewards grey most. *Which* regularity a model can use is what rulers disagree about; that a regular image is simple, they agree on.
#
# ## Simple for one, simple for all?
#
# Lesson 13 simplifies images for a network: fewer bits, the same answer. Whose bits? Train a small network to read the digits, and simplify a few under each
# model. Move not the pixels but Glow's *latents*, the numbers that Glow turns an image into (lesson 02). We move these for the other two models as well. Thus all three take
# the same road; what differs is who counts the bits, and the length of a step.

# %%
train = sb.data.load(simple_set, "train")
reader = sb.networks.build(
    "ConvNet", len(train.classes), 3, size, seed=seed, width=32, norm="batch"
)
optimiser = sb.networks.classifier_optimiser(reader, 0.003)
options = {"optimiser": optimiser, "size": size, "channels": 3, "seed": seed, "progress": False}
sb.networks.fit_classifier(reader, train, steps=150, **options)

# %%
x = sets[simple_set][:simplified_images]
prices = {"bit_weight": bit_weight, "gradient_weight": 1.0, "prediction_weights": (3.0, 3.0)}
pace = {"Glow": 0.03, "PixelCNN": 0.03, "diffusion": 0.01}  # learning rates
diffusion.times = 4  # levels of noise in one estimate; 16 until now
simplified = {}
for ruler, model in models.items():
    model.encode, model.decode = glow.encode, glow.decode
    options = {"start": "image", "cool_down": 0.4, "seed": seed, "progress": False}
    simplified[ruler] = sb.simplify.simplify_after_training(
        reader, model, x, steps=steps, learning_rate=pace[ruler], **prices, **options
    )
diffusion.times = 16

# %%
versions = {"original": x} | {ruler: result.images for ruler, result in simplified.items()}
versions = {
    name: sb.density.quantise(images, pixelcnn.bit_depth) for name, images in versions.items()
}
crossed = {name: measured(images) for name, images in versions.items()}
print(f"{'simplified under':17}", *(f"{ruler:>9}" for ruler in rulers))
for name, found in crossed.items():
    print(f"{name:17}", *(f"{values.mean():9.2f}" for values in found.values()))
for name, result in simplified.items():
    print(
        name,
        "keeps",
        int((result.predicted_before == result.predicted_after).sum()),
        "of",
        len(x),
        "answers",
    )

# %% tags=["hide-input"]
sb.report.show(
    sb.report.image_grid(
        torch.cat(list(versions.values())), columns=len(x), row_titles=list(versions), zoom=0.9
    ),
    alt="Digits in four rows: as they are, and simplified under Glow, PixelCNN and the diffusion model.",
    caption="The same digits, simplified under three measures for the same network.",
)

# %% [markdown]
# Compare the rows of Glow and of the PixelCNN with the originals: strokes are gone, and what was exactly black and exactly grey has got a faint tint. Does the tint
# matter? Take it out, and ask the PixelCNN again.

# %%
for name in ("Glow", "PixelCNN"):
    untinted = versions[name].mean(1, keepdim=True).expand(-1, 3, -1, -1)
    bits_left = sb.density.mean_bits(pixelcnn, untinted)
    print(
        f"{name}: {crossed[name]['PixelCNN'].mean():.2f} bits with its tint, {bits_left:.2f} without"
    )

# %% [markdown]
# **What you should see.** The originals take 1.37<!--=other-models.original-by-glow:.2f-->, 0.85<!--=other-models.original-by-pixelcnn:.2f--> and 1.34<!--=other-models.original-by-diffusion:.2f--> bits a value under Glow, PixelCNN and diffusion model. What was
# simplified under Glow takes 1.12<!--=other-models.glow-by-glow:.2f-->, 0.86<!--=other-models.glow-by-pixelcnn:.2f--> and 1.23<!--=other-models.glow-by-diffusion:.2f-->: the diffusion model agrees that it is simpler, the PixelCNN does not. Even the
# images that were simplified under the PixelCNN itself take 0.86<!--=other-models.pixelcnn-by-pixelcnn:.2f--> there. It is the tint: without it, the PixelCNN gives Glow's versions
# 0.60<!--=other-models.untinted-glow:.2f--> bits and its own 0.62<!--=other-models.untinted-pixelcnn:.2f-->. Moving latents by small steps leaves traces of colour everywhere, which are cheap under Glow and dear under a
# model that names green and blue from red.
#
# The diffusion model goes a way of its own: its digits turn white, with hard edges. The gradient of its bits is estimated from noise drawn anew in every step, and leads less far. In the default run
# its versions take 1.27<!--=other-models.diffusion-by-diffusion:.2f--> bits under itself, and 6<!--=other-models.kept-diffusion:.0f--> of 8<!--=other-models.simplified:.0f--> answers stay, where the other two keep
# 8<!--=other-models.kept-glow:.0f--> and 8<!--=other-models.kept-pixelcnn:.0f-->. So three rulers that order whole images alike need not agree on where to cut. What is left of an image depends on who counts.
#
# ## What the papers report, and what the study found
#
# [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits--> check their measure in figure S1: nine images under a Glow, a PixelCNN and a diffusion model, all three in the same order. "All black" is the
# image in which every value is 0.

# %% tags=["hide-input"]
sb.report.studied(
    "simplebits.bits.agreement",
    "simplebits.bits.pixelcnn.black",
    "simplebits.bits.diffusion.black",
)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** The PixelCNN reads from the top left. Turn all photographs upside down. Which of the three models will give other bits? Guess, then measure.
#
# <details><summary>Solution</summary>
#
# ```python
# for ruler, found in measured(sets[busy_set].flip(2)).items():
#     print(ruler, float((found - bits[busy_set][ruler]).abs().mean()))
# ```
#
# None, to speak of. On average a single photograph changes by 0.02<!--=other-models.flip-glow:.2f--> bits a value under Glow, 0.02<!--=other-models.flip-pixelcnn:.2f--> under the PixelCNN and
# 0.02<!--=other-models.flip-diffusion:.2f--> under the diffusion model, up or down. The order of reading is only a way to write a probability as a product: a perfect PixelCNN would give the same in
# any order. Textures and edges have no top at this size.
#
# </details>
#
# **Exercise 2.** The bound above has infinitely many levels of noise. `diffusion.steps = 10` makes it a chain of ten steps, as in [Ho et al. (2020)](https://arxiv.org/abs/2006.11239)<!--cite:t ho2020ddpm-->. Will the bound be
# higher or lower? Measure with 10, 100 and 1,000 steps. (`diffusion.steps = None` brings the continuum back.)
#
# <details><summary>Solution</summary>
#
# ```python
# for diffusion.steps in (10, 100, 1000, None):
#     print(diffusion.steps, sb.density.mean_bits(diffusion, sets[busy_set]))
# ```
#
# Higher: 2.39<!--=other-models.steps-10:.2f--> bits with ten steps, 1.63<!--=other-models.steps-100:.2f--> with a hundred and 1.58<!--=other-models.steps-1000:.2f--> with a thousand; the continuum gives 1.57<!--=other-models.steps-none:.2f-->. With fewer steps each is larger, and the guess that is made at its beginning
# must serve for all of it. So the bound is looser, and falls as the steps become finer.
#
# </details>
#
# **Exercise 3.** All three models can also draw images: `sample(n, generator=generator)`; Glow takes a temperature before it, 0.7. Look at eight images of each. Which model knows most about objects?
#
# <details><summary>Solution</summary>
#
# ```python
# drawn = torch.cat([model.sample(8, generator=generator) for model in (pixelcnn, diffusion)])
# drawn = torch.cat((glow.sample(8, 0.7, generator), drawn))
# sb.report.image_grid(drawn.clamp(0, 1), row_titles=list(models))
# ```
#
# None draws objects. At 16 pixels, and after a short training, they know textures, edges and plain shapes. That is why their bits are bits of surfaces: an image is not
# simple for them because it shows a simple *thing*.
#
# </details>
#
# ## References
#
# - [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits-->: figure S1.
# - [van den Oord et al. (2016)](https://arxiv.org/abs/1601.06759)<!--cite:t oord2016pixelrnn--> and [van den Oord et al. (2016)](https://arxiv.org/abs/1606.05328)<!--cite:t oord2016gated-->: PixelCNN, and its form with two stacks of convolutions, which ours has.
# - [Salimans et al. (2017)](https://arxiv.org/abs/1701.05517)<!--cite:t salimans2017pixelcnn-->: logistic distributions cut into bins.
# - [Kingma et al. (2021)](https://arxiv.org/abs/2107.00630)<!--cite:t kingma2021vdm-->: the bound, equations 11 to 18; [Ho et al. (2020)](https://arxiv.org/abs/2006.11239)<!--cite:t ho2020ddpm-->: with steps.

# %% tags=["hide-cell"]
setting = {
    "images_per_set": images_per_set,
    "draws": draws,
    "steps": steps,
    "bit_weight": bit_weight,
    "seed": seed,
}
numbers = {"flat": (flat_bits, "bits/pixel"), "step": (step_bits, "bits/pixel")}
roles = {simple_set: "digits", busy_set: "photos"}
for name, values_of in bits.items():
    for ruler, values in values_of.items():
        numbers[f"{roles.get(name, name)}-{ruler.lower()}"] = (values.mean(), "bits/dim")
for name, pairs in agreement.items():
    for (a, b), (r, *_) in pairs.items():
        numbers[f"{roles[name]}-{a.lower()}-{b.lower()}"] = (r, "Spearman")
among_models = [
    pairs[name][0] for pairs in agreement.values() for name in pairs if "PNG" not in name
]
numbers["lowest"] = (math.floor(100 * min(among_models)) / 100, "Spearman")  # "and more" must hold
for ruler, share in saved.items():
    numbers[f"saved-{ruler.lower()}"] = (share, "share")
for version, values_of in crossed.items():
    for ruler, values in values_of.items():
        numbers[f"{version.lower()}-by-{ruler.lower()}"] = (values.mean(), "bits/dim")
for ruler, result in simplified.items():
    kept = (result.predicted_before == result.predicted_after).sum()
    numbers[f"kept-{ruler.lower()}"] = (kept, "answers")
    untinted = versions[ruler].mean(1, keepdim=True).expand(-1, 3, -1, -1)
    numbers[f"untinted-{ruler.lower()}"] = (sb.density.mean_bits(pixelcnn, untinted), "bits/dim")
numbers["simplified"] = (len(x), "images")
for ruler, values_of in measured(sets[busy_set].flip(2)).items():
    numbers[f"flip-{ruler.lower()}"] = (
        (values_of - bits[busy_set][ruler]).abs().mean(),
        "bits/dim",
    )
for diffusion.steps in (10, 100, 1000, None):
    numbers[f"steps-{diffusion.steps}".lower()] = (
        sb.density.mean_bits(diffusion, sets[busy_set]),
        "bits/dim",
    )
for name, (value, unit) in numbers.items():
    sb.report.record("other-models", name, float(value), unit, setting=setting)

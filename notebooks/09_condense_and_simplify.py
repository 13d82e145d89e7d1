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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/09_condense_and_simplify.ipynb)
#
# # Condense and simplify
#
# **Put a price on bits while ten digits are learned, and the bits fall from 3.55<!--=condense-and-simplify.bits-free:.2f--> to
# 1.64<!--=condense-and-simplify.bits-half:.2f--> bits per dimension; networks that see only these ten read
# 82.5<!--=condense-and-simplify.accuracy-half:.1f--> % of the test digits, and 80.8<!--=condense-and-simplify.accuracy-free:.1f--> % without the price.
# Simpler than real digits they are not: ten well-chosen real ones have 1.38<!--=condense-and-simplify.bits-herding:.2f--> bits and teach
# 80.0<!--=condense-and-simplify.accuracy-herding:.1f--> %.**
#
# Ten condensed digits have 3.55<!--=condense-and-simplify.bits-free:.2f--> bits per dimension, ten real ones
# 1.39<!--=condense-and-simplify.bits-ten:.2f-->. What are the additional bits spent on? How many of them can go before networks learn less from the
# images? Write down a guess.
#
# You will
#
# - give images a form in which their bits can be measured while they are learned;
# - add the price of bits to gradient matching, and write the loop;
# - draw accuracy against bits beside real images, and look at what the price took away.
#
# **To know before:** [gradient matching](07_gradient_matching.ipynb), [bits per dimension](01_bits_per_dimension.ipynb).

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

import matplotlib.pyplot as plt
import torch

import simplebits as sb

sb.report.style()
sb.report.measured_cost("09_condense_and_simplify")

# %% tags=["parameters"]
image_set = "digits"  # what is condensed
train_images = 3000  # real training images, at most; digits has 1287
test_images = 1000  # real test images, at most; digits has 510
density = "glow-16px"  # measures bits; it sets the size of the images too
width = 32  # channels of all ConvNets; 128 in the paper
networks = 80  # random networks that the images are moved for (K); 1001 in the paper's code
real_batch = 32  # real images of a class at each step; 256 in the paper
learning_rate = 0.1  # of Adam, which moves the numbers alpha behind the pixels
cool_down = 0.5  # share of the steps, at the end, in which this rate falls to zero; 0 in the paper
prices = [0.0, 1000.0, 3000.0, 10000.0, 30000.0]  # of bits (lambda), 0 first; 0 to 1e6 in the code
epochs = 150  # passes over the ten images when a network learns from them; 300 in the paper's code
test_networks = 4  # networks that learn from each ten images; 5 in the paper's code

# %% [markdown]
# ## What do ten condensed digits cost?
#
# Lesson 01 measured how long a message an image needs, in bits per dimension; a dimension is one value of the image. Lesson 07 moved the pixels of ten
# noise images until they pushed random networks as real images do. Bring the two together: condense, and measure. The *density*, the network that
# measures bits, sees three colour channels. So the grey digits get three equal ones, and the learned images have three channels that may differ.
#
# Give a density to lesson 07's call, and the learned images keep to the density's grey levels. `bit_weight` is the price of bits: 0 at first.

# %%
measure = sb.density.load(density)
size, levels = measure.image_size, 2**measure.bit_depth
train, test = (sb.data.load(image_set, split).resized(size) for split in ("train", "test"))
train, test = train.draw(min(train_images, len(train))), test.draw(min(test_images, len(test)))
options = {"width": width, "depth": 3}  # of the ConvNets: three blocks, as in the paper
how = {
    "density": sb.density.load(density, None),  # None: on a GPU where there is one
    "network_options": options,
    "real_batch": real_batch,
    "learning_rate": learning_rate,
    "bf16": False,  # in single precision
    "progress": False,
}

# %%
# Bits are free of charge for these ten.
free = sb.condense.condense(
    train, "gradient", 1, bit_weight=0, iterations=networks, cool_down=cool_down, **how
)
chosen = sb.condense.coreset(train, "random", 1, seed=0)
ten = sb.condense.CondensedSet.of(chosen, train, channels=3)
for name, few in {"condensed": free, "real": ten}.items():
    print(f"{name}: {sb.density.mean_bits(measure, few.images):.2f} bits per dimension")
print(f"without a code: {measure.bit_depth}, for {levels} grey levels")

# %% tags=["hide-input"]
classes = len(train.classes)
figure = sb.report.image_grid(
    torch.cat([free.images, ten.images]),
    columns=classes,
    row_titles=["condensed", "real"],
    zoom=0.8,
)
sb.report.show(
    figure,
    alt="Ten condensed digits, strokes under coloured grain, above ten real digits, which are grey and smooth.",
    caption="Ten condensed images and ten real ones, a column for each class.",
)

# %% [markdown]
# **What you should see.** The condensed digits have strokes, paler than real ones, and a coloured grain all over. Under the density grain is dear,
# because each of its pixels is a surprise: 3.55<!--=condense-and-simplify.bits-free:.2f--> bits against
# 1.39<!--=condense-and-simplify.bits-ten:.2f--> for the real ten. The images began as noise, and nothing in the loss asks for smooth ones. So let us
# ask.
#
# ## Pixels whose bits can be measured
#
# A density counts the bits of images with values in $[0, 1]$ on $2^b$ grey levels. The pixels of lesson 07 leave this range and lie between
# the levels. So learn one number $\alpha$ for each value of the image, and make the image from it:
#
# $$ x = \mathrm{round}\big(\sigma(\alpha)\big), \qquad \sigma(\alpha) = \frac{1}{1 + e^{-\alpha}}. $$
#
# The sigmoid $\sigma$ keeps values between 0 and 1, and round takes the nearest grey level. But a staircase has slope zero, so that no gradient would
# ever reach $\alpha$. The *straight-through* trick ([Bengio et al., 2013](https://arxiv.org/abs/1308.3432))<!--cite:p bengio2013straightthrough-->: compute the staircase, and hand back the slope of the smooth
# curve.

# %%
top = levels - 1  # the number of the brightest grey level


def image(alpha):
    """On the density's grey levels; the gradient is that of the sigmoid."""
    smooth = torch.sigmoid(alpha)
    rounded = torch.round(smooth * top) / top
    return smooth + (rounded - smooth).detach()  # detach: a constant for the gradient


# %%
# NBVAL_CHECK_OUTPUT
alpha = torch.linspace(-5, 5, 401).requires_grad_()
x = image(alpha)
(slope,) = torch.autograd.grad(x.sum(), alpha)
smooth = torch.sigmoid(alpha).detach()
library = sb.density.quantise(smooth[None, None, None], measure.bit_depth)
print("as in the library:", torch.allclose(x, library.flatten()))
print("the slope is that of the sigmoid:", torch.allclose(slope, smooth * (1 - smooth)))

# %% tags=["hide-input"]
figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.6))
blue, orange = sb.report.COLOURS["blue"], sb.report.COLOURS["orange"]
left.plot(alpha.detach(), smooth, color=orange, linestyle="--", label="σ(α)")
left.plot(alpha.detach(), x.detach(), color=blue, label="rounded")
left.set(xlabel="α", ylabel="grey value x")
left.legend()
right.plot(alpha.detach(), slope, color=blue)
right.set(xlabel="α", ylabel="slope handed back", ylim=(0, None))
sb.report.show(
    figure,
    alt="Left, the sigmoid of alpha, and the same rounded to grey levels, a staircase. Right, the slope that is handed back, a smooth bell around 0.",
    caption="The value goes up in steps, the gradient sees a smooth curve.",
)

# %% [markdown]
# ## The price of a bit
#
# Write $X_\text{orig}$ for real images of one class, $X_\text{syn}$ for the synthetic ones, $y$ for the class, $\ell$ for the cross-entropy of a network
# $f_\theta$ with weights $\theta$, and $D$ for lesson 07's distance of two gradients. Matching is the paper's equation 6,
#
# $$ L_\text{match} = D\big(\nabla_\theta\, \ell(f_\theta(X_\text{orig}), y),\; \nabla_\theta\, \ell(f_\theta(X_\text{syn}), y)\big), $$
#
# and equation 7 adds what the synthetic images cost under the density $p_G$:
#
# $$ L_\text{syn} = L_\text{match} + \sum_{x \in X_\text{syn}} -\log p_G(x). $$
#
# The equation weighs both terms alike, but the paper's experiments vary a price $\lambda$. The authors' code and this lesson take, for $C$ classes,
#
# $$ \frac{10\,C}{1 + \lambda} \sum_{c} L_\text{match}^{(c)} \;+\; \frac{2 \lambda}{1 + \lambda}\, \overline{\mathrm{bits}}, $$
#
# where $\overline{\mathrm{bits}}$ is the mean bits per dimension of the ten images. Why 10 and 2? The paper gives no reason, and you need none.
# The optimiser will be Adam, which divides each step by the usual size of the gradient. So its steps hardly change when the whole loss is multiplied
# by a number, and only the ratio of the two factors counts, $\lambda / (5C)$. With ten classes the loss is, up to such a number, matching
# $+\ \frac{\lambda}{50}\, \overline{\mathrm{bits}}$.

# %%
for price in prices:
    print(
        f"λ = {price:g}: a bit per dimension weighs as much as {price / (5 * classes):g} of matching"
    )


# %%
def total_loss(matching, bits, price):
    """Matching, summed over classes, and mean bits with the weights of the authors' code."""
    return 10 * classes / (1 + price) * matching + 2 * price / (1 + price) * bits


def fresh(number):
    """A network with random weights."""
    return sb.networks.build("ConvNet", classes, 3, size, seed=number, **options)


# %% [markdown]
# And why does $\lambda$ come in thousands? Matching adds up one distance for each row of each layer and for each class, while the bits are one mean.

# %%
# Only weights have rows; biases and gains have one axis.
rows = sum(len(weights) for weights in fresh(0).parameters() if weights.dim() > 1)
first, last = (classes * free.history.losses[k] for k in (0, -1))  # losses: means of the classes
print(f"{rows} rows x {classes} classes = {rows * classes} distances")
print(f"their sum: {first:.0f} at first, {last:.0f} at the end")

# %% [markdown]
# In the default run matching ends near 224<!--=condense-and-simplify.matching-free:.0f-->. With $\lambda = 3000$ one bit per dimension
# weighs as much as 60 of it, so that the 3.55<!--=condense-and-simplify.bits-free:.2f--> bits of the condensed digits weigh about as much as this
# matching. A price of 1 would hardly be felt.
#
# ## The loop
#
# The loop is lesson 07's, with three changes: the image is made from $\alpha$, the price is added, and Adam ([Kingma and Ba, 2015](https://arxiv.org/abs/1412.6980))<!--cite:p kingma2015adam--> takes the steps,
# with the settings of the authors' code. One more detail: before it measures, the density adds noise that spreads each grey level evenly up to the
# next one (lesson 01). The networks see their images under noise of this width as well.

# %%
real = [train.to_float(channels=3)[train.labels == c] for c in range(classes)]


def batches(generator):
    """Some real images of each class, with values from -1/2 to 1/2 as the density and the networks see them."""
    drawn = [torch.randperm(len(x), generator=generator)[:real_batch] for x in real]
    return [measure.centre(x[index]) for x, index in zip(real, drawn, strict=True)]


def learn(alpha, price, steps):
    """Condense ten images at a price, and return them."""
    alpha = alpha.clone().requires_grad_()
    adam = torch.optim.Adam([alpha], lr=learning_rate, betas=(0.5, 0.99), eps=1e-6)
    for step in range(steps):
        generator = torch.Generator().manual_seed(step)
        network = fresh(int(torch.randint(2**31, (), generator=generator)))  # new at each step
        x = image(alpha)
        noise = torch.rand(x.shape, generator=generator) / top  # as wide as a grey level
        seen = measure.centre(x + noise)
        distances = sb.condense.gradient_matching_loss(
            network, batches(generator), list(seen.split(1))
        )
        bits = measure.bits_per_dim(x, generator).mean()
        loss = total_loss(distances.sum(), bits, price)
        adam.zero_grad()
        loss.backward(inputs=[alpha])
        adam.step()
    return image(alpha.detach())


# %% [markdown]
# The library, too, seeds each step with the step's number. So a few steps from the same start must give the same images. The start is noise around
# mid-grey: each $\alpha$ is drawn from a normal distribution with mean 0 and standard deviation 0.2.

# %%
# NBVAL_CHECK_OUTPUT
run = sb.condense.Condensation(train, "gradient", 1, bit_weight=prices[-1], iterations=4, **how)
start = run.pixels.values.detach().cpu().clone()
library = run.run().images
by_hand = learn(start, prices[-1], 4)
# Values near the border of two grey levels may be rounded differently.
same = (by_hand - library).abs() < 1e-4
moved = (by_hand - image(start)).abs() > 1e-4
print("most values have moved:", bool(moved.float().mean() > 0.5))
print("by hand as in the library:", bool(same.float().mean() > 0.9))

# %% [markdown]
# ## Accuracy against bits
#
# Now condense at each price, always from the same start. Since Adam divides by the size of the gradient, steps do not become small when there is
# little left to do: pixels go on jumping, each for itself, and this is grain again. The paper takes a thousand steps; our runs are short, so in their
# last half the learning rate falls to zero.

# %%
sets = {0.0: free}
for price in prices[1:]:
    sets[price] = sb.condense.condense(
        train, "gradient", 1, bit_weight=price, iterations=networks, cool_down=cool_down, **how
    )

# %% [markdown]
# Each ten images teach fresh networks, as in lesson 07. Real images stand beside them: random ones, the *herding* choice (the image of each class
# nearest to the class's mean, in what a trained network hands to its last layer) and the *class mean*, the average picture of each class.

# %%
judge = sb.networks.build("ConvNet", classes, train.images.shape[1], size, seed=0, **options)
sb.subsets.train_classifier(judge, train, epochs=15, learning_rate=0.01, seed=0, progress=False)
features = sb.condense.penultimate_features(judge, train)
herded = sb.condense.coreset(train, "herding", 1, features=features)
rivals = {
    "herding": sb.condense.CondensedSet.of(herded, train, channels=3).images,
    "class mean": torch.stack([x.mean(0) for x in real]),
}
for draw in range(3):
    few = sb.condense.coreset(train, "random", 1, seed=draw)
    rivals[f"random {draw}"] = sb.condense.CondensedSet.of(few, train, channels=3).images


# %%
def measured(images):
    """Bits per dimension of ten images, and the percent of test images that networks read after seeing only these."""
    images = sb.density.quantise(images, measure.bit_depth)
    few = dataclasses.replace(free, images=images)
    evaluation = sb.condense.evaluate(
        few, test, "ConvNet", range(test_networks), network_options=options,
        epochs=epochs, noise=1 / top, bf16=False, progress=False,
    )  # fmt: skip
    return sb.density.mean_bits(measure, images), 100 * evaluation.mean


# %%
curve = {price: measured(few.images) for price, few in sets.items()}
others = {name: measured(images) for name, images in rivals.items()}
real_bits = sb.density.mean_bits(measure, test.to_float(channels=3))
# The lowest price at which half of the bits are gone.
half = next((price for price in prices if curve[price][0] <= curve[0.0][0] / 2), prices[-1])

# %% [markdown]
# Move the slider and raise the price. The filled point is the set whose images you see.

# %% tags=["hide-input"]
frames, labels = [], []
grey, green = sb.report.COLOURS["grey"], sb.report.COLOURS["green"]
for price, few in sets.items():
    figure, (axes, below) = plt.subplots(
        2, 1, figsize=(6.8, 4.9), height_ratios=[2.2, 1], layout="constrained"
    )
    axes.plot(*zip(*curve.values(), strict=True), "o-", color=blue, mfc="white", label="condensed")
    axes.plot(*curve[price], "o", color=blue, markersize=10)
    for name, marker in {"herding": "s", "class mean": "^"}.items():
        axes.plot(*others[name], marker, color=orange, label=name, mfc="none", linestyle="none")
    by_chance = [value for name, value in others.items() if name.startswith("random")]
    axes.plot(*zip(*by_chance, strict=True), "*", color=green, label="random real ten")
    axes.axvline(real_bits, color=grey, linestyle=":", label="mean of real digits")
    axes.set(xlabel="bits per dimension", ylabel="test images right, %", xlim=(0, None))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=5, fontsize=8)
    pad = torch.nn.functional.pad  # a white pixel around each image
    framed = [pad(images, (1, 1, 1, 1), value=1.0) for images in (few.images, ten.images)]
    picture = torch.cat([torch.cat(list(images), dim=2) for images in framed], dim=1)
    below.imshow(picture.permute(1, 2, 0), interpolation="nearest")
    below.grid(visible=False)
    below.set_yticks([size / 2 + 1, 1.5 * size + 3], ["condensed", "real"])
    below.set_xticks([])
    below.tick_params(length=0)
    below.spines[:].set_visible(False)
    frames.append(figure)
    labels.append(f"λ = {price:g}: {curve[price][0]:.2f} bits/dim, {curve[price][1]:.1f} % right")
sb.report.slider(
    frames,
    labels,
    [
        f"Accuracy against bits, the point of this price filled; below ten condensed and ten real digits. {label}."
        for label in labels
    ],
    "price",
)

# %% [markdown]
# **What you should see.** In the default run more than half of the bits are gone at $\lambda$ = 3000<!--=condense-and-simplify.half-lambda:.0f-->.
# There are 1.64<!--=condense-and-simplify.bits-half:.2f--> left, and the networks read 82.5<!--=condense-and-simplify.accuracy-half:.1f--> % of the
# test digits; without a price it was 80.8<!--=condense-and-simplify.accuracy-free:.1f--> %. This is still *more* than a real digit has on average,
# 1.38<!--=condense-and-simplify.bits-real:.2f-->. Only the highest price goes below the dotted line, to
# 1.29<!--=condense-and-simplify.bits-dearest:.2f--> bits, and accuracy is a little lower there,
# 78.5<!--=condense-and-simplify.accuracy-dearest:.1f--> %.
#
# How do real images do? Random ones teach far less, 64.8<!--=condense-and-simplify.accuracy-random:.1f--> % on average over three draws, than any
# condensed set. The herding choice, 80.0<!--=condense-and-simplify.accuracy-herding:.1f--> %, and the class means,
# 80.1<!--=condense-and-simplify.accuracy-class-mean:.1f--> %, lie where the curve meets the dotted line: at equal bits the learned digits are no
# better than these. Each price has one set here, so a difference of two points says nothing.
#
# ## What has gone?
#
# All runs began at the same noise, so we may compare them pixel by pixel. Take the digits at $\lambda = 0$ away from those at half the bits.
# If what has gone is grain, then neighbouring pixels of the difference have nothing to do with each other: their correlation is near 0.

# %%
difference = sets[half].images - free.images


def neighbours(images):
    """Correlation of each pixel with its right neighbour."""
    pairs = torch.stack([images[..., :-1].flatten(), images[..., 1:].flatten()])
    return float(torch.corrcoef(pairs)[0, 1])


# %%
for name, images in {"real digits": torch.cat(real), "difference": difference}.items():
    print(f"{name}: {neighbours(images):.2f}")

# %% [markdown]
# Another guess can be tested at once. The real digits are grey, but each channel of the learned ones has numbers $\alpha$ of its own. How many of the bits
# are spent on colour? Replace the three channels by their average, after learning.

# %%
averages = {price: sets[price].images.mean(1, keepdim=True) for price in (0.0, half)}
plain = {price: grey.expand(-1, 3, -1, -1) for price, grey in averages.items()}
of_plain = {price: measured(images) for price, images in plain.items()}
for price, (bits, accuracy) in of_plain.items():
    print(f"λ = {price:g}, without colour: {bits:.2f} bits per dimension, {accuracy:.1f} % right")

# %%
# NBVAL_CHECK_OUTPUT
grain = torch.randn(100, 3, size, size, generator=torch.Generator().manual_seed(0))
print("neighbours in pure noise are not correlated:", abs(neighbours(grain)) < 0.02)
print("the channels are equal now:", torch.equal(plain[0.0][:, 0], plain[0.0][:, 2]))

# %% tags=["hide-input"]
columns = [c for c in (0, 3, 5, 8) if c < classes]
pictures = {
    f"λ = 0:\n{curve[0.0][0]:.2f} bits": free.images,
    f"λ = {half:g}:\n{curve[half][0]:.2f} bits": sets[half].images,
    "difference,\ntimes two": (0.5 + 2 * difference).clamp(0, 1),
    f"λ = 0, no colour:\n{of_plain[0.0][0]:.2f} bits": plain[0.0],
    f"λ = {half:g}, no colour:\n{of_plain[half][0]:.2f} bits": plain[half],
}
figure = sb.report.image_grid(
    torch.cat([images[columns] for images in pictures.values()]),
    columns=len(columns),
    row_titles=list(pictures),
    zoom=1.1,
)
sb.report.show(
    figure,
    alt="Four digits in five rows: without a price, at half the bits, the difference of the two, which is coloured grain without strokes, and both "
    "sets with their three channels averaged.",
    caption="Four of the ten digits; the bits are those of all ten. In the difference grey means no change; it is drawn twice as strong.",
)

# %% [markdown]
# **What you should see.** In the default run the difference looks like grain, and nearly is: neighbouring pixels have a correlation of
# 0.10<!--=condense-and-simplify.neighbours-difference:.2f-->, in real digits 0.87<!--=condense-and-simplify.neighbours-real:.2f-->. And most of what
# the grain costs is colour. Averaging the channels takes the images without a price from 3.55<!--=condense-and-simplify.bits-free:.2f--> to
# 1.48<!--=condense-and-simplify.bits-free-plain:.2f--> bits, and networks read 83.3<!--=condense-and-simplify.accuracy-free-plain:.1f--> %. So one
# line that knows "digits are grey" saves even more than the price of $\lambda$ = 3000<!--=condense-and-simplify.half-lambda:.0f-->. Nobody told the
# loss that digits are grey, and yet its price took away much of the colour. Price and average together leave
# 1.18<!--=condense-and-simplify.bits-half-plain:.2f--> bits, less than a real digit has, and networks read
# 83.4<!--=condense-and-simplify.accuracy-half-plain:.1f--> %. The price takes contrast as well: move the slider to its right end and see the digits
# fade. How many bits that saves was not measured here.
#
# ## What the papers report, and what the studies found
#
# The paper has figures and no table. The rows are its statements: what $\lambda = 0$ is (DC, *dataset condensation*, is gradient matching), what
# happens to accuracy when bits go, and two rows of pictures that were made with other networks and other losses.

# %% tags=["hide-input"]
sb.report.studied(
    "simplebits.condensation.baseline",
    "simplebits.condensation.flat",
    "simplebits.condensation.architectures",
    "simplebits.condensation.losses",
)

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** How many bytes do the ten images at half the bits take, and how many the whole training set, both under the density? The set is
# 129<!--=condense-and-simplify.count-ratio:.0f--> times smaller in images. Is it as much smaller in bytes?
#
# <details><summary>Solution</summary>
#
# An image has $3 \times$ `size` $\times$ `size` values, each costs the bits per dimension, and a byte has eight bits.
#
# ```python
# values = 3 * size**2
# few, all_of_them = curve[half][0] * values * classes / 8, real_bits * values * len(train) / 8
# print(f"{few:.0f} bytes, {all_of_them:.0f} bytes, {all_of_them / few:.0f} times as many")
# ```
#
# No: 1579<!--=condense-and-simplify.whole-set-bytes:.0f--> bytes against 171026<!--=condense-and-simplify.training-set-bytes:.0f-->, which is
# 108<!--=condense-and-simplify.times-smaller:.0f--> times as many. All of the saving comes from having fewer images; each of them is dearer than a
# real one. The density itself is not counted: whoever reads the message must have it.
#
# </details>
#
# **Exercise 2.** If the grain is not needed, blur it away after learning. Average each pixel of the images at $\lambda = 0$ with its neighbours, in
# each channel. Is this as good as a price?
#
# <details><summary>Solution</summary>
#
# ```python
# blurred = torch.nn.functional.avg_pool2d(free.images, 3, stride=1, padding=1, count_include_pad=False)
# print("blurred:", measured(blurred), "price:", curve[half])
# ```
#
# In the default run it is not: the blurred images have more bits than those with a price and teach no better. The blur takes from grain and strokes
# alike. The price is weighed against matching, and so spares what matching needs.
#
# </details>
#
# **Exercise 3.** What does $\lambda = 1{,}000{,}000$ do? Say first what the two factors of the loss are, and which image has the fewest bits.
#
# <details><summary>Solution</summary>
#
# ```python
# price = 1e6
# print("factors:", 10 * classes / (1 + price), 2 * price / (1 + price))
# extreme = sb.condense.condense(
#     train, "gradient", 1, bit_weight=price, iterations=networks, cool_down=cool_down, **how
# )
# print(measured(extreme.images))
# ```
#
# The factors are 0.0001 and 2, so that almost nothing but the bits is left. Fewest bits belong to flat images, one and the same for all classes,
# from which nobody can learn. A short run does not get all the way there: traces of the digits may be left, and networks learn from these.
#
# </details>
#
# ## References
#
# - [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits-->: section 4, equations 6 and 7, figures 6 and S11 to S13.
# - [Zhao et al. (2021)](https://openreview.net/forum?id=mSAKhLYLSsl)<!--cite:t zhao2021gradient-->: gradient matching.
# - [Kingma and Ba (2015)](https://arxiv.org/abs/1412.6980)<!--cite:t kingma2015adam-->: Adam.
# - [Bengio et al. (2013)](https://arxiv.org/abs/1308.3432)<!--cite:t bengio2013straightthrough-->: gradients that pass straight through a step.

# %% tags=["hide-cell"]
setting = {
    "image_set": image_set, "train_images": len(train), "test_images": len(test), "density": density, "width": width,
    "networks": networks, "real_batch": real_batch, "learning_rate": learning_rate, "cool_down": cool_down,
    "epochs": epochs, "test_networks": test_networks,
}  # fmt: skip
average = [statistics.fmean(pair) for pair in zip(*by_chance, strict=True)]
points = {  # rounded as the pictures round them
    "free": curve[0.0], "half": curve[half], "dearest": curve[prices[-1]], "random": average,
    "herding": others["herding"], "class-mean": others["class mean"],
    "free-plain": of_plain[0.0], "half-plain": of_plain[half],
}  # fmt: skip
for name, (bits, accuracy) in points.items():
    experiment = "condense-and-simplify"
    sb.report.record(experiment, f"bits-{name}", round(bits, 2), "bits/dim", setting=setting)
    sb.report.record(experiment, f"accuracy-{name}", round(accuracy, 1), "%", setting=setting)
few_bytes = curve[half][0] * 3 * size**2 * classes / 8
all_bytes = real_bits * 3 * size**2 * len(train) / 8
numbers = {
    "bits-real": (round(real_bits, 2), "bits/dim"),
    "bits-ten": (round(others["random 0"][0], 2), "bits/dim"),
    "half-lambda": (half, "λ"),
    "matching-free": (classes * free.history.losses[-1], "distance"),
    "neighbours-difference": (neighbours(difference), "correlation"),
    "neighbours-real": (neighbours(torch.cat(real)), "correlation"),
    "count-ratio": (len(train) / classes, "×"),
    "whole-set-bytes": (few_bytes, "bytes"),
    "training-set-bytes": (all_bytes, "bytes"),
    "times-smaller": (all_bytes / few_bytes, "×"),
}
for name, (value, unit) in numbers.items():
    sb.report.record(experiment, name, value, unit, setting=setting)

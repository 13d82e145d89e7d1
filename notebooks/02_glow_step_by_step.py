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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/02_glow_step_by_step.ipynb)
#
# # Glow, step by step
#
# **Where does the probability of an image come from? From a network that can be run backwards: it turns the image into plain
# Gaussian numbers, and the volume it stretches on the way is counted in every layer, exactly.**
#
# You will
#
# - build a flow step from three invertible parts, and check each inverse and each log-determinant;
# - train a Glow from scratch, in the loop spelled out and with the library;
# - use the inverse: sample, interpolate, and see which way is downhill in bits.
#
# **To know before:** [bits per dimension](01_bits_per_dimension.ipynb), convolutions, determinants.

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
sb.report.measured_cost("02_glow_step_by_step")

# %% tags=["parameters"]
image_set = "photos"  # trained and tested on; any name of sb.data.load
unseen_set = "digits"  # measured, never trained on
image_size = 16  # height and width in pixels
bit_depth = 5  # b, bits a grey level
levels = 2  # L, number of scales
steps = 4  # K, flow steps a level
hidden = 48  # channels inside a coupling network
simple_share = 0.3  # share of simple images in the training mix, 0 to 0.9
training_steps = 1500  # updates of the Glow that is trained here
batch_size = 32  # images an update
optimiser = "adam"  # adam or adamax
learning_rate = 0.002  # at its peak
weight_decay = 0.0  # coupled L2 penalty
start = "pca"  # of the 1x1 convolutions: pca (principal axes) or orthogonal (random rotations)
scale_floor = 0.1  # smallest factor of a coupling, 0 to 1; 0 as published
ablation_steps = 300  # updates of each variant in the ablation
shipped = "glow-5bit"  # the shipped model for samples, interpolation and directions
test_images = 200  # images measured in each set
picture_seed = 11  # which test images are shown as examples
device = "auto"  # cpu, cuda, or auto: a GPU where there is one
seed = 0  # of every random draw in this notebook

# %% [markdown]
# ## The idea: count the volume
#
# A Glow is an invertible map $f$ from images to latents $z$ of the same size. If $z$ is standard normal, then by the change of
# variables
#
# $$ \log p(x) = \sum_i \log \mathcal N(z_i; 0, 1) + \log\left|\det \frac{\partial f}{\partial x}\right|, \qquad z = f(x). $$
#
# The determinant of a 3072×3072 Jacobian would be hopeless in general. So every part is built such that its log-determinant is a
# sum one can read off. There are three such parts, and a rearrangement.
#
# ## Squeeze: space becomes channels
#
# Each 2×2 block of pixels becomes four channels. Nothing is computed, the determinant is 1, and the inverse is the same shuffle
# backwards. Channel $4c + 2i + j$ holds the pixels of channel $c$ at offset (row $i$, column $j$).

# %%
pictures = sb.data.load(image_set, "test").draw(6, picture_seed)
photo = pictures.to_float(32, channels=3)[3:4]
channels = sb.density.squeeze(photo)

# %% tags=["hide-input"]
figure = sb.report.image_grid(
    channels.transpose(0, 1),
    titles=[f"{'RGB'[k // 4]} {k % 4 // 2},{k % 2}" for k in range(12)],
    columns=6,
)
sb.report.show(
    figure,
    alt="Twelve small grey pictures of the same scene: four nearly equal ones for each of red, green and blue.",
    caption="One photograph after the squeeze: twelve channels, named by colour and offset (row, column).",
)

# %%
# NBVAL_CHECK_OUTPUT
print("squeezed:", list(channels.shape))
print("exact inverse:", torch.equal(sb.density.unsqueeze(channels), photo))

# %% [markdown]
# **What you should see.** Four nearly equal pictures of each colour. That neighbouring pixels agree is what the flow will exploit:
# after the squeeze, they are channels that can be subtracted from each other.
#
# ## ActNorm: scale and shift
#
# $y = e^{s_c}(x + b_c)$ for each channel $c$, so $\log|\det| = h\,w \sum_c s_c$. Its first batch sets $b$ and $s$ such that every
# channel starts with mean 0 and standard deviation 1.

# %%
# NBVAL_CHECK_OUTPUT
rng = torch.Generator().manual_seed(seed)
x = torch.randn(4, 6, 8, 8, generator=rng) * 3 + 1
actnorm = sb.density.ActNorm(6)
actnorm.initialise(x)
y, log_det = actnorm(x)
by_hand = torch.exp(actnorm.log_scale)[:, None, None] * (x + actnorm.bias[:, None, None])
print("by hand and by the library agree:", torch.allclose(y, by_hand))
print(
    "every channel standardised:",
    bool((y.mean((0, 2, 3)).abs() < 1e-5).all() and (y.std((0, 2, 3)) - 1).abs().max() < 1e-4),
)
print("inverse:", torch.allclose(actnorm.inverse(y), x, atol=1e-5))
print("log-determinant:", torch.allclose(log_det, 8 * 8 * actnorm.log_scale.sum()))

# %% [markdown]
# **What you should see.** Four times `True`, here and in the two sections that follow: the formula, its inverse, and its
# log-determinant are those of the library.
#
# ## Invertible 1×1 convolution: mix the channels
#
# $y = W x$ at every pixel. $W$ is stored in factors, $W = P\,(L + I)\,(U + \mathrm{diag}(\sigma e^{w}))$: a permutation, a lower
# and an upper triangle. The triangles have ones and $\sigma e^{w}$ on their diagonals, so
# $\log|\det| = h\,w \sum_c w_c$, without any determinant being computed.

# %%
# NBVAL_CHECK_OUTPUT
mixing = sb.density.Conv1x1(6, rng)
y, log_det = mixing(x)
print(
    "by hand and by the library agree:",
    torch.allclose(y, torch.einsum("oc,nchw->nohw", mixing.weight, x), atol=1e-5),
)
print("inverse:", torch.allclose(mixing.inverse(y), x, atol=1e-4))
print(
    "log-determinant:",
    torch.allclose(log_det, 8 * 8 * torch.linalg.slogdet(mixing.weight)[1], atol=1e-3),
)

# %% [markdown]
# ## Affine coupling: let one half move the other
#
# All the learning happens here. The first half $x_1$ of the channels passes unchanged. A small convolutional network reads it and
# says how the second half is to be shifted and scaled:
#
# $$ y_1 = x_1, \qquad y_2 = (x_2 + t(x_1)) \odot s(x_1), \qquad s = \sigma(r(x_1) + 2). $$
#
# The network itself is never inverted: since $y_1 = x_1$, the inverse can compute the same $t$ and $s$ again. The Jacobian is
# triangular, so $\log|\det| = \sum \log s$.

# %%
# NBVAL_CHECK_OUTPUT
coupling = sb.density.Coupling(6, hidden=16, generator=rng)
# Its last convolution starts at zero: a fresh coupling only scales by 0.88. Wake it up.
torch.nn.init.normal_(coupling.conv3.weight, std=0.05, generator=rng)
with torch.no_grad():
    first, second = x.chunk(2, dim=1)
    t, raw = coupling.shift_and_scale(first)
    s = torch.sigmoid(raw)
    y, log_det = coupling(x)
    print(
        "by hand and by the library agree:",
        torch.allclose(y, torch.cat((first, (second + t) * s), 1), atol=1e-5),
    )
    print("inverse:", torch.allclose(coupling.inverse(y), x, atol=1e-4))
    print("log-determinant:", torch.allclose(log_det, s.log().flatten(1).sum(1), atol=1e-3))

# %% [markdown]
# ## One flow step, and the whole
#
# The three parts in a row are a *step*. The library fuses them: an ActNorm next to a convolution is a diagonal matrix next to a
# matrix, so it is multiplied into the weights and costs nothing. Below, the fused step against the parts, and its log-determinant
# against the full Jacobian by automatic differentiation.

# %%
# NBVAL_CHECK_OUTPUT
step = sb.density.GlowStep(6, hidden=16, generator=rng).double()
torch.nn.init.normal_(step.coupling.conv3.weight, std=0.05, generator=rng)
small = torch.randn(1, 6, 4, 4, dtype=torch.float64, generator=rng)
with torch.no_grad():
    h, first_log_det = step.actnorm(small)
    h, second_log_det = step.conv1x1(h)
    by_parts, third_log_det = step.coupling(h)
    fused, log_det = step(small)
print("fused step equals its parts:", torch.allclose(fused, by_parts))
print(
    "log-determinants add up:",
    torch.allclose(log_det, first_log_det + second_log_det + third_log_det),
)
jacobian = torch.func.jacrev(lambda v: step(v[None])[0][0].flatten())(small[0]).reshape(96, 96)
print("and equal the Jacobian's:", torch.allclose(log_det, torch.linalg.slogdet(jacobian)[1]))

# %% [markdown]
# A Glow has $L$ levels: squeeze, $K$ steps, and then half of the channels *leave* as latents while the rest goes on, half as wide
# and high. Fine detail leaves early, what is left at the end is coarse. Each leaving latent gets a learned mean and scale, and
# then is standard normal under the model.

# %%
# NBVAL_CHECK_OUTPUT
tiny = sb.density.Glow(levels=2, steps=2, hidden=8, image_size=8, generator=rng).double()
for couple in tiny.modules():
    if isinstance(couple, sb.density.Coupling):
        torch.nn.init.normal_(couple.conv3.weight, std=0.05, generator=rng)
image = torch.rand(1, 3, 8, 8, dtype=torch.float64, generator=rng)
latents, log_det = tiny.flow_forward(image - 0.5)
print("latents:", [list(z.shape[1:]) for z in latents])
print(
    f"largest error of decode(encode(x)) below 1e-10: {bool((tiny.decode(tiny.encode(image)) - image).abs().max() < 1e-10)}"
)
jacobian = torch.func.jacrev(
    lambda v: torch.cat([z.flatten() for z in tiny.flow_forward(v[None])[0]])
)(image[0] - 0.5)
print(
    "log-determinant equals the Jacobian's:",
    torch.allclose(log_det, torch.linalg.slogdet(jacobian.reshape(192, 192))[1]),
)

# %% [markdown]
# **What you should see.** Every check says `True`: the log-determinants that are read off are those of the full Jacobian, and
# decoding inverts encoding to ten digits.
#
# ## Training
#
# Training minimises the mean bits per dimension. The whole method is the loop below: draw images, add noise to make grey levels
# continuous, measure, step. `sb.density.fit` is the same loop with warm-up, averaging of the weights, checkpoints and a bar.

# %%
train_images = sb.data.load(image_set, "train").images
simple_count = int(len(train_images) * simple_share / (1 - simple_share))
drawn = sb.data.synthetic(max(simple_count, 1), seed=seed).images[:simple_count]
mix = torch.cat((train_images, drawn))


if device == "auto":
    device = "cuda" if torch.cuda.is_available() else "cpu"


def fresh() -> sb.density.Glow:
    """An untrained Glow, the same one each time."""
    first = torch.Generator().manual_seed(seed)
    shape = {"levels": levels, "steps": steps, "hidden": hidden, "image_size": image_size}
    return sb.density.Glow(
        **shape, bit_depth=bit_depth, scale_floor=scale_floor, generator=first
    ).to(device)


def to_model(images: torch.Tensor) -> torch.Tensor:
    """Bytes to images of the model's size and grey levels."""
    x = sb.data.to_float(images, image_size, channels=3, device=device)
    return sb.density.quantise(x, bit_depth)


by_hand = fresh()
start_generator = torch.Generator().manual_seed(seed)
first_batch = torch.randint(len(mix), (min(256, len(mix)),), generator=start_generator)
by_hand.initialise(to_model(mix[first_batch]), start=start, generator=start_generator)
kind = {"adam": torch.optim.Adam, "adamax": torch.optim.Adamax}[optimiser]
descent = kind(by_hand.parameters(), lr=learning_rate, weight_decay=weight_decay)
hand_losses = []
for i in range(3):
    # As in fit: what a step draws depends on the seed and its number alone.
    generator = torch.Generator().manual_seed(seed * 1_000_003 + i)
    batch = to_model(mix[torch.randint(len(mix), (batch_size,), generator=generator)])
    loss = by_hand.bits_per_dim(batch, generator).mean()
    descent.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(by_hand.parameters(), 1.0)
    descent.step()
    hand_losses.append(float(loss.detach()))

options = {"optimiser": optimiser, "learning_rate": learning_rate, "weight_decay": weight_decay}
options |= {"start": start, "batch_size": batch_size, "seed": seed, "progress": False}
plain = {"warm_up": 0, "cool_down": 0, "flip": False, "bf16": False}
by_library = sb.density.fit(fresh(), mix, steps=3, **options, **plain)

# %%
# NBVAL_CHECK_OUTPUT
agree = max(abs(a - b) for a, b in zip(hand_losses, by_library.losses, strict=True)) < 1e-4
print("three steps by hand and by the library agree:", agree)

# %%
glow = fresh()
resume = sb.report.checkpoint("glow")  # a killed run goes on from here
history = sb.density.fit(glow, mix, steps=training_steps, checkpoint=resume, **options)
for_ten_minutes = training_steps * 600 / history.seconds
print(f"{training_steps} steps took {history.seconds / 60:.1f} minutes on this machine:")
print(f"for ten minutes choose training_steps = {for_ten_minutes:.0f}")

# %% tags=["hide-input"]
smooth = torch.tensor(history.losses).unfold(0, min(20, training_steps), 1).nanmean(1)
figure, axes = plt.subplots(figsize=(6.8, 2.6))
axes.plot(history.losses, color=sb.report.COLOURS["sky"], linewidth=0.8, label="each step")
axes.plot(
    range(len(history.losses) - len(smooth), len(history.losses)),
    smooth,
    color=sb.report.COLOURS["blue"],
    label="mean of 20",
)
axes.axhline(
    bit_depth, color=sb.report.COLOURS["grey"], linestyle="--", linewidth=1, label="uncompressed"
)
axes.set(xlabel="step", ylabel="bits per dimension", ylim=(0, bit_depth + 0.5))
axes.legend()
sb.report.show(
    figure,
    alt="The training loss in bits per dimension falls steeply from near the uncompressed level within the first steps, then slowly.",
    caption="Training from scratch: bits per dimension of the training batches.",
)


# %%
def test_bits(model: sb.density.Glow) -> dict[str, float]:
    """Mean bits per dimension: black images, the training set's test images, and a set never trained on."""
    noise = torch.Generator().manual_seed(seed)
    found = {}
    for name in ("black", unseen_set, image_set):
        if name == "black":
            x = torch.zeros(20, 3, model.image_size, model.image_size)
        else:
            images = sb.data.load(name, "test")
            x = images.draw(min(test_images, len(images)), seed).to_float(
                model.image_size, channels=3
            )
        with torch.no_grad():
            parts = [model.bits_per_dim(p.to(device), noise, quantised=True) for p in x.split(100)]
        found[name] = float(torch.cat(parts).mean())
    return found


trained = test_bits(glow)
setting = {
    "steps": training_steps,
    "batch_size": batch_size,
    "learning_rate": learning_rate,
    "simple_share": simple_share,
    "architecture": glow.config,
}
for name, value in trained.items():
    sb.report.record("glow-from-scratch", name, value, "bits/dim", setting=setting)
scratch = sb.report.record(
    "glow-from-scratch",
    "order",
    trained[image_set],
    "bits/dim",
    setting=setting,
    trend=sb.report.increasing(
        {"black": trained["black"], image_set: trained[image_set], "uncompressed": float(bit_depth)}
    ),
)
scratch

# %% [markdown]
# **What you should see.** After these few steps the test images cost 1.64<!--=glow-from-scratch.order:.2f--> bits per dimension instead of
# the uncompressed bit depth. Most of the gain is there before the first step: the start is a linear code.
#
# ## What makes a short training work
#
# Three choices were tried: the *start* (principal axes or random rotations in the 1×1 convolutions), the *mix* (with or without
# simple images) and the *rate*. The first row starts from principal axes, with simple images and the rate above; in each other
# row one thing is changed.

# %%
variants = {
    "principal axes": {},
    "random rotations": {"start": "orthogonal"},
    "no simple images": {"images": train_images},
    "a quarter of the rate": {"learning_rate": learning_rate / 4},
    "four times the rate": {"learning_rate": learning_rate * 4},
}
ablation = {}
for label, change in variants.items():
    variant = fresh()
    settings = options | {"start": "pca", "images": mix} | change
    resume = sb.report.checkpoint(label.replace(" ", "-"))
    sb.density.fit(variant, steps=ablation_steps, checkpoint=resume, **settings)
    ablation[label] = test_bits(variant)

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6.8, 0.8 + 0.5 * len(ablation)))
for i, (name, colour) in enumerate(zip(trained, ("black", "orange", "blue"), strict=True)):
    axes.scatter(
        [found[name] for found in ablation.values()],
        range(len(ablation)),
        marker="so^"[i],
        color=sb.report.COLOURS[colour],
        label=name,
        s=40,
    )
axes.set(
    yticks=range(len(ablation)),
    yticklabels=list(ablation),
    xlabel="bits per dimension on test images (less is better)",
    xlim=(0, None),
)
axes.invert_yaxis()
axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1.0))
sb.report.show(
    figure,
    alt="Test bits per dimension of five ways to train, each on three kinds of images; the numbers are printed below.",
    caption=f"Ablation after {ablation_steps} steps: black images, an unseen set, and test images of the training set.",
)

# %%
for label, found in ablation.items():
    print(f"{label:25s}" + "".join(f"  {name} {value:.2f}" for name, value in found.items()))
    for name, value in found.items():
        sb.report.record(
            "glow-ablation",
            f"{label}, {name}",
            value,
            "bits/dim",
            setting={"steps": ablation_steps},
        )


def worth(label: str, name: str) -> float:
    """Bits per dimension that the first row saves against another one; negative: it costs."""
    return ablation[label][name] - ablation["principal axes"][name]


setting = {"steps": ablation_steps, "image_set": image_set, "unseen_set": unseen_set}
start_worth = worth("random rotations", "black")
ablated = sb.report.record(
    "glow-ablation",
    "start",
    start_worth,
    "bits/dim saved on black images",
    setting=setting,
    trend=sb.report.at_least("saved by principal axes", start_worth, 0.1),
)
for metric, label, name in (
    ("mix-black", "no simple images", "black"),
    ("mix-unseen", "no simple images", unseen_set),
    ("rate-quarter", "a quarter of the rate", image_set),
    ("rate-four", "four times the rate", image_set),
):
    sb.report.record("glow-ablation", metric, worth(label, name), "bits/dim saved", setting=setting)
ablated

# %% [markdown]
# **What you should see.** Principal axes save 0.55<!--=glow-ablation.start:.2f--> bits per dimension on black images against random
# rotations. A black image is a single point; giving it a high density takes extreme scales, and these are quick to learn along
# axes on which images differ little. The simple images in the mix save 0.11<!--=glow-ablation.mix-black:.2f--> on black images and
# 0.00<!--=glow-ablation.mix-unseen:.2f--> on images never seen (nothing or less where the training images are simple enough
# themselves, as many of the bundled photographs are). The rate above saves 0.16<!--=glow-ablation.rate-quarter:.2f--> on the test
# images against a quarter of it, and -0.01<!--=glow-ablation.rate-four:.2f--> against four times as much.
#
# ## Backwards: samples
#
# From here on we use a shipped model, trained for longer. To sample, draw latents $z \sim \mathcal N(0, T^2)$ and run the network
# backwards. The temperature $T$ shrinks the latents: less surprise, fewer bits.

# %%
model = sb.density.load(shipped, device)
size = model.image_size
frames, labels, sample_bits = [], [], []
for temperature in (0.0, 0.3, 0.5, 0.7, 0.85, 1.0):
    samples = model.sample(16, temperature, torch.Generator().manual_seed(seed))
    measured = model.bits_per_dim(samples, torch.Generator().manual_seed(seed), quantised=True)
    sample_bits.append(float(measured.mean()))
    frames.append(sb.report.image_grid(samples, columns=8, zoom=0.8))
    labels.append(f"T = {temperature:.2f}: {sample_bits[-1]:.2f} bits/dim")
alts = [f"Sixteen samples at temperature {label}." for label in labels]
sb.report.slider(frames, labels, alts, "temperature")

# %%
ends = {"cold": sample_bits[0], "hot": sample_bits[-1]}
for name, value in ends.items():
    rises = sb.report.increasing(ends)
    sb.report.record(
        "glow-samples", name, value, "bits/dim", setting={"density": shipped}, trend=rises
    )

# %% [markdown]
# **What you should see.** At $T = 0$ all samples are one nearly flat image, that of zero latents, at
# 1.28<!--=glow-samples.cold:.2f--> bits per dimension. With rising temperature come smooth gradients, then edges, then texture, up
# to 2.10<!--=glow-samples.hot:.2f-->. A model of this size draws no objects, and it need not: it is a ruler.
#
# ## Interpolation
#
# Half way between two images *in pixels* lies a double exposure. Half way between their latents lies something else.

# %%
unseen = sb.data.load(unseen_set, "test").draw(2, seed)
right = torch.cat([images.to_float(size, 3, device)[:3] for images in (pictures, unseen)])
left = right.roll(1, 0)
z_left, z_right = model.encode(left), model.encode(right)
frames, labels, half_way = [], [], None
for weight in (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0):
    between = [a + weight * (c - a) for a, c in zip(z_left, z_right, strict=True)]
    ways = (model.decode(between).clamp(0, 1), left + weight * (right - left))
    noise = torch.Generator().manual_seed(seed)
    cost = [float(model.bits_per_dim(way, noise, quantised=True).mean()) for way in ways]
    half_way = cost if weight == 0.5 else half_way
    rows = ["latents", "pixels"]
    frames.append(sb.report.image_grid(torch.cat(ways), columns=len(left), row_titles=rows))
    labels.append(f"{weight:.0%} of the way: latents {cost[0]:.2f}, pixels {cost[1]:.2f} bits/dim")
alts = [f"Images on the way between pairs, {label}." for label in labels]
sb.report.slider(frames, labels, alts, "way")

# %%
for name, value in zip(("latents", "pixels"), half_way, strict=True):
    sb.report.record("glow-half-way", name, value, "bits/dim", setting={"density": shipped})

# %% [markdown]
# **What you should see.** Half way, the double exposures cost 1.51<!--=glow-half-way.pixels:.2f--> bits per dimension and the images
# from between the latents 1.17<!--=glow-half-way.latents:.2f-->. Neither is a picture of anything: this model knows edges and
# texture, not objects, and a straight line between two images leads through what it finds likely, which is smoother than both.
#
# ## What low-bit directions look like
#
# Which change of an image lowers its bits fastest? In pixel space that is $-\partial\,\mathrm{bpd}/\partial x$. In latent space we
# take a small step along $-\partial\,\mathrm{bpd}/\partial z$ and look at what it does to the image. Each row is drawn on one
# scale, grey meaning no change.

# %%
x = pictures.to_float(size, 3, device).requires_grad_()
pixel_direction = -torch.autograd.grad(
    model.bits_per_dim(x, torch.Generator().manual_seed(seed)).sum(), x
)[0]
z = [v.detach().requires_grad_() for v in model.encode(x)]
cost = model.bits_per_dim(model.decode(z).clamp(0, 1), torch.Generator().manual_seed(seed)).sum()
downhill = [-g for g in torch.autograd.grad(cost, z)]
length = torch.cat([v.flatten(1) for v in downhill], 1).norm(dim=1)[:, None, None, None]
with torch.no_grad():
    latent_direction = (
        model.decode([v + 1.0 * g / length for v, g in zip(z, downhill, strict=True)]) - x
    )


def high_frequency_share(direction: torch.Tensor) -> float:
    """Share of the power above half the highest frequency."""
    power = torch.fft.fft2(direction).abs().square().sum((0, 1))
    frequency = torch.fft.fftfreq(size, device=power.device).abs()
    return float(
        power[torch.maximum(frequency[:, None], frequency[None]) > 0.25].sum() / power.sum()
    )


def as_picture(direction: torch.Tensor) -> torch.Tensor:
    """Directions as unit vectors, drawn around mid-grey on one scale for the row."""
    unit = direction / direction.flatten(1).norm(dim=1)[:, None, None, None]
    return (0.5 + 0.5 * unit / unit.abs().quantile(0.98)).clamp(0, 1)


# %% tags=["hide-input"]
shares = {
    "in pixels": high_frequency_share(pixel_direction),
    "in latents": high_frequency_share(latent_direction),
}
figure = sb.report.image_grid(
    torch.cat((x, as_picture(pixel_direction), as_picture(latent_direction))),
    columns=6,
    row_titles=["image", *(f"{name}\n{share:.0%} fine" for name, share in shares.items())],
)
sb.report.show(
    figure,
    alt="Three rows. Six photographs; the direction of fewest bits in pixel space, which looks like fine grain; the direction "
    "through latent space, in which the shapes of the photographs can be made out.",
    caption="Downhill in bits: image, direction in pixels, direction through latents. “Fine” is the share of power above half the highest frequency.",
)

# %%
directions = sb.report.record(
    "glow-directions",
    "fine-in-pixels",
    shares["in pixels"],
    "share of power",
    setting={"density": shipped},
    trend=sb.report.increasing(
        {"through latents": shares["in latents"], "in pixels": shares["in pixels"]}
    ),
)
sb.report.record(
    "glow-directions",
    "fine-in-latents",
    shares["in latents"],
    "share of power",
    setting={"density": shipped},
)
directions

# %% [markdown]
# **What you should see.** In pixels, a share of 0.78<!--=glow-directions.fine-in-pixels:.2f--> of the gradient's power is fine grain;
# through the latents it is 0.08<!--=glow-directions.fine-in-latents:.2f-->, and the shapes of the image appear. Whoever
# wants to remove an *object* with the bit loss must get past the grain first. This is why simplification in the next part begins with
# few bits, and why simplification after training works in the latents at once.
#
# ## Against the published models
#
# SimpleBits builds on public models of 32 and 6 steps a level with 512 and 128 hidden channels, 44,155,008 and 1,219,992
# parameters. If the layers here are theirs, the counts must agree to the last parameter.

# %%
# NBVAL_CHECK_OUTPUT
for public_steps, public_hidden in ((32, 512), (6, 128)):
    public = sb.density.Glow(levels=3, steps=public_steps, hidden=public_hidden, generator=rng)
    print(
        f"{public_steps} steps, {public_hidden} hidden: {sum(p.numel() for p in public.parameters()):,}"
    )

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** NICE, an older flow, uses additive couplings, $y_2 = x_2 + t(x_1)$. What is their log-determinant? How can such a
# model then give a black image a high density at all?
#
# <details><summary>Solution</summary>
#
# The Jacobian is triangular with ones on its diagonal, so the log-determinant is 0: couplings preserve volume. All stretching is
# then left to the ActNorms and the 1×1 convolutions (and to the learned scale of the latents), which do the same to every image.
# The black image gets its density from where its latents lie alone.
#
# </details>
#
# **Exercise 2.** Why must the channels be mixed between two couplings? Build a `Glow` whose `conv1x1` weights are all the identity
# (`set_weight(torch.eye(c))`) and find the channels that no coupling ever changes.
#
# <details><summary>Solution</summary>
#
# ```python
# still = sb.density.Glow(levels=1, steps=3, hidden=8, image_size=8)
# for s in still.flow[0]:
#     s.conv1x1.set_weight(torch.eye(12))
#     torch.nn.init.normal_(s.coupling.conv3.weight, std=0.1)
# v = torch.rand(1, 12, 4, 4)
# h = v
# for s in still.flow[0]:
#     h = s(h)[0]
# print((h - v).abs().amax((0, 2, 3)))
# ```
#
# The first six channels are always the half that passes unchanged. Mixing makes every channel take its turn.
#
# </details>
#
# **Exercise 3.** Load `glow-16px` and decode latents of temperature 1, 5 and 20. Do the latents come back when the images are
# encoded again? And when the images are clipped to [0, 1] first?
#
# <details><summary>Solution</summary>
#
# ```python
# m = sb.density.load("glow-16px")
# for T in (1, 5, 20):
#     z = [T * torch.randn(8, *shape) for shape in m.latent_shapes()]
#     x = m.decode(z)
#     for name, image in (("as decoded", x), ("clipped", x.clamp(0, 1))):
#         again = m.flow_forward(m.centre(image))[0]
#         print(T, name, max(float((a - c).abs().max()) for a, c in zip(z, again)))
# ```
#
# At $T = 1$ they come back, up to rounding: the map is invertible everywhere, not on images only. But some decoded values lie outside
# [0, 1]: the model spends part of its probability on images that do not exist. Clipping changes these images, and the latents do
# not come back. Hot latents lead so far out that single precision loses them; `m.double()` helps. (`encode` refuses values outside
# [0, 1], hence `flow_forward`.)
#
# </details>
#
# ## References
#
# - {cite:t}`kingma2018glow`: the model, table 1 with the parts of a step.
# - {cite:t}`dinh2017realnvp`: coupling layers, squeeze and the multi-scale architecture.
# - {cite:t}`schirrmeister2020hierarchical`: the public models whose layers are rebuilt here.
# - {cite:t}`schirrmeister2022simplebits`: what the measure is for.

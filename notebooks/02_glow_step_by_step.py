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
# **A flow is a network that runs both ways: it turns an image into Gaussian numbers. Where it lands and how much it stretches space on the way give the
# density. A small flow takes 1.59<!--=glow-from-scratch.trained:.2f--> bits a value for photographs, one Gaussian with all its correlations
# 2.15<!--=glow-from-scratch.gaussian:.2f-->, no code at all 5.**
#
# Neighbouring pixels are almost equal. How can a network turn that into fewer bits, and still give the picture back, to the last grey level?
#
# You will
#
# - bend a Gaussian into another density, and compute that density by hand;
# - build and train a flow for pairs of neighbouring pixels, and watch it straighten them out;
# - train a Glow on photographs, take its bits apart, and run it backwards to make pictures.
#
# **To know before:** [bits per dimension](01_bits_per_dimension.ipynb), whose closed box we open here; what a convolution is; that the determinant of a
# matrix says by how much it changes areas.

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
sb.report.measured_cost("02_glow_step_by_step")

# %% tags=["parameters"]
image_set = "photos"  # what both flows learn, a name for sb.data.load
unseen_set = "digits"  # measured, never learned
image_size = 16  # height and width, pixels; 32 in the paper on Glow
bit_depth = 5  # b, bits of a grey level; 8 in the paper
pair_steps = 800  # updates of the flow for pairs
steps = 4  # K, flow steps of Glow at each of its two levels; 32 at each of three in the paper
hidden = 32  # channels inside a coupling network; 512 in the paper
training_steps = 800  # updates of Glow
batch_size = 32  # images an update
learning_rate = 0.004  # of Glow's weights, at its peak
shipped = "glow-5bit"  # a Glow that was trained for longer, a name for sb.density.load
seed = 0  # of every random draw

# %% [markdown]
# ## Bend a Gaussian
#
# We want a density whose height we can compute at every place. Take one that we know, the standard normal $\mathcal{N}(0, 1)$, and bend it. Let $f$
# turn a number $x$ into a number $z$, always rising, so that $f$ can be undone. If $z$ is standard normal, how is $x$ distributed?

# %%
generator = torch.Generator().manual_seed(seed)
normal = torch.distributions.Normal(0.0, 1.0)


def f(x):
    """From x to z; steep on both sides, flat in the middle."""
    return torch.sinh(5 * x) / 4


z = torch.randn(50_000, generator=generator)
x = torch.asinh(4 * z) / 5  # f backwards

# %% [markdown]
# A small stretch $dx$ at $x$ becomes a stretch $dz = f'(x)\,dx$. Both must hold equally many of the points, so $p(x)\,dx = \mathcal{N}(z)\,dz$ and
#
# $$ \log p(x) = \log \mathcal{N}(f(x); 0, 1) + \log |f'(x)|. $$
#
# The first term asks *where* $x$ lands under the bell curve. The second asks *how much room* it gets there: where $f$ is steep, a short stretch
# of $x$ takes a long stretch of $z$ and all the points in it.

# %%
places = torch.arange(-0.8, 0.8, 0.02) + 0.01
slope = 1.25 * torch.cosh(5 * places)  # f'
height = (normal.log_prob(f(places)) + slope.log()).exp()
counted = torch.histc(x, len(places), -0.8, 0.8) / len(x) / 0.02

# %% tags=["hide-input"]
figure, (upper, lower) = plt.subplots(2, 1, figsize=(6, 4.2), sharex=True, height_ratios=[1.2, 1])
upper.plot(places, f(places), color=sb.report.COLOURS["black"])
for edge in (-2.0, -1.0, 0.0, 1.0, 2.0):
    foot = float(torch.asinh(torch.tensor(4 * edge)) / 5)
    upper.plot([-0.8, foot, foot], [edge, edge, -3.6], color="#b0b0b0", linewidth=1)
    lower.axvline(foot, color="#b0b0b0", linewidth=1)
upper.set(ylabel="z = f(x)", ylim=(-3.6, 3.6), xlim=(-0.8, 0.8), yticks=range(-3, 4))
upper.grid(visible=False)
lower.bar(places, counted, width=0.02, color=sb.report.COLOURS["sky"], label="counted")
lower.plot(places, height, color=sb.report.COLOURS["orange"], label="formula")
lower.set(xlabel="x", ylabel="density")
lower.grid(visible=False)
figure.legend(loc="outside upper right", ncols=2)
sb.report.show(
    figure,
    alt="Above, the rising curve f, flat in the middle and steep at both sides, with grey lines from equal steps of z down to x: "
    "they are close together at the sides. Below, the histogram of x has two humps at the sides, and the formula runs along its top.",
    caption="Above: equal steps of z (grey) are narrow in x where f is steep. Below: 50,000 numbers x, counted, and the formula.",
)

# %%
# NBVAL_CHECK_OUTPUT
print("there and back:", torch.allclose(f(x), z, atol=1e-4))
print("the formula agrees with the counts:", bool((height - counted).abs().max() < 0.1))
print(f"the area under it: {(height * 0.02).sum():.2f}")

# %% [markdown]
# **What you should see.** One hump has become two, like a picture with dark and bright pixels and little between. Nothing was fitted yet. To learn a
# density means to find an $f$ for which real data become standard normal.
#
# In many dimensions the slope becomes a matrix, the Jacobian $\partial z / \partial x$, and what counts is by how much it changes volumes:
#
# $$ \log p(x) = \log \mathcal{N}(z; 0, I) + \log\left|\det \frac{\partial z}{\partial x}\right|, \qquad z = f(x) $$
#
# ([Kingma and Dhariwal (2018)](https://arxiv.org/abs/1807.03039)<!--cite:t kingma2018glow-->, equation 6). A colour image of 32×32 pixels has 3·32·32 = 3072 values, and a Jacobian of 3072×3072 numbers. So we need maps
# that can be undone *and* whose determinant is cheap. Begin with two dimensions.
#
# ## Two neighbouring pixels
#
# Take pairs from photographs: a pixel and its right neighbour, both grey. As in lesson 01, grey levels become numbers around zero, spread over their
# bins by noise: $g + u$.

# %%
levels = 2**bit_depth  # grey levels


def spread_out(images):
    """Grey levels as numbers around zero, plus noise over the bin: g + u of lesson 01."""
    g = sb.density.quantise(images, bit_depth) * (levels - 1) / levels - 0.5
    return g + torch.rand(g.shape, generator=generator) / levels


def draw_pairs(images, count):
    """Pixels beside their right neighbours."""
    g = spread_out(images.to_float(image_size, channels=1))
    both = torch.stack((g[..., :-1].flatten(), g[..., 1:].flatten()), dim=1)
    return both[torch.randint(len(both), (count,), generator=generator)]


# %%
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
test = test.draw(min(500, len(test)), seed)
train_pairs, test_pairs = draw_pairs(train, 20_000), draw_pairs(test, 5_000)

# %% [markdown]
# What does a pair cost without any network? Try two ways. Count how often each of the 32×32 possible pairs of grey levels occurs (plus a tenth, so that no
# pair is impossible), and keep the table. It gives the probability of a pair directly, so its bits need no density. Or take a Gaussian with the mean, the
# spread and the correlation of the pairs.

# %%
number = torch.tensor([levels, 1])  # where a pair of grey levels stands in the table
seen, asked = (((pairs + 0.5) * levels).long() @ number for pairs in (train_pairs, test_pairs))
counts = torch.bincount(seen, minlength=levels**2) + 0.1
table_bits = float(-torch.log2(counts / counts.sum())[asked].mean() / 2)

# %%
nats = math.log(2)  # in a bit


def bits(log_p, d):
    """Bits per dimension from a log-density, lesson 01."""
    return bit_depth - log_p / (d * nats)


def gaussian_bits(train, test):
    """Fit one Gaussian with all correlations, measure others under it."""
    train, test = train.double(), test.double()
    fitted = torch.distributions.MultivariateNormal(train.mean(0), torch.cov(train.T))
    return float(bits(fitted.log_prob(test), test.shape[1]).mean())


pair_gaussian = gaussian_bits(train_pairs, test_pairs)
print(f"table {table_bits:.2f} bits a value, Gaussian {pair_gaussian:.2f}")

# %% [markdown]
# The table is hard to beat, but it has no future: for a colour image of 16×16 pixels, which has 3·16·16 = 768 values, it would need $32^{768}$ entries.
# The Gaussian works for whole images too, as we shall see, but the cloud of pairs is no ellipse.
#
# ## A coupling: one stays, the other moves
#
# Let the first pixel $x_1$ stay as it is. A small network reads it and says how the second one is to be shifted and scaled
# ([Dinh et al., 2017](https://arxiv.org/abs/1605.08803))<!--cite:p dinh2017realnvp-->:
#
# $$ y_1 = x_1, \qquad y_2 = (x_2 + t(x_1)) \cdot s(x_1). $$
#
# The network inside may be anything, since nobody ever has to undo *it*. Going back we still have $x_1$, so we can ask the network again:
# $x_2 = y_2 / s(x_1) - t(x_1)$. And the determinant is a gift. In the Jacobian,
#
# $$ \frac{\partial y}{\partial x} = \begin{pmatrix} 1 & 0 \\ \ast & s(x_1) \end{pmatrix}, $$
#
# the awkward derivatives of the network stand in the corner $\ast$. The determinant is $1 \cdot s - 0 \cdot \ast$: the corner is multiplied by the zero
# across from it and does not count. (In general, a matrix with only zeros above or below its diagonal has the product of the diagonal as its
# determinant.) So the determinant is $s$, and its logarithm is $\log s$.
#
# The scale has to be positive. We take $s = 2\sigma(r)$, where $r$ comes from the network and $\sigma$ is the sigmoid. Then $r = 0$ changes nothing, and
# one coupling can stretch as well as squeeze. Glow's own choice, below, only squeezes and leaves the stretching to another part.

# %%
width = 32  # of the small network


class Coupling(torch.nn.Module):
    """One pixel stays and says how the other one moves."""

    def __init__(self, stays):
        super().__init__()
        self.stays, self.moves = stays, 1 - stays
        inner, outer = torch.nn.Linear(1, width), torch.nn.Linear(width, 2)
        for weights in inner.parameters():
            torch.nn.init.normal_(weights, generator=generator)
        for weights in outer.parameters():
            torch.nn.init.zeros_(weights)  # t = 0 and s = 1: no change at first
        self.network = torch.nn.Sequential(inner, torch.nn.ReLU(), outer)

    def shift_and_scale(self, x):
        t, r = self.network(x[:, [self.stays]]).T
        return t, 2 * torch.sigmoid(r)  # s lies between 0 and 2

    def forward(self, x):
        t, s = self.shift_and_scale(x)
        y = x.clone()
        y[:, self.moves] = (x[:, self.moves] + t) * s
        return y, s.log()

    def inverse(self, y):
        t, s = self.shift_and_scale(y)
        x = y.clone()
        x[:, self.moves] = y[:, self.moves] / s - t
        return x


# %% [markdown]
# One coupling moves one pixel only. So put several in a row and let them take turns. Maps in a row multiply their determinants, so the logarithms *add up*
# (the paper's equation 7). Before the first coupling we bring both pixels to mean 0 and standard deviation 1, which counts too.

# %%
mean, deviation = train_pairs.mean(0), train_pairs.std(0)


def path(flow, pairs):
    """Where the pairs are, and log|det| so far: at the start and after each coupling."""
    x = (pairs - mean) / deviation
    log_det = -deviation.log().sum().expand(len(x))
    stops = [(x, log_det)]
    for coupling in flow:
        x, change = coupling(x)
        log_det = log_det + change
        stops.append((x, log_det))
    return stops


def pair_bits(x, log_det):
    """Bits a value: where the pair lands, and how much room it gets."""
    return bits(normal.log_prob(x).sum(1) + log_det, 2)


# %% [markdown]
# Training makes the data likely: it lowers the mean bits. That is all of the loss.

# %%
together = 512  # pairs an update


def train_flow(flow):
    """Lower the bits of the training pairs."""
    adam = torch.optim.Adam(flow.parameters(), lr=0.01)
    for _ in range(pair_steps):
        batch = train_pairs[torch.randint(len(train_pairs), (together,), generator=generator)]
        loss = pair_bits(*path(flow, batch)[-1]).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return flow.requires_grad_(False)


# %%
flow = train_flow(torch.nn.ModuleList(Coupling(stays=k % 2) for k in range(6)))
stops = path(flow, test_pairs)
pair_path = [float(pair_bits(*stop).mean()) for stop in stops]
print("bits a value after 0, 1, ... couplings:", *(f"{value:.2f}" for value in pair_path))

# %% [markdown]
# Does it run backwards, and is the sum of the $\log s$ really the log-determinant? Compare with the full 2×2 Jacobian, which automatic differentiation
# gives.

# %%
# NBVAL_CHECK_OUTPUT
z, log_det = stops[-1]
back = z
for coupling in reversed(flow):
    back = coupling.inverse(back)
back = back * deviation + mean
jacobian = torch.func.jacrev(lambda pair: path(flow, pair[None])[-1][0][0])(test_pairs[0])
print("the pairs come back:", torch.allclose(back, test_pairs, atol=1e-3))
print(
    "log-determinant:",
    torch.allclose(torch.linalg.slogdet(jacobian)[1], log_det[0], atol=1e-3),
)

# %% [markdown]
# ## Watch the pairs being straightened out
#
# On the left are the test pairs, near the diagonal, since neighbours are alike. A square grid lies over the plane. Move the slider: on the right the
# same points, with the same grid, after $k$ couplings. Where the grid is orange it has been stretched, where it is purple it has been squeezed. The
# colour counts areas and compares them with $k = 0$, so the first rescaling is left out: where the scale says 3, a small square is eight times as large
# as at $k = 0$, and where it says −3, an eighth. The circles belong to the standard normal: 39, 86 and 99 % of
# its points lie inside.

# %% tags=["hide-input"]
fine = torch.linspace(-0.5, 0.5, 65)
corners = torch.cartesian_prod(fine, fine)
middles = torch.cartesian_prod(fine[:-1] + 1 / 128, fine[:-1] + 1 / 128)
grid_stops, middle_stops = path(flow, corners), path(flow, middles)
shown = slice(0, 700)


def draw_plane(axes, where, stretched, points):
    """A square grid, coloured by how much each place was stretched, and points over it."""
    across, up = where.reshape(65, 65, 2).unbind(-1)
    axes.grid(visible=False)
    # Few colours and sharp edges keep the file small.
    mesh = axes.pcolormesh(
        *(across, up, stretched.reshape(64, 64)),
        cmap=plt.get_cmap("PuOr_r", 15), vmin=-7.5, vmax=7.5, antialiased=False,
    )  # fmt: skip
    axes.plot(across[:, ::4], up[:, ::4], color="#8a8a8a", linewidth=0.4)
    axes.plot(across[::4].T, up[::4].T, color="#8a8a8a", linewidth=0.4)
    axes.scatter(*points[shown].T, s=2, color=sb.report.COLOURS["black"], linewidths=0)
    axes.set_aspect("equal")
    return mesh


frames, labels = [], []
for k, (points, _) in enumerate(stops):
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 3.4))
    stretched = (middle_stops[k][1] - middle_stops[0][1]) / nats
    draw_plane(left, corners, stretched, test_pairs)
    mesh = draw_plane(right, grid_stops[k][0], stretched, points)
    for radius in (1, 2, 3):
        ring = plt.Circle((0, 0), radius, fill=False, color=sb.report.COLOURS["blue"], linewidth=1)
        right.add_patch(ring)
    left.set(xlabel="pixel", ylabel="its right neighbour", title="pairs", xticks=[-0.5, 0, 0.5])
    left.set(yticks=[-0.5, 0, 0.5], xlim=(-0.51, 0.51), ylim=(-0.51, 0.51))
    said = f"after {k} coupling{'s' * (k != 1)}"
    right.set(xlim=(-4, 4), ylim=(-4, 4), title=said, xticks=range(-4, 5, 2))
    right.set(yticks=range(-4, 5, 2))
    figure.colorbar(mesh, ax=right, label="log₂ of the stretch of areas", shrink=0.85)
    frames.append(figure)
    labels.append(f"{said}: {pair_path[k]:.2f} bits a value")
alts = [
    f"Left: pairs along the diagonal under a square grid. Right: the same points and grid {label}; {said}."
    for label, said in zip(
        labels,
        ["a narrow slanting cloud", *["the grid is bent, the cloud rounder"] * (len(labels) - 1)],
        strict=True,
    )
]
sb.report.slider(frames, labels, alts, "couplings k")

# %% [markdown]
# **What you should see.** Each coupling moves points in one direction only, up and down or left and right, and the cloud becomes rounder. It
# begins at 5.10<!--=glow-pairs.start:.2f--> bits a value: as long as each pixel is a bell curve of its own, little or nothing is saved against the 5 bits of no code.
# Six couplings bring it down to 3.73<!--=glow-pairs.flow:.2f-->. The Gaussian with its correlation stays at
# 4.22<!--=glow-pairs.gaussian:.2f-->, the table of counts reaches 3.61<!--=glow-pairs.table:.2f-->. So in the default run the flow comes near the table,
# and it needs no table. Look at where the bits are saved. Along the diagonal, where most pairs are, the plane is stretched (orange): there the density
# is high, and the pairs are cheap. In the default run the plane is stretched most at the dark end of the diagonal. Two corners, where hardly a pair is, are
# squeezed (purple) and pay for it.
#
# ## From pairs to images: three parts
#
# Glow does the same with images. Its step has three parts. Each can be undone, and each has a determinant that can be read off
# (table 1 of [Kingma and Dhariwal (2018)](https://arxiv.org/abs/1807.03039)<!--cite:t kingma2018glow-->; $h \times w$ are the pixels, a *channel* is one number of each pixel).
#
# | part | what it does | backwards | $\log\lvert\det\rvert$ |
# |---|---|---|---|
# | ActNorm | shift each channel by its $m$ and scale it by its $e^a$, $y = e^{a}\,(x + m)$ | $x = e^{-a} y - m$ | $h\,w \sum a$ over channels |
# | 1×1 convolution | mix the channels, at each pixel with the same matrix, $y = W x$ | $x = W^{-1} y$ | $h\,w \log\lvert\det W\rvert$ |
# | coupling | half of the channels stays, the other half moves, $y_2 = (x_2 + t)\,s$ | $x_2 = y_2 / s - t$ | sum of all $\log s$ |
#
# ActNorm is the "mean 0, standard deviation 1" of the pairs, learned: $m$ is the shift, $a$ the logarithm of the scale. The coupling always moves the
# second half of the channels. The 1×1 convolution before it puts other mixtures of channels there, so that over several steps everything is moved; the
# couplings of the pairs took turns instead. The coupling's network has three
# convolutions now, so that a pixel's shift can depend on its neighbours. Glow's published code takes $s = \sigma(r + 2)$, with $r$ from the
# network. So $s$ lies between 0 and 1, and is 0.88 before training, since the last convolution starts at zero. Why not $s = e^r$, as in the
# paper's table? A factor that cannot exceed 1 cannot explode, and ActNorm brings the size back.

# %%
step = sb.density.GlowStep(6, hidden=16, generator=generator).double()
for weights in step.parameters():  # away from where they start, so that every part does something
    weights.data += 0.1 * torch.randn(weights.shape, generator=generator)


def step_by_hand(step, x):
    """One step of Glow, and its log-determinant."""
    pixels = x.shape[2] * x.shape[3]
    a, m = step.actnorm.log_scale, step.actnorm.bias
    x = a.exp()[:, None, None] * (x + m[:, None, None])
    mix = step.conv1x1.weight
    x = torch.einsum("oc,nchw->nohw", mix, x)
    first, second = x.chunk(2, dim=1)
    t, r_plus_2 = step.coupling.shift_and_scale(first)  # the three convolutions
    s = torch.sigmoid(r_plus_2)
    y = torch.cat((first, (second + t) * s), dim=1)
    same_everywhere = pixels * (a.sum() + torch.linalg.slogdet(mix)[1])
    return y, same_everywhere + s.log().flatten(1).sum(1)


# %%
# NBVAL_CHECK_OUTPUT
x = torch.randn(4, 6, 8, 8, dtype=torch.float64, generator=generator)
(by_hand, log_det), (by_library, library_log_det) = step_by_hand(step, x), step(x)
print("by hand and by the library agree:", torch.allclose(by_hand, by_library))
print("and so do the log-determinants:", torch.allclose(log_det, library_log_det))
print("the step can be undone:", torch.allclose(step.inverse(by_library), x))

# %% [markdown]
# The library is faster in two ways. It multiplies the ActNorm into the convolution beside it. And it keeps $W$ as a product of a permutation and two
# triangular matrices: the determinant of a triangle is the product of its diagonal, so nothing has to be computed, and $W$ cannot lose its inverse while
# it is learned (the paper's equations 10 and 11).
#
# ## Two rearrangements: squeeze and leave
#
# An image in colour has three channels. To have neighbours in *different* channels, where a coupling can compare them, Glow first *squeezes* the
# image: each block of 2×2 pixels becomes one pixel with four times as many channels. Nothing is computed. Here is a grey photograph after a squeeze.

# %% tags=["hide-input"]
pictures = sb.data.load(image_set, "test").draw(8, 11)
grey = pictures.to_float(32, channels=1)[3:4]
corner_names = ["upper left", "upper right", "lower left", "lower right"]
figure = sb.report.image_grid(
    sb.density.squeeze(grey).transpose(0, 1), titles=corner_names, columns=4, zoom=1.4
)
sb.report.show(
    figure,
    alt="Four small grey pictures of one scene, nearly equal.",
    caption="A photograph of 32×32 pixels after the squeeze: four channels of 16×16, one for each corner of the 2×2 blocks.",
)

# %% [markdown]
# Four nearly equal pictures: neighbours have become channels, and couplings can subtract one from the other. After $K$ steps, half of the channels *leave*:
# they are final and become latents, the numbers that should be standard normal. The other half is squeezed again and goes through
# $K$ more steps. One squeeze, $K$ steps and one leaving together are called a *level* of Glow (not to be confused with a grey level); in the last level
# all channels leave. Later levels see a coarser image, and look farther with the same small convolutions.

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(8, 2.1), layout="none")
axes.set(xlim=(0, 14.6), ylim=(-1.1, 2.55), aspect="equal")
axes.set_axis_off()
figure.subplots_adjust(0, 0, 1, 1)


def draw_stack(left, side, count, colours, text, below=0.0):
    """Channels as squares, one behind the other."""
    for i in reversed(range(count)):
        place = left + 0.06 * i, below + 0.06 * i
        colour = sb.report.COLOURS[colours[i * len(colours) // count]]
        axes.add_patch(
            plt.Rectangle(place, side, side, facecolor=colour, edgecolor="white", linewidth=0.8)
        )
    width = side + 0.06 * (count - 1)
    axes.text(left + width / 2, below - 0.12, text, ha="center", va="top", fontsize=9)
    return left + width


def draw_arrow(left, right, text, height=0.8):
    """What happens between two stacks."""
    axes.annotate("", (right, height), (left, height), arrowprops={"arrowstyle": "->"})
    axes.text((left + right) / 2, height + 0.1, text, ha="center", va="bottom", fontsize=9)


end = draw_stack(0.2, 1.8, 3, ["sky"], f"image\n3×{image_size}×{image_size}")
draw_arrow(end + 0.15, end + 1.2, "squeeze")
half, quarter = image_size // 2, image_size // 4
end = draw_stack(end + 1.35, 0.9, 12, ["sky"], f"12×{half}×{half}")
draw_arrow(end + 0.15, end + 1.2, "K steps")
end = draw_stack(end + 1.35, 0.9, 12, ["orange", "sky"], "6 channels leave,\n6 go on")
draw_arrow(end + 0.15, end + 1.2, "squeeze")
end = draw_stack(end + 1.35, 0.45, 24, ["sky"], f"24×{quarter}×{quarter}")
draw_arrow(end + 0.15, end + 1.2, "K steps")
end = draw_stack(end + 1.35, 0.45, 24, ["orange"], "all leave")
sb.report.show(
    figure,
    alt="From left to right: an image of three channels; after the squeeze twelve channels of half the height and width; after K "
    "steps six of them leave, drawn in orange, and six go on; squeezed again, 24 channels of a quarter of the height; after K more "
    "steps all leave.",
    caption="A Glow of two levels. Orange: what leaves becomes latents.",
)

# %%
# NBVAL_CHECK_OUTPUT
architecture = {"levels": 2, "steps": steps, "hidden": hidden, "image_size": image_size}


def fresh():
    """An untrained Glow, always the same."""
    draw = torch.Generator().manual_seed(seed)
    return sb.density.Glow(**architecture, bit_depth=bit_depth, generator=draw)


glow = fresh()
sizes = [math.prod(z) for z in glow.latent_shapes()]
print("latents:", glow.latent_shapes())
print("as many numbers as the image has:", sum(sizes) == glow.dims)

# %% [markdown]
# ## Train a Glow
#
# The loss is the one of the pairs. The bits of an image, by hand:

# %%
everything = train.to_float(image_size, channels=3)
everything = sb.density.quantise(everything, bit_depth)


def bits_by_hand(glow, images, generator):
    """Bits per dimension of images."""
    latents, log_det = glow.flow_forward(glow.dequantise(images, generator))  # of g + u
    log_normal = sum(normal.log_prob(z).flatten(1).sum(1) for z in latents)
    return bits(log_normal + log_det, glow.dims)


def train_by_hand(glow, updates):
    """Draw images, measure, step."""
    generator = torch.Generator().manual_seed(0)
    adam = torch.optim.Adam(glow.parameters(), lr=learning_rate)
    for _ in range(updates):
        index = torch.randint(len(everything), (batch_size,), generator=generator)
        loss = bits_by_hand(glow, everything[index], generator).mean()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(glow.parameters(), 1.0)  # no step may be too long
        adam.step()


# %% [markdown]
# Where does the training start? `initialise` looks at a batch. Each ActNorm brings its channels to mean 0 and standard deviation 1. And the first 1×1
# convolution of each level turns to the *principal axes* of what it sees, the directions in which the data spread most, as in PCA. For neighbouring
# pixels these are mostly averages and differences. All other 1×1 convolutions swap the two halves. The paper starts from random rotations instead.
#
# At the start the coupling networks give $t = 0$ and the same $s$ everywhere, so the whole Glow is one linear map (and a shift) that needs no learning.
# A linear map of Gaussian numbers is a Gaussian with correlations. So the best that a linear Glow can be is the one Gaussian that fits the images best.

# %%
draw = torch.Generator().manual_seed(0)
first_batch = everything[torch.randint(len(everything), (256,), generator=draw)]
glow.initialise(first_batch, start="pca", generator=draw)
held_out = test.to_float(image_size, channels=3)
start_bits = sb.density.mean_bits(glow, held_out)

# %% [markdown]
# `sb.density.fit` first calls `initialise` itself. Then it has the same loop, with care added: the rate rises and falls, images are mirrored, and the
# model ends with an average of its last weights. Without these, one update is the same.

# %%
# NBVAL_CHECK_OUTPUT
plain = {"warm_up": 0, "cool_down": 0.0, "average": 0.0, "flip": False, "bf16": False}
options = {"batch_size": batch_size, "learning_rate": learning_rate, "progress": False}
by_library = fresh()
sb.density.fit(by_library, train, steps=1, seed=0, **options, **plain)
train_by_hand(glow, 1)
agree = [
    torch.allclose(a, b, atol=1e-4)
    for a, b in zip(glow.parameters(), by_library.parameters(), strict=True)
]
print("after one update all weights agree:", all(agree))

# %%
glow = fresh()
history = sb.density.fit(glow, train, steps=training_steps, seed=seed, **options)

# %% [markdown]
# Beside it, the fair rival: that one Gaussian for whole images, with the correlations of all 768 values. No linear map can fit the training images better.

# %%
few = train.draw(min(10_000, len(train)), seed).to_float(image_size, channels=3)
gaussian = gaussian_bits(spread_out(few).flatten(1), spread_out(held_out).flatten(1))
unseen = sb.data.load(unseen_set, "test")
unseen = unseen.draw(min(500, len(unseen)), seed).to_float(image_size, channels=3)
trained = {
    name: sb.density.mean_bits(glow, x) for name, x in (("seen", held_out), ("unseen", unseen))
}
print(f"Gaussian {gaussian:.2f}, start {start_bits:.2f}, trained {trained['seen']:.2f} bits/dim")

# %% tags=["hide-input"]
window = min(20, training_steps)
smooth = torch.tensor(history.losses).unfold(0, window, 1).nanmean(1)
figure, axes = plt.subplots(figsize=(6.8, 3))
axes.plot(history.losses, color=sb.report.COLOURS["sky"], linewidth=0.6, label="each batch")
axes.plot(
    range(window // 2, window // 2 + len(smooth)),
    smooth,
    color=sb.report.COLOURS["blue"],
    label=f"mean of {window}",
)
for value, name, style in ((bit_depth, "no code", "--"), (gaussian, "one Gaussian", ":")):
    axes.axhline(value, color=sb.report.COLOURS["black"], linestyle=style, linewidth=1.2)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    axes.text(training_steps, value + 0.08, name, ha="right", va="bottom", fontsize=9, bbox=box)
axes.plot(
    [0, training_steps],
    [start_bits, trained["seen"]],
    "o",
    color=sb.report.COLOURS["orange"],
    label="test images",
)
axes.set(xlabel="update", ylabel="bits per dimension", ylim=(0, bit_depth + 0.6))
axes.legend(loc="lower left", ncols=3)
sb.report.show(
    figure,
    alt=f"The bits of the training batches start near {history.losses[0]:.1f}, far below the {bit_depth} of no code, and fall slowly, below "
    "the dotted line of one Gaussian. Two dots are test images before and after the training.",
    caption="Bits per dimension while Glow learns. Dotted: test images under one Gaussian. Dashed: no code.",
)

# %% [markdown]
# **What you should see.** Before the first update, the linear start takes 2.25<!--=glow-from-scratch.start:.2f--> bits a value for test photographs, where no
# code takes 5: most of the gain costs no learning. The Gaussian takes 2.15<!--=glow-from-scratch.gaussian:.2f-->. Training brings Glow to
# 1.59<!--=glow-from-scratch.trained:.2f-->. What a linear map cannot do, the couplings can: for example, expect little change where the image is flat and
# much at an edge. Images of a set that Glow has not seen, digits in the default run, take 1.66<!--=glow-from-scratch.unseen:.2f-->. In that run the test
# photographs are a little cheaper than the training ones, already before training; so read the training from the dots, not from curve to dot.
#
# ## What leaves first
#
# From here on we take a Glow that comes with the library. It has three levels, larger images (32×32), other training images and a longer training. So
# its bits cannot be compared, number by number, with those of the small Glow above. Its couplings take $s = 0.1 + 0.9\,\sigma(r + 2)$, so that
# dividing by $s$ is always safe. Turn photographs into latents, set those of the first levels to zero, and go back.

# %%
# NBVAL_CHECK_OUTPUT
model = sb.density.load(shipped)
size, depth = model.image_size, len(model.latent_shapes())
photos = sb.density.quantise(pictures.to_float(size, channels=3), bit_depth)
latents = model.encode(photos)
again = sb.density.quantise(model.decode(latents), bit_depth)
print("the photographs come back, to the last grey level:", torch.equal(again, photos))

# %%
rows = {"all latents": photos}
for gone in range(1, depth):
    kept = [torch.zeros_like(z) if i < gone else z for i, z in enumerate(latents)]
    share = sum(z[0].numel() for z in latents[gone:]) / model.dims
    rows[f"last {100 * share:.0f} % kept"] = model.decode(kept).clamp(0, 1)

# %% tags=["hide-input"]
figure = sb.report.image_grid(torch.cat([*rows.values()]), columns=8, row_titles=[*rows])
sb.report.show(
    figure,
    alt="Rows of eight photographs. Without the latents that leave first they look almost the same; without those of the next level "
    "fine detail is gone and blurred shapes are left.",
    caption="Photographs from all their latents, and from those alone that leave later; the others are zero.",
)

# %% [markdown]
# **What you should see.** The latents of the first level are half of all numbers, and without them the pictures hardly change. They hold the finest
# grain: by how much a pixel differs from what its neighbours let one expect. With the last quarter alone, pictures are blurred, with a checked pattern
# where the finer latents are missing. That quarter, the last level, holds the coarse picture.
#
# ## Run it backwards
#
# A flow is also a machine for new images. Draw latents, go back. The *temperature* $T$ is the standard deviation of the latents. At $T = 1$ they are
# drawn as the model believes them to be; a lower $T$ keeps them nearer to zero, the middle.

# %%
shapes = model.latent_shapes()


def sample(count, temperature):
    """New images: Gaussian numbers, backwards through the flow."""
    draw = torch.Generator().manual_seed(seed)
    z = [temperature * torch.randn(count, *s, generator=draw) for s in shapes]
    return model.decode(z).clamp(0, 1)


# %%
# NBVAL_CHECK_OUTPUT
library = model.sample(8, 0.7, torch.Generator().manual_seed(seed))
print("the library draws the same:", torch.allclose(sample(8, 0.7), library, atol=1e-5))

# %% tags=["hide-input"]
temperatures = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0)
drawn = {t: sample(16, t) for t in temperatures}
hot = {t: sb.density.mean_bits(model, x) for t, x in drawn.items()}
real_bits = sb.density.mean_bits(model, photos)
labels = [
    f"T = {t}: samples {hot[t]:.2f} bits/dim, photographs {real_bits:.2f}" for t in temperatures
]
sb.report.slider(
    [
        sb.report.image_grid(
            torch.cat((x, photos)),
            columns=8,
            row_titles=["samples", "samples", "photographs"],
            zoom=0.85,
        )
        for x in drawn.values()
    ],
    labels,
    [f"Sixteen samples above eight real photographs. {label}." for label in labels],
    "temperature",
)

# %% [markdown]
# **What you should see.** With rising temperature come smooth patches, then edges, then texture, and the bits rise from 1.28<!--=glow-samples.cold:.2f-->
# to 2.10<!--=glow-samples.hot:.2f--> at $T = 1$. The photographs, only eight here, cost 1.55<!--=glow-samples.photos:.2f-->. Were the model perfect,
# samples at $T = 1$ would cost on average what photographs cost. Ours is not: in the default run the two are level between $T = 0.6$ and $0.7$. No sample
# shows an object. The flow knows how neighbours go together, not what is in the picture. As a ruler of bits it need not know more.
#
# ## The middle is not the cheapest
#
# At $T = 0$ all latents are zero, the highest point of the Gaussian. The image is almost flat, and flat images were cheap in lesson 01. Yet it takes more bits
# than a handwritten digit: those take 1.01<!--=glow-samples.digits:.2f--> under this Glow. Why? Measure the point itself. Then add the noise $u$. Then round
# to grey levels too, as always. And then replace the image by one flat image of its mean colour.

# %%
middle = sample(1, 0.0).repeat(20, 1, 1, 1)
flat = middle.mean((2, 3), keepdim=True).expand_as(middle)
with torch.no_grad():
    point_bits = float(bits(model.log_density(model.centre(middle)), model.dims).mean())
    noisy_bits = float(model.bits_per_dim(middle, generator).mean())  # adds noise
# mean_bits rounds to grey levels first, bits_per_dim does not
middle_bits, flat_bits = (sb.density.mean_bits(model, x) for x in (middle, flat))
print(f"point {point_bits:.2f}, with noise {noisy_bits:.2f}, and rounded {middle_bits:.2f}")
print(f"flat {flat_bits:.2f} bits/dim")

# %% [markdown]
# **What you should see.** The point itself is very cheap: 0.34<!--=glow-samples.middle-point:.2f--> bits a value. But a point is no image. Each grey level
# owns a bin, and the peak of the density is narrower than that: the noise $u$, spread over the bin, raises the bits to
# 0.92<!--=glow-samples.middle-noisy:.2f-->. The image also has a faint pattern, up to 2<!--=glow-samples.pattern:.0f--> grey levels from its mean (look at
# $T = 0$ above). Rounded to 32 grey levels it becomes a pattern of steps, which the flow does not expect, and the bits rise to
# 1.28<!--=glow-samples.middle:.2f-->. The flat image needs only 0.45<!--=glow-samples.middle-flat:.2f-->.
#
# So an image is not cheap because its latents are near zero. Bits are those of a whole bin, and the room that the bin gets counts as well. In exercise 3
# you take the two apart.
#
# ## What the papers report
#
# On CIFAR-10, at 32×32 pixels and 8 bits, [Kingma and Dhariwal (2018)](https://arxiv.org/abs/1807.03039)<!--cite:t kingma2018glow--> report 3.35 bits/dim for test images, where RealNVP, an older flow with
# couplings, has 3.49 (table 2). Our numbers are for smaller images with 5 bits and cannot stand beside these. [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits--> measure
# with a Glow of the same parts; how many steps and channels theirs has is not recorded. The table says what they report. "All black" is an image in
# which every value is 0: theirs takes 0.05 bits a value. A row with the verdict *not run* is not measured again yet.

# %% tags=["hide-input"]
sb.report.studied("simplebits.bits.order", "simplebits.bits.glow.black")

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** Let all six couplings of the pairs keep the *same* pixel. What can such a flow still learn, and what not? Guess its bits, then train it.
#
# <details><summary>Solution</summary>
#
# ```python
# lazy = train_flow(torch.nn.ModuleList(Coupling(stays=0) for _ in range(6)))
# print(pair_bits(*path(lazy, test_pairs)[-1]).mean())
# ```
#
# It takes 4.16<!--=glow-pairs.one-side:.2f--> bits a value. It can still learn what the right pixel is like, given the left one: subtract
# what the left one lets one expect, and stretch what remains. But the left pixel is never moved. For the flow it stays a bell curve, which it is not. This
# is why Glow mixes its channels between two couplings.
#
# </details>
#
# **Exercise 2.** NICE, an older flow, only shifts: $y_2 = x_2 + t(x_1)$. What is the log-determinant of such a coupling? What can a flow of them not do? Make
# one from `Coupling` and train it.
#
# <details><summary>Solution</summary>
#
# ```python
# class Shift(Coupling):
#     def shift_and_scale(self, x):
#         t, s = super().shift_and_scale(x)
#         return t, torch.ones_like(s)
#
# nice = train_flow(torch.nn.ModuleList(Shift(stays=k % 2) for k in range(6)))
# print(pair_bits(*path(nice, test_pairs)[-1]).mean())
# ```
#
# The diagonal of the Jacobian holds ones, so the log-determinant is 0. Every square of the grid may be bent but keeps its area, so no place gets more room than
# another. Only where a pair lands counts. The flow takes 4.42<!--=glow-pairs.shift:.2f--> bits a value; even the Gaussian, which may scale, takes
# 4.22<!--=glow-pairs.gaussian:.2f-->.
#
# </details>
#
# **Exercise 3.** A black image is cheaper than a photograph. Is this because its latents are nearer to zero, or because it gets more room? Take the bits of both
# apart: the log-density of the latents, and the log-determinant, each divided by $d \ln 2$.
#
# <details><summary>Solution</summary>
#
# ```python
# for name, x in (("black", torch.zeros_like(photos)), ("photographs", photos)):
#     with torch.no_grad():
#         z, log_det = model.flow_forward(model.dequantise(x, generator))
#     log_normal = sum(normal.log_prob(v).flatten(1).sum(1) for v in z)
#     print(name, [float(v.mean() / (model.dims * nats)) for v in (log_normal, log_det)])
# ```
#
# 5 minus both terms are the bits. The first term is -2.04<!--=glow-terms.black-normal:.2f--> for black and -2.11<!--=glow-terms.photos-normal:.2f--> for
# the photographs. Latents that are all zero would give $-\tfrac12 \log_2 (2\pi) = -1.33$; true Gaussian numbers give $-2.05$ on average. So the latents of
# black are not near zero: they look like ordinary Gaussian numbers. The room makes the difference: 6.69<!--=glow-terms.black-room:.2f--> against
# 5.55<!--=glow-terms.photos-room:.2f-->. The flow stretches the surroundings of a black image more than those of a photograph.
#
# </details>
#
# ## References
#
# - [Kingma and Dhariwal (2018)](https://arxiv.org/abs/1807.03039)<!--cite:t kingma2018glow-->: equations 6 to 11, tables 1 and 2.
# - [Dinh et al. (2017)](https://arxiv.org/abs/1605.08803)<!--cite:t dinh2017realnvp-->: coupling layers, squeeze, and channels that leave early.
# - [Schirrmeister et al. (2022)](https://arxiv.org/abs/2201.05610)<!--cite:t schirrmeister2022simplebits-->: what the measure is for.

# %% tags=["hide-cell"]
setting = {
    "image_set": image_set, "image_size": image_size, "bit_depth": bit_depth, "pair_steps": pair_steps, "steps": steps,
    "hidden": hidden, "training_steps": training_steps, "learning_rate": learning_rate, "shipped": shipped, "seed": seed,
}  # fmt: skip


class Shift(Coupling):
    """A coupling that only shifts, exercise 2."""

    def shift_and_scale(self, x):
        t, s = super().shift_and_scale(x)
        return t, torch.ones_like(s)


digits = sb.data.load("digits", "test").draw(200, seed).to_float(size, channels=3)
digit_bits = sb.density.mean_bits(model, digits)
others = {
    "one-side": train_flow(torch.nn.ModuleList(Coupling(stays=0) for _ in range(6))),
    "shift": train_flow(torch.nn.ModuleList(Shift(stays=k % 2) for k in range(6))),
}
numbers = {
    "glow-pairs": {"start": pair_path[0], "flow": pair_path[-1], "gaussian": pair_gaussian, "table": table_bits},
    "glow-from-scratch": {"start": start_bits, "gaussian": gaussian, "trained": trained["seen"], "unseen": trained["unseen"]},
    "glow-samples": {
        "cold": hot[0.0], "hot": hot[1.0], "middle-point": point_bits, "middle-noisy": noisy_bits,
        "middle": middle_bits, "middle-flat": flat_bits, "digits": digit_bits, "photos": real_bits,
    },
    "glow-terms": {},
}  # fmt: skip
for name, lazy in others.items():
    numbers["glow-pairs"][name] = pair_bits(*path(lazy, test_pairs)[-1]).mean()
for name, x in (("black", torch.zeros_like(photos)), ("photos", photos)):
    with torch.no_grad():
        z, log_det = model.flow_forward(model.dequantise(x, generator))
    log_normal = sum(normal.log_prob(v).flatten(1).sum(1) for v in z)
    numbers["glow-terms"][f"{name}-normal"] = log_normal.mean() / (model.dims * nats)
    numbers["glow-terms"][f"{name}-room"] = log_det.mean() / (model.dims * nats)
pattern = float((middle - flat).abs().max() * levels)
sb.report.record("glow-samples", "pattern", pattern, "grey levels", setting=setting)
for experiment, measured in numbers.items():
    for name, value in measured.items():
        sb.report.record(experiment, name, float(value), "bits/dim", setting=setting)

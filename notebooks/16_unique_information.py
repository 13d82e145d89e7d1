# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/16_unique_information.ipynb)
#
# # Unique information of a sample
#
# **Ask how far a network's predictions move when one sample alone is missing from its training: replace the network by its tangent at the
# initial weights, and linear algebra answers for every sample, without training again.**
#
# A network learns from 200<!--=unique-information.samples:.0f--> images to tell fours from nines. Ten of the images are shown below. Delete one of them and train
# again with the others: which of the ten deletions would the network notice most?
#
# You will
#
# - delete single images, train again, and measure how far the predictions move;
# - write training of a tangent network as steps on its predictions, and leave an image out by striking a row and a column of a matrix;
# - see when the short way agrees with training again, and why two look-alikes have little *unique* information each.
#
# **To know before:** gradient descent on a squared loss; the inverse of a matrix; a little PyTorch. No other lesson.

# %% tags=["hide-input"]
# On Colab this installs the package and leaves torch and numpy as they are; everywhere else it does nothing.
import importlib.util
import sys

from IPython import get_ipython

if importlib.util.find_spec("simplebits") is None:
    packages = "git+https://github.com/OWNER/simplebits jaxtyping wadler-lindig pooch"
    get_ipython().system(f"{sys.executable} -m pip install -q --no-deps {packages}")

import copy

import matplotlib.pyplot as plt
import torch
from torch import nn

import simplebits as sb

sb.report.style()
sb.report.measured_cost("16_unique_information")

# %% tags=["parameters"]
image_set = "digits"  # a name for sb.data.load
classes = [4, 9]  # the class with target 0, and the class with target 1
samples = 200  # n, training images
validation = 100  # other images, on which predictions are compared
size = 8  # pixels a side
width = 512  # units of the hidden layer
learning_rate = 0.1  # of gradient descent on the mean loss
steps = 300  # t, steps of gradient descent
lengths = [1, 10, 100, 300, 1000, 10000, None]  # t on the second slider; None: training without end
retrained = 60  # images that are really left out, one at a time
seed = 0  # of the draw of images and of the initial weights

# %% [markdown]
# ## Guess first
#
# We draw 200<!--=unique-information.samples:.0f--> training images of fours and nines, and other images for *validation*: on these we compare predictions. A four has the target $y = 0$, a nine
# has $y = 1$.

# %%
generator = torch.Generator().manual_seed(seed)


def draw(split, count):
    """Images of the two classes in random order, one channel in [0, 1], with their targets."""
    images = sb.data.load(image_set, split)
    of_both = torch.isin(images.labels, torch.tensor(classes)).nonzero()[:, 0]
    chosen = images.subset(of_both[torch.randperm(len(of_both), generator=generator)[:count]])
    return chosen.to_float(size, 1), (chosen.labels == classes[1]).float()[:, None]


x, y = draw("train", samples)
x_val, y_val = draw("test", validation)
n = len(x)

# %% tags=["hide-input"]
sb.report.show(
    sb.report.image_grid(x[:10], titles=[str(i) for i in range(10)], columns=10, zoom=0.8),
    alt="Ten small grey images of handwritten fours and nines, numbered from 0 to 9.",
    caption="Ten training images. Which one would be missed most?",
)

# %% [markdown]
# ## The long way: delete it and train again
#
# The network has one hidden layer of ReLU units and one output $f_w(x)$; $w$ are all its weights. From weights $w_0$, drawn at random once, gradient descent lowers the mean
# squared loss
#
# $$ L(w) = \frac1n \sum_{i=1}^n \tfrac12 \big(f_w(x_i) - y_i\big)^2. $$

# %%
generator = torch.Generator().manual_seed(seed)


def one_hidden_layer(inputs):
    """A network with one output, its weights drawn as PyTorch draws them."""
    layers = nn.Linear(inputs, width), nn.Linear(width, 1)
    for layer in layers:
        bound = layer.in_features**-0.5
        for weights in layer.parameters():
            nn.init.uniform_(weights, -bound, bound, generator=generator)
    return nn.Sequential(nn.Flatten(), layers[0], nn.ReLU(), layers[1])


network = one_hidden_layer(size * size)

# %% [markdown]
# Every training below starts from a copy of this network. Nothing in training is random: each step uses all images.

# %%
everyone = torch.arange(n)


def predictions_of(kept):
    """Train with the kept images; return what the network then says of the validation images."""
    net = copy.deepcopy(network)
    descent = torch.optim.SGD(net.parameters(), lr=learning_rate)
    for _ in range(steps):
        loss = 0.5 * (net(x[kept]) - y[kept]).square().mean()
        descent.zero_grad()
        loss.backward()
        descent.step()
    return net(x_val).detach().double()


f_real = predictions_of(everyone >= 0)  # the mask that keeps all of them
right = float(((f_real > 0.5) == y_val.bool()).float().mean())
print(f"trained with all {n}: {right:.0%} of the validation images right")

# %% [markdown]
# Leave out image $i$, train again, and call the result $f_{-i}$. Half of the mean squared change of the predictions is the image's score:
#
# $$ \text{F-SI}(i) = \tfrac12\, \frac1m \sum_{j=1}^m \big(f_{-i}(x_j) - f(x_j)\big)^2, $$
#
# over the $m$ validation images $x_j$. The paper behind this lesson ([Harutyunyan et al., 2021](https://openreview.net/forum?id=kEnBH98BGs5))<!--cite:p harutyunyan2021unique--> calls the score *functional sample information*. It is the paper's equation (8) with
# $\sigma = 1$, as in the paper; the next section says what $\sigma$ is, and why the score is an information.

# %%
f_without = [predictions_of(everyone != i) for i in range(10)]
by_training = torch.stack([0.5 * (f - f_real).square().mean() for f in f_without])
print("in millionths:", [round(1e6 * float(score), 1) for score in by_training])

# %% [markdown]
# The library does the same with `sb.information.retrain_without`, several trainings side by side; the scores are in its field `functional`. We let it leave out 60<!--=unique-information.retrained:.0f--> images, one at a time; the end of the lesson
# needs them.

# %%
real = sb.information.retrain_without(
    network, x, y, x_val, learning_rate, steps,
    indices=everyone[:retrained], progress=False,
    checkpoint=sb.report.checkpoint("retraining"),  # a run that was stopped goes on from here
)  # fmt: skip

# %%
# NBVAL_CHECK_OUTPUT
print(
    "the same scores:",
    torch.allclose(real.functional[:10].double(), by_training, rtol=0.02, atol=0),
)

# %% [markdown]
# ## Why half a squared distance is information
#
# Information compares probability distributions: the Kullback-Leibler divergence $\mathrm{KL}(p \,\|\, q)$ says how far $p$ is from $q$, in nats (a nat is
# 1.44 bits). But training gives a single prediction with image $i$ and another one without it, no distributions. So the paper adds Gaussian noise of
# variance $\sigma^2$ to both, and compares the two bell curves. Two bell curves of the same width differ by
#
# $$ \mathrm{KL}\big(\mathcal N(f, \sigma^2) \,\|\, \mathcal N(f_{-i}, \sigma^2)\big) = \frac{(f - f_{-i})^2}{2 \sigma^2}. $$
#
# With $\sigma = 1$, as large as the whole way from target 0 to target 1, all scores here are tiny. Another $\sigma$ would multiply all of them by one number; their order stays.

# %%
# NBVAL_CHECK_OUTPUT
bell, bell_without = (torch.distributions.Normal(f, 1.0) for f in (f_real, f_without[0]))
divergence = torch.distributions.kl_divergence(bell, bell_without).mean()
print("the score is the divergence:", torch.allclose(divergence, by_training[0], atol=0))

# %% [markdown]
# *Unique* means: beyond what all other images tell already. You will see below what follows: the unique informations of two images do not add up to what both tell together.
#
# ## The tangent of a network
#
# Training again for each of 1,000 images takes 1,000 trainings. The short way replaces the network by its tangent at the initial weights $w_0$,
#
# $$ f_w(x) \approx f_{w_0}(x) + \nabla f_{w_0}(x)^\top (w - w_0). $$
#
# The gradient $\nabla$ is taken by the weights. The right side is linear in $w$, and still a curved function of $x$. A wide network hardly moves its weights while it learns, so that the tangent is close to it ([Lee et al., 2019](https://arxiv.org/abs/1902.06720))<!--cite:p lee2019wide-->; we will
# check that. Write the gradients of all $n$ images below each other: these are the rows of the *Jacobian* $J$. Each row takes one backward pass; we do the first ten by hand.

# %%
parameters = list(network.parameters())


def gradient(image):
    """The derivative of the output by each weight, as one long vector."""
    slopes = torch.autograd.grad(network(image[None])[0, 0], parameters)
    return torch.cat([slope.flatten() for slope in slopes])


J = torch.stack([gradient(image) for image in x[:10]]).double()

# %% [markdown]
# All that we need of $J$ are the inner products of its rows, the *tangent kernel* ([Jacot et al., 2018](https://arxiv.org/abs/1806.07572))<!--cite:p jacot2018neural-->
#
# $$ \Theta = J J^\top. $$
#
# Entry $\Theta_{ij}$ says how far the output for image $i$ moves when a step of training pulls at the output for image $j$. It tends to be large for images that look alike.
# The library computes $\Theta$ for all images, and the same for validation images (rows) with training images (columns), `theta_val`.

# %%
# NBVAL_CHECK_OUTPUT
theta = sb.information.kernel(network, x, dtype=torch.float64)
theta_val = sb.information.kernel(network, x_val, x, dtype=torch.float64)
print("by hand and by the library:", torch.allclose(J @ J.T, theta[:10, :10], rtol=1e-4))

# %% [markdown]
# ## Train without weights
#
# A step of gradient descent moves the weights by $-\eta J^\top (f - Y)$ with $\eta$ = learning rate$/n$, where $f$ and $Y$ hold outputs and targets of all training images. In the tangent network $J$ stays the same at every step. So multiply by $J$, and you have how its outputs move:
#
# $$ f \leftarrow f - \eta\, \Theta\, (f - Y), $$
#
# and those of the validation images by the same with `theta_val`. The weights have dropped out. The paper's equation (11) says the same for infinitely small steps; its experiments take steps like these.

# %%
f0, f0_val = network(x).detach().double(), network(x_val).detach().double()


def descend(kept):
    """Train the tangent network with the kept images; return its validation predictions."""
    theta_kept, theta_val_kept = theta[kept][:, kept], theta_val[:, kept]
    f, f_val, eta = f0[kept], f0_val, learning_rate / int(kept.sum())
    for _ in range(steps):
        error = f - y[kept]
        f, f_val = f - eta * theta_kept @ error, f_val - eta * theta_val_kept @ error
    return f_val


f_tangent = descend(everyone >= 0)

# %%
# NBVAL_CHECK_OUTPUT
trained = sb.information.linearised_training(theta, y, f0, learning_rate, steps)
print("as the library:", torch.allclose(trained.predict(theta_val, f0_val), f_tangent))

# %% [markdown]
# ## Leave one out: strike a row and a column
#
# Without image $i$ its row and its column of $\Theta$ are gone; nothing else changes (but $n$, which is one less, in $\eta$). `descend` does that already. `sb.information.sample_information` does it for all
# images at once.

# %%
by_tangent = torch.stack(
    [0.5 * (descend(everyone != i) - f_tangent).square().mean() for i in range(10)]
)
scores = sb.information.sample_information(
    theta, theta_val, y, f0, f0_val, learning_rate, steps, progress=False
)

# %%
# NBVAL_CHECK_OUTPUT
print("ten by hand, as the library:", torch.allclose(by_tangent, scores.functional[:10], atol=0))
print("the library has all of them:", len(scores.functional) == n)

# %% tags=["hide-input"]
blue, orange = sb.report.COLOURS["blue"], sb.report.COLOURS["orange"]
grey, black = sb.report.COLOURS["grey"], sb.report.COLOURS["black"]
figure, axes = plt.subplots(
    2, 10, figsize=(8, 3.0), height_ratios=[3, 1], layout="constrained", sharey="row"
)
for i, (bars, picture) in enumerate(axes.T):
    bars.bar([0], [1e6 * float(by_training[i])], color=grey, label="trained again")
    bars.bar([1], [1e6 * float(by_tangent[i])], color=blue, label="tangent")
    bars.set_xticks([])
    picture.imshow(x[i, 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    picture.set_title(str(i), fontsize="small")
    picture.axis("off")
axes[0, 0].set_ylabel("score (10⁻⁶ nats)")
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
sb.report.show(
    figure,
    alt="The ten images, each below two bars: its score by training the real network again, and its score by the tangent network. "
    "The bars of a pair are of similar height, and from pair to pair the height differs many times over.",
    caption="Scores of the ten images. How good was your guess?",
)

# %% [markdown]
# **What you should see.** In the default run image 9<!--=unique-information.first-ten-top:.0f--> is missed most, 67<!--=unique-information.first-ten-ratio:.0f--> times as much as image
# 5<!--=unique-information.first-ten-least:.0f-->, which is missed least. The tangent network, of which no weight was ever trained, gives similar bars, though not equal ones: see image 7. So you need
# not train again to learn roughly what a deletion would change. The end of the lesson compares more images.
#
# ## Train to the end: two lines
#
# Let training go on without end. If $\Theta$ has an inverse $G = \Theta^{-1}$, the tangent network then fits every training image exactly. Each step adds multiples of kernel entries to a prediction; gather the multiples of all steps in one number $a_i$ for each training image. For any image $x$
#
# $$ f(x) = f_0(x) + \Theta(x, X)\, a, \qquad \Theta a = r, \qquad r = Y - f_0, $$
#
# where $f_0 = f_{w_0}$ is the start, $X$ stands for all training images, and $\Theta(x, X)$ is the row of the kernel that belongs to $x$. So $a = G r$. Without image $i$ two things change: $a_i = 0$, and equation $i$, the $i$-th row of $\Theta a = r$, need not hold. So let equation $i$ miss its target by a number $c_i$. Then $a_{-i} = G r + c_i\, G_{\cdot i}$, where $G_{\cdot i}$ is
# column $i$ of $G$. Choose $c_i$ so that entry $i$ of $a_{-i}$ becomes zero:
#
# $$ c_i = - \frac{(G r)_i}{G_{ii}}. $$
#
# As equation $i$ now reads $(\Theta a_{-i})_i = r_i + c_i$, this $c_i$ is also the error $f_{-i}(x_i) - y_i$ on the image that was left out. The validation predictions move by $c_i\, \Theta(x, X)\, G_{\cdot i}$. For all images at once:

# %%
G = torch.linalg.inv(theta)
c = -(G @ (y - f0))[:, 0] / G.diagonal()  # error on each image after training without it
moves = theta_val @ G * c  # column i: how far validation predictions move without image i

# %%
# NBVAL_CHECK_OUTPUT
endless = sb.information.sample_information(
    theta, theta_val, y, f0, f0_val, learning_rate, steps=None, progress=False
)
by_hand = 0.5 * moves.square().mean(0)
print("as the library:", torch.allclose(by_hand, endless.functional, rtol=1e-4, atol=0))
kept = everyone != 0
a = torch.linalg.solve(theta[kept][:, kept], (y - f0)[kept])
error = f0[0] + theta[0, kept] @ a - y[0]
print("the error on image 0 without it:", torch.allclose(error, c[0], rtol=1e-4, atol=0))

# %% [markdown]
# For $t$ steps the library uses the same idea several times, with other matrices in place of $\Theta$; its documentation says how.
#
# ## Twelve points, two twins and an outlier
#
# On a line you can see what the score sees. Nine points follow a gentle slope. One *outlier* lies high above it, and two *twins*, nearly at the same place, lie just as high above it.
# We train the tangent of a network with one input without end, by the two lines, and compare its outputs on a grid from $-1.5$ to $1.5$, in place of the validation images. The slider leaves out each point in turn; the bars are the scores. Before you move it: which bars will be long?

# %%
points = torch.tensor([-1.5, -1.1, -0.8, -0.5, -0.2, 0.1, 0.4, 0.7, 0.98, 1.02, 1.3, 1.5])
outlier, twins = 3, [8, 9]
heights = 0.2 * points
heights[[outlier, *twins]] += 0.8

# %%
grid = torch.linspace(-1.5, 1.5, 121)
line_network, px, gx = one_hidden_layer(1), points[:, None], grid[:, None]
K = sb.information.kernel(line_network, px, dtype=torch.float64)
K_grid = sb.information.kernel(line_network, gx, px, dtype=torch.float64)
start, start_grid = (line_network(v).detach()[:, 0].double() for v in (px, gx))

residual, K_inverse = heights - start, torch.linalg.inv(K)  # r and G
curve = start_grid + K_grid @ K_inverse @ residual  # trained with all points
errors = -(K_inverse @ residual) / K_inverse.diagonal()  # c
gaps = K_grid @ K_inverse * errors  # column i: how far the curve moves without point i
of_points = 0.5 * gaps.square().mean(0)

# %% tags=["hide-input"]
kinds = {outlier: "the outlier"} | dict.fromkeys(twins, "a twin")
frames, names = [], []
for i in range(len(points)):
    figure, (left, bars) = plt.subplots(2, 1, figsize=(6, 4.4), height_ratios=[2, 1], sharex=True)
    left.fill_between(grid, curve, curve + gaps[:, i], color=orange, alpha=0.4)
    left.plot(grid, curve, color=black)
    left.plot(grid, curve + gaps[:, i], color=orange, linestyle="--")
    left.plot(points, heights, "o", color=blue)
    left.plot(points[i], heights[i], "o", color="white", markeredgecolor=orange, markersize=8)
    left.set(ylabel="f(x)", ylim=(-0.75, 1.5))
    colours = [orange if j == i else grey for j in range(len(points))]
    bars.bar(points, of_points, width=0.03, color=colours)
    bars.set(xlabel="x", ylabel="F-SI (nats)")
    frames.append(figure)
    names.append(f"without {kinds.get(i, 'a point')} at {points[i]:.2f}: {of_points[i]:.5f} nats")
sb.report.slider(
    frames,
    names,
    [
        f"Above, twelve points with the tangent network trained on all (black) and {name} (dashed), the gap shaded; below, the twelve scores."
        for name in names
    ],
    "point left out",
)

# %% [markdown]
# **What you should see.** The outlier's bar is the longest; points at the foot of a peak follow, for without one of them the peak spreads sideways. The twins lie as high above the slope as the outlier, and the outlier's bar is
# 657<!--=unique-information.outlier-over-twin:.0f--> times as high as theirs on average: without one twin the other still says the same. Now leave out *both* twins:

# %%
# NBVAL_CHECK_OUTPUT
rest = [i for i in range(len(points)) if i not in twins]
a = torch.linalg.solve(K[rest][:, rest], residual[rest])
both = 0.5 * (start_grid + K_grid[:, rest] @ a - curve).square().mean()
sum_of_both = of_points[twins].sum()
print("both tell more than twice the sum of what each tells:", bool(both > 2 * sum_of_both))

# %% [markdown]
# Together the twins tell 1.04<!--=unique-information.both-over-outlier:.2f--> times what the outlier tells. So never add scores up, and do not delete all samples with small scores at once: two that say the same may both go. [Lesson 17](17_which_samples_matter.ipynb) deletes step by step.
#
# ## Which images are informative?
#
# Nothing has to be trained again, so you can ask for any length of training. Move the slider.

# %% tags=["hide-input"]
frames, names = [], []
for t in lengths:
    of_images = sb.information.sample_information(
        theta, theta_val, y, f0, f0_val, learning_rate, t, progress=False
    ).functional
    ranked = of_images.argsort(descending=True)
    shown = torch.cat([ranked[:10], ranked[-10:].flip(0)])
    frames.append(
        sb.report.image_grid(
            x[shown],
            titles=[str(classes[int(target)]) for target in y[shown, 0]],
            columns=10,
            row_titles=["most", "least"],
            zoom=0.7,
        )
    )
    ratio = float(of_images.max() / of_images.median())
    agreement = float(torch.corrcoef(torch.stack([of_images, endless.functional]))[0, 1])
    names.append(
        f"{'without end' if t is None else f'{t:,} step' + 's' * (t > 1)}: the largest score is {ratio:.0f} times the median; "
        f"correlation with training without end {agreement:.2f}"
    )
sb.report.slider(
    frames,
    names,
    [f"Two rows of ten images, the most informative and the least. {name}." for name in names],
    "training length",
)

# %% [markdown]
# **What you should see.** After 300<!--=unique-information.steps:.0f--> steps the largest score is 112<!--=unique-information.top-over-median:.0f--> times the median: most images say what others say too. Several of the images above
# could be taken for the other digit; those below are plain fours and nines, of which there are many. After one step a score only says how far the pull of the image is from the average pull, so that its ranking has little to do with that of a long training.
#
# ## Is the tangent a good stand-in?
#
# The truth is what happens when the real network is trained again. We have done so without each of the first 60<!--=unique-information.retrained:.0f--> images, which are in random order. Compare by Pearson's correlation, as the paper does.

# %%
first = scores.functional[:retrained], scores.weights[:retrained]


def correlation(one, other):
    return float(torch.corrcoef(torch.stack([one.double(), other.double()]))[0, 1])


for_predictions = correlation(real.functional, first[0])
for_weights = correlation(real.weights, first[1])
print(f"predictions: {for_predictions:.3f}, weights: {for_weights:.3f}")

# %% [markdown]
# The second number is of another score, $\tfrac12 \lVert w_{-i} - w \rVert^2$: how far the *weights* move. It counts what the weights know, whether or not a prediction uses it. It is the paper's equation (5) for noise of the same
# size on every weight. The paper's table compares this score too, but the paper advises noise that differs from weight to weight, as weights differ in what they do. For predictions no such choice is needed; this lesson stays with them.

# %% tags=["hide-input"]
figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained")
compared = {
    "predictions": (real.functional, first[0], for_predictions),
    "weights": (real.weights, first[1], for_weights),
}
for axis, (what, (truth, short, agreement)) in zip(panels, compared.items(), strict=True):
    ends = [float(truth.min()), float(truth.max())]
    axis.loglog(ends, ends, color=grey, linestyle="--", label="equal")
    axis.loglog(truth, short, "o", color=blue, markersize=4, alpha=0.7)
    axis.set(title=f"{what}: {agreement:.3f}", xlabel="trained again (nats)")
    axis.tick_params(which="minor", labelbottom=False, labelleft=False)
panels[0].set_ylabel("tangent network (nats)")
panels[0].legend()
sb.report.show(
    figure,
    alt="Two scatter plots on logarithmic axes, for predictions and for weights: scores of the tangent network against scores by training the real "
    "network again. The points lie along the dashed line of equality, closest for large scores; small scores of weights lie below it.",
    caption="Each point is an image that was left out; the number is Pearson's correlation.",
)

# %% [markdown]
# **What you should see.** The correlation is 0.997<!--=unique-information.mlp-lambda0-predictions:.3f--> for predictions and 0.997<!--=unique-information.mlp-lambda0-weights:.3f--> for weights. The validation predictions of the tangent network itself are off by
# 2%<!--=unique-information.mlp-gap:.0%--> of the real ones' spread. Pearson's correlation is led by the few large scores; by ranks, where each image counts alike, it is 0.98<!--=unique-information.mlp-lambda0-predictions-ranks:.2f--> for predictions.
#
# This is a wide network with one hidden layer, trained for a short time and without weight decay. The agreement is a property of such networks, not of the score:
#
# - In the paper a convolutional network, trained from scratch, correlates at .03 for predictions and .19 for weights. The same
#   network, pretrained on letters, reaches .88 and .87; it starts near its goal, says the paper, so the tangent stays close.
# - The usual short cut are *influence functions* ([Koh and Liang, 2017](https://arxiv.org/abs/1703.04730))<!--cite:p koh2017influence-->: they start from the *trained* weights, and work out from the curvature of the loss there what would change if one sample
#   counted slightly less. For the paper's fully connected network without weight decay the tangent is better (.99 against .92 for predictions). With weight decay both are equally good (.99 and .99; for weights .977 against .978). One
#   likely reason: influence functions assume that training has come to its end, and decay brings the end nearer.
# - The paper calls the tangent "around 30 times faster" than influence functions. This holds against one way to compute them, LiSSA, in the authors' code a recursion over 1,000 random batches for each sample. Against
#   another way it is another number.
#
# The score belongs to an image *and* a training set *and* a network *and* a length of training. Ask what it says of the image only together with the other three.
#
# ## What the papers report, and what the studies found

# %% tags=["hide-input"]
sb.report.studied(
    *(
        f"unique-information.table1.predictions.mlp.{decay}.{method}"
        for decay in ("lambda0", "lambda1000")
        for method in ("linearisation", "influence")
    ),
    "unique-information.table1.predictions.cnn-scratch.lambda0.linearisation",
    "unique-information.table1.predictions.cnn-pretrained.lambda0.linearisation",
    "unique-information.speed-up",
    "unique-information.coordinates",
)

# %% [markdown]
# The paper's network has 1,024 hidden units and learns from 1,000 fours and nines of MNIST. Its $\lambda$ is the weight decay of the *summed* loss; $\lambda = 10^3$ is a decay of 1 on our mean loss. In the table, *linearisation* is the tangent, r is Pearson's correlation, and the NTK matrix is $\Theta$.
#
# ## Exercises
#
# **Exercise 1.** Put the most informative image into the training set a second time. What happens to its score? And why can you not use the two lines for training without end?
#
# <details><summary>Solution</summary>
#
# ```python
# top = int(scores.functional.argmax())
# twice = torch.cat([everyone, torch.tensor([top])])
# again = sb.information.sample_information(
#     theta[twice][:, twice], theta_val[:, twice], y[twice], f0[twice], f0_val, learning_rate, steps
# )
# for score in (scores.functional[top], again.functional[top], again.functional[-1]):
#     print(f"{1e6 * float(score):.1f} millionths of a nat")
# ```
#
# Both copies have the same score, and it is smaller: without one of them the other is still there. They are twins. The two rows of $\Theta$ that belong to the copies
# are equal, so $\Theta$ has no inverse.
#
# </details>
#
# **Exercise 2.** Give one image the wrong target. Which of $G$ and $r$ changes? How does the image's score after training without end change?
#
# <details><summary>Solution</summary>
#
# Only $r$: the kernel knows nothing of targets.
#
# ```python
# i = int(endless.functional.argmin())
# wrong = y.clone()
# wrong[i] = 1 - wrong[i]
# c_wrong = -(G @ (wrong - f0))[:, 0] / G.diagonal()
# print(c[i], c_wrong[i])
# print(endless.functional[i], 0.5 * (theta_val @ G[:, i] * c_wrong[i]).square().mean())
# ```
#
# As only entry $i$ of $r$ changes, $c_i$ changes by as much as the target did, here from near 0 to about 1 in size; the score grows with the square of $c_i$. Wrong labels stand out; lesson 17 looks for them.
#
# </details>
#
# **Exercise 3.** Count multiplications for all scores: by `descend` without each image (about $n^2$ for each step), and, for training without end, by the two lines (about $n^3$ for the inverse). What are they for $n = 200$ and $t = 300$, and what for $n = 1{,}000$ and $t = 2{,}000$?
#
# <details><summary>Solution</summary>
#
# By `descend` $n \cdot t \cdot n^2$: 2.4 billion for the smaller case and 2 trillion for the larger one. By the two lines $n^3$: 8 million and 1 billion, 300 and 2,000 times fewer. The ratio is $t$.
#
# </details>
#
# ## References
#
# - [Harutyunyan et al. (2021)](https://openreview.net/forum?id=kEnBH98BGs5)<!--cite:t harutyunyan2021unique-->: sections 3 to 6, table 1.
# - [Lee et al. (2019)](https://arxiv.org/abs/1902.06720)<!--cite:t lee2019wide-->: wide networks under gradient descent are linear models.
# - [Jacot et al. (2018)](https://arxiv.org/abs/1806.07572)<!--cite:t jacot2018neural-->: the neural tangent kernel.
# - [Koh and Liang (2017)](https://arxiv.org/abs/1703.04730)<!--cite:t koh2017influence-->: influence functions.

# %% tags=["hide-cell"]
setting = {
    "image_set": image_set,
    "classes": classes,
    "samples": samples,
    "validation": validation,
    "size": size,
    "width": width,
    "learning_rate": learning_rate,
    "steps": steps,
    "seed": seed,
}
by_ranks = correlation(*(v.argsort().argsort() for v in (real.functional, first[0])))
gap = (f_real - f_tangent).square().mean().sqrt() / f_real.std()
numbers = {
    "samples": (n, "samples"),
    "steps": (steps, "steps"),
    "first-ten-top": (int(by_training.argmax()), "number of the image"),
    "first-ten-least": (int(by_training.argmin()), "number of the image"),
    "first-ten-ratio": (by_training.max() / by_training.min(), "×"),
    "outlier-over-twin": (of_points[outlier] / of_points[twins].mean(), "×"),
    "top-over-median": (scores.functional.max() / scores.functional.median(), "×"),
    "mlp-lambda0-predictions": (for_predictions, "correlation"),
    "mlp-lambda0-weights": (for_weights, "correlation"),
    "mlp-lambda0-predictions-ranks": (by_ranks, "rank correlation"),
    "both-over-outlier": (both / of_points[outlier], "×"),
    "mlp-gap": (gap, "share"),
    "retrained": (retrained, "samples"),
}
for name, (value, unit) in numbers.items():
    sb.report.record("unique-information", name, float(value), unit, setting=setting)

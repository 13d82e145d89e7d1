# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Match distributions of pixels under several kernels
#
# The ablation that leaves networks out of distribution matching: make synthetic images whose maximum mean discrepancy
# (MMD) to the real images of their class is small, under a kernel on pixels. The paper tried linear, polynomial, Gaussian
# (RBF) and Laplacian kernels with various parameters and found that only the linear one beats random images. All kernels
# start here from the same random images, so a pair of sets shares everything but the kernel.

# %%
import torch

import simplebits as sb

# %% tags=["parameters"]
claim = "dm.kernels"  # whose tests name the families of kernels
image_set = "cifar10"  # a name for sb.data.load
images_per_class = 1  # synthetic images of each class
kernels = {
    "linear": 1,
    "polynomial-2": 2,
    "polynomial-3": 3,
    "rbf-0.1": 0.1,
    "rbf-1": 1,
    "rbf-10": 10,
    "laplacian-0.1": 0.1,
    "laplacian-1": 1,
    "laplacian-10": 10,
}  # degree, or width in mean distances of real images of a class
iterations = 2000  # steps
learning_rate = 0.02  # of Adam, in standard deviations of the set; the paper does not say
real_batch = 256  # real images of each class a step
sets = [0, 1, 2, 3, 4]  # seeds: a random set, and from it one set of each kernel
network = "ConvNet"  # that learns from the sets
network_options = {}  # of it
networks = 2  # trained on each set
epochs = 1000  # of each training
test_augment = "color_crop_cutout_flip_scale_rotate"  # siamese strategy in each training
image_limit = 0  # real images used of either split; 0: all
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## The kernels
#
# Of two sets of images, every pair: for standardised images x and y of d pixels the linear kernel is x·y, the polynomial
# one (1 + x·y/d) to its degree, the Gaussian one exp(-|x - y|²/(s m)) with m the mean squared distance of the real images
# and s its width, the Laplacian one exp(-|x - y|₁/(s m)) with m the mean of these distances.

# %%
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
train, test = (images.draw(image_limit) if image_limit else images for images in (train, test))
device = device or "cpu"
_, channels, size, _ = train.images.shape
real = sb.condense.ClassBatches(train, images_per_class, size, channels, device)


def pairs(name, x, y, scale):
    """The kernel of all pairs of rows."""
    kind, parameter = name.split("-")[0], kernels[name]
    if kind == "linear":
        return x @ y.T
    if kind == "polynomial":
        return (1 + x @ y.T / x.shape[1]) ** parameter
    distance = (x[:, None] - y).square().sum(2) if kind == "rbf" else (x[:, None] - y).abs().sum(2)
    return (-distance / (parameter * scale)).exp()


def mean_distance(name, x):
    """What the width of a kernel is measured in."""
    return torch.cdist(x, x, p=1).mean() if name.startswith("laplacian") else torch.cdist(x, x).square().mean()


def start(seed):
    """Random real images."""
    return sb.condense.CondensedSet.of(sb.condense.coreset(train, "random", images_per_class, seed=seed), train)


def matched(name, seed):
    """The images after all steps, standardised: their MMD to real ones is made small, class by class."""
    few, generator = start(seed), torch.Generator().manual_seed(seed)
    rows = [few.standardised(real.draw(c, real_batch, generator)).flatten(1) for c in range(len(real))]
    scales = [mean_distance(name, x) for x in rows]
    pixels = few.standardised(few.images).to(device).flatten(1).requires_grad_()
    optimiser = torch.optim.Adam([pixels], learning_rate)
    for _ in range(iterations):
        loss = 0.0
        for x, own, scale in zip(real.all(real_batch, generator), pixels.split(images_per_class), scales, strict=True):
            x = few.standardised(x).flatten(1)
            loss = loss + pairs(name, own, own, scale).mean() - 2 * pairs(name, own, x, scale).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return pixels.detach().cpu()


def accuracy(name, seed):
    """Mean test accuracy, in percent, of fresh networks that have seen this set only."""
    few = start(seed)
    if name != "random":
        x = matched(name, seed).view(few.images.shape)
        images = x * few.std[:, None, None] + few.mean[:, None, None]
        few = sb.condense.CondensedSet(images, few.labels, few.classes, few.mean, few.std)
    sb.report.fingerprint(f"{name}, {seed}", few.images)
    evaluation = sb.condense.evaluate(
        few,
        test,
        network,
        seeds=range(1000 * seed, 1000 * seed + networks),
        network_options=network_options,
        epochs=epochs,
        augment=test_augment,
        bf16=False,
        device=device,
        progress=False,
    )
    return 100 * evaluation.mean


def families():
    """Groups of the claim: of each family the kernel that does best so far, since none of them should beat random images."""
    means = {name: sum(by_set.values()) / len(by_set) for name, by_set in values.items()}
    kinds = dict.fromkeys(name.split("-")[0] for name in values)
    return {kind: values[max((n for n in values if n.split("-")[0] == kind), key=means.get)] for kind in kinds}


# %%
values = {name: {} for name in ("random", *kernels)}
for seed in sets:
    for name in values:
        values[name][f"set {seed}"] = sb.report.once(
            f"{seed} {name}", lambda seed=seed, name=name: accuracy(name, seed)
        )
        sb.report.beside(f"kernel {name}", values[name], "%", networks=networks)
    record = sb.report.judge_claim(claim, families(), "%", networks=networks)
    print(*record.tests, sep="\n")

# %%
for name, by_set in values.items():
    print(f"{name:20} {sum(by_set.values()) / len(by_set):5.1f}  ({len(by_set)} sets)")

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Simplify after training: does it show the cause?
#
# Take test images that a network gets wrong and is sure of, simplify them as far as its decision allows, remove what the
# simplified image suggests, and ask again. *Restored* means that the true class comes back. The control removes as much
# at the places that other images suggest. With `planted`, every wrong image has a known cause: a small patch that stood
# for another class in training; then it is measured how much of it each method marks. An image is an independent unit.

# %%
import simplebits as sb

# %% tags=["parameters"]
image_set = "cifar10"  # a name for sb.data.load
planted = 0.0  # share of the training images that carry their class's patch; 0: no patches, the claim about causes
patch = 6  # height and width of a patch, pixels
density = "glow"  # measures bits and has the latents
network = {"depth": 16, "widen": 2, "standardise": "cifar10"}  # options of NFWideResNet
beside = 1.0  # lambda with which the classifier is trained beside a simplifier, as in the paper; 0: trained by itself
training_steps = 156250  # of the classifier
training_rate = 0.0005  # of its AdamW
cool_down_training = 0.0  # share of the steps in which this rate falls to zero, where it is trained by itself
shift = 4  # pixels of the random crop's padding
flip = True  # mirror every other image
confidence = 0.99  # least probability of the predicted class of an image that is chosen
wrong_images = 64  # that the network gets wrong
right_images = 32  # that it gets right
weights = [1.0]  # lambda, a run for each; an image takes its fewest bits within most_kl
most_kl = 0.2  # nats that its prediction may move
options = {}  # further arguments of simplify_after_training; {}: the paper's, 5,000 iterations from latents of zero
region_share = 0.2  # share of the pixels that is removed without patches; with them it is the patch's
others = 3  # other images whose regions are the control
references = 2000  # training images for the saliency maps
draws = 100  # of them, as baselines of expected gradients
stride = 1  # pixels between two windows of prediction difference
samples = 10  # fillings of a window
least_accuracy = 0.85  # of the classifier on test images without patches; below this it is broken
image_limit = 0  # training and test images used; 0: all
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## A network that is sometimes wrong

# %%
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F

device = device or "cpu"
measure = sb.density.load(density, device)
size, draw = measure.image_size, torch.Generator().manual_seed(0)
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
train, test = (s.draw(min(image_limit or len(s), len(s))) for s in (train, test))
classes = len(train.classes)
signs = torch.randint(0, 2, (classes, 3, patch // 2, patch // 2), generator=draw).float().repeat_interleave(2, 2).repeat_interleave(2, 3)  # fmt: skip


def plant(images, said):
    """Patches of these classes (-1: none) at random places, and where they lie."""
    x, region = images.to_float(size, 3), torch.zeros(len(images), size, size, dtype=torch.bool)
    corners = torch.randint(0, size - patch + 1, (len(images), 2), generator=draw).tolist()
    for k, (i, j) in enumerate(corners):
        if said[k] >= 0:
            x[k, :, i : i + patch, j : j + patch] = signs[said[k]]
            region[k, i : i + patch, j : j + patch] = True
    return replace(images, images=sb.data.to_bytes(x)), region


misled = (test.labels + torch.randint(1, classes, (len(test),), generator=draw)) % classes
if planted:
    taught = torch.rand(len(train), generator=draw) < planted
    train, _ = plant(train, train.labels.where(taught, torch.tensor(-1)))
seen, cause = plant(test, misled) if planted else (test, None)
with torch.random.fork_rng():
    torch.manual_seed(0)
    classifier = sb.networks.NFWideResNet(classes=classes, size=size, **network).to(device)
    simplifier = sb.networks.ResidualUNet().to(device) if beside else None
how = {"augment": sb.data.RandomShift(shift, flip=flip), "seed": 0}
path = sb.report.checkpoint("classifier")
if beside:
    run = sb.simplify.SimplifyWhileTraining(classifier, simplifier, measure, bit_weight=beside, bf16=False, **how)
    run.fit(train, steps=training_steps, checkpoint=path, progress=False)
else:
    optimiser = sb.networks.classifier_optimiser(classifier, training_rate)
    falling = lambda step: min(1.0, (training_steps - step) / max(cool_down_training * training_steps, 1))  # noqa: E731
    how |= {"optimiser": optimiser, "schedule": falling, "size": size, "channels": 3, "checkpoint": path}
    sb.networks.fit_classifier(classifier, train, steps=training_steps, bf16=False, progress=False, **how)
right = sb.networks.accuracy(classifier, test.to_float(size, 3), test.labels)
if right < least_accuracy:
    raise RuntimeError(
        f"the classifier is right in {right:.3f} of the test images, below {least_accuracy}: it is broken"
    )
sb.report.beside("accuracy of the classifier", {"all test images": 100 * right}, "%")

# %%
sure, predicted = sb.networks.predict(classifier, seen.to_float(size, 3)).softmax(1).max(1)
wrong = (predicted != seen.labels) & (sure >= confidence)
wrong &= (predicted == misled) if planted else True  # of the patch's class: then the patch is the cause
chosen = [w.nonzero().flatten()[:k] for w, k in ((wrong, wrong_images), ((predicted == seen.labels) & (sure >= confidence), right_images))]  # fmt: skip
n = len(chosen[0])
if n <= others:
    raise RuntimeError(
        f"{n} wrong images of probability {confidence} or more; give more than {others}, or lower confidence"
    )
index = torch.cat(chosen)
x, y = seen.subset(index).to_float(size, 3, device), seen.labels[index].to(device)

# %% [markdown]
# ## Simplify, and take away what stands out

# %%
count = patch**2 if planted else round(region_share * size**2)


def simplified(images, name):
    """Each image simplified with the weight that takes most of its bits within `most_kl`, and what that took."""
    runs = [
        sb.simplify.simplify_after_training(
            classifier, measure, images, bit_weight=w, checkpoint=sb.report.checkpoint(f"{name}-{k}"), progress=False, **options
        )
        for k, w in enumerate(weights)
    ]  # fmt: skip
    bits, kl = (torch.stack([getattr(run, what) for run in runs]) for what in ("bits_after", "kl"))
    best, row = torch.where(kl <= most_kl, bits, 100 + kl).argmin(0), torch.arange(len(images))
    simple = torch.stack([run.images for run in runs])[best, row]
    return simple, bits[best, row] / runs[0].bits_before, kl[best, row]


def marks(weight):
    """The pixels of the largest values, as many in each image."""
    at = weight.flatten(1).topk(count).indices
    return torch.zeros_like(weight, dtype=torch.bool).flatten(1).scatter(1, at, True).view_as(weight)


def standing_out(simple):
    """Where the surroundings of a pixel differ most from the simplified image's mean colour."""
    far = (simple - simple.mean((2, 3), keepdim=True)).square().sum(1, keepdim=True)
    return marks(F.avg_pool2d(far, 3, 1, 1)[:, 0])


def by_image(values, first=0, last=None):
    """Values under the names of their images."""
    return {f"image {k}": float(v) for k, v in zip(index.tolist()[first:last], values[first:last], strict=True)}


simple, left, kl = simplified(x, "images")
sb.report.fingerprint("simplified", simple)
suggested = standing_out(simple)
for what, value, unit in (("share of the bits left", left, "share"), ("moved prediction", kl, "nats")):
    sb.report.beside(f"wrong images, {what}", by_image(value, 0, n), unit)
    if len(index) > n:
        sb.report.beside(f"right images, {what}", by_image(value, n), unit)

# %%
pool = train.draw(min(references, len(train))).to_float(size, 3, device)
wx, wy = x[:n], y[:n]
maps = {
    "expected-gradients": sb.simplify.expected_gradients(classifier, wx, pool, draws=draws, progress=False).sum(1),
    "prediction-difference": sb.simplify.prediction_difference(classifier, wx, pool, stride=stride, samples=samples, progress=False),
}  # fmt: skip
regions = {"simplebits": suggested[:n], **{name: marks(weight) for name, weight in maps.items()}}


def restored(change):
    """1 where the true class comes back, else 0, image by image."""
    return (sb.simplify.control(classifier, wx, change).predicted_after == wy).double()


def without(region):
    """Restored by filling this region from its surroundings."""
    return restored(partial(sb.simplify.fill_region, region=region))


# %%
back = {name: without(region) for name, region in regions.items()}
back |= {"colour": restored(sb.simplify.grey), "sharpness": restored(partial(sb.simplify.blur, sigma=1.0))}
control = torch.stack([without(regions["simplebits"].roll(k, 0)) for k in range(1, others + 1)]).mean(0)
for name, values in (back | {"other images' regions": control}).items():
    sb.report.beside(f"restored by removing what is marked: {name}".replace(":", ","), by_image(values, 0, n), "share")
if planted:
    at = cause[index[:n]].to(device)
    found = {name: (region & at).sum((1, 2)) / at.sum((1, 2)) for name, region in regions.items()}
    found["chance"] = torch.full((n,), count / size**2)
    sb.report.beside("restored by removing the planted patch", by_image(without(at), 0, n), "share")
    sb.report.judge_claim(
        "simplebits.after-training.saliency", {g: by_image(v, 0, n) for g, v in found.items()}, "share"
    )
else:
    groups = {"restored": by_image(back["simplebits"], 0, n), "control": by_image(control, 0, n)}
    sb.report.judge_claim("simplebits.after-training.causes", groups, "share")

# %% [markdown]
# ## Simplify the control images (figure S15)
#
# What stands out in the simplified control image should no longer be what stood out before.

# %%
changed = sb.simplify.fill_region(wx, regions["simplebits"])
again, _, _ = simplified(changed, "controls")
same = (standing_out(again) & regions["simplebits"]).sum((1, 2)) / count
sb.report.beside("of what stood out, stands out again without it", by_image(same, 0, n), "share")
{name: round(float(v.mean()), 3) for name, v in (back | {"control": control}).items()}

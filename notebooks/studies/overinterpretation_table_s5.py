# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Sizes of sufficient input subsets, before and after calibration
#
# Train a network on CIFAR-10, count the test images of which it is at least 99 % sure, and search in each the pixels that
# keep it so sure (exact backward selection, 524,800 evaluations an image). Temperature scaling divides the logits by a
# number that half of the test images choose; the other half measures the calibration error.
#
# For calibration error and number of images the trained network is the independent unit. For the size it is the image: the
# published 2.36 ± 1.21 is the spread *between images*, so that the mean over 7,829 of them is known to within .03.

# %%
import time
from dataclasses import replace

import torch

import simplebits as sb

# %% tags=["parameters"]
image_set = "cifar10"  # a name for sb.data.load
size = 0  # height and width of the images, pixels; 0: their own
network = "ResNet20"  # a name for sb.networks.build
network_options = {"standardise": "cifar10"}  # of it
key = "overinterpretation.tableS5.resnet20.uncalibrated"  # row of the table, published
calibrated = False  # whether the logits are divided by the temperature
threshold = 0.99  # tau, the confidence that a subset must keep up
seeds = [0]  # of the trained networks; the paper has one of each kind
images = []  # which confident images of each network are searched, as places in a random order; []: all
epochs = 200  # of the training, 128 images a step, rates as in section S2
claim = ""  # on the seconds that a search takes, where the device is a GPU; "": none
least_accuracy = 0.85  # test accuracy below which a network counts as broken
device = None  # cpu, cuda; None: a GPU where there is one

# %% [markdown]
# ## Train, count, calibrate
#
# A network that is wrong too often, or sure of all images or of none, is broken, and stops the case.

# %%
device = device or ("cuda" if torch.cuda.is_available() else "cpu")
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
if size:
    train, test = (replace(one, images=sb.data.to_bytes(one.to_float(size))) for one in (train, test))
fill = sb.subsets.mean_pixel(train).to(device)[:, None, None]  # what masked pixels become
choose, measure = torch.randperm(len(test), generator=torch.Generator().manual_seed(0)).chunk(2)


def trained(seed):
    """The network of this seed: trained now, gone on with after a kill, or trained before by another case."""
    how = {
        "set": image_set,
        "network": network,
        "options": network_options,
        "learned": "full",
        "seed": seed,
        "epochs": epochs,
    }
    how |= {"size": size} if size else {}
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        net = sb.networks.build(network, len(test.classes), *train.images.shape[1:3], **network_options).to(device)
    path, moves = (
        sb.report.artefact("networks", **how) or sb.report.checkpoint(f"{seed}"),
        sb.data.RandomShift(train.images.shape[-1] // 8, flip=True),
    )
    sb.subsets.train_classifier(net, train, epochs=epochs, augment=moves, seed=seed, checkpoint=path, progress=False)
    return net.eval()


# %%
values = {f"{key}.{column}": {} for column in ("ece", "images", "sis-size")}
networks, confident, accuracies, temperatures = {}, {}, {}, {}
for seed in seeds:
    net, unit = trained(seed), f"network {seed}"
    logits = sb.subsets.check_trained(net, test, least_accuracy, threshold)
    accuracies[unit] = 100 * float((logits.argmax(1) == test.labels).float().mean())
    temperatures[unit] = sb.subsets.fit_temperature(logits[choose], test.labels[choose]) if calibrated else 1.0
    networks[seed], logits = sb.subsets.Calibrated(net, temperatures[unit]).eval(), logits / temperatures[unit]
    sure = (logits.softmax(1).amax(1) >= threshold).nonzero()[:, 0]
    confident[seed] = sure[torch.randperm(len(sure), generator=torch.Generator().manual_seed(seed))].tolist()
    values[f"{key}.ece"][unit] = 100 * sb.subsets.calibration_error(logits[measure], test.labels[measure])
    values[f"{key}.images"][unit] = len(sure)
    for column in ("ece", "images"):
        sb.report.judge(f"{key}.{column}", values[f"{key}.{column}"])
    sb.report.beside("accuracy on whole test images", accuracies, "%")
    sb.report.beside("temperature", temperatures, "T")
    sb.report.fingerprint(f"logits {seed}", logits)

# %% [markdown]
# ## Search
#
# Every subset is checked: alone it keeps the confidence, and without any one of its pixels it does not. A network that is this sure of
# a blank image has subsets of no pixels; their share stands beside.

# %%
every = test.to_float(device=device)


def search(seed, image):
    """Size in percent, seconds, and whether the blank image is enough; None where rounding keeps the image below tau."""
    x, begun = every[image], time.perf_counter()
    score = sb.subsets.class_score(networks[seed], x)
    path = sb.report.checkpoint(f"subset-{seed}-{image}")
    selection = sb.subsets.back_select(score, x, fill=fill, checkpoint=path, progress=False)
    found, blank = selection.sufficient(threshold), bool(selection.values[-1] >= threshold)
    if found is None:
        return None
    fewer = found.mask.repeat(len(found) + 1, 1, 1)  # the first stays whole
    fewer[range(1, len(found) + 1), found.sis[:, 0], found.sis[:, 1]] = False
    with torch.inference_mode():
        alone = score(sb.subsets.masked(x.expand(len(fewer), -1, -1, -1), fewer[:, None], fill))
    if not blank and (alone[0] < threshold - 1e-5 or bool((alone[1:] >= threshold + 1e-5).any())):
        raise ValueError(
            f"image {image} of network {seed}: {len(found)} pixels are not sufficient and minimal: {alone}"
        )
    return [100 * found.share, time.perf_counter() - begun, blank]


# %%
sizes, seconds, blanks = {}, {}, {}
for place in images or range(max(map(len, confident.values()))):
    for seed in seeds:
        if place >= len(confident[seed]):
            continue
        image = confident[seed][place]
        if found := sb.report.once(f"image {image}, network {seed}", lambda s=seed, i=image: search(s, i)):
            unit = f"image {image}, network {seed}"
            sizes[unit], seconds[unit], blanks[unit] = found
            # Networks differ from each other by more than means over images tell: a network is the unit.
            own = [size for name, size in sizes.items() if name.endswith(f"network {seed}")]
            values[f"{key}.sis-size"][f"network {seed}"] = sum(own) / len(own)
            sb.report.judge(f"{key}.sis-size", values[f"{key}.sis-size"])
            sb.report.beside("time a subset", seconds, "s", device=device)
            if claim:
                sb.report.judge_claim(claim, {"seconds": seconds}, "s")
            sb.report.beside(
                "subsets of no pixels, as a blank image is enough", {k: 100 * v for k, v in blanks.items()}, "%"
            )
sb.report.fingerprint("sizes", torch.tensor(list(sizes.values())))

# %% [markdown]
# ## The row

# %%
sb.report.table_beside({name: found for name, found in values.items() if found})

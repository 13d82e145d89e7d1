# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The classifier, without simplification
#
# Train the normaliser-free Wide ResNet on original images, as the paper does where nothing is simplified, and test it
# on all test images. A trained network is an independent unit. A network below `least_accuracy` is broken, not a
# measurement: the case stops.

# %%
import simplebits as sb

# %% tags=["parameters"]
image_set = "cifar10"  # a name for sb.data.load
networks = {
    "simplebits.classifier.nf-wrn-16-2.cifar10": {"depth": 16, "widen": 2}
}  # published number to the network's options
standardise = "cifar10"  # whose mean and standard deviation the network takes off first
size = 32  # height and width of the images, pixels
steps = 156250  # of training: 100 epochs of 50,000 images
batch_size = 32  # images a step
learning_rate = 0.0005  # of AdamW
cool_down = 0.0  # share of the steps, the last ones, in which the rate falls to zero
shift = 4  # pixels of the random crop's padding
flip = True  # mirror every other image
least_accuracy = 80.0  # percent; below this the network is broken
seeds = [0, 1, 2, 3, 4]  # of the networks
image_limit = 0  # real images used of either split; 0: all
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## Train and test

# %%
import torch

device = device or "cpu"
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
if image_limit:
    train, test = train.draw(image_limit), test.draw(min(image_limit, len(test)))


def falling(step):
    """What the rate is multiplied by at a step."""
    return min(1.0, (steps - step) / (cool_down * steps))


def accuracy(options, seed, key):
    """Test accuracy, in percent, of a network trained from these weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = sb.networks.NFWideResNet(classes=len(train.classes), size=size, standardise=standardise, **options)
    history = sb.networks.fit_classifier(
        network.to(device),
        train,
        steps=steps,
        size=size,
        channels=3,
        batch_size=batch_size,
        optimiser=sb.networks.classifier_optimiser(network, learning_rate),
        schedule=falling if cool_down else None,
        augment=sb.data.RandomShift(shift, flip=flip),
        test={"test": test},
        bf16=False,
        seed=seed,
        checkpoint=sb.report.checkpoint(f"{key}-{seed}"),
        progress=False,
    )
    logits = sb.networks.predict(network, test.subset(range(min(50, len(test)))).to_float(size, 3, device))
    sb.report.fingerprint(f"logits of seed {seed}", logits)
    found = 100 * history.curve[-1][1]["test"]
    if found < least_accuracy:
        raise RuntimeError(f"{key}, seed {seed}: {found:.1f} % is below {least_accuracy} %: the network is broken")
    return found


# %%
values = {key: {} for key in networks}
for seed in seeds:
    for key, options in networks.items():
        values[key][f"network {seed}"] = sb.report.once(
            f"{seed} {key}", lambda options=options, seed=seed, key=key: accuracy(options, seed, key)
        )
        sb.report.judge(key, values[key])

# %% [markdown]
# ## The table

# %%
sb.report.table_beside(values)

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Condense, then train fresh networks on the images
#
# The protocol behind most tables of gradient matching (DC), its siamese successor (DSA) and distribution matching (DM):
# learn a few synthetic images a class, several times; train fresh networks on each set; test them on real images.
# A condensed set is an independent unit, its value the mean accuracy over its networks. The papers have five sets and
# twenty networks each; a mean over fewer networks estimates the same number, with a little more noise in each value.

# %%
import torch

import simplebits as sb

# %% tags=["parameters"]
image_set = "mnist"  # a name for sb.data.load
method = "gradient"  # gradient (DC; with augment DSA), distribution (DM) or pixels (mean pixels)
images_per_class = 1  # synthetic images of each class
network = "ConvNet"  # that the images are condensed with
network_options = {}  # of it, beyond its name
options = {}  # further arguments of sb.condense.condense; nothing else is changed from the paper's setting
compiled = False  # the pass of the real images, on a processor; a ConvNet condenses in half the time
augment = ""  # siamese strategy while condensing; "": none
tests = {"dc.mnist.ipc1.dc": {}}  # number to network and options trained on the sets; {}: as condensed
sets = [0, 1, 2, 3, 4]  # seeds of the condensed sets
networks = 20  # trained on each set; an entry of tests may have its own networks and test_augment
epochs = 300  # of each training
test_augment = ""  # in each training: digits (crop, scale or rotate, as DC on MNIST), noise (crop or noise), a siamese strategy, or ""
image_limit = 0  # real images used of either split; 0: all
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## Condense

# %%
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
if image_limit:
    train, test = train.draw(image_limit), test.draw(image_limit)
device = device or "cpu"


made_with = {"method": method, "network": network, "network_options": network_options, "augment": augment or None}


def condensed(seed):
    """The condensed set of this seed: made now, gone on with after a kill, or made before by another case."""
    path = sb.report.artefact(
        "condensed", set=train.name, limit=image_limit, each=images_per_class, seed=seed, **made_with, **options
    )
    if path and path.is_file():
        return sb.condense.CondensedSet.read(path)
    few = sb.condense.condense(
        train,
        images_per_class=images_per_class,
        seed=seed,
        bf16=False,
        device=device,
        compiled=compiled and device == "cpu",
        checkpoint=sb.report.checkpoint(f"set-{seed}"),
        progress=False,
        **made_with,
        **options,
    )
    if path:
        few.save(path)
    return few


# %% [markdown]
# ## Train on the images, test on real ones

# %%
AUGMENTS = {"": None, "digits": sb.condense.CropScaleRotate(), "noise": sb.condense.CropNoise()}
FIRST = {key: next(k for k in tests if tests[k] == tests[key]) for key in tests}  # several tables print one number


def accuracy(few, seed, key):
    """Test accuracies, in percent, of fresh networks that have seen this set only."""
    tested = dict(tests[key]) or {"network": network, **network_options}
    name, count = tested.pop("network", network), tested.pop("networks", networks)
    augmentation = tested.pop("test_augment", test_augment)
    evaluation = sb.condense.evaluate(
        few,
        test,
        name,
        seeds=range(1000 * seed, 1000 * seed + count),  # no network is trained on two sets
        network_options=tested,
        epochs=epochs,
        augment=AUGMENTS.get(augmentation, augmentation),
        bf16=False,
        device=device,
        checkpoint=sb.report.checkpoint(f"test-{seed}-{key}"),
        progress=False,
    )
    return [100 * right for right in evaluation.accuracies]


# %%
values = {key: {} for key in tests}
for seed in sets:
    few = condensed(seed)
    sb.report.fingerprint(f"images of set {seed}", few.images)
    if few.history.losses:  # images of a few steps are mostly their start; losses are all method
        sb.report.fingerprint(f"losses of set {seed}", torch.tensor(few.history.losses))
    for key in tests:
        values[key][f"set {seed}"] = sb.report.once(
            f"{seed} {FIRST[key]}", lambda few=few, seed=seed, key=FIRST[key]: accuracy(few, seed, key)
        )
        sb.report.judge(key, values[key], networks=tests[key].get("networks", networks))

# %% [markdown]
# ## The table

# %%
sb.report.table_beside(values)

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Planted distractors: what a simplifier takes away
#
# Train a simplifier and a classifier on images that are the sum of a task part and a distractor part, both known. Fit
# simplified test images by the two parts: the two coefficients are what is *kept*, 1 all and 0 nothing. A simplifier,
# trained from its own start with its own classifier, is an independent unit.

# %%
import simplebits as sb

# %% tags=["parameters"]
composite = "side-by-side"  # which of the four sets: side-by-side, uniform-noise, interpolated, stripes
sources = {}  # task and distractor, if not the paper's
densities = [["glow", 1.0, 1.0]]  # what measures bits: name, share of the steps, factor of lambda; one after the other
bit_weight = 2.0  # lambda; the paper's code has 1, 2 or 4
network = {}  # options of NFWideResNet; {}: the paper's 16-2
simplifier = {}  # options of ResidualUNet; {}: the paper's
options = {}  # further arguments of SimplifyWhileTraining; {}: the paper's setting
warm_up = 0  # steps in which the classifier alone learns from original images
steps = 187500  # of both together: 100 epochs of 60,000 images
cool_down = 0.0  # share of the steps in which the rates fall to zero
batch_size = 32  # images a step
shift = 4  # pixels of the random crop's padding
seeds = [0, 1, 2]  # of the simplifiers
test_images = 1000  # images to measure on
least_accuracy = 0.8  # of the classifier on original images; below this it is broken
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## Train

# %%
import torch

device = device or "cpu"
stages = [sb.simplify.Stage(sb.density.load(name, device), share, factor) for name, share, factor in densities]
size = stages[-1].density.image_size
train, test = (sb.data.composite(composite, split, **sources) for split in ("train", "test"))
test = test.draw(min(test_images, len(test)), seed=1)
x, (task, distractor) = test.to_float(size, 3), test.parts(size, 3)
strokes = task.amax(1, keepdim=True).expand_as(task) > 0


def fresh(seed):
    """Classifier and simplifier of this seed, neither trained."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        classes = len(train.classes)
        classifier = sb.networks.NFWideResNet(classes=classes, size=size, standardise="composite", **network)
        return classifier.to(device), sb.networks.ResidualUNet(**simplifier).to(device)


def outside(s):
    """What is kept of the distractor outside the strokes: there the task part is black and can hide nothing."""
    ground = (~strokes).double()
    of_ground = [(v - (v * ground).sum((1, 2, 3), keepdim=True) / ground.sum((1, 2, 3), keepdim=True)) * ground
                 for v in (s.double(), distractor.double())]  # fmt: skip
    return float((of_ground[0] * of_ground[1]).sum() / of_ground[1].square().sum())


def kept(s, chosen=slice(None), rows=slice(None)):
    """Retention among the chosen images, in these rows."""
    return sb.simplify.retention(*(v[chosen][:, :, rows] for v in (s, task, distractor)))


def parts_kept(s):
    """What these simplified test images keep, by group of the claim's tests."""
    overall = kept(s)
    found = {"task": overall.task_overall, "distractor": overall.distractor_overall}
    if composite != "stripes":
        return found | {"outside": outside(s)}
    for label, name in enumerate(test.classes):  # never averaged: one class may be shown, the other told by its absence
        found[name] = kept(s, test.labels == label).task_overall
    edge = torch.arange(size)
    edge = (edge < size // 8) | (edge >= size - size // 8)
    for name, rows in (("tips", edge), ("middle", ~edge)):
        found[name] = kept(s, test.labels == test.classes.index("vertical"), rows).task_overall
    return found


def measured(seed):
    """Train with this seed; what is kept of each part, bits, and accuracy on original images."""
    settings = {"bit_weight": bit_weight, "augment": sb.data.RandomShift(shift), "seed": seed} | options
    run = sb.simplify.SimplifyWhileTraining(*fresh(seed), stages, bf16=False, **settings)
    run.fit(
        train, steps=steps, batch_size=batch_size, warm_up=warm_up, cool_down=cool_down, collapse_patience=None,
        checkpoint=sb.report.checkpoint(f"simplifier-{seed}"), progress=False,
    )  # fmt: skip
    s = run.simplify(x)
    sb.report.fingerprint(f"simplified by {seed}", s)
    found = run.measure(test)
    if found["accuracy_original"] < least_accuracy:
        raise RuntimeError(f"seed {seed}: {found['accuracy_original']:.2f} of the originals right: it is broken")
    return parts_kept(s) | {"accuracy": found["accuracy_original"], "bits": found["bits"]}


# %% [markdown]
# ## An oracle
#
# It keeps the mix inside the strokes and nothing outside. Whatever it scores is no failure of a simplifier.

# %%
last = stages[-1].density
oracle = parts_kept(x.where(strokes, torch.zeros(()))) if composite != "stripes" else parts_kept(task)
oracle["bits"] = sb.density.mean_bits(last, task if composite == "stripes" else x.where(strokes, torch.zeros(())))
untouched = parts_kept(x) | {"bits": sb.density.mean_bits(last, x)}
for name in oracle:
    unit = "bits/dim" if name == "bits" else "share kept"
    sb.report.beside(f"{composite} oracle, {name}", {"test images": oracle[name]}, unit)
    sb.report.beside(f"{composite} untouched, {name}", {"test images": untouched[name]}, unit)

# %% [markdown]
# ## What is kept

# %%
key, groups = f"simplebits.distractors.{composite}", {}
for seed in seeds:
    found = sb.report.once(f"seed {seed}", lambda seed=seed: measured(seed))
    for name, value in found.items():
        groups.setdefault(name, {})[f"simplifier {seed}"] = value
    sb.report.beside(f"{composite} simplified, bits", groups["bits"], "bits/dim")
    sb.report.judge_claim(key, {name: values for name, values in groups.items() if name != "bits"}, "share kept")

# %%
for name, values in groups.items():
    print(
        f"{name}: {[round(v, 3) for v in values.values()]}, oracle {oracle.get(name)}, untouched {untouched.get(name)}"
    )
sb.report.table_beside({key: groups["distractor"]})

# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Tasks one after the other
#
# Train one network on three sets of digits in turn, with a memory of ten images a class of each set that is over. A run, with its own weights, batches
# and memories, is an independent unit. Runs of one seed share weights and order of batches: two memories are compared unit by unit.

# %%
import dataclasses

import torch

import simplebits as sb

# %% tags=["parameters"]
image_sets = [
    "svhn",
    "mnist",
    "usps",
]  # names for sb.data.load, in the order of the tasks
pipeline = "simplebits"  # whose training: simplebits, gradient-matching
changes = {}  # to that pipeline's TaskTraining
images_per_class = 10  # kept of each class
ways = {  # of keeping: name to the memory (null, random, herding, gradient), its price on bits (null: free pixels), with distillation or not
    "condensed": ["gradient", 0.0, False],
    "condensed, distilled": ["gradient", 0.0, True],
}
firsts = {}  # number to the way whose accuracy after the first task it is
finals = {}  # number to the way whose mean accuracy after the last task it is
leads = {}  # number to two ways, whose final accuracies it is the difference of
forgetting = []  # the way with a set and the one without, of the claim about forgetting; []: not asked
fewer = ""  # number for how many times fewer bits keep the accuracy; "": not asked
loss = 0.5  # points of final accuracy that fewer bits may cost there
density = "glow"  # measures bits; its size is that of all images
network_options = {"width": 128}  # of every ConvNet
condensing = {}  # further arguments of sb.condense.condense; {}: the paper's setting
image_limit = 0  # training images of each set; 0: all
seeds = [0, 1, 2]  # one run each
device = None  # cpu, cuda; None: the library's choice

# %% [markdown]
# ## Tasks and memories

# %%
device = device or ("cuda" if torch.cuda.is_available() else "cpu")
published = {"simplebits": sb.condense.TaskTraining(), "gradient-matching": sb.condense.DC_TRAINING}
training = dataclasses.replace(published[pipeline], **changes)
measure = sb.density.load(density, device)
size = measure.image_size


def load(name, split):
    images = sb.data.load(name, split)
    return images.draw(min(image_limit, len(images))) if image_limit else images


tasks = [(load(name, "train"), load(name, "test")) for name in image_sets]
with_memory = len(tasks) if training.fine_tuning else len(tasks) - 1


def condensed(task, price, seed):
    """Condensed images of one task, made now, or before by another case."""
    settings = {"network_options": network_options, "bf16": False} | condensing
    settings |= {"size": size, "channels": 3} if price is None else {"bit_weight": price}
    named = {"set": image_sets[task], "limit": image_limit, "each": images_per_class, "seed": seed, "density": density}
    path = sb.report.artefact("for-continual", price=price, **named, **settings)
    if path and path.is_file():
        return sb.condense.CondensedSet.read(path)
    settings |= {} if price is None else {"density": measure}
    few = sb.condense.condense(
        tasks[task][0], "gradient", images_per_class, seed=seed, device=device, progress=False,
        checkpoint=sb.report.checkpoint(f"memory-{task}-{price}-{seed}"), **settings,
    )  # fmt: skip
    if path:
        few.save(path)
    return few


# %% [markdown]
# ## Learn

# %%
results, judged = {}, {}


def learned(name, seed):
    """Accuracies in percent after each task, and the bits of the memory."""
    memory, price, distill = ways[name]
    if memory == "gradient":
        memory = [condensed(task, price, seed) for task in range(with_memory)]
    run = sb.condense.continual(
        tasks, memory, images_per_class, training=training, distill=distill, network_options=network_options,
        size=size, channels=3, seed=seed, bf16=False, device=device, progress=False,
        checkpoint=sb.report.checkpoint(f"run-{list(ways).index(name)}-{seed}"),
    )  # fmt: skip
    sb.report.fingerprint(f"{name}, {seed}", torch.tensor(run.history.losses))
    kept = [few for few in run.memories[:-1] if few is not None]
    bits = sb.condense.memory_bits(kept, measure) if kept else 0.0
    return {"means": (100 * run.mean).tolist(), "each": (100 * run.accuracies[-1]).tolist(), "bits": bits}


def values(name, what):
    """One value for each seed that has run."""
    return {f"run {seed}": what(found) for (way, seed), found in results.items() if way == name}


def final(found):
    return found["means"][-1]


def ratio(seed):
    """How many times fewer bits keep the accuracy, against price 0, the first of the prices; without distillation."""
    priced = [results[name, seed] for name, (_, price, distill) in ways.items() if price is not None and not distill]
    enough = [found for found in priced if final(found) >= final(priced[0]) - loss]
    return priced[0]["bits"] / min(found["bits"] for found in enough)


# %%
for seed in seeds:
    for name in ways:
        results[name, seed] = sb.report.once(f"{name}, {seed}", lambda name=name, seed=seed: learned(name, seed))
    judged = {key: values(name, lambda found: found["means"][0]) for key, name in firsts.items()}
    judged |= {key: values(name, final) for key, name in finals.items()}
    for key, (one, other) in leads.items():
        more, less = values(one, final), values(other, final)
        judged[key] = {unit: more[unit] - less[unit] for unit in more}
    if fewer:
        judged[fewer] = {f"run {done}": ratio(done) for done in seeds if (next(iter(ways)), done) in results}
    for key, found in judged.items():
        sb.report.judge(key, found)
    if forgetting:
        groups = dict(zip(("with-set", "without-set"), (values(name, final) for name in forgetting), strict=True))
        sb.report.judge_claim("simplebits.continual.forgetting", groups, "%")

# %%
for name in ways:
    sb.report.beside(f"final accuracy, {name}", values(name, final), "%")
    sb.report.beside(
        f"thousand bits of the memory, {name}", values(name, lambda found: found["bits"] / 1000), "thousand bits"
    )
    sb.report.beside(
        f"accuracy on {image_sets[0]} at the end, {name}", values(name, lambda found: found["each"][0]), "%"
    )

# %%
sb.report.table_beside(judged)

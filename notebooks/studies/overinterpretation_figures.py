# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What the figures say of sufficient input subsets
#
# Figures without numbers make claims: ensembles need more pixels (S2), right decisions more than wrong ones (S3), ties
# decide where pixels lie (S7), so does the selection rule (S9), salient pixels go first (S14). Each claim has tests in
# `published.yml` that the groups below can fail. An image is the independent unit.

# %%
from dataclasses import replace
from functools import cache
from statistics import fmean

import torch

import simplebits as sb

# %% tags=["parameters"]
image_set = "cifar10"  # a name for sb.data.load
size = 0  # height and width of the images, pixels; 0: their own
network = "ResNet20"  # a name for sb.networks.build
network_options = {"standardise": "cifar10"}  # of it
figures = ["ties"]  # ensemble.size, size.correct, ties, batched, saliency: keys of claims
count = 1000  # images looked at
group = 0  # k, pixels that the gradient rule masks at a time; 0: exact selection
at_once = 1  # images selected from together
threshold = 0.99  # tau, the confidence that a subset must keep up
thresholds = [0.5, 0.6, 0.7, 0.8, 0.9, 0.99]  # tau of right against wrong; the first one is tested
repeats = 3  # selections with ties broken at random
members = [0, 1, 2, 3, 4]  # seeds of the ensemble; the first one is the single network
corrupted = "cifar10-c"  # cifar10-c, or anew: the 15 of its 19 corruptions that can be made
epochs = 200  # of the training, 128 images a step, rates as in section S2
least_accuracy = 0.85  # test accuracy below which a network counts as broken
device = None  # cpu, cuda; None: a GPU where there is one

# %%
device = device or ("cuda" if torch.cuda.is_available() else "cpu")
train, test = (sb.data.load(image_set, split) for split in ("train", "test"))
if size:
    train, test = (replace(one, images=sb.data.to_bytes(one.to_float(size))) for one in (train, test))
side, blank = train.images.shape[-1], sb.subsets.mean_pixel(train).to(device)[:, None, None]


@cache
def trained(seed):
    """The network of this seed, or all of them together: trained now, or before by another case."""
    if seed == "all":
        return sb.subsets.Ensemble([trained(each) for each in members]).eval()
    how = {"set": image_set, "network": network, "options": network_options, "learned": "full", "seed": seed}
    how |= {"epochs": epochs} | ({"size": size} if size else {})
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        net = sb.networks.build(network, len(test.classes), *train.images.shape[1:3], **network_options).to(device)
    path, moves = sb.report.artefact("networks", **how), sb.data.RandomShift(side // 8, flip=True)
    path = path or sb.report.checkpoint(f"network-{seed}")
    sb.subsets.train_classifier(net, train, epochs=epochs, augment=moves, seed=seed, checkpoint=path, progress=False)
    sb.report.fingerprint(f"logits {seed}", sb.subsets.check_trained(net, test, least_accuracy, threshold))
    return net.eval()


# %% [markdown]
# ## What there is to say of one image
#
# Sizes are percent of the pixels, places shares: of the 5 % kept last at the bottom border and in the centre, of the sufficient subset on
# the rim. Saliency is the slope of the class's logit. *Filled* leaves out empty subsets, of images whose class a blank image has too.

# %%
rows = torch.arange(side).expand(side, side).T
from_rim = torch.minimum(torch.minimum(rows, side - 1 - rows), torch.minimum(rows, side - 1 - rows).T)
bottom, centre, rim = rows >= side - 2, from_rim >= side // 4, from_rim < side // 8  # rim: four pixels of 32


def look(name, x, labels, net, rule, tie):
    """Select from a few images, and say what there is to say of each."""
    score, path = sb.subsets.class_score(net, x), sb.report.checkpoint(name)
    if rule:
        chosen = sb.subsets.batched_gradient_back_select(score, x, rule, fill=blank, checkpoint=path, progress=False)
        chosen, orders = [chosen.image(i) for i in range(len(x))], chosen.order
    else:
        ties = {} if tie is None else {"generator": torch.Generator().manual_seed(tie), "noise": 1e-12}
        chosen = sb.subsets.back_select(score, x, fill=blank, checkpoint=path, progress=False, **ties)
        orders = torch.stack([one.steps for one in chosen])
    sb.report.fingerprint(name, orders)
    inputs = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net(inputs).gather(1, score.classes[:, None]).sum(), inputs)
    tenth, when = -(-side * side // 10), orders.flatten(1).argsort(dim=1, stable=True).argsort(1)
    when = when.gather(1, slope.abs().sum(1).flatten(1).topk(tenth).indices)  # of the most salient tenth
    results = []
    for i, one in enumerate(chosen):
        kept, found = sb.subsets.keep_last(orders[i], 0.05).cpu(), one.sufficient(threshold)
        say = {"border": kept[bottom].sum() / kept.sum(), "centre": kept[centre].sum() / kept.sum()}
        say |= {"first": (when[i] < tenth).float().mean(), "last": (when[i] >= side * side - tenth).float().mean()}
        if found is not None:
            alone = score.for_images(torch.tensor([i]))(sb.subsets.masked(x[i], found.mask, blank)[None])
            say |= {"size": 100 * found.share, "sufficient": alone >= threshold - 1e-5}
            say |= {"rim": found.mask.cpu()[rim].sum() / len(found)} if len(found) else {}
        kind = "right" if score.classes[i] == labels[i] else "wrong"
        for tau, found in ((tau, one.sufficient(tau)) for tau in thresholds):
            if found is not None:
                say |= {f"{kind} {tau:g}": 100 * found.share, f"{kind}-empty {tau:g}": 100 * (len(found) == 0)}
                say |= {f"{kind}-filled {tau:g}": 100 * found.share} if len(found) else {}
        results.append({what: float(value) for what, value in say.items()})
    return results


# %%
first, low, rule, drawn = members[:1], f"{thresholds[0]:g}", group or 1, [*range(repeats)]
PLANS = {  # each group of a claim's tests: which networks, rule and ties make it, and what is said of it
    "ensemble.size": {"ensemble": (["all"], group, [None], "size"), "members": (members, group, [None], "size")},
    "size.correct": {k: (first, group, [None], f"{k} {low}") for k in ("right", "wrong", "right-filled", "wrong-filled")},
    "ties": {f"{w}-{how}": (first, 0, t, w) for w in ("border", "centre") for how, t in (("first", [None]), ("random", drawn))},
    "batched": {"rim-exact": (first, 0, [None], "rim"), "rim-batched": (first, rule, [None], "rim"), "sufficient": (first, rule, [None], "sufficient")},
    "saliency": {"first": (first, rule, [None], "first"), "last": (first, rule, [None], "last")},
}  # fmt: skip
for figure in figures:
    plan = dict(PLANS[figure])
    if figure == "size.correct":
        kinds = [kind + what for kind in ("right", "wrong") for what in ("", "-filled", "-empty")]
        plan |= {f"{kind} {tau:g}": (first, group, [None], f"{kind} {tau:g}") for kind in kinds for tau in thresholds}
        sources = list(sb.data.corrupted_sets(test, corrupted == "cifar10-c", count))
    else:  # test images, in a random order, of which all networks are sure
        sources, nets = [test.draw(len(test))], {seed for seeds, *_ in plan.values() for seed in seeds}
        logits = [sb.networks.predict(trained(seed), sources[0].to_float()) for seed in nets]
        sure = torch.stack([each.softmax(1).amax(1) for each in logits]).amin(0) >= threshold
        sources = [sources[0].subset(sure.nonzero()[:count, 0])]
    parts = [part for source in sources for part in source.batches(at_once, device=device)]
    groups = {name: {} for name in plan}
    for n, (x, labels) in enumerate(parts):

        @cache
        def at(seed, rule, tie, name=f"{figure} {n}", x=x, labels=labels):
            name = f"{name}, network {seed}, k {rule}, ties {tie}"
            return sb.report.once(name, lambda: look(name, x, labels, trained(seed), rule, tie))

        for name, (seeds, rule, ties, what) in plan.items():
            for j, told in enumerate(zip(*(at(seed, rule, tie) for seed in seeds for tie in ties), strict=True)):
                if all(what in one for one in told):
                    groups[name][f"image {n * at_once + j}"] = fmean(one[what] for one in told)
        tested = {name: groups[name] for name in PLANS[figure]}
        if all(tested.values()):
            sb.report.judge_claim(f"overinterpretation.{figure}", tested)
    for name in groups.keys() - PLANS[figure].keys():
        if groups[name]:
            sb.report.beside(f"corrupted images, {name}", groups[name], "%")

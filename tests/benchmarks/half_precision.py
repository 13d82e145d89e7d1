"""Does half precision change where a run ends, over three seeds, on images held out of the training set?

`python tests/benchmarks/half_precision.py [condense] [simplify]`. The speed benchmarks show what bfloat16 saves in a
step; this shows whether what comes out is as good. No test: on one thread the first part takes a quarter of an hour and
the second half an hour. The first wants MNIST under SIMPLEBITS_DATA and takes the embedded digits where there is none.
On a processor without the instructions for bfloat16 the products are computed as those would.
"""

import contextlib
import os
import sys
from statistics import fmean, stdev

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import simplebits as sb
from simplebits._precision import faster_in_bf16

SEEDS = (0, 1, 2)
aten = torch.ops.aten
PRODUCTS = {
    aten.convolution.default, aten.convolution_backward.default,
    aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default,
}  # fmt: skip


class AsTheInstructions(TorchDispatchMode):
    """Products of bfloat16 numbers summed in single precision and rounded: what the instructions give, faster.

    Without them, torch takes twenty times as long for these products.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        def cast(values, there, to):
            return [v.to(to) if isinstance(v, torch.Tensor) and v.dtype == there else v for v in values]

        if func not in PRODUCTS or all(getattr(a, "dtype", None) != torch.bfloat16 for a in args):
            return func(*args, **(kwargs or {}))
        result = func(*cast(args, torch.bfloat16, torch.float32), **(kwargs or {}))
        if isinstance(result, tuple):
            return tuple(cast(result, torch.float32, torch.bfloat16))
        return result.to(torch.bfloat16)


def bfloat16():
    """What a training in bfloat16 is run under."""
    return contextlib.nullcontext() if faster_in_bf16("cpu") else AsTheInstructions()


def compare(what, measure):
    """Print what `measure(seed, bf16)` gives, a dictionary of numbers, in both precisions."""
    for bf16 in (False, True):
        with bfloat16() if bf16 else contextlib.nullcontext():
            results = [measure(seed, bf16) for seed in SEEDS]
        cells = []
        for key in results[0]:
            values = [result[key] for result in results]
            each = ", ".join(f"{v:.3f}" for v in values)
            cells.append(f"{key} {fmean(values):.3f} ± {stdev(values):.3f} ({each})")
        print(f"{what}, {'bf16' if bf16 else 'single precision'}: {'; '.join(cells)}", flush=True)


def held_out(name, n):
    """All but n images of a training set, and those n."""
    images = sb.data.load(name, "train")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images.subset(order[n:]), images.subset(order[:n])


def condensation(method):
    """Accuracy from one condensed image a class; settings of the shipped sets."""
    train, test = held_out("mnist", 2000) if os.environ.get("SIMPLEBITS_DATA") else held_out("digits", 300)

    def measure(seed, bf16):
        few = sb.condense.condense(
            train, method, 1, network_options={"width": 32}, real_batch=64, learning_rate=0.5, cool_down=0.5,
            start="real", iterations=160, seed=seed, bf16=bf16, progress=False,
        )  # fmt: skip
        result = sb.condense.evaluate(
            few, test, seeds=range(3), network_options={"width": 32}, bf16=False, progress=False
        )
        return {"accuracy": result.mean}

    compare(f"{method} matching, {train.name}", measure)


def simplification():
    """Retention and accuracy of digits beside pictures: chapter 05's settings, until nothing moves any more."""
    density = sb.density.load("glow-16px")
    sources = {"task": "digits", "distractor": "photos"}
    everything = sb.data.composite("side-by-side", "train", **sources)
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(0))
    train, test = everything.subset(order[260:]), everything.subset(order[:260])

    def measure(seed, bf16):
        with torch.random.fork_rng():
            torch.random.default_generator.manual_seed(seed)
            classifier = sb.networks.NFWideResNet(
                10, 2, size=16, standardise="composite", dropout=0.0, stem_kernel=5, stem_stride=2
            )
            simplifier = sb.networks.ResidualUNet(16, 3, merge=1.0, pool=2)
        run = sb.simplify.SimplifyWhileTraining(
            classifier, simplifier, [sb.simplify.Stage(density)], bit_weight=3.0, learning_rate=0.002,
            simplifier_learning_rate=0.003, simplifier_betas=(0.9, 0.99), clip=0.3, noise=1.0,
            augment=sb.data.RandomShift(1), seed=seed, bf16=bf16,
        )  # fmt: skip
        run.fit(train, steps=600, batch_size=32, warm_up=400, cool_down=0.3, collapse_patience=None, progress=False)
        x = test.to_float(16, 3)
        kept = sb.simplify.retention(run.simplify(x), *test.parts(16, 3))
        return {
            "task": kept.task_overall,
            "distractor": kept.distractor_overall,
            "accuracy": sb.networks.accuracy(run.classifier, x, test.labels),
        }

    compare("side by side", measure)


if __name__ == "__main__":
    torch.set_num_threads(1)
    chosen = sys.argv[1:] or ["condense", "simplify"]
    if "condense" in chosen:
        for method in ("distribution", "gradient"):
            condensation(method)
    if "simplify" in chosen:
        simplification()

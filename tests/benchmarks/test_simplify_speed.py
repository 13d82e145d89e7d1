"""One step of SimplifyWhileTraining against the plain formulation, in one run: only the ratio means anything.

The plain one is what a reader of the paper would write: functional copies of all weights, a pass for each of the three
classification losses, `backward` through everything, single precision. `pytest tests/benchmarks -s` prints the ratios
and the peak memory of each variant; how a step's time grows with batch and width is in chapter 04.

The aim was 1.2 in single precision and 1.5 with bfloat16. The first is missed: 1.06 was measured for the step as
published, 1.23 with `reuse_gradient`, which takes the classifier's step with the gradient that the loss has computed
already. With bfloat16 it is 1.68, and 1.94 with the reused gradient.

The limit: nine tenths of the time are convolutions. Counted in passes through the classifier, a step takes fifteen, of
which the mixed second derivative needs six; those that the plain formulation does in vain come to 1.35 at the most.
Neither way around the second derivative is cheaper here: forward-over-reverse gives the same values at the same cost,
and a compiler, which gains nothing on first-order passes of this network, does not take second derivatives.

The aim says "at equal retention and accuracy". Over three seeds, 600 steps on digits beside pictures, measured on
images held out of the training set (`python tests/benchmarks/half_precision.py simplify`), on one processor that has
bfloat16 and on one that has not, whose products are computed as the first one's would be:

    processor   precision   task kept      distractor kept   accuracy
    with        single      .637 ± .050    .073 ± .002       .971 ± .006
    with        bfloat16    .586 ± .103    .066 ± .006       .955 ± .008
    without     single      .610 ± .080    .069 ± .004       .954 ± .008
    without     bfloat16    .655 ± .085    .070 ± .002       .954 ± .010

One precision differs from itself on the other processor as much as the two precisions do: such a training amplifies
the last digit, and three seeds show no difference beyond that. Of 260 images, one is .004.
"""

import resource
import subprocess
import sys
import time

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

import simplebits as sb
from simplebits._precision import faster_in_bf16
from simplebits.simplify import SimplifyWhileTraining

pytestmark = pytest.mark.unchecked
BATCH, ROUNDS = 32, 3
TRAIN = "digits"


def make(bf16, reuse=False, filters=64, widen=2, threshold=1e6):
    """The paper's networks; a threshold that keeps the gate open, so that both measure bits for every image."""
    torch.manual_seed(0)
    classifier = sb.networks.NFWideResNet(16, widen, dropout=0.0)
    return SimplifyWhileTraining(
        classifier,
        sb.networks.ResidualUNet(filters),
        sb.density.load("glow"),
        threshold=threshold,
        bf16=bf16,
        reuse_gradient=reuse,
    )


def adamw(p, g, state, group):
    """One differentiable step for one tensor, written out."""
    t = float(state["step"]) + 1 if state else 1.0
    beta1, beta2 = group["betas"]
    m = beta1 * (state["exp_avg"] if state else 0.0) + (1 - beta1) * g
    v = beta2 * (state["exp_avg_sq"] if state else 0.0) + (1 - beta2) * g**2
    root = torch.sqrt(v / (1 - beta2**t) + 1e-30)
    return p * (1 - group["lr"] * group["weight_decay"]) - group["lr"] * m / (1 - beta1**t) / (root + group["eps"])


def plain_step(run, x, labels, generator):
    """The same step without any of the savings; returns the loss."""
    simple = sb.density.quantise(run.simplifier(x))
    here = generator.get_state()
    shifted, original = run.settings.augment(generator, simple, x)
    torch.randint(2**62, (), generator=generator)  # the library draws a seed for dropout here
    net = run.classifier
    theta = {name: p.clone() for name, p in net.named_parameters()}
    before = F.cross_entropy(functional_call(net, theta, (shifted,)), labels)
    gradients = dict(zip(theta, torch.autograd.grad(before, list(theta.values()), create_graph=True), strict=True))
    groups = {id(p): group for group in run.classifier_optimiser.param_groups for p in group["params"]}
    state = run.classifier_optimiser.state
    new = {
        name: adamw(theta[name], gradients[name], state.get(p, {}), groups[id(p)]) for name, p in net.named_parameters()
    }
    after = F.cross_entropy(functional_call(net, new, (shifted,)), labels)
    each = F.cross_entropy(functional_call(net, new, (original,)), labels, reduction="none")
    gate = ((run.settings.threshold - each.detach()) / run.settings.threshold).clamp(0, 1)
    bits = run.density.bits_per_dim(simple, generator)
    total = before + after + 10 * each.mean() + run.settings.bit_weight * (gate * bits).mean()
    total = total / (12 + run.settings.bit_weight)
    run.simplifier_optimiser.zero_grad()
    total.backward()
    run.simplifier_optimiser.step()
    simple = sb.density.quantise(run.simplifier(x))
    generator.set_state(here)
    (shifted,) = run.settings.augment(generator, simple)
    run.classifier_optimiser.zero_grad()
    F.cross_entropy(net(shifted.detach()), labels).backward()
    run.classifier_optimiser.step()
    return total.item()


@pytest.fixture(autouse=True)
def one_thread():
    """Time of the processor on one thread: other work on the machine does not count, waiting threads neither."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def batch():
    images = sb.data.load(TRAIN, "train").draw(BATCH)
    return images, images.to_float(32, 3), images.labels


def seconds(call):
    start = time.process_time()
    call()
    return time.process_time() - start


def best(call):
    """The shortest of some runs, after one that warms the caches."""
    call()
    return min(seconds(call) for _ in range(ROUNDS))


@pytest.fixture(scope="module")
def plain_seconds(batch):
    """Of the plain formulation, once for all comparisons."""
    _, x, labels = batch
    run, threads = make(False), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return best(lambda: plain_step(run, x, labels, torch.Generator().manual_seed(0)))
    finally:
        torch.set_num_threads(threads)


def test_both_compute_the_same_loss(batch):
    """To 1e-4, over three steps, so that the moments of both optimisers are live."""
    images, _, _ = batch
    slow, fast = make(False, filters=8, widen=1), make(False, filters=8, widen=1)
    for step in range(3):
        generator = sb._training_state.step_generator(fast.settings.seed, step)
        chosen = images.subset(torch.randint(len(images), (BATCH,), generator=generator))
        seed_state = generator.get_state()
        fast._update(images, BATCH, fast.stages[0], 9)
        replay = torch.Generator()
        replay.set_state(seed_state)
        loss = plain_step(slow, chosen.to_float(32, 3), chosen.labels, replay)
        assert abs(loss - fast.history.terms["total"][-1]) < 1e-4


def peak_memory(*variant):
    """Megabytes that a process holds at most which only takes two steps of this variant, the interpreter included."""
    command = [sys.executable, __file__, *map(str, variant)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.fixture(scope="module")
def plain_memory():
    return peak_memory("plain")


# What is asserted leaves room for noise below what was measured: 1.06, 1.23, 1.68 and 1.94.
@pytest.mark.parametrize(
    ("what", "bf16", "reuse", "at_least"),
    [
        ("single precision, as published", False, False, 0.9),
        ("single precision, gradient reused", False, True, 1.1),
        ("bf16, as published", True, False, 1.4),
        ("bf16, gradient reused", True, True, 1.6),
    ],
)
def test_a_step_takes_its_share_of_the_plain_ones_time(
    what, bf16, reuse, at_least, batch, plain_seconds, plain_memory, benchmark
):
    if bf16 and not faster_in_bf16("cpu"):
        pytest.skip("this processor is not faster in bfloat16")
    run = make(bf16, reuse)

    def step():
        run._update(batch[0], BATCH, run.stages[0], 9)

    ratio = plain_seconds / best(step)
    peak = peak_memory(int(bf16), int(reuse))
    print(f"\ntraining step, {what}: plain / simplebits {ratio:.2f}; peak memory {peak:,.0f} MB", end=", ")
    print(f"of the plain one {plain_memory:,.0f} MB")
    benchmark.extra_info["ratio to the plain formulation"] = round(ratio, 2)
    benchmark.pedantic(step, rounds=1)
    assert ratio >= at_least


def two_steps(*variant):
    """Two steps of a variant: `plain`, or 0 or 1 for bf16 and for the reused gradient."""
    torch.set_num_threads(1)
    images = sb.data.load(TRAIN, "train").draw(BATCH)
    run = make(False) if variant == ("plain",) else make(*(flag == "1" for flag in variant))
    for _ in range(2):
        if variant == ("plain",):
            plain_step(run, images.to_float(32, 3), images.labels, torch.Generator().manual_seed(0))
        else:
            run._update(images, BATCH, run.stages[0], 9)


if __name__ == "__main__":
    two_steps(*sys.argv[1:])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

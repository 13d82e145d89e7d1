"""Glow against the same architecture in normflows, in one run on one machine: only the ratio means anything.

`pytest tests/benchmarks -s` prints the ratios; pytest-benchmark's table has the absolute times.
"""

import statistics
import time
import warnings

import pytest
import torch

from simplebits._precision import faster_in_bf16
from simplebits.density import Glow

pytestmark = pytest.mark.unchecked
SIZE, LEVELS, STEPS, HIDDEN, BATCH = 32, 3, 8, 128, 16
ROUNDS = 8


@pytest.fixture(scope="module")
def images():
    return torch.rand(BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) - 0.5


@pytest.fixture(scope="module")
def ours(images):
    model = Glow(LEVELS, STEPS, HIDDEN, SIZE)
    model.initialise((images + 0.5).clamp(0, 1), start="orthogonal")
    return model


@pytest.fixture(scope="module")
def theirs(images):
    """normflows' Glow with the same levels, steps, widths, inner ActNorms and learned Gaussian priors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what normflows warns of is not this project's to mend
        import normflows as nf

        priors, flows, merges = [], [], []
        for level in range(LEVELS):
            channels, side = 3 * 2 ** (LEVELS + 1 - level), SIZE // 2 ** (LEVELS - level)
            blocks = [
                nf.flows.GlowBlock(channels, HIDDEN, split_mode="channel", net_actnorm=True) for _ in range(STEPS)
            ]
            flows.append([*blocks, nf.flows.Squeeze()])
            if level:
                merges.append(nf.flows.Merge())
                shape = (channels // 2, side, side)
            else:
                shape = (channels, side, side)
            priors.append(nf.distributions.DiagGaussian(shape))
        model = nf.MultiscaleFlow(priors, flows, merges, class_cond=False)
        with torch.no_grad():
            model.log_prob(images, None)  # its data-dependent start
    return model


@pytest.fixture(autouse=True)
def one_thread():
    """Time of the processor on one thread: other work on the machine does not count, waiting threads neither."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def ratio_of(slow, fast):
    """Time of `slow` over time of `fast`, the median of turns in which one follows the other: bursts slow both."""

    def seconds(call):
        start = time.process_time()
        call()
        return time.process_time() - start

    slow(), fast()
    times = [(seconds(slow), seconds(fast)) for _ in range(ROUNDS)]
    return statistics.median(a / b for a, b in times)


def training_step(model, loss, bf16=False):
    def step():
        model.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            value = loss()
        value.backward()

    return step


def compare(benchmark, what, theirs, ours, at_least):
    ratio = ratio_of(theirs, ours)
    print(f"\n{what}, normflows / simplebits: {ratio:.2f}")
    benchmark.extra_info["ratio to normflows"] = round(ratio, 2)
    benchmark.pedantic(ours, rounds=2)
    assert ratio >= at_least


def test_they_are_the_same_architecture(ours, theirs):
    """The parameter counts differ by the last convolution's output scale, which normflows leaves out."""
    mine, other = (sum(p.numel() for p in m.parameters()) for m in (ours, theirs))
    assert abs(mine - other) / mine < 0.001


# Nine tenths of the time are the same convolutions in both. What is asserted leaves room for noise below what is
# measured on a quiet machine: 1.25 for a step in single precision, 1.75 for a step as `fit` takes it, 1.25 for
# decoding. By the median of turns, with three other processes on two cores: 1.20 to 1.26 and 1.32 to 1.36.


def test_a_training_step_is_faster(ours, theirs, images, benchmark):
    step = training_step(ours, lambda: -ours.log_density(images).mean())
    compare(
        benchmark,
        "Glow training step, single precision",
        training_step(theirs, lambda: -theirs.log_prob(images, None).mean()),
        step,
        1.1,
    )


def test_a_training_step_as_fit_takes_it_is_faster_still(ours, theirs, images, benchmark):
    if not faster_in_bf16("cpu"):
        pytest.skip("on this processor fit takes single precision, as it is not faster in bfloat16")
    step = training_step(ours, lambda: -ours.log_density(images).mean(), bf16=True)
    compare(
        benchmark,
        "Glow training step as in fit (bf16)",
        training_step(theirs, lambda: -theirs.log_prob(images, None).mean()),
        step,
        1.2,
    )


@torch.no_grad()
def test_decoding_is_faster(ours, theirs, images, benchmark):
    latents = ours.flow_forward(images)[0]
    their_latents = [torch.randn(BATCH, *prior.loc.shape[1:]) for prior in theirs.q0]
    compare(
        benchmark,
        "Glow decode",
        lambda: theirs.forward_and_log_det(their_latents),
        lambda: ours.flow_inverse(latents),
        1.1,
    )

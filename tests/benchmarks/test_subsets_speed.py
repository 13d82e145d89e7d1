"""Exact backward selection of a batch of 28x28 images against the plain loop over one image, in one run.

The plain loop is what a reader of the paper would write: a NumPy mask for each candidate, masked copies with `where`,
one call of the network for all candidates of a step. A whole image takes 307,720 evaluations, so the test masks only
14x14 of its 28x28 pixels. Whole images, and other networks, are measured by this file as a script, in three minutes or
so:

    OMP_NUM_THREADS=1 python tests/benchmarks/test_subsets_speed.py

Time is the processor's on one thread, and the clock's on a GPU.
"""

import time

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import simplebits as sb
from simplebits import subsets
from simplebits.subsets.receptive_field import LocalNetwork

pytestmark = pytest.mark.unchecked
SIDE, IMAGES = 14, 4  # pixels left to mask: 19,306 evaluations an image


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Waiting threads would count as work otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make(name="ConvNet", images=IMAGES, channels=1, size=28, device="cpu", **options):
    """A network with random weights, and images of noise: what they show takes no time."""
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        network = sb.networks.build(name, 10, channels, size, **options).eval().to(device)
    x = torch.rand(images, channels, size, size, generator=torch.Generator().manual_seed(0))
    return network, x.to(device)


def square(side, size=28):
    """Pixels to mask, in the middle."""
    mask = torch.zeros(1, size, size, dtype=torch.bool)
    begin = (size - side) // 2
    mask[:, begin : begin + side, begin : begin + side] = True
    return mask


def plain_back_select(network, x, mask):
    """One image, as the definition reads."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        chosen = int(network(torch.from_numpy(x[None]).to(device)).argmax())
    mask, first, order = mask.copy(), mask, []
    x = np.where(first, x, np.float32(0))
    while mask.any():
        candidates = np.argwhere(mask)
        masks = np.repeat(mask[None], len(candidates), axis=0)
        masks[(np.arange(len(candidates)), *candidates.T)] = False
        with torch.inference_mode():
            inputs = torch.from_numpy(np.where(masks, x, np.float32(0))).to(device)
            scores = network(inputs).softmax(1)[:, chosen].cpu().numpy()
        best = candidates[np.argmax(scores)]
        mask[tuple(best)] = False
        order.append(best[1:])
    return torch.from_numpy(np.stack(order))


def timed(device, call, *arguments):
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = clock()
    result = call(*arguments)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - start, result


def compare(network, x, side, plain_images, local):
    """Seconds an image of the plain loop and of the library, and the share of steps in which the orders agree."""
    mask = square(side, x.shape[-1])
    start = torch.where(mask.to(x.device), x, 0.0)
    pairs = [
        timed(x.device, plain_back_select, network, image.cpu().numpy(), mask.numpy()) for image in start[:plain_images]
    ]
    score = subsets.class_score(network, start, local=local)
    seconds, found = timed(x.device, lambda: subsets.back_select(score, start, mask=mask[0]))
    agree = [float((a.order.cpu() == b).all(1).float().mean()) for a, (_, b) in zip(found, pairs, strict=False)]
    return min(taken for taken, _ in pairs), seconds / len(x), agree


@pytest.fixture(scope="module")
def pair(one_thread):
    """A network that has been called before: the first call prepares its convolutions."""
    network, x = make(width=8, depth=2, norm="none", pooling="max")
    compare(network, x[:1], 3, 1, local=False)
    return network, x


def arithmetic_saved(network, x):
    """Share of the multiplications that windows save, those of the known maps not counted: one in as many inputs."""
    local, many = LocalNetwork(network, tuple(x.shape[1:]), x.device), 64
    image, pixel = torch.zeros(many, dtype=torch.int64, device=x.device), torch.arange(many, device=x.device)
    with torch.inference_mode():
        local.know(x[:1])
        with FlopCounterMode(display=False) as in_full:
            network(x[:1])
        with FlopCounterMode(display=False) as by_windows:
            local(image, pixel, x.new_zeros(many, x.shape[1]))
    return 1 - by_windows.get_total_flops() / many / in_full.get_total_flops()


# Asserted with room for a busy machine; measured: 1.0 in full, 7 by windows.
@pytest.mark.parametrize(("local", "at_least"), [(False, 0.6), (True, 3.0)])
def test_a_batch_is_selected_faster_than_by_the_plain_loop_and_in_the_same_order(local, at_least, pair, benchmark):
    network, x = pair
    plain, own, agree = compare(network, x if local else x[:1], SIDE, 1, local)
    kind = "by windows" if local else "in full"
    saved = f"; {arithmetic_saved(network, x):.1%} of the arithmetic saved" if local else ""
    print(
        f"\nbackward selection {kind}: plain / simplebits {plain / own:.2f}{saved}, same step for {agree[0]:.1%} "
        f"of the pixels"
    )
    benchmark.extra_info["ratio to the plain loop"] = round(plain / own, 2)
    benchmark.pedantic(compare, (network, x[:1], 3, 1, local), rounds=1)
    assert agree == [1.0]
    assert plain / own >= at_least


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_batch_is_selected_ten_times_as_fast_as_by_the_plain_loop_on_a_gpu():
    """Per image, and against the plain loop with the same network on the same GPU."""
    network, x = make(images=64, device="cuda", width=8, depth=2, norm="none", pooling="max")
    compare(network, x[:2], 3, 1, local=False)
    plain, own, _ = compare(network, x, 28, 1, local=False)
    print(f"\nbackward selection on a GPU: plain / simplebits {plain / own:.1f}, {own:.3f} s an image")
    assert plain / own >= 10


NETWORKS = {
    "ConvNet of width 8, depth 2": (28, "ConvNet", {"width": 8, "depth": 2, "norm": "none", "pooling": "max"}),
    "ConvNet of width 32, depth 3": (SIDE, "ConvNet", {"width": 32, "depth": 3, "norm": "none"}),
    "LeNet": (SIDE, "LeNet", {}),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, (side, kind, options) in NETWORKS.items():
        network, x = make(kind, **options)
        compare(network, x[:1], 3, 1, local=False)
        print(f"{name}: windows save {arithmetic_saved(network, x):.1%} of the arithmetic")
        for local, images in ((False, 1), (True, 1), (True, IMAGES)):
            plain, own, agree = compare(network, x[:images], side, 1, local)
            way = f"by windows, {images} at once" if local else "in full"
            print(f"{name}, {side}x{side} pixels, {way}: ratio {plain / own:.1f}", end="")
            print(f" ({plain:.1f} s an image, {own:.2f} s), same step for {agree[0]:.1%} of the pixels", flush=True)
    # The paper's network and images; on a processor of a part of the pixels, and of one image.
    there = torch.cuda.is_available()
    side, images, device = (32, 8, "cuda") if there else (12, 1, "cpu")
    network, x = make("ResNet20", images=images, channels=3, size=32, device=device)
    print(f"ResNet20: windows save {arithmetic_saved(network, x):.1%} of the arithmetic")
    for local in (False, True):
        score, mask = subsets.class_score(network, x, local=local), square(side, 32)[0]
        subsets.back_select(score, x, mask=square(3, 32)[0])
        seconds, _ = timed(x.device, lambda score=score, mask=mask: subsets.back_select(score, x, mask=mask))
        way = "by windows" if local else "in full"
        print(
            f"ResNet20, {side}x{side} of 32x32 pixels, {device}, {way}: {seconds / images:.1f} s an image", flush=True
        )

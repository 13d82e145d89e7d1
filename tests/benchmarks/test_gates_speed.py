"""Per-example gate gradients, first and second order: all images in one vmap against the loop over images, in one run.

Only the ratio means anything. `pytest tests/benchmarks -s` compares them on few images; more networks, and the GPU
where there is one, take a minute:

    OMP_NUM_THREADS=1 python tests/benchmarks/test_gates_speed.py
"""

import time

import pytest
import torch

import simplebits as sb
from simplebits.simplify import gate_distance, gate_gradients

pytestmark = pytest.mark.unchecked
ROUNDS = 3
NETWORKS = {
    "ConvNet, width 32, grey 16x16": ("ConvNet", {"channels": 1, "size": 16, "width": 32}),
    "ConvNet, width 128, 32x32": ("ConvNet", {"width": 128}),
    "ResNet20, 32x32": ("ResNet20", {}),
    "NFWideResNet-10-1, stem, 32x32": ("NFWideResNet", {"depth": 10, "widen": 1, "stem_stride": 2}),
    "ResNet18, 32x32": ("ResNet18", {"norm": "batch"}),
}


def make(name, images, device="cpu"):
    """A fresh network and images of noise: what they show takes no time."""
    kind, options = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = sb.networks.build(kind, **options).eval().to(device)
    channels, size = options.get("channels", 3), options.get("size", 32)
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(images, channels, size, size, generator=generator).to(device) for _ in range(2))
    return net, x, y


def slope(net, x, y, method):
    """What an iteration needs: the originals' gates, the others' with a graph, and the slope of their distance."""
    target = net(x).detach()
    wanted = {name: g.detach() for name, g in gate_gradients(net, x, target, 0.9, method=method)[0].items()}
    y = y.clone().requires_grad_()
    distance = gate_distance(gate_gradients(net, y, target, 0.9, method=method)[0], wanted)
    return torch.autograd.grad(distance.sum(), y)[0]


def seconds(net, x, y, method):
    """The fastest of some rounds; on a CPU the processor's time."""
    times = []
    for _ in range(ROUNDS):
        if x.is_cuda:
            torch.cuda.synchronize()
        clock = time.perf_counter if x.is_cuda else time.process_time
        start = clock()
        slope(net, x, y, method)
        if x.is_cuda:
            torch.cuda.synchronize()
        times.append(clock() - start)
    return min(times)


def compare(name, images, device="cpu"):
    """Loop's time over vmap's; raises where they disagree."""
    net, x, y = make(name, images, device)
    a, b = (slope(net, x, y, method) for method in ("vmap", "loop"))
    # In single precision a gate or a ReLU at 0 may fall on either side; in double precision they agree to 1e-14.
    assert (a - b).norm() < 1e-2 * b.norm()
    loop, vmap = (seconds(net, x, y, method) for method in ("loop", "vmap"))
    print(
        f"\n{name}, {images} images on {x.device.type}: loop {1e3 * loop:.0f} ms, vmap {1e3 * vmap:.0f} ms, "
        f"ratio {loop / vmap:.2f}"
    )
    return loop / vmap


def test_one_vmap_is_faster_than_the_loop_for_small_networks():
    assert compare("ConvNet, width 32, grey 16x16", 16) > 1.3


def test_one_vmap_costs_little_where_it_is_not_faster():
    assert compare("NFWideResNet-10-1, stem, 32x32", 8) > 0.8


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_one_vmap_is_three_times_the_loop_on_a_gpu():
    assert compare("ResNet20, 32x32", 32, "cuda") > 3


if __name__ == "__main__":
    for kind in NETWORKS:
        for images in (4, 32) if "ResNet18" not in kind else (4,):
            compare(kind, images)
            if torch.cuda.is_available():
                compare(kind, images, "cuda")

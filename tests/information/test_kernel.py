"""The kernel of any network: against a loop of autograd, in any number of parts, with random coordinates."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrize

from simplebits.information import jacobian, kernel
from simplebits.networks import ConvNet


class Twice(nn.Module):
    """A linear layer that is called twice, one whose weight another shares, and a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.again, self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.gain = nn.Parameter(torch.ones(4))
        self.end = nn.Linear(4, 2)

    def forward(self, x):
        x = self.again(torch.tanh(self.again(x))) * self.gain
        return self.end(self.second(torch.tanh(self.first(x))))


def networks():
    torch_state = torch.get_rng_state()
    torch.manual_seed(0)
    normed = nn.Sequential(
        nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(4, 6, 3, groups=2),
        nn.Tanh(), nn.Conv2d(6, 6, 3, padding="same", bias=False), nn.Flatten(), nn.Linear(24, 5), nn.ReLU(),
        nn.Linear(5, 2, bias=False),
    )  # fmt: skip
    normed[1].running_mean.uniform_(-0.1, 0.1)
    normed[1].running_var.uniform_(0.5, 2)
    sequence = nn.Sequential(nn.Linear(4, 3), nn.GELU(), nn.Flatten(), nn.Linear(9, 1))  # three rows an example
    plain = nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=2, padding=(1, 0), dilation=(2, 1)), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.Tanh(),
        nn.Conv2d(3, 2, (1, 2)), nn.Flatten(),
    )  # fmt: skip
    frozen = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    frozen[0].requires_grad_(False)
    computed = nn.Linear(4, 3)
    parametrize.register_parametrization(computed, "weight", nn.Softsign())
    made = {
        "one hidden layer": (nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)), (6,)),
        "convolutions, batch norm, dropout": (normed, (1, 8, 8)),
        "convolutions": (plain, (2, 9, 8)),
        "group norm": (ConvNet(classes=2, channels=1, size=16, width=4), (1, 16, 16)),
        "rows": (sequence, (3, 4)),
        "shared": (Twice(), (4,)),
        "frozen": (frozen, (4,)),
        "weights that are computed": (nn.Sequential(computed, nn.ReLU(), nn.Linear(3, 2)), (4,)),
    }
    torch.set_rng_state(torch_state)
    return {name: (net.double(), shape) for name, (net, shape) in made.items()}


NETWORKS = networks()


def examples(shape, n=6, seed=0):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_jacobian(net, x):
    """One backward pass an output and an example."""
    trained = [p for p in net.parameters() if p.requires_grad]
    rows = []
    for example in x:
        for output in net(example[None])[0]:
            rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(output, trained, retain_graph=True)]))
    return torch.stack(rows)


@pytest.mark.parametrize("name", NETWORKS)
def test_equals_a_loop_of_autograd(name):
    net, shape = NETWORKS[name]
    net.eval()
    x, x2 = examples(shape), examples(shape, 4, 1)
    J, J2 = slow_jacobian(net, x), slow_jacobian(net, x2)
    torch.testing.assert_close(kernel(net, x), J @ J.T)
    torch.testing.assert_close(kernel(net, x2, x), J2 @ J.T)
    torch.testing.assert_close(jacobian(net, x), J)


@pytest.mark.parametrize("name", NETWORKS)
def test_does_not_depend_on_the_memory_it_may_use(name):
    net, shape = NETWORKS[name]
    x, x2 = examples(shape), examples(shape, 4, 1)
    torch.testing.assert_close(kernel(net, x, memory=2**14), kernel(net, x))
    torch.testing.assert_close(kernel(net, x2, x, memory=2**14), kernel(net, x2, x))


def test_modes_hooks_and_gradients_are_left_as_they_were():
    net, shape = NETWORKS["convolutions, batch norm, dropout"]
    net.train()
    net[3].eval()
    before = net[1].running_mean.clone()
    first = kernel(net, examples(shape))
    assert torch.equal(first, kernel(net, examples(shape)))  # no dropout
    assert net.training and net[1].training and not net[3].training
    assert torch.equal(net[1].running_mean, before)
    assert all(p.grad is None for p in net.parameters())
    assert not any(module._forward_hooks for module in net.modules())


def test_each_example_is_taken_by_itself():
    net, shape = NETWORKS["convolutions, batch norm, dropout"]
    x = examples(shape, 70)  # more than one batch
    torch.testing.assert_close(kernel(net, x[-3:]), kernel(net, x)[-6:, -6:])


def test_random_coordinates_estimate_the_kernel_without_bias():
    net, shape = NETWORKS["one hidden layer"]
    x = examples(shape, 3)
    exact = kernel(net, x)
    draws = torch.stack([kernel(net, x, coordinates=5, seed=seed) for seed in range(150)])
    error = draws.std(0) / 150**0.5
    assert float(((draws.mean(0) - exact).abs() / error).max()) < 4.5  # 81 entries, 4.5 standard errors
    assert float(error.max()) < 0.1 * float(exact.abs().max())


def test_random_coordinates_are_the_same_for_validation_and_all_are_all():
    net, shape = NETWORKS["one hidden layer"]
    x, x2 = examples(shape), examples(shape, 4, 1)
    both = kernel(net, torch.cat([x2, x]), coordinates=5, seed=7)
    torch.testing.assert_close(kernel(net, x2, x, coordinates=5, seed=7), both[:12, 12:])
    torch.testing.assert_close(kernel(net, x, coordinates=5, seed=7), both[12:, 12:])
    torch.testing.assert_close(kernel(net, x, coordinates=5, seed=7, memory=1), both[12:, 12:])
    assert not torch.allclose(kernel(net, x, coordinates=5, seed=8), both[12:, 12:])
    torch.testing.assert_close(kernel(net, x, coordinates=1000), kernel(net, x))


def test_single_precision_networks_can_be_summed_in_double():
    net, shape = NETWORKS["group norm"]
    x = examples(shape)
    exact, single = kernel(net, x), net.float()
    try:
        assert kernel(single, x.float()).dtype == torch.float32
        result = kernel(single, x.float(), dtype=torch.float64)
    finally:
        net.double()
    assert result.dtype == torch.float64
    torch.testing.assert_close(result, exact, rtol=1e-4, atol=1e-5 * float(exact.abs().max()))


def test_whole_numbers_are_what_an_embedding_takes():
    net, x = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 2)).double(), torch.arange(8).view(4, 2) % 5
    J = slow_jacobian(net, x)
    torch.testing.assert_close(kernel(net, x), J @ J.T)
    torch.testing.assert_close(jacobian(net, x), J)


@pytest.mark.unchecked
def test_a_jacobian_needs_outputs_and_examples():
    line = nn.Linear(3, 1).double()
    with pytest.raises(ValueError, match=r"network: expected outputs \[n, k\], got \[1\]"):
        jacobian(nn.Sequential(line, nn.Flatten(0)), torch.ones(4, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match="x: expected torch.float64 on cpu"):
        jacobian(line, torch.ones(4, 3))


@pytest.mark.unchecked
def test_wrong_input_is_named(monkeypatch):
    net, shape = NETWORKS["one hidden layer"]
    x = examples(shape)

    def fails(match, *arguments, error=ValueError, **options):
        with pytest.raises(error, match=match):
            kernel(*arguments, **options)

    fails("expected a torch.nn.Module", "net", x, error=TypeError)
    fails("expected a torch.Tensor", net, x.numpy(), error=TypeError)
    fails("expected torch.float64 on cpu", net, x.float())
    fails("expected torch.float64 on cpu.* got torch.uint8", net, x.byte())
    fails(r"x: is empty, shape \[0, 6\]; give at least one", net, x[:0])
    fails("x2: expected at least one example .* like x's", net, x, x[:, :3])
    fails("x2: holds NaN", net, x, x * math.nan)
    fails("coordinates=0", net, x, coordinates=0)
    fails("seed=-1", net, x, coordinates=2, seed=-1)
    fails("memory=0", net, x, memory=0)
    fails("dtype=torch.int64: give a floating point dtype", net, x, dtype=torch.int64, error=TypeError)
    fails("dtype='float64': give a floating point dtype", net, x, dtype="float64", error=TypeError)
    fails(r"expected outputs \[n, k\]", nn.Sequential(net, nn.Unflatten(1, (3, 1))), x)
    monkeypatch.setattr("simplebits.information.memory.available", lambda device: 1000.0)
    fails(r"a kernel of 6 by 6 examples with 3 output\(s\) needs .* dtype=torch.float32", net, x)


class Tied(nn.Module):
    """An autoencoder whose decoder is its encoder's weight, transposed."""

    def __init__(self, inner=4, outer=4):
        super().__init__()
        self.layer = nn.Linear(outer, inner)

    def forward(self, x):
        return nn.functional.linear(torch.tanh(self.layer(x)), self.layer.weight.T)


class ByItsNorm(nn.Module):
    """A layer that is divided by the norm of its own weight."""

    def __init__(self, inner=3, outer=4):
        super().__init__()
        self.layer = nn.Linear(outer, inner)

    def forward(self, x):
        return self.layer(x) / self.layer.weight.norm()


class TiedConvolution(nn.Module):
    """A convolution and its transpose."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x):
        x = nn.functional.conv_transpose2d(torch.tanh(self.layer(x)), self.layer.weight, padding=1)
        return x.flatten(1)[:, :3]


def by_autograd(network, x):
    weights = {name: p.detach() for name, p in network.named_parameters()}
    by_name = torch.func.jacrev(lambda w: torch.func.functional_call(network, w, (x,)))(weights)
    rows = torch.cat([value.flatten(2) for value in by_name.values()], 2).flatten(0, 1)
    return rows @ rows.T


PIECES = {
    "plain": lambda: nn.Linear(4, 4), "tied": Tied, "by its norm": lambda: ByItsNorm(4), "tanh": nn.Tanh,
    "shared": lambda: Twice().again,
}  # fmt: skip


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(sorted(PIECES)), min_size=1, max_size=4), st.integers(0, 99))
def test_any_architecture_has_autograds_kernel(names, seed):
    """Also where a layer's weight is used outside its layer: transposed, or for its norm."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(*(PIECES[name]() for name in names), nn.Linear(4, 2)).double()
        x = torch.randn(3, 4, dtype=torch.float64)
    torch.testing.assert_close(kernel(network, x), by_autograd(network, x))


def test_a_convolution_and_its_transpose_share_a_weight():
    network, x = TiedConvolution().double(), torch.randn(3, 1, 5, 5, dtype=torch.float64)
    before = dict(network.named_parameters())
    torch.testing.assert_close(kernel(network, x), by_autograd(network, x))
    assert all(p is before[name] for name, p in network.named_parameters()), "the weights are put back"

"""The imagined step of AdamW: equal to the real one, differentiable in the gradients, and nothing is changed."""

import copy

import pytest
import torch
from torch import nn

from simplebits.networks import NFWideResNet, classifier_optimiser
from simplebits.simplify import virtual_adamw_step


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def gradients_of(net, seed, scale=1.0):
    generator = seeded(seed)
    return {
        name: scale * torch.randn(p.shape, generator=generator, dtype=p.dtype) for name, p in net.named_parameters()
    }


def step(net, optimiser, gradients):
    for name, p in net.named_parameters():
        p.grad = gradients.get(name)
    optimiser.step()
    optimiser.zero_grad()


def assert_equals_a_real_step(net, optimiser, gradients):
    names = dict(net.named_parameters())
    imagined = virtual_adamw_step(optimiser, names, gradients)
    twin, its_optimiser = copy.deepcopy((net, optimiser))
    step(twin, its_optimiser, gradients)
    assert imagined.keys() == names.keys()
    for name, p in twin.named_parameters():
        torch.testing.assert_close(imagined[name].detach(), p.detach(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("steps", [0, 1, 7])
@pytest.mark.parametrize("learning_rate", [5e-4, 0.3])
def test_it_equals_a_real_step_after_any_number_of_them(steps, learning_rate):
    net = network()
    optimiser = classifier_optimiser(net, learning_rate, weight_decay=0.2)
    for k in range(steps):
        step(net, optimiser, gradients_of(net, k, scale=10.0**-k))
    assert_equals_a_real_step(net, optimiser, gradients_of(net, 99))


def test_every_group_keeps_its_own_settings():
    net = network()
    weights, biases = ([p for n, p in net.named_parameters() if n.endswith(end)] for end in ("weight", "bias"))
    groups = [
        {"params": weights, "lr": 0.1, "weight_decay": 0.5, "betas": (0.5, 0.9), "eps": 1e-3},
        {"params": biases, "lr": 0.01, "weight_decay": 0.0},
        {"params": [nn.Parameter(torch.ones(2))]},  # not the network's: left out of the result
    ]
    optimiser = torch.optim.AdamW(groups)
    for k in range(3):
        step(net, optimiser, gradients_of(net, k))
    assert_equals_a_real_step(net, optimiser, gradients_of(net, 99))


def test_it_equals_a_real_step_of_a_classifiers_training():
    torch.manual_seed(0)
    net = NFWideResNet(10, 1, classes=3, size=8, stem_stride=2, dropout=0.0).double()
    optimiser = classifier_optimiser(net)
    for seed in range(3):
        x = torch.rand(4, 3, 8, 8, generator=seeded(seed), dtype=torch.float64)
        loss = nn.functional.cross_entropy(net(x), torch.tensor([0, 1, 2, 0]))
        gradients = dict(zip(dict(net.named_parameters()), torch.autograd.grad(loss, net.parameters()), strict=True))
        assert_equals_a_real_step(net, optimiser, gradients)
        step(net, optimiser, gradients)


def test_parameters_may_have_taken_different_numbers_of_steps():
    net = network()
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.1)
    for k in range(3):
        gradients = gradients_of(net, k)
        if k != 1:
            del gradients["0.weight"]  # a real step passes over parameters without a gradient
        step(net, optimiser, gradients)
    assert_equals_a_real_step(net, optimiser, gradients_of(net, 99))


def test_its_derivative_in_the_gradients_equals_finite_differences():
    net = network()
    optimiser = classifier_optimiser(net, 0.1, weight_decay=0.2)
    for k in range(3):
        step(net, optimiser, gradients_of(net, k))
    names = dict(net.named_parameters())
    g = tuple(v.requires_grad_() for v in gradients_of(net, 99).values())

    def imagined(*g):
        return tuple(virtual_adamw_step(optimiser, names, dict(zip(names, g, strict=True))).values())

    assert torch.autograd.gradcheck(imagined, g, eps=1e-6, atol=1e-8, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("steps", [0, 2])
def test_a_weight_that_never_had_a_gradient_makes_nothing_infinite(dtype, steps):
    net = network().to(dtype)
    optimiser = classifier_optimiser(net)
    dead = lambda seed: {  # noqa: E731
        name: g * torch.rand(g.shape, generator=seeded(seed)).gt(0.5) if seed == 0 else g * 0
        for name, g in gradients_of(net, seed).items()
    }
    for _ in range(steps):
        step(net, optimiser, dead(1))
    g = {name: value.requires_grad_() for name, value in dead(0).items()}
    new = virtual_adamw_step(optimiser, dict(net.named_parameters()), g)
    total = sum((p * (k + 1)).sum() for k, p in enumerate(new.values()))
    for value in (*new.values(), *torch.autograd.grad(total, list(g.values()))):
        assert torch.isfinite(value).all()
    if steps == 0:
        assert_equals_a_real_step(
            net.double(), classifier_optimiser(net), {k: v.detach().double() for k, v in g.items()}
        )


def test_nothing_is_changed_and_nothing_but_the_gradients_is_differentiated():
    net = network()
    optimiser = classifier_optimiser(net)
    step(net, optimiser, gradients_of(net, 0))
    before, moments = copy.deepcopy(net.state_dict()), copy.deepcopy(optimiser.state_dict())
    g = {name: v.requires_grad_() for name, v in gradients_of(net, 1).items()}
    new = virtual_adamw_step(optimiser, dict(net.named_parameters()), g)
    sum(p.sum() for p in new.values()).backward()
    assert all(p.grad is None for p in net.parameters()) and all(v.grad is not None for v in g.values())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    for index, state in optimiser.state_dict()["state"].items():
        assert all(torch.equal(v, moments["state"][index][k]) for k, v in state.items())
    fresh = classifier_optimiser(net)
    virtual_adamw_step(fresh, dict(net.named_parameters()), g)
    assert not fresh.state  # not even an empty entry


@pytest.mark.unchecked
@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])
def test_other_optimisers_are_refused(kind):
    net = network()
    with pytest.raises(TypeError, match=f"optimiser: .*AdamW, got {kind.__name__}"):
        virtual_adamw_step(kind(net.parameters(), lr=0.1), dict(net.named_parameters()), gradients_of(net, 0))


@pytest.mark.unchecked
@pytest.mark.parametrize("variant", ["amsgrad", "maximize"])
def test_variants_are_refused(variant):
    net = network()
    optimiser = torch.optim.AdamW(net.parameters(), **{variant: True})
    with pytest.raises(ValueError, match=f"optimiser: .*{variant}"):
        virtual_adamw_step(optimiser, dict(net.named_parameters()), gradients_of(net, 0))


@pytest.mark.unchecked
def test_an_optimiser_of_other_parameters_is_refused():
    net = network()
    optimiser = torch.optim.AdamW([p for name, p in net.named_parameters() if name != "2.bias"])
    with pytest.raises(ValueError, match=r"optimiser: it does not hold 2\.bias; build it from this classifier"):
        virtual_adamw_step(optimiser, dict(net.named_parameters()), gradients_of(net, 0))

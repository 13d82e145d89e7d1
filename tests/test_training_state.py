"""What a training needs to go on: written in one step, read back exactly, and not mistaken for another's."""

import pytest
import torch
from torch import nn

from simplebits import _files
from simplebits._training_state import TrainingState, digest, globally_seeded, step_generator

CPU = torch.device("cpu")


def parts(seed=0, width=4, steps=0, kind=torch.optim.AdamW):
    """A network with running statistics, and its optimiser with two groups."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 2))
    groups = [{"params": net[0].parameters()}, {"params": [*net[2].parameters(), *net[1].parameters()], "lr": 0.05}]
    optimiser = kind(groups, lr=0.1)
    for _ in range(steps):
        take_step(net, optimiser)
    return net, optimiser


def take_step(net, optimiser, seed=0):
    optimiser.zero_grad()
    net(torch.rand(5, 3, generator=torch.Generator().manual_seed(seed))).square().sum().backward()
    optimiser.step()


def state_of(net, optimiser, **settings):
    return TrainingState({"net": net}, {"net": optimiser}, {"seed": 0, "pair": (1, 2)} | settings)


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.Adamax, torch.optim.SGD])
def test_what_was_saved_goes_on_as_if_nothing_had_happened(tmp_path, kind):
    net, optimiser = parts(steps=3, kind=kind)
    extra = {"pictures/1": torch.arange(4, dtype=torch.uint8)}
    state_of(net, optimiser).save(tmp_path / "c", {"step": 3, "losses": [1.0, float("nan")]}, extra)
    again, its_optimiser = parts(seed=1, kind=kind)
    note, tensors = state_of(again, its_optimiser).load(tmp_path / "c")
    assert note["step"] == 3 and note["losses"][0] == 1.0 and note["losses"][1] != note["losses"][1]
    assert list(tensors) == ["pictures/1"] and torch.equal(tensors["pictures/1"], extra["pictures/1"])
    for seed in (1, 2):
        take_step(net, optimiser, seed)
        take_step(again, its_optimiser, seed)
    for (name, value), other in zip(net.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(value, other), name


def test_several_networks_share_a_file_and_one_tensor_may_have_two_names(tmp_path):
    one, two = parts(seed=1, steps=1), parts(seed=2, width=5, steps=2)
    shared = torch.arange(3.0)
    make = lambda a, b: TrainingState(  # noqa: E731
        {"a": a[0], "ab": b[0]}, {"a": a[1], "ab": b[1]}, {}
    )
    make(one, two).save(tmp_path / "c", {}, {"here": shared, "there": shared[:2]})
    again = parts(), parts(width=5)
    _, tensors = make(*again).load(tmp_path / "c")
    assert tensors["here"].tolist() == [0, 1, 2] and tensors["there"].tolist() == [0, 1]
    for (net, optimiser), (other, its_optimiser) in zip((one, two), again, strict=True):
        assert all(torch.equal(v, other.state_dict()[k]) for k, v in net.state_dict().items())
        for index, moments in optimiser.state_dict()["state"].items():
            there = its_optimiser.state_dict()["state"][index]
            assert all(torch.equal(v, there[k]) for k, v in moments.items())


def test_learning_rates_are_those_of_the_optimiser_that_goes_on(tmp_path):
    state_of(*parts(steps=2)).save(tmp_path / "c", {})
    net, optimiser = parts()
    optimiser.param_groups[0]["lr"] = 0.7
    state_of(net, optimiser).load(tmp_path / "c")
    assert optimiser.param_groups[0]["lr"] == 0.7 and optimiser.state[net[0].weight]["step"] == 2


def test_settings_are_compared_as_json_has_them(tmp_path):
    state_of(*parts()).save(tmp_path / "c", {})
    state_of(*parts(), pair=[1, 2]).load(tmp_path / "c")
    for settings, named in (
        ({"seed": 1}, "seed=0 there, 1 here"),
        ({"pair": (2, 1)}, r"pair=\[1, 2\] there, \[2, 1\] here"),
        ({"new": "x"}, "new=None there, 'x' here"),
    ):
        with pytest.raises(ValueError, match=f"{tmp_path / 'c'} belongs to another training: {named}. Delete it"):
            state_of(*parts(), **settings).load(tmp_path / "c")


def test_networks_of_another_shape_are_refused_before_anything_is_taken_over(tmp_path):
    state_of(*parts(steps=1)).save(tmp_path / "c", {})
    fits, other = parts(seed=1), parts(width=5)
    before = {name: value.clone() for name, value in fits[0].state_dict().items()}
    TrainingState({"a": fits[0], "net": other[0]}, {}, {}).save(tmp_path / "two", {})
    for state, path in (
        (state_of(*other), tmp_path / "c"),
        (TrainingState({"net": nn.Linear(3, 2)}, {}, {}), tmp_path / "c"),
        (TrainingState({"a": fits[0], "net": parts()[0]}, {}, {}), tmp_path / "two"),
    ):
        with pytest.raises(ValueError, match=f"{path} belongs to another training"):
            state.load(path)
    assert all(torch.equal(value, before[name]) for name, value in fits[0].state_dict().items())


def test_what_is_no_checkpoint_is_refused(tmp_path):
    _files.write_tensors(tmp_path / "weights", parts()[0].state_dict(), {"settings": {}})
    with pytest.raises(ValueError, match="weights is not a checkpoint of a training"):
        state_of(*parts()).load(tmp_path / "weights")
    (tmp_path / "text").write_text("no tensors")
    with pytest.raises(ValueError, match="text is damaged"):
        state_of(*parts()).load(tmp_path / "text")
    with pytest.raises(FileNotFoundError, match="nothing is not there"):
        state_of(*parts()).load(tmp_path / "nothing")


def test_each_step_of_each_seed_has_draws_of_its_own():
    draws = {
        (seed, step): tuple(torch.rand(3, generator=step_generator(seed, step)).tolist())
        for seed in range(4)
        for step in range(50)
    }
    assert len(set(draws.values())) == 200
    assert tuple(torch.rand(3, generator=step_generator(2, 7)).tolist()) == draws[2, 7]


def test_times_in_nanoseconds_are_seeds_and_small_ones_draw_as_ever():
    for seed, step in ((1_764_431_234_123_456_789, 3), (2**64 - 1, 0), (2**44, 5)):
        first, again, other = (torch.rand(3, generator=step_generator(seed, at)) for at in (step, step, step + 1))
        assert torch.equal(first, again) and not torch.equal(first, other)
        with globally_seeded(seed * 1_000_003 + step, CPU):
            assert torch.equal(torch.rand(3), first)
    for seed, step in ((0, 0), (2, 7), (0, -1), (2**43, 9)):
        plain = torch.Generator().manual_seed(seed * 1_000_003 + step)
        assert step_generator(seed, step).initial_seed() == plain.initial_seed()
        assert torch.equal(torch.rand(3, generator=step_generator(seed, step)), torch.rand(3, generator=plain))


def test_dropout_draws_from_its_seed_and_the_global_generator_goes_on_as_before():
    layer, x = nn.Dropout(0.5), torch.ones(100)
    torch.manual_seed(0)
    expected = torch.rand(5)
    torch.manual_seed(0)
    masks = []
    for seed in (1, 1, 2):
        with globally_seeded(seed, CPU):
            masks.append(layer(x))
    assert torch.equal(torch.rand(5), expected)
    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])
    state = torch.random.get_rng_state()
    with pytest.raises(KeyboardInterrupt), globally_seeded(3, CPU):
        raise KeyboardInterrupt
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_digest_tells_values_apart_whatever_their_type():
    x = torch.arange(6.0)
    assert digest(x, x > 2) == digest(x.clone().requires_grad_(), x > 2) == digest(x.view(2, 3).T.contiguous().T, x > 2)
    others = [digest(x + 1, x > 2), digest(x, x > 3), digest(x.bfloat16()), digest(torch.tensor(3)), digest(x)]
    assert len({digest(x, x > 2), *others}) == 6

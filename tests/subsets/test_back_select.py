"""Backward selection: its order, against a plain loop and in closed form; ties and wrong input."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simplebits import networks, subsets


def linear(weights):
    return lambda inputs: (inputs * weights).flatten(1).sum(1)


def plain(score, x, fill=0.0):
    """The definition, one candidate at a time, on whole pixels of [c, h, w]."""
    kept = torch.ones(x.shape[1:], dtype=torch.bool)
    order, values = [], []
    while kept.any():
        best = None
        for place in kept.nonzero():
            without = kept.clone()
            without[tuple(place)] = False
            value = float(score(torch.where(without, x, fill)[None])[0])
            if best is None or value > best[1]:
                best = place, value
        order.append(best[0])
        values.append(best[1])
        kept[tuple(best[0])] = False
    return torch.stack(order), torch.tensor(values, dtype=torch.float64)


@settings(max_examples=25)
@given(st.lists(st.floats(0.015625, 100, width=32), min_size=1, max_size=12, unique=True))
def test_a_linear_score_masks_what_weighs_least_first(weights):
    contributions = torch.tensor(weights, dtype=torch.float64)
    found = subsets.back_select(linear(contributions), torch.ones_like(contributions))
    assert torch.equal(found.order[:, 0], contributions.argsort())
    expected = contributions.sum() - contributions.sort().values.cumsum(0)
    torch.testing.assert_close(found.values, expected, rtol=0, atol=1e-9)
    assert found.score == pytest.approx(float(contributions.sum()))


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 2), st.integers(1, 4), st.integers(1, 4))
def test_any_score_is_selected_as_by_the_plain_loop(seed, channels, height, width):
    draws = torch.Generator().manual_seed(seed)
    x = torch.rand(channels, height, width, generator=draws, dtype=torch.float64)
    weights = torch.randn(channels * height * width, 3, generator=draws, dtype=torch.float64)
    fill = torch.rand(channels, 1, 1, generator=draws, dtype=torch.float64)

    def score(inputs):
        return (inputs.flatten(1) @ weights).sin().sum(1)

    found = subsets.back_select(score, x, fill=fill, batch_size=3)
    order, values = plain(score, x, fill)
    assert torch.equal(found.order, order)
    torch.testing.assert_close(found.values, values)


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        return networks.build("ConvNet", 4, 3, 6, width=4, depth=1).double().eval()


@pytest.fixture
def images():
    return torch.rand(3, 3, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def same(a, b):
    return (
        torch.equal(a.order, b.order) and torch.allclose(a.values, b.values, rtol=1e-9) and torch.equal(a.mask, b.mask)
    )


@pytest.mark.parametrize("batch_size", [1, 7, 50, 1000])
def test_the_batch_size_does_not_matter(network, images, batch_size):
    score = subsets.class_score(network, images)
    some = subsets.back_select(score, images, batch_size=batch_size)
    assert all(map(same, some, subsets.back_select(score, images)))


def test_a_batch_is_selected_as_its_images_one_by_one(network, images):
    together = subsets.back_select(subsets.class_score(network, images), images)
    for one, image in zip(together, images, strict=True):
        assert same(one, subsets.back_select(subsets.class_score(network, image), image))


def test_images_whose_masks_differ_in_size_are_selected_together(network, images):
    masks = torch.zeros(3, 1, 6, 6, dtype=torch.bool)
    masks[0, :, :2], masks[1, :, :, 3] = True, True  # 12, 6 and no pixels
    score = subsets.class_score(network, images)
    together = subsets.back_select(score, images, mask=masks)
    assert [len(found.order) for found in together] == [12, 6, 0]
    for i, found in enumerate(together):
        assert same(found, subsets.back_select(score.for_images(torch.tensor([i])), images[i], mask=masks[i]))
        assert torch.equal(found.steps >= 0, masks[i, 0])


def test_a_plain_function_scores_a_batch():
    x = torch.rand(2, 1, 3, 3)
    found = subsets.back_select(lambda inputs: inputs.sum((1, 2, 3)), x)
    for selection, image in zip(found, x, strict=True):
        assert torch.equal(selection.steps.flatten()[image.flatten().argsort()], torch.arange(9))


def test_all_channels_of_a_pixel_go_together_unless_the_mask_has_channels():
    x = torch.rand(3, 2, 2)
    pixels = subsets.back_select(lambda inputs: inputs.sum((1, 2, 3)), x)
    assert torch.equal(pixels.order, torch.stack(torch.unravel_index(x.sum(0).flatten().argsort(), (2, 2)), 1))
    everything = torch.ones(3, 2, 2, dtype=torch.bool)
    values = subsets.back_select(lambda inputs: inputs.sum((1, 2, 3)), x, mask=everything)
    assert values.order.shape == (12, 3) and values.mask.shape == (3, 2, 2)


def test_ties_go_to_the_lowest_index_or_are_drawn():
    x, flat = torch.ones(2, 3), lambda inputs: torch.zeros(len(inputs))
    in_order = torch.tensor([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]])
    assert torch.equal(subsets.back_select(flat, x).order, in_order)
    drawn = [subsets.back_select(flat, x, generator=torch.Generator().manual_seed(s)).order for s in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert sorted(map(tuple, drawn[2].tolist())) == sorted(map(tuple, in_order.tolist()))


def test_a_batch_draws_as_its_images_one_after_the_other():
    x, flat = torch.ones(3, 1, 2, 4), lambda inputs: torch.zeros(len(inputs))
    for noise in (0.0, 1e-12):
        draws = [torch.Generator().manual_seed(0) for _ in range(2)]
        together = subsets.back_select(flat, x, generator=draws[0], noise=noise)
        assert all(map(same, together, [subsets.back_select(flat, one, generator=draws[1], noise=noise) for one in x]))
        assert len({tuple(found.order.flatten().tolist()) for found in together}) == 3


def test_noise_chooses_the_order_and_leaves_the_values():
    x, weights = torch.ones(3, dtype=torch.float64), torch.tensor([0.0, 3e-6, 1e-3], dtype=torch.float64)

    def first(noise, seed):
        return subsets.back_select(
            linear(weights), x, noise=noise, generator=torch.Generator().manual_seed(seed)
        ).order[0, 0]

    assert {int(first(1e-14, seed)) for seed in range(20)} == {0}
    swapped = sum(int(first(4e-12, seed)) for seed in range(100))  # 3e-6 is 1.06 of sqrt(2) 2e-6: 14 of 100
    assert 4 <= swapped <= 28
    found = subsets.back_select(linear(weights), x, noise=1e6, generator=torch.Generator().manual_seed(0))
    left = weights.sum() - weights[found.order[:, 0]].cumsum(0)
    torch.testing.assert_close(found.values, left, rtol=0, atol=1e-15)
    for search in (subsets.find_sis, subsets.sis_collection):
        assert search(linear(weights), x, 5e-4, noise=1e-12, generator=torch.Generator())


def test_a_draw_is_among_the_best_only():
    x, weights = torch.ones(6), torch.tensor([1.0, 0.0, 2.0, 0.0, 0.0, 2.0])
    order = subsets.back_select(linear(weights), x, generator=torch.Generator().manual_seed(3)).order[:, 0].tolist()
    assert sorted(order[:3]) == [1, 3, 4] and order[3] == 0 and sorted(order[4:]) == [2, 5]


def test_a_score_of_minus_infinity_is_a_score():
    found = subsets.back_select(lambda inputs: inputs.sum(1).log(), torch.ones(3))
    assert found.order[:, 0].tolist() == [0, 1, 2] and float(found.values[-1]) == -torch.inf
    found = subsets.back_select(lambda inputs: torch.full((len(inputs),), -torch.inf), torch.ones(3))
    assert found.order[:, 0].tolist() == [0, 1, 2]


def test_the_input_is_left_alone_and_results_can_be_differentiated_with():
    x = torch.rand(5)
    before = x.clone()
    found = subsets.back_select(lambda inputs: inputs.mul_(2).sum(1), x)
    assert torch.equal(x, before)
    (found.values * torch.ones(5, requires_grad=True)).sum().backward()


def test_the_network_keeps_its_mode_and_gets_no_gradients(network, images):
    network.train()
    subsets.back_select(subsets.class_score(network, images[0]), images[0])
    assert network.training and all(p.grad is None for p in network.parameters())


class Killed(Exception):
    pass


def killed_after(score, calls):
    """The score, for so many calls."""
    left = iter(range(calls))

    def limited(inputs):
        if next(left, None) is None:
            raise Killed
        return score(inputs)

    return limited


@pytest.mark.parametrize("draw", [False, True])
def test_a_killed_selection_goes_on_where_it_was(tmp_path, monkeypatch, draw):
    monkeypatch.setattr("simplebits._training.SECONDS", 0)
    x, weights = torch.ones(2, 1, 3, 3), torch.tensor([1.0, 2.0, 2.0, 0.0, 1.0, 0.0, 3.0, 2.0, 1.0]).view(3, 3)

    def score(inputs):
        return (inputs * weights).sum((1, 2, 3))

    def generator():
        return torch.Generator().manual_seed(0) if draw else None

    whole = subsets.back_select(score, x, generator=generator())
    path = tmp_path / "selection.safetensors"
    with pytest.raises(Killed):
        subsets.back_select(killed_after(score, 7), x, generator=generator(), checkpoint=path)
    # Another generator: the draws go on from those of the file.
    other = torch.Generator() if draw else None
    resumed = subsets.back_select(killed_after(score, 8), x, generator=other, checkpoint=path)
    assert all(map(same, whole, resumed))
    assert all(map(same, whole, subsets.back_select(killed_after(score, 3), x, checkpoint=path, generator=generator())))
    with pytest.raises(ValueError, match="belongs to another"):
        subsets.back_select(score, 2 * x, checkpoint=path, generator=generator())
    with pytest.raises(ValueError, match="belongs to another training: ties="):
        subsets.back_select(score, x, checkpoint=path, generator=None if draw else torch.Generator())


def sure(seed, bias=9.0):
    """A network that is at least .99 sure of class 0 of any image, whatever else it has learned."""
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.BatchNorm1d(16), torch.nn.Linear(16, 2)).eval()
    network[2].bias.data = torch.tensor([bias, 0.0])
    return network


@pytest.mark.parametrize(
    "search", [subsets.back_select, lambda score, x, **how: subsets.batched_gradient_back_select(score, x, 2, **how)]
)
def test_another_network_as_sure_of_the_same_images_does_not_resume(tmp_path, search):
    x, path = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0)), tmp_path / "selection.safetensors"
    one, other = sure(0), sure(1)
    scores = [subsets.class_score(network, x) for network in (one, other)]
    assert all(bool((score(x) > 0.99).all()) for score in scores)
    search(scores[0], x, checkpoint=path)
    search(scores[0], x, checkpoint=path)
    with pytest.raises(ValueError, match="belongs to another training: network="):
        search(scores[1], x, checkpoint=path)
    one[1].running_mean += 1e-3  # a buffer
    with pytest.raises(ValueError, match="belongs to another training: network="):
        search(scores[0], x, checkpoint=path)


def test_of_a_function_the_scores_of_masked_inputs_tell_whose_file_it_is(tmp_path):
    x, path = torch.ones(1, 3, 3), tmp_path / "selection.safetensors"
    weights = torch.arange(9.0).view(3, 3)
    subsets.back_select(linear(weights), x, checkpoint=path)
    subsets.back_select(linear(weights * (1 + 1e-6)), x, checkpoint=path)  # rounding of another device
    with pytest.raises(ValueError, match="belongs to another selection: its score"):
        subsets.back_select(linear(weights.flip(0).roll(1, 1)), x, checkpoint=path)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"score": lambda inputs: inputs}, ValueError, r"expected one number for each of 1 inputs, shape \[1\], got"),
        ({"score": lambda inputs: inputs.sum((1, 2), keepdim=True)[:, 0]}, ValueError, r"got shape \[1, 1\]"),
        ({"score": lambda inputs: 1.0}, TypeError, r"score: expected a tensor \[1\], got float"),
        ({"score": 3}, TypeError, "score: expected a function"),
        ({"score": lambda inputs: inputs.sum((1, 2)) * torch.nan}, ValueError, "NaN for input 0 before any"),
        ({"mask": torch.ones(3, 3, dtype=torch.bool)}, ValueError, r"mask: shape \[3, 3\] does not broadcast to x"),
        ({"mask": torch.ones(2, 2)}, TypeError, "mask: expected a boolean tensor"),
        ({"batch_size": 0}, ValueError, "batch_size=0: give a whole number above 0"),
        ({"batch_size": 2.5}, ValueError, "batch_size=2.5"),
        ({"fill": float("nan")}, ValueError, "fill=nan"),
        ({"x": torch.rand(0, 2)}, ValueError, "x: expected one input"),
        (
            {"generator": 0},
            TypeError,
            r"generator: expected a torch.Generator, got int; torch.Generator\(\).manual_seed",
        ),
        ({"noise": 1e-12}, ValueError, "noise=1e-12 is drawn: give a generator"),
        ({"noise": -1.0}, ValueError, "noise=-1.0"),
    ],
)
def test_wrong_input_is_named(change, error, said):
    arguments = {"score": lambda inputs: inputs.sum((1, 2)), "x": torch.rand(2, 2)} | change
    with pytest.raises(error, match=said):
        subsets.back_select(arguments.pop("score"), arguments.pop("x"), **arguments)


@pytest.mark.unchecked
def test_a_score_that_becomes_nan_names_the_candidate():
    def score(inputs):  # 0/0 once the pixels (0, 0) and (1, 1) are both masked
        return inputs.sum((1, 2)) / ((inputs[:, 0, 0] > 0) | (inputs[:, 1, 1] > 0)).float() * 0.0

    with pytest.raises(ValueError, match=r"NaN for input 0 with 1 features masked and \(1, 1\) too"):
        subsets.back_select(score, torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))

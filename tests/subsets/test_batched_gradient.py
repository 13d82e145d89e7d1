"""Backward selection by gradients: by hand, for linear scores, its subsets sufficient; wrong input."""

from functools import partial

import pytest
import torch

from simplebits import networks, subsets


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        return networks.build("ConvNet", 4, 3, 6, width=4, depth=1).double().eval()


@pytest.fixture
def images():
    return torch.rand(3, 3, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_hand(score, x, k, fill=0.0):
    """Algorithm 2 on one image, its gradient taken in the mask itself."""
    masked = torch.zeros(x.shape[1:], dtype=x.dtype)
    order = torch.zeros(x.shape[1:], dtype=torch.int64)
    values = []
    while not bool((masked == 1).all()):
        m = masked.clone().requires_grad_()
        value = score((x * (1 - m) + fill * m)[None])[0]
        (slope,) = torch.autograd.grad(value, m)
        slope[masked == 1] = -torch.inf
        left = int((masked == 0).sum())
        for place in slope.flatten().argsort(descending=True)[: min(k, left)].tolist():
            masked.view(-1)[place], order.view(-1)[place] = 1, len(values)
        values.append(float(value.detach()))
    return order, torch.tensor(values, dtype=x.dtype)


@pytest.mark.parametrize("k", [1, 5, 36, 100])
def test_the_order_is_that_of_the_algorithm_by_hand(network, images, k):
    fill = torch.tensor([0.2, 0.5, 0.4], dtype=torch.float64)[:, None, None]
    score = subsets.class_score(network, images)
    found = subsets.batched_gradient_back_select(score, images, k, fill=fill, noise=0.0)
    assert found.order.shape == (3, 6, 6)
    for i, image in enumerate(images):
        order, values = by_hand(score.for_images(torch.tensor([i])), image, k, fill)
        assert torch.equal(found.order[i], order)
        torch.testing.assert_close(found.values[i], values)
    torch.testing.assert_close(found.blank, score(fill.expand(images.shape)))
    counts = found.order.flatten(1)[0].bincount().tolist()
    assert counts == [k] * (36 // k) + [36 % k] * (36 % k > 0)


def test_a_linear_score_masks_what_weighs_least_first_and_noise_of_that_size_does_nothing():
    weights = torch.randperm(20, generator=torch.Generator().manual_seed(0)).view(4, 5).double()
    found = subsets.batched_gradient_back_select(
        lambda inputs: (inputs * weights).sum((1, 2, 3)), torch.ones(1, 4, 5).double(), 1
    )
    assert torch.equal(found.order, weights.long())
    groups = subsets.batched_gradient_back_select(
        lambda inputs: (inputs * weights).sum((1, 2)), torch.ones(4, 5).double(), 3
    )
    assert torch.equal(groups.order, weights.long() // 3)


def test_noise_decides_among_equal_gradients_and_comes_from_the_generator():
    def flat(inputs):
        return inputs.sum((1, 2, 3))

    x = torch.ones(1, 4, 4)
    seeds = [torch.Generator().manual_seed(s) for s in (0, 0, 1)]
    drawn = [subsets.batched_gradient_back_select(flat, x, 1, generator=g).order for g in seeds]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    again = subsets.batched_gradient_back_select(flat, x, 1).order
    assert torch.equal(again, subsets.batched_gradient_back_select(flat, x, 1).order)
    assert torch.equal(subsets.batched_gradient_back_select(flat, x, 1, noise=0.0).order.flatten(), torch.arange(16))


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_the_batch_size_does_not_matter(network, images, batch_size):
    score = subsets.class_score(network, images)
    a = subsets.batched_gradient_back_select(score, images, 4, batch_size=batch_size)
    b = subsets.batched_gradient_back_select(score, images, 4)
    assert torch.equal(a.order, b.order)
    torch.testing.assert_close(a.values, b.values)


def test_a_single_image_gives_what_a_batch_of_it_gives(network, images):
    score = subsets.class_score(network, images[0])
    one = subsets.batched_gradient_back_select(score, images[0], 4)
    batch = subsets.batched_gradient_back_select(score, images[:1], 4)
    assert torch.equal(one.order, batch.order[0]) and torch.equal(one.values, batch.values[0])
    assert torch.equal(one.sufficient(0.2).mask, batch.sufficient(0.2)[0].mask)


@pytest.mark.parametrize("seed", [None, 3])
def test_a_batch_draws_as_its_images_one_after_the_other(network, images, seed):
    draws = [torch.Generator().manual_seed(seed) if seed is not None else None for _ in range(2)]
    together = subsets.batched_gradient_back_select(
        subsets.class_score(network, images), images, 4, noise=1.0, generator=draws[0]
    )
    for i, image in enumerate(images):
        score = subsets.class_score(network, image)
        alone = subsets.batched_gradient_back_select(score, image, 4, noise=1.0, generator=draws[1])
        assert torch.equal(together.order[i], alone.order)


@pytest.mark.parametrize("k", [1, 4])
def test_subsets_are_whole_groups_sufficient_and_the_fewest(network, images, k):
    score = subsets.class_score(network, images)
    start = score(images).detach()
    threshold = float(start.median())
    selection = subsets.batched_gradient_back_select(score, images, k)
    found = subsets.batched_gradient_find_sis(score, images, threshold, k)
    assert [subset is not None for subset in found] == (start >= threshold).tolist()
    for i, subset in enumerate(found):
        if subset is None:
            continue
        alone = torch.no_grad()(score.for_images(torch.tensor([i])))
        assert torch.equal(subset.mask, selection.sufficient(threshold)[i].mask)
        assert float(alone(subsets.masked(images[i], subset.mask)[None])) == pytest.approx(subset.score)
        assert subset.score >= threshold
        assert torch.equal(subset.order[subset.sis.unbind(1)], subset.order[subset.mask].sort(descending=True).values)
        first = int(subset.order[subset.mask].min()) if len(subset) else int(subset.order.max()) + 1
        for later in range(first + 1, int(subset.order.max()) + 2):
            fewer = subsets.masked(images[i], subset.order >= later)
            assert float(alone(fewer[None])) < threshold


def test_collections_are_disjoint_and_end_below_the_threshold():
    weights = torch.tensor([[5.0, 1.0, 4.0], [3.0, 2.0, 1.0]])

    def score(inputs):
        return (inputs * weights).sum((1, 2, 3))

    x = torch.ones(2, 1, 2, 3)
    x[1] = 0.1
    found = subsets.batched_gradient_sis_collection(score, x, 5.0, 1)
    assert [subset.sis.tolist() for subset in found[0]] == [[[0, 0]], [[0, 2], [1, 0]]] and found[1] == []
    assert torch.equal(found[0][1].order == -1, found[0][0].mask)
    single = subsets.batched_gradient_sis_collection(score, x[0], 5.0, 1)
    assert [subset.sis.tolist() for subset in single] == [subset.sis.tolist() for subset in found[0]]


def test_a_round_in_which_no_image_reaches_the_threshold_ends_all_collections(network, images):
    """The last round selects nothing of several images with classes of their own."""
    score = subsets.class_score(network, images)
    threshold = 0.9 * float(score(images).detach().median())
    together = subsets.batched_gradient_sis_collection(score, images, threshold, 4)
    for i, image in enumerate(images):
        alone = subsets.batched_gradient_sis_collection(score.for_images(torch.tensor([i])), image, threshold, 4)
        assert [one.sis.tolist() for one in together[i]] == [one.sis.tolist() for one in alone]
    assert any(together)


def test_a_blank_image_above_the_threshold_has_an_empty_subset():
    def score(inputs):
        return 1 - inputs.sum((1, 2, 3))

    assert len(subsets.batched_gradient_find_sis(score, torch.full((1, 2, 2), 0.1), 0.5, 1)) == 0
    assert [len(s) for s in subsets.batched_gradient_sis_collection(score, torch.full((1, 2, 2), 0.1), 0.5, 1)] == [0]


class Killed(Exception):
    pass


def test_a_killed_selection_goes_on_where_it_was(tmp_path, monkeypatch, network, images):
    monkeypatch.setattr("simplebits._training.SECONDS", 0)
    score, masks = subsets.class_score(network, images), torch.ones(3, 1, 6, 6, dtype=torch.bool)
    masks[1, :, :3], masks[2] = False, False  # of different lengths, one with nothing to do
    # Noise that decides: the draws too must go on where they were.
    select = partial(subsets.batched_gradient_back_select, x=images, k=5, mask=masks, noise=1.0)
    path, left = tmp_path / "selection.safetensors", iter(range(6))

    def limited(inputs):
        if next(left, None) is None:
            raise Killed
        return score(inputs)

    whole = select(score)
    with pytest.raises(Killed):
        select(limited, checkpoint=path)
    left = iter(range(3 + 8 - 3 + 1))  # the scores at first, five of the eight iterations, the blank images
    resumed = select(limited, checkpoint=path)
    assert next(left, None) is None
    left = iter(range(4))
    for found in (resumed, select(limited, checkpoint=path)):
        for name in ("mask", "order", "values", "blank"):
            assert torch.equal(getattr(found, name), getattr(whole, name))
    for change in ({"k": 4}, {"noise": 0.5}, {"x": images.flip(3)}):
        with pytest.raises(ValueError, match="belongs to another"):
            select(score, checkpoint=path, **change)
    with pytest.raises(ValueError, match="belongs to another"):
        subsets.back_select(score, images, mask=masks, checkpoint=path)


def test_results_can_be_compared_by_identity(network, images):
    selection = subsets.batched_gradient_back_select(subsets.class_score(network, images), images, 12)
    found = selection.sufficient(0.0)[0]
    assert selection == selection and found == found and selection != found
    assert selection != subsets.batched_gradient_back_select(subsets.class_score(network, images), images, 12)


def test_nothing_is_left_behind(network, images):
    network.train()
    with torch.no_grad():
        subsets.batched_gradient_back_select(subsets.class_score(network, images), images, 12)
    assert network.training and all(p.grad is None for p in network.parameters()) and not images.requires_grad


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradients_are_taken_wherever_it_is_called(network, mode):
    images = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = subsets.batched_gradient_back_select(subsets.class_score(network, images), images, 12)
    with mode():
        images = images.clone()  # made in this mode
        score = subsets.class_score(network, images)
        found = subsets.batched_gradient_back_select(score, images, 12)
        one = subsets.batched_gradient_find_sis(score, images, 0.0, 12)
        assert subsets.batched_gradient_sis_collection(score, images, 0.0, 12)
    assert torch.equal(found.order, expected.order) and len(one) == 2


@pytest.mark.unchecked
def test_a_single_selection_has_no_other_image(network, images):
    one = subsets.batched_gradient_back_select(subsets.class_score(network, images[0]), images[0], 12)
    with pytest.raises(ValueError, match="of a single input: use it as it is"):
        one.image(0)
    batch = subsets.batched_gradient_back_select(subsets.class_score(network, images), images, 12)
    with pytest.raises(ValueError, match=r"i=3: the batch has 3 images; give 0 .. 2"):
        batch.image(3)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k": 0}, "k=0: give a whole number above 0"),
        ({"k": 1.5}, "k=1.5"),
        ({"noise": -1.0}, "noise=-1.0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"score": lambda inputs: torch.zeros(len(inputs))}, "score: has no gradient in its inputs"),
        ({"score": lambda inputs: inputs.sum((2, 3))}, r"score: expected one number for each of 1 inputs"),
        ({"score": lambda inputs: inputs.sum((1, 2, 3)) * torch.nan}, "score: is NaN for input 0 before"),
        (
            {"score": lambda inputs: (0 * inputs).sum((1, 2, 3)).sqrt()},
            "score: it or its gradient is not finite for input 0",
        ),
        ({"mask": torch.ones(3, 3, dtype=torch.bool)}, "mask: shape .* does not broadcast"),
    ],
)
def test_wrong_input_is_named(change, said):
    arguments = {"score": lambda inputs: inputs.sum((1, 2, 3)), "x": torch.rand(1, 2, 2), "k": 1} | change
    with pytest.raises(ValueError, match=said):
        subsets.batched_gradient_back_select(
            arguments.pop("score"), arguments.pop("x"), arguments.pop("k"), **arguments
        )


@pytest.mark.unchecked
@pytest.mark.parametrize("search", [subsets.batched_gradient_find_sis, subsets.batched_gradient_sis_collection])
def test_a_threshold_is_a_number(search):
    with pytest.raises(ValueError, match="threshold=nan: give a finite number"):
        search(lambda inputs: inputs.sum((1, 2, 3)), torch.rand(1, 2, 2), float("nan"), 1)

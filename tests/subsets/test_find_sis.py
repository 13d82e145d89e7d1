"""Sufficient input subsets: reference values, closed form, sufficient, minimal, disjoint; the code's quirks."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simplebits import subsets


def linear(weights):
    return lambda inputs: (inputs * weights).flatten(1).sum(1)


def test_a_collection_equals_the_reference_values(golden):
    values = golden("sufficient_input_subsets")
    w1, b1, w2, b2 = (torch.from_numpy(values[f"mlp/{name}"]) for name in ("W1", "b1", "W2", "b2"))
    compared = 0
    for image in ("img0", "img1"):
        x, cls = torch.from_numpy(values[f"mlp/{image}/x"]), int(values[f"mlp/{image}/cls"])

        def score(inputs, cls=cls):
            return ((inputs.flatten(1) @ w1 + b1).tanh() @ w2 + b2).softmax(1)[:, cls]

        assert float(score(x[None])) == pytest.approx(float(values[f"mlp/{image}/p"][0]), abs=1e-10)
        for threshold in (0.9, 0.99):
            group = f"mlp/{image}/tau{threshold}"
            found = subsets.sis_collection(score, x, threshold)
            assert len(found) == int(values[f"{group}/n_collection"])
            for j, subset in enumerate(found):
                expected = {
                    key: torch.from_numpy(values[f"{group}/coll{j}/{key}"]) for key in ("sis", "ordering", "mask")
                }
                assert torch.equal(subset.sis, expected["sis"])
                assert torch.equal(subset.order, expected["ordering"])
                assert torch.equal(subset.mask, expected["mask"])
                given_values = torch.from_numpy(values[f"{group}/coll{j}/values"])
                torch.testing.assert_close(subset.values, given_values, rtol=0, atol=1e-10)
                compared += 1
            assert torch.equal(subsets.find_sis(score, x, threshold).sis, found[0].sis)
    assert compared == 9


def test_ties_are_broken_as_in_the_reference(golden):
    values = {key: torch.from_numpy(array) for key, array in golden("sufficient_input_subsets").items()}

    def score(inputs):
        return (inputs > 0).flatten(1).sum(1).clamp(max=3).double() / 3

    found = subsets.find_sis(score, values["ties/x"], 2 / 3)
    assert torch.equal(found.sis, values["ties/sis"]) and torch.equal(found.order, values["ties/ordering"])
    assert torch.equal(found.mask, values["ties/mask"])
    torch.testing.assert_close(found.values, values["ties/values"], rtol=0, atol=1e-10)


def by_count(values):
    """A score that depends on how many features are left alone; `values` for 0, 1, 2, ..."""
    return lambda inputs: torch.tensor(values, dtype=torch.float64)[inputs.sum(1).long()]


def test_a_wholly_masked_input_above_the_threshold_as_in_the_reference(golden):
    """The feature masked last is skipped; the subset goes on from the next, and need not be sufficient itself."""
    values = golden("sufficient_input_subsets")
    x = torch.ones(4, dtype=torch.float64)
    found = subsets.find_sis(by_count([0.6, 0.3, 0.8, 0.9, 1.0]), x, 0.5)
    for name, array in {"sis": found.sis, "ordering": found.order, "values": found.values, "mask": found.mask}.items():
        torch.testing.assert_close(array, torch.from_numpy(values[f"nonmonotone/{name}"]), rtol=0, atol=1e-10)
    assert math.isnan(found.score)

    empty = subsets.find_sis(by_count([0.7] * 5), x, 0.5)
    assert len(empty.sis) == len(values["const_above/sis"]) == 0 and empty.score == 0.7
    assert torch.equal(empty.order, torch.from_numpy(values["const_above/ordering"]))
    torch.testing.assert_close(empty.values, torch.from_numpy(values["const_above/values"]), rtol=0, atol=1e-10)
    # The reference's mask is True everywhere here: NumPy takes an index without columns for the whole array.
    assert not empty.mask.any() and len(empty) == 0


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=12, unique=True),
    st.floats(0.05, 1.0),
)
def test_of_a_linear_score_the_largest_weights_are_the_subset(weights, share):
    contributions = torch.tensor(weights, dtype=torch.float64)
    threshold = share * sum(weights)
    descending = contributions.sort(descending=True)
    reached = descending.values.cumsum(0) >= threshold
    fewest = int(reached.nonzero()[0, 0]) + 1 if reached.any() else None
    found = subsets.find_sis(linear(contributions), torch.ones_like(contributions), threshold)
    if fewest is None:  # rounding of share * sum
        assert found is None
    else:
        assert found.sis[:, 0].tolist() == descending.indices[:fewest].tolist()
        assert found.score == pytest.approx(float(descending.values[:fewest].sum()))


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([0.3, 0.6, 0.9]))
def test_subsets_are_sufficient_disjoint_and_cannot_lose_a_feature(seed, share):
    draws = torch.Generator().manual_seed(seed)
    x = torch.rand(4, 4, generator=draws, dtype=torch.float64)
    weights = torch.randn(16, 4, generator=draws, dtype=torch.float64)

    def score(inputs):  # 0 of a masked input, neither linear nor monotone
        return (inputs.flatten(1) @ weights).tanh().sum(1)

    weights = weights * score(x[None]).sign()
    threshold = share * float(score(x[None]))
    found = subsets.sis_collection(score, x, threshold)
    assert found
    total = torch.zeros(4, 4, dtype=torch.int64)
    for subset in found:
        total += subset.mask
        alone = float(score(subsets.masked(x, subset.mask)[None]))
        assert alone >= threshold and alone == pytest.approx(subset.score)
        for place in subset.sis:
            fewer = subset.mask.clone()
            fewer[tuple(place)] = False
            assert float(score(subsets.masked(x, fewer)[None])) < threshold
    assert total.max() <= 1
    rest = subsets.masked(x, total == 0)
    assert float(score(rest[None])) < threshold


def test_a_batch_gives_what_its_images_give():
    x = torch.rand(4, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    x[2] = 0

    def score(inputs):
        return inputs.sum((1, 2, 3))

    one_by_one = [subsets.find_sis(score, image, 6.0) for image in x]
    for a, b in zip(subsets.find_sis(score, x, 6.0), one_by_one, strict=True):
        assert (a is None) == (b is None) and (a is None or torch.equal(a.sis, b.sis))
    assert one_by_one[2] is None and one_by_one[0] is not None
    together = subsets.sis_collection(score, x, 3.0)
    for collection, image in zip(together, x, strict=True):
        alone = subsets.sis_collection(score, image, 3.0)
        assert [s.sis.tolist() for s in collection] == [s.sis.tolist() for s in alone]
    assert [len(collection) > 0 for collection in together] == [True, True, False, True]


def test_any_threshold_is_read_off_one_selection():
    x = torch.rand(20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    selection = subsets.back_select(linear(x), x)
    sizes = []
    for threshold in (0.5, 1.0, 2.0, 4.0):
        read, searched = selection.sufficient(threshold), subsets.find_sis(linear(x), x, threshold)
        assert torch.equal(read.sis, searched.sis) and read.score == searched.score
        sizes.append(len(read))
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
    assert selection.sufficient(selection.score + 1e-9) is None
    assert len(selection.sufficient(selection.score)) == 20


def test_the_threshold_may_be_met_exactly():
    x = torch.tensor([1.0, 2.0, 4.0])
    assert subsets.find_sis(linear(torch.ones(3)), x, 4.0).sis.tolist() == [[2]]
    single = torch.full((2, 2), 0.7)  # 0.7 is a little less in single precision, and counts as 0.7
    assert subsets.find_sis(lambda inputs: inputs.amax((1, 2)), single, 0.7).sis.tolist() == [[1, 1]]


def test_only_features_of_the_mask_can_be_in_a_subset():
    x, mask = torch.arange(1.0, 10.0).view(3, 3), torch.ones(3, 3, dtype=torch.bool)
    mask[2] = False
    score = linear(torch.ones(3, 3))
    assert subsets.find_sis(score, x, 10.0, mask=mask).sis.tolist() == [[1, 2], [1, 1]]
    assert subsets.find_sis(score, x, 22.0, mask=mask) is None
    assert subsets.find_sis(score, x, 0.0, mask=torch.zeros(3, 3, dtype=torch.bool)) is None
    for subset in subsets.sis_collection(score, x, 5.0, mask=mask):
        assert not (subset.mask & ~mask).any()


def test_what_is_masked_gets_the_fill():
    """With a fill of 1 the bright pixels are worthless and the dark ones matter."""
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    found = subsets.find_sis(lambda inputs: -inputs.sum((1, 2)), x, -3.0, fill=1.0)
    assert found.sis.tolist() == [[0, 1]]


def test_an_empty_subset_ends_the_collection():
    assert [len(s) for s in subsets.sis_collection(by_count([0.7] * 5), torch.ones(4), 0.5)] == [0]


@pytest.mark.unchecked
@pytest.mark.parametrize("threshold", [float("nan"), "high", None, True])
@pytest.mark.parametrize("search", [subsets.find_sis, subsets.sis_collection])
def test_a_threshold_is_a_number(search, threshold):
    with pytest.raises(ValueError, match=f"threshold={threshold!r}: give a finite number"):
        search(linear(torch.ones(3)), torch.ones(3), threshold)

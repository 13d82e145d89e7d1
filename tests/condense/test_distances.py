"""Distances of gradients and of features: reference values, zero on equal sets, invariances, wrong input."""

import pytest
import torch

from simplebits.condense import distribution_distance, matching_distance


def gradients(seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(4, 3, 3, 3), (4,), (4,), (5, 8), (5,)]
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize(("kind", "name"), [("layerwise", "ours"), ("mse", "mse"), ("cosine", "cos")])
def test_equals_the_reference_values(golden, kind, name):
    values = golden("matching_distance")
    real, synthetic = ([torch.from_numpy(values[f"{side}_{i}"]) for i in range(7)] for side in ("real", "syn"))
    expected = float(values[f"value_{name}"])
    assert float(matching_distance(real, synthetic, kind)) == pytest.approx(expected, abs=1e-5 * max(1.0, expected))


@pytest.mark.parametrize("kind", ["layerwise", "mse", "cosine"])
def test_is_zero_on_equal_gradients_and_positive_on_others(kind):
    assert float(matching_distance(gradients(), gradients(), kind)) == pytest.approx(0, abs=1e-5)
    assert float(matching_distance(gradients(), gradients(1), kind)) > 0.1


def test_layerwise_looks_at_the_direction_of_every_row_and_not_at_biases():
    a, b = gradients(), gradients()
    rows = torch.rand(4, 1, 1, 1, dtype=torch.float64) + 0.5
    b[0], b[1], b[4] = b[0] * rows, torch.randn(4).double(), -b[4]
    assert float(matching_distance(a, b)) == pytest.approx(0, abs=1e-5)
    b[3] = -b[3]  # five rows turned round: a cosine of -1 each
    assert float(matching_distance(a, b)) == pytest.approx(10, abs=1e-4)


def test_a_row_without_gradient_counts_one_and_can_be_differentiated():
    a, b = [torch.ones(3, 4)], [torch.ones(3, 4)]
    b[0][1] = 0
    b[0].requires_grad_(True)
    distance = matching_distance(a, b)
    (slope,) = torch.autograd.grad(distance, b)
    assert float(distance.detach()) == pytest.approx(1, abs=1e-5)
    assert torch.isfinite(slope).all()


def test_gradients_may_come_from_a_generator():
    a, b = gradients(), gradients(1)
    torch.testing.assert_close(matching_distance((g for g in a), (g for g in b)), matching_distance(a, b))


def test_distribution_distance_is_that_of_the_class_means():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(6, 3, generator=generator), torch.randn(4, 3, generator=generator)
    labels_a, labels_b = torch.tensor([0, 1, 0, 1, 1, 0]), torch.tensor([1, 0, 0, 1])
    by_hand = sum(((a[labels_a == c].mean(0) - b[labels_b == c].mean(0)) ** 2).sum() for c in (0, 1))
    torch.testing.assert_close(distribution_distance(a, b, labels_a, labels_b), by_hand)
    # Order and repetition do not change a mean.
    again = distribution_distance(
        a, torch.cat((a, a))[[3, 1, 0, 2, 5, 4] * 2], labels_a, labels_a[[3, 1, 0, 2, 5, 4] * 2]
    )
    assert float(again) == pytest.approx(0, abs=1e-10)


@pytest.mark.unchecked
def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="did you mean 'cosine'"):
        matching_distance(gradients(), gradients(), "cosin")
    with pytest.raises(ValueError, match="same shapes"):
        matching_distance(gradients(), gradients()[:2])
    with pytest.raises(ValueError, match="one axis"):
        matching_distance([torch.ones(3)], [torch.ones(3)])
    weight = torch.ones(2, 3)
    for wrong, message in (
        (None, "grads_b: expected an iterable, got NoneType"),
        (weight, "in a list, got Tensor"),
        ([weight.tolist()], r"grads_b\[0\]: expected a floating point tensor, got list"),
        ([None], "got NoneType; leave out parameters without gradient"),
        ([weight.long()], "got torch.int64"),
    ):
        with pytest.raises(TypeError, match=message):
            matching_distance([weight], wrong)
    features, labels = torch.ones(2, 3), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="features_b: holds NaN or infinity"):
        distribution_distance(features, features * torch.nan, labels, labels)
    with pytest.raises(ValueError, match=r"classes \[1, 2\] occur in one set only"):
        distribution_distance(features, features, labels, torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="one for each feature row"):
        distribution_distance(features, features, labels, labels[:1])
    with pytest.raises(TypeError, match=r"features_b: expected a torch\.Tensor \[m, d\], got list"):
        distribution_distance(features, features.tolist(), labels, labels)
    with pytest.raises(ValueError, match="features_a: is empty, .*give at least one value"):
        distribution_distance(features[:0], features[:0], labels[:0], labels[:0])
    with pytest.raises(ValueError, match=r"\[n, d\]"):
        distribution_distance(features, features[:, :2], labels, labels)

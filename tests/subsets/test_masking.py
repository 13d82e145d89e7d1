"""What masking replaces, and what may be given as a mask and as a fill."""

import pytest
import torch

from simplebits import subsets


def test_kept_features_stay_and_the_others_become_the_fill():
    x, mask = torch.rand(3, 4, 5), torch.rand(4, 5) > 0.5
    mean = torch.tensor([0.1, 0.2, 0.3])[:, None, None]
    found = subsets.masked(x, mask, mean)
    assert torch.equal(found[:, mask], x[:, mask])
    assert torch.equal(found[:, ~mask], mean[:, 0].expand(3, int((~mask).sum())))


def test_one_mask_for_a_batch_and_one_for_each_image():
    x = torch.rand(2, 3, 4, 4)
    masks = torch.rand(2, 1, 4, 4) > 0.5
    each = torch.stack([subsets.masked(image, mask) for image, mask in zip(x, masks, strict=True)])
    assert torch.equal(subsets.masked(x, masks), each)
    assert torch.equal(subsets.masked(x, masks[0, 0])[1], subsets.masked(x[1], masks[0]))


def test_single_values_and_whole_rows_can_be_features():
    x = torch.rand(2, 3, 4)
    values = torch.rand(2, 3, 4) > 0.5
    assert torch.equal(subsets.masked(x, values), x * values)
    rows = torch.tensor([True, False, True])[:, None]
    assert torch.equal(subsets.masked(x, rows), x * rows)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (
            (torch.rand(3, 4, 4), torch.ones(5, 5, dtype=torch.bool)),
            ValueError,
            r"mask: shape \[5, 5\] does not broadc",
        ),
        ((torch.rand(2, 3, 4, 4), torch.ones(2, 4, 4, dtype=torch.bool)), ValueError, r"is \[2, 1, h, w\]"),
        (
            (torch.rand(3, 4, 4), torch.ones(4, 4)),
            TypeError,
            "boolean tensor, True where a feature is kept, got torch.f",
        ),
        (
            (torch.rand(3, 4, 4), torch.ones(4, 4) > 0, torch.rand(3)),
            ValueError,
            r"fill: shape \[3\] does not broadcast",
        ),
        ((torch.rand(3, 4, 4), torch.ones(4, 4) > 0, "mean"), ValueError, "fill='mean': give a finite"),
        ((torch.rand(3, 4, 4), torch.ones(4, 4) > 0, float("inf")), ValueError, "fill=inf: give a finite number"),
        ((torch.rand(3, 4, 4), torch.ones(4, 4) > 0, torch.tensor(torch.nan)), ValueError, "fill: holds NaN or inf"),
        ((torch.ones(3, 4, 4, dtype=torch.uint8), torch.ones(4, 4) > 0), ValueError, "divide uint8 images by 255"),
        ((torch.rand(1, 1, 3, 4, 4), torch.ones(4, 4) > 0), ValueError, r"x: expected one input of 1 to 3 axes"),
        ((torch.full((1, 2, 2), torch.nan), torch.ones(2, 2) > 0), ValueError, "x: holds NaN"),
        ((torch.rand(3, 4, 4), torch.ones(4, 4) > 0, [0.1]), ValueError, r"fill=\[0.1\]: give a finite number"),
        ((torch.rand(3, 4, 4), torch.ones(5, 5) > 0), ValueError, r"does not broadcast to x, \[3, 4, 4\]"),
        (([1.0], torch.ones(1) > 0), TypeError, "x: expected a torch.Tensor"),
    ],
)
def test_wrong_input_is_named(arguments, error, said):
    with pytest.raises(error, match=said):
        subsets.masked(*arguments)

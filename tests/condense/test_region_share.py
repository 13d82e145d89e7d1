"""The share of a class difference in a region: exact on made-up images, and what chance gives where nothing differs."""

import pytest
import torch

from simplebits.condense import region_share
from simplebits.data import phantoms

REGION = torch.zeros(8, 8, dtype=torch.bool)
REGION[6:, :] = True


def test_a_difference_in_the_region_alone_is_whole():
    first = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    second = first + 0.25 * REGION
    found = region_share(first, second, REGION)
    assert found.share == pytest.approx(1)
    assert (found.area, found.brighter) == (0.25, pytest.approx(0.25))
    assert found.elsewhere == pytest.approx(0)


def test_order_changes_signs_only():
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    one, other = region_share(x[:1], x[1:], REGION), region_share(x[1:], x[:1], REGION)
    assert one.share == other.share
    assert one.brighter == -other.brighter


def test_noise_puts_the_area_s_share_there():
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    region = torch.zeros(64, 64, dtype=torch.bool)
    region[48:] = True
    assert region_share(x[:1], x[1:], region).share == pytest.approx(0.25, abs=0.03)


def test_phantoms_differ_in_their_sign():
    drawn = phantoms(300)
    x = drawn.to_float()
    found = region_share(x[drawn.labels == 0], x[drawn.labels == 1], drawn.region())
    assert found.share > 3 * found.area
    assert found.brighter > 0.05 > abs(found.elsewhere)


def test_equal_classes_have_no_share():
    x = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = region_share(x, x, REGION)
    assert found.share != found.share


@pytest.mark.unchecked
def test_what_does_not_fit_is_told():
    x = torch.zeros(1, 1, 8, 8)
    with pytest.raises(ValueError, match=r"region: expected the images' height and width"):
        region_share(x, x, torch.ones(4, 4, dtype=torch.bool))
    for region in (torch.zeros(8, 8) > 0, torch.zeros(8, 8) < 1):
        with pytest.raises(ValueError, match="region: holds (0|64) of 64 pixels"):
            region_share(x, x, region)

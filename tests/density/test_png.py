"""PNG sizes: what a file takes, per dimension."""

import io

import pytest
import torch
from PIL import Image

from simplebits.density import png_bits_per_dim


def test_it_is_eight_times_the_bytes_of_the_file_over_the_dimensions():
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    file = io.BytesIO()
    Image.fromarray((x[0] * 255).round().byte().permute(1, 2, 0).numpy()).save(file, "PNG", optimize=True)
    assert png_bits_per_dim(x)[0] == pytest.approx(8 * len(file.getvalue()) / 768)


def test_grey_images_count_one_channel():
    grey = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert 8 < png_bits_per_dim(grey)[0] < 12  # noise does not compress, and the header comes on top
    assert png_bits_per_dim(torch.zeros(1, 1, 16, 16))[0] < 3


@pytest.mark.unchecked
def test_wrong_images_are_refused():
    with pytest.raises(ValueError, match="1 or 3 channels"):
        png_bits_per_dim(torch.zeros(1, 2, 8, 8))
    with pytest.raises(ValueError, match="dtype"):
        png_bits_per_dim(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match="^x: the batch is empty"):
        png_bits_per_dim(torch.zeros(0, 3, 8, 8))

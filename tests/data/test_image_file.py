"""One image file: what is stored in which way must come out as the same picture."""

import numpy as np
import pytest
import torch
from PIL import Image

from simplebits.data import read_image

GREY = np.add.outer(np.arange(0, 240, 40), np.arange(4)).astype(np.uint8)  # 6 high, 4 wide


def saved(folder, picture, name="a.png", **options):
    picture.save(folder / name, **options)
    return folder / name


def test_every_kind_of_grey_file_holds_the_same_picture(tmp_path):
    grey = Image.fromarray(GREY)
    palette = grey.convert("P")
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    floating = Image.fromarray(GREY.astype(np.float32))
    files = {
        "L": saved(tmp_path, grey, "l.png"),
        "LA": saved(tmp_path, grey.convert("LA"), "la.png"),
        "P": saved(tmp_path, palette, "p.png"),
        "16 bits": saved(tmp_path, deep, "deep.png"),
        "float": saved(tmp_path, floating, "float.tiff"),
    }
    white = {"16 bits": 65535, "float": 255}
    for kind, file in files.items():
        found = read_image(file, white=white.get(kind))
        assert found.dtype == torch.uint8, kind
        assert np.array_equal(found.numpy(), GREY[None]), kind


def test_colour_stays_colour_and_becomes_luma_where_grey_is_asked_for(tmp_path):
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    pixels[..., 1] = 200
    file = saved(tmp_path, Image.fromarray(pixels))
    assert np.array_equal(read_image(file).numpy(), pixels.transpose(2, 0, 1))
    assert read_image(file, channels=1).unique().tolist() == [round(0.587 * 200)]
    grey = saved(tmp_path, Image.fromarray(GREY), "b.png")
    assert read_image(grey, channels=3).shape == (3, 6, 4)
    palette = saved(tmp_path, Image.fromarray(pixels).convert("P", palette=Image.Palette.ADAPTIVE), "c.png")
    assert np.array_equal(read_image(palette).numpy(), pixels.transpose(2, 0, 1))


def test_what_is_transparent_lies_on_black(tmp_path):
    pixels = np.full((4, 4, 4), 200, dtype=np.uint8)
    pixels[:2, :, 3] = 0
    pixels[2:, :, 3] = 255
    found = read_image(saved(tmp_path, Image.fromarray(pixels)))
    assert found.shape == (3, 4, 4)
    assert found[:, :2].unique().tolist() == [0]
    assert found[:, 2:].unique().tolist() == [200]


def test_the_camera_is_held_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    file = saved(tmp_path, Image.fromarray(GREY), "turned.png", exif=exif)
    assert np.array_equal(read_image(file).numpy()[0], np.rot90(GREY, -1))


def test_a_smaller_picture_is_an_average(tmp_path):
    pixels = np.indices((64, 64)).sum(0) % 2 * np.uint8(255)  # a board: every second pixel is white
    found = read_image(saved(tmp_path, Image.fromarray(pixels.astype(np.uint8))), size=8)
    assert found.shape == (1, 8, 8)
    assert bool(((found.float() - 127.5).abs() < 3).all())


def test_twelve_bits_become_eight_with_the_white_that_is_told(tmp_path):
    deep = np.array([[0, 2047, 4095, 4095]], dtype=np.uint16)
    file = saved(tmp_path, Image.fromarray(deep))
    assert read_image(file, white=4095).tolist() == [[[0, 127, 255, 255]]]
    assert read_image(file, white=2047).tolist() == [[[0, 255, 255, 255]]]
    with pytest.raises(ValueError, match=r"a\.png holds grey values from 0 to 4095.*white=4095 if they have 12 bits"):
        read_image(file)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_damaged_file_is_named(tmp_path, content):
    file = tmp_path / "broken.png"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.png is damaged, or no image"):
        read_image(file)


def test_half_a_file_is_damaged(tmp_path):
    rng = np.random.default_rng(0)
    file = saved(tmp_path, Image.fromarray(rng.integers(0, 256, (50, 50), dtype=np.uint8)))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"a\.png is damaged"):
        read_image(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.png is not there"):
        read_image(tmp_path / "none.png")

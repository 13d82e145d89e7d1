"""Retention: known mixtures are recovered, brightness does not matter, and what is undefined is NaN."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simplebits import data
from simplebits.simplify.retention import retention


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60)
@given(
    a=st.floats(0, 1),
    b=st.floats(0, 1),
    offset=st.floats(0, 0.2),
    n=st.integers(1, 3),
    c=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
)
def test_a_known_mixture_is_recovered_whatever_its_brightness(a, b, offset, n, c, seed):
    task, distractor = (0.4 * noise(n, c, 8, 8, seed=s) for s in (seed, seed + 100))
    kept = retention(a * task + b * distractor + offset, task, distractor)
    assert kept.task.shape == kept.distractor.shape == (n,) and kept.task.dtype == torch.float64
    torch.testing.assert_close(kept.task, torch.full((n,), a, dtype=torch.float64), rtol=0, atol=1e-5)
    torch.testing.assert_close(kept.distractor, torch.full((n,), b, dtype=torch.float64), rtol=0, atol=1e-5)


def test_images_of_a_batch_do_not_mix():
    task, distractor = 0.4 * noise(3, 3, 8, 8), 0.4 * noise(3, 3, 8, 8, seed=1)
    a, b = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([1.0, 0.0, 0.25])
    kept = retention(a[:, None, None, None] * task + b[:, None, None, None] * distractor, task, distractor)
    torch.testing.assert_close(kept.task.float(), a, rtol=0, atol=1e-5)
    torch.testing.assert_close(kept.distractor.float(), b, rtol=0, atol=1e-5)


def test_what_belongs_to_neither_part_does_not_count():
    # Rows, columns and a checkerboard are orthogonal to each other.
    wave = torch.tensor([0.0, 0.2] * 4)
    rows, columns = wave[:, None].expand(1, 1, 8, 8), wave.expand(1, 1, 8, 8)
    checkers = ((rows > 0) ^ (columns > 0)).float() * 0.3
    kept = retention(0.5 * rows + checkers, rows, columns)
    assert kept.task.item() == pytest.approx(0.5, abs=1e-6) and kept.distractor.item() == pytest.approx(0, abs=1e-6)


def test_it_agrees_with_least_squares_by_a_library():
    s, t, d = (noise(5, 3, 8, 8, seed=i) for i in range(3))
    kept = retention(s, t, d)
    columns = torch.stack([t.flatten(1), d.flatten(1), torch.ones(5, 192)], 2).double()
    solution = torch.linalg.lstsq(columns, s.double().flatten(1)[..., None]).solution[..., 0]
    torch.testing.assert_close(torch.stack([kept.task, kept.distractor], 1), solution[:, :2])


@pytest.mark.parametrize("level", [0.0, 0.1, 1 / 3, 1.0])
def test_a_part_without_contrast_has_no_retention_and_leaves_the_other_alone(level):
    picture = 0.5 * noise(2, 3, 9, 9)
    flat = picture.clone()
    flat[0] = level  # the first image only
    kept = retention(0.5 * picture + 0.1, flat, picture)
    assert kept.task.isnan().tolist()[0] and kept.distractor[0].item() == pytest.approx(0.5, abs=1e-6)
    kept = retention(0.5 * picture + 0.1, picture, flat)
    assert kept.distractor.isnan().tolist()[0] and kept.task[0].item() == pytest.approx(0.5, abs=1e-6)
    both = retention(picture, torch.full_like(picture, level), torch.full_like(picture, level))
    assert both.task.isnan().all() and both.distractor.isnan().all()


def test_parts_that_are_multiples_of_each_other_cannot_be_told_apart():
    picture = noise(2, 3, 8, 8)
    other = picture * 0.5 + 0.2
    other[1] = noise(3, 8, 8, seed=1)
    kept = retention(picture, picture, other)
    assert kept.task.isnan().tolist() == kept.distractor.isnan().tolist() == [True, False]


def test_a_faint_part_of_one_grey_level_is_measured():
    task, distractor = torch.zeros(1, 1, 512, 512), 0.5 * noise(1, 1, 512, 512)
    task[0, 0, 100, 100] = 1 / 255
    kept = retention(0.5 * task + distractor, task, distractor)
    assert kept.task.item() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("name", data.COMPOSITES)
def test_an_untouched_composite_keeps_both_parts_whole(name):
    sources = {"distractor": "photos"} if name == "stripes" else {"task": "digits"}
    if name in ("side-by-side", "interpolated"):
        sources["distractor"] = "photos"
    images = data.composite(name, "test", **sources).draw(50)
    task, distractor = images.parts()
    kept = retention(images.to_float(), task, distractor)
    for values in kept.task, kept.distractor:
        defined = values[~values.isnan()]
        assert len(defined) > 40  # photographs of the night sky hold crops without contrast
        torch.testing.assert_close(defined, torch.ones_like(defined), rtol=0, atol=1e-4)
    alone = retention(task, task, distractor)
    torch.testing.assert_close(alone.task.nanmean().item(), 1.0, rtol=0, atol=1e-6)
    assert abs(alone.distractor.nanmean().item()) < 1e-6


@pytest.mark.unchecked
@pytest.mark.parametrize("argument", ["simplified", "task_part", "distractor_part"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("x", TypeError),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), ValueError),
        (torch.zeros(3, 8, 8), ValueError),
        (torch.full((2, 3, 8, 8), 255.0), ValueError),
        (torch.full((2, 3, 8, 8), torch.nan), ValueError),
    ],
)
def test_what_is_no_batch_of_images_is_refused_by_name(argument, value, error):
    with pytest.raises(error, match=f"^{argument}: "):
        retention(
            **dict.fromkeys(("simplified", "task_part", "distractor_part"), noise(2, 3, 8, 8)) | {argument: value}
        )


@pytest.mark.unchecked
@pytest.mark.parametrize("argument", ["task_part", "distractor_part"])
def test_parts_of_another_shape_are_refused(argument):
    batches = dict.fromkeys(("simplified", "task_part", "distractor_part"), noise(2, 3, 8, 8))
    with pytest.raises(ValueError, match=rf"^{argument}: expected shape \[2, 3, 8, 8\].*got \[2, 1, 8, 8\]"):
        retention(**batches | {argument: noise(2, 1, 8, 8)})


def test_overall_is_one_fit_for_all_images_in_which_a_nearly_flat_part_hardly_counts():
    """One image keeps everything, one with a hundredth of the contrast seems to keep ten times its distractor."""
    generator = torch.Generator().manual_seed(0)
    task, distractor = (0.4 * torch.rand(2, 3, 8, 8, generator=generator) for _ in range(2))
    distractor[1] = 0.02 + 0.01 * distractor[1]
    simplified = task + distractor * torch.tensor([0.5, 10.0])[:, None, None, None] * 0.5
    kept = retention(simplified.clamp(0, 1), task, distractor)
    assert kept.distractor[1] > 4.9
    assert abs(kept.task_overall - 1) < 0.01
    assert abs(kept.distractor_overall - 0.25) < 0.01

"""Fitting: it learns, resumes exactly, survives what is not finite, and leaves no half file."""

import errno

import numpy as np
import pytest
import torch

from simplebits import _files
from simplebits.data import synthetic
from simplebits.density import DensityModel, Glow, fit

IMAGES = synthetic(60, size=8, seed=0)
SETTINGS = {"batch_size": 8, "learning_rate": 2e-3, "warm_up": 2, "seed": 3, "bf16": False, "progress": False}


def fresh(**options):
    generator = torch.Generator().manual_seed(0)
    return Glow(
        **({"levels": 2, "steps": 2, "hidden": 8, "image_size": 8, "bit_depth": 5, "scale_floor": 0.1} | options),
        generator=generator,
    )


def held_out_bits(model):
    x = synthetic(60, size=8, seed=9).to_float()
    with torch.no_grad():
        return float(model.bits_per_dim(x, torch.Generator().manual_seed(0), quantised=True).mean())


@pytest.mark.parametrize("optimiser", ["adam", "adamax"])
def test_fitting_lowers_the_bits_of_images_not_seen(optimiser):
    model, start = fresh(), fresh()
    start.initialise(IMAGES.to_float(), generator=torch.Generator().manual_seed(0))
    history = fit(
        model,
        IMAGES,
        steps=150,
        optimiser=optimiser,
        validation=synthetic(20, size=8, seed=5),
        **(SETTINGS | {"learning_rate": 5e-3}),
    )
    assert held_out_bits(model) < held_out_bits(start) - 0.2
    assert len(history.losses) == 150 and history.skipped == 0 and history.seconds > 0
    assert history.validation[-1][0] == 150


def test_the_same_seed_gives_the_same_model_and_another_seed_another():
    models = [fresh(), fresh(), fresh()]
    for model, seed in zip(models, (3, 3, 4), strict=True):
        fit(model, IMAGES, steps=4, **(SETTINGS | {"seed": seed}))
    first, same, other = (torch.cat([p.flatten() for p in m.parameters()]) for m in models)
    assert torch.equal(first, same) and not torch.equal(first, other)


@pytest.mark.parametrize("optimiser", ["adam", "adamax"])
def test_a_fit_that_was_cut_short_resumes_to_the_same_model(tmp_path, optimiser):
    whole, cut = fresh(), fresh()
    options = SETTINGS | {"optimiser": optimiser, "checkpoint_every": 4, "validation": synthetic(20, size=8, seed=5)}
    one = fit(whole, IMAGES, steps=12, checkpoint=tmp_path / "whole", **options)

    measure, calls = cut.log_density, []

    def killed_at_the_tenth_step(*args):
        calls.append(args)
        if len(calls) == 12:  # the tenth step's: two have measured the validation images
            raise KeyboardInterrupt
        return measure(*args)

    cut.log_density = killed_at_the_tenth_step
    with pytest.raises(KeyboardInterrupt):
        fit(cut, IMAGES, steps=12, checkpoint=tmp_path / "cut", **options)
    _, header = _files.read_tensors(tmp_path / "cut")
    assert header["note"]["step"] == 8
    again = fresh()
    two = fit(again, IMAGES, steps=12, checkpoint=tmp_path / "cut", **options)
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert one.losses == two.losses and one.validation == two.validation


def test_a_finished_fit_is_read_back_without_further_steps(tmp_path):
    model = fresh()
    fit(model, IMAGES, steps=5, checkpoint=tmp_path / "c", **SETTINGS)
    again = fresh()
    history = fit(again, IMAGES, steps=5, checkpoint=tmp_path / "c", **SETTINGS)
    assert len(history.losses) == 5
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


class Fragile(DensityModel):
    """A density whose loss is NaN on chosen calls."""

    def __init__(self, broken):
        super().__init__(8, 3, 5)
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.broken, self.calls = broken, 0

    def log_density(self, g):
        self.calls += 1
        return (
            -self.weight.square()
            * g.square().flatten(1).sum(1)
            * (float("nan") if self.calls - 1 in self.broken else 1.0)
        )


def test_a_step_that_is_not_finite_is_skipped_and_counted():
    model = Fragile(broken={1, 3})
    history = fit(model, IMAGES, steps=6, **SETTINGS)
    assert history.skipped == 2 and torch.isfinite(model.weight)
    assert [loss != loss for loss in history.losses] == [False, True, False, True, False, False]


def test_a_fit_that_stays_broken_stops_and_says_what_to_change():
    with pytest.raises(FloatingPointError, match="5 steps in a row.*lower learning_rate"):
        fit(Fragile(broken=range(100)), IMAGES, steps=50, patience=5, **SETTINGS)


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch):
    path = tmp_path / "c"
    fit(fresh(), IMAGES, steps=2, checkpoint=path, **SETTINGS)
    before = path.read_bytes()
    real = type(path).write_bytes

    def full(self, data):
        real(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full)
    with pytest.raises(OSError, match=f"{path} could not be written.*No space left.*untouched"):
        fit(fresh(), IMAGES, steps=4, checkpoint=path, **SETTINGS)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_damaged_and_foreign_checkpoints_are_named(tmp_path):
    path = tmp_path / "c"
    fit(fresh(), IMAGES, steps=2, checkpoint=path, **SETTINGS)
    for model, change, named in (
        (fresh(hidden=12), {}, "'hidden': 8"),
        (fresh(bit_depth=8), {}, "'bit_depth': 5"),
        (fresh(), {"seed": 4}, "seed=3 there, 4 here"),
        (fresh(), {"optimiser": "adamax"}, "optimiser='adam' there, 'adamax' here"),
        (fresh(), {"batch_size": 9}, "batch_size=8 there, 9 here"),
    ):
        with pytest.raises(ValueError, match=f"{path} belongs to another training") as caught:
            fit(model, IMAGES, steps=4, checkpoint=path, **(SETTINGS | change))
        assert named in str(caught.value)
    _files.write_tensors(tmp_path / "weights", fresh().state_dict(), {})
    with pytest.raises(ValueError, match="not a checkpoint of a training"):
        fit(fresh(), IMAGES, steps=4, checkpoint=tmp_path / "weights", **SETTINGS)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=f"{path} is damaged"):
        fit(fresh(), IMAGES, steps=4, checkpoint=path, **SETTINGS)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch_size": -1},
        {"learning_rate": 0.0},
        {"clip": float("nan")},
        {"optimiser": "adm"},
        {"patience": 0},
        {"start": "pac"},
        {"warm_up": -5},
        {"cool_down": 7.0},
        {"average": 1.5},
        {"learning_rate": float("inf")},
        {"weight_decay": -1e-5},
        {"warm_up": 2.5},
        {"seed": -1},
        {"seed": 2**64},
        {"checkpoint_every": 0},
        {"validation": IMAGES.subset([])},
    ],
)
def test_wrong_settings_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        fit(fresh(), IMAGES, **({"steps": 2} | SETTINGS | wrong))


@pytest.mark.unchecked
def test_only_density_models_are_fitted():
    with pytest.raises(TypeError, match="DensityModel"):
        fit(torch.nn.Linear(2, 2), IMAGES, steps=2, **SETTINGS)
    with pytest.raises(ValueError, match=r"model: none of its weights can learn; model.requires_grad_\(True\)"):
        fit(fresh().requires_grad_(False), IMAGES, steps=2, **SETTINGS)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (IMAGES.subset([0]), ValueError, "holds 1; give at least 2"),
        (IMAGES.images[:0], ValueError, "holds 0; give at least 2"),
        (IMAGES.to_float(), ValueError, "expected bytes.*data.to_bytes converts"),
        (IMAGES.images[:, :2], ValueError, "expected shape.*c = 1 or 3"),
        (IMAGES.images[0], ValueError, "expected shape"),
        ("digits", TypeError, "expected an ImageSet, got str; simplebits.data.load gives one"),
    ],
)
def test_images_that_cannot_be_learned_from_are_refused(images, error, message):
    with pytest.raises(error, match=f"^images: {message}"):
        fit(fresh(), images, steps=2, **SETTINGS)


def test_numbers_of_numpy_and_times_are_settings(tmp_path):
    numbers = {"seed": np.int64(3), "learning_rate": np.float32(2e-3), "batch_size": np.int32(8)}
    fit(fresh(), IMAGES, steps=np.int64(2), checkpoint=tmp_path / "c", **(SETTINGS | numbers))
    assert len(fit(fresh(), IMAGES, steps=2, **(SETTINGS | {"seed": 1_764_431_234_123_456_789})).losses) == 2


def test_a_checkpoint_of_an_earlier_version_goes_on(tmp_path):
    """Without the count of steps in a row that were not finite."""
    whole, again = fresh(), fresh()
    fit(whole, IMAGES, steps=4, **SETTINGS, cool_down=0.0)
    fit(fresh(), IMAGES, steps=3, checkpoint=tmp_path / "c", **SETTINGS, cool_down=0.0)
    content, header = _files.read_tensors(tmp_path / "c")
    del header["note"]["in_a_row"]
    _files.write_tensors(tmp_path / "c", content, header)
    fit(again, IMAGES, steps=4, checkpoint=tmp_path / "c", **SETTINGS, cool_down=0.0)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_a_run_may_be_prolonged(tmp_path):
    fit(fresh(), IMAGES, steps=3, checkpoint=tmp_path / "c", **SETTINGS)
    history = fit(fresh(), IMAGES, steps=5, checkpoint=tmp_path / "c", cool_down=0.5, **SETTINGS)
    assert len(history.losses) == 5

"""Runs that were interrupted: they end where others do, and know their own checkpoint."""

import pytest
import torch

import simplebits as sb
from simplebits import _files
from simplebits.condense import condense
from simplebits.condense.condensed_set import RENAMED
from simplebits.data import ImageSet

SMALL = {
    "size": 8,
    "network_options": {"width": 8, "depth": 2},
    "real_batch": 16,
    "bf16": False,
    "device": "cpu",
    "progress": False,
}


@pytest.fixture(scope="module")
def digits():
    return sb.data.load("digits", "train")


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("gradient", {}),
        ("gradient", {"augment": "crop_scale", "outer": 2, "inner": 2}),
        ("gradient", {"network_options": {"width": 8, "depth": 2, "norm": "batch"}, "outer": 2}),
        ("distribution", {"network_options": {"width": 8, "depth": 2, "norm": "batch"}}),
        ("distribution", {"augment": "crop_rotate"}),
        ("gradient", {"density": "glow-16px", "bit_weight": 10.0}),
    ],
)
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(digits, method, options, tmp_path):
    options = SMALL | options
    if "density" in options:
        options |= {"density": sb.density.load(options["density"]), "size": None}
    whole = condense(digits, method, 2, iterations=4, keep_every=2, **options)
    path = tmp_path / "run.safetensors"
    condense(digits, method, 2, iterations=3, keep_every=2, checkpoint=path, **options)
    again = condense(digits, method, 2, iterations=4, keep_every=2, checkpoint=path, **options)
    assert torch.equal(whole.images, again.images)
    assert whole.history.losses == again.history.losses and whole.history.bits == again.history.bits
    kept = [dict(run.history.kept) for run in (whole, again)]
    assert {0, 2, 4} <= kept[1].keys() and all(torch.equal(kept[0][at], kept[1][at]) for at in kept[0])


def test_a_checkpoint_with_the_names_of_before_is_gone_on_from(digits, tmp_path):
    path, options = tmp_path / "run.safetensors", SMALL | {"keep_every": 1}
    whole = condense(digits, "distribution", 1, iterations=2, **options)
    condense(digits, "distribution", 1, iterations=1, checkpoint=path, **options)
    tensors, note = _files.read_tensors(path)
    before = {new: old for old, new in RENAMED.items()}
    note["settings"] = {before.get(name, name): value for name, value in note["settings"].items()}
    note["note"] = {name: note["note"][name] for name in ("step", "history")}
    assert {"init", "lambda_sim"} <= note["settings"].keys()
    _files.write_tensors(path, tensors, note)
    again = condense(digits, "distribution", 1, iterations=2, checkpoint=path, **options)
    assert torch.equal(again.images, whole.images) and again.history.losses == whole.history.losses


def test_another_runs_checkpoint_is_refused(digits, tmp_path):
    path = tmp_path / "run.safetensors"
    condense(digits, "distribution", 1, iterations=1, checkpoint=path, **SMALL)
    with pytest.raises(ValueError, match=r"another training: .*seed=0 there, 1 here"):
        condense(digits, "distribution", 1, iterations=1, seed=1, checkpoint=path, **SMALL)


def test_a_cooled_run_is_not_resumed_with_another_end(digits, tmp_path):
    path = tmp_path / "run.safetensors"
    condense(digits, "distribution", 1, iterations=2, cool_down=0.5, checkpoint=path, **SMALL)
    with pytest.raises(ValueError, match="iterations=2 there, 4 here"):
        condense(digits, "distribution", 1, iterations=4, cool_down=0.5, checkpoint=path, **SMALL)


def test_a_longer_run_is_not_taken_for_a_shorter_one(digits, tmp_path):
    path = tmp_path / "run.safetensors"
    four = condense(digits, "distribution", 1, iterations=4, checkpoint=path, **SMALL)
    with pytest.raises(ValueError, match="holds 4 iterations, iterations=2 asks for fewer"):
        condense(digits, "distribution", 1, iterations=2, checkpoint=path, **SMALL)
    again = condense(digits, "distribution", 1, iterations=4, checkpoint=path, **SMALL)
    assert torch.equal(again.images, four.images)


@pytest.mark.parametrize("part", ["images", "labels"])
def test_another_set_of_the_same_name_and_length_is_refused(digits, part, tmp_path):
    path, options = tmp_path / "run.safetensors", {"iterations": 1, "checkpoint": tmp_path / "run.safetensors"}
    condense(digits, "distribution", 1, **options, **SMALL)
    images, labels = digits.images.clone(), digits.labels.clone()
    if part == "images":
        images[0, 0, 0, 0] += 1
    else:
        labels[0] = (labels[0] + 1) % 10
    other = ImageSet(images, labels, digits.classes, digits.name)
    with pytest.raises(ValueError, match=f"{path.name} belongs to another training: parts="):
        condense(other, "distribution", 1, **options, **SMALL)


@pytest.mark.parametrize("change", [{"width": 12}, {"activation": "swish"}])
def test_a_function_that_makes_another_network_is_refused(digits, change, tmp_path):
    path, plain = tmp_path / "run.safetensors", SMALL | {"network_options": None}

    def network(**options):
        return lambda: sb.networks.ConvNet(10, 1, 8, **({"width": 8, "depth": 2} | options))

    condense(digits, "distribution", 1, network=network(), iterations=1, checkpoint=path, **plain)
    condense(digits, "distribution", 1, network=network(), iterations=2, checkpoint=path, **plain)
    with pytest.raises(ValueError, match="belongs to another training: parts="):
        condense(digits, "distribution", 1, network=network(**change), iterations=2, checkpoint=path, **plain)


def test_what_only_the_checkpoint_knows_is_not_on_the_card(digits, tmp_path):
    made = condense(digits, "distribution", 1, iterations=1, checkpoint=tmp_path / "a", **SMALL).made
    assert "parts" not in made

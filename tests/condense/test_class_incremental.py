"""Classes in increments: balanced memory, all outputs from the start, the stream's order, killed and gone on with."""

import dataclasses
import sys

import numpy as np
import pytest
import torch

import simplebits as sb
from simplebits.condense import class_incremental, evaluate
from simplebits.condense.class_incremental import joined, of_classes
from simplebits.condense.condensed_set import constants

SMALL = {"network": "MLP", "size": 8, "augment": None, "bf16": False, "device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def digits():
    return [sb.data.load("digits", split).draw(400).resized(8) for split in ("train", "test")]


def test_classes_are_counted_in_the_order_in_which_they_came(digits):
    some = of_classes(digits[0], torch.tensor([7, 2]))
    assert some.classes == ("7", "2") and set(some.labels.tolist()) == {0, 1}
    assert torch.equal(some.images[some.labels == 1], digits[0].images[digits[0].labels == 2])


def test_the_stream_is_that_of_the_papers_code_and_the_memory_is_balanced(digits):
    run = class_incremental(*digits, "random", 3, increments=5, order=1, seeds=[0, 1], epochs=2, **SMALL)
    np.random.seed(1)  # noqa: NPY002 as in the code
    expected = [str(c) for c in np.random.permutation(10)]  # noqa: NPY002
    assert [name for part in run.increments for name in part] == expected == list(run.memory.classes)
    assert run.accuracies.shape == (5, 2) and run.memory.images_per_class == 3
    for place, name in enumerate(expected):
        own = digits[0].to_float()[digits[0].labels == int(name)]
        for image in run.memory.images[3 * place : 3 * place + 3]:
            assert (own == image).flatten(1).all(1).any()


def test_an_increment_is_an_evaluation_of_the_memory_with_all_outputs(digits):
    run = class_incremental(*digits, "random", 2, increments=2, seeds=[3], epochs=30, **SMALL)
    stream = torch.tensor([int(name) for part in run.increments for name in part])
    first = sb.condense.remember(of_classes(digits[0], stream[:5]), "random", 2)
    options = {name: SMALL[name] for name in ("bf16", "device", "progress")}
    alone = evaluate(first, of_classes(digits[1], stream[:5]), "MLP", [3], epochs=30, outputs=10, **options)
    assert alone.accuracies[0] == pytest.approx(float(run.accuracies[0, 0]))
    assert run.mean[0] > 0.4 and run.final == pytest.approx(float(run.accuracies[-1].mean()))


@pytest.mark.parametrize("memory", ["herding", "distribution"])
def test_a_killed_run_goes_on_from_its_last_increment(digits, memory, tmp_path, monkeypatch):
    options = SMALL | {"increments": 2, "seeds": [0], "epochs": 3, "feature_epochs": 1}
    options |= {"memory_options": {"iterations": 2, "real_batch": 8}} if memory == "distribution" else {}
    whole = class_incremental(*digits, memory, 1, **options)
    path = tmp_path / "run.safetensors"
    calls, own = [], evaluate

    def killed(*arguments, **more):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return own(*arguments, **more)

    monkeypatch.setattr(sys.modules["simplebits.condense.class_incremental"], "evaluate", killed)
    with pytest.raises(KeyboardInterrupt):
        class_incremental(*digits, memory, 1, checkpoint=path, **options)
    again = class_incremental(*digits, memory, 1, checkpoint=path, **options)
    assert (tmp_path / "run-networks-1.safetensors").is_file()
    assert torch.equal(whole.accuracies, again.accuracies) and torch.equal(whole.memory.images, again.memory.images)


def test_joined_memories_keep_their_classes():
    train = sb.data.load("digits", "train")
    parts = [sb.condense.remember(of_classes(train, torch.tensor(c)), "random", 2) for c in ([3, 1], [8, 0])]
    both = joined(parts)
    assert both.classes == ("3", "1", "8", "0") and both.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(both.images, torch.cat([part.images for part in parts]))


@pytest.mark.unchecked
def test_what_does_not_fit_is_named(digits):
    train, test = digits
    with pytest.raises(ValueError, match=r"^increments=3: 10 classes cannot be split .* one of \[1, 2, 5, 10\]"):
        class_incremental(train, test, increments=3, **SMALL)
    other = sb.data.ImageSet(test.images, test.labels, tuple("abcdefghij"), "letters")
    with pytest.raises(ValueError, match="^test: letters has a class 'a', which is not among those learned"):
        class_incremental(train, other, **SMALL)
    with pytest.raises(ValueError, match="^test: .* has no image of class '4'"):
        class_incremental(train, test.subset(test.labels != 4), **SMALL)
    with pytest.raises(ValueError, match="^images_per_class=400: class '0'"):
        class_incremental(train, test, "random", 400, **SMALL)
    with pytest.raises(ValueError, match="^outputs=2: the set has 10 classes"):
        evaluate(sb.condense.remember(train, "random", 1), test, "MLP", outputs=2)


def test_increments_of_a_published_set_keep_its_constants(digits):
    """Without `source` the classes of CIFAR-10 that come first would be standardised by their own mean."""
    published = dataclasses.replace(digits[0], source="mnist")
    some = of_classes(published, torch.tensor([3, 1]))
    assert some.source == "mnist" and constants(some, 1)[0].tolist() == pytest.approx([0.1307])


def test_test_classes_are_found_by_name(digits):
    train, test = digits
    turned = test.with_classes(test.classes[::-1])
    runs = [class_incremental(train, each, "random", 2, epochs=20, seeds=[0], **SMALL) for each in (test, turned)]
    assert torch.equal(runs[0].accuracies, runs[1].accuracies) and runs[0].final > 0.2

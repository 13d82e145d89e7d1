"""Whoever trains does not test; folds and balance keep to it."""

import pytest
import torch

from simplebits.data import PatientSet
from simplebits.data.patients import patient_split


def patients_with(counts, labels=None):
    """A set with so many images of each patient."""
    whose = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    labels = whose % 2 if labels is None else torch.tensor(labels)
    return PatientSet(torch.zeros(len(whose), 1, 4, 4, dtype=torch.uint8), labels, ("F", "M"), "p", whose)


def test_nobody_is_on_both_sides_of_a_fold_and_everybody_is_tested_once():
    generator = torch.Generator().manual_seed(0)
    people = patients_with(torch.randint(1, 8, (60,), generator=generator).tolist())
    tested = []
    for train, test in people.folds(5, seed=3):
        assert not set(train.patients.tolist()) & set(test.patients.tolist())
        assert len(train) + len(test) == len(people)
        tested.append(test)
    assert sorted(torch.cat([test.patients.unique() for test in tested]).tolist()) == list(range(60))
    sizes = [len(test) for test in tested]
    assert max(sizes) - min(sizes) <= 2, "dealt out evenly by images"


def test_folds_follow_the_seed():
    people = patients_with([1] * 20)
    first, again, other = ([test.patients.tolist() for _, test in people.folds(4, seed=s)] for s in (0, 0, 1))
    assert first == again != other


def test_balance_keeps_the_first_of_each_class_in_order():
    people = patients_with([1] * 7, labels=[0, 0, 0, 1, 0, 1, 0])
    assert people.balanced().patients.tolist() == [0, 1, 3, 5]
    assert people.balanced(most=1).patients.tolist() == [0, 3]


def test_five_train_and_the_sixth_tests():
    told = patient_split([f"p{i:02}" for i in range(13)] * 2)
    assert [name for name, split in told.items() if split == "test"] == ["p05", "p11"]


@pytest.mark.unchecked
def test_what_cannot_be_is_told():
    with pytest.raises(ValueError, match="has no image of M"):
        patients_with([1, 1], labels=[0, 0]).balanced()
    with pytest.raises(ValueError, match="has images of 3 patients"):
        next(patients_with([1] * 3).folds(5))
    with pytest.raises(ValueError, match="patients: expected shape"):
        PatientSet(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 1]), ("F", "M"), "p", torch.tensor([1]))

"""The learning rates of both pipelines, as the papers and the released code have them."""

import pytest

from simplebits.condense import DC_TRAINING, TaskTraining


def test_the_paper_takes_three_cosines_and_then_one():
    training = TaskTraining()
    length = training.length(0, per_epoch=144)  # SVHN: 73,257 images in batches of 512
    assert length == 150 * 144 and training.length(1, 118) == training.length(5, 118) == 50 * 118
    first = [training.rate(0, at, length, 144) for at in range(length)]
    assert [at for at, rate in enumerate(first) if rate == max(first)] == [0, 50 * 144, 100 * 144]
    assert first[25 * 144] == pytest.approx(0.05) and min(first) < 1e-8
    assert training.rate(2, 0, 50 * 15, 15) == 0.1


def test_the_saw_tooth_climbs_in_each_epoch_and_never_anneals():
    code = TaskTraining(schedule="saw-tooth", learning_rates=(0.1, 0.01, 0.01))
    teeth = [code.rate(1, at, 50, 10) for at in range(50)]
    assert teeth[:10] == teeth[40:] == pytest.approx([0.001 * k for k in range(1, 11)])


def test_gradient_matching_has_steps_and_a_balanced_end():
    assert DC_TRAINING.length(0, 287) == DC_TRAINING.length(2, 29) == 5000
    assert [DC_TRAINING.rate(1, at, 5000, 235) for at in (0, 4999, 5000, 5499)] == [0.01, 0.01, 0.001, 0.001]

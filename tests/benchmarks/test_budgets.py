"""What a chapter may cost, read from the committed ledger: the newest complete run of each chapter and profile."""

import math

import pytest

from simplebits.report import ledger

SECONDS = {"laptop": 4 * 60, "standard": 90 * 60}  # a chapter, on two cores
MEGABYTES = {"laptop": 3 * 1024, "standard": 6 * 1024}  # of the 8 GB that the README asks for
# Runs from before the ledger kept the processor's time, beside so much other work that their clock says nothing. To be
# replaced by the next runs of these chapters.
CROWDED = {"20261120T204705Z-b5d499"}
SIMPLICITY = 8 * 60  # chapters 01 and 02 together, in `laptop`
ONE_DECISION = ("13_simplify_after_training", "14_sufficient_input_subsets", "15_overinterpretation")
# Parts of the book that a reader runs in one go, in `laptop`.
TOGETHER = {
    "simplify while training": ("04_per_instance_simplification", "05_injected_distractors", "06_accuracy_vs_bits"),
    "condense": ("07_gradient_matching", "08_distribution_matching", "09_condense_and_simplify"),
    "explain one decision": ONE_DECISION,
}
SECONDS_TOGETHER = 12 * 60
SECONDS_AFTER_TRAINING = 2 * 60  # of the loop of chapter 13, in `laptop`


def newest():
    """The newest complete run of each (profile, notebook) with the profile's own parameters."""
    runs = (run for run in ledger.runs() if run.status == "complete" and not run.info.get("own"))
    return {(run.profile, run.notebook): run for run in runs}


def cost(run):
    """Seconds by the clock; or the processor's, which are fewer where one thread waited for other work."""
    return min(run.info["seconds"], run.info.get("processor_seconds") or math.inf)


@pytest.mark.parametrize("profile", SECONDS)
def test_every_chapter_stays_within_time_and_memory(profile):
    runs = {notebook: run for (found, notebook), run in newest().items() if found == profile}
    assert {"01_bits_per_dimension", "02_glow_step_by_step"} <= set(runs), f"no {profile} run in the ledger"
    for notebook, run in runs.items():
        assert cost(run) <= SECONDS[profile] or run.info["id"] in CROWDED, notebook
        assert run.info["peak_memory_mb"] <= MEGABYTES[profile], notebook


def test_the_first_two_chapters_together_take_at_most_eight_minutes_on_a_laptop():
    runs = newest()
    both = ("01_bits_per_dimension", "02_glow_step_by_step")
    assert sum(cost(runs["laptop", notebook]) for notebook in both) <= SIMPLICITY


@pytest.mark.parametrize("part", TOGETHER)
def test_the_chapters_of_a_part_together_take_at_most_twelve_minutes_on_a_laptop(part):
    runs = newest()
    assert sum(cost(runs["laptop", notebook]) for notebook in TOGETHER[part]) <= SECONDS_TOGETHER


def test_one_decision_is_explained_in_time_and_as_claimed():
    runs = newest()
    records = {r.name: r for notebook in ONE_DECISION for r in runs["laptop", notebook].records}
    assert records["after-training.seconds"].mean <= SECONDS_AFTER_TRAINING
    for claim in ("after-training.bits-left", "overinterpretation.backward"):
        assert records[claim].verdict == "trend holds", records[claim].reason
    # Lesson 14 checks in its own cells that the subset is sufficient and minimal.
    assert 0 < records["sufficient-subsets.small-size"].mean < 32

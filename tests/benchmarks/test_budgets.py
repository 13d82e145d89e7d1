"""What a lesson may cost, read from the committed ledger: the newest complete run of each lesson and profile."""

import math

import pytest

from simplebits.report import ledger, measured_cost

SECONDS = {"laptop": 2 * 60, "standard": 30 * 60}  # a lesson, on one core
MEGABYTES = {"laptop": 3 * 1024, "standard": 6 * 1024}  # of the 8 GB that the README asks for
TOGETHER = 20 * 60  # all lessons in `laptop`, on two cores


def newest():
    """The newest complete run of each (profile, notebook), as the lessons themselves tell what they cost."""
    stems = {run.notebook for run in ledger.runs(profile="laptop")}
    costs = {stem: measured_cost(stem).runs for stem in stems}
    return {(profile, stem): run for stem, runs in costs.items() for profile, run in runs.items() if run}


def cost(run):
    """Seconds by the clock; or the processor's, which are fewer where one thread waited for other work."""
    return min(run.info["seconds"], run.info.get("processor_seconds") or math.inf)


@pytest.mark.parametrize("profile", SECONDS)
def test_every_lesson_stays_within_time_and_memory(profile):
    runs = {notebook: run for (found, notebook), run in newest().items() if found == profile}
    assert "01_bits_per_dimension" in runs, f"no {profile} run in the ledger"
    for notebook, run in runs.items():
        assert cost(run) <= SECONDS[profile], notebook
        assert run.info["peak_memory_mb"] <= MEGABYTES[profile], notebook


def test_all_lessons_together_take_twenty_minutes_on_two_cores():
    costs = [cost(run) for (profile, _), run in newest().items() if profile == "laptop"]
    assert len(costs) >= 13
    assert sum(costs) / 2 <= TOGETHER

"""What a chapter costs is read from the ledger: newest complete run, the profile's own parameters."""

import torch

from simplebits.report import cost, ledger, speed
from simplebits.report import measured_cost as exported
from simplebits.report.cost import measured_cost


def finished(profile, seconds, memory=100.0, status="complete", notebook="01_bits", **more):
    path = ledger.start_run(notebook, profile, **more)
    ledger.finish_run(path, status, seconds, memory)
    return path


def started_at(path, time):
    path.write_text(path.read_text().replace(ledger.read(path).started, time))


def test_nothing_measured_is_said_for_every_profile():
    table = measured_cost("01_bits")._repr_markdown_()
    assert table.count("not measured yet") == 3


def test_the_newest_complete_run_counts():
    started_at(finished("laptop", 61.0), "2026-01-02T00:00:00+00:00")
    started_at(finished("laptop", 3725.0, 2048.0), "2026-01-03T00:00:00+00:00")
    started_at(finished("laptop", 5.0, status="failed"), "2026-01-04T00:00:00+00:00")
    started_at(finished("laptop", 6.0, own={"steps": 1}), "2026-01-05T00:00:00+00:00")
    finished("laptop", 7.0, notebook="02_glow")
    finished("mine", 8.0)
    ledger.start_run("01_bits", "laptop")
    table = measured_cost("01_bits")._repr_markdown_()
    assert "| 1 h 02 min | 2.0 GB |" in table
    assert "2026-01-03" in table
    assert table.count("not measured yet") == 2


def test_a_lesson_that_was_written_anew_has_not_been_measured():
    started_at(finished("standard", 61.0, parameters={"steps": 1, "old": 2}), "2026-01-02T00:00:00+00:00")
    started_at(finished("laptop", 7.0, parameters={"steps": 3}), "2026-01-03T00:00:00+00:00")
    table = measured_cost("01_bits").table()
    assert "| 7.0 s |" in table
    assert "1 min 01 s" not in table


def test_unknown_memory_is_said():
    finished("smoke", 42.4, None)
    assert "| 42 s | not measured |" in measured_cost("01_bits")._repr_markdown_()


def test_it_is_a_table_that_markdown_reads():
    finished("standard", 250.0)
    lines = exported("01_bits")._repr_markdown_().splitlines()
    assert len(lines) == 5
    assert len({line.count("|") for line in lines}) == 1
    assert [line.split("`")[1] for line in lines[2:]] == ["smoke", "laptop", "standard"]
    assert "| 4 min 10 s | 100 MB |" in lines[4]


def test_a_notebook_says_what_it_will_take_on_this_machine(monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(cost, "yardstick", lambda: 0.05)
    path = finished("laptop", 60.0)
    assert "On this machine" not in measured_cost("01_bits")._repr_markdown_(), "the speed of its machine is unknown"

    monkeypatch.setenv(ledger.RUN, str(path))
    measured_cost("01_bits")  # as the lesson does while it runs
    assert ledger.read(path).info["yardstick"] == 0.05
    monkeypatch.setattr(cost, "yardstick", lambda: 0.1)  # half as fast
    found = measured_cost("01_bits")
    assert "On this machine, with the default values: about 2 min 00 s on one thread." in found._repr_markdown_()
    assert "On this machine" not in found.table(), "a page is read on other machines"


def test_the_yardstick_measures_the_machine_and_leaves_its_threads_alone():
    threads = torch.get_num_threads()
    assert 0 < speed.yardstick(2) < 10
    assert torch.get_num_threads() == threads

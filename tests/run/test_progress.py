"""What someone who waits gets to see, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from simplebits.run import job
from simplebits.run.execute import Outcome
from simplebits.run.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """The lines that remain visible."""
        return [line.rsplit("\r\x1b[2K", 1)[-1] for line in self.getvalue().split("\n")]


@pytest.fixture
def planned(book):
    book(n01_a=["1"], n02_bb=["1"])
    return job.plan()


def watch(progress, planned):
    first, second = planned
    progress.started(first)
    progress.started(second)
    progress.cell(second, 3, 7)
    progress.finished(first, Outcome(first.name, "complete", first.output, 75.2, 1234.0))
    progress.tick()


def test_on_a_terminal_one_line_a_notebook_and_one_that_lives(planned):
    terminal = Terminal()
    progress = Progress(terminal, width=5)
    watch(progress, planned)
    *lines, living = terminal.screen()
    assert lines == ["01_a   finished in 1 min 15 s, peak memory 1,234 MB"]
    assert living.startswith("02_bb ")
    assert living.endswith(", cell 3 of 7")
    failed = planned[1]
    why = ("KeyError: 1", 3, "d[1]", "a.py:5")
    progress.finished(failed, Outcome(failed.name, "failed", failed.output, 2.0, None, *why))
    progress.close()
    assert terminal.screen()[1:] == [
        "02_bb  FAILED after 2.0 s",
        "  in cell 3: KeyError: 1",
        "    | d[1]",
        "    from a.py:5",
        "",
    ]


def test_elsewhere_plain_lines_for_start_and_end(planned):
    stream = io.StringIO()
    progress = Progress(stream, width=5)
    progress.total = 2
    watch(progress, planned)
    progress.close()
    assert stream.getvalue().splitlines() == [
        "01_a   started (laptop, not run yet)",
        "02_bb  started (laptop, not run yet)",
        "[1/2] 01_a   finished in 1 min 15 s, peak memory 1,234 MB",
    ]


def test_silence(planned, capsys):
    watch(Progress(silent=True), planned)
    assert capsys.readouterr() == ("", "")

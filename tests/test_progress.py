"""Bars are for those who watch: asked for, or on a terminal; never where TQDM_DISABLE says no."""

import pytest

from simplebits import _progress


@pytest.mark.parametrize(("progress", "switch", "shown"), [(True, "1", True), (False, "", False), (None, "1", False)])
def test_a_bar_is_shown_to_those_who_asked(monkeypatch, progress, switch, shown):
    monkeypatch.setenv("TQDM_DISABLE", switch)
    with _progress.bar(3, 1, "steps", progress) as bar:
        bar.update()
        assert bar.disable is not shown
        if shown:
            assert (bar.n, bar.total, bar.desc.strip(": ")) == (2, 3, "steps")


def test_without_a_terminal_nothing_is_printed(monkeypatch, capsys):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    with _progress.bar(3, 0, "steps", None) as bar:
        bar.update()
    assert capsys.readouterr().err == ""

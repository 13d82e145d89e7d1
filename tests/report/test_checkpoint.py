"""Checkpoints of chapters: in the runner's folder, or nowhere."""

import pytest

from simplebits.report import checkpoint


def test_it_lies_where_the_runner_says_and_nowhere_without_one(monkeypatch, tmp_path):
    monkeypatch.delenv("SIMPLEBITS_CHECKPOINTS", raising=False)
    assert checkpoint("glow") is None
    monkeypatch.setenv("SIMPLEBITS_CHECKPOINTS", str(tmp_path))
    assert checkpoint("glow") == tmp_path / "glow.safetensors"
    for wrong in ("", "a/b", "../glow"):
        with pytest.raises(ValueError, match="plain file name"):
            checkpoint(wrong)

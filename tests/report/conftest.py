"""For all tests of reports: an empty ledger of their own."""

import pytest

from simplebits.report import ledger


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    """The folder of the ledger; no run is going on."""
    monkeypatch.setenv("SIMPLEBITS_RESULTS", str(tmp_path))
    monkeypatch.delenv(ledger.RUN, raising=False)
    return tmp_path

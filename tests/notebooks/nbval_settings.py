"""What nbval may ignore when it compares a checked cell with its reference (loaded with `pytest -p nbval_settings`).

Pictures, widgets and warnings are not compared. In text, what no two machines share is replaced: durations, memory,
dates, addresses, devices. Numbers are rounded to three digits, and those below 1e-4 count as zero, which is what they
are in float32.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from nbval.plugin import IPyNbFile

NOT_COMPARED = ("text/html", "image/svg+xml", "stderr", "application/vnd.jupyter.widget-view+json")


def rounded(match: re.Match[str]) -> str:
    """A number as it is compared: three significant digits, zero if tiny."""
    value = float(match.group())
    return "0" if abs(value) < 1e-4 else f"{value:.3g}"


SANITISE: dict[str, str | Callable[[re.Match[str]], str]] = {
    r"0x[0-9a-fA-F]{6,}": "ADDRESS",
    r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?(\.\d+)?Z?)?": "DATE",
    r"\b\d+(\.\d+)?\s?(ms|s|seconds?|min|minutes?|[KMG]i?B)\b": "COST",
    r"\b(cpu|cuda(:\d+)?|mps)\b": "DEVICE",
    r"(?<![\w.])[-+]?(\d+\.\d*([eE][-+]?\d+)?|\d+[eE][-+]?\d+)(?![\w.])": rounded,
}


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Hand the settings to each notebook that nbval collects."""
    if isinstance(collector, IPyNbFile):
        collector.skip_compare += NOT_COMPARED
        collector.sanitize_patterns.update(SANITISE)

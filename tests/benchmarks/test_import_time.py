"""`import simplebits` costs little beyond torch, and the command line's help nothing at all."""

import subprocess
import sys

SCRIPT = """
import time
import torch
start = time.perf_counter()
import simplebits
import simplebits.data, simplebits.density, simplebits.report, simplebits.run
print(time.perf_counter() - start)
"""


def seconds(code):
    runs = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    return min(runs)


def test_the_package_and_all_its_parts_import_within_a_third_of_a_second_beyond_torch():
    assert seconds(SCRIPT) <= 0.3


def test_the_top_of_the_package_does_not_import_torch():
    code = "import simplebits, sys; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )

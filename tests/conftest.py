"""Shared by all tests: shape annotations are checked at run time, and real data are used where they are at hand."""

import os
import sys
from pathlib import Path

import hypothesis
import pytest

# Two processes with two threads each would fight over two cores; to be set before torch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

from jaxtyping import config, install_import_hook

hypothesis.settings.register_profile("any machine", deadline=None)  # tests of time are in benchmarks/
hypothesis.settings.load_profile("any machine")

# Every annotated function of the package has shapes and types of its arguments and results checked while the tests run.
sys.path.insert(0, str(Path(__file__).parent))
install_import_hook("simplebits", "annotations.check")

GOLDEN = Path(__file__).parent / "golden"


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "unchecked: annotations are not checked, so that the library's own messages are seen, or its own speed",
    )


@pytest.fixture(autouse=True)
def annotations_are_checked(request):
    """Switch the checks of annotations off for tests of wrong input and of speed."""
    config.update("jaxtyping_disable", request.node.get_closest_marker("unchecked") is not None)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture
def golden():
    """Load a file of reference values by name."""
    import numpy as np

    return lambda name: np.load(GOLDEN / f"{name}.npz", allow_pickle=False)


@pytest.fixture(scope="session")
def real_data():
    """Load a real image set; skip the test where SIMPLEBITS_DATA does not hold it."""
    import simplebits as sb
    from simplebits.data import torchvision_sets

    def load(name, split="test"):
        if not os.environ.get("SIMPLEBITS_DATA"):
            pytest.skip("SIMPLEBITS_DATA names no folder with real data")
        missing, damaged = torchvision_sets.inspect(name, split)
        if missing or damaged:
            pytest.skip(f"{name}/{split} is not whole under SIMPLEBITS_DATA: {', '.join(missing + damaged)}")
        return sb.data.load(name, split)

    return load

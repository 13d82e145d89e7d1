"""Work spread over a Dask cluster: every item once, also where a worker dies on it."""

import os
import signal

import pytest

from simplebits.run import spread


class Square:
    """A function with a memory on disk: the first time that it is asked for 2, its process dies."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, n):
        first = self.folder / "tried"
        if n == 2 and not first.exists():
            first.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if n == 13:
            raise OSError("unlucky")
        return n * n


def test_an_item_whose_worker_dies_is_given_to_another(tmp_path):
    with spread.over_cluster(workers=1) as over:
        assert sorted(over(Square(tmp_path), [1, 2, 3])) == [1, 4, 9]
        assert (tmp_path / "tried").exists()
        with pytest.raises(OSError, match="unlucky"):
            list(over(Square(tmp_path), [13]))


@pytest.mark.unchecked
@pytest.mark.parametrize(("name", "value"), [("workers", 0), ("workers", 1.5), ("retries", -1)])
def test_numbers_that_are_none(name, value):
    with pytest.raises(ValueError, match=f"{name}="), spread.over_cluster(**{name: value}):
        pass

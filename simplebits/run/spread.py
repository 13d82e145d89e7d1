"""One function over many items, on a Dask cluster: what `map` is on one processor, for methods that know no cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from simplebits import _check
from simplebits.run import execute
from simplebits.run.sweep import _client

Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]


@contextmanager
def over_cluster(scheduler: str | None = None, workers: int | None = None, retries: int = 5) -> Iterator[Spread]:
    """Offer a `map` whose calls run on the workers of a Dask scheduler, each result as it comes.

    The function travels to each worker once, the items one by one. An item whose worker dies is given to another.

    Args:
        scheduler: address (`tcp://host:8786`) or scheduler file of a running cluster; None: one on this machine.
        workers: processes on this machine; None: as many as it has cores. A cluster has its own number.
        retries: how often an item is given to another worker after one died on it, or failed.

    Raises:
        ModuleNotFoundError: Dask is not installed.
        ConnectionError: nobody answers at the scheduler's address.
        ValueError: workers or retries that are no whole numbers.

    >>> with over_cluster(workers=1) as spread:  # doctest: +SKIP
    ...     result = sb.condense.search(candidates, proxies, whole, validation, test, spread=spread)
    """
    if workers is not None:
        _check.positive("workers", workers, integer=True)
    _check.positive("retries", retries, integer=True, allow_zero=True)
    with _client(scheduler, workers or execute.cores()) as (client, threads):
        from dask.distributed import as_completed

        def spread(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
            # A task that gives the function: unlike scattered data it outlives the worker on which it lies.
            shared = client.submit(_same, function, pure=False)
            futures = client.map(_call, items, function=shared, threads=threads, pure=False, retries=retries)
            for future in as_completed(futures):
                yield future.result()
                future.release()

        yield spread


def _same(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return function


def _call(item: Any, function: Callable[[Any], Any], threads: int | None) -> Any:
    """Call the function on a worker, with as many threads as the worker may take; None: as it is set up."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    return function(item)

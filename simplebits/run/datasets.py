"""Which image sets are on this machine, where, and getting those that are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simplebits import _check

PLACED = {
    "cifar10-c": "CIFAR-10-C/labels.npy",
    "cifar10.1": "CIFAR-10.1/cifar10.1_v6_data.npy",
    "svhn-crops": "svhn-crops/train",
    "mimic-cxr": "mimic-cxr-jpg/mimic-cxr-2.0.0-metadata.csv.gz",
    "chexpert": "CheXpert-v1.0-small/train.csv",
}  # by hand: one file or folder of each


@dataclass(frozen=True)
class State:
    """One set on this machine.

    Attributes:
        name: of the set.
        state: `embedded`, `on disk`, `missing`, `incomplete` or `damaged`.
        files: the files that are missing or damaged.
    """

    name: str
    state: str
    files: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether it can be loaded without a network."""
        return self.state in ("embedded", "on disk")


def states(names: Sequence[str] = ()) -> list[State]:
    """Tell how it stands with these sets, all for no names. Files are compared with their published sums.

    Raises:
        ValueError: an unknown name; the nearest known one is named.
    """
    from simplebits import data
    from simplebits.data.torchvision_sets import SOURCES, inspect

    standing = []
    for name in [_check.one_of("name", name, (*data.NAMES, *PLACED)) for name in names] or data.NAMES:
        if name in PLACED:
            placed = (data.root() / PLACED[name]).exists()
            standing.append(State(name, "on disk") if placed else State(name, "missing", (PLACED[name],)))
            continue
        if name not in SOURCES:
            standing.append(State(name, "embedded"))
            continue
        looked = [inspect(name, split) for split in SOURCES[name].files]
        missing = {file for part, _ in looked for file in part}
        damaged = {file for _, part in looked for file in part}
        count = len({file for files in SOURCES[name].files.values() for file in files})
        absence = "missing" if len(missing) == count else "incomplete"
        state = "damaged" if damaged else absence if missing else "on disk"
        standing.append(State(name, state, tuple(sorted(damaged | missing))))
    return standing


def fetch(names: Sequence[str], tell: Callable[[str], None]) -> list[str]:
    """Get sets that are not there; returns what went wrong, a line each.

    Args:
        names: of sets.
        tell: called with a line about each.

    Raises:
        ValueError: an unknown name, before anything is fetched.
    """
    from simplebits import data

    failures = []
    for state in states(names):
        if state.name in PLACED:
            if not state.ready:
                failures.append(
                    f"{state.name} has to be placed by hand: {data.root() / PLACED[state.name]} is not there"
                )
            tell(f"{state.name}: {state.state}")
            continue
        try:
            sizes = [f"{len(data.load(state.name, split)):,} {split}" for split in ("train", "test")]
        except FileNotFoundError as error:
            failures.append(str(error))
            tell(f"{state.name}: not fetched")
            continue
        tell(f"{state.name}: {' and '.join(sizes)} images" + ("" if state.ready else ", fetched"))
    return failures

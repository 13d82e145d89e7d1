"""Architecture search: train every candidate on a small stand-in for the whole set, and see whether the order holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import torch

from simplebits import _files, _progress
from simplebits._door import door
from simplebits._precision import choose_bf16
from simplebits._training_state import digest
from simplebits.condense.arguments import search_fits
from simplebits.condense.proxies import Proxy, learn, share_right
from simplebits.condense.search_result import WHOLE, SearchResult, Trial
from simplebits.condense.search_space import Architecture
from simplebits.data import ImageSet
from simplebits.data.image_set import _numbered_as
from simplebits.domains import Device, Filled


@door
def search(
    candidates: Annotated[Sequence[Architecture], Filled()],
    proxies: Annotated[Mapping[str, Proxy], Filled()],
    whole: Proxy,
    validation: Annotated[ImageSet, Filled()],
    test: Annotated[ImageSet, Filled()],
    *,
    folder: str | Path | None = None,
    spread: Callable[[Callable[[Task], Trial], Sequence[Task]], Iterable[Trial]] = map,
    bf16: bool | None = None,
    device: Device = None,
    progress: bool | None = None,
) -> SearchResult:
    """Train every candidate on every proxy and on the whole set (gradient matching, section 3.2 and table 4).

    A proxy is good if the networks that are best on it are best on the whole set: `SearchResult.pairs` and `.regret`.
    Each network is trained alone and keeps a file of its own, so that the work can be spread over processes and
    machines, and a killed search goes on where it was, in the middle of a training too. On a CPU it ends bit for bit
    where an uninterrupted one does. A network that diverges is kept, as one that guesses.

    Args:
        candidates: `SearchSpace().architectures`, or some drawn from them.
        proxies: a name for each: what networks learn from in place of the whole set.
        whole: the training that all of them stand for.
        validation: images that no network learns from, by which networks are chosen: 5,000 of CIFAR-10's training
            images in the paper.
        test: images on which the chosen ones are compared.
        folder: where finished and begun trainings are kept; None: nowhere. Workers on other machines must see it.
        spread: how to train many: the built-in `map` one after the other, a `ProcessPoolExecutor().map` in processes,
            `simplebits.run.spread.over_cluster` on a Dask cluster. Results may come in any order.
        bf16: bfloat16 autocast; None: where the device is faster in it.
        device: where to compute; None: a GPU where there is one.
        progress: show a bar; None: on a terminal only.

    Returns:
        The accuracies of all networks, on each proxy and on the whole set.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: no or repeated candidates, a proxy of the name `whole` or of one that is no file name, images of
            different shapes or classes, a candidate that does not take them, or a folder of another search.

    >>> import simplebits as sb
    >>> digits = sb.data.load("digits", "train").resized(8)
    >>> few = Proxy(sb.condense.coreset(digits, "random", 5), steps=10, seeds=0)
    >>> two = sb.condense.SearchSpace(widths=(4, 8), depths=(1, 2)).draw(2)
    >>> search(two, {"random": few}, Proxy(digits, steps=20, seeds=0), digits, digits)
    SearchResult(2 networks, proxies: random, whole)
    """
    device = cast(torch.device, device)  # the door has made it one
    trainings = {**proxies, WHOLE: whole}
    search_fits(candidates, proxies, {name: one.images for name, one in trainings.items()})
    validation = _numbered_as("validation", validation, whole.images.classes)
    test = _numbered_as("test", test, whole.images.classes)
    for candidate in candidates:
        with torch.device("meta"):  # raises where a network does not take the images; computes nothing
            candidate.build(len(validation.classes), *whole.shape)
    worker = Worker(
        trainings, validation, test, None if folder is None else Path(folder), str(device), choose_bf16(bf16, device),
        {name: one.settings() for name, one in trainings.items()},
        digest(validation.images, validation.labels, test.images, test.labels),
    )  # fmt: skip
    tasks = [
        Task(name, candidate, seed)
        for name, one in trainings.items()
        for seed in one.each_seed
        for candidate in candidates
    ]
    trials = []
    with _progress.bar(len(tasks), 0, "search", progress) as bar:
        for trial in spread(worker, tasks):
            trials.append(trial)
            bar.update()
    return SearchResult(tuple(candidates), tuple(trials))


@dataclass(frozen=True)
class Task:
    """One training of one network, to be done."""

    proxy: str
    architecture: Architecture
    seed: int

    @property
    def name(self) -> str:
        """Name its files."""
        return f"{self.proxy}-{self.architecture}-{self.seed}"


@dataclass(frozen=True, eq=False)
class Worker:
    """Trains the network of one task; all that it needs travels with it to another process.

    Attributes:
        trainings: name to what networks learn from, and how long.
        validation: images by which networks are chosen.
        test: images on which they are compared.
        folder: where trainings are kept.
        device: where to compute.
        bf16: bfloat16 autocast.
        settings: of the trainings, by name.
        measured_on: digest of validation and test images.
    """

    trainings: Mapping[str, Proxy]
    validation: ImageSet
    test: ImageSet
    folder: Path | None
    device: str
    bf16: bool
    settings: Mapping[str, Mapping[str, Any]]
    measured_on: str

    def __call__(self, task: Task) -> Trial:
        """Train and measure, or read what an earlier call has measured."""
        of_trial = {"network": str(task.architecture), "seed": task.seed}
        settings = {**self.settings[task.proxy], **of_trial, "bf16": self.bf16, "measured_on": self.measured_on}
        if self.folder is None:
            return self._trial(task, settings, None)
        path = self.folder / f"{task.name}.json"
        if path.is_file():
            return _read(path, settings)
        begun = path.with_suffix(".safetensors")
        trial = self._trial(task, settings, begun)
        _files.write_json(path, {"settings": settings, "trial": asdict(trial)})
        begun.unlink(missing_ok=True)  # 720 networks would fill a disk
        return trial

    def _trial(self, task: Task, settings: Mapping[str, Any], checkpoint: Path | None) -> Trial:
        proxy, classes = self.trainings[task.proxy], len(self.validation.classes)
        network = task.architecture.build(classes, *proxy.shape, seed=task.seed).to(self.device)
        try:
            seconds = learn(network, proxy, task.seed, self.bf16, settings, checkpoint)
        except FloatingPointError:
            return Trial(task.proxy, task.architecture, task.seed, 1 / classes, 1 / classes, 0.0, diverged=True)
        validation, test = (share_right(network, proxy, images, self.bf16) for images in (self.validation, self.test))
        return Trial(task.proxy, task.architecture, task.seed, validation, test, seconds)


def _read(path: Path, settings: Mapping[str, Any]) -> Trial:
    """Read a finished trial.

    Raises:
        ValueError: it belongs to another search, naming what differs.
    """
    kept = _files.read_json(path)
    differ = [name for name, value in settings.items() if kept["settings"].get(name) != value]
    if differ:
        raise ValueError(f"{path} belongs to another search, with other {', '.join(differ)}; name another folder")
    return Trial(**kept["trial"] | {"architecture": Architecture(**kept["trial"]["architecture"])})

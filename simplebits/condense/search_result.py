"""What a search found: how each network did on each proxy and on the whole set, and what choosing by a proxy costs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Literal

from simplebits._door import door
from simplebits.condense.search_space import Architecture
from simplebits.domains import Count, Seed, one_of

WHOLE = "whole"  # the name of the training that all proxies stand for

Measure = Literal["validation", "test"]


@dataclass(frozen=True)
class Trial:
    """One training of one network.

    Attributes:
        proxy: the name of what it learned from; `whole` for the whole set.
        architecture: the network.
        seed: of its weights and batches.
        validation: accuracy on the validation images, 0 to 1, by which networks are chosen.
        test: accuracy on the test images, 0 to 1.
        seconds: that the training took.
        diverged: whether the loss became infinite or NaN; the accuracies are those of a guess then.
    """

    proxy: str
    architecture: Architecture
    seed: int
    validation: float
    test: float
    seconds: float
    diverged: bool = False


@dataclass(frozen=True)
class SearchResult:
    """All trials of a search; methods average over seeds, or look at one.

    Attributes:
        candidates: the networks, in the order in which they were given.
        trials: each network on each proxy with each seed.
    """

    candidates: tuple[Architecture, ...]
    trials: tuple[Trial, ...]

    def __repr__(self) -> str:
        return f"SearchResult({len(self.candidates)} networks, proxies: {', '.join(self.proxies)})"

    @property
    def proxies(self) -> tuple[str, ...]:
        """List the names of what the networks learned from, the whole set last."""
        named = dict.fromkeys(trial.proxy for trial in self.trials)
        return (*(name for name in named if name != WHOLE), WHOLE)

    @door
    def accuracies(self, proxy: str, measure: Measure = "validation", *, seed: Seed | None = None) -> list[float]:
        """List the accuracy of each network after learning from a proxy, 0 to 1, in the order of the candidates.

        Args:
            proxy: its name, or `whole`.
            measure: on the validation or on the test images.
            seed: of one training of each network; None: the mean over all.

        Raises:
            ValueError: an unknown proxy, or a seed that it was not trained with.
        """
        by_network: dict[Architecture, list[float]] = {}
        for trial in self._of(proxy, seed):
            by_network.setdefault(trial.architecture, []).append(getattr(trial, measure))
        return [statistics.fmean(by_network[network]) for network in self.candidates]

    @door
    def ranking(self, proxy: str, *, seed: Seed | None = None) -> list[int]:
        """List the positions of the candidates, best first by validation accuracy; ties keep the order given."""
        accuracies = self.accuracies(proxy, seed=seed)
        return sorted(range(len(accuracies)), key=lambda i: -accuracies[i])

    @door
    def pairs(
        self, proxy: str, top: Count | None = None, measure: Measure = "validation", *, seed: Seed | None = None
    ) -> tuple[list[float], list[float]]:
        """List the accuracies of the best networks by a proxy: on the proxy, and on the whole set.

        Their rank correlation is the paper's measure of a proxy, for the ten best of 720:
        `sb.report.rank_correlation(*result.pairs("random", top=10))`.

        Args:
            proxy: its name.
            top: how many, best first; None: all.
            measure: which accuracies; the best are always those with the highest validation accuracy.
            seed: of one training on the proxy; None: the mean over all. Of the whole set it is always the mean.

        Raises:
            ValueError: as `accuracies`, or more networks than there are.
        """
        if top is not None and top > len(self.candidates):
            raise ValueError(f"top={top}: the search had {len(self.candidates)} networks; give at most that many")
        best = self.ranking(proxy, seed=seed)[:top]
        by_proxy, by_whole = self.accuracies(proxy, measure, seed=seed), self.accuracies(WHOLE, measure)
        return [by_proxy[i] for i in best], [by_whole[i] for i in best]

    @door
    def pick(self, proxy: str, *, seed: Seed | None = None) -> Architecture:
        """Choose the network with the highest validation accuracy after learning from a proxy."""
        return self.candidates[self.ranking(proxy, seed=seed)[0]]

    @door
    def worth(self, proxy: str, *, seed: Seed | None = None) -> float:
        """Measure what the pick of a proxy is worth: its mean test accuracy after learning from the whole set."""
        return self.accuracies(WHOLE, "test")[self.ranking(proxy, seed=seed)[0]]

    @door
    def regret(self, proxy: str, *, seed: Seed | None = None) -> float:
        """Measure what the pick of a proxy loses against the pick of the whole set, in test accuracy, -1 to 1.

        Both are picked on validation images, so that a lucky pick can be better by a little: below 0.
        """
        return self.worth(WHOLE) - self.worth(proxy, seed=seed)

    @door
    def seconds(self, proxy: str) -> float:
        """Add up the time of all trainings on a proxy."""
        return sum(trial.seconds for trial in self._of(proxy, None))

    def _of(self, proxy: str, seed: int | None) -> list[Trial]:
        of_proxy = [trial for trial in self.trials if trial.proxy == one_of("proxy", proxy, self.proxies)]
        found = [trial for trial in of_proxy if seed in (None, trial.seed)]
        if not found:
            raise ValueError(f"seed={seed}: {proxy} was trained with {sorted({trial.seed for trial in of_proxy})}")
        return found

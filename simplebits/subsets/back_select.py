"""Backward selection: mask feature after feature, always the one without which the score stays highest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from simplebits import _check, _progress
from simplebits.subsets.draws import Draws
from simplebits.subsets.masking import IMAGE_BATCH, Features, as_batch
from simplebits.subsets.receptive_field import LocalNetwork
from simplebits.subsets.results import BackSelection
from simplebits.subsets.score import Score, check_score, evaluate
from simplebits.subsets.selection_checkpoint import SelectionCheckpoint


def back_select(
    score: Score,
    x: Float[Tensor, "*x"],
    *,
    mask: Bool[Tensor, "*m"] | None = None,
    fill: float | Float[Tensor, "*f"] = 0.0,
    generator: torch.Generator | None = None,
    noise: float = 0.0,
    batch_size: int | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> BackSelection | list[BackSelection]:
    """Order an input's features by backward selection (BackSelect; overinterpretation, section 3.1).

    From m features on, each step evaluates the score of all inputs that have one more feature masked, and masks the
    feature for which it is largest: m(m + 1)/2 evaluations, 524,800 for an image of 32x32 pixels. Nearly all of the
    time is the network's: on a processor this is 1.0 to 1.3 times as fast as a plain loop over one image, and 5 to 6
    times with `class_score(..., local=True)`, for plain chains of layers only (measured in `tests/benchmarks`).

    Args:
        score: f, maps a batch of inputs to one number each; see `Score`. `class_score` makes the paper's.
        x: one input of 1 to 3 axes, as an image [c, h, w], or a batch of images [n, c, h, w].
        mask: the features, True where they are still there. Its elements are the features: [h, w] or [1, h, w] for
            whole pixels, [c, h, w] for single values; for a batch one for all or [n, 1, h, w]. None: whole pixels of
            images, single values of other inputs, and all there.
        fill: what stands where a feature is masked, a number or a tensor that broadcasts to x. The paper has 0 in
            standardised images, the mean of the data; networks here standardise inside, there it is the mean pixel.
        generator: draws among features with equal scores, for each image apart: a batch gets the draws that its images
            would get one after the other. None: the one with the lowest index.
        noise: variance of what is added to all scores of a step before the largest is looked for; 0: none. It chooses
            the order only: the recorded values are the scores without it, so that subsets read off them are sufficient,
            but need not be minimal. 1e-12 is the paper's random tie-breaking (S4.8); it needs a generator.
        batch_size: inputs evaluated at once; None: 128, for a local score 1,024, on a GPU 8,192. It
            changes rounding at most.
        checkpoint: file to write to every half minute and to resume from.
        progress: show a bar; None: on a terminal only.

    Returns:
        The selection; a list of them for a batch of images.

    Raises:
        TypeError: x, mask, score or generator of a wrong type.
        ValueError: a mask or fill that does not broadcast, x empty, x or fill not finite, batch_size < 1, a score that
            is not one real number for each input, or NaN; noise negative or without a generator; another selection's
            checkpoint.

    >>> weights = torch.tensor([[3.0, 1.0], [4.0, 2.0]])
    >>> selection = back_select(lambda inputs: (inputs * weights).sum((1, 2)), torch.ones(2, 2))
    >>> selection.steps
    tensor([[2, 0],
            [3, 1]])
    >>> selection.values
    tensor([9., 7., 4., 0.])
    """
    search, single = begin(score, x, mask, fill, generator, noise, batch_size, progress)
    start = search.score_of(search.rows, search.features.kept)
    selections = search.select(search.rows, search.features.kept, start, checkpoint)
    return selections[0] if single else selections


def begin(
    score: Score,
    x: Tensor,
    mask: Tensor | None,
    fill: float | Tensor,
    generator: torch.Generator | None,
    noise: float,
    batch_size: int | None,
    progress: bool | None,
) -> tuple[Search, bool]:
    """The search that a caller's arguments ask for, and whether they are about a single input."""
    _check.positive("noise", noise, allow_zero=True)
    if noise and generator is None:
        raise ValueError(f"noise={noise!r} is drawn: give a generator, as torch.Generator().manual_seed(0)")
    if batch_size is not None:
        _check.positive("batch_size", batch_size, integer=True)
    features = Features.of(as_batch(x), mask, fill)
    check_score(score, len(features.x))
    if batch_size is None:
        batch_size = 8192 if features.x.is_cuda else 1024 if getattr(score, "local", False) else 128
    draws = None if generator is None else Draws(generator, len(features.x))
    return Search(score, features, draws, noise, batch_size, progress), x.dim() != IMAGE_BATCH


class Search:
    """Backward selection of several inputs, a step of each at a time.

    Args:
        score: f.
        features: of the inputs.
        draws: of each input among ties; None: the lowest index.
        noise: variance of what is added to the scores by which features are chosen.
        batch_size: inputs evaluated at once.
        progress: show a bar; None: on a terminal only.
    """

    def __init__(
        self,
        score: Score,
        features: Features,
        draws: Draws | None,
        noise: float,
        batch_size: int,
        progress: bool | None,
    ) -> None:
        self.score, self.features, self.draws, self.noise = score, features, draws, noise
        self.batch_size, self.progress = batch_size, progress
        self.rows = torch.arange(len(features.x), device=features.x.device)
        self._buffer = features.x.new_empty(0)
        self._local: LocalNetwork | None = None
        if getattr(score, "local", False):
            if features.grid != features.shape[1:]:
                raise ValueError(
                    f"score: local=True is for images [c, h, w] whose features are whole pixels, got inputs "
                    f"{list(features.shape)} with features {list(features.grid)}; leave local=False"
                )
            self._local = LocalNetwork(score.network, features.shape, features.x.device)

    def score_of(self, rows: Int64[Tensor, " r"], kept: Bool[Tensor, "r m"]) -> Float[Tensor, " r"]:
        """The score of some inputs with nothing but these features."""
        inputs = self.features.take(rows).apply(kept)
        with torch.inference_mode():
            parts = zip(inputs.split(self.batch_size), rows.split(self.batch_size), strict=True)
            values = torch.cat([evaluate(self.score, part, index) for part, index in parts])
        for row, value in zip(rows.tolist(), values.tolist(), strict=True):
            if value != value:
                raise ValueError(f"score: is NaN for input {row} before any of the features is masked")
        return values.clone()

    def select(
        self,
        rows: Int64[Tensor, " r"],
        kept: Bool[Tensor, "r m"],
        start: Float[Tensor, " r"],
        checkpoint: str | Path | None = None,
    ) -> list[BackSelection]:
        """Mask all these features of some inputs, one after the other; `start` is the score before."""
        features, left, counts = self.features.take(rows), kept.clone(), kept.sum(1)
        order = torch.zeros(kept.shape, dtype=torch.int64, device=kept.device)
        values = torch.zeros(kept.shape, dtype=start.dtype, device=kept.device)
        longest = int(counts.max()) if len(rows) else 0
        ties = "in order" if self.draws is None else "drawn"
        record = self.checkpoint(checkpoint, features, rows, kept, start, ties=ties, noise=self.noise)
        done, held = record.load()
        if held:
            order.copy_(held["order"])
            values.copy_(held["values"])
            self.resume_draws(rows, held)
        for step in range(done):
            live = (step < counts).nonzero()[:, 0]
            left[live, order[live, step]] = False
        current = features.apply(left).flatten(1)
        with _progress.bar(longest, done, "backward selection", self.progress) as bar:
            for step in range(done, longest):
                table = self._without_one_more(features, rows, current, left, start.dtype)
                live = (step < counts).nonzero()[:, 0]
                feature = self._best(table, left, rows, step)[live]
                order[live, step], values[live, step] = feature, table[live, feature]
                left[live, feature] = False
                features.mask_one_more(current, live, feature)
                so_far = {"order": order, "values": values, **self.saved_draws(rows)}
                record.save(step + 1, so_far, last=step + 1 == longest)
                bar.update()
        if self.draws is not None:
            self.draws.advance(rows, longest)
        index = features.unravel(order)
        return [
            BackSelection(kept[i].view(features.grid), index[i, :count], values[i, :count], float(start[i]))
            for i, count in enumerate(counts.tolist())
        ]

    def _without_one_more(
        self, features: Features, rows: Tensor, current: Tensor, left: Tensor, dtype: torch.dtype
    ) -> Float[Tensor, "r m"]:
        """The score of every input with one more of its features masked."""
        table = torch.zeros(left.shape, dtype=dtype, device=left.device)
        with torch.inference_mode():
            compute = self._by_window if self._local is not None else self._in_full
            one_more = compute(features, rows, current)
            for image, feature in (part.unbind(1) for part in left.nonzero().split(self.batch_size)):
                where = features.positions[feature]
                table[image, feature] = one_more(image, feature, where, features.fill[image].gather(1, where))
        if bool(table.isnan().any()):
            image, feature = table.isnan().nonzero()[0]
            where = tuple(features.unravel(feature).tolist())
            masked = int((~left[image]).sum())
            raise ValueError(
                f"score: is NaN for input {int(rows[image])} with {masked} features masked and {where} too"
            )
        return table

    def _in_full(self, features: Features, rows: Tensor, current: Tensor) -> Callable[..., Tensor]:
        """The score of any of these inputs with other values at some positions, all of it computed."""
        if self._buffer.shape[1:] != current.shape[1:]:
            self._buffer = current.new_empty(self.batch_size, current.shape[1])

        def one_more(image: Tensor, feature: Tensor, where: Tensor, fill: Tensor) -> Tensor:
            inputs = torch.index_select(current, 0, image, out=self._buffer[: len(image)])
            inputs.scatter_(1, where, fill)
            return evaluate(self.score, inputs.view(-1, *features.shape), rows[image])

        return one_more

    def _by_window(self, features: Features, rows: Tensor, current: Tensor) -> Callable[..., Tensor]:
        """The same, where only a window of the network's first layers is computed."""
        with self.score.evaluating():
            self._local.know(current.view(-1, *features.shape))

        def one_more(image: Tensor, feature: Tensor, where: Tensor, fill: Tensor) -> Tensor:
            with self.score.evaluating():
                return self.score.for_images(rows[image]).of_logits(self._local(image, feature, fill))

        return one_more

    def _best(
        self, table: Float[Tensor, "r m"], left: Bool[Tensor, "r m"], rows: Int64[Tensor, " r"], step: int
    ) -> Int64[Tensor, " r"]:
        """The feature with the largest score among those that are left, for each of these inputs."""
        lowest = torch.finfo(table.dtype).min  # a score may be -inf, and is still better than what is masked already
        table = torch.where(left, table.clamp(min=lowest), -torch.inf)
        if self.noise:
            drawn = self.draws.normal(rows, step, table.shape[1]).to(table.device)
            table = table.double() + self.noise**0.5 * drawn  # in double precision noise leaves no ties
        elif self.draws is not None:
            tied = table == table.amax(1, keepdim=True)
            drawn = self.draws.uniform(rows, step, table.shape[1])
            table = torch.where(tied, drawn.to(table.device), -torch.inf)
        return table.argmax(1)  # the first of equal ones

    def checkpoint(
        self,
        path: str | Path | None,
        features: Features,
        rows: Int64[Tensor, " r"],
        kept: Bool[Tensor, "r m"],
        start: Float[Tensor, " r"],
        **settings: Any,
    ) -> SelectionCheckpoint:
        """That of a selection of these features of some inputs."""

        def probe() -> Tensor:
            half = kept & (torch.arange(kept.shape[1], device=kept.device) % 2 == 0)
            with torch.inference_mode():
                values = [
                    evaluate(self.score, part, index).to(start)
                    for left in (half, torch.zeros_like(kept))
                    for part, index in zip(
                        features.apply(left).split(self.batch_size), rows.split(self.batch_size), strict=True
                    )
                ]
            return torch.cat([start, *values])

        return SelectionCheckpoint(path, features, probe, self.score, rows, **settings)

    def saved_draws(self, rows: Int64[Tensor, " r"]) -> dict[str, Tensor]:
        """What a checkpoint needs to draw on for these inputs."""
        return {} if self.draws is None else {"seeds": self.draws.seeds[rows.cpu()]}

    def resume_draws(self, rows: Int64[Tensor, " r"], held: Mapping[str, Tensor]) -> None:
        """Draw on as the run that wrote the checkpoint, whatever generator came this time."""
        if self.draws is not None:
            self.draws.seeds[rows.cpu()] = held["seeds"]

"""The scores of all inputs that have one more feature masked: what one step of backward selection chooses among."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from simplebits.subsets.masking import Features
from simplebits.subsets.receptive_field import LocalNetwork
from simplebits.subsets.score import ClassScore, Score, evaluate


class Candidates:
    """Evaluates, for each of several inputs, the score with one more of its features masked.

    Args:
        score: f; of a local `ClassScore` only the windows that a pixel reaches are computed.
        features: of all inputs.
        batch_size: inputs evaluated at once.

    Raises:
        ValueError: a local score of inputs that are no images, of features that are no pixels, or of a network whose
            first layers are not local.
    """

    def __init__(self, score: Score, features: Features, batch_size: int) -> None:
        self.score, self.features, self.batch_size = score, features, batch_size
        self._compute = _InFull(score, features, batch_size)
        if isinstance(score, ClassScore) and score.local:
            self._compute = _ByWindows(score, features)

    def scores(self, rows: Int64[Tensor, " r"], left: Bool[Tensor, "r m"]) -> Float[Tensor, "r m"]:
        """Evaluate the inputs in these rows, each with one of the features masked that are left; 0 for the others.

        Raises:
            ValueError: a score is NaN.
        """
        features = self.features.take(rows)
        values = []
        with torch.inference_mode():
            self._compute.begin(features.apply(left), rows)
            for image, feature in (part.unbind(1) for part in left.nonzero().split(self.batch_size)):
                where = features.positions[feature]
                fill = features.fill[image].gather(1, where)
                # Cloned: a score may be a view of its input, which is overwritten by the next.
                values.append(self._compute.with_values(image, feature, where, fill).clone())
        values = torch.cat(values)
        table = values.new_zeros(left.shape)
        table[left] = values
        if bool(values.isnan().any()):
            image, feature = table.isnan().nonzero()[0]
            raise ValueError(
                f"score: is NaN for input {int(rows[image])} with {int((~left[image]).sum())} features masked and "
                f"{tuple(features.unravel(feature).tolist())} too"
            )
        return table


class _InFull:
    """The score of inputs with other values at the places of one feature, computed like that of any input."""

    def __init__(self, score: Score, features: Features, batch_size: int) -> None:
        self.score, self.shape = score, features.shape
        self.buffer = features.x.new_empty(batch_size, features.x.shape[1])

    def begin(self, inputs: Float[Tensor, "r ..."], rows: Int64[Tensor, " r"]) -> None:
        """Take the inputs that the others differ from in one feature."""
        self.inputs, self.rows = inputs.flatten(1), rows

    def with_values(
        self, image: Int64[Tensor, " b"], feature: Tensor, where: Int64[Tensor, "b q"], fill: Float[Tensor, "b q"]
    ) -> Float[Tensor, " b"]:
        """Score inputs, each with these values at these places."""
        changed = torch.index_select(self.inputs, 0, image, out=self.buffer[: len(image)])
        changed.scatter_(1, where, fill)
        return evaluate(self.score, changed.view(-1, *self.shape), self.rows[image])


class _ByWindows:
    """The same score, computed only where a pixel reaches: exact up to rounding."""

    def __init__(self, score: ClassScore, features: Features) -> None:
        if features.grid != features.shape[1:]:
            raise ValueError(
                f"score: local=True is for images [c, h, w] whose features are whole pixels, got inputs "
                f"{list(features.shape)} with features {list(features.grid)}; leave local=False"
            )
        self.score, self.network = score, LocalNetwork(score.network, features.shape, features.x.device)

    def begin(self, inputs: Float[Tensor, "r c h w"], rows: Int64[Tensor, " r"]) -> None:
        """Take the inputs that the others differ from in one pixel, and compute all that the network makes of them."""
        self.rows = rows
        self.network.know(inputs)

    def with_values(
        self, image: Int64[Tensor, " b"], feature: Int64[Tensor, " b"], where: Tensor, fill: Float[Tensor, "b q"]
    ) -> Float[Tensor, " b"]:
        """Score inputs, each with these values at this pixel."""
        logits = self.network(image, feature, fill)
        return self.score._of_logits(logits, self.score._classes_of(self.rows[image]))

"""A network as a function of one vector of weights, and the squared loss that the second paper trains it with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vjp

from simplebits.networks.evaluation_mode import evaluation_mode


class WeightFunction:
    """Outputs of a model for any vector of its trainable weights; the model itself is not touched.

    Buffers, frozen parameters among them the statistics of batch normalisation, are as the model has them.

    Args:
        model: maps x to outputs [n, k].

    Raises:
        TypeError: not a module.
        ValueError: nothing to train, or weights of several dtypes or devices.

    >>> f = WeightFunction(nn.Linear(3, 2))
    >>> f(f.start, torch.ones(4, 3)).shape
    torch.Size([4, 2])
    """

    def __init__(self, model: nn.Module) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
        trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
        kinds = {(p.dtype, p.device) for p in trained.values()}
        if len(kinds) != 1:
            got = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds)) or "none"
            raise ValueError(
                f"model: expected trainable weights of one dtype on one device, got {got}; "
                f"model.requires_grad_() frees all, model.to(...) moves them"
            )
        self.model = model
        self.shapes = {name: p.shape for name, p in trained.items()}
        #: The model's own weights [d].
        self.start = torch.cat([p.flatten() for p in trained.values()])

    def __call__(self, weights: Float[Tensor, " d"], x: Tensor) -> Float[Tensor, "n k"]:
        """Outputs at these weights; in the mode that the model is in, see `evaluating`."""
        parts = weights.split([shape.numel() for shape in self.shapes.values()])
        named = {name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}
        return functional_call(self.model, named, (x,))

    def derivative(self, x: Tensor) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        """v -> J v, along a direction of weights [d], and u -> J' u, for weights of outputs [n, k]; at the start.

        J v by a second reverse pass: torch's forward mode warns of its own use of torch.jit.
        """
        outputs, back = vjp(lambda weights: self(weights, x), self.start)
        _, forth = vjp(lambda u: back(u)[0], torch.zeros_like(outputs))
        return lambda v: forth(v)[0], lambda u: back(u)[0]

    def evaluating(self) -> AbstractContextManager[None]:
        """The model in evaluation mode (batch normalisation frozen, no dropout), and every part in its own after."""
        return evaluation_mode(self.model)

    def check(self, x: Tensor, targets: Tensor, x_val: Tensor) -> None:
        """Raise unless these can be examples of the model: [n, ...] with n > 1, targets [n, k], more [m, ...]."""
        self.check_examples(x=x, x_val=x_val)
        self._check_values("targets", targets)
        if len(x) < 2:
            raise ValueError(f"x: {len(x)} example(s); leaving one out needs at least 2")
        with torch.no_grad(), self.evaluating():
            wanted = (len(x), outputs_of_one(self.model(x[:1])))
        if tuple(targets.shape) != wanted:
            hint = "; add the axis of outputs with targets[:, None]" if targets.shape == (len(x),) else ""
            raise ValueError(f"targets: expected shape {list(wanted)}, got {list(targets.shape)}{hint}")

    def check_examples(self, **examples: Tensor) -> None:
        """Raise unless each of these holds examples [n, ...] of the first one's shape, in numbers the model can take.

        Besides the dtype of the weights these are int32 and int64, which embeddings take; images in uint8 are refused.
        """
        (first, like), *_ = examples.items()
        for name, value in examples.items():
            self._check_values(name, value, or_indices=True)
            if value.dim() < 2 or not len(value) or value.shape[1:] != like.shape[1:]:
                shape = "" if name == first else f", examples like {first}'s {list(like.shape[1:])}"
                raise ValueError(f"{name}: expected at least one example [n, ...]{shape}, got {list(value.shape)}")

    def _check_values(self, name: str, value: Tensor, *, or_indices: bool = False) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: expected a torch.Tensor, got {type(value).__name__}")
        dtype = value.dtype if or_indices and value.dtype in (torch.int32, torch.int64) else self.start.dtype
        if (value.dtype, value.device) != (dtype, self.start.device):
            raise ValueError(
                f"{name}: expected {self.start.dtype} on {self.start.device}, as the model's weights, "
                f"got {value.dtype} on {value.device}; move one to the other with .to(...)"
            )
        if not torch.isfinite(value).all():
            raise ValueError(f"{name}: holds NaN or infinity; every value must be a finite number")


def outputs_of_one(found: Any) -> int:
    """The number k of outputs, from what a model gives for one example.

    Raises:
        ValueError: that is not of shape [1, k].
    """
    if not isinstance(found, Tensor) or found.dim() != 2 or len(found) != 1:
        got = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"model: expected outputs [n, k], got {got} for one example")
    return found.shape[1]

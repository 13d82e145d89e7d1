"""The neural tangent kernel of any network: inner products of the outputs' derivatives by all weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _check, _progress
from simplebits.information.jacobians import Jacobians
from simplebits.information.memory import require
from simplebits.information.weights import WeightFunction

_EXAMPLES = 64  # passed through the network at once; no result depends on it


def kernel(
    model: nn.Module,
    x: Tensor,
    x2: Tensor | None = None,
    *,
    coordinates: int | None = None,
    seed: int = 0,
    dtype: torch.dtype | None = None,
    memory: float = 2**30,
    progress: bool | None = None,
) -> Float[Tensor, "nk mk"]:
    """Theta = J(x) J(x2)', the Gram matrix of Jacobians at the model's weights (Harutyunyan et al. 2021, equation 11).

    The model runs in evaluation mode, batch normalisation with its running statistics. Of a layer that looks at one
    place of an example, the Jacobian is an outer product of what comes in, h, and the derivative by what goes out,
    delta; its share of the kernel is (h h' + 1) delta delta', which needs no Jacobian. Other parameters go by parts,
    so that never more than `memory` bytes of Jacobians are held.

    Args:
        model: maps examples to outputs [n, k]; weights that require no gradient do not count.
        x: examples [n, ...], in the model's dtype, or int64 where an embedding takes them.
        x2: other examples [m, ...]; None: x.
        coordinates: use so many random coordinates of each parameter tensor, scaled by sqrt(size / coordinates), for
            an unbiased estimate; the paper's code takes 2,000 or 10,000 for large networks. None: all, exactly.
        seed: of the coordinates; calls with one seed draw the same ones, as a kernel and that of validation must.
        dtype: in which products are summed and returned; None: the model's. float64 suits long trainings.
        memory: bytes of Jacobians at a time; less takes more passes through the network.
        progress: show a bar; None: on a terminal only.

    Returns:
        [n k, m k], row i k + o for output o of example i.

    Raises:
        TypeError: the model is no module, examples are no tensors, or dtype is none of floating point.
        ValueError: nothing to train, no examples, other dtype or device than the model's, shapes that do not fit, NaN,
            or a result that would not fit into memory.

    >>> kernel(nn.Linear(2, 1), torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
    tensor([[6., 3.],
            [3., 2.]])
    """
    f = WeightFunction(model)
    f.check_examples(x=x, x2=x if x2 is None else x2)
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"dtype={dtype!r}: give a floating point dtype of torch, such as torch.float64, or None")
    if coordinates is not None:
        _check.positive("coordinates", coordinates, integer=True)
    _check.positive("memory", memory)
    seed = _check.seed("seed", seed)
    with torch.no_grad(), f.evaluating():
        work = Jacobians(model, x[:1])
        kind, k, both = dtype or f.start.dtype, work.outputs, [x] if x2 is None else [x, x2]
        require(
            f"a kernel of {len(x)} by {len(both[-1])} examples with {k} output(s)",
            3.0 * len(x) * k * len(both[-1]) * k * kind.itemsize + memory,
            x.device,
            "take fewer examples, a lower memory=, or dtype=torch.float32",
        )
        examples = sum(map(len, both))
        parts = work.parts(max(1, int(memory / 2 / (examples * k * kind.itemsize))), coordinates, seed)
        batch = max(1, min(_EXAMPLES, int(memory / 4 / (k * f.start.numel() * f.start.itemsize))))
        theta = x.new_zeros(len(x) * k, len(both[-1]) * k, dtype=kind)
        single = [] if coordinates else work.single
        with _progress.bar((bool(single) + len(parts)) * examples, 0, "kernel", progress) as bar:

            def over(examples: Tensor, compute: Callable[[Tensor], Any]) -> list[Any]:
                found = []
                for some in examples.split(batch):
                    found.append(compute(some))
                    bar.update(len(some))
                return found

            sides = [over(side, work.factors) for side in both] if single else []
            for name in single:
                left, right = (
                    [torch.cat([batch[name][j] for batch in side]).to(kind) for j in (0, 1)]
                    for side in (sides[0], sides[-1])
                )
                _add_layer(theta, left, right, bias=work.layers[name].bias is not None)
            for part in parts:
                rows = [torch.cat([b.to(kind) for b in over(side, partial(work.rows, part))]) for side in both]
                theta.addmm_(rows[0], rows[-1].T)
    if not torch.isfinite(theta).all():
        raise ValueError("model: its derivatives for these examples are not finite; look for NaN in its weights")
    return (theta + theta.T) / 2 if x2 is None else theta


def _add_layer(theta: Tensor, left: list[Tensor], right: list[Tensor], *, bias: bool) -> None:
    """The share of a layer that looks at one place."""
    inputs = left[0] @ right[0].T + bias  # the bias sees a constant 1
    blocks = (left[1] @ right[1].T).view(len(left[0]), -1, len(right[0]), len(right[1]) // len(right[0]))
    theta += (blocks * inputs[:, None, :, None]).view_as(theta)

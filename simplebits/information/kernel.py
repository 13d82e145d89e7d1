"""The neural tangent kernel of any network: inner products of the outputs' derivatives by all weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simplebits import _progress
from simplebits._door import door
from simplebits.domains import Count, Positive, Seed
from simplebits.information.arguments import Examples, FloatingDtype, OtherExamples, examples_fit
from simplebits.information.jacobians import Jacobians
from simplebits.information.memory import require
from simplebits.information.weights import WeightFunction

_EXAMPLES = 64  # passed through the network at once; no result depends on it
_MEMORY = 2.0**30


@door(renamed={"model": "network"})
def kernel(
    network: nn.Module,
    x: Examples,
    x2: OtherExamples | None = None,
    *,
    coordinates: Count | None = None,
    seed: Seed = 0,
    dtype: FloatingDtype | None = None,
    memory: Positive = _MEMORY,
    progress: bool | None = None,
) -> Float[Tensor, "nk mk"]:
    """Compute Theta = J(x) J(x2)', the Gram matrix of Jacobians at the weights (Harutyunyan et al. 2021, equation 11).

    The network runs in evaluation mode, batch normalisation with its running statistics. Of a layer that looks at one
    place of an example, the Jacobian is an outer product of what comes in, h, and the derivative by what goes out,
    delta; its share of the kernel is (h h' + 1) delta delta', which needs no Jacobian. Other parameters go by parts,
    so that never more than `memory` bytes of Jacobians are held.

    Args:
        network: maps examples to outputs [n, k]; weights that require no gradient do not count.
        x: examples [n, ...], in the network's dtype, or int64 where an embedding takes them.
        x2: other examples [m, ...]; None: x.
        coordinates: use so many random coordinates of each parameter tensor, scaled by sqrt(size / coordinates), for
            an unbiased estimate; the paper's code takes 2,000 or 10,000 for large networks. None: all, exactly.
        seed: of the coordinates; calls with one seed draw the same ones, as a kernel and that of validation must.
        dtype: in which products are summed and returned; None: the network's. float64 suits long trainings.
        memory: bytes of Jacobians at a time; less takes more passes through the network.
        progress: show a bar; None: on a terminal only.

    Returns:
        [n k, m k], row i k + o for output o of example i.

    Raises:
        TypeError: the network is no module, examples are no tensors, or dtype is none of floating point.
        ValueError: nothing to train, no examples, other dtype or device than the network's, shapes that do not fit,
            NaN, or a result that would not fit into memory.

    >>> kernel(nn.Linear(2, 1), torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
    tensor([[6., 3.],
            [3., 2.]])
    """
    f = WeightFunction(network)
    examples_fit(f, x=x, x2=x if x2 is None else x2)
    return gram(f, x, x2, coordinates=coordinates, seed=seed, dtype=dtype, memory=memory, progress=progress)


def gram(
    f: WeightFunction,
    x: Tensor,
    x2: Tensor | None = None,
    *,
    coordinates: int | None = None,
    seed: int = 0,
    dtype: torch.dtype | None = None,
    memory: float = _MEMORY,
    progress: bool | None = None,
) -> Float[Tensor, "nk mk"]:
    """Compute `kernel` of arguments that have been checked."""
    sides = [x] if x2 is None else [x, x2]
    with torch.no_grad(), f.evaluating():
        jacobians = Jacobians(f.network, x[:1])
        k, dtype = jacobians.outputs, dtype or f.start.dtype
        rows, columns = len(sides[0]) * k, len(sides[-1]) * k
        require(
            f"a kernel of {len(sides[0])} by {len(sides[-1])} examples with {k} output(s)",
            3.0 * rows * columns * dtype.itemsize + memory,
            x.device,
            "take fewer examples, a lower memory=, or dtype=torch.float32",
        )
        examples = sum(map(len, sides))
        parts = jacobians.parts(max(1, int(memory / 2 / (examples * k * dtype.itemsize))), coordinates, seed)
        batch_size = max(1, min(_EXAMPLES, int(memory / 4 / (k * f.start.numel() * f.start.itemsize))))
        theta = x.new_zeros(rows, columns, dtype=dtype)
        single = [] if coordinates else jacobians.single
        with _progress.bar((bool(single) + len(parts)) * examples, 0, "kernel", progress) as bar:

            def batches(side: Tensor) -> Iterator[Tensor]:
                for batch in side.split(batch_size):
                    yield batch
                    bar.update(len(batch))

            if single:
                factors = [[jacobians.factors(batch) for batch in batches(side)] for side in sides]
                for name in single:
                    left, right = (_joined(factors[i], name, dtype) for i in (0, -1))
                    _add_layer(theta, left, right, bias=jacobians.layers[name].bias is not None)
            for part in parts:
                by_part = [torch.cat([jacobians.rows(part, b).to(dtype) for b in batches(side)]) for side in sides]
                theta.addmm_(by_part[0], by_part[-1].T)
    if not torch.isfinite(theta).all():
        raise ValueError("network: its derivatives for these examples are not finite; look for NaN in its weights")
    return (theta + theta.T) / 2 if x2 is None else theta


def _joined(factors: list[dict[str, Any]], name: str, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Join h and delta of one layer over the batches."""
    h, delta = (torch.cat([batch[name][j] for batch in factors]).to(dtype) for j in (0, 1))
    return h, delta


def _add_layer(theta: Tensor, left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor], *, bias: bool) -> None:
    """Add the share of a layer that looks at one place: (h h' + 1) delta delta'."""
    inputs = left[0] @ right[0].T + bias  # the bias sees a constant 1
    blocks = (left[1] @ right[1].T).view(len(left[0]), -1, len(right[0]), len(right[1]) // len(right[0]))
    theta += (blocks * inputs[:, None, :, None]).view_as(theta)

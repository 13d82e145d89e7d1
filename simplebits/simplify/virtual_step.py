"""One step of AdamW as a formula: the weights after it, differentiable in the gradients (SimpleBits, equation 3)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simplebits._door import door


@door
def virtual_adamw_step(
    optimiser: torch.optim.AdamW, parameters: Mapping[str, nn.Parameter], gradients: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Compute what `optimiser.step()` would make of the parameters, as a function of the gradients; change nothing.

    With the optimiser's own moments m, v and step count t: m' = b1 m + (1 - b1) g, v' = b2 v + (1 - b2) g^2, and
    theta' = theta (1 - lr wd) - lr m' / (1 - b1^(t+1)) / (sqrt(v' / (1 - b2^(t+1))) + eps). Derivatives pass through g
    in both moments, not through theta, m or v.

    Args:
        optimiser: over (at least) these parameters; learning rate, betas and weight decay are those of each group.
        parameters: by name, as `dict(module.named_parameters())`.
        gradients: of the same names and shapes.

    Returns:
        The new parameters by name.

    Raises:
        TypeError: the optimiser is not AdamW.
        ValueError: it does not hold one of the parameters, or runs a variant (amsgrad, maximize); a gradient is missing
            or has another shape than its parameter.

    >>> layer = nn.Linear(2, 1)
    >>> optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1)
    >>> names = dict(layer.named_parameters())
    >>> new = virtual_adamw_step(optimiser, names, {name: torch.ones_like(p) for name, p in names.items()})
    >>> bool((new["bias"] - (layer.bias * (1 - 0.1 * 0.01) - 0.1)).abs().max() < 1e-6)
    True
    """
    optimiser_fits(optimiser, parameters)
    for name, p in parameters.items():
        shape = list(gradients[name].shape) if name in gradients else "none"
        if shape != list(p.shape):
            raise ValueError(f"gradients[{name!r}]: expected shape {list(p.shape)}, that of the parameter, got {shape}")
    return adamw_step(optimiser, parameters, gradients)


def optimiser_fits(optimiser: torch.optim.AdamW, parameters: Mapping[str, nn.Parameter]) -> None:
    """Raise ValueError unless the optimiser holds these parameters and runs plain AdamW."""
    of_optimiser = {id(p) for group in optimiser.param_groups for p in group["params"]}
    if missing := [name for name, p in parameters.items() if id(p) not in of_optimiser]:
        names = ", ".join(missing[:3]) + (f" and {len(missing) - 3} others" if len(missing) > 3 else "")
        raise ValueError(f"optimiser: it does not hold {names}; build it from this classifier's parameters")
    if any(group["amsgrad"] or group["maximize"] for group in optimiser.param_groups):
        raise ValueError("optimiser: AdamW with amsgrad or maximize is not supported; leave both off")


def adamw_step(
    optimiser: torch.optim.AdamW, parameters: Mapping[str, nn.Parameter], gradients: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Compute `virtual_adamw_step` of what fits together."""
    names = {id(p): name for name, p in parameters.items()}

    def state(p: Tensor) -> Mapping[str, Tensor]:
        return optimiser.state.get(p, {})  # [p] would make an entry

    new: dict[str, Tensor] = {}
    for group in optimiser.param_groups:
        inside = [p for p in group["params"] if id(p) in names]
        # A parameter that had no gradient in some step has taken fewer of them than the others.
        for t in {1 + float(state(p).get("step", 0)) for p in inside}:
            chosen = [p for p in inside if 1 + float(state(p).get("step", 0)) == t]
            beta1, beta2 = group["betas"]
            # One long vector: a dozen operations in all, not a dozen for each of some forty tensors.
            theta = torch.cat([p.detach().flatten() for p in chosen])
            g = torch.cat([gradients[names[id(p)]].flatten() for p in chosen])
            m, v = (
                torch.cat([state(p).get(key, torch.zeros_like(p)).flatten() for p in chosen])
                for key in ("exp_avg", "exp_avg_sq")
            )
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g.square()
            # The root's derivative is infinite at 0, where a weight has never had a gradient: there it counts as 0.
            positive = v > 0
            root = torch.where(positive, torch.where(positive, v, 1.0).sqrt(), 0.0)
            denominator = root / (1 - beta2**t) ** 0.5 + group["eps"]
            moved = theta * (1 - group["lr"] * group["weight_decay"]) - (group["lr"] / (1 - beta1**t)) * m / denominator
            for p, part in zip(chosen, moved.split([p.numel() for p in chosen]), strict=True):
                new[names[id(p)]] = part.view_as(p)
    return new

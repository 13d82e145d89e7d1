"""Derivatives of a network's outputs by its weights, example by example, no more of them at a time than asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

Part = Mapping[str, tuple[Tensor, float]]  # name of a parameter: which of its coordinates, and their factor


class Jacobians:
    """Derivatives at the present weights of a network in evaluation mode.

    The derivative by the weight of a linear layer or a convolution is a product of two small matrices: what the layer
    sees, h [p, in], a row for each place it looks at, and the derivatives by what it gives there, delta [p, out].
    Both come from one backward pass to the layer, without any weight's gradient; other parameters go by `jacrev`.

    Args:
        network: maps examples to outputs [n, k].
        example: one example [1, ...], which shows how the layers are used.

    Attributes:
        outputs: k, of the network.
        layers: those that are called once, and whose weights nothing else uses: their derivative is one product.
        single: names of those that look at one place only: their kernel is a product of two kernels.
    """

    def __init__(self, network: nn.Module, example: Tensor) -> None:
        self.network = network
        self.trained = {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}
        candidates = _layers(network, self.trained)
        with _tapped(candidates, {}) as calls:
            self.outputs: int = network(example).shape[1]
        once = {name: candidates[name] for name, seen in calls.items() if len(seen) == 1}
        elsewhere = _used_elsewhere(network, once, example)
        self.layers = {name: layer for name, layer in once.items() if name not in elsewhere}
        self._zeros = {name: torch.zeros_like(calls[name][0][1]) for name in self.layers}
        self.single = [
            name for name, layer in self.layers.items() if _places(layer, self._zeros[name][None, None]).shape[2] == 1
        ]

    def parts(self, most: int, coordinates: int | None, seed: int) -> list[Part]:
        """Split the parameters' coordinates into parts of at most `most`: random ones, or all but those of `single`.

        Random ones have the factor sqrt(size / coordinates), with which they estimate the kernel without bias.
        """
        generator = torch.Generator().manual_seed(seed)
        skipped = () if coordinates else tuple(f"{name}.{end}" for name in self.single for end in ("weight", "bias"))
        parts: list[dict[str, tuple[Tensor, float]]] = [{}]
        room = most
        for name, p in self.trained.items():
            if name in skipped:
                continue
            index = torch.arange(p.numel())
            if coordinates is not None:
                index = torch.randperm(p.numel(), generator=generator)[:coordinates]
            factor = (p.numel() / len(index)) ** 0.5
            while len(index):
                if not room:
                    parts.append({})
                    room = most
                taken, index = index[:room].to(p.device), index[room:]
                parts[-1][name] = taken, factor
                room -= len(taken)
        return [part for part in parts if part]

    def whole(self) -> Part:
        """List all coordinates of all parameters, in the order of the network."""
        return {name: (torch.arange(p.numel(), device=p.device), 1.0) for name, p in self.trained.items()}

    def rows(self, part: Part, x: Tensor) -> Float[Tensor, "nk c"]:
        """Compute columns of the Jacobian: derivatives of all outputs for x by these coordinates."""
        owners = {name: name.rpartition(".")[0] for name in part}
        layers = {owner for owner in owners.values() if owner in self.layers}
        derivatives, factors = self._derivatives([n for n, owner in owners.items() if owner not in layers], layers, x)
        for owner in layers:
            h, delta = factors[owner]
            if f"{owner}.weight" in part:
                derivatives[f"{owner}.weight"] = delta.mT @ h[:, None]
            if f"{owner}.bias" in part:
                derivatives[f"{owner}.bias"] = delta.sum(2)
        taken = [derivatives[name].flatten(2)[..., index] * factor for name, (index, factor) in part.items()]
        return torch.cat(taken, 2).flatten(0, 1)

    def factors(self, x: Tensor) -> dict[str, tuple[Float[Tensor, "n in"], Float[Tensor, "nk out"]]]:
        """Compute the two factors of the derivatives, h and delta, of each layer that looks at one place."""
        _, factors = self._derivatives([], self.single, x)
        return {name: (h.flatten(1), delta.flatten(2).flatten(0, 1)) for name, (h, delta) in factors.items()}

    def _derivatives(
        self, parameters: Iterable[str], layers: Iterable[str], x: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, tuple[Tensor, Tensor]]]:
        """Differentiate the outputs for each example, in one backward pass an output.

        Args:
            parameters: names of those whose derivatives are wanted whole.
            layers: names of those of which the two factors are wanted.
            x: examples.

        Returns:
            For each parameter its derivatives [n, k, ...]; for each layer h [n, p, in] and delta [n, k, p, out].
        """
        tapped = {name: self.layers[name] for name in layers}

        def outputs(weights: dict[str, Tensor], added: dict[str, Tensor], example: Tensor) -> tuple[Tensor, Any]:
            with _tapped(tapped, added) as calls:
                result = functional_call(self.network, weights, (example[None],))
            return result[0], {name: _looked_at(tapped[name], seen[0][0]) for name, seen in calls.items()}

        per_example = vmap(jacrev(outputs, argnums=(0, 1), has_aux=True), in_dims=(None, None, 0))
        weights = {name: self.trained[name] for name in parameters}
        zeros = {name: self._zeros[name] for name in tapped}
        (by_parameter, by_output), h = per_example(weights, zeros, x)
        return by_parameter, {name: (h[name], _places(layer, by_output[name])) for name, layer in tapped.items()}


def _layers(network: nn.Module, trained: Mapping[str, Tensor]) -> dict[str, nn.Module]:
    """List linear layers and plain convolutions that are trained and share no weight."""
    uses: dict[int, int] = {}
    for _, p in network.named_parameters(remove_duplicate=False):
        uses[id(p)] = uses.get(id(p), 0) + 1
    return {
        name: layer
        for name, layer in network.named_modules()
        if (type(layer) is nn.Linear or (type(layer) is nn.Conv2d and _plain(layer)))
        and {end for end, _ in layer.named_parameters()} in ({"weight"}, {"weight", "bias"})  # no weight norm
        and {f"{name}.{end}" for end, _ in layer.named_parameters()} <= set(trained)
        and all(uses[id(p)] == 1 for p in layer.parameters())
    }


def _used_elsewhere(network: nn.Module, layers: Mapping[str, nn.Module], example: Tensor) -> set[str]:
    """Find the layers whose weights the network also uses outside the layer's call: transposed, or for their norm.

    While a layer computes, its weights are constants; an output that depends on them all the same does so elsewhere.
    """

    def hold(layer: nn.Module, _: Any) -> None:
        held[layer] = dict(layer._parameters)
        layer._parameters.update({end: p.detach() for end, p in held[layer].items() if p is not None})

    def release(layer: nn.Module, *_: Any) -> None:
        layer._parameters.update(held.pop(layer))

    held: dict[nn.Module, dict[str, Any]] = {}
    hooks = [layer.register_forward_pre_hook(hold) for layer in layers.values()]
    hooks += [layer.register_forward_hook(release) for layer in layers.values()]
    try:
        with torch.enable_grad():
            total = network(example).sum()
    finally:
        for layer in list(held):
            release(layer)
        for hook in hooks:
            hook.remove()
    owners = [(name, p) for name, layer in layers.items() for p in layer.parameters()]
    if not (owners and total.requires_grad):
        return set()
    slopes = torch.autograd.grad(total, [p for _, p in owners], allow_unused=True)
    return {name for (name, _), slope in zip(owners, slopes, strict=True) if slope is not None}


def _plain(layer: nn.Conv2d) -> bool:
    return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def _looked_at(layer: nn.Module, x: Tensor) -> Float[Tensor, "p in"]:
    """Lay out what a layer sees of one example [1, ...], a row for each place."""
    if isinstance(layer, nn.Conv2d):
        padding: Any = layer.padding  # no word: `_plain` has seen to that
        return F.unfold(x, layer.kernel_size, layer.dilation, padding, layer.stride)[0].T
    return x.reshape(-1, x.shape[-1])


def _places(layer: nn.Module, delta: Float[Tensor, "n k ..."]) -> Float[Tensor, "n k p out"]:
    """Lay out the derivatives by what a layer gives, a row for each place."""
    if isinstance(layer, nn.Conv2d):
        return delta.flatten(4).squeeze(2).mT
    return delta.flatten(2).unflatten(2, (-1, delta.shape[-1]))


@contextmanager
def _tapped(layers: Mapping[str, nn.Module], added: Mapping[str, Tensor]) -> Iterator[dict[str, list[Any]]]:
    """Note what these layers see and give at each call, and add to what they give."""
    calls: dict[str, list[Any]] = {}

    def hook(name: str) -> Any:
        def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            calls.setdefault(name, []).append((inputs[0], output))
            return output + added[name] if name in added else output

        return note

    handles = [layer.register_forward_hook(hook(name)) for name, layer in layers.items()]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()

"""All that a long training needs to go on after it was killed: networks, optimisers' moments, settings, notes."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from simplebits import _files


def step_generator(seed: int, step: int) -> torch.Generator:
    """Make the generator of one step. Seeded by its number: resuming needs no saved state and gives the same run."""
    return torch.Generator().manual_seed(_of_64_bits(seed * 1_000_003 + step))


@contextlib.contextmanager
def globally_seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Let what draws from torch's global generator draw from this seed; put the generator back after.

    nn.Dropout and the initial weights of layers take no generator of their own: there is no other way to choose them.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(_of_64_bits(seed))
        yield


def _of_64_bits(seed: int) -> int:
    """Reduce a seed to one that torch takes; a time in nanoseconds, times a million, would not fit."""
    return seed % 2**64


def digest(*tensors: Tensor) -> str:
    """Compute a digest of the tensors' values, by which a run knows its own checkpoint."""
    sha = hashlib.sha256()
    for tensor in tensors:
        sha.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


class TrainingState:
    """Networks and optimisers of one training, written to and read from one safetensors file.

    Args:
        modules: what is trained, by name.
        optimisers: what trains it, by name.
        settings: compared on resuming: a file of another training is refused.
        renamed: of settings, the name in older files to the name now.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        optimisers: Mapping[str, torch.optim.Optimizer],
        settings: Mapping[str, Any],
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        self.modules, self.optimisers = dict(modules), dict(optimisers)
        # Through JSON, so that what is compared with a file's note has the same form.
        self.settings = json.loads(json.dumps(dict(settings)))
        self.renamed = dict(renamed or {})

    def save(self, path: Path, note: Mapping[str, Any], tensors: Mapping[str, Tensor] | None = None) -> None:
        """Write everything in one step; `note` and `tensors` are what else the loop wants back."""
        content = {f"extra/{key}": value for key, value in (tensors or {}).items()}
        for name, module in self.modules.items():
            content |= {f"module/{name}/{key}": value for key, value in module.state_dict().items()}
        for name, optimiser in self.optimisers.items():
            for index, moments in optimiser.state_dict()["state"].items():
                content |= {f"optimiser/{name}/{index}/{k}": torch.as_tensor(v) for k, v in moments.items()}
        # Cloned: safetensors refuses tensors that share memory.
        content = {key: value.detach().clone() for key, value in content.items()}
        _files.write_tensors(Path(path), content, {"settings": self.settings, "note": dict(note)})

    def load(self, path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Take up what `save` wrote; returns its note and tensors.

        Raises:
            ValueError: the file is no checkpoint, or one of another training, naming what differs.
        """
        content, header = _files.read_tensors(Path(path))
        if not {"settings", "note"} <= header.keys():
            raise ValueError(f"{path} is not a checkpoint of a training; name another file")
        saved = {self.renamed.get(name, name): value for name, value in header["settings"].items()}
        differ = [
            f"{name}={saved.get(name)!r} there, {value!r} here"
            for name, value in self.settings.items()
            if saved.get(name) != value
        ]
        if differ:
            raise ValueError(f"{path} belongs to another training: {'; '.join(differ)}. Delete it or name another file")
        for name, module in self.modules.items():
            shapes = {key: value.shape for key, value in module.state_dict().items()}
            if shapes != {key: value.shape for key, value in _under(content, f"module/{name}/").items()}:
                raise ValueError(
                    f"{path} belongs to another training: its {name} has other weights. Delete it or name another file"
                )
        for name, module in self.modules.items():
            module.load_state_dict(_under(content, f"module/{name}/"))
        for name, optimiser in self.optimisers.items():
            moments: dict[int, dict[str, Tensor]] = {}
            for key, value in _under(content, f"optimiser/{name}/").items():
                index, _, moment = key.partition("/")
                moments.setdefault(int(index), {})[moment] = value
            optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
        return header["note"], _under(content, "extra/")


def _under(content: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in content.items() if key.startswith(prefix)}

"""Shipped weights: safetensors in half precision, with a card that says where they come from and what they measure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, overload

import torch

from simplebits import _files
from simplebits._door import door
from simplebits.density.base import DensityModel
from simplebits.density.diffusion import Diffusion
from simplebits.density.glow import Glow
from simplebits.density.pixelcnn import PixelCNN
from simplebits.domains import Device, Known

FOLDER = Path(__file__).parent / "weights"
KINDS: dict[str, type[DensityModel]] = {"glow": Glow, "pixelcnn": PixelCNN, "diffusion": Diffusion}  # as on the cards
NAMES = ("glow", "glow-5bit", "glow-16px", "pixelcnn-16px", "diffusion-16px")
Name = Annotated[str, Known(lambda: NAMES)]


@overload
def load(
    name: Literal["glow", "glow-5bit", "glow-16px"], device: Device = "cpu", folder: str | Path = FOLDER
) -> Glow: ...
@overload
def load(name: Literal["pixelcnn-16px"], device: Device = "cpu", folder: str | Path = FOLDER) -> PixelCNN: ...
@overload
def load(name: Literal["diffusion-16px"], device: Device = "cpu", folder: str | Path = FOLDER) -> Diffusion: ...
@overload
def load(name: Name, device: Device = "cpu", folder: str | Path = FOLDER) -> DensityModel: ...


@door
def load(name: Name, device: Device = "cpu", folder: str | Path = FOLDER) -> DensityModel:
    """Load a fitted density model, in single precision, in evaluation mode, its weights frozen.

    Args:
        name: `glow` (8 bits, 32x32), `glow-5bit` (5 bits, 32x32), `glow-16px`, `pixelcnn-16px` or `diffusion-16px`
            (5 bits, 16x16).
        device: where it goes; None: a GPU where there is one.
        folder: where the weights lie; the package's own by default.

    Raises:
        ValueError: unknown name (the nearest known one is named) or device, or a damaged file.
        FileNotFoundError: the weights are not in the folder.

    >>> model = load("glow-16px")
    >>> model.image_size, model.bit_depth
    (16, 5)
    """
    described = card(name, folder)
    path = Path(folder) / f"{name}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; make it with: simplebits fit-density {name}")
    if _files.sha256(path) != described["sha256"]:
        raise ValueError(
            f"{path} is damaged: its SHA-256 is not the one on its card. Fetch it again (git checkout, or "
            f"reinstall simplebits), or make it again: simplebits fit-density {name}"
        )
    tensors, _ = _files.read_tensors(path)
    (kind,) = KINDS.keys() & described
    model = KINDS[kind](**described[kind])
    model.load_state_dict({key: tensor.float() for key, tensor in tensors.items()})
    return model.requires_grad_(False).eval().to(device)


@door
def card(name: Name, folder: str | Path = FOLDER) -> dict[str, Any]:
    """Read the card of shipped weights: architecture, data, steps, time, device, seed, test bits/dim a set, command.

    Raises:
        ValueError: unknown name, or a card that is not JSON or lacks what a model is built by.
        FileNotFoundError: there is no card.
    """
    path = Path(folder) / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; make it with: simplebits fit-density {name}")
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        if not (isinstance(described, dict) and KINDS.keys() & described and "sha256" in described):
            raise ValueError("no architecture or no SHA-256")
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged ({error}); fetch it again (git checkout, or reinstall simplebits)"
        ) from error
    return described


@door
def save(model: DensityModel, name: str, folder: str | Path, about: dict[str, Any]) -> Path:
    """Write weights and card; returns the path of the weights.

    Args:
        model: what to save; tensors are rounded to half precision.
        name: file name without ending.
        folder: where to.
        about: goes onto the card beside the architecture and the SHA-256.

    Raises:
        ValueError: a weight does not fit into half precision.
        OSError: a file could not be written; nothing half-written is left.
    """
    halves = {key: value.half() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    for key, value in halves.items():
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"{key} is not finite in half precision; the model is not fit to ship")
    path = Path(folder) / f"{name}.safetensors"
    _files.write_tensors(path, halves, {"name": name})
    (kind,) = (kind for kind, known in KINDS.items() if type(model) is known)
    _files.write_json(
        path.with_suffix(".json"), about | {"name": name, kind: model.config, "sha256": _files.sha256(path)}
    )
    return path

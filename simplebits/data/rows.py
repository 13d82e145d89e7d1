"""From rows of a table (file, class, patient) to an image set: everything that is common to all layouts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor

from simplebits import _files, _progress
from simplebits.data.image_file import read_image
from simplebits.data.negatives import negatives as find_negatives
from simplebits.data.patients import PatientSet

Negatives = Literal["refuse", "turn", "keep", "all"]
_KEEP_EVERY = 1000  # images between two checkpoints


class Row(NamedTuple):
    """One image that is to be read."""

    path: Path
    label: int
    patient: str


def assemble(
    rows: Sequence[Row],
    classes: tuple[str, ...],
    name: str,
    *,
    everyone: Iterable[str],
    size: int | None,
    channels: int | None,
    white: float | None = None,
    most: int | None = None,
    negatives: Negatives = "refuse",
    skip_missing: bool = False,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> PatientSet:
    """Read the images of these rows, sorted by patient; with `most`, as many of each class, at most so many.

    Patients are numbered in the order of `everyone`'s names, the same in every split of one table.

    Raises:
        FileNotFoundError: image files are not there.
        ValueError: a class without an image, images of several sizes or channels, negatives.
    """
    rows = _there(sorted(rows, key=lambda row: (row.patient, row.path)), name, skip_missing)
    numbers = {patient: i for i, patient in enumerate(sorted(set(everyone)))}
    labels = torch.tensor([row.label for row in rows], dtype=torch.int64)
    counts = labels.bincount(minlength=len(classes))
    if empty := [classes[c] for c in range(len(classes)) if not counts[c]]:
        raise ValueError(
            f"{name}: no image of {', '.join(empty)} among {len(rows)} rows; look at the labels and the split"
        )
    if most is not None:  # before anything is read
        each = min(int(counts.min()), most)
        kept = torch.cat([(labels == c).nonzero()[:each, 0] for c in range(len(classes))]).sort().values
        rows, labels = [rows[i] for i in kept.tolist()], labels[kept]
    images = _read([row.path for row in rows], size, channels, white, checkpoint, progress)
    images = _right_way_round(images, rows, negatives)
    return PatientSet(images, labels, classes, name, torch.tensor([numbers[row.patient] for row in rows]))


def _there(rows: Sequence[Row], name: str, skip_missing: bool) -> list[Row]:
    missing = [row for row in rows if not row.path.is_file()]
    if missing and not skip_missing:
        raise FileNotFoundError(
            f"{name}: {len(missing)} of {len(rows)} image files are not there, {missing[0].path} first; place them, "
            f"say with folder= what the paths start from, or leave such rows out with skip_missing=True"
        )
    return [row for row in rows if row.path.is_file()] if missing else list(rows)


def _read(
    paths: Sequence[Path],
    size: int | None,
    channels: int | None,
    white: float | None,
    checkpoint: str | Path | None,
    progress: bool | None,
) -> UInt8[Tensor, "n c h w"]:
    """Read all files, going on from what a checkpoint holds of them."""
    kept = Path(checkpoint) if checkpoint is not None else None
    files = hashlib.sha256("\n".join(map(str, paths)).encode()).hexdigest()
    what = {"files": files, "as": f"size={size}, channels={channels}, white={white}"}
    images = list(_kept(kept, what)) if kept is not None and kept.is_file() else []
    with _progress.bar(len(paths), len(images), "read images", progress) as bar:
        for path in paths[len(images) :]:
            image = read_image(path, size=size, channels=channels, white=white)
            if images and image.shape != images[0].shape:
                ours, first = list(image.shape), list(images[0].shape)
                raise ValueError(
                    f"{path} has shape {ours}, {paths[0].name} {first}; bring all to one with size= and channels="
                )
            images.append(image)
            if kept is not None and (len(images) % _KEEP_EVERY == 0 or len(images) == len(paths)):
                _files.write_tensors(kept, {"images": torch.stack(images)}, what)
            bar.update()
    return torch.stack(images)


def _kept(checkpoint: Path, what: dict[str, str]) -> Tensor:
    tensors, note = _files.read_tensors(checkpoint)
    if any(note.get(name) != value for name, value in what.items()):
        raise ValueError(
            f"checkpoint={str(checkpoint)!r} was written with other files or {note.get('as')}; delete it, or give "
            f"another one"
        )
    return tensors["images"]


def _right_way_round(images: UInt8[Tensor, "n c h w"], rows: Sequence[Row], how: Negatives) -> UInt8[Tensor, "n c h w"]:
    """Refuse or turn images that look like negatives of the others; what is turned holds 255 less each value."""
    if how == "keep":
        return images
    found = find_negatives(images) if how != "all" else torch.ones(len(images), dtype=torch.bool)
    if how == "refuse" and bool(found.any()):
        first = rows[int(found.nonzero()[0])].path
        raise ValueError(
            f"{int(found.sum())} of {len(images)} images look like negatives of the others, {first} first: bright air, "
            f"dark bones (MONOCHROME1). negatives='turn' turns them, negatives='keep' takes them as they are"
        )
    return torch.where(found[:, None, None, None], 255 - images, images)

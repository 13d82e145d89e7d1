"""MedMNIST's chest radiographs, 28x28 (Yang et al. 2023): one NumPy archive a set, fetched from its own host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

_HOST = "https://zenodo.org/records/10519652/files"  # with the MD5 sums below, of the authors' package medmnist 3.0.2
_FINDINGS, _EFFUSION = 14, 2  # how many findings ChestMNIST has labels of, and which one is the effusion


@dataclass
class Archive:
    """One split of an archive, in the shape that torchvision gives its sets.

    Attributes:
        name: of the set; this, its file with its MD5 sum, and its classes are a subclass's.
        file: under `root()`.
        md5: of the file.
        classes: their names.
        data: uint8 `[n, h, w]`.
        targets: int64 `[n]`.
    """

    name: ClassVar[str]
    file: ClassVar[str]
    md5: ClassVar[str]
    classes: ClassVar[tuple[str, ...]]

    data: np.ndarray
    targets: np.ndarray

    def __init__(self, root: str, train: bool, download: bool) -> None:
        """Read from the folder; fetch the archive first where that is asked for."""
        if download:
            import pooch

            address = f"{_HOST}/{self.file}?download=1"
            pooch.retrieve(address, f"md5:{self.md5}", fname=self.file, path=root, progressbar=False)
        split = "train" if train else "test"
        with np.load(Path(root) / self.file, allow_pickle=False) as arrays:
            self.data, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"].astype(np.int64)
        self.data, self.targets = self._chosen(labels)

    def _chosen(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.data, labels.reshape(-1)


class PneumoniaMNIST(Archive):
    """Children's radiographs: normal (0) or pneumonia (1)."""

    name, file = "pneumoniamnist", "pneumoniamnist.npz"
    md5 = "28209eda62fecd6e6a2d98b1501bb15f"
    classes = ("normal", "pneumonia")


class ChestMNIST(Archive):
    """NIH ChestX-ray14 with the official split: no finding (0) or an effusion (1); images of neither are left out."""

    name, file = "chestmnist", "chestmnist.npz"
    md5 = "02c8a6516a18b556561a56cbdd36c4a8"
    classes = ("no finding", "effusion")

    def _chosen(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if labels.shape[1:] != (_FINDINGS,):
            raise ValueError(f"chestmnist: expected labels [n, {_FINDINGS}], got {list(labels.shape)}")
        effusion, healthy = labels[:, _EFFUSION] == 1, labels.sum(1) == 0
        kept = effusion | healthy
        return self.data[kept], effusion[kept].astype(np.int64)

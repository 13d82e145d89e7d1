"""406 public chest radiographs of 267 patients, with their sex: a folder with a table, placed under `root()`."""

from __future__ import annotations

from simplebits.data.patients import PatientSet
from simplebits.data.table import Split, from_table
from simplebits.data.torchvision_sets import SOURCES, root

_SOURCE = SOURCES["chest-xray"]


def chest_xray(split: Split | None) -> PatientSet:
    """Read the radiographs, labelled by sex and split by patient, grey; None: those of both splits.

    Raises:
        FileNotFoundError: they are not there; says what to place where.
    """
    (file,) = _SOURCE.files["train"]
    table = root() / file
    if not table.is_file():
        raise FileNotFoundError(
            f"chest-xray is not on this machine, and no host may ship all of it. Place frontal radiographs of "
            f"github.com/ieee8023/covid-chestxray-dataset and of NIH ChestX-ray14 beside {table}, which lists them "
            f"with the columns file, patient and sex (F, M); or set SIMPLEBITS_DATA to the folder that holds {file}. "
            f"from_table reads any other table; 'digits', 'photos' and 'phantoms' are always there"
        )
    found = from_table(
        table, "sex", patient="patient", classes=_SOURCE.classes, split=split, channels=1, progress=False
    )
    return found.subset(slice(None), f"chest-xray/{split or 'all'}")

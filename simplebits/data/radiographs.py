"""Chest radiographs where their owners' archives have been unpacked: MIMIC-CXR-JPG and CheXpert, by their own rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from simplebits._door import door
from simplebits.data.patients import PatientSet, patient_split
from simplebits.data.rows import Negatives, Row, assemble
from simplebits.data.table import Split, known_column, read_csv
from simplebits.domains import Count

Question = Literal["effusion", "sex"]
_MOST = 30_000  # images of a class, of two: SimpleBits' code takes 60,000 in all
_CLASSES = {"effusion": ("no finding", "effusion"), "sex": ("F", "M")}
_FRONTAL = ("PA", "AP")


@door
def mimic_cxr(
    folder: str | Path,
    label: Question = "effusion",
    split: Split | None = "train",
    *,
    size: Count | None = 32,
    frontal: bool = True,
    most: Count = _MOST,
    negatives: Negatives = "refuse",
    skip_missing: bool = False,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> PatientSet:
    """Read MIMIC-CXR-JPG (Johnson et al. 2019) as SimpleBits' experiments do: two classes, balanced, split by patient.

    `effusion`: class 0 has *Pleural Effusion* 0 and *No Finding* 1 in the table of CheXpert's labels, class 1
    *Pleural Effusion* 1; blank and uncertain (-1) rows are left out. `sex`: F is 0, M is 1; it stands in
    `patients.csv` of MIMIC-IV, which has to lie in the folder too.

    Args:
        folder: of the unpacked archive: `mimic-cxr-2.0.0-metadata.csv`, `mimic-cxr-2.0.0-chexpert.csv` and `files/`;
            tables may end in `.gz`.
        label: `effusion` or `sex`.
        split: `train` or `test`: of the patients, sorted, five train and the sixth tests; None: all.
        size: height and width to bring the images to; None: as they are, all of one size.
        frontal: PA and AP views only; False: lateral ones too. The published code does not look at the view.
        most: images of each class at most; the first of the smaller class's number are taken.
        negatives: as in `from_table`.
        skip_missing: leave out rows whose file is not there, as where only some folders were fetched.
        checkpoint: file to keep what has been read in; a reading that was cut short goes on from there.
        progress: show a bar; None: on a terminal only.

    Raises:
        FileNotFoundError: a table or image files are not there.
        ValueError: a column is missing, a class has no image, or as in `from_table`.
    """
    place = Path(folder)
    columns, lines = _table(place, "mimic-cxr-2.0.0-metadata", "https://physionet.org/content/mimic-cxr-jpg")
    _needs(columns, "dicom_id", "subject_id", "study_id", "ViewPosition")
    if label == "effusion":
        columns, studies = _table(place, "mimic-cxr-2.0.0-chexpert", "https://physionet.org/content/mimic-cxr-jpg")
        _needs(columns, "study_id", "Pleural Effusion", "No Finding")
        classes, key = {line["study_id"]: effusion(line) for line in studies}, "study_id"
    else:
        columns, people = _table(place, "patients", "https://physionet.org/content/mimiciv, folder hosp")
        _needs(columns, "subject_id", "gender")
        classes, key = {line["subject_id"]: sex(line["gender"]) for line in people}, "subject_id"
    rows = []
    for line in lines:
        of_row, patient = classes.get(line[key]), line["subject_id"]
        if of_row is not None and (not frontal or line["ViewPosition"] in _FRONTAL):
            file = (
                place / "files" / f"p{patient[:2]}" / f"p{patient}" / f"s{line['study_id']}" / f"{line['dicom_id']}.jpg"
            )
            rows.append(Row(file, of_row, patient))
    everyone = [line["subject_id"] for line in lines]
    return _assembled(
        "mimic-cxr", rows, everyone, label, split, size=size, most=most, negatives=negatives,
        skip_missing=skip_missing, checkpoint=checkpoint, progress=progress,
    )  # fmt: skip


@door
def chexpert(
    folder: str | Path,
    label: Question = "effusion",
    split: Split | None = "train",
    *,
    size: Count | None = 32,
    frontal: bool = True,
    most: Count = _MOST,
    negatives: Negatives = "refuse",
    skip_missing: bool = False,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> PatientSet:
    """Read CheXpert (Irvin et al. 2019), small or whole, by the same rules as `mimic_cxr`.

    The patients of `train.csv` are split; the few of `valid.csv`, whose labels are radiologists', are not read.

    Args:
        folder: of the unpacked archive, `CheXpert-v1.0-small`: `train.csv` and `train/`.
        label: `effusion` or `sex` (`Female` is 0, `Male` is 1).
        split: `train` or `test`: of the patients, sorted, five train and the sixth tests; None: all.
        size: height and width to bring the images to; None: as they are, all of one size.
        frontal: frontal views only; False: lateral ones too.
        most: images of each class at most; the first of the smaller class's number are taken.
        negatives: as in `from_table`.
        skip_missing: leave out rows whose file is not there.
        checkpoint: file to keep what has been read in; a reading that was cut short goes on from there.
        progress: show a bar; None: on a terminal only.

    Raises:
        FileNotFoundError: the table or image files are not there.
        ValueError: a column is missing, a class has no image, or as in `from_table`.
    """
    place = Path(folder)
    columns, lines = _table(place, "train", "https://stanfordmlgroup.github.io/competitions/chexpert")
    _needs(columns, "Path", "Sex", "Frontal/Lateral", "Pleural Effusion", "No Finding")
    rule: Callable[[Mapping[str, str]], int | None] = effusion if label == "effusion" else lambda line: sex(line["Sex"])
    rows = []
    for line in lines:
        of_row = rule(line)
        if of_row is not None and (not frontal or line["Frontal/Lateral"] == "Frontal"):
            inside = Path(line["Path"]).parts[1:]  # the first part is the archive's own name
            rows.append(Row(place.joinpath(*inside), of_row, _patient_of(line["Path"])))
    everyone = [_patient_of(line["Path"]) for line in lines]
    return _assembled(
        "chexpert", rows, everyone, label, split, size=size, most=most, negatives=negatives,
        skip_missing=skip_missing, checkpoint=checkpoint, progress=progress,
    )  # fmt: skip


def effusion(line: Mapping[str, str]) -> int | None:
    """Tell the class of CheXpert's labels: 1 with an effusion, 0 where both say that there is none; None: neither.

    >>> effusion({"Pleural Effusion": "1.0", "No Finding": ""})
    1
    >>> effusion({"Pleural Effusion": "0.0", "No Finding": "1.0"})
    0
    """
    fluid, healthy = (_number(line[name]) for name in ("Pleural Effusion", "No Finding"))
    return 1 if fluid == 1 else 0 if fluid == 0 and healthy == 1 else None


def sex(word: str) -> int | None:
    """Tell the class of a recorded sex: 0 for female, 1 for male, None for anything else."""
    return {"f": 0, "female": 0, "m": 1, "male": 1}.get(word.lower())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None  # blank: not mentioned


def _patient_of(path: str) -> str:
    found = next((part for part in Path(path).parts if part.startswith("patient")), None)
    if found is None:
        raise ValueError(f"Path: {path!r} names no patient; expected .../patient00001/study1/view1_frontal.jpg")
    return found


def _assembled(
    archive: str, rows: list[Row], patients: list[str], label: str, split: str | None, **how: Any
) -> PatientSet:
    """Read the rows of this split; all patients of the table are dealt, whatever the question."""
    drawn = patient_split(patients)
    of_split = [row for row in rows if split is None or drawn[row.patient] == split]
    name = f"{archive}: {label}/{split or 'all'}"
    return assemble(of_split, _CLASSES[label], name, everyone=patients, channels=1, **how)


def _table(folder: Path, stem: str, address: str) -> tuple[list[str], list[dict[str, str]]]:
    paths = [folder / f"{stem}.csv", folder / f"{stem}.csv.gz"]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise FileNotFoundError(f"{paths[0]} is not there, nor with .gz; place it so ({address}, after registration)")
    return read_csv(found)


def _needs(columns: list[str], *names: str) -> None:
    for name in names:
        known_column("folder: a table's column", name, columns)

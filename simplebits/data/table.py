"""Images and labels from a table: a CSV file that names an image file, a label and a patient in every row."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from simplebits._door import door
from simplebits.data.image_set import Channels
from simplebits.data.patients import PatientSet, patient_split
from simplebits.data.rows import Negatives, Row, assemble
from simplebits.domains import Count, Filled, Positive, one_of

Split = Literal["train", "test"]


@door
def from_table(
    table: str | Path,
    label: str,
    *,
    file: str = "file",
    patient: str | None = None,
    folder: str | Path | None = None,
    classes: Annotated[Sequence[str], Filled(2)] | None = None,
    where: Mapping[str, Sequence[str]] | None = None,
    split: Split | None = None,
    split_column: str | None = None,
    size: Count | None = None,
    channels: Channels = None,
    white: Positive | None = None,
    balanced: bool = False,
    negatives: Negatives = "refuse",
    skip_missing: bool = False,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> PatientSet:
    r"""Read images and labels that a table lists, a row an image, sorted by patient.

    Args:
        table: a CSV file with a line of column names, `.gz` too.
        label: column of the label.
        file: column of the image's path.
        patient: column of the patient; None: every image is a patient of its own.
        folder: what the paths start from; None: the table's folder.
        classes: values of the label, in the order of the classes; other rows are left out. None: all values, sorted.
            A row without a label is left out.
        where: column to the values that a row must have one of, `{"view": ["PA"]}`.
        split: `train` or `test`: of the patients, sorted, five train and the sixth tests (SimpleBits' code). None: all.
        split_column: column that says `train` or `test` instead; that no patient is in both is checked.
        size: height and width that all images are brought to; None: as they are, all of one size.
        channels: 1, 3 or None, as in `read_image`.
        white: value that is shown as white in files of more than 8 bits, 4095 for 12 bits, as in `read_image`.
        balanced: cut all classes to the size of the smallest, as `ImageSet.balanced`.
        negatives: what to do with images that look like negatives of the others (radiographs whose air is bright):
            `refuse`, `turn` them, `keep` them as they are, or turn `all`, if the whole table is such. They are looked
            for where the images are alike, as radiographs are.
        skip_missing: leave out rows whose file is not there.
        checkpoint: file to keep what has been read in; a reading that was cut short goes on from there.
        progress: show a bar; None: on a terminal only.

    Raises:
        FileNotFoundError: the table or image files are not there.
        ValueError: an unknown column or value (the nearest is named), a class without an image, a patient with images
            in both splits, files that are no images or of several sizes, 16-bit files without `white`, negatives.

    >>> import tempfile, numpy as np
    >>> from PIL import Image
    >>> place = Path(tempfile.mkdtemp())
    >>> for name in "abc":
    ...     Image.fromarray(np.zeros((4, 4), np.uint8)).save(place / f"{name}.png")
    >>> _ = (place / "t.csv").write_text("file,sex,who\na.png,F,1\nb.png,M,2\nc.png,M,2\n")
    >>> from_table(place / "t.csv", "sex", patient="who")
    PatientSet('t: sex': 3 images 1x4x4, 2 classes, 2 patients)
    """
    path = Path(table)
    columns, lines = read_csv(path)
    for argument, name in {"label": label, "file": file, "patient": patient, "split_column": split_column}.items():
        known_column(argument, name, columns)
    lines = _selected(lines, where or {}, columns)
    found = sorted({line[label] for line in lines} - {""})
    for value in classes or ():
        one_of("classes", value, found)
    names = tuple(classes or found)
    if len(names) < 2:
        raise ValueError(f"label={label!r}: {path.name} has {len(names)} values of it; a set needs two classes")
    place = Path(folder) if folder is not None else path.parent
    rows = [
        Row(place / line[file], names.index(line[label]), line[patient or file])
        for line in lines
        if line[label] in names
    ]
    if split_column is not None:
        told = _told_split(lines, split_column, patient or file)
        if split is not None:
            one_of("split", split, sorted(set(told.values())))
        rows = [row for row in rows if split is None or told[row.patient] == split]
    elif split is not None and patient is None:
        raise ValueError(
            f"split={split!r}: name the column of the patient, so that no one is in both; patient={file!r} if every "
            f"image is of another person"
        )
    elif split is not None:
        drawn = patient_split([line[patient] for line in lines if patient])
        rows = [row for row in rows if drawn[row.patient] == split]
    return assemble(
        rows, names, f"{path.name.split('.')[0]}: {label}" + (f"/{split}" if split else ""),
        everyone=[line[patient or file] for line in lines], size=size, channels=channels, white=white,
        most=len(rows) if balanced else None, negatives=negatives, skip_missing=skip_missing, checkpoint=checkpoint,
        progress=progress,
    )  # fmt: skip


def read_csv(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Read a table with a line of names; values without spaces around them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no text, empty, or a line is longer or shorter than the first.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; give the path of a CSV file")
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig", newline="") as text:
            lines = list(csv.reader(text))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is damaged, or no CSV file in UTF-8 ({error})") from error
    lines = [(number, [value.strip() for value in line]) for number, line in enumerate(lines, 1) if any(line)]
    if len(lines) < 2:
        raise ValueError(f"{path} has {len(lines)} lines; it needs one of column names and one for each image")
    columns = lines[0][1]
    for number, line in lines[1:]:
        if len(line) != len(columns):
            raise ValueError(
                f"{path}, line {number}: {len(line)} values for {len(columns)} columns ({', '.join(columns)}); "
                f"separate values by commas, and put quotes around those that hold one"
            )
    return columns, [dict(zip(columns, line, strict=True)) for _, line in lines[1:]]


def known_column(argument: str, name: str | None, columns: Iterable[str]) -> None:
    """Raise ValueError, naming the nearest column, where the table has none of this name."""
    if name is not None:
        one_of(argument, name, columns)


def _selected(
    lines: list[dict[str, str]], where: Mapping[str, Sequence[str]], columns: Sequence[str]
) -> list[dict[str, str]]:
    for column, wanted in where.items():
        known_column("where", column, columns)
        wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        for value in wanted:
            one_of(f"where[{column!r}]", value, sorted({line[column] for line in lines}))
        lines = [line for line in lines if line[column] in wanted]
    return lines


def _told_split(lines: list[dict[str, str]], column: str, patient: str) -> dict[str, str]:
    """Read each patient's split off its column; raise ValueError where someone is in both."""
    told: dict[str, str] = {}
    both = set()
    for line in lines:
        split = line[column].lower()
        if told.setdefault(line[patient], split) != split:
            both.add(line[patient])
    if both:
        raise ValueError(
            f"split_column={column!r}: {len(both)} patients have images in more than one split "
            f"({', '.join(sorted(both)[:3])}); a network would be tested on people whom it has seen. Leave "
            f"split_column out, and the split is made by patient"
        )
    return told

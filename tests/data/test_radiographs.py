"""MIMIC-CXR-JPG and CheXpert, made small in their own layouts: labels, views, splits by their rules."""

import gzip

import numpy as np
import pytest
import torch
from PIL import Image

from simplebits.data import chexpert, load, mimic_cxr

FACE = np.add.outer(np.abs(np.arange(40) - 20), np.arange(48)).astype(np.uint8) * 3
# Pleural Effusion and No Finding as the tables write them, and the class they mean.
LABELS = [
    ("1.0", "", 1),
    ("0.0", "1.0", 0),
    ("-1.0", "", None),
    ("", "1.0", None),
    ("0.0", "", None),
    ("1.0", "0.0", 1),
]


def place(folder, path):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(FACE).save(folder / path)


@pytest.fixture
def mimic(tmp_path):
    """36 patients with a study each: a frontal and a lateral image; labels in turn; every second one a man."""
    images, labels, people = (
        ["dicom_id,subject_id,study_id,ViewPosition"],
        ["subject_id,study_id,No Finding,Pleural Effusion"],
        [],
    )
    people.append("subject_id,gender,anchor_age")
    for i in range(36):
        who, study = str(10000032 + 7 * i), str(50000000 + i)
        fluid, healthy, _ = LABELS[i % 6]
        labels.append(f"{who},{study},{healthy},{fluid}")
        people.append(f"{who},{'FM'[i // 6 % 2]},50")
        for view in ("PA", "LATERAL"):
            images.append(f"{view.lower()}-{i},{who},{study},{view}")
            place(tmp_path, f"files/p{who[:2]}/p{who}/s{study}/{view.lower()}-{i}.jpg")
    tables = {
        "mimic-cxr-2.0.0-metadata.csv.gz": images,
        "mimic-cxr-2.0.0-chexpert.csv.gz": labels,
        "patients.csv.gz": people,
    }
    for name, lines in tables.items():
        (tmp_path / name).write_bytes(gzip.compress("\n".join(lines).encode()))
    return tmp_path


@pytest.fixture
def stanford(tmp_path):
    """The same 36 people as CheXpert has them."""
    rows = ["Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Pleural Effusion"]
    for i in range(36):
        fluid, healthy, _ = LABELS[i % 6]
        for view in ("frontal", "lateral"):
            inside = f"train/patient{i:05}/study1/view1_{view}.jpg"
            place(tmp_path, inside)
            kind = "PA" if view == "frontal" else ""
            sex = ("Female", "Male")[i // 6 % 2]
            rows.append(f"CheXpert-v1.0-small/{inside},{sex},50,{view.title()},{kind},{healthy},{fluid}")
    (tmp_path / "train.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize("archive", ["mimic", "stanford"])
def test_effusion_against_no_finding(archive, request):
    read, folder = (mimic_cxr if archive == "mimic" else chexpert), request.getfixturevalue(archive)
    whole = read(folder, "effusion", None)
    # Of six patients in turn, two have an effusion, one has neither it nor a finding, three are left out.
    assert whole.labels.bincount().tolist() == [6, 6], "the first of the larger class, as many as the smaller has"
    assert whole.classes == ("no finding", "effusion")
    assert [LABELS[p % 6][2] for p in whole.patients.tolist()] == whole.labels.tolist()
    assert whole.images.shape[1:] == (1, 32, 32)


@pytest.mark.parametrize("archive", ["mimic", "stanford"])
def test_sex_by_patient(archive, request):
    read, folder = (mimic_cxr if archive == "mimic" else chexpert), request.getfixturevalue(archive)
    train, test = (read(folder, "sex", split) for split in ("train", "test"))
    assert test.patients.tolist() == [5, 11, 17, 23, 29, 35]
    assert len(train) == 30
    assert test.labels.tolist() == [0, 1] * 3
    assert train.classes == ("F", "M")
    assert len(read(folder, "sex", None, frontal=False)) == 72
    assert len(read(folder, "sex", None, most=4)) == 8


def test_a_size_is_the_average_of_the_pixels(mimic):
    found = mimic_cxr(mimic, "sex", None, size=8)
    wanted = np.asarray(Image.fromarray(FACE).resize((8, 8), Image.Resampling.BILINEAR), dtype=float)
    assert bool((found.images[0, 0].numpy() - wanted).__abs__().max() < 4), "up to what JPEG loses"


def test_what_is_missing_is_named(mimic, tmp_path):
    (mimic / "patients.csv.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"patients\.csv is not there, nor with .gz; place it so .*mimiciv"):
        mimic_cxr(mimic, "sex")
    with pytest.raises(FileNotFoundError, match=r"metadata\.csv is not there"):
        mimic_cxr(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"train\.csv is not there"):
        chexpert(tmp_path / "none")
    next(mimic.glob("files/*/*/*/pa-0.jpg")).unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 12 image files are not there, .*pa-0\.jpg first"):
        mimic_cxr(mimic)
    assert len(mimic_cxr(mimic, skip_missing=True)) == 10


def test_other_columns_are_told(stanford):
    table = stanford / "train.csv"
    table.write_text(table.read_text().replace("Pleural Effusion", "Pleural_effusion"))
    with pytest.raises(ValueError, match="did you mean 'Pleural_effusion'"):
        chexpert(stanford)


def test_a_path_without_a_patient_is_told(stanford):
    table = stanford / "train.csv"
    table.write_text(table.read_text().replace("patient00003", "p3"))
    with pytest.raises(ValueError, match="names no patient"):
        chexpert(stanford)


def test_the_placed_radiographs_are_split_by_patient(tmp_path, monkeypatch):
    place(tmp_path, "chest-xray/images/0.png")
    rows = ["file,patient,sex"]
    for i in range(12):
        place(tmp_path, f"chest-xray/images/{i}.png")
        rows.append(f"images/{i}.png,p{i:02},{'MF'[i % 3 == 2]}")
    (tmp_path / "chest-xray/metadata.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.setenv("SIMPLEBITS_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="no image of M"):
        load("chest-xray", "test")  # p05 and p11, both F
    train = load("chest-xray")
    assert (len(train), train.name, train.classes) == (10, "chest-xray/train", ("F", "M"))


def test_the_real_radiographs(real_data):
    train, test = (real_data("chest-xray", split) for split in ("train", "test"))
    assert len(train) + len(test) == 406
    assert not set(train.patients.tolist()) & set(test.patients.tolist())
    assert len(torch.cat([train.patients, test.patients]).unique()) == 267
    assert int((train.labels == 0).sum() + (test.labels == 0).sum()) == 161

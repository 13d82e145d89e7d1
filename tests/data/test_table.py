"""A folder with a table: labels, patients and splits come out as the table says, and what is wrong with it is told."""

import gzip

import numpy as np
import pytest
import torch
from PIL import Image

from simplebits.data import PatientSet, from_table

FACE = np.add.outer(np.abs(np.arange(16) - 8), np.arange(16)).astype(np.uint8) * 8  # what all images have in common


def make(folder, rows, columns="file,patient,sex,view,part", size=16):
    """Write a table, and an image for each of its files: FACE with a few values of its own."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for row in rows:
        pixels = FACE + rng.integers(0, 8, FACE.shape, dtype=np.uint8)
        Image.fromarray(np.ascontiguousarray(pixels)).resize((size, size)).save(folder / row.split(",")[0])
    table = folder / "people.csv"
    table.write_text("\n".join([columns, *rows]) + "\n")
    return table


@pytest.fixture
def people(tmp_path):
    """24 images of 12 patients, two each: F and M in turn; the last has no sex."""
    rows = []
    for i in range(12):
        sex = "FM"[i % 2] if i < 11 else ""
        rows += [
            f"images/{i:02}-{k}.png,p{i:02},{sex},{'PA' if k else 'AP'},{'test' if i > 8 else 'train'}" for k in (0, 1)
        ]
    return make(tmp_path, rows)


def test_rows_come_sorted_by_patient_with_their_labels(people):
    found = from_table(people, "sex", patient="patient")
    assert isinstance(found, PatientSet)
    assert (found.classes, found.name) == (("F", "M"), "people: sex")
    assert found.patients.tolist() == [i for i in range(11) for _ in (0, 1)], "blank labels are left out"
    assert found.labels.tolist() == [i % 2 for i in range(11) for _ in (0, 1)]
    first = np.asarray(Image.open(people.parent / "images/00-0.png"))
    assert np.array_equal(found.images[0, 0].numpy(), first)


def test_classes_stand_in_the_order_asked_for(people):
    found = from_table(people, "sex", classes=["M", "F"])
    assert found.labels[:2].tolist() == [1, 1]
    assert found.classes == ("M", "F")


def test_rows_are_chosen_by_another_column(people):
    found = from_table(people, "sex", patient="patient", where={"view": ["PA"]})
    assert len(found) == len(found.patients.unique()) == 11


def test_every_sixth_patient_tests(people):
    people.write_text(people.read_text().replace("p11,,", "p11,F,"))
    train, test = (from_table(people, "sex", patient="patient", split=split) for split in ("train", "test"))
    assert test.patients.tolist() == [5, 5, 11, 11]
    assert train.patients.unique().tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10], "numbered as in the whole table"
    assert test.name == "people: sex/test"


def test_a_split_of_the_table_is_followed(people):
    train, test = (
        from_table(people, "sex", patient="patient", split=split, split_column="part") for split in ("train", "test")
    )
    assert (len(train), len(test)) == (18, 4)


def test_a_patient_in_both_splits_is_found_out(people):
    text = people.read_text().replace("images/03-1.png,p03,M,PA,train", "images/03-1.png,p03,M,PA,test")
    people.write_text(text)
    with pytest.raises(ValueError, match=r"1 patients have images in more than one split \(p03\)"):
        from_table(people, "sex", patient="patient", split="train", split_column="part")


def test_a_split_needs_to_know_who_is_who(people):
    with pytest.raises(ValueError, match="name the column of the patient"):
        from_table(people, "sex", split="train")


def test_balance_cuts_the_larger_class(people):
    found = from_table(people, "sex", patient="patient", balanced=True)
    assert found.labels.bincount().tolist() == [10, 10]


def test_a_packed_table_is_read(people):
    packed = people.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(people.read_bytes()))
    assert len(from_table(packed, "sex")) == 22


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"label": "sx"}, "label='sx' is not known; did you mean 'sex'"),
        ({}, {"file": "path"}, "file='path' is not known.*Known: file, patient"),
        ({}, {"patient": "patients"}, "did you mean 'patient'"),
        ({}, {"split_column": "prt"}, "split_column='prt'.*did you mean 'part'"),
        ({}, {"where": {"veiw": ["PA"]}}, "did you mean 'view'"),
        ({}, {"where": {"view": ["PAA"]}}, "did you mean 'PA'"),
        ({}, {"classes": ["F", "W"]}, "classes='W' is not known"),
        ({}, {"where": {"sex": ["F"]}}, "has 1 values of it; a set needs two classes"),
        ({"p00,F": "p00,F,9"}, {}, "line 2: 6 values for 5 columns"),
        ({}, {"split": "test", "split_column": "view"}, "split='test' is not known"),
        ({}, {"patient": "patient", "split": "test", "split_column": "view"}, "12 patients have images in more than"),
    ],
)
def test_what_is_wrong_with_a_table_is_told(people, change, options, message):
    for old, new in change.items():
        people.write_text(people.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        from_table(people, **{"label": "sex", **options})


def test_a_table_that_is_none_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv is not there"):
        from_table(tmp_path / "none.csv", "sex")
    for content, message in {
        b"": "has 0 lines",
        b"file,sex\n": "has 1 lines",
        b"\xff\xfe\x00": "damaged, or no CSV",
    }.items():
        (tmp_path / "bad.csv").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            from_table(tmp_path / "bad.csv", "sex")


def test_missing_files_are_counted_or_left_out(people):
    for name in ("00-0", "04-1"):
        (people.parent / f"images/{name}.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"2 of 22 image files are not there, .*00-0\.png first.*skip_missing"):
        from_table(people, "sex")
    assert len(from_table(people, "sex", skip_missing=True)) == 20
    with pytest.raises(FileNotFoundError, match="22 of 22"):
        from_table(people, "sex", folder=people.parent / "elsewhere")


def test_images_of_two_sizes_ask_for_one(people):
    Image.fromarray(FACE[:8]).save(people.parent / "images/05-0.png")
    with pytest.raises(ValueError, match=r"05-0\.png has shape \[1, 8, 16\], 00-0\.png \[1, 16, 16\].*size="):
        from_table(people, "sex")
    assert from_table(people, "sex", size=8).images.shape == (22, 1, 8, 8)


def test_sixteen_bits_ask_for_white(people):
    deep = FACE.astype(np.uint16) * 16
    Image.fromarray(deep).save(people.parent / "images/05-0.png")
    with pytest.raises(ValueError, match=r"05-0\.png holds grey values.*say which one is white"):
        from_table(people, "sex")
    assert len(from_table(people, "sex", white=4095)) == 22


def test_negatives_are_refused_turned_or_kept(people):
    upright = from_table(people, "sex")
    for name in ("01-0", "02-1", "07-0"):
        file = people.parent / f"images/{name}.png"
        Image.fromarray(255 - np.asarray(Image.open(file))).save(file)
    with pytest.raises(ValueError, match=r"3 of 22 images look like negatives of the others, .*01-0\.png first"):
        from_table(people, "sex")
    assert torch.equal(from_table(people, "sex", negatives="turn").images, upright.images)
    kept = from_table(people, "sex", negatives="keep").images
    assert int((kept != upright.images).flatten(1).any(1).sum()) == 3
    assert torch.equal(from_table(people, "sex", negatives="all").images, 255 - kept)


def test_pictures_that_are_not_alike_have_no_negatives(tmp_path):
    from simplebits.data import load
    from simplebits.data.negatives import negatives

    for name in ("photos", "digits"):
        assert not bool(negatives(load(name, "test").images).any())
    assert not bool(negatives(torch.zeros(3, 1, 8, 8, dtype=torch.uint8)).any())


def test_a_reading_that_was_cut_short_goes_on(people, tmp_path, monkeypatch):
    from simplebits.data import rows

    whole, read = from_table(people, "sex"), []
    monkeypatch.setattr(rows, "_KEEP_EVERY", 5)
    real = rows.read_image

    def until_killed(path, **options):
        read.append(path)
        if len(read) == 13:
            raise KeyboardInterrupt
        return real(path, **options)

    monkeypatch.setattr(rows, "read_image", until_killed)
    checkpoint = tmp_path / "read.safetensors"
    with pytest.raises(KeyboardInterrupt):
        from_table(people, "sex", checkpoint=checkpoint)
    again = from_table(people, "sex", checkpoint=checkpoint)
    assert torch.equal(again.images, whole.images)
    assert len(read) == 13 + 12, "ten of the twelve that were read before the kill were kept"
    with pytest.raises(ValueError, match="was written with other files or size=None"):
        from_table(people, "sex", size=8, checkpoint=checkpoint)

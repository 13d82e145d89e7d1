"""The doctor: finds what is wrong, says it in words, and how to mend it."""

from __future__ import annotations

import shutil
import sys

import pytest
from click.testing import CliRunner

from simplebits.density import weights
from simplebits.run import doctor
from simplebits.run.cli import main


def findings(*checks):
    return [finding for check in checks for finding in check()]


def test_a_whole_examination(book, monkeypatch):
    book(n01_a=["1"])
    found = list(doctor.examine())
    text = "\n".join(finding.text for finding in found)
    words = (
        "Python 3.",
        "torch",
        "papermill",
        "jupyter-book",
        "kernel python3",
        "CPU",
        "memory",
        "disk",
        "checkout",
        "weights",
        "data folder",
        "digits, photos",
    )
    assert [word for word in words if word not in text] == []
    assert {finding.level for finding in found} <= {"ok", "note", "bad"}
    # Whatever is not in order comes with something to do.
    assert all(finding.mend for finding in found if finding.level != "ok")
    assert "failed" not in text


def test_exit_code_says_whether_the_book_can_be_built(book, monkeypatch):
    book(n01_a=["1"])
    good, note = doctor.Finding("ok", "all fine"), doctor.Finding("note", "no GPU", "buy one")
    bad = doctor.Finding("bad", "no kernel", "make one")
    monkeypatch.setattr(doctor, "examine", lambda: iter([good, note]))
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0
    assert "mend it: buy one" in result.output
    assert "can be built" in result.output
    monkeypatch.setattr(doctor, "examine", lambda: iter([good, bad]))
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "cannot be built yet: 1 to mend" in result.output


def test_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (finding,) = findings(doctor._checkout)
    assert finding.level == "bad"
    assert "git clone" in finding.mend


def test_missing_and_old_packages(monkeypatch):
    needed = [
        ("", "numpy", "numpy>=1"),
        ("", "click", "click>=900"),
        ("book", "no-such-package", "no-such-package"),
        ("test", "no-such-either", "no-such-either>=2"),
    ]
    monkeypatch.setattr(doctor, "requirements", lambda: needed)
    found = findings(doctor._packages)
    assert [finding.level for finding in found] == ["bad", "bad", "note"]
    assert "wanted click>=900" in found[0].text
    assert "no-such-package" in found[1].text
    assert "[book]" in found[1].mend


def test_requirements_are_those_of_the_package():
    needed = doctor.requirements()
    assert {"torch", "numpy"} <= {name for extra, name, _ in needed if extra == ""}
    assert {"papermill", "jupyter-book", "click"} <= {name for extra, name, _ in needed if extra == "book"}
    assert "simplebits" not in {name for _, name, _ in needed}


@pytest.mark.parametrize(("version", "level"), [("1.0.4.post1", "ok"), ("2.1.4", "bad")])
def test_jupyter_book_must_be_of_the_first_kind(monkeypatch, version, level):
    monkeypatch.setattr(doctor, "version", lambda name: version)
    (finding,) = findings(doctor._jupyter_book)
    assert finding.level == level


def test_a_kernel_of_another_python(monkeypatch):
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

    other = KernelSpec(argv=["/other/python", "-m", "ipykernel_launcher"])
    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda self, name: other)
    (finding,) = findings(doctor._kernel)
    assert finding.level == "bad"
    assert sys.executable in finding.mend


def test_damaged_and_missing_weights(tmp_path, monkeypatch):
    folder = tmp_path / "weights"
    shutil.copytree(weights.FOLDER, folder)
    monkeypatch.setattr(weights, "FOLDER", folder)
    path = folder / "glow-16px.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    (folder / "glow-5bit.safetensors").unlink()
    found = {finding.text.split()[1].rstrip(":"): finding for finding in findings(doctor._weights)}
    assert found["glow-16px"].level == "bad"
    assert "damaged" in found["glow-16px"].text
    assert "is not there" in found["glow-5bit"].text
    assert "simplebits fit-density glow-16px" in found["glow-16px"].mend


def test_a_check_that_breaks_is_a_finding(monkeypatch):
    def _broken_check():
        raise RuntimeError("libcuda is of another age")
        yield

    monkeypatch.setattr(doctor, "_devices", _broken_check)
    (finding,) = [finding for finding in doctor.examine() if "another age" in finding.text]
    assert finding.level == "bad"
    assert "looking at broken-check failed: RuntimeError" in finding.text

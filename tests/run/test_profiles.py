"""Profiles, YAML literals, and refusing what a notebook does not know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simplebits.data.torchvision_sets import SOURCES
from simplebits.run import job, notebook, profiles


@given(st.floats(allow_nan=False) | st.integers() | st.booleans() | st.none())
def test_numbers_and_constants_survive_their_spelling(value):
    spelled = repr(value).replace("inf", ".inf").replace("True", "true").replace("None", "null")
    assert profiles.parse(spelled) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("2E5", 2e5),
        ("-.5", -0.5),
        ("3.", 3.0),
        ("[1, 2e-4, abc]", [1, 2e-4, "abc"]),
        ("no", "no"),
        ("on", "on"),
        ("mnist", "mnist"),
        ("'5'", "5"),
        ("{a: 1}", {"a": 1}),
        ("cifar10", "cifar10"),
        ("", None),
    ],
)
def test_literals(text, value):
    found = profiles.parse(text)
    assert found == value
    assert type(found) is type(value)


def test_what_is_no_yaml_is_refused():
    with pytest.raises(ValueError, match="-p sizes: .* is not YAML"):
        profiles.parse("[1, 2", "-p sizes")
    with pytest.raises(ValueError, match="is not YAML"):
        profiles.parse("!!python/object/apply:os.system ['true']")


def test_laptop_is_the_notebooks_own(book):
    root = book({"smoke": "01_a:\n  n: 2\n"}, n01_a=["# parameters\nn = 20"])
    assert profiles.names(root) == ["smoke", "laptop"]
    assert profiles.load(root, "laptop") == {}
    assert profiles.load(root, "smoke") == {"01_a": {"n": 2}}
    with pytest.raises(ValueError, match="profile='smok' is not known; did you mean 'smoke'"):
        profiles.load(root, "smok")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("01_b:\n  n: 2\n", "notebook='01_b' is not known; did you mean '01_a'"),
        ("- 01_a\n", "expected notebook"),
        ("01_a: 5\n", "expected notebook"),
        ("01_a: [", "is not YAML"),
    ],
)
def test_a_wrong_profile_file_is_named(book, text, message):
    root = book({"smoke": text}, n01_a=["# parameters\nn = 20"])
    with pytest.raises(ValueError, match=r"smoke\.yml.*" + message):
        profiles.load(root, "smoke")


def test_own_parameters_stand_over_the_profiles(book):
    root = book(n01_a=["# parameters\nn = 20\nm = 1"])
    one = notebook.Notebook(root, "01_a")
    assert profiles.given(one, "smoke", {"n": 2, "m": 3}, {"n": 5}) == {"n": 5, "m": 3}


@pytest.mark.parametrize(
    ("values", "own", "message"),
    [
        ({}, {"stpes": 1}, "01_a: parameter 'stpes' is not known; did you mean 'steps'"),
        ({"stpes": 1}, {}, "profile 'smoke', 01_a: parameter 'stpes'"),
        ({}, {"steps": "many"}, r"takes a number \(default 20\), got 'many'"),
        ({}, {"steps": True}, "takes a number"),
        ({}, {"names": "mnist"}, "takes a list"),
        ({}, {"fast": 1}, "takes true or false"),
        ({}, {"word": 3}, "takes a word"),
    ],
)
def test_unknown_names_and_kinds_are_refused(book, values, own, message):
    root = book(n01_a=["# parameters\nsteps = 20\nnames = ['a']\nfast = True\nword = 'a'\nfree = None"])
    with pytest.raises(ValueError, match=message):
        profiles.given(notebook.Notebook(root, "01_a"), "smoke", values, own)


def test_everything_is_checked_before_anything_starts(book):
    book(n01_a=["# parameters\nn = 1"], n02_b=["m = 1"])
    with pytest.raises(ValueError, match="02_b: parameter 'n' is not known; this notebook has no parameters"):
        job.plan(parameters={"n": 2})
    assert [one.stem for one in (planned.notebook for planned in job.plan(["1"], parameters={"n": 2}))] == ["01_a"]


def test_the_site_is_published_with_every_image_set_its_profile_names():
    root = Path(__file__).parents[2]
    values = [value for part in profiles.load(root, "standard").values() for value in part.values()]
    listed = [word for value in values for word in (value if isinstance(value, list) else [value])]
    words = {word for word in listed if isinstance(word, str)}
    workflow = (root / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8")
    fetched = re.search(r"simplebits data (.+)", workflow)[1].split()
    assert set(fetched) == words & set(SOURCES)

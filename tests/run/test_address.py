"""The public address: changed in one command, wrong everywhere at once or nowhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from simplebits.run import address

REPOSITORY = Path(__file__).parents[2]
README = """# simplebits
[![tests](https://github.com/OWNER/simplebits/actions/workflows/tests.yml/badge.svg)](https://github.com/OWNER/simplebits/actions)
[![Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/01_a.ipynb)
[![Binder](https://mybinder.org/badge_logo.svg)](https://mybinder.org/v2/gh/OWNER/simplebits/main)
Read it at https://OWNER.github.io/simplebits/. Get it: git clone https://github.com/OWNER/simplebits.git
The authors' code: https://github.com/other/simplebits-paper, https://github.com/openai/glow, `pip install simplebits`.
"""
CONFIG = """title: simplebits
repository:
  # where it lives
  url: https://github.com/OWNER/simplebits
  branch: main
launch_buttons:
  colab_url: https://colab.research.google.com
"""


@pytest.fixture
def tree(book):
    colab = "https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/01_a.ipynb"
    install = "%pip install -q --no-deps git+https://github.com/OWNER/simplebits"
    root = book(n01_a=[f"# %% [Colab]({colab})", install])
    (root / "README.md").write_text(README)
    (root / "_config.yml").write_text(CONFIG)
    (root / "CITATION.cff").write_text("title: simplebits\nrepository-code: https://github.com/OWNER/simplebits\n")
    (root / "notebooks" / "01_a.py").write_text("# %pip install -q --no-deps git+https://github.com/OWNER/simplebits\n")
    (root / "book" / "results" / "laptop").mkdir(parents=True)
    (root / "book" / "results" / "laptop" / "run.json").write_text('"https://github.com/OWNER/simplebits"')
    (root / "book" / "picture.png").write_bytes(b"\x89PNG\xff OWNER/simplebits")
    return root


def texts(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_one_command_changes_it_everywhere(tree):
    before = texts(tree)
    assert address.current(tree) == "https://github.com/OWNER/simplebits"
    assert address.disagreements(tree) == []
    paths = address.change(tree, "https://github.com/Some-One/little.bits/")
    changed = {path.relative_to(tree).as_posix() for path in paths}
    assert changed == {
        "README.md",
        "_config.yml",
        "CITATION.cff",
        "pyproject.toml",
        "notebooks/01_a.ipynb",
        "notebooks/01_a.py",
    }
    assert address.current(tree) == "https://github.com/Some-One/little.bits"
    assert address.disagreements(tree) == []
    after = texts(tree)
    assert {name for name in before if before[name] != after[name]} == changed
    # Nothing of the old one is left where it counts, and what belongs to others stays.
    assert all(b"OWNER" not in after[name] for name in changed)
    readme = after["README.md"].decode()
    assert "colab.research.google.com/github/Some-One/little.bits/blob/main/notebooks/01_a.ipynb" in readme
    assert "mybinder.org/v2/gh/Some-One/little.bits/main" in readme
    assert "https://Some-One.github.io/little.bits/." in readme
    assert "git clone https://github.com/Some-One/little.bits.git" in readme
    assert readme.splitlines()[-1] == README.splitlines()[-1]
    cell = json.loads(after["notebooks/01_a.ipynb"])["cells"][1]
    assert "".join(cell["source"]) == "%pip install -q --no-deps git+https://github.com/Some-One/little.bits"
    # And back again gives the very same bytes.
    address.change(tree, "https://github.com/OWNER/simplebits")
    assert texts(tree) == before


def test_the_present_address_again_changes_nothing(tree):
    assert address.change(tree, "https://github.com/OWNER/simplebits.git") == []


@pytest.mark.parametrize(
    ("name", "old", "new", "line"),
    [
        ("README.md", "gh/OWNER/simplebits", "gh/OLD/simplebits", "README.md:4"),
        ("_config.yml", "OWNER/simplebits", "OLD/bits", "_config.yml:4"),
        ("CITATION.cff", "OWNER/simplebits", "OLD/bits", "CITATION.cff:2"),
        ("notebooks/01_a.py", "git+https://github.com/OWNER", "git+https://github.com/OLD", "notebooks/01_a.py:1"),
    ],
)
def test_an_address_changed_by_hand_is_found_and_mended(tree, name, old, new, line):
    path = tree / name
    good = path.read_text()
    path.write_text(good.replace(old, new))
    (found,) = address.disagreements(tree)
    assert found.startswith(f"{line}: ")
    address.change(tree, address.current(tree))
    assert path.read_text() == good


def test_pyproject_changed_by_hand_is_followed(tree):
    path = tree / "pyproject.toml"
    path.write_text(path.read_text().replace("OWNER", "someone"))
    assert len(address.disagreements(tree)) >= 5
    address.change(tree, address.current(tree))
    assert address.disagreements(tree) == []
    assert "colab.research.google.com/github/someone/simplebits/blob" in (tree / "README.md").read_text()


@pytest.mark.parametrize(
    "url",
    [
        "github.com/a/b",
        "https://github.com/a",
        "https://gitlab.com/a/b",
        "https://github.com/a/b/tree/main",
        "https://github.com/a b/c",
        "",
    ],
)
def test_other_forms_are_refused_and_nothing_changes(tree, url):
    before = texts(tree)
    with pytest.raises(ValueError, match="expected https://github.com/OWNER/REPO"):
        address.change(tree, url)
    assert texts(tree) == before


def test_a_pyproject_without_it_says_what_to_add(tree):
    (tree / "pyproject.toml").write_text("[project]\nname = 'simplebits'\n")
    with pytest.raises(ValueError, match=r"no Repository under \[project.urls\]"):
        address.current(tree)


def test_in_this_repository_the_command_reaches_every_place(tmp_path):
    copy = tmp_path / "copy"
    skipped = (".git", ".venv", "_build", "__pycache__", "*.safetensors", "tests", "shared", "results", ".*cache")
    shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns(*skipped))
    old = address.slug(address.current(copy))
    assert address.disagreements(copy) == []
    address.change(copy, "https://github.com/some-one/else-where")
    assert address.disagreements(copy) == []
    left = [name for name, content in texts(copy).items() if old.encode() in content]
    assert left == [], "these name the address and are not reached; add them to simplebits/run/address.py"

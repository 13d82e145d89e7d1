"""Every lesson has the shape that the reader knows from the others; and the check of it notices each fault."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from anatomy import problems
from lessons import ROOT, read, stems
from pairing import to_notebook

SAMPLE = (Path(__file__).parent / "sample_lesson.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("stem", stems())
def test_lesson_has_the_shape_of_a_lesson(stem: str) -> None:
    assert not (found := problems(stem, read(stem))), "\n".join(found)


def test_every_lesson_is_in_the_table_of_contents() -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pages = [lesson["file"] for part in contents["parts"] for lesson in part["chapters"]]
    listed = [Path(page).stem for page in pages if page.startswith("notebooks/")]
    assert listed == stems(), "the lessons of _toc.yml, in order, are the notebooks"


def test_the_sample_is_in_order() -> None:
    assert problems("99_sample", to_notebook(SAMPLE)) == []


@pytest.mark.parametrize(
    ("part", "instead", "complaint"),
    [
        ("# # A sample\n", "# A sample\n", "first cell must be text with the title"),
        ("this is the smallest one.**", "and so on", "answer in one sentence"),
        ("99_sample.ipynb)", "98_other.ipynb)", "Colab badge"),
        ("# - break each part once;\n", "", "the objectives"),
        ("**To know before:** nothing.", "", "what to know before is missing"),
        ('sb.report.measured_cost("99_sample")', "", "the measured cost"),
        ("# %pip install -q --no-deps git+https://github.com/A/b", "pass", "set-up that installs"),
        ("--no-deps ", "", "must install with --no-deps"),
        ('# %% tags=["parameters"]', "# %%", "the cell tagged 'parameters' is missing"),
        ("steps = 3  # steps, n", "steps = 3", "'steps = 3' needs a comment"),
        ("steps = 3  #", "steps = int(3)  #", "literal values only"),
        ("steps = 3  # steps, n", "import math  # steps, n", "literal values only"),
        ("**What you should see.**", "", "what you should see"),
        ("$", "", "no formula"),
        ("sb.report.slider(", "print(", "nothing to move"),
        ("sb.report.record(", "print(", "no number goes to the ledger"),
        ('tags=["hide-cell"]', "", "one hidden cell, tagged hide-cell"),
        ("sb.report.studied(", "print(", "what the papers report is missing"),
        ('steps / 2, "steps")', 'steps / 2, "steps", published="dc.mnist.whole")', "a lesson judges nothing"),
        ("Three<", "{glue:text}`a.b:.0f`<", "numbers stand in sentences as text"),
        ("# long cell", "\n".join("pass" for _ in range(31)), "a cell has 3"),
        ("# long cell", "\n\n# %%\n".join("\n".join("pass" for _ in range(29)) for _ in range(9)), "250 at most"),
        ("# long cell", "\n\n# %%\n".join("\n".join("pass" for _ in range(11)) for _ in range(9)), "ten at most"),
        ("steps = 3  # steps, n", "\n".join(f"a{i} = {i}  # n" for i in range(13)), "a dozen at most"),
        ("# ## References", "#", "'References' is missing"),
        ("# NBVAL_CHECK_OUTPUT\nprint(steps)", "print(steps)", "2 cells have a checked output"),
        ("# **Exercise 2.**", "#", "1 exercises; two at least"),
        ("<details><summary>Solution</summary>", "Solution:", "0 hidden solutions"),
        ("# </details>\n#\n# ## References", "#\n# ## References", "<details> is not closed"),
        ('alt=f"{steps} grey squares in a row.", ', "", "show(...) without alt"),
        ('alt=f"{steps} grey squares in a row."', 'alt=""', "show(...) without alt"),
        (', caption="Squares."', "", "show(...) without caption"),
        ('["one grey square"], "square"', "description='square'", "slider(...) without alts"),
        ("sb.report.show(figure", "plt.show(figure", "without alt text"),
        ("sb.report.image_grid(images)", "plt.imshow(image)", "interpolation='nearest'"),
        ("print(rates)", "torch.manual_seed(0)", "not from a global seed"),
    ],
)
def test_each_fault_is_noticed(part: str, instead: str, complaint: str) -> None:
    assert part in SAMPLE
    found = problems("99_sample", to_notebook(SAMPLE.replace(part, instead)))
    assert any(complaint in message for message in found), found


def test_order_matters() -> None:
    head, setup, parameters, rest = SAMPLE.split("\n# %%", 3)
    found = problems("99_sample", to_notebook("\n# %%".join((head, setup, rest, parameters)) + "\n"))
    assert any("must come after" in message for message in found), found

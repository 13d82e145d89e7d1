"""A chapter that holds one of everything a chapter may hold, for the tests of the website."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

OPENING = """\
[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/simplebits/blob/main/notebooks/chapter.ipynb)

# One of everything

**A chapter for tests.** The bits of an image follow from its density {cite:p}`schirrmeister2022simplebits`:

$$ \\mathrm{bpd}(x) = b - \\frac{\\log p(g)}{d \\ln 2} $$

with $b$ bits a channel, see [the glossary](../book/symbols.md).
"""

SET_UP = """\
import matplotlib.pyplot as plt
import torch

from simplebits.report import figures
from simplebits.report.slider import slider

figures.style()
images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
images[1:] = images[1:].mean((2, 3), keepdim=True)
"""

LINES = """\
figure, axes = plt.subplots()
axes.plot([0, 1, 4, 9])
axes.set(xlabel="step", ylabel="bits")
figures.show(figure, alt="A curve that rises ever faster.", caption="Bits $b^2$ over steps.")
"""

GRID = """\
figures.show(
    figures.image_grid(images, titles=["noise", "red", "green", "blue\\n0.25"], row_titles=["all"]),
    alt="Four small images, the first is noise, the others are flat.",
)
"""

PIXELS = 'slider(list(images), [f"image {i}" for i in range(4)], [f"Image number {i}." for i in range(4)], "image")'

CURVES = """\
def curve(height):
    figure, axes = plt.subplots(figsize=(4, 2))
    axes.plot([0, height])
    axes.set_ylim(0, 3)
    return figure

slider([curve(h) for h in (1, 2, 3)], ["low", "middle", "high"], [f"A line up to {h}." for h in (1, 2, 3)], "height")
"""

QUIZ = """\
from simplebits.report.quiz import QuizRound, quiz

some, none = torch.tensor([0, 1]), torch.tensor([0, 0])
rounds = [QuizRound("noise", images[:2], some, none), QuizRound("flat", images[2:], some, some)]
quiz(rounds, ["red", "blue"], "What colour is this?")
"""

EXERCISE = """\
## Exercise 1

What is 1 + 1? Change the cell above first.

<details>
<summary>Hint</summary>

Count with $n = 2$ fingers.

</details>

<details><summary>Solution</summary>

Two, *that is* $1 + 1 = 2$.

</details>
"""

RECORD = """\
from myst_nb import glue

glue("answer", 2, display=False)  # as sb.report.record(...) does
"""

TABLE = """\
# NBVAL_CHECK_OUTPUT
from IPython.display import Markdown
Markdown("| verdict | value |\\n|---|---|\\n| measured | 2.5 bits/dim |")
"""


def cells() -> list[Any]:
    """The cells, as a chapter of the book would have them."""
    new = nbformat.v4
    solution = {
        "tags": ["hide-cell", "solution"],
        "jupyter": {"source_hidden": True},
        "cellView": "form",
        "mystnb": {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"},
    }
    return [
        new.new_markdown_cell(OPENING),
        new.new_code_cell(SET_UP, metadata={"tags": ["hide-input"]}),
        new.new_code_cell("seed = 0  # of every random draw", metadata={"tags": ["parameters"]}),
        new.new_code_cell("seed = 1", metadata={"tags": ["injected-parameters"]}),
        new.new_markdown_cell("## Pictures"),
        new.new_code_cell(LINES),
        new.new_code_cell(GRID),
        new.new_code_cell(PIXELS),
        new.new_code_cell(CURVES),
        new.new_code_cell(QUIZ),
        new.new_code_cell(RECORD, metadata={"tags": ["hide-cell"]}),
        new.new_code_cell(TABLE),
        new.new_markdown_cell("The answer is {glue:text}`answer`."),
        new.new_markdown_cell(EXERCISE),
        new.new_code_cell("print(1 + 1, 'is the solution')", metadata=solution),
    ]


def execute(path: Path) -> Path:
    """Write the chapter to `path`, executed."""
    notebook = nbformat.v4.new_notebook(
        cells=cells(), metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    nbformat.write(notebook, path)
    return path

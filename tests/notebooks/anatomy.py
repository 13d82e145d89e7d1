"""The shape that every lesson has: `problems(stem, notebook)` says in sentences where one departs from it.

In order: title with a one-sentence answer, objectives, what to know before, the measured cost and the set-up,
parameters; then the sections with what the reader should see, something to move and a number for the ledger; exercises
with hidden solutions; references. Every figure has alt text and a caption.
"""

from __future__ import annotations

import ast
import itertools
import re
import statistics
from collections.abc import Iterator

from lessons import is_checked, parameters, tagged
from nbformat import NotebookNode

FOLDED = ("hide-input", "hide-cell", "remove-cell", "remove-input")


def problems(stem: str, notebook: NotebookNode) -> list[str]:
    """What to mend in a lesson; an empty list where nothing is amiss."""
    rules = [_title, _opening, _parameters, _sections, _checked, _exercises, _figures, _code, _size, _teaches]
    return [f"{stem}: {message}" for rule in rules for message in rule(stem, notebook)]


def _title(stem: str, notebook: NotebookNode) -> Iterator[str]:
    first = notebook.cells[0]
    title = re.search(r"(?m)^# +(\S.*)$", first.source) if first.cell_type == "markdown" else None
    if title is None:
        yield "the first cell must be text with the title, '# ...'"
        return
    answer = first.source[title.end() :].strip().split("\n\n")[0].strip("*_ \n")
    if not answer.endswith((".", "!")) or len(answer.split()) > 80:
        yield f"after the title comes the lesson's answer in one sentence, not {answer[:60]!r}"
    if not re.search(rf"colab\.research\.google\.com/github/\S+/notebooks/{stem}\.ipynb", first.source):
        yield "the first cell needs the Colab badge that opens this file (`simplebits address` keeps its address right)"


def _opening(stem: str, notebook: NotebookNode) -> Iterator[str]:
    """Each part of the opening, and that they come in order."""
    parts = {
        "the title": lambda c: c.cell_type == "markdown" and re.search(r"(?m)^# ", c.source),
        "the objectives, 'You will' and three list items": lambda c: len(_objectives(c.source)) >= 3,
        "what to know before": lambda c: (
            c.cell_type == "markdown" and re.search(r"(?i)\bknow before\b|\bprerequisites\b", c.source)
        ),
        "the measured cost, sb.report.measured_cost(...)": lambda c: f'measured_cost("{stem}")' in c.source,
        "the set-up that installs the package where it is missing": lambda c: "pip install" in c.source,
        "the cell tagged 'parameters'": lambda c: tagged(c, "parameters"),
        "a section, '## ...'": lambda c: c.cell_type == "markdown" and re.search(r"(?m)^## ", c.source),
    }
    found = {name: next((i for i, c in enumerate(notebook.cells) if test(c)), None) for name, test in parts.items()}
    yield from (f"{name} is missing" for name, index in found.items() if index is None)
    placed = [(index, name) for name, index in found.items() if index is not None]
    opening = {
        "the measured cost, sb.report.measured_cost(...)",
        "the set-up that installs the package where it is missing",
    }
    for (i, before), (j, after) in itertools.pairwise(placed):
        if j < i and not {before, after} <= opening:
            yield f"{after} must come after {before}"


def _objectives(source: str) -> list[str]:
    """The list items after the words 'You will'."""
    _, _, rest = source.partition("You will")
    return re.findall(r"(?m)^\s*(?:[-*+]|\d+\.) +\S", rest)


def _parameters(stem: str, notebook: NotebookNode) -> Iterator[str]:
    cells = [cell for cell in notebook.cells if tagged(cell, "parameters")]
    if len(cells) > 1:
        yield "two cells are tagged 'parameters'; papermill knows one"
    for cell in cells:
        lines = cell.source.splitlines()
        for node in ast.parse(cell.source).body:
            text = ast.unparse(node)
            try:
                ast.literal_eval(node.value)  # type: ignore[attr-defined]
            except (AttributeError, ValueError):
                yield f"the parameters cell holds names with literal values only, not {text!r}"
            if not any("# " in line for line in lines[node.lineno - 1 : node.end_lineno]):
                yield f"the parameter {text!r} needs a comment with its meaning and unit or symbol"


def _sections(stem: str, notebook: NotebookNode) -> Iterator[str]:
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    code = _calls(notebook)
    if "you should see" not in text.lower():
        yield "no section says in words what you should see"
    if "$" not in text:
        yield "no formula: the equation that the lesson is about belongs beside its code"
    if "slider" not in code:
        yield "nothing to move: one place needs sb.report.slider(...)"
    if "record" not in code:
        yield "no number goes to the ledger: sb.report.record(...)"
    if not re.search(r"(?mi)^#+ +references", text):
        yield "the section 'References' is missing"


def _checked(stem: str, notebook: NotebookNode) -> Iterator[str]:
    count = sum(map(is_checked, notebook.cells))
    if count < 3:
        yield f"{count} cells have a checked output (# NBVAL_CHECK_OUTPUT on a line of its own); three at least"


def _exercises(stem: str, notebook: NotebookNode) -> Iterator[str]:
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    exercises = len(re.findall(r"(?m)^\*\*Exercise\b|\{exercise(?:-start)?\}", text))
    directives = re.findall(r"\{solution(?:-start)?\}[^\n]*\n(?:[ \t]*:[^\n]*\n)*", text)
    hidden = len(re.findall(r"<details>\s*<summary>\s*Solution", text)) + sum("dropdown" in d for d in directives)
    if exercises < 2:
        yield f"{exercises} exercises; two at least"
    if hidden < exercises:
        yield f"{exercises} exercises and {hidden} hidden solutions (<details><summary>Solution</summary>)"
    if text.count("<details>") != text.count("</details>"):
        yield "a <details> is not closed"


def _figures(stem: str, notebook: NotebookNode) -> Iterator[str]:
    """Every show(figure, alt, caption) and slider(frames, labels, alts, description) says what is to be seen."""
    wanted = {"show": ("figure", "alt", "caption"), "slider": ("frames", "labels", "alts", "description")}
    for name, calls in _calls(notebook).items():
        for call in calls:
            if name == "show" and ast.unparse(call.func).split(".")[0] in {"plt", "pyplot"}:
                yield f"{ast.unparse(call)} leaves a figure without alt text: use sb.report.show(figure, alt, caption)"
            elif name in wanted:
                given = dict(zip(wanted[name], call.args, strict=False)) | {
                    k.arg: k.value for k in call.keywords if k.arg
                }
                for argument in wanted[name][1:]:
                    value = given.get(argument)
                    if value is None or (isinstance(value, ast.Constant) and not value.value):
                        yield f"{name}(...) without {argument}: {ast.unparse(call)[:70]}"
            elif name == "imshow" and "nearest" not in ast.unparse(call):
                yield f"{ast.unparse(call)[:70]}: pictures need interpolation='nearest' (sb.report.image_grid has it)"


def _code(stem: str, notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if "pip install" in cell.source and "--no-deps" not in cell.source:
            yield "the set-up must install with --no-deps, so that torch and numpy stay as they are"
        if re.search(r"\btorch\.manual_seed\(|\bnp\.random\.seed\(", cell.source):
            yield "randomness comes from a generator with a seed, not from a global seed"
        if cell.get("outputs") or cell.get("execution_count"):
            yield "a committed notebook holds no outputs"


def _size(stem: str, notebook: NotebookNode) -> Iterator[str]:
    """A lesson is read in one sitting."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    visible = [cell for cell in code if not any(tagged(cell, tag) for tag in FOLDED)]
    lines = [len([line for line in cell.source.splitlines() if line.strip()]) for cell in visible]
    if sum(lines) > 250:
        yield f"{sum(lines)} visible lines of code; 250 at most"
    if lines and statistics.median(lines) > 10:
        yield f"half of the cells have more than {statistics.median(lines):.0f} lines; ten at most"
    if max(lines, default=0) > 30:
        yield f"a cell has {max(lines)} lines; 30 at most"
    if (count := len(parameters(notebook))) > 12:
        yield f"{count} parameters; a dozen at most"


def _teaches(stem: str, notebook: NotebookNode) -> Iterator[str]:
    """A lesson proves nothing: its numbers are text, its verdicts are the studies'."""
    calls = _calls(notebook)
    if "studied" not in calls:
        yield "what the papers report is missing: sb.report.studied(...)"
    if any(keyword.arg in ("published", "trend") for call in calls.get("record", []) for keyword in call.keywords):
        yield "a lesson judges nothing: published= and trend= belong to a study"
    recording = [i for i, cell in enumerate(notebook.cells) if "report.record(" in cell.source]
    if len(recording) > 1 or not all(tagged(notebook.cells[i], "hide-cell") for i in recording):
        yield "one hidden cell, tagged hide-cell, hands the numbers of the prose to the ledger"
    if "{glue" in "".join(cell.source for cell in notebook.cells):
        yield "numbers stand in sentences as text, 15.1<!--=name:.1f-->"


def _calls(notebook: NotebookNode) -> dict[str, list[ast.Call]]:
    """All calls in the code, by the last part of the function's name."""
    found: dict[str, list[ast.Call]] = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        # A line that starts with % or ! is for IPython; `pass` keeps the block that it may stand in.
        for node in ast.walk(ast.parse(re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", cell.source))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                found.setdefault(name, []).append(node)
    return found

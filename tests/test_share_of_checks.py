"""A method's file reads as the method: few of its lines look at arguments. What does so lies in `arguments.py`."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "simplebits"
FOLDERS = ("condense", "information", "simplify", "subsets")
FILES = sorted(
    path
    for folder in FOLDERS
    for path in (PACKAGE / folder).glob("*.py")
    if path.name not in ("__init__.py", "arguments.py")
)
TOGETHER, OF_A_FILE = 0.10, 0.20
# What a computation has come to, or a package that is not installed: no fault of an argument.
OUTCOMES = {"FloatingPointError", "CollapseError", "ImportError"}
SAMPLE = '''"""Five of twelve lines of code are checks: two calls, and the three lines of an `if`."""
from simplebits import _check
from simplebits.subsets.arguments import masks_fit


def method(x, masks):
    """Compute."""
    _check.positive("x", x)
    masks_fit(masks)
    if x > 1:
        # A comment is no code.
        text = "too large"
        raise ValueError(text)
    total = sum(masks)
    if total != total:
        raise FloatingPointError("NaN")
    return total
'''


def code(tree: ast.Module, text: str) -> set[int]:
    """Lines without those that are empty, comments or docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    described = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented) and ast.get_docstring(node)]
    prose = {line for node in described for line in lines(node)}
    numbered = enumerate(text.splitlines(), 1)
    return {i for i, line in numbered if line.strip() and not line.lstrip().startswith("#")} - prose


def lines(node: ast.stmt, last: ast.stmt | None = None) -> set[int]:
    return set(range(node.lineno, ((last or node).end_lineno or node.lineno) + 1))


def checks(tree: ast.Module) -> set[int]:
    """Lines that refuse something: `raise`, an `if` that ends in one, a statement that only calls a check."""
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    from_arguments = {
        alias.name for node in imported if str(node.module).endswith(".arguments") for alias in node.names
    }
    refusing: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and refuses(node):
            refusing |= lines(node)
        elif isinstance(node, ast.If) and refuses(node.body[-1]):
            refusing |= lines(node, node.body[-1])
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            name = ast.unparse(node.value.func)
            if name in from_arguments or name.startswith("_check."):
                refusing |= lines(node)
    return refusing


def refuses(node: ast.stmt) -> bool:
    raised = node.exc if isinstance(node, ast.Raise) else None
    raised = raised.func if isinstance(raised, ast.Call) else raised
    return isinstance(node, ast.Raise) and (raised is None or ast.unparse(raised) not in OUTCOMES)


def counted(text: str) -> tuple[int, int]:
    """Lines of checks, and of code."""
    tree = ast.parse(text)
    of_code = code(tree, text)
    return len(checks(tree) & of_code), len(of_code)


def test_checks_are_counted_as_a_reader_would():
    assert counted(SAMPLE) == (5, 12)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_method_file_is_mostly_its_method(path):
    of_checks, of_code = counted(path.read_text(encoding="utf-8"))
    assert of_checks <= OF_A_FILE * of_code, f"{of_checks} of {of_code} lines are checks; move them to arguments.py"


def test_method_files_together_hold_few_checks():
    of_checks, of_code = map(sum, zip(*(counted(path.read_text(encoding="utf-8")) for path in FILES), strict=True))
    print(f"{of_checks} of {of_code} lines of code in {len(FILES)} method files are checks: {of_checks / of_code:.1%}")
    assert len(FILES) > 40
    assert of_checks <= TOGETHER * of_code


def test_the_door_stays_small():
    texts = [(PACKAGE / name).read_text(encoding="utf-8") for name in ("_door.py", "_annotations.py")]
    assert sum(counted(text)[1] for text in texts) <= 150

"""The files around the code agree with each other and with the code: one environment, one address, one test command."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import simplebits
from simplebits.run import address

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEST_COMMAND = (
    "python -m pytest -n 2 --dist loadfile --ignore tests/benchmarks",  # two processes share the tests
    "python -m pytest tests/benchmarks",  # ratios of times, alone on the machine
)


def requirements(*extras: str) -> dict[str, Requirement]:
    """By canonical name, what the package needs, and what these extras add; extras that an extra names are followed."""
    found: dict[str, Requirement] = {}
    lines = [line for extra in extras for line in EXTRAS[extra]] if extras else PROJECT["dependencies"]
    for requirement in map(Requirement, lines):
        if requirement.name == "simplebits":
            found |= requirements(*requirement.extras)
        else:
            found[canonicalize_name(requirement.name)] = requirement
    return found


def constraints() -> list[str]:
    """The lines of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pins() -> dict[str, str]:
    """By canonical name, the exact version in constraints.txt."""
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in constraints())}


def pythons() -> list[str]:
    """The versions of Python that the classifiers name."""
    return [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]


# --- one environment -------------------------------------------------------------------------------------------------


def test_every_requirement_is_pinned_to_a_version_that_it_allows() -> None:
    pinned = pins()
    for name, requirement in (requirements() | requirements(*EXTRAS)).items():
        assert name in pinned, f"constraints.txt lacks {name}: make constraints"
        assert requirement.specifier.contains(pinned[name], prereleases=True), (
            f"{requirement}, but {name}=={pinned[name]}"
        )


def test_constraints_are_exact_sorted_and_fit_every_platform() -> None:
    assert all(re.fullmatch(r"[\w.-]+==[\w.!]+", line) for line in constraints()), "NAME==VERSION, nothing else"
    names = [canonicalize_name(line.split("==")[0]) for line in constraints()]
    assert names == sorted(set(names))
    # These exist on Linux with an NVIDIA GPU only; torch itself names the ones that it needs.
    assert not [name for name in names if name.startswith(("nvidia", "cuda", "triton"))]


def test_the_test_extra_holds_all_others() -> None:
    assert set(EXTRAS) == {"book", "test", "attribution", "cluster"}
    assert all(requirements("test").keys() >= requirements(extra).keys() for extra in EXTRAS)


def test_conda_and_binder_get_the_same_environment() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == PROJECT["name"]
    *conda, last = environment["dependencies"]
    python = conda[0].removeprefix("python=")
    assert python in pythons()
    assert python in SpecifierSet(PROJECT["requires-python"])
    # Anything else from conda would be a version that constraints.txt does not know of.
    assert conda[1:] == ["pip"]
    assert last == {"pip": ["-c constraints.txt", "-e .[book]"]}


def test_python_versions_agree() -> None:
    lowest = min(pythons(), key=lambda version: int(version.split(".")[1]))
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert PROJECT["requires-python"] == f">={lowest}"
    assert config["tool"]["ruff"]["target-version"] == "py" + lowest.replace(".", "")
    assert f"sys.version_info < ({lowest.replace('.', ', ')})" in (ROOT / "Makefile").read_text(encoding="utf-8")
    tested = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    versions = tested["jobs"]["everything"]["strategy"]["matrix"]["python"]
    assert set(versions) <= set(pythons())
    assert lowest in versions, "the oldest version is tested"


def test_pre_commit_uses_the_same_versions() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    used = [line.split("==") for hook in hooks for line in hook["additional_dependencies"]]
    assert {"ruff", "jupytext"} <= {name for name, _ in used}
    for name, version in used:
        assert pins().get(name, version) == version, f"pre-commit has {name}=={version}, constraints.txt {pins()[name]}"


def imports(path: Path, *, at_the_top: bool = False) -> set[str]:
    """The names of the packages that a file imports: anywhere in it, or only when it is itself imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if at_the_top else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"simplebits"}


@pytest.mark.parametrize(
    "folder", sorted(p.name for p in (ROOT / "simplebits").iterdir() if (p / "__init__.py").is_file())
)
def test_what_is_imported_is_declared(folder: str) -> None:
    # The runner, and the display of results inside a notebook, may use what an extra brings; methods only what brings
    # attributions and calibration, and inside the functions that need it: the rest works without.
    allowed = requirements() | (requirements("book", "cluster") if folder in ("run", "report") else {})
    provided = packages_distributions()
    for path in sorted((ROOT / "simplebits" / folder).rglob("*.py")):
        for name in imports(path):
            distributions = {canonicalize_name(d) for d in provided.get(name, [name])}
            indirect = {
                "IPython": "ipywidgets",
                "cycler": "matplotlib",
                "jupyter_client": "nbclient",
                "sphinx": "jupyter-book",
            }
            here = allowed if name in imports(path, at_the_top=True) else allowed | requirements("attribution")
            assert distributions & here.keys() or indirect.get(name) in allowed, (
                f"{path.relative_to(ROOT)} imports {name}, which no requirement in pyproject.toml brings"
            )


# --- what ships ------------------------------------------------------------------------------------------------------


def test_the_wheel_holds_weights_published_numbers_and_licence(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    assert f"simplebits-{simplebits.__version__}-" in wheel
    assert {"simplebits/report/published.yml", "simplebits/py.typed"} <= names
    weights = {path.relative_to(ROOT).as_posix() for path in (ROOT / "simplebits/density/weights").glob("*.*")}
    assert {Path(name).suffix for name in weights} == {".json", ".safetensors"}
    assert weights <= names
    assert any(name.endswith("LICENSE") for name in names)
    assert all(name.startswith(("simplebits/", "simplebits-")) for name in names), "nothing but the package"
    entry = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert "simplebits = simplebits.run.cli:main" in entry


def test_git_leaves_out_what_is_made_and_nothing_else() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    made = ["_build/html/index.html", ".venv/bin/python", "book/results/smoke/x.json", "simplebits/__pycache__/x.pyc"]
    kept = ["simplebits/density/weights/glow.safetensors", "book/results/laptop/x.json", ".ci/run", "constraints.txt"]
    result = subprocess.run(
        ["git", "check-ignore", *made, *kept], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.stdout.split() == made


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == simplebits.__version__
    assert len(citation["references"]) == 5, "the five papers"


# --- one address -----------------------------------------------------------------------------------------------------


def test_everything_that_names_the_address_agrees() -> None:
    assert address.disagreements(ROOT) == []
    assert PROJECT["urls"] == {"Repository": address.current(ROOT)}
    assert README.count(address.slug(address.current(ROOT))) >= 5, "badges, clone and install lines"


# --- the README and the commands -------------------------------------------------------------------------------------


def test_the_readme_states_the_test_command_that_make_and_the_checks_run() -> None:
    block = "\n".join(TEST_COMMAND)
    assert f"**the test command is**\n\n```bash\n{block}\n```" in README
    assert [line for line in CI.split("\n") if line.startswith("python -m pytest")] == list(TEST_COMMAND)
    assert [f"\t$(BIN)/{line}" for line in TEST_COMMAND] == re.findall(
        r"^\t.*-m pytest.*$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M
    )


def test_the_readme_gives_make_pip_and_conda() -> None:
    for line in (
        "make book",
        "make test",
        'pip install -c constraints.txt -e ".[book]"',
        "simplebits book",
        "conda env create -f environment.yml",
    ):
        assert line in README


def test_what_the_readme_names_is_there() -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    table = re.findall(r"`([^`\n]+)`", README.partition("## Find your way")[2].partition("\nAfter")[0])
    assert linked
    for name in [*linked, *(name for name in table if "/" in name or "." in name)]:
        places = [ROOT / name, ROOT / "notebooks" / name, ROOT / "book" / "results" / name]
        assert name.startswith(".py") or name == ".ipynb" or any(place.exists() for place in places), name


def test_the_readme_names_every_profile() -> None:
    files = {path.stem for path in (ROOT / "notebooks" / "profiles").glob("*.yml")} | {"laptop"}
    assert set(re.findall(r"(?m)^\| `(\w+)`[^|]*\| [^|]*\| [^|]*\| [^|]*\|$", README)) == files


def test_the_readme_examples_run() -> None:
    """One after the other, as a reader would; the training with fewer steps."""
    examples = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    shortened = examples.replace("steps=150, warm_up=200", "steps=2, warm_up=2, progress=False")
    assert shortened != examples
    names: dict[str, object] = {}
    exec(compile(shortened, "<the examples>", "exec"), names)  # noqa: S102 -- our own text
    assert names["simple"].images.shape == (510, 3, 16, 16)
    assert 0.9 < names["kept"].task_overall < 1.1
    bits = names["bits"]
    assert bits.shape == (8,)
    assert bool((bits > 0).all())
    assert bool((bits < 9).all())


@pytest.fixture
def makefile(tmp_path: Path) -> Path:
    """A folder with what make looks at, and nothing installed."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in a folder."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "PROFILE", "PYTHON"))}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)


def test_make_book_makes_an_environment_installs_and_builds(makefile: Path) -> None:
    steps = ["-m venv .venv", "--constraint constraints.txt --editable '.[book]'", "simplebits book --profile laptop"]
    said = make(makefile, "--dry-run", "book").stdout
    places = [said.find(step) for step in steps]
    assert -1 < places[0] < places[1] < places[2], said


def test_make_installs_once_and_again_when_versions_change(makefile: Path) -> None:
    (makefile / ".venv" / "bin").mkdir(parents=True)
    (makefile / ".venv" / "bin" / "python").touch()
    (makefile / ".venv" / "test.stamp").touch()
    assert make(makefile, "--dry-run", "test").stdout.split("\n")[:-1] == [f".venv/bin/{line}" for line in TEST_COMMAND]
    later = (makefile / ".venv" / "test.stamp").stat().st_mtime + 10
    os.utime(makefile / "constraints.txt", (later, later))
    said = make(makefile, "--dry-run", "test").stdout
    assert "'.[test]'" in said
    assert "-m venv" not in said


def test_make_says_which_python_it_needs(makefile: Path) -> None:
    result = make(makefile, "book", "PYTHON=false")
    assert result.returncode != 0
    assert "Python 3.11 or newer is needed" in result.stderr
    assert not (makefile / ".venv").exists()


# --- the checks on a server ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [".ci/run", ".github/colab.sh", ".github/report.sh"])
def test_scripts_are_executable_and_parse(name: str) -> None:
    path = ROOT / name
    assert os.access(path, os.X_OK)
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in path.read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", str(path)], check=True)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_bounded(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}, "jobs that need more say so themselves"
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 360
        for step in job["steps"]:
            assert "uses" not in step or re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]), step
            assert "${{" not in step.get("run", ""), "values reach a script through env, where they cannot be code"
            for script in re.findall(r"\.github/\w+\.sh|\.ci/run", step.get("run", "")):
                assert (ROOT / script).is_file()


def test_there_are_the_four_workflows() -> None:
    assert [path.stem for path in WORKFLOWS] == ["colab", "links", "publish", "tests"]

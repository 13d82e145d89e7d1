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
from email import message_from_string
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
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
    assert set(EXTRAS) == {"book", "test", "attribution", "cluster", "onnx"}
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


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Wherever an import stands: at the top, inside a function, or for type checkers only."""
    files = {module(path): path for path in (ROOT / "simplebits").rglob("*.py")}
    imported = {name: own_imports(path, files) - {name} for name, path in files.items()}
    while free := {name for name, others in imported.items() if not others}:
        imported = {name: others - free for name, others in imported.items() if name not in free}
    while unused := imported.keys() - set().union(*imported.values()):
        imported = {name: others for name, others in imported.items() if name not in unused}
    assert not imported, "\n".join(f"{name} imports {', '.join(sorted(others))}" for name, others in imported.items())


def module(path: Path) -> str:
    """The name by which a file of the package is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def own_imports(path: Path, files: dict[str, Path]) -> set[str]:
    """The modules of the package that a file imports."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= names if names <= files.keys() else (names & files.keys()) | {str(node.module)}
    return imported & files.keys()


# --- what ships ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from this checkout."""
    from hatchling.builders.wheel import WheelBuilder

    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    return zipfile.ZipFile(path)


def about(wheel: zipfile.ZipFile, name: str) -> str:
    """A file of the wheel's metadata."""
    return wheel.read(f"simplebits-{simplebits.__version__}.dist-info/{name}").decode()


def test_the_wheel_holds_what_git_holds_of_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if not name.startswith("simplebits-")}
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "simplebits"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        kept = {name for name in listed if (ROOT / name).is_file()}
        assert names == kept | {"simplebits/report/published.yml"}
    assert {"simplebits/report/published.yml", "simplebits/py.typed", "simplebits/__main__.py"} <= names
    for folder in ("simplebits/density/weights/", "simplebits/condense/sets/"):
        shipped = {name for name in names if name.startswith(folder)}
        assert {Path(name).suffix for name in shipped} == {".json", ".safetensors"}
        assert all(str(Path(name).with_suffix(".json")) in shipped for name in shipped), "each with its card"
    assert about(wheel, "licenses/LICENSE").startswith("MIT")


def test_the_wheel_says_what_it_needs(wheel: zipfile.ZipFile) -> None:
    needs = [Requirement(value) for value in message_from_string(about(wheel, "METADATA")).get_all("Requires-Dist")]
    plain = {requirement.name for requirement in needs if requirement.marker is None}
    assert plain == {
        "jaxtyping", "numpy", "pillow", "pooch", "safetensors", "scikit-image", "scikit-learn", "scipy", "torch",
        "torchvision", "tqdm",
    }  # fmt: skip
    extra = {canonicalize_name(r.name) for r in needs if r.marker and r.marker.evaluate({"extra": "book"})}
    assert extra >= {"click", "ipywidgets", "matplotlib", "packaging", "papermill", "pyyaml", "jupyter-book"}
    assert "simplebits = simplebits.__main__:main" in about(wheel, "entry_points.txt")


@pytest.fixture(scope="module")
def without_extras(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `pip install simplebits` brings: the wheel, its requirements and theirs, and no more."""
    folder = tmp_path_factory.mktemp("site")
    wheel.extractall(folder)
    waiting, seen = list(requirements()), set()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # torch names libraries for GPUs that are not installed everywhere
            continue
        for top in {file.parts[0] for file in installed.files or () if file.parts[0] not in ("..", "__pycache__")}:
            if not (folder / top).exists():
                (folder / top).symlink_to(installed.locate_file(top))
        wanted = map(Requirement, installed.requires or ())
        waiting += [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    return folder


def run_without_extras(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python with that folder alone, away from the checkout."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV_"))}
    return subprocess.run(
        [sys.executable, "-S", *words],
        cwd=folder.parent,
        env=clean | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_methods_need_nothing_of_jupyter(without_extras: Path) -> None:
    script = """
import simplebits as sb, sys, torch
assert sb.__file__.startswith(sys.argv[1]), sb.__file__
for name in sorted({*sb.__all__} - {"report", "run"}):
    getattr(sb, name)
images = sb.data.load("digits", "test").draw(8)
print(sb.density.load("glow-16px").bits_per_dim(images.to_float(size=16, channels=3)).shape)
print(len(sb.condense.load("mnist", method="gradient", images_per_class=1).labels))
for missing in ("IPython", "click", "ipywidgets", "matplotlib", "yaml"):
    try:
        __import__(missing)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{missing} is there, so that nothing was shown")
"""
    result = run_without_extras(without_extras, "-c", script, str(without_extras))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n") == ["torch.Size([8])", "10", ""]


def test_methods_import_nothing_of_jupyter_where_it_is_there() -> None:
    script = """
import sys, simplebits as sb
for name in sorted({*sb.__all__} - {"report", "run"}):
    getattr(sb, name)
print(*sorted({"IPython", "click", "ipywidgets", "matplotlib", "yaml"} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=240)
    assert result.stdout == "\n"


@pytest.mark.parametrize("name", ["report", "run"])
def test_what_needs_the_book_says_so_in_one_sentence(without_extras: Path, name: str) -> None:
    result = run_without_extras(without_extras, "-c", f"import simplebits as sb; sb.{name}")
    last = result.stderr.strip().splitlines()[-1]
    assert re.fullmatch(rf"ModuleNotFoundError: simplebits\.{name}, .*: pip install 'simplebits\[book\]'", last)


def test_the_command_without_the_book_says_so_in_one_sentence(without_extras: Path) -> None:
    result = run_without_extras(without_extras, "-m", "simplebits", "run", "01")
    assert result.returncode == 1
    assert result.stdout == ""
    assert re.fullmatch(
        r"The command simplebits needs click, IPython, ipywidgets, matplotlib, yaml, not installed here: "
        r"pip install 'simplebits\[book\]'\n",
        result.stderr,
    )


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
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    dated = re.search(r"^## \[(\d\S+)\] - (\S+)$", changes, re.M)
    assert dated, "the newest version with its date"
    assert (citation["version"], citation["date-released"]) == dated.groups()
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


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", ".github/pull_request_template.md"])
def test_what_contributors_are_told_of_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = {link for link in re.findall(r"\]\((?!http)([^)#]+)\)", text) if not link.startswith("../../security")}
    paths = {path for path in re.findall(r"`([\w./]+/[\w./]*|[\w./]+\.(?:py|yml|md|cff))`", text) if "NAME" not in path}
    made = {"_build/artefacts/", "book/results/artefacts/", "notebooks/NN_slug.py"}
    bases = [ROOT, ROOT / "simplebits", ROOT / "book" / "results"]
    gone = [path for path in links | paths - made if not any((base / path).exists() for base in bases)]
    assert not gone, gone


def test_the_readme_leads_to_what_contributors_read() -> None:
    assert {"CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"} <= set(re.findall(r"\]\(([^)]+)\)", README))


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_issue_forms_have_the_shape_that_github_reads(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert form == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= form.keys() <= {"name", "description", "labels", "body"}
    assert len({part["id"] for part in form["body"]}) == len(form["body"])
    for part in form["body"]:
        assert part["type"] in ("input", "textarea", "dropdown")
        assert part["attributes"]["label"]
        assert part.keys() <= {"type", "id", "attributes", "validations"}
    asked = [part for part in form["body"] if part.get("validations", {}).get("required")]
    assert 1 <= len(asked) <= 4, "what is needed, and no more"


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


def test_style_and_types_are_among_the_checks() -> None:
    make_lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    for command in ("ruff check", "ruff format --check", "pyright --warnings", "tests/notebooks/pairing.py"):
        assert re.search(rf"^\S*\s?\S*{command}$", CI, re.M), f"{command} in .ci/run"
        assert command in make_lint
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pyright"]
    assert config == {"include": ["simplebits"], "typeCheckingMode": "basic", "pythonVersion": pythons()[0]}


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


def test_there_are_the_five_workflows() -> None:
    assert [path.stem for path in WORKFLOWS] == ["colab", "links", "publish", "tests", "weekly"]

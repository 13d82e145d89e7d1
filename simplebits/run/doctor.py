"""What is installed and what is missing, in plain words, each with the command that mends it."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from simplebits import _here
from simplebits.run import address, notebook, root

Requirement = tuple[str, str, str]  # extra ("" for what is always needed), name, the requirement as written
_EXTRAS = {
    "": "the library",
    "book": "the book",
    "test": "the tests",
    "attribution": "attributions",
    "cluster": "sweeps",
    "onnx": "export to ONNX",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        level: `ok`; `note`: missing, and the book can be built without it; `bad`: the book cannot be built.
        text: what was found.
        mend: the command or step that mends it.
    """

    level: str
    text: str
    mend: str = ""


def examine() -> Iterator[Finding]:
    """Everything, one finding after another; a check that itself fails is a finding too."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _jupyter_book,
        _kernel,
        _devices,
        _room,
        _checkout,
        _weights,
        _data,
        _browser,
    )
    for check in checks:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 a broken installation raises anything; say so and go on
            name = check.__name__.strip("_").replace("_", "-")
            yield Finding(
                "bad",
                f"looking at {name} failed: {type(error).__name__}: {error}",
                f"pip install --force-reinstall {_source('book')}",
            )


def _python() -> Iterator[Finding]:
    ok = sys.version_info >= (3, 11)
    yield Finding(
        "ok" if ok else "bad",
        f"Python {platform.python_version()} at {sys.executable}",
        "" if ok else "Python 3.11 or newer is needed: conda env create -f environment.yml",
    )


def requirements() -> list[Requirement]:
    """Read what the package needs: from its installed metadata, or from pyproject.toml if it is not installed."""
    try:
        lines = requires("simplebits") or []
        found = [(_extra(line), line.partition(";")[0]) for line in lines]
    except PackageNotFoundError:
        import tomllib

        folder = Path(__file__).parents[2]
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        groups = {"": project.get("dependencies", []), **project.get("optional-dependencies", {})}
        found = [(extra, line.partition(";")[0]) for extra, lines in groups.items() for line in lines]
    named = [(extra, m[0], line.strip()) for extra, line in found if (m := re.match(r"[\w.-]+", line.strip()))]
    return [entry for entry in named if entry[1].lower() != "simplebits"]


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement as Parsed

    needed = requirements()
    for extra in dict.fromkeys(entry[0] for entry in needed):
        here, wrong = [], []
        for name, written in (entry[1:] for entry in needed if entry[0] == extra):
            try:
                fits = Parsed(written).specifier.contains(have := version(name), prereleases=True)
                (here if fits else wrong).append(f"{name} {have}" + ("" if fits else f" (wanted {written})"))
            except PackageNotFoundError:
                wrong.append(name)
        what = _EXTRAS.get(extra, extra)
        if wrong:
            level = "bad" if extra in ("", "book") else "note"
            yield Finding(
                level,
                f"for {what}, missing or of the wrong version: {', '.join(wrong)}",
                f"pip install {_source(extra)}",
            )
        else:
            yield Finding("ok", f"for {what}: {', '.join(here)}")


def _extra(line: str) -> str:
    found = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
    return found[1] if found else ""


def _source(extra: str) -> str:
    """Name what to hand to pip: the checkout, where there is one."""
    own = f"[{extra}]" if extra else ""
    return f"-e '.{own}'" if _here.repository() else f"'simplebits{own}'"


def _jupyter_book() -> Iterator[Finding]:
    try:
        have = version("jupyter-book")
    except PackageNotFoundError:
        yield Finding("bad", "jupyter-book is not installed", "pip install 'jupyter-book<2'")
        return
    if have.split(".")[0] == "1":
        yield Finding("ok", f"jupyter-book {have}")
    else:
        yield Finding(
            "bad",
            f"jupyter-book {have}: version 2 is another program and cannot build this book",
            "pip install 'jupyter-book<2'",
        )


def _kernel() -> Iterator[Finding]:
    mend = f"{sys.executable} -m ipykernel install --sys-prefix"
    if not all(importlib.util.find_spec(name) for name in ("ipykernel", "jupyter_client")):
        yield Finding("bad", "no Jupyter kernel: ipykernel is not installed", "pip install 'simplebits[book]'")
        return
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # as the runner does
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        yield Finding("bad", "no Jupyter kernel named python3", mend)
        return
    command = spec.argv[0]
    # Jupyter itself replaces a bare "python" by the one it runs in.
    if command in ("python", "python3") or Path(command).absolute() == Path(sys.executable).absolute():
        yield Finding("ok", "the kernel python3 runs this Python")
    else:
        yield Finding("bad", f"the kernel python3 runs {command}, not {sys.executable}", mend)


def _devices() -> Iterator[Finding]:
    import torch

    yield Finding("ok", f"CPU: {os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads")
    for index in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(index).total_memory / 1e9
        yield Finding("ok", f"GPU {index}: {torch.cuda.get_device_name(index)}, {memory:.0f} GB (cuda)")
    if torch.backends.mps.is_available():
        yield Finding("ok", "GPU: Apple (mps)")
    elif not torch.cuda.is_available():
        yield Finding("ok", "no GPU: lessons are made for that; some cases of studies want one")


def _room() -> Iterator[Finding]:
    free = _free_memory()
    if free is not None:
        ok = free > 3e9
        yield Finding(
            "ok" if ok else "note",
            f"memory: {free / 1e9:.1f} GB free; a notebook may take 3",
            "" if ok else "close other programs, and keep --jobs at 1",
        )
    folder = _here.repository() or Path.cwd()
    disk = shutil.disk_usage(folder).free
    level = "ok" if disk > 2e9 else "note" if disk > 2e8 else "bad"
    yield Finding(
        level,
        f"disk: {disk / 1e9:.1f} GB free at {folder}",
        "" if level == "ok" else "free 2 GB there; what lies in _build can be made again",
    )


def _free_memory() -> float | None:
    try:
        import psutil
    except ImportError:
        return None
    return float(psutil.virtual_memory().available)


def _checkout() -> Iterator[Finding]:
    folder = _here.repository()
    if folder is None:
        yield Finding(
            "bad",
            f"{Path.cwd()} is not inside a checkout of the repository: no notebooks to run here",
            f"git clone {root.published_address()}, and work inside it",
        )
        return
    known = notebook.all_of(folder)
    yield Finding(
        "ok" if known else "bad",
        f"checkout: {folder}, {len(known)} notebooks",
        "" if known else "git checkout -- notebooks",
    )
    for one in known:
        if one.pair_differs():
            yield Finding("bad", f"{one.path.name} and its script differ", notebook.MEND)
    if found := address.disagreements(folder):
        yield Finding(
            "note",
            f"{len(found)} places name another address than pyproject.toml ({found[0]})",
            f"simplebits address {address.current(folder)}",
        )


def _weights() -> Iterator[Finding]:
    from simplebits import _files, density
    from simplebits.density import weights

    for name in density.NAMES:
        mend = f"reinstall simplebits (in a clone: git checkout), or make it again: simplebits fit-density {name}"
        path = weights.FOLDER / f"{name}.safetensors"
        try:
            card = density.card(name)
        except (FileNotFoundError, ValueError) as error:
            yield Finding("bad", f"weights {name}: {str(error).split(';')[0]}", mend)
            continue
        if not path.is_file():
            yield Finding("bad", f"weights {name}: {path} is not there", mend)
        elif _files.sha256(path) != card.get("sha256"):
            yield Finding("bad", f"weights {name}: {path} is damaged, its SHA-256 is not the one on its card", mend)
        else:
            yield Finding("ok", f"weights {name}: {path.stat().st_size / 1e6:.1f} MB, SHA-256 as on the card")


def _data() -> Iterator[Finding]:
    from simplebits import data
    from simplebits.run import datasets

    found = datasets.states()
    origin = "from SIMPLEBITS_DATA" if os.environ.get("SIMPLEBITS_DATA") else "set SIMPLEBITS_DATA for another"
    here = [state.name for state in found if state.ready]
    yield Finding("ok", f"data folder: {data.root()} ({origin}); at hand: {', '.join(here)}")
    for state in found:
        if state.state in ("damaged", "incomplete"):
            yield Finding(
                "note", f"data {state.name}, {state.state}: {', '.join(state.files)}", f"simplebits data {state.name}"
            )
    if missing := [state.name for state in found if state.state == "missing"]:
        yield Finding(
            "note",
            f"data not on this machine (smoke and laptop do without): {', '.join(missing)}",
            f"simplebits data {' '.join(missing)}",
        )


def _browser() -> Iterator[Finding]:
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((path for name in names if (path := shutil.which(name))), None)
    if browser and shutil.which("chromedriver"):
        yield Finding("ok", f"browser for the tests of the site: {browser}")
    else:
        yield Finding(
            "note",
            "no Chromium with chromedriver: the browser tests of the site are skipped",
            "apt-get install chromium chromium-driver (or your system's packages)",
        )

"""The profiles name lessons and parameters that exist, with values of the right kind."""

from __future__ import annotations

import pytest
from lessons import FOLDER, ROOT, parameters, read, stems

from simplebits.run import profiles

PROFILES = ("smoke", "standard")  # `laptop` is the defaults in the notebooks


def profile(name: str) -> dict[str, dict[str, object]]:
    """A profile as the runner reads it."""
    return profiles.load(ROOT, name)


def kind(value: object) -> str:
    """What a value may be replaced by; a whole number is a number."""
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_there_is_a_file_for_each() -> None:
    assert sorted(path.stem for path in (FOLDER / "profiles").glob("*.y*ml")) == sorted(PROFILES)


@pytest.mark.parametrize("name", PROFILES)
def test_every_lesson_has_its_entry(name: str) -> None:
    assert sorted(profile(name)) == stems(), f"notebooks/profiles/{name}.yml names each lesson once, and nothing else"


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("stem", stems())
def test_parameters_exist_and_keep_their_kind(name: str, stem: str) -> None:
    defaults = parameters(read(stem))
    assert defaults, f"{stem} has no parameters cell"
    for key, value in profile(name).get(stem, {}).items():
        assert key in defaults, f"{name}.yml: {stem} has no parameter {key!r}; it has {', '.join(defaults)}"
        assert defaults[key] is None or value is None or kind(value) == kind(defaults[key]), (
            f"{name}.yml: {stem}.{key} = {value!r}, but its default is {defaults[key]!r}"
        )


def test_smoke_names_smaller_parameters() -> None:
    for stem in stems():
        assert profile("smoke")[stem], f"{stem} runs in smoke with the laptop's parameters: name smaller ones"

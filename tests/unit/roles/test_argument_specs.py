"""A role's argument_specs and its defaults say the same, and its variables cannot collide with anybody's."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).resolve().parents[3] / "roles").iterdir() if path.is_dir())
each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


@cache
def load(path: Path) -> Any:
    """A file of a role's, to be read only; many tests ask for the same."""
    return yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}


def options(role: Path) -> dict[str, Any]:
    return load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]


def is_computed(value: Any) -> bool:
    """A template: argument_specs hold only plain values, so it stands in the defaults alone."""
    return isinstance(value, str) and "{{" in value


@each_role
def test_every_default_is_specified_and_equal(role: Path) -> None:
    specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
    defaults = load(role / "defaults" / "main.yml")
    assert specified == {name: value for name, value in defaults.items() if not is_computed(value)}
    assert [name for name in defaults if name not in options(role)] == []


@each_role
def test_every_variable_starts_with_the_role_name(role: Path) -> None:
    public = set(options(role))
    internal = set(load(role / "vars" / "main.yml")) if (role / "vars" / "main.yml").exists() else set()
    assert [name for name in public if not name.startswith(f"{role.name}_")] == []
    assert [name for name in internal if not name.startswith(f"__{role.name}_")] == []


@each_role
def test_every_option_says_what_it_is(role: Path) -> None:
    def silent(found: dict[str, Any], path: str = "") -> list[str]:
        return [
            path + name
            for name, option in found.items()
            for missing in (not option.get("description") or "type" not in option,)
            if missing
        ] + [entry for name, option in found.items() for entry in silent(option.get("options", {}), f"{path}{name}.")]

    assert silent(options(role)) == []

"""Write (or check) the options table in each role's README from the role's argument_specs, the only source for both."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- begin options -->", "<!-- end options -->"


def text(value: Any) -> str:
    """One table cell: a description's paragraphs joined, pipes escaped."""
    paragraphs = value if isinstance(value, list) else [value]
    return " ".join(str(paragraph).strip() for paragraph in paragraphs).replace("\n", " ").replace("|", "\\|")


def default(option: dict[str, Any]) -> str:
    """How a README shows an option's default."""
    if option.get("required"):
        return "required"
    if "default" not in option:
        return ""
    value = option["default"]
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (list, dict)) and value:
        flow = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).strip()
        return f"`{flow}`"
    return f"`{value}`" if value not in ("", None) else '`""`'


def rows(options: dict[str, Any], prefix: str = "") -> list[str]:
    """One row for each option, its own options indented below it by their path."""
    lines: list[str] = []
    for name, option in options.items():
        kind = option.get("type", "str")
        if kind == "list" and "elements" in option:
            kind = f"list of {option['elements']}"
        choices = " \\| ".join(f"`{choice}`" for choice in option.get("choices", []))
        meaning = text(option.get("description", "")) + (f" One of {choices}." if choices else "")
        lines.append(f"| `{prefix}{name}` | {kind} | {default(option).replace('|', chr(92) + '|')} | {meaning} |")
        lines.extend(rows(option.get("options", {}), f"{prefix}{name}."))
    return lines


def table(options: dict[str, Any]) -> str:
    """The whole generated part for the role's main entry point."""
    header = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join([BEGIN, "", *header, *rows(options), "", END])


def options_of(role: Path) -> dict[str, Any]:
    """The role's options; defaults that are computed stand in defaults/main.yml alone."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    options: dict[str, Any] = specs["argument_specs"]["main"]["options"]
    return {
        name: {"default": defaults[name], **option} if name in defaults else option for name, option in options.items()
    }


def rewritten(role: Path) -> str:
    """The README as it should be; exits where there is none with the markers, which nobody writes but its author."""
    path = role / "README.md"
    readme = path.read_text() if path.exists() else ""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        sys.exit(f"{role.name}/README.md lacks its markers. Remedy: write it, with {BEGIN} and {END} once each")
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    return before + table(options_of(role)) + after


def main() -> int:
    """Write with --write; otherwise name the READMEs that differ and return 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true")
    choice.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    stale = []
    for role in sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir()):
        wanted = rewritten(role)
        readme = role / "README.md"
        if readme.read_text() != wanted:
            stale.append(role.name)
            if arguments.write:
                readme.write_text(wanted)
    if stale and arguments.check:
        print(f"README.md differs from argument_specs in: {', '.join(stale)}. Remedy: make docs")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

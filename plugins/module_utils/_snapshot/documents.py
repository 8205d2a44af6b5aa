# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text into documents: YAML as kubectl reads it, or JSON. An error says in which document and line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any, Dict, List, NamedTuple, Tuple

from .errors import SnapshotError

IMPORT_ERROR = ""
try:
    import yaml
except ImportError as error:
    IMPORT_ERROR = str(error)

# An alias needs one of these before its star; a star in quotes has none.
_ALIAS = re.compile(r"(?:^|[\s\[{,:-])\*[^\s*/]", re.MULTILINE)
# Aliases may make a document this many times as big as it is written, which is more than people ever need.
_MOST_EXPANSION = 100
_MOST_DEPTH = 200
_FAR_IN = re.compile(rf"^[ \t?:-]{{{_MOST_DEPTH},}}", re.MULTILINE)
_INTEGER = re.compile(r"[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+")
_YAML_ENDINGS = (".yaml", ".yml", ".yaml.gz", ".yml.gz")
_AS_TEXT = ("timestamp", "value", "binary")


class Document(NamedTuple):
    """One document of a file, and where it begins."""

    number: int
    line: int
    value: Any


def documents(name: str, text: str) -> Iterator[Document]:
    """The documents of a file's text; `name` is the file's, for errors. Empty documents are left out."""
    start = text.lstrip()[:1]
    if start in ("{", "["):
        try:
            yield from _json(text)
            return
        except ValueError as error:
            # A flow mapping of YAML begins alike.
            if not name.endswith(_YAML_ENDINGS) and not _is_yaml_flow(text):
                raise _wrong(name, getattr(error, "lineno", 0), 0, f"is not JSON: {error}") from error
        except RecursionError as error:
            raise _too_deep(name) from error
    yield from _yaml(name, text)


def _json(text: str) -> Iterator[Document]:
    """One JSON document, or several one after the other as `kubectl get --watch -o json` writes them."""
    decoder = json.JSONDecoder()
    found: List[Document] = []
    place, line = 0, 1
    while True:
        begin = _after_blanks(text, place)
        line += text.count("\n", place, begin)
        if begin == len(text):
            break
        value, place = decoder.raw_decode(text, begin)
        found.append(Document(len(found) + 1, line, value))
        line += text.count("\n", begin, place)
    yield from found


def _after_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _is_yaml_flow(text: str) -> bool:
    """Whether it can only be YAML: JSON has its keys in quotes."""
    return re.match(r"\s*[\[{]\s*[A-Za-z]", text) is not None


def _yaml(name: str, text: str) -> Iterator[Document]:
    if IMPORT_ERROR:
        raise SnapshotError(
            f"{name} is YAML, and the Python library PyYAML cannot be imported by {sys.executable} ({IMPORT_ERROR}). "
            f"Remedy: {sys.executable} -m pip install PyYAML; or give the file as JSON."
        )
    number = 1
    # A template of Helm looks nearly like YAML.
    remedy = "render it first (helm template), and name the result" if "{{" in text else ""
    try:
        _refuse_depth(name, text)
        loader = _loader_class()(text)
        has_aliases = _ALIAS.search(text) is not None
        while loader.check_node():
            node = loader.get_node()
            line = node.start_mark.line + 1
            if has_aliases:
                _refuse_bomb(name, number, line, node)
            value = loader.construct_document(node)
            if value is not None:
                yield Document(number, line, value)
            number += 1
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = f"is not YAML: {error.problem or error.context}"
        raise _wrong(name, mark.line + 1 if mark else 0, number, why, remedy) from error
    except yaml.YAMLError as error:  # a character that YAML does not know
        line = text.count("\n", 0, getattr(error, "position", 0) or 0) + 1
        why = " ".join(str(error).split())
        raise _wrong(name, line, number, f"is not YAML: {why}") from error
    except RecursionError as error:
        raise _too_deep(name) from error
    except ValueError as error:  # a number with thousands of digits
        raise _wrong(name, 0, number, f"holds a value that cannot be read: {error}") from error


def _loader_class() -> Any:
    """A safe loader that leaves text as it is where YAML 1.1 sees a date, a time of day or the value `=`."""
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times as fast
    loader: Any = type("Loader", (base,), {})
    loader.yaml_implicit_resolvers = {
        first: [rule for rule in rules if rule[0].rpartition(":")[2] not in (*_AS_TEXT, "int")]
        for first, rules in base.yaml_implicit_resolvers.items()
    }
    loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(f"^(?:{_INTEGER.pattern})$"), list("-+0123456789"))
    for tag in _AS_TEXT:
        loader.add_constructor(f"tag:yaml.org,2002:{tag}", yaml.SafeLoader.construct_yaml_str)
    return loader


def _refuse_depth(name: str, text: str) -> None:
    """libyaml builds documents recursively and would take the whole process down; its events come one by one."""
    if text.count("[") + text.count("{") < _MOST_DEPTH and not _FAR_IN.search(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MOST_DEPTH:
                raise _too_deep(name)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse_bomb(name: str, number: int, line: int, root: Any) -> None:
    """A few lines of aliases of aliases can stand for billions of values."""
    weights: Dict[int, int] = {}
    written = [0]

    def weight(node: Any) -> int:
        written[0] += 1
        known = weights.get(id(node))
        if known == 0:
            raise _wrong(name, node.start_mark.line + 1, number, "has an anchor that contains itself")
        if known is None:
            weights[id(node)] = 0
            total = 1
            if isinstance(node.value, list):
                for child in node.value:
                    total += sum(map(weight, child)) if isinstance(child, tuple) else weight(child)
            known = weights[id(node)] = total
        return known

    total = weight(root)
    if total > written[0] * _MOST_EXPANSION:
        raise _wrong(
            name,
            line,
            number,
            f"has aliases that make {total} values out of {written[0]}, which no manifest needs",
            "write the document without anchors and aliases",
        )


def _too_deep(name: str) -> SnapshotError:
    return SnapshotError(f"{name} is nested too deeply for any manifest. Remedy: name a file of manifests.")


def _wrong(name: str, line: int, number: int, why: str, remedy: str = "") -> SnapshotError:
    return SnapshotError(f"{place_of(name, line, number)} {why}. Remedy: {remedy or 'correct it there'}.")


def place_of(name: str, line: int, number: int) -> str:
    """`file, document 2, line 7`, as far as it is known."""
    parts: Tuple[str, ...] = (name,)
    parts += (f"document {number}",) if number else ()
    parts += (f"line {line}",) if line else ()
    return ", ".join(parts)

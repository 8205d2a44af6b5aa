# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML that somebody else wrote: into plain values as kubectl reads them, with bounds on depth and on aliases.

libyaml composes documents recursively in C, and a deep one takes the whole process down. Its events come one by one:
here they become nodes without recursion, and what is too deep or too much is refused on the way.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from .json_text import MOST_DEPTH
from .unreadable import Unreadable

IMPORT_ERROR = ""
try:
    import yaml
except ImportError as error:
    IMPORT_ERROR = str(error)

_MOST_EXPANSION = 100
_MOST_NODES = 4_000_000
"""Each takes some 600 bytes until the document is whole. A dump of ten thousand pods has as many."""
_BYTES_FOR_EACH = 4
"""Of a text for each of its values beyond the first hundred thousand: what has fewer is made to fill the memory."""
_ALWAYS_ALLOWED = 100_000
_INTEGER = re.compile(r"[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+")
_AS_TEXT = ("timestamp", "value", "binary")


class Document(NamedTuple):
    """One document of a text, and where it begins."""

    number: int
    line: int
    value: Any


def parse(text: str) -> Any:
    """The value of a text of one document, None for an empty one. Raises Unreadable."""
    found = list(documents(text))
    if len(found) > 1:
        raise Unreadable("holds more than one document", found[1].line)
    return found[0].value if found else None


def documents(text: str) -> Iterator[Document]:
    """The documents of a text; empty ones are left out. Raises Unreadable with the line."""
    if IMPORT_ERROR:
        raise Unreadable(f"is YAML, and the Python library PyYAML cannot be imported ({IMPORT_ERROR})")
    number = 1
    try:
        loader = _loader_class()(text)
        try:
            for node in _Composer(loader, len(text)).roots():
                value: Any = loader.construct_document(node)
                if value is not None:
                    yield Document(number, _line_of(node), value)
                number += 1
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = f"is not YAML: {error.problem or error.context}"
        raise Unreadable(why, mark.line + 1 if mark else 0, number) from None
    except yaml.YAMLError as error:  # a character that YAML does not know
        line = text.count("\n", 0, getattr(error, "position", 0) or 0) + 1
        raise Unreadable(f"is not YAML: {' '.join(str(error).split())[:200]}", line, number) from None
    except Unreadable as error:
        raise Unreadable(str(error), error.line, number) from None
    except (ValueError, OverflowError, RecursionError, UnicodeError) as error:  # a number of thousands of digits
        raise Unreadable(f"holds a value that cannot be read: {str(error)[:200]}", 0, number) from None


class _Open(NamedTuple):
    """A collection whose end has not come yet."""

    node: Any
    keys: List[Any]
    anchor: Optional[str]


class _Composer:
    """Events into nodes, as yaml.composer.Composer does, but without recursion and within bounds."""

    def __init__(self, loader: Any, size: int) -> None:
        self._loader = loader
        self._anchors: Dict[str, Any] = {}
        self._weights: Dict[int, int] = {}
        self._written = 0
        self._most = min(_MOST_NODES, max(_ALWAYS_ALLOWED, size // _BYTES_FOR_EACH))

    def roots(self) -> Iterator[Any]:
        """The root node of each document."""
        opened: List[_Open] = []
        root: Any = None
        while True:
            event = self._loader.get_event()
            if event is None or isinstance(event, yaml.StreamEndEvent):
                return
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors, self._weights, self._written, root = {}, {}, 0, None
            elif isinstance(event, yaml.DocumentEndEvent):
                if root is not None:
                    if self._weights[id(root)] > self._written * _MOST_EXPANSION:
                        raise Unreadable(
                            f"has aliases that make {self._weights[id(root)]} values out of {self._written}, which no "
                            "manifest needs",
                            _line_of(root),
                        )
                    yield root
            elif isinstance(event, yaml.CollectionStartEvent):
                if len(opened) >= MOST_DEPTH:
                    raise Unreadable("is nested too deeply", _line_of(event))
                opened.append(self._begin(event))
            elif isinstance(event, yaml.CollectionEndEvent):
                done = opened.pop()
                node = self._end(done, event)
                if opened:
                    self._put(opened[-1], node)
                else:
                    root = node
            elif isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)):
                if self._written > self._most:
                    raise Unreadable(f"is one document of more than {self._most} values", _line_of(event))
                node = self._alias(event) if isinstance(event, yaml.AliasEvent) else self._scalar(event)
                if opened:
                    self._put(opened[-1], node)
                else:
                    root = node

    def _begin(self, event: Any) -> _Open:
        kind = yaml.SequenceNode if isinstance(event, yaml.SequenceStartEvent) else yaml.MappingNode
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(kind, None, event.implicit)
        node = kind(tag, [], event.start_mark, None, flow_style=event.flow_style)
        self._written += 1
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return _Open(node, [], event.anchor)

    def _end(self, done: _Open, event: Any) -> Any:
        done.node.end_mark = event.end_mark
        children = (
            done.node.value
            if isinstance(done.node, yaml.SequenceNode)
            else [node for pair in done.node.value for node in pair]
        )
        self._weights[id(done.node)] = 1 + sum(self._weights[id(child)] for child in children)
        return done.node

    @staticmethod
    def _put(parent: _Open, node: Any) -> None:
        if isinstance(parent.node, yaml.SequenceNode):
            parent.node.value.append(node)
        elif parent.keys:
            parent.node.value.append((parent.keys.pop(), node))
        else:
            parent.keys.append(node)

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark, style=event.style)
        self._written += 1
        self._weights[id(node)] = 1
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Any:
        line = _line_of(event)
        node = self._anchors.get(event.anchor)
        if node is None:
            raise Unreadable(f"is not YAML: found undefined alias {event.anchor!r}", line)
        if id(node) not in self._weights:
            raise Unreadable("has an anchor that contains itself", line)
        self._written += 1
        return node


def _line_of(part: Any) -> int:
    """The line in which an event or a node begins, from 1."""
    line: int = part.start_mark.line
    return line + 1


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

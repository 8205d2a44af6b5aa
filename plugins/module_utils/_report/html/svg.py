# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A graph as SVG. Every place follows from the order of the boxes, so the same graph is the same drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..._foreign.visible import visible
from ..._judgement.states import GOOD, SOURCES
from .graph import Graph, Group, Line, Server
from .looks import look
from .markup import Markup, el, joined
from .tables import short

_WIDTH = 890
_LEFT, _RIGHT = 260, 470
"""Where the left boxes end, and where the right ones begin."""
_ROW, _TITLE, _GAP, _EDGE_OF_PAGE = 24, 28, 12, 4
_NAME_ROW = 17
_MOST_NAMES = 6
_MARKS_AT, _MARK = 318, 32
_LETTERS_LEFT, _LETTERS_RIGHT = 28, 46
_BADGE, _LETTER = 18, 7
"""The height of a badge with a group's letter, and what a further letter adds to its width."""
_MOST_GROUPS_WITH_ALL = 6


class _Box:
    """A box's place."""

    def __init__(self, top: float, height: float) -> None:
        self.top, self.height = top, height
        self.bottom = top + height


def svg(graph: Graph, describing: str, key: str) -> Markup:
    """The drawing. `key` makes the ids in it unique in the page."""
    right = _stacked([_TITLE + _ROW * max(1, len(server.lines)) + 6 for server in graph.servers], 0)
    heights = [_TITLE + _NAME_ROW * len(_names(group)) + 8 for group in graph.groups]
    height_right, height_left = right[-1].bottom, sum(heights) + _GAP * (len(heights) - 1)
    # Beside a long column the groups stay at its top, where reading begins.
    left = _stacked(heights, max(0.0, min((height_right - height_left) / 2, 90.0)))
    total = max(height_right, left[-1].bottom) + 2 * _EDGE_OF_PAGE
    drawn = joined(
        el("title", f"Graph of {graph.name}" if graph.name else "Graph of the mesh", id=f"{key}-t"),
        el("desc", describing, id=f"{key}-d"),
        el("g", *_lines(graph, left, right), class_="edges"),
        *(_client_box(group, left[place]) for place, group in enumerate(graph.groups)),
        *(_server_box(server, right[place], graph.groups) for place, server in enumerate(graph.servers)),
    )
    return el(
        "svg",
        drawn,
        class_="graph",
        role="img",
        aria_labelledby=f"{key}-t {key}-d",
        viewBox=Markup(f"{-_EDGE_OF_PAGE} {-_EDGE_OF_PAGE} {_WIDTH + 2 * _EDGE_OF_PAGE} {_short(total)}"),
        preserveAspectRatio="xMinYMin meet",
    )


def _stacked(heights: Sequence[float], top: float) -> list[_Box]:
    boxes = []
    for height in heights:
        boxes.append(_Box(top, height))
        top += height + _GAP
    return boxes


def draws_all(graph: Graph) -> bool:
    """Whether every answer has a line. From many groups they would be a carpet, so that only those remain that are not
    as they should be.
    """
    return len(graph.groups) <= _MOST_GROUPS_WITH_ALL


def _lines(graph: Graph, left: Sequence[_Box], right: Sequence[_Box]) -> Iterator[Markup]:
    """From each group to each of its rows; they leave a group in the order in which they arrive."""
    drawn = [
        (group, place, row, line)
        for place, server in enumerate(graph.servers)
        for row, line in enumerate(server.lines)
        if line.state not in GOOD or draws_all(graph)
        for group in line.groups
    ]
    leaving = Counter(group for group, *_others in drawn)
    already: Counter[int] = Counter()
    for group, place, row, line in drawn:
        already[group] += 1
        x2, y2 = _badge_left(line, graph.groups), _row_middle(right[place], row)
        y1 = left[group].top + left[group].height * already[group] / (leaving[group] + 1)
        middle = (_LEFT + _RIGHT) / 2
        bends = f"{_short(middle)} {_short(y1)} {_short(middle)} {_short(y2)}"
        path = Markup(f"M{_LEFT} {_short(y1)}C{bends} {_short(x2)} {_short(y2)}")
        yield el("path", d=path, class_=f"e {look(line.state).tone} s-{line.state}")


def _row_middle(box: _Box, row: int) -> float:
    return box.top + _TITLE + _ROW * row + _ROW / 2


def _client_box(group: Group, box: _Box) -> Markup:
    where = "in the mesh" if group.inside else "outside the mesh"
    title = f"{len(group.members)} " + (f"in further groups, {where}" if group.further else where)
    rows = [
        _text(12, box.top + _TITLE + _NAME_ROW * (place + 0.7), shown, "name", _LETTERS_LEFT)
        for place, shown in enumerate(_names(group))
    ]
    return el(
        "g",
        el("title", ", ".join(group.members[:50])),
        el("rect", x=0, y=_short(box.top), width=_LEFT, height=_short(box.height), rx=7, class_="box"),
        _lettered(7, box.top + _TITLE / 2 + 2, _BADGE, group.letter, group.inside),
        _text(32, box.top + _TITLE / 2 + 6.5, title, "title"),
        *rows,
    )


def _names(group: Group) -> list[str]:
    """As many members as fit, then how many more."""
    names = [short(name) for name in group.members]
    return (
        names if len(names) <= _MOST_NAMES else [*names[: _MOST_NAMES - 1], f"and {len(names) - _MOST_NAMES + 1} more"]
    )


def _server_box(server: Server, box: _Box, groups: Sequence[Group]) -> Markup:
    title = short(server.names[0])
    more = f" and {len(server.names) - 1} alike" if len(server.names) > 1 else ""
    return el(
        "g",
        el("title", ", ".join(server.names[:50])),
        el("rect", x=_RIGHT, y=_short(box.top), width=_WIDTH - _RIGHT, height=_short(box.height), rx=7, class_="box"),
        _text(_RIGHT + 12, box.top + _TITLE / 2 + 5, title, "name strong", _LETTERS_RIGHT - len(more), more),
        *(_row(line, _row_middle(box, place), groups, server.what) for place, line in enumerate(server.lines)),
    )


def _row(line: Line, y: float, groups: Sequence[Group], what: str) -> Markup:
    shown = look(line.state)
    labels = _ports(line.labels) if what == "workload" else _counted(line.labels)
    marks = (
        el(
            "g",
            el("title", f"{source}: {'not asked' if word is None else look(word).word}"),
            _text(_RIGHT + _MARKS_AT + place * _MARK, y + 4, source[0].upper(), "mark"),
            _symbol("dash" if word is None else look(word).symbol, _RIGHT + _MARKS_AT + 10 + place * _MARK, y - 7, 14),
            class_="quiet" if word is None else look(word).tone,
        )
        for place, source in enumerate(SOURCES)
        for word in [line.said[place]]
    )
    return el(
        "g",
        _badge(line, y, groups),
        el(
            "g",
            _symbol(shown.symbol, _RIGHT + 18, y - 8, 16),
            _text(_RIGHT + 40, y + 4.5, shown.word, "word"),
            class_=shown.tone,
        ),
        _text(_RIGHT + 164, y + 4.5, labels, "ports", 21),
        *marks,
    )


def _ports(labels: Sequence[str]) -> str:
    return " ".join(labels[:3]) + (f" +{len(labels) - 3}" if len(labels) > 3 else "")


def _counted(labels: Sequence[str]) -> str:
    return f"{len(labels)} service port" + ("s" if len(labels) > 1 else "")


def _letters(places: Sequence[int], groups: Sequence[Group]) -> str:
    """The letters of groups, three and more in a row as a range."""
    found: list[list[int]] = []
    for place in places:
        if found and found[-1][-1] == place - 1:
            found[-1].append(place)
        else:
            found.append([place])
    words = []
    for run in found:
        letters = [groups[place].letter for place in run]
        words += [f"{letters[0]}-{letters[-1]}"] if len(run) > 2 else letters
    return " ".join(words)


def _badge_left(line: Line, groups: Sequence[Group]) -> float:
    """Where the badge of a row begins; it ends on the box, and grows away from it."""
    return _RIGHT - _BADGE / 2 - _LETTER * (len(_letters(line.groups, groups)) - 1)


def _badge(line: Line, y: float, groups: Sequence[Group]) -> Markup:
    """Who gets the answer."""
    left = _badge_left(line, groups)
    width = _RIGHT + _BADGE / 2 - left
    return _lettered(left, y, width, _letters(line.groups, groups), any(groups[place].inside for place in line.groups))


def _lettered(left: float, y: float, width: float, letters: str, inside: bool) -> Markup:
    size = {"width": _short(width), "height": _BADGE, "rx": _BADGE // 2}
    return el(
        "g",
        el("rect", x=_short(left), y=_short(y - _BADGE / 2), **size),
        el("text", letters, x=_short(left + width / 2), y=_short(y + 4), class_="letter"),
        class_="badge inside" if inside else "badge",
    )


def _symbol(name: str, x: float, y: float, size: int) -> Markup:
    return el("use", href=f"#i-{name}", x=_short(x), y=_short(y), width=size, height=size)


def _text(x: float, y: float, text: str, class_: str, most: int = 0, more: str = "") -> Markup:
    """A text that has room for so many letters; the middle of a longer one goes, because names differ at their ends."""
    text = visible(text)
    if most and len(text) > most:
        head = most // 2
        text = text[:head] + "…" + text[len(text) - (most - head - 1) :]
    return el("text", text + more, x=_short(x), y=_short(y), class_=class_)


def _short(number: float) -> str:
    """A coordinate in the shortest way to write it."""
    return f"{number:.1f}".rstrip("0").rstrip(".")

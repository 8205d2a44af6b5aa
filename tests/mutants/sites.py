# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a function can be made wrong by one small change, and the code of it with that change."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_CALLED = {"any": "all", "all": "any", "min": "max", "max": "min"}


class Site(NamedTuple):
    """One change of one function."""

    path: Path
    function: str
    """Its qualified name in the module, of the outermost function where it is nested."""
    first_line: int
    """Of that function, decorators left out."""
    line: int
    what: str
    number: int
    """Which of the module's sites it is."""
    text: str
    """The whole module as it was chosen from: the file may be edited while changes are tried."""


class _Change(NamedTuple):
    node: ast.AST
    what: str
    make: Callable[[], None]
    """Changes the tree that the node is of."""


def sites(path: Path) -> list[Site]:
    """Every change that can be made to the functions of a module."""
    text = path.read_text()
    return [
        Site(path, name, function.lineno, getattr(change.node, "lineno", function.lineno), change.what, number, text)
        for number, (name, function, change) in enumerate(_changes(ast.parse(text)))
    ]


def changed_code(site: Site) -> types.CodeType:
    """The code of the site's function with the change in it."""
    tree = ast.parse(site.text)
    dummy, function, change = next(item for number, item in enumerate(_changes(tree)) if number == site.number)
    change.make()
    ast.fix_missing_locations(tree)
    return _code_at(compile(tree, str(site.path), "exec"), function.name, function)


def unchanged_code(site: Site) -> types.CodeType:
    """The code of the site's function as it was chosen from."""
    tree = ast.parse(site.text)
    dummy, function, dummy = next(item for number, item in enumerate(_changes(tree)) if number == site.number)
    return _code_at(compile(tree, str(site.path), "exec"), function.name, function)


def _code_at(code: types.CodeType, name: str, function: ast.FunctionDef) -> types.CodeType:
    lines = {function.lineno, *(decorator.lineno for decorator in function.decorator_list)}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            if constant.co_name == name and constant.co_firstlineno in lines:
                return constant
            try:
                return _code_at(constant, name, function)
            except LookupError:
                continue
    raise LookupError(name)


def _changes(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef, _Change]]:
    for name, function in _functions(tree.body, ""):
        for statement in function.body:
            for change in _below(statement, function):
                yield name, function, change


def _functions(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")


def _below(node: ast.AST, parent: ast.AST) -> Iterator[_Change]:
    """Changes of a node and of everything in it that decides; texts for people and types are left alone."""
    if isinstance(node, (ast.Raise, ast.JoinedStr, ast.Assert)) or _is_text(node):
        return
    yield from _of(node, parent)
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _below(child, node)


def _is_text(node: ast.AST) -> bool:
    """A docstring, or any expression that is nothing but text."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _of(node: ast.AST, parent: ast.AST) -> Iterator[_Change]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            yield _Change(
                node, f"{type(operator).__name__} → {_COMPARED[type(operator)].__name__}", _compare(node, place)
            )
    elif isinstance(node, ast.BoolOp):
        other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield _Change(node, f"{type(node.op).__name__} → {type(other).__name__}", lambda: setattr(node, "op", other))
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED and not _joins_text(node):
        replacement = _COMPUTED[type(node.op)]
        yield _Change(
            node, f"{type(node.op).__name__} → {replacement.__name__}", lambda: setattr(node, "op", replacement())
        )
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _Change(node, "not dropped", lambda: _replace(parent, node, node.operand))
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)) and not isinstance(node.test, (ast.Compare, ast.BoolOp)):
        yield _Change(
            node, "condition negated", lambda: setattr(node, "test", ast.UnaryOp(op=ast.Not(), operand=node.test))
        )
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield _Change(node.ifs[0], "filter of a comprehension dropped", node.ifs.clear)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield _Change(node, f"{node.value} → {not node.value}", lambda: setattr(node, "value", not node.value))
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield _Change(node, f"{node.value} → {node.value + 1}", lambda: setattr(node, "value", node.value + 1))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _decides(parent):
        yield _Change(node, f"{node.value[:20]!r} → other text", lambda: setattr(node, "value", node.value + "~"))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        called = node.func
        yield _Change(node, f"{called.id} → {_CALLED[called.id]}", lambda: setattr(called, "id", _CALLED[called.id]))
    elif isinstance(node, ast.Return) and node.value is not None and not _is_nothing(node.value):
        yield _Change(node, "returns None", lambda: setattr(node, "value", ast.Constant(None)))
    elif isinstance(node, ast.Continue):
        yield _Change(node, "continue → break", lambda: _replace(parent, node, ast.Break()))
    elif isinstance(node, ast.Break):
        yield _Change(node, "break → continue", lambda: _replace(parent, node, ast.Continue()))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield _Change(node, "call dropped", lambda: _replace(parent, node, ast.Pass()))
    elif isinstance(node, ast.AugAssign):
        yield _Change(node, "augmented assignment dropped", lambda: _replace(parent, node, ast.Pass()))


def _compare(node: ast.Compare, place: int) -> Callable[[], None]:
    def make() -> None:
        node.ops[place] = _COMPARED[type(node.ops[place])]()

    return make


def _decides(parent: ast.AST) -> bool:
    """Whether a text in this place is a value that code compares or looks up, not one that people read."""
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute):
        return parent.func.attr in ("get", "startswith", "endswith")
    return isinstance(parent, (ast.Compare, ast.Subscript, ast.Set))


def _is_nothing(node: ast.expr) -> bool:
    """None; or False, for which None is as good, and which becomes True by a change of its own."""
    return isinstance(node, ast.Constant) and (node.value is None or node.value is False)


def _joins_text(node: ast.BinOp) -> bool:
    parts = list(ast.walk(node))
    return any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts)


def _replace(parent: ast.AST, node: ast.AST, by: ast.AST) -> None:
    ast.copy_location(by, node)
    for field, value in ast.iter_fields(parent):
        if value is node:
            setattr(parent, field, by)
            return
        if isinstance(value, list) and any(item is node for item in value):
            value[next(place for place, item in enumerate(value) if item is node)] = by
            return
    raise LookupError(ast.dump(node)[:80])

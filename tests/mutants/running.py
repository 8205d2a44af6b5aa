# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests collected once, who of them calls what, and a mutant tried in a child of this process.

A child has all modules and tests already: it swaps the code of one function and runs the tests that reach it, the
quickest first, until one fails.
"""

from __future__ import annotations

import contextlib
import cProfile
import importlib
import io
import os
import signal
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from _pytest.runner import runtestprotocol

from .sites import Site, changed_code, unchanged_code

SURVIVED = "no test that calls it fails"
PREFIX = "ansible_collections.meshproof.mtls.plugins.module_utils."


class Outcome(NamedTuple):
    """What became of a mutant."""

    site: Site
    killed: bool
    by: str
    """The test that noticed, else why none did."""


class Collected:
    """The unit tests, and which of them call each function."""

    def __init__(self, session: Any, at_import: set[types.CodeType]) -> None:
        self._at_import = {_place(code) for code in at_import}
        self._items = {item.nodeid: item for item in session.items}
        self._seconds: dict[str, float] = {}
        self._callers: dict[tuple[str, int], set[str]] = {}

    def watch(self, tell: Callable[[int, int], None]) -> list[str]:
        """Run every test once and note what it calls. Returns the tests that fail already."""
        failed = []
        for place, (name, item) in enumerate(self._items.items()):
            tell(place, len(self._items))
            started = time.monotonic()
            with _calls() as called:
                passes = _passes(item)
            self._seconds[name] = time.monotonic() - started
            if not passes:
                failed.append(name)
            for code in called:
                self._callers.setdefault(_place(code), set()).add(name)
        return failed

    def only_at_import(self, site: Site) -> bool:
        """Whether a function has done its work before any test runs, so that changing it then changes nothing."""
        place = _key(site)
        return place in self._at_import and place not in self._callers

    def differs(self, site: Site) -> bool:
        """Whether the function that the tests imported is not the one that the change was chosen from."""
        try:
            imported = _function(site).__code__
        except (KeyError, AttributeError):
            return True
        return bool(imported != unchanged_code(site))

    def try_all(self, chosen: list[Site], patience: float, side_by_side: int) -> Iterator[Outcome]:
        """The outcomes as they come, each found in a child process that ends with it."""
        waiting = list(reversed(chosen))
        running: dict[int, tuple[Site, int]] = {}
        while waiting or running:
            while waiting and len(running) < side_by_side:
                site = waiting.pop()
                names = sorted(self._callers.get(_key(site), ()), key=self._seconds.__getitem__)
                if names:
                    child, answer = self._start(site, names, patience)
                    running[child] = (site, answer)
                else:
                    yield Outcome(site, False, "no test calls it")
            if running:
                child, dummy = os.wait()
                site, answer = running.pop(child)
                with os.fdopen(answer, "rb") as said:
                    text = said.read().decode()
                # A child that ended without a word was ended by its own change.
                yield Outcome(site, text != SURVIVED, text or "the process ended")

    def _start(self, site: Site, names: list[str], patience: float) -> tuple[int, int]:
        """The child's process id, and where to read its verdict."""
        read, write = os.pipe()
        child = os.fork()
        if child:
            os.close(write)
            return child, read
        status = 1
        try:
            os.write(write, self._verdict(site, names, patience).encode())
            status = 0
        finally:
            os._exit(status)

    def _verdict(self, site: Site, names: list[str], patience: float) -> str:
        _swap(site)
        budget = patience + 5 * sum(self._seconds[name] for name in names)
        signal.signal(signal.SIGALRM, lambda *_arguments: os._exit(9))
        signal.alarm(int(budget) + 1)
        for name in names:
            if not _passes(self._items[name]):
                return name
        return SURVIVED


class _Keeper:
    """Takes the place of pytest's loop over tests."""

    def __init__(self) -> None:
        self._collecting = contextlib.ExitStack()
        self._at_import = self._collecting.enter_context(_calls())

    found: Collected | None = None
    then: Callable[[Collected], None] = staticmethod(lambda _found: None)

    def pytest_runtestloop(self, session: Any) -> bool:
        self._collecting.close()
        self.found = Collected(session, self._at_import)
        self.then(self.found)
        return True


def with_collected(paths: list[str], then: Callable[[Collected], None]) -> None:
    """Collect the tests below some paths and do something with them while pytest is alive."""
    keeper = _Keeper()
    keeper.then = then
    pytest.main(["-q", "--no-header", "-p", "no:faulthandler", *paths], plugins=[keeper])
    if keeper.found is None:
        raise SystemExit("The unit tests cannot be collected. Remedy: run make unit.")


@contextlib.contextmanager
def _calls() -> Iterator[set[types.CodeType]]:
    """Which code of ours runs inside, in whichever thread: a profile sees the one thread that enables it."""
    called: set[types.CodeType] = set()
    profiles: list[cProfile.Profile] = []

    def enable(*_event: Any) -> None:
        profiles.append(cProfile.Profile(builtins=False))
        profiles[-1].enable()

    threading.setprofile(enable)  # of threads that begin now, called in each
    enable()
    try:
        yield called
    finally:
        profiles[0].disable()
        threading.setprofile(None)
        for profile in list(profiles):
            for entry in profile.getstats():
                if isinstance(entry.code, types.CodeType) and "/module_utils/" in entry.code.co_filename:
                    called.add(entry.code)


def _passes(item: Any) -> bool:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        reports = runtestprotocol(item, log=False, nextitem=None)
    return all(report.outcome != "failed" for report in reports)


def _place(code: types.CodeType) -> tuple[str, int]:
    return (os.path.realpath(code.co_filename), code.co_firstlineno)


def _key(site: Site) -> tuple[str, int]:
    return _place(_function(site).__code__)


def _module(site: Site) -> Any:
    parts = site.path.with_suffix("").parts
    name = ".".join(parts[parts.index("module_utils") + 1 :])
    return importlib.import_module(PREFIX + name.removesuffix(".__init__"))


def _function(site: Site) -> Any:
    """The function object of a site, out of its decorators."""
    found: Any = _module(site)
    for part in site.function.split("."):
        found = vars(found)[part]
        if isinstance(found, (staticmethod, classmethod)):
            found = found.__func__
        if isinstance(found, property):
            found = found.fget
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return found


def _swap(site: Site) -> None:
    _function(site).__code__ = changed_code(site)

# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a target for so many attempts or seconds, and stops it at the first promise that is broken.

Each attempt has a seed of its own, so that one number repeats it. Time is that of the processor, not of the clock:
other work on the machine changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

MOST_SECONDS = 20.0
"""Of the processor, for one attempt; inputs have some hundred KiB at most, and take some milliseconds."""
MOST_BYTES = 1024 * 2**20
"""Of memory, beyond what the process had at its start."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Target(NamedTuple):
    """Something that is fuzzed."""

    name: str
    promise: str
    """What must hold, half a sentence."""
    attempt: Callable[[random.Random], None]
    """Tries one input. Raises whatever when the promise is broken."""


class Tried(NamedTuple):
    """What became of it."""

    target: str
    attempts: int
    seconds: float
    """Of the clock."""
    processor: float
    """Seconds of the processor."""
    slowest: float
    """Seconds of the processor for one attempt."""
    memory: int
    """Bytes at most, beyond those at the start."""
    failure: str
    """The attempt that broke the promise, and how; empty where none did."""


class Stalls(BaseException):
    """An attempt takes too long. No guard for errors catches it."""


def run(target: Target, seed: int, attempts: int = 0, seconds: float = 0, first: int = 0) -> Tried:
    """Try until there were so many attempts, or for so long; from attempt `first` on."""
    begun, before = time.monotonic(), time.process_time()
    slowest, number, failure = 0.0, first, ""
    while not failure and (number - first < attempts or time.monotonic() - begun < seconds):
        started = time.process_time()
        try:
            with _limited():
                target.attempt(random.Random(f"{seed}/{number}"))
        except (Exception, Stalls):
            failure = f"--only {target.name} --seed {seed} --attempt {number}\n{traceback.format_exc()}"
        slowest = max(slowest, time.process_time() - started)
        number += 1
    took = time.monotonic() - begun
    return Tried(target.name, number - first, took, time.process_time() - before, slowest, _most_memory(), failure)


def bound_memory() -> None:
    """Let this process have MOST_BYTES more than it has; what needs more than that ends in a MemoryError."""
    with open("/proc/self/statm") as file:
        size = int(file.read().split(maxsplit=1)[0]) * _PAGE
    resource.setrlimit(resource.RLIMIT_AS, (size + MOST_BYTES, resource.RLIM_INFINITY))


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(_number: int, _frame: Any) -> None:
        raise Stalls(f"more than {MOST_SECONDS:.0f} s of the processor")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


_AT_START = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _most_memory() -> int:
    return max(0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - _AT_START)

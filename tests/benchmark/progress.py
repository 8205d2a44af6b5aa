"""Says on stderr what is going on, so that nothing over five seconds looks like a hang."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_SILENCE = 4.0


class Step:
    """One thing that takes time."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._said = time.monotonic()

    def say(self, text: str) -> None:
        """Print where it stands, when it was silent for some seconds."""
        now = time.monotonic()
        if now - self._said >= _SILENCE:
            self._said = now
            print(f"  … {self._what}: {text}", file=sys.stderr, flush=True)


class Progress:
    """Steps, each with its duration at the end."""

    @contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """Announce something, and say how long it took."""
        print(f"  {what} …", file=sys.stderr, flush=True)
        started = time.monotonic()
        yield Step(what)
        print(f"  {what}: {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)

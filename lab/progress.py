"""Tells what is being done: step k of n, how long it takes, how long it has taken."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One thing to do; `expect` is what to expect of it ("about 6 min"), empty for what takes seconds."""

    title: str
    action: Callable[[], str | None]
    expect: str = ""


def run(steps: Sequence[Step]) -> None:
    """Do all steps in turn and report each; what an action returns is shown when it is done."""
    for number, step in enumerate(steps, start=1):
        head = f"[{number}/{len(steps)}] {step.title}"
        started = time.monotonic()
        with _ticking(head + (f" ({step.expect})" if step.expect else ""), started):
            note = step.action()
        print(f"{head}: {note or 'done'}, {duration(time.monotonic() - started)}", flush=True)


def duration(seconds: float) -> str:
    """Seconds as people say them: 4s, 2m10s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


@contextmanager
def _ticking(line: str, started: float) -> Iterator[None]:
    """Show `line` with the elapsed time while the body runs: in place on a terminal, else a line now and then."""
    terminal = sys.stdout.isatty()
    finished = threading.Event()

    def tick() -> None:
        pause = 1 if terminal else 5
        while not finished.wait(pause):
            pause = 1 if terminal else 15
            text = f"{line} … {duration(time.monotonic() - started)}"
            print(f"\r{text} " if terminal else f"{text}\n", end="", flush=True)

    if terminal:
        print(f"{line} … ", end="", flush=True)
    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        finished.set()
        ticker.join()
        if terminal:
            print("\r\033[K", end="", flush=True)

"""Two commands at once: `python tools/side_by_side.py BESIDE WATCHED`, each for the shell.

What WATCHED says is seen as it comes; what BESIDE says is kept, and shown whole when both have ended. The first that
fails ends the other one, which may clean up, and fails the whole.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress

PAUSE = 0.5
PATIENCE = 600
"""Seconds that a command may take to clean up after an interrupt."""


def main(beside: str, watched: str) -> int:
    """The exit code: 0 when both commands succeeded."""
    # SIGINT too: a shell that starts this in the background has it ignored, and what is ignored stays so in children.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        quiet = _start(beside, stdout=said.fileno())
        loud = _start(watched, stdout=None)
        both = (quiet, loud)
        try:
            while any(one.poll() is None for one in both) and not _failed(both):
                time.sleep(PAUSE)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        finally:
            interrupted = [one for one in both if _interrupt(one)]
            said.seek(0)
            print(f"== beside it ran: {beside}\n{said.read().rstrip()}", flush=True)
    for name, one in (("beside", quiet), ("watched", loud)):
        if one.returncode and one not in interrupted:
            print(f"== failed: what was {name}, with exit code {one.returncode}", flush=True)
    return 1 if interrupted or _failed(both) else 0


def _start(command: str, stdout: int | None) -> subprocess.Popen[bytes]:
    """In a session of its own, so that all that it starts can be interrupted together."""
    return subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=stdout,
        stderr=subprocess.STDOUT if stdout else None, start_new_session=True,
    )  # fmt: skip


def _failed(processes: Iterable[subprocess.Popen[bytes]]) -> bool:
    return any(process.poll() not in (None, 0) for process in processes)


def _interrupt(process: subprocess.Popen[bytes]) -> bool:
    """End a command that still runs; whether it did."""
    if process.poll() is not None:
        return False
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return True


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

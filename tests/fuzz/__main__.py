# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign input of every sort, damaged at random: `make proof-properties` runs each target for an hour."""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

from .running import Target, Tried, bound_memory, run
from .targets import TARGETS

_PORTION = 30.0
"""Seconds after which a process says how far it is."""


def main() -> int:
    """Run the targets, each in a process of its own, and tell; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600, help="for each target, by the clock")
    parser.add_argument("--seed", type=int, default=0, help="0 for a fresh one")
    parser.add_argument("--only", default="", help=f"one of {', '.join(target.name for target in TARGETS)}")
    parser.add_argument("--attempt", type=int, default=-1, help="repeat this one only")
    parser.add_argument("--side-by-side", type=int, default=2, help="how many targets at once")
    options = parser.parse_args()
    seed = options.seed or random.SystemRandom().randrange(10**9)
    chosen = [target for target in TARGETS if options.only in ("", target.name)]
    if not chosen:
        parser.error(f"there is no target {options.only}")
    if options.attempt >= 0:
        return _told([run(target, seed, attempts=1, first=options.attempt) for target in chosen])
    print(f"{len(chosen)} targets, {options.seconds:.0f} s each, seed {seed}", flush=True)
    return _told(list(_all(chosen, seed, options.seconds, options.side_by_side)))


def _all(chosen: Sequence[Target], seed: int, seconds: float, side_by_side: int) -> Iterator[Tried]:
    with ThreadPoolExecutor(side_by_side) as threads:
        yield from threads.map(lambda target: _in_process(target, seed, seconds), chosen)


def _in_process(target: Target, seed: int, seconds: float) -> Tried:
    """A process that ends without a word has broken the promise, too."""
    ours, its = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_alone, args=(target, seed, seconds, its))
    process.start()
    its.close()
    try:
        found: Tried = ours.recv()
    except EOFError:
        process.join()
        found = Tried(target.name, 0, 0, 0, 0, 0, f"--only {target.name}: the process ended with {process.exitcode}")
    process.join()
    return found


def _alone(target: Target, seed: int, seconds: float, answer: Connection) -> None:
    """One target in this process, which tells now and then how far it is."""
    bound_memory()
    begun, total = time.monotonic(), Tried(target.name, 0, 0, 0, 0, 0, "")
    while not total.failure and total.seconds < seconds:
        found = run(target, seed, seconds=min(_PORTION, seconds - total.seconds), first=total.attempts)
        total = Tried(
            target.name,
            total.attempts + found.attempts,
            time.monotonic() - begun,
            total.processor + found.processor,
            max(total.slowest, found.slowest),
            max(total.memory, found.memory),
            found.failure,
        )
        so_far = f"{target.name}: {total.attempts} attempts in {total.seconds:.0f} of {seconds:.0f} s"
        print(so_far, file=sys.stderr, flush=True)
    answer.send(total)


def _told(tried: Sequence[Tried]) -> int:
    for item in tried:
        print(
            f"{item.target}: {item.attempts} attempts in {item.seconds:.0f} s, {item.processor:.0f} s of processor; "
            f"the slowest took {item.slowest:.2f} s, memory grew by {item.memory / 2**20:.0f} MiB at most"
        )
    broken = [item for item in tried if item.failure]
    for item in broken:
        print(f"\nBROKEN: {item.failure}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

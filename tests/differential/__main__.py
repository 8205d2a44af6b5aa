# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the engine with Istio's own code over random meshes: python -m tests.differential --number 2000 --seed 1."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from .compare import Difference, Result, compare
from .generate import scenario
from .referee import Referee, RefereeError, build
from .shrink import shrink

Manifest = dict[str, Any]
# A mesh that differs is asked for again, with this many milliseconds of peace for istiod. Only what differs each time
# is a disagreement: the rest was a race of the referee, or istiod itself does not always answer the same.
_PATIENCE = 150
_AGAIN = 8


class Outcome(NamedTuple):
    """What came of one seed."""

    seed: int
    result: Result
    rejected: int
    error: str
    undecided: bool = False


_referee: Referee


def _start(program: Path) -> None:
    global _referee
    _referee = Referee(program)


def _judge(manifests: list[Manifest], settle: int | None = None) -> tuple[Result, int]:
    answer = _referee.ask(manifests) if settle is None else _referee.ask(manifests, settle)
    return compare(manifests, answer), len(answer["rejected"])


def _try(seed: int) -> Outcome:
    """One scenario; a difference is looked at again."""
    manifests = scenario(seed)
    try:
        result, rejected = _judge(manifests)
        differences = result.differences
        for _ in range(_AGAIN):
            if not differences:
                break
            known = {item.what for item in differences}
            differences = [item for item in _judge(manifests, _PATIENCE)[0].differences if item.what in known]
    except RefereeError as error:
        return Outcome(seed, Result([], 0, 0), 0, str(error))
    undecided = bool(result.differences) and not differences
    return Outcome(seed, result._replace(differences=differences), rejected, "", undecided)


def _smallest(seed: int) -> list[Manifest]:
    """The smallest scenario that still differs in the same way as that of a seed."""

    manifests = scenario(seed)
    wanted = {(item.istio, item.engine) for item in _judge(manifests, _PATIENCE)[0].differences}

    def differs(smaller: list[Manifest]) -> bool:
        try:
            result, dummy = _judge(smaller, 20)
        except (RefereeError, KeyError, IndexError):
            return False
        return any((item.istio, item.engine) in wanted for item in result.differences)

    return shrink(manifests, differs)


def _show(seed: int, limit: int = 6) -> None:
    manifests = _smallest(seed)
    result, dummy = _judge(manifests, 20)
    print(f"--- seed {seed}: the smallest scenario that differs (make differential N=1 SEED={seed})")
    print(yaml.safe_dump_all(manifests, sort_keys=False))
    for item in result.differences[:limit]:
        _print(item)


def _print(item: Difference) -> None:
    print(f"  {item.what}\n    Istio:  {_text(item.istio)}\n    engine: {_text(item.engine)}")


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _outcomes(program: Path, seeds: Iterator[int], jobs: int) -> Iterator[Outcome]:
    with multiprocessing.Pool(jobs, _start, (program,)) as pool:
        yield from pool.imap_unordered(_try, seeds, chunksize=4)


def main() -> int:
    """Print what was compared; 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=2000, help="how many random meshes")
    parser.add_argument("--seed", type=int, default=0, help="of the first mesh; default: a fresh one")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--show", type=int, default=3, help="how many differing meshes to shrink and print")
    parser.add_argument("--keep-going", action="store_true", help="try all meshes although some differ")
    options = parser.parse_args()
    program = build()
    seed = options.seed or random.SystemRandom().randrange(1, 10**9)
    print(f"differential: {options.number} meshes from SEED={seed}", flush=True)
    started = time.monotonic()
    modes = edges = done = rejected = 0
    undecided: list[int] = []
    different: list[Outcome] = []
    errors: list[Outcome] = []
    for outcome in _outcomes(program, iter(range(seed, seed + options.number)), options.jobs):
        done += 1
        if done % 1000 == 0:
            print(f"  {done} meshes, {len(different)} differ", flush=True)
        modes += outcome.result.modes
        edges += outcome.result.edges
        rejected += outcome.rejected
        undecided += [outcome.seed] if outcome.undecided else []
        if outcome.error:
            errors.append(outcome)
        if outcome.result.differences:
            different.append(outcome)
        if (len(different) >= options.show or len(errors) > 10) and not options.keep_going:
            break
    took = time.monotonic() - started
    print(
        f"differential: {done} meshes, {modes} server ports and {edges} edges compared, "
        f"{len(different)} meshes differ, {len(undecided)} undecided, "
        f"{rejected} manifests refused by Istio, {len(errors)} errors, {done / took:.1f} meshes/s, {took:.0f} s"
    )
    if undecided:
        print(f"  undecided: SEED={', '.join(map(str, sorted(undecided)))}")
    for outcome in errors[:3]:
        print(f"  seed {outcome.seed}: {outcome.error}")
    _start(program)
    for outcome in itertools.islice(sorted(different, key=lambda item: len(item.result.differences)), options.show):
        _show(outcome.seed)
    _referee.close()
    return 1 if different or errors else 0


if __name__ == "__main__":
    sys.exit(main())

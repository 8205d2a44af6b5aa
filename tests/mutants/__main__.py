# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small faults made on purpose: do the unit tests notice? `make proof-mutants`.

A sample of functions of the layers that decide is changed, one change at a time, and the unit tests that reach the
changed function run against it. At least nine of ten changes must make a test fail.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

from .running import Collected, Outcome, with_collected
from .sites import Site, sites

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("_policy", "_evidence", "_judgement", "_cluster", "_source", "_foreign")
LEAST = 0.9
PATIENCE = 10.0
SIDE_BY_SIDE = 2


def main() -> int:
    """Sample, try, tell; 1 where too many faults stay unnoticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--number", type=int, default=300, help="how many changes to try")
    parser.add_argument("--seed", type=int, default=0, help="0 for a fresh one")
    parser.add_argument("--only", default="", help="only files whose path holds this")
    parser.add_argument(
        "--tests", nargs="+", default=["tests/unit/plugins"], help="only tests below these paths, for a quick look"
    )
    options = parser.parse_args()
    seed = options.seed or random.SystemRandom().randrange(10**9)
    every = [site for path in _files() if options.only in str(path) for site in sites(path)]
    chosen = random.Random(seed).sample(every, min(options.number, len(every)))
    print(f"{len(chosen)} of {len(every)} possible changes, seed {seed}", flush=True)
    outcomes: list[Outcome] = []
    with_collected([str(ROOT / path) for path in options.tests], lambda tests: outcomes.extend(_tried(tests, chosen)))
    return _told(outcomes)


def _files() -> list[Path]:
    folder = ROOT / "plugins" / "module_utils"
    return sorted(path for layer in LAYERS for path in (folder / layer).rglob("*.py"))


def _tried(tests: Collected, chosen: list[Site]) -> list[Outcome]:
    failed = tests.watch(_Progress("watching what each test calls"))
    if failed:
        raise SystemExit(f"{len(failed)} tests fail without any change, {failed[0]} first. Remedy: run make unit.")
    edited = sorted({str(site.path.relative_to(ROOT)) for site in chosen if tests.differs(site)})
    if edited:
        raise SystemExit(
            f"{edited[0]} was edited after changes were chosen from it. Remedy: run it again in a tree at rest."
        )
    tell = _Progress("trying changes")
    found = []
    done = [site for site in chosen if tests.only_at_import(site)]
    if done:
        print(f"{len(done)} are in functions that work when their modules are imported only, and are not tried")
        chosen = [site for site in chosen if site not in done]
    for outcome in tests.try_all(chosen, PATIENCE, SIDE_BY_SIDE):
        found.append(outcome)
        if not outcome.killed:
            print(_survivor(outcome), flush=True)
        tell(len(found), len(chosen))
    return found


class _Progress:
    """A line every ten seconds."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._last = time.monotonic()

    def __call__(self, place: int, total: int) -> None:
        if time.monotonic() - self._last > 10:
            self._last = time.monotonic()
            print(f"{self._what}: {place} of {total}", file=sys.stderr, flush=True)


def _survivor(outcome: Outcome) -> str:
    site = outcome.site
    return f"not noticed: {site.path.relative_to(ROOT)}:{site.line} {site.function}: {site.what} ({outcome.by})"


def _told(outcomes: list[Outcome]) -> int:
    layers = Counter(_layer(outcome.site) for outcome in outcomes)
    killed = Counter(_layer(outcome.site) for outcome in outcomes if outcome.killed)
    for layer, count in sorted(layers.items()):
        print(f"{layer}: {killed[layer]} of {count} noticed")
    if not outcomes:
        raise SystemExit("No change was tried. Remedy: run make unit, and look at --only.")
    share = sum(killed.values()) / len(outcomes)
    print(f"{sum(killed.values())} of {len(outcomes)} changes noticed: {share:.1%}, at least {LEAST:.0%} wanted")
    return 0 if share >= LEAST else 1


def _layer(site: Site) -> str:
    return site.path.relative_to(ROOT / "plugins" / "module_utils").parts[0]


if __name__ == "__main__":
    sys.exit(main())

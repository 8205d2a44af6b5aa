# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fuzz target for a moment, with a seed that nobody has tried; and that a broken promise is told."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from ansible_collections.meshproof.mtls.tests.fuzz import targets
from ansible_collections.meshproof.mtls.tests.fuzz.running import Target, run

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**9))
ATTEMPTS = 40


@pytest.mark.parametrize("target", targets.TARGETS, ids=lambda target: target.name)
def test_what_is_promised_holds(target):
    tried = run(target, SEED, attempts=ATTEMPTS)
    assert not tried.failure, f"python -m tests.fuzz {tried.failure}"
    assert tried.attempts == ATTEMPTS


def test_every_target_is_tried():
    files = {path.stem for path in Path(targets.__file__).parent.glob("[a-z]*.py")}
    assert files == {target.name for target in targets.TARGETS}


def test_a_broken_promise_is_told_with_what_repeats_it():
    def attempt(rnd: random.Random) -> None:
        assert rnd.random() < 0.5, "too much"

    target = Target("x", "all is small", attempt)
    tried = run(target, 7, attempts=1000)
    assert "too much" in tried.failure
    number = int(tried.failure.split("--attempt ", 1)[1].split("\n", 1)[0])
    assert run(target, 7, attempts=1, first=number).failure
    assert not run(target, 7, attempts=number).failure


def test_an_attempt_that_does_not_end_is_a_broken_promise(monkeypatch):
    def attempt(_rnd: random.Random) -> None:
        while True:
            try:
                while True:
                    pass
            except Exception:
                continue

    monkeypatch.setattr("ansible_collections.meshproof.mtls.tests.fuzz.running.MOST_SECONDS", 0.05)
    assert "Stalls" in run(Target("x", "it ends", attempt), 7, attempts=1).failure

# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two commands of `make test` at once: nothing that they say is lost, and no failure."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[3] / "tools" / "side_by_side.py"
# Quoted so that what it says is not in the command itself, which is shown, too.
LONG = "trap 'echo \"clean\"ed up; exit 1' INT; for _ in $(seq 600); do sleep 0.1; done; echo 'too 'late"


def both(beside: str, watched: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, TOOL, beside, watched], text=True, capture_output=True, check=False)


def test_what_ran_beside_is_shown_whole_at_the_end():
    ended = both("echo one; sleep 0.2; echo two >&2", "echo three")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert (lines[0], lines[-2:]) == ("three", ["one", "two"])


@pytest.mark.parametrize(
    ("beside", "watched", "which"),
    [
        pytest.param("sleep 1; exit 3", LONG, "beside", id="what is beside fails"),
        pytest.param(LONG, "sleep 1; exit 3", "watched", id="what is watched fails"),
    ],
)
def test_a_failure_ends_the_other_one_which_cleans_up(beside, watched, which):
    begin = time.monotonic()
    ended = both(beside, watched)
    assert ended.returncode == 1
    assert f"failed: what was {which}, with exit code 3" in ended.stdout
    assert "cleaned up" in ended.stdout
    assert "too late" not in ended.stdout
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(("beside", "watched"), [("sleep 0.2; exit 3", "true"), ("true", "sleep 0.2; exit 3")])
def test_a_failure_after_the_other_one_has_passed_fails_the_whole(beside, watched):
    assert both(beside, watched).returncode == 1


def test_it_ends_the_other_one_also_in_the_background_of_a_shell():
    line = f"trap '' INT; exec {sys.executable} {TOOL} 'sleep 1; exit 3' \"$0\""
    ended = subprocess.run(["/bin/sh", "-c", line, LONG], text=True, capture_output=True, check=False, timeout=30)
    assert ended.returncode == 1
    assert "cleaned up" in ended.stdout


def test_whoever_ends_it_ends_both():
    begin = time.monotonic()
    with subprocess.Popen([sys.executable, TOOL, LONG, LONG], text=True, stdout=subprocess.PIPE) as running:
        time.sleep(1.5)
        running.terminate()
        said, dummy = running.communicate(timeout=30)
    assert running.returncode == 1
    assert said.count("cleaned up") == 2
    assert time.monotonic() - begin < 30

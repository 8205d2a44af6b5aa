"""`site` killed at eight seeded moments and run again ends in the state that an undisturbed run ends in.

SEED=n repeats the moments of a run; the seed is printed. About half an hour.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from typing import Any

import pytest
from kubernetes import client, config

from tests.cluster_runs import ROOT, command, environment, must
from tests.inventory import differences, inventory

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
MOMENTS = 8


def clean() -> None:
    must("uninstall", "-e", "istio_install_purge=true")


def seen() -> dict[str, Any]:
    api: client.ApiClient = config.new_client_from_config()
    return inventory(api, alike=True)


@pytest.fixture(scope="module")
def undisturbed() -> tuple[dict[str, Any], float]:
    """The inventory after one undisturbed run, and how long that took in seconds."""
    clean()
    started = time.monotonic()
    must("site")
    return seen(), time.monotonic() - started


@pytest.fixture(autouse=True, scope="module")
def nothing_left() -> Any:
    yield
    clean()


@pytest.mark.parametrize("number", range(MOMENTS))
def test_a_killed_run_is_finished_by_the_next(number: int, undisturbed: tuple[dict[str, Any], float]) -> None:
    wanted, duration = undisturbed
    # One moment in each eighth of the run, so that no phase is left out.
    moment = duration * (number + random.Random(SEED + number).random()) / MOMENTS
    clean()
    print(f"seed {SEED}: kill {number + 1} of {MOMENTS} after {moment:.1f} of {duration:.0f} s", flush=True)
    run = subprocess.Popen(
        command("site"), cwd=ROOT, env=environment(), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        run.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    must("site")
    assert differences(wanted, seen()) == []
    assert "changed=0" in must("site")

"""`site` killed at eight seeded moments and run again ends in the state that an undisturbed run ends in.

SEED=n repeats the moments of a run; the seed is printed. About half an hour.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from tests.cluster_objects import present, wait_for
from tests.cluster_runs import ROOT, command, environment, must
from tests.inventory import differences, inventory

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
MOMENTS = 8
PROBE_NAMESPACE = "meshproof-probe"


def clean() -> None:
    must("uninstall", "-e", "istio_install_purge=true")


def seen() -> dict[str, Any]:
    api: client.ApiClient = config.new_client_from_config()
    # The pods that asked the wire are removed without waiting for their end.
    wait_for(lambda: PROBE_NAMESPACE not in present(client.CoreV1Api(api)), f"gone: the namespace {PROBE_NAMESPACE}")
    return inventory(api, alike=True)


def kill_with_descendants(pid: int) -> None:
    """As a machine that loses its power: Ansible's workers have sessions of their own and would live on."""
    parents = {}
    for process in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            parents[int(process.parent.name)] = int(process.read_text().rpartition(")")[2].split()[1])
    doomed = [pid]
    for one in doomed:
        doomed += [child for child, parent in parents.items() if parent == one]
    for one in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


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
        kill_with_descendants(run.pid)
        run.wait()
    must("site")
    assert differences(wanted, seen()) == []
    assert "changed=0" in must("site")

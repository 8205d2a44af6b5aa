"""Brings a lab up, reuses or replaces one that is there, and takes it down."""

from __future__ import annotations

import time
from pathlib import Path

from lab import artifacts, bring_up, cache, cgroups, cluster, configuration, holder, machine, network, progress
from lab import state as states
from lab.folder import LabFolder
from lab.network import Addresses


def recipe() -> str:
    """Stands for all that a lab is made of: what was built, the configuration, and how it is isolated."""
    configured = configuration.files(Addresses(0), "cgroup", "runtime", port=6443)
    return cache.digest([*artifacts.keys(), *configured.values(), Path(holder.__file__).read_bytes()])


def build() -> None:
    """Make everything that the cache holds, and start nothing."""
    machine.check()
    progress.run(artifacts.steps())


def up(folder: LabFolder) -> None:
    """Make sure that a healthy lab runs in `folder`: reuse it, replace a stale one, or make a new one."""
    machine.check()
    with folder.lock():
        if folder.state.exists():
            problem = _problem(folder)
            if problem is None:
                bring_up.write_vars(folder)
                print(f"The lab in {folder.path} is up and healthy; using it.")
                return
            print(f"Replacing the lab in {folder.path}: {problem}.", flush=True)
        # Also when there is no state: an interrupted run may have left files.
        _take_down(folder)
        _bring_up(folder)


def _bring_up(folder: LabFolder) -> None:
    started = time.monotonic()
    try:
        progress.run([*artifacts.steps(), *bring_up.BringUp(folder, recipe()).steps()])
    except BaseException:
        _take_down(folder)
        raise
    print(f"The lab is ready after {progress.duration(time.monotonic() - started)}.")
    print(f"  export KUBECONFIG={folder.kubeconfig}")


def down(folder: LabFolder) -> None:
    """End the lab in `folder` and remove all that it left, except the cache."""
    with folder.lock():
        if not folder.path.is_dir():
            print(f"There is no lab in {folder.path}.")
            return
        _take_down(folder)
        folder.clear()
        print(f"The lab in {folder.path} is gone; what was built stays in {cache.root()}.")


def status(folder: LabFolder) -> bool:
    """Say whether a usable lab runs in `folder`."""
    if not folder.state.exists():
        print(f"There is no lab in {folder.path}.")
        return False
    problem = _problem(folder)
    print(f"The lab in {folder.path} is {'up and healthy' if problem is None else f'not usable: {problem}'}.")
    return problem is None


def _problem(folder: LabFolder) -> str | None:
    state = states.load(folder.state)
    alive = state is not None and state.holder.is_alive()
    problem = states.staleness(state, boot=states.boot_id(), alive=alive, recipe=recipe())
    if problem is None and not cluster.is_healthy(folder.kubeconfig):
        return "its API server or its node does not answer as ready"
    return problem


def _take_down(folder: LabFolder) -> None:
    """End the lab's processes, whether finished or not. Mounts, links, routes and rules go with its namespaces."""
    state = states.load(folder.state)
    if state is not None and state.boot == states.boot_id():
        state.holder.kill()
        network.disconnect(state.link, state.link_index)
    cgroups.remove(folder.name)
    folder.clear_data()

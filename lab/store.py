"""The images as containerd keeps them: imported and unpacked once, then linked into every new lab."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab import cache, cgroups, configuration, debian, images, versions
from lab.cache import Artifact
from lab.cluster import BINARIES, CONTAINERD_ROOT, RUNTIME, Cluster
from lab.commands import run
from lab.errors import LabError
from lab.holder import CONFIGURATION, Plan
from lab.isolation import Starting

_CGROUP = "meshproof-lab-images"
_ARCHIVE = "images.tar"
# containerd's databases change in place. Everything else it writes once, so labs may share it.
_DATABASES = "*.db"


def artifact() -> Artifact:
    """The store: what a containerd has in its root folder after all images were imported."""
    inputs = (images.definition(), *(source.key for source in images.SOURCES), debian.runtime().key)
    return Artifact("images", versions.ISTIO, inputs, _fill)


def _fill(folder: Path) -> None:
    """Import the images with a containerd in namespaces of its own, which end when this is done."""
    store, exchange = folder / "store", folder / "exchange"
    store.mkdir()
    exchange.mkdir()
    images.write_archive(images.all_images(), exchange / _ARCHIVE)
    (exchange / configuration.CONTAINERD).write_text(configuration.containerd(RUNTIME))
    cgroups.create(_CGROUP)
    binds = {CONTAINERD_ROOT: str(store), CONFIGURATION: str(exchange), BINARIES: str(cache.root())}
    starting = Starting(Plan(configuration.NODE_NAME, binds), _CGROUP)
    try:
        cluster = Cluster(starting.holder, _CGROUP, cache.root() / "logs")
        cluster.start_containerd()
        cluster.import_images(f"{CONFIGURATION}/{_ARCHIVE}")
    finally:
        starting.holder.kill()
        cgroups.remove(_CGROUP)
    shutil.rmtree(exchange)


def provide(target: Path, log: Path) -> None:
    """Make the empty folder `target` a containerd root that has all images."""
    store = artifact().path / "store"
    failure = f"providing the images in {target} failed; is there space?"
    try:
        run(["cp", "--archive", "--link", f"{store}/.", target], log=log, failure=failure)
    except LabError:
        # No links between different file systems.
        run(["cp", "--archive", f"{store}/.", target], log=log, failure=failure)
    for database in store.rglob(_DATABASES):
        own = target / database.relative_to(store)
        own.unlink()
        shutil.copy2(database, own)

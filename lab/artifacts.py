"""All that the lab builds or fetches once, in the order in which one needs the other."""

from __future__ import annotations

from lab import debian, envoy, golang, machine, mirror, store
from lab.cache import Artifact
from lab.progress import Step

_ALL: tuple[tuple[str, str, Artifact], ...] = (
    *((f"building {build.name} {build.version} with Go", build.expect, golang.artifact(build)) for build in golang.ALL),
    ("unpacking containerd and runc", "about 5 s", debian.runtime()),
    ("fetching Envoy", "about 10 s", envoy.artifact()),
    ("making the images' base system", "about 10 s", debian.base()),
    ("making the images and unpacking them", "about 20 s", store.artifact()),
    ("filling the download mirror", "about 5 s", mirror.artifact()),
)


def keys() -> list[str]:
    """Names that change whenever anything changes that is built from."""
    return [artifact.key for _, _, artifact in _ALL]


def steps() -> list[Step]:
    """What makes them, with the tools of this machine that are missing for it first."""
    missing = machine.missing_packages()
    install = [Step(f"installing {', '.join(missing)}", lambda: machine.install(missing), "about 20 s")]
    return [*(install if missing else []), *(Step(title, artifact.ensure, expect) for title, expect, artifact in _ALL)]

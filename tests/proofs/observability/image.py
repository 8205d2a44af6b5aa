"""An image of Debian's Prometheus in the lab, which no registry serves."""

from __future__ import annotations

import os
from pathlib import Path

from lab import debian, images, prometheus
from lab import state as states
from lab.cluster import CONTAINERD_ROOT, Cluster
from lab.folder import LabFolder

REPOSITORY, TAG = "meshproof.lab/prometheus", "debian"
_NOBODY = "65534:65534"


def load() -> str | None:
    """Load the image into the lab that KUBECONFIG names; the reason why not, where that is another cluster."""
    folder = LabFolder(Path(os.environ.get("LAB_DIR", ".lab")).resolve())
    state = states.load(folder.state)
    if state is None or not state.holder.is_alive() or os.environ.get("KUBECONFIG") != str(folder.kubeconfig):
        return "only the lab can be given an image without a registry"
    source, base = prometheus.artifact(), debian.base()
    for artifact in (source, base):
        artifact.ensure()
    binary = {"usr/bin/prometheus": source.path / prometheus.SERVER}
    image = images.Image(f"{REPOSITORY}:{TAG}", binary, ("/usr/bin/prometheus",), _NOBODY, base.path / "base.tar")
    # The one folder that the host and the lab's containerd share.
    archive = folder.data / "prometheus.tar"
    try:
        images.write_archive((image,), archive)
        Cluster(state.holder, folder.name, folder.logs).import_images(f"{CONTAINERD_ROOT}/{archive.name}")
    finally:
        archive.unlink(missing_ok=True)
    return None

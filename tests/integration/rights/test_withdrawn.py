"""Each right of the shipped reader role is withdrawn alone: no answer gets better, and what it touches is unknown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from kubernetes import client

from tests.cluster_objects import create, remove_namespaces
from tests.cluster_runs import BIN, ROOT, environment
from tests.integration.rights.manifests import ENROLLED, HOME, NAMESPACES, TAGGED, manifests

# What a job makes of an answer, from the worst to the best; whoever knows less may only go to the left.
BETTER = {
    "mode": ["unknown", "DISABLE", "None", "PERMISSIVE", "STRICT"],
    "port": ["unknown", "accepted", "refused"],
    "edge": ["unknown", "plaintext", "broken", "tls", "mtls"],
}
UNSERVED = ("grpcroutes", "httproutes", "tcproutes", "tlsroutes")
# Answers that have to be unknown without the right to list a resource, as patterns. Where there are none, the resource
# decides about what is listed at all, or about findings: then only `unknown` says that something is missing.
TOUCHED = {
    "namespaces": [f"mode {TAGGED}/Deployment/lost", f"mode {ENROLLED}/Deployment/later"],
    "pods": [f"edge * {HOME}/server *", f"mode {ENROLLED}/Deployment/later"],
    "services": [],
    "configmaps": [f"mode {HOME}/Pod/server", f"mode {HOME}/Pod/open", f"edge {HOME}/Pod/client {HOME}/*"],
    "deployments": [f"edge * {ENROLLED}/later *"],
    "endpointslices": [f"edge * {HOME}/machine *"],
    # Of these nothing but a finding depends (MTLS-035), or the ports of a gateway of Istio's own labels.
    "validatingwebhookconfigurations": [],
    "apiservices": [],
    "ingressclasses": [],
    "ingresses": [],
    "mutatingwebhookconfigurations": [f"mode {TAGGED}/Deployment/lost"],
    "authorizationpolicies": [],
    "peerauthentications": [f"mode {HOME}/Pod/server", f"port {HOME}/Pod/open *", f"edge * {HOME}/server *"],
    "destinationrules": [f"edge {HOME}/Pod/client {HOME}/*"],
    "sidecars": [f"edge {HOME}/Pod/client {HOME}/*"],
    "serviceentries": [],
    "workloadentries": [f"edge * {HOME}/outside *"],
    "gateways": [f"port {HOME}/Pod/gateway *"],
    "virtualservices": [f"edge {HOME}/Pod/client {HOME}/*"],
    "envoyfilters": [f"mode {HOME}/Pod/server", f"edge {HOME}/Pod/client {HOME}/*"],
    # The lab does not serve the Gateway API: what does not exist needs no right.
    **{resource: [] for resource in UNSERVED},
}
EVERYTHING = "meshproof-test:all"
AT_HOME = "meshproof-test:at-home"
"""Has the whole role, but in one namespace and in the mesh's root namespace only; and may see the webhooks."""
HOME_ALONE = "meshproof-test:home-alone"
"""The same without the webhooks, which tell where the control plane is."""
WEBHOOKS = {
    "apiGroups": ["admissionregistration.k8s.io"],
    "resources": ["mutatingwebhookconfigurations"],
    "verbs": ["get", "list"],
}
ROOT_NAMESPACE = "istio-system"


class Right(NamedTuple):
    """One resource and verb of the role."""

    group: str
    resource: str
    verb: str

    @property
    def user(self) -> str:
        """Who lacks it, and the name of the role without it."""
        return f"meshproof-test:no-{self.verb}-{self.resource}"


def reader() -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / "docs" / "rights" / "reader.yml").read_text())["rules"]


def rights() -> list[Right]:
    found = {
        Right(group, resource, verb)
        for rule in reader()
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    return sorted(found)


def without(right: Right) -> list[dict[str, Any]]:
    """The role's rules, each resource on its own, but for one verb of one of them."""
    return [
        {
            **rule,
            "resources": [resource],
            "verbs": [verb for verb in rule["verbs"] if (resource, verb) != (right.resource, right.verb)] or ["none"],
        }
        for rule in reader()
        for resource in rule["resources"]
    ]


@pytest.fixture(scope="module")
def mesh(api: client.ApiClient, istio: None) -> Iterator[None]:
    """The mesh, the roles and their users; afterwards a cluster as it was."""
    access = client.RbacAuthorizationV1Api(api)
    roles = {EVERYTHING: reader(), AT_HOME: [WEBHOOKS], **{right.user: without(right) for right in rights()}}
    try:
        create(api, manifests())
        for name, rules in roles.items():
            metadata = {"name": name}
            access.create_cluster_role({"metadata": metadata, "rules": rules})
            access.create_cluster_role_binding({"metadata": metadata, **_binding(name, name)})
        for namespace in (HOME, ROOT_NAMESPACE):
            for user in (AT_HOME, HOME_ALONE):
                access.create_namespaced_role_binding(
                    namespace, {"metadata": {"name": user}, **_binding(EVERYTHING, user)}
                )
        yield
    finally:
        _remove(access)
        remove_namespaces(api, NAMESPACES)


def _binding(role: str, user: str) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def _remove(access: client.RbacAuthorizationV1Api) -> None:
    for item in access.list_cluster_role_binding().items:
        if item.metadata.name.startswith("meshproof-test:"):
            access.delete_cluster_role_binding(item.metadata.name)
            access.delete_cluster_role(item.metadata.name)
    for item in access.list_role_binding_for_all_namespaces().items:
        if item.metadata.name in (AT_HOME, HOME_ALONE):
            access.delete_namespaced_role_binding(item.metadata.name, item.metadata.namespace)


@pytest.fixture(scope="module")
def results(mesh: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The answer of status_info for each user."""
    dest = tmp_path_factory.mktemp("rights") / "answers.json"
    variables = {
        "users": [
            *({"user": user, "namespaces": []} for user in (EVERYTHING, *(right.user for right in rights()))),
            *({"user": user, "namespaces": [HOME]} for user in (AT_HOME, HOME_ALONE)),
        ],
        "dest": str(dest),
        "ansible_python_interpreter": sys.executable,
    }
    playbook = Path(__file__).with_name("answers.yml")
    ended = subprocess.run(
        [str(BIN / "ansible-playbook"), str(playbook), "-i", "localhost,", "-e", json.dumps(variables)],
        cwd=ROOT, env=environment(), text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-4000:]
    return json.loads(dest.read_text())


def answers(result: dict[str, Any]) -> dict[str, str]:
    """Every answer by a name that depends on the mesh alone; the first word says which scale it belongs to."""
    found = {}
    for workload in result["workloads"]:
        found[f"mode {workload['id']}"] = str(workload["mode"])
        for port in workload["ports"]:
            found[f"port {workload['id']} {port['port']}"] = port["plaintext"]
    for edge in result["edges"]:
        place = f"{edge['service']} {edge['host']}:{edge['port']} {edge['subset'] or '-'} {edge['endpoint'] or '-'}"
        for member in result["client_sets"][edge["clients"]]:
            found[f"edge {member} {place}"] = edge["verdict"]
    return found


def better(what: str, old: str, new: str) -> bool:
    scale = BETTER[what.split(" ", 1)[0]]
    return scale.index(new) > scale.index(old)


def improved(whole: dict[str, str], narrow: dict[str, str]) -> dict[str, tuple[str | None, str]]:
    """The answers that are better with fewer rights; one that nobody gave before counts as one that was unknown."""
    return {
        what: (whole.get(what), new) for what, new in narrow.items() if better(what, whole.get(what, "unknown"), new)
    }


def test_the_whole_role_sees_everything(results: dict[str, Any]) -> None:
    whole = results[EVERYTHING]
    assert whole["unknown"] == []
    assert {"STRICT", "PERMISSIVE", "None"} <= {str(item["mode"]) for item in whole["workloads"]}
    assert {edge["verdict"] for edge in whole["edges"]} >= {"mtls", "plaintext", "broken"}


@pytest.mark.parametrize("right", rights(), ids=lambda right: f"{right.verb} {right.resource}")
def test_without_it_nothing_is_better(results: dict[str, Any], right: Right) -> None:
    whole, narrow = answers(results[EVERYTHING]), answers(results[right.user])
    assert improved(whole, narrow) == {}


@pytest.mark.parametrize("right", rights(), ids=lambda right: f"{right.verb} {right.resource}")
def test_what_it_touches_is_unknown(results: dict[str, Any], right: Right) -> None:
    result = results[right.user]
    narrow = answers(result)
    if right.verb == "get" or right.resource in UNSERVED:
        # Everything is read by lists; get is for the rights in single namespaces and for probes.
        assert narrow == answers(results[EVERYTHING])
        return
    reasons = [item["reason"] for item in result["unknown"] if f'resource "{right.resource}"' in item["reason"]]
    assert reasons, result["unknown"]
    for pattern in TOUCHED[right.resource]:
        found = {what: answer for what, answer in narrow.items() if fnmatch(what, pattern)}
        assert found, f"{pattern} matches nothing"
        assert set(found.values()) == {"unknown"}, found


def test_every_right_says_what_it_touches() -> None:
    assert {right.resource for right in rights()} == set(TOUCHED)


def test_rights_in_one_namespace_are_enough_for_its_modes(results: dict[str, Any]) -> None:
    whole, narrow = answers(results[EVERYTHING]), answers(results[AT_HOME])
    assert improved(whole, narrow) == {}
    at_home = {what for what in whole if what.startswith(f"mode {HOME}/")}
    assert at_home
    assert {what: narrow.get(what) for what in at_home} == {what: whole[what] for what in at_home}
    assert {item["kind"] for item in results[AT_HOME]["unknown"]} >= {"Pod"}


def test_without_the_webhooks_nobody_knows_whose_configuration_counts(results: dict[str, Any]) -> None:
    whole, narrow = answers(results[EVERYTHING]), answers(results[HOME_ALONE])
    assert improved(whole, narrow) == {}
    modes = {answer for what, answer in narrow.items() if what.startswith(f"mode {HOME}/")}
    assert modes <= {"unknown", "None"}
    assert "unknown" in modes
    assert {item["kind"] for item in results[HOME_ALONE]["unknown"]} >= {"Pod", "MutatingWebhookConfiguration"}

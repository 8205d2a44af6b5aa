"""The role against a real cluster: the charts' values, what Prometheus really sees, whose releases it touches, its end.

Kiali's and Grafana's images are not to be had in the lab, nor are the public charts: small ones that take the same
values stand for them. OBSERVABILITY_CHARTS names a folder with the public charts, to have them rendered, applied and
validated by the API server instead.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.cluster_objects import wait_for
from tests.cluster_runs import must, run
from tests.inventory import differences, get, inventory
from tests.proofs.observability import image

NAMESPACE = "observability-test"
CHARTS = os.environ.get("OBSERVABILITY_CHARTS", str(Path(__file__).parent / "charts"))
ROLE = "istio_observability"
RECORD = "meshproof-istio-observability"
GROUP = "monitoring.coreos.com"


def arguments(**options: Any) -> list[str]:
    named = {"namespace": NAMESPACE, "chart_directory": CHARTS, "wait": False, **options}
    return ["-e", json.dumps({f"{ROLE}_{name}": value for name, value in named.items()})]


def changed(output: str) -> int:
    """How many tasks of the run changed something, by its recap."""
    return int(output.rsplit("changed=", 1)[1].split()[0])


def ours(api: client.ApiClient) -> dict[str, Any]:
    """What is in the namespace, or in no namespace, and of our releases."""
    names = (f" {NAMESPACE}/", "meshproof-kiali", "meshproof-prometheus", "meshproof-grafana")
    return {key: value for key, value in inventory(api).items() if any(name in f"{key}/" for name in names)}


@pytest.fixture(scope="module")
def clean(api: client.ApiClient, istio: None) -> Iterator[client.ApiClient]:
    """A cluster with Istio that has nothing of this role, before and after."""
    assert ours(api) == {}, f"remove namespace {NAMESPACE} first"
    yield api
    must("observability", *arguments(state="absent"))
    assert ours(api) == {}


@pytest.fixture(scope="module")
def scraped() -> dict[str, Any]:
    """Prometheus' values for the lab: an image that there is, and fixed targets: Debian's does not ask Kubernetes."""
    if reason := image.load():
        pytest.skip(reason)
    jobs = [
        {"job_name": "istiod", "static_configs": [{"targets": ["istiod.istio-system.svc:15014"]}]},
        {"job_name": "itself", "static_configs": [{"targets": ["localhost:9090"]}]},
    ]
    return {
        "server": {"image": {"repository": image.REPOSITORY, "tag": image.TAG}, "resources": {}},
        "configmapReload": {"prometheus": {"enabled": False}},
        "scrapeConfigs": {job: {"enabled": False} for job in ("kubernetes-pods", "kubernetes-pods-slow", "prometheus")},
        "extraScrapeConfigs": yaml.safe_dump(jobs),
    }


@pytest.fixture(scope="module")
def installed(clean: client.ApiClient, scraped: dict[str, Any]) -> list[str]:
    """All three, installed: the options with which they were."""
    options = arguments(values={"prometheus": scraped})
    shown = must("observability", *options, "--check", "--diff")
    assert ours(clean) == {}
    assert "MeshproofPlaintextCallers" in shown
    assert changed(shown) > 0
    must("observability", *options)
    return options


@pytest.fixture
def operated(api: client.ApiClient) -> Iterator[str]:
    """A cluster that knows the kind PrometheusRule, as Prometheus' operator brings it."""
    crds = client.ApiextensionsV1Api(api)
    name = f"prometheusrules.{GROUP}"
    if any(crd.metadata.name == name for crd in crds.list_custom_resource_definition().items):
        yield name
        return
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "PrometheusRule", "plural": "prometheusrules"}
    spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]}
    crds.create_custom_resource_definition({"metadata": {"name": name}, "spec": spec})
    try:
        yield name
    finally:
        crds.delete_custom_resource_definition(name)
        # Discovery names the group for a moment longer, and then an inventory would ask for what is gone.
        while any(group["name"] == GROUP for group in get(api, "/apis")["groups"]):
            time.sleep(0.5)


def text(api: client.ApiClient, name: str, key: str) -> str:
    return str(client.CoreV1Api(api).read_namespaced_config_map(name, NAMESPACE).data[key])


def eventually(api: client.ApiClient, path: str, wanted: str) -> dict[str, Any]:
    """Ask Prometheus through the API server until its answer holds a text."""
    url = f"/api/v1/namespaces/{NAMESPACE}/services/http:meshproof-prometheus-server:80/proxy/api/v1/{path}"
    end = time.monotonic() + 90
    answer: Any = "nothing"
    while time.monotonic() < end:
        try:
            answer = get(api, url)
        except client.ApiException as error:
            answer = error.reason
        if wanted in json.dumps(answer):
            return dict(answer)
        time.sleep(1)
    raise AssertionError(f"{path}: {answer}")


def test_a_second_run_changes_nothing(installed: list[str]) -> None:
    assert changed(must("observability", *installed)) == 0


def test_they_are_connected(installed: list[str], clean: client.ApiClient) -> None:
    url = f"http://meshproof-prometheus-server.{NAMESPACE}.svc"
    (source,) = yaml.safe_load(text(clean, "meshproof-grafana", "datasources.yaml"))["datasources"]
    kiali = yaml.safe_load(text(clean, "meshproof-kiali", "config.yaml"))
    assert (source["url"], kiali["external_services"]["prometheus"]["url"]) == (url, url)
    assert kiali["external_services"]["grafana"]["internal_url"] == f"http://meshproof-grafana.{NAMESPACE}.svc"
    assert kiali["external_services"]["grafana"]["auth"]["password"] == "secret:meshproof-grafana:admin-password"


def test_nothing_is_exposed_and_everything_is_marked(installed: list[str], clean: client.ApiClient) -> None:
    services = client.CoreV1Api(clean).list_namespaced_service(NAMESPACE).items
    assert {service.spec.type for service in services} == {"ClusterIP"}
    assert client.NetworkingV1Api(clean).list_namespaced_ingress(NAMESPACE).items == []
    helms = [
        (key, value["metadata"].get("labels", {}).get("meshproof.mtls/role"))
        for key, value in ours(clean).items()
        if "meta.helm.sh/release-name" in value.get("metadata", {}).get("annotations", {})
    ]
    assert len(helms) >= 7
    assert {role for _, role in helms} == {ROLE}


def test_a_real_prometheus_has_the_rules_and_sees_istiod(installed: list[str], clean: client.ApiClient) -> None:
    rules = eventually(clean, "rules", "MeshproofPlaintextCallers")["data"]["groups"][0]["rules"]
    wanted = yaml.safe_load(text(clean, RECORD, "rules.yml"))["groups"][0]["rules"]
    assert [rule["name"] for rule in rules] == [rule["alert"] for rule in wanted]
    for metric in ("pilot_info", "citadel_server_root_cert_expiry_timestamp"):
        eventually(clean, f"query?query={metric}", '"value"')


def test_an_interrupted_helm_is_forgotten(installed: list[str], clean: client.ApiClient) -> None:
    """A Helm that was killed leaves a revision that is pending for ever."""
    secrets = client.CoreV1Api(clean)
    newest = secrets.read_namespaced_secret("sh.helm.release.v1.meshproof-kiali.v1", NAMESPACE)
    newest.metadata = client.V1ObjectMeta(
        name="sh.helm.release.v1.meshproof-kiali.v2",
        labels={**newest.metadata.labels, "version": "2", "status": "pending-upgrade"},
    )
    secrets.create_namespaced_secret(NAMESPACE, newest)
    assert changed(must("observability", *installed)) == 1
    assert changed(must("observability", *installed)) == 0


def test_an_existing_prometheus_is_used(installed: list[str], clean: client.ApiClient) -> None:
    url = "http://prometheus.elsewhere:9090"
    must("observability", *arguments(prometheus_url=url))
    kiali = yaml.safe_load(text(clean, "meshproof-kiali", "config.yaml"))
    assert kiali["external_services"]["prometheus"]["url"] == url
    assert url in text(clean, "meshproof-grafana", "datasources.yaml")
    wait_for(lambda: not [key for key in ours(clean) if "meshproof-prometheus" in key], "gone: Prometheus")
    assert "MeshproofPlaintextCallers" in text(clean, RECORD, "rules.yml")


def test_an_operator_is_given_the_rules_and_they_are_taken_back(
    installed: list[str], clean: client.ApiClient, operated: str
) -> None:
    kind = client.CustomObjectsApi(clean)
    url = "http://prometheus.elsewhere:9090"
    options = arguments(prometheus_url=url, prometheus_rule=True, prometheus_rule_labels={"release": "kube"})
    must("observability", *options)
    (rule,) = kind.list_namespaced_custom_object(GROUP, "v1", NAMESPACE, "prometheusrules")["items"]
    assert rule["spec"] == yaml.safe_load(text(clean, RECORD, "rules.yml"))
    assert rule["metadata"]["labels"]["release"] == "kube"
    assert changed(must("observability", *options)) == 0
    must("observability", *arguments(prometheus_url=url))
    assert kind.list_namespaced_custom_object(GROUP, "v1", NAMESPACE, "prometheusrules")["items"] == []


def test_a_release_of_others_is_refused_and_left(installed: list[str], clean: client.ApiClient) -> None:
    """Without the ConfigMap that the role writes first, a release is somebody else's."""
    core = client.CoreV1Api(clean)
    record = core.read_namespaced_config_map(RECORD, NAMESPACE)
    core.delete_namespaced_config_map(RECORD, NAMESPACE)
    try:
        before = inventory(clean)
        refused = run("observability", *arguments())
        removed = must("observability", *arguments(state="absent"))
        after = inventory(clean)
    finally:
        record.metadata = client.V1ObjectMeta(name=RECORD, labels=record.metadata.labels)
        core.create_namespaced_config_map(NAMESPACE, record)
    assert refused.returncode != 0
    assert "that this role did not install" in " ".join(refused.stdout.split())
    assert changed(removed) == 0
    assert [line for line in differences(before, after) if NAMESPACE in line] == []


def test_a_namespace_with_something_of_others_stays(installed: list[str], clean: client.ApiClient) -> None:
    core = client.CoreV1Api(clean)
    core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "not-ours"}})
    said = " ".join(must("observability", *arguments(state="absent")).split())
    assert "stays, as it holds what this role did not make: ConfigMap not-ours" in said
    assert core.read_namespace(NAMESPACE).status.phase == "Active"
    core.delete_namespaced_config_map("not-ours", NAMESPACE)

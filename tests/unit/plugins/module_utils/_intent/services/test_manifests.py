# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a service."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.services.manifests import manifests
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.services.situation import (
    HTTP,
    OURS,
    asked,
    by_hand,
    one,
)

NATIVE = "sidecar.istio.io/nativeSidecar"


def objects(entry, there=(), **options):
    wanted = asked({"name": "cart", **entry}, **options)
    assert wanted.problems == []
    known = {(item["kind"], "demo", item["metadata"]["name"]): item for item in there}
    return manifests(wanted.services[0], wanted, known)


def pod(found, kind="Deployment"):
    return one(found, kind)["spec"]["template"]


def container(found, kind="Deployment"):
    [only] = pod(found, kind)["spec"]["containers"]
    return only


@pytest.mark.parametrize(
    ("entry", "kinds"),
    [
        pytest.param({}, ["Deployment", "Service", "DestinationRule"], id="a service"),
        pytest.param({"ports": []}, ["Deployment"], id="a client that nobody dials"),
        pytest.param(
            {"replicas": 2}, ["Deployment", "Service", "PodDisruptionBudget", "DestinationRule"], id="several pods"
        ),
        pytest.param(
            {"replicas": None},
            ["Deployment", "Service", "PodDisruptionBudget", "DestinationRule"],
            id="as many as wanted",
        ),
        pytest.param(
            {"replicas": 2, "disruption_budget": False}, ["Deployment", "Service", "DestinationRule"], id="no budget"
        ),
        pytest.param({"replicas": 0}, ["Deployment", "Service", "DestinationRule"], id="no pod"),
        pytest.param({"kind": "StatefulSet"}, ["StatefulSet", "Service", "DestinationRule"], id="a StatefulSet"),
        pytest.param({"kind": "Job"}, ["Job"], id="a Job"),
        pytest.param({"kind": "CronJob", "schedule": "@daily"}, ["CronJob"], id="a CronJob"),
    ],
)
def test_the_kinds_of_a_service(entry, kinds):
    found = objects(entry)
    assert [item["kind"] for item in found] == ["ServiceAccount", *kinds]
    for item in found:
        assert item["metadata"] == {"name": "cart", "namespace": "demo", "labels": {"app": "cart", **OURS}}


def test_pods_run_unprivileged():
    found = objects({})
    assert pod(found)["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod(found)["spec"]["automountServiceAccountToken"] is False
    assert pod(found)["spec"]["serviceAccountName"] == "cart"
    assert container(found)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_several_ports_lead_to_one_of_the_container():
    ports = [HTTP, {"name": "http-old", "port": 8000, "target_port": 8080}, {"name": "grpc", "port": 9000}]
    found = objects({"ports": ports})
    assert container(found)["ports"] == [
        {"name": "http", "containerPort": 8080, "protocol": "TCP"},
        {"name": "grpc", "containerPort": 9000, "protocol": "TCP"},
    ]
    assert [(port["port"], port["targetPort"]) for port in one(found, "Service")["spec"]["ports"]] == [
        (80, "http"),
        (8000, "http"),
        (9000, "grpc"),
    ]


def test_a_name_that_no_container_takes_leads_by_number():
    found = objects({"ports": [{"name": "http-of-the-customers", "port": 80, "target_port": 8080}]})
    assert container(found)["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]
    assert one(found, "Service")["spec"]["ports"][0]["targetPort"] == 8080


@pytest.mark.parametrize(
    ("entry", "probe"),
    [
        pytest.param({}, {"httpGet": {"path": "/", "port": "http"}}, id="a page of the port that says HTTP"),
        pytest.param(
            {"ports": [{"name": "web", "port": 80, "target_port": 8080}, {**HTTP, "port": 81}]},
            {"httpGet": {"path": "/", "port": "web"}},
            id="whose port of the container has another name",
        ),
        pytest.param(
            {"ports": [{"name": "tcp-db", "port": 5432}]}, {"tcpSocket": {"port": "tcp-db"}}, id="that it listens"
        ),
        pytest.param({"ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]}, None, id="UDP is not asked"),
        pytest.param({"ports": []}, None, id="nobody dials it"),
        pytest.param({"kind": "Job", "ports": [HTTP]}, None, id="a Job ends"),
        pytest.param({"readiness_probe": {"exec": {"command": ["a"]}}}, {"exec": {"command": ["a"]}}, id="its own"),
    ],
)
def test_when_a_pod_counts(entry, probe):
    assert container(objects(entry), entry.get("kind", "Deployment")).get("readinessProbe") == probe


def test_a_rolling_restart_drops_no_request():
    found = objects({"pre_stop_seconds": 7})
    strategy = one(found, "Deployment")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert container(found)["lifecycle"] == {"preStop": {"sleep": {"seconds": 7}}}
    assert pod(found)["spec"]["terminationGracePeriodSeconds"] == 37
    assert pod(found)["metadata"]["annotations"] == {NATIVE: "true"}


@pytest.mark.parametrize(
    ("entry", "lingers", "annotations"),
    [
        pytest.param({"inject": "false"}, True, None, id="without a proxy nothing is said about it"),
        pytest.param({"pre_stop_seconds": 0}, False, {NATIVE: "true"}, id="as asked for"),
        pytest.param({"ports": []}, False, {NATIVE: "true"}, id="a client is missed by nobody"),
        pytest.param({"kind": "Job"}, False, {NATIVE: "true"}, id="a Job ends by itself, and its proxy with it"),
    ],
)
def test_who_waits_before_the_end(entry, lingers, annotations):
    found, kind = objects(entry), entry.get("kind", "Deployment")
    assert ("lifecycle" in container(found, kind)) == lingers
    assert pod(found, kind)["metadata"].get("annotations") == annotations


@pytest.mark.parametrize(
    ("entry", "options", "mode"),
    [
        pytest.param({}, {}, "ISTIO_MUTUAL", id="mutual TLS"),
        pytest.param({}, {"tls_mode": "SIMPLE"}, "SIMPLE", id="as the role's variable says"),
        pytest.param({"inject": "false"}, {}, "DISABLE", id="a server without a proxy"),
        pytest.param({"inject": "false", "tls_mode": "MUTUAL"}, {}, "MUTUAL", id="unless its entry says so"),
    ],
)
def test_what_clients_send(entry, options, mode):
    spec = one(objects(entry, **options), "DestinationRule")["spec"]
    assert spec == {"host": "cart.demo.svc.cluster.local", "trafficPolicy": {"tls": {"mode": mode}}}


@pytest.mark.parametrize(("inject", "label"), [("inherit", None), ("true", "true"), ("false", "false")])
def test_injection_is_a_label(inject, label):
    assert pod(objects({"inject": inject}))["metadata"]["labels"].get("sidecar.istio.io/inject") == label


def test_a_definition_is_merged_last():
    volume = [{"name": "tmp", "emptyDir": {}}]
    found = objects(
        {
            "definition": {
                "Container": {"securityContext": {"readOnlyRootFilesystem": False}},
                "Deployment": {"spec": {"template": {"spec": {"volumes": volume}}, "strategy": {"type": "Recreate"}}},
                "ServiceAccount": {"metadata": {"annotations": {"a": "b"}}},
            }
        }
    )
    assert container(found)["securityContext"]["readOnlyRootFilesystem"] is False
    assert container(found)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod(found)["spec"]["volumes"] == volume
    assert pod(found)["spec"]["serviceAccountName"] == "cart"
    assert one(found, "ServiceAccount")["metadata"]["annotations"] == {"a": "b"}


def test_values_of_variables_are_text():
    env = [{"name": "N", "value": 8080}, {"name": "B", "value": True}, {"name": "F", "valueFrom": {"x": 1}}]
    assert container(objects({"env": env}))["env"] == [
        {"name": "N", "value": "8080"},
        {"name": "B", "value": "true"},
        {"name": "F", "valueFrom": {"x": 1}},
    ]


def test_a_cron_job_and_a_stateful_set():
    cron = one(objects({"kind": "CronJob", "schedule": "0 3 * * *"}), "CronJob")["spec"]
    assert (cron["schedule"], cron["concurrencyPolicy"]) == ("0 3 * * *", "Forbid")
    assert cron["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"
    stateful = one(objects({"kind": "StatefulSet"}), "StatefulSet")["spec"]
    assert stateful["serviceName"] == "cart"
    assert stateful["selector"] == {"matchLabels": {"app": "cart"}}


def test_what_is_there_keeps_its_selectors_and_its_container():
    labels = {"app": "shop", "tier": "web"}
    service = {"kind": "Service", "metadata": {"name": "cart"}, "spec": {"selector": {"tier": "web"}}}
    found = objects({"replicas": 2}, [by_hand("Deployment", "cart", labels), service])
    assert one(found, "Deployment")["spec"]["selector"] == {"matchLabels": labels}
    assert pod(found)["metadata"]["labels"] == {**OURS, **labels}
    assert container(found)["name"] == "web"
    assert one(found, "Service")["spec"]["selector"] == {"tier": "web"}
    assert one(found, "PodDisruptionBudget")["spec"]["selector"] == {"matchLabels": labels}


def test_a_new_service_leads_to_the_pods_that_are_there():
    found = objects({}, [by_hand("Deployment", "cart", {"tier": "web"})])
    assert one(found, "Service")["spec"]["selector"] == {"tier": "web"}


@pytest.mark.parametrize(
    ("containers", "kept"),
    [
        pytest.param([{"name": "log"}, {"name": "app"}], "app", id="ours"),
        pytest.param([{"name": "log"}, {"name": "cart"}], "cart", id="of the service's name"),
        pytest.param([{"name": "log"}, {"name": "x", "image": "shop/cart:2"}], "x", id="of the same image"),
        pytest.param([{"name": "x"}, {"name": "log"}], "x", id="the first"),
        pytest.param([], "app", id="none"),
        pytest.param("odd", "app", id="nothing that can be read"),
    ],
)
def test_which_container_is_meant(containers, kept):
    there = by_hand("Deployment", "cart", {"app": "cart"})
    there["spec"]["template"]["spec"]["containers"] = containers
    assert container(objects({"image": "shop/cart:2"}, [there]))["name"] == kept


def test_a_probe_that_is_there_is_not_mixed_with_a_guess():
    there = by_hand("Deployment", "cart", {"app": "cart"})
    [only] = there["spec"]["template"]["spec"]["containers"]
    only["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 3}
    assert "readinessProbe" not in container(objects({}, [there]))
    only["readinessProbe"] = {"httpGet": {"path": "/ready", "port": 8080}}
    assert container(objects({}, [there]))["readinessProbe"] == {"httpGet": {"path": "/", "port": "http"}}

# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Section 1 of the semantics: mesh configuration of each revision."""

from __future__ import annotations

import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign import yaml_text
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.mesh import Mesh, Requirement, mesh_of, proto_name
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import MeshMap, NamespaceObject
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    workload,
)

DEFAULTS = {
    "name": "default",
    "root_namespace": "istio-system",
    "auto_mtls": True,
    "trust_domain": "cluster.local",
    "namespace": "istio-system",
    "version": None,
    "tags": [],
}
YAML = "enableAutoMtls: false\ntrustDomain: example.org\nrootNamespace: config\n"
READ = {**DEFAULTS, "root_namespace": "config", "auto_mtls": False, "trust_domain": "example.org"}


def with_mesh(value):
    """A mesh ConfigMap with this `data.mesh`."""
    return {**mesh_config(), "data": {"mesh": value}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", DEFAULTS),
        ("{}", DEFAULTS),
        (YAML, READ),
        ('{"trustDomain": "x"}', {**DEFAULTS, "trust_domain": "x"}),
        ({"rootNamespace": "config", "enableAutoMtls": False, "trustDomain": "example.org"}, READ),
        ("enableAutoMtls: true", DEFAULTS),
        ("enableAutoMtls:", DEFAULTS),
    ],
)
def test_yaml_json_or_parsed(value, expected):
    assert judge(with_mesh(value))["mesh"]["revisions"] == [expected]


def test_no_config_map_means_defaults():
    assert judge()["mesh"]["revisions"] == [DEFAULTS]


@pytest.mark.parametrize(
    "value", ["{", "- a\n- b", "a: [", 3, "defaultConfig: x", 'enableAutoMtls: "false"', "enableAutoMtls: 0"]
)
def test_a_config_that_cannot_be_read_makes_its_revision_unknown(value):
    result = judge(with_mesh(value), pod("demo/a"))
    assert workload(result, "demo/a")["mode"] == "unknown"
    assert result["unknown"][0]["kind"] == "ConfigMap"


def test_yaml_without_pyyaml_is_unknown(monkeypatch):
    monkeypatch.setattr(yaml_text, "IMPORT_ERROR", "No module named yaml")
    result = judge(with_mesh(YAML), pod("demo/a"))
    assert workload(result, "demo/a")["mode"] == "unknown"
    assert "PyYAML" in result["unknown"][0]["reason"]


def test_other_config_maps_are_not_mesh_configuration():
    others = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "istio-system"},
            "data": {key: "rootNamespace: x"},
        }
        for name, key in (
            ("istio-ca-root-cert", "root-cert.pem"),
            ("other", "mesh"),
            ("istio-sidecar-injector", "config"),
        )
    ]
    assert judge(others)["mesh"]["revisions"] == [DEFAULTS]


def test_a_revision_without_its_config_map_gets_defaults_and_a_note():
    result = judge(mesh_config(), pod("demo/a", revision="canary"))
    assert [row["name"] for row in result["mesh"]["revisions"]] == ["canary", "default"]
    assert result["unknown"][0]["name"] == "istio-canary"


SELECTED = {
    "In, and it is": ({"key": "a", "operator": "In", "values": ["x", "y"]}, {"a": "y"}, True),
    "In, and it is another": ({"key": "a", "operator": "In", "values": ["x"]}, {"a": "y"}, False),
    "In, and it has none": ({"key": "a", "operator": "In", "values": ["x"]}, {}, False),
    "NotIn, and it is another": ({"key": "a", "operator": "NotIn", "values": ["x"]}, {"a": "y"}, True),
    "NotIn, and it is": ({"key": "a", "operator": "NotIn", "values": ["x"]}, {"a": "x"}, False),
    "NotIn, and it has none": ({"key": "a", "operator": "NotIn", "values": ["x"]}, {}, True),
    "Exists, and it does": ({"key": "a", "operator": "Exists"}, {"a": ""}, True),
    "Exists, and it does not": ({"key": "a", "operator": "Exists"}, {"b": "x"}, False),
    "DoesNotExist, and it does not": ({"key": "a", "operator": "DoesNotExist"}, {"b": "x"}, True),
    "DoesNotExist, and it does": ({"key": "a", "operator": "DoesNotExist"}, {"a": "x"}, False),
}


@pytest.mark.parametrize(("requirement", "labels", "seen"), SELECTED.values(), ids=SELECTED)
def test_which_namespaces_discovery_selectors_show(requirement, labels, seen):
    """A proxy in a namespace that istiod does not watch has no policies of it."""
    config = mesh_config(discoverySelectors=[{"matchExpressions": [requirement]}])
    spaces = [namespace("demo", **labels), namespace("istio-system", a="x")]
    policy = peer("demo/p", "STRICT")
    result = judge(config, *spaces, pod("demo/a"), policy)
    assert (workload(result, "demo/a")["mode"] == "STRICT") is seen


@pytest.mark.parametrize(
    ("first", "second", "seen"),
    [({"a": "x"}, {"b": "y"}, True), ({"a": "x"}, {"a": "z"}, True), ({"a": "z"}, {"b": "z"}, False)],
    ids=["both", "the first", "neither"],
)
def test_one_of_several_discovery_selectors_is_enough(first, second, seen):
    config = mesh_config(discoverySelectors=[{"matchLabels": first}, {"matchLabels": second}])
    result = judge(config, namespace("demo", a="x", b="y"), pod("demo/a"), peer("demo/p", "STRICT"))
    assert (workload(result, "demo/a")["mode"] == "STRICT") is seen


HBONE = {"ISTIO_META_ENABLE_HBONE": "true"}
MERGED = {
    "a field of each": (({"trustDomain": "x"}, {"rootNamespace": "r"}), ("x", "r")),
    "the later one counts": (({"trustDomain": "x"}, {"trustDomain": "y"}), ("y", "istio-system")),
    "null says nothing": (({"trustDomain": "x"}, {"trustDomain": None}), ("x", "istio-system")),
    "by both of its names": (({"trust_domain": "x"}, {"root_namespace": "r"}), ("x", "r")),
    "one name over the other": (({"trust_domain": "x"}, {"trustDomain": "y"}), ("y", "istio-system")),
}


@pytest.mark.parametrize(("configs", "expected"), MERGED.values(), ids=MERGED)
def test_one_configuration_over_another(configs, expected):
    mesh = mesh_of("default", [MeshMap("istio-system", "x", config) for config in configs])
    assert (mesh.doubt, mesh.trust_domain, mesh.root_namespace) == ("", *expected)


def test_what_of_two_configurations_is_merged_and_what_is_replaced():
    mesh = mesh_of(
        "default",
        [
            MeshMap("istio-system", "x", one)
            for one in (
                {
                    "trustDomainAliases": ["a"],
                    "defaultConfig": {"interceptionMode": "TPROXY", "proxyMetadata": {"A": "b"}},
                    "caCertificates": [{"trustDomains": ["old"]}],
                    "defaultServiceExportTo": ["."],
                    "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
                },
                {
                    "trust_domain_aliases": ["b"],
                    "defaultConfig": {"proxy_metadata": HBONE},
                    "caCertificates": [{"trust_domains": ["new"]}],
                    "defaultServiceExportTo": ["*"],
                },
            )
        ],
    )
    assert (mesh.aliases, mesh.foreign, mesh.service_export) == ({"a", "b"}, {"new"}, ("*",))
    assert (mesh.interception, mesh.sidecars_accept_hbone, mesh.allow_any) == ("TPROXY", True, False)


@pytest.mark.parametrize(
    ("config", "doubt"),
    [
        ({"trustDomain": "x", "trust_domain": "y"}, "trustDomain is there by two names"),
        ({"trustDomain": ""}, "trustDomain is empty"),
        ({"rootNamespace": ""}, "rootNamespace is empty"),
        ({"enable_auto_mtls": "false"}, "enableAutoMtls is neither true nor false"),
        ({"defaultConfig": []}, "a field has an unexpected type"),
        ({"caCertificates": ["x"]}, "a field has an unexpected type"),
    ],
)
def test_what_no_istiod_would_take(config, doubt):
    assert mesh_of("default", [MeshMap("istio-system", "istio", config)]).doubt == doubt


def test_auto_mtls_is_off_by_either_name():
    assert not mesh_of("default", [MeshMap("istio-system", "istio", "enable_auto_mtls: false")]).auto_mtls


WHOLE = {
    "rootNamespace": "control",
    "enableAutoMtls": False,
    "trustDomain": "corp.example",
    "trustDomainAliases": ["old.example", "older.example"],
    "caCertificates": [{"pem": "x", "trustDomains": ["friend.example"]}, {"pem": "y"}],
    "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
    "defaultServiceExportTo": ["."],
    "defaultDestinationRuleExportTo": ["zoo"],
    "defaultVirtualServiceExportTo": ["~"],
    "discoverySelectors": [
        {"matchLabels": {"mesh": "yes"}},
        {
            "matchExpressions": [
                {"key": "team", "operator": "In", "values": ["a", "b"]},
                {"key": "x", "operator": "Exists"},
            ]
        },
    ],
    "ingressControllerMode": "DEFAULT",
    "ingressClass": "mine",
    "ingressService": "my-gateway",
    "defaultConfig": {"interceptionMode": "TPROXY", "proxyMetadata": {"ISTIO_META_ENABLE_HBONE": "true"}},
    "accessLogFile": "/dev/stdout",
}
OWN = Mesh(
    "canary",
    root_namespace="control",
    auto_mtls=False,
    trust_domain="corp.example",
    aliases=frozenset(("old.example", "older.example")),
    foreign=frozenset(("friend.example",)),
    allow_any=False,
    service_export=(".",),
    rule_export=("zoo",),
    route_export=("~",),
    selectors=(
        (Requirement("mesh", "In", frozenset(("yes",))),),
        (Requirement("team", "In", frozenset(("a", "b"))), Requirement("x", "Exists", frozenset())),
    ),
    interception="TPROXY",
    ingress_mode="DEFAULT",
    ingress_class="mine",
    ingress_label="my-gateway",
    sidecars_accept_hbone=True,
)


def in_proto(value):
    """The same by the other names that Istio takes."""
    if isinstance(value, list):
        return [in_proto(item) for item in value]
    keep = ("mesh", "ISTIO_META_ENABLE_HBONE")
    return (
        {k if k in keep else proto_name(k): in_proto(v) for k, v in value.items()} if isinstance(value, dict) else value
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(WHOLE, OWN, id="every field"),
        pytest.param({}, Mesh("canary"), id="none"),
        pytest.param(dict.fromkeys(WHOLE), Mesh("canary"), id="every field is null"),
        pytest.param({"ingressService": "istio-ingressgateway"}, Mesh("canary"), id="the usual gateway"),
        pytest.param({"ingressService": "a", "ingressSelector": "b"}, Mesh("canary", ingress_label="b"),
                     id="a selector of gateways before their Service"),
        pytest.param({"outboundTrafficPolicy": {"mode": "ALLOW_ANY"}}, Mesh("canary"), id="ALLOW_ANY is the default"),
        pytest.param({"defaultServiceExportTo": []}, Mesh("canary", service_export=()), id="exported to nobody"),
        pytest.param({"defaultConfig": {"proxyMetadata": {"ISTIO_META_ENABLE_HBONE": "false"}}}, Mesh("canary"),
                     id="no HBONE"),
    ],
)  # fmt: skip
def test_what_a_mesh_configuration_says(given, expected):
    assert mesh_of("canary", [MeshMap("istio-system", "istio-canary", json.dumps(given))]) == expected


def test_fields_have_two_names():
    """But for the fields of what is not read here, in the words of Kubernetes."""
    given = {name: value for name, value in WHOLE.items() if name != "discoverySelectors"}
    found = mesh_of("canary", [MeshMap("istio-system", "istio-canary", in_proto(given))])
    assert found == OWN._replace(selectors=())


@pytest.mark.parametrize(
    ("labels", "seen"),
    [
        ({"mesh": "yes"}, True),
        ({"mesh": "no"}, False),
        ({"team": "a", "x": ""}, True),
        ({"team": "a"}, False),
        ({"x": "1"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_which_namespaces_a_control_plane_discovers(labels, seen):
    namespace = None if labels is None else NamespaceObject("n", labels, {})
    assert OWN.discovers(namespace) is seen
    assert Mesh("default").discovers(namespace) is True


@pytest.mark.parametrize(
    ("operator", "values", "labels", "seen"),
    [
        ("In", ["a"], {"k": "a"}, True),
        ("In", ["a"], {"k": "b"}, False),
        ("In", ["a"], {}, False),
        ("NotIn", ["a"], {"k": "a"}, False),
        ("NotIn", ["a"], {"k": "b"}, True),
        ("NotIn", ["a"], {}, True),
        ("Exists", [], {"k": ""}, True),
        ("Exists", [], {}, False),
        ("DoesNotExist", [], {"k": ""}, False),
        ("DoesNotExist", [], {}, True),
    ],
)
def test_what_an_expression_wants(operator, values, labels, seen):
    found = Mesh("default", selectors=((Requirement("k", operator, frozenset(values)),),))
    assert found.discovers(NamespaceObject("n", labels, {})) is seen


@pytest.mark.parametrize(
    ("domain", "client", "server"),
    [
        ("corp.example", True, True),
        ("old.example", True, True),
        ("friend.example", True, False),
        ("cluster.local", False, False),
    ],
    ids=["its own", "an alias", "one whose certificates it takes", "another"],
)
def test_whose_identities_a_mesh_accepts(domain, client, server):
    other = Mesh("default", trust_domain=domain)
    assert (OWN.accepts_clients_of(other), OWN.accepts_servers_of(other)) == (client, server)


def test_what_is_told_of_a_mesh():
    told = OWN._replace(namespace="control", version="1.31.1", tags=("prod",)).public()
    assert told == {
        "name": "canary",
        "root_namespace": "control",
        "auto_mtls": False,
        "trust_domain": "corp.example",
        "namespace": "control",
        "version": "1.31.1",
        "tags": ["prod"],
    }

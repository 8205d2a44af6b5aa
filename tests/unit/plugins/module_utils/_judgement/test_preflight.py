"""The table of the playbook preflight: what was found on the left, what a job lacks on the right."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preflight import preflight, questions

PYTHON = "/usr/bin/python3"
CLUSTER = {"server": "https://192.0.2.1:6443", "kubernetes_version": "v1.35.4", "istio_versions": ["1.31.1"]}


def environment(**changes: Any) -> dict[str, Any]:
    return {
        "python": PYTHON,
        "libraries": {"kubernetes": "37.0.2"},
        "tools": {"helm": "/usr/bin/helm", "istioctl": None},
        **changes,
    }


def item(role: str, namespace: str = "", asked: bool = False) -> dict[str, Any]:
    return {"file": role, "namespace": namespace, "names": [], "asked": asked}


def reviews(role: str, *denied: tuple[str, str, str], namespace: str = "", asked: bool = False) -> dict[str, Any]:
    """What kubernetes.core.k8s returns for a ClusterRole's reviews: one right that is given, and those denied."""
    rights = [("get", "", "pods", True), *((verb, group, resource, False) for verb, group, resource in denied)]
    results = [
        {
            "result": {
                "spec": {"resourceAttributes": {"verb": verb, "group": group, "resource": resource}},
                "status": {"allowed": allowed},
            }
        }
        for verb, group, resource, allowed in rights
    ]
    # Of a single one the object itself is returned.
    result = {"results": results} if denied else results[0]["result"]
    return {"item": item(role, namespace, asked), "result": result}


def facts(**changes: Any) -> dict[str, Any]:
    return {
        "environment": environment(),
        "status": {"cluster": CLUSTER},
        "rights": [reviews("reader"), reviews("prober", namespace="probes"), reviews("installer")],
        "method": "helm",
        "istio_version": "",
        **changes,
    }


OLD_ISTIO = {"cluster": {**CLUSTER, "istio_versions": ["1.10.0"]}}
NO_READER = reviews("reader", ("get", "apps", "deployments"), ("list", "apps", "deployments"), ("list", "", "pods"))
NO_PROBER = reviews("prober", ("create", "", "pods"), namespace="probes")
NO_FORWARD = ("create", "", "pods/portforward")
SEEN = {"cluster": CLUSTER, "namespaces": [{"name": "shop"}]}
REFUSED = {"item": item("reader"), "msg": "Failed to create object: no"}
MAKES_NAMESPACES = {
    "item": item("installer"),
    "result": {
        "spec": {"resourceAttributes": {"verb": "create", "group": "", "resource": "namespaces"}},
        "status": {"allowed": True},
    },
}
SKIPPED = {"item": item("reader"), "skipped": True}


@pytest.mark.parametrize(
    ("changes", "job", "missing"),
    [
        pytest.param({}, "site", [], id="all there"),
        pytest.param(
            {"environment": environment(libraries={"kubernetes": None})},
            "verify",
            [f"Python library kubernetes: not found by {PYTHON}. Remedy: {PYTHON} -m pip install kubernetes, "],
            id="a library is missing",
        ),
        pytest.param(
            {"environment": environment(libraries={"cryptography": None}), "rights": [reviews("inspector")]},
            "site",
            [],
            id="a library that no source needs",
        ),
        pytest.param(
            {"environment": environment(libraries={"cryptography": ""}), "rights": [reviews("inspector", asked=True)]},
            "verify",
            [f"Python library cryptography: not found by {PYTHON}. Remedy: {PYTHON} -m pip install cryptography, "],
            id="a library that a source needs",
        ),
        pytest.param({"environment": environment(tools={"helm": None})}, "site", [], id="a tool can be fetched"),
        pytest.param(
            {"rights": [NO_READER]},
            "verify",
            [
                "Rights meshproof-reader: 1 of 4, not get+list deployments.apps, list pods. "
                "Remedy: kubectl create clusterrolebinding meshproof-reader "
            ],
            id="rights in the cluster",
        ),
        pytest.param({"rights": [NO_PROBER]}, "verify", [], id="rights that only a later job needs"),
        pytest.param(
            {"rights": [NO_PROBER]},
            "observed",
            ["Rights meshproof-prober in namespace probes: 1 of 2, not create pods. Remedy: kubectl create "],
            id="rights in a namespace",
        ),
        pytest.param({"rights": [reviews("inspector", NO_FORWARD)]}, "site", [], id="rights that no source needs"),
        pytest.param(
            {"rights": [reviews("inspector", NO_FORWARD, namespace="shop", asked=True)]},
            "verify",
            ["Rights meshproof-inspector in namespace shop: 1 of 2, not create pods/portforward. Remedy: kubectl "],
            id="rights that a source needs",
        ),
        pytest.param(
            {"status": SEEN, "rights": [reviews("prober", namespace="probes", asked=True)]},
            "verify",
            ["Namespace probes: not there, and not made by this job. Remedy: kubectl create namespace probes, "],
            id="a namespace that is not there",
        ),
        pytest.param(
            {"status": SEEN, "rights": [reviews("publisher", namespace="shop", asked=True)]},
            "verify",
            [],
            id="a namespace that is there",
        ),
        pytest.param(
            {"status": SEEN, "rights": [reviews("prober", namespace="probes", asked=True), MAKES_NAMESPACES]},
            "verify",
            [],
            id="a namespace that the probe makes",
        ),
        pytest.param(
            {"status": {"msg": "The API server X cannot be reached: no. Remedy: look at it."}, "rights": [SKIPPED]},
            "site",
            ["API server: The API server X cannot be reached: no. Remedy: look at it."],
            id="no API server is one thing, not one for each right",
        ),
        pytest.param(
            {"status": {"msg": "pods is forbidden. Remedy: ask."}},
            "verify",
            ["Reading the mesh: pods is forbidden. Remedy: ask."],
            id="an API server that answers is not the problem",
        ),
        pytest.param(
            {"rights": [REFUSED]}, "verify", ["Rights meshproof-reader: Failed to create object: no. "], id="no reviews"
        ),
        pytest.param({"status": OLD_ISTIO}, "verify", [], id="reading is for all versions"),
        pytest.param({"status": OLD_ISTIO}, "site", ["Istio found: "], id="changing is not"),
        pytest.param({"istio_version": "1.10.0"}, "site", ["Istio wanted: "], id="a version that is asked for"),
        pytest.param({"status": {"cluster": {**CLUSTER, "istio_versions": []}}}, "site", [], id="no Istio yet"),
    ],
)
def test_what_a_job_lacks(changes: dict[str, Any], job: str, missing: list[str]) -> None:
    found = preflight(facts(**changes), job)["missing"]
    assert len(found) == len(missing), found
    assert all(text.startswith(start) for text, start in zip(found, missing, strict=True)), found
    assert all(". Remedy: " in text for text in found)


def test_a_job_that_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"There is no job sight. Remedy: choose one of verify, observed, site."):
        preflight(facts(), "sight")


def test_every_row_of_the_table_is_aligned() -> None:
    lines = preflight(facts(rights=[NO_READER, NO_PROBER]))["lines"]
    column = lines[0].index("CHECK")
    assert all(line[column - 1] == " " and line[column] != " " for line in lines)
    assert [line.split()[0] for line in lines].count("MISSING") == 2


def planned(**changes: Any) -> dict[str, Any]:
    return {
        "sources": ["declared"],
        "namespaces": [],
        "prometheus": {},
        "publish": {},
        "probe_namespace": "probes",
        **changes,
    }


BEHIND = {"service": "metrics/https:prometheus:9090"}


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        pytest.param({}, ["reader"], id="reading alone"),
        pytest.param({"sources": "declared, observed"}, ["reader", "prober in probes"], id="the wire, from -e"),
        pytest.param({"sources": ["declared", "programmed"]}, ["reader", "inspector"], id="proxies everywhere"),
        pytest.param(
            {"sources": ["declared", "programmed"], "namespaces": "shop,pay"},
            ["reader", "inspector in shop", "inspector in pay"],
            id="proxies where servers are judged",
        ),
        pytest.param(
            {"sources": ["declared", "traffic"], "prometheus": BEHIND},
            ["reader", "prometheus in metrics (https:prometheus:9090)"],
            id="telemetry behind a Service",
        ),
        pytest.param(
            {"sources": ["declared", "traffic"], "prometheus": {"url": "http://192.0.2.1"}},
            ["reader"],
            id="telemetry that is no matter of the cluster's",
        ),
        pytest.param(
            {"publish": {"config_map": {"namespace": "audits", "name": "mtls"}}},
            ["reader", "publisher in audits"],
            id="a ConfigMap to write",
        ),
        pytest.param({"publish": {"url": "http://192.0.2.1"}}, ["reader"], id="an address to send to"),
    ],
)
def test_which_rights_a_verification_is_asked_about(changes: dict[str, Any], asked: list[str]) -> None:
    found = questions(planned(**changes))
    assert [_shown(question) for question in found if question["asked"]] == asked
    # The others are asked about all the same: the table shows what could be had.
    assert {"reader", "inspector", "prober", "installer"} <= {question["file"] for question in found}


def _shown(question: dict[str, Any]) -> str:
    where = f" in {question['namespace']}" if question["namespace"] else ""
    return f"{question['file']}{where}{''.join(f' ({name})' for name in question['names'])}"

"""The table of the playbook preflight: what was found on the left, what a job lacks on the right."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.preflight import (
    MISSING,
    NOTE,
    OK,
    UNKNOWN,
    Check,
    _libraries,
    _reading,
    _rights,
    _split_remedy,
    _tools,
    _versions,
    preflight,
    questions,
)

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


@pytest.mark.parametrize(
    ("value", "items"),
    [
        pytest.param("declared, ,observed,", ["declared", "observed"], id="a text with gaps"),
        pytest.param([" declared ", "", "observed"], ["declared", "observed"], id="a list with gaps"),
        pytest.param(None, [], id="none"),
    ],
)
def test_sources_that_are_written_carelessly(value: Any, items: list[str]) -> None:
    asked = {question["file"]: question["asked"] for question in questions(planned(sources=value))}
    assert asked == {"reader": True, "inspector": False, "prober": "observed" in items, "installer": False}
    places = [
        question["namespace"] for question in questions(planned(namespaces=value)) if question["file"] == "inspector"
    ]
    assert places == (items or [""])


def test_the_table_as_a_reader_sees_it() -> None:
    found = preflight(facts(environment=environment(libraries={"kubernetes": "37.0.2", "cryptography": ""})))
    assert [" ".join(line.split()) for line in found["lines"]] == [
        "RESULT FOR CHECK FOUND → REMEDY",
        f"ok verify Python library kubernetes 37.0.2 for {PYTHON}",
        f"MISSING programmed Python library cryptography not found by {PYTHON} → {PYTHON} -m pip install cryptography, "
        "or set ansible_python_interpreter to a Python that has it",
        "ok site Tool helm /usr/bin/helm",
        "note site Tool istioctl not here; not needed for the method helm",
        "ok verify API server https://192.0.2.1:6443",
        "ok site Kubernetes v1.35.4",
        "ok site Istio found 1.31.1",
        "ok verify Rights meshproof-reader all 1",
        "ok observed Rights meshproof-prober in namespace probes all 1",
        "ok site Rights meshproof-installer all 1",
    ]
    assert (found["job"], found["missing"]) == ("verify", [])


ASKED, UNASKED = reviews("inspector", asked=True), reviews("inspector")


@pytest.mark.parametrize(
    ("library", "version", "answers", "expected"),
    [
        pytest.param("kubernetes", "", [], (MISSING, "verify", True), id="needed for whatever is asked"),
        pytest.param("kubernetes", "1", [], (OK, "verify", False), id="there"),
        pytest.param("cryptography", "", [], (MISSING, "programmed", False), id="nobody asks about proxies"),
        pytest.param("cryptography", "", [UNASKED], (MISSING, "programmed", False), id="proxies are not asked"),
        pytest.param("cryptography", "", [UNASKED, ASKED], (MISSING, "programmed", True), id="some proxies are asked"),
        pytest.param(
            "cryptography", "", [reviews("reader", asked=True)], (MISSING, "programmed", False), id="others are asked"
        ),
    ],
)
def test_what_a_library_is_for(library: str, version: str, answers: Any, expected: Any) -> None:
    [check] = _libraries({"python": PYTHON, "libraries": {library: version}}, answers)
    assert (check.result, check.purpose, check.asked) == expected


def test_a_library_that_all_need_is_missing_in_every_job() -> None:
    lacking = facts(environment=environment(libraries={"kubernetes": ""}))
    assert [len(preflight(lacking, job)["missing"]) for job in ("verify", "observed", "site")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("path", "method", "found"),
    [
        pytest.param("/bin/helm", "helm", (OK, "/bin/helm"), id="there"),
        pytest.param(None, "helm", (NOTE, "not here; istio_install fetches it, checked by its checksum"), id="wanted"),
        pytest.param(None, "istioctl", (NOTE, "not here; not needed for the method istioctl"), id="not wanted"),
    ],
)
def test_tools(path: str | None, method: str, found: tuple[str, str]) -> None:
    [check] = _tools({"environment": {"tools": {"helm": path}}, "method": method})
    assert (check.result, check.name, check.purpose, check.found) == (found[0], "Tool helm", "site", found[1])


@pytest.mark.parametrize(
    ("message", "found", "remedy"),
    [
        pytest.param("It fails. Remedy: look at it.", "It fails", "look at it", id="ours"),
        pytest.param("It\n fails . Remedy: look\n at it.", "It fails", "look at it", id="ours over lines"),
        pytest.param("\n It fails.\nTraceback\n more", "It fails", "", id="of a foreign one the first line"),
        pytest.param("It fails. Remedy: ", "It fails", "", id="a remedy that says nothing"),
        pytest.param("", "", "", id="nothing"),
    ],
)
def test_what_is_wrong_and_what_to_do(message: str, found: str, remedy: str) -> None:
    assert _split_remedy(message) == (found, remedy)


@pytest.mark.parametrize(
    ("status", "asked", "expected"),
    [
        pytest.param({"cluster": CLUSTER}, False, Check(OK, "API server", "verify", CLUSTER["server"]), id="read"),
        pytest.param(
            {"msg": "No. Remedy: ask."}, True, Check(MISSING, "Reading the mesh", "verify", "No", "ask"), id="answered"
        ),
        pytest.param(
            {},
            False,
            Check(MISSING, "API server", "verify", "no answer", "check the connection (K8S_AUTH_* or mtls_cluster)"),
            id="no word",
        ),
    ],
)
def test_the_connection(status: Any, asked: bool, expected: Check) -> None:
    assert _reading(status, asked) == expected


def test_one_answer_of_several_shows_that_the_api_server_is_there() -> None:
    failed = {"status": {"msg": "pods is forbidden"}}
    for answers, name in (
        ([SKIPPED, reviews("installer")], "Reading the mesh"),
        ([SKIPPED, SKIPPED], "API server"),
        ([], "API server"),
    ):
        assert preflight(facts(**failed, rights=answers))["missing"][0].startswith(f"{name}: pods is forbidden.")


@pytest.mark.parametrize(
    ("cluster", "wanted", "rows"),
    [
        pytest.param({}, "", [], id="nothing was read"),
        pytest.param({}, "1.31.1", [(OK, "Istio wanted", "1.31.1")], id="only wanted"),
        pytest.param(
            CLUSTER, "", [(OK, "Kubernetes", "v1.35.4"), (OK, "Istio found", "1.31.1")], id="Kubernetes and Istio"
        ),
        pytest.param(
            {"server": "x"}, "", [(NOTE, "Istio found", "none yet, or not readable with these rights")], id="neither"
        ),
        pytest.param(
            {"istio_versions": []},
            "",
            [(NOTE, "Istio found", "none yet, or not readable with these rights")],
            id="no Istio",
        ),
        pytest.param(
            {"istio_versions": ["1.31.1", "1.30.0"]},
            "",
            [(OK, "Istio found", "1.31.1"), (OK, "Istio found", "1.30.0")],
            id="two of Istio",
        ),
    ],
)
def test_versions(cluster: Any, wanted: str, rows: list[tuple[str, str, str]]) -> None:
    checks = list(_versions(cluster, wanted))
    assert [(check.result, check.name, check.found) for check in checks] == rows
    assert {check.purpose for check in checks} <= {"site"}


KINDS = [("get", "", kind) for kind in ("a", "b", "c", "d", "e", "f")]


@pytest.mark.parametrize(
    ("denied", "found"),
    [
        pytest.param(KINDS[:4], "1 of 5, not get a, get b, get c, get d", id="as many kinds as are shown"),
        pytest.param(KINDS[:5], "1 of 6, not get a, get b, get c, get d and 1 more kinds", id="one more"),
        pytest.param(KINDS, "1 of 7, not get a, get b, get c, get d and 2 more kinds", id="two more"),
    ],
)
def test_denied_kinds_are_counted(denied: list[tuple[str, str, str]], found: str) -> None:
    assert _rights(reviews("reader", *denied)).found == found


def test_what_is_denied_has_its_whole_name() -> None:
    answer = reviews("prometheus", ("get", "", "services"), ("create", "", "services"), ("get", "x.io", "things"))
    for place, more in ((1, {"subresource": "proxy"}), (2, {"subresource": "proxy"}), (3, {"name": "one"})):
        answer["result"]["results"][place]["result"]["spec"]["resourceAttributes"].update(more)
    assert _rights(answer).found == "1 of 4, not get+create services/proxy, get things.x.io one"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            {"item": item("reader"), "msg": "Refused. Remedy: wait."},
            (UNKNOWN, "Refused", "wait"),
            id="a message of ours has a remedy of its own",
        ),
        pytest.param(
            {"item": item("reader"), "msg": "Refused"},
            (UNKNOWN, "Refused", "bind the account to system:basic-user again"),
            id="a foreign message has ours",
        ),
        pytest.param(
            {"item": item("reader")},
            (UNKNOWN, "no answer", "bind the account to system:basic-user again"),
            id="no word at all",
        ),
        pytest.param(SKIPPED, (NOTE, "not asked, for want of an API server", ""), id="not asked"),
        pytest.param(
            reviews("prober", ("create", "", "pods"), namespace="p"),
            (
                MISSING,
                "1 of 2, not create pods",
                "kubectl create rolebinding meshproof-prober -n p --clusterrole=meshproof-prober "
                "--serviceaccount=NAMESPACE:NAME (docs/rights.md)",
            ),
            id="denied",
        ),
    ],
)
def test_the_rights_of_one_role(answer: Any, expected: tuple[str, str, str]) -> None:
    check = _rights(answer)
    assert (check.result, check.found, check.remedy) == expected

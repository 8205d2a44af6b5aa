# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Section 11 of the semantics: applications that run as the proxy's user are not captured outbound."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    Manifest,
    answer,
    deployment,
    edges,
    egress,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    rule,
    service,
    subset,
    tls,
)

SERVER = [mesh_config(), pod("shop/a"), service("shop/a")]
STRICT = peer("shop/strict", "STRICT")
CAPTURED = "mtls -> mtls"
LET_OUT = "none -> plaintext"
PROXY = {"name": "istio-proxy", "args": ["proxy", "sidecar"]}


def user(uid: Any = None, gid: Any = None) -> Manifest:
    """A securityContext."""
    found = {"runAsUser": uid, "runAsGroup": gid, "readOnlyRootFilesystem": True}
    return {"securityContext": {key: value for key, value in found.items() if value is not None}}


def client(
    *applications: Manifest, proxy: Manifest | None = None, init: list[Manifest] | None = None, **spec: Any
) -> Manifest:
    """A pod cafe/c with a sidecar and the given application containers."""
    named = [{"name": f"app{number}", **application} for number, application in enumerate(applications)]
    spec["containers"] = [*named, {**PROXY, **(proxy or {})}]
    if init is not None:
        spec["initContainers"] = init
    return pod("cafe/c", **spec)


def debugged(*statuses: Manifest) -> Manifest:
    """The same with a debug container that runs as the proxy's user, and what kubelet says of it."""
    found = client({}, ephemeralContainers=[{"name": "debugger", **user(1337)}])
    found.setdefault("status", {})["ephemeralContainerStatuses"] = list(statuses)
    return found


def redirection(*arguments: str, name: str = "istio-init") -> list[Manifest]:
    """The init container that redirects, or that checks what the CNI plugin redirected."""
    return [{"name": name, "args": ["istio-iptables", "-p", "15001", *arguments, "-i", "*"]}]


CLIENTS = {
    "no user at all": (client({}), CAPTURED),
    "another user": (client(user(1000, 1000)), CAPTURED),
    "root": (client(user(0, 0), proxy=user(0, 1337)), CAPTURED),
    "the default user": (client(user(1337)), LET_OUT),
    "the default group": (client(user(1000, 1337)), LET_OUT),
    "the user by the pod": (client({}, securityContext={"runAsUser": 1337}), LET_OUT),
    "the group by the pod": (client({}, securityContext={"runAsGroup": 1337}), LET_OUT),
    "a container's own user goes before the pod's": (client(user(7), securityContext={"runAsUser": 1337}), CAPTURED),
    "and its group before the pod's": (client(user(7, 8), securityContext={"runAsGroup": 1337}), CAPTURED),
    "the user is the container's and the group the pod's": (
        client(user(7), securityContext={"runAsUser": 9, "runAsGroup": 1337}),
        LET_OUT,
    ),
    "supplementary groups are no owner": (
        client({}, securityContext={"runAsUser": 7, "supplementalGroups": [1337], "fsGroup": 1337}),
        CAPTURED,
    ),
    "the user that istio-init names": (client(user(2100), init=redirection("-u", "2100")), LET_OUT),
    "the default one where istio-init names another": (client(user(1337), init=redirection("-u", "2100")), CAPTURED),
    "a group where istio-init names a user alone": (client(user(7, 2100), init=redirection("-u", "2100")), LET_OUT),
    "a group that istio-init names": (client(user(7, 2200), init=redirection("-u", "2100", "-g", "2200")), LET_OUT),
    "the user's number where it names another group": (
        client(user(7, 2100), init=redirection("-u", "2100", "-g", "2200")),
        CAPTURED,
    ),
    "the second of two users": (client(user(2101), init=redirection("-u", "2100,2101")), LET_OUT),
    "by a long option": (client(user(2100), init=redirection("--proxy-uid=2100")), LET_OUT),
    "istio-init names none": (client(user(1337), init=redirection("-b", "*")), LET_OUT),
    "istio-init counts, not the proxy's own": (
        client(user(2300), proxy=user(2300, 2300), init=redirection("-u", "2100")),
        CAPTURED,
    ),
    "the CNI plugin goes by the proxy's user": (
        client(user(2300), proxy=user(2300, 2301), init=redirection("-u", "2100", name="istio-validation")),
        LET_OUT,
    ),
    "and by its group": (client(user(7, 2301), proxy=user(2300, 2301)), LET_OUT),
    "and by the default one where the proxy is root": (client(user(1337), proxy=user(0, 0)), LET_OUT),
    "and no longer by the default one": (client(user(1337), proxy=user(2300, 2301)), CAPTURED),
    "one of two": (client({}, user(1337)), LET_OUT),
    "both": (client(user(1337), user(7, 1337)), LET_OUT),
    "a sidecar of one's own": (
        client({}, init=[{"name": "helper", "restartPolicy": "Always", **user(1337)}]),
        LET_OUT,
    ),
    "a debug container": (client({}, ephemeralContainers=[{"name": "debugger", **user(1337)}]), LET_OUT),
    "a debug container by the pod's user": (
        client(user(7), securityContext={"runAsUser": 1337}, ephemeralContainers=[{"name": "debugger"}]),
        LET_OUT,
    ),
    "a debug container of another user": (client({}, ephemeralContainers=[{"name": "debugger", **user(7)}]), CAPTURED),
    **{
        f"a debug container {what}": (debugged(*statuses), expected)
        for what, statuses, expected in (
            ("that has ended", [{"name": "debugger", "state": {"terminated": {"exitCode": 0}}}], CAPTURED),
            ("that runs", [{"name": "debugger", "state": {"running": {}}}], LET_OUT),
            ("that waits", [{"name": "debugger", "state": {"waiting": {}}}], LET_OUT),
            ("of which nothing is known", [{"name": "debugger"}], LET_OUT),
            ("beside one that has ended", [{"name": "other", "state": {"terminated": {}}}], LET_OUT),
            (
                "that has ended and runs",
                [{"name": "debugger", "state": {state: {}}} for state in ("running", "terminated")],
                LET_OUT,
            ),
            ("in two states", [{"name": "debugger", "state": {"running": {}, "terminated": {}}}], LET_OUT),
        )
    },
    "an init container is over before": (client({}, init=[{"name": "setup", **user(1337)}]), CAPTURED),
}


@pytest.mark.parametrize(("one", "expected"), CLIENTS.values(), ids=CLIENTS)
def test_what_a_client_sends(one, expected):
    assert answer(judge(*SERVER, one), "cafe/c", "shop/a") == expected


def test_a_strict_server_refuses_it():
    assert answer(judge(*SERVER, STRICT, client(user(1337))), "cafe/c", "shop/a") == "none -> broken"


def test_of_two_containers_the_worse_answer_counts():
    result = judge(*SERVER, client({}, user(1337)))
    assert "container app1 of it runs as the proxy's user" in edges(result, "cafe/c", service="shop/a")[0]["reason"]
    assert answer(judge(*SERVER, STRICT, client({}, user(1337))), "cafe/c", "shop/a") == "none -> broken"
    off = rule("shop/r", "a", tls("ISTIO_MUTUAL"))
    bare = [mesh_config(), pod("shop/a", "none"), service("shop/a"), off]
    assert answer(judge(*bare, client(user(1337))), "cafe/c", "shop/a") == "none -> plaintext"
    assert answer(judge(*bare, client({}, user(1337))), "cafe/c", "shop/a") == "none -> plaintext"
    assert answer(judge(*bare, client({}, {})), "cafe/c", "shop/a") == "mtls -> broken"


@pytest.mark.parametrize(
    ("applications", "more", "ends"),
    [
        (({}, user(1337)), STRICT, "this is true of these containers alone, what the others send is mtls"),
        (({}, user(1337), user(1337)), STRICT, "this is true of these containers alone, what the others send is mtls"),
        ((user(1337),), STRICT, "PeerAuthentication shop/strict is STRICT"),
        (({}, user(1337)), peer("shop/n", "DISABLE"), "PeerAuthentication shop/n is DISABLE"),
    ],
    ids=["one of two", "two of three", "all", "the others send plaintext, too"],
)
def test_the_reason_says_whether_it_is_true_of_some_containers_alone(applications, more, ends):
    (row,) = edges(judge(*SERVER, more, client(*applications)), "cafe/c", service="shop/a")
    assert row["reason"].endswith(ends)


def test_subsets_are_what_the_other_container_uses():
    one = rule("shop/r", "a", subsets=[subset("v1", app="a")])
    rows = [
        (row["subset"], row["verdict"])
        for row in judge(*SERVER, one, client({}, user(1337)))["edges"]
        if row["clients"] and row["service"] == "shop/a" and row["client_tls"] in ("none", "mtls")
    ]
    assert (None, "plaintext") in rows
    assert ("v1", "mtls") in rows


def test_what_a_sidecar_hides_is_reached_all_the_same():
    hidden = [egress("cafe/s", "./*", outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})]
    assert answer(judge(*SERVER, *hidden, client({})), "cafe/c", "shop/a") == "none -> broken"
    assert answer(judge(*SERVER, *hidden, client(user(1337))), "cafe/c", "shop/a") == LET_OUT


@pytest.mark.parametrize("proxy", ["none", "ambient"])
def test_without_a_sidecar_the_user_means_nothing(proxy):
    one = [mesh_config(), pod("shop/a"), service("shop/a"), namespace("cafe", dataplane_mode="ambient")]
    with_user = judge(*one, pod("cafe/c", proxy, securityContext={"runAsUser": 1337}))
    assert answer(with_user, "cafe/c", "shop/a") == answer(judge(*one, pod("cafe/c", proxy)), "cafe/c", "shop/a")
    assert not {"MTLS-030"} & {row["id"] for row in with_user["findings"]}


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(client(user(1337), init=redirection("-u", "istio-proxy")), id="a user's name"),
        pytest.param(client(user(1337), init=redirection("-u", "1337", "-g", "-5")), id="a negative group"),
    ],
)
def test_a_redirection_that_lets_out_nobody_knows_whom_is_unknown(one):
    result = judge(*SERVER, one)
    assert edges(result, "cafe/c", service="shop/a")[0]["verdict"] == "unknown"
    assert any("lets out the user" in row["reason"] for row in result["unknown"])


@pytest.mark.parametrize("context", [{"runAsUser": "1337"}, {"runAsGroup": True}, ["runAsUser"], "root"])
def test_a_user_that_is_none_is_no_pod(context):
    result = judge(*SERVER, pod("cafe/c", securityContext=context))
    assert [(row["kind"], row["namespace"]) for row in result["unknown"]] == [("Pod", "cafe")]


def openshift(**annotations: str) -> Manifest:
    """The enrolled namespace cafe with OpenShift's ranges."""
    found = namespace("cafe", istio_injection="enabled")
    names = {"uids": "openshift.io/sa.scc.uid-range", "groups": "openshift.io/sa.scc.supplemental-groups"}
    found["metadata"]["annotations"] = {names[key]: value for key, value in annotations.items()}
    return found


PREDICTED = {
    "the default user": ({}, user(1337), "plaintext"),
    "another user": ({}, user(1000670000), "mtls"),
    "the last of a range by its size": ({"uids": "1000670000/10000"}, user(1000679999), "plaintext"),
    "the first of a range": ({"uids": "1000670000/10000"}, user(1000670000), "mtls"),
    "the last of a range by its end": ({"uids": "1000-1999"}, user(1999), "plaintext"),
    "the default user where there is a range": ({"uids": "1000-1999"}, user(1337), "mtls"),
    "the last of the groups": ({"uids": "1000-1999", "groups": "3000/10,5000/10"}, user(7, 3009), "plaintext"),
    "the groups are the users where no others are named": ({"uids": "1000-1999"}, user(7, 1999), "plaintext"),
    "a range that is none": ({"uids": "1000"}, user(1337), "plaintext"),
}


@pytest.mark.parametrize(("annotations", "context", "expected"), PREDICTED.values(), ids=PREDICTED)
def test_what_injection_will_make_of_it(annotations, context, expected):
    one = deployment("cafe/c", **context)
    result = judge(*SERVER, openshift(**annotations), one)
    assert edges(result, "cafe/c", service="shop/a")[0]["verdict"] == expected
    assert ("MTLS-030" in {row["id"] for row in result["findings"]}) == (expected == "plaintext")

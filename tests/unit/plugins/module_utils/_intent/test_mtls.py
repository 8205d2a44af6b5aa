"""What the role istio_mtls is asked for, and what its plan makes of it: one table for each question."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._intent import mtls
from ansible_collections.meshproof.mtls.plugins.module_utils._intent.policies import OURS

NAMESPACES = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": {"phase": phase}}
    for name, phase in (("istio-system", "Active"), ("demo", "Active"), ("leaving", "Terminating"))
]
DEMO = {"scope": "namespace", "namespace": "demo", "mode": "STRICT"}
WORKLOAD = {"scope": "workload", "namespace": "demo", "name": "a", "selector": {"app": "a"}}
HOST = "service-a.demo.svc.cluster.local"


def there(kind: str, name: str, spec: dict[str, Any], namespace: str = "demo", **meta: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z", **meta}
    return {"apiVersion": "security.istio.io/v1", "kind": kind, "metadata": meta, "spec": spec}


GIVEN = {
    "state": "present",
    "policies": [],
    "hosts": [],
    "authorization": [],
    "root_namespace": "istio-system",
    "prune": False,
    "adopt": False,
    "preview": True,
    "max_broken": 0,
    "max_rows": 20,
    "settle_seconds": 3,
}


def plan(existing: Any = (), missing: Any = (), unread: Any = (), **more: Any) -> dict[str, Any]:
    """The plan and what it proposes, for what is there and what is wanted."""
    said = {name: more.pop(name) for name in ("preview_said", "findings", "check") if name in more}
    given, seen = {**GIVEN, **more}, {"objects": existing, "absent_kinds": missing, "unread": unread}
    said["preview"] = said.pop("preview_said", None)
    return {"proposed": mtls.proposed(given, seen), **mtls.plan(given, seen, **said)}


def specs(**wanted: Any) -> list[tuple[str, dict[str, Any]]]:
    result = plan(existing=NAMESPACES, **wanted)
    assert result["problems"] == []
    return [
        (f"{made['kind']} {made['metadata']['namespace']}/{made['metadata']['name']}", made["spec"])
        for made in result["objects"]
    ]


MADE = {
    "the mesh": (
        {"policies": [{"scope": "mesh"}]},
        "PeerAuthentication istio-system/default",
        {"mtls": {"mode": "STRICT"}},
    ),
    "a namespace": ({"policies": [DEMO]}, "PeerAuthentication demo/default", {"mtls": {"mode": "STRICT"}}),
    "a namespace is the default scope": (
        {"policies": [{"namespace": "demo", "mode": "PERMISSIVE", "name": None}]},
        "PeerAuthentication demo/default",
        {"mtls": {"mode": "PERMISSIVE"}},
    ),
    "a workload and its ports": (
        {"policies": [{**WORKLOAD, "ports": {8080: "PERMISSIVE", "9090": "DISABLE"}}]},
        "PeerAuthentication demo/a",
        {
            "mtls": {"mode": "STRICT"},
            "selector": {"matchLabels": {"app": "a"}},
            "portLevelMtls": {"8080": {"mode": "PERMISSIVE"}, "9090": {"mode": "DISABLE"}},
        },
    ),
    "a host, in its own namespace": (
        {"hosts": [{"host": HOST}]},
        f"DestinationRule demo/mtls-{HOST}",
        {"host": HOST, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}},
    ),
    "a host with ports and visibility": (
        {
            "hosts": [
                {"host": "service-a", "namespace": "demo", "ports": {90: "DISABLE", 80: "DISABLE"}, "export_to": ["."]}
            ]
        },
        "DestinationRule demo/mtls-service-a",
        {
            "host": "service-a",
            "trafficPolicy": {
                "tls": {"mode": "ISTIO_MUTUAL"},
                "portLevelSettings": [
                    {"port": {"number": 80}, "tls": {"mode": "DISABLE"}},
                    {"port": {"number": 90}, "tls": {"mode": "DISABLE"}},
                ],
            },
            "exportTo": ["."],
        },
    ),
    "any identity": (
        {"authorization": [{"namespace": "demo"}]},
        "AuthorizationPolicy demo/mtls-identity",
        {"action": "DENY", "rules": [{"from": [{"source": {"notPrincipals": ["*"]}}]}]},
    ),
    "these identities": (
        {
            "authorization": [
                {"namespace": "demo", "selector": {"app": "a"}, "principals": ["cluster.local/ns/demo/sa/b"]}
            ]
        },
        "AuthorizationPolicy demo/mtls-identity",
        {
            "action": "ALLOW",
            "rules": [{"from": [{"source": {"principals": ["cluster.local/ns/demo/sa/b"]}}]}],
            "selector": {"matchLabels": {"app": "a"}},
        },
    ),
}


@pytest.mark.parametrize(("wanted", "name", "spec"), MADE.values(), ids=MADE.keys())
def test_what_is_made(wanted: dict[str, Any], name: str, spec: dict[str, Any]) -> None:
    assert specs(**wanted) == [(name, spec)]


def test_what_is_made_says_whose_it_is() -> None:
    made = plan(policies=[DEMO], existing=NAMESPACES)["objects"][0]
    assert made["metadata"]["labels"] == OURS


REFUSED = {
    "mesh in another namespace": (
        {"policies": [{"scope": "mesh", "namespace": "demo"}]},
        "lives in the root namespace",
    ),
    "no namespace": ({"policies": [{"scope": "namespace"}]}, "needs its namespace"),
    "the root namespace as a namespace": (
        {"policies": [{**DEMO, "namespace": "istio-system"}]},
        "governs the whole mesh",
    ),
    "a selector in the root namespace": (
        {"policies": [{**WORKLOAD, "namespace": "istio-system"}]},
        "Istio ignores a selector in the root namespace istio-system",
    ),
    "another root namespace": (
        {"policies": [{**WORKLOAD, "namespace": "mesh-root"}], "root_namespace": "mesh-root"},
        "Istio ignores a selector in the root namespace mesh-root",
    ),
    "a workload without selector": ({"policies": [{**WORKLOAD, "selector": {}}]}, "needs a selector"),
    "a workload without name": ({"policies": [{**WORKLOAD, "name": None}]}, "needs a name"),
    "a selector for a namespace": ({"policies": [{**DEMO, "selector": {"app": "a"}}]}, "has no selector"),
    "ports without a selector": ({"policies": [{**DEMO, "ports": {8080: "DISABLE"}}]}, "only together with a selector"),
    "a mode that is none": ({"policies": [{**DEMO, "mode": "strict"}]}, "mode is strict"),
    "a port that is none": ({"policies": [{**WORKLOAD, "ports": {"http": "STRICT"}}]}, "'http' is no port"),
    "a port's mode": ({"policies": [{**WORKLOAD, "ports": {80: "ON"}}]}, "port 80 has the mode ON"),
    "a name that is none": ({"policies": [{**DEMO, "name": "My_Policy"}]}, "name 'My_Policy' is no name"),
    "a number as label": (
        {"policies": [{**WORKLOAD, "selector": {"version": 1}}]},
        "selector version: 1 is no label value",
    ),
    "the same namespace twice": (
        {"policies": [WORKLOAD, DEMO, {**DEMO, "name": "again"}]},
        "says again what istio_mtls_policies[1]",
    ),
    "a rule for everything": ({"hosts": [{"host": "*"}]}, "a rule for * also meets hosts outside the mesh"),
    "a rule for every local host": ({"hosts": [{"host": "*.local"}]}, "a rule for *.local"),
    "a rule for a namespace": ({"hosts": [{"host": "*.demo.svc.cluster.local"}]}, "name single hosts"),
    "a rule that switches off": ({"hosts": [{"host": "*.local", "mode": "DISABLE"}]}, "a rule for *.local"),
    "a host that is none": ({"hosts": [{"host": "http://a", "namespace": "demo"}]}, "'http://a' is no host name"),
    "a short host without namespace": ({"hosts": [{"host": "service-a"}]}, "needs a namespace to live in"),
    "a mode to send that is none": ({"hosts": [{"host": HOST, "mode": "STRICT"}]}, "mode is STRICT"),
    "the same host twice": (
        {"hosts": [{"host": HOST}, {"host": "service-a", "namespace": "demo"}]},
        "says again what istio_mtls_hosts[0]",
    ),
    "an identity with a scheme": (
        {"authorization": [{"namespace": "demo", "principals": ["spiffe://cluster.local/ns/demo/sa/b"]}]},
        "is no principal",
    ),
    "an identity for nowhere": ({"authorization": [{}]}, "needs a namespace"),
}


@pytest.mark.parametrize(("wanted", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_names_its_entry_and_the_remedy(wanted: dict[str, Any], sentence: str) -> None:
    problems = plan(existing=NAMESPACES, **wanted)["problems"]
    assert len(problems) == 1
    variable = next(key for key in wanted if key != "root_namespace")
    assert problems[0].startswith(f"istio_mtls_{variable}[{len(wanted[variable]) - 1}]: ")
    assert sentence in problems[0]
    assert "Remedy: " in problems[0]


def test_a_blanket_rule_is_refused_with_what_it_takes_to_tell_whom_it_would_break() -> None:
    result = plan(hosts=[{"host": "*.local"}], existing=NAMESPACES)
    assert [item["manifest"]["spec"]["host"] for item in result["proposed"]] == ["*.local"]
    assert "a rule for *.local also meets hosts outside the mesh" in result["problems"][0]
    assert result["objects"] == []
    assert mtls.wanted({**GIVEN, "hosts": [{"host": "*.local"}]}).problems == []


DOUBTED = {
    "a host of two parts": ({"hosts": [{"host": "service-a.demo", "namespace": "demo"}]}, "literally"),
    "an identity for the mesh": ({"authorization": [{"namespace": "istio-system"}]}, "gateways included"),
}


@pytest.mark.parametrize(("wanted", "sentence"), DOUBTED.values(), ids=DOUBTED.keys())
def test_what_is_doubted(wanted: dict[str, Any], sentence: str) -> None:
    result = plan(existing=NAMESPACES, **wanted)
    assert result["problems"] == []
    assert [sentence in warning for warning in result["warnings"]] == [True]


STRICT, OPEN = {"mtls": {"mode": "STRICT"}}, {"mtls": {"mode": "PERMISSIVE"}}
ONLY_A = {**OPEN, "selector": {"matchLabels": {"app": "a"}}}
RULE = {"host": "service-a", "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}}
OLD, YOUNG = {"creationTimestamp": "2025-01-01T00:00:00Z"}, {"creationTimestamp": "2026-06-01T00:00:00Z"}
MINE = there("PeerAuthentication", "default", STRICT, labels=OURS)
HELM = {"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "shop"}}
RIVALS: dict[str, Any] = {
    "the same name without our label": (
        {"policies": [DEMO]},
        [there("PeerAuthentication", "default", OPEN, **HELM)],
        "problems",
        "PeerAuthentication demo/default is there already and is not ours "
        "(app.kubernetes.io/managed-by=Helm, meta.helm.sh/release-name=shop)",
    ),
    "the same name of another role of ours": (
        {"hosts": [{"host": HOST, "name": "service-a"}]},
        [
            there(
                "DestinationRule",
                "service-a",
                {"host": "other"},
                labels={**OURS, "meshproof.mtls/role": "istio_services"},
            )
        ],
        "problems",
        "meshproof.mtls/role=istio_services",
    ),
    "another policy for the namespace": (
        {"policies": [DEMO]},
        [there("PeerAuthentication", "open", OPEN)],
        "problems",
        "PeerAuthentication demo/open (no label says whose it is) is older and of the same scope",
    ),
    "an empty selector is none": (
        {"policies": [DEMO]},
        [there("PeerAuthentication", "open", {**OPEN, "selector": {"matchLabels": {}}})],
        "problems",
        "demo/open",
    ),
    "an older one than ours": (
        {"policies": [DEMO]},
        [MINE, there("PeerAuthentication", "open", OPEN, **OLD)],
        "problems",
        "demo/open",
    ),
    "a younger one than ours": (
        {"policies": [DEMO]},
        [MINE, there("PeerAuthentication", "open", OPEN, **YOUNG)],
        "",
        "",
    ),
    "an older one by a time of another zone": (
        {"policies": [DEMO]},
        [MINE, there("PeerAuthentication", "open", OPEN, creationTimestamp="2026-01-01T01:00:00+02:00")],
        "problems",
        "demo/open",
    ),
    "a younger one by a time of another zone": (
        {"policies": [DEMO]},
        [MINE, there("PeerAuthentication", "a", OPEN, creationTimestamp="2025-12-31T23:00:00-02:00")],
        "",
        "",
    ),
    "one without a time may be older": (
        {"policies": [DEMO]},
        [MINE, there("PeerAuthentication", "open", OPEN, creationTimestamp=None)],
        "problems",
        "demo/open",
    ),
    "ours without a time may be younger": (
        {"policies": [DEMO]},
        [
            there("PeerAuthentication", "default", STRICT, labels=OURS, creationTimestamp=None),
            there("PeerAuthentication", "open", OPEN, **YOUNG),
        ],
        "problems",
        "demo/open",
    ),
    "the same age goes by the name": (
        {"policies": [DEMO]},
        [MINE, there("PeerAuthentication", "a", OPEN)],
        "problems",
        "demo/a",
    ),
    "another mesh policy": (
        {"policies": [{"scope": "mesh"}]},
        [there("PeerAuthentication", "open", OPEN, "istio-system")],
        "problems",
        "istio-system/open",
    ),
    "a selector in the root namespace counts for nothing": (
        {"policies": [{"scope": "mesh"}]},
        [there("PeerAuthentication", "open", ONLY_A, "istio-system")],
        "",
        "",
    ),
    "another namespace": ({"policies": [DEMO]}, [there("PeerAuthentication", "open", OPEN, "other")], "", ""),
    "a workload's does not rival a namespace's": (
        {"policies": [DEMO]},
        [there("PeerAuthentication", "open", ONLY_A)],
        "",
        "",
    ),
    "the same selector": (
        {"policies": [WORKLOAD]},
        [there("PeerAuthentication", "open", ONLY_A)],
        "problems",
        "demo/open",
    ),
    "a wider selector": (
        {"policies": [{**WORKLOAD, "selector": {"app": "a", "version": "1"}}]},
        [there("PeerAuthentication", "open", ONLY_A)],
        "problems",
        "demo/open",
    ),
    "a selector that may meet the same pods": (
        {"policies": [{**WORKLOAD, "selector": {"version": "1"}}]},
        [there("PeerAuthentication", "open", ONLY_A)],
        "warnings",
        "for pods that both select",
    ),
    "a selector that cannot": (
        {"policies": [{**WORKLOAD, "selector": {"app": "b"}}]},
        [there("PeerAuthentication", "open", ONLY_A)],
        "",
        "",
    ),
    "another rule for the host": (
        {"hosts": [{"host": HOST}]},
        [there("DestinationRule", "balance", RULE)],
        "problems",
        "DestinationRule demo/balance (no label says whose it is) is an older rule for the same host",
    ),
    "a rule with subsets alone": ({"hosts": [{"host": HOST}]}, [there("DestinationRule", "v", {"host": HOST})], "", ""),
    "a rule for chosen clients": (
        {"hosts": [{"host": HOST}]},
        [there("DestinationRule", "v", {**RULE, "workloadSelector": {"matchLabels": {"app": "c"}}})],
        "",
        "",
    ),
    "ours of another name": (
        {"policies": [DEMO]},
        [there("PeerAuthentication", "old", OPEN, labels=OURS)],
        "problems",
        "demo/old",
    ),
    "ours of another name, to be pruned": (
        {"policies": [DEMO], "prune": True},
        [there("PeerAuthentication", "old", OPEN, labels=OURS)],
        "",
        "",
    ),
}


@pytest.mark.parametrize(("wanted", "existing", "where", "sentence"), RIVALS.values(), ids=RIVALS.keys())
def test_objects_of_others(wanted: Any, existing: Any, where: str, sentence: str) -> None:
    result = plan(existing=[*NAMESPACES, *existing], **wanted)
    assert [key for key in ("problems", "warnings") if result[key]] == ([where] if where else [])
    assert all(sentence in said for said in result["problems"] + result["warnings"])


@pytest.mark.parametrize(
    ("policy", "missing", "sentence"),
    [
        (DEMO, ["PeerAuthentication"], "the cluster does not know security.istio.io/v1 PeerAuthentication"),
        ({**DEMO, "namespace": "later"}, [], "there is no namespace later"),
        ({**DEMO, "namespace": "leaving"}, [], "the namespace leaving is being removed"),
    ],
)
def test_what_cannot_be_made_yet(policy: dict[str, Any], missing: list[str], sentence: str) -> None:
    result = plan(policies=[policy], existing=NAMESPACES, missing=missing)
    assert (len(result["homeless"]), result["objects"], result["warnings"]) == (1, [], [])
    assert sentence in result["problems"][0]
    assert "Remedy: " in result["problems"][0]
    shown = plan(policies=[policy], existing=NAMESPACES, missing=missing, check=True)
    assert shown["problems"] == []
    assert sentence in shown["warnings"][0]


def test_a_second_run_proposes_nothing() -> None:
    made = plan(policies=[DEMO], existing=NAMESPACES)["objects"][0]
    made["metadata"] |= {"creationTimestamp": "2026-01-01T00:00:00Z", "uid": "1", "annotations": {"a": "b"}}
    made["metadata"]["labels"]["team"] = "shop"
    again = plan(policies=[DEMO], existing=[*NAMESPACES, made])
    assert again["proposed"] == again["objects"] == again["changes"] == []


def test_labels_and_annotations_of_others_stay_and_a_race_is_noticed() -> None:
    meta = {"labels": {**OURS, "team": "shop"}, "annotations": {"a": "b"}, "resourceVersion": "7"}
    result = plan(policies=[DEMO], existing=[*NAMESPACES, there("PeerAuthentication", "default", OPEN, **meta)])
    assert {key: result["objects"][0]["metadata"][key] for key in meta} == meta


def test_what_somebody_added_to_our_spec_goes() -> None:
    opened = there(
        "PeerAuthentication", "default", {**STRICT, "portLevelMtls": {"80": {"mode": "DISABLE"}}}, labels=OURS
    )
    result = plan(policies=[DEMO], existing=[*NAMESPACES, opened])
    assert result["proposed"] == [{"op": "apply", "manifest": result["objects"][0]}]
    assert result["objects"][0]["spec"] == STRICT


THEIRS = there("PeerAuthentication", "theirs", OPEN, "other")
OLD_ONE = there("DestinationRule", "old", RULE, labels=OURS)


@pytest.mark.parametrize(
    ("wanted", "stale"),
    [
        ({"state": "absent", "policies": [DEMO]}, ["default", "old"]),
        ({"state": "present", "policies": [DEMO]}, []),
        ({"state": "present", "policies": [DEMO], "prune": True}, ["old"]),
    ],
    ids=str,
)
def test_only_ours_is_removed(wanted: dict[str, Any], stale: list[str]) -> None:
    labelled = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": OURS}}
    result = plan(existing=[*NAMESPACES, labelled, MINE, THEIRS, OLD_ONE], **wanted)
    assert sorted(manifest["metadata"]["name"] for manifest in result["stale"]) == stale
    assert [item["op"] for item in result["proposed"]] == ["delete"] * len(stale)


# What users send.


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param([DEMO], id="a list"),
        pytest.param(DEMO, id="one mapping"),
        pytest.param('[{"scope": "namespace", "namespace": "demo", "mode": "STRICT"}]', id="JSON"),
        pytest.param("- namespace: demo", id="YAML"),
    ],
)
def test_policies_in_each_of_their_forms(policies: Any) -> None:
    assert specs(policies=policies) == [("PeerAuthentication demo/default", {"mtls": {"mode": "STRICT"}})]


def test_lists_and_mappings_inside_an_entry_may_be_text() -> None:
    entry = {"namespace": "demo", "principals": "a/ns/b/sa/c, a/ns/b/sa/d", "selector": "app=a"}
    assert specs(authorization=[entry])[0][1] == {
        "action": "ALLOW",
        "rules": [{"from": [{"source": {"principals": ["a/ns/b/sa/c", "a/ns/b/sa/d"]}}]}],
        "selector": {"matchLabels": {"app": "a"}},
    }


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"policies": "demo"}, "istio_mtls_policies is 'demo', and has to be a list of mappings"),
        ({"policies": [{**DEMO, "scope": "mesch"}]}, "istio_mtls_policies[0]: scope is mesch"),
        ({"policies": [{**DEMO, "modus": "STRICT"}]}, "istio_mtls_policies[0]: has modus. Remedy: only scope, "),
        (
            {"policies": [{**WORKLOAD, "ports": [80]}]},
            "istio_mtls_policies[0].ports is '[80]', and has to be a mapping",
        ),
        ({"hosts": [{"host": HOST, "export_to": 3}]}, "istio_mtls_hosts[0].export_to is '3', and has to be a list"),
        ({"max_broken": "all"}, "istio_mtls_max_broken is 'all'"),
        ({"root_namespace": ""}, "istio_mtls_root_namespace is no namespace"),
        ({"state": "gone"}, "istio_mtls_state is 'gone'"),
    ],
    ids=str,
)
def test_what_cannot_be_meant(options: dict[str, Any], problem: str) -> None:
    found = mtls.wanted({**GIVEN, **options}).problems
    assert problem in found[0]
    assert "Remedy: " in found[0]


# What the mesh as it would be says.

BROKEN = ["demo/Deployment/a → demo/b:80 (why)", "demo/Deployment/c → demo/b:80 (why)"]


@pytest.mark.parametrize(
    ("said", "allowed", "problem"),
    [
        ({}, 0, ""),
        ({"broken": []}, 0, ""),
        (
            {"broken": BROKEN},
            0,
            "2 connections of clients in the mesh would break, and istio_mtls_max_broken allows 0: ",
        ),
        ({"broken": BROKEN}, 1, "istio_mtls_max_broken allows 1: demo/Deployment/a → demo/b:80 (why); demo/"),
        ({"broken": BROKEN}, 2, ""),
        ({"breaks": ["Pod x/y (Service x/y)"]}, 5, "clients in the mesh would send mutual TLS to 1 servers outside"),
    ],
    ids=str,
)
def test_what_would_break_stops_it(said: dict[str, Any], allowed: int, problem: str) -> None:
    result = plan(policies=[DEMO], existing=NAMESPACES, preview_said=said, max_broken=allowed)
    assert len(result["problems"]) == bool(problem)
    assert problem in "".join(result["problems"])


def test_without_a_preview_nothing_is_proposed() -> None:
    assert plan(policies=[DEMO], existing=NAMESPACES, preview=False)["proposed"] == []


def test_what_matches_nothing_is_said_before_it_is_applied() -> None:
    finding = {
        "id": "MTLS-010",
        "object": "PeerAuthentication demo/a",
        "message": "selects no workload",
        "fix": "mend it",
    }
    result = plan(policies=[WORKLOAD], existing=NAMESPACES, findings=[finding, {**finding, "object": "Pod demo/a"}])
    assert result["warnings"] == ["PeerAuthentication demo/a: selects no workload (MTLS-010). Remedy: mend it"]
    assert result["problems"] == []


ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "c", "namespace": "b"}}
GAP = {"kind": "ServiceAccount", "namespace": "b", "reason": "forbidden"}


@pytest.mark.parametrize(
    ("principal", "existing", "unread", "warned"),
    [
        ("cluster.local/ns/b/sa/c", [ACCOUNT], [], False),
        ("cluster.local/ns/b/sa/d", [ACCOUNT], [], True),
        ("cluster.local/ns/b/sa/d", [], [GAP], False),
        ("*/ns/b/sa/d", [], [], False),
        ("*", [], [], False),
    ],
    ids=str,
)
def test_a_principal_that_names_nobody(principal: str, existing: Any, unread: Any, warned: bool) -> None:
    entry = {"namespace": "demo", "principals": [principal]}
    result = plan(authorization=[entry], existing=[*NAMESPACES, *existing], unread=unread)
    assert ["there is no ServiceAccount b/d" in said for said in result["warnings"]] == [True] * warned
    assert result["problems"] == []


def test_what_could_not_be_read_stops_it() -> None:
    gap = {"kind": "DestinationRule", "namespace": None, "reason": "forbidden"}
    [problem] = plan(policies=[DEMO], existing=NAMESPACES, unread=[gap])["problems"]
    assert problem.startswith("DestinationRule could not be read in the cluster: forbidden. Remedy: the rights")


def test_what_is_read() -> None:
    entry = {"namespace": "demo", "principals": ["cluster.local/ns/b/sa/c", "cluster.local/ns/b/sa/d", "*"]}
    found = mtls.questions({**GIVEN, "authorization": [entry]})
    assert [(item["kind"], item.get("namespace")) for item in found] == [
        ("Namespace", None),
        ("PeerAuthentication", None),
        ("AuthorizationPolicy", None),
        ("DestinationRule", None),
        ("ServiceAccount", "b"),
    ]


def test_an_object_of_others_is_taken_over_on_an_explicit_wish() -> None:
    by_hand = there("PeerAuthentication", "default", OPEN, labels={"team": "shop"})
    assert "istio_mtls_adopt=true" in plan(policies=[DEMO], existing=[*NAMESPACES, by_hand])["problems"][0]
    result = plan(policies=[DEMO], existing=[*NAMESPACES, by_hand], adopt=True)
    assert result["problems"] == []
    assert result["objects"][0]["metadata"]["labels"] == {**OURS, "team": "shop"}

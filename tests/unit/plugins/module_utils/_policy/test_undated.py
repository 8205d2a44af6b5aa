# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects without a time, as in Git: what depends on which of them is older is unknown, and nothing else is."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.ages import contests_in
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    edges,
    egress,
    headless,
    istio,
    judge,
    mesh_config,
    peer,
    pod,
    rule,
    service,
    stamp,
    tls,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.meshes import answers, mesh, ports

SEEN, UNKNOWN = "mtls -> mtls", "unknown -> unknown"
PARTS = [mesh_config(), pod("cafe/c"), pod("shop/a")]


def undated(manifest: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(manifest)
    found["metadata"].pop("creationTimestamp", None)
    return found


def dated(manifest: dict[str, Any], age: int) -> dict[str, Any]:
    found = undated(manifest)
    found["metadata"].update(stamp(age))
    return found


def crowd(seed: int) -> list[dict[str, Any]]:
    """A random mesh with more objects that contest something."""
    rnd = random.Random(seed)
    found = mesh(seed)
    for number in range(3):
        more = mesh(seed + 1000 + number)
        for item in more:
            if (
                item["kind"] in ("DestinationRule", "PeerAuthentication", "Sidecar", "ServiceEntry")
                and rnd.random() < 0.5
            ):
                item["metadata"]["name"] += f"-{number}"
                found.append(item)
    for number in range(rnd.randint(0, 3)):
        home = rnd.choice(["n1", "n2"])
        name = rnd.choice(["http", "tcp"])
        build = rnd.choice([service, headless])
        one = [{"name": name, "port": 80, "targetPort": rnd.choice([80, 8080])}]
        found.append(build(f"{home}/x{number}", selector={"app": "a"}, ports=one))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_without_times_an_answer_is_unknown_or_that_of_every_order(seed):
    rnd = random.Random(seed)
    bare = [undated(item) for item in crowd(seed)]
    result = evaluate(bare)
    known, served = answers(result), ports(result)
    for _try in range(2):
        later = evaluate([dated(item, rnd.randint(0, 50)) for item in bare])
        for key, (sent, verdict) in answers(later).items():
            before = known.get(key, (sent, verdict))
            assert before[0] in (sent, "unknown"), key
            assert before[1] in (verdict, "unknown"), key
        for place, plaintext in ports(later).items():
            assert served.get(place, plaintext) in (plaintext, "unknown"), place


@pytest.mark.parametrize("seed", range(8))
def test_without_contests_times_decide_nothing(seed):
    """One rule for each host, one policy for each scope: a healthy mesh from Git is judged as before."""
    seen: set[Any] = set()
    calm = []
    for item in mesh(seed):
        spec, space = item.get("spec", {}), item["metadata"].get("namespace")
        selector = (
            str(spec.get("selector") or spec.get("workloadSelector")) if item["kind"] != "DestinationRule" else ""
        )
        key = (item["kind"], space, spec.get("host", selector))
        contests = item["kind"] in ("PeerAuthentication", "DestinationRule", "Sidecar")
        if not contests or key not in seen:
            calm.append(item)
            seen.add(key)
    before, after = evaluate([dated(item, 1) for item in calm]), evaluate([undated(item) for item in calm])
    assert answers(after) == answers(before)
    assert ports(after) == ports(before)


@pytest.mark.parametrize(
    ("title", "sidecars", "expected"),
    [
        ("one alone", [egress("cafe/s", "./*")], "none -> plaintext"),
        ("two that say the same", [egress("cafe/s", "./*"), egress("cafe/t", "./*")], "none -> plaintext"),
        ("two that differ", [egress("cafe/s", "./*"), egress("cafe/t", "*/*")], UNKNOWN),
        ("two that select the client",
         [egress("cafe/s", "./*", selector={"app": "c"}), egress("cafe/t", "*/*", selector={"app": "c"})], UNKNOWN),
        ("one of them selects another",
         [egress("cafe/s", "*/*", selector={"app": "c"}), egress("cafe/t", "./*", selector={"app": "d"})], SEEN),
        ("one that selects beats the rest",
         [egress("cafe/s", "*/*", selector={"app": "c"}), egress("cafe/t", "./*")], SEEN),
        ("two of the root namespace", [egress("istio-system/s", "./*"), egress("istio-system/t", "*/*")], UNKNOWN),
        ("its own beats those of the root namespace",
         [egress("cafe/u", "*/*"), egress("istio-system/s", "./*"), egress("istio-system/t", "*/*")], SEEN),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_sidecars(title, sidecars, expected):
    parts = [*PARTS, service("shop/a")]
    for order in (sidecars, sidecars[::-1]):
        assert answer(judge(parts, [undated(item) for item in order]), "cafe/c", "shop/a") == expected, title


def test_the_reason_names_the_sidecars():
    one, other = egress("cafe/s", "./*", age=1), undated(egress("cafe/t", "*/*"))
    [row] = edges(judge(PARTS, service("shop/a"), one, other), "cafe/c", service="shop/a")
    assert row["reason"] == (
        "which Sidecar of cafe/s and cafe/t applies depends on their age, and cafe/t carries no creationTimestamp"
    )


ONE_WAY = rule("shop/r", "a", tls("SIMPLE"))
TCP = service("shop/t", selector={"app": "a"}, ports=[{"name": "tcp", "port": 80, "targetPort": 8080}])


@pytest.mark.parametrize(
    ("title", "others", "expected"),
    [
        ("alone", [], "simple -> broken"),
        ("with another that says the same",
         [service("shop/t", selector={"app": "a"})], "simple -> broken"),
        ("with another that differs", [TCP], "simple -> unknown"),
        ("with another for another port",
         [service("shop/t", selector={"app": "a"}, ports=[{"name": "tcp", "port": 80, "targetPort": 9090}])],
         "simple -> broken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_which_service_decides_a_listeners_protocol(title, others, expected):
    result = judge(PARTS, ONE_WAY, [undated(item) for item in [service("shop/a"), *others]])
    assert answer(result, "cafe/c", "shop/a") == expected, title


def test_the_reason_names_the_services():
    result = judge(PARTS, ONE_WAY, undated(service("shop/a")), undated(TCP))
    [row] = edges(result, "cafe/c", service="shop/a")
    assert row["reason"].endswith(
        "which Service or ServiceEntry of shop/a and shop/t decides the port's protocol depends on their age, and "
        "shop/a and shop/t carry no creationTimestamp"
    )


def test_sidecars_whose_ingress_differs():
    def one(name: str, protocol: str) -> Any:
        listener = {"port": {"number": 8080, "protocol": protocol}}
        return undated(istio("Sidecar", f"shop/{name}", {"ingress": [listener]}))

    parts = [PARTS, service("shop/a"), ONE_WAY]
    assert answer(judge(parts, one("s", "TCP"), one("t", "TCP")), "cafe/c", "shop/a") == "simple -> tls"
    assert answer(judge(parts, one("s", "TCP"), one("t", "HTTP")), "cafe/c", "shop/a") == "simple -> unknown"


def external(where: str, **spec: Any) -> dict[str, Any]:
    """A ServiceEntry of one host, outside of the mesh."""
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    base = {"hosts": ["api.example"], "ports": ports, "resolution": "STATIC", "endpoints": [{"address": "192.0.2.1"}]}
    return undated(istio("ServiceEntry", where, {**base, **spec}))


def hosted(*entries: Any) -> set[str]:
    result = judge(PARTS, entries)
    return {
        f"{row['client_tls']} -> {row['verdict']}"
        for row in edges(result, "cafe/c")
        if row["host"] in ("api.example", "a.shop.svc.cluster.local")
    }


INSIDE = {"location": "MESH_INTERNAL", "endpoints": [{"address": "192.0.2.1", "serviceAccount": "vm"}]}


@pytest.mark.parametrize(
    ("title", "entries", "expected"),
    [
        ("of two namespaces, saying the same", [external("n1/e"), external("n2/e")], {"plaintext -> plaintext"}),
        ("with a rule of one's namespace",
         [external("n1/e"), external("n2/e"), rule("n2/r", "api.example", tls("SIMPLE"))], {UNKNOWN}),
        ("of two namespaces, one inside of the mesh",
         [external("n1/e", **INSIDE), external("n2/e")], {UNKNOWN}),
        ("one is the client's own", [external("cafe/e", **INSIDE), external("n2/e")], {SEEN}),
        ("for different ports of one namespace",
         [external("n1/e"), external("n1/f", ports=[{"number": 81, "name": "h", "protocol": "HTTP"}])],
         {"plaintext -> plaintext"}),
        ("a port that is lost unless its entry is older",
         [external("n1/e"), external("n2/f", ports=[{"number": 81, "name": "h", "protocol": "HTTP"}])], {UNKNOWN}),
        ("a Service displaces a ServiceEntry",
         [undated(service("shop/a")), external("n1/e", hosts=["a.shop.svc.cluster.local"])], {SEEN}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_destinations_with_one_host(title, entries, expected):
    assert hosted(*entries) == expected, title
    assert hosted(*entries[::-1]) == expected, title


def test_the_reason_names_the_destinations():
    rows = edges(judge(PARTS, external("n1/e", **INSIDE), external("n2/e")), "cafe/c")
    assert {row["reason"] for row in rows if row["host"] == "api.example"} == {
        "which Service or ServiceEntry of n1/e and n2/e is met depends on their age, and n1/e and n2/e carry no "
        "creationTimestamp"
    }


def test_headless_services_over_one_pod():
    """Their listener is that of the older one: a rule that turns TLS off for one may so count for the other, too."""
    own = headless("shop/a", ports=[{"port": 8080, "name": "tcp"}])
    other = headless("shop/b", selector={"app": "a"}, ports=[{"port": 8080, "name": "tcp"}])
    off = rule("shop/off", "b.shop.svc.cluster.local", tls("DISABLE"))
    both = [undated(own), undated(other)]
    assert answer(judge(PARTS, both, off), "cafe/c", "shop/a") == UNKNOWN
    assert answer(judge(PARTS, both), "cafe/c", "shop/a") == SEEN
    assert answer(judge(PARTS, dated(own, 1), dated(other, 2), off), "cafe/c", "shop/a") == SEEN


def test_endpoints_that_the_younger_of_two_entries_decides():
    """DNS clusters take endpoints by number, from the youngest that has a port of it."""

    def entry(name: str, port: str, address: str) -> dict[str, Any]:
        named = [{"number": 80, "name": port, "protocol": "TCP"}]
        return external(f"n1/{name}", ports=named, resolution="DNS", endpoints=[{"address": address}])

    result = judge(PARTS, entry("e", "one", "192.0.2.1"), entry("f", "two", "192.0.2.2"))
    assert "unknown" in {row["verdict"] for row in edges(result, "cafe/c") if row["host"] == "api.example"}


def test_a_policy_of_a_new_namespace_leaves_the_rest_alone():
    contested = [undated(peer("n1/p", "STRICT")), undated(peer("n1/q", "DISABLE"))]
    result = judge(PARTS, service("shop/a"), pod("n1/b"), undated(peer("shop/p", "STRICT")), contested)
    assert answer(result, "cafe/c", "shop/a") == SEEN


RIVALS: dict[str, tuple[list[Any], list[tuple[str, str | None, str]]]] = {
    "policies": (
        [peer("shop/p", "STRICT", age=None), peer("shop/q", "PERMISSIVE", age=None)],
        [("PeerAuthentication", "shop", "p and q")],
    ),
    "policies of which only one has a time": (
        [peer("shop/p", "STRICT", age=1), peer("shop/q", "PERMISSIVE", age=None)],
        [("PeerAuthentication", "shop", "p and q")],
    ),
    "policies that say the same": ([peer("shop/p", "STRICT", age=None), peer("shop/q", "STRICT", age=None)], []),
    "rules": (
        [rule("shop/r", "a", tls("DISABLE"), age=None), rule("shop/s", "a", tls("ISTIO_MUTUAL"), age=None)],
        [("DestinationRule", "shop", "r and s")],
    ),
    "Sidecars of clients": (
        [undated(egress("cafe/s", "./*")), undated(egress("cafe/t", "*/*"))],
        [("Sidecar", "cafe", "s and t")],
    ),
    "all have a time": ([peer("shop/p", "STRICT", age=1), peer("shop/q", "PERMISSIVE", age=2)], []),
}


@pytest.mark.parametrize(("manifests", "expected"), RIVALS.values(), ids=RIVALS)
def test_what_is_contested_is_told(manifests, expected):
    """Beside the verdicts, in `unknown`, with the reason and what it touches."""
    result = judge(PARTS, service("shop/a"), manifests)
    found = [row for row in result["unknown"] if "depends on their age" in row["reason"]]
    assert [(row["kind"], row["namespace"], row["name"]) for row in found] == expected
    assert all("edges to shop/a" in row["touches"] for row in found)
    of_server = {row["kind"]: "mode of shop/Deployment/a" in row["touches"] for row in found}
    assert of_server == {row["kind"]: row["kind"] == "PeerAuthentication" for row in found}


def test_objects_of_several_namespaces_are_named_with_theirs():
    reason = (
        "mtls; which PeerAuthentication of a/p, a/q, b/r and 2 more counts depends on their age, and a/p carries no"
    )
    [found] = contests_in(f"{reason} creationTimestamp; and more")
    assert found[:3] == ("PeerAuthentication", None, "a/p, a/q, b/r and 2 more")
    assert f"mtls; {found.sentence}" == f"{reason} creationTimestamp"


@pytest.mark.parametrize("seed", range(6))
def test_every_contest_of_an_unknown_answer_is_told(seed):
    result = evaluate([undated(item) for item in crowd(seed)])
    told = {row["reason"] for row in result["unknown"]}
    reasons = {row["reason"] for row in result["edges"] if row["verdict"] == "unknown"}
    spoken = {part for reason in reasons for part in reason.split("; ") if "depends on their age" in part}
    assert spoken <= told

# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections 3.3 and 4 of the semantics: auto-mTLS, and what is sent against what is accepted."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.client import (
    Cluster,
    Hbone,
    checker_mode,
    needs_endpoints,
    sent,
    tunnels,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.destination_rules import (
    Setting,
    mutual,
    plaintext,
    unset,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    PeerAuthentication,
    Policy,
    PortPolicy,
    Subset,
    Tls,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.server import PeerAuthenticationIndex
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.services import (
    Destination,
    DestinationPort,
    Endpoint,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.unread import Unread
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    edges,
    headless,
    judge,
    mesh_config,
    peer,
    pod,
    rule,
    service,
    subset,
    tls,
)

A = {"app": "a"}
EXCLUDED = {"traffic.sidecar.istio.io/excludeInboundPorts": "8080"}
SERVERS = {
    "none": [pod("shop/a", "none")],
    "bypassing port": [pod("shop/a", annotations=EXCLUDED)],
    "DISABLE": [pod("shop/a"), peer("shop/n", "DISABLE")],
    "PERMISSIVE": [pod("shop/a")],
    "STRICT": [pod("shop/a"), peer("shop/n", "STRICT")],
}
OWN = tls("MUTUAL", clientCertificate="c", privateKey="k")
# what the client does: (its pod, rules), then the answers for the servers above in their order
TABLE = [
    (
        "no sidecar",
        (pod("cafe/c", "none"), []),
        ["none -> plaintext", "none -> plaintext", "none -> plaintext", "none -> plaintext", "none -> broken"],
    ),
    (
        "auto-mTLS",
        (pod("cafe/c"), []),
        ["plaintext -> plaintext", "mtls -> broken", "plaintext -> plaintext", "mtls -> mtls", "mtls -> mtls"],
    ),
    (
        "DISABLE",
        (pod("cafe/c"), [rule("shop/r", "a", tls("DISABLE"))]),
        ["plaintext -> plaintext"] * 4 + ["plaintext -> broken"],
    ),
    (
        "ISTIO_MUTUAL",
        (pod("cafe/c"), [rule("shop/r", "a", tls("ISTIO_MUTUAL"))]),
        ["mtls -> broken"] * 3 + ["mtls -> mtls"] * 2,
    ),
    ("SIMPLE", (pod("cafe/c"), [rule("shop/r", "a", tls("SIMPLE"))]), ["simple -> tls"] * 2 + ["simple -> broken"] * 3),
    ("MUTUAL", (pod("cafe/c"), [rule("shop/r", "a", OWN)]), ["mutual -> tls"] * 2 + ["mutual -> broken"] * 3),
]


@pytest.mark.parametrize(("title", "client", "answers"), TABLE, ids=[row[0] for row in TABLE])
def test_verdicts_of_section_4(title, client, answers):
    found = [
        answer(judge(mesh_config(), client[0], client[1], server, service("shop/a")), "cafe/c", "shop/a")
        for server in SERVERS.values()
    ]
    assert dict(zip(SERVERS, found, strict=True)) == dict(zip(SERVERS, answers, strict=True))


AUTO = [
    ("off in the mesh", [mesh_config(enableAutoMtls=False)], {}, "plaintext -> plaintext"),
    ("missing means on", [mesh_config()], {}, "mtls -> mtls"),
    (
        "the label decides, not the container",
        [mesh_config()],
        {"labels": {"security.istio.io/tlsMode": None}},
        "plaintext -> plaintext",
    ),
    (
        "the label without a sidecar",
        [mesh_config()],
        {"proxy": "none", "labels": {"security.istio.io/tlsMode": "istio"}},
        "mtls -> broken",
    ),
    ("workload DISABLE: per endpoint", [peer("shop/w", "DISABLE", A)], {}, "plaintext -> plaintext"),
    ("port DISABLE: per endpoint", [peer("shop/w", "STRICT", A, {8080: "DISABLE"})], {}, "plaintext -> plaintext"),
    (
        "namespace DISABLE with workload STRICT breaks (istio#56084)",
        [peer("shop/n", "DISABLE"), peer("shop/w", "STRICT", A)],
        {},
        "plaintext -> broken",
    ),
    (
        "mesh DISABLE with port STRICT breaks",
        [peer("istio-system/n", "DISABLE"), peer("shop/w", None, A, {8080: "STRICT"})],
        {},
        "plaintext -> broken",
    ),
    ("the client's own namespace never matters", [peer("cafe/n", "DISABLE")], {}, "mtls -> mtls"),
]


@pytest.mark.parametrize(("title", "objects", "server", "expected"), AUTO, ids=[row[0] for row in AUTO])
def test_auto_mtls(title, objects, server, expected):
    result = judge(objects, pod("cafe/c"), pod("shop/a", **server), service("shop/a"))
    assert answer(result, "cafe/c", "shop/a") == expected


def test_reasons_can_be_pasted_into_a_ticket():
    result = judge(
        pod("cafe/c"),
        pod("shop/a"),
        service("shop/a"),
        rule("shop/a", "a", tls("ISTIO_MUTUAL")),
        peer("shop/default", "STRICT"),
    )
    assert edges(result, "cafe/c", service="shop/a")[0]["reason"] == (
        "DestinationRule shop/a sends ISTIO_MUTUAL; PeerAuthentication shop/default is STRICT"
    )


# --- headless Services and the PASSTHROUGH load balancer ---

THROUGH = {"loadBalancer": {"simple": "PASSTHROUGH"}}
RANDOM = {"loadBalancer": {"simple": "RANDOM"}}
AT_PORT = {"portLevelSettings": [{"port": {"number": 80}, **THROUGH}]}
RANDOM_AT_PORT = {"portLevelSettings": [{"port": {"number": 80}, **RANDOM}]}
MESHED, BARE = pod("shop/a"), pod("shop/b", "none", labels={"app": "a"})
M, P, B, PB = "mtls -> mtls", "plaintext -> plaintext", "mtls -> broken", "plaintext -> broken"

# title, rule, expected answers at the meshed and the un-meshed endpoint, for the main cluster and for subset v1
PASSTHROUGH = [
    ("ordinary: each endpoint by itself", None, (M, P), None),
    ("top level: one endpoint without sidecar turns it off for all", rule("shop/r", "a", THROUGH), (P, P), None),
    ("port entry only: mTLS to everyone", rule("shop/r", "a", AT_PORT), (M, B), None),
    (
        "top level replaced by a port entry: ordinary cluster, inference still off",
        rule("shop/r", "a", {**THROUGH, **RANDOM_AT_PORT}),
        (P, P),
        None,
    ),
    (
        "a subset without its own: mTLS to everyone",
        rule("shop/r", "a", THROUGH, subsets=[subset("v1")]),
        (P, P),
        (M, B),
    ),
    (
        "a subset with another balancer keeps the type",
        rule("shop/r", "a", THROUGH, subsets=[subset("v1", RANDOM)]),
        (P, P),
        (M, B),
    ),
    (
        "only on the subset: inference for it alone",
        rule("shop/r", "a", subsets=[subset("v1", THROUGH)]),
        (M, P),
        (P, P),
    ),
    (
        "a subset's port entry: mTLS to everyone in it",
        rule("shop/r", "a", subsets=[subset("v1", AT_PORT)]),
        (M, P),
        (M, B),
    ),
]


@pytest.mark.parametrize(("title", "one", "main", "of_subset"), PASSTHROUGH, ids=[row[0] for row in PASSTHROUGH])
def test_passthrough(title, one, main, of_subset):
    result = judge(mesh_config(), pod("cafe/c"), MESHED, BARE, service("shop/a"), [one] if one else [])

    def both(name):
        return tuple(answer(result, "cafe/c", "shop/a", name, endpoint=f"shop/Deployment/{place}") for place in "ab")

    assert both(None) == main
    if of_subset is not None:
        assert both("v1") == of_subset


SAME_PORT = [{"name": "tcp", "port": 8080, "targetPort": 8080}]
HEADLESS = [
    ("all meshed", [MESHED], [], [M]),
    ("one without sidecar turns it off for all", [MESHED, BARE], [], [P, P]),
    ("DISABLE of the workload is not seen: broken (istio#39439)", [MESHED, peer("shop/w", "DISABLE", A)], [], [B]),
    ("DISABLE of the namespace is seen", [MESHED, peer("shop/n", "DISABLE")], [], [P]),
    ("mixed under STRICT", [MESHED, BARE, peer("shop/n", "STRICT")], [], [PB, P]),
    ("ISTIO_MUTUAL goes to everyone", [MESHED, BARE], [rule("shop/r", "a", tls("ISTIO_MUTUAL"))], [M, B]),
    ("a load balancer in the rule changes nothing", [MESHED, BARE], [rule("shop/r", "a", RANDOM)], [P, P]),
]


@pytest.mark.parametrize(("title", "servers", "rules", "answers"), HEADLESS, ids=[row[0] for row in HEADLESS])
def test_headless(title, servers, rules, answers):
    result = judge(mesh_config(), pod("cafe/c"), servers, rules, headless("shop/a", ports=SAME_PORT))
    found = [f"{row['client_tls']} -> {row['verdict']}" for row in edges(result, "cafe/c", service="shop/a")]
    assert sorted(found) == sorted(answers)


def test_headless_clients_dial_the_service_port():
    """targetPort plays no role: the server's mode counts at the Service's port number."""
    ports = [{"name": "tcp", "port": 80, "targetPort": 8080}]
    strict_port = peer("shop/w", "PERMISSIVE", A, {80: "STRICT"})
    result = judge(pod("cafe/c", "none"), pod("shop/a"), headless("shop/a", ports=ports), strict_port)
    assert answer(result, "cafe/c", "shop/a") == "none -> broken"


def test_headless_without_endpoints_has_no_auto_mtls():
    result = judge(pod("cafe/c"), headless("shop/a"))
    assert answer(result, "cafe/c", "shop/a", endpoint=None) == "plaintext -> broken"


def test_gateways_are_clients_that_match_endpoints_even_of_headless_services():
    result = judge(
        pod("edge/gw", "gateway"),
        MESHED,
        BARE,
        headless("shop/a", ports=SAME_PORT),
        rule("shop/r", "a", tls("SIMPLE", credentialName="s")),
    )
    assert {row["client_tls"] for row in edges(result, "edge/gw", service="shop/a")} == {"simple"}


def test_rows_grow_with_situations_not_with_clients():
    """Thirty namespaces with rules and Sidecars that say the same share their rows, which still name the objects."""
    many = []
    for number in range(30):
        home = f"n{number:02}"
        many += [pod(f"{home}/c"), rule(f"{home}/r", "*.shop.svc.cluster.local", tls("DISABLE"))]
    result = judge(mesh_config(), many, pod("shop/a"), service("shop/a"))
    rows = [row for row in result["edges"] if row["service"] == "shop/a"]
    assert [row["client_tls"] for row in rows] == ["mtls", "plaintext"]
    assert rows[1]["reason"].startswith("each of the DestinationRules n00/r, n01/r, n02/r and 27 more turns TLS off")
    assert len(result["client_sets"][rows[1]["clients"]]) == 30


AT_A = Endpoint("shop/Deployment/a", None, 8080, "istio", "shop", {"app": "a"})
TUNNELS = AT_A._replace(labels={"app": "a", "networking.istio.io/tunnel": "http"})
LEGACY = AT_A._replace(tls_mode="disabled")
NEVER, TO_ZTUNNEL, EVERYWHERE = Hbone(False, False), Hbone(True, False), Hbone(True, True)
BY_AUTO = Cluster("auto", "", False, None)
BY_RULE = Cluster("ISTIO_MUTUAL", "a rule", False, None, by_rule=True)


def policies(mode: str | None = None, ports: dict[int, str] | None = None) -> PeerAuthenticationIndex:
    """One PeerAuthentication of the server's namespace."""
    found = PeerAuthentication("shop", "p", "", None, None, True, mode or "UNSET", {})
    selected = PeerAuthentication("shop", "q", "", None, {"app": "a"}, False, "UNSET", ports or {})
    return PeerAuthenticationIndex([*([found] if mode else []), *([selected] if ports else [])], "root", Unread([], ()))


@pytest.mark.parametrize(
    ("cluster", "endpoint", "peers", "hbone", "expected"),
    [
        pytest.param(BY_AUTO, AT_A, policies(), NEVER, "mtls", id="auto-mTLS to a sidecar"),
        pytest.param(BY_AUTO, LEGACY, policies(), NEVER, "plaintext", id="auto-mTLS to what has none"),
        pytest.param(BY_AUTO, AT_A, policies("DISABLE"), NEVER, "plaintext", id="auto-mTLS to what takes none"),
        pytest.param(BY_AUTO, AT_A, policies(None, {8080: "DISABLE"}), NEVER, "plaintext", id="at this port"),
        pytest.param(BY_AUTO, AT_A, policies(None, {8081: "DISABLE"}), NEVER, "mtls", id="at another port"),
        pytest.param(BY_AUTO._replace(same_for_all=True), LEGACY, policies(), NEVER, "mtls", id="the same to all"),
        pytest.param(BY_AUTO._replace(override="ISTIO_MUTUAL"), AT_A, policies("DISABLE"), NEVER, "mtls",
                     id="the top level of a rule goes before the policy"),
        pytest.param(BY_AUTO._replace(override="DISABLE"), AT_A, policies(), NEVER, "plaintext",
                     id="whatever it says"),
        pytest.param(BY_AUTO._replace(override="ISTIO_MUTUAL"), LEGACY, policies(), NEVER, "plaintext",
                     id="but for what has no sidecar"),
        pytest.param(BY_RULE, LEGACY, policies(), NEVER, "mtls", id="a rule"),
        pytest.param(BY_RULE._replace(sent="SIMPLE"), AT_A, policies(), NEVER, "simple", id="a rule for TLS"),
        pytest.param(BY_RULE._replace(sent="MUTUAL"), AT_A, policies(), NEVER, "mutual", id="a rule for its own"),
        pytest.param(BY_RULE._replace(sent="plaintext"), AT_A, policies(), NEVER, "plaintext", id="a rule for none"),
        pytest.param(BY_RULE._replace(sent="unknown"), AT_A, policies(), NEVER, "unknown", id="nobody knows"),
        pytest.param(BY_AUTO, TUNNELS, policies(), TO_ZTUNNEL, "mtls", id="HBONE is not preferred to sidecars"),
        pytest.param(BY_AUTO, TUNNELS, policies(), EVERYWHERE, "hbone", id="HBONE is preferred"),
        pytest.param(BY_AUTO, TUNNELS._replace(tls_mode="disabled"), policies(), TO_ZTUNNEL, "hbone",
                     id="HBONE to what takes nothing else"),
        pytest.param(BY_AUTO, TUNNELS, policies(), Hbone(False, True), "mtls", id="HBONE is not sent"),
        pytest.param(BY_AUTO, TUNNELS, policies(), Hbone(None, True), "unknown", id="nobody knows whether it is"),
        pytest.param(BY_AUTO, TUNNELS, policies(), Hbone(True, None), "unknown", id="nor whether it is preferred"),
        pytest.param(BY_AUTO, AT_A, policies(), Hbone(None, None), "mtls", id="nor need one know"),
        pytest.param(BY_AUTO._replace(same_for_all=True), TUNNELS, policies(), EVERYWHERE, "mtls",
                     id="HBONE is matched per endpoint"),
        pytest.param(BY_RULE._replace(sent="plaintext"), TUNNELS, policies(), EVERYWHERE, "hbone",
                     id="HBONE in the place of plaintext"),
    ],
)  # fmt: skip
def test_what_one_endpoint_is_sent(cluster, endpoint, peers, hbone, expected):
    assert sent(cluster, endpoint, peers, hbone).tls == expected


@pytest.mark.parametrize(
    ("mode", "why"), [("SIMPLE", "a rule, inside HBONE"), ("ISTIO_MUTUAL", "the sidecar sends HBONE")]
)
def test_tls_of_a_rules_own_runs_inside_hbone(mode, why):
    found = sent(BY_RULE._replace(sent=mode), TUNNELS, policies(), EVERYWHERE)
    assert (found.tls, found.why.startswith(why)) == ("hbone", True)


@pytest.mark.parametrize(
    ("endpoint", "preferred", "expected"),
    [
        (TUNNELS, True, True),
        (TUNNELS, False, False),
        (TUNNELS._replace(tls_mode="disabled"), False, True),
        (AT_A, True, False),
        (LEGACY, False, False),
        (LEGACY._replace(labels={"networking.istio.io/tunnel": "none"}), True, False),
    ],
)
def test_who_gets_hbone(endpoint, preferred, expected):
    assert tunnels(endpoint, preferred) is expected


ONE_WAY = Tls("SIMPLE", False, False)
OF_PORTS = Policy(Tls("DISABLE", False, False), None, (PortPolicy(80, ONE_WAY, None), PortPolicy(81, None, "RANDOM")))
BY_SUBSET = Subset("v1", (), Policy(None, None, (PortPolicy(80, Tls("ISTIO_MUTUAL", False, False), None),)))


@pytest.mark.parametrize(
    ("policy", "subset", "port", "expected"),
    [
        (OF_PORTS, None, 80, "SIMPLE"),
        (OF_PORTS, None, 81, "DISABLE"),
        (OF_PORTS, None, 82, "DISABLE"),
        (OF_PORTS, BY_SUBSET, 80, "ISTIO_MUTUAL"),
        (OF_PORTS, BY_SUBSET, 81, "DISABLE"),
        (None, BY_SUBSET, 80, "ISTIO_MUTUAL"),
        (None, BY_SUBSET, 81, None),
        (None, None, 80, None),
        (OF_PORTS, Subset("v2", (), None), 80, "SIMPLE"),
    ],
)
def test_by_which_mode_endpoints_are_matched(policy, subset, port, expected):
    assert checker_mode(Setting(policy, (), False), subset, port) == expected


def test_without_a_rule_no_mode_of_a_rule_counts():
    assert checker_mode(None, BY_SUBSET, 80) is None


def with_balancer(name):
    return Policy(None, name, ())


@pytest.mark.parametrize(
    ("resolution", "rule_", "subset", "expected"),
    [
        ("DNS", None, None, True),
        ("DNS_ROUND_ROBIN", None, None, True),
        ("STATIC", None, None, False),
        ("NONE", None, None, False),
        ("DNS", with_balancer("PASSTHROUGH"), None, True),
        ("DNS", with_balancer("PASSTHROUGH"), Subset("v1", (), None), False),
        ("DNS", with_balancer("RANDOM"), Subset("v1", (), None), True),
        ("DNS", None, Subset("v1", (), with_balancer("PASSTHROUGH")), False),
        ("DNS", None, Subset("v1", (), with_balancer("RANDOM")), True),
        ("DNS", None, Subset("v1", (), None), True),
    ],
)
def test_which_clusters_are_not_built_without_endpoints(resolution, rule_, subset, expected):
    port_ = DestinationPort(80, "http", "http", (), ())
    to = Destination("a/b", "a", "b.a", "", False, False, False, resolution, (port_,), (), (), "")
    assert needs_endpoints(to, port_, rule_ and Setting(rule_, (), False), subset) is expected


@pytest.mark.parametrize(
    ("settings", "is_plaintext", "is_mutual"),
    [
        (Tls("DISABLE", False, False), True, False),
        (Tls("SIMPLE", False, False), False, False),
        (Tls("SIMPLE", True, False), True, False),
        (Tls("MUTUAL", False, True), True, False),
        (Tls("ISTIO_MUTUAL", False, False), False, True),
    ],
)
def test_what_is_left_of_a_rule_without_some_of_its_tls(settings, is_plaintext, is_mutual):
    assert (plaintext(settings), mutual(settings)) == (is_plaintext, is_mutual)
    whole = Policy(settings, "RANDOM", (PortPolicy(80, settings, None), PortPolicy(81, None, None)))
    left = unset(Setting(whole, (Subset("v1", (), whole), Subset("v2", (), None)), True), mutual)
    kept = None if is_mutual else settings
    expected = Policy(kept, "RANDOM", (PortPolicy(80, kept, None), PortPolicy(81, None, None)))
    assert left == Setting(expected, (Subset("v1", (), expected), Subset("v2", (), None)), True)

# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Section 3.1 of the semantics: which DestinationRule a client uses.

The server shop/a is PERMISSIVE, so the answer says which rule was found: ISTIO_MUTUAL is `mtls -> mtls`, DISABLE is
`plaintext -> plaintext`, SIMPLE is `simple -> broken` (an HTTP port), and no rule is auto-mTLS.
"""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    judge,
    mesh_config,
    pod,
    port_tls,
    rule,
    service,
    subset,
    tls,
)

MUTUAL, OFF, SIMPLE = tls("ISTIO_MUTUAL"), tls("DISABLE"), tls("SIMPLE")
FQDN = "a.shop.svc.cluster.local"
M, P, S = "mtls -> mtls", "plaintext -> plaintext", "simple -> broken"
BALANCED = {"loadBalancer": {"simple": "RANDOM"}}

# title, rules, answer for client cafe/c, answer for client shop/s (the service's namespace), for root's client
SEARCH = [
    ("no rule is auto-mTLS", [], M, M, M),
    ("service namespace, exported by default", [rule("shop/r", "a", OFF)], P, P, P),
    ("client namespace first", [rule("cafe/r", FQDN, SIMPLE), rule("shop/r", "a", OFF)], S, P, P),
    ("root last", [rule("istio-system/r", FQDN, OFF)], P, P, P),
    ("service namespace before root", [rule("istio-system/r", FQDN, SIMPLE), rule("shop/r", "a", OFF)], P, P, P),
    ("other namespaces never, even exported to all", [rule("zoo/r", FQDN, OFF, export_to=["*"])], M, M, M),
    ("a client wildcard shadows an exact rule", [rule("cafe/r", "*.local", SIMPLE), rule("shop/r", "a", OFF)], S, P, P),
    ("`*` is literal", [rule("cafe/r", "*", OFF)], P, M, M),
    ("name.namespace stays literal", [rule("shop/r", "a.shop", OFF)], M, M, M),
    ("a short name belongs to the rule's namespace", [rule("cafe/r", "a", OFF)], M, M, M),
    ("private", [rule("shop/r", "a", OFF, export_to=["."])], M, P, M),
    ("exported to the client by name", [rule("shop/r", "a", OFF, export_to=["cafe"])], P, M, M),
    ("exported only to others: not for its own clients", [rule("shop/r", "a", OFF, export_to=["zoo"])], M, M, M),
    ("exact before wildcard", [rule("shop/w", "*.shop.svc.cluster.local", SIMPLE), rule("shop/r", "a", OFF)], P, P, P),
    ("longest wildcard", [rule("shop/w", "*.local", SIMPLE), rule("shop/v", "*.shop.svc.cluster.local", OFF)], P, P, P),
    (
        "the most specific host is filtered by exportTo afterwards, its wildcards are not retried",
        [rule("shop/r", "a", OFF, export_to=["zoo"]), rule("shop/w", "*.local", SIMPLE)],
        M,
        S,
        M,
    ),
    (
        "a purely private rule does not hide a wildcard",
        [rule("shop/r", "a", OFF, export_to=["."]), rule("shop/w", "*.local", SIMPLE)],
        S,
        P,
        S,
    ),
    (
        "root's clients see root's private rules first",
        [rule("istio-system/r", FQDN, SIMPLE, export_to=["."]), rule("shop/r", "a", OFF)],
        P,
        P,
        S,
    ),
    (
        "root's clients see root's public rules last",
        [rule("istio-system/r", FQDN, SIMPLE), rule("shop/r", "a", OFF)],
        P,
        P,
        P,
    ),
    ("of a selector's rule only the pods that match", [rule("cafe/r", FQDN, OFF, selector={"app": "c"})], P, M, M),
    ("a selector that does not match", [rule("cafe/r", FQDN, OFF, selector={"app": "x"})], M, M, M),
    (
        "a selector beats the plain rule",
        [rule("cafe/p", FQDN, OFF, age=1), rule("cafe/r", FQDN, SIMPLE, selector={"app": "c"}, age=2)],
        S,
        M,
        M,
    ),
    (
        "quirk: a plain private rule is folded into the selector's and lost for other pods",
        [rule("cafe/p", FQDN, OFF, export_to=["."]), rule("cafe/r", FQDN, SIMPLE, selector={"app": "x"})],
        M,
        M,
        M,
    ),
    ("a selector's rule is private to its namespace", [rule("shop/r", "a", OFF, selector={"app": "c"})], M, M, M),
    ("merge keeps the oldest policy", [rule("shop/z", "a", OFF, age=1), rule("shop/r", "a", SIMPLE, age=2)], P, P, P),
    (
        "whole: an older load balancer discards newer TLS",
        [rule("shop/z", "a", BALANCED, age=1), rule("shop/r", "a", OFF, age=2)],
        M,
        M,
        M,
    ),
    ("the first policy that there is", [rule("shop/z", "a", age=1), rule("shop/r", "a", OFF, age=2)], P, P, P),
    (
        "unequal exportTo stay separate, the last listed is used",
        [
            rule("shop/y", "a", OFF, export_to=["cafe"], age=1),
            rule("shop/z", "a", SIMPLE, export_to=["zoo", "."], age=2),
        ],
        P,
        S,
        M,
    ),
    (
        "a superset of an older exportTo is merged into it",
        [
            rule("shop/y", "a", OFF, export_to=["cafe"], age=1),
            rule("shop/z", "a", SIMPLE, export_to=["cafe", "."], age=2),
        ],
        P,
        S,
        M,
    ),
    ("the revision's rules", [rule("shop/r", "a", OFF, rev="canary")], M, M, M),
]


@pytest.mark.parametrize(("title", "rules", "elsewhere", "home", "root"), SEARCH, ids=[row[0] for row in SEARCH])
def test_which_rule(title, rules, elsewhere, home, root):
    result = judge(
        mesh_config(), pod("cafe/c"), pod("shop/s"), pod("istio-system/r"), pod("shop/a"), service("shop/a"), rules
    )
    found = [answer(result, client, "shop/a") for client in ("cafe/c", "shop/s", "istio-system/r")]
    assert found == [elsewhere, home, root]


def test_default_export():
    """defaultDestinationRuleExportTo `.` makes rules without exportTo private."""
    mesh = mesh_config(defaultDestinationRuleExportTo=["."])
    result = judge(mesh, pod("cafe/c"), pod("shop/a"), service("shop/a"), rule("shop/r", "a", OFF))
    assert [answer(result, client, "shop/a") for client in ("cafe/c", "shop/a")] == [M, P]


# title, rule, answer at port 80, at port 81, in subset v1 at port 80
TLS_TABLE = [
    ("top level", rule("shop/r", "a", OFF), P, P, None),
    ("a port entry replaces", rule("shop/r", "a", {**OFF, **port_tls(80, "ISTIO_MUTUAL")}), M, P, None),
    (
        "of the Service port, not the target port",
        rule("shop/r", "a", {**OFF, **port_tls(8080, "ISTIO_MUTUAL")}),
        P,
        P,
        None,
    ),
    (
        "quirk: a port entry without tls is unset, but the checker falls back to DISABLE",
        rule("shop/r", "a", {**OFF, **port_tls(80, None)}),
        P,
        P,
        None,
    ),
    ("quirk: and to ISTIO_MUTUAL", rule("shop/r", "a", {**MUTUAL, **port_tls(80, None)}), M, M, None),
    ("`tls: {}` is DISABLE", rule("shop/r", "a", tls(None)), P, P, None),
    ("a subset's tls", rule("shop/r", "a", OFF, subsets=[subset("v1", MUTUAL)]), P, P, M),
    ("a subset without tls has the rule's", rule("shop/r", "a", OFF, subsets=[subset("v1")]), P, P, P),
    (
        "a subset without policy has the rule's port entry",
        rule("shop/r", "a", {**OFF, **port_tls(80, "ISTIO_MUTUAL")}, subsets=[subset("v1", BALANCED)]),
        M,
        P,
        M,
    ),
    ("a subset's port entry", rule("shop/r", "a", MUTUAL, subsets=[subset("v1", port_tls(80, "DISABLE"))]), M, M, P),
    (
        "quirk: a subset's port entry without tls unsets, the checker falls back",
        rule("shop/r", "a", OFF, subsets=[subset("v1", port_tls(80, None))]),
        P,
        P,
        P,
    ),
    ("SIMPLE", rule("shop/r", "a", SIMPLE), S, "simple -> tls", None),
    (
        "MUTUAL",
        rule("shop/r", "a", tls("MUTUAL", clientCertificate="c", privateKey="k")),
        "mutual -> broken",
        "mutual -> tls",
        None,
    ),
    ("a Secret on a sidecar builds no TLS", rule("shop/r", "a", tls("SIMPLE", credentialName="s")), P, P, None),
    ("a ConfigMap does", rule("shop/r", "a", tls("SIMPLE", credentialName="configmap://s")), S, "simple -> tls", None),
]


@pytest.mark.parametrize(("title", "one", "http", "tcp", "of_subset"), TLS_TABLE, ids=[row[0] for row in TLS_TABLE])
def test_tls_inside_the_rule(title, one, http, tcp, of_subset):
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "tcp", "port": 81, "targetPort": 9090}]
    result = judge(mesh_config(), pod("cafe/c"), pod("shop/a"), service("shop/a", ports=ports), one)
    assert answer(result, "cafe/c", "shop/a", port=80) == http
    assert answer(result, "cafe/c", "shop/a", port=81) == tcp
    if of_subset is not None:
        assert answer(result, "cafe/c", "shop/a", "v1", port=80) == of_subset


def test_a_secret_works_with_a_selector():
    one = rule("cafe/r", FQDN, tls("SIMPLE", credentialName="s"), selector={"app": "c"})
    assert answer(judge(pod("cafe/c"), pod("shop/a"), service("shop/a"), one), "cafe/c", "shop/a") == S


def test_subsets_select_endpoints():
    subsets = [subset("v1", version="1"), subset("v2", OFF, version="2"), subset("v3", version="3")]
    result = judge(
        pod("cafe/c"),
        pod("shop/a1", labels={"app": "a", "version": "1"}),
        pod("shop/a2", labels={"app": "a", "version": "2"}),
        service("shop/a"),
        rule("shop/r", "a", subsets=subsets),
    )
    assert answer(result, "cafe/c", "shop/a", endpoint="shop/Deployment/a1") == M
    assert answer(result, "cafe/c", "shop/a", "v1", endpoint="shop/Deployment/a1") == M
    assert answer(result, "cafe/c", "shop/a", "v2", endpoint="shop/Deployment/a2") == P
    assert answer(result, "cafe/c", "shop/a", "v3", endpoint=None) == "mtls -> broken"


def test_metadata_certificates_replace_istio_mutual():
    client = pod("cafe/c")
    client["spec"]["containers"][-1]["env"] = [{"name": "ISTIO_META_TLS_CLIENT_CERT_CHAIN", "value": "/c"}]
    result = judge(client, pod("cafe/d"), pod("shop/a"), service("shop/a"), rule("shop/r", "a", MUTUAL))
    assert answer(result, "cafe/c", "shop/a") == "mutual -> broken"
    assert answer(result, "cafe/d", "shop/a") == M

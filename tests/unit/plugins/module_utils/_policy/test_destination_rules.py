# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Section 3.1 of the semantics: which DestinationRule a client uses.

The server shop/a is PERMISSIVE, so the answer says which rule was found: ISTIO_MUTUAL is `mtls -> mtls`, DISABLE is
`plaintext -> plaintext`, SIMPLE is `simple -> broken` (an HTTP port), and no rule is auto-mTLS.
"""

from __future__ import annotations

from itertools import permutations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.destination_rules import (
    DestinationRuleIndex,
    consolidated,
    fqdn,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    UNDATED,
    DestinationRule,
    Policy,
    Subset,
    Tls,
)
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


# Parts of it by themselves.

FIRST, SECOND = Policy(Tls("DISABLE", False, False), None, ()), Policy(None, "RANDOM", ())
AGE = "2026-01-01T00:00:01"


def of(name, export=(), selector=None, policy=None, subsets=(), age=AGE, host="a.test", namespace="shop"):
    """A rule as the engine keeps it."""
    return DestinationRule(namespace, name, age, None, host, tuple(export), selector, policy, tuple(subsets))


def names(rules):
    return [[name.split("/")[1] for name in merged.names] for merged in rules]


MINE, OTHERS = {"app": "c"}, {"app": "x"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([of("a"), of("b")], [["a", "b"]], id="all of it"),
        pytest.param([of("a", ["x"]), of("b", ["x"])], [["a", "b"]], id="exported alike"),
        pytest.param([of("a", ["x"]), of("b", ["y"])], [["a"], ["b"]], id="exported otherwise"),
        pytest.param([of("a", ["x"]), of("b", ["x", "y"])], [["a", "b"]], id="a superset is merged"),
        pytest.param([of("a", ["x", "y"]), of("b", ["x"])], [["a"], ["b"]], id="a subset is not"),
        pytest.param([of("a"), of("b", ["x"])], [["a"], ["b"]], id="everybody is no subset"),
        pytest.param([of("a", ["x"]), of("b")], [["a"], ["b"]], id="nor is everybody a superset"),
        pytest.param(
            [of("a", ["x"]), of("b", ["y"]), of("c", ["x"])],
            [["a", "c"], ["b"], ["c"]],
            id="quirk: merged into the first, and kept for the last that differs",
        ),
        pytest.param(
            [of("a", ["x"]), of("b", ["y"]), of("c", ["y"])], [["a"], ["b", "c"]], id="merged into the last alone"
        ),
        pytest.param(
            [of("a", ["x"]), of("b", ["y"]), of("c", ["x", "y"])], [["a", "c"], ["b", "c"]], id="a superset of both"
        ),
        pytest.param([of("a", selector=MINE), of("b", selector=MINE)], [["a", "b"]], id="of the same pods"),
        pytest.param([of("a", selector=MINE), of("b", selector=OTHERS)], [["a"], ["b"]], id="of other pods"),
        pytest.param(
            [of("a", selector=MINE), of("b", selector=OTHERS), of("c", selector=OTHERS)],
            [["a"], ["b", "c"]],
            id="of the pods of one of two",
        ),
        pytest.param([of("a", selector=MINE), of("b", ["."])], [["a", "b"]], id="quirk: a private one is folded in"),
        pytest.param(
            [of("a", selector=MINE), of("b", [".", "x"])], [["a", "b"], ["b"]], id="quirk: folded in, and kept"
        ),
        pytest.param([of("a", selector=MINE), of("b")], [["a"], ["b"]], id="a plain one that all see"),
        pytest.param(
            [of("a", selector={}), of("b", [".", "x"])],
            [["a", "b"], ["b"]],
            id="an empty selector is not the lack of one",
        ),
        pytest.param([of("a", selector={}), of("b", ["."])], [["a", "b"]], id="an empty selector is one"),
    ],
)
def test_how_rules_for_one_host_merge(rules, expected):
    assert names(consolidated(rules)) == expected


V1, V1_OTHERWISE, V2 = Subset("v1", (), FIRST), Subset("v1", (), SECOND), Subset("v2", (), None)


def test_what_is_merged_keeps_the_first_of_everything():
    [merged] = consolidated([of("a", subsets=[V1]), of("b", policy=FIRST, subsets=[V1_OTHERWISE, V2])])
    assert (merged.policy, merged.setting.subsets) == (FIRST, (V1, V2))
    [merged] = consolidated([of("a", policy=SECOND), of("b", policy=FIRST)])
    assert (merged.policy, str(merged)) == (SECOND, "shop/a + shop/b")
    assert not merged.setting.selective
    assert consolidated([of("a", selector={})])[0].setting.selective


@pytest.mark.parametrize(
    ("export", "seen"), [((), True), (("*",), True), (("x",), False), (("x", "cafe"), True), ((".",), False)]
)
def test_who_sees_a_rule_from_outside(export, seen):
    assert consolidated([of("a", export)])[0].exported_to("cafe") is seen


@pytest.mark.parametrize(
    ("host", "full"),
    [
        ("a", "a.shop.svc.cluster.local"),
        ("a.b", "a.b"),
        ("*", "*"),
        ("*.b", "*.b"),
        ("", ""),
        ("::1", "::1"),
        ("a:80", "a:80"),
    ],
)
def test_short_names(host, full):
    assert fqdn(host, "shop") == full


def index_of(*rules, default=("*",)):
    return DestinationRuleIndex(list(rules), "root", default)


def unknown(name, **more):
    return of(name, age=UNDATED, **more)


@pytest.mark.parametrize(
    ("rules", "variants", "contested"),
    [
        pytest.param([unknown("a")], [[["a"]]], False, id="one"),
        pytest.param([of("a"), of("b", policy=FIRST)], [[["a", "b"]]], False, id="two with a time"),
        pytest.param([unknown("a"), unknown("b")], [[["a", "b"]]], False, id="nothing differs"),
        pytest.param(
            [unknown("a", policy=FIRST), unknown("b")], [[["a", "b"]]], False, id="one has a policy, one has none"
        ),
        pytest.param([unknown("a"), unknown("b", policy=FIRST)], [[["a", "b"]]], False, id="one has none, one has"),
        pytest.param(
            [unknown("a", policy=FIRST), unknown("b", policy=FIRST)], [[["a", "b"]]], False, id="the same policy"
        ),
        pytest.param(
            [unknown("a", policy=FIRST), unknown("b", policy=SECOND)],
            [[["a", "b"]], [["b", "a"]]],
            True,
            id="other policies",
        ),
        pytest.param(
            [unknown("a"), unknown("b", policy=FIRST), unknown("c", policy=SECOND)],
            None,
            True,
            id="other policies after none",
        ),
        pytest.param(
            [unknown("a", policy=FIRST), of("b", policy=SECOND)],
            [[["b", "a"]], [["a", "b"]]],
            True,
            id="one has a time",
        ),
        pytest.param([unknown("a", subsets=[V1]), unknown("b", subsets=[V2])], [[["a", "b"]]], False, id="own subsets"),
        pytest.param(
            [unknown("a", subsets=[V1]), unknown("b", subsets=[V2, V1_OTHERWISE])],
            [[["a", "b"]], [["b", "a"]]],
            True,
            id="a subset of one name",
        ),
        pytest.param(
            [unknown("a", export=["x"]), unknown("b", export=["y"])],
            [[["a"], ["b"]], [["b"], ["a"]]],
            True,
            id="exported otherwise",
        ),
        pytest.param(
            [unknown("a", selector=MINE), unknown("b", selector=OTHERS)],
            [[["a"], ["b"]], [["b"], ["a"]]],
            True,
            id="of other pods",
        ),
        pytest.param(
            [unknown("b", selector=MINE), unknown("a")], [[["b"], ["a"]]], True, id="a selector goes before its age"
        ),
        pytest.param([unknown(name, policy=Policy(None, name, ())) for name in "abcd"], [], True, id="too many"),
    ],
)
def test_rules_whose_age_cannot_be_told(rules, variants, contested):
    found = index_of(*rules).own("shop", "a.test") or index_of(*rules).exported("shop", "a.test", "x")
    if variants is None:
        assert sorted(name for (only,) in found.variants for name in [tuple(names([only])[0])]) == sorted(
            permutations("abc")
        )
    elif not any(rule.export_to for rule in rules):
        assert sorted(map(names, found.variants)) == sorted(variants)
    assert found.contest.startswith("which DestinationRule of ") is contested
    assert bool(found.contest) is contested


@pytest.mark.parametrize(
    ("hosts", "host", "expected"),
    [
        pytest.param([], "a.test", None, id="none"),
        pytest.param(["a.test"], "a.test", "a.test", id="its name"),
        pytest.param(["b.test"], "a.test", None, id="another name"),
        pytest.param(["*.test", "a.test"], "a.test", "a.test", id="its name before a pattern"),
        pytest.param(["*.test", "*.b.test", "*"], "a.b.test", "*.b.test", id="the longest pattern"),
        pytest.param(["*.test", "*.c.test", "*"], "a.b.test", "*.test", id="the longest that matches"),
        pytest.param(["*"], "a.test", "*", id="everything"),
        pytest.param(["*.test"], "test", None, id="a pattern is longer than the name"),
        pytest.param(["*.test"], ".test", "*.test", id="a pattern as long as the name"),
        pytest.param(["*a.test"], "a.test", "*a.test", id="a pattern of the whole name"),
        pytest.param(["*.test"], "*.test", "*.test", id="a pattern for the same pattern"),
        pytest.param(
            ["*xx.test.", "*.test.", "*."], "a.test.", "*.test.", id="beside one that is longer than the name"
        ),
        pytest.param(["*.test", "*"], "*.b.test", "*.test", id="a pattern for a pattern"),
        pytest.param(["*.b.test"], "*.test", None, id="no pattern for a wider one"),
        pytest.param(["a.test"], "*.test", None, id="no name for a pattern"),
        pytest.param(["*.test"], "a.other", None, id="another pattern"),
    ],
)
def test_which_host_of_a_namespace_is_the_most_specific(hosts, host, expected):
    index = index_of(*(of(f"r{place}", host=name) for place, name in enumerate(hosts)))
    found = index.own("shop", host)
    assert (found and names(found.variants[0])) == (expected and [[f"r{hosts.index(expected)}"]])
    assert index.local_namespaces(host) == ({"shop"} if expected else set())


def test_all_namespaces_with_a_rule_for_a_host_are_named():
    index = index_of(
        of("a", namespace="one"),
        of("a", namespace="two", host="*.test"),
        of("a", namespace="three", host="*"),
        of("a", namespace="four", host="b.test"),
        of("a", ["x"], namespace="five"),
    )
    assert index.local_namespaces("a.test") == {"one", "two", "three"}
    assert index.local_namespaces("*.test") == {"two", "three"}


def test_namespaces_that_rules_are_exported_to():
    index = index_of(
        of("a", ["cafe", "."]),
        of("b", ["*", "zoo"]),
        of("c", ["bar"], namespace="root"),
        of("d", ["no"], namespace="x"),
    )
    assert index.named_namespaces("a.test", "shop") == {"cafe", "zoo", "bar"}
    assert index.named_namespaces("a.test", "x") == {"no", "bar"}
    assert index.named_namespaces("b.test", "shop") == set()


@pytest.mark.parametrize(
    ("rule_", "default", "own", "exported", "private_of_root"),
    [
        pytest.param(of("a"), ("*",), True, True, False, id="everybody by default"),
        pytest.param(of("a"), (".",), True, False, True, id="private by default"),
        pytest.param(of("a", ["."]), ("*",), True, False, True, id="private"),
        pytest.param(of("a", ["*"]), (".",), True, True, False, id="everybody"),
        pytest.param(of("a", ["cafe"]), ("*",), False, True, False, id="others"),
        pytest.param(of("a", ["cafe", "."]), ("*",), True, True, False, id="others and its own"),
        pytest.param(of("a", selector=MINE), ("*",), True, False, True, id="some pods"),
    ],
)
def test_where_a_rule_counts(rule_, default, own, exported, private_of_root):
    shop, root = index_of(rule_, default=default), index_of(rule_._replace(namespace="root"), default=default)
    assert bool(shop.own("shop", "a.test")) is own
    assert bool(shop.exported("shop", "a.test", "cafe").variants[0]) is exported
    assert bool(root.own("root", "a.test")) is private_of_root
    assert shop.own("cafe", "a.test") is None
    named = index_of(rule_._replace(export_to=("shop",)))
    assert named.own("shop", "a.test")
    assert not named.exported("shop", "a.test", "cafe").variants[0]


def test_selectors_are_known_once_for_each_namespace():
    index = index_of(
        of("a", selector=MINE),
        of("b", selector=MINE, host="b.test"),
        of("c", selector=OTHERS),
        of("d"),
        of("e", selector=MINE, namespace="zoo"),
    )
    assert index.selective == {"shop": [MINE, OTHERS], "zoo": [MINE]}

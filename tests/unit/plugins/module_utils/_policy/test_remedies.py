# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every remedy that is a change of an object does in random meshes what it promises: it betters, and breaks nothing.

What a remedy says is read here as an engineer would: by its words. What has other words than these is no change of one
object (restart a workload, enrol a namespace, give a right), or none that can be made without knowing more.
"""

from __future__ import annotations

import copy
import json
import os
import random
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.judge import judge
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement.violations import REMEDIES
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.meshes import (
    answers,
    meshes,
    ports,
)

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**9))
MESHES = int(os.environ.get("PROPERTY_MESHES") or 25)

Manifest = dict[str, Any]
Mesh = list[Manifest]
Steps = list[Manifest]
Answers = dict[tuple[Any, ...], tuple[str, str]]
REMOVE = "remove its tls settings that send plaintext: "


def applied(manifest: Manifest) -> Manifest:
    return {"op": "apply", "manifest": manifest}


def sends_plaintext(tls: Manifest, rule: Manifest) -> bool:
    """Also by a Secret: a sidecar reads one for a rule with a selector alone."""
    secret = "workloadSelector" not in rule["spec"] and not tls.get("credentialName", "configmap:").startswith("config")
    return tls.get("mode", "DISABLE") == "DISABLE" or (tls["mode"] in ("SIMPLE", "MUTUAL") and secret)


def sends_mutual(tls: Manifest, rule: Manifest) -> bool:
    return tls.get("mode") == "ISTIO_MUTUAL"


def without(rule: Manifest, gone: Callable[[Manifest, Manifest], bool]) -> Steps:
    """A DestinationRule without such a tls, and without what is empty then: Istio refuses that."""
    parts = [part for part in (rule["spec"], *rule["spec"].get("subsets", ())) if part.get("trafficPolicy") is not None]
    for part in parts:
        policy = part["trafficPolicy"]
        for place in (policy, *policy.get("portLevelSettings", ())):
            if place.get("tls") is not None and gone(place["tls"], rule):
                del place["tls"]
        if not policy:
            del part["trafficPolicy"]
    return [applied(rule)]


def named(manifests: Mesh, kind: str, name: str) -> Manifest:
    """A copy of the object `kind namespace/name`."""
    (found,) = [
        item
        for item in manifests
        if item["kind"] == kind and f"{item['metadata'].get('namespace')}/{item['metadata']['name']}" == name
    ]
    return copy.deepcopy(found)


def permissive(manifests: Mesh, message: str) -> Steps:
    """The policy that a message names in brackets, with this mode."""
    policy = re.search(r"\(PeerAuthentication (\S+)\)", message)
    if policy is None:
        return []
    found = named(manifests, "PeerAuthentication", policy[1])
    found["spec"]["mtls"] = {"mode": "PERMISSIVE"}
    return [applied(found)]


def of_edge(manifests: Mesh, findings: list[Manifest], row: Manifest) -> Steps:
    """The change of the DestinationRule that the judge's row of an edge names, where nothing is to be mended before."""
    names = re.match(r"DestinationRule (\S+/\S+) ", row["reason"])
    if row["remedy"] != REMEDIES["its rule"] or names is None:
        return []
    fixes = [item["fix"] for item in findings if (item["id"], item["object"]) == ("MTLS-013", names[0].strip())]
    assert fixes, row
    if not fixes[0].startswith(REMOVE):
        return []
    return without(named(manifests, "DestinationRule", names[1]), sends_plaintext)


def of_finding(manifests: Mesh, finding: Manifest) -> Steps:
    """The change that a finding's words ask for; none where they ask for something else first."""
    kind, name = finding["object"].partition(" ")[::2]
    if finding["fix"].startswith(REMOVE):
        # Of rules that were merged each one's.
        return [step for one in name.split(" + ") for step in without(named(manifests, kind, one), sends_plaintext)]
    if finding["fix"].startswith("remove its tls setting, or"):
        return [step for one in name.split(" + ") for step in without(named(manifests, kind, one), sends_mutual)]
    if finding["fix"] == "set PERMISSIVE, then STRICT":
        return permissive(manifests, finding["message"])
    if finding["fix"].endswith(("or delete it", "keep one PeerAuthentication for each scope", "merge them into one")):
        return [{"op": "delete", "manifest": named(manifests, kind, name)}]
    return []


def of_server(manifests: Mesh, row: Manifest) -> Steps:
    """The change of the policy that the judge's row of a port names."""
    if not row["remedy"].startswith("set STRICT") or not row["policy"] or " or " in row["policy"]:
        return []
    policy = named(manifests, "PeerAuthentication", row["policy"])
    ports = policy["spec"].get("portLevelMtls", {})
    if "remove it from portLevelMtls" in row["remedy"]:
        del ports[str(row["port"])]
        if not ports:
            del policy["spec"]["portLevelMtls"]
    elif str(row["port"]) in ports:
        ports[str(row["port"])] = {"mode": "STRICT"}
    else:
        policy["spec"]["mtls"] = {"mode": "STRICT"}
    return [applied(policy)]


def meshed(result: Manifest) -> set[str]:
    return {row["id"] for row in result["workloads"] if row["mesh"] in ("sidecar", "ambient", "gateway")}


def nobody(result: Manifest) -> set[tuple[Any, ...]]:
    """Who reaches nobody. Of several routes the worst is told, so that one better can show that another ends there."""
    return set(answers({**result, "edges": [row for row in result["edges"] if row["state"] == "no_endpoint"]}))


def worse(result: Manifest, before: Answers, after: Answers, futile: set[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Connections of clients in the mesh that worked and no longer do, or were encrypted and no longer are."""
    inside, found = meshed(result), []
    for key, was in before.items():
        if key in futile:
            continue
        is_now = after.get(key, was)[1]
        lost = was[1] in ("mtls", "tls") and is_now not in ("mtls", "tls", "unknown")
        if key[0] in inside and (lost or (was[1] == "plaintext" and is_now == "broken")):
            found.append((key, was, after[key]))
    return found


class After(NamedTuple):
    """A mesh after some steps."""

    findings: set[tuple[str, str]]
    ports: dict[tuple[str, int], str]
    answers: Answers
    worse: list[tuple[Any, ...]]


class Judged:
    """A random mesh, what the engine says of it, and what it would say after some steps, which many remedies share."""

    def __init__(self, name: str, manifests: Mesh) -> None:
        self.name = name
        self.manifests = manifests
        self.result = evaluate(manifests)
        self.answers: Answers = answers(self.result)
        self._after: dict[str, After] = {}

    def after(self, steps: Steps) -> After:
        key = json.dumps(steps, sort_keys=True)
        if key not in self._after:
            result = evaluate(self.manifests, proposed=steps)
            findings, now = {(row["id"], row["object"]) for row in result["findings"]}, answers(result)
            self._after[key] = After(
                findings, ports(result), now, worse(self.result, self.answers, now, nobody(result))
            )
        return self._after[key]

    def judged(self, table: str) -> list[Manifest]:
        """The judge's rows."""
        found: list[Manifest] = judge(json.loads(json.dumps(self.result)))[table]
        return found


def judged_meshes() -> Iterator[Judged]:
    for name, dummy, manifests in meshes(SEED, MESHES):
        yield Judged(name, manifests)


def test_the_remedy_of_a_finding_betters_and_breaks_nothing():
    """A rule's plaintext ends with the setting; what has no effect can go without any."""
    for one in judged_meshes():
        for finding in one.result["findings"]:
            steps = of_finding(one.manifests, finding)
            if not steps:
                continue
            after = one.after(steps)
            assert (finding["id"], finding["object"]) not in after.findings, (one.name, finding)
            assert after.worse == [], (one.name, finding)
            if steps[0]["op"] == "delete":
                now = after.answers
                differing = {key for key, was in one.answers.items() if was != now[key] and was[1] != "unknown"}
                assert differing == set(), (one.name, finding)


def test_the_remedy_of_a_port_closes_it_and_breaks_nothing():
    """That its clients send mutual TLS is the remedy's own condition."""
    for one in judged_meshes():
        for row in one.judged("servers"):
            steps = of_server(one.manifests, row)
            if not steps:
                continue
            after = one.after(steps)
            # What ztunnel does with some combinations nobody knows (see the engine's rules for ambient).
            closed = ("refused", "unknown") if row["mesh"] == "ambient" else ("refused",)
            # A port that nothing but the policy names has no row without it.
            assert after.ports.get((row["id"], row["port"]), "refused") in closed, (one.name, row)
            # Who sends something else has a remedy of its own, which goes before.
            assert [item for item in after.worse if item[1][0] in ("mtls", "hbone")] == [], (one.name, row)


def test_the_remedy_of_an_edge_betters_it_and_breaks_nothing():
    """A rule that alone sends plaintext: without that setting its clients send mutual TLS."""
    for one in judged_meshes():
        for row in one.judged("edges"):
            steps = of_edge(one.manifests, one.result["findings"], row)
            if not steps:
                continue
            after = one.after(steps)
            place = (row["service"], row["host"], row["port"], row["subset"], row["endpoint"])
            clients = one.result["client_sets"][row["client_set"]]
            assert {after.answers[client, *place][1] for client in clients} <= {"mtls", "tls"}, (one.name, row)
            assert after.worse == [], (one.name, row)

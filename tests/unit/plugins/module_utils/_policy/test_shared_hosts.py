# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host in many namespaces: every client meets its own, and a namespace more costs no more than itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.outcomes import Outcomes
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    edges,
    egress,
    istio,
    judge,
    mesh_config,
    pod,
    rule,
    stamp,
    tls,
)

HOST = "api.example"
NAMES = ("n1", "n2", "n3")
CLIENTS = [mesh_config(), *(pod(f"{name}/c") for name in (*NAMES, "cafe"))]


def entry(where: str, age: int, port: int = 443, **spec: Any) -> dict[str, Any]:
    """A ServiceEntry of the host, outside of the mesh."""
    ports = [{"number": port, "name": "tls", "protocol": "TLS"}]
    found = istio("ServiceEntry", where, {"hosts": [HOST], "ports": ports, "resolution": "DNS", **spec})
    found["metadata"].update(stamp(age))
    return found


def met(*objects: Any) -> dict[str, set[str]]:
    """Whose entry, at which port, the clients of each namespace meet: `n1/e:443`, or `n1/e:443 hidden`."""
    result = judge(CLIENTS, objects)
    return {
        name: {
            f"{row['service']}:{row['port']}{'' if HOST + ' is outside' in row['reason'] else ' hidden'}"
            for row in edges(result, f"{name}/c")
            if row["host"] == HOST
        }
        for name in (*NAMES, "cafe")
    }


EACH = [entry(f"{name}/e", age) for age, name in enumerate(NAMES, 1)]


@pytest.mark.parametrize(
    ("title", "objects", "expected"),
    [
        ("its own, the oldest where there is none", EACH,
         {"n1": {"n1/e:443"}, "n2": {"n2/e:443"}, "n3": {"n3/e:443"}, "cafe": {"n1/e:443"}}),
        ("at other ports: what is not one's own is not known",
         [entry("n1/e", 1, 443), entry("n2/e", 2, 444)],
         {"n1": {"n1/e:443", "n2/e:444 hidden"}, "n2": {"n2/e:444", "n1/e:443 hidden"},
          "n3": {"n1/e:443", "n2/e:444 hidden"}, "cafe": {"n1/e:443", "n2/e:444 hidden"}}),
        ("exported to nobody else",
         [entry("n1/e", 1, exportTo=["."]), entry("n2/e", 2)],
         {"n1": {"n1/e:443"}, "n2": {"n2/e:443"}, "n3": {"n2/e:443"}, "cafe": {"n2/e:443"}}),
        ("exported by name: before what is everybody's",
         [entry("n1/e", 1), entry("n2/e", 2, exportTo=["cafe"])],
         {"n1": {"n1/e:443"}, "n2": {"n1/e:443"}, "n3": {"n1/e:443"}, "cafe": {"n2/e:443"}}),
        ("by a Sidecar that imports one namespace",
         [*EACH, egress("cafe/s", "n3/*"), egress("n2/s", "n1/*", "n3/*")],
         {"n1": {"n1/e:443"}, "n2": {"n1/e:443"}, "n3": {"n3/e:443"}, "cafe": {"n3/e:443"}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_whom_each_namespace_meets(title, objects, expected):
    assert met(*objects) == expected, title
    assert met(*objects[::-1]) == expected, title


def test_a_rule_of_a_namespace_is_for_what_its_clients_meet():
    result = judge(CLIENTS, EACH, rule("n2/r", HOST, tls("SIMPLE")))
    sent = {name: {row["client_tls"] for row in edges(result, f"{name}/c")} for name in (*NAMES, "cafe")}
    assert sent == {"n1": {"plaintext"}, "n2": {"simple"}, "n3": {"plaintext"}, "cafe": {"plaintext"}}


def test_an_envoy_filter_is_doubt_about_its_own_namespace():
    patch = {
        "applyTo": "CLUSTER",
        "match": {"context": "SIDECAR_OUTBOUND", "cluster": {"service": HOST}},
        "patch": {"operation": "MERGE", "value": {"transport_socket": {"name": "other"}}},
    }
    result = judge(CLIENTS, EACH, istio("EnvoyFilter", "n2/f", {"configPatches": [patch]}))
    sent = {name: {row["client_tls"] for row in edges(result, f"{name}/c")} for name in (*NAMES, "cafe")}
    assert sent == {"n1": {"plaintext"}, "n2": {"unknown"}, "n3": {"plaintext"}, "cafe": {"plaintext"}}


def test_ones_own_is_met_whatever_the_age_of_others():
    undated = [entry(f"{name}/e", 0) for name in NAMES]
    for manifest in undated:
        del manifest["metadata"]["creationTimestamp"]
    found = met(*undated)
    assert {name: found[name] for name in NAMES} == {name: {f"{name}/e:443"} for name in NAMES}


def _looked_at(monkeypatch, number: int) -> int:
    """How often a client's answer to a destination is worked out."""
    calls = []
    outcome = Outcomes._outcome
    monkeypatch.setattr(Outcomes, "_outcome", lambda *given: calls.append(None) or outcome(*given))
    names = [f"n{place}" for place in range(number)]
    judge(mesh_config(), [pod(f"{name}/c") for name in names], [entry(f"{name}/e", 1) for name in names])
    monkeypatch.undo()
    return len(calls)


def test_twice_the_namespaces_take_twice_the_work(monkeypatch):
    few, many = _looked_at(monkeypatch, 20), _looked_at(monkeypatch, 40)
    assert few >= 20
    assert many <= 2 * few + 2


SOMETHING_OF_ITS_OWN = {
    "nothing": [],
    "a Sidecar": [egress("cafe/s", "*/*")],
    "a rule of its namespace": [rule("cafe/r", HOST)],
}


@pytest.mark.parametrize("more", SOMETHING_OF_ITS_OWN.values(), ids=SOMETHING_OF_ITS_OWN)
def test_of_those_without_a_time_any_may_be_met_whatever_tells_a_client_from_others(more):
    inside = {"location": "MESH_INTERNAL", "resolution": "STATIC", "endpoints": [{"address": "192.0.2.1"}]}
    undated = [entry("n1/e", 0, **inside), entry("n2/e", 0)]
    for manifest in undated:
        del manifest["metadata"]["creationTimestamp"]
    rows = [row for row in edges(judge(CLIENTS, undated, more), "cafe/c") if row["host"] == HOST]
    assert {(row["service"], row["verdict"]) for row in rows} == {("n1/e", "unknown"), ("n2/e", "unknown")}

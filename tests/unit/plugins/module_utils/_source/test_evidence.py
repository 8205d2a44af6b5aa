# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies that have not got the latest policies yet: who is asked again, and for how long."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._source import evidence
from ansible_collections.meshproof.mtls.plugins.module_utils._source.options import (
    ProbeOptions,
    ProxyOptions,
    TrafficOptions,
)
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._evidence.comparison.build import (
    CLIENT,
    SERVER,
    proxy,
    workload,
)

RESULT = {
    "workloads": [{**workload(name), "revision": "default"} for name in (SERVER, CLIENT)],
    "edges": [],
    "client_sets": {},
    "unknown": [],
}
OPTIONS = ProxyOptions(side_by_side=1, timeout=1, max_bytes=1024)
ASKING = evidence.Asking(
    [],
    [],
    OPTIONS,
    ProbeOptions(),
    TrafficOptions(),
    lambda: None,
    check_mode=False,
    warn=print,
    hide=print,
    addresses={},
)
BEFORE, AFTER = proxy(accepts="permissive"), proxy()


class Cluster:
    """Proxies that answer one after the other what they are told, and a clock that only sleeping moves."""

    def __init__(self, monkeypatch, *answers):
        self.answers = list(answers)
        self.asked = []
        self.now = 0.0
        monkeypatch.setattr(evidence.proxies, "read", self.read)
        monkeypatch.setattr(evidence.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(evidence.time, "sleep", self.sleep)

    def read(self, cluster, targets, upstreams, limits):
        self.asked.append([target.place for target in targets])
        server = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [item for item in (server, proxy(CLIENT)) if item.pod in self.asked[-1]]

    def sleep(self, seconds):
        self.now += seconds

    def gathered(self, settle):
        asking = ASKING._replace(sources=["declared", "programmed"], proxies=OPTIONS._replace(settle=settle))
        return evidence.gather(RESULT, asking)


BOTH, SERVER_ALONE = ["shop/a-1", "shop/c-1"], ["shop/a-1"]


@pytest.mark.parametrize(
    ("answers", "settle", "asked", "accepts"),
    [
        pytest.param([AFTER], 10, [BOTH], "strict", id="all agree at once"),
        pytest.param([BEFORE, BEFORE, AFTER], 10, [BOTH, SERVER_ALONE, SERVER_ALONE], "strict", id="a late one"),
        pytest.param([BEFORE], 2, [BOTH, SERVER_ALONE, SERVER_ALONE], "permissive", id="one that stays different"),
        pytest.param([BEFORE, AFTER], 0, [BOTH], "permissive", id="nobody is to wait"),
    ],
)
def test_only_who_contradicts_the_policies_is_asked_again(monkeypatch, answers, settle, asked, accepts):
    cluster = Cluster(monkeypatch, *answers)
    found = cluster.gathered(settle)
    assert cluster.asked == asked
    assert [item.ports[0].accepts for item in found.proxies if item.workload == SERVER] == [accepts]
    assert found.seen["programmed"]["state"] == "seen"


def test_one_that_is_gone_when_it_is_asked_again_is_unknown(monkeypatch):
    cluster = Cluster(monkeypatch, BEFORE, proxy(answered=False, reason="it is gone"))
    found = cluster.gathered(10)
    assert (len(cluster.asked), found.seen["programmed"]["state"]) == (2, "partly")


SOURCES = {"programmed": "_proxies", "observed": "_wire", "traffic": "_traffic"}


@pytest.mark.parametrize("failing", SOURCES)
@pytest.mark.parametrize("error", [KeyError("x"), RecursionError("deep"), MemoryError(), evidence.TrafficError("down")])
def test_what_one_source_did_not_foresee_takes_nothing_from_the_others(monkeypatch, failing, error):
    def fail(result, asking):
        raise error

    for source, name in SOURCES.items():
        monkeypatch.setattr(evidence, name, fail if source == failing else lambda result, asking: ([], "seen", ""))
    seen = evidence.gather(RESULT, ASKING._replace(sources=["declared", *SOURCES])).seen
    assert {source: seen[source]["state"] for source in SOURCES} == {
        source: "not seen" if source == failing else "seen" for source in SOURCES
    }
    assert seen[failing]["detail"]


def test_the_wire_is_asked_for_the_identities_that_the_policies_tell(monkeypatch):
    heard = []

    def probe(cluster, options, warn, hide, known):
        heard.append((known, options.target_namespaces, list(options.trust_domains)))
        return []

    monkeypatch.setattr(evidence.wire, "probe", probe)
    own, old = (f"spiffe://{domain}/ns/shop/sa/a" for domain in ("cluster.local", "old.example"))
    server = {**RESULT["workloads"][0], "identity": own, "identity_aliases": [old]}
    evidence.gather({**RESULT, "workloads": [server]}, ASKING._replace(sources=["observed"], namespaces=["shop"]))
    assert heard == [({"shop/a-1": (own, old)}, ["shop"], [])]

# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How answers become rows, part by part: the worse of two, what two have in common, nobody, what leaves the mesh."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import edges
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.client import Cluster, Sent
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.membership import Workload
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.patches import Patch
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    SIDECAR_SENDS,
    Capture,
    Shape,
    Touch,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.rows import (
    BY_ZTUNNEL,
    NO_ENDPOINT,
    WORST_FIRST,
    Answer,
    Edge,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.services import (
    Destination,
    DestinationPort,
    Endpoint,
)

GOOD, BROKEN, BAD = Answer("mtls", "mtls", "a"), Answer("mtls", "broken", "b"), Answer("plaintext", "plaintext", "c")
UNKNOWN = Answer("unknown", "unknown", "d")


@pytest.mark.parametrize("worse", range(len(WORST_FIRST)))
def test_of_two_answers_the_worse_one_counts_in_whichever_order(worse: int) -> None:
    one = Answer("mtls", WORST_FIRST[worse], "x")
    for better in WORST_FIRST[worse + 1 :]:
        other = Answer("mtls", better, "y")
        assert edges._worse(one, other) == edges._worse(other, one) == one


def test_what_is_alone_or_the_same_stays() -> None:
    assert edges._worse(None, GOOD) is GOOD
    assert edges._worse(GOOD, GOOD) is GOOD
    pair = GOOD._replace(reason="a"), GOOD._replace(reason="b")
    assert edges._worse(*pair) == edges._worse(*reversed(pair)) == pair[0]


@pytest.mark.parametrize(
    ("others", "uncaptured", "verdict", "reason"),
    [
        pytest.param(None, BAD, "plaintext", "c", id="there are no others"),
        pytest.param(GOOD, BAD, "plaintext",
                     "c; this is true of these containers alone, what the others send is mtls", id="theirs is worse"),
        pytest.param(UNKNOWN, BAD, "unknown", "d", id="the others' is worse"),
        pytest.param(BAD._replace(reason="e"), BAD, "plaintext", "c", id="both are as bad"),
        pytest.param(BROKEN, GOOD, "broken", "b", id="theirs is better"),
    ],
)  # fmt: skip
def test_of_two_kinds_of_containers_the_worse_answer_counts(
    others: Answer | None, uncaptured: Answer, verdict: str, reason: str
) -> None:
    found = edges._of_either(others, uncaptured)
    assert (found.verdict, found.reason) == (verdict, reason)


KEY, OTHER = (80, None, "a/Pod/b"), (81, None, "a/Pod/b")


@pytest.mark.parametrize(
    ("rows", "others", "expected"),
    [
        pytest.param([(KEY, GOOD)], [(KEY, GOOD)], {KEY: "mtls"}, id="the same"),
        pytest.param([(KEY, GOOD)], [(KEY, GOOD._replace(reason="z"))], {KEY: "mtls"}, id="for another reason"),
        pytest.param([(KEY, GOOD)], [(KEY, BAD)], {KEY: "unknown"}, id="another verdict"),
        pytest.param([(KEY, BROKEN)], [(KEY, BROKEN._replace(tls="simple"))], {KEY: "unknown"},
                     id="something else is sent"),
        pytest.param([(KEY, GOOD), (OTHER, GOOD)], [(KEY, GOOD)], {KEY: "mtls", OTHER: "unknown"}, id="one has it"),
        pytest.param([], [(KEY, GOOD)], {KEY: "unknown"}, id="the other has it"),
        pytest.param([(KEY, UNKNOWN)], [(KEY, UNKNOWN)], {KEY: "unknown"}, id="nobody knows anyway"),
    ],
)  # fmt: skip
def test_what_two_possible_orders_of_rules_have_in_common(rows: Any, others: Any, expected: Any) -> None:
    found = edges._agreed(rows, others, "which rule counts")
    assert {key: answer.verdict for key, answer in found} == expected
    told = {answer.reason for _key, answer in found if answer.verdict == "unknown"}
    assert told <= {"which rule counts", "d"}


SHAPE = Shape("ambient", None, False, Capture((), None, ""), False, (), (), (), False, None, False, False)
AMBIENT = Workload("a/Pod/b", "a", "Pod", "b", ("b",), {}, SHAPE, False, "x", "")
POD = Endpoint("a/Pod/b", AMBIENT, 8080, "disabled", "a", {})
PORT = DestinationPort(80, "http", "http", (POD,), (POD,))
TO = Destination("a/b", "a", "b.a", "", True, False, False, "STATIC", (PORT,), (), (), "")
SENT = Sent("mtls", "auto-mTLS", "server")


@pytest.mark.parametrize(
    ("port", "subset", "reason"),
    [
        (PORT._replace(endpoints=()), None, "a/b has no endpoint for port 80; auto-mTLS"),
        (PORT._replace(endpoints=()), "v1", "a/b has no endpoint for port 80; auto-mTLS"),
        (PORT, "v1", "subset v1 of a/b has no endpoint for port 80, other pods of it have; auto-mTLS"),
    ],
    ids=["nobody is there", "nobody, whatever the subset", "nobody of the subset"],
)
def test_what_is_sent_meets_nobody(port: DestinationPort, subset: str | None, reason: str) -> None:
    assert edges._nobody(TO, port, SENT, subset) == Answer("mtls", NO_ENDPOINT, reason, "server")


def test_a_row_of_the_result() -> None:
    assert edges._edge(TO, KEY, GOOD, 5) == Edge("a/b", "b.a", *KEY, "mtls", "mtls", "a", 5)
    nobody = edges._edge(TO, (80, "v1", None), GOOD._replace(verdict=NO_ENDPOINT, part="server"), 5)
    assert (nobody.verdict, nobody.state, nobody.subset, nobody.part) == ("broken", NO_ENDPOINT, "v1", "server")


@pytest.mark.parametrize(
    ("touch", "key", "touched"),
    [
        (Touch(SIDECAR_SENDS), KEY, True),
        (Touch(SIDECAR_SENDS, "b.a", 80), KEY, True),
        (Touch(SIDECAR_SENDS, "b.a", 81), KEY, False),
        (Touch(SIDECAR_SENDS, "b.a", 0, ""), KEY, True),
        (Touch(SIDECAR_SENDS, "b.a", 0, "v1"), KEY, False),
        (Touch(SIDECAR_SENDS, "b.a", 0, "v1"), (80, "v1", None), True),
        (Touch(SIDECAR_SENDS, "b.a", 80, "v1"), (81, "v1", None), False),
    ],
    ids=["everything", "its port", "another port", "what has no subset", "a subset", "its subset", "not at this port"],
)
def test_which_rows_an_envoy_filter_can_change(touch: Touch, key: Any, touched: bool) -> None:
    harmless = Patch("a/first", Touch(SIDECAR_SENDS, "b.a", 9999))
    found = edges._patched((harmless, Patch("a/f", touch)), key)
    assert (found is not None and found.reason.startswith("EnvoyFilter a/f changes")) is touched


ROW = Edge("a/b", "b.a", 80, None, None, "plaintext", "plaintext", "why", 1)


@pytest.mark.parametrize(
    ("own_tls", "verdict", "expected"),
    [(True, "plaintext", "tls"), (False, "plaintext", "plaintext"), (True, "mtls", "mtls"), (True, "broken", "broken")],
)
def test_what_leaves_the_mesh(own_tls: bool, verdict: str, expected: str) -> None:
    found = edges._leaving(ROW._replace(verdict=verdict), own_tls)
    assert (found.verdict, found.scope) == (expected, "egress")
    assert ("declared HTTPS or TLS" in found.reason) is (expected == "tls" != verdict)


@pytest.mark.parametrize(
    ("cluster", "sends"),
    [
        ("ISTIO_MUTUAL", "mtls"),
        ("SIMPLE", "simple"),
        ("MUTUAL", "mutual"),
        ("auto", "mtls"),
        ("plaintext", "plaintext"),
    ],
)
def test_what_would_be_sent_were_somebody_there(cluster: str, sends: str) -> None:
    found = edges._to_nobody(Cluster(cluster, "a rule" if cluster != "auto" else "", False, None))
    assert (found.tls, found.why) == (sends, "a rule" if cluster != "auto" else "auto-mTLS sends Istio mTLS")


@pytest.mark.parametrize(
    ("endpoint", "sends"),
    [
        (POD, "hbone"),
        (POD._replace(workload=AMBIENT._replace(shape=SHAPE._replace(ambient_bypass=True))), "plaintext"),
        (POD._replace(workload=AMBIENT._replace(shape=SHAPE._replace(mesh="sidecar"))), "plaintext"),
        (POD._replace(workload=None), "plaintext"),
        (POD._replace(workload=None, labels={"networking.istio.io/tunnel": "http"}), "hbone"),
        (POD._replace(workload=None, labels={"networking.istio.io/tunnel": "none"}), "plaintext"),
        (None, "plaintext"),
    ],
    ids=["ztunnel", "a port that it does not take", "a sidecar", "an address", "a sidecar that takes it",
         "one that does not", "nobody"],
)  # fmt: skip
def test_what_ztunnel_sends(endpoint: Endpoint | None, sends: str) -> None:
    found = edges._from_ambient(endpoint)
    assert (found.tls, found.part) == (sends, "" if sends == "hbone" else BY_ZTUNNEL)

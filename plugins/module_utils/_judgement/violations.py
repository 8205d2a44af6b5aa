# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a judgement is made of: kinds of violation with their remedies, and rows of its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

# The kinds of violation, worst first. The limits and the counts carry the same names.
DISAGREEMENT = "disagreement"
UNCAPTURED = "uncaptured"
PLAINTEXT = "plaintext"
BROKEN = "broken"
UNKNOWN = "unknown"
RULE = "rule"
FINDING = "finding"
KINDS = (DISAGREEMENT, UNCAPTURED, PLAINTEXT, BROKEN, UNKNOWN, RULE, FINDING)
ON_REQUEST = (FINDING,)
"""Those of which any number is accepted where no limit is given."""

# What leaves the mesh in plaintext is counted, and is a violation only where a limit is set.
EGRESS = "egress_plaintext"

# What a row of the tables says, worst first.
FAIL, WARNING, UNPROVEN, EXCLUDED, OK = RESULTS = ("FAIL", "warning", "unproven", "excluded", "ok")

NOBODY_THERE = "no endpoint"
"""What becomes of a connection to a port behind which nothing is: no fault of mutual TLS, and no proof of it."""

IN_MESH = ("sidecar", "ambient", "gateway")

# Kinds without which servers, or ports of theirs, are not known at all.
SERVERS_KINDS = ("Pod", "Deployment", "Service")

REMEDIES = {
    DISAGREEMENT: "look for what bypasses the proxy: a failed CNI or init container, an EnvoyFilter, a host network",
    UNCAPTURED: "remove what takes the port out of the proxy (traffic.sidecar.istio.io annotations, interception mode)",
    "exception": "set STRICT for the port: remove it from portLevelMtls of PeerAuthentication {policy} after its "
    "clients in the mesh send mutual TLS; or exclude it with a reason",
    "disabled": "let the server take mutual TLS: set STRICT for it with the role istio_mtls, by way of PERMISSIVE; "
    "where finding MTLS-007 says what to mend before, mend that first",
    "mixed": "enrol the endpoint that the reason names with the role istio_namespaces: it decides for all of them",
    "no proxy": "enrol it with the role istio_namespaces, which also restarts it",
    PLAINTEXT: "set STRICT for it with the role istio_mtls, after its clients in the mesh send mutual TLS, or exclude "
    "it with a reason",
    "sender": "let the client's DestinationRule use ISTIO_MUTUAL for hosts whose endpoints all have proxies that take "
    "it; where finding MTLS-013 says what keeps mutual TLS from the host, mend that first",
    "its rule": "remove the tls by which the DestinationRule that the reason names sends plaintext, so that auto-mTLS "
    "decides; where finding MTLS-013 says what to mend before, mend that first",
    "client": "let the client's proxy take the connection, by changing what the reason names; STRICT would break it",
    "hbone": "bring client and server into the same kind of mesh, or let the sidecar take HBONE "
    "(ISTIO_META_ENABLE_HBONE in defaultConfig.proxyMetadata of the mesh configuration)",
    "address": "give the endpoint a proxy; or, if it speaks TLS of its own, say so in a DestinationRule (SIMPLE or "
    "MUTUAL)",
    "external": "if the host speaks TLS, send it by a DestinationRule (SIMPLE or MUTUAL) or by the application itself",
    "beside a gateway": "let nothing but the proxy listen in a gateway's pod, or exclude it with a reason",
    "gateway": "serve it with TLS (protocol HTTPS and tls in the Gateway), or accept gateways' plaintext "
    "(istio_verify_gateway_tls: false), or exclude it with a reason",
    "lacks proxy": "restart the client, so that it gets the proxy that its labels ask for (role istio_namespaces); "
    "where finding MTLS-002 says that no webhook listens to the label, install that revision first",
    BROKEN: "change the object that the reason names, so that client and server agree",
    UNKNOWN: "give the account the right to read what is listed as unread (of a dump: dump it, too), or bring the "
    "missing evidence",
    "scope": "name the namespaces to judge in istio_verify_namespaces, or enrol some with the role istio_namespaces",
    "namespaces": "dump the Namespaces, too, or name those to judge in istio_verify_namespaces",
    "file": "verify the cluster itself (without istio_verify_snapshot), or require what a file can tell "
    "(istio_verify_require: declared)",
    "observed": "give the account the ClusterRole meshproof-prober (docs/rights.md), and an image that the cluster can "
    "pull (istio_verify_probe_image)",
    "programmed": "give the account the ClusterRole meshproof-inspector (docs/rights.md), or see why the proxies do "
    "not answer",
    "port": "give it a Service, so that the probe can find it, or exclude it with a reason",
    "undeclared": "look at the object that makes it unknown to the policies, such as an EnvoyFilter",
    "ambient": "require another source (istio_verify_require), or exclude it with a reason",
    "traffic": "look for what bypasses the proxy; where the policies are younger than it shorten istio_verify_window",
    EGRESS: "originate TLS with a DestinationRule (tls.mode SIMPLE), or let the application send its own and declare "
    "the port HTTPS or TLS",
    RULE: "change what the rule names, or the rule (istio_verify_rules)",
    "wire": "run it again; if it stays, look at the probe's own reason and at network policies",
}

Row = dict[str, Any]


def everybody(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """All that is known of who takes part, by id: the workloads, and of a narrowed result the clients beside them."""
    return {item["id"]: item for item in (*status.get("clients", ()), *status["workloads"])}


def is_outside(workload: Mapping[str, Any] | None) -> bool:
    """Whether a client is surely no part of the mesh, and not meant to be one.

    Who is not listed, or cannot be judged, may be one; who lacks the proxy that its labels ask for is meant to be.
    """
    return (
        workload is not None
        and workload["mesh"] not in IN_MESH
        and workload.get("mode") != "unknown"
        and not workload.get("lacks_proxy")
    )


Place = tuple[str, int]
"""A workload's id and a port of it."""


def row_of(kind: str | None, reason: str, remedy: str, excluded: bool, **shown: Any) -> Row:
    """One row of a table. `kind` is the violation that it would be, were it not excluded, or None."""
    result = EXCLUDED if excluded else FAIL if kind else OK
    return {"result": result, "kind": kind, "reason": reason, "remedy": remedy, **shown}


def looked_at(cause: str) -> str:
    """The remedy that a likely cause leads to."""
    return f"look at the likely cause: {cause}"


def violation_of(row: Row) -> dict[str, str]:
    """The violation that a row is."""
    return {key: row[key] for key in ("kind", "object", "reason", "remedy")}


def worst_first(row: Row) -> tuple[int, int, str]:
    """The key that sorts rows."""
    kind = KINDS.index(row["kind"]) if row["kind"] else len(KINDS)
    return (RESULTS.index(row["result"]), kind, row["object"])


def shortened(names: Sequence[str], most: int = 3) -> str:
    """A few names, then how many more."""
    return shortened_of(names, len(names), most)


def shortened_of(names: Iterable[str], number: int, most: int = 3) -> str:
    """The same of so many names, of which no more are taken than are shown."""
    return ", ".join(islice(names, most)) + (f" +{number - most}" if number > most else "") if number else "nobody"

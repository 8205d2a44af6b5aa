# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit's file looks like: a JSON Schema, and a check of a document against it.

The check knows the few words of JSON Schema that this schema uses, so that a target needs no library for it; a test
compares it with the real one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._foreign.visible import visible
from .document import FORMAT

Schema = dict[str, Any]

ACCEPTS: list[Any] = ["strict", "permissive", "plaintext", "unknown"]
VERDICTS: list[Any] = ["mtls", "tls", "plaintext", "broken", "unknown"]
AGREEMENTS: list[Any] = ["proven", "contradicted", "unproven"]
SEEN: list[Any] = ["seen", "partly", "not seen", "not asked"]


def _text(description: str = "", **more: Any) -> Schema:
    return {"type": "string", **({"description": description} if description else {}), **more}


def _maybe(kind: str, description: str = "") -> Schema:
    return {"type": [kind, "null"], **({"description": description} if description else {})}


def _one_of(words: list[Any], description: str) -> Schema:
    return {"enum": words, "description": description}


def _object(description: str = "", required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    found: Schema = {"type": "object", "properties": properties}
    if required:
        found["required"] = list(required)
    return {**({"description": description} if description else {}), **found}


def _list(items: Schema, description: str = "") -> Schema:
    return {"type": "array", "items": items, **({"description": description} if description else {})}


_NAMES = _list({"type": "string"})
_COUNTS: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}
_SOURCES_OF_PORT = {
    source: _one_of([*ACCEPTS, None], f"What the source {source} says; null if not asked.")
    for source in ("declared", "programmed", "observed")
}

_WORKLOAD = _object(
    "A workload with what its ports accept.",
    ("id", "namespace", "kind", "name", "mesh", "ports"),
    id=_text("A name that is unique in the file."),
    namespace=_text(),
    kind=_text("The kind of its top owner."),
    name=_text("The name of its top owner."),
    pods=_NAMES,
    predicted={"type": "boolean", "description": "true for a workload without pods, judged by its template."},
    lacks_proxy={"type": "boolean", "description": "true where labels ask for a proxy that its pods do not have."},
    revision=_maybe("string"),
    mesh=_text("sidecar, ambient, gateway or none."),
    mode=_maybe("string", "STRICT, PERMISSIVE, DISABLE, unknown, or null where no proxy enforces one."),
    policy=_maybe("string", "The PeerAuthentication that decides, as namespace/name."),
    identity=_maybe("string", "What its certificates must say; null where that cannot be told."),
    identity_aliases=_list({"type": "string"}, "The same identity in trust domains that count as the mesh's own."),
    ports=_list(
        _object(
            "",
            ("port",),
            port={"type": "integer"},
            mode=_maybe("string"),
            captured={"type": ["boolean", "null"], "description": "false where traffic bypasses the proxy."},
            plaintext=_text("accepted, refused or unknown, for any caller."),
            purpose=_text("Of gateways and waypoints only: gateway, health, metrics, hbone or workload."),
            policy=_maybe("string", "The PeerAuthentication that excepts it, where that is not the workload's."),
        )
    ),
)
_EDGE = _object(
    "A connection from a set of clients to a destination.",
    ("clients", "service", "port", "endpoint", "verdict", "reason"),
    clients=_text("The name of a set in client_sets."),
    service=_text("The Service or ServiceEntry, as namespace/name."),
    host=_text("The name that clients dial."),
    port={"type": "integer"},
    subset=_maybe("string"),
    endpoint=_maybe("string", "A workload's id, addr/<address>, or null where there is nothing behind the port."),
    client_tls=_text("mtls, plaintext, simple, mutual, hbone or none."),
    verdict=_one_of(VERDICTS, "What the policies make of it."),
    state=_text("normal, or no_endpoint where nothing is behind the port; the verdict is broken then."),
    reason=_text("Why, in a sentence that names the objects that decide."),
    part=_text(
        "Whose part it is that a client's proxy sends plaintext: server (its policy), endpoint (one without a sidecar, "
        "for all), ztunnel (to what takes no HBONE), external (a host outside the mesh, without a rule), rule (a "
        "DestinationRule's tls, without which it would be mutual TLS), or empty."
    ),
    scope=_text("inside, or egress for what leaves the mesh; without it inside."),
    programmed=_one_of([*VERDICTS, None], "What the proxies were given makes of it; null if not asked."),
    observed=_one_of([*VERDICTS, None], "What the wire and the telemetry say; null if not asked."),
    agreement=_one_of([*AGREEMENTS, None], "Whether the sources that were asked agree."),
    cause=_maybe("string", "The likely cause of a disagreement."),
)
_FINDING = _object(
    "",
    ("id", "severity", "object", "message", "fix"),
    id=_text("Stable: one is never given another meaning."),
    severity=_text("high, medium, low or info."),
    object=_text(),
    message=_text(),
    fix=_text(),
)
_GAP = _object(
    "What could not be read or judged.",
    ("kind", "reason"),
    kind=_text(),
    namespace=_maybe("string", "null for all."),
    name=_maybe("string"),
    reason=_text(),
    touches=_maybe("string", "Which answers depend on it."),
)
_PROXY = _object(
    "What a running proxy said of itself.",
    ("pod",),
    pod=_text("namespace/name"),
    workload=_maybe("string", "A workload's id."),
    revision=_maybe("string"),
    answered={"type": "boolean"},
    reason=_maybe("string", "Why it did not answer."),
    version=_maybe("string", "Istio's version."),
    envoy_version=_maybe("string"),
    istiod={"type": ["object", "null"]},
    configuration={"type": ["object", "null"]},
    certificates=_list({"type": "object"}),
    identity={"type": ["object", "null"], "description": "Which identity its certificates have, and must have."},
)
_TARGET = _object(
    "What the wire answered at a port.",
    ("port", "verdict"),
    kind=_text("service or pod."),
    service=_maybe("string", "namespace/name"),
    pod=_maybe("string", "namespace/name"),
    port={"type": "integer"},
    protocol=_maybe("string"),
    verdict=_one_of(ACCEPTS, "What it accepts."),
    reason=_maybe("string"),
    identity=_maybe("string", "That of the certificate that was shown."),
    identity_check=_maybe("string"),
    identities={
        "type": ["object", "null"],
        "description": "What became of the certificates that the probe showed.",
        "additionalProperties": _object("", (), result=_maybe("string"), detail=_maybe("string")),
    },
    outside=_object("What a caller without a mesh certificate met.", (), plaintext=_maybe("string")),
    inside=_object(
        "What a caller inside the mesh met.",
        (),
        request=_maybe("string"),
        mtls=_object("", (), result=_maybe("string")),
    ),
    endpoints=_list(
        _object(
            "",
            (),
            address=_maybe("string"),
            port={"type": ["integer", "null"]},
            pod=_maybe("string"),
            plaintext=_maybe("string"),
            tls=_maybe("string"),
            mtls=_maybe("string"),
            identity=_maybe("string"),
            identity_fits={"type": ["boolean", "null"]},
        )
    ),
)
_CALLS = _object(
    "Requests or connections that took one path.",
    ("source", "destination", "security", "requests"),
    source=_object("", (), workload=_maybe("string"), principal=_maybe("string")),
    destination=_object("", (), workload=_maybe("string"), service=_maybe("string"), principal=_maybe("string")),
    port={"type": ["integer", "null"]},
    protocol=_maybe("string"),
    exporter=_maybe("string", "The pod that says so, where it is none of the destination's."),
    requests={"type": "integer"},
    mutual_tls={"type": "integer"},
    security=_text("mutual_tls, plaintext, mixed or unknown."),
)
_CERTIFICATE_AUTHORITY = _object(
    "A root certificate.",
    ("fingerprint",),
    fingerprint=_text("SHA-256 of the certificate, in hex."),
    subject=_maybe("string"),
    not_before=_maybe("string"),
    not_after=_maybe("string"),
    key=_maybe("string"),
    seen_in={"type": ["integer", "null"], "description": "In how many proxies it was seen."},
    state=_maybe("string", "ok, expiring or expired."),
)
_LEAF = _object(
    "The certificate that a workload uses.",
    (),
    workload=_maybe("string", "A workload's id."),
    pod=_maybe("string"),
    identity=_maybe("string"),
    serial=_maybe("string"),
    not_before=_maybe("string"),
    not_after=_maybe("string"),
    issuer=_maybe("string"),
    root_fingerprint=_maybe("string"),
    key=_maybe("string"),
    state=_maybe("string"),
)

SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": FORMAT,
    **_object(
        "The file of the module meshproof.mtls.audit. Later releases may add fields.",
        ("format", "time", "sources", "mesh", "workloads", "client_sets", "edges", "findings", "unknown", "summary"),
        format={"const": FORMAT},
        time=_text("When this result was first found, in UTC."),
        sources=_list({"type": "string"}, "Which sources were asked: declared, programmed, observed, traffic."),
        seen={
            "type": "object",
            "description": "How much of each source was seen; without it only declared was asked.",
            "additionalProperties": _object(
                "", ("state",), state=_one_of(SEEN, "How much."), detail=_maybe("string", "A sentence about it.")
            ),
        },
        cluster=_object(
            "",
            (),
            server=_maybe("string"),
            kubernetes_version=_maybe("string"),
            istio_versions=_NAMES,
        ),
        snapshot=_object(
            "Which file was judged instead of a cluster.",
            (),
            path=_maybe("string"),
            format=_maybe("string", "snapshot or dump."),
            time=_maybe("string", "When it was taken, as 2026-01-31T12:00:00Z; empty for a dump, which does not say."),
            uid=_maybe("string", "Of the cluster, as far as it is known."),
            complete={"type": "boolean", "description": "Whether a dump was said to have all that there is."},
            missing=_list(
                _object("", ("kind", "command"), kind=_text(), command=_text("What dumps it.")),
                "The kinds that a dump lacks.",
            ),
        ),
        mesh=_object("", ("revisions",), revisions=_list({"type": "object"}, "The control planes.")),
        workloads=_list(_WORKLOAD),
        clients=_list(
            _object(
                "Of a result that was narrowed to some namespaces: a client that lives elsewhere.",
                ("id", "namespace", "name", "mesh"),
                id=_text(),
                namespace=_text(),
                name=_text(),
                mesh=_text("sidecar, ambient, gateway or none."),
            )
        ),
        client_sets={
            "type": "object",
            "description": "Clients that share every answer, by the name that edges use.",
            "additionalProperties": {
                "anyOf": [
                    {**_NAMES, "description": "Workload ids."},
                    _object("Every workload but these.", ("all_but",), all_but=_NAMES),
                ]
            },
        },
        edges=_list(_EDGE),
        ports=_list(
            _object(
                "A port of a workload as each source sees it.",
                ("workload", "port"),
                workload=_text("A workload's id."),
                port={"type": "integer"},
                **_SOURCES_OF_PORT,
                agreement=_one_of([*AGREEMENTS, None], "Whether the sources that were asked agree."),
                why=_maybe("string"),
                cause=_maybe("string", "The likely cause of a disagreement."),
            )
        ),
        proxies=_list(_PROXY),
        certificates=_object(
            "",
            (),
            authorities=_list(_CERTIFICATE_AUTHORITY),
            workloads=_list(_LEAF),
            trust_domains=_COUNTS,
        ),
        probe=_list(_TARGET, "What the wire answered: the targets of the module probe."),
        traffic=_object(
            "What telemetry saw: the answer of the module traffic_info.",
            (),
            traffic=_list(_CALLS),
            window={"type": ["integer", "null"]},
            source=_maybe("string"),
            queries=_NAMES,
        ),
        rules=_list(_object("", ("name", "passed"), name=_text(), severity=_text(), passed={"type": "boolean"})),
        namespaces=_list(_object("", ("name",), name=_text(), labels={"type": ["object", "null"]})),
        injectors=_list({"type": "object"}),
        findings=_list(_FINDING),
        unknown=_list(_GAP),
        summary=_object(
            "Counts.",
            (),
            workloads={"type": "object"},
            edges={"type": "object"},
            findings={"type": "object"},
            unknown={"type": "integer"},
        ),
    ),
}

_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "string": ("text", (str,)),
    "integer": ("a whole number", (int,)),
    "boolean": ("true or false", (bool,)),
    "object": ("an object", (dict,)),
    "array": ("a list", (list,)),
    "null": ("null", (type(None),)),
}


def problem_with(document: Any) -> str:
    """The first thing in a document that is not as SCHEMA says, as half a sentence; empty when all is."""
    return next(_problems(document, SCHEMA, "the document"), "")


def _problems(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    if "anyOf" in schema:
        if all(any(_problems(value, choice, where)) for choice in schema["anyOf"]):
            yield f"{where} has none of the forms that it may have"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{where} is not {schema['const']}"
    if "enum" in schema and not any(
        value is word or (isinstance(value, str) and value == word) for word in schema["enum"]
    ):
        yield f"{where} is none of {', '.join('null' if word is None else word for word in schema['enum'])}"
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{where} is not {' or '.join(_TYPES[kind][0] for kind in kinds)}"
    elif isinstance(value, dict):
        yield from _in_object(value, schema, where)
    elif isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            yield from _problems(item, schema["items"], f"{where}[{place}]")


def _in_object(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where} has no {name}"
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, item in value.items():
        expected = properties.get(name, others)
        if expected is not None:
            # Of what is one of many, the name is somebody else's word.
            shown = name if name in properties else visible(name, 100)
            yield from _problems(item, expected, shown if where == "the document" else f"{where}.{shown}")


def _is(value: Any, kind: str) -> bool:
    # To Python true is a number; to JSON it is none.
    return isinstance(value, _TYPES[kind][1]) and (kind == "boolean" or not isinstance(value, bool))

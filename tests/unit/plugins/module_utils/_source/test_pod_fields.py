# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A field of a pod that the engine reads reaches it from the API server, too, in JSON and in protobuf.

_snapshot/test_kept.py holds the names of a snapshot against what the engine asks for; here the others are held against
these names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import protobuf
from ansible_collections.meshproof.mtls.plugins.module_utils._snapshot.kept import ENVIRONMENT, NAMED, SHAPES
from ansible_collections.meshproof.mtls.plugins.module_utils._source import stored_pods
from ansible_collections.meshproof.mtls.plugins.module_utils._source.slim import slim
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils import protobuf_encoder

POD = SHAPES["Pod"]
[CONTAINER] = POD["spec"]["containers"]
[DEBUGGER] = POD["status"]["ephemeralContainerStatuses"]
EXAMPLES: dict[str, Any] = {
    NAMED: {"sidecar.istio.io/status": "{}"},
    ENVIRONMENT: [{"name": "ISTIO_META_INTERCEPTION_MODE", "value": "NONE"}],
}


def whole(shape: Any, name: str) -> Any:
    """A value with every field of a snapshot's shape; containers are called `name`."""
    if isinstance(shape, list):
        return [whole(shape[0], name)]
    if isinstance(shape, dict):
        found = {key: whole(inner, name) for key, inner in shape.items()}
        return {**found, "name": name} if shape is CONTAINER else found
    return EXAMPLES.get(shape, "x")


def paths(value: Any, path: str = "") -> Iterator[str]:
    """Where there is something in a manifest; places in lists do not count."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield f"{path}{key}"
        yield from paths(inner, f"{path}{key}.")
    for inner in value if isinstance(value, list) else ():
        yield from paths(inner, path)


def lacking(pods: list[dict[str, Any]]) -> set[str]:
    """The fields that a snapshot keeps of pods and of which none of these has a value; all containers count as one."""

    def fields(pod: dict[str, Any]) -> set[str]:
        return {path.replace("initContainers", "containers") for path in paths(pod)}

    return fields(whole(POD, "x")) - set().union(*map(fields, pods))


def test_slim_keeps_of_pods_what_a_snapshot_keeps():
    kept = set()
    for name in ("istio-proxy", "discovery"):  # only of istiod's container the image counts
        kept |= set(paths(slim({**whole(POD, name), "kind": "Pod"})))
    assert set(paths(whole(POD, "x"))) - kept == set(), "Remedy: add the fields to _source/slim.py"


@pytest.mark.parametrize(
    ("shape", "table"),
    [
        pytest.param(POD["metadata"], stored_pods.METADATA, id="metadata"),
        pytest.param(POD["metadata"]["ownerReferences"][0], stored_pods.OWNER, id="owner"),
        pytest.param(POD["spec"], stored_pods.SPEC, id="spec"),
        pytest.param(CONTAINER, stored_pods.CONTAINER, id="container"),
        pytest.param(CONTAINER["ports"][0], stored_pods.PORT, id="port"),
        pytest.param(POD["spec"]["securityContext"], stored_pods.POD_USER, id="user of the pod"),
        pytest.param(CONTAINER["securityContext"], stored_pods.CONTAINER_USER, id="user of a container"),
        pytest.param(CONTAINER["livenessProbe"]["httpGet"], stored_pods.HTTP_GET, id="probe by HTTP"),
        pytest.param(POD["status"], stored_pods.STATUS, id="status"),
        pytest.param(DEBUGGER, stored_pods.DEBUGGER_STATUS, id="status of a debug container"),
        pytest.param(DEBUGGER["state"], stored_pods.STATE, id="its state"),
    ],
)
def test_protobuf_has_of_pods_what_a_snapshot_keeps(shape, table):
    remedy = "add the fields to _source/stored_pods.py, by their numbers in k8s.io/api/core/v1/generated.proto"
    assert set(shape) - {field.name for field in table.values()} == set(), f"Remedy: {remedy}, and to protobuf_encoder"


@pytest.mark.parametrize(
    ("data", "port"),
    [
        pytest.param(b"\x10\x90\x3f", 8080, id="a number"),
        pytest.param(b"\x08\x00\x10\x90\x3f\x1a\x03web", 8080, id="a number, whatever the text beside it"),
        pytest.param(b"\x08\x01\x10\x90\x3f\x1a\x03web", "web", id="a text, whatever the number beside it"),
        pytest.param(b"\x08\x01", "", id="a text that is empty"),
        pytest.param(b"\x08\x02\x10\x90\x3f", 8080, id="of a type that nobody knows"),
        pytest.param(b"", 0, id="nothing"),
    ],
)
def test_a_port_of_a_probe_is_a_number_or_a_name(data, port):
    message = protobuf_encoder.message((2, data))
    found = protobuf.message(stored_pods.HTTP_GET)(message, 0, len(message))
    assert found.get("port", 0 if port == 0 else "") == port


def read(reader, *fields):
    message = protobuf_encoder.message(*fields)
    return reader(b"\xff" + message + b"\xff", 1, 1 + len(message))


WEB = protobuf_encoder.message((2, protobuf_encoder.message((2, b"\x10\x50"), (3, "192.0.2.1"))))
GRPC = protobuf_encoder.message((4, protobuf_encoder.message((1, 9090))))


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param([(1, WEB), (2, 30)], {"httpGet": {"port": 80, "host": "192.0.2.1"}}, id="by HTTP"),
        pytest.param([(1, GRPC)], {"grpc": {"port": 9090}}, id="by gRPC"),
        pytest.param([(1, protobuf_encoder.message((1, b"")))], {}, id="by a command"),
        pytest.param([(2, 30)], {}, id="by nothing"),
    ],
)
def test_a_probes_handler_is_no_level_of_its_own(fields, found):
    assert read(stored_pods._probe, *fields) == found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param([(1, protobuf_encoder.message((1, "d"))), (2, "app")], {"name": "d"}, id="its name"),
        pytest.param([(1, protobuf_encoder.message((1, "d"), (15, protobuf_encoder.message((4, 7)))))],
                     {"name": "d", "securityContext": {"runAsUser": 7}}, id="and whose user it is"),
        pytest.param([(2, "app")], {}, id="nothing"),
    ],
)  # fmt: skip
def test_what_debug_containers_have_in_common_with_others_is_none_either(fields, found):
    assert read(stored_pods._debugger, *fields) == found


@pytest.mark.parametrize(
    ("seconds", "time"),
    [
        (1, "1970-01-01T00:00:01Z"),
        (1_795_385_172, "2026-11-22T22:06:12Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        (253_402_300_800, None),
        (2**63, None),
    ],
)
def test_a_time_is_one_that_json_could_write(seconds, time):
    if time is None:
        with pytest.raises(ValueError, match="a time is none"):
            read(stored_pods._time, (1, seconds))
    else:
        assert read(stored_pods._time, (1, seconds)) == time

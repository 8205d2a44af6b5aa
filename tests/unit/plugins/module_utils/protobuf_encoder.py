# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what the API server writes: manifests of pods, lists of them and failures, in protobuf.

It writes more fields than the collection reads, of every kind of the format, because these have to be skipped.
"""

from __future__ import annotations

import calendar
import time

SKIPPED = ((100, "a text that nobody reads"), (101, 300), (102, b"\x00" * 300))


def varint(number):
    """A number, seven bits in each byte."""
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def message(*fields):
    """(number, value) pairs: numbers and booleans, texts, and messages as bytes; None is left out."""
    found = b""
    for number, value in fields:
        if value is None:
            continue
        if isinstance(value, int):
            found += varint(number << 3) + varint(int(value))
        else:
            data = value.encode() if isinstance(value, str) else value
            found += varint(number << 3 | 2) + varint(len(data)) + data
    return found


def _pairs(number, mapping):
    return [(number, message((1, key), (2, value))) for key, value in (mapping or {}).items()]


def _user(part, uid, gid):
    """As whom a pod or a container runs, with a field that nobody reads before it."""
    context = part.get("securityContext")
    if context is None:
        return None
    return message((1, b""), (uid, context.get("runAsUser")), (gid, context.get("runAsGroup")))


def _probe(probe):
    """By HTTP, at a number or a name, by gRPC, and by what nobody reads."""
    if probe is None:
        return None
    http, grpc = probe.get("httpGet"), probe.get("grpc")
    handler = [(1, message((1, "true")) if "exec" in probe else None)]
    if http is not None:
        port = http["port"]
        number = (1, 1), (2, 0), (3, port) if isinstance(port, str) else (3, "")
        number = ((1, 0), (2, port), (3, "")) if isinstance(port, int) else number
        handler.append((2, message((1, "/"), (2, message(*number)), (3, http.get("host", "")), (4, "HTTP"))))
    if grpc is not None:
        handler.append((4, message((1, grpc["port"]), (2, grpc.get("service")))))
    return message((1, message(*handler)), (2, 10), (3, 1))


def _container(container):
    return message(
        (1, container.get("name", "")),
        (2, container.get("image", "")),
        *((3, word) for word in container.get("command") or ()),
        *((4, argument) for argument in container.get("args") or ()),
        *(
            (6, message((1, port.get("name", "")), (3, port["containerPort"]), (4, port.get("protocol", ""))))
            for port in container.get("ports") or ()
        ),
        *(
            (7, message((1, variable["name"]), (2, variable.get("value", ""))))
            for variable in container.get("env") or ()
        ),
        *((9, message((1, mount))) for mount in container.get("volumeMounts") or ()),
        (10, _probe(container.get("livenessProbe"))),
        (11, _probe(container.get("readinessProbe"))),
        (15, _user(container, 4, 8)),
        (22, _probe(container.get("startupProbe"))),
        *SKIPPED,
        (24, container.get("restartPolicy")),
    )


def _debugger_status(status):
    numbers = {"waiting": 1, "running": 2, "terminated": 3}
    state = message(*((numbers[name], message((1, 137))) for name in status["state"]))
    return message((1, status["name"]), (2, state), (4, False))


def pod(pod):
    """One pod, as an item of a list."""
    metadata, spec, status = pod["metadata"], pod.get("spec", {}), pod.get("status", {})
    stamp = metadata.get("creationTimestamp")
    seconds = calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")) if stamp else None
    owners = (
        message((1, item["kind"]), (3, item["name"]), (4, item.get("uid", "")), (6, item.get("controller")))
        for item in metadata.get("ownerReferences") or ()
    )
    return message(
        (
            1,
            message(
                (1, metadata["name"]),
                (2, ""),
                (3, metadata.get("namespace", "")),
                (8, message((1, seconds)) if seconds else None),
                *_pairs(11, metadata.get("labels")),
                *_pairs(12, metadata.get("annotations")),
                *((13, owner) for owner in owners),
                (17, b"managed fields"),
            ),
        ),
        (
            2,
            message(
                *((2, _container(item)) for item in spec.get("containers") or ()),
                (8, spec.get("serviceAccountName", "")),
                (11, spec.get("hostNetwork", False)),
                (14, _user(spec, 2, 6)),
                *((20, _container(item)) for item in spec.get("initContainers") or ()),
                *((34, message((1, _container(item)))) for item in spec.get("ephemeralContainers") or ()),
                *SKIPPED,
            ),
        ),
        (
            3,
            message(
                (1, status.get("phase", "")),
                (6, status.get("podIP", "")),
                (8, message((1, "app"), (2, message((3, b""))))),
                *((13, _debugger_status(item)) for item in status.get("ephemeralContainerStatuses") or ()),
            ),
        ),
    )


def envelope(kind, content):
    """What is around every answer."""
    return b"k8s\0" + message((1, message((1, "v1"), (2, kind))), (2, content), (3, ""), (4, ""))


def pods(items, token=""):
    """A page of a list of pods."""
    metadata = message((1, ""), (2, "4711"), (3, token), (4, 500 if token else None))
    return envelope("PodList", message((1, metadata), *((2, pod(item)) for item in items)))


def status(message_text, token=""):
    """A failure."""
    return envelope("Status", message((1, message((3, token))), (2, "Failure"), (3, message_text), (6, 410)))

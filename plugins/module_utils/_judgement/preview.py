# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What proposed changes mean: for the connections of the mesh, and for the objects as a diff."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._foreign.lines import joined, section
from .._foreign.visible import visible
from .clients import ShownClients, clients_of, members_of
from .violations import IN_MESH, everybody, is_outside

BAD = ("broken", "plaintext", "unknown")


def preview(
    status: Mapping[str, Any], max_rows: int = 20, members: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, list[str]]:
    """The `changes` of status_info (detail full).

    `lines` to print, what concerns the system's own pods alone last; `rows` of all of it, for a file; the servers that
    rules for hosts `breaks`; and the connections of clients in the mesh that would be `broken`, each with its reason.
    `members` are the workloads before the changes by their ids, where these are about who is in the mesh.
    """
    workloads = {workload["id"]: workload for workload in status["workloads"]}
    changes = status.get("changes", [])
    edges = [change for change in changes if change["what"] == "edge"]
    ports = sorted((_port_row(change, workloads) for change in changes if change["what"] == "port"), key=_system_last)
    everyone = everybody(status)
    sets = status.get("change_client_sets", {})
    clients = clients_of(sets, everyone)
    rows = sorted((_edge_row(edge, clients[edge["clients"]]) for edge in edges), key=_worst_first)

    def tables(most: int) -> list[str]:
        return joined(
            [
                section("PORTS THAT CHANGE", ["WORKLOAD", "PORT", "BEFORE", "", "AFTER"], ports, most),
                section(
                    "CONNECTIONS THAT CHANGE", ["CLIENTS", "", "SERVICE", "BEFORE", "", "AFTER", "WHY"], rows, most
                ),
            ]
        )

    return {
        "lines": tables(max_rows),
        "rows": tables(len(ports) + len(rows)),
        "broken": sorted(
            {sentence for edge in edges for sentence in _broken(edge, sets, everyone, members or everyone)}
        ),
        "breaks": sorted({_broken_by_rule(edge, workloads) for edge in edges if _is_broken_by_rule(edge, workloads)}),
    }


def manifest_diff(changes: Iterable[Mapping[str, Any]], as_text: Callable[[Any], str]) -> list[str]:
    """Pairs of `before` and `after` (None where there is nothing) as a unified diff, without what the server sets.

    `as_text` writes a manifest as people read it, which is YAML wherever there is a library for it.
    """
    lines: list[str] = []
    for change in changes:
        named = change["after"] or change["before"]
        title = f"{named['kind']} {named['metadata']['namespace']}/{named['metadata']['name']}"
        before, after = (_lines(change[side], as_text) for side in ("before", "after"))
        compared = difflib.unified_diff(before, after, f"{title} (before)", f"{title} (after)")
        lines += [visible(line.rstrip("\n")) for line in compared]
    return lines


def _lines(manifest: Mapping[str, Any] | None, as_text: Callable[[Any], str]) -> list[str]:
    if manifest is None:
        return []
    meta = {key: manifest["metadata"][key] for key in ("name", "namespace", "labels") if key in manifest["metadata"]}
    shown = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": meta}
    if "spec" in manifest:
        shown["spec"] = manifest["spec"]
    # str.splitlines knows ends of lines that are none to a reader, such as U+2028.
    return [f"{line}\n" for line in as_text(shown).rstrip("\n").split("\n")]


def _port_row(change: Mapping[str, Any], workloads: Mapping[str, Mapping[str, Any]]) -> list[str]:
    workload = workloads.get(change["workload"])
    name = f"{workload['namespace']}/{workload['name']}" if workload else change["workload"]
    return [name, change["port"], _accepts(change["before"]), "→", _accepts(change["after"])]


def _accepts(port: Mapping[str, Any] | None) -> str:
    return "nothing" if port is None else f"{port['mode'] or 'none'}, plaintext {port['plaintext']}"


def _edge_row(change: Mapping[str, Any], clients: ShownClients) -> list[str]:
    service = f"{change['service']}:{change['port']}" + (f" subset {change['subset']}" if change["subset"] else "")
    before, after = (_verdict(change[key], bool(clients.inside)) for key in ("before", "after"))
    return [clients.all, "→", service, before, "→", after, (change["after"] or {}).get("reason", "")]


def _verdict(answer: Mapping[str, Any] | None, meshed: bool) -> str:
    """As istio_verify has it: clients outside the mesh are not broken but refused."""
    if answer is None:
        return "nothing"
    return "refused" if answer["verdict"] == "broken" and not meshed else str(answer["verdict"])


def _worst_first(row: Sequence[str]) -> tuple[bool, int, list[str]]:
    return _of_system(row[0]), (BAD.index(row[5]) if row[5] in BAD else len(BAD)), list(row)


def _system_last(row: Sequence[Any]) -> bool:
    return _of_system(row[0])


def _of_system(names: str) -> bool:
    """Whether all that are named are the system's own pods."""
    return all(name.startswith("kube-") for name in names.split(", "))


def _broken(
    change: Mapping[str, Any],
    sets: Mapping[str, Any],
    everyone: Mapping[str, Mapping[str, Any]],
    members: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    """The connections of clients in the mesh that work before and not after a change.

    Clients outside, which STRICT is there to refuse, are no part of it.
    """
    before, after = change["before"] or {}, change["after"] or {}
    if after.get("verdict") != "broken" or before.get("verdict", "broken") == "broken":
        return
    for client in members_of(sets[change["clients"]], everyone):
        if not is_outside(members.get(client)):
            yield visible(f"{client} → {change['service']}:{change['port']} ({after.get('reason', '')})")


def _is_broken_by_rule(change: Mapping[str, Any], workloads: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a client will send mutual TLS to what has no proxy to take it, which only a rule brings about."""
    before, after = change["before"] or {}, change["after"] or {}
    server = workloads.get(change["endpoint"] or "", {"mesh": "none"})
    return (
        (after.get("client_tls"), after.get("verdict")) == ("mtls", "broken")
        and before.get("verdict") != "broken"
        and change["endpoint"] is not None
        and server["mesh"] not in IN_MESH
    )


def _broken_by_rule(change: Mapping[str, Any], workloads: Mapping[str, Mapping[str, Any]]) -> str:
    server = workloads.get(change["endpoint"] or "")
    name = f"{server['kind']} {server['namespace']}/{server['name']}" if server else change["endpoint"] or "no server"
    return visible(f"{name} (Service {change['service']})")

# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposed changes: the manifests after them, and which answers differ."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, Optional, Set, Tuple

from .ages import PROPOSED
from .engine import Port, SetNames, State
from .manifests import Reader, key_of
from .manifests.kinds import text_in
from .pods import replica_set_of
from .records import Pod
from .server import Acceptance

Key = Tuple[str, str, str, str]
_OWNERS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet")


def apply(reader: Reader, proposed: List[Any]) -> Reader:
    """What would have been read after the proposals."""
    found: Dict[Key, List[Any]] = {("", "Pod", *place): [pod] for place, pod in reader.pods.items()}
    after = reader.portion()
    for manifest in reader.others:
        if isinstance(manifest, dict):
            found.setdefault(key_of(manifest), []).append(manifest)
        else:
            after.others.append(manifest)
    for number, item in enumerate(proposed):
        operation, manifest = _step(number, item)
        key = key_of(manifest)
        if operation == "delete":
            for dependent in _dependents(found, key):
                del found[dependent]
            found.pop(key, None)
        else:
            old = found.get(key)
            if old and key[1] in _OWNERS and _template(old[-1]) != _template(manifest):
                for dependent in _dependents(found, key):
                    del found[dependent]
            found[key] = [_aged(manifest, old[-1] if old else None)]
    for manifests in found.values():
        for manifest in manifests:
            if isinstance(manifest, Pod):
                after.pods[manifest.namespace, manifest.name] = manifest
            else:
                after.add([manifest])
    return after


def _step(number: int, item: Any) -> Tuple[str, Dict[str, Any]]:
    if not isinstance(item, dict) or item.get("op") not in ("apply", "delete"):
        raise ValueError(f"proposed[{number}] must be a dictionary with op: apply or delete, and manifest")
    manifest = item.get("manifest")
    if not isinstance(manifest, dict) or not key_of(manifest)[1] or not key_of(manifest)[3]:
        raise ValueError(f"proposed[{number}].manifest must be a manifest with kind and metadata.name")
    return str(item["op"]), manifest


def _template(manifest: Any) -> Any:
    spec = manifest.get("spec")
    return spec.get("template") if isinstance(spec, dict) else None


def _aged(manifest: Dict[str, Any], old: Any) -> Dict[str, Any]:
    """A new object counts as the youngest, a replaced one keeps its age."""
    metadata = dict(manifest["metadata"])
    metadata.pop("creationTimestamp", None)
    before = old.get("metadata") if isinstance(old, dict) else None
    if not isinstance(before, dict):
        metadata["creationTimestamp"] = PROPOSED
    elif before.get("creationTimestamp") is not None:
        metadata["creationTimestamp"] = before["creationTimestamp"]
    return dict(manifest, metadata=metadata)


def _dependents(found: Dict[Key, List[Any]], key: Key) -> List[Key]:
    """What goes with an object: all of a Namespace, the pods of a workload."""
    dummy, kind, namespace, name = key
    if kind == "Namespace":
        return [other for other in found if other[2] == name]
    if kind not in _OWNERS:
        return []
    gone = {(kind, name)}
    dependents: List[Key] = []
    # ReplicaSet and Job stand between a workload and its pods; a pod may also lead to its Deployment by its name alone.
    for step in ("ReplicaSet", "Job", "Pod"):
        for other, manifests in found.items():
            if other[1] == step and other[2] == namespace and _owners(manifests[-1]) & gone:
                dependents.append(other)
                gone.add((step, other[3]))
    return dependents


def _owners(item: Any) -> Set[Tuple[str, str]]:
    """What an object belongs to; of a pod also the Deployment that its ReplicaSet's name leads to."""
    if isinstance(item, Pod):
        return _owners_of_pod(item)
    metadata = item.get("metadata")
    references = metadata.get("ownerReferences") if isinstance(metadata, dict) else None
    return {
        (text_in(reference, "kind"), text_in(reference, "name"))
        for reference in (references if isinstance(references, list) else ())
        if isinstance(reference, dict)
    }


def _owners_of_pod(pod: Pod) -> Set[Tuple[str, str]]:
    replica_set = replica_set_of(pod)
    return {pod.owner, ("ReplicaSet", replica_set)} if replica_set is not None else {pod.owner}


EdgeKey = Tuple[str, str, int, str, str]
Answer = Tuple[str, str, str]
Change = Tuple[Optional[Answer], Optional[Answer], FrozenSet[str]]


def changes(before: State, after: State) -> Tuple[List[Dict[str, Any]], Dict[str, List[str]]]:
    """Every port and every edge whose answer differs, and the sets of clients that the edges name."""
    sets: Dict[str, List[str]] = {}
    rows = _port_changes(before, after)
    rows.extend(_edge_changes(before, after, sets))
    return rows, {name: sets[name] for name in sorted(sets)}


def _port_changes(before: State, after: State) -> List[Dict[str, Any]]:
    def ports(state: State) -> Dict[Tuple[str, int], Port]:
        return {(place, port.number): port for place, found in state.ports.items() for port in found}

    def answer(port: Optional[Port]) -> Optional[Acceptance]:
        return port.acceptance if port is not None else None

    def public(port: Optional[Port]) -> Optional[Dict[str, Any]]:
        return port.public() if port is not None else None

    old, new = ports(before), ports(after)
    return [
        {
            "what": "port",
            "workload": place,
            "port": number,
            "before": public(old.get((place, number))),
            "after": public(new.get((place, number))),
        }
        for place, number in sorted({*old, *new})
        # Decided by another object is no other answer.
        if answer(old.get((place, number))) != answer(new.get((place, number)))
    ]


class _Answers:
    """The edges of a state by what identifies them, each with the answers and the clients that get them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._members: Dict[int, FrozenSet[str]] = {}
        self.rows: Dict[EdgeKey, List[Tuple[Answer, int]]] = {}
        for edge in state.edges:
            key = (edge.service, edge.host, edge.port, edge.subset or "", edge.endpoint or "")
            self.rows.setdefault(key, []).append(((edge.client_tls, edge.verdict, edge.reason), edge.clients))

    def members(self, mask: int) -> FrozenSet[str]:
        """Workload ids of a set of scopes."""
        known = self._members.get(mask)
        if known is None:
            known = self._members[mask] = frozenset(self._state.members(mask))
        return known


def _public(answer: Optional[Answer]) -> Optional[Dict[str, str]]:
    return None if answer is None else {"client_tls": answer[0], "verdict": answer[1], "reason": answer[2]}


def _edge_changes(before: State, after: State, sets: Dict[str, List[str]]) -> List[Dict[str, Any]]:
    old, new, names = _Answers(before), _Answers(after), SetNames()
    rows: List[Dict[str, Any]] = []
    for key in sorted({*old.rows, *new.rows}):
        for answer, later, clients in _differences(old, new, key):
            ids = sorted(clients)
            name = names.of(ids)
            sets[name] = ids
            rows.append(
                {
                    "what": "edge",
                    "clients": name,
                    "service": key[0],
                    "host": key[1],
                    "port": key[2],
                    "subset": key[3] or None,
                    "endpoint": key[4] or None,
                    "before": _public(answer),
                    "after": _public(later),
                }
            )
    return rows


def _differences(old: _Answers, new: _Answers, key: EdgeKey) -> List[Change]:
    """Pairs of different answers with the clients that go from one to the other."""
    earlier = [(answer, old.members(mask)) for answer, mask in old.rows.get(key, ())]
    later = [(answer, new.members(mask)) for answer, mask in new.rows.get(key, ())]
    before: FrozenSet[str] = frozenset().union(*(clients for dummy, clients in earlier))
    after: FrozenSet[str] = frozenset().union(*(clients for dummy, clients in later))
    found: List[Change] = [(answer, None, clients - after) for answer, clients in earlier]
    found.extend((None, answer, clients - before) for answer, clients in later)
    for answer, clients in earlier:
        for other, others in later:
            # A reason in other words is no other answer.
            if answer[:2] != other[:2]:
                found.append((answer, other, clients & others))
    return sorted((item for item in found if item[2]), key=lambda item: (str(item[0]), str(item[1])))

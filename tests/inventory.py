"""A normalised inventory of a whole cluster, to prove that something left it as it was.

`python tests/inventory.py save FILE` writes it; `python tests/inventory.py diff BEFORE AFTER` prints what differs and
returns 1. Read through the API's own discovery, so a kind that nobody thought of is compared, too.

Left out is what changes by itself: Events, Leases, counters and stamps. What a controller makes is named by its owner,
because its own name is random; it counts, its number does not. `--alike` also masks what is random in each
installation (keys, certificates, Helm's own records), to compare two installations instead of one cluster's two times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kubernetes import client, config

# Kinds that come and go by themselves, and views of other kinds.
PASSING = {"Event", "Lease", "NodeMetrics", "PodMetrics", "ComponentStatus", "CSINode", "IPAddress"}
# Kinds whose objects a controller makes and names at random.
OWNED = {"Pod", "ReplicaSet", "EndpointSlice", "ControllerRevision", "CertificateSigningRequest"}
STAMPS = {
    "kubectl.kubernetes.io/restartedAt",
    "deployment.kubernetes.io/revision",
    "endpoints.kubernetes.io/last-change-trigger-time",
    "control-plane.alpha.kubernetes.io/leader",
}
SERVER_SET = {"resourceVersion", "uid", "creationTimestamp", "deletionTimestamp", "managedFields", "generation"}


def kinds(api: client.ApiClient) -> Iterator[tuple[str, str]]:
    """(list path, kind) of every listable kind, each once at its preferred version."""
    groups = get(api, "/apis")["groups"]
    for base in ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]:
        for resource in get(api, base)["resources"]:
            if "list" in resource["verbs"] and "/" not in resource["name"] and resource["kind"] not in PASSING:
                yield f"{base}/{resource['name']}", resource["kind"]


def get(api: client.ApiClient, path: str) -> Any:
    headers = {"Accept": "application/json"}
    request = api.param_serialize("GET", path, header_params=headers, auth_settings=["BearerToken"])
    response = api.call_api(*request, _request_timeout=60)
    return json.loads(response.read())


def normalised(item: dict[str, Any], alike: bool) -> dict[str, Any]:
    """What of an object is somebody's intention: no status, no server-set fields, no stamps, no secret text."""
    item = {key: value for key, value in item.items() if key not in ("status", "apiVersion", "kind")}
    meta = {key: value for key, value in item.pop("metadata").items() if key not in SERVER_SET}
    for key in ("data", "binaryData", "stringData"):
        if key in item:
            text = json.dumps(item.pop(key), sort_keys=True)
            item[key] = "masked" if alike else hashlib.sha256(text.encode()).hexdigest()
    return without_stamps({"metadata": meta, **item}, alike)


def without_stamps(value: Any, alike: bool) -> Any:
    """The value without stamps and addresses, at any depth; empty annotations and labels equal none."""
    if isinstance(value, list):
        return [without_stamps(entry, alike) for entry in value]
    if not isinstance(value, dict):
        return value
    random = {"caBundle"} if alike else set()
    cleaned = {
        key: without_stamps(entry, alike)
        for key, entry in value.items()
        if key not in STAMPS | random | {"clusterIP", "clusterIPs", "nodePort"}
    }
    return {key: entry for key, entry in cleaned.items() if not (key in ("annotations", "labels") and not entry)}


def name_of(item: dict[str, Any], kind: str, alike: bool) -> str:
    """The object's own name, or its owner's where a controller made the name up."""
    meta = item["metadata"]
    owners = meta.get("ownerReferences") or []
    if kind in OWNED and owners:
        owner = owners[0]["name"]
        # A ReplicaSet's own name ends in a hash of the template, restart stamps included.
        return f"of {owners[0]['kind']} {owner.rsplit('-', 1)[0] if owners[0]['kind'] == 'ReplicaSet' else owner}"
    if kind == "Secret" and item.get("type") == "helm.sh/release.v1" and alike:
        return f"release {meta['labels']['name']}"
    return str(meta["name"])


def inventory(api: client.ApiClient, alike: bool = False) -> dict[str, Any]:
    """{"Kind namespace/name": normalised object}; a controller's objects only by presence."""
    found: dict[str, Any] = {}
    for path, kind in kinds(api):
        group = path.rsplit("/", 1)[0]
        for item in get(api, path)["items"]:
            name = name_of(item, kind, alike)
            key = f"{group} {kind} {item['metadata'].get('namespace', '')}/{name}"
            by_presence = name != item["metadata"]["name"] or kind in ("Endpoints", "Node")
            found[key] = {} if by_presence else normalised(item, alike)
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """One readable line for each object that came, went or changed."""
    lines = [f"gone: {key}" for key in sorted(before.keys() - after.keys())]
    lines += [f"new: {key}" for key in sorted(after.keys() - before.keys())]
    for key in sorted(before.keys() & after.keys()):
        if before[key] != after[key]:
            was, became = (json.dumps(side[key], sort_keys=True) for side in (before, after))
            lines.append(f"changed: {key}: {was} → {became}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    save = commands.add_parser("save")
    save.add_argument("file", type=Path)
    save.add_argument("--alike", action="store_true")
    diff = commands.add_parser("diff")
    diff.add_argument("before", type=Path)
    diff.add_argument("after", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "save":
        found = inventory(config.new_client_from_config(), arguments.alike)
        arguments.file.write_text(json.dumps(found, indent=1, sort_keys=True))
        print(f"{len(found)} objects")
        return 0
    lines = differences(json.loads(arguments.before.read_text()), json.loads(arguments.after.read_text()))
    print("\n".join(lines) or "no differences")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())

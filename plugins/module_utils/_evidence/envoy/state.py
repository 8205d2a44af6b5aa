# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy this is, whom it gets its configuration from, and whether it took the last one."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ..._foreign import json_text, numbers
from ..._foreign.unreadable import Unreadable
from ..._foreign.visible import visible
from .records import Configuration, Istiod
from .sockets import dictionary, listing

_LISTENERS, _CLUSTERS = "listener_manager.lds.", "cluster_manager.cds."
_STREAM = "cluster.xds-grpc."
_LONGEST_WORD = 300
_MOST_ERRORS = 20


class Node(NamedTuple):
    """What the proxy was started with."""

    version: str
    envoy_version: str
    discovery: str
    """Where it looks for istiod."""
    places: Tuple[str, ...] = ()
    """The pods that it says it is, as ns/name: one, or several where it contradicts itself."""


def node(configs: Iterable[Any]) -> Node:
    """From /config_dump?mask=bootstrap.node…."""
    found = dictionary(dictionary(next(iter(configs), {})).get("bootstrap")).get("node")
    metadata = dictionary(dictionary(found).get("metadata"))
    build = dictionary(dictionary(dictionary(found).get("user_agent_build_version")).get("version"))
    parts = [numbers.number(build.get(key)) or 0 for key in ("major_number", "minor_number", "patch")] if build else []
    proxy = dictionary(metadata.get("PROXY_CONFIG"))
    return Node(
        _word(metadata.get("ISTIO_VERSION")),
        ".".join(map(str, parts))[:_LONGEST_WORD],
        _word(proxy.get("discoveryAddress")),
        _places(dictionary(found), metadata),
    )


def _places(node: Dict[str, Any], metadata: Dict[str, Any]) -> Tuple[str, ...]:
    """By its metadata, and by its id, which is kind~address~pod.namespace~domain (pkg/model/proxy.go, ServiceNode)."""
    name, namespace = _word(metadata.get("NAME")), _word(metadata.get("NAMESPACE"))
    said = {f"{namespace}/{name}"} if name and namespace else set()
    parts = _word(node.get("id")).split("~")
    if len(parts) == 4:
        pod, dummy, home = parts[2].rpartition(".")
        said.add(f"{home}/{pod}")
    return tuple(sorted(said))


def _word(value: Any) -> str:
    """A name or a version, which is text, and short."""
    return visible(value, _LONGEST_WORD) if isinstance(value, str) else ""


def stats(text: str) -> Dict[str, str]:
    """Lines `name: value` of /stats. Proxies since Istio 1.24 end a cluster's name with a semicolon there."""
    found = {}
    for line in text.split("\n"):
        name, mark, value = line.partition(": ")
        if mark:
            found[name.replace(";.", ".")] = value.strip().strip('"')
    return found


def istiod(values: Dict[str, str], discovery: str) -> Istiod:
    """Who istiod is, and whether there is a connection to it.

    Envoy's own account (control_plane.…) is not among the statistics that Istio's proxies keep by default. Without it
    the stream of configuration speaks: Envoy talks to the agent beside it, which answers on a stream only once istiod
    has answered the agent, and ends it when that connection ends.
    """
    identity = _identity(values.get("control_plane.identifier", "")) or discovery
    active = _number(values, f"{_STREAM}upstream_rq_active")
    if active is None:
        state = _number(values, "control_plane.connected_state")
        return Istiod(identity, None if state is None else state == 1)
    if active == 0:
        return Istiod(identity, False)
    total, completed = (_number(values, f"{_STREAM}upstream_rq_{name}") for name in ("total", "completed"))
    if total is None or completed is None:
        return Istiod(identity, None)
    # An open stream without an answer: the agent is still trying to reach istiod, again and again.
    return Istiod(identity, total <= completed)


def was_rejected(values: Dict[str, str]) -> bool:
    """Whether some update was ever rejected; only then are the listeners' errors worth a question."""
    return any((_number(values, f"{where}update_rejected") or 0) > 0 for where in (_LISTENERS, _CLUSTERS))


def configuration(values: Dict[str, str], listeners: Optional[Iterable[Any]]) -> Configuration:
    """Whether the last configuration was accepted.

    :arg listeners: Items of /config_dump?resource=dynamic_listeners with their error_state; None where they were not
        asked for, because nothing was ever rejected, or not to be had.
    """
    updates = [_number(values, f"{where}update_time") for where in (_LISTENERS, _CLUSTERS)]
    updated = _time(max((update for update in updates if update), default=0))
    rejected = [_number(values, f"{where}update_rejected") for where in (_LISTENERS, _CLUSTERS)]
    if None in rejected:
        return Configuration(None, "the proxy keeps no statistics of its updates", updated)
    if not any(rejected):
        if not updated:
            return Configuration(None, "the proxy has not got any configuration yet", updated)
        return Configuration(True, "", updated)
    errors = _errors(listeners or ())
    if errors:
        return Configuration(False, "; ".join(errors), updated)
    if rejected[0] and listeners is None:
        return Configuration(None, "an update of listeners was rejected, and which cannot be read", updated)
    if rejected[1]:
        # Envoy keeps no error for clusters, and a later update need not hold the rejected one.
        times = f"{rejected[1]} update(s) of clusters were rejected since the proxy started"
        return Configuration(None, f"{times}; Envoy does not say whether the last one was", updated)
    return Configuration(True, "", updated)


def _errors(listeners: Iterable[Any]) -> List[str]:
    """Envoy's errors. For a listener that exists the same one is there twice, by its name and without one."""
    named: Dict[str, str] = {}
    nameless: List[str] = []
    for item in map(dictionary, listeners):
        error = dictionary(item.get("error_state"))
        detail = str(error.get("details") or "rejected").strip()
        if error and item.get("name"):
            named[str(item["name"])] = detail
        elif error:
            nameless.append(detail)
    rest = sorted(set(nameless) - set(named.values()))
    found = [f"{name}: {detail}" for name, detail in sorted(named.items())] + rest
    return [visible(item) for item in found[:_MOST_ERRORS]]


def _identity(text: str) -> str:
    """istiod names itself in JSON: {"Component":"istiod","ID":"istiod-…","Info":{…}}."""
    try:
        return _word(dictionary(json_text.parse(text)).get("ID"))
    except Unreadable:
        return _word(text)


def _number(values: Dict[str, str], name: str) -> Optional[int]:
    return numbers.number(values.get(name))


def _time(milliseconds: int) -> str:
    """The moment; empty for none, and for one that no calendar has."""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if milliseconds else ""


def entries(body: bytes) -> List[Any]:
    """The configs of an answer to /config_dump; of `{}` none, which is Envoy's answer where nothing is selected.

    Raises Unreadable where it is no such answer.
    """
    content = json_text.parse(body)
    if not isinstance(content, dict):
        raise Unreadable("is no object")
    configs = content.get("configs")
    if configs is not None and not isinstance(configs, list):
        raise Unreadable("has configs that are no list")
    return listing(configs)

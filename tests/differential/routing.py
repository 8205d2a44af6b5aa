# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a sidecar leads what its client sends to a host and port, as the listeners and routes of the referee say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

_ANYWHERE = "0.0.0.0"
NO_ROUTE = "no route"
"""In the place of a cluster, where requests are refused for want of a route."""
_CATCH_ALL = 15001
"""The port of the listener for all that no other one takes."""


def led_to(routing: Any, host: str, port: int, addresses: Iterable[str], spoken: str) -> set[str]:
    """The clusters to which the connections and requests for a host and port can be led.

    `spoken` is what clients speak there: http, tls, tcp, or "" where it may be any but TLS.
    """
    found: set[str] = set()
    dialled = set(addresses) or {_ANYWHERE}
    for address in dialled:
        chains = _listener(routing, address, port)
        special = [chain for chain in chains if address in (chain["ranges"] or ())]
        for chain in _taking(special or [chain for chain in chains if not chain["ranges"]], host, spoken):
            if chain["routes"]:
                known = list(_routes(routing["routes"].get(chain["routes"]) or (), host, port))
                for routes in known:
                    found.update(_clusters(routes))
                found.update(() if known else (NO_ROUTE,))
            else:
                found.update(chain["clusters"] or ())
    return found


def led_by(routing: Any, addresses: Iterable[str], port: int) -> set[str]:
    """The clusters to which the listeners of their own lead that some addresses have."""
    return {
        cluster
        for listener in routing["listeners"]
        if listener["address"] in addresses and listener["port"] == port
        for chain in listener["chains"] or ()
        for cluster in chain["clusters"] or ()
    }


def _taking(chains: Any, host: str, spoken: str) -> Iterator[Any]:
    """The chains for what is spoken, where a listener tells it apart."""
    named = [chain for chain in chains if any(_fits(host, name) for name in chain["names"] or ())]
    if spoken == "tls" and named:
        yield from named
        return
    speaking = {bool(chain["routes"]) for chain in chains}
    for chain in chains:
        if chain["names"]:
            continue
        if len(speaking) < 2 or not spoken or bool(chain["routes"]) == (spoken == "http"):
            yield chain


def _listener(routing: Any, address: str, port: int) -> Any:
    """The chains of the listener that takes a connection, none where that is the one for everything else."""
    for wanted in (address, _ANYWHERE):
        for listener in routing["listeners"]:
            if (listener["address"], listener["port"]) == (wanted, port) and port != _CATCH_ALL:
                return listener["chains"] or ()
    return ()


def _routes(hosts: Any, host: str, port: int) -> Iterator[Any]:
    """The routes of the virtual host for a name: the one with the name itself, else with the longest pattern.

    For a pattern, whatever fits it may be asked for.
    """
    named: dict[str, Any] = {domain: item["routes"] or () for item in hosts for domain in item["domains"]}
    if host.startswith("*"):
        yield from (routes for domain, routes in named.items() if domain.partition(":")[0].endswith(host[1:]))
        return
    for domain in (host, f"{host}:{port}"):
        if domain in named:
            yield named[domain]
            return
    patterns = [domain for domain in named if domain.startswith("*") and _fits(host, domain)]
    if patterns:
        yield named[max(patterns, key=len)]


def _fits(host: str, pattern: str) -> bool:
    return host == pattern or (pattern.startswith("*") and host.endswith(pattern[1:]))


def _clusters(routes: Any) -> Iterator[str]:
    """The clusters of all routes up to the first that takes every request."""
    for route in routes:
        yield from route["clusters"] or ()
        if route["whole"]:
            return

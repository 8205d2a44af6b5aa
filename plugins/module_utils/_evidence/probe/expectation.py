# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificate each endpoint must show. Where that is not known, no handshake with it proves anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..._policy import spiffe
from ..identity import Identity, compared
from .plan import Endpoint, Target

Expected = Mapping[str, Sequence[str]]
"""By pod (ns/name) the identities of which its certificate must have one, by the mesh's configuration."""


def expected_of(workloads: Iterable[Mapping[str, Any]]) -> Expected:
    """From the workloads of status_info; whose identity cannot be told is not in it."""
    return {
        f"{workload['namespace']}/{pod}": (workload["identity"], *workload.get("identity_aliases", ()))
        for workload in workloads
        if workload.get("identity")
        for pod in workload["pods"]
    }


def expecting(targets: Iterable[Target], trust_domains: Sequence[str], known: Expected) -> list[Target]:
    """The targets, whose endpoints know what they must show.

    What is `known` of a pod counts, else the identity that istiod issues to a pod (pkg/spiffe): its namespace and
    service account in one of the mesh's trust domains.
    """
    return [
        target._replace(endpoints=tuple(_expecting(target, item, trust_domains, known) for item in target.endpoints))
        for target in targets
    ]


def _expecting(target: Target, endpoint: Endpoint, trust_domains: Sequence[str], known: Expected) -> Endpoint:
    if endpoint.pod is None:
        return endpoint
    found = known.get(f"{target.namespace}/{endpoint.pod}")
    if found is None and endpoint.account is not None:
        found = [spiffe.identity(domain, target.namespace, endpoint.account) for domain in trust_domains]
    return endpoint._replace(identities=tuple(found or ()))


def identity_of(endpoint: Endpoint, shown: Iterable[str]) -> Identity:
    """What an endpoint showed in all its handshakes, beside what it must show."""
    expected, aliases = next(iter(endpoint.identities), None), endpoint.identities[1:]
    found = compared(expected, shown, aliases)
    return found if expected else found._replace(why=f"{found.why}: {_why_unknown(endpoint)}")


def _why_unknown(endpoint: Endpoint) -> str:
    if endpoint.pod is None:
        return f"{endpoint.address} is the address of no pod that was read"
    if endpoint.account is None:
        return (
            f"the pod {endpoint.pod} could not be read. Remedy: ask for a role that may; the ClusterRole "
            "meshproof-reader that this collection ships does"
        )
    return "the mesh's trust domain is not known. Remedy: name it by the option trust_domains"

# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that iptables take for the proxy."""

from __future__ import annotations

from typing import Iterable

from ..engine import State
from ..users import as_proxy
from .kinds import Finding, FindingKind
from .wording import called, listed

AS_PROXY = FindingKind(
    id="MTLS-030",
    severity="high",
    title="An application runs as the proxy's user",
    explanation="A container's `runAsUser` or `runAsGroup`, its own or its pod's, is the proxy's: 1337, or what the "
    "arguments of `istio-init`, the proxy's own securityContext or, on OpenShift, the namespace's range say.",
    why="The redirection tells the proxy from applications by user and group alone, and lets out what the proxy sends. "
    "Whatever this application sends goes past the proxy as it is, in plaintext, whatever DestinationRules and "
    "policies say.",
    remedy="Give the container another user and group (`securityContext`), and restart the workload.",
    example="""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: demo}
spec:
  template:
    metadata:
      labels: {app: a}
    spec:
      containers: [{name: app, securityContext: {runAsUser: 1337}, ports: [{containerPort: 8080}]}]
""",
)

KINDS = (AS_PROXY,)


def rules(state: State) -> Iterable[Finding]:
    """Each workload whose containers' traffic its own redirection lets out."""
    for workload in state.workloads:
        found = as_proxy(workload.shape)
        if found and not workload.doubt:
            proxy = workload.shape.proxy_user
            ids = {f"user {user.uid}" if user.uid in proxy.uids else f"group {user.gid}" for user in found}
            yield AS_PROXY.at(
                called(workload),
                f"container {listed(sorted({user.container for user in found}))} runs as the proxy's "
                f"{' and '.join(sorted(ids))}: what it sends bypasses the proxy, in plaintext",
                "give it another runAsUser and runAsGroup, and restart it",
            )

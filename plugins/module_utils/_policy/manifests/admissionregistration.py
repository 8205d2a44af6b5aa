# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the API group admissionregistration.k8s.io: who injects."""

from __future__ import annotations

from typing import Any, Mapping

from ..fields import identity_of, labels_of, mapping, sequence, text_of
from ..pods import PodParser
from ..records import (
    REVISION_LABEL,
    Snapshot,
    Webhook,
)


def webhook_configuration(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    labels = labels_of(identity.metadata.get("labels"), "metadata.labels")
    revision = labels.get(REVISION_LABEL)
    if not revision:
        return
    homes, remote = set(), False
    for entry in sequence(manifest.get("webhooks"), "webhooks"):
        config = mapping(mapping(entry, "an entry of webhooks").get("clientConfig"), "clientConfig")
        service = mapping(config.get("service"), "clientConfig.service")
        home = text_of(service.get("namespace"), "clientConfig.service.namespace")
        if home:
            homes.add(home)
        remote = remote or bool(config.get("url"))
    snapshot.webhooks.append(Webhook(identity.name, revision, labels.get("istio.io/tag"), frozenset(homes), remote))

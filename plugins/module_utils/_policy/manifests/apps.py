# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the API groups apps and batch: what makes pods, and who owns whom."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Tuple

from ..fields import Identity, identity_of, is_name, labels_of, mapping, sequence, strings, text_of
from ..pods import PodParser
from ..records import (
    Labels,
    Snapshot,
    Template,
)


def deployment(parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    template = mapping(mapping(manifest.get("spec"), "spec").get("template"), "spec.template")
    metadata = mapping(template.get("metadata"), "spec.template.metadata")
    labels = labels_of(metadata.get("labels"), "spec.template.metadata.labels")
    annotations = labels_of(metadata.get("annotations"), "spec.template.metadata.annotations")
    spec = mapping(template.get("spec"), "spec.template.spec")
    env: Labels = {}
    image = ""
    arguments: Tuple[str, ...] = ()
    if identity.name.startswith("istiod"):
        for container in _istiods(sequence(spec.get("containers"), "containers")):
            image = text_of(container.get("image"), "containers.image")
            arguments = strings(container.get("args"), "args")
            for variable in sequence(container.get("env"), "env"):
                env[text_of(variable.get("name"), "env.name")] = text_of(variable.get("value"), "env.value")
    snapshot.templates.append(
        Template(
            identity.namespace,
            identity.name,
            labels,
            annotations,
            parser.shape(labels, annotations, spec),
            env,
            image,
            arguments,
        )
    )


def _istiods(containers: List[Any]) -> List[Any]:
    """Istio's chart calls it `discovery`; a container that is alone is it, whatever it is called."""
    found = [container for container in containers if container.get("name") == "discovery"]
    return found or (containers if len(containers) == 1 else [])


def replica_set(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    snapshot.replica_sets[identity.namespace, identity.name] = _owner(identity)


def job(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    owner = _owner(identity)
    if owner is not None:
        snapshot.jobs[identity.namespace, identity.name] = owner


def cron_job(_parser: PodParser, snapshot: Snapshot, manifest: Mapping[str, Any]) -> None:
    identity = identity_of(manifest)
    snapshot.cronjobs.add((identity.namespace, identity.name))


def _owner(identity: Identity) -> Optional[Tuple[str, str]]:
    """What controls it, else the first that it names; a name that none can have would be another workload's id."""
    found: Optional[Tuple[str, str]] = None
    for reference in sequence(identity.metadata.get("ownerReferences"), "metadata.ownerReferences"):
        kind = text_of(reference.get("kind"), "ownerReferences.kind")
        name = text_of(reference.get("name"), "ownerReferences.name")
        if kind and name and is_name(kind + name) and (found is None or reference.get("controller")):
            found = kind, name
    return found
